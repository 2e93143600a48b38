// Models that run here, by ONNX Runtime Web: pictures of latent vectors, of labels, and of moves in w.
import {fromBase64} from './bytes.js';
import {readPng} from './encoders.js';
import {randn, shaped} from './latents.js';

/** Where a model's contents come from: `content` gives graphs and vectors by name, `runtime` the module of
 * ONNX Runtime Web, which `settled` has told where its program is.
 * @typedef {{content: (name: string) => Promise<Uint8Array>, runtime: () => Promise<any>}} Source */

/** What 'facegan' says of a generator, as the metadata of exported files have it.
 * @typedef {{image_shape: number[], num_ws: number, w_dim: number, w_mean: any[], truncates: boolean,
 *   average_stored: boolean, latent: import('./latents.js').Prior, labels?: string[], default_labels?: number[],
 *   directions?: {index: number, name: string}[], tests?: {seed: number, png: string}[]}} Facts */

/** A face: normal draws `n`, or a point `w` in all layers; and `moves` along directions, by their index.
 * @typedef {{n?: Float32Array, w?: Float32Array, moves?: Record<string, number>}} Face */

/** The module of ONNX Runtime Web, set up. @param {any} ort @param {{wasmBinary: ArrayBufferLike} | {wasmPaths: {wasm: string}}} program */
export function settled(ort, program) {
  Object.assign(ort.env.wasm, program, {numThreads: 1, proxy: false});
  ort.env.logLevel = 'error';
  return ort;
}

/** A network that runs here; calls wait for each other, since a session takes one at a time. */
export class Engine {
  /** @param {any} data what is said of the model @param {Source} source */
  constructor(data, source) {
    this.data = data;
    this.source = source;
    const [channels, height, width] = data.image_shape;
    this.channels = channels;
    this.height = height;
    this.width = width;
    /** @type {Promise<any>} */
    this.turn = Promise.resolve();
    /** @type {any} */
    this.ort = null;
    /** @type {Record<string, any>} */
    this.sessions = {};
  }

  /** Contents that are graphs: a session of its own runs each. @type {string[]} */
  get graphs() { return []; }

  async start() {
    const {content, runtime} = this.source, graphs = this.graphs.map(content);
    for (const graph of graphs) graph.catch(() => {});  // it fails below
    this.ort = await runtime();
    for (const [i, name] of this.graphs.entries())
      this.sessions[name] = await this.ort.InferenceSession.create(await graphs[i], {executionProviders: ['wasm']});
  }

  /** @param {Float32Array} values @param {number[]} shape */
  tensor(values, ...shape) { return new this.ort.Tensor('float32', values, shape); }

  /** What `work` returns, once all that was asked before is done. @template T @param {() => Promise<T>} work
   * @returns {Promise<T>} */
  inTurn(work) {
    const made = this.turn.then(work);
    this.turn = made.catch(() => {});
    return made;
  }

  /** Pixels RGBA of values in [-1, 1], channel by channel. @param {Float32Array} values */
  pixels(values) {
    const area = this.height * this.width, found = new Uint8ClampedArray(4 * area).fill(255);
    for (let c = 0; c < 3; c++) {
      const plane = this.channels === 3 ? c * area : 0;
      for (let i = 0; i < area; i++) found[4 * i + c] = Math.round((values[plane + i] + 1) * 127.5);
    }
    return found;
  }
}

/** A generator. */
export class Faces extends Engine {
  /** @param {Facts} data @param {Source} source */
  constructor(data, source) {
    super(data, source);
    this.layers = data.num_ws * data.w_dim;
    /** @type {Map<string, Float32Array>} */
    this.averages = new Map();
    this.vectors = new Float32Array(0);
    this.components = new Float32Array(0);
  }

  get graphs() { return ['map', 'synthesize']; }

  async start() {
    const vectors = this.data.directions?.length ? this.floats('vectors') : null;
    vectors?.catch(() => {});  // it fails below
    await super.start();
    this.vectors = await vectors ?? this.vectors;
  }

  /** @param {string} name */
  async floats(name) { return new Float32Array((await this.source.content(name)).slice().buffer); }

