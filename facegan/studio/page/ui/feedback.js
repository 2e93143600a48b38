// What the page says: progress, errors, questions, and what to do where there is nothing yet.
import { html, useEffect, useId, useRef } from "../html.js";
import { Icon } from "../icons.js";
import { asSentence, inWords } from "../words.js";
import { Button, IconButton } from "./controls.js";

/** @typedef {import("../html.js").Children} Children */

/** @param {{label?: string}} props */
export function Spinner({ label = "Working" }) {
  return html`<span class="spinner" role="status" aria-label=${label}></span>`;
}

/**
 * A bar of progress; without `total` it says only that something goes on.
 * @param {{label: string, done?: number | undefined, total?: number | undefined, note?: string | undefined}} props
 */
export function Progress({ label, done = 0, total, note }) {
  const share = total ? Math.min(1, Math.max(0, done / total)) : 0;
  return html`<div class="progress">
    <div class="row"><span>${label}</span><span class="soft numbers">${note ?? (total ? `${done} of ${total}` : "")}</span></div>
    <div class="track ${total ? "" : "endless"}" role="progressbar" aria-label=${label} aria-valuemin="0" aria-valuemax="100"
      aria-valuenow=${total ? Math.round(100 * share) : undefined}><i style=${total ? { width: `${100 * share}%` } : {}}></i></div>
  </div>`;
}

/**
 * One sentence that says what went wrong, with a way on.
 * @param {{error?: string | null, onRetry?: () => void, retry?: string}} props
 */
export function ErrorLine({ error, onRetry, retry = "Try again" }) {
  if (!error) return null;
  return html`<div class="error-line" role="alert"><${Icon} name="alert" />
    <p>${asSentence(inWords(error))}</p>
    ${onRetry && html`<${Button} small onClick=${onRetry}>${retry}<//>`}</div>`;
}

/**
 * What a view shows before there is anything: one sentence and one next step.
 * @param {{icon: string, title: string, children?: Children, action?: Children}} props
 */
export function EmptyState({ icon, title, children, action }) {
  return html`<section class="empty"><span class="badge"><${Icon} name=${icon} size=${28} /></span>
    <h2>${title}</h2><p>${children}</p>${action && html`<div class="actions">${action}</div>`}</section>`;
}

/**
 * A window above the page; Escape closes it, and the focus goes back to where it was.
 * @param {{title: string, open: boolean, onClose: () => void, children?: Children, actions?: Children, side?: boolean}} props
 */
export function Dialog({ title, open, onClose, children, actions, side }) {
  const id = useId();
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => {
    const shown = dialog.current;
    if (!open || !shown) return undefined;
    const before = /** @type {HTMLElement | null} */ (document.activeElement);
    if (!shown.open) shown.showModal();
    return () => {
      shown.close();
      const now = document.activeElement; // a view that has opened meanwhile keeps the focus
      if (before?.isConnected && (!now || now === document.body || shown.contains(now))) before.focus({ preventScroll: true });
    };
  }, [open]);
  if (!open) return null;
  return html`<dialog ref=${dialog} class=${side ? "drawer" : ""} aria-labelledby=${id}
    onCancel=${(/** @type {Event} */ event) => { event.preventDefault(); onClose(); }}
    onClick=${(/** @type {Event} */ event) => event.target === dialog.current && onClose()}>
    <div class="inside">
      <header><h2 id=${id}>${title}</h2><${IconButton} icon="close" label="Close" onClick=${onClose} /></header>
      <div class="body" tabindex="0" role="group" aria-labelledby=${id}>${children}</div>
      ${actions && html`<footer class="actions">${actions}</footer>`}
    </div></dialog>`;
}
