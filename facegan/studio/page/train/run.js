// One run: how far it is, its samples and curves, the watchdog's words, stop and go on.
import { html, useState } from "../html.js";
import { address } from "../router.js";
import { isActive, startJob, stopJob, useEvents, useStore } from "../store.js";
import { Button, CommandBox, Dialog, ErrorLine, Icon, Progress, Spinner, TextInput, toast, toastError } from "../ui.js";
import { asSentence, inWords, waitText } from "../words.js";
import { Curves } from "./curves.js";
import { useRun } from "./data.js";
import { duration, pictures, short } from "./scale.js";
import { Sheets } from "./sheets.js";
import { namedSettings } from "./start.js";

/** @typedef {import("./data.js").RunDetail} RunDetail */
/** @typedef {import("../store.js").Job} Job */

/** @type {Record<import("./data.js").Run["state"], string>} */
export const WORDS = { waiting: "waits for its turn", running: "trains", stopped: "stopped", finished: "finished", broken: "broke down" };

/** Numbers that matter now. @param {{run: RunDetail}} props */
function Facts({ run }) {
  const best = run.best;
  const rows = [
    ["Pictures seen", `${pictures(run.kimg)}${run.total ? ` of ${pictures(run.total)}` : ""}`],
    run.state === "running" ? ["Time left", duration(run.seconds_left)] : ["Trained for", duration(run.seconds)],
    ["Speed", run.images_per_second == null ? "–" : `${short(Math.round(run.images_per_second))} images/s`],
    run.metric && run.metric_value != null ? [run.metric.toUpperCase(), short(run.metric_value)] : ["Distance to the data", short(run.quality)],
    ...(best ? [["Best so far", `${short(best.value)} after ${pictures(best.kimg)} pictures`]] : []),
  ];
  return html`<dl class="facts">${rows.map(([name, text]) => html`<div key=${name}><dt>${name}</dt><dd>${text}</dd></div>`)}</dl>`;
}

/** What the report and the watchdog say. @param {{run: RunDetail}} props */
function Verdict({ run }) {
  const { headline, text, warnings } = run.verdict;
  if (!headline && !text && !warnings.length) return null;
  return html`<section class="card verdict" aria-label="What to make of it" aria-live="polite">
    ${(headline || text) && html`<p>${headline && html`<b>${headline}</b> `}${text && plain(text)}</p>`}
    ${warnings.map(one => html`<p class="warning" key=${`${one.kimg} ${one.text}`}><${Icon} name="alert" size=${18} /><span>After ${pictures(one.kimg)} pictures: ${plain(one.text)}</span></p>`)}
  </section>`;
}

/** @type {Record<string, string>} what numbers of a run are called */
const NUMBERS = {
  grad_g: "the generator's gradient", grad_d: "the discriminator's gradient", loss_g: "the generator's loss", loss_d: "the discriminator's loss",
};

/** A sentence of the watchdog or the report: options are settings here, and numbers have names. @param {string} text */
function plain(text) {
  const words = inWords(text).replace(/^at [\d.]+ kimg /i, "").replace(/; stopped$/, "").replace("give the same command again", "go on").replace("the same command goes on from them", "make room, and go on")
    .replace(/\b(grad|loss)_[gd]\b/g, name => NUMBERS[name] ?? name);
  return asSentence(words);
}

/** What went wrong, with ways on. @param {{sentence: string, run: RunDetail | null, job: Job | undefined}} props */
function Failure({ sentence, run, job }) {
  if (!sentence) return null;
  const gone = sentence.startsWith("the process ended");
  const names = gone ? ["accumulate"] : namedSettings(sentence);
  const changes = run?.changes ?? job?.settings?.changes ?? {};
  const again = { new: 1, dataset: job?.settings?.dataset, recipe: run?.recipe ?? job?.settings?.recipe, changes: Object.keys(changes).length ? JSON.stringify(changes) : "", setting: names[0] ?? "" };
  return html`<div class="stack tight">${run?.state !== "broken" && html`<${ErrorLine} error=${plain(gone ? `${sentence}. What was saved is kept: go on, or train in more pieces` : sentence)} />`}
    <div class="actions"><${Button} small icon="sliders" href=${address("train", "", again)}>${names.length ? `Change “${names[0]?.replaceAll("_", " ")}” in a new run` : "Other settings in a new run"}<//></div></div>`;
}

/** Go on, also beyond the planned length. @param {{run: RunDetail, open: boolean, onClose: () => void}} props */
function LongerDialog({ run, open, onClose }) {
  const [kimg, setKimg] = useState(String(Number(((run.total ?? run.kimg) * 2).toPrecision(3))));
  const number = Number(kimg);
  const error = Number.isFinite(number) && number > run.kimg ? "" : `Give more than the ${short(run.kimg)} thousand that it has seen.`;
  return html`<${Dialog} title="Train longer" open=${open} onClose=${onClose} actions=${html`<${Button} kind="primary" icon="play" disabled=${Boolean(error)}
      onClick=${() => { onClose(); goOn(run.id, number); }}>Go on<//>`}>
    <${TextInput} label="New length in thousand pictures" inputmode="decimal" value=${kimg} onChange=${setKimg} error=${error}
      hint="How many pictures the discriminator sees in all. A learning rate that has fallen to its end rises again, and falls towards the new one." />
    <${CommandBox} action="train" settings=${error ? null : { run: run.id, kimg: number }} /><//>`;
}

/** @param {string} run @param {number} [kimg] */
function goOn(run, kimg) {
  startJob("train", { run, ...(kimg ? { kimg } : {}) }).then(() => toast("It goes on."), toastError);
}

