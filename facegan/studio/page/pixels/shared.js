// What attack, dream and style share: the photo, the classifier, and a job with its pictures.
import { get } from "../api.js";
import { html, useEffect, useState } from "../html.js";
import { Earlier } from "../parts/earlier.js";
import { Downloads, LiveJob, Outcome } from "../parts/live.js";
import { PhotoPicker, photoOf } from "../parts/photos.js";
import { recalledOf, useResult } from "../results.js";
import { navigate, presentRoute } from "../router.js";
import { isActive, startJob, useJob } from "../store.js";
import { Button, CommandBox, ErrorLine, Select } from "../ui.js";

/** @typedef {import("../parts/photos.js").Photo} Photo */
/** @typedef {import("../store.js").Item} AnyItem */

/** @type {Promise<Array<{id: string, title: string}>> | null} */
let asked = null;

/** Return the classifiers that are here. */
function useClassifiers() {
  const [found, setFound] = useState([{ id: "faces", title: "Face attributes (bundled)" }]);
  useEffect(() => {
    asked ??= get("/api/classifiers").then(answer => answer.classifiers).catch(() => { asked = null; return found; });
    void asked?.then(setFound);
  }, []);
  return found;
}

/** @param {{value: string, onChange: (id: string) => void}} props */
export function ClassifierSelect({ value, onChange }) {
  const classifiers = useClassifiers();
  return html`<${Select} label="Classifier" hint="A network that says what a picture shows." value=${value} onChange=${onChange} options=${classifiers.map(one => ({ value: one.id, label: one.title }))} />`;
}

/** Sizes to choose from, and the present one. @param {number[]} sides @param {number} present */
export const sizesOf = (sides, present) => [...new Set([...sides, present])].sort((a, b) => a - b).map(side => ({ value: String(side), label: `${side} px` }));

/** @param {{photo: Photo | null, onPhoto: (photo: Photo | null) => void, label: string, hint?: string, children?: any}} props */
export function PhotoPlace({ photo, onPhoto, label, hint = "It stays on the machine of this studio.", children }) {
  if (!photo) return html`<${PhotoPicker} label=${label} hint=${hint} onPhoto=${onPhoto} />`;
  return html`<section class="stack" aria-label="The photo">${children ?? html`<img class="shown-picture" src=${photo.src} alt=${photo.name} />`}
    <div class="row"><span class="soft small">${photo.name}</span><${Button} small icon="photos" onClick=${() => onPhoto(null)}>Another photo<//></div></section>`;
}

/**
 * Begin, watch and stop a job, and see what came of it.
 * @param {{action: string, tab: string, settings: Record<string, any> | null, begin: string, shown: string, photo: Photo | null, alt: string,
 *   Result: (props: {result: AnyItem}) => any}} props
 */
export function Workbench({ action, tab, settings, begin, shown, photo, alt, Result }) {
  const [error, setError] = useState("");
  const job = useJob(shown);
  const active = Boolean(job && isActive(job));
  const result = useResult(shown);
  const go = () => settings && startJob(action, settings).then(
    made => { setError(""); navigate("pixels", tab, { job: made.id }, { replace: true }); }, problem => setError(problem.message));
  return html`<div class="stack">
    <div class="actions"><${Button} kind="primary" icon="play" disabled=${!settings || active} onClick=${go}>${begin}<//>
      ${!settings && !photo && html`<span class="soft small">Choose a photo first.</span>`}</div>
    <${ErrorLine} error=${error} />
    <${LiveJob} id=${shown} alt=${alt} start=${photo?.src} onAgain=${go} />
    ${result && !active && html`<${Outcome} label="What came of it"><${Result} result=${result} /><//>`}
    ${settings && html`<${CommandBox} action=${action} settings=${settings} onError=${setError} />`}
  </div>`;
}

/** @param {{action: string, tab: string}} props */
export const MadeEarlier = ({ action, tab }) => html`<${Earlier} action=${action} title="Made earlier"
  onOpen=${(/** @type {string} */ job) => navigate("pixels", tab, { job })} />`;

/** @param {{result: AnyItem, files: Array<[string, string]>}} props */
export function Took({ result, files }) {
  return html`${result.result?.stopped && html`<p class="soft">It was stopped; this is the picture as far as it went.</p>`}
    <${Downloads} result=${result} files=${files} />`;
}

/** The settings with which a job or result was begun, to go on from. @param {string} id @param {string} action */
export function useBegun(id, action) {
  const result = useResult(id);
  const job = useJob(id);
  const begun = /** @type {any} */ (result ?? job);
  return begun?.action === action ? begun.settings : recalledOf(presentRoute().state, action)?.settings ?? null;
}

/** The photo of earlier settings. @param {any} settings @param {string} [name] @returns {Photo | null} */
export const begunPhoto = (settings, name = "photo") => (typeof settings?.[name] === "string" ? photoOf(settings[name]) : null);
