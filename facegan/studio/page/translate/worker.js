// A translator, off the page's own thread.
import { Translating } from "../engine/translating.js";
import { content, runtime } from "../runtime.js";

/** @type {Translating | null} */
let engine = null;

const ANSWERS = {
  /** @param {{graph: string, shape: number[]}} asked */
  async start({ graph, shape }) {
    engine = new Translating({ image_shape: shape }, { content: () => content(graph), runtime });
    await engine.start();
    return {};
  },
  /** @param {{pixels: Uint8ClampedArray}} asked */
  async draw({ pixels }) {
    const began = performance.now();
    return { pixels: await engine?.draw(pixels), milliseconds: performance.now() - began };
  },
};

self.addEventListener("message", async ({ data: { id, kind, ...asked } }) => {
  try {
    self.postMessage({ id, ...await ANSWERS[/** @type {keyof typeof ANSWERS} */ (kind)](asked) });
  } catch (error) {
    self.postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  }
});
