'use strict';
// The model: latent vectors of seeds, w, pictures, and the self-test. Vectors of faces are kept as the
// normal draws `n` of which the prior makes z.

// --- contents of the page ----------------------------------------------------------------------------

const inflate = async (bytes, format) =>
  new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream(format))).arrayBuffer());

const deflate = async (bytes, format) =>
  new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(new CompressionStream(format))).arrayBuffer());

function fromBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

const unpack = id => inflate(fromBase64(document.getElementById(id).textContent), 'gzip');

// --- random numbers: torch.randn(count) after torch.manual_seed(seed), on a CPU ----------------------

function mersenneTwister(seed) {  // MT19937, Matsumoto and Nishimura 1998
  const state = new Uint32Array(624);
  state[0] = seed % 2 ** 32;
  for (let i = 1; i < 624; i++) {
    const x = state[i - 1] ^ state[i - 1] >>> 30;
    state[i] = Math.imul(1812433253, x) + i;
  }
  let at = 624;
  return () => {
    if (at === 624) {
      for (let i = 0; i < 624; i++) {
        const y = state[i] & 0x80000000 | state[(i + 1) % 624] & 0x7fffffff;
        state[i] = state[(i + 397) % 624] ^ y >>> 1 ^ (y & 1 ? 0x9908b0df : 0);
      }
      at = 0;
    }
    let y = state[at++];
    y ^= y >>> 11;
    y ^= y << 7 & 0x9d2c5680;
    y ^= y << 15 & 0xefc60000;
    return (y ^ y >>> 18) >>> 0;
  };
}

function randn(seed, count) {
  const next = mersenneTwister(seed), found = new Float32Array(count);
  if (count < 16) {  // one by one, in double precision
    const uniform = () => ((next() & 0x1fffff) * 2 ** 32 + next()) / 2 ** 53;
    for (let i = 0; i < count; i += 2) {
      const angle = 2 * Math.PI * uniform(), radius = Math.sqrt(-2 * Math.log1p(-uniform()));
      found[i] = radius * Math.cos(angle);
      if (i + 1 < count) found[i + 1] = radius * Math.sin(angle);
    }
    return found;
  }
  const uniform = () => (next() & 0xffffff) / 2 ** 24, draws = Float64Array.from({length: count}, uniform);
  const row = (start, u) => {
    for (let i = 0; i < 8; i++) {
      const radius = Math.sqrt(-2 * Math.log(1 - u[i])), angle = 2 * Math.PI * u[i + 8];
      found[start + i] = radius * Math.cos(angle);
      found[start + i + 8] = radius * Math.sin(angle);
    }
  };
  for (let start = 0; start + 16 <= count; start += 16) row(start, draws.subarray(start, start + 16));
  if (count % 16) row(count - 16, Float64Array.from({length: 16}, uniform));  // the last 16 once more
  return found;
}

// --- vectors --------------------------------------------------------------------------------------------

const length = v => Math.sqrt(v.reduce((sum, x) => sum + x * x, 0));

const typical = v => { const factor = Math.sqrt(v.length) / (length(v) || 1); return v.map(x => x * factor); };

/** a - b + c; vectors and result are brought to the typical norm, as 'facegan arithmetic' does. */
function arithmetic(a, b, c) {
  [a, b, c] = [a, b, c].map(typical);
  return typical(a.map((x, i) => x - b[i] + c[i]));
}

/** Spherical interpolation (Shoemake 1985), linear where two vectors are parallel. */
function slerp(a, b, t) {
  const norms = length(a) * length(b);
  const cosine = norms ? a.reduce((sum, x, i) => sum + x * b[i], 0) / norms : 1;
  const omega = Math.acos(Math.max(-1, Math.min(1, cosine))), sine = Math.sin(omega);
  const [p, q] = sine < 1e-4 ? [1 - t, t] : [Math.sin((1 - t) * omega) / sine, Math.sin(t * omega) / sine];
  return a.map((x, i) => p * x + q * b[i]);
}

function erf(x) {  // Abramowitz and Stegun 7.1.26 is too coarse: the series, and the fraction beyond 3
  const t = Math.abs(x);
  if (t > 3) {
    let fraction = t;
    for (let k = 60; k > 0; k--) fraction = t + k / 2 / fraction;
    return Math.sign(x) * (1 - Math.exp(-t * t) / (Math.sqrt(Math.PI) * fraction));
  }
  let term = t, sum = t;
  for (let k = 1; k < 80; k++) sum += (term *= -t * t / k) / (2 * k + 1);
  return Math.sign(x) * 2 / Math.sqrt(Math.PI) * sum;
}

/** The number of which erf is y, by halving: the square root of 2 bounds those that truncated numbers need. */
function erfinv(y) {
  let low = -Math.SQRT2, high = Math.SQRT2;
  for (let k = 0; k < 56; k++) {
    const middle = (low + high) / 2;
    if (erf(middle) < y) low = middle; else high = middle;
  }
  return (low + high) / 2;
}

