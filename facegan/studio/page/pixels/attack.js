// Attack: small changes to a photo after which a classifier sees something else.
import { useAnswer } from "../answers.js";
import { html, useId, useState } from "../html.js";
import { ClassBars } from "../parts/bars.js";
import { BeforeAfter } from "../parts/before_after.js";
import { LookedAt } from "../parts/faces.js";
import { fileOf } from "../results.js";
import { Button, ErrorLine, Select, Slider, Spinner, Switch, TextInput } from "../ui.js";
import { counted, percent } from "../words.js";
import { ClassifierSelect, MadeEarlier, PhotoPlace, Took, Workbench, begunPhoto, useBegun } from "./shared.js";

/** @typedef {import("../parts/photos.js").Photo} Photo */
/** @typedef {{rows: import("../parts/bars.js").Row[], window: number[] | null, faces: boolean}} Look */

const METHODS = [
  { value: "pgd", label: "PGD: many steps within a bound" },
  { value: "fgsm", label: "FGSM: one step" },
  { value: "ddn", label: "DDN: the smallest change (L2)" },
  { value: "fmn", label: "FMN: the smallest change" },
];

/** @param {{model: string, value: string, onChange: (name: string) => void}} props */
function ClassSearch({ model, value, onChange }) {
  const [text, setText] = useState("");
  const id = useId();
  const classes = /** @type {string[]} */ (useAnswer(`/api/classifiers/${encodeURIComponent(model)}/classes`).answer?.classes ?? []);
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = classes.filter(name => words.every(word => name.toLowerCase().includes(word))).slice(0, words.length || classes.length <= 12 ? 12 : 0);
  return html`<div class="class-search">
    <${TextInput} label="What it should see instead" value=${text} onChange=${setText} placeholder=${classes.length > 12 ? `Search in ${classes.length} classes` : "Search"} aria-controls=${id} />
    <div class="sample-row" id=${id} role="group" aria-label="Classes">
      <${Button} small pressed=${!value} onClick=${() => onChange("")}>Anything else<//>
      ${[...new Set([...(value ? [value] : []), ...found])].map(name => html`<${Button} key=${name} small pressed=${name === value} onClick=${() => onChange(name)}>${name}<//>`)}
      ${words.length > 0 && !found.length && html`<span class="soft small">No class has these words.</span>`}
    </div></div>`;
}

/** @param {{shown: string}} props */
export function Attack({ shown }) {
  const begun = useBegun(shown, "attack");
  const [photo, setPhoto] = useState(/** @type {Photo | null} */ (begunPhoto(begun)));
  const [model, setModel] = useState(begun?.model ?? "faces");
  const [target, setTarget] = useState(begun?.target ?? "");
  const [method, setMethod] = useState(begun?.method ?? "pgd");
  const [levels, setLevels] = useState(begun?.levels ?? 4);
  const [confidence, setConfidence] = useState(begun?.confidence ?? 0.9);
  const [robust, setRobust] = useState(/** @type {string[]} */ (begun?.robust ?? []));
  const { answer, error } = useAnswer(photo ? `/api/classifiers/${encodeURIComponent(model)}/look` : "", { photo: photo?.id });
  const look = /** @type {Look | null} */ (answer); // what the classifier sees in the photo
  const settings = photo ? { photo: photo.id, target, model, method, levels, confidence, robust } : null;
  const toggle = (/** @type {string} */ name) => (/** @type {boolean} */ yes) => setRobust(yes ? [...robust, name] : robust.filter(one => one !== name));
  return html`<div class="two-columns">
    <div class="stack">
      <${PhotoPlace} photo=${photo} onPhoto=${setPhoto} label="Drop a photo">
        ${photo && html`<${LookedAt} src=${photo.src} name=${photo.name} box=${look?.window ?? null} />`}<//>
      ${photo && !look && !error && html`<p class="row to-the-left"><${Spinner} label="The classifier looks" /> <span>The classifier looks …</span></p>`}
      <${ErrorLine} error=${error} />
      ${look && html`<${ClassBars} title="What the classifier sees" rows=${look.rows} />`}
      ${look?.faces && !look.window && html`<p class="soft small">It knows faces, and found none; it was shown the whole photo.</p>`}
    </div>
    <div class="stack">
      <section class="card stack" aria-label="The attack">
        <${ClassifierSelect} value=${model} onChange=${(/** @type {string} */ to) => { setModel(to); setTarget(""); }} />
        <${ClassSearch} model=${model} value=${target} onChange=${setTarget} />
        <${Select} label="Method" value=${method} onChange=${setMethod} options=${METHODS} />
        ${(method === "pgd" || method === "fgsm") && html`<${Slider} label="Largest change of a value" value=${levels} min=${1} max=${32} step=${1} reset=${4} onInput=${setLevels} format=${(/** @type {number} */ n) => `${n} of 255`} />`}
        <${Slider} label="Go on until it is this sure" value=${confidence} min=${0} max=${0.99} step=${0.01} reset=${0.9} onInput=${setConfidence} format=${(/** @type {number} */ p) => (p ? percent(p) : "it ranks first")} />
        <${Switch} label="Survive resizing" checked=${robust.includes("resize")} onChange=${toggle("resize")} />
        <${Switch} label="Survive JPEG" checked=${robust.includes("jpeg")} onChange=${toggle("jpeg")} hint="Takes longer: each step looks at changed copies, too." />
      </section>
      <${Workbench} action="attack" tab="attack" settings=${settings} begin="Attack" shown=${shown} photo=${photo} alt="The photo so far" Result=${AttackResult} />
    </div>
  </div><${MadeEarlier} action="attack" tab="attack" />`;
}

/** @param {{result: import("../store.js").Item}} props */
function AttackResult({ result }) {
  const about = result.result ?? {};
  const [high, wide] = about.size ?? [1, 1];
  const seen = about.after?.[0]?.name, changed = about.target ? seen === about.target : seen !== about.before?.[0]?.name;
  return html`<section class="card stack" aria-label="The result">
    <h2>${changed ? `It now sees: ${seen}` : `It still sees: ${seen}`}</h2>
    ${!about.success && html`<p>${changed ? "It is not as sure as you asked." : `It was not fooled into seeing ${about.target || "anything else"}.`} Allow a larger change, or ${changed ? "ask for less" : "take another class"}.</p>`}
    <div class="two-columns"><${ClassBars} title="Before" rows=${about.before ?? []} wanted=${about.target} /><${ClassBars} title="After" rows=${about.after ?? []} wanted=${about.target} /></div>
    <${BeforeAfter} before=${fileOf(result, "photo")} after=${fileOf(result, "picture")} label="How much of the photo as it was" ratio=${wide / high} />
    <p class="numbers">No value changed by more than ${about.levels} of 255; ${percent(about.changed ?? 0)} of the pixels changed, in ${counted(about.steps ?? 0, "step")}.
      ${about.face_found === false ? " No face was found, so that the whole photo was looked at." : ""}
      ${Object.entries(about.survived ?? {}).map(([name, share]) => ` ${percent(Number(share))} of changes by ${name} leave it standing.`)}</p>
    <figure class="picture"><img src=${fileOf(result, "difference")} alt="The change, magnified" /><figcaption>The change alone, magnified until it is seen.</figcaption></figure>
    <${Took} result=${result} files=${[["picture", "PNG"], ["difference", "The change"], ["figure", "Figure"]]} />
  </section>`;
}
