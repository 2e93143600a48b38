// A value that components can watch.
import { useLayoutEffect, useReducer, useRef } from "./html.js";

/**
 * @template T
 * @typedef {object} Observable
 * @property {() => T} get the value
 * @property {(change: Partial<T> | ((value: T) => Partial<T>)) => void} set merges a change into the value
 * @property {(listener: () => void) => () => void} subscribe calls a listener after each change; returns how to end it
 */

/**
 * Return an observable object.
 * @template {object} T
 * @param {T} initial
 * @returns {Observable<T>}
 */
export function observable(initial) {
  let value = initial;
  /** @type {Set<() => void>} */
  const listeners = new Set();
  return {
    get: () => value,
    set(change) {
      value = { ...value, ...(typeof change === "function" ? change(value) : change) };
      for (const listener of [...listeners]) listener();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/**
 * Return a part of an observable; the component is drawn again when that part is another one.
 * @template {object} T
 * @template R
 * @param {Observable<T>} source
 * @param {(value: T) => R} select
 * @returns {R}
 */
export function useObservable(source, select) {
  const [, redraw] = useReducer((/** @type {number} */ n) => n + 1, 0);
  const selected = select(source.get());
  const latest = useRef({ select, selected });
  latest.current = { select, selected };
  useLayoutEffect(() => {
    const check = () => {
      if (!Object.is(latest.current.select(source.get()), latest.current.selected)) redraw(undefined);
    };
    check(); // it may have changed between drawing and now
    return source.subscribe(check);
  }, [source]);
  return selected;
}
