// The sheet to draw on, beside what the translator makes of it at once.
import { html, useEffect, useMemo, useRef, useState } from "../html.js";
import { newestOnly } from "../newest.js";
import { Button, ErrorLine, IconButton, Slider, Spinner } from "../ui.js";
import { PageTranslator } from "./engine.js";
import { Pad, listenToPen } from "./pad.js";

/** @typedef {import("./engine.js").TranslatorFacts} TranslatorFacts */

const INKS = { "": [["#000000", "Black"], ["#808080", "Grey"], ["#ffffff", "White"]], hole: [["#808080", "Grey"]] };

/** A canvas element that is made elsewhere. @param {{canvas: HTMLCanvasElement, label: string}} props */
function Canvas({ canvas, label }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    canvas.setAttribute("aria-label", label);
    canvas.setAttribute("role", "img");
    place.current?.replaceChildren(canvas);
  }, [canvas, label]);
  return html`<div class="paper" ref=${place}></div>`;
}

/** The engine of a direction; it begins at once on the server. @param {string} model @param {TranslatorFacts} facts @param {string} direction */
function useTranslator(model, facts, direction) {
  const engine = useMemo(() => new PageTranslator(model, facts, direction), [model, facts, direction]);
  const [ready, setReady] = useState("");
  useEffect(() => {
    let gone = false;
    setReady("");
    void engine.start().then(() => { if (!gone) setReady(engine.where); });
    return () => { gone = true; engine.stop(); };
  }, [engine]);
  return { engine, ready };
}

/**
 * @param {{model: string, heading: string, facts: TranslatorFacts, direction: string, start: {pixels: Uint8ClampedArray, n: number} | null,
 *   share: number, onDrawn: (given: Uint8ClampedArray, made: Uint8ClampedArray) => void}} props
 *   `start`: a picture that is put on the sheet whenever its number changes; `share`: how much of the change is shown
 */
export function Sheet({ model, heading, facts, direction, start, share, onDrawn }) {
  const [, height, width] = facts.image_shape;
  const pad = useMemo(() => new Pad(width, height), [width, height]);
  const result = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const { engine, ready } = useTranslator(model, facts, direction);
  const [error, setError] = useState("");
  const [took, setTook] = useState("");
  const made = useRef(/** @type {{given: Uint8ClampedArray, pixels: Uint8ClampedArray} | null} */ (null));
  const drawn = useRef(onDrawn);
  drawn.current = onDrawn;
  const shown = useRef(share);
  shown.current = share;
  const paint = () => {
    if (made.current && result.current) paintBetween(result.current, made.current.given, made.current.pixels, shown.current);
  };
  const refresh = useRef(() => {});
  useEffect(() => {
    const draw = async () => {
      const { version } = pad, given = pad.pixels();
      return { ...await engine.draw(given), given, version };
    };
    const work = newestOnly(draw, answer => {
      made.current = { given: answer.given, pixels: answer.pixels };
      setError("");
      setTook(`${answer.milliseconds.toFixed(0)} ms ${engine.where === "page" ? "in this page" : "on the server"}`);
      paint();
      if (result.current) Object.assign(result.current.dataset, { version: answer.version, by: engine.where });
      drawn.current(answer.given, answer.pixels);
    }, problem => setError(problem.message));
    refresh.current = () => void work.run();
    refresh.current();
    const end = listenToPen(pad, refresh.current);
    return () => { end(); work.end(); };
  }, [engine, pad]);
  useEffect(() => { if (ready) refresh.current(); }, [ready]);
  useEffect(() => {
    if (start) { pad.place(start.pixels); refresh.current(); }
  }, [start?.n, pad]);
  useEffect(paint, [share]);
  return html`<div class="drawing-desk">
    <section class="card" aria-label="The drawing"><h2>${heading}</h2>
      <${Canvas} canvas=${pad.canvas} label="The sheet to draw on" />
      <${SheetTools} pad=${pad} input=${facts.input} onChange=${() => refresh.current()} /></section>
    <section class="card" aria-label="The result"><div class="row"><h2>What becomes of it</h2>
      <span class="soft small numbers" data-took>${took || html`<${Spinner} label="Drawing" />`}</span></div>
      <canvas class="face-picture" ref=${result} width=${width} height=${height} role="img" aria-label="What the translator makes of the drawing"></canvas>
      <${ErrorLine} error=${error} onRetry=${() => refresh.current()} /></section>
  </div>`;
}

/** @param {HTMLCanvasElement} canvas @param {Uint8ClampedArray} before @param {Uint8ClampedArray} after @param {number} share */
function paintBetween(canvas, before, after, share) {
  const mixed = share >= 1 ? after : after.map((value, i) => Math.round((before[i] ?? 0) + share * (value - (before[i] ?? 0))));
  canvas.getContext("2d")?.putImageData(new ImageData(new Uint8ClampedArray(mixed), canvas.width, canvas.height), 0, 0);
}

/** @param {{pad: Pad, input: string, onChange: () => void}} props */
function SheetTools({ pad, input, onChange }) {
  const inks = INKS[input === "hole" ? "hole" : ""];
  const [tool, setTool] = useState("pen");
  const [ink, setInk] = useState(inks[0]?.[0] ?? "#000000");
  const [thickness, setThickness] = useState(input === "hole" ? 8 : 1);
  Object.assign(pad, { tool, ink, thickness });
  useEffect(() => {
    const key = (/** @type {KeyboardEvent} */ event) => {
      if (!(event.ctrlKey || event.metaKey) || event.key !== "z" || /** @type {HTMLElement} */ (event.target).matches("input, textarea")) return;
      event.preventDefault();
      if (pad.undo()) onChange();
    };
    window.addEventListener("keydown", key);
    return () => window.removeEventListener("keydown", key);
  }, [pad]);
  return html`<div class="tools-of-sheet" role="group" aria-label="Pens">
    ${inks.map(([of, name]) => html`<${Button} key=${of} small pressed=${tool === "pen" && ink === of}
      onClick=${() => { setTool("pen"); setInk(of ?? "#000000"); }}>${inks.length > 1 ? name : "Pen"}<//>`)}
    <${Button} small pressed=${tool === "eraser"} onClick=${() => setTool("eraser")}>Eraser<//>
    <${IconButton} small icon="undo" label="Undo (Ctrl+Z)" onClick=${() => pad.undo() && onChange()} />
    <${IconButton} small icon="trash" label="Clear the sheet" onClick=${() => { pad.clear(); onChange(); }} />
    <${Slider} label="Width" value=${thickness} min=${0.5} max=${16} step=${0.5} reset=${1} onInput=${setThickness} format=${(/** @type {number} */ value) => `${value} px`} />
  </div>`;
}
