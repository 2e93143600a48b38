// Sliders for directions, words, truncation, labels, and the layers of another face.
import { post } from "../api.js";
import { html, useState } from "../html.js";
import { LabelChoice } from "../parts/labels.js";
import { WordsForm } from "../parts/words_form.js";
import { isActive, startJob, useModelJob } from "../store.js";
import { Button, ErrorLine, JobProgress, Slider, toastError } from "../ui.js";
import { plainName } from "../words.js";
import { spellNumbers } from "./points.js";
import { Drop, Tile, useSession } from "./tiles.js";

/** @typedef {import("./session.js").Session} Session */

const FIRST = 8; // sliders that are always there
const MOST_COMPONENTS = 24;

const signed = (/** @type {number} */ value) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(1)}`;

/** @param {{session: Session, name: string}} props */
function Direction({ session, name }) {
  const value = useSession(session, state => state.look.face.moves?.[name] ?? 0);
  const most = Math.max(3, Math.ceil(Math.abs(value)));
  return html`<${Slider} label=${plainName(name)} value=${value} min=${-most} max=${most} step=${0.1} reset=${0} format=${signed}
    onInput=${(/** @type {number} */ to) => session.setMove(name, to)} onChange=${() => session.settle()} />`;
}

/** @param {{session: Session}} props */
function Directions({ session }) {
  const [all, setAll] = useState(false);
  const [wanted, setWanted] = useState("");
  const moved = useSession(session, state => Object.keys(state.look.face.moves ?? {}).join());
  const { names } = session.model;
  const found = names.filter(name => plainName(name).includes(wanted.trim().toLowerCase()));
  const usual = names.slice(0, FIRST);
  const shown = all ? found : [...new Set([...usual, ...moved.split(",").filter(Boolean)])];
  return html`${all && html`<input class="input" type="search" placeholder="Filter ${names.length} directions" aria-label="Filter the directions" value=${wanted}
      onInput=${(/** @type {any} */ event) => setWanted(event.target.value)} />`}
    <div class="sliders ${all ? "all" : ""}">${shown.map(name => html`<${Direction} key=${name} session=${session} name=${name} />`)}</div>
    ${names.length > FIRST && html`<div class="actions"><${Button} small kind="quiet" onClick=${() => setAll(!all)}>
      ${all ? "Fewer directions" : `All ${names.length} directions`}<//></div>`}`;
}

/** Where a model has no directions yet: they are found by a job. @param {{modelId: string, onFound: () => void}} props */
function FindDirections({ modelId, onFound }) {
  const job = useModelJob(modelId, "directions");
  const done = job?.state === "done";
  if (job && isActive(job)) return html`<${JobProgress} job=${job} />`;
  return html`<p class="soft">This model has no directions yet. Finding them takes some minutes; then there is a slider for each, such as smiling.</p>
    ${job?.state === "failed" && html`<${ErrorLine} error=${job.error} />`}
    <div class="actions">${done ? html`<${Button} kind="primary" onClick=${onFound}>Show the sliders<//>`
      : html`<${Button} icon="compass" onClick=${() => startJob("directions", { model: modelId }).catch(toastError)}>Find directions<//>`}</div>`;
}

/** @param {{session: Session}} props */
function Labels({ session }) {
  const { labels: names = [], default_labels: usual = [] } = session.model.about;
  const now = useSession(session, state => state.look.labels) ?? usual;
  return html`<${LabelChoice} names=${names} values=${now} onChange=${(/** @type {number[]} */ labels) => session.setLook({ labels }, "labels")} />`;
}

/** @param {{session: Session, modelId: string, onFound: () => void}} props */
export function Changes({ session, modelId, onFound }) {
  const { about, names } = session.model;
  const truncation = useSession(session, state => state.look.truncation);
  const moved = useSession(session, state => Object.keys(state.look.face.moves ?? {}).length > 0);
  const say = async (/** @type {string} */ words) => session.addMoves((await post(`${session.model.base}/moves`, { words })).moves);
  return html`<div class="stack">
    <div class="row"><h2 class="h3">Change it</h2>
      <${Button} small kind="quiet" disabled=${!moved} onClick=${() => session.setLook({ face: { ...session.look.face, moves: {} } })}>Reset<//></div>
    ${about.labels?.length && html`<${Labels} session=${session} />`}
    ${names.length > 0 && html`<${WordsForm} label="Change the face by words" placeholder="old, smiling=1.5, no glasses" button="Apply" onWords=${say} /><${Directions} session=${session} />`}
    ${about.truncates && html`<${Slider} label="truncation: less varied, more typical" value=${truncation} min=${0} max=${1} step=${0.01} reset=${1}
      format=${(/** @type {number} */ value) => value.toFixed(2)} onInput=${(/** @type {number} */ to) => session.setLook({ truncation: to }, "truncation")} onChange=${() => session.settle()} />`}
    ${names.length === 0 && html`<${FindDirections} modelId=${modelId} onFound=${onFound} />`}
  </div>`;
}

/** The style of another face in some layers. @param {{session: Session}} props */
export function Mix({ session }) {
  const { num_ws, w_dim } = session.model.about;
  const point = useSession(session, state => state.look.face.point);
  const look = useSession(session, state => state.look);
  const layered = num_ws > 1;
  const count = layered ? num_ws : Math.min(MOST_COMPONENTS, w_dim);
  const usual = Array.from({ length: layered ? Math.max(1, Math.floor(num_ws / 2)) : Math.max(1, Math.floor(w_dim / 8)) }, (_, i) => i);
  const mixed = "base" in point ? point : null;
  const [ready, setReady] = useState(usual);
  const numbers = mixed?.numbers ?? ready;
  const what = layered ? "layers" : "components";
  const change = (/** @type {number[]} */ to) => { setReady(to); if (mixed) session.mix(mixed.style, to); };
  const toggle = (/** @type {number} */ n) => change(numbers.includes(n) ? numbers.filter(other => other !== n) : [...numbers, n].sort((a, b) => a - b));
  return html`<div class="stack">
    <p class="soft">Drop a face here: the present face takes its style in the ${what} that are chosen. ${layered
      ? "The first layers decide the pose and the shape, the last ones the colours." : "This network takes its vector in one place, so that it mixes the directions to which its weights react most."}</p>
    <div class="mixing">
      <figure><${Tile} session=${session} face=${{ point: mixed ? mixed.base : point }} onChoose=${() => session.mix(null, [])} label="The face without the style" /><figcaption>face</figcaption></figure>
      <span class="sign" aria-hidden="true">+</span>
      <${Drop} label="The face that lends its style" className="well" onFace=${(/** @type {import("./points.js").Face} */ face) => session.mix(face.point, numbers)}>
        ${mixed ? html`<figure><${Tile} session=${session} face=${{ point: mixed.style }} label="The face that lends its style" /><figcaption>style</figcaption></figure>`
      : html`<span class="soft small">style: drop a face</span>`}<//>
      <span class="sign" aria-hidden="true">=</span>
      <figure><${Tile} session=${session} face=${look.face} label="The mixed face" /><figcaption>mixed</figcaption></figure>
    </div>
    <div class="actions" role="group" aria-label="From the favourites">
      <${Favourites} session=${session} onFace=${(/** @type {import("./points.js").Face} */ face) => session.mix(face.point, numbers)} /></div>
    <div class="chips" role="group" aria-label="${what} of the style">${Array.from({ length: count }, (_, i) => html`
      <button type="button" key=${i} class="chip" aria-pressed=${String(numbers.includes(i))} onClick=${() => toggle(i)}>${i}</button>`)}</div>
    <p class="soft small" aria-live="polite">${numbers.length ? `${what} ${spellNumbers(numbers)} of the style` : `no ${what} chosen: the face stays as it is`}</p>
    ${mixed && html`<div class="actions"><${Button} small onClick=${() => session.mix(null, [])}>Take the style out<//></div>`}
  </div>`;
}

/** The favourites as buttons, for those who do not drag. @param {{session: Session, onFace: (face: import("./points.js").Face) => void}} props */
function Favourites({ session, onFace }) {
  const tray = useSession(session, state => state.tray);
  if (!tray.length) return html`<span class="soft small">Favourites can be pressed here, too.</span>`;
  return tray.slice(0, 12).map((look, i) => html`<${Tile} key=${i} session=${session} face=${look.face} look=${look} className="little"
    label="Take the style of favourite ${i + 1}" onChoose=${() => onFace(look.face)} />`);
}
