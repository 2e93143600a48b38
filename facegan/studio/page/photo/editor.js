// A face that was found: changed by sliders and words, compared, kept, taken home.
import { useAnswer } from "../answers.js";
import { post } from "../api.js";
import { html, useEffect, useState } from "../html.js";
import { BeforeAfter } from "../parts/before_after.js";
import { Downloads, LiveJob } from "../parts/live.js";
import { WordsForm } from "../parts/words_form.js";
import { fileOf, useResult } from "../results.js";
import { navigate } from "../router.js";
import { startJob } from "../store.js";
import { useDrawn } from "./drawing.js";
import { Button, CommandBox, ErrorLine, Select, Slider, Spinner, Switch, Tabs, toastError } from "../ui.js";
import { plainName } from "../words.js";

/** @typedef {import("../store.js").Item} AnyItem */
/** @typedef {import("./drawing.js").Moves} Moves */
/** @typedef {{name: string, kind: string, accuracy: number | null}} Direction */
/** @typedef {{known: boolean, directions: Direction[], model: string, tuned: boolean}} Directions */

const SHOWN = 8;
const MOST = 4;

/** The moves as `facegan edit` takes them. @param {Moves} moves */
const spelled = moves => Object.entries(moves).filter(([, value]) => value).map(([name, value]) => `${name.toLowerCase()}=${Number(value.toFixed(2))}`).join(", ");

/** @param {string} text @returns {Moves} */
function readMoves(text) {
  try {
    const found = JSON.parse(text || "{}");
    return Object.fromEntries(Object.entries(found).filter(([, value]) => Number.isFinite(value)).map(([name, value]) => [name, Number(value)]));
  } catch {
    return {};
  }
}

/** Return moves under the directions' own names: a command line may have said "wearing hat" for Wearing_Hat. @param {Moves} moves @param {Directions["directions"]} directions @returns {Moves} */
const named = (moves, directions) => Object.fromEntries(Object.entries(moves).map(([name, value]) => (
  [directions.find(one => plainName(one.name) === plainName(name))?.name ?? name, value])));

/** @param {{id: string, state: Record<string, string>}} props */
export function Editor({ id, state }) {
  const result = useResult(id);
  const { answer, error, ask } = useAnswer(`/api/photo/${encodeURIComponent(id)}`);
  const facts = /** @type {Directions | null} */ (answer);
  const moves = named(readMoves(state.moves ?? ""), facts?.directions ?? []);
  const change = (/** @type {Moves} */ to) => {
    const kept = Object.fromEntries(Object.entries(to).filter(([, value]) => value));
    navigate("photo", id, { moves: Object.keys(kept).length ? JSON.stringify(kept) : "" }, { replace: true });
  };
  const say = async (/** @type {string} */ text) => {
    const found = await post(`/api/photo/${encodeURIComponent(id)}/words`, { text });
    change({ ...moves, ...found.moves });
  };
  const inPage = facts?.known && !facts.tuned && result && !result.result?.labels ? facts.model : "";
  const { src, where, milliseconds, error: drawing } = useDrawn(id, moves, inPage);
  if (error) return html`<${ErrorLine} error=${error} onRetry=${ask} /><div class="actions"><${Button} icon="back" onClick=${() => navigate("photo")}>Choose a photo<//></div>`;
  if (!result) return html`<p><${Spinner} label="Loading the face" /></p>`;
  return html`<div class="two-columns editor">
    <${Compare} result=${result} src=${src} error=${drawing} took=${where && `${Math.round(milliseconds)} ms ${where}`} />
    <div class="stack">
      ${facts && !facts.known && html`<${NoDirections} model=${facts.model} onFound=${ask} />`}
      ${facts?.known && html`<${WordsForm} label="Change it by words" placeholder="smiling, a bit older, without glasses" button="Apply" onWords=${say} /><${Sliders} facts=${facts} moves=${moves} onMoves=${change} />`}
      ${!facts && html`<p><${Spinner} label="Loading what can be changed" /></p>`}
      <${TakeHome} id=${id} result=${result} moves=${moves} src=${src} />
    </div></div>`;
}

// --- comparing ------------------------------------------------------------------------------------------------

/** @param {{result: AnyItem, src: string, error: string, took: string}} props */
function Compare({ result, src, error, took }) {
  const [against, setAgainst] = useState("photo");
  const drawn = src || fileOf(result, "tuned") || fileOf(result, "picture");
  const { mse, faces } = result.result?.tuned_errors?.mse_tuned != null
    ? { mse: result.result.tuned_errors.mse_tuned, faces: result.result.tuned_errors.faces_tuned } : result.result?.errors ?? {};
  return html`<section class="stack" aria-label="Before and after">
    <div class="row"><${Tabs} label="Compare with" value=${against} onChange=${setAgainst}
      tabs=${[{ id: "photo", label: "The photo" }, { id: "found", label: "The face as found" }]} />
      <${Button} small icon="photos" href="#/photo">Another photo<//></div>
    <${BeforeAfter} label="How much of the picture before" before=${fileOf(result, against === "photo" ? "photo" : fileOf(result, "tuned") ? "tuned" : "picture")} after=${drawn}
      names=${[against === "photo" ? "Photo" : "Found", "Now"]} />
    <${ErrorLine} error=${error} />
    ${took && html`<p class="soft small numbers" data-took>Drawn in ${took}.</p>`}
    ${mse != null && html`<p class="soft small numbers">Distance of the found face from the photo: mean squared error ${mse.toFixed(4)}${faces != null ? `, in the face network's eyes ${faces.toFixed(3)}` : ""}.</p>`}
  </section>`;
}

