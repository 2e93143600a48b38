// The map of a model: drawn by a job once, then looked around in.
import { get } from "../api.js";
import { html, useEffect, useRef, useState } from "../html.js";
import { filesOf } from "../results.js";
import { isActive, startJob, useModelJob, useStore } from "../store.js";
import { Button, CommandBox, EmptyState, ErrorLine, IconButton, JobProgress, Spinner, toastError } from "../ui.js";
import { FaceMap, levelsOf } from "./map.js";
import { useSession } from "./tiles.js";

/** @typedef {import("./session.js").Session} Session */

const COUNT = 2500;

/** @param {{session: Session, result: import("../store.js").Item}} props */
function Shown({ session, result }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const map = useRef(/** @type {FaceMap | null} */ (null));
  const [error, setError] = useState("");
  const [count, setCount] = useState(0);
  const seed = useSession(session, state => ("seed" in state.look.face.point ? state.look.face.point.seed : -1));
  useEffect(() => {
    const control = new AbortController();
    const place = (/** @type {string} */ ending) => filesOf(result).find(file => file.name.endsWith(ending))?.src ?? "";
    const open = async () => {
      const [layout, file] = await Promise.all([get(place(".layout.json"), control.signal), get(place(".webp"), control.signal)]);
      const levels = await levelsOf(await createImageBitmap(file));
      if (control.signal.aborted || !canvas.current) return;
      map.current = new FaceMap(canvas.current, layout, levels, cell => session.chooseSeed(layout.seeds[cell]));
      setCount(layout.seeds.length);
      const cell = map.current.cellOf(seed);
      if (cell >= 0) map.current.choose(cell);
    };
    open().catch(problem => control.signal.aborted || setError(problem.message));
    return () => { control.abort(); map.current?.close(); map.current = null; };
  }, [result.id, session]);
  useEffect(() => {
    const cell = map.current?.cellOf(seed) ?? -1;
    if (map.current && map.current.chosen !== cell) map.current.choose(cell);
  }, [seed]);
  const zoom = (/** @type {number} */ factor) => () => map.current?.zoom(factor);
  return html`<div class="atlas"><canvas ref=${canvas} class="map" tabindex="0" role="application" data-faces=${count}
      aria-label="Map of faces. Arrows move, plus and minus zoom, Enter takes the face in the middle; then arrows go from face to face."></canvas>
    ${!count && !error && html`<p class="over"><${Spinner} label="Opening the map" /></p>`}
    <div class="zooms"><${IconButton} icon="plus" label="Zoom in" kind="plain" onClick=${zoom(1.6)} /><${IconButton} icon="minus" label="Zoom out" kind="plain" onClick=${zoom(1 / 1.6)} />
      <${IconButton} icon="grid" label="Show all" kind="plain" onClick=${() => map.current?.all()} /></div></div>
    <${ErrorLine} error=${error} />
    <p class="soft small">${count ? `${count.toLocaleString("en")} faces, like beside like. ` : ""}Drag to move, turn the wheel or pinch to zoom, press a face to look at it.</p>`;
}

/** @param {{session: Session, modelId: string}} props */
export function Atlas({ session, modelId }) {
  const { model_hash: hash, former_hash: former } = session.model.about; // earlier versions named it otherwise
  const result = useStore(state => state.project?.results.find(one => one.action === "atlas" && one.result && [hash, former].includes(one.result.hash)));
  const job = useModelJob(modelId, "atlas");
  if (result) return html`<${Shown} key=${result.id} session=${session} result=${result} />`;
  const settings = { model: modelId, count: COUNT };
  if (job && isActive(job)) return html`<${JobProgress} job=${job} /><p class="soft">The map is drawn once; it goes on when you leave.</p>`;
  return html`${job?.state === "failed" && html`<${ErrorLine} error=${job.error} />`}
    <${EmptyState} icon="compass" title="No map yet"
      action=${html`<${Button} kind="primary" icon="compass" onClick=${() => startJob("atlas", settings).catch(toastError)}>Draw the map<//>`}>
      ${COUNT.toLocaleString("en")} faces are drawn, compared, and laid out so that like lies beside like. It takes some minutes, once.<//>
    <${CommandBox} action="atlas" settings=${settings} />`;
}
