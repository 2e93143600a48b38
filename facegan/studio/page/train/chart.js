// A chart of lines with bands, drawn as SVG: it can be read with the pointer, with the arrow keys, and as a table.
import { html, useEffect, useId, useRef, useState } from "../html.js";
import { Button } from "../ui.js";
import { decades, level, nearest, short, span, ticks } from "./scale.js";

/** @typedef {import("./scale.js").Series} Series */
/** @typedef {import("./scale.js").Point} Point */
/** @typedef {import("./scale.js").Span} Span */
/**
 * @typedef {object} ChartProps
 * @property {string} title
 * @property {string} [note]
 * @property {string} [unit] of the values
 * @property {string} across what the horizontal axis counts
 * @property {(x: number) => string} [formatX]
 * @property {Series[]} series
 * @property {[number | null, number | null] | null} [range]
 * @property {number} [log]
 * @property {Array<{x: number, text: string, alarm: boolean}>} [marks]
 * @property {number | null} [cursor] where a line stands
 * @property {number} [height]
 */

const LEFT = 48, RIGHT = 12, TOP = 10, BOTTOM = 34;
const MOST_ROWS = 60;

/** The width of an element, followed. @returns {[import("../vendor/preact.js").Ref<HTMLDivElement>, number]} */
function useWidth() {
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [width, setWidth] = useState(480);
  useEffect(() => {
    if (!box.current) return undefined;
    const observer = new ResizeObserver(entries => {
      const found = entries[0]?.contentRect.width;
      if (found) setWidth(Math.max(220, Math.round(found)));
    });
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  return [box, width];
}

/** @param {Point[]} points @param {(p: Point) => number | null | undefined} pick @param {(x: number) => number} px @param {(y: number) => number} py */
function path(points, pick, px, py) {
  let text = "";
  for (const point of points) {
    const value = pick(point);
    if (value == null || !Number.isFinite(value)) continue;
    text += `${text ? "L" : "M"}${px(point.x).toFixed(1)} ${py(value).toFixed(1)}`;
  }
  return text;
}

/** @param {{series: Series, px: (x: number) => number, py: (y: number) => number}} props */
function Line({ series, px, py }) {
  const measured = series.points.filter(p => p.y != null);
  const banded = series.points.filter(p => p.low != null && p.high != null);
  const band = banded.length > 1
    && `${path(banded, p => p.high, px, py)}L${path([...banded].reverse(), p => p.low, px, py).slice(1)}Z`;
  const color = `var(--c${series.color % 8})`;
  return html`<g style=${{ color }} class="line ${series.behind ? "behind" : ""}">
    ${band && html`<path class="band" d=${band} />`}
    <path class="stroke" d=${path(measured, p => p.y, px, py)} />
    ${measured.length < 40 && measured.map(p => html`<circle key=${p.x} cx=${px(p.x)} cy=${py(/** @type {number} */ (p.y))} r=${series.behind ? 1.8 : 2.6} />`)}
  </g>`;
}

/** The values at or before a place. @param {Series[]} series @param {number} at */
const valuesAt = (series, at) => series.map(one => one.points.findLast(p => p.y != null && p.x <= at * (1 + 1e-9)) ?? null);

/** The numbers of a chart, for those who cannot see it or want them exactly. @param {ChartProps} props */
function Numbers({ title, across, series, formatX = short }) {
  const xs = [...new Set(series.flatMap(s => s.points.filter(p => p.y != null).map(p => p.x)))].sort((a, b) => a - b);
  const step = Math.ceil(xs.length / MOST_ROWS);
  const rows = xs.filter((_, i) => i % step === 0 || i === xs.length - 1);
  const text = (/** @type {Point | undefined} */ p) => !p || p.y == null ? "" : `${short(p.y)}${p.low == null ? "" : ` (${short(p.low)} to ${short(p.high)})`}`;
  return html`<div class="numbers-table" tabindex="0" role="region" aria-label="${title}: numbers"><table>
    <thead><tr><th scope="col">${across}</th>${series.map(s => html`<th scope="col" key=${s.label}>${s.label}</th>`)}</tr></thead>
    <tbody>${rows.map(x => html`<tr key=${x}><th scope="row">${formatX(x)}</th>
      ${series.map(s => html`<td key=${s.label}>${text(s.points.find(p => p.x === x))}</td>`)}</tr>`)}</tbody></table></div>`;
}

/** @param {{series: Series[], at: number | null, across: string, formatX: (x: number) => string}} props */
function Legend({ series, at, across, formatX }) {
  const found = valuesAt(series, at ?? Infinity);
  return html`<div class="legend">${series.map((s, i) => html`<span key=${s.label} class=${s.behind ? "behind" : ""} style=${{ "--c": `var(--c${s.color % 8})` }}>
      <i></i>${s.label} <b class="numbers">${short(found[i]?.y)}</b></span>`)}
    ${at != null && html`<span class="soft numbers">at ${formatX(at)} ${across}</span>`}</div>`;
}

/** @param {{width: number, height: number, range: Span, end: number, across: string, formatX: (x: number) => string,
 *   px: (x: number) => number, py: (y: number) => number}} props */
function Frame({ width, height, range, end, across, formatX, px, py }) {
  const levels = range.log ? decades(range.low, range.high) : ticks(range.low, range.high, 4);
  const bottom = height - BOTTOM;
  return html`<g class="frame">
    ${levels.map(v => html`<g key=${v}><line x1=${LEFT} x2=${width - RIGHT} y1=${py(v)} y2=${py(v)} /><text x=${LEFT - 7} y=${py(v) + 4} text-anchor="end">${short(v)}</text></g>`)}
    ${ticks(0, end, width < 420 ? 3 : 5).map(v => html`<text key=${v} x=${px(v)} y=${bottom + 15} text-anchor=${px(v) > width - RIGHT - 14 ? "end" : v === 0 ? "start" : "middle"}>${formatX(v)}</text>`)}
    <text class="across" x=${width - RIGHT} y=${height - 3} text-anchor="end">${across}</text></g>`;
}

/** A chart. @param {ChartProps} props */
export function LineChart(props) {
  const { title, note, unit, across, formatX = short, series, range: ends = null, log = 0, marks = [], cursor = null, height = 210 } = props;
  const [box, width] = useWidth();
  const [at, setAt] = useState(/** @type {number | null} */ (null));
  const [table, setTable] = useState(false);
  const clip = useId();
  const range = span(series, { range: ends, log });
  const xs = [...new Set(series.flatMap(s => s.points.map(p => p.x)))].sort((a, b) => a - b);
  const end = Math.max(1e-9, xs.at(-1) ?? 1);
  const px = (/** @type {number} */ x) => LEFT + (x / end) * (width - LEFT - RIGHT);
  const py = (/** @type {number} */ y) => height - BOTTOM - level(range, y) * (height - BOTTOM - TOP);
  const move = (/** @type {PointerEvent} */ event) => {
    const bounds = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
    const x = ((event.clientX - bounds.left) / bounds.width * width - LEFT) / (width - LEFT - RIGHT) * end;
    setAt(xs[nearest(xs, x)] ?? null);
  };
  const step = (/** @type {KeyboardEvent} */ event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const now = at == null ? (by > 0 ? -1 : xs.length) : nearest(xs, at);
    setAt(xs[Math.min(xs.length - 1, Math.max(0, now + by))] ?? null);
  };
  const said = valuesAt(series, at ?? Infinity).map((p, i) => `${series[i]?.label} ${short(p?.y)}`).join(", ");
  const upright = (/** @type {number} */ x, /** @type {string} */ kind) => html`<line class=${kind} x1=${px(x)} x2=${px(x)} y1=${TOP} y2=${height - BOTTOM} />`;
  return html`<section class="chart card" aria-label=${title}>
    <header class="row"><h3>${title}${unit && html` <span class="soft">(${unit})</span>`}</h3>
      <${Button} small kind="quiet" pressed=${table} onClick=${() => setTable(!table)} aria-label="${title}: show the numbers">Numbers<//></header>
    ${note && html`<p class="hint">${note}${range.log && " Logarithmic."}</p>`}
    <div ref=${box}>${table ? html`<${Numbers} ...${props} />` : html`<svg viewBox="0 0 ${width} ${height}" width=${width} height=${height} role="img" tabindex="0"
      aria-label="${title}${at == null ? ", the last values" : `, at ${formatX(at)} ${across}`}: ${said}" onPointerMove=${move} onPointerLeave=${() => setAt(null)} onKeyDown=${step} onBlur=${() => setAt(null)}>
      <clipPath id=${clip}><rect x=${LEFT} y=${TOP - 3} width=${Math.max(0, width - LEFT - RIGHT + 3)} height=${height - BOTTOM - TOP + 6} /></clipPath>
      <${Frame} ...${{ width, height, range, end, across, formatX, px, py }} />
      ${marks.map(mark => html`<g key=${`${mark.x} ${mark.text}`}><title>${mark.text}</title>${upright(mark.x, mark.alarm ? "mark alarm" : "mark")}</g>`)}
      ${cursor != null && upright(Math.min(cursor, end), "moment")}
      <g clip-path="url(#${clip})">
        ${series.map(s => s.floor != null && html`<line class="floor" key=${`floor ${s.label}`} style=${{ color: `var(--c${s.color % 8})` }} x1=${LEFT} x2=${width - RIGHT} y1=${py(s.floor)} y2=${py(s.floor)} />`)}
        ${[...series].sort((a, b) => Number(b.behind ?? false) - Number(a.behind ?? false)).map(s => html`<${Line} key=${s.label} series=${s} px=${px} py=${py} />`)}
      </g>
      ${at != null && upright(at, "cross")}
    </svg>`}</div>
    <${Legend} series=${series} at=${at} across=${across} formatX=${formatX} />
  </section>`;
}
