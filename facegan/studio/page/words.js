// Numbers, sizes, times and names as people read them.

/** A number of things: 1 picture, 2,500 pictures. @param {number} count @param {string} thing @param {string} [things] */
export const counted = (count, thing, things = `${thing}s`) => `${count.toLocaleString("en")} ${count === 1 ? thing : things}`;

/** The size of pictures, as picture programs have it. @param {number[]} size height and width, as the server has it */
export const pixelSize = ([height, width]) => `${width} × ${height} px${width === height ? "" : " (width × height)"}`;

/** @param {Record<string, any>} item a dataset of the listing */
export const aboutDataset = item => [
  item.counts && counted(Object.values(/** @type {Record<string, number>} */ (item.counts)).reduce((a, b) => a + b, 0), "picture"),
  item.size && pixelSize(item.size),
].filter(Boolean).join(", ");

/** A dataset's name without its folder. @param {{name: string}} item */
export const nameOfDataset = item => item.name.replace(/^datasets\//, "");

/** A message as a sentence; the name of a file at its beginning stays as it is. @param {string} text */
export const asSentence = text => text && `${/^[a-z]+[ ,]/.test(text) ? text[0]?.toUpperCase() + text.slice(1) : text}${/[.!?…]$/.test(text) ? "" : "."}`;

/** A sentence in which options of the command line are settings: --r1-gamma becomes “r1 gamma”. @param {string} text */
export const inWords = text => text.replaceAll("`", "").replace(/(^|[^\w-])--((?:[a-z0-9]+[.-])*[a-z0-9]+)/g, (_, before, name) => `${before}“${name.replaceAll("-", " ")}”`);

/** Why a job has not begun yet. @param {{waits?: string}} job */
export const waitText = ({ waits }) => (waits ? `Waits: ${waits}` : "Starts");

/** A share or a probability. @param {number} share */
export const percent = share => `${share > 0 && share < 0.1 ? Number((100 * share).toPrecision(2)) : Math.round(100 * share)}%`;

/** @param {number | null | undefined} bytes */
export function sizeText(bytes) {
  if (bytes == null) return "–";
  const units = ["bytes", "kB", "MB", "GB"];
  let at = 0;
  while (bytes >= 1000 && at < 3) { bytes /= 1000; at += 1; }
  return `${at && bytes < 10 ? bytes.toFixed(1) : Math.round(bytes)} ${units[at]}`;
}

/** @param {string | undefined} made such as 2026-12-01T10:20:30+0000 */
export function timeText(made) {
  const time = made ? new Date(made.replace(/([+-]\d\d)(\d\d)$/, "$1:$2")) : null;
  if (!time || Number.isNaN(time.getTime())) return "";
  const today = new Date().toDateString() === time.toDateString();
  return today ? `today, ${time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false })}`
    : time.toLocaleDateString([], { day: "numeric", month: "short", year: "numeric" });
}

/** A direction's name for people. @param {string} name */
export const plainName = name => name.toLowerCase().replaceAll("_", " ").replace(/^(pca|sefa)(\d+)$/, "$1 component $2");

/** A name that is not taken yet: with a number behind it, if need be. @param {string} stem @param {Iterable<string>} taken */
export function freeName(stem, taken) {
  const known = new Set(taken);
  if (!known.has(stem)) return stem;
  for (let number = 2; ; number += 1) if (!known.has(`${stem}-${number}`)) return `${stem}-${number}`;
}
