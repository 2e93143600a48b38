// Home: what is in the project, what goes on, and the one obvious next step.
import { post } from "../api.js";
import { html, useEffect, useState } from "../html.js";
import { RecallButton } from "../recall.js";
import { address } from "../router.js";
import { isActive, useStore } from "../store.js";
import { Button, Icon, JobCard, Spinner } from "../ui.js";
import { aboutDataset, nameOfDataset, pixelSize } from "../words.js";
import { Card } from "./history.js";

/** @typedef {import("../store.js").Item} Item */
/** @typedef {import("../store.js").Project} Project */
/** @typedef {{title: string, text: string, label: string, icon: string, href: string}} Step */

const SHOWN = 6; // results, and faces
const FIRST = 5; // of each kind

/** Return what to do next, from what there is. @param {Project} project @returns {Step} */
function nextStep(project) {
  const own = project.models.find(model => model.run || !model.bundled);
  const [dataset] = project.datasets;
  const measured = own && project.results.some(result => result.action === "evaluate" && result.settings?.model === own.id);
  if (own && dataset && !measured) {
    return { title: `How good is ${own.name}?`, text: "Your model has not been measured yet. Measuring compares its faces with photos that it has not seen.",
      label: "Measure it", icon: "bars", href: address("share", own.id, { tab: "evaluate" }) };
  }
  if (own) {
    return { title: `Explore ${own.name}`, text: "Walk through the faces that your model knows, mix them, and change them with sliders.",
      label: "Explore", icon: "compass", href: address("explore", own.id) };
  }
  if (dataset) {
    return { title: `Train a model on ${nameOfDataset(dataset)}`, text: "Your photos are ready. Training goes on when you close this page, and can be stopped and continued.",
      label: "Train", icon: "train", href: address("train", "", { new: 1, dataset: dataset.id }) };
  }
  if (project.results.length === 0) {
    return { title: "Meet faces that nobody has", text: "The model that comes with facegan draws them. Explore it before you train your own.",
      label: "Explore faces", icon: "compass", href: address("explore", project.models[0]?.id ?? "") };
  }
  return { title: "Bring your own photos", text: "Drop photos, folders or archives: faces are found, cropped and made a dataset to train on.",
    label: "Bring photos", icon: "photos", href: address("photos") };
}

function View() {
  const project = useStore(state => state.project);
  const jobs = useStore(state => state.jobs);
  if (!project) return html`<h1>Home</h1><p><${Spinner} /></p>`;
  const active = jobs.filter(isActive);
  const generator = project.models.find(model => model.model === "generator" && !model.bundled)
    ?? project.models.find(model => model.model === "generator");
  return html`<div class="home"><${Hero} step=${nextStep(project)} model=${generator} />
    ${active.length > 0 && html`<section aria-label="At work"><h2>At work</h2>
      <div class="tiles wide">${active.map(job => html`<${JobCard} key=${job.id} id=${job.id} />`)}</div></section>`}
    ${project.results.length > 0 && html`<section aria-label="Latest results"><div class="row"><h2>Latest results</h2>
      <div class="actions"><${RecallButton} small /><${Button} small kind="quiet" icon="clock" href=${address("history")}>All ${project.results.length}<//></div></div>
      <ul class="grid results" style=${{ "--min": "180px" }}>${latest(project.results).map(result => html`<li key=${result.id}><${Card} result=${result} /></li>`)}</ul></section>`}
    <section aria-label="In this project"><div class="row"><h2>In this project</h2>${project.results.length === 0 && html`<${RecallButton} small />`}</div>
      <div class="tiles">
        <${Group} title="Datasets" icon="photos" items=${project.datasets} about=${aboutDataset} view="photos" state=${{ kind: "datasets" }} name=${nameOfDataset} none="Photos that you bring become a dataset." label="Bring photos" />
        <${Group} title="Trainings" icon="train" items=${project.runs} about=${aboutRun} view="train" none="A training makes a model of a dataset." label="Train" />
        <${Group} title="Models" icon="face" items=${project.models} about=${aboutModel} view=${viewOfModel} none="There is no model." label="Explore" />
      </div></section></div>`;
}

