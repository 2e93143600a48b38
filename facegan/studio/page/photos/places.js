// Addresses of what the server shows of photos and datasets, and hooks that ask for it.
import { get, post } from "../api.js";
import { useEffect, useState } from "../html.js";

/** @typedef {import("./decisions.js").Row} Row */
/** @typedef {import("./decisions.js").Reject} Reject */
/** @typedef {"sets" | "datasets"} Kind */
/**
 * @typedef {object} Listing what a dataset is, and a page of its pictures
 * @property {[number, number]} size
 * @property {number} channels
 * @property {Record<string, number>} counts
 * @property {number} total
 * @property {string} hash
 * @property {Array<{name: string, known: number, kind: string, yes?: number, counts?: Record<string, number>}>} attributes
 * @property {Record<string, {count: number, confidence: number}>} predicted
 * @property {Record<string, any>} crop
 * @property {string[]} sources
 * @property {string} made_from
 * @property {string} selected
 * @property {boolean} generated
 * @property {string[]} notes
 * @property {number} rejected
 * @property {Reject[]} rejects
 * @property {number} near_duplicates
 * @property {number} looked_through pictures, from the first on, among which those that fit were looked for
 * @property {number} matching
 * @property {Row[]} rows
 */
/**
 * @typedef {object} Face one of a photo
 * @property {import("./decisions.js").Box | null} box
 * @property {number | null} confidence
 * @property {string} reason "" if it is taken
 * @property {Array<[number, number]>} outline of what is cut
 */

/** @param {Kind} kind @param {string} id */
const base = (kind, id) => `/api/photos/${kind}/${encodeURIComponent(id)}`;

/** @param {Kind} kind @param {string} id @param {string} source @param {number} side */
export const photoAddress = (kind, id, source, side) => `${base(kind, id)}/view?${new URLSearchParams({ source, side: String(side) })}`;
/** @param {Kind} kind @param {string} id @param {Row} row @param {string} hash */
export const cropAddress = (kind, id, row, hash) => `${base(kind, id)}/crop/${row.split}/${row.n}?v=${hash.slice(0, 12)}`;

/**
 * Ask for all faces of a photo.
 * @param {Kind} kind @param {string} id @param {{source: string, crop: Record<string, any>, box?: any}} question
 * @returns {Promise<{width: number, height: number, faces: Face[]}>}
 */
export const facesOf = (kind, id, question) => post(`${base(kind, id)}/faces`, question);

const PAGE = 120;

/**
 * Return the pictures of a dataset that fit, page by page.
 * @param {Kind} kind @param {string} id
 * @param {{where?: string, sort?: string, split?: string, min_confidence?: number}} query
 * @param {unknown} version asks again when it changes
 */
export function useListing(kind, id, query, version) {
  const [state, setState] = useState({ listing: /** @type {Listing | null} */ (null), error: "", more: false });
  const key = JSON.stringify([kind, id, query, version]);
  const ask = async (/** @type {number} */ start, /** @type {AbortSignal} */ signal) => {
    const wanted = Object.entries({ ...query, start, count: PAGE }).filter(([, value]) => value !== "" && value !== undefined);
    return /** @type {Promise<Listing>} */ (get(`${base(kind, id)}/rows?${new URLSearchParams(wanted.map(([k, v]) => [k, String(v)]))}`, signal));
  };
  useEffect(() => {
    if (!id) { setState({ listing: null, error: "", more: false }); return undefined; }
    const control = new AbortController();
    ask(0, control.signal).then(
      listing => setState({ listing, error: "", more: listing.rows.length < listing.matching }),
      error => { if (!control.signal.aborted) setState(state => ({ ...state, error: error.message })); },
    );
    return () => control.abort();
  }, [key]);
  const more = async () => {
    const known = state.listing;
    if (!known) return;
    const next = await ask(known.rows.length, new AbortController().signal);
    const rows = [...known.rows, ...next.rows];
    setState({ listing: { ...next, rows }, error: "", more: rows.length < next.matching && next.rows.length > 0 });
  };
  return { ...state, showMore: more };
}

/**
 * Return the address of a picture that is answered to a question, "" until it is here.
 * @param {string} path @param {Record<string, any> | null} question
 */
export function useAnswered(path, question) {
  const [state, setState] = useState({ src: "", error: "" });
  const key = question ? JSON.stringify(question) : "";
  useEffect(() => {
    if (!key) return undefined;
    const control = new AbortController();
    let made = "";
    const timer = setTimeout(() => {
      post(path, JSON.parse(key), control.signal).then(
        blob => { if (!control.signal.aborted) { made = URL.createObjectURL(blob); setState({ src: made, error: "" }); } },
        error => { if (!control.signal.aborted) setState({ src: "", error: error.message }); },
      );
    }, 60);
    return () => { clearTimeout(timer); control.abort(); if (made) setTimeout(() => URL.revokeObjectURL(made), 1000); };
  }, [path, key]);
  return state;
}

/** @param {Kind} kind @param {string} id */
export const cutPath = (kind, id) => `${base(kind, id)}/cut`;
