// Results: what jobs made. Each has the id of its job, the settings, and a list of files.
import { del, put } from "./api.js";
import { address } from "./router.js";
import { refresh, useStore } from "./store.js";

/** @typedef {import("./store.js").Item} Item */
/** @typedef {{name: string, role: string, bytes: number}} ResultFile */

/** @type {Record<string, string>} action -> the view that does it */
export const VIEW_OF_ACTION = {
  arithmetic: "explore", atlas: "explore", directions: "explore", explore: "explore", film: "explore", generate: "explore",
  interpolate: "explore", mix: "explore",
  edit: "photo", invert: "photo",
  attack: "pixels", dream: "pixels", stylize: "pixels",
  archive: "share", evaluate: "share", export: "share", publish: "share",
  translate: "translate",
  label: "photos", prepare: "photos", select: "photos",
  train: "train",
};

const PICTURE = /\.(png|jpe?g|webp|gif)$/i;
const FILM = /\.(mp4|webm)$/i;
const MOST_SHOWN = 12;

/** @param {Item} result @returns {Array<ResultFile & {number: number, src: string}>} */
export const filesOf = result =>
  (result.files ?? []).map((/** @type {ResultFile} */ file, /** @type {number} */ number) => (
    { ...file, number, src: `/api/results/${encodeURIComponent(result.id)}/file/${number}` }));

/** The address of a result's file of that role; "" where it has none. @param {Item | undefined} result @param {string} role */
export const fileOf = (result, role) => (result && filesOf(result).find(file => file.role === role)?.src) ?? "";

/** Return a result of the project by its id, which is that of its job; undefined until it is listed. @param {string} id */
export const useResult = id => useStore(state => state.project?.results.find(one => one.id === id));

/** Return the newest results of an action. @param {string} action */
export const useResults = action => (useStore(state => state.project?.results) ?? []).filter(one => one.action === action).slice(0, MOST_SHOWN);

/** @param {ResultFile} file */
export const isPicture = file => PICTURE.test(file.name);
/** @param {ResultFile} file */
export const isFilm = file => FILM.test(file.name);

/** Return the picture that stands for a result, if it has one. @param {Item} result */
export const coverOf = result => filesOf(result).find(isPicture);

/** @param {Item} result */
export const titleOf = result => result.label || result.title || result.action || result.id;

// --- recalling --------------------------------------------------------------------------------------------

/**
 * @typedef {object} Recalled what made a result, for the view that can make it again
 * @property {string} action
 * @property {Record<string, any>} settings
 */

/** @typedef {{id: string, state: Record<string, unknown>}} Place what an address says behind the name of its view */

/** @type {(tab: string) => (job: Recalled, result: string) => Place} */
const tab = id => (job, result) => ({ id, state: result ? { job: result } : settingsAsState(job) });

/** @param {Recalled} job @returns {Record<string, unknown>} for `recalledOf` */
const settingsAsState = ({ action, settings }) => ({ action, settings: JSON.stringify(settings) });

/**
 * Action -> its place in its view, given the id of its result, or "" without one. Others are at the id of the
 * model, with the settings.
 * @type {Record<string, (job: Recalled, result: string) => Place>}
 */
const PLACES = {
  attack: tab("attack"),
  dream: tab("dream"),
  edit: ({ settings }) => ({ id: String(settings.face ?? ""), state: { moves: JSON.stringify(movesOf(settings.edits)) } }),
  invert: (job, result) => ({ id: result, state: result ? {} : settingsAsState(job) }), // the found face itself
  stylize: tab("style"),
  train: ({ settings: { run, changes, ...settings } }) => (
    run ? { id: String(run), state: {} } : { id: "", state: { ...settings, new: 1, changes: JSON.stringify(changes ?? {}) } }),
  translate: (job, result) => ({ id: String(job.settings.model ?? ""), state: result ? { result } : settingsAsState(job) }),
};

/** Return direction -> strength of a text such as "smiling=+2, age=-1". @param {unknown} edits */
function movesOf(edits) {
  const found = [...String(edits ?? "").matchAll(/([^=,]+)=\s*([+-]?[\d.]+)/g)];
  return Object.fromEntries(found.map(([, name = "", strength]) => [name.trim(), Number(strength)]));
}

/**
 * Return the address at which a view has these settings again; "remix" leaves out the seed.
 * @param {string} view
 * @param {Recalled} recalled
 * @param {{remix?: boolean, result?: string}} [options] `result` is the id of the result, if it is there
 */
export function recallAddress(view, { action, settings }, { remix = false, result = "" } = {}) {
  const job = remix ? remixed({ action, settings }) : { action, settings };
  const place = PLACES[action]?.(job, remix ? "" : result) ?? { id: String(settings.model ?? ""), state: settingsAsState(job) };
  return address(view, place.id, place.state);
}

/** Whether there is a seed to change. @param {Recalled} recalled */
export const canRemix = ({ action, settings }) => action === "explore" || "seed" in settings || "points" in settings;

/** Return all but the seed. @param {Recalled} recalled @returns {Recalled} */
function remixed({ action, settings }) {
  const kept = { ...settings };
  if ("points" in kept) kept.points = otherPoints(kept.points);
  else kept.seed = randomSeed();
  if (action === "explore") delete kept.face; // a face without a seed is a vector
  return { action, settings: kept };
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
