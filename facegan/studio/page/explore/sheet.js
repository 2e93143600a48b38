// Pages of seeds.
import { html, useEffect, useRef, useState } from "../html.js";
import { IconButton } from "../ui.js";
import { Tile, useSession } from "./tiles.js";

const SEEDS = 2 ** 53 - 1;

/** @param {{session: import("./session.js").Session}} props */
export function Sheet({ session }) {
  const first = useSession(session, state => state.first);
  const look = useSession(session, state => state.look);
  const seed = "seed" in look.face.point ? look.face.point.seed : -1;
  const count = matchMedia("(max-width: 860px)").matches ? 20 : 32;
  const grid = useRef(/** @type {HTMLElement | null} */ (null));
  const [wanted, setWanted] = useState("");
  const turn = (/** @type {number} */ to) => session.state.set({ first: Math.max(0, Math.min(SEEDS - count, to)) });
  const show = (/** @type {number} */ to) => {
    if (to < 0 || to > SEEDS) return;
    if (to < first || to >= first + count) turn(to - (to % count));
    session.chooseSeed(to);
  };
  const focus = useRef(false);
  useEffect(() => {
    if (focus.current) /** @type {HTMLElement | null | undefined} */ (grid.current?.querySelector(".selected .face"))?.focus();
    focus.current = false;
  }, [seed, first]);
  const keys = (/** @type {KeyboardEvent} */ event) => {
    const columns = grid.current ? getComputedStyle(grid.current).gridTemplateColumns.split(" ").length : 1;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, PageUp: -count, PageDown: count }[event.key];
    const tile = /** @type {HTMLElement} */ (event.target).closest("[data-seed]");
    if (!step || !(tile instanceof HTMLElement)) return;
    event.preventDefault();
    focus.current = true;
    show(Number(tile.dataset.seed) + step);
  };
  const find = (/** @type {Event} */ event) => {
    event.preventDefault();
    show(Number(wanted));
  };
  const inside = seed >= first && seed < first + count;
  return html`<div class="stack">
    <div class="row">
      <div class="actions"><${IconButton} icon="back" label="Page before" disabled=${first === 0} onClick=${() => turn(first - count)} />
        <span class="numbers" aria-live="polite">Seeds ${first} to ${first + count - 1}</span>
        <${IconButton} icon="forward" label="Next page" onClick=${() => turn(first + count)} /></div>
      <form class="find" onSubmit=${find}><input class="input" inputmode="numeric" required pattern="\\s*[0-9]{1,15}\\s*" title="A seed is a whole number" placeholder="Seed" aria-label="Go to a seed" value=${wanted}
        onInput=${(/** @type {any} */ event) => setWanted(event.target.value)} /><button class="button" type="submit">Go</button></form>
    </div>
    <div class="faces" role="listbox" aria-label="Faces of seeds" ref=${grid} onKeyDown=${keys}>
      ${Array.from({ length: count }, (_, i) => first + i).map((number, i) => html`<${Tile} key=${number} session=${session} face=${{ point: { seed: number } }}
        look=${{ ...look, face: { point: { seed: number } } }} role="option" selected=${number === seed} caption=${number} label="Seed ${number}"
        data-seed=${number} tabIndex=${(inside ? number === seed : i === 0) ? 0 : -1} />`)}
    </div>
    <p class="soft small">Press a face to look at it. <span class="keys">The arrow keys move. Drag one onto + or −, or press <kbd>+</kbd> or <kbd>−</kbd>;${" "}
      <kbd>F</kbd> makes it a favourite, <kbd>R</kbd> shows another by chance.</span></p>
  </div>`;
}
