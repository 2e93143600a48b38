// A job while it works: its newest picture, how far it is, and how it is stopped.
import { html, useEffect, useRef } from "../html.js";
import { fileOf, useResult } from "../results.js";
import { isActive, stopJob, useEvents, useJob } from "../store.js";
import { Button, ErrorLine, JobProgress, toastError } from "../ui.js";

/** @typedef {import("../store.js").Item} AnyItem */

/**
 * Return a job, whether it still works, and the address of its newest picture.
 * @param {string} id "" for none
 */
function useLive(id) {
  const job = useJob(id);
  const events = useEvents(id);
  const newest = events.findLast(event => /** @type {string} */ (event.kind) === "live");
  const picture = id && newest ? `/api/jobs/${encodeURIComponent(id)}/live?n=${newest.n}` : "";
  return { job, active: Boolean(job && isActive(job)), picture };
}

/**
 * What is shown while a job works; nothing once it is done.
 * @param {{id: string, alt: string, start?: string | undefined, onAgain?: () => void}} props
 */
export function LiveJob({ id, alt, start, onAgain }) {
  const { job, active, picture } = useLive(id);
  const result = useResult(id);
  if (!job) return null;
  if (job.state === "failed") return html`<${ErrorLine} error=${job.error} ...${onAgain ? { onRetry: onAgain } : {}} />`;
  if (job.state === "stopped" && !result) return html`<p class="soft">It was stopped before there was anything to keep.</p>`;
  if (!active) return null;
  return html`<div class="live-job">
    ${(picture || start) && html`<img class="face-picture" src=${picture || start} alt=${alt} />`}
    <div aria-live="polite"><${JobProgress} job=${job} /></div>
    <div class="actions"><${Button} icon="stop" onClick=${() => stopJob(id).catch(toastError)}>Stop<//></div>
  </div>`;
}

// --- results ------------------------------------------------------------------------------------------------

/** What came of a job; it is brought into sight. @param {{label: string, children?: any}} props */
export function Outcome({ label, children }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    const frame = requestAnimationFrame(() => { // after the view has been turned to
      const top = place.current?.getBoundingClientRect().top ?? 0;
      if (top < 0 || top > 0.8 * window.innerHeight) place.current?.scrollIntoView();
    });
    return () => cancelAnimationFrame(frame);
  }, []);
  return html`<section class="stack" aria-label=${label} ref=${place}>${children}</section>`;
}

/**
 * A picture of a result to download, and its other files.
 * @param {{result: AnyItem, files: Array<[role: string, label: string]>, children?: any}} props
 */
export function Downloads({ result, files, children }) {
  return html`<div class="actions">${files.map(([role, label], i) => fileOf(result, role) && html`
    <${Button} key=${role} small icon="download" kind=${i === 0 ? "primary" : "plain"} href=${fileOf(result, role)} download="">${label}<//>`)}${children}</div>`;
}
