// What a classifier sees: its most probable classes as bars.
import { html } from "../html.js";
import { percent } from "../words.js";

/** @typedef {{class: number, name: string, probability: number}} Row */

/** @param {{title: string, rows: Row[], wanted?: string}} props */
export function ClassBars({ title, rows, wanted = "" }) {
  return html`<div class="class-bars"><h3>${title}</h3>
    <ul>${rows.map(row => html`<li key=${row.class} class=${row.name === wanted ? "wanted" : ""}>
      <span class="class-name">${row.name}</span><span class="numbers">${percent(row.probability)}</span>
      <span class="track"><i style=${{ width: `${100 * row.probability}%` }}></i></span></li>`)}</ul></div>`;
}
