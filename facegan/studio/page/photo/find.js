// From a photo to a face in a model: the faces in it, which one, and the search.
import { useAnswer } from "../answers.js";
import { html, useEffect, useState } from "../html.js";
import { FaceBoxes } from "../parts/faces.js";
import { LabelChoice, labelsOf, readLabels } from "../parts/labels.js";
import { LiveJob } from "../parts/live.js";
import { PhotoPicker, photoOf } from "../parts/photos.js";
import { navigate } from "../router.js";
import { startJob, useJob, useStore } from "../store.js";
import { Button, CommandBox, EmptyState, ErrorLine, ModelPicker, Spinner, Switch, chosenModel } from "../ui.js";

/** @typedef {import("../parts/photos.js").Photo} Photo */
/** @typedef {{width: number, height: number, faces: import("../parts/faces.js").Face[], whole: string, why: string}} FacesFound */

/** @param {{job: string, onJob: (id: string) => void, recalled: Record<string, any> | null}} props */
export function FindFace({ job, onJob, recalled }) {
  const begun = useJob(job)?.settings ?? recalled;
  const [other, setOther] = useState(false);
  const [chosen, setPhoto] = useState(/** @type {Photo | null} */ (null));
  const [wanted, setWanted] = useState("");
  const photo = chosen ?? (begun?.photo && !other ? photoOf(begun.photo) : null); // the page may have been closed meanwhile
  const models = (useStore(all => all.project?.models) ?? []).filter(one => one.model !== "translator");
  const model = chosenModel(models, wanted || begun?.model || "") ?? models[0];
  if (!model) {
    return html`<${EmptyState} icon="face" title="A face is found in a model" action=${html`<${Button} kind="primary" icon="train" href="#/train">Train<//>`}>
      This project has no model that draws faces yet.<//>`;
  }
  return html`<div class="stack">
    ${!photo && html`<${PhotoPicker} label="Drop a photo of a face" onPhoto=${setPhoto}
      hint="JPEG, PNG, WebP or HEIC. It stays on the machine of this studio." />`}
    ${photo && html`<${Chosen} key=${photo.id} photo=${photo} model=${model.id} job=${job} onJob=${onJob} begun=${begun} onOther=${() => { setPhoto(null); setOther(true); onJob(""); }}>
      ${models.length > 1 && html`<${ModelPicker} kind="generator" value=${model.id} onChange=${setWanted} />`}
    <//>`}
  </div>`;
}

/**
 * @param {{photo: Photo, model: string, job: string, onJob: (id: string) => void, onOther: () => void, children?: any,
 *   begun: Record<string, any> | null | undefined}} props
 */
function Chosen({ photo, model, job, onJob, onOther, begun, children }) {
  const search = useJob(job);
  const done = search?.state === "done";
  const begins = !search || search.state === "failed" || search.state === "stopped"; // a search can begin
  const { answer, error: unseen } = useAnswer("/api/photo/faces", { photo: photo.id, model });
  const found = /** @type {FacesFound | null} */ (answer);
  const [face, setFace] = useState(begun?.face ?? 1);
  const [align, setAlign] = useState(begun?.align ?? true);
  const [careful, setCareful] = useState(begun?.preset === "thorough");
  const [tune, setTune] = useState(Boolean(begun?.tune));
  const [error, setError] = useState("");
  const { labels: names = [], default_labels: usual = [] } = useAnswer(`/api/models/${encodeURIComponent(model)}`).answer ?? {};
  const [labels, setLabels] = useState({ model: begun?.model, text: begun?.labels ?? "" });
  const told = labels.model === model && names.length ? labels.text : "";
  useEffect(() => { if (done) navigate("photo", job); }, [done, job]);
  const usable = found && (found.faces.length > 0 || found.whole || !align);
  const settings = usable ? { photo: photo.id, model, face, preset: careful ? "thorough" : "quick", tune, align, ...(told ? { labels: told } : {}) } : null;
  const start = () => settings && startJob("invert", settings).then(made => onJob(made.id), problem => setError(problem.message));
  const crop = found?.faces.find(one => one.number === face)?.crop ?? found?.whole;
  return html`<div class="two-columns">
    <section class="stack" aria-label="The photo">
      <${FaceBoxes} src=${photo.src} name=${photo.name} faces=${found?.faces ?? []} chosen=${face} onChoose=${setFace} />
      <div class="row"><span class="soft small">${photo.name}</span><${Button} small icon="photos" onClick=${onOther}>Another photo<//></div>
    </section>
    <section class="stack" aria-label="The face">
      ${!found && !unseen && html`<p class="row to-the-left"><${Spinner} label="Looking for faces" /> <span>Looking for faces …</span></p>`}
      ${found && html`<${FoundFaces} found=${found} face=${face} onFace=${setFace} align=${align} onAlign=${setAlign} name=${photo.name} />`}
      <${ErrorLine} error=${unseen || error} />
      ${(unseen || usable) && begins && children}
      ${usable && begins && names.length > 0 && html`<p class="soft small">This model draws what it is told. Say what the face in the photo shows:</p>
        <${LabelChoice} names=${names} values=${readLabels(names, usual, told)} onChange=${(/** @type {number[]} */ now) => setLabels({ model, text: labelsOf({ labels: names }, now) })} />`}
      ${usable && begins && html`<${Switch} label="Search longer" checked=${careful} onChange=${setCareful} hint="Six times the steps from four starts: closer to the photo, but minutes instead of seconds." />
        <${Switch} label="Adapt the model to this photo" checked=${tune} onChange=${setTune} hint="Changes the model a little so that it draws this very face; it takes about a minute more." />
        <div class="actions"><${Button} kind="primary" icon="search" onClick=${start}>Find this face in the model<//></div>`}
      ${job && html`<${LiveJob} id=${job} alt="The face that was found so far" start=${crop && `data:image/png;base64,${crop}`} onAgain=${start} />`}
      ${settings && html`<${CommandBox} action="invert" settings=${settings} onError=${setError} />`}
    </section></div>`;
}

/** @param {{found: FacesFound, face: number, onFace: (n: number) => void, align: boolean, onAlign: (yes: boolean) => void, name: string}} props */
function FoundFaces({ found, face, onFace, align, onAlign, name }) {
  if (found.whole) return html`<p>This model knows pictures of any kind, so the whole picture is taken:</p><img class="face-picture crop-picture" src="data:image/png;base64,${found.whole}" alt="The picture as the model sees it" />`;
  if (!found.faces.length) {
    return html`<${ErrorLine} error=${align ? `No face was found in ${name}${found.why && found.why !== "no face" ? ` (${found.why})` : ""}. Choose another photo, or take the picture as it is.` : null} />
      <${Switch} label="Take the picture as it is" checked=${!align} onChange=${(/** @type {boolean} */ yes) => onAlign(!yes)} hint="It is resized to the model's size without a look at what it shows." />`;
  }
  if (found.faces.length === 1) return html`<p>One face was found. The model sees it so:</p><img class="face-picture crop-picture" src="data:image/png;base64,${found.faces[0]?.crop}" alt="The face as the model sees it" />`;
  return html`<p>${found.faces.length} faces were found. Choose one, here or in the photo:</p>
    <div class="sample-row" role="group" aria-label="Faces">${found.faces.map(({ number, crop }) => html`<button type="button" key=${number} class="sample large" aria-pressed=${number === face}
      aria-label="Choose face ${number}" onClick=${() => onFace(number)}><img src="data:image/png;base64,${crop}" alt="" /></button>`)}</div>`;
}

