// Photos that somebody brought: faces being found, what is left out, what is cut, and the dataset that is saved.
import { get, put } from "../api.js";
import { html, useEffect, useMemo, useRef, useState } from "../html.js";
import { againJob, isActive, startJob, stopJob, useEvents, useStore } from "../store.js";
import { Button, DropZone, EmptyState, ErrorLine, Progress, Tabs, toastError } from "../ui.js";
import { counted, nameOfDataset, waitText } from "../words.js";
import { BringingState, useBringing } from "./bring.js";
import { useDatasetOf } from "./dataset.js";
import { canBeKept, decided, isDropped, isKept, nameOf, putBack } from "./decisions.js";
import { Faces, Rejects, keyOf } from "./gallery.js";
import { PhotoDialog } from "./photo.js";
import { useListing } from "./places.js";
import { CropSettings, SaveSettings, cropOf } from "./settings.js";

/** @typedef {import("./decisions.js").Decision} Decision */
/** @typedef {import("./decisions.js").Reject} Reject */
/** @typedef {import("../store.js").Job} Job */

const NEWEST = 60;
const SAMPLES = 4;
const THUMBNAIL = 96; // px, of the crops in events

/** What has been decided about a set's pictures, kept by the server. @param {string} id */
function useDecisions(id) {
  const [decisions, setDecisions] = useState(/** @type {Decision[]} */ ([]));
  const [version, setVersion] = useState(0);
  const writing = useRef(Promise.resolve());
  useEffect(() => {
    get(`/api/photos/${encodeURIComponent(id)}/review`).then(found => setDecisions(found.decisions), toastError);
  }, [id]);
  const change = (/** @type {Decision[]} */ next) => {
    setDecisions(next);
    writing.current = writing.current.then(() => put(`/api/photos/${encodeURIComponent(id)}/review`, { decisions: next }))
      .then(() => setVersion(one => one + 1), toastError);
  };
  return { decisions, change, version, written: () => writing.current };
}

/** Return the newest job that looks for faces in a set, and the newest that saves it. @param {string} id */
function useJobs(id) {
  const jobs = useStore(state => state.jobs);
  return useMemo(() => {
    const own = jobs.filter(job => job.action === "prepare" && job.settings?.photos === id);
    return { look: own.find(job => !job.settings?.name), save: own.find(job => job.settings?.name) };
  }, [jobs, id]);
}

