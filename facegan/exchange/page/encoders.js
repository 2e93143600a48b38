// PNG (also animated) in and out, GIF, and video. Canvases are not asked for pixels that are compared or
// saved without loss, since some browsers change them against fingerprinting.
import {ascii, big, deflate, inflate, joined} from './bytes.js';

const CRC = Uint32Array.from({length: 256}, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ n >>> 1 : n >>> 1;
  return n;
});

/** A part of a PNG. @param {string} kind @param {ArrayLike<number>[]} parts */
function chunk(kind, ...parts) {
  const body = joined([ascii(kind), ...parts]);
  let crc = 0xffffffff;
  for (const byte of body) crc = CRC[(crc ^ byte) & 255] ^ crc >>> 8;
  return joined([big(body.length - 4), body, big(~crc)]);
}

// --- marks ------------------------------------------------------------------------------------------------

/** @typedef {{text: string, packet: Uint8Array<ArrayBuffer>, source: string}} Mark */

/** What a file says of its making, as facegan.marks writes and reads it: texts by name, in an XMP packet.
 * @param {Record<string, string>} details
 * @param {{facegan: string, model_hash: string, packet: string, source: string}} about @returns {Mark} */
export function markOf(details, {facegan, model_hash, packet, source}) {
  const text = JSON.stringify(Object.fromEntries(Object.entries({...details, facegan, model: model_hash})
    .filter(([, value]) => value).sort(([a], [b]) => a < b ? -1 : 1)));
  const escaped = text.replace(/[&<>']/g, c => ({'&': '&amp;', '<': '&lt;', '>': '&gt;', "'": '&apos;'})[c] || c);
  return {text, packet: new TextEncoder().encode(packet.replace('{text}', () => escaped)), source};
}

/** An element of EBML (Matroska) with eight bytes for its size.
 * @param {number} id @param {ArrayLike<number>[]} parts @returns {Uint8Array<ArrayBuffer>} */
const ebml = (id, ...parts) => {
  const body = joined(parts);
  return joined([big(id, id > 0xffffff ? 4 : 2), Uint8Array.of(1, 0, 0, 0), big(body.length), body]);
};

/** A finished video with its mark: MP4 gets a box with the packet, WebM tags.
 * @param {Uint8Array} bytes @param {string} type @param {Mark} mark */
function markedVideo(bytes, type, {text, packet, source}) {
  if (type.includes('mp4')) {
    const uuid = Uint8Array.from('be7acfcb97a942e89c71999491e3afac'.match(/../g) || [], byte => parseInt(byte, 16));
    return joined([bytes, big(packet.length + 24), ascii('uuid'), uuid, packet]);
  }
  /** @param {string} name @param {string} value */
  const tag = (name, value) => ebml(0x67c8, ebml(0x45a3, ascii(name)), ebml(0x4487, new TextEncoder().encode(value)));
  const tags = [tag('DIGITAL_SOURCE_TYPE', source), tag('FACEGAN_MARK', text)];
  return withTags(bytes, ebml(0x1254c367, ebml(0x7373, ebml(0x63c0), ...tags)));
}

/** A WebM with tags at its end, in its index (a list of seek entries with room behind it), if it has one.
 * @param {Uint8Array} bytes @param {Uint8Array} tags */
function withTags(bytes, tags) {
  const made = joined([bytes, tags]), view = new DataView(made.buffer);
  const segment = 5 + (bytes[4] & 127), begin = segment + 12;  // behind the header; its ID has 4 bytes, its size 8
  if (bytes[4] < 128 || view.getUint32(segment) !== 0x18538067 || bytes[segment + 4] !== 1) return made;
  if (view.getUint32(segment + 8) !== 0xffffffff)  // else the size is unknown
    view.setUint32(segment + 8, view.getUint32(segment + 8) + tags.length);
  const end = begin + 5 + (bytes[begin + 4] & 127), room = bytes[end + 1] & 127;
  if (view.getUint32(begin) === 0x114d9b74 && bytes[end] === 0xec && bytes[end + 1] & 128 && room >= 17) {
    const entry = [0x4d, 0xbb, 0x8e, 0x53, 0xab, 0x84, 0x12, 0x54, 0xc3, 0x67, 0x53, 0xac, 0x84];
    made.set([...entry, ...big(bytes.length - begin), 0xec, 128 | room - 17], end);
    made[begin + 4] += 17;
  }
  return made;
}

// --- PNG --------------------------------------------------------------------------------------------------

/** A PNG of RGBA frames without transparency; several are an animation. What a person drew has no mark.
 * @param {ArrayLike<number>[]} frames @param {number[]} size width and height @param {string} note @param {Mark} [mark] */
export async function writePng(frames, [width, height], note = '', mark = undefined, delay = 50) {
  const packed = await Promise.all(frames.map(pixels => {
    const rows = new Uint8Array(height * (3 * width + 1));
    for (let y = 0, at = 0; y < height; y++) {
      rows[at++] = 1;  // filter "sub"
      for (let x = 0; x < width; x++)
        for (let c = 0; c < 3; c++) {
          const i = 4 * (y * width + x) + c;
          rows[at++] = pixels[i] - (x ? pixels[i - 4] : 0);
        }
    }
    return deflate(rows, 'deflate');
  }));
  const parts = [
    Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10),
    chunk('IHDR', big(width), big(height), Uint8Array.of(8, 2, 0, 0, 0)),
    ...(note ? [chunk('tEXt', ascii(`Description\0${note}`))] : []),
    ...(mark ? [chunk('iTXt', ascii('XML:com.adobe.xmp\0\0\0\0\0'), mark.packet)] : []),
  ];
  let number = 0;
  if (frames.length > 1) parts.push(chunk('acTL', big(frames.length), big(0)));
  packed.forEach((data, i) => {
    if (frames.length > 1)
      parts.push(chunk('fcTL', big(number++), big(width), big(height), big(0), big(0), big(delay, 2), big(1000, 2), big(0, 2)));
    parts.push(i ? chunk('fdAT', big(number++), data) : chunk('IDAT', data));
  });
  return new Blob([...parts, chunk('IEND')], {type: 'image/png'});
}

/** RGBA pixels of a PNG with 8 bits, grey or RGB. @param {Uint8Array} bytes */
export async function readPng(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset), data = [];
  const width = view.getUint32(16), height = view.getUint32(20), channels = bytes[25] === 2 ? 3 : 1;
  for (let at = 8; at < bytes.length;) {
    const size = view.getUint32(at), kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (kind === 'IDAT') data.push(bytes.subarray(at + 8, at + 8 + size));
    at += size + 12;
  }
  const rows = await inflate(joined(data), 'deflate'), wide = width * channels;
  const values = new Uint8Array(height * wide), pixels = new Uint8ClampedArray(4 * width * height).fill(255);
  for (let y = 0; y < height; y++) {
    const filter = rows[y * (wide + 1)];
    for (let x = 0; x < wide; x++) {
      const i = y * wide + x, a = x >= channels ? values[i - channels] : 0, b = y ? values[i - wide] : 0;
      const c = x >= channels && y ? values[i - wide - channels] : 0, p = a + b - c;
      const [pa, pb, pc] = [Math.abs(p - a), Math.abs(p - b), Math.abs(p - c)];
      const paeth = pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
      values[i] = rows[y * (wide + 1) + 1 + x] + [0, a, b, a + b >> 1, paeth][filter];
    }
  }
  for (let i = 0; i < width * height; i++)
    for (let c = 0; c < 3; c++) pixels[4 * i + c] = values[i * channels + (channels === 3 ? c : 0)];
  return pixels;
}

