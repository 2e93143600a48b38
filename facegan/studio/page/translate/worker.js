// A translator, off the page's own thread.
import { Translating } from "../engine/translating.js";

/** @type {Translating | null} */
let engine = null;

/** @param {string} address */
async function content(address) {
  const found = await fetch(address);
  if (!found.ok) throw new Error((await found.json().catch(() => ({}))).error ?? `the server answers with status ${found.status}`);
  return new Uint8Array(await found.arrayBuffer());
}

const ANSWERS = {
  /** @param {{graph: string, shape: number[], wasm: string, runtime: string}} asked */
  async start({ graph, shape, wasm, runtime }) {
    const addresses = /** @type {Record<string, string>} */ ({ translate: graph, wasm });
    const source = { content: (/** @type {string} */ name) => content(addresses[name] ?? ""), runtime: () => import(runtime) };
    engine = new Translating({ image_shape: shape }, source);
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
