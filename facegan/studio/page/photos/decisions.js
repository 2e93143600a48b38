// What has been decided about single pictures: rejects that are put back, crops that are taken out.

/** @typedef {[number, number, number, number]} Box x, y, width, height in px of the photo */
/**
 * @typedef {object} Decision
 * @property {string} source
 * @property {boolean} keep
 * @property {Box | null} box null: the whole picture
 */
/**
 * @typedef {object} Row a picture of a dataset
 * @property {string} split
 * @property {number} n
 * @property {string} source
 * @property {Box | null} box
 * @property {Record<string, number>} attributes
 * @property {Record<string, number>} confidence
 */
/**
 * @typedef {object} Reject
 * @property {string} source
 * @property {string} reason
 * @property {Box | null} [box]
 * @property {number} [confidence]
 */

export const LEFT_OUT = "left out by the review";
const SAME_FACE = 0.5; // as in facegan.data.review

/** Return the intersection over union of two boxes. @param {Box} one @param {Box} other */
function overlap(one, other) {
  const common = (/** @type {0 | 1} */ at, /** @type {2 | 3} */ side) =>
    Math.max(0, Math.min(one[at] + one[side], other[at] + other[side]) - Math.max(one[at], other[at]));
  const both = common(0, 2) * common(1, 3);
  return both / (one[2] * one[3] + other[2] * other[3] - both);
}

/** @param {Box | null | undefined} one @param {Box | null | undefined} other */
export const sameFace = (one, other) => !one || !other || overlap(one, other) >= SAME_FACE;

/**
 * Return the decision about a face, if there is one: the last one counts.
 * @param {Decision[]} decisions
 * @param {{source: string, box?: Box | null}} face
 */
const decisionOn = (decisions, face) =>
  decisions.findLast(decision => decision.source === face.source && sameFace(decision.box, face.box));

/** @param {Decision[]} decisions @param {{source: string, box?: Box | null}} face */
export const isDropped = (decisions, face) => decisionOn(decisions, face)?.keep === false;
/** @param {Decision[]} decisions @param {{source: string, box?: Box | null}} face */
export const isKept = (decisions, face) => decisionOn(decisions, face)?.keep === true;

/**
 * Return decisions in which a face is kept, dropped, or (null) left to what prepare finds.
 * @param {Decision[]} decisions
 * @param {{source: string, box?: Box | null}} face
 * @param {boolean | null} keep
 * @returns {Decision[]}
 */
export function decided(decisions, face, keep) {
  const others = decisions.filter(one => one.source !== face.source || !sameFace(one.box, face.box));
  return keep === null ? others : [...others, { source: face.source, keep, box: face.box ?? null }];
}

/**
 * Return the pictures that are put back and that the draft does not have yet.
 * @param {Decision[]} decisions
 * @param {{rows: Array<{source: string, box?: Box | null}>, rejects: Reject[]}} draft its crops, and what it left out
 */
export const putBack = (decisions, { rows, rejects }) => decisions.filter(decision => decision.keep
  && (hasFace(rejects, decision) ? rejects.every(one => one.source !== decision.source || canBeKept(one)) : !hasFace(rows, decision)));

/** @param {Array<{source: string, box?: Box | null}>} faces @param {Decision} decision */
const hasFace = (faces, decision) => faces.some(face => face.source === decision.source && sameFace(decision.box, face.box));

const NO_PICTURE = ["not an image", "truncated", "empty", "unreadable", "file too large", "too many pixels", "archive", "encrypted", "unsafe", "split archive", "damaged"];
/** Return whether a reject can be put back: what cannot be read or is too large cannot. @param {Reject} reject */
export const canBeKept = reject => !NO_PICTURE.some(words => reject.reason.includes(words));

/** Return a reason without the name of the picture of which another one is a duplicate. @param {string} reason */
export const plainReason = reason => (reason.includes("duplicate of") ? `${reason.split(" of ")[0]}` : reason);

/** Return the last part of a source, which its owner knows. @param {string} source */
export const nameOf = source => source.split(/[!/\\]/).at(-1) || source;
