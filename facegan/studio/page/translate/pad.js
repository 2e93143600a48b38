// A canvas to draw on: pens, an eraser, undo, and pictures to begin with. It knows nothing of models.

const MOST_UNDONE = 30;

/** @typedef {{x: number, y: number}} Spot in shares of the canvas */
/** @typedef {"pen" | "eraser"} Tool */

/** Lines on a sheet that is finer than the model's own pixels. */
export class Pad {
  /**
   * @param {number} width of the model's pictures
   * @param {number} height
   */
  constructor(width, height) {
    this.size = [width, height];
    const enlarged = Math.max(1, Math.ceil(512 / Math.max(width, height)));
    this.canvas = Object.assign(document.createElement("canvas"), { width: width * enlarged, height: height * enlarged });
    const context = this.canvas.getContext("2d", { willReadFrequently: true });
    const small = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d", { willReadFrequently: true });
    if (!context || !small) throw new Error("This browser cannot draw.");
    this.context = context;
    this.small = small;
    /** @type {Tool} */
    this.tool = "pen";
    this.ink = "#000000";
    this.thickness = 1; // in pixels of the model
    /** What the model is given exactly, while nothing is drawn on it. @type {Uint8ClampedArray | null} */
    this.exact = null;
    /** @type {Array<{image: ImageData, exact: Uint8ClampedArray | null}>} */
    this.before = [];
    /** Changes with every line. */
    this.version = 0;
    this.fill();
  }

  fill() {
    this.context.fillStyle = "#ffffff";
    this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    this.changed();
  }

  /** @param {Uint8ClampedArray | null} exact */
  changed(exact = null) {
    this.exact = exact;
    this.version += 1;
    this.canvas.dataset.version = `${this.version}`;
  }

  remember() {
    const { width, height } = this.canvas;
    this.before.push({ image: this.context.getImageData(0, 0, width, height), exact: this.exact });
    if (this.before.length > MOST_UNDONE) this.before.shift();
  }

  /** Take the last change back; false if there is none. */
  undo() {
    const last = this.before.pop();
    if (!last) return false;
    this.context.putImageData(last.image, 0, 0);
    this.changed(last.exact);
    return true;
  }

  clear() {
    this.remember();
    this.fill();
  }

  /** Draw a line from one spot to another; the same spot is a dot. @param {Spot} from @param {Spot} to */
  line(from, to) {
    const { context, canvas } = this, scale = canvas.width / /** @type {number} */ (this.size[0]);
    context.strokeStyle = this.tool === "eraser" ? "#ffffff" : this.ink;
    context.lineWidth = this.thickness * scale * (this.tool === "eraser" ? 4 : 1);
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    context.moveTo(from.x * canvas.width, from.y * canvas.height);
    context.lineTo(to.x * canvas.width, to.y * canvas.height);
    context.stroke();
    this.changed();
  }

  /** Begin with a picture of the model's own size, which is taken to the pixel. @param {Uint8ClampedArray} pixels RGBA */
  place(pixels) {
    this.remember();
    const [width = 1, height = 1] = this.size;
    this.small.putImageData(new ImageData(new Uint8ClampedArray(pixels), width, height), 0, 0);
    this.context.imageSmoothingEnabled = true;
    this.context.imageSmoothingQuality = "high";
    this.context.drawImage(this.small.canvas, 0, 0, this.canvas.width, this.canvas.height);
    this.changed(new Uint8ClampedArray(pixels));
  }

  /** What the model is given: pixels RGBA of its size. @returns {Uint8ClampedArray} */
  pixels() {
    if (this.exact) return this.exact;
    const [width = 1, height = 1] = this.size;
    this.small.imageSmoothingEnabled = true;
    this.small.imageSmoothingQuality = "high";
    this.small.drawImage(this.canvas, 0, 0, width, height);
    return this.small.getImageData(0, 0, width, height).data;
  }
}

/**
 * Draw on the pad with a mouse, finger or stylus.
 * @param {Pad} pad
 * @param {() => void} onChange
 * @returns {() => void} a function that ends it
 */
export function listenToPen(pad, onChange) {
  const { canvas } = pad;
  /** @type {Spot | null} */
  let last = null;
  const spot = (/** @type {PointerEvent} */ event) => {
    const box = canvas.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  };
  const down = (/** @type {PointerEvent} */ event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    pad.remember();
    canvas.setPointerCapture(event.pointerId);
    last = spot(event);
    pad.line(last, last);
    onChange();
  };
  const move = (/** @type {PointerEvent} */ event) => {
    if (!last) return;
    const steps = event.getCoalescedEvents?.() ?? [];
    for (const step of steps.length ? steps : [event]) {
      const to = spot(step);
      pad.line(last, to);
      last = to;
    }
    onChange();
  };
  const up = () => { last = null; };
  const handlers = /** @type {const} */ ([["pointerdown", down], ["pointermove", move], ["pointerup", up], ["pointercancel", up]]);
  for (const [name, handler] of handlers) canvas.addEventListener(name, /** @type {any} */ (handler));
  return () => { for (const [name, handler] of handlers) canvas.removeEventListener(name, /** @type {any} */ (handler)); };
}
