// Short messages at the edge of the page.
import { html } from "../html.js";
import { Icon } from "../icons.js";
import { observable, useObservable } from "../observable.js";
import { asSentence, inWords } from "../words.js";
import { Button, IconButton } from "./controls.js";

/**
 * @typedef {object} Toast
 * @property {number} id
 * @property {string} text
 * @property {"good" | "bad" | "plain"} kind
 * @property {{label: string, onClick: () => void}} [action]
 */

const toasts = observable({ shown: /** @type {Toast[]} */ ([]) });
let next = 1;

/**
 * Say something for a few seconds; errors stay until they are closed.
 * @param {string} text
 * @param {{kind?: "good" | "bad" | "plain", action?: {label: string, onClick: () => void}}} [options]
 */
export function toast(text, { kind = "plain", action } = {}) {
  const made = { id: next++, text: asSentence(inWords(text)), kind, ...(action ? { action } : {}) };
  toasts.set(({ shown }) => ({ shown: [...shown.filter(one => one.text !== made.text), made].slice(-4) }));
  if (kind !== "bad") setTimeout(() => close(made.id), action ? 12_000 : 6_000);
}

/** Say what went wrong. @param {unknown} error */
export function toastError(error) {
  if (error instanceof DOMException && error.name === "AbortError") return;
  toast(error instanceof Error ? error.message : String(error), { kind: "bad" });
}

/** @param {number} id */
const close = id => toasts.set(({ shown }) => ({ shown: shown.filter(one => one.id !== id) }));

/** The place of the messages; the shell has it once. */
export function Toasts() {
  const shown = useObservable(toasts, value => value.shown);
  return html`<div class="toasts" role="region" aria-label="Messages" aria-live="polite">${shown.map(one => html`
    <div key=${one.id} class="toast ${one.kind}">
      <${Icon} name=${{ good: "check", bad: "alert", plain: "info" }[one.kind]} />
      <p>${one.text}</p>
      ${one.action && html`<${Button} small kind="quiet" onClick=${() => { one.action?.onClick(); close(one.id); }}>${one.action.label}<//>`}
      <${IconButton} icon="close" label="Close this message" onClick=${() => close(one.id)} />
    </div>`)}</div>`;
}
