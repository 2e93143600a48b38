// The address of a view: #/view/id?state. Going back and forth in the browser works, and an address can be kept.
import { observable, useObservable } from "./observable.js";

/**
 * @typedef {object} Route
 * @property {string} view
 * @property {string} id "" where the view shows no single item
 * @property {Record<string, string>} state
 */

/**
 * @param {string} hash
 * @returns {Route}
 */
function parseHash(hash) {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const [view = "", id = ""] = path.split("/").map(readable);
  return { view: view || "home", id, state: Object.fromEntries(new URLSearchParams(query)) };
}

/** @param {string} text */
function readable(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a stray % in an address that somebody typed
  }
}

/**
 * Return the address of a view, for the href of a link.
 * @param {string} view
 * @param {string} [id]
 * @param {Record<string, unknown>} [state] values that are undefined, null or "" are left out
 */
export function address(view, id = "", state = {}) {
  const kept = Object.entries(state).filter(([, value]) => value != null && value !== "");
  const query = new URLSearchParams(kept.map(([name, value]) => [name, String(value)])).toString();
  return `#/${encodeURIComponent(view)}${id && `/${encodeURIComponent(id)}`}${query && `?${query}`}`;
}

const route = observable({ now: parseHash(location.hash), turns: 0 });
window.addEventListener("hashchange", () => route.set(({ turns }) => ({ now: parseHash(location.hash), turns: turns + 1 })));

/** Return the present route. */
export const useRoute = () => useObservable(route, value => value.now);
/** Return how often somebody has turned to another address; changes of what is shown there do not count. */
export const useTurns = () => useObservable(route, value => value.turns);
export const presentRoute = () => route.get().now;

/**
 * Go to a view. With replace, the browser's "back" skips what was there before: for sliders, for instance.
 * @param {string} view
 * @param {string} [id]
 * @param {Record<string, unknown>} [state]
 * @param {{replace?: boolean}} [options]
 */
export function navigate(view, id = "", state = {}, { replace = false } = {}) {
  const hash = address(view, id, state);
  if (replace) {
    history.replaceState(null, "", hash);
    route.set({ now: parseHash(hash) });
  } else {
    location.hash = hash;
  }
}
