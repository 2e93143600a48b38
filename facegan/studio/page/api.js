// How the page talks to its server. Every failure is an ApiError whose message is one sentence for people.
import { takeBegun } from "./early.js";

const UNREACHABLE = "The studio's server does not answer. Start it again with facegan studio; nothing is lost.";

/** What went wrong, as one sentence, with HTTP's status (0: the server does not answer). */
export class ApiError extends Error {
  /**
   * @param {string} sentence
   * @param {number} status
   */
  constructor(sentence, status) {
    super(sentence);
    this.name = "ApiError";
    this.status = status;
  }
}

/**
 * @param {string} method
 * @param {string} path such as "/api/project"
 * @param {unknown} [body] sent as JSON
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>} the parsed JSON, or a Blob if the answer is anything else
 */
async function request(method, path, body, signal) {
  /** @type {Record<string, string>} */
  const headers = method === "GET" ? {} : { "X-Facegan": "1" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    const text = body === undefined ? null : JSON.stringify(body);
    const begun = method === "GET" ? takeBegun(path) : undefined;
    response = await (begun ?? fetch(path, { method, headers, body: text, signal: signal ?? null, credentials: "same-origin" }));
    signal?.throwIfAborted();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(UNREACHABLE, 0);
  }
  const type = response.headers.get("Content-Type") ?? "";
  if (!response.ok) throw new ApiError(sentenceOf(await response.text(), response.status), response.status);
  if (response.status === 204) return null;
  return type.startsWith("application/json") ? response.json() : response.blob();
}

/**
 * @param {string} text the body of an answer that is an error
 * @param {number} status
 * @returns {string}
 */
function sentenceOf(text, status) {
  try {
    const { error } = JSON.parse(text);
    if (typeof error === "string" && error) return error;
  } catch {
    // not JSON: a proxy's page, for instance
  }
  if (status === 401) return "This page's token is no longer valid. Open the address that facegan studio printed.";
  return `The server answers with status ${status}.`;
}

/** @param {string} path @param {AbortSignal} [signal] */
export const get = (path, signal) => request("GET", path, undefined, signal);
/** @param {string} path @param {unknown} [body] @param {AbortSignal} [signal] */
export const post = (path, body = {}, signal) => request("POST", path, body, signal);
/** @param {string} path @param {unknown} [body] */
export const put = (path, body = {}) => request("PUT", path, body);
/** @param {string} path */
export const del = path => request("DELETE", path);

/**
 * @typedef {object} JobEvent
 * @property {number} n from 1
 * @property {"progress" | "message" | "picture" | "stats" | "found" | "done" | "failed" | "stopped"} kind
 * @property {string} [what] progress: what is being done
 * @property {number} [done] progress: how much of it is done
 * @property {number} [total] progress: how much there is
 * @property {string} [note] progress: anything else, such as the time left
 * @property {string} [text] message
 * @property {string} [file] picture: the id of its file
 * @property {string} [role] picture: what it is of
 * @property {any} [result] done
 * @property {string} [error] failed
 */

/** @param {{kind: string}} event */
export const isLast = event => ["done", "failed", "stopped"].includes(event.kind);

/**
 * Follow a job's events, each once and in order, through lost connections, until the last one.
 * @param {string} jobId
 * @param {(event: JobEvent) => void} onEvent
 * @param {number} [after] the number of the last event that is known already
 * @returns {() => void} a function that ends it
 */
export function events(jobId, onEvent, after = 0) {
  /** @type {EventSource | null} */
  let source = null;
  /** @type {number | undefined} */
  let timer;
  let failures = 0;
  const open = () => {
    source = new EventSource(`/api/jobs/${encodeURIComponent(jobId)}/events?after=${after}`);
    source.onmessage = message => {
      const event = JSON.parse(message.data);
      if (event.n <= after) return;
      after = event.n;
      failures = 0;
      if (isLast(event)) close();
      onEvent(event);
    };
    source.onerror = () => {
      source?.close();
      failures += 1;
      timer = setTimeout(open, Math.min(500 * 2 ** failures, 15_000));
    };
  };
  const close = () => {
    source?.close();
    clearTimeout(timer);
  };
  open();
  return close;
}

/**
 * @typedef {object} Upload
 * @property {string} id
 * @property {string} name
 * @property {number} bytes
 * @property {string} kind such as "picture", "archive", "model" or "table"
 * @property {number} [width]
 * @property {number} [height]
 */

/**
 * Send a file to the studio's folder of uploads, which is on the machine of the server.
 * @param {File | Blob} file
 * @param {(share: number) => void} [onProgress] told from 0 to 1
 * @param {{name?: string, signal?: AbortSignal}} [options]
 * @returns {Promise<Upload>}
 */
export function upload(file, onProgress = () => {}, { name, signal } = {}) {
  return new Promise((resolve, reject) => {
    const sent = new XMLHttpRequest();
    sent.open("POST", "/api/uploads");
    sent.setRequestHeader("X-Facegan", "1");
    sent.setRequestHeader("X-Name", encodeURIComponent(name ?? ("name" in file ? file.name : "picture.png")));
    sent.setRequestHeader("Content-Type", "application/octet-stream");
    sent.upload.onprogress = event => event.lengthComputable && onProgress(event.loaded / event.total);
    sent.onerror = () => reject(new ApiError(UNREACHABLE, 0));
    sent.onabort = () => reject(new DOMException("aborted", "AbortError"));
    sent.onload = () => {
      if (sent.status < 300) resolve(JSON.parse(sent.responseText));
      else reject(new ApiError(sentenceOf(sent.responseText, sent.status), sent.status));
    };
    signal?.addEventListener("abort", () => sent.abort());
    sent.send(file);
  });
}
