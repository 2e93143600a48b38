// A photo of one's own: dropped, chosen, taken by the camera, or one of the package's samples.
import { del, get, upload } from "../api.js";
import { html, useEffect, useRef, useState } from "../html.js";
import { Button, Dialog, DropZone, ErrorLine, Progress } from "../ui.js";
import { percent } from "../words.js";

/**
 * @typedef {object} Photo
 * @property {string} id an upload's id, or sample:NAME
 * @property {string} name
 * @property {string} src the address of its picture
 */

/** @param {string} name @returns {Photo} */
export const samplePhoto = name => ({ id: `sample:${name}`, name, src: `/api/samples/${encodeURIComponent(name)}` });

/** Return the photo of an id that an address or a result kept. @param {string} id @param {string} [name] @returns {Photo} */
export const photoOf = (id, name = "photo") =>
  id.startsWith("sample:") ? samplePhoto(id.slice(7)) : { id, name, src: `/api/uploads/${encodeURIComponent(id)}` };

/** @type {Promise<{photos: string[], styles: string[]}> | null} */
let asked = null;

/** Return the names of the package's sample photos and styles. */
export function useSamples() {
  const [samples, setSamples] = useState({ photos: /** @type {string[]} */ ([]), styles: /** @type {string[]} */ ([]) });
  useEffect(() => {
    asked ??= get("/api/samples").catch(() => { asked = null; return { photos: [], styles: [] }; });
    void asked?.then(setSamples);
  }, []);
  return samples;
}

/**
 * Send a file; a picture comes back as a Photo, anything else as an error in one sentence.
 * @param {File | Blob} file
 * @param {(share: number) => void} onShare
 * @param {string} [name]
 * @returns {Promise<Photo>}
 */
export async function sendPhoto(file, onShare, name) {
  const sent = await upload(file, onShare, name ? { name } : {});
  if (sent.kind === "picture") return photoOf(sent.id, sent.name);
  del(`/api/uploads/${sent.id}`).catch(() => {}); // nobody can use it
  throw new Error(`${sent.name} is no picture; choose a JPEG, PNG, WebP or HEIC file.`);
}

/**
 * A place for one photo, with a camera and samples beside it.
 * @param {{label: string, hint?: any, onPhoto: (photo: Photo) => void, styles?: boolean, compact?: boolean, samples?: boolean}} props
 */
export function PhotoPicker({ label, hint, onPhoto, styles = false, compact = false, samples = true }) {
  const known = useSamples();
  const [share, setShare] = useState(-1);
  const [error, setError] = useState("");
  const [camera, setCamera] = useState(false);
  const take = async (/** @type {File | Blob} */ file, /** @type {string} */ name = "") => {
    setError("");
    setShare(0);
    try {
      onPhoto(await sendPhoto(file, setShare, name));
    } catch (problem) {
      setError(/** @type {Error} */ (problem).message);
    }
    setShare(-1);
  };
  const names = styles ? known.styles : known.photos;
  return html`<div class="picker ${compact ? "compact" : ""}">
    <${DropZone} label=${label} hint=${hint} accept="image/*,.heic,.heif,.avif" onFiles=${(/** @type {File[]} */ [file]) => file && take(file)}>
      ${!styles && html`<${Button} icon="camera" onClick=${() => setCamera(true)}>Camera<//>`}
    <//>
    ${share >= 0 && html`<${Progress} label="Sending to this studio" done=${Math.round(100 * share)} total=${100} note=${percent(share)} />`}
    <${ErrorLine} error=${error} />
    ${samples && names.length > 0 && html`<div class="sample-row"><span class="soft small">${styles ? "Or a style of the package:" : "Or try with:"}</span>
      ${names.map(name => html`<button type="button" key=${name} class="sample" aria-label="Use the sample ${name}" title=${name}
        onClick=${() => { setError(""); onPhoto(samplePhoto(name)); }}><img src=${samplePhoto(name).src} alt="" loading="lazy" /></button>`)}</div>`}
    <${Camera} open=${camera} onClose=${() => setCamera(false)} onTaken=${(/** @type {Blob} */ blob) => { setCamera(false); void take(blob, "camera.png"); }} />
  </div>`;
}

const NO_CAMERA = "This browser gives no camera to this address: it wants https, or the address localhost. Choose a photo instead.";

/** Why the camera cannot be used. @param {unknown} error */
function cameraError(error) {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError") return "The camera was not allowed. Allow it in the browser, or choose a photo instead.";
  if (name === "NotFoundError") return "No camera was found. Choose a photo instead.";
  return `The camera cannot be used (${error instanceof Error ? error.message : error}). Choose a photo instead.`;
}

/**
 * The camera, asked for when the window opens. Its picture goes to this studio's machine alone.
 * @param {{open: boolean, onClose: () => void, onTaken: (blob: Blob) => void}} props
 */
function Camera({ open, onClose, onTaken }) {
  const video = useRef(/** @type {HTMLVideoElement | null} */ (null));
  const [error, setError] = useState("");
  const [ready, setReady] = useState(false);
  useEffect(() => {
    if (!open) return undefined;
    /** @type {MediaStream | null} */
    let stream = null;
    let gone = false;
    setError("");
    setReady(false);
    const begin = async () => {
      if (!navigator.mediaDevices?.getUserMedia) throw new Error(NO_CAMERA);
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user", width: { ideal: 1280 } } });
      if (gone || !video.current) return stop();
      video.current.srcObject = stream;
      await video.current.play();
      setReady(true);
    };
    const stop = () => stream?.getTracks().forEach(track => track.stop());
    begin().catch(problem => setError(problem instanceof Error && problem.message === NO_CAMERA ? NO_CAMERA : cameraError(problem)));
    return () => { gone = true; stop(); };
  }, [open]);
  const take = () => {
    const film = video.current;
    if (!film) return;
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: film.videoWidth, height: film.videoHeight });
    canvas.getContext("2d")?.drawImage(film, 0, 0);
    canvas.toBlob(blob => blob && onTaken(blob), "image/png");
  };
  return html`<${Dialog} title="Camera" open=${open} onClose=${onClose}
    actions=${html`<${Button} onClick=${onClose}>Cancel<//><${Button} kind="primary" icon="camera" disabled=${!ready} onClick=${take}>Take the photo<//>`}>
    <${ErrorLine} error=${error} />
    <video class="camera" ref=${video} muted playsinline aria-label="What the camera sees" hidden=${Boolean(error)}></video>
    <p class="soft small">The picture goes to the machine on which this studio runs, and nowhere else.</p>
  <//>`;
}
