// From a run's curves, as the server tells them, to charts.
import { html, useState } from "../html.js";
import { Button, Tabs } from "../ui.js";
import { LineChart } from "./chart.js";
import { clockUnit } from "./plan.js";
import { pictures } from "./scale.js";

/** @typedef {import("./data.js").RunDetail} RunDetail */
/** @typedef {import("./data.js").ChartData} ChartData */
/** @typedef {import("./data.js").Axes} Axes */
/** @typedef {import("./scale.js").Series} Series */

const FIRST = ["Quality", "FID", "KID", "Perceptual distance", "Losses", "Accuracy of the discriminator", "Diversity", "Learnt by heart"];

/** Charts in the order in which people need them. @param {ChartData[]} charts */
function ordered(charts) {
  const rank = (/** @type {ChartData} */ chart) => (FIRST.indexOf(chart.title) + FIRST.length + 1) % (FIRST.length + 1);
  const first = charts.filter(chart => FIRST.includes(chart.title)).sort((a, b) => rank(a) - rank(b));
  return [...first, ...charts.filter(chart => !FIRST.includes(chart.title))];
}

/**
 * Return the x of a run's axes, in kimg or in the unit of time.
 * @param {Axes | undefined} axes @param {number} size 0 for kimg
 */
const along = (axes, size) => (size && axes?.seconds.length === axes?.kimg.length ? axes?.seconds.map(s => s / size) : axes?.kimg) ?? [];

/** @param {Axes} axes @param {number} kimg @param {number} size */
function placeOf(axes, kimg, size) {
  if (!size) return kimg;
  const i = axes.kimg.findIndex(k => k >= kimg);
  const at = i < 0 ? axes.kimg.length - 1 : i;
  return (axes.seconds[at] ?? 0) / size;
}

/**
 * The curves of a run.
 * @param {{run: RunDetail, cursor: number | null}} props `cursor` is the kimg of the sheet that is shown
 */
export function Curves({ run, cursor }) {
  const [across, setAcross] = useState("kimg");
  const [all, setAll] = useState(false);
  const own = run.axes[0];
  if (!own || run.charts.length === 0) return html`<p class="soft">Curves appear with the first report.</p>`;
  const { unit, size } = across === "kimg" ? { unit: "thousand pictures", size: 0 } : clockUnit(own.seconds.at(-1) ?? 0);
  const charts = ordered(run.charts);
  const shown = all ? charts : charts.filter(chart => FIRST.includes(chart.title)).slice(0, 6);
  const marks = own.events.map(event => ({ x: placeOf(own, event.kimg, size), text: `${pictures(event.kimg)} pictures: ${event.text}`, alarm: event.alarm }));
  const seriesOf = (/** @type {ChartData} */ chart) => chart.series.map(one => /** @type {Series} */ ({
    label: one.label, color: one.color, behind: one.run > 0, floor: one.floor,
    points: along(run.axes[one.run], size).map((x, i) => ({ x, y: one.values[i] ?? null, low: one.low?.[i], high: one.high?.[i] })),
  }));
  return html`<section class="stack" aria-label="Curves">
    <div class="row"><h2>Curves</h2><${Tabs} label="Across" value=${across} onChange=${setAcross} tabs=${[{ id: "kimg", label: "Pictures" }, { id: "time", label: "Time" }]} /></div>
    <div class="charts">${shown.map(chart => html`<${LineChart} key=${chart.title} title=${chart.title} note=${chart.note} unit=${chart.unit} across=${unit}
      series=${seriesOf(chart)} range=${chart.range} log=${chart.log} marks=${marks} cursor=${cursor == null ? null : placeOf(own, cursor, size)} />`)}</div>
    ${charts.length > shown.length || all ? html`<div><${Button} small kind="quiet" icon=${all ? "minus" : "plus"} onClick=${() => setAll(!all)}>${all ? "Fewer curves" : `All ${charts.length} curves`}<//></div>` : null}
  </section>`;
}

/**
 * One chart for each measure, in which each run has a colour.
 * @param {{runs: RunDetail[], across: string}} props
 */
export function ComparedCurves({ runs, across }) {
  const [all, setAll] = useState(false);
  const longest = Math.max(0, ...runs.map(run => run.axes[0]?.seconds.at(-1) ?? 0));
  const { unit, size } = across === "kimg" ? { unit: "thousand pictures", size: 0 } : clockUnit(longest);
  const found = new Map();
  runs.forEach((run, i) => {
    for (const chart of run.charts) {
      for (const one of chart.series.filter(series => series.run === 0)) {
        const title = chart.series.filter(series => series.run === 0).length > 1 ? `${chart.title}: ${one.label}` : chart.title;
        const entry = found.get(title) ?? { chart, series: [] };
        entry.series.push({ label: run.id, color: i, floor: null, points: along(run.axes[0], size).map((x, k) => ({ x, y: one.values[k] ?? null })) });
        found.set(title, entry);
      }
    }
  });
  const titles = ordered([...found].map(([title, entry]) => ({ ...entry.chart, title }))).map(chart => chart.title);
  const shown = all ? titles : titles.slice(0, 6);
  return html`<div class="charts">${shown.map(title => {
    const { chart, series } = found.get(title);
    return html`<${LineChart} key=${title} title=${title} unit=${chart.unit} across=${unit} series=${series} range=${chart.range} log=${chart.log} />`;
  })}</div>
  ${titles.length > 6 && html`<div><${Button} small kind="quiet" icon=${all ? "minus" : "plus"} onClick=${() => setAll(!all)}>${all ? "Fewer curves" : `All ${titles.length} curves`}<//></div>`}`;
}
