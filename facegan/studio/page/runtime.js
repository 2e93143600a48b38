// ONNX Runtime Web in a worker of the page: loaded as soon as the worker begins, whatever it will run.
import { fromBase64 } from "./engine/bytes.js";
import { settled } from "./engine/engine.js";

const NOTHING = "CAg6NwoQCgF4EgF5IghJZGVudGl0eRIBZ1oPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAFCBAoAEBI="; // y = x

/** @param {string} name */
const address = name => new URL(`web/${name}`, import.meta.url).href;

/** Its program is compiled as it arrives; browsers keep the result. The first session makes it begin. */
async function load() {
  const wasm = address("ort-wasm-simd-threaded.wasm");
  const ort = settled(await import(address("ort.wasm.bundle.min.mjs")), { wasmPaths: { wasm } });
  await ort.InferenceSession.create(fromBase64(NOTHING), { executionProviders: ["wasm"] });
  return ort;
}

const loading = load();
loading.catch(() => {}); // whoever asks is told

/** The module, ready to run models. */
export const runtime = () => loading;

/** What is at an address. @param {string} place */
export async function content(place) {
  const found = await fetch(place);
  if (!found.ok) throw new Error((await found.json().catch(() => ({}))).error ?? `the server answers with status ${found.status}`);
  return new Uint8Array(await found.arrayBuffer());
}
