// Recalling: a picture that is dropped anywhere on the page brings back what made it.
import { del, post, upload } from "./api.js";
import { html, useEffect, useState } from "./html.js";
import { observable, useObservable } from "./observable.js";
import { address } from "./router.js";
import { VIEW_OF_ACTION, canRemix, randomSeed, recallAddress, titleOf } from "./results.js";
import { Button, CommandBox, Dialog, ErrorLine, Icon, Spinner, droppedFiles, toast } from "./ui.js";

/** @typedef {import("./store.js").Item} Item */
/**
 * @typedef {object} Found what the server says of a picture
 * @property {string} upload
 * @property {Record<string, string> | null} mark what the file says of its making; null if it says nothing
 * @property {Item | null} result the project's result that has this file
 * @property {string} model the id of the project's model that made it, or ""
 * @property {string} view the view that can make it again, or ""
 * @property {Record<string, string>} state that view's state, as in its address
 * @property {{action: string, settings: Record<string, any>} | null} job the long work that can make it again
 */

const asked = observable({ file: /** @type {File | null} */ (null) }); // the picture that is asked about

/** @param {Found} found @param {boolean} remix @returns {string} an address, or "" if nothing can be restored */
function addressOf(found, remix) {
  const job = found.result ? { action: found.result.action, settings: found.result.settings ?? {} } : found.job;
  const view = job && VIEW_OF_ACTION[job.action];
  if (job && view && (found.model || found.result || view === "pixels" || !("model" in job.settings))) { // whose model is a classifier
    if (remix && !canRemix(job)) return "";
    return recallAddress(view, job, { remix, result: found.result?.id ?? "" });
  }
  if (!found.view || !found.model) return "";
  const { face, ...kept } = found.state;
  return address(found.view, found.model, remix ? { ...kept, seed: randomSeed() } : { ...kept, face });
}

/** @param {File} file @returns {Promise<Found>} */
async function read(file) {
  const brought = await upload(file);
  return post("/api/recall", { upload: brought.id });
}

/** Restore what the address of a view holds, even if the page shows that view already. @param {string} to */
function go(to) {
  if (to === location.hash) window.dispatchEvent(new Event("hashchange"));
  location.hash = to;
}

/**
 * Listens for pictures on the whole page; drop zones take theirs first. The shell has it once.
 * @param {{views: Array<{id: string, title: string, icon: string}>}} props
 */
export function Recall({ views }) {
  const [over, setOver] = useState(false);
  const file = useObservable(asked, value => value.file);
  useEffect(() => {
    let depth = 0;
    const withFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files") ?? false;
    const enter = (/** @type {DragEvent} */ event) => { if (withFiles(event)) { depth += 1; setOver(true); } };
    const leave = (/** @type {DragEvent} */ event) => { if (withFiles(event)) { depth -= 1; if (depth <= 0) setOver(false); } };
    const stay = (/** @type {DragEvent} */ event) => { if (withFiles(event)) event.preventDefault(); };
    const drop = async (/** @type {DragEvent} */ event) => {
      depth = 0;
      setOver(false);
      if (event.defaultPrevented || !event.dataTransfer || !withFiles(event)) return;
      event.preventDefault();
      const [first] = await droppedFiles(event.dataTransfer);
      if (first) asked.set({ file: first });
    };
    const away = () => { depth = 0; setOver(false); };
    window.addEventListener("dragenter", enter);
    window.addEventListener("dragleave", leave);
    window.addEventListener("dragover", stay);
    window.addEventListener("drop", drop);
    window.addEventListener("drop", away, true); // also where a drop zone takes it
    return () => {
      window.removeEventListener("dragenter", enter);
      window.removeEventListener("dragleave", leave);
      window.removeEventListener("dragover", stay);
      window.removeEventListener("drop", drop);
      window.removeEventListener("drop", away, true);
    };
  }, []);
  return html`${over && html`<div class="drop-anywhere" aria-hidden="true"><p><${Icon} name="again" size=${24} />Drop a picture that facegan made: its settings come back</p></div>`}
    ${file && html`<${RecallDialog} key=${file.name} file=${file} views=${views} onClose=${() => asked.set({ file: null })} />`}`;
}

