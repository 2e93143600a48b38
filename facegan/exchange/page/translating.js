// A direction of a translator that runs here: pictures to pictures.
import {Engine} from './engine.js';

/** Brightness of a colour, as facegan has it. @param {number} r @param {number} g @param {number} b */
export const luma = (r, g, b) => Math.round(.299 * r + .587 * g + .114 * b);

/** A translator; its graph is the content `translate`. */
export class Translating extends Engine {
  get graphs() { return ['translate']; }

  /** Pixels RGBA of the model's size -> those of the result. @param {Uint8ClampedArray} pixels */
  draw(pixels) { return this.inTurn(() => this.drawn(pixels)); }

  /** @param {Uint8ClampedArray} pixels */
  async drawn(pixels) {
    const area = this.height * this.width, values = new Float32Array(this.channels * area);
    for (let i = 0; i < area; i++) {
      const r = pixels[4 * i], g = pixels[4 * i + 1], b = pixels[4 * i + 2];
      const seen = this.channels === 3 ? [r, g, b] : [r !== g || g !== b ? luma(r, g, b) : r];
      for (let c = 0; c < seen.length; c++) values[c * area + i] = seen[c] / 127.5 - 1;
    }
    const {images} = await this.sessions.translate.run({pictures: this.tensor(values, 1, this.channels, this.height, this.width)});
    return this.pixels(images.data);
  }
}