// --- GIF --------------------------------------------------------------------------------------------------

/** 256 colours for all frames: boxes of the cube of 6 bits are split where they vary most (Wu 1991).
 * @param {ArrayLike<number>[]} frames */
function palette(frames) {
  const counts = new Uint32Array(64 ** 3);
  for (const pixels of frames)
    for (let i = 0; i < pixels.length; i += 4) counts[pixels[i] >> 2 << 12 | pixels[i + 1] >> 2 << 6 | pixels[i + 2] >> 2]++;
  /** @param {number[]} low @param {number[]} high */
  const measured = (low, high) => {
    let total = 0;
    const sum = [0, 0, 0], squares = [0, 0, 0], at = [0, 0, 0];
    for (at[0] = low[0]; at[0] < high[0]; at[0]++)
      for (at[1] = low[1]; at[1] < high[1]; at[1]++)
        for (at[2] = low[2]; at[2] < high[2]; at[2]++) {
          const count = counts[at[0] << 12 | at[1] << 6 | at[2]];
          if (!count) continue;
          total += count;
          for (let c = 0; c < 3; c++) { sum[c] += count * at[c]; squares[c] += count * at[c] ** 2; }
        }
    const mean = sum.map(s => s / (total || 1)), spread = squares.map((s, c) => s - mean[c] * sum[c]);
    const axis = spread.indexOf(Math.max(...spread)), cut = Math.floor(mean[axis]) + 1;
    return {low, high, mean, axis, cut, worth: cut < high[axis] ? spread[axis] : 0};
  };
  const boxes = [measured([0, 0, 0], [64, 64, 64])];
  while (boxes.length < 256) {
    const box = boxes.reduce((best, other) => other.worth > best.worth ? other : best);
    if (box.worth <= 0) break;
    const middle = [...box.high], begin = [...box.low];
    middle[box.axis] = begin[box.axis] = box.cut;
    boxes.splice(boxes.indexOf(box), 1, measured(box.low, middle), measured(begin, box.high));
  }
  const colours = new Uint8Array(768), index = new Uint8Array(64 ** 3);
  boxes.forEach(({low, high, mean}, k) => {
    mean.forEach((value, c) => { colours[3 * k + c] = Math.round(value * 255 / 63); });
    for (let r = low[0]; r < high[0]; r++)
      for (let g = low[1]; g < high[1]; g++) index.fill(k, r << 12 | g << 6 | low[2], (r << 12 | g << 6 | high[2] - 1) + 1);
  });
  return {colours, index};
}

