// Ways between favourites: scrubbed, played, and saved. Short films are made here, large ones by the server.
import { post } from "../api.js";
import { html, useEffect, useRef, useState } from "../html.js";
import { filesOf, isFilm, useResult } from "../results.js";
import { isActive, startJob, useJob } from "../store.js";
import { Button, CommandBox, EmptyState, ErrorLine, JobProgress, Progress, Select, Slider, Switch, toastError } from "../ui.js";
import { VIDEO, markOf, recordVideo, writeGif, writePng } from "../engine/encoders.js";
import { labelsOf } from "../parts/labels.js";
import { LATER, keyOf } from "./model.js";
import { between, describe } from "./points.js";
import { saveAs } from "./stage.js";
import { paint, useSession } from "./tiles.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./model.js").Look} Look */

const FRAME = 50; // ms
const MOST_FRAMES = 480; // that the page draws by itself
const MOST_SIDE = 512;

/** The look at a place of the way: 0 is the first favourite, 1 the second. @param {Look[]} tray @param {number} at @returns {Look | undefined} */
function lookAt(tray, at) {
  const i = Math.min(Math.floor(at), tray.length - 1);
  const [a, b] = [tray[i], tray[(i + 1) % tray.length]];
  if (!a || !b) return undefined;
  return { ...a, truncation: a.truncation + (at - i) * (b.truncation - a.truncation), face: between(a.face, b.face, Math.round((at - i) * 1e4) / 1e4) };
}

/** The settings of the server's film; null where the favourites have to be kept as vectors first. @param {Look[]} tray @param {Session} session */
function plainPoints(tray, session) {
  const first = tray[0];
  const seeds = tray.map(({ face }) => ("seed" in face.point && !Object.values(face.moves ?? {}).some(Boolean) ? face.point.seed : -1));
  if (!first || seeds.includes(-1) || tray.some(look => look.truncation !== first.truncation || String(look.labels) !== String(first.labels))) return null;
  return { points: `seed:${seeds.join(",")}`, truncation: first.truncation, labels: labelsOf(session.model.about, first.labels) };
}

/** @param {{session: Session, tray: Look[], frames: ImageData[] | null, play: boolean}} props */
function Screen({ session, tray, frames, play }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const [first] = tray;
  useEffect(() => {
    let wanted = true;
    if (first && !frames) session.model.draw(first).then(picture => wanted && paint(canvas.current, picture), () => {});
    return () => { wanted = false; };
  }, [frames, first && keyOf(first)]);
  useEffect(() => {
    if (!frames?.length) return undefined;
    if (frames[0]) paint(canvas.current, frames[0]);
    if (!play) return undefined;
    const begin = performance.now();
    let going = 0;
    const show = () => {
      const frame = frames[Math.floor((performance.now() - begin) / FRAME) % frames.length];
      if (frame) paint(canvas.current, frame);
      going = requestAnimationFrame(show);
    };
    show();
    return () => cancelAnimationFrame(going);
  }, [frames, play]);
  return html`<canvas ref=${canvas} class="screen" width=${session.model.width} height=${session.model.height} role="img" aria-label="The film"></canvas>`;
}

/** @param {Session} session @param {Look[]} tray @param {ImageData[]} frames @param {string} kind */
async function saveFilm(session, tray, frames, kind) {
  const { width, height, about } = session.model;
  const scale = Math.max(1, Math.floor((kind === "png" ? Math.max(width, height) : MOST_SIDE) / Math.max(width, height)));
  const size = [width * scale, height * scale];
  const large = Object.assign(document.createElement("canvas"), { width: size[0], height: size[1] });
  const small = new OffscreenCanvas(width, height);
  const pen = large.getContext("2d", { willReadFrequently: kind === "gif" });
  if (!pen) throw new Error("this browser gives no canvas");
  pen.imageSmoothingQuality = "high";
  const show = (/** @type {number} */ i) => {
    const frame = frames[i];
    if (frame) small.getContext("2d")?.putImageData(frame, 0, 0);
    pen.drawImage(small, 0, 0, size[0] ?? 0, size[1] ?? 0);
  };
  const mark = markOf({ points: tray.map(look => describe(look.face)).join(", ").replaceAll("−", "-"), truncation: `${tray[0]?.truncation ?? 1}` }, about);
  if (kind === "video") return recordVideo(large, frames.length, show, mark, FRAME);
  if (kind === "png") return writePng(frames.map(frame => frame.data), size, `${about.name}, a film`.replace(/[^\x20-\x7e]/g, "?"), mark, FRAME);
  const shown = frames.map((_, i) => { show(i); return pen.getImageData(0, 0, size[0] ?? 1, size[1] ?? 1).data; });
  return writeGif(shown, size, mark, FRAME);
}

