// What turns a drawing into a picture: the translator in this page, or the server where the page cannot.
import { post } from "../api.js";

/** @typedef {{image_shape: [number, number, number], directions: string[], input: string, known: boolean, said: string,
 *   whole: boolean, hash: string, licence: string}} TranslatorFacts */
/** @typedef {{pixels: Uint8ClampedArray, milliseconds: number}} Drawn */

/** @param {Uint8ClampedArray} pixels @param {number} width @param {number} height */
export function canvasOf(pixels, width, height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  canvas.getContext("2d")?.putImageData(new ImageData(new Uint8ClampedArray(pixels), width, height), 0, 0);
  return canvas;
}

/** Pixels RGBA of a picture at the given size. @param {Blob} blob @param {number} width @param {number} height */
export async function pixelsOf(blob, width, height) {
  const picture = await createImageBitmap(blob);
  const context = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("This browser cannot draw.");
  context.drawImage(picture, 0, 0, width, height);
  picture.close();
  return context.getImageData(0, 0, width, height).data;
}

/** @param {HTMLCanvasElement} canvas @returns {Promise<Blob>} */
export const pngOf = canvas => new Promise((resolve, reject) => {
  canvas.toBlob(blob => (blob ? resolve(blob) : reject(new Error("This browser cannot write a PNG."))), "image/png");
});

/** @param {Blob} blob @returns {Promise<string>} */
export const base64Of = blob => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ""));
  reader.onerror = () => reject(new Error("The drawing could not be read."));
  reader.readAsDataURL(blob);
});

/** @param {string} text a PNG in base64 */
export const blobOf = text => new Blob([Uint8Array.from(atob(text), c => c.charCodeAt(0))], { type: "image/png" });

/** One direction of a translator, in a worker of this page. */
export class PageTranslator {
  /** @param {string} model @param {TranslatorFacts} facts @param {string} direction */
  constructor(model, facts, direction) {
    this.model = model;
    this.direction = direction;
    this.shape = facts.image_shape;
    this.height = this.shape[1];
    this.width = this.shape[2];
    /** @type {Worker | null} */
    this.worker = null;
    /** @type {Map<number, {resolve: (value: any) => void, reject: (error: Error) => void}>} */
    this.waiting = new Map();
    this.next = 1;
    /** Where pictures are made: by the server, until the page's own engine is ready. */
    this.where = "server";
  }

  get address() { return `/api/translators/${encodeURIComponent(this.model)}`; }

  /** Load the model into this page; until then, and where that fails, the server draws. */
  async start() {
    const absolute = (/** @type {string} */ path) => new URL(path, location.href).href;
    try {
      this.worker = new Worker("/page/translate/worker.js", { type: "module" });
      this.worker.onmessage = ({ data: { id, error, ...answer } }) => {
        const asked = this.waiting.get(id);
        this.waiting.delete(id);
        if (error) asked?.reject(new Error(error));
        else asked?.resolve(answer);
      };
      this.worker.onerror = () => {
        for (const { reject } of this.waiting.values()) reject(new Error("the page's engine did not start"));
        this.waiting.clear();
      };
      await this.ask({
        kind: "start", shape: this.shape,
        graph: absolute(`${this.address}/graph?direction=${encodeURIComponent(this.direction)}`),
        wasm: absolute("/page/web/ort-wasm-simd-threaded.wasm"), runtime: absolute("/page/web/ort.wasm.bundle.min.mjs"),
      });
      this.where = "page";
    } catch {
      this.stop(); // the server goes on drawing
    }
  }

  /** @param {Record<string, unknown>} question @returns {Promise<any>} */
  ask(question) {
    const id = this.next++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker?.postMessage({ id, ...question });
    });
  }

  /** What the translator makes of pixels RGBA of its size. @param {Uint8ClampedArray} pixels @returns {Promise<Drawn>} */
  async draw(pixels) {
    if (this.where === "page") return this.ask({ kind: "draw", pixels });
    const began = performance.now();
    const png = await base64Of(await pngOf(canvasOf(pixels, this.width, this.height)));
    const made = await post(`${this.address}/picture`, { png, direction: this.direction });
    return { pixels: await pixelsOf(made, this.width, this.height), milliseconds: performance.now() - began };
  }

  stop() {
    this.worker?.terminate();
    this.worker = null;
    this.where = "server";
    this.waiting.clear();
  }
}

/**
 * Draw the newest wish only: while one picture is being made, further ones replace each other.
 * @template T
 * @param {() => Promise<T>} work
 * @param {(made: T) => void} onMade
 * @param {(error: Error) => void} onError
 */
export function newestOnly(work, onMade, onError) {
  let busy = false, stale = false, ended = false;
  const run = async () => {
    stale = true;
    if (busy) return;
    busy = true;
    while (stale && !ended) {
      stale = false;
      try {
        const made = await work();
        if (!ended) onMade(made);
      } catch (error) {
        if (!ended) onError(/** @type {Error} */ (error));
      }
    }
    busy = false;
  };
  return { run, end: () => { ended = true; } };
}
