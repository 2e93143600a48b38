// A generator that draws: in a worker of this page or, where that cannot be, on the server.
import { get, post } from "../api.js";
import { endEarly, takeWorker } from "../early.js";
import { fromBase64 } from "../engine/bytes.js";
import { readPng } from "../engine/encoders.js";
import { WorkerClient } from "../worker_client.js";
import { leavesOf } from "./points.js";

/** @typedef {import("./points.js").Face} Face */
/** @typedef {import("./points.js").Point} Point */
/** @typedef {{face: Face, truncation: number, labels: number[] | null}} Look what determines a picture */
/**
 * What the server says of a model.
 * @typedef {import("../engine/engine.js").Facts & {id: string, name: string, facegan: string, model_hash: string,
 *   former_hash?: string, packet: string, source: string, version: string, runs: boolean | null, licence: string,
 *   first_picture?: string,
 *   directions: Array<{index: number, name: string, kind: string}>}} About
 */

export const LARGE = 0, VISIBLE = 1, LATER = 2; // how urgent a picture is
const AT_ONCE = 8; // pictures that the server is asked for together
const KEPT = 600; // pictures at most that are not drawn again
const KEPT_PIXELS = 2 ** 25;

/** The look whose picture comes with what the server says of a model. @type {Look} */
const PLAIN = { face: { point: { seed: 0 }, moves: {} }, truncation: 1, labels: null };

/** What determines a picture, as a text. @param {Look} look */
export const keyOf = ({ face, truncation, labels }) => JSON.stringify([face.point, face.moves ?? {}, truncation, labels]);

/** @param {Point} point */
const vectorKey = point => ("words" in point ? `words:${point.words}` : "vector" in point ? `vector:${point.vector}.${point.number}` : "");

export class Model {
  /** @param {About} about */
  constructor(about) {
    this.about = about;
    this.base = `/api/explore/${encodeURIComponent(about.id)}`;
    const [, height = 1, width = 1] = about.image_shape;
    this.height = height;
    this.width = width;
    this.names = about.directions.map(direction => direction.name);
    this.usual = about.default_labels ?? [];
    /** @type {Map<string, ImageData>} */
    this.kept = new Map();
    /** @type {Map<string, Promise<ImageData>>} */
    this.pending = new Map();
    /** @type {Map<string, Promise<void>>} */
    this.provided = new Map();
    this.room = Math.max(8, Math.min(KEPT, Math.floor(KEPT_PIXELS / (width * height))));
    this.remote = false;
    /** @type {Array<{look: Look, urgency: number, resolve: (picture: ImageData) => void, reject: (error: any) => void}>} */
    this.wishes = [];
    this.asking = false;
    /** @type {WorkerClient | null} */
    this.worker = null;
    this.closed = false;
    /** Whether the page draws by itself; else the server does. */
    this.isLocal = false;
    /** Resolves once the worker draws, or it is known that it cannot. @type {Promise<void>} */
    this.ready = about.runs === false ? Promise.resolve() : this.prepare();
    this.remote = about.runs === false;
    if (this.remote) endEarly("explore");
  }

  /** Starts the worker; the server may have to export the model first, and draws meanwhile. */
  async prepare() {
    try {
      if (this.about.runs === null) {
        const { runs } = await post(`${this.base}/prepare`);
        if (!runs) throw new Error("this model cannot be exported");
      }
      if (this.closed) return;
      this.worker = new WorkerClient(takeWorker("explore"));
      await this.worker.ask({ kind: "start", base: new URL(this.base, location.href).href, facts: this.about });
      this.isLocal = true;
    } catch {
      this.remote = true;
      if (this.worker) this.worker.close();
      else endEarly("explore");
    }
  }

