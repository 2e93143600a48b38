// Faces and rejects, as grids.
import { html, useState } from "../html.js";
import { Button, EmptyState, Icon, IconButton } from "../ui.js";
import { LEFT_OUT, canBeKept, isDropped, isKept, nameOf, plainReason } from "./decisions.js";
import { cropAddress, cutPath, photoAddress, useAnswered } from "./places.js";

/** @typedef {import("./decisions.js").Decision} Decision */
/** @typedef {import("./decisions.js").Row} Row */
/** @typedef {import("./decisions.js").Reject} Reject */
/** @typedef {import("./places.js").Kind} Kind */
/** @typedef {(face: {source: string, box?: import("./decisions.js").Box | null}, keep: boolean | null) => void} Decide */

/**
 * A crop that the server cuts for this page.
 * @param {{kind: Kind, id: string, source: string, box: any, crop: Record<string, any>, alt: string,
 *   keep?: boolean}} props keep: take the whole picture where no face is found
 */
export function Cut({ kind, id, source, box, crop, alt, keep = false }) {
  const { src, error } = useAnswered(cutPath(kind, id), { source, crop, keep, ...(box ? { box } : {}) });
  if (error) return html`<span class="no-picture" title=${error}><${Icon} name="alert" /><span class="hidden-text">${error}</span></span>`;
  return src ? html`<img src=${src} alt=${alt} />` : html`<span class="no-picture" aria-hidden="true"></span>`;
}

/** @param {{src: string, alt: string}} props */
function Shown({ src, alt }) {
  const [failed, setFailed] = useState(false);
  if (failed) return html`<span class="no-picture"><${Icon} name="photos" size=${28} /></span>`;
  return html`<img src=${src} alt=${alt} loading="lazy" decoding="async" onError=${() => setFailed(true)} />`;
}

/** Return what tells a face from all others. @param {{source: string, box?: import("./decisions.js").Box | null}} face */
export const keyOf = face => `${face.source} ${face.box ?? ""}`;

/**
 * The faces that were found, and those that are put back.
 * @param {{kind: Kind, id: string, hash: string, rows: Row[], back: Decision[], decisions: Decision[], crop: Record<string, any>,
 *   onDecide: Decide | null, onOpen: (source: string, row: Row | null) => void, caption?: (row: Row) => any,
 *   known?: Map<string, string>}} props known: crops that are here already, by keyOf
 */
export function Faces({ kind, id, hash, rows, back, decisions, crop, onDecide, onOpen, caption, known }) {
  const counts = new Map();
  for (const row of rows) counts.set(row.source, (counts.get(row.source) ?? 0) + 1);
  return html`<ul class="faces" aria-label="Faces">
    ${back.map(face => html`<li key="back ${face.source} ${face.box}" class="face back">
      <button type="button" class="open" aria-label="Open the photo of ${nameOf(face.source)}" onClick=${() => onOpen(face.source, null)}>
        <${Cut} kind=${kind} id=${id} source=${face.source} box=${face.box} crop=${crop} alt="" keep /></button>
      <span class="tag good">put back</span>
      <${IconButton} icon="undo" label="Leave out ${nameOf(face.source)} again" onClick=${() => onDecide?.(face, null)} />
    </li>`)}
    ${rows.map(row => {
      const dropped = onDecide !== null && isDropped(decisions, row);
      const name = nameOf(row.source);
      const several = counts.get(row.source);
      return html`<li key="${row.split} ${row.n}" class="face ${dropped ? "dropped" : ""}">
        <button type="button" class="open" aria-label="Open ${name}" onClick=${() => onOpen(row.source, row)}>
          <img src=${known?.get(keyOf(row)) ?? cropAddress(kind, id, row, hash)} alt="Face of ${name}" loading="lazy" decoding="async" /></button>
        ${dropped ? html`<span class="tag bad">taken out</span>` : several > 1 && html`<span class="tag">${several} faces</span>`}
        ${onDecide && html`<${IconButton} icon=${dropped ? "undo" : "close"} label=${dropped ? `Put ${name} back` : `Take out ${name}`}
          onClick=${() => onDecide(row, dropped ? null : false)} />`}
        ${caption && html`<p class="caption">${caption(row)}</p>`}
      </li>`;
    })}
  </ul>`;
}