const BAYER = [0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5].map(x => (x - 7.5) / 2);

/** @param {ArrayLike<number>} pixels @param {number} width @param {Uint8Array} index */
function indexed(pixels, width, index) {
  const found = new Uint8Array(pixels.length / 4);
  for (let i = 0; i < found.length; i++) {
    const x = i % width, y = (i - x) / width, noise = BAYER[y % 4 * 4 + x % 4];
    const level = (/** @type {number} */ c) => Math.max(0, Math.min(255, pixels[4 * i + c] + noise)) >> 2;
    found[i] = index[level(0) << 12 | level(1) << 6 | level(2)];
  }
  return found;
}

/** @param {Uint8Array} values @returns {Uint8Array<ArrayBuffer>} */
function lzw(values) {
  /** @type {number[]} */
  const out = [];
  const CLEAR = 256, END = 257;
  let held = 0, bits = 0, size = 9, next = 258, table = new Map(), code = values[0];
  const put = (/** @type {number} */ value) => {
    held |= value << bits;
    for (bits += size; bits >= 8; bits -= 8) { out.push(held & 255); held >>>= 8; }
  };
  put(CLEAR);
  for (let i = 1; i < values.length; i++) {
    const key = code << 8 | values[i], known = table.get(key);
    if (known !== undefined) { code = known; continue; }
    put(code);
    if (next === 4096) { put(CLEAR); table = new Map(); next = 258; size = 9; }
    else { if (next === 1 << size) size++; table.set(key, next++); }
    code = values[i];
  }
  put(code);
  put(END);
  if (bits) out.push(held & 255);
  const blocks = [Uint8Array.of(8)];
  for (let at = 0; at < out.length; at += 255) {
    const block = out.slice(at, at + 255);
    blocks.push(Uint8Array.of(block.length, ...block));
  }
  return joined([...blocks, Uint8Array.of(0)]);
}

/** A GIF of RGBA frames that repeats for ever.
 * @param {ArrayLike<number>[]} frames @param {number[]} size width and height @param {Mark} mark */
export function writeGif(frames, [width, height], mark, delay = 50) {
  const two = (/** @type {number} */ value) => Uint8Array.of(value & 255, value >> 8), {colours, index} = palette(frames);
  const parts = [ascii('GIF89a'), two(width), two(height), Uint8Array.of(0xf7, 0, 0), colours,
    Uint8Array.of(0x21, 0xff, 11), ascii('NETSCAPE2.0'), Uint8Array.of(3, 1, 0, 0, 0)];
  for (const pixels of frames)
    parts.push(Uint8Array.of(0x21, 0xf9, 4, 4), two(delay / 10), Uint8Array.of(0, 0, 0x2c, 0, 0, 0, 0), two(width), two(height),
      Uint8Array.of(0), lzw(indexed(pixels, width, index)));
  const tail = Uint8Array.from({length: 258}, (_, i) => i && i < 257 ? 256 - i : i ? 0 : 1);  // XMP specification, part 3, 1.1.2
  return new Blob([...parts, Uint8Array.of(0x21, 0xff, 11), ascii('XMP DataXMP'), mark.packet, tail, Uint8Array.of(0x3b)],
    {type: 'image/gif'});
}

// --- video ------------------------------------------------------------------------------------------------

/** The type of video that this browser records. */
export const VIDEO = globalThis.MediaRecorder &&
  ['video/webm;codecs=vp9', 'video/webm;codecs=vp8', 'video/webm', 'video/mp4'].find(type => MediaRecorder.isTypeSupported(type));

/** A video of what `show(i)` draws on the canvas, recorded as it plays.
 * @param {HTMLCanvasElement} canvas @param {number} count @param {(i: number) => void} show @param {Mark} mark */
export async function recordVideo(canvas, count, show, mark, delay = 50) {
  if (!VIDEO) throw new Error('this browser records no video');
  /** @type {Blob[]} */
  const parts = [];
  const recorder = new MediaRecorder(canvas.captureStream(1000 / delay), {mimeType: VIDEO, videoBitsPerSecond: 6e6});
  const ended = new Promise(resolve => { recorder.onstop = resolve; });
  recorder.ondataavailable = event => parts.push(event.data);
  show(0);
  recorder.start();
  const begin = performance.now();
  for (let i = 0; i < count; i++) {
    show(i);
    await new Promise(resolve => setTimeout(resolve, Math.max(0, begin + (i + 1) * delay - performance.now())));
  }
  recorder.stop();
  await ended;
  const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
  return new Blob([markedVideo(bytes, VIDEO, mark)], {type: VIDEO.split(';')[0]});
}
