// Favourites: kept with the project, in an order of their own.
import { html } from "../html.js";
import { IconButton } from "../ui.js";
import { keyOf } from "./model.js";
import { describe } from "./points.js";
import { Drop, Tile, useSession } from "./tiles.js";

/** @param {{session: import("./session.js").Session}} props */
export function Tray({ session }) {
  const tray = useSession(session, state => state.tray);
  const look = useSession(session, state => state.look);
  const keys = (/** @type {number} */ i) => (/** @type {KeyboardEvent} */ event) => {
    const to = event.altKey ? { ArrowLeft: i - 1, ArrowRight: i + 1 }[event.key] : undefined;
    if (to === undefined || to < 0 || to >= tray.length) return;
    event.preventDefault();
    session.moveInTray(i, to);
  };
  return html`<${Drop} className="tray card" label="Favourites" onFace=${(/** @type {import("./points.js").Face} */ face) => session.isKept({ ...look, face }) || session.favour({ ...look, face })}>
    <div class="row"><h2 class="h3">Favourites</h2><span class="soft small numbers">${tray.length || ""}</span></div>
    ${tray.length === 0 && html`<p class="soft small">Press the star, or drop a face here. Favourites stay with the project; films go through them.</p>`}
    <div class="strip">${tray.map((kept, i) => html`<${Tile} key=${keyOf(kept)} session=${session} face=${kept.face} look=${kept} selected=${keyOf(kept) === keyOf(look)}
      label="Favourite ${i + 1}: ${describe(kept.face)}" onChoose=${() => session.setLook(kept)} onKeyDown=${keys(i)} title="${describe(kept.face)} (Alt and arrows move it)">
      <${IconButton} icon="close" label="Take favourite ${i + 1} out" class="button quiet round small out" onClick=${() => session.favour(kept)} /><//>`)}</div>
  <//>`;
}
