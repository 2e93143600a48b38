// Translate: pictures into pictures, by a model that was trained on pairs or on two sets.
import { useAnswer } from "../answers.js";
import { post } from "../api.js";
import { fromBase64 } from "../engine/bytes.js";
import { readPng, writePng } from "../engine/encoders.js";
import { html, useEffect, useState } from "../html.js";
import { BeforeAfter } from "../parts/before_after.js";
import { Earlier } from "../parts/earlier.js";
import { Downloads, LiveJob, Outcome } from "../parts/live.js";
import { PhotoPicker, photoOf, sendPhoto } from "../parts/photos.js";
import { fileOf, recalledOf, useResult } from "../results.js";
import { address, navigate } from "../router.js";
import { startJob, useStore } from "../store.js";
import { Sheet } from "../translate/sheet.js";
import { Button, CommandBox, EmptyState, ErrorLine, Select, Slider, Spinner, Switch } from "../ui.js";
import { nameOfDataset, percent } from "../words.js";

/** @typedef {import("../translate/engine.js").TranslatorFacts} TranslatorFacts */
/** @typedef {import("../parts/photos.js").Photo} Photo */

/** What a direction does, for people. @param {string} direction */
const spoken = direction => ({ forward: "Input to result", "a-to-b": "From the first kind to the second", "b-to-a": "From the second kind to the first" }[direction] ?? direction);

/** @param {{id: string, state: Record<string, string>}} props */
function View({ id, state }) {
  const models = useStore(all => all.project?.models);
  if (!models) return html`<h1>Translate</h1><p><${Spinner} /></p>`;
  const translators = models.filter(model => model.model === "translator");
  const head = html`<h1>Translate</h1><p class="lead">A translator turns pictures into pictures: a drawing into a face, grey into colour, a face into one with glasses.</p>`;
  const model = translators.find(one => one.id === id) ?? translators[0];
  const recalled = recalledOf(state, "translate")?.settings ?? null;
  return html`${head}
    ${model && html`<${Translator} key=${`${model.id} ${state.settings ?? ""}`} id=${model.id} translators=${translators} shown=${state.result ?? ""} recalled=${recalled} />`}
    ${translators.every(one => one.bundled) && html`<div id="own-translator"><${OwnTranslator} /></div>`}`;
}

/** How to get one, where the project has none but those that come with facegan. */
function OwnTranslator() {
  const datasets = useStore(all => all.project?.datasets) ?? [];
  const [dataset, setDataset] = useState(datasets[0]?.id ?? "");
  // Without given inputs, the recipe draws the lines of each picture itself.
  const changes = datasets.find(one => one.id === dataset)?.has_inputs ? "" : JSON.stringify({ input: "edges" });
  const action = datasets.length
    ? html`<${Select} label="Train on" value=${dataset} onChange=${setDataset} options=${datasets.map(one => ({ value: one.id, label: nameOfDataset(one) }))} />
      <${Button} kind="primary" icon="train" href=${address("train", "", { new: 1, recipe: "pix2pix-64", dataset, changes })}>Train a translator<//>`
    : html`<${Button} kind="primary" icon="photos" href=${address("photos")}>Bring photos<//>`;
  return html`<${EmptyState} icon="pencil" title="A translator that takes drawings" action=${action}>
    It is trained on a dataset of faces. No drawings are needed: the recipe pix2pix-64 makes line drawings of the photos, and learns to turn them back into faces.<//>`;
}

