// Style: a photo painted as other pictures are.
import { html, useState } from "../html.js";
import { BeforeAfter } from "../parts/before_after.js";
import { PhotoPicker, photoOf, samplePhoto, useSamples } from "../parts/photos.js";
import { fileOf } from "../results.js";
import { Select, Slider, Switch } from "../ui.js";
import { ClassifierSelect, MadeEarlier, PhotoPlace, Took, Workbench, begunPhoto, sizesOf, useBegun } from "./shared.js";

/** @typedef {import("../parts/photos.js").Photo} Photo */

const SIZES = [192, 256, 384, 512, 768, 1024];
const WEIGHTS = [{ value: "-1", label: "As suits the classifier" }, { value: "0.02", label: "Much of the style" }, { value: "0.3", label: "Much of the photo" }, { value: "1", label: "Mostly the photo" }];
const MOST = 8;

/** @param {{styles: Photo[], onStyles: (styles: Photo[]) => void}} props */
function Styles({ styles, onStyles }) {
  const samples = useSamples().styles.map(samplePhoto);
  const chosen = (/** @type {Photo} */ one) => styles.some(other => other.id === one.id);
  const toggle = (/** @type {Photo} */ one) => onStyles(chosen(one) ? styles.filter(other => other.id !== one.id) : [...styles, one].slice(-MOST));
  const all = [...samples, ...styles.filter(one => !samples.some(other => other.id === one.id))];
  return html`<section class="stack" aria-label="Styles"><h2>Styles</h2>
    <div class="sample-row" role="group" aria-label="Styles to choose">${all.map(one => html`<button type="button" key=${one.id} class="sample large" aria-pressed=${chosen(one)} aria-label="Style ${one.name}" title=${one.name}
      onClick=${() => toggle(one)}><img src=${one.src} alt="" /></button>`)}</div>
    <${PhotoPicker} compact styles samples=${false} label="Bring a style" onPhoto=${(/** @type {Photo} */ one) => onStyles([...styles, one].slice(-MOST))} /></section>`;
}

/** @param {{shown: string}} props */
export function Style({ shown }) {
  const begun = useBegun(shown, "stylize");
  const [photo, setPhoto] = useState(/** @type {Photo | null} */ (begunPhoto(begun)));
  const [styles, setStyles] = useState(/** @type {Photo[]} */ ((begun?.styles ?? ["sample:strokes"]).map((/** @type {string} */ id) => photoOf(id))));
  const [model, setModel] = useState(begun?.model ?? "faces");
  const [size, setSize] = useState(begun?.size ?? 384);
  const [steps, setSteps] = useState(begun?.steps ?? 60);
  const [weight, setWeight] = useState(String(begun?.content_weight ?? -1));
  const [scale, setScale] = useState(begun?.style_scale ?? 1);
  const [keep, setKeep] = useState(Boolean(begun?.keep_colours));
  const settings = photo && styles.length ? { photo: photo.id, styles: styles.map(one => one.id), model, size, steps, content_weight: Number(weight), style_scale: scale, keep_colours: keep } : null;
  return html`<div class="two-columns">
    <div class="stack"><${PhotoPlace} photo=${photo} onPhoto=${setPhoto} label="Drop a photo to paint" /><${Styles} styles=${styles} onStyles=${setStyles} /></div>
    <div class="stack">
      <section class="card stack" aria-label="The painting">
        <${ClassifierSelect} value=${model} onChange=${setModel} />
        <${Select} label="Longer side" value=${String(size)} onChange=${(/** @type {string} */ to) => setSize(Number(to))} options=${sizesOf(SIZES, size)} />
        <${Slider} label="Steps at each size" value=${steps} min=${10} max=${300} step=${10} reset=${100} onInput=${setSteps} />
        <${Slider} label="Size of the strokes" value=${scale} min=${0.25} max=${3} step=${0.05} reset=${1} onInput=${setScale} format=${(/** @type {number} */ n) => `${n.toFixed(2)} ×`} />
        <${Select} label="Photo and style" value=${weight} onChange=${setWeight} options=${WEIGHTS} />
        <${Switch} label="Keep the photo's colours" checked=${keep} onChange=${setKeep} />
      </section>
      <${Workbench} action="stylize" tab="style" settings=${settings} begin="Paint" shown=${shown} photo=${photo} alt="The painting so far" Result=${StyleResult} />
    </div>
  </div><${MadeEarlier} action="stylize" tab="style" />`;
}

/** @param {{result: import("../store.js").Item}} props */
function StyleResult({ result }) {
  const photo = photoOf(result.settings?.photo ?? "");
  return html`<section class="card stack" aria-label="The result"><h2>The painting</h2>
    <${BeforeAfter} before=${photo.src} after=${fileOf(result, "picture")} label="How much of the photo as it was" names=${["Photo", "Painting"]} />
    <${Took} result=${result} files=${[["picture", "PNG"]]} /></section>`;
}
