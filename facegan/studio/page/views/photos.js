// Photos: from dropped photos to a dataset.
import { del, get } from "../api.js";
import { html, useEffect, useState } from "../html.js";
import { address, navigate } from "../router.js";
import { useStore } from "../store.js";
import { Button, DropZone, Icon, IconButton, Dialog, toastError } from "../ui.js";
import { aboutDataset, counted, nameOfDataset } from "../words.js";
import { BringingState, useBringing } from "../photos/bring.js";
import { DatasetPage } from "../photos/dataset.js";
import { useListing, cropAddress } from "../photos/places.js";
import { SetPage } from "../photos/set.js";

/** @typedef {{id: string, files: number, draft: boolean, decisions: number}} PhotoSet */

const SHOWN = 6;

/** @param {{kind: import("../photos/places.js").Kind, id: string}} props */
function Strip({ kind, id }) {
  const { listing } = useListing(kind, id, {}, 0);
  return html`<span class="strip" aria-hidden="true">${listing ? listing.rows.slice(0, SHOWN).map(row => html`
    <img key=${row.n} src=${cropAddress(kind, id, row, listing.hash)} alt="" loading="lazy" />`) : ""}</span>`;
}

function Start() {
  const datasets = useStore(state => state.project?.datasets) ?? [];
  const [sets, setSets] = useState(/** @type {PhotoSet[]} */ ([]));
  const [asked, setAsked] = useState("");
  const bringing = useBringing({ into: "", onBrought: set => navigate("photos", set.id) });
  const read = () => get("/api/photos").then(found => setSets(found.sets), toastError);
  useEffect(() => void read(), []);
  const remove = (/** @type {string} */ id) => del(`/api/photos/${encodeURIComponent(id)}`).then(read, toastError).finally(() => setAsked(""));
  return html`<h1>Photos</h1>
    <p class="lead">Drop photos with faces: single files, whole folders or archives. The faces are found and cut alike, and become a dataset to train on. Nothing leaves the machine on which the studio runs.</p>
    <${DropZone} label="Drop photos, folders or archives here" multiple folders disabled=${bringing.bringing !== null} onFiles=${bringing.begin}
      hint="JPEG, PNG, WebP, HEIC and others; zip and tar. Photos of up to 80 million pixels." />
    <${BringingState} ...${bringing} />
    ${sets.length > 0 && html`<section class="listed"><h2>Photos that you brought</h2><ul class="cards">${sets.map(set => html`<li key=${set.id} class="card">
      <a href=${address("photos", set.id)}><b>${set.id}</b><span class="soft small numbers">${counted(set.files, "file")}</span>
        ${set.draft ? html`<${Strip} kind="sets" id=${set.id} />` : html`<span class="strip none"><${Icon} name="photos" /></span>`}</a>
      <${IconButton} icon="trash" label="Delete ${set.id}" onClick=${() => setAsked(set.id)} /></li>`)}</ul></section>`}
    ${datasets.length > 0 && html`<section class="listed"><h2>Datasets of this project</h2><ul class="cards">${datasets.map(one => html`<li key=${one.id} class="card">
      <a href=${address("photos", one.id, { kind: "datasets" })}><b>${nameOfDataset(one)}</b><span class="soft small numbers">${aboutDataset(one)}</span>
        <${Strip} kind="datasets" id=${one.id} /></a></li>`)}</ul></section>`}
    <${Dialog} title="Delete ${asked}?" open=${Boolean(asked)} onClose=${() => setAsked("")} actions=${html`
      <${Button} onClick=${() => setAsked("")}>Keep<//><${Button} kind="danger" icon="trash" onClick=${() => remove(asked)}>Delete<//>`}>
      <p>The photos that you dropped, and what you decided about them, are deleted from the project's folder. Datasets that you saved of them stay.</p><//>`;
}

/** @param {import("../app.js").ViewProps} props */
function View({ id, state }) {
  if (!id) return html`<${Start} />`;
  return state["kind"] === "datasets" ? html`<${DatasetPage} key=${id} id=${id} />` : html`<${SetPage} key=${id} id=${id} />`;
}

export default { View };
