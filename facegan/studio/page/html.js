// The page's library in one place: preact's functions and hooks, and html`...`, which makes elements.
import htm from "./vendor/htm.js";
import { h } from "./vendor/preact.js";

export { Component, Fragment, createContext, h, render } from "./vendor/preact.js";
export {
  useCallback, useContext, useEffect, useId, useLayoutEffect, useMemo, useReducer, useRef, useState,
} from "./vendor/hooks.js";

/** @typedef {import("./vendor/preact.js").ComponentChildren} Children */
/** @typedef {import("./vendor/preact.js").VNode<any>} VNode */
/** @template P @typedef {import("./vendor/preact.js").ComponentType<P>} ComponentType */

/** Makes elements of a template, such as html`<p class="soft">${text}</p>`. Text in it is never markup. */
export const html = /** @type {(strings: TemplateStringsArray, ...values: any[]) => VNode} */ (
  /** @type {unknown} */ (htm.bind(h))
);
