// What the view of training asks the server, and keeps up to date.
import { get } from "../api.js";
import { useEffect, useRef, useState } from "../html.js";
import { useStore } from "../store.js";

/**
 * @typedef {object} Setting a setting of a recipe with its rules, as the fields of the settings declare them
 * @property {string} name dotted
 * @property {string} key
 * @property {string} group
 * @property {any} value the recipe's
 * @property {"bool" | "int" | "float" | "text"} kind
 * @property {boolean} several
 * @property {boolean} optional
 * @property {string[] | null} choices
 * @property {string} range the bounds in words
 * @property {number} [minimum]
 * @property {number} [maximum]
 * @property {boolean} common
 * @property {boolean} resumable
 * @property {string} help
 */
/** @typedef {{recipe: string, groups: Array<{name: string, title: string}>, settings: Setting[]}} Settings */
/**
 * @typedef {object} Recipe
 * @property {string} name
 * @property {string} summary
 * @property {string} source
 * @property {number} kimg
 * @property {boolean} translates
 * @property {boolean} conditional
 * @property {boolean} domains whether it learns from two datasets
 * @property {boolean} known whether its quality was measured before
 * @property {boolean} fits whether it takes the dataset's pictures
 */
/** @typedef {{recipes: Recipe[], suited: string, why: string}} Recipes */
/**
 * @typedef {object} Run
 * @property {string} id
 * @property {string} name
 * @property {string} recipe
 * @property {string} dataset
 * @property {number} kimg
 * @property {number | null} total
 * @property {"waiting" | "running" | "stopped" | "finished" | "broken"} state
 * @property {string | null} job
 * @property {string} error
 * @property {number | null} images_per_second
 * @property {number | null} seconds
 * @property {number | null} seconds_left
 * @property {number | null} quality
 * @property {string} metric
 * @property {number | null} metric_value
 * @property {{kimg: number, metric: string, value: number | null} | null} best
 * @property {number} alarms
 * @property {number[]} grids
 * @property {number} moments
 */
/** @typedef {{kimg: number[], seconds: number[], events: Array<{kimg: number, text: string, alarm: boolean}>, caption: string}} Axes */
/**
 * @typedef {object} ChartData a chart as the report's script reads it
 * @property {string} title
 * @property {string} note
 * @property {string} unit
 * @property {[number | null, number | null] | null} range
 * @property {number} log
 * @property {Array<{label: string, run: number, color: number, floor: number | null, values: Array<number | null>,
 *   low?: Array<number | null>, high?: Array<number | null>}>} series
 */
/**
 * @typedef {Run & {version: string, charts: ChartData[], axes: Axes[], changes: Record<string, any>, length: string,
 *   begun: boolean, command: string, started_as: string,
 *   verdict: {headline: string, text: string, warnings: Array<{kimg: number, text: string}>}}} RunDetail
 */

const EVERY = 2500; // milliseconds between two questions while something trains
const SELDOM = 10_000; // and while nothing does: a command line may begin at any time

/**
 * Ask again and again, while the page is seen.
 * @param {() => Promise<boolean>} ask whether something trains
 * @param {unknown[]} needs
 */
function usePolling(ask, needs) {
  useEffect(() => {
    let timer = /** @type {number | undefined} */ (undefined);
    let ended = false;
    const next = async () => {
      const busy = document.hidden ? false : await ask().catch(() => false);
      if (!ended) timer = setTimeout(next, busy ? EVERY : SELDOM);
    };
    const seen = () => { if (!document.hidden) { clearTimeout(timer); void next(); } };
    document.addEventListener("visibilitychange", seen);
    void next();
    return () => { ended = true; clearTimeout(timer); document.removeEventListener("visibilitychange", seen); };
  }, needs);
}

/** Return all runs, kept up to date. @returns {{runs: Run[] | null, error: string}} */
export function useRuns() {
  const [state, setState] = useState({ runs: /** @type {Run[] | null} */ (null), error: "" });
  const jobs = useStore(store => store.jobs.map(job => `${job.id}${job.state}`).join());
  usePolling(async () => {
    try {
      const { runs } = await get("/api/training/runs");
      setState({ runs, error: "" });
      return runs.some((/** @type {Run} */ run) => run.state === "running" || run.state === "waiting");
    } catch (error) {
      setState(old => ({ ...old, error: /** @type {Error} */ (error).message }));
      return true;
    }
  }, [jobs]);
  return state;
}

/** Return a run with its curves, kept up to date. @param {string} id @returns {{run: RunDetail | null, error: string, missing: boolean}} */
export function useRun(id) {
  const [state, setState] = useState({ run: /** @type {RunDetail | null} */ (null), error: "", missing: false });
  const known = useRef(/** @type {RunDetail | null} */ (null));
  const jobs = useStore(store => store.jobs.map(job => `${job.id}${job.state}`).join());
  usePolling(async () => {
    const version = known.current?.id === id ? known.current.version : "";
    try {
      const found = await get(`/api/training/runs/${encodeURIComponent(id)}?version=${version}`);
      known.current = known.current?.id === id ? { ...known.current, ...found } : found;
      setState({ run: known.current, error: "", missing: false });
      return found.state === "running";
    } catch (error) {
      const { message, status } = /** @type {import("../api.js").ApiError} */ (error);
      setState(old => ({ ...old, error: message, missing: status === 404 }));
      return true;
    }
  }, [id, jobs]);
  return state.run?.id === id || state.error ? state : { run: null, error: "", missing: false };
}

/** The address of a sheet of samples. @param {string} id @param {number} kimg */
export const gridAddress = (id, kimg) => `/api/training/runs/${encodeURIComponent(id)}/grids/${kimg}`;
