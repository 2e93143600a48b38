// Results: everything that was made here, to look at, recall, keep and download.
import { VIEWS } from "../app.js";
import { html, useState } from "../html.js";
import { address, navigate } from "../router.js";
import {
  VIEW_OF_ACTION, canRemix, changeResult, coverOf, deleteResult, filesOf, isFilm, isPicture, recallAddress, titleOf,
} from "../results.js";
import { useStore } from "../store.js";
import { Button, CommandBox, Dialog, EmptyState, Icon, IconButton, Markdown, Picture, Select, Spinner, Tabs, TextInput, toastError } from "../ui.js";
import { counted, sizeText, timeText } from "../words.js";
import { Measures } from "../share/measures.js";
import { Addresses } from "../share/publish.js";

/** @typedef {import("../store.js").Item} Item */

/** @type {Record<string, string>} */
const ICONS = { mp4: "film", webm: "film", zip: "folder", html: "photos", onnx: "share", json: "bars" };

/** @param {{id: string}} props */
function View({ id }) {
  const results = useStore(state => state.project?.results);
  if (!results) return html`<h1>Results</h1><p><${Spinner} /></p>`;
  const shown = results.find(result => result.id === id);
  if (id && !shown) {
    return html`<h1>Results</h1><${EmptyState} icon="search" title="No such result"
      action=${html`<${Button} href=${address("history")}>All results<//>`}>It was deleted, or belongs to another project.<//>`;
  }
  return shown ? html`<${Result} key=${id} result=${shown} />` : html`<${All} results=${results} />`;
}

// --- all of them ------------------------------------------------------------------------------------------

/** @param {{results: Item[]}} props */
function All({ results }) {
  const [which, setWhich] = useState("all");
  const [action, setAction] = useState("");
  if (results.length === 0) {
    return html`<h1>Results</h1><${EmptyState} icon="clock" title="Nothing is made yet"
      action=${html`<${Button} kind="primary" icon="compass" href=${address("explore")}>Explore faces<//>`}>
      What you make appears here, with the settings and the command that made it, to make it again or something like it.<//>`;
  }
  const titles = new Map(results.map(result => [result.action, result.title || result.action]));
  const shown = results.filter(result => (which === "all" || result.kept) && (!action || result.action === action));
  return html`<h1>Results</h1>
    <p class="lead">Everything that was made in this project. A picture that you drop on this page brings its settings back.</p>
    <div class="row filters">
      <${Tabs} label="Which results" value=${which} onChange=${setWhich}
        tabs=${[{ id: "all", label: "All" }, { id: "kept", label: "Kept", icon: "star" }]} />
      <${Select} label="Made by" value=${action} onChange=${setAction}
        options=${[{ value: "", label: "everything" }, ...[...titles].map(([value, label]) => ({ value, label }))]} />
    </div>
    <h2 class="hidden-text">The list</h2>
    ${shown.length === 0 && html`<p class="soft">${which === "kept" ? "Press the star of a result, and it is listed here." : "No result is like that."}
      ${" "}<button type="button" class="link" onClick=${() => { setWhich("all"); setAction(""); }}>Show all</button></p>`}
    <ul class="grid results" style=${{ "--min": "220px" }}>${shown.map(result => html`<li key=${result.id}><${Card} result=${result} /></li>`)}</ul>`;
}

/** @param {{result: Item}} props */
export function Card({ result }) {
  const cover = coverOf(result);
  const keep = () => changeResult(result, { kept: !result.kept }).catch(toastError);
  return html`<article class="card result">
    <div class="cover" aria-hidden="true">
      ${cover ? html`<img src=${cover.src} alt="" loading="lazy" decoding="async" />` : html`<${Cover} result=${result} />`}</div>
    <div class="row"><div class="about"><h3><a href=${address("history", result.id)}>${titleOf(result)}</a></h3>
        <p class="soft small">${timeText(result.made)}</p></div>
      <${IconButton} icon="star" label="Keep ${titleOf(result)}" pressed=${Boolean(result.kept)} onClick=${keep} /></div>
  </article>`;
}

/** What stands for a result without pictures: its first number, or its kind. @param {{result: Item}} props */
function Cover({ result }) {
  const row = result.result?.rows?.find((/** @type {any} */ one) => one.name === result.result.headline) ?? result.result?.rows?.[0];
  if (row) return html`<span class="figure"><b>${row.value.toFixed(row.digits)}</b><span>${row.title}</span></span>`;
  const [file] = filesOf(result);
  const ending = file?.name.split(".").pop() ?? "";
  return html`<span class="figure"><${Icon} name=${ICONS[ending] ?? "download"} size=${36} /><span>${ending}</span></span>`;
}