/** @param {{run: RunDetail, job: Job | undefined}} props */
function Actions({ run, job }) {
  const [longer, setLonger] = useState(false);
  const active = Boolean(job && isActive(job));
  const model = run.best ? `run~${run.id}@best` : `run~${run.id}`;
  return html`<div class="actions">
    ${active && job && html`<${Button} icon="stop" disabled=${Boolean(job.stops)} onClick=${() => stopJob(job.id).then(() => toast("It saves, and stops."), toastError)}>Stop<//>`}
    ${run.state === "stopped" && html`<${Button} kind="primary" icon="play" onClick=${() => goOn(run.id)}>Go on<//>`}
    ${run.state === "finished" && html`<${Button} icon="play" onClick=${() => setLonger(true)}>Train longer<//>`}
    ${run.moments > 0 && html`<${Button} icon="compass" kind=${run.state === "finished" ? "primary" : "plain"} href=${address("explore", model)}>${run.best ? "Explore the best" : "Explore"}<//>`}
    <${Button} kind="quiet" icon="bars" href=${address("train", "", { compare: run.id })}>Compare<//>
    <${LongerDialog} key=${run.id} run=${run} open=${longer} onClose=${() => setLonger(false)} />
  </div>`;
}

/** A run that has no folder yet. @param {{id: string, job: Job | undefined, error: string}} props */
function Beginning({ id, job, error }) {
  const said = useEvents(job?.id ?? "").filter(event => event.kind === "message").at(-1)?.text;
  return html`<div class="row"><h1>${id}</h1><a href=${address("train")}>All runs</a></div>
    ${job && isActive(job) && html`<div class="card row"><p aria-live="polite"><${Spinner} label="Getting ready" /> ${job.state === "queued" ? waitText(job) : said ?? "Getting ready"} …</p>
      <${Button} small icon="stop" onClick=${() => stopJob(job.id).catch(toastError)}>Stop<//></div>`}
    ${job && !isActive(job) && html`<${Failure} sentence=${job.error || "It was stopped before its first picture; nothing was kept."} run=${null} job=${job} />`}
    ${!job && html`<${ErrorLine} error=${error} />`}
    ${job?.command && html`<${CommandBox} command=${job.command} python=${job.python} />`}`;
}

/** @param {{id: string}} props */
export function RunPage({ id }) {
  const { run, error, missing } = useRun(id);
  const [moment, setMoment] = useState(/** @type {number | null} */ (null));
  const job = useStore(state => state.jobs.find(one => one.id === run?.job)
    ?? state.jobs.find(one => one.action === "train" && (one.settings?.name === id || one.settings?.run === id)));
  if (!run && (missing || error)) return html`<${Beginning} id=${id} job=${job} error=${error} />`;
  if (!run) return html`<h1>${id}</h1><p><${Spinner} /></p>`;
  const active = Boolean(job && isActive(job));
  const word = active && job?.stops ? "stops" : WORDS[run.state];
  const failed = !active && job?.state === "failed" && run.state !== "finished" ? job.error ?? "" : "";
  const note = run.seconds_left == null ? "" : `${short(Math.round(run.images_per_second ?? 0))} images/s, ${duration(run.seconds_left)} left`;
  return html`<div class="row"><div><h1>${run.id}</h1><p class="soft">${run.recipe} on ${run.dataset} · <span class="state ${run.state}">${word}</span></p></div>
      <a href=${address("train")}>All runs</a></div>
    <div class="stack wide-gap">
      <${Progress} label=${run.state === "running" ? "Training" : WORDS[run.state]} done=${run.kimg} total=${run.total ?? undefined} note=${note} />
      <${Actions} run=${run} job=${active ? job : undefined} />
      ${run.state === "running" && !active && html`<p class="soft small">A command line trains this run. Stop it there with Ctrl-C; it can go on here.</p>`}
      <${Failure} sentence=${failed} run=${run} job=${job} />
      <div class="live"><${Sheets} key=${run.id} run=${run} onMoment=${setMoment} /><div class="stack"><${Facts} run=${run} /><${Verdict} run=${run} /></div></div>
      <${Curves} run=${run} cursor=${moment} />
      <${Messages} run=${run} />
      ${active && job?.command ? html`<${CommandBox} command=${job.command} python=${job.python} />` : html`<${OnwardCommand} run=${run} />`}
    </div>`;
}

/** What goes on with a run elsewhere; of a run that cannot go on here, what its own folder says. @param {{run: RunDetail}} props */
function OnwardCommand({ run }) {
  const [wrong, setWrong] = useState("");
  return html`<${CommandBox} action="train" settings=${{ run: run.id }} onError=${setWrong} />${wrong && html`<${CommandBox} command=${run.command} />`}`;
}

/** Everything that the training said. @param {{run: RunDetail}} props */
function Messages({ run }) {
  const events = run.axes[0]?.events ?? [];
  const changes = Object.entries(run.changes);
  return html`<details class="card"><summary>Settings and messages</summary>
    ${changes.length > 0 ? html`<p>Changed from the recipe ${run.recipe}:</p><ul class="lines">${changes.map(([name, value]) => html`<li key=${name}><code>${name}</code> ${Array.isArray(value) ? value.join(" ") : String(value)}</li>`)}</ul>`
      : html`<p>All settings are those of the recipe ${run.recipe}.</p>`}
    ${events.length > 0 && html`<ol class="lines">${events.map(event => html`<li key=${`${event.kimg} ${event.text}`}><span class="soft numbers">${pictures(event.kimg)}</span> ${event.text}</li>`)}</ol>`}
    <p><${Button} small kind="quiet" icon="copy" href=${address("train", "", { new: 1, recipe: run.recipe, changes: changes.length ? JSON.stringify(run.changes) : "" })}>A new run with these settings<//></p>
  </details>`;
}

