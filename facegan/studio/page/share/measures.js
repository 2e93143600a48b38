// Measurements as bars with their 95% intervals, beside what real pictures get.
import { html } from "../html.js";
import { asSentence, counted, inWords } from "../words.js";

/** @typedef {import("../store.js").Item} Item */
/**
 * @typedef {object} Row a number of a measurement
 * @property {string} name
 * @property {string} title
 * @property {"lower" | "higher" | "equal"} better
 * @property {string} reading
 * @property {number} digits
 * @property {number} value
 * @property {number | null} low
 * @property {number | null} high
 * @property {number | null} real what other real pictures get
 */

const BETTER = { lower: "Lower is better", higher: "Higher is better", equal: "Like the reference is best" };

/** What two measurements have in common must be equal before their numbers can stand beside each other. @param {Item} result */
export const basisOf = result => `${result.result?.against} · ${result.result?.features}`;

/** @param {Item} result */
export const measuredName = result => {
  const { subject, truncation } = result.result ?? {};
  return `${subject ?? result.id}${truncation != null && truncation !== 1 ? `, truncation ${truncation}` : ""}`;
};

/** Return the ends of an axis that shows all these numbers. @param {Row[]} rows */
function axisOf(rows) {
  const numbers = rows.flatMap(row => [row.value, row.low, row.high, row.real]).filter(value => value != null);
  const top = Math.max(...numbers), bottom = Math.min(0, ...numbers);
  const share = rows.every(row => row.better === "higher") && top <= 1;
  const end = share ? 1 : top * 1.08 || 1;
  return { bottom, place: (/** @type {number} */ value) => (100 * (value - bottom)) / (end - bottom) };
}

/** @param {Row} row @param {number | null | undefined} value */
const spelled = (row, value) => (value == null ? "" : value.toFixed(row.digits));

/** @param {{row: Row, axis: ReturnType<typeof axisOf>, number: number}} props */
function Bar({ row, axis, number }) {
  const zero = axis.place(0), at = axis.place(row.value);
  const percent = (/** @type {number} */ from, /** @type {number} */ to) => ({ left: `${from}%`, width: `${to - from}%` });
  return html`<div class="measure-bar" aria-hidden="true">
    <i class="fill s${number % 4}" style=${percent(Math.min(zero, at), Math.max(zero, at))}></i>
    ${row.low != null && row.high != null && html`<i class="whisker" style=${percent(axis.place(row.low), axis.place(row.high))}></i>`}
    ${row.real != null && html`<i class="real" style=${{ left: `${axis.place(row.real)}%` }}></i>`}
  </div>`;
}

/**
 * Measurements of one kind (see basisOf), beside each other.
 * @param {{results: Item[]}} props
 */
export function Measures({ results }) {
  const first = results[0];
  if (!first) return null;
  const about = first.result;
  const reference = (about.reference ?? "real pictures").split(" ")[0];
  const names = /** @type {Row[]} */ (about.rows).map(row => row.name);
  return html`<section class="card measures" aria-label="Measurement">
    <p class="soft small">${results.length === 1 ? `${measuredName(first)}, ${counted(about.count, "picture")}, ` : ""}against
      ${" "}${about.against}${about.count_real ? ` (${counted(about.count_real, "picture")})` : ""}, compared by ${about.features.split("-")[0]}</p>
    ${results.length > 1 && html`<ul class="measure-legend">${results.map((result, number) => html`<li key=${result.id}><i class="s${number % 4}"></i>${measuredName(result)}</li>`)}</ul>`}
    <table><caption class="hidden-text">Numbers with 95% intervals, and what real pictures get</caption>
      <thead class="hidden-text"><tr><th scope="col">What is measured</th><th scope="col">Value</th></tr></thead>
      <tbody>${names.map(name => {
        const rows = results.map(result => /** @type {Row[]} */ (result.result.rows).find(row => row.name === name));
        const known = /** @type {Row[]} */ (rows.filter(Boolean));
        const axis = axisOf(known), one = /** @type {Row} */ (known[0]);
        return html`<tr key=${name} class=${name === about.headline ? "headline" : ""}>
          <th scope="row"><b>${one.title}</b><span>${BETTER[one.better]}. ${one.reading}</span></th>
          <td>${rows.map((row, number) => row && html`<div key=${number} class="measure">
            <p class="numbers"><b>${spelled(row, row.value)}</b>
              ${row.low != null && html`<span class="soft"> ${spelled(row, row.low)} to ${spelled(row, row.high)}</span>`}
              ${row.real != null && number === rows.length - 1 && html`<span class="soft of-real">${reference} ${spelled(row, row.real)}</span>`}</p>
            <${Bar} row=${row} axis=${axis} number=${number} /></div>`)}</td></tr>`;
      })}</tbody></table>
    <p class="soft small key"><span><i class="key-whisker"></i>95% interval</span>
      ${about.rows.some((/** @type {Row} */ row) => row.real != null) && html`<span><i class="key-real"></i>what ${about.reference === "unchanged pictures" ? "unchanged pictures" : "other real pictures"} get</span>`}</p>
    ${(about.warnings ?? []).map((/** @type {string} */ warning) => html`<p class="soft small note" key=${warning}>${asSentence(`Note: ${inWords(warning)}`)}</p>`)}
  </section>`;
}
