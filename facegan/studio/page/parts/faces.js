// The faces in a photo, each a box that can be chosen.
import { html } from "../html.js";

/** @typedef {{number: number, box: [number, number, number, number], crop: string}} Face */

/**
 * @param {{src: string, name: string, faces: Face[], chosen: number, onChoose: (number: number) => void}} props
 */
export function FaceBoxes({ src, name, faces, chosen, onChoose }) {
  return html`<div class="face-boxes">
    <img src=${src} alt="${name}" />
    ${faces.map(({ number, box: [x, y, w, h] }) => html`<button type="button" key=${number} class="face-box" aria-pressed=${number === chosen}
      aria-label="Face ${number} of ${faces.length}" onClick=${() => onChoose(number)}
      style=${{ left: `${100 * x}%`, top: `${100 * y}%`, width: `${100 * w}%`, height: `${100 * h}%` }}>
      ${faces.length > 1 && html`<span>${number}</span>`}</button>`)}
  </div>`;
}

/** A box on a photo that shows where somebody looked. @param {{src: string, name: string, box: number[] | null}} props */
export function LookedAt({ src, name, box }) {
  const [x = 0, y = 0, w = 0, h = 0] = box ?? [];
  return html`<div class="face-boxes"><img src=${src} alt=${name} />
    ${box && html`<span class="face-box" style=${{ left: `${100 * x}%`, top: `${100 * y}%`, width: `${100 * w}%`, height: `${100 * h}%` }}></span>`}</div>`;
}
