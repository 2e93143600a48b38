// A job while it works: its newest picture, how far it is, and how it is stopped.
import { html } from "../html.js";
import { fileOf } from "../results.js";
import { isActive, stopJob, useEvents, useJob } from "../store.js";
import { Button, ErrorLine, JobProgress, toastError } from "../ui.js";

/** @typedef {import("../store.js").Item} AnyItem */

/**
 * Return a job, whether it still works, and the address of its newest picture.
 * @param {string} id "" for none
 */
export function useLive(id) {
  const job = useJob(id);
  const events = useEvents(id);
  const newest = events.findLast(event => /** @type {string} */ (event.kind) === "live");
  const messages = events.filter(event => event.kind === "message").map(event => event.text ?? "");
  const picture = id && newest ? `/api/jobs/${encodeURIComponent(id)}/live?n=${newest.n}` : "";
  return { job, active: Boolean(job && isActive(job)), picture, messages };
}

/**
 * What is shown while a job works; nothing once it is done.
 * @param {{id: string, alt: string, start?: string | undefined, onAgain?: () => void}} props
 */
export function LiveJob({ id, alt, start, onAgain }) {
  const { job, active, picture } = useLive(id);
  if (!job) return null;
  if (job.state === "failed") return html`<${ErrorLine} error=${job.error || "The process ended; its log is in the project's folder."} ...${onAgain ? { onRetry: onAgain } : {}} />`;
  if (!active) return null;
  return html`<div class="live-job">
    ${(picture || start) && html`<img class="face-picture" src=${picture || start} alt=${alt} />`}
    <div aria-live="polite"><${JobProgress} job=${job} /></div>
    <div class="actions"><${Button} icon="stop" onClick=${() => stopJob(id).catch(toastError)}>Stop<//></div>
  </div>`;
}

// --- results ------------------------------------------------------------------------------------------------

/**
 * A picture of a result to download, and its other files.
 * @param {{result: AnyItem, files: Array<[role: string, label: string]>, children?: any}} props
 */
export function Downloads({ result, files, children }) {
  return html`<div class="actions">${files.map(([role, label], i) => fileOf(result, role) && html`
    <${Button} key=${role} small icon="download" kind=${i === 0 ? "primary" : "plain"} href=${fileOf(result, role)} download="">${label}<//>`)}${children}</div>`;
}