/** A button that recalls a chosen file, for those who do not drag. @param {{small?: boolean}} props */
export function RecallButton({ small }) {
  const pick = () => {
    const input = document.createElement("input");
    input.type = "file";
    input.accept = "image/*,video/mp4";
    input.onchange = () => asked.set({ file: input.files?.[0] ?? null });
    input.click();
  };
  return html`<${Button} small=${small} icon="again" title="Choose a picture that facegan made: its settings come back" onClick=${pick}>Recall a picture<//>`;
}

/** @param {{file: File, views: Array<{id: string, title: string, icon: string}>, onClose: () => void}} props */
function RecallDialog({ file, views, onClose }) {
  const [found, setFound] = useState(/** @type {Found | null} */ (null));
  const [error, setError] = useState("");
  const [picture, setPicture] = useState("");
  useEffect(() => {
    let there = true;
    const url = URL.createObjectURL(file);
    if (file.type.startsWith("image/")) setPicture(url);
    read(file).then(answer => there && setFound(answer), failure => there && setError(failure.message));
    return () => { there = false; URL.revokeObjectURL(url); };
  }, [file]);
  const restore = (/** @type {boolean} */ remix) => () => {
    if (!found) return;
    go(addressOf(found, remix));
    close();
    toast(remix ? "Everything but the seed is back." : "The settings are back.", { kind: "good" });
  };
  const close = () => {
    if (found) del(`/api/uploads/${found.upload}`).catch(() => {}); // it was brought to be read only
    onClose();
  };
  const to = found ? addressOf(found, false) : "";
  const view = views.find(one => to.startsWith(`${address(one.id)}/`) || to.startsWith(`${address(one.id)}?`) || to === address(one.id));
  const photo = views.find(one => one.id === "photo");
  const again = view && to;
  const seeded = again && addressOf(/** @type {Found} */ (found), true);
  return html`<${Dialog} title="What made this picture" open onClose=${close} actions=${html`
      ${found && !found.mark && photo && html`<${Button} icon=${photo.icon} onClick=${() => { go(recallAddress("photo", { action: "invert", settings: { photo: found.upload } })); onClose(); }}>Edit it as a photo<//>`}
      ${seeded && html`<${Button} icon="shuffle" onClick=${restore(true)}>Remix<//>`}
      ${again ? html`<${Button} kind="primary" icon=${view.icon} onClick=${restore(false)}>Restore in ${view.title}<//>` : html`<${Button} onClick=${close}>Close<//>`}`}>
    <div class="recall">
      ${picture && html`<img src=${picture} alt="The picture that was dropped" />`}
      <div class="stack">
        ${!found && !error && html`<p><${Spinner} label="Reading the picture" /></p>`}
        <${ErrorLine} error=${error} />
        ${found && html`<${About} found=${found} />`}
      </div></div>
  <//>`;
}

/** @param {{found: Found}} props */
function About({ found }) {
  const { mark, result } = found;
  if (!mark && !result) return html`<p>This file says nothing of its making. Pictures that facegan makes do, unless another program has removed it.</p>`;
  const hidden = ["source", "command", "recall", "model"];
  const rows = Object.entries(mark ?? {}).filter(([name, value]) => value && !hidden.includes(name));
  return html`${result && html`<p>It is the result <a href=${address("history", result.id)}>${titleOf(result)}</a> of this project.</p>`}
    <dl class="rows">${mark?.model && html`<div><dt>model</dt><dd>${found.model || `not in this project (${mark.model.slice(0, 12)})`}</dd></div>`}
      ${rows.map(([name, value]) => html`<div key=${name}><dt>${name === "tool" ? "made by" : name}</dt><dd>${value}</dd></div>`)}</dl>
    ${mark?.model && !found.model && html`<p class="soft small">Put the model's file into the project's folder models to make it again.</p>`}
    <${CommandBox} command=${result?.command ?? mark?.command ?? ""} python=${result?.python ?? ""} />`;
}