// --- changing ---------------------------------------------------------------------------------------------------

/** @param {{facts: Directions, moves: Moves, onMoves: (moves: Moves) => void}} props */
function Sliders({ facts, moves, onMoves }) {
  const [more, setMore] = useState(/** @type {string[]} */ ([]));
  const first = facts.directions.slice(0, SHOWN).map(one => one.name);
  const names = [...new Set([...first, ...more, ...Object.keys(moves)])];
  const others = facts.directions.filter(one => !names.includes(one.name));
  const moved = Object.values(moves).some(Boolean);
  return html`<section class="card stack" aria-label="What can be changed">
    <div class="row"><h2>Change it</h2><${Button} small kind="quiet" icon="undo" disabled=${!moved} onClick=${() => onMoves({})}>Back to the found face<//></div>
    ${names.map(name => html`<${Slider} key=${name} label=${plainName(name)} value=${moves[name] ?? 0} min=${-MOST} max=${MOST} step=${0.05} reset=${0}
      onInput=${(/** @type {number} */ value) => onMoves({ ...moves, [name]: value })} format=${(/** @type {number} */ value) => (value > 0 ? `+${value}` : String(value))} />`)}
    ${others.length > 0 && html`<${Select} label="Another direction" value="" onChange=${(/** @type {string} */ name) => name && setMore([...more, name])}
      options=${[{ value: "", label: "Choose …" }, ...others.map(one => ({ value: one.name, label: plainName(one.name) }))]} />`}
    <p class="soft small">One unit is one standard deviation of the model's faces. A double click sets a slider back.</p>
  </section>`;
}

/** @param {{model: string, onFound: () => void}} props */
function NoDirections({ model, onFound }) {
  const [job, setJob] = useState("");
  const start = () => startJob("directions", { model }).then(made => setJob(made.id), toastError);
  return html`<section class="card stack"><h2>What can be changed is not known yet</h2>
    <p>The studio can look for directions in this model, such as more or less of a smile. It takes some minutes, once.</p>
    ${!job && html`<div class="actions"><${Button} kind="primary" icon="search" onClick=${start}>Find directions<//></div>`}
    ${job && html`<${LiveJob} id=${job} alt="" onAgain=${start} /><${WhenDone} id=${job} onDone=${onFound} />`}</section>`;
}

/** @param {{id: string, onDone: () => void}} props */
function WhenDone({ id, onDone }) {
  const result = useResult(id);
  useEffect(() => { if (result) onDone(); }, [result?.id]);
  return null;
}

// --- taking home --------------------------------------------------------------------------------------------------

/** @param {{id: string, result: AnyItem, moves: Moves, src: string}} props */
function TakeHome({ id, result, moves, src }) {
  const [hold, setHold] = useState(false);
  const [job, setJob] = useState("");
  const [error, setError] = useState("");
  const edits = spelled(moves);
  const settings = edits ? { face: id, edits, hold } : null;
  const keep = () => settings && startJob("edit", settings).then(made => { setJob(made.id); setError(""); }, problem => setError(problem.message));
  const file = (/** @type {string} */ kind) => `/api/photo/${encodeURIComponent(id)}/file/${kind}?moves=${encodeURIComponent(JSON.stringify(moves))}`;
  return html`<section class="card stack" aria-label="Take it home"><h2>Take it home</h2>
    <div class="actions">
      <${Button} icon="download" href=${file("png")} download="face.png" title="With a mark that says what made it">PNG<//>
      <${Button} icon="download" href=${file("npz")} download="face.npz">Latent .npz<//>
      <${Button} icon="download" href=${file("safetensors")} download="face.safetensors">Latent .safetensors<//>
      ${fileOf(result, "delta") && html`<${Button} icon="download" href=${fileOf(result, "delta")} download="">Adapted model<//>`}
    </div>
    <${Switch} label="Hold other traits while keeping" checked=${hold} onChange=${setHold}
      hint="Age, gender, glasses and smile stay where no slider names them; the kept picture then differs a little from this one." />
    <div class="actions"><${Button} kind="primary" icon="star" disabled=${!edits} onClick=${keep}>Keep this face<//>
      ${!edits && html`<span class="soft small">Move a slider first; the found face is kept already.</span>`}</div>
    <${ErrorLine} error=${error} />
    <${LiveJob} id=${job} alt="" start=${src} />
    <${KeptEdit} id=${job} />
    ${settings ? html`<${CommandBox} action="edit" settings=${settings} onError=${setError} />` : html`<${CommandBox} command=${result.command} python=${result.python} />`}
  </section>`;
}

/** @param {{id: string}} props */
function KeptEdit({ id }) {
  const result = useResult(id);
  if (!result) return null;
  return html`<figure class="picture"><img src=${fileOf(result, "strip")} alt="The way from the found face to the edit" /><figcaption>${result.result?.text}</figcaption></figure>
    <${Downloads} result=${result} files=${[["picture", "Picture"], ["strip", "Strip"], ["vectors", "Latent .npz"]]} />`;
}