/** @type {Record<string, string>} What a reason means, and what helps. */
const MEANINGS = {
  "no face": "The detector sees no face. Take the whole picture, or open the photo and draw a box.",
  "low confidence": "The detector is not sure that this is a face.",
  "face too small": "The face has fewer pixels than the settings ask for.",
  "no landmarks": "Eyes, nose and mouth were not found, so the face cannot be aligned.",
  blurred: "The crop is less sharp than the settings ask for.",
  "exact duplicate": "The same picture is here already.",
  "near duplicate": "Nearly the same picture is here already.",
  "not an image file": "This is no picture.",
  "not an image": "This is no picture, whatever its name says.",
  truncated: "The file ends early: was it copied completely?",
  "too many pixels": "The photo has more than 80 million pixels. Make it smaller and drop it again.",
  [LEFT_OUT]: "You took these out.",
};

/**
 * The rejects, by their reasons.
 * @param {{kind: Kind, id: string, rejects: Reject[], decisions: Decision[], onDecide: Decide | null,
 *   onOpen: (source: string, row: Row | null) => void}} props
 */
export function Rejects({ kind, id, rejects, decisions, onDecide, onOpen }) {
  const open = rejects.filter(reject => !isKept(decisions, reject));
  const back = rejects.length - open.length;
  /** @type {Map<string, Reject[]>} */
  const groups = new Map();
  for (const reject of open) {
    const reason = plainReason(reject.reason);
    groups.set(reason, [...(groups.get(reason) ?? []), reject]);
  }
  if (!open.length) {
    return html`<${EmptyState} icon="check" title="Nothing is left out">
      ${back ? `${back} ${back === 1 ? "picture is" : "pictures are"} put back.` : "Every picture gave a face."}<//>`;
  }
  return html`<div class="stack">${[...groups].sort((a, b) => b[1].length - a[1].length).map(([reason, some]) => html`
    <section key=${reason} class="reason"><h2>${reason} <span class="soft numbers">${some.length}</span></h2>
      <p class="soft small">${MEANINGS[reason] ?? MEANINGS[reason.split(" (")[0] ?? ""] ?? ""}</p>
      <${RejectCards} ...${{ kind, id, rejects: some, onDecide, onOpen }} /></section>`)}</div>`;
}

const FIRST = 24;

/** @param {{kind: Kind, id: string, rejects: Reject[], onDecide: Decide | null, onOpen: (source: string, row: Row | null) => void}} props */
function RejectCards({ kind, id, rejects, onDecide, onOpen }) {
  const [shown, setShown] = useState(FIRST);
  return html`<ul class="rejects">${rejects.slice(0, shown).map((reject, number) => {
      const name = nameOf(reject.source);
      const usable = canBeKept(reject);
      return html`<li key="${reject.source} ${reject.box} ${number}" class="reject">
        ${usable ? html`<button type="button" class="open" aria-label="Open ${name}" onClick=${() => onOpen(reject.source, null)}>
          <${Shown} src=${photoAddress(kind, id, reject.source, 240)} alt="" /></button>` : html`<span class="no-picture"><${Icon} name="alert" size=${28} /></span>`}
        <div><b>${name}</b>
          ${reject.reason.includes(" of ") && html`<span class="soft small">of ${nameOf(reject.reason.split(" of ")[1] ?? "")}</span>`}
          ${reject.confidence != null && html`<span class="soft small numbers">${Math.round(100 * reject.confidence)}% sure</span>`}
          ${onDecide && usable && html`<${Button} small onClick=${() => onDecide(reject, true)}
            aria-label="${reject.box ? "Take this face anyway" : "Take it anyway"}: ${name}">Take it anyway<//>`}</div>
      </li>`;
    })}</ul>
    ${rejects.length > shown && html`<${Button} small onClick=${() => setShown(shown + 4 * FIRST)}>Show more<//>`}`;
}
