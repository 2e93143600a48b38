// Take a model home: a page, a graph, weights, or everything in one archive.
import { html, useState } from "../html.js";
import { address } from "../router.js";
import { filesOf, recalledOf } from "../results.js";
import { isActive, startJob, useModelJob, useStore } from "../store.js";
import { Button, CommandBox, ErrorLine, Icon, JobCard, TextInput, toastError } from "../ui.js";
import { sizeText, timeText } from "../words.js";

/** @typedef {import("../store.js").Item} Item */

const FORMATS = [
  { id: "page", icon: "photos", title: "A page", text: "One file that any browser opens: sliders, sheet and film, without a server." },
  { id: "onnx", icon: "share", title: "ONNX", text: "A graph for onnxruntime and others, in any language." },
  { id: "archive", icon: "folder", title: "Archive", text: "Model, card, ONNX and page in one .zip.", generators: true },
  { id: "program", icon: "play", title: "PyTorch program", text: "A .pt2 file that PyTorch runs alone." },
  { id: "weights", icon: "sliders", title: "Weights", text: "A state dict (.pt) by name." },
  { id: "keras", icon: "grid", title: "Keras 3", text: "A .keras file; of the families dcgan and vanilla.", generators: true },
];

/** @param {{model: Item, state: Record<string, string>}} props */
export function ExportTab({ model, state }) {
  const recalled = recalledOf(state, "export", "archive");
  const [format, setFormat] = useState(recalled?.action === "archive" ? "archive" : recalled?.settings.format ?? "page");
  const [title, setTitle] = useState(recalled?.settings.title ?? "");
  const [problem, setProblem] = useState("");
  const action = format === "archive" ? "archive" : "export";
  const settings = format === "archive" ? { model: model.id } : { model: model.id, format, ...(format === "page" && title ? { title } : {}) };
  const job = useModelJob(model.id, "export", "archive");
  const running = job && isActive(job);
  const formats = FORMATS.filter(one => model.model !== "translator" || !one.generators);
  return html`<div class="split">
    <section class="card stack" aria-label="What is written">
      <fieldset class="export-choices"><legend>Written as</legend>${formats.map(one => html`<label key=${one.id} class="export-choice">
        <input type="radio" name="format" value=${one.id} checked=${format === one.id} onChange=${() => setFormat(one.id)} />
        <${Icon} name=${one.icon} /><span><b>${one.title}</b><small>${one.text}</small></span></label>`)}</fieldset>
      ${format === "page" && html`<${TextInput} label="Heading of the page" value=${title} onChange=${setTitle} placeholder=${model.name} />`}
      <p class="soft small">The written file is run and compared with PyTorch's pictures before it is kept: at most one level of 255 may differ.</p>
      <${Button} kind="primary" icon="download" disabled=${running} onClick=${() => startJob(action, settings).catch(toastError)}>Write it<//>
      <${Button} icon="download" href="/api/models/${encodeURIComponent(model.id)}/file" download>Only the model's own file<//>
      ${problem && html`<${ErrorLine} error=${problem} />`}
      ${running && html`<${JobCard} id=${job.id} />`}
      <${CommandBox} action=${action} settings=${settings} onError=${setProblem} />
    </section>
    <${Written} model=${model} />
  </div>`;
}

/** What has been written of a model. @param {{model: Item}} props */
function Written({ model }) {
  const results = (useStore(store => store.project?.results) ?? [])
    .filter(result => ["export", "archive"].includes(result.action) && result.settings?.model === model.id);
  if (results.length === 0) return html`<p class="soft">What you write appears here, to download.</p>`;
  return html`<section class="card" aria-label="Written files"><h2>Written</h2><ul class="files">${results.map(result => filesOf(result).map(file => html`
    <li key=${file.src}><span><a href=${address("history", result.id)}>${file.name.split(".").pop()}</a> <small class="soft">${sizeText(file.bytes)}, ${timeText(result.made)}</small>
      ${result.result?.parity && html`<small class="soft">${result.result.parity}</small>`}</span>
      <${Button} small icon="download" href="${file.src}?download" download=${file.name} aria-label="Download ${file.name}">Download<//></li>`))}</ul></section>`;
}
