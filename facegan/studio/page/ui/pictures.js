// Pictures, and the place where people drop theirs.
import { html, useId, useRef, useState } from "../html.js";
import { Icon } from "../icons.js";
import { Button } from "./controls.js";
import { toast } from "./toasts.js";

/** @typedef {import("../html.js").Children} Children */

const UNREADABLE = "The browser cannot read something in what was dropped. Drop it again, or choose the files instead.";

/**
 * A picture with its caption. Faces are never drawn as blocks: the browser smooths them.
 * @param {{src: string, alt: string, caption?: Children, size?: number, onClick?: () => void, selected?: boolean,
 *   children?: Children, draggable?: boolean, [rest: string]: any}} props
 */
export function Picture({ src, alt, caption, size, onClick, selected, children, ...rest }) {
  const image = html`<img src=${src} alt=${alt} loading="lazy" decoding="async" width=${size} height=${size} />`;
  return html`<figure class="picture ${selected ? "selected" : ""}" ...${rest}>
    ${onClick ? html`<button type="button" class="open" aria-pressed=${selected} aria-label=${alt} onClick=${onClick}>${image}</button>` : image}
    ${children}
    ${caption && html`<figcaption>${caption}</figcaption>`}
  </figure>`;
}

/**
 * Pictures in a grid; arrow keys move between those that can be chosen.
 * @param {{items: Array<{id: string, src: string, alt: string, caption?: Children}>, selected?: string[],
 *   onSelect?: (id: string) => void, min?: number, label: string}} props
 */
export function PictureGrid({ items, selected = [], onSelect, min = 128, label }) {
  const grid = useRef(/** @type {HTMLElement | null} */ (null));
  const move = (/** @type {KeyboardEvent} */ event) => {
    const buttons = /** @type {HTMLElement[]} */ ([...(grid.current?.querySelectorAll("button.open") ?? [])]);
    const at = buttons.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    if (at < 0) return;
    const top = buttons[0]?.getBoundingClientRect().top;
    const columns = buttons.filter(button => button.getBoundingClientRect().top === top).length;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    if (!step || !buttons[at + step]) return;
    event.preventDefault();
    buttons[at + step]?.focus();
  };
  return html`<ul class="grid" ref=${grid} aria-label=${label} style=${{ "--min": `${min}px` }} onKeyDown=${move}>
    ${items.map(item => html`<li key=${item.id}><${Picture} src=${item.src} alt=${item.alt} caption=${item.caption}
      selected=${selected.includes(item.id)} ...${onSelect ? { onClick: () => onSelect(item.id) } : {}} /></li>`)}
  </ul>`;
}

/**
 * Return the files of a drop, also those inside of folders, with their paths as names.
 * @param {DataTransfer} transfer
 * @returns {Promise<File[]>}
 */
export async function droppedFiles(transfer) {
  const entries = [...transfer.items].map(item => item.webkitGetAsEntry?.()).filter(entry => entry != null);
  if (!entries.some(entry => entry.isDirectory)) return [...transfer.files];
  /** @type {File[]} */
  const found = [];
  /** @param {any} entry @param {string} path */
  const walk = async (entry, path) => {
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      found.push(new File([file], path + file.name, { type: file.type }));
      return;
    }
    const reader = entry.createReader();
    for (;;) { // a reader gives its entries in pieces of a hundred
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!some.length) return;
      for (const inner of some) await walk(inner, `${path}${entry.name}/`);
    }
  };
  for (const entry of entries) await walk(entry, "");
  return found;
}

/**
 * A place for files: drop them, or press it and choose.
 * @param {{label: string, hint?: Children, accept?: string, multiple?: boolean, folders?: boolean, disabled?: boolean,
 *   onFiles: (files: File[]) => void, children?: Children}} props
 */
export function DropZone({ label, hint, accept, multiple, folders, disabled, onFiles, children }) {
  const id = useId();
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const folder = useRef(/** @type {HTMLInputElement | null} */ (null));
  const [over, setOver] = useState(false);
  const give = (/** @type {File[]} */ files) => { if (files.length && !disabled) onFiles(multiple ? files : files.slice(0, 1)); };
  const chosen = (/** @type {any} */ event) => { give([...event.target.files]); event.target.value = ""; };
  const drop = async (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    event.stopPropagation();
    setOver(false);
    if (event.dataTransfer) await droppedFiles(event.dataTransfer).then(give, () => toast(UNREADABLE, { kind: "bad" }));
  };
  return html`<div class="dropzone ${over ? "over" : ""}" data-dropzone role="group" aria-labelledby=${id} onDrop=${drop}
    onDragOver=${(/** @type {DragEvent} */ event) => { event.preventDefault(); setOver(true); }} onDragLeave=${() => setOver(false)}>
    <${Icon} name="upload" size=${28} />
    <p id=${id}><b>${label}</b></p>
    ${hint && html`<p class="soft small">${hint}</p>`}
    <div class="actions">
      <${Button} disabled=${disabled} onClick=${() => input.current?.click()}>${multiple ? "Choose files" : "Choose a file"}<//>
      ${folders && html`<${Button} disabled=${disabled} onClick=${() => folder.current?.click()}>Choose a folder<//>`}
      ${children}
    </div>
    <input ref=${input} type="file" hidden accept=${accept} multiple=${multiple} onChange=${chosen} aria-label=${label} />
    ${folders && html`<input ref=${folder} type="file" hidden webkitdirectory multiple onChange=${chosen} aria-label="${label}: a folder" />`}
  </div>`;
}
