// The large picture, what can be done with it, and where it came from.
import { post } from "../api.js";
import { html, useEffect, useRef, useState } from "../html.js";
import { newestOnly } from "../newest.js";
import { address } from "../router.js";
import { randomSeed } from "../results.js";
import { refresh } from "../store.js";
import { Button, IconButton, copyText, toast, toastError } from "../ui.js";
import { markOf, writePng } from "../engine/encoders.js";
import { scriptOf } from "./commands.js";
import { LARGE, keyOf } from "./model.js";
import { describe, spellMoves, titleOf } from "./points.js";
import { Tile, paint, useSession } from "./tiles.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./model.js").Look} Look */

const SHOWN_STEPS = 24;

/** The look as an address, which a picture's mark keeps, so that it can be recalled. @param {Session} session */
const recallOf = session => `explore?${new URLSearchParams(session.spelled())}`;

/** @param {string} text of a file's description, which knows no other letters */
const ascii = text => text.replaceAll("−", "-").replace(/[^\x20-\x7e]/g, "?");

/** A description as a name of a file; the minus before a strength or a face is a word. @param {string} text */
const fileNameOf = text => text.toLowerCase().replace(/−|(?<= )-(?=\d)/g, "minus").replaceAll("+", "plus").replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 80);

/** @param {Session} session */
async function download(session) {
  const { model, look } = session;
  const picture = await model.draw(look, LARGE);
  const { face, truncation, labels } = look;
  const seed = "seed" in face.point ? `${face.point.seed}` : "";
  const mark = markOf({
    seed, points: seed ? "" : titleOf(face.point), edits: spellMoves(face.moves ?? {}), truncation: `${truncation}`,
    labels: labels ? (model.about.labels ?? []).map((name, i) => `${name}=${labels[i]}`).join(",") : "",
    command: scriptOf(model.about, look).command.split("\n").at(-1) ?? "", recall: recallOf(session),
  }, model.about);
  const note = ascii(`${model.about.name}, ${describe(face)}`);
  const file = await writePng([picture.data], [model.width, model.height], note, mark);
  saveAs(file, `${model.about.name}-${fileNameOf(describe(face))}.png`);
}

/** @param {Blob} file @param {string} name */
export function saveAs(file, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(file), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Keeps the picture in the project, with its vector. @param {Session} session */
async function keep(session) {
  const { model, look } = session;
  await post(`${model.base}/keep`, { look, recall: recallOf(session), title: describe(look.face), ...scriptOf(model.about, look) });
  toast("Kept in the project's results, with its vector.", { kind: "good" });
  await refresh();
}

/** Notes when something happens first, for measurements. @param {string} name */
const markOnce = name => performance.getEntriesByName(name).length || performance.mark(name);

/** The canvas; it follows the session without waiting for anything else to be drawn. @param {{session: Session}} props */
function Large({ session }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const [slow, setSlow] = useState(true);
  useEffect(() => {
    const newest = newestOnly(async () => {
      const { look } = session;
      return { look, picture: await session.model.draw(look, LARGE) };
    }, ({ look, picture }) => {
      paint(canvas.current, picture);
      const by = session.model.isLocal ? "page" : "server";
      if (canvas.current) Object.assign(canvas.current.dataset, { drawn: keyOf(look), by });
      markOnce("first picture");
      if (by === "page") markOnce("first picture of the page");
      setSlow(false);
    }, error => session.fail(error.message));
    let last = "";
    const follow = () => {
      const key = keyOf(session.look);
      if (key === last) return;
      last = key;
      if (canvas.current) canvas.current.dataset.wanted = key;
      void newest.run();
    };
    follow();
    void session.model.ready.then(() => newest.run()); // the server may have drawn until now
    const unfollow = session.state.subscribe(follow);
    return () => { unfollow(); newest.end(); };
  }, [session]);
  const name = useSession(session, state => describe(state.look.face));
  return html`<canvas ref=${canvas} class="large ${slow ? "waits" : ""}" width=${session.model.width} height=${session.model.height}
    style=${{ "--aspect": session.model.width / session.model.height }} role="img" aria-label=${name}></canvas>`;
}

/** @param {{session: Session}} props */
function Steps({ session }) {
  const at = useSession(session, state => state.at);
  const all = session.steps.all;
  if (all.length < 2) return null;
  const first = Math.max(0, Math.min(at - SHOWN_STEPS / 2, all.length - SHOWN_STEPS));
  return html`<div class="steps" role="group" aria-label="History, oldest first">${all.slice(first, first + SHOWN_STEPS).map((step, i) => html`
    <${Tile} key=${first + i} session=${session} face=${step.look.face} look=${step.look} selected=${first + i === at}
      label="Step ${first + i + 1}: ${describe(step.look.face)}" onChoose=${() => session.goTo(first + i)} />`)}</div>`;
}

/** @param {{session: Session, modelId: string}} props */
export function Stage({ session, modelId }) {
  const look = useSession(session, state => state.look);
  const at = useSession(session, state => state.at);
  const kept = useSession(session, state => state.tray.some(other => keyOf(other) === keyOf(state.look)));
  const [busy, setBusy] = useState("");
  const run = (/** @type {string} */ name, /** @type {() => Promise<unknown>} */ work) => async () => {
    setBusy(name);
    await work().catch(toastError);
    setBusy("");
  };
  const link = () => copyText(new URL(address("explore", modelId, session.spelled()), location.href).href);
  const moves = spellMoves(look.face.moves ?? {});
  return html`<section class="stage card" aria-label="The face">
    <${Large} session=${session} />
    <div class="titles"><h2 class="name">${titleOf(look.face.point)}</h2>${moves && html`<p class="soft small">${moves}</p>`}</div>
    <div class="actions">
      <${IconButton} small icon="star" label=${kept ? "Take out of the favourites (F)" : "Add to the favourites (F)"} pressed=${kept} onClick=${() => session.favour(look)} />
      <${IconButton} small icon="undo" label="Undo (Ctrl+Z)" disabled=${at === 0} onClick=${() => session.go(-1)} />
      <${IconButton} small icon="redo" label="Redo (Ctrl+Shift+Z)" disabled=${!session.steps.canRedo} onClick=${() => session.go(1)} />
      <${IconButton} small icon="shuffle" label="Another face, by chance (R)" onClick=${() => session.chooseSeed(randomSeed())} />
      <${IconButton} small icon="share" label="Copy the address of this face" onClick=${link} />
      <${IconButton} small icon="download" label="Download as PNG" busy=${busy === "download"} onClick=${run("download", () => download(session))} />
      <${Button} small kind="primary" icon="check" busy=${busy === "keep"} title="Keep in the project's results" onClick=${run("keep", () => keep(session))}>Keep<//>
    </div>
    <${Steps} session=${session} />
  </section>`;
}

/** Keys that work anywhere in the view. @param {Session} session */
export function useKeys(session) {
  useEffect(() => {
    const listen = (/** @type {KeyboardEvent} */ event) => {
      const target = /** @type {HTMLElement} */ (event.target);
      if (event.defaultPrevented || target.closest("dialog, select, textarea, input:not([type=range])")) return;
      const control = event.ctrlKey || event.metaKey;
      const key = event.key.toLowerCase();
      const act = control
        ? { z: () => session.go(event.shiftKey ? 1 : -1), y: () => session.go(1) }[key]
        : event.altKey ? undefined : { f: () => session.favour(session.look), r: () => session.chooseSeed(randomSeed()) }[key];
      if (!act) return;
      event.preventDefault();
      act();
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, [session]);
}
