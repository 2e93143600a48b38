// What is looked at as the text of an address, which can be shared, kept in a picture's mark, and restored.
import { readPoint, spellPoint } from "./points.js";

/** @typedef {import("./points.js").Face} Face */
/** @typedef {{face: Face, truncation: number, labels: number[] | null}} Look what determines a picture */

/** @param {Look} look @returns {Record<string, string>} */
export function spellLook({ face, truncation, labels }) {
  /** @type {Record<string, string>} */
  const parts = "seed" in face.point ? { seed: `${face.point.seed}` } : { face: spellPoint(face.point) };
  const moves = Object.entries(face.moves || {}).filter(([, s]) => s);
  if (moves.length) parts.moves = moves.map(([name, s]) => `${name}:${Math.round(s * 1e4) / 1e4}`).join(",");
  if (truncation !== 1) parts.truncation = `${truncation}`;
  if (labels) parts.labels = labels.join(",");
  return parts;
}

/** What `spellLook` wrote; what is missing or damaged is as at first.
 * @param {Record<string, string>} parts
 * @param {{names: string[], labels: number, truncates: boolean}} model
 * @returns {Look} */
export function readLook(parts, model) {
  const seed = /^\d{1,15}$/.test(parts.seed || "") ? Number(parts.seed) : 0;
  /** @type {Face} */
  const face = { point: (parts.face && readPoint(parts.face)) || { seed }, moves: {} };
  for (const part of (parts.moves || "").split(",")) {
    const cut = part.lastIndexOf(":"), name = part.slice(0, cut), strength = Number(part.slice(cut + 1));
    if (cut > 0 && model.names.includes(name) && Number.isFinite(strength) && Math.abs(strength) <= 100 && face.moves)
      {face.moves[name] = strength;}
  }
  const truncation = model.truncates && parts.truncation ? Number(parts.truncation) : 1;
  const labels = (parts.labels || "").split(",").map(Number);
  return {
    face,
    truncation: truncation >= 0 && truncation <= 2 ? truncation : 1,
    labels: model.labels && labels.length === model.labels && labels.every(Number.isFinite) ? labels : null,
  };
}

/** Steps that can be taken back. The newest state is always there.
 * @template T */
export class Steps {
  /** @param {T} first @param {number} most */
  constructor(first, most = 200) {
    /** @type {T[]} */
    this.all = [first];
    this.at = 0;
    this.most = most;
    this.tag = "";
  }

  get now() { return this.all[this.at]; }

  get canUndo() { return this.at > 0; }

  get canRedo() { return this.at < this.all.length - 1; }

  /** Takes a step. Steps with one tag, such as a slider's while it is dragged, are one step.
   * @param {T} state @param {string} tag */
  take(state, tag = "") {
    const same = tag && tag === this.tag && this.at === this.all.length - 1 && this.at > 0;
    this.all.splice(same ? this.at : this.at + 1, Infinity, state);
    if (this.all.length > this.most) this.all.shift();
    this.at = this.all.length - 1;
    this.tag = tag;
  }

  /** Ends a run of steps with one tag. */
  settle() { this.tag = ""; }

  /** @param {number} way -1 back, 1 forward; or to a step by its number with `to` */
  go(way) { return this.to(this.at + way); }

  /** @param {number} number */
  to(number) {
    this.at = Math.max(0, Math.min(this.all.length - 1, number));
    this.tag = "";
    return this.now;
  }
}