/** @param {{id: string, translators: any[], shown: string, recalled: Record<string, any> | null}} props */
function Translator({ id, translators, shown, recalled }) {
  const [wanted, setDirection] = useState(recalled?.direction ?? "");
  const { answer, error, ask } = useAnswer(`/api/translators/${encodeURIComponent(id)}`);
  const facts = /** @type {TranslatorFacts | null} */ (answer);
  const direction = facts?.directions.includes(wanted) ? wanted : facts?.directions[0];
  return html`<div class="stack">
    <div class="row model-choices">
      <${Select} label="Translator" value=${id} onChange=${(/** @type {string} */ to) => navigate("translate", to)}
        options=${translators.map(one => ({ value: one.id, label: one.name }))} />
      ${facts && facts.directions.length > 1 && html`<${Select} label="Direction" value=${direction} onChange=${setDirection}
        options=${facts.directions.map(one => ({ value: one, label: spoken(one) }))} />`}
    </div>
    <${ErrorLine} error=${error} onRetry=${ask} />
    ${facts && html`<${WhatToDo} facts=${facts} translators=${translators} id=${id} />`}
    ${facts ? html`<${Desk} key=${`${id} ${direction}`} id=${id} heading=${takesPictures(facts, translators.find(one => one.id === id)?.bundled) ? "What goes in" : "Draw here"} facts=${facts} direction=${direction} shown=${shown} recalled=${recalled} />` : !error && html`<p><${Spinner} label="Loading the translator" /></p>`}
  </div>`;
}

/** Whether a translator takes pictures as they are, and no drawings. @param {TranslatorFacts} facts @param {boolean} bundled */
const takesPictures = (facts, bundled) => !facts.input && (bundled || facts.directions.length > 1);

/** What to do with a translator. @param {{facts: TranslatorFacts, translators: any[], id: string}} props */
function WhatToDo({ facts, translators, id }) {
  const bundled = translators.find(one => one.id === id)?.bundled;
  if (!takesPictures(facts, bundled)) return html`<p>${facts.said}</p>`;
  return html`<p>This translator takes ${bundled ? "photos, not drawings" : "pictures like those that it was trained on"}. Choose one below: it is put on the sheet and translated.
    ${translators.every(one => one.bundled) && html` To draw faces, <button type="button" class="link"
      onClick=${() => document.getElementById("own-translator")?.scrollIntoView()}>train a translator that takes drawings</button>.`}</p>`;
}

