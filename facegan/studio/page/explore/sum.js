// Arithmetic with faces: by dragging them onto + and -, by keys, and by words.
import { html } from "../html.js";
import { WordsForm } from "../parts/words_form.js";
import { Button, IconButton } from "../ui.js";
import { sumOf, titleOf } from "./points.js";
import { Drop, Tile, useSession } from "./tiles.js";

/** @typedef {import("./session.js").Session} Session */

const SLOTS = [
  { title: "Start with", sign: "", key: "=" },
  { title: "Take away", sign: "−", key: "−" },
  { title: "Add", sign: "+", key: "+" },
];
const EXAMPLES = ["smiling woman - woman + man", "man with glasses - man + woman"];

/** @param {{session: Session, slot: number}} props */
function Slot({ session, slot }) {
  const { title = "", sign = "", key = "" } = SLOTS[slot] ?? {};
  const faces = useSession(session, state => state.slots[slot]?.faces ?? []);
  const look = useSession(session, state => state.look);
  return html`${sign && html`<span class="sign" aria-hidden="true">${sign}</span>`}
    <${Drop} label=${title} className="well" onFace=${(/** @type {import("./points.js").Face} */ face) => session.addTo(slot, face)} data-slot=${slot}>
      <span class="small head"><b>${title}</b>${faces.length > 1 && html`<span class="soft"> average of ${faces.length}</span>`}</span>
      <div class="members">${faces.map((face, i) => html`<${Tile} key=${i} session=${session} face=${face} look=${{ ...look, face }} className="little">
        <${IconButton} icon="close" label="Take ${titleOf(face.point)} out" class="button quiet round small out" onClick=${() => session.takeFrom(slot, i)} /><//>`)}</div>
      <${Button} small kind="quiet" icon="plus" onClick=${() => session.addTo(slot, session.look.face)}>Take the present face<//>
      ${!faces.length && html`<span class="soft small">or drop one, or press <kbd>${key}</kbd> on it</span>`}
    <//>`;
}

/** @param {{session: Session}} props */
export function Sum({ session }) {
  const slots = useSession(session, state => state.slots);
  const look = useSession(session, state => state.look);
  const face = sumOf(slots);
  const say = async (/** @type {string} */ words) => {
    await session.model.provide({ words });
    session.chooseWords(words);
  };
  const full = slots.filter(slot => slot.faces.length).length > 1;
  return html`<div class="stack">
    <p class="soft">Drag faces here from the sheet, the map or the favourites. Averages of three faces give clearer results than single ones.</p>
    <div class="sum">${SLOTS.map((_, i) => html`<${Slot} key=${i} session=${session} slot=${i} />`)}
      <span class="sign" aria-hidden="true">=</span>
      <div class="well result">${face && full
        ? html`<${Tile} session=${session} face=${face} look=${{ ...look, face }} label="Result: ${titleOf(face.point)}" /><span class="soft small">${titleOf(face.point)}</span>`
        : html`<span class="soft small">The result appears once two places have faces.</span>`}</div></div>
    ${slots.some(slot => slot.faces.length) && html`<div class="actions"><${Button} small kind="quiet" icon="trash" onClick=${() => session.clearSum()}>Clear<//></div>`}
    <${WordsForm} label="Arithmetic by words" placeholder=${EXAMPLES[0]} button="Compute" onWords=${say} examples=${EXAMPLES}
      hint="A network that knows faces looks for generated ones that fit the words, which takes some seconds." />
  </div>`;
}