function shaped(n, {kind, mean, std}) {
  if (kind === 'sphere') return typical(n);
  if (kind === 'uniform') return n.map(x => mean + std * Math.sqrt(3) * erf(x / Math.SQRT2));
  if (kind === 'truncated') {  // normal numbers within 2 standard deviations, by their rank
    return n.map(x => mean + std * Math.SQRT2 * erfinv(erf(x / Math.SQRT2) * erf(Math.SQRT2)));
  }
  return n.map(x => x * std + mean);
}

// --- the model ------------------------------------------------------------------------------------------

class Engine {
  constructor(data) {
    this.data = data;
    [this.channels, this.height, this.width] = data.image_shape;
    this.layers = data.num_ws * data.w_dim;
    this.turn = Promise.resolve();  // sessions take one call at a time
    this.averages = new Map();
  }

  /** Name of a session -> the content of the page that it runs. */
  get graphs() { return {mapping: 'map', synthesis: 'synthesize'}; }

  async start() {
    const contents = Promise.all(['wasm', ...Object.values(this.graphs)].map(unpack));
    const source = new Blob([await unpack('runtime')], {type: 'text/javascript'});
    this.ort = await import(URL.createObjectURL(source));
    const [wasm, ...graphs] = await contents;
    Object.assign(this.ort.env.wasm, {wasmBinary: wasm.buffer, numThreads: 1, proxy: false});
    this.ort.env.logLevel = 'error';
    for (const [i, name] of Object.keys(this.graphs).entries())
      this[name] = await this.ort.InferenceSession.create(graphs[i], {executionProviders: ['wasm']});
    if (this.data.directions?.length)
      this.vectors = new Float32Array((await unpack('vectors')).buffer);
  }

  tensor(values, ...shape) { return new this.ort.Tensor('float32', values, shape); }

  /** w of vectors n, all with the same labels: Float32Array of N * layers. */
  async map(vectors, labels) {
    const {latent} = this.data, count = vectors.length, z = new Float32Array(count * latent.dim);
    vectors.forEach((n, i) => z.set(shaped(n, latent), i * latent.dim));
    const given = {z: this.tensor(z, count, latent.dim)};
    if (labels.length) {
      const rows = new Float32Array(count * labels.length);
      for (let i = 0; i < count; i++) rows.set(labels, i * labels.length);
      given.labels = this.tensor(rows, count, labels.length);
    }
    return (await this.mapping.run(given)).w.data;
  }

  /** Average of w for these labels, towards which truncation draws. */
  async average(labels) {
    const {w_mean, w_dim, num_ws, default_labels, average_stored, latent} = this.data, key = labels.join();
    if (!this.averages.size) {
      const mean = Float32Array.from(w_mean.flat());
      const all = new Float32Array(this.layers);
      for (let i = 0; i < num_ws; i++) all.set(mean.length === w_dim ? mean : mean.subarray(i * w_dim, (i + 1) * w_dim), i * w_dim);
      this.averages.set((default_labels || []).join(), all);
    }
    if (!this.averages.has(key)) {
      const centre = [new Float32Array(latent.dim)];
      const vectors = average_stored ? Array.from({length: 1000}, (_, seed) => randn(seed, latent.dim)) : centre;
      const w = await this.map(vectors, labels), mean = new Float64Array(this.layers);
      w.forEach((x, i) => { mean[i % this.layers] += x / vectors.length; });
      this.averages.set(key, Float32Array.from(mean));
    }
    return this.averages.get(key);
  }

  /** Pixels RGBA of a face: {n, moves: {index of direction: strength}}, with labels and truncation. */
  draw(face, labels = this.data.default_labels || [], truncation = 1) {
    const made = this.turn.then(() => this.drawn(face, labels, truncation));
    this.turn = made.catch(() => {});
    return made;
  }

  async drawn({n, moves = {}}, labels, truncation) {
    const w = Float32Array.from(await this.map([n], labels));
    if (truncation !== 1) {
      const mean = await this.average(labels);
      w.forEach((x, i) => { w[i] = mean[i] + truncation * (x - mean[i]); });
    }
    for (const [index, strength] of Object.entries(moves))
      for (let i = 0; i < w.length; i++) w[i] += strength * this.vectors[index * this.layers + i];
    const {images} = await this.synthesis.run({w: this.tensor(w, 1, this.data.num_ws, this.data.w_dim)});
    return this.pixels(images.data);
  }

  pixels(values) {
    const area = this.height * this.width, found = new Uint8ClampedArray(4 * area).fill(255);
    for (let c = 0; c < 3; c++) {
      const plane = this.channels === 3 ? c * area : 0;
      for (let i = 0; i < area; i++) found[4 * i + c] = Math.round((values[plane + i] + 1) * 127.5);
    }
    return found;
  }

  /** Greatest difference, in levels, from the embedded pictures, which PyTorch drew. */
  async selfTest() {
    let levels = 0;
    for (const {seed, png} of this.data.tests) {
      const expected = await readPng(fromBase64(png));
      const found = await this.draw({n: randn(seed, this.data.latent.dim)});
      for (let i = 0; i < found.length; i++) levels = Math.max(levels, Math.abs(found[i] - expected[i]));
    }
    return levels;
  }
}
