// Publish a model on the Hugging Face Hub; a dry run shows first what would be uploaded.
import { html, useState } from "../html.js";
import { filesOf, recalledOf } from "../results.js";
import { isActive, startJob, useModelJob, useStore } from "../store.js";
import { Button, CommandBox, Dialog, EmptyState, JobCard, Markdown, Select, Switch, TextInput, toastError } from "../ui.js";
import { sizeText } from "../words.js";
import { measuredName } from "./measures.js";

/** @typedef {import("../store.js").Item} Item */

/** @param {{model: Item, state: Record<string, string>}} props */
export function PublishTab({ model, state }) {
  const results = useStore(store => store.project?.results) ?? [];
  const [settings, setSettings] = useState(() => ({
    repo: "", private: true, space: true, onnx: true, licence: "", data_licence: "", evaluation: "",
    .../** @type {Record<string, any>} */ (recalledOf(state, "publish")?.settings ?? {}),
  }));
  const [problem, setProblem] = useState("");
  const [asking, setAsking] = useState(false);
  const job = useModelJob(model.id, "publish");
  const running = Boolean(job && isActive(job));
  if (model.model === "translator") {
    return html`<${EmptyState} icon="share" title="Translators are not published yet">Export it instead: a page, or an ONNX graph.<//>`;
  }
  const measured = results.filter(result => result.action === "evaluate" && result.settings?.model === model.id && filesOf(result).some(file => file.role === "evaluation"));
  const change = (/** @type {Record<string, any>} */ part) => setSettings(old => ({ ...old, ...part }));
  const given = { ...settings, model: model.id };
  const start = (/** @type {boolean} */ dry) => { setAsking(false); startJob("publish", { ...given, dry_run: dry }).catch(toastError); };
  const written = results.find(result => result.action === "publish" && result.settings?.model === model.id);
  return html`<div class="split">
    <section class="card stack" aria-label="What is published">
      <${TextInput} label="Repository" value=${settings.repo} placeholder="owner/name" onChange=${(/** @type {string} */ repo) => change({ repo })}
        hint="Others then use the model as hf:owner/name." error=${settings.repo ? problem : ""} />
      <${TextInput} label="Licence of the model" value=${settings.licence} placeholder="as the model's file says" onChange=${(/** @type {string} */ licence) => change({ licence })}
        hint="Such as cc-by-4.0, or a sentence." />
      <${TextInput} label="Licence of the training pictures" value=${settings.data_licence} placeholder="unknown" onChange=${(/** @type {string} */ text) => change({ data_licence: text })} />
      ${measured.length > 0 && html`<${Select} label="Measurement for the card" value=${settings.evaluation} onChange=${(/** @type {string} */ evaluation) => change({ evaluation })}
        options=${[{ value: "", label: "What the model's run has measured" }, ...measured.map(result => ({ value: result.id, label: `${measuredName(result)} against ${result.result.against}` }))]} />`}
      <${Switch} label="Private" checked=${settings.private} onChange=${(/** @type {boolean} */ on) => change({ private: on })} hint="Only you see it on the Hub." />
      <${Switch} label="With a page (a Space)" checked=${settings.space} onChange=${(/** @type {boolean} */ on) => change({ space: on })} />
      <${Switch} label="With an ONNX graph" checked=${settings.onnx} onChange=${(/** @type {boolean} */ on) => change({ onnx: on })} />
      <div class="actions">
        <${Button} kind="primary" icon="search" disabled=${running || !settings.repo} onClick=${() => start(true)}>Dry run<//>
        <${Button} icon="share" disabled=${running || !settings.repo || Boolean(problem)} onClick=${() => setAsking(true)}>Publish<//>
        ${!settings.repo && html`<span class="soft small">Name the repository first.</span>`}
      </div>
      ${running && html`<${JobCard} id=${job?.id} />`}
      ${settings.repo && html`<${CommandBox} action="publish" settings=${{ ...given, dry_run: false }} onError=${setProblem} />`}
      <${Dialog} title="Publish ${model.name}?" open=${asking} onClose=${() => setAsking(false)}
        actions=${html`<${Button} onClick=${() => setAsking(false)}>Cancel<//><${Button} kind="primary" icon="share" onClick=${() => start(false)}>Publish<//>`}>
        <p>This uploads the model to ${settings.repo} on the Hugging Face Hub${settings.private ? ", which only you see" : ", for everybody"}.
          It is the one thing in the studio that leaves this machine, and needs a token of the Hub there: <code>hf auth login</code>.</p><//>
    </section>
    ${written ? html`<div class="stack"><${Addresses} addresses=${written.result?.addresses} /><${DryRun} result=${written} /></div>` : html`<p class="soft">A dry run writes all files and shows the card; nothing leaves this machine.</p>`}
  </div>`;
}

/** Where a model was published. @param {{addresses: string[] | undefined}} props */
export function Addresses({ addresses }) {
  if (!addresses?.length) return null;
  return html`<ul class="card published" aria-label="Published at">${addresses.map(place => html`<li key=${place}>
    <a href=${place} target="_blank" rel="noopener noreferrer">${place}</a></li>`)}</ul>`;
}

/** What a dry run wrote: the files, and the card as others will read it. @param {{result: Item}} props */
function DryRun({ result }) {
  const files = Object.entries(/** @type {Record<string, number>} */ (result.result?.files_written ?? {}));
  const archive = filesOf(result)[0];
  return html`<div class="stack"><section class="card" aria-label="Files of the dry run">
    <div class="row"><h2>${result.settings?.dry_run === false ? "Uploaded" : "Would be uploaded"}</h2>${archive && html`<${Button} small icon="download" href="${archive.src}?download" download=${archive.name}>All as .zip<//>`}</div>
    <ul class="files">${files.map(([name, bytes]) => html`<li key=${name}><span>${name}</span><span class="soft numbers">${sizeText(bytes)}</span></li>`)}</ul></section>
    ${result.result?.card && html`<section class="card" aria-label="The card"><${Markdown} text=${result.result.card} /></section>`}</div>`;
}
