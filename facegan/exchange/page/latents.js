// Latent vectors: those of seeds, what the prior makes of them, and paths and sums between them. Vectors of
// faces are kept as the normal draws `n` of which the prior makes z.

/** @typedef {{kind: string, dim: number, mean: number, std: number}} Prior */

// --- random numbers: torch.randn(count) after torch.manual_seed(seed), on a CPU ----------------------

/** @param {number} seed @returns {() => number} */
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

/** @param {number} seed @param {number} count */
export function randn(seed, count) {
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
  /** @param {number} start @param {Float64Array} u */
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

/** @param {Float32Array} v */
const length = v => Math.sqrt(v.reduce((sum, x) => sum + x * x, 0));

/** A vector of the typical norm. @param {Float32Array} v */
export const typical = v => { const factor = Math.sqrt(v.length) / (length(v) || 1); return v.map(x => x * factor); };

/** The sum of factors times averages; averages and sum are brought to the typical norm, as 'facegan arithmetic
 * --norm prior' does. @param {{factor: number, members: Float32Array[]}[]} terms @returns {Float32Array} */
export function arithmetic(terms) {
  const total = new Float32Array(terms[0].members[0].length);
  for (const {factor, members} of terms) {
    const mean = new Float32Array(total.length);
    for (const n of members) n.forEach((x, i) => { mean[i] += x / members.length; });
    typical(mean).forEach((x, i) => { total[i] += factor * x; });
  }
  return typical(total);
}

/** Spherical interpolation (Shoemake 1985), linear where two vectors are parallel.
 * @param {Float32Array} a @param {Float32Array} b @param {number} t @returns {Float32Array} */
export function slerp(a, b, t) {
  const norms = length(a) * length(b);
  const cosine = norms ? a.reduce((sum, x, i) => sum + x * b[i], 0) / norms : 1;
  const omega = Math.acos(Math.max(-1, Math.min(1, cosine))), sine = Math.sin(omega);
  const [p, q] = sine < 1e-4 ? [1 - t, t] : [Math.sin((1 - t) * omega) / sine, Math.sin(t * omega) / sine];
  return a.map((x, i) => p * x + q * b[i]);
}

/** @param {number} x */
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

/** The number of which erf is y, by halving: the square root of 2 bounds those that truncated numbers need.
 * @param {number} y */
function erfinv(y) {
  let low = -Math.SQRT2, high = Math.SQRT2;
  for (let k = 0; k < 56; k++) {
    const middle = (low + high) / 2;
    if (erf(middle) < y) low = middle; else high = middle;
  }
  return (low + high) / 2;
}

/** z of normal draws. @param {Float32Array} n @param {Prior} prior @returns {Float32Array} */
export function shaped(n, {kind, mean, std}) {
  if (kind === 'sphere') return typical(n);
  if (kind === 'uniform') return n.map(x => mean + std * Math.sqrt(3) * erf(x / Math.SQRT2));
  if (kind === 'truncated') {  // normal numbers within 2 standard deviations, by their rank
    return n.map(x => mean + std * Math.SQRT2 * erfinv(erf(x / Math.SQRT2) * erf(Math.SQRT2)));
  }
  return n.map(x => x * std + mean);
}
