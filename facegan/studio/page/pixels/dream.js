// Dream: a classifier sees more of what it sees already, in a photo or in noise.
import { html, useState } from "../html.js";
import { BeforeAfter } from "../parts/before_after.js";
import { photoOf } from "../parts/photos.js";
import { fileOf } from "../results.js";
import { Select, Slider, Switch, TextInput } from "../ui.js";
import { ClassifierSelect, MadeEarlier, PhotoPlace, Took, Workbench, begunPhoto, sizesOf, useBegun } from "./shared.js";

/** @typedef {import("../parts/photos.js").Photo} Photo */

const SIZES = [256, 384, 512, 768, 1024, 1536];

/** @param {{shown: string}} props */
export function Dream({ shown }) {
  const begun = useBegun(shown, "dream");
  const [photo, setPhoto] = useState(/** @type {Photo | null} */ (begunPhoto(begun)));
  const [noise, setNoise] = useState(Boolean(begun && !begun.photo));
  const [model, setModel] = useState(begun?.model ?? "faces");
  const [size, setSize] = useState(begun?.size ?? 512);
  const [octaves, setOctaves] = useState(begun?.octaves ?? 6);
  const [steps, setSteps] = useState(begun?.steps ?? 0);
  const [strength, setStrength] = useState(begun?.strength ?? 0.01);
  const [layers, setLayers] = useState(begun?.layers ?? "");
  const [classes, setClasses] = useState(begun?.classes ?? "");
  const common = { model, steps, strength, layers, classes };
  const settings = noise ? common : photo ? { photo: photo.id, size, octaves, ...common } : null;
  return html`<div class="two-columns">
    <div class="stack">
      ${!noise && html`<${PhotoPlace} photo=${photo} onPhoto=${setPhoto} label="Drop a photo to dream into" />`}
      <${Switch} label="Begin with noise instead of a photo" checked=${noise} onChange=${setNoise} hint="A picture for each layer or class that is named: what the classifier looks for." />
    </div>
    <div class="stack">
      <section class="card stack" aria-label="The dream">
        <${ClassifierSelect} value=${model} onChange=${setModel} />
        ${!noise && html`<${Select} label="Longer side" value=${String(size)} onChange=${(/** @type {string} */ to) => setSize(Number(to))} options=${sizesOf(SIZES, size)} />
          <${Slider} label="Sizes, from small to large" value=${octaves} min=${1} max=${10} step=${1} reset=${6} onInput=${setOctaves} />`}
        <${Slider} label=${noise ? "Steps" : "Steps at each size"} value=${steps || (noise ? 256 : 10)} min=${noise ? 16 : 2} max=${noise ? 1024 : 60} step=${noise ? 16 : 1} reset=${noise ? 256 : 10} onInput=${setSteps} />
        <${Slider} label="Strength of a step" value=${strength} min=${0.002} max=${0.05} step=${0.002} reset=${0.01} onInput=${setStrength} format=${(/** @type {number} */ n) => n.toFixed(3)} />
        <${TextInput} label="Classes" value=${classes} onChange=${setClasses} placeholder=${model === "faces" ? "smiling face" : "goldfish, castle"} hint="Names with commas; it sees more of them." />
        <${TextInput} label="Layers" value=${layers} onChange=${setLayers} placeholder="those that suit the classifier" hint="Names with commas, such as blocks.11, blocks.11:40 for one channel, or blocks.11:3,7,10-12; =0.5 behind one halves its weight." />
      </section>
      <${Workbench} action="dream" tab="dream" settings=${settings} begin="Dream" shown=${shown} photo=${noise ? null : photo} alt="The dream so far" Result=${DreamResult} />
    </div>
  </div><${MadeEarlier} action="dream" tab="dream" />`;
}

/** @param {{result: import("../store.js").Item}} props */
function DreamResult({ result }) {
  const photo = result.settings?.photo ? photoOf(result.settings.photo) : null;
  return html`<section class="card stack" aria-label="The result"><h2>The dream</h2>
    ${photo ? html`<${BeforeAfter} before=${photo.src} after=${fileOf(result, "picture")} label="How much of the photo as it was" />`
      : html`<img class="shown-picture" src=${fileOf(result, "picture")} alt="The dream" />`}
    <p class="soft small">${(result.result?.names ?? []).join(", ")}</p>
    <${Took} result=${result} files=${[["picture", "PNG"]]} /></section>`;
}
