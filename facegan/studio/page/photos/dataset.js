// A dataset of the project: its pictures, filtered and sorted by attributes, and what was left out.
import { html, useEffect, useState } from "../html.js";
import { address, navigate } from "../router.js";
import { isActive, startJob, stopJob, useJob, useStore } from "../store.js";
import { Button, CommandBox, EmptyState, ErrorLine, Progress, Select, Slider, Spinner, Tabs, TextInput, toastError } from "../ui.js";
import { counted, freeName, nameOfDataset, percent, pixelSize } from "../words.js";
import { nameOf } from "./decisions.js";
import { Faces, Rejects } from "./gallery.js";
import { PhotoDialog } from "./photo.js";
import { useListing } from "./places.js";
import { cropOf } from "./settings.js";

/** @typedef {import("./places.js").Listing} Listing */
/** @typedef {import("./decisions.js").Row} Row */

const words = (/** @type {string} */ name) => name.replaceAll("_", " ");

/** @param {{id: string}} props */
export function DatasetPage({ id }) {
  const item = useStore(state => state.project?.datasets.find(one => one.id === id));
  const ready = useStore(state => state.project !== null);
  const [query, setQuery] = useState({ where: "", sort: "", split: "", min_confidence: 0 });
  const [tab, setTab] = useState("faces");
  const [open, setOpen] = useState(/** @type {{source: string, row: Row | null} | null} */ (null));
  const { listing, error, more, showMore } = useListing("datasets", item ? id : "", query, item?.["counts"] && JSON.stringify(item["counts"]));
  if (ready && !item) {
    return html`<h1>Photos</h1><${EmptyState} icon="photos" title="This dataset is not here" action=${html`<${Button} href="#/photos">All photos and datasets<//>`}>
      It may have been moved or deleted.<//>`;
  }
  if (!listing) return html`<h1>${id}</h1>${error ? html`<${ErrorLine} error=${error} />` : html`<p><${Spinner} label="Opening the dataset" /></p>`}`;
  const sorted = query.sort.replace(/^-/, "");
  const caption = sorted && sorted !== "smallest" ? (/** @type {Row} */ row) => valueOf(row, sorted) : undefined;
  return html`<div class="row"><h1>${id}</h1><${Button} kind="quiet" icon="back" href="#/photos">All photos and datasets<//></div>
    <p class="lead">${counted(listing.total, "picture")} of ${pixelSize(listing.size)}: ${Object.entries(listing.counts).map(([split, n]) => `${n} ${split}`).join(", ")}.
      ${listing.looked_through < listing.total && ` The first ${listing.looked_through} are shown here.`}
      ${listing.made_from && ` Made from ${listing.made_from}${listing.selected && `: ${listing.selected}`}.`}</p>
    <div class="photos-page"><div>
      <${Tabs} label="What is shown" value=${tab} onChange=${setTab} panelId="dataset-panel"
        tabs=${[{ id: "faces", label: `Pictures ${listing.matching}` }, { id: "rejects", label: `Left out ${listing.rejected}` }]} />
      ${tab === "faces" && html`<${Query} listing=${listing} query=${query} onChange=${setQuery} error=${error} />`}
      <div id="dataset-panel" role="tabpanel" aria-label=${tab === "faces" ? "Pictures" : "Left out"}>
        ${tab === "faces" ? html`${listing.matching === 0 && html`<${EmptyState} icon="search" title="No picture fits"
            action=${html`<${Button} onClick=${() => setQuery({ ...query, where: "", split: "", min_confidence: 0 })}>Show all<//>`}>Ask for less, or show all.<//>`}
          <${Faces} kind="datasets" id=${id} hash=${listing.hash} rows=${listing.rows} back=${[]} decisions=${[]} crop=${{}} onDecide=${null} caption=${caption}
            onOpen=${(/** @type {string} */ source, /** @type {Row | null} */ row) => setOpen({ source, row })} />
          ${more && html`<p><${Button} onClick=${showMore}>Show more of ${listing.matching}<//></p>`}`
          : html`<${Origin} listing=${listing} /><${Rejects} kind="datasets" id=${id} rejects=${listing.rejects} decisions=${[]} onDecide=${null}
            onOpen=${(/** @type {string} */ source) => setOpen({ source, row: null })} />`}
      </div></div>
      <aside class="stack">
        ${listing.attributes.length > 0 && html`<${Attributes} listing=${listing} onChoose=${(/** @type {string} */ name) => setQuery({ ...query, sort: name })} />`}
        <${Predict} id=${id} listing=${listing} />
        ${query.where && listing.attributes.length > 0 && html`<${Selection} id=${id} query=${query} count=${listing.matching} />`}
        <section class="card stack"><h2>Next</h2><p class="soft small">This dataset is ready to train on.</p>
          <div class="actions"><${Button} icon="train" href=${address("train", "", { new: 1, dataset: id })}>Train on it<//></div></section>
      </aside></div>
    ${open && html`<${PhotoDialog} kind="datasets" id=${id} source=${open.source} crop=${cropOf({ ...listing.crop, crop: listing.crop["kind"], size: Math.min(...listing.size) })}
      decisions=${[]} onDecide=${null} onClose=${() => setOpen(null)} facts=${open.row && html`<${Facts} row=${open.row} />`} />`}`;
}

/** @param {Row} row @param {string} name */
function valueOf(row, name) {
  const value = row.attributes[name];
  if (value === undefined) return "unknown";
  const sure = row.confidence[name];
  return `${value === 1 ? "yes" : value === 0 ? "no" : value}${sure === undefined ? "" : `, ${percent(sure)} sure`}`;
}

/** @param {{row: Row}} props */
function Facts({ row }) {
  const names = Object.keys(row.attributes).sort((a, b) => (row.attributes[b] ?? 0) - (row.attributes[a] ?? 0) || (row.confidence[b] ?? 1) - (row.confidence[a] ?? 1));
  return html`<p class="soft small">${nameOf(row.source)}, for ${row.split}</p>
    ${names.length > 0 && html`<dl class="sure">${names.map(name => html`<div key=${name}><dt>${words(name)}</dt>
      <dd><span>${valueOf(row, name)}</span><i style=${{ width: percent(row.confidence[name] ?? 1) }}></i></dd></div>`)}</dl>`}`;
}

/**
 * @param {{listing: Listing, query: {where: string, sort: string, split: string, min_confidence: number},
 *   onChange: (query: any) => void, error: string}} props
 */
function Query({ listing, query, onChange, error }) {
  const [text, setText] = useState(query.where);
  useEffect(() => setText(query.where), [query.where]);
  const set = (/** @type {object} */ change) => onChange({ ...query, ...change });
  const names = listing.attributes.map(one => one.name);
  const predicted = Object.keys(listing.predicted).length > 0;
  const splits = Object.keys(listing.counts);
  return html`<form class="query" onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); set({ where: text }); }}>
    ${names.length > 0 && html`<${TextInput} label="Show only" value=${text} onChange=${setText} error=${error} placeholder="smiling and not eyeglasses"
        list="attribute-names" onBlur=${() => text !== query.where && set({ where: text })} />
      <datalist id="attribute-names">${names.map(name => html`<option key=${name} value=${name}></option>`)}</datalist>`}
    <${Select} label="Order" value=${query.sort} onChange=${(/** @type {string} */ sort) => set({ sort })} options=${[
      { value: "", label: "As in the dataset" }, { value: "smallest", label: "Smallest face first" },
      ...names.flatMap(name => [{ value: name, label: `${words(name)}: yes first` }, { value: `-${name}`, label: `${words(name)}: no first` }])]} />
    ${splits.length > 1 && html`<${Select} label="Split" value=${query.split} onChange=${(/** @type {string} */ split) => set({ split })}
      options=${[{ value: "", label: "All" }, ...splits.map(split => ({ value: split, label: split }))]} />`}
    ${predicted && html`<${Slider} label="At least so sure" value=${query.min_confidence || 0.5} min=${0.5} max=${0.99} step=${0.01} reset=${0.5} format=${percent}
      onInput=${(/** @type {number} */ value) => set({ min_confidence: value > 0.5 ? value : 0 })} />`}
  </form>`;
}

/** How the attributes are spread. @param {{listing: Listing, onChoose: (name: string) => void}} props */
function Attributes({ listing, onChoose }) {
  const [all, setAll] = useState(false);
  const shown = all ? listing.attributes : listing.attributes.slice(0, 8);
  return html`<section class="card stack" aria-label="Attributes"><h2>Attributes</h2>
    <ul class="bars">${shown.map(one => {
      const share = one.kind === "yes/no" && one.known ? (one.yes ?? 0) / one.known : null;
      const sure = listing.predicted[one.name];
      return html`<li key=${one.name}><button type="button" onClick=${() => onChoose(one.name)} title="Sort by ${words(one.name)}">
        <span>${words(one.name)}</span><span class="soft numbers">${share === null ? `${one.known} known` : percent(share)}</span>
        <i style=${{ width: percent(share ?? 0) }}></i>
        ${sure?.count ? html`<span class="soft small">${percent(sure.confidence)} sure on average</span>` : null}</button></li>`;
    })}</ul>
    ${listing.attributes.length > 8 && html`<${Button} small kind="quiet" onClick=${() => setAll(!all)}>${all ? "Show fewer" : `Show all ${listing.attributes.length}`}<//>`}
  </section>`;
}

/**
 * Go to the dataset that a job makes, once it is listed.
 * @param {import("../store.js").Job | undefined} job @param {string} started the id of the job that was begun while somebody looks; "" for none
 */
export function useDatasetOf(job, started) {
  const made = job && job.id === started && job.state === "done" ? job.result?.dataset : "";
  const listed = useStore(state => state.project?.datasets.some(one => one.id === made));
  useEffect(() => { if (made && listed) navigate("photos", made, { kind: "datasets" }); }, [made, listed]);
}

/** Start a job whose result is a dataset, and go there when it is done. @param {string} action */
function useDatasetJob(action) {
  const [started, setStarted] = useState("");
  const job = useJob(started);
  useDatasetOf(job, started);
  const begin = (/** @type {any} */ settings) => startJob(action, settings).then(made => setStarted(made.id), toastError);
  return { job, busy: job !== undefined && isActive(job), begin };
}

/** @param {{job: import("../store.js").Job | undefined}} props */
function Work({ job }) {
  if (!job) return null;
  return html`${isActive(job) && html`<div aria-live="polite"><${Progress} label=${job.progress?.what ?? "Starting"} done=${job.progress?.done} total=${job.progress?.total} /></div>
      <${Button} small icon="stop" onClick=${() => stopJob(job.id).catch(toastError)}>Stop<//>`}
    ${job.state === "failed" && html`<${ErrorLine} error=${job.error ?? ""} />`}`;
}

const useNames = () => (useStore(state => state.project?.datasets) ?? []).map(one => nameOfDataset(one));

/** @param {{id: string, listing: Listing}} props */
function Predict({ id, listing }) {
  const names = useNames();
  const { job, busy, begin } = useDatasetJob("label");
  const [error, setError] = useState("");
  if (Object.keys(listing.predicted).length > 0) return null;
  const settings = { dataset: id, name: freeName(`${id.replace(/^~/, "")}-labelled`, names) };
  return html`<section class="card stack" aria-label="Predict attributes"><h2>Predict attributes</h2>
    <p class="soft small">A network looks at each face for smiles, glasses, hair and more, and says how sure it is. The result is a dataset of its own.</p>
    <${Work} job=${job} /><${ErrorLine} error=${busy ? "" : error} />
    <${Button} icon="face" busy=${busy} onClick=${() => begin(settings)}>Predict attributes<//>
    <${CommandBox} action="label" settings=${busy ? null : settings} onError=${setError} />
  </section>`;
}

/** @param {{id: string, query: {where: string, split: string, min_confidence: number}, count: number}} props */
function Selection({ id, query, count }) {
  const names = useNames();
  const [name, setName] = useState("");
  const [error, setError] = useState("");
  const { job, busy, begin } = useDatasetJob("select");
  const free = freeName(`${id.replace(/^~/, "")}-selected`, names);
  const settings = { dataset: id, expression: query.where, name: name || free, min_confidence: query.min_confidence, split: query.split };
  return html`<section class="card stack" aria-label="Save the selection"><h2>Save the selection</h2>
    <${TextInput} label="Name" value=${name} placeholder=${free} onChange=${setName} error=${busy ? "" : error} maxlength="80" />
    <${Work} job=${job} />
    <${Button} kind="primary" icon="check" busy=${busy} disabled=${count === 0 || Boolean(error && !busy)} onClick=${() => begin(settings)}>
      Save ${counted(count, "picture")}<//>
    <${CommandBox} action="select" settings=${busy ? null : settings} onError=${setError} />
  </section>`;
}

/** How to change what was left out. @param {{listing: Listing}} props */
function Origin({ listing }) {
  const set = /^photos\/(photos-\d+)[-.]/.exec(listing.sources[0] ?? "")?.[1];
  if (listing.made_from) return html`<p class="soft">This dataset was made from ${listing.made_from}, which lists the same rejects.</p>`;
  return set ? html`<p class="soft">To put a picture back or take one out, <a href="#/photos/${set}">open its photos</a> and save them again.</p>`
    : html`<p class="soft">To put a picture back or take one out, drop its photos here and save them again, or use the command facegan prepare with --review.</p>`;
}
