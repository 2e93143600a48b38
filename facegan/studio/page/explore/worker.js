// The generator, off the page's own thread: it draws what is asked for, the most urgent first.
import { arithmetic, randn, slerp } from "../engine/latents.js";
import { Faces } from "../engine/engine.js";
import { content, runtime } from "../runtime.js";

/** @typedef {import("./points.js").Point} Point */
/** @typedef {import("./points.js").Face} Face */
/** @typedef {{id: number, urgency: number, face: Face, labels: number[], truncation: number}} Wish */

/** @type {Faces} */
let faces;
/** @type {Map<string, Float32Array>} */
const given = new Map();  // vectors w of words and saved faces, by `words:...` and `vector:...`
/** @type {Wish[]} */
const wishes = [];
let busy = false;
/** @type {Record<string, number>} */
let numbers = {};

/** @param {string} base address of the model's contents @param {import("../engine/engine.js").Facts} facts @param {string} version */
async function start(base, facts, version) {
  faces = new Faces(facts, { content: name => content(`${base}/part/${name}?${version}`), runtime });
  numbers = Object.fromEntries((facts.directions || []).map(({ index, name }) => [name, index]));
  await faces.start();
}

// --- points to vectors -------------------------------------------------------------------------------------

/** Whether a point has normal draws n; all others are places in w. @param {Point} point @returns {boolean} */
function isDrawn(point) {
  if ("sum" in point) return point.sum.every(term => term.members.every(isDrawn));
  return "between" in point ? point.between.every(isDrawn) : "seed" in point;
}

/** Normal draws of a point. @param {Point} point @returns {Float32Array} */
function draws(point) {
  if ("sum" in point) return arithmetic(point.sum.map(({ sign, members }) => ({ factor: sign, members: members.map(draws) })));
  if ("between" in point) return slerp(draws(point.between[0]), draws(point.between[1]), point.at);
  return randn("seed" in point ? point.seed : 0, faces.data.latent.dim);
}

/** Place in w of a point, before truncation. @param {Point} point @param {number[]} labels @returns {Promise<Float32Array>} */
async function place(point, labels) {
  if (isDrawn(point)) return Float32Array.from(await faces.map([draws(point)], labels));
  if ("between" in point) {
    const [a, b] = await all(point.between, labels);
    return a.map((x, i) => (1 - point.at) * x + point.at * b[i]);
  }
  if ("sum" in point) {
    const total = new Float32Array(faces.layers);
    for (const { sign, members } of point.sum)
      {for (const w of await all(members, labels)) w.forEach((x, i) => { total[i] += sign * x / members.length; });}
    return total;
  }
  if ("base" in point) {
    const [w, style] = await all([point.base, point.style], labels), { kind, numbers: chosen } = point;
    if (kind === "components" && !faces.components.length) faces.components = await faces.floats("components");
    const most = kind === "layers" ? faces.data.num_ws : faces.data.w_dim;
    faces.blend(w, style, { [kind]: chosen.filter(number => number < most) });
    return w;
  }
  const key = "words" in point ? `words:${point.words}` : "vector" in point ? `vector:${point.vector}.${point.number}` : "";
  const known = given.get(key);
  if (!known) throw new Error("this face is not here yet");
  return Float32Array.from(known);
}

/** @param {Point[]} points @param {number[]} labels */
async function all(points, labels) {
  const found = [];
  for (const point of points) found.push(await place(point, labels));  // in turn: a session takes one call at a time
  return found;
}

/** @param {Wish} wish */
async function drawn({ face, labels, truncation }) {
  const moves = Object.fromEntries(Object.entries(face.moves || {}).map(([name, s]) => [numbers[name], s]).filter(([i]) => i !== undefined));
  return faces.draw({ w: await place(face.point, labels), moves }, labels, truncation);
}

// --- wishes -------------------------------------------------------------------------------------------------

const channel = new MessageChannel();  // without the 4 ms that timers wait at least
/** @type {() => Promise<void>} */
const pause = () => new Promise(resolve => { channel.port1.onmessage = () => resolve(); channel.port2.postMessage(0); });

async function work() {
  if (busy) return;
  busy = true;
  while (wishes.length) {
    const wish = wishes.reduce((best, other) => other.urgency < best.urgency ? other : best);
    wishes.splice(wishes.indexOf(wish), 1);
    try {
      const pixels = await drawn(wish);
      postMessage({ id: wish.id, pixels }, { transfer: [pixels.buffer] });
    } catch (error) { postMessage({ id: wish.id, error: String(error instanceof Error ? error.message : error) }); }
    await pause();  // lets messages in, which may be more urgent
  }
  busy = false;
}

const ANSWERS = {
  /** @param {any} asked */
  start: async ({ id, base, facts }) => {
    try {
      await start(base, facts, facts.version);
      postMessage({ id });
    } catch (error) { postMessage({ id, error: String(error instanceof Error ? error.message : error) }); }
  },
  /** @param {any} asked */
  give: ({ key, w }) => { given.set(key, w); },
  /** @param {any} wish */
  draw: wish => {
    wishes.push(wish);
    work();
  },
};

self.addEventListener("message", ({ data }) => ANSWERS[/** @type {keyof typeof ANSWERS} */ (data.kind)](data));
