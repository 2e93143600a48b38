// What a view will need is asked for as soon as the page is there, while its modules are still being loaded.
const [, view = "home", id = ""] = /^#\/(\w+)(?:\/([^?]*))?/.exec(location.hash) ?? [];

for (const name of document.querySelector(`meta[name=modules][data-view="${view}"]`)?.getAttribute("content")?.split(" ") ?? []) {
  const href = new URL(name, import.meta.url).href;
  document.head.append(Object.assign(document.createElement("link"), { rel: "modulepreload", href }));
}

const FRESH = 20_000; // ms after the page was opened

/** Answers that nobody has read yet, by their path. @type {Map<string, Promise<Response>>} */
const begun = new Map();
for (const path of ["/api/project", ...(view === "explore" && id ? [`/api/explore/${id}`, `/api/explore/${id}/tray`] : [])]) {
  const answer = fetch(path, { credentials: "same-origin" });
  answer.catch(() => {}); // whoever reads it is told
  begun.set(path, answer);
}

/** The answer to a request that was begun early, once, and not when it is old. @param {string} path */
export function takeBegun(path) {
  const answer = performance.now() < FRESH ? begun.get(path) : undefined;
  begun.delete(path);
  return answer;
}

/** @param {string} of a view that has a worker */
const newWorker = of => new Worker(new URL(`${of}/worker.js`, import.meta.url), { type: "module" });

/** One that loads its engine while the page is still being loaded. @type {Worker | null} */
let early = ["explore", "translate"].includes(view) ? newWorker(view) : null;
if (early) early.onerror = () => { early = null; }; // whoever needs one begins another, and is told

/** The worker of a view, which begins now unless it has begun early. @param {"explore" | "translate"} of */
export function takeWorker(of) {
  const found = of === view ? early : null;
  if (found) early = null;
  return found ?? newWorker(of);
}

/** Ends a worker that began early, where the server draws instead. @param {"explore" | "translate"} of */
export function endEarly(of) {
  if (of !== view) return;
  early?.terminate();
  early = null;
}
