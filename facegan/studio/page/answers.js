// What the server answers to a question of a component, asked again when the question changes.
import { get, post } from "./api.js";
import { useEffect, useState } from "./html.js";

/**
 * Return the answer of an address.
 * @param {string} path "" asks nothing
 * @param {Record<string, unknown>} [question] sent as JSON
 * @returns {{answer: any, error: string, ask: () => void}} answer: null until it is there; `ask` asks again
 */
export function useAnswer(path, question) {
  const [state, setState] = useState({ answer: /** @type {any} */ (null), error: "", key: "" });
  const [turn, setTurn] = useState(0);
  const key = path && JSON.stringify([path, question, turn]);
  useEffect(() => {
    if (!path) return undefined;
    const control = new AbortController();
    (question ? post(path, question, control.signal) : get(path, control.signal)).then(
      answer => setState({ answer, error: "", key }),
      error => { if (!control.signal.aborted) setState({ answer: null, error: error.message, key }); },
    );
    return () => control.abort();
  }, [key]);
  const { answer, error } = state.key === key ? state : { answer: null, error: "" };
  return { answer, error, ask: () => setTurn(turn + 1) };
}
