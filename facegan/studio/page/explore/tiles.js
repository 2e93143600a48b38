// Faces as small pictures that can be chosen, dragged, and added by keys.
import { html, useEffect, useRef } from "../html.js";
import { observable, useObservable } from "../observable.js";
import { keyOf } from "./model.js";
import { describe } from "./points.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./points.js").Face} Face */
/** @typedef {import("./model.js").Look} Look */

const KIND = "application/x-facegan-face";
const dragging = observable({ face: /** @type {Face | null} */ (null) });

/** The face that is being dragged, or null. */
const useDragged = () => useObservable(dragging, value => value.face);

/** @template R @param {Session} session @param {(state: Session["state"] extends import("../observable.js").Observable<infer T> ? T : never) => R} select */
export const useSession = (session, select) => useObservable(session.state, select);

/** @param {HTMLCanvasElement | null} canvas @param {ImageData} picture */
export const paint = (canvas, picture) => canvas?.getContext("2d")?.putImageData(picture, 0, 0);

/**
 * A face as a canvas of the model's own size, which the browser enlarges smoothly.
 * @param {{session: Session, look: Look}} props
 */
function FaceCanvas({ session, look }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const key = keyOf(look);
  useEffect(() => {
    let wanted = true;
    const drawn = (/** @type {ImageData} */ picture) => {
      if (!wanted || !canvas.current) return;
      paint(canvas.current, picture);
      canvas.current.dataset.drawn = key;
    };
    session.model.draw(look).then(drawn, error => wanted && session.fail(error.message));
    return () => { wanted = false; };
  }, [key, session]);
  return html`<canvas ref=${canvas} width=${session.model.width} height=${session.model.height} aria-hidden="true"></canvas>`;
}

/**
 * A face that can be chosen, dragged onto + and -, and added by the keys +, - and F.
 * @param {{session: Session, face: Face, label?: string, caption?: any, selected?: boolean, onChoose?: () => void,
 *   role?: string, tabIndex?: number, children?: any, look?: Look, className?: string, [rest: string]: any}} props
 */
export function Tile({ session, face, label, caption, selected, onChoose, role = "button", tabIndex = 0, children, look, className = "", ...rest }) {
  const shown = look ?? { ...session.look, face };
  const choose = onChoose ?? (() => session.choose(face));
  const keys = (/** @type {KeyboardEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = {
      Enter: choose, " ": choose, "+": () => session.addTo(2, face), "-": () => session.addTo(1, face),
      "=": () => session.addTo(0, face), f: () => session.favour(shown),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  };
  const start = (/** @type {DragEvent} */ event) => {
    event.dataTransfer?.setData(KIND, JSON.stringify(face));
    dragging.set({ face });
  };
  return html`<div class="tile ${className} ${selected ? "selected" : ""}" ...${rest}>
    <div class="face" role=${role} tabindex=${tabIndex} draggable aria-label=${label ?? describe(face)}
      aria-selected=${role === "option" ? String(Boolean(selected)) : undefined} aria-pressed=${role === "button" && selected != null ? String(selected) : undefined}
      onClick=${choose} onKeyDown=${keys} onDragStart=${start} onDragEnd=${() => dragging.set({ face: null })}>
      <${FaceCanvas} session=${session} look=${shown} /></div>
    ${caption != null && html`<span class="caption" aria-hidden="true">${caption}</span>`}
    ${children}</div>`;
}

/**
 * A place where faces are dropped.
 * @param {{onFace: (face: Face) => void, label: string, className?: string, children?: any, [rest: string]: any}} props
 */
export function Drop({ onFace, label, className = "", children, ...rest }) {
  const dragged = useDragged();
  const over = (/** @type {DragEvent} */ event) => {
    if (event.dataTransfer?.types.includes(KIND)) { event.preventDefault(); event.stopPropagation(); }
  };
  const drop = (/** @type {DragEvent} */ event) => {
    const text = event.dataTransfer?.getData(KIND);
    if (!text) return;
    event.preventDefault();
    event.stopPropagation();
    onFace(JSON.parse(text));
    dragging.set({ face: null });
  };
  return html`<div class="drop ${className} ${dragged ? "waits" : ""}" role="group" aria-label=${label} onDragOver=${over} onDrop=${drop}
    data-dropzone ...${rest}>${children}</div>`;
}