/** @param {{id: string, heading: string, facts: TranslatorFacts, direction: string, shown: string, recalled: Record<string, any> | null}} props */
function Desk({ id, heading, facts, direction, shown, recalled }) {
  const [share, setShare] = useState(1);
  const [photo, setPhoto] = useState(/** @type {Photo | null} */ (recalled?.photo ? photoOf(recalled.photo) : null));
  const [align, setAlign] = useState(!recalled?.ready && recalled?.align !== false);
  const [start, setStart] = useState(/** @type {{pixels: Uint8ClampedArray, n: number} | null} */ (null));
  const [error, setError] = useState("");
  const [drawing, setDrawing] = useState(/** @type {{pixels: Uint8ClampedArray, made: Uint8ClampedArray} | null} */ (null));
  useEffect(() => {
    if (!photo) return;
    setError("");
    const ready = photo.id === recalled?.photo && Boolean(recalled?.ready);
    post(`/api/translators/${encodeURIComponent(id)}/input`, { photo: photo.id, align, ready }).then(async found => {
      setStart({ pixels: await readPng(fromBase64(found.input)), n: Date.now() });
    }).catch(problem => setError(problem.message));
  }, [photo?.id, align]);
  return html`
    <${Sheet} model=${id} heading=${heading} facts=${facts} direction=${direction} start=${start} share=${share}
      onDrawn=${(/** @type {Uint8ClampedArray} */ given, /** @type {Uint8ClampedArray} */ made) => setDrawing({ pixels: given, made })} />
    <${Slider} label="How much of the change" value=${share} min=${0} max=${1} step=${0.05} reset=${1} onInput=${setShare} format=${percent} />
    <div class="two-columns">
      <div class="stack"><${PhotoPicker} compact label=${facts.input === "edges" ? "Begin with the lines of a photo" : "Drop a photo"} onPhoto=${setPhoto}
        hint="It stays on this studio's machine." /><${ErrorLine} error=${error} />
        ${error && photo && align && html`<div class="actions"><${Button} onClick=${() => setAlign(false)}>Take the picture as it is<//></div>`}
        ${photo && !align && html`<${Switch} label="Find the face" checked=${align} onChange=${setAlign} hint="Without it, the picture is taken as it is." />`}</div>
      <${Keep} key=${shown} id=${id} facts=${facts} direction=${direction} photo=${photo} align=${align} drawing=${drawing} recalled=${recalled} untouched=${Boolean(start && drawing && same(start.pixels, drawing.pixels))} shown=${shown} />
    </div>
    <${Earlier} action="translate" title="Earlier translations" onOpen=${(/** @type {string} */ result) => navigate("translate", id, { result })} caption=${(/** @type {any} */ one) => spoken(one.result?.direction ?? "")} />`;
}

/** @param {Uint8ClampedArray} a @param {Uint8ClampedArray} b */
const same = (a, b) => a.length === b.length && a.every((value, i) => value === b[i]);

/**
 * What is kept: the drawing's picture, or a photo's, also with every face put back into the whole photo.
 * @param {{id: string, facts: TranslatorFacts, direction: string, photo: Photo | null, align: boolean, untouched: boolean,
 *   drawing: {pixels: Uint8ClampedArray, made: Uint8ClampedArray} | null, shown: string, recalled: Record<string, any> | null}} props
 */
function Keep({ id, facts, direction, photo, align, untouched, drawing, shown, recalled }) {
  const [job, setJob] = useState(shown);
  const [steps, setSteps] = useState(recalled?.steps ?? 0);
  const [whole, setWhole] = useState(Boolean(recalled?.whole));
  const ready = Boolean(photo && photo.id === recalled?.photo && recalled?.ready);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const [, height, width] = facts.image_shape;
  const isPhoto = Boolean(photo && untouched);
  const settings = photo && isPhoto
    ? { photo: photo.id, model: id, direction, ...(whole ? { whole } : { steps }), ...(ready ? { ready } : align ? {} : { align }) }
    : null;
  const keep = async () => {
    setBusy(true);
    setError("");
    try {
      let wanted = /** @type {Record<string, any> | null} */ (settings);
      if (!wanted && drawing) {
        const sent = await sendPhoto(await writePng([drawing.pixels], [width, height]), () => {}, "drawing.png");
        wanted = { photo: sent.id, model: id, direction, steps, ready: true };
      }
      if (wanted) setJob((await startJob("translate", wanted)).id);
    } catch (problem) {
      setError(/** @type {Error} */ (problem).message);
    }
    setBusy(false);
  };
  return html`<section class="card stack" aria-label="Keep it">
    <h2>Keep it</h2>
    <${Slider} label="Pictures on the way" value=${steps} min=${0} max=${9} step=${1} reset=${0} disabled=${whole} onInput=${(/** @type {number} */ n) => setSteps(n === 1 ? 2 : n)}
      format=${(/** @type {number} */ n) => (n ? `${n} pictures` : "only the result")} />
    ${facts.whole && html`<${Switch} label="The whole photo" checked=${whole} onChange=${setWhole} disabled=${!isPhoto}
      hint=${isPhoto ? "Every face in it is translated and put back into its place." : "Choose a photo first."} />`}
    <div class="actions"><${Button} kind="primary" icon="star" busy=${busy} disabled=${!drawing} onClick=${keep}>${whole && isPhoto ? "Translate the whole photo" : "Keep this picture"}<//></div>
    <${ErrorLine} error=${error} />
    <${LiveJob} id=${job} alt="The translation" />
    <${Kept} id=${job} />
    ${settings && html`<${CommandBox} action="translate" settings=${settings} onError=${setError} />`}
  </section>`;
}

/** A finished translation. @param {{id: string}} props */
function Kept({ id }) {
  const result = useResult(id);
  if (!result) return null;
  const before = fileOf(result, "photo");
  return html`<${Outcome} label="The translation">
    ${before ? html`<${BeforeAfter} before=${before} after=${fileOf(result, "picture")} label="How much of the photo as it was" />`
      : html`<img class="face-picture" src=${fileOf(result, "figure")} alt="Input and result" />`}
    <${Downloads} result=${result} files=${[["picture", "PNG"], ["figure", "Figure"]]} />
  <//>`;
}

export default { View };