  /**
   * The picture of a face; equal ones are drawn once.
   * @param {Look} look @param {number} urgency @returns {Promise<ImageData>}
   */
  draw(look, urgency = VISIBLE) {
    const key = keyOf(look);
    const known = this.kept.get(key);
    if (known) {
      this.kept.delete(key);
      this.kept.set(key, known); // the newest stand last
      return Promise.resolve(known);
    }
    const before = this.pending.get(key);
    if (before && urgency !== LARGE) return before;
    const made = this.drawn(look, urgency).then(picture => {
      if (this.starts) return picture; // the page draws it again, so that sliders change it without a jump
      this.kept.set(key, picture);
      for (const old of this.kept.keys()) if (this.kept.size > this.room) this.kept.delete(old);
      return picture;
    }).finally(() => this.pending.delete(key));
    this.pending.set(key, made);
    return made;
  }

  /** Whether the page will draw by itself, but does not yet. */
  get starts() { return this.about.runs === true && !this.remote && !this.isLocal; }

  /** @param {Look} look @param {number} urgency */
  async drawn(look, urgency) {
    if (this.starts && urgency === LARGE) return this.soonest(look);
    if (this.starts) await this.ready;
    return this.now(look, urgency);
  }

  /** The picture of whoever has it first, while the page's engine starts. @param {Look} look @returns {Promise<ImageData>} */
  soonest(look) {
    if (this.about.first_picture && keyOf(look) === keyOf(PLAIN)) return this.decoded(this.about.first_picture);
    const both = [this.asked(look, LARGE), this.ready.then(() => this.now(look, LARGE))];
    return Promise.any(both).catch(({ errors }) => { throw errors[0]; });
  }

  /** @param {Look} look @param {number} urgency */
  async now(look, urgency) {
    if (!this.isLocal || !this.worker) return this.asked(look, urgency); // as long as the server exports the model
    for (const leaf of leavesOf(look.face.point)) if (vectorKey(leaf)) await this.provide(leaf);
    const { pixels } = await this.worker.ask({ kind: "draw", urgency, ...look, labels: look.labels ?? this.usual });
    return new ImageData(pixels, this.width, this.height);
  }

  /** Fetches the vector of words or of a saved face once. @param {Point} point */
  provide(point) {
    const key = vectorKey(point);
    const known = this.provided.get(key);
    if (known) return known;
    const asked = "words" in point ? post(`${this.base}/words`, { words: point.words })
      : "vector" in point ? get(`${this.base}/vector/${encodeURIComponent(point.vector)}/${point.number}`) : Promise.reject(new Error(key));
    const made = asked.then((/** @type {{w: string}} */ { w }) => this.worker?.tell({ kind: "give", key, w: new Float32Array(fromBase64(w).buffer) }));
    made.catch(() => this.provided.delete(key));
    this.provided.set(key, made);
    return made;
  }

  /** The picture as the server draws it. @param {Look} look @param {number} urgency @returns {Promise<ImageData>} */
  asked(look, urgency) {
    return new Promise((resolve, reject) => {
      this.wishes.push({ look, urgency, resolve, reject });
      void this.ask();
    });
  }

  /** Asks the server for some of the pictures that are wished for, the most urgent first, by one request at a time. */
  async ask() {
    if (this.asking) return;
    this.asking = true;
    await Promise.resolve(); // so that wishes of one moment go together
    while (this.wishes.length) {
      const some = this.wishes.sort((a, b) => a.urgency - b.urgency).splice(0, this.wishes[0]?.urgency === LARGE ? 1 : AT_ONCE);
      try {
        const { images } = await post(`${this.base}/faces`, { looks: some.map(wish => wish.look) });
        for (const [i, wish] of some.entries()) wish.resolve(await this.decoded(images[i]));
      } catch (error) {
        for (const wish of some) wish.reject(error);
      }
    }
    this.asking = false;
  }

  /** @param {string} image a PNG as base64 */
  async decoded(image) {
    const pixels = await readPng(fromBase64(image));
    return new ImageData(/** @type {Uint8ClampedArray<ArrayBuffer>} */ (pixels), this.width, this.height);
  }

  close() {
    this.closed = true;
    this.worker?.close();
  }
}
