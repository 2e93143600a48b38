// What an address of Explore brings back: a look, or the settings of a job.
import { recalledOf } from "../results.js";

/** @typedef {import("./model.js").Look} Look */

/** @param {unknown} points such as "seed:0-2,5" @returns {number[]} */
function seedsOf(points) {
  const found = [];
  for (const [, from = "", to] of String(points).replace(/^seed:/, "").matchAll(/(\d{1,15})(?:-(\d{1,15}))?/g)) {
    for (let seed = Number(from); seed <= Number(to ?? from) && found.length < 50; seed++) found.push(seed);
  }
  return found;
}

/**
 * The parts of an address that name a look and a tool, and faces that belong to the favourites.
 * @param {Record<string, string>} state
 * @returns {{parts: Record<string, string>, favourites: Look[]}}
 */
export function recalledLook(state) {
  const job = recalledOf(state, "atlas", "directions", "explore", "film", "generate");
  if (!job) return { parts: { ...state }, favourites: [] };
  const settings = { ...job.settings };
  delete settings.model;
  if (job.action === "explore") return { parts: settings, favourites: [] };
  const seeds = seedsOf(settings.points ?? "0");
  /** @type {Record<string, string>} */
  const parts = { seed: `${seeds[0] ?? 0}` };
  if (settings.truncation != null && settings.truncation !== 1) parts.truncation = `${settings.truncation}`;
  const tool = { atlas: "map", film: "film" }[job.action];
  if (tool) parts.tool = tool;
  const favourites = job.action === "film" && settings.points
    ? seeds.map(seed => ({ face: { point: { seed }, moves: {} }, truncation: Number(settings.truncation ?? 1), labels: null })) : [];
  return { parts, favourites };
}
