// The face as the model draws it: by the engine in this page once it is ready, by the server until then.
import { get, post } from "../api.js";
import { LARGE, Model } from "../explore/model.js";
import { writePng } from "../engine/encoders.js";
import { useEffect, useMemo, useRef, useState } from "../html.js";
import { newestOnly } from "../newest.js";

/** @typedef {Record<string, number>} Moves strengths by direction */

/**
 * The engine in this page, null until it is ready. Adapted models, and those with labels, are drawn by the server.
 * @param {string} model "" for none
 */
function useEngine(model) {
  const [engine, setEngine] = useState(/** @type {Model | null} */ (null));
  useEffect(() => {
    setEngine(null);
    if (!model) return undefined;
    const control = new AbortController();
    /** @type {Model | null} */
    let made = null;
    get(`/api/explore/${encodeURIComponent(model)}`, control.signal).then(async about => {
      made = new Model(about);
      await made.ready;
      if (!control.signal.aborted && made.isLocal) setEngine(made);
    }).catch(() => {}); // the server goes on drawing
    return () => { control.abort(); made?.close(); };
  }, [model]);
  return engine;
}

/**
 * What the model draws of the moves, drawn anew when they change.
 * @param {string} id of the result that found the face
 * @param {Moves} moves
 * @param {string} model for the engine in this page; "" where the server draws
 */
export function useDrawn(id, moves, model) {
  const engine = useEngine(model);
  const [drawn, setDrawn] = useState({ src: "", where: "", milliseconds: 0 });
  const [error, setError] = useState("");
  const wish = useRef({ moves, engine });
  wish.current = { moves, engine };
  const last = useRef("");
  const work = useMemo(() => newestOnly(async () => {
    const { moves: wanted, engine: here } = wish.current;
    const began = performance.now();
    const blob = here ? await drawnHere(here, id, wanted) : await post(`/api/photo/${encodeURIComponent(id)}/image`, { moves: wanted });
    return { blob, where: here ? "in this page" : "on the server", milliseconds: performance.now() - began };
  }, ({ blob, ...how }) => {
    setError("");
    const src = URL.createObjectURL(blob);
    setDrawn({ src, ...how });
    if (last.current) setTimeout(URL.revokeObjectURL, 1000, last.current);
    last.current = src;
  }, problem => setError(problem.message)), [id]);
  const key = JSON.stringify(moves);
  useEffect(() => void work.run(), [key, work, engine]);
  useEffect(() => () => work.end(), [work]);
  return { ...drawn, error };
}

/** @param {Model} engine @param {string} id @param {Moves} moves */
async function drawnHere(engine, id, moves) {
  const image = await engine.draw({ face: { point: { vector: id, number: 0 }, moves }, truncation: 1, labels: null }, LARGE);
  return writePng([image.data], [image.width, image.height]);
}
