// What the page knows of the project: its listing and its jobs, in one observable.
import { events, get, isLast, post, del } from "./api.js";
import { useEffect } from "./html.js";
import { observable, useObservable } from "./observable.js";

/** @typedef {import("./api.js").JobEvent} JobEvent */
/**
 * @typedef {{id: string, name: string, kind: string} & Record<string, any>} Item
 *   a dataset, run, model or result of the project's listing, with its facts
 */
/**
 * @typedef {object} Job
 * @property {string} id
 * @property {string} action
 * @property {string} title
 * @property {"queued" | "running" | "done" | "failed" | "stopped"} state
 * @property {string} [command]
 * @property {string} [python]
 * @property {Record<string, any>} [settings]
 * @property {number} [created] seconds since 1970
 * @property {boolean} [resumable] whether "again" goes on where it stopped
 * @property {JobEvent | null} [progress] the newest event of progress
 * @property {any} [result]
 * @property {string} [error]
 * @property {string} [waits] why it has not begun; else it begins at once
 * @property {number | null} [stops] how often somebody has asked it to stop
 */
/**
 * @typedef {object} Project
 * @property {string} name
 * @property {string} version
 * @property {string} device
 * @property {Item[]} datasets
 * @property {Item[]} runs
 * @property {Item[]} models
 * @property {Item[]} results
 */
/**
 * @typedef {object} State
 * @property {Project | null} project null until the first answer
 * @property {Job[]} jobs newest first
 * @property {Record<string, JobEvent[]>} events of the jobs that are followed
 * @property {string} error why the project could not be read; "" if it could
 * @property {boolean} locked whether the server wants another token
 */

export const store = observable(/** @type {State} */ ({ project: null, jobs: [], events: {}, error: "", locked: false }));

/**
 * Return a part of the state; the component is drawn again when it changes.
 * @template R
 * @param {(state: State) => R} select
 * @returns {R}
 */
export const useStore = select => useObservable(store, select);

let asked = 0; // when, in ms

/** Read the project's listing again. It never fails: what went wrong is in the state. */
export async function refresh() {
  asked = Date.now();
  try {
    const { jobs, ...project } = await get("/api/project");
    store.set({ project, jobs: jobs ?? [], error: "", locked: false });
  } catch (error) {
    const { message, status } = /** @type {import("./api.js").ApiError} */ (error);
    store.set({ error: message, locked: status === 401 });
  }
}

/** @param {Job} job */
export const isActive = job => job.state === "queued" || job.state === "running";

// --- jobs -------------------------------------------------------------------------------------------------

/**
 * Start long work. It goes on without the page.
 * @param {string} action such as "evaluate"
 * @param {Record<string, any>} settings
 * @returns {Promise<Job>}
 */
export async function startJob(action, settings) {
  const job = await post("/api/jobs", { action, settings });
  putJob(job);
  return job;
}

/** Stop a job; it saves first. @param {string} id */
export const stopJob = async id => putJob(await post(`/api/jobs/${encodeURIComponent(id)}/stop`));
/** Do a job again, or go on with it. @param {string} id */
export const againJob = async id => putJob(await post(`/api/jobs/${encodeURIComponent(id)}/again`));
/** Forget a job that has ended; its results stay. @param {string} id */
export async function removeJob(id) {
  await del(`/api/jobs/${encodeURIComponent(id)}`);
  store.set(state => ({ jobs: state.jobs.filter(job => job.id !== id) }));
}

/** @param {Job | null} job */
function putJob(job) {
  if (!job?.id) return void refresh();
  store.set(state => ({ jobs: [job, ...state.jobs.filter(other => other.id !== job.id)] }));
}

/** @param {string} id @param {Partial<Job>} change */
function changeJob(id, change) {
  store.set(state => ({ jobs: state.jobs.map(job => (job.id === id ? { ...job, ...change } : job)) }));
}

// Browsers allow six connections to a server, over all tabs: those in the background follow nothing, and a tab
// follows at most MOST_FOLLOWED jobs; it asks for the others every few seconds.
const MOST_FOLLOWED = 3;
const ASK_EVERY = 4000; // ms
const ASK_ANYWAY = 20_000; // ms
const MOST_EVENTS = 5000;

