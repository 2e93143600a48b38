// What was made earlier, to be opened again.
import { html } from "../html.js";
import { fileOf, useResults } from "../results.js";
import { PictureGrid } from "../ui.js";
import { timeText } from "../words.js";

/**
 * @param {{action: string, title: string, onOpen: (id: string) => void, caption?: (result: import("../store.js").Item) => string}} props
 */
export function Earlier({ action, title, onOpen, caption = () => "" }) {
  const results = useResults(action);
  if (!results.length) return null;
  return html`<section class="earlier"><h2>${title}</h2><${PictureGrid} label=${title} onSelect=${onOpen}
    items=${results.map(one => ({ id: one.id, src: fileOf(one, "tuned") || fileOf(one, "picture"), alt: `Open what was made ${timeText(one.made)}`, caption: caption(one) }))} /></section>`;
}