/** The kept ones first, then the newest. @param {Item[]} results */
const latest = results => [...results.filter(result => result.kept), ...results.filter(result => !result.kept)].slice(0, SHOWN);

/** The next step, beside faces that the project's model draws now. @param {{step: Step, model: Item | undefined}} props */
function Hero({ step, model }) {
  return html`<section class="hero"><div class="hero-words"><h1>${step.title}</h1><p class="lead">${step.text}</p>
      <${Button} kind="primary" icon=${step.icon} href=${step.href}>${step.label}<//></div>
    ${model && html`<${Faces} model=${model} />`}</section>`;
}

/** @type {Map<string, string[]>} model and its newest state -> addresses of its first faces, drawn once for each opening of the page */
const drawn = new Map();

/** @param {{model: Item}} props */
function Faces({ model }) {
  const key = `${model.id} ${model.hash ?? model.moments?.length ?? ""}`;
  const [urls, setUrls] = useState(/** @type {string[]} */ ([]));
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    const control = new AbortController();
    const made = drawn.get(key) ?? [];
    drawn.set(key, made);
    setUrls([...made]);
    setFailed(false);
    const draw = async () => {
      while (made.length < SHOWN) {
        const blob = await post(`/api/models/${encodeURIComponent(model.id)}/image`, { seed: made.length }, control.signal);
        made.push(URL.createObjectURL(blob));
        setUrls([...made]);
      }
    };
    draw().catch(() => { if (!control.signal.aborted) setFailed(true); }); // the page is whole without them
    return () => control.abort();
  }, [key]);
  if (failed) return null;
  return html`<figure class="home-faces"><div>${Array.from({ length: SHOWN }, (_, seed) => urls[seed]).map((url, seed) => (url
    ? html`<img key=${seed} src=${url} alt="A face that ${model.name} draws, seed ${seed}" />` : html`<span key=${seed}></span>`))}</div>
    <figcaption class="soft small">Seeds 0 to ${SHOWN - 1} of ${model.name}</figcaption></figure>`;
}

/**
 * @param {{title: string, icon: string, items: Item[], about: (item: Item) => string, view: string | ((item?: Item) => string), none: string, label: string,
 *   state?: Record<string, string>, name?: (item: Item) => string}} props
 */
function Group({ title, icon, items, about, view, none, label, state = {}, name = item => item.name }) {
  const viewOf = typeof view === "string" ? () => view : view;
  const shown = items.slice(0, FIRST);
  return html`<section class="card group" aria-label=${title}><h3><${Icon} name=${icon} />${title}<span class="soft numbers">${items.length}</span></h3>
    ${items.length === 0 && html`<p class="soft">${none}</p>`}
    <ul>${shown.map(item => html`<li key=${item.id}><a href=${address(viewOf(item), item.id, state)}>${name(item)}</a><small class="soft">${about(item)}</small></li>`)}</ul>
    ${items.length > shown.length && html`<p class="small"><a href=${address(viewOf())}>and ${items.length - shown.length} more</a></p>`}
    ${items.length === 0 && html`<div class="actions"><${Button} small href=${address(viewOf())}>${label}<//></div>`}</section>`;
}

/** @param {Item} [item] */
const viewOfModel = item => (item?.model === "translator" ? "translate" : "explore");
/** @param {Item} item */
const aboutRun = item => [item.recipe || item.family, item.moments?.length ? `at ${item.moments.filter((/** @type {string} */ one) => one !== "best").at(-1)}` : "no model yet"].filter(Boolean).join(", ");
/** @param {Item} item */
const aboutModel = item => [item.model, item.bundled && "bundled", item.image_shape && pixelSize(item.image_shape.slice(1))].filter(Boolean).join(", ");

export default { View };
