// How photos are cut, with a preview of what is cut, and what becomes the dataset.
import { html, useState } from "../html.js";
import { Button, CommandBox, ErrorLine, Select, Slider, Switch, TextInput } from "../ui.js";
import { counted, freeName, percent, pixelSize } from "../words.js";
import { nameOf } from "./decisions.js";
import { Cut } from "./gallery.js";

/** @typedef {import("./places.js").Kind} Kind */

/** The settings with which prepare begins. */
const CROP = { crop: "aligned", size: 64, margin: 0.25, gray: false, all_faces: false, min_face: 20, min_confidence: 0.9, min_sharpness: 0 };
/** @typedef {typeof CROP} Crop */

const STYLES = [
  { value: "aligned", label: "Face, eyes at fixed places" },
  { value: "face", label: "Face with a margin, upright as in the photo" },
  { value: "center", label: "Middle of the picture, without looking for faces" },
  { value: "none", label: "Whole picture, squeezed to a square" },
];
const SIZES = [32, 48, 64, 96, 128, 192, 256, 512, 1024];

/** Return the settings of a crop among others. @param {Record<string, any> | undefined} settings @returns {Crop} */
export const cropOf = settings => /** @type {Crop} */ (Object.fromEntries(
  Object.entries(CROP).map(([name, value]) => [name, settings?.[name] ?? value])));

/**
 * @param {{crop: Crop, used: Crop | null, onChange: (crop: Crop) => void, onLook: () => void, busy: boolean,
 *   kind: Kind, id: string, samples: string[]}} props
 */
export function CropSettings({ crop, used, onChange, onLook, busy, kind, id, samples }) {
  const set = (/** @type {Partial<Crop>} */ change) => onChange({ ...crop, ...change });
  const faces = crop.crop === "aligned" || crop.crop === "face";
  const changed = used !== null && JSON.stringify(used) !== JSON.stringify(crop);
  return html`<section class="card stack" aria-label="How photos are cut"><h2>Crop</h2>
    <${Select} label="What is cut out" value=${crop.crop} options=${STYLES} onChange=${(/** @type {string} */ to) => set({ crop: to })} />
    <${Select} label="Size of the pictures" value=${String(crop.size)} options=${SIZES.map(size => ({ value: String(size), label: pixelSize([size, size]) }))}
      onChange=${(/** @type {string} */ to) => set({ size: Number(to) })} hint="64 trains fast on any machine; 256 wants a graphics card." />
    ${samples.length > 0 && html`<div><p class="small"><b>So it is cut</b></p>
      <ul class="samples">${samples.map(source => html`<li key=${source}>
        <${Cut} kind=${kind} id=${id} source=${source} box=${null} crop=${crop} alt="Crop of ${nameOf(source)}" /></li>`)}</ul></div>`}
    ${faces && html`<${Switch} label="Every face of a photo" checked=${crop.all_faces} onChange=${(/** @type {boolean} */ to) => set({ all_faces: to })}
      hint=${crop.all_faces ? "" : "Only the largest face is taken."} />`}
    <details><summary>Finer settings</summary><div class="stack">
      ${crop.crop === "face" && html`<${Slider} label="Margin around the face" value=${crop.margin} min=${0} max=${1} step=${0.05} reset=${0.25}
        format=${percent} onInput=${(/** @type {number} */ v) => set({ margin: v })} />`}
      ${faces && html`<${Slider} label="How sure the detector must be" value=${crop.min_confidence} min=${0.7} max=${0.99} step=${0.01} reset=${0.9}
          format=${percent} onInput=${(/** @type {number} */ v) => set({ min_confidence: v })} />
        <${Slider} label="Smallest face" value=${crop.min_face} min=${12} max=${200} step=${1} reset=${20}
          format=${(/** @type {number} */ v) => `${v} px`} onInput=${(/** @type {number} */ v) => set({ min_face: v })} />`}
      <${Slider} label="Least sharpness" value=${crop.min_sharpness} min=${0} max=${500} step=${10} reset=${0}
        format=${(/** @type {number} */ v) => (v ? String(v) : "any")} onInput=${(/** @type {number} */ v) => set({ min_sharpness: v })} />
      <${Switch} label="Grey pictures" checked=${crop.gray} onChange=${(/** @type {boolean} */ to) => set({ gray: to })} />
    </div></details>
    ${(changed || used === null) && html`<${Button} kind=${changed ? "primary" : "plain"} icon="again" busy=${busy} onClick=${onLook}>
      ${changed ? "Look again with these settings" : "Find the faces"}<//>`}
  </section>`;
}

/**
 * @param {{photos: string, crop: Crop, count: number, taken: string[], busy: boolean, version: unknown,
 *   onSave: (settings: Record<string, any>) => void}} props
 */
export function SaveSettings({ photos, crop, count, taken, busy, version, onSave }) {
  const [name, setName] = useState("");
  const [shares, setShares] = useState({ val: 0.05, test: 0.05 });
  const [near, setNear] = useState(false);
  const [error, setError] = useState("");
  const free = name || freeName("faces", taken);
  const settings = { photos, name: free, ...crop, ...shares, drop_near_duplicates: near };
  const share = (/** @type {"val" | "test"} */ split, /** @type {string} */ label) => html`<${Slider} label=${label} value=${shares[split]}
    min=${0} max=${0.3} step=${0.01} reset=${0.05} format=${percent}
    onInput=${(/** @type {number} */ v) => setShares({ ...shares, [split]: v })} />`;
  return html`<section class="card stack" id="save-photos" aria-label="Save as dataset"><h2>Save as dataset</h2>
    <${TextInput} label="Name" value=${name} placeholder=${free} onChange=${setName} error=${name ? error : ""} maxlength="80" />
    <details><summary>Split and duplicates</summary><div class="stack">
      ${share("val", "Held out to choose the best model")}
      ${share("test", "Held out to measure it")}
      <${Switch} label="Leave out near duplicates" checked=${near} onChange=${setNear} />
    </div></details>
    ${!name && html`<${ErrorLine} error=${error} />`}
    <${Button} kind="primary" icon="check" busy=${busy} disabled=${count === 0 || Boolean(error)} onClick=${() => onSave(settings)}>
      ${count ? `Save ${counted(count, "picture")}` : "Save"}<//>
    <${CommandBox} key=${String(version)} action="prepare" settings=${settings} onError=${setError} />
  </section>`;
}
