// What is looked at, and everything that can be done to it.
import { put } from "../api.js";
import { observable } from "../observable.js";
import { Steps, readLook, spellLook } from "./address.js";
import { keyOf } from "./model.js";
import { sumOf } from "./points.js";

/** @typedef {import("./points.js").Face} Face */
/** @typedef {import("./points.js").Point} Point */
/** @typedef {import("./model.js").Look} Look */
/** @typedef {{sign: 1 | -1, faces: Face[]}} Slot */
/** @typedef {{look: Look, slots: Slot[]}} Step what can be taken back */

/** @type {() => Slot[]} */
const emptySlots = () => [{ sign: 1, faces: [] }, { sign: -1, faces: [] }, { sign: 1, faces: [] }];

export class Session {
  /**
   * @param {import("./model.js").Model} model
   * @param {Record<string, string>} parts of the address
   * @param {Look[]} tray
   */
  constructor(model, parts, tray) {
    this.model = model;
    this.steps = new Steps(/** @type {Step} */ ({ look: this.read(parts), slots: emptySlots() }));
    this.state = observable({ ...this.steps.now, at: 0, tray, first: 0, error: "" });
    this.saving = 0;
  }

  /** @param {Record<string, string>} parts */
  read(parts) {
    const { about, names } = this.model;
    return readLook(parts, { names, labels: about.labels?.length ?? 0, truncates: about.truncates });
  }

  get now() { return this.state.get(); }

  get look() { return this.now.look; }

  spelled() { return spellLook(this.look); }

  // --- steps --------------------------------------------------------------------------------------------------

  /** @param {Partial<Step>} change @param {string} [tag] */
  change(change, tag = "") {
    const next = { ...this.steps.now, ...change };
    this.steps.take(next, tag);
    this.show();
  }

  show() { this.state.set({ ...this.steps.now, at: this.steps.at, error: "" }); }

  settle() { this.steps.settle(); }

  /** @param {number} way */
  go(way) {
    this.steps.go(way);
    this.show();
  }

  /** @param {number} number */
  goTo(number) {
    this.steps.to(number);
    this.show();
  }

  /** @param {string} sentence */
  fail(sentence) { this.state.set({ error: sentence }); }

  // --- the face -----------------------------------------------------------------------------------------------

  /** @param {Partial<Look>} change @param {string} [tag] */
  setLook(change, tag = "") { this.change({ look: { ...this.look, ...change } }, tag); }

  /** @param {Face} face */
  choose(face) { if (keyOf({ ...this.look, face }) !== keyOf(this.look)) this.setLook({ face }); }

  /** @param {number} seed */
  chooseSeed(seed) { this.choose({ point: { seed } }); }

  /** @param {string} name @param {number} strength */
  setMove(name, strength) {
    const moves = { ...this.look.face.moves, [name]: strength };
    if (!strength) delete moves[name];
    this.setLook({ face: { ...this.look.face, moves } }, `move:${name}`);
  }

  /** @param {Record<string, number>} moves */
  addMoves(moves) { this.setLook({ face: { ...this.look.face, moves: { ...this.look.face.moves, ...moves } } }); }

  /** @param {string} text of words, such as "smiling woman - woman + man" */
  chooseWords(text) { this.choose({ point: { words: text } }); }

  /** Mixes the style of another face into the present one, or changes how. @param {Point | null} style @param {number[]} numbers */
  mix(style, numbers) {
    const { face } = this.look;
    const base = "base" in face.point ? face.point.base : face.point;
    const kind = /** @type {"layers" | "components"} */ (this.model.about.num_ws > 1 ? "layers" : "components");
    const point = style && numbers.length ? { base, style, kind, numbers } : base;
    this.setLook({ face: { ...face, point } }, "mix");
  }

  // --- sums ---------------------------------------------------------------------------------------------------

  /** @param {number} slot @param {Face} face */
  addTo(slot, face) {
    const slots = this.now.slots.map((old, i) => (i === slot ? { ...old, faces: [...old.faces, face].slice(-12) } : old));
    this.sum(slots);
  }

  /** @param {number} slot @param {number} at */
  takeFrom(slot, at) {
    this.sum(this.now.slots.map((old, i) => (i === slot ? { ...old, faces: old.faces.filter((_, k) => k !== at) } : old)));
  }

  clearSum() { this.change({ slots: emptySlots() }); }

  /** @param {Slot[]} slots */
  sum(slots) {
    const face = sumOf(slots);
    const whole = face && slots.filter(slot => slot.faces.length).length > 1;
    this.change({ slots, ...(whole ? { look: { ...this.look, face } } : {}) });
  }

  // --- favourites ---------------------------------------------------------------------------------------------

  /** @param {Look} look */
  isKept(look) { return this.now.tray.some(other => keyOf(other) === keyOf(look)); }

  /** @param {Look} look */
  favour(look) {
    const key = keyOf(look);
    this.setTray(this.isKept(look) ? this.now.tray.filter(other => keyOf(other) !== key) : [...this.now.tray, look]);
  }

  /** @param {number} from @param {number} to */
  moveInTray(from, to) {
    const tray = [...this.now.tray];
    const [look] = tray.splice(from, 1);
    if (look) tray.splice(to, 0, look);
    this.setTray(tray);
  }

  /** @param {Look[]} tray */
  setTray(tray) {
    this.state.set({ tray });
    clearTimeout(this.saving);
    this.saving = setTimeout(() => {
      put(`${this.model.base}/tray`, { looks: tray }).catch(error => this.fail(error.message));
    }, 400);
  }
}
