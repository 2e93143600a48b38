// Faces as recipes: what they are made of, in words that an address can hold. A point is a seed, a sum of points,
// a place between two, words that the server looks up, or a saved vector; a face is a point with its changes.
import { plainName } from "../words.js";

/** @typedef {{seed: number} | {sum: Term[]} | {between: [Point, Point], at: number} | {words: string} |
 *   {vector: string, number: number} | Mixed} Point */
/** The base with the style of another face in some layers, or along some components.
 * @typedef {{base: Point, style: Point, kind: 'layers' | 'components', numbers: number[]}} Mixed */
/** @typedef {{sign: 1 | -1, members: Point[]}} Term the average of members, added or taken away */
/** @typedef {{point: Point, moves?: Record<string, number>}} Face */

// --- texts -------------------------------------------------------------------------------------------------

/** The shortest text of a point that `readPoint` understands: 12, (1,2-3+4), (1~2@0.5), (1%2:l0-2), "old man", vID.0.
 * @param {Point} point @returns {string} */
export function spellPoint(point) {
  if ("seed" in point) return `${point.seed}`;
  if ("words" in point) return JSON.stringify(point.words);
  if ("vector" in point) return `v${point.vector}.${point.number}`;
  if ("between" in point) return `(${spellPoint(point.between[0])}~${spellPoint(point.between[1])}@${short(point.at)})`;
  if ("base" in point)
    {return `(${spellPoint(point.base)}%${spellPoint(point.style)}:${point.kind[0]}${spellNumbers(point.numbers)})`;}
  const terms = point.sum.map(({ sign, members }) => (sign < 0 ? "-" : "+") + members.map(spellPoint).join(","));
  return `(${terms.join("").replace(/^\+/, "")})`;
}

const short = (/** @type {number} */ x) => `${Math.round(x * 1e4) / 1e4}`;

const TOKEN = /(\d{1,15})(?![\w.])|("(?:[^"\\]|\\.)*")|v([A-Za-z0-9][\w-]{0,79})\.(\d{1,6})|(\()|@(0?\.\d{1,6}|0|1)|:([lc])([\d,-]+)/y;

/** What `spellPoint` wrote; null where it is something else. @param {string} text @returns {Point | null} */
export function readPoint(text) {
  let at = 0, depth = 0;
  const next = () => {
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(text);
    if (found) at = TOKEN.lastIndex;
    return found;
  };
  const take = (/** @type {string} */ sign) => text[at] === sign && ++at > 0;
  /** @returns {Point} */
  const point = () => {
    const [, seed, words, vector, number, sign] = next() || fail();
    if (seed) return { seed: Number(seed) };
    if (words) return { words: JSON.parse(words) };
    if (vector) return { vector, number: Number(number) };
    if (sign !== "(" || ++depth > 8) fail();
    const found = group();
    if (!take(")")) fail();
    depth--;
    return found;
  };
  /** @returns {Point} */
  const group = () => {
    /** @type {Term[]} */
    const sum = [];
    let sign = take("-") ? -1 : 1;
    for (;;) {
      const members = [point()];
      while (take(",")) members.push(point());
      if (take("~")) {
        const other = point(), share = next();
        return share?.[6] ? { between: [members[0], other], at: Number(share[6]) } : fail();
      }
      if (take("%")) {
        const style = point(), [,,,,,,, kind, numbers] = next() || fail();
        return kind ? { base: members[0], style, kind: kind === "l" ? "layers" : "components", numbers: readNumbers(numbers, 1e5) } : fail();
      }
      sum.push({ sign: sign < 0 ? -1 : 1, members });
      if (take("+")) sign = 1;
      else if (take("-")) sign = -1;
      else return { sum };
    }
  };
  try {
    const found = point();
    return at === text.length ? found : null;
  } catch { return null; }
}

/** @returns {never} */
function fail() { throw new Error("not a point"); }

