// Explore: faces of a generator, seen, changed, added, mixed, filmed and mapped.
import { get } from "../api.js";
import { Atlas } from "../explore/atlas.js";
import { Changes, Mix } from "../explore/changes.js";
import { scriptOf } from "../explore/commands.js";
import { FilmTool } from "../explore/film.js";
import { Model, keyOf } from "../explore/model.js";
import { recalledLook } from "../explore/recalled.js";
import { Session } from "../explore/session.js";
import { Sheet } from "../explore/sheet.js";
import { Stage, useKeys } from "../explore/stage.js";
import { Sum } from "../explore/sum.js";
import { useSession } from "../explore/tiles.js";
import { Tray } from "../explore/tray.js";
import { html, useEffect, useRef, useState } from "../html.js";
import { navigate } from "../router.js";
import { useStore } from "../store.js";
import { Button, CommandBox, EmptyState, ErrorLine, ModelPicker, Spinner, Tabs, chosenModel } from "../ui.js";

const TOOLS = [
  { id: "sheet", label: "Faces", icon: "grid" }, { id: "map", label: "Map", icon: "compass" }, { id: "sum", label: "Arithmetic", icon: "plus" },
  { id: "mix", label: "Mix", icon: "shuffle" }, { id: "film", label: "Film", icon: "film" },
];
const NARROW = matchMedia("(max-width: 860px)");
const WAIT = 250; // ms after which a change is in the address; browsers allow few changes a second

/** @typedef {import("../store.js").Item} Item */
/** @typedef {import("../explore/model.js").Look} Look */

/** Whether the page is narrow: the sliders are then one of the tools. */
function useNarrow() {
  const [narrow, setNarrow] = useState(NARROW.matches);
  useEffect(() => {
    const change = () => setNarrow(NARROW.matches);
    NARROW.addEventListener("change", change);
    return () => NARROW.removeEventListener("change", change);
  }, []);
  return narrow;
}

/** Favourites with others at their end. @param {Look[]} looks @param {Look[]} others */
const addedTo = (looks, others) => [...looks, ...others.filter(look => !looks.some(known => keyOf(known) === keyOf(look)))];

/** The models that draw faces. @param {Item[]} models */
const generators = models => models.filter(item => item.model !== "translator");

/** @param {{session: Session, item: Item}} props */
function Commands({ session, item }) {
  const look = useSession(session, state => state.look);
  const [shown, setShown] = useState(look);
  useEffect(() => { const timer = setTimeout(() => setShown(look), 150); return () => clearTimeout(timer); }, [look]);
  return html`<section class="card stack"><h2 class="h3">The same without the studio</h2>
    <${CommandBox} ...${scriptOf({ ...session.model.about, file: item.name }, shown)} /></section>`;
}

/** Keeps the address as what is looked at, and what is looked at as the address. @param {Session} session @param {string} id @param {Record<string, string>} state */
function useAddress(session, id, state) {
  const written = useRef("");
  useEffect(() => {
    let timer = 0;
    const write = () => {
      const parts = { ...session.spelled(), ...(tool.current === "sheet" ? {} : { tool: tool.current }) };
      if (JSON.stringify(parts) === written.current) return;
      written.current = JSON.stringify(parts);
      navigate("explore", id, parts, { replace: true });
    };
    const later = () => { clearTimeout(timer); timer = setTimeout(write, WAIT); };
    const end = session.state.subscribe(later);
    rewrite.current = later;
    return () => { clearTimeout(timer); end(); };
  }, [session, id]);
  const rewrite = useRef(() => {});
  const tool = useRef(recalledLook(state).parts.tool ?? "sheet");
  useEffect(() => { // somebody has opened another address, or gone back
    const { parts } = recalledLook(state);
    delete parts.tool;
    const now = JSON.stringify(state);
    if (written.current && now !== written.current && JSON.stringify(parts) !== JSON.stringify(session.spelled())) session.setLook(session.read(parts));
    written.current = now;
  }, [JSON.stringify(state)]);
  return (/** @type {string} */ to) => { tool.current = to; rewrite.current(); };
}

