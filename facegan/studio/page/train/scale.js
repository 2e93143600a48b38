// The arithmetic of charts: ticks, scales, and numbers and sentences as people read them.

/**
 * @typedef {object} Point
 * @property {number} x
 * @property {number | null} y null where nothing was measured
 * @property {number | null | undefined} [low]
 * @property {number | null | undefined} [high]
 */
/**
 * @typedef {object} Series
 * @property {string} label
 * @property {number} color the number of a colour, from 0
 * @property {Point[]} points in the order of x
 * @property {boolean} [behind] drawn dashed, behind the others
 * @property {number | null} [floor] a dotted line
 */
/** @typedef {{low: number, high: number, log: boolean}} Span */

/**
 * Return round numbers between two ends, about `count` of them.
 * @param {number} low @param {number} high @param {number} count
 */
export function ticks(low, high, count) {
  if (!(high > low)) return [low];
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = ([1, 2, 5, 10].map(m => m * power).find(s => s >= raw * 0.999)) ?? 10 * power;
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) found.push(Number((k * step).toPrecision(12)));
  return found;
}

/** Return 1, 2, 5, 10 ... between two positive numbers; where there are many, powers of ten alone. @param {number} low @param {number} high */
export function decades(low, high) {
  const found = [];
  for (let p = Math.floor(Math.log10(low)); p <= Math.log10(high); p++) for (const m of [1, 2, 5]) found.push(Number((m * 10 ** p).toPrecision(3)));
  const inside = found.filter(v => v >= low && v <= high);
  return inside.length > 6 ? inside.filter(v => Number.isInteger(Math.round(Math.log10(v) * 1e6) / 1e6)) : inside;
}

/**
 * Return the vertical range of series; a few wild values do not flatten the rest.
 * @param {Series[]} series
 * @param {{range?: [number | null, number | null] | null, log?: number}} rules log: the factor from which on the axis is logarithmic
 * @returns {Span}
 */
export function span(series, { range = null, log = 0 } = {}) {
  const [from, to] = range ?? [null, null];
  const all = series.flatMap(s => [...s.points.flatMap(p => [p.y, p.low, p.high]), s.floor])
    .filter(/** @returns {v is number} */ v => typeof v === "number" && Number.isFinite(v)).sort((a, b) => a - b);
  if (!all.length) return { low: from ?? 0, high: to ?? 1, log: false };
  const cut = Math.floor(all.length * 0.005);
  let low = /** @type {number} */ (all[cut]);
  const high = /** @type {number} */ (all[all.length - 1 - cut]);
  if (log && low > 0 && high > log * low) return { low: low / 1.15, high: high * 1.15, log: true };
  if (low > 0 && low < 0.4 * high) low = 0;
  const pad = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
  return { low: from ?? (low === 0 ? 0 : low - pad), high: to ?? high + pad, log: false };
}

/** Return where a value lies, from 0 at the bottom to 1. @param {Span} span @param {number} value */
export function level({ low, high, log }, value) {
  return log ? Math.log(Math.max(value, low / 10) / low) / Math.log(high / low) : (value - low) / (high - low);
}

/** Return a number in at most four digits. @param {number | null | undefined} value */
export function short(value) {
  if (value == null || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e6 || size < 1e-3)) return value.toExponential(1);
  return size >= 1e4 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(4)));
}

/** Return a number of pictures, of which training counts thousands. @param {number | null | undefined} kimg */
export const pictures = kimg => (kimg == null ? "–" : Math.round(1000 * kimg).toLocaleString("en"));

/** Return seconds in words: 40 s, 12 min, 3 h 20 min, 2 d 4 h. @param {number | null | undefined} seconds */
export function duration(seconds) {
  if (seconds == null || !Number.isFinite(seconds)) return "–";
  if (seconds < 99.5) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** Return the index of the value in a rising list that is nearest to `x`; -1 for an empty list. @param {number[]} list @param {number} x */
export function nearest(list, x) {
  return list.reduce((best, v, i) => (best < 0 || Math.abs(v - x) < Math.abs(/** @type {number} */ (list[best]) - x) ? i : best), -1);
}
