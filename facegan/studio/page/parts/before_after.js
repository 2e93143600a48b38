// Two pictures of one size, one above the other, with a line to move between them.
import { html, useState } from "../html.js";

/**
 * @param {{before: string, after: string, label: string, names?: [string, string], ratio?: number}} props
 */
export function BeforeAfter({ before, after, label, names = ["Before", "After"], ratio }) {
  const [share, setShare] = useState(50);
  return html`<div class="before-after" style=${{ "--share": `${share}%`, ...(ratio ? { aspectRatio: String(ratio) } : {}) }}>
    <img class="under" src=${after} alt=${names[1]} draggable=${false} />
    <img class="over" src=${before} alt=${names[0]} draggable=${false} />
    <span class="line" aria-hidden="true"></span>
    <span class="name left" aria-hidden="true">${names[0]}</span><span class="name right" aria-hidden="true">${names[1]}</span>
    <input type="range" min="0" max="100" value=${share} aria-label=${label} aria-valuetext="${share}% ${names[0].toLowerCase()}"
      onInput=${(/** @type {any} */ event) => setShare(Number(event.target.value))} />
  </div>`;
}