/** @param {{id: string}} props */
export function SetPage({ id }) {
  const ready = useStore(state => state.project !== null);
  const names = useStore(state => state.project?.datasets) ?? [];
  const jobs = useJobs(id);
  const { look } = jobs;
  const events = useEvents(look?.id ?? "");
  const saving = jobs.save && isActive(jobs.save) ? jobs.save : null;
  const seen = useRef(""); // the newest job that saved while somebody looked
  if (saving) seen.current = saving.id;
  useDatasetOf(jobs.save, seen.current);
  const [started, setStarted] = useState("");
  const [crop, setCrop] = useState(() => cropOf(look?.settings));
  const [tab, setTab] = useState("faces");
  const [open, setOpen] = useState("");
  const [files, setFiles] = useState(-1);
  const { decisions, change, version, written } = useDecisions(id);
  const working = look !== undefined && isActive(look);
  const looked = look && !working ? cropOf(look.settings) : null;
  const { listing, error, more, showMore } = useListing("sets", look?.state === "done" && look.result?.nothing === undefined ? id : "", {}, look?.id);
  const bringing = useBringing({ into: id, onBrought: () => void begin(crop) });
  const begin = async (/** @type {typeof crop} */ settings) => {
    await written();
    await startJob("prepare", { photos: id, ...settings }).catch(toastError);
  };
  useEffect(() => {
    get("/api/photos").then(found => {
      const own = found.sets.find((/** @type {{id: string}} */ one) => one.id === id);
      setFiles(own ? own.files : 0);
    }, toastError);
  }, [id, look?.id]);
  useEffect(() => { // photos that nobody has looked at yet
    if (ready && files > 0 && !look && !started) { setStarted(id); void begin(crop); }
  }, [ready, files, look]);
  useEffect(() => { if (look) setCrop(cropOf(look.settings)); }, [look?.id]);
  const found = useMemo(() => /** @type {any[]} */ (events.filter(event => event.kind === "found")), [events]);
  const rows = listing?.rows ?? [];
  const known = useMemo(() => new Map(looked && looked.size <= THUMBNAIL && !working ? found.filter(one => one.crop).map(one => [keyOf(one), one.crop]) : []),
    [found, working]);
  const rejects = /** @type {Reject[]} */ (listing?.rejects ?? (working ? [] : found.filter(one => one.reason)));
  const decide = (/** @type {any} */ face, /** @type {boolean | null} */ keep) => change(decided(decisions, face, keep));
  const dropped = rows.filter(row => isDropped(decisions, row)).length;
  const back = putBack(decisions, { rows: [...rows, ...found.filter(one => one.crop)], rejects });
  const count = (listing?.total ?? 0) - dropped + back.length;
  const shown = rows.length ? rows : listing || look?.result?.nothing ? rejects.filter(canBeKept) : []; // faces are cut first
  const samples = useMemo(() => [...new Set(shown.map(one => one.source))].slice(0, SAMPLES), [listing, look?.result, rejects.length]);
  if (files === 0) {
    return html`<h1>Photos</h1><${EmptyState} icon="photos" title="These photos are not here" action=${html`<${Button} href="#/photos">All photos<//>`}>
      They may have been deleted. Drop them again.<//>`;
  }
  return html`<${Head} id=${id} files=${files} />
    <${BringingState} ...${bringing} />
    ${look && working && html`<${Watch} job=${look} found=${found} />`}
    ${look?.state === "failed" && html`<${ErrorLine} error=${look.error ?? ""} retry="Look again" onRetry=${() => begin(crop)} />`}
    ${look?.state === "stopped" && html`<div class="card row"><span>Stopped. What was found is kept.</span>
      <${Button} small icon="play" onClick=${() => againJob(look.id).catch(toastError)}>Go on<//></div>`}
    ${saving && html`<${Watch} job=${saving} found=${[]} />`}
    ${jobs.save?.state === "failed" && !saving && html`<${ErrorLine} error=${jobs.save.error ?? ""} />`}
    <${ErrorLine} error=${error} />
    ${!working && look && html`<div class="photos-page"><div>
      <div class="row"><${Tabs} label="What is shown" value=${tab} onChange=${setTab} panelId="photos-panel"
        tabs=${[{ id: "faces", label: `Faces ${count}` }, { id: "rejects", label: `Left out ${rejects.filter(one => !isKept(decisions, one)).length}` }]} />
        <span class="to-save"><${Button} small icon="down" onClick=${() => document.getElementById("save-photos")?.scrollIntoView()}>To saving<//></span></div>
      <div id="photos-panel" role="tabpanel" aria-label=${tab === "faces" ? "Faces" : "Left out"}>
        ${look.result?.nothing && tab === "faces" && back.length === 0 && html`<${EmptyState} icon="face" title="No face is taken yet"
          action=${html`<${Button} onClick=${() => setTab("rejects")}>See what was left out<//>`}>${look.result.nothing[0].toUpperCase() + look.result.nothing.slice(1)}.<//>`}
        ${tab === "faces" ? html`<${Faces} kind="sets" id=${id} hash=${listing?.hash ?? ""} rows=${rows} back=${back} decisions=${decisions} crop=${crop} known=${known} onDecide=${decide}
            onOpen=${setOpen} />${more && html`<p><${Button} onClick=${showMore}>Show more of ${listing?.matching}<//></p>`}`
          : html`<${Rejects} kind="sets" id=${id} rejects=${rejects} decisions=${decisions} onDecide=${decide} onOpen=${setOpen} />`}
      </div></div>
      <aside class="stack">
        <${SaveSettings} photos=${id} crop=${crop} count=${count} taken=${names.map(one => nameOfDataset(one))} busy=${Boolean(saving)} version=${version}
          onSave=${async (/** @type {any} */ settings) => { await written(); await startJob("prepare", settings).catch(toastError); }} />
        <${CropSettings} crop=${crop} used=${looked} onChange=${setCrop} onLook=${() => begin(crop)} busy=${working} kind="sets" id=${id} samples=${samples} />
        <${DropZone} label="Add photos" multiple folders onFiles=${bringing.begin} />
      </aside></div>`}
    ${open && html`<${PhotoDialog} kind="sets" id=${id} source=${open} crop=${crop} decisions=${decisions} onDecide=${decide} onClose=${() => setOpen("")} />`}`;
}

/** @param {{id: string, files: number}} props */
function Head({ id, files }) {
  return html`<div class="row"><h1>${id}</h1><${Button} kind="quiet" icon="back" href="#/photos">All photos and datasets<//></div>
    <p class="lead">${files > 0 ? `${counted(files, "file")}. ` : ""}Look through the faces, put back what was left out by mistake, and save them as a dataset.</p>`;
}

/** Faces being found. @param {{job: Job, found: any[]}} props */
function Watch({ job, found }) {
  const faces = found.filter(one => one.crop);
  const left = found.length - faces.length;
  return html`<section class="card stack watch" aria-label="At work"><div aria-live="polite">
      <${Progress} label=${job.state === "queued" ? waitText(job) : job.progress?.what ?? "Starting"} done=${job.progress?.done} total=${job.progress?.total}
        note=${job.progress?.total ? `${job.progress.done} of ${job.progress.total}` : ""} />
      ${found.length > 0 && html`<p class="soft small numbers">${counted(faces.length, "face")}, ${left} left out</p>`}</div>
    ${faces.length > 0 && html`<ul class="faces small-faces" aria-label="The newest faces">${faces.slice(-NEWEST).reverse().map(one => html`
      <li key=${one.n} class="face"><img src=${one.crop} alt="Face of ${nameOf(one.source)}" /></li>`)}</ul>`}
    <div class="actions"><${Button} small icon="stop" onClick=${() => stopJob(job.id).catch(toastError)}>Stop<//></div></section>`;
}
