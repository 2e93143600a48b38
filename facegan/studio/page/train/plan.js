// What a dry run found: time, memory, disk, the quality to expect, and what --auto recommends and why.
import { html } from "../html.js";
import { Button, Icon } from "../ui.js";
import { inWords, sizeText } from "../words.js";
import { LineChart } from "./chart.js";
import { duration, pictures, short } from "./scale.js";

/** @typedef {{seconds: number, kimg: number, value: number, low: number | null, high: number | null}} ForecastPoint */
/**
 * @typedef {object} Forecast
 * @property {string} measure "" where nothing is known
 * @property {string} [features]
 * @property {number} [floor]
 * @property {number} [runs]
 * @property {string} [against]
 * @property {ForecastPoint[]} [points]
 * @property {ForecastPoint[]} [moments]
 * @property {string[]} doubts
 */
/**
 * @typedef {object} Plan
 * @property {string} recipe
 * @property {number} pictures
 * @property {string} device
 * @property {number} threads
 * @property {number} speed
 * @property {number} seconds
 * @property {number} updates
 * @property {number} kimg
 * @property {number | null} memory
 * @property {number | null} memory_free
 * @property {number} disk
 * @property {string[]} warnings
 * @property {string[]} labels
 * @property {Forecast} forecast
 * @property {string} page
 * @property {Array<{what: string, value: string, why: string, given: boolean}>} [choices]
 * @property {Record<string, any>} [changes]
 */

/** Seconds on the axis of a chart: as hours or minutes. @param {number} longest @returns {{unit: string, size: number}} */
export function clockUnit(longest) {
  return longest > 7200 ? { unit: "hours", size: 3600 } : longest > 120 ? { unit: "minutes", size: 60 } : { unit: "seconds", size: 1 };
}

/** The quality to expect. @param {{forecast: Forecast}} props */
function ForecastCard({ forecast }) {
  const points = forecast.points ?? [];
  if (!forecast.measure || points.length === 0) {
    return html`<section class="card" aria-label="Quality to expect"><h3>Quality to expect</h3>
      <p class="soft">${forecast.measure ? "Nothing was measured at such a length yet." : ""} ${forecast.doubts.join(" ")}</p></section>`;
  }
  const { unit, size } = clockUnit(points.at(-1)?.seconds ?? 0);
  const series = [{ label: "forecast", color: 2, floor: forecast.floor ?? null, points: points.map(p => ({ x: p.seconds / size, y: p.value, low: p.low, high: p.high })) }];
  const runs = forecast.runs ?? 1;
  return html`<div class="stack">
    <${LineChart} title="Quality to expect: ${forecast.measure}${forecast.features ? ` (${forecast.features})` : ""}" across=${unit} series=${series} log=${10}
      note=${`Distance to real pictures after a time on this machine; lower is better. ${runs > 1 ? `The band lies between the best and the worst of ${runs} measured runs.` : "One measured run."} Dotted: other real pictures.`} />
    <ul class="moments">${(forecast.moments ?? []).map(m => html`<li key=${m.seconds}><span class="soft">after ${duration(m.seconds)}</span>
      <b class="numbers">${short(Number(m.value.toPrecision(2)))}</b>${m.low != null && html`<span class="soft small numbers">${short(Number(m.low.toPrecision(2)))} to ${short(Number(m.high?.toPrecision(2)))}</span>`}</li>`)}</ul>
    ${forecast.doubts.length > 0 && html`<p class="hint">${forecast.doubts.join(" ")}</p>`}
  </div>`;
}

/** @param {{plan: Plan}} props */
function Facts({ plan }) {
  const tight = plan.memory != null && plan.memory_free != null && plan.memory > 0.9 * (plan.memory_free + plan.memory);
  const rows = [
    ["Time in all", duration(plan.seconds)],
    ["Speed", `${short(plan.speed)} images/s`],
    ["Memory", plan.memory == null ? "unknown" : `${sizeText(plan.memory)}${tight ? " (tight)" : ""}`],
    ["Free memory", sizeText(plan.memory_free)],
    ["Disk", sizeText(plan.disk)],
    ["Length", `${pictures(plan.kimg)} pictures, ${plan.updates.toLocaleString("en")} updates`],
  ];
  return html`<dl class="facts">${rows.map(([name, text]) => html`<div key=${name}><dt>${name}</dt><dd>${text}</dd></div>`)}</dl>`;
}

/**
 * The result of looking ahead.
 * @param {{plan: Plan, onTake?: (() => void) | undefined, taken?: boolean}} props
 */
export function PlanResult({ plan, onTake, taken }) {
  return html`<div class="stack plan">
    <${Facts} plan=${plan} />
    ${plan.warnings.map(text => html`<p class="warning" key=${text}><${Icon} name="alert" size=${18} /><span>${text[0]?.toUpperCase()}${inWords(text.slice(1))}.</span></p>`)}
    ${plan.choices && html`<section class="card"><div class="row"><h3>Recommended for your pictures and this machine</h3>
        ${onTake && html`<${Button} small kind=${taken ? "quiet" : "plain"} icon="check" disabled=${taken} onClick=${onTake}>${taken ? "These settings are in use" : "Use these settings"}<//>`}</div>
      <div class="wide" tabindex="0" role="region" aria-label="Recommended settings"><table class="choices"><thead><tr><th scope="col">Setting</th><th scope="col">Value</th><th scope="col">Why</th></tr></thead><tbody>
        ${plan.choices.map(choice => html`<tr key=${choice.what}><th scope="row">${choice.what}</th><td><b>${choice.value}</b>${choice.given && " (yours)"}</td><td class="soft">${inWords(choice.why)}</td></tr>`)}
      </tbody></table></div></section>`}
    <${ForecastCard} forecast=${plan.forecast} />
    ${plan.labels.length > 0 && html`<section class="card"><h3>Labels</h3><ul>${plan.labels.map(line => html`<li key=${line}>${line}</li>`)}</ul></section>`}
    <details class="card"><summary>Every setting, both networks layer by layer</summary><pre class="page-text" tabindex="0" aria-label="The dry run's page">${plan.page}</pre></details>
  </div>`;
}