/** @param {{session: Session, tray: Look[], seconds: number, loop: boolean}} props */
function InPage({ session, tray, seconds, loop }) {
  const [frames, setFrames] = useState(/** @type {ImageData[] | null} */ (null));
  const [done, setDone] = useState(0);
  const [error, setError] = useState("");
  const [saving, setSaving] = useState("");
  const steps = Math.round((seconds * 1000) / FRAME);
  const total = steps * (loop ? tray.length : tray.length - 1) + (loop ? 0 : 1);
  const wanted = JSON.stringify([tray.map(keyOf), steps, loop]);
  const turn = useRef("");
  useEffect(() => { turn.current = ""; setFrames(null); setDone(0); }, [wanted]);
  useEffect(() => () => { turn.current = ""; }, []);
  const make = async () => {
    turn.current = wanted;
    setError("");
    /** @type {ImageData[]} */
    const made = [];
    try {
      for (let i = 0; i < total; i++) {
        const look = lookAt(tray, i / steps);
        if (look) made.push(await session.model.draw(look, LATER));
        if (turn.current !== wanted) return;
        if (i % 5 === 0) setDone(i + 1);
      }
      setFrames(made);
    } catch (problem) { setError(problem instanceof Error ? problem.message : String(problem)); }
  };
  const save = async (/** @type {string} */ kind) => {
    if (!frames) return;
    setSaving(kind);
    await new Promise(resolve => setTimeout(resolve, 30)); // so that the button says so first
    try {
      const file = await saveFilm(session, tray, frames, kind);
      saveAs(file, `${session.model.about.name}-film.${file.type.split("/")[1]}`);
    } catch (problem) { setError(problem instanceof Error ? problem.message : String(problem)); }
    setSaving("");
  };
  if (total > MOST_FRAMES) return html`<p class="soft">${total} frames are many for the page: let the server make this film.</p>`;
  return html`<div class="stack"><${Screen} session=${session} tray=${tray} frames=${frames} play=${Boolean(frames)} />
    ${!frames && done > 0 && html`<${Progress} label="Drawing" done=${done} total=${total} />`}
    <div class="actions">
      ${!frames && html`<${Button} kind="primary" icon="play" busy=${done > 0 && !error} onClick=${make}>Play it here<//>`}
      ${frames && VIDEO && html`<${Button} small icon="download" busy=${saving === "video"} onClick=${() => save("video")}>${VIDEO.includes("mp4") ? "MP4" : "WebM"}<//>`}
      ${frames && html`<${Button} small icon="download" busy=${saving === "gif"} onClick=${() => save("gif")}>GIF<//>
        <${Button} small icon="download" busy=${saving === "png"} onClick=${() => save("png")}>PNG<//>`}</div>
    <${ErrorLine} error=${error} /></div>`;
}

/** @param {{session: Session, modelId: string, tray: Look[], seconds: number, loop: boolean}} props */
function OnServer({ session, modelId, tray, seconds, loop }) {
  const [id, setId] = useState("");
  const [format, setFormat] = useState(".mp4");
  const [busy, setBusy] = useState(false);
  const job = useJob(id);
  const result = useResult(id);
  const plain = plainPoints(tray, session);
  const common = { model: modelId, seconds: seconds * (loop ? tray.length : tray.length - 1), loop, format };
  const start = async () => {
    setBusy(true);
    try {
      const points = plain ?? { vectors: (await post(`${session.model.base}/vectors`, { looks: tray })).id };
      setId((await startJob("film", { ...common, ...points })).id);
    } catch (problem) { toastError(problem); }
    setBusy(false);
  };
  const file = result && filesOf(result).find(one => /\.(mp4|gif|webp)$/.test(one.name));
  return html`<div class="stack">
    <p class="soft small">The server measures how much the faces change, so that every step looks equally large.</p>
    <div class="row"><${Select} label="Format" value=${format} onChange=${setFormat} options=${[".mp4", ".gif", ".webp"]} />
      <${Button} icon="film" busy=${busy || (job && isActive(job))} onClick=${start}>Make an even film<//></div>
    ${job && isActive(job) && html`<${JobProgress} job=${job} />`}
    ${job?.state === "failed" && html`<${ErrorLine} error=${job.error} />`}
    ${file && html`${isFilm(file) ? html`<video class="screen" src=${file.src} controls loop autoplay muted aria-label="The film"></video>` : html`<img class="screen" src=${file.src} alt="The film" />`}
      <div class="actions"><${Button} small icon="download" href="${file.src}?download" download=${true}>Download<//></div>`}
    ${plain && html`<${CommandBox} action="film" settings=${{ ...common, ...plain }} />`}</div>`;
}

/** @param {{session: Session, modelId: string}} props */
export function FilmTool({ session, modelId }) {
  const tray = useSession(session, state => state.tray);
  const [at, setAt] = useState(0);
  const [seconds, setSeconds] = useState("2");
  const [loop, setLoop] = useState(true);
  if (tray.length < 2) {
    return html`<${EmptyState} icon="film" title="A film needs two favourites">Press the star beside the large picture for each face that the film shall go through.<//>`;
  }
  const most = loop ? tray.length : tray.length - 1;
  const move = (/** @type {number} */ to) => {
    setAt(to);
    const look = lookAt(tray, Math.min(to, most - 1e-6));
    if (look) session.setLook(look, "between");
  };
  return html`<div class="stack">
    <${Slider} label="Between the favourites" value=${Math.min(at, most)} min=${0} max=${most} step=${0.02} onInput=${move} onChange=${() => session.settle()}
      format=${(/** @type {number} */ value) => `${Math.floor(value) % tray.length + 1} to ${(Math.floor(value) + 1) % tray.length + 1}, ${Math.round(100 * (value % 1))}%`} />
    <div class="row"><${Select} label="Pace" value=${seconds} onChange=${setSeconds} options=${["1", "2", "3", "5"].map(value => ({ value, label: `${value} s from each to the next` }))} />
      <${Switch} label="Go back to the first" checked=${loop} onChange=${setLoop} /></div>
    <${InPage} session=${session} tray=${tray} seconds=${Number(seconds)} loop=${loop} />
    <h3>As a video of even steps</h3>
    <${OnServer} session=${session} modelId=${modelId} tray=${tray} seconds=${Number(seconds)} loop=${loop} />
  </div>`;
}
