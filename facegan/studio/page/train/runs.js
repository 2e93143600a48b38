// All runs of the project, and several beside each other.
import { useAnswer } from "../answers.js";
import { get } from "../api.js";
import { html, useEffect, useState } from "../html.js";
import { address, navigate } from "../router.js";
import { useStore } from "../store.js";
import { Button, EmptyState, ErrorLine, Progress, Spinner, Tabs } from "../ui.js";
import { counted } from "../words.js";
import { ComparedCurves } from "./curves.js";
import { gridAddress, useRuns } from "./data.js";
import { WORDS } from "./run.js";
import { duration, pictures, short } from "./scale.js";
import { SheetsBeside } from "./sheets.js";

/** @typedef {import("./data.js").Run} Run */
/** @typedef {import("./data.js").RunDetail} RunDetail */

const MOST = 8; // runs beside each other

/** @param {{run: Run, chosen: boolean, onChoose: () => void}} props */
function RunCard({ run, chosen, onChoose }) {
  const newest = run.grids.at(-1);
  const note = run.seconds_left == null ? `${pictures(run.kimg)} of ${pictures(run.total)}` : `${duration(run.seconds_left)} left`;
  return html`<article class="card run ${run.state}" aria-label=${run.id}>
    <a class="cover" href=${address("train", run.id)} aria-label="Open ${run.id}">${newest == null ? html`<span class="soft">No samples yet</span>`
      : html`<img src=${gridAddress(run.id, newest)} alt="" loading="lazy" />`}</a>
    <header><h3><a href=${address("train", run.id)}>${run.id}</a></h3><span class="state ${run.state}">${WORDS[run.state]}</span></header>
    <p class="soft small">${run.recipe}${run.dataset && ` on ${run.dataset}`}</p>
    <${Progress} label="Pictures seen" done=${run.kimg} total=${run.total ?? undefined} note=${note} />
    <div class="row small"><span>${run.metric && run.metric_value != null ? `${run.metric.toUpperCase()} ${short(run.metric_value)}` : run.quality != null ? `distance to the data ${short(run.quality)}` : ""}
      ${run.alarms > 0 && html` <span class="alarms">${counted(run.alarms, "warning")}</span>`}</span>
      <${Button} small kind="quiet" icon=${chosen ? "check" : "plus"} pressed=${chosen} onClick=${onChoose} aria-label="Compare ${run.id}">Compare<//></div>
  </article>`;
}

/** All runs. */
export function RunList() {
  const { runs, error } = useRuns();
  const datasets = useStore(state => state.project?.datasets.length ?? 0);
  const [chosen, setChosen] = useState(/** @type {string[]} */ ([]));
  const toggle = (/** @type {string} */ id) => setChosen(chosen.includes(id) ? chosen.filter(one => one !== id) : [...chosen, id].slice(-MOST));
  const begin = html`<${Button} kind="primary" icon="plus" href=${address("train", "", { new: 1 })}>New training<//>`;
  if (!runs) return html`<h1>Train</h1>${error ? html`<${ErrorLine} error=${error} />` : html`<p><${Spinner} /></p>`}`;
  if (runs.length === 0) {
    return html`<h1>Train</h1><${EmptyState} icon="train" title="No training yet" action=${datasets ? begin : html`<${Button} kind="primary" icon="photos" href=${address("photos")}>Bring photos<//>`}>
      ${datasets ? "A training turns a dataset of photos into a model that draws new faces. Every run of this project appears here, also those of the command line." : "Training needs a dataset. Bring photos first; the studio finds the faces in them."}<//>`;
  }
  return html`<div class="row"><h1>Train</h1><div class="actions">
      ${chosen.length === 1 && html`<span class="soft small" role="status">Choose another run to compare it with.</span>`}
      ${chosen.length > 1 && html`<${Button} icon="bars" href=${address("train", "", { compare: chosen.join(",") })}>Compare ${chosen.length} runs<//>`}${begin}</div></div>
    <p class="lead">Every run of this project, also those of the command line.</p>
    <${ErrorLine} error=${error} />
    <div class="run-grid">${runs.map(run => html`<${RunCard} key=${run.id} run=${run} chosen=${chosen.includes(run.id)} onChoose=${() => toggle(run.id)} />`)}</div>`;
}

/** The settings in which runs differ. @param {{ids: string[]}} props */
function Differences({ ids }) {
  const { answer, error } = useAnswer(ids.length > 1 ? `/api/training/compare?runs=${ids.map(encodeURIComponent).join(",")}` : "");
  const found = /** @type {{rows: Array<{name: string, values: any[]}>} | null} */ (answer);
  if (error) return html`<${ErrorLine} error=${error} />`;
  if (!found) return null;
  if (found.rows.length === 0) return html`<p class="soft">Their settings and data are the same.</p>`;
  const text = (/** @type {any} */ value) => (typeof value === "string" ? value : JSON.stringify(value));
  return html`<section class="card" aria-label="Settings that differ"><h2>Settings that differ</h2><div class="wide" tabindex="0" role="region" aria-label="Settings that differ, as a table"><table class="choices">
    <thead><tr><th scope="col">Setting</th>${ids.map(id => html`<th scope="col" key=${id}>${id}</th>`)}</tr></thead>
    <tbody>${found.rows.map(row => html`<tr key=${row.name}><th scope="row">${row.name}</th>${row.values.map((value, i) => html`<td key=${i}>${text(value)}</td>`)}</tr>`)}</tbody></table></div></section>`;
}

/** Several runs beside each other. @param {{ids: string[]}} props */
export function Compare({ ids }) {
  const { runs } = useRuns();
  const [across, setAcross] = useState("kimg");
  const [details, setDetails] = useState(/** @type {RunDetail[]} */ ([]));
  const [error, setError] = useState("");
  const progress = (runs ?? []).filter(run => ids.includes(run.id)).map(run => `${run.id} ${run.kimg}`).join();
  useEffect(() => {
    const control = new AbortController();
    Promise.all(ids.map(id => get(`/api/training/runs/${encodeURIComponent(id)}`, control.signal))).then(
      found => { setDetails(found); setError(""); },
      reason => { if (!control.signal.aborted) setError(reason.message); },
    );
    return () => control.abort();
  }, [ids.join(), progress]);
  const choose = (/** @type {string} */ id) => {
    const next = ids.includes(id) ? ids.filter(one => one !== id) : [...ids, id].slice(-MOST);
    navigate("train", "", next.length ? { compare: next.join(",") } : {}, { replace: true });
  };
  const chosen = details.filter(run => ids.includes(run.id));
  return html`<div class="row"><h1>Compare runs</h1><a href=${address("train")}>All runs</a></div>
    <p class="lead">Samples at the same number of pictures, curves in one chart, and the settings that differ.</p>
    <div class="stack wide-gap">
      <div class="chips" role="group" aria-label="Runs">${(runs ?? []).filter(run => run.state !== "waiting").map(run => html`<${Button} key=${run.id} small pressed=${ids.includes(run.id)} onClick=${() => choose(run.id)}>${run.id}<//>`)}</div>
      <${ErrorLine} error=${error} />
      ${ids.length < 2 && html`<p class="soft">Choose a second run above.</p>`}
      <${SheetsBeside} runs=${chosen} />
      <div class="row"><h2>Curves</h2><${Tabs} label="Across" value=${across} onChange=${setAcross} tabs=${[{ id: "kimg", label: "Pictures" }, { id: "time", label: "Time" }]} /></div>
      <${ComparedCurves} runs=${chosen} across=${across} />
      <${Differences} ids=${ids} />
    </div>`;
}
