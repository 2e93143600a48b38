// Results: what jobs made. Each has the id of its job, the settings, and a list of files.
import { del, put } from "./api.js";
import { address } from "./router.js";
import { refresh } from "./store.js";

/** @typedef {import("./store.js").Item} Item */
/** @typedef {{name: string, role: string, bytes: number}} ResultFile */

/** @type {Record<string, string>} action -> the view that does it */
export const VIEW_OF_ACTION = {
  arithmetic: "explore", atlas: "explore", directions: "explore", edit: "explore", explore: "explore", film: "explore", generate: "explore",
  interpolate: "explore", mix: "explore",
  invert: "photo",
  attack: "pixels", dream: "pixels", stylize: "pixels",
  archive: "share", evaluate: "share", export: "share", publish: "share",
  translate: "translate",
  label: "photos", prepare: "photos", select: "photos",
  train: "train",
};

const PICTURE = /\.(png|jpe?g|webp|gif)$/i;
const FILM = /\.(mp4|webm)$/i;

/** @param {Item} result @param {number} number */
export const fileAddress = (result, number) => `/api/results/${encodeURIComponent(result.id)}/file/${number}`;

/** @param {Item} result @returns {Array<ResultFile & {number: number, src: string}>} */
export const filesOf = result =>
  (result.files ?? []).map((/** @type {ResultFile} */ file, /** @type {number} */ number) => (
    { ...file, number, src: fileAddress(result, number) }));

/** @param {ResultFile} file */
export const isPicture = file => PICTURE.test(file.name);
/** @param {ResultFile} file */
export const isFilm = file => FILM.test(file.name);

/** Return the picture that stands for a result, if it has one. @param {Item} result */
export const coverOf = result => filesOf(result).find(isPicture);

/** @param {Item} result */
export const titleOf = result => result.label || result.title || result.action || result.id;

/** @param {number} bytes */
export function sizeText(bytes) {
  const units = ["bytes", "kB", "MB", "GB"];
  let at = 0;
  while (bytes >= 1000 && at < 3) { bytes /= 1000; at += 1; }
  return `${at && bytes < 10 ? bytes.toFixed(1) : Math.round(bytes)} ${units[at]}`;
}

/** @param {string | undefined} made such as 2026-12-01T10:20:30+0000 */
export function timeText(made) {
  const time = made ? new Date(made.replace(/([+-]\d\d)(\d\d)$/, "$1:$2")) : null;
  if (!time || Number.isNaN(time.getTime())) return "";
  const today = new Date().toDateString() === time.toDateString();
  return today ? `today, ${time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false })}`
    : time.toLocaleDateString([], { day: "numeric", month: "short", year: "numeric" });
}

// --- recalling --------------------------------------------------------------------------------------------

/**
 * @typedef {object} Recalled what made a result, for the view that can make it again
 * @property {string} action
 * @property {Record<string, any>} settings
 */

const SEEDS = ["seed", "face", "seeds", "points"];

/** @type {Record<string, (settings: Record<string, any>) => Record<string, unknown>>} action -> what its view's address says */
const STATES = {
  atlas: () => ({ tool: "map" }),
  film: () => ({ tool: "film" }),
  generate: ({ points, truncation }) => ({ seed: /\d+/.exec(points ?? "0")?.[0], truncation: truncation === 1 ? "" : truncation }),
  train: ({ changes, ...settings }) => ({ ...settings, new: 1, changes: JSON.stringify(changes ?? {}) }),
};

/**
 * Return the address at which a view has these settings again; "remix" leaves out the seed. Views whose address is no
 * row of the table above find the settings in it with `recalledOf`.
 * @param {string} view
 * @param {Recalled} recalled
 * @param {{remix?: boolean, result?: string}} [options] `result` is the id of the result, if it is there
 */
export function recallAddress(view, { action, settings }, { remix = false, result = "" } = {}) {
  if (action === "invert" && result) return address(view, result); // the found face itself
  const kept = { ...settings };
  for (const name of SEEDS) if (remix && name in kept) kept[name] = name === "points" ? otherPoints(kept[name]) : undefined;
  if (remix && "seed" in settings) kept.seed = randomSeed();
  const state = STATES[action]?.(kept) ?? { action, settings: JSON.stringify(kept) };
  return address(view, String(settings.model ?? ""), state);
}

/** Return a seed that a person can read out. */
export const randomSeed = () => Math.floor(Math.random() * 1_000_000);

/** Return points with other seeds, as many as there were; other words stay. @param {unknown} points */
function otherPoints(points) {
  if (typeof points !== "string") return points;
  return points.replace(/seed:(\d+)(?:-(\d+))?([\d,-]*)/g, (_, from, to, more) => {
    const first = randomSeed();
    if (to) return `seed:${first}-${first + Number(to) - Number(from)}`;
    return `seed:${[first, ...more.split(",").filter(Boolean).map(randomSeed)].join(",")}`;
  });
}

/**
 * Return the settings that an address restores, for a view's first state: they were written by `recallAddress`.
 * @param {Record<string, string>} state of the address
 * @param {string[]} actions those of the view
 * @returns {Recalled | null}
 */
export function recalledOf(state, ...actions) {
  try {
    const settings = JSON.parse(state.settings ?? "");
    const fits = state.action != null && actions.includes(state.action) && settings && typeof settings === "object";
    return fits ? { action: state.action ?? "", settings } : null;
  } catch {
    return null; // an address without settings, or one that somebody typed
  }
}

// --- changes ----------------------------------------------------------------------------------------------

/** Keep a result (it is shown first), or name it. @param {Item} result @param {{kept?: boolean, label?: string}} change */
export async function changeResult(result, change) {
  await put(`/api/results/${encodeURIComponent(result.id)}`, change);
  await refresh();
}

/** Delete a result with its files. @param {Item} result */
export async function deleteResult(result) {
  await del(`/api/results/${encodeURIComponent(result.id)}`);
  await refresh();
}