/** What a point is called. @param {Point} point @returns {string} */
export function titleOf(point) {
  if ("seed" in point) return `Seed ${point.seed}`;
  if ("words" in point) return point.words;
  if ("vector" in point) return `Saved face ${point.number + 1}`;
  if ("base" in point) return `${titleOf(point.base)} with ${point.kind} ${spellNumbers(point.numbers)} of ${titleOf(point.style)}`;
  const bare = (/** @type {Point} */ p) => titleOf(p).replace("Seed ", "");
  if ("between" in point) return `${bare(point.between[0])} to ${bare(point.between[1])}, ${Math.round(100 * point.at)}%`;
  return point.sum.map(({ sign, members }, i) => (sign < 0 ? " − " : i ? " + " : "") + members.map(bare).join(", ")).join("").trim();
}

/** All seeds, words and vectors that a point is made of. @param {Point} point @returns {Point[]} */
export function leavesOf(point) {
  if ("sum" in point) return point.sum.flatMap(term => term.members.flatMap(leavesOf));
  if ("base" in point) return [point.base, point.style].flatMap(leavesOf);
  return "between" in point ? point.between.flatMap(leavesOf) : [point];
}

// --- numbers ----------------------------------------------------------------------------------------------

/** "0-2,5" of [0, 1, 2, 5]. @param {number[]} numbers */
export function spellNumbers(numbers) {
  /** @type {number[][]} */
  const runs = [];
  for (const n of [...numbers].sort((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last && last[1] === n - 1) last[1] = n; else runs.push([n, n]);
  }
  return runs.map(([a, b]) => a === b ? `${a}` : `${a}-${b}`).join(",");
}

/** The numbers of "0-2,5" below a bound. @param {string} text @param {number} bound @returns {number[]} */
function readNumbers(text, bound) {
  const found = new Set();
  for (const [, a, b] of text.matchAll(/(\d{1,5})(?:-(\d{1,5}))?/g))
    {for (let n = Number(a); n <= Number(b ?? a) && n < bound; n++) found.add(n);}
  return [...found];
}

// --- faces --------------------------------------------------------------------------------------------------

/** "smiling +1.5, old -1". @param {Record<string, number>} moves */
export const spellMoves = moves => Object.entries(moves).filter(([, s]) => s)
  .map(([name, s]) => `${plainName(name)} ${s > 0 ? "+" : "-"}${Math.abs(Math.round(s * 100) / 100)}`).join(", ");

/** @param {Face} face */
export const describe = face => `${titleOf(face.point)} ${spellMoves(face.moves || {})}`.trim();

/** The sum of faces' points; their moves are added up likewise, since moves are. @param {{sign: 1 | -1, faces: Face[]}[]} terms
 * @returns {Face | null} */
export function sumOf(terms) {
  const full = terms.filter(term => term.faces.length);
  if (!full.length) return null;
  /** @type {Record<string, number>} */
  const moves = {};
  for (const { sign, faces } of full)
    {for (const face of faces)
      {for (const [name, s] of Object.entries(face.moves || {})) moves[name] = (moves[name] || 0) + sign * s / faces.length;}}
  for (const [name, s] of Object.entries(moves)) if (Math.abs(s) < 1e-3) delete moves[name];
  return { point: { sum: full.map(({ sign, faces }) => ({ sign, members: faces.map(face => face.point) })) }, moves };
}

/** A face on the way between two. @param {Face} a @param {Face} b @param {number} at @returns {Face} */
export function between(a, b, at) {
  if (at === 0) return a;
  /** @type {Record<string, number>} */
  const moves = {};
  for (const name of new Set([...Object.keys(a.moves || {}), ...Object.keys(b.moves || {})]))
    {moves[name] = (1 - at) * (a.moves?.[name] || 0) + at * (b.moves?.[name] || 0);}
  return { point: { between: [a.point, b.point], at }, moves };
}
