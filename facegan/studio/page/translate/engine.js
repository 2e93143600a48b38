// What turns a drawing into a picture: the translator in this page, or the server where the page cannot.
import { post } from "../api.js";
import { takeWorker } from "../early.js";
import { readPng, writePng } from "../engine/encoders.js";
import { WorkerClient } from "../worker_client.js";

/** @typedef {{image_shape: [number, number, number], directions: string[], input: string, known: boolean, said: string,
 *   whole: boolean, hash: string, licence: string}} TranslatorFacts */
/** @typedef {{pixels: Uint8ClampedArray, milliseconds: number}} Drawn */

/** @param {Blob} blob @returns {Promise<string>} */
const base64Of = blob => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ""));
  reader.onerror = () => reject(new Error("The drawing could not be read."));
  reader.readAsDataURL(blob);
});

/** One direction of a translator, in a worker of this page. */
export class PageTranslator {
  /** @param {string} model @param {TranslatorFacts} facts @param {string} direction */
  constructor(model, facts, direction) {
    this.model = model;
    this.direction = direction;
    this.shape = facts.image_shape;
    this.height = this.shape[1];
    this.width = this.shape[2];
    /** @type {WorkerClient | null} */
    this.worker = null;
    /** Where pictures are made: by the server, until the page's own engine is ready. */
    this.where = "server";
  }

  get address() { return `/api/translators/${encodeURIComponent(this.model)}`; }

  /** Load the model into this page; until then, and where that fails, the server draws. */
  async start() {
    try {
      this.worker = new WorkerClient(takeWorker("translate"));
      await this.worker.ask({
        kind: "start", shape: this.shape,
        graph: new URL(`${this.address}/graph?direction=${encodeURIComponent(this.direction)}`, location.href).href,
      });
      this.where = "page";
    } catch {
      this.stop(); // the server goes on drawing
    }
  }

  /** What the translator makes of pixels RGBA of its size. @param {Uint8ClampedArray} pixels @returns {Promise<Drawn>} */
  async draw(pixels) {
    if (this.where === "page") return this.worker?.ask({ kind: "draw", pixels });
    const began = performance.now();
    const png = await base64Of(await writePng([pixels], [this.width, this.height]));
    const made = await post(`${this.address}/picture`, { png, direction: this.direction });
    return { pixels: await readPng(new Uint8Array(await made.arrayBuffer())), milliseconds: performance.now() - began };
  }

  stop() {
    this.worker?.close();
    this.worker = null;
    this.where = "server";
  }
}