/** @type {Map<string, {watchers: number, close: (() => void) | null}>} */
const followed = new Map();

/** @param {string} id */
function openEvents(id) {
  const entry = followed.get(id);
  const open = [...followed.values()].filter(other => other.close).length;
  if (!entry || entry.close || document.hidden || open >= MOST_FOLLOWED) return;
  const known = store.get().events[id] ?? [];
  if (known.some(isLast)) return;
  entry.close = events(id, event => onEvent(id, event), known.at(-1)?.n ?? 0);
}

/** @param {string} id @param {JobEvent} event */
function onEvent(id, event) {
  store.set(state => ({ events: { ...state.events, [id]: [...(state.events[id] ?? []), event].slice(-MOST_EVENTS) } }));
  const job = store.get().jobs.find(one => one.id === id);
  const ended = job !== undefined && !isActive(job); // long ago: somebody reads again what it told
  if (event.kind === "progress" && !ended) changeJob(id, { state: "running", progress: event });
  if (!isLast(event)) return;
  changeJob(id, { state: /** @type {"done" | "failed" | "stopped"} */ (event.kind), result: event.result, error: event.error ?? "" });
  const entry = followed.get(id);
  if (entry) entry.close = null;
  if (ended) return;
  void refresh().then(() => { for (const listener of endListeners) listener(id, event); });
}

/** @type {Set<(id: string, event: JobEvent) => void>} */
const endListeners = new Set();
/** Be told when a job ends. @param {(id: string, event: JobEvent) => void} listener */
export function onJobEnd(listener) {
  endListeners.add(listener);
  return () => void endListeners.delete(listener);
}

/**
 * Follow a job until the returned function is called.
 * @param {string} id
 * @returns {() => void}
 */
function watchJob(id) {
  const entry = followed.get(id) ?? { watchers: 0, close: null };
  entry.watchers += 1;
  followed.set(id, entry);
  openEvents(id);
  return () => {
    entry.watchers -= 1;
    if (entry.watchers) return;
    entry.close?.();
    followed.delete(id);
  };
}

const NONE = /** @type {JobEvent[]} */ ([]);

/** Return the events of a job, followed while the component is there. @param {string} id "" for none */
export function useEvents(id) {
  useEffect(() => (id ? watchJob(id) : undefined), [id]);
  return useStore(state => state.events[id] ?? NONE);
}

/** Return a job; the shell follows those that are active. @param {string} id */
export const useJob = id => useStore(state => state.jobs.find(one => one.id === id));

/** Return the job that does one of these actions with a model: the one at work, else the newest. @param {string} model @param {string[]} actions */
export const useModelJob = (model, ...actions) => useStore(state => {
  const own = state.jobs.filter(job => actions.includes(job.action) && job.settings?.model === model);
  return own.find(isActive) ?? own[0];
});

/** Follow what is active, the oldest first, since that runs; ask for the rest. Called once, by the shell. */
export function keepUp() {
  /** @type {Map<string, () => void>} */
  const watched = new Map();
  const follow = () => {
    const active = new Set(store.get().jobs.filter(isActive).map(job => job.id).reverse());
    for (const id of active) if (!watched.has(id)) watched.set(id, watchJob(id));
    for (const [id, end] of watched) if (!active.has(id)) { watched.delete(id); end(); }
  };
  store.subscribe(follow);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) void refresh();
    for (const [id, entry] of followed) {
      if (document.hidden) { entry.close?.(); entry.close = null; } else openEvents(id);
    }
  });
  setInterval(() => {
    for (const id of followed.keys()) openEvents(id);
    const old = Date.now() - asked > ASK_ANYWAY; // the command line may have made something, or the server is gone
    const unheard = store.get().jobs.some(job => isActive(job) && !followed.get(job.id)?.close);
    if (!document.hidden && (unheard || old || store.get().error)) void refresh();
  }, ASK_EVERY);
  void refresh();
}
