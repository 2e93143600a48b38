// Measure a model against real pictures it has not learnt from.
import { useAnswer } from "../answers.js";
import { html, useState } from "../html.js";
import { address } from "../router.js";
import { recalledOf } from "../results.js";
import { isActive, startJob, useModelJob, useStore } from "../store.js";
import { Button, CommandBox, EmptyState, ErrorLine, JobCard, Select, Slider, Switch, toastError } from "../ui.js";
import { aboutDataset, nameOfDataset } from "../words.js";
import { Measures, basisOf, measuredName } from "./measures.js";

/** @typedef {import("../store.js").Item} Item */

const COUNTS = [
  { value: "0", label: "5,000 pictures (as usual)" },
  { value: "1000", label: "1,000 pictures (faster, wider intervals)" },
  { value: "250", label: "250 pictures (a first look)" },
];
const FEATURES = [
  { value: "faces", label: "Faces (bundled)" },
  { value: "inception", label: "Inception, as in papers" },
  { value: "pixels", label: "Pixels" },
];
const SPLITS = [
  { value: "", label: "The first of test, val, train" },
  { value: "test", label: "test" }, { value: "val", label: "val" }, { value: "train", label: "train" },
];

/** @param {{model: Item, state: Record<string, string>}} props */
export function MeasureTab({ model, state }) {
  const datasets = useStore(store => store.project?.datasets) ?? [];
  const translator = model.model === "translator";
  const [settings, setSettings] = useState(() => ({
    dataset: datasets[0]?.id ?? "", features: "faces", split: "", count: 0, truncation: 1,
    .../** @type {Record<string, any>} */ (recalledOf(state, "evaluate")?.settings ?? {}),
  }));
  const [problem, setProblem] = useState("");
  const truncates = useAnswer(translator ? "" : `/api/models/${encodeURIComponent(model.id)}`).answer?.truncates === true;
  const job = useModelJob(model.id, "evaluate");
  const running = job && isActive(job);
  if (datasets.length === 0) {
    return html`<${EmptyState} icon="bars" title="Measuring needs real pictures"
      action=${html`<${Button} kind="primary" icon="photos" href=${address("photos")}>Bring photos<//>`}>
      A model is measured against photos that it has not seen. This project has no dataset yet.<//>`;
  }
  const { truncation, ...rest } = settings;
  const given = { ...(truncates ? settings : rest), model: model.id };
  const change = (/** @type {Record<string, any>} */ part) => setSettings(old => ({ ...old, ...part }));
  return html`<div class="split">
    <section class="card stack" aria-label="What is measured">
      <${Select} label="Real pictures" value=${settings.dataset} onChange=${(/** @type {string} */ dataset) => change({ dataset })}
        options=${datasets.map(item => ({ value: item.id, label: `${nameOfDataset(item)}, ${aboutDataset(item)}` }))} />
      <${Select} label="How many" value=${String(settings.count)} options=${COUNTS} onChange=${(/** @type {string} */ count) => change({ count: Number(count) })} />
      <details class="more"><summary>More settings</summary><div class="stack">
        <${Select} label="Compared by" value=${settings.features} options=${FEATURES} onChange=${(/** @type {string} */ features) => change({ features })}
          hint="Numbers of different features cannot be compared." />
        <${Select} label="Split of the real pictures" value=${settings.split} options=${SPLITS} onChange=${(/** @type {string} */ split) => change({ split })} />
        ${truncates && html`<${Slider} label="Truncation" value=${truncation} min=${0.3} max=${1} step=${0.05} reset=${1}
          format=${(/** @type {number} */ value) => value.toFixed(2)} onInput=${(/** @type {number} */ value) => change({ truncation: value })} />`}
      </div></details>
      <${Button} kind="primary" icon="bars" disabled=${running} onClick=${() => startJob("evaluate", given).catch(toastError)}>Measure<//>
      ${problem && html`<${ErrorLine} error=${problem} />`}
      ${running && html`<${JobCard} id=${job.id} />`}
      <${CommandBox} action="evaluate" settings=${given} onError=${setProblem} />
    </section>
    <${Measured} model=${model} />
  </div>`;
}

/** What has been measured of a model, the newest first, and others beside it. @param {{model: Item}} props */
function Measured({ model }) {
  const results = useStore(store => store.project?.results) ?? [];
  const [beside, setBeside] = useState(/** @type {string[]} */ ([]));
  const measured = results.filter(result => result.action === "evaluate" && result.result?.rows);
  const newest = measured.find(result => result.settings?.model === model.id);
  if (!newest) {
    return html`<${EmptyState} icon="bars" title="Not measured yet">The numbers appear here, with the range in which they would
      lie in 95 of 100 repetitions, and beside what real pictures get.<//>`;
  }
  const others = measured.filter(result => result.id !== newest.id && basisOf(result) === basisOf(newest)).slice(0, 8);
  const shown = [newest, ...others.filter(result => beside.includes(result.id))].slice(0, 4);
  const toggle = (/** @type {string} */ id, /** @type {boolean} */ on) => setBeside(old => (on ? [...old, id] : old.filter(one => one !== id)));
  return html`<div class="stack">
    <${Measures} results=${shown} />
    ${others.length > 0 && html`<section class="card" aria-label="Compare"><h2>Beside</h2><div class="stack">${others.map(result => html`
      <${Switch} key=${result.id} label=${measuredName(result)} checked=${beside.includes(result.id)}
        onChange=${(/** @type {boolean} */ on) => toggle(result.id, on)} />`)}</div></section>`}
    <p class="small"><a href=${address("history", newest.id)}>This measurement among the results</a></p>
  </div>`;
}
