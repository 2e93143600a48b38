// One photo in a window: its faces, what is cut, and what can be taken instead.
import { html, useEffect, useRef, useState } from "../html.js";
import { Button, Dialog, ErrorLine, Spinner } from "../ui.js";
import { isDropped, isKept, nameOf, sameFace } from "./decisions.js";
import { Cut } from "./gallery.js";
import { facesOf, photoAddress } from "./places.js";

/** @typedef {import("./decisions.js").Box} Box */
/** @typedef {import("./decisions.js").Decision} Decision */
/** @typedef {import("./places.js").Face} Face */
/** @typedef {import("./places.js").Kind} Kind */

const SIDE = 1200;

/**
 * @param {{kind: Kind, id: string, source: string, crop: Record<string, any>, decisions: Decision[],
 *   onDecide: import("./gallery.js").Decide | null, onClose: () => void, facts?: any}} props
 */
export function PhotoDialog({ kind, id, source, crop, decisions, onDecide, onClose, facts }) {
  const [found, setFound] = useState(/** @type {{width: number, height: number, faces: Face[]} | null} */ (null));
  const [error, setError] = useState("");
  const [drawing, setDrawing] = useState(false);
  const [drawn, setDrawn] = useState(/** @type {Box | null} */ (null));
  useEffect(() => {
    let gone = false;
    setFound(null);
    facesOf(kind, id, { source, crop }).then(
      answer => { if (!gone) { setFound(answer); setError(""); } },
      failure => { if (!gone) setError(failure.message); },
    );
    return () => { gone = true; };
  }, [kind, id, source, JSON.stringify(crop)]);
  const faces = (found?.faces ?? []).filter(face => face.box);
  const own = decisions.filter(one => one.source === source && one.keep && one.box
    && !faces.some(face => sameFace(one.box, face.box)));
  const taken = (/** @type {Face} */ face) => isKept(decisions, { source, box: face.box })
    || (!face.reason && !isDropped(decisions, { source, box: face.box }));
  const whole = /** @type {Box} */ ([0, 0, found?.width ?? 1, found?.height ?? 1]);
  const decide = (/** @type {Box} */ box, /** @type {boolean | null} */ keep) => onDecide?.({ source, box }, keep);
  return html`<${Dialog} title=${nameOf(source)} open onClose=${onClose}>
    <div class="photo-window">
      <${ErrorLine} error=${error} />
      ${!error && html`<${PhotoWithFaces} src=${photoAddress(kind, id, source, SIDE)} found=${found} taken=${taken}
        own=${own.map(one => /** @type {Box} */ (one.box))} drawing=${drawing} drawn=${drawn} onDraw=${setDrawn} />`}
      <div class="stack">
        ${!found && !error && html`<p><${Spinner} label="Looking for faces" /> Looking for faces</p>`}
        ${found && faces.length === 0 && html`<p class="soft">No face is found in this photo.</p>`}
        ${faces.length > 0 && html`<ul class="choices">${faces.map((face, number) => html`<li key=${number}>
          <${Cut} ...${{ kind, id, source, crop, box: face.box }} alt="Face ${number + 1}" />
          <div><b>Face ${number + 1}</b><span class="soft small numbers">${sentence(face, taken(face))}</span></div>
          ${onDecide && html`<${Button} small pressed=${taken(face)} aria-label="${taken(face) ? "Take out" : "Take"} face ${number + 1}"
            onClick=${() => decide(/** @type {Box} */ (face.box), taken(face) ? (face.reason ? null : false) : (face.reason ? true : null))}>
            ${taken(face) ? "Take out" : "Take"}<//>`}</li>`)}</ul>`}
        ${own.map((one, number) => html`<ul class="choices" key="own ${number}"><li>
          <${Cut} ...${{ kind, id, source, crop, box: one.box }} alt="The box that you drew" />
          <div><b>${isWhole(one.box, whole) ? "The whole picture" : "Your box"}</b><span class="soft small">taken</span></div>
          <${Button} small onClick=${() => decide(/** @type {Box} */ (one.box), null)}>Take out<//></li></ul>`)}
        ${onDecide && found && html`<div class="actions">
          <${Button} small icon="photos" onClick=${() => decide(whole, true)}>Take the whole picture<//>
          <${Button} small icon="pencil" pressed=${drawing} onClick=${() => { setDrawing(!drawing); setDrawn(null); }}>Draw a box<//>
          ${drawn && html`<${Button} small kind="primary" icon="check" onClick=${() => { decide(drawn, true); setDrawing(false); setDrawn(null); }}>Take this box<//>`}
        </div>
        ${drawing && !drawn && html`<p class="soft small">Drag over the photo. The middle of the box is cut in the proportions of the dataset.</p>`}`}
        ${facts}
      </div>
    </div><//>`;
}

/** @param {Box | null} box @param {Box} whole */
const isWhole = (box, whole) => box !== null && box.every((value, at) => Math.abs(value - (whole[at] ?? 0)) < 1);

/** @param {Face} face @param {boolean} taken */
function sentence(face, taken) {
  const sure = face.confidence === null ? "" : `${Math.round(100 * face.confidence)}% sure`;
  const size = face.box ? `${Math.round(Math.max(face.box[2], face.box[3]))} px` : "";
  return [taken ? "taken" : face.reason || "taken out", size, sure].filter(Boolean).join(" · ");
}

/**
 * The photo, with the outlines of what is cut; a box can be drawn on it.
 * @param {{src: string, found: {width: number, height: number, faces: Face[]} | null, taken: (face: Face) => boolean,
 *   own: Box[], drawing: boolean, drawn: Box | null, onDraw: (box: Box | null) => void}} props
 */
function PhotoWithFaces({ src, found, taken, own, drawing, drawn, onDraw }) {
  const svg = useRef(/** @type {SVGSVGElement | null} */ (null));
  const from = useRef(/** @type {[number, number] | null} */ (null));
  const at = (/** @type {PointerEvent} */ event) => {
    const frame = /** @type {SVGSVGElement} */ (svg.current).getBoundingClientRect();
    const share = (/** @type {number} */ value) => Math.min(1, Math.max(0, value));
    return /** @type {[number, number]} */ ([
      share((event.clientX - frame.left) / frame.width) * (found?.width ?? 1),
      share((event.clientY - frame.top) / frame.height) * (found?.height ?? 1)]);
  };
  const down = (/** @type {PointerEvent} */ event) => {
    if (!drawing) return;
    event.preventDefault();
    svg.current?.setPointerCapture(event.pointerId);
    from.current = at(event);
    onDraw(null);
  };
  const move = (/** @type {PointerEvent} */ event) => {
    if (!from.current) return;
    const [x, y] = at(event);
    const [x0, y0] = from.current;
    const box = /** @type {Box} */ ([Math.min(x, x0), Math.min(y, y0), Math.abs(x - x0), Math.abs(y - y0)]);
    onDraw(Math.min(box[2], box[3]) >= 4 ? box : null);
  };
  const ratio = found ? found.width / found.height : 0;
  return html`<div class="photo-frame" style=${ratio ? { aspectRatio: String(ratio), width: `min(100%, ${68 * ratio}dvh)` } : {}}><img src=${src} alt="The photo" />
    ${found && html`<svg ref=${svg} class=${drawing ? "drawing" : ""} viewBox="0 0 ${found.width} ${found.height}" preserveAspectRatio="none" aria-hidden="true"
      onPointerDown=${down} onPointerMove=${move} onPointerUp=${() => { from.current = null; }}>
      ${found.faces.map((face, number) => face.outline.length > 0 && html`<polygon key=${number} class=${taken(face) ? "taken" : "left"}
        points=${face.outline.map(point => point.join(",")).join(" ")} />`)}
      ${[...own, ...(drawn ? [drawn] : [])].map((box, number) => html`<rect key="own ${number}" class="taken" x=${box[0]} y=${box[1]} width=${box[2]} height=${box[3]} />`)}
    </svg>`}</div>`;
}