/** @param {{session: Session, item: Item, state: Record<string, string>, onFound: () => void}} props */
function Explorer({ session, item, state, onFound }) {
  const narrow = useNarrow();
  const asked = recalledLook(state).parts.tool;
  const tools = narrow ? [{ id: "change", label: "Change", icon: "sliders" }, ...TOOLS] : TOOLS;
  const [wanted, setTool] = useState(asked ?? "sheet");
  const tool = tools.some(one => one.id === wanted) ? wanted : "sheet";
  const error = useSession(session, value => value.error);
  const writeTool = useAddress(session, item.id, state);
  useKeys(session);
  const changes = html`<${Changes} session=${session} modelId=${item.id} onFound=${onFound} />`;
  const turn = (/** @type {string} */ to) => { setTool(to); writeTool(to); };
  return html`<${ErrorLine} error=${error} />
    ${session.model.remote && html`<p class="soft small">This browser cannot run the model by itself: the server draws, which takes longer.</p>`}
    <div class="explore">
      <div class="left stack"><${Stage} session=${session} modelId=${item.id} />${!narrow && html`<section class="card">${changes}</section>`}</div>
      <div class="right stack">
        <${Tray} session=${session} />
        <section class="card stack"><${Tabs} label="Tools" tabs=${tools} value=${tool} onChange=${turn} panelId="tool" />
          <div id="tool" role="tabpanel" aria-label=${tools.find(one => one.id === tool)?.label}>
            ${tool === "change" && changes}
            ${tool === "sheet" && html`<${Sheet} session=${session} />`}
            ${tool === "map" && html`<${Atlas} session=${session} modelId=${item.id} />`}
            ${tool === "sum" && html`<${Sum} session=${session} />`}
            ${tool === "mix" && html`<${Mix} session=${session} />`}
            ${tool === "film" && html`<${FilmTool} session=${session} modelId=${item.id} />`}</div></section>
        <${Commands} session=${session} item=${item} />
      </div>
    </div>`;
}

/** @param {import("../app.js").ViewProps} props */
function View({ id, state }) {
  const models = useStore(value => value.project?.models);
  const [opened, setOpened] = useState(/** @type {{session: Session, key: string} | null} */ (null));
  const [error, setError] = useState("");
  const [turn, setTurn] = useState(0);
  const known = models && generators(models);
  const item = (known && chosenModel(known, id)) ?? (id ? undefined : known?.[0]);
  const key = `${item?.id} ${turn}`;
  const session = opened?.key === key ? opened.session : null; // never another model's under this one's name
  useEffect(() => {
    if (!item) return undefined;
    const control = new AbortController();
    /** @type {Model | null} */
    let model = null;
    setOpened(null);
    setError("");
    const path = `/api/explore/${encodeURIComponent(item.id)}`;
    Promise.all([get(path, control.signal), get(`${path}/tray`, control.signal)]).then(([about, { looks }]) => {
      model = new Model(about);
      setOpened({ key, session: new Session(model, recalledLook(state).parts, addedTo(looks, recalledLook(state).favourites)) });
    }).catch(problem => control.signal.aborted || setError(problem.message));
    return () => { control.abort(); model?.close(); };
  }, [key]);
  if (!known) return html`<h1>Explore</h1><p><${Spinner} label="Reading the project" /></p>`;
  if (!item) {
    return html`<h1>Explore</h1>${id ? html`<${ErrorLine} error="This project has no generator “${id}”." />` : ""}
      <${EmptyState} icon="face" title="No such model" action=${html`<${Button} kind="primary" href="#/explore">Open another one<//>`}>
        Train a model, or open the one that comes with facegan.<//>`;
  }
  return html`<header class="row"><h1>Explore</h1>
      <div class="choose"><${ModelPicker} kind="generator" value=${item.id} onChange=${(/** @type {string} */ to) => navigate("explore", to)} /></div></header>
    ${error && html`<${ErrorLine} error=${error} onRetry=${() => setTurn(turn + 1)} />`}
    ${!session && !error && html`<p class="row"><span><${Spinner} label="Opening the model" /> Opening ${item.name} … ${" "}<span class="soft">The first time, it is prepared for the browser, which takes a moment.</span></span></p>`}
    ${session && html`<${Explorer} key=${key} session=${session} item=${item} state=${state} onFound=${() => setTurn(turn + 1)} />`}`;
}

export default { View };