// --- one of them ------------------------------------------------------------------------------------------

/** @param {{result: Item}} props */
function Result({ result }) {
  const [asking, setAsking] = useState(false);
  const [naming, setNaming] = useState(/** @type {string | null} */ (null));
  const files = filesOf(result);
  const view = VIEWS.find(one => one.id === VIEW_OF_ACTION[result.action]);
  const recalled = { action: result.action, settings: result.settings ?? {} };
  const remove = () => deleteResult(result).then(() => navigate("history"), toastError);
  const rename = () => changeResult(result, { label: naming ?? "" }).then(() => setNaming(null), toastError);
  return html`<p class="crumbs"><a href=${address("history")}><${Icon} name="back" size=${16} />All results</a></p>
    <div class="row"><h1>${titleOf(result)}</h1>
      <div class="actions">
        <${IconButton} icon="star" label="Keep this result" pressed=${Boolean(result.kept)}
          onClick=${() => changeResult(result, { kept: !result.kept }).catch(toastError)} />
        <${IconButton} icon="pencil" label="Name this result" onClick=${() => setNaming(result.label ?? titleOf(result))} />
        <${IconButton} icon="trash" label="Delete this result" onClick=${() => setAsking(true)} /></div></div>
    <p class="lead">${result.title}, made ${timeText(result.made)}.</p>
    <div class="actions stay">
      ${view && html`<${Button} kind="primary" icon=${view.icon} href=${recallAddress(view.id, recalled, { result: result.id })}>Open with these settings<//>`}
      ${view && canRemix(recalled) && html`<${Button} icon="shuffle" href=${recallAddress(view.id, recalled, { remix: true, result: result.id })}>Remix with another seed<//>`}
      ${recalled.settings.model && files.some(file => file.role === "vectors") && html`<${Button} icon="compass" href=${address("explore", recalled.settings.model, { face: `v${result.id}.0` })}>Explore from this face<//>`}
    </div>
    <${Addresses} addresses=${result.result?.addresses} />
    ${result.result?.rows && html`<${Measures} results=${[result]} />`}
    <div class="pictures">${files.filter(isPicture).map(file => html`<${Picture} key=${file.number} src=${file.src} alt=${file.role || file.name} caption=${file.role} />`)}
      ${files.filter(isFilm).map(file => html`<video key=${file.number} src=${file.src} controls loop muted playsinline aria-label=${file.role || file.name}></video>`)}</div>
    <div class="columns">
      ${files.length > 0 && html`<section class="card" aria-label="Files"><h2>Files</h2><ul class="files">${files.map(file => html`
        <li key=${file.number}><span>${file.name}<small class="soft">${sizeText(file.bytes)}</small></span>
          <${Button} small icon="download" href="${file.src}?download" download=${file.name}
            aria-label="Download ${file.name}">Download<//></li>`)}</ul></section>`}
      <section class="card" aria-label="How it was made"><h2>How it was made</h2><${SettingsList} settings=${recalled.settings} />
        <${CommandBox} command=${result.command} python=${result.python} /></section>
    </div>
    ${result.result?.card && html`<section class="card below" aria-label="The card"><${Markdown} text=${result.result.card} /></section>`}
    <${Dialog} title="Delete this result?" open=${asking} onClose=${() => setAsking(false)}
      actions=${html`<${Button} onClick=${() => setAsking(false)}>Keep it<//><${Button} kind="danger" icon="trash" onClick=${remove}>Delete<//>`}>
      <p>Its ${counted(files.length, "file is", "files are")} deleted from the project's folder. This cannot be undone.</p><//>
    <${Dialog} title="Name this result" open=${naming != null} onClose=${() => setNaming(null)}
      actions=${html`<${Button} onClick=${() => setNaming(null)}>Cancel<//><${Button} kind="primary" onClick=${rename}>Name it<//>`}>
      <${TextInput} label="Name" value=${naming ?? ""} onChange=${setNaming} hint="Empty: what it is." /><//>`;
}

/** @param {{settings: Record<string, any>}} props */
function SettingsList({ settings }) {
  const rows = Object.entries(settings).filter(([, value]) => value !== "" && value != null);
  return html`<dl class="rows">${rows.map(([name, value]) => html`<div key=${name}><dt>${name.replaceAll("_", " ")}</dt>
    <dd>${typeof value === "object" ? JSON.stringify(value) : String(value)}</dd></div>`)}</dl>`;
}

export default { View };
