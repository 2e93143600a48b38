// Bringing photos: several at once, with progress; what cannot be brought is told and left out.
import { del, post, upload } from "../api.js";
import { html, useRef, useState } from "../html.js";
import { Button, ErrorLine, Progress, toastError } from "../ui.js";

const AT_ONCE = 4;
const NO_ROOM = /disk is nearly full|cannot be stored|all files together|files are here already/; // of uploads.py
const JUNK = /(^|\/)(\.[^/]*|__MACOSX\/.*|Thumbs\.db|desktop\.ini)$/i;

/** @typedef {{name: string, error: string, count?: number}} Refused count: of how many files it tells */
/**
 * @typedef {object} Bringing
 * @property {number} done files
 * @property {number} total files
 * @property {number} bytes that have been sent
 * @property {number} allBytes
 * @property {Refused[]} refused
 */

/** Return the path of a file in what was dropped or chosen. @param {File} file */
const pathOf = file => file.webkitRelativePath || file.name;

/**
 * Send files, at most AT_ONCE at a time, and return the uploads and what was refused.
 * @param {File[]} files
 * @param {(state: Bringing) => void} onState
 * @param {AbortSignal} signal
 */
async function bring(files, onState, signal) {
  const wanted = files.filter(file => !JUNK.test(pathOf(file)));
  const state = { done: 0, total: wanted.length, bytes: 0, allBytes: wanted.reduce((sum, file) => sum + file.size, 0), refused: /** @type {Refused[]} */ ([]) };
  /** @type {Array<{id: string, path: string} | null>} */
  const brought = wanted.map(() => null);
  let next = 0;
  let told = 0;
  const tell = (/** @type {boolean} */ always) => {
    if (!always && performance.now() - told < 100) return;
    told = performance.now();
    onState({ ...state, refused: [...state.refused] });
  };
  const work = async () => {
    while (next < wanted.length && !signal.aborted) {
      const number = next++;
      const file = /** @type {File} */ (wanted[number]);
      let sent = 0;
      const progress = (/** @type {number} */ share) => { state.bytes += share * file.size - sent; sent = share * file.size; tell(false); };
      try {
        const { id } = await upload(file, progress, { name: pathOf(file), signal });
        brought[number] = { id, path: pathOf(file) };
      } catch (error) {
        if (signal.aborted) return;
        const { message, status } = /** @type {import("../api.js").ApiError} */ (error);
        if (status === 0 || status === 401) throw error; // no other file will fare better
        if (NO_ROOM.test(message)) next = wanted.length; // those that are here go on
        state.refused.push({ name: pathOf(file), error: message });
      }
      progress(1);
      state.done += 1;
      tell(true);
    }
  };
  tell(true);
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { files: brought.filter(one => one !== null), refused: state.refused, wanted: wanted.length };
}

/** @type {Map<string, Refused[]>} What was refused of a set of photos, until somebody has read it. */
const unread = new Map();

/**
 * What a view needs to bring photos: whether it goes on, and how to begin.
 * @param {{into: string, onBrought: (set: {id: string}) => void}} props the set that they go into, or ""
 */
export function useBringing({ into, onBrought }) {
  const [state, setState] = useState(/** @type {Bringing | null} */ (null));
  const [refused, setRefused] = useState(() => unread.get(into) ?? []);
  const control = useRef(/** @type {AbortController | null} */ (null));
  const begin = async (/** @type {File[]} */ files) => {
    if (control.current) return;
    control.current = new AbortController();
    setRefused([]);
    try {
      const { signal } = control.current;
      const found = await bring(files, setState, signal);
      if (signal.aborted) {
        for (const { id } of found.files) void del(`/api/uploads/${id}`).catch(toastError);
        return;
      }
      const left = found.wanted - found.files.length - found.refused.length;
      if (left > 0) found.refused.push({ name: `${left} more`, error: "not sent any more", count: left });
      setRefused(found.refused);
      if (!found.files.length) return;
      const set = await post("/api/photos", { files: found.files, into });
      unread.set(set.id, [...found.refused, ...set.refused]);
      setRefused(unread.get(set.id) ?? []);
      onBrought(set);
    } catch (error) {
      toastError(error);
    } finally {
      control.current = null;
      setState(null);
    }
  };
  return { bringing: state, refused, begin, stop: () => control.current?.abort(), forget: () => { unread.delete(into); setRefused([]); } };
}

/** How far bringing is, and what was refused. @param {ReturnType<typeof useBringing>} props */
export function BringingState({ bringing, refused, stop, forget }) {
  const share = bringing && bringing.allBytes ? Math.round(100 * Math.min(1, bringing.bytes / bringing.allBytes)) : 0;
  return html`${bringing && html`<div class="card bringing" aria-live="polite">
      <${Progress} label="Bringing photos" done=${bringing.bytes} total=${bringing.allBytes || 1}
        note="${bringing.done} of ${bringing.total} files, ${share}%" />
      <div class="actions"><${Button} small icon="stop" onClick=${stop}>Stop<//></div></div>`}
    ${refused.length > 0 && html`<div class="stack refused">
      <${ErrorLine} error=${refused.length === 1 ? `${refused[0]?.name}: ${refused[0]?.error}.` : `${refused.reduce((sum, one) => sum + (one.count ?? 1), 0)} files could not be used; the others are here.`}
        retry="Close" onRetry=${forget} />
      ${refused.length > 1 && html`<ul class="small">${refused.slice(0, 20).map(one => html`<li key=${one.name}><b>${one.name}</b>: ${one.error}</li>`)}
        ${refused.length > 20 && html`<li>and ${refused.length - 20} more</li>`}</ul>`}</div>`}`;
}
