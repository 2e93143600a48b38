// Bytes: joined, packed, spelled.

/** @typedef {'gzip' | 'deflate'} Packing */

/** @type {(bytes: BufferSource, packing: Packing) => Promise<Uint8Array<ArrayBuffer>>} */
export const inflate = async (bytes, packing) =>
  new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream(packing))).arrayBuffer());

/** @type {(bytes: BufferSource, packing: Packing) => Promise<Uint8Array<ArrayBuffer>>} */
export const deflate = async (bytes, packing) =>
  new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(new CompressionStream(packing))).arrayBuffer());

/** @param {string} text @returns {Uint8Array<ArrayBuffer>} */
export function fromBase64(text) {
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

/** @param {ArrayLike<number>[]} parts @returns {Uint8Array<ArrayBuffer>} */
export function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) { whole.set(part, at); at += part.length; }
  return whole;
}

/** A whole number as bytes, the highest first. @param {number} value */
export const big = (value, bytes = 4) => Uint8Array.from({length: bytes}, (_, i) => value >>> 8 * (bytes - 1 - i));

/** @param {string} text */
export const ascii = text => Uint8Array.from(text, c => c.charCodeAt(0));
