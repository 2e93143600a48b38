// The sheets of samples that a run draws: the newest, and the way there.
import { html, useEffect, useState } from "../html.js";
import { Button, Slider } from "../ui.js";
import { gridAddress } from "./data.js";
import { nearest, pictures } from "./scale.js";

/** @typedef {import("./data.js").Run} Run */

const FRAME = 280; // milliseconds of a sheet in the film

/**
 * The sheets of a run, over its time. It follows the newest one until somebody moves the slider back.
 * @param {{run: Run & {axes?: import("./data.js").Axes[]}, onMoment: (kimg: number | null) => void}} props
 */
export function Sheets({ run, onMoment }) {
  const [at, setAt] = useState(/** @type {number | null} */ (null)); // null: the newest
  const [playing, setPlaying] = useState(false);
  const { grids } = run;
  const last = grids.length - 1;
  const index = at == null ? last : Math.min(at, last);
  const go = (/** @type {number} */ to) => {
    const newest = to >= last;
    setAt(newest ? null : to);
    onMoment(newest ? null : grids[to] ?? null);
  };
  useEffect(() => {
    if (!playing) return undefined;
    const timer = setTimeout(() => (index < last ? go(index + 1) : setPlaying(false)), FRAME);
    return () => clearTimeout(timer);
  }, [playing, index, last]);
  if (last < 0) return html`<div class="sheet empty-sheet" role="img" aria-label="No samples yet"><p class="soft">The first samples come in a moment.</p></div>`;
  const kimg = /** @type {number} */ (grids[index]);
  const play = () => { if (index === last) go(0); setPlaying(!playing); };
  return html`<figure class="sheet">
    <img src=${gridAddress(run.id, kimg)} alt="Samples of ${run.id} after ${pictures(kimg)} pictures" />
    <figcaption class="soft small">${run.axes?.[0]?.caption ?? ""}</figcaption>
    ${last > 0 && html`<div class="player"><${Button} small icon=${playing ? "pause" : "play"} onClick=${play} aria-label=${playing ? "Pause" : "Play the training"} />
      <${Slider} label=${at == null ? "Newest samples" : "Samples"} value=${index} min=${0} max=${last} step=${1} onInput=${(/** @type {number} */ to) => { setPlaying(false); go(to); }}
        format=${(/** @type {number} */ i) => `${pictures(grids[i])} pictures`} /></div>`}
  </figure>`;
}

/**
 * The sheets of several runs at the same number of pictures.
 * @param {{runs: Run[]}} props
 */
export function SheetsBeside({ runs }) {
  const all = [...new Set(runs.flatMap(run => run.grids))].sort((a, b) => a - b);
  const [at, setAt] = useState(/** @type {number | null} */ (null));
  const index = Math.min(at ?? all.length - 1, all.length - 1);
  if (index < 0) return null;
  const kimg = /** @type {number} */ (all[index]);
  return html`<section class="stack" aria-label="Samples beside each other">
    <${Slider} label="Samples after" value=${index} min=${0} max=${Math.max(1, all.length - 1)} step=${1} onInput=${setAt} format=${(/** @type {number} */ i) => `${pictures(all[i])} pictures`} />
    <div class="beside">${runs.map((run, i) => {
      const own = run.grids[nearest(run.grids, kimg)];
      return html`<figure class="sheet" key=${run.id} style=${{ "--c": `var(--c${i % 8})` }}><figcaption><b class="run-name">${run.id}</b>
        <span class="soft small">${own == null ? "no samples yet" : `${pictures(own)} pictures`}</span></figcaption>
        ${own != null && html`<img src=${gridAddress(run.id, own)} alt="Samples of ${run.id} after ${pictures(own)} pictures" loading="lazy" />`}</figure>`;
    })}</div></section>`;
}