  /** w of vectors n, all with the same labels: N * layers numbers.
   * @param {Float32Array[]} vectors @param {number[]} labels @returns {Promise<Float32Array>} */
  async map(vectors, labels) {
    const {latent} = this.data, count = vectors.length, z = new Float32Array(count * latent.dim);
    vectors.forEach((n, i) => z.set(shaped(n, latent), i * latent.dim));
    /** @type {Record<string, any>} */
    const given = {z: this.tensor(z, count, latent.dim)};
    if (labels.length) {
      const rows = new Float32Array(count * labels.length);
      for (let i = 0; i < count; i++) rows.set(labels, i * labels.length);
      given.labels = this.tensor(rows, count, labels.length);
    }
    return (await this.sessions.map.run(given)).w.data;
  }

  /** Average of w for these labels, towards which truncation draws.
   * @param {number[]} labels @returns {Promise<Float32Array>} */
  async average(labels) {
    const {w_mean, w_dim, num_ws, default_labels, average_stored, latent} = this.data, key = labels.join();
    if (!this.averages.size) {
      const mean = Float32Array.from(w_mean.flat()), all = new Float32Array(this.layers);
      for (let i = 0; i < num_ws; i++)
        all.set(mean.length === w_dim ? mean : mean.subarray(i * w_dim, (i + 1) * w_dim), i * w_dim);
      this.averages.set((default_labels || []).join(), all);
    }
    const known = this.averages.get(key);
    if (known) return known;
    const centre = [new Float32Array(latent.dim)];
    const vectors = average_stored ? Array.from({length: 1000}, (_, seed) => randn(seed, latent.dim)) : centre;
    const w = await this.map(vectors, labels), mean = new Float64Array(this.layers);
    w.forEach((/** @type {number} */ x, /** @type {number} */ i) => { mean[i % this.layers] += x / vectors.length; });
    const found = Float32Array.from(mean);
    this.averages.set(key, found);
    return found;
  }

  /** w of a face. @param {Face} face @param {number[]} labels @param {number} truncation
   * @returns {Promise<Float32Array>} */
  async place({n, w: given, moves = {}}, labels, truncation) {
    const w = Float32Array.from(given || (n ? await this.map([n], labels) : []));
    if (truncation !== 1) {
      const mean = await this.average(labels);
      w.forEach((x, i) => { w[i] = mean[i] + truncation * (x - mean[i]); });
    }
    for (const [index, strength] of Object.entries(moves))
      for (let i = 0; i < w.length; i++) w[i] += strength * this.vectors[+index * this.layers + i];
    return w;
  }

  /** Takes some layers of `w` from another place, or what is along some components.
   * @param {Float32Array} w @param {Float32Array} other @param {{layers?: number[], components?: number[]}} chosen */
  blend(w, other, {layers = [], components = []}) {
    const {w_dim, num_ws} = this.data;
    for (const layer of layers) w.set(other.subarray(layer * w_dim, (layer + 1) * w_dim), layer * w_dim);
    for (let layer = 0; components.length && layer < num_ws; layer++) {
      const at = layer * w_dim, away = other.subarray(at, at + w_dim).map((x, i) => x - w[at + i]);
      for (const row of components) {
        const axis = this.components.subarray(row * w_dim, (row + 1) * w_dim);
        const along = away.reduce((sum, x, i) => sum + x * axis[i], 0);
        for (let i = 0; i < w_dim; i++) w[at + i] += along * axis[i];
      }
    }
  }

  /** Pixels RGBA of a face. @param {Face} face */
  draw(face, labels = this.data.default_labels || [], truncation = 1) {
    return this.inTurn(async () => {
      const w = this.tensor(await this.place(face, labels, truncation), 1, this.data.num_ws, this.data.w_dim);
      return this.pixels((await this.sessions.synthesize.run({w})).images.data);
    });
  }

  /** Greatest difference, in levels, from the embedded pictures, which PyTorch drew. */
  async selfTest() {
    let levels = 0;
    for (const {seed, png} of this.data.tests || []) {
      const expected = await readPng(fromBase64(png));
      const found = await this.draw({n: randn(seed, this.data.latent.dim)});
      for (let i = 0; i < found.length; i++) levels = Math.max(levels, Math.abs(found[i] - expected[i]));
    }
    return levels;
  }
}
