// Long work, as cards.
import { html } from "../html.js";
import { address } from "../router.js";
import { useResult } from "../results.js";
import { againJob, isActive, removeJob, stopJob, useJob } from "../store.js";
import { asSentence, waitText } from "../words.js";
import { Button } from "./controls.js";
import { ErrorLine, Progress } from "./feedback.js";
import { toastError } from "./toasts.js";

/** @typedef {import("../store.js").Job} Job */

/** @type {Record<Job["state"], string>} */
const WORDS = { queued: "waits for its turn", running: "works", done: "done", failed: "failed", stopped: "stopped" };

/** How far a job is. @param {{job: Job}} props */
export function JobProgress({ job }) {
  const { progress } = job;
  if (!isActive(job)) return null;
  if (job.state === "queued") return html`<p class="soft small">${asSentence(waitText(job))}</p>`;
  return html`<${Progress} label=${progress?.what ?? "Starting"} done=${progress?.done} total=${progress?.total} note=${progress?.note} />`;
}

/**
 * A job: what it is, how far it is, and what can be done with it.
 * @param {{id: string, onOpen?: () => void}} props
 */
export function JobCard({ id, onOpen }) {
  const job = useJob(id);
  const result = useResult(id);
  if (!job) return null;
  const act = (/** @type {(id: string) => Promise<unknown>} */ what) => () => what(id).catch(toastError);
  return html`<article class="job ${job.state}" aria-label=${job.title}>
    <header><h3>${job.title}</h3><span class="state">${job.state === "queued" && !job.waits ? "starts" : WORDS[job.state]}</span></header>
    <${JobProgress} job=${job} />
    ${job.state === "failed" && html`<${ErrorLine} error=${job.error} />`}
    <div class="actions">
      ${isActive(job) && html`<${Button} small icon="stop" onClick=${act(stopJob)}>Stop<//>`}
      ${result && html`<${Button} small kind="primary" icon="photos" href=${address("history", id)} onClick=${onOpen}>Show<//>`}
      ${(job.state === "failed" || job.state === "stopped") && html`<${Button} small icon="again" onClick=${act(againJob)}>${job.resumable ? "Go on" : "Do it again"}<//>`}
      ${!isActive(job) && html`<${Button} small kind="quiet" icon="trash" onClick=${act(removeJob)}>Remove<//>`}
    </div>
  </article>`;
}
