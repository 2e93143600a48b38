// The map: thousands of faces side by side, like by like. Places are in pixels of the map at full size; a pixel
// of the screen is 1 / k of them. While it is panned, what was drawn is moved, and only the new edges are drawn.

const MARGIN = 0.4;  // of the screen that may show what lies beyond the edge
const clamp = (/** @type {number} */ v, /** @type {number} */ low, /** @type {number} */ high) => Math.min(Math.max(v, low), high);

/** @typedef {{columns: number, tile: number[], seeds: number[], size: number[]}} Layout tile and size: height, width */

/** Halves of a picture, each of the one before, down to about the size of a screen.
 * @param {ImageBitmap} picture @returns {Promise<ImageBitmap[]>} */
export async function levelsOf(picture) {
  const levels = [picture];
  for (let last = picture; Math.max(last.width, last.height) > 512;) {
    const [w, h] = [Math.ceil(last.width / 2), Math.ceil(last.height / 2)];
    last = await createImageBitmap(last, { resizeWidth: w, resizeHeight: h, resizeQuality: "medium" });
    levels.push(last);
  }
  return levels;
}

export class FaceMap {
  /** @param {HTMLCanvasElement} canvas @param {Layout} layout @param {ImageBitmap[]} levels
   * @param {(cell: number) => void} onChoose */
  constructor(canvas, layout, levels, onChoose) {
    this.canvas = canvas;
    this.pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { alpha: false }));
    this.layout = layout;
    this.levels = levels;
    this.onChoose = onChoose;
    this.height = layout.size[0];
    this.width = layout.size[1];
    this.chosen = -1;
    this.view = { x: 0, y: 0, k: 0 };
    /** What the canvas shows: null where it must be drawn anew. @type {{x: number, y: number, k: number, mark: number} | null} */
    this.shown = null;
    this.frame = 0;
    this.frames = 0;  // drawn so far
    this.paper = getComputedStyle(canvas).backgroundColor;
    /** @type {Map<number, number[]>} */
    this.fingers = new Map();
    this.travelled = 0;
    this.spread = 0;
    this.listening = new AbortController();
    this.listen();
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(canvas);
    this.resize();
  }

  get ratio() { return window.devicePixelRatio || 1; }

  get screen() { return { w: this.canvas.clientWidth || 1, h: this.canvas.clientHeight || 1 }; }

  close() {
    this.listening.abort();
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
  }

  // --- drawing ---------------------------------------------------------------------------------------------

  resize() {
    const { w, h } = this.screen, wide = Math.round(w * this.ratio), high = Math.round(h * this.ratio);
    if (this.canvas.width === wide && this.canvas.height === high && this.view.k) return;
    Object.assign(this.canvas, { width: wide, height: high });
    this.shown = null;
    this.settle();
  }

  redraw() { if (!this.frame) this.frame = requestAnimationFrame(() => this.draw()); }

  /** Pixels of the canvas for a pixel of the map. */
  get scale() { return this.view.k * this.ratio; }

  draw() {
    this.frame = 0;
    this.frames++;
    const { canvas, pen, scale, shown, chosen } = this;
    // Whole pixels, so that what was drawn can be moved.
    const x = Math.round(this.view.x * scale), y = Math.round(this.view.y * scale);
    const { width, height } = canvas, dx = shown ? shown.x - x : 0, dy = shown ? shown.y - y : 0;
    const moved = shown && shown.k === scale && shown.mark === chosen && Math.abs(dx) < width && Math.abs(dy) < height;
    if (moved) {
      pen.globalCompositeOperation = "copy";
      if (dx || dy) pen.drawImage(canvas, dx, dy);
      pen.globalCompositeOperation = "source-over";
      if (dx) this.region(x, y, dx > 0 ? 0 : width + dx, 0, Math.abs(dx), height);
      if (dy) this.region(x, y, 0, dy > 0 ? 0 : height + dy, width, Math.abs(dy));
    } else this.region(x, y, 0, 0, width, height);
    this.shown = { x, y, k: scale, mark: chosen };
  }

  /** Draws part of the canvas, whose corner lies at (x, y) of the scaled map.
   * @param {number} x @param {number} y @param {number} left @param {number} top @param {number} w @param {number} h */
  region(x, y, left, top, w, h) {
    const { pen, scale, levels } = this;
    pen.save();
    pen.beginPath();
    pen.rect(left, top, w, h);
    pen.clip();
    pen.fillStyle = this.paper;
    pen.fillRect(left, top, w, h);
    pen.imageSmoothingEnabled = true;
    pen.imageSmoothingQuality = "low";
    const level = clamp(Math.floor(Math.log2(1 / scale) + 0.3), 0, levels.length - 1), picture = levels[level];
    const fx = picture.width / (this.width * scale), fy = picture.height / (this.height * scale);
    // A pixel more on each side, so that the smoothing has its neighbours, and edges meet.
    const [sx, sy] = [Math.max(0, Math.floor((x + left) * fx) - 1), Math.max(0, Math.floor((y + top) * fy) - 1)];
    const ex = Math.min(picture.width, Math.ceil((x + left + w) * fx) + 1), ey = Math.min(picture.height, Math.ceil((y + top + h) * fy) + 1);
    if (ex > sx && ey > sy)
      {pen.drawImage(picture, sx, sy, ex - sx, ey - sy, sx / fx - x, sy / fy - y, (ex - sx) / fx, (ey - sy) / fy);}
    if (this.chosen >= 0) this.outline(x, y);
    pen.restore();
  }

  /** @param {number} x @param {number} y */
  outline(x, y) {
    const { pen, scale, layout: { columns, tile: [h, w] } } = this;
    const left = this.chosen % columns * w * scale - x, top = Math.floor(this.chosen / columns) * h * scale - y;
    for (const [color, thick] of /** @type {[string, number][]} */ ([["#000", 5], ["#fff", 2.5]])) {
      pen.strokeStyle = color;
      pen.lineWidth = thick * this.ratio;
      pen.strokeRect(left, top, w * scale, h * scale);
    }
  }

  // --- moving ------------------------------------------------------------------------------------------------

  get least() { return Math.min(this.screen.w / this.width, this.screen.h / this.height, this.most); }

  get most() { return 0.7 * Math.min(this.screen.w, this.screen.h) / Math.max(...this.layout.tile); }

  settle() {
    const { view, screen: { w, h } } = this;
    view.k = clamp(view.k, this.least, this.most);
    const [seenW, seenH] = [w / view.k, h / view.k], loose = MARGIN;
    view.x = seenW >= this.width ? (this.width - seenW) / 2 : clamp(view.x, -loose * seenW, this.width - (1 - loose) * seenW);
    view.y = seenH >= this.height ? (this.height - seenH) / 2 : clamp(view.y, -loose * seenH, this.height - (1 - loose) * seenH);
    this.redraw();
  }

  /** What is under (x, y) stays there. @param {number} factor */
  zoom(factor, x = this.screen.w / 2, y = this.screen.h / 2) {
    const { view } = this, [px, py] = [view.x + x / view.k, view.y + y / view.k];
    view.k = clamp(view.k * factor, this.least, this.most);
    view.x = px - x / view.k;
    view.y = py - y / view.k;
    this.settle();
  }

  /** @param {number} dx @param {number} dy pixels of the screen */
  move(dx, dy) {
    this.view.x -= dx / this.view.k;
    this.view.y -= dy / this.view.k;
    this.settle();
  }

  all() {
    this.view.k = 0;
    this.settle();
  }

  /** Chooses a face and brings it into sight. @param {number} cell @param {number} side its least width on the screen */
  choose(cell, side = 0) {
    const { view, screen: { w, h }, layout: { columns, tile } } = this;
    this.chosen = cell;
    if (cell >= 0) {
      view.k = clamp(Math.max(view.k, side / Math.max(...tile)), this.least, this.most);
      const x = (cell % columns + 0.5) * tile[1], y = (Math.floor(cell / columns) + 0.5) * tile[0];
      view.x = clamp(view.x, x + tile[1] - w / view.k, x - tile[1]);
      view.y = clamp(view.y, y + tile[0] - h / view.k, y - tile[0]);
    }
    this.settle();
  }

  /** @param {number} seed */
  cellOf(seed) { return this.layout.seeds.indexOf(seed); }

  /** @param {number} x @param {number} y on the screen */
  cellAt(x, y) {
    const { view, layout: { columns, tile, seeds } } = this;
    const column = Math.floor((view.x + x / view.k) / tile[1]), row = Math.floor((view.y + y / view.k) / tile[0]);
    const cell = row * columns + column;
    return column >= 0 && column < columns && row >= 0 && cell < seeds.length ? cell : -1;
  }

  // --- mouse, touch, keys ------------------------------------------------------------------------------------

  listen() {
    const { canvas, listening: { signal }, fingers } = this;
    /** @param {MouseEvent} event */
    const place = event => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    const apart = () => {
      if (fingers.size < 2) return 0;
      const [[ax, ay], [bx, by]] = [...fingers.values()];
      return Math.hypot(ax - bx, ay - by);
    };
    canvas.addEventListener("pointerdown", event => {
      if (event.button) return;
      canvas.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, place(event));
      if (fingers.size === 1) this.travelled = 0;
      this.spread = apart();
    }, { signal });
    canvas.addEventListener("pointermove", event => {
      const before = fingers.get(event.pointerId);
      if (!before) return;
      const now = place(event), [dx, dy] = [now[0] - before[0], now[1] - before[1]];
      fingers.set(event.pointerId, now);
      this.travelled += Math.hypot(dx, dy);
      if (fingers.size > 2 || this.travelled <= 6) return;
      this.move(dx / fingers.size, dy / fingers.size);
      if (fingers.size < 2) return;
      const [[ax, ay], [bx, by]] = [...fingers.values()], now2 = apart();
      if (this.spread > 0 && now2 > 0) this.zoom(now2 / this.spread, (ax + bx) / 2, (ay + by) / 2);
      this.spread = now2;
    }, { signal });
    /** @param {PointerEvent} event */
    const lifted = event => {
      const known = fingers.delete(event.pointerId);
      this.spread = apart();
      if (!fingers.size && known && event.type === "pointerup" && this.travelled <= 6) this.take(this.cellAt(...pair(place(event))));
    };
    canvas.addEventListener("pointerup", lifted, { signal });
    canvas.addEventListener("pointercancel", lifted, { signal });
    canvas.addEventListener("dblclick", event => this.zoom(2, ...pair(place(event))), { signal });
    canvas.addEventListener("wheel", event => {
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 33 : event.deltaMode === 2 ? 400 : 1;
      this.zoom(2 ** (-clamp(event.deltaY * lines, -400, 400) * (event.ctrlKey ? 0.01 : 0.0025)), ...pair(place(event)));
    }, { passive: false, signal });
    canvas.addEventListener("keydown", event => this.key(event), { signal });
  }

  /** @param {number} cell */
  take(cell) {
    if (cell < 0) return;
    this.choose(cell);
    this.onChoose(cell);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { w, h } = this.screen, { columns, seeds } = this.layout, cell = this.chosen;
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (step && cell >= 0) {
      const column = cell % columns + step[0], next = cell + step[0] + step[1] * columns;
      if (column >= 0 && column < columns && next >= 0 && next < seeds.length) this.take(next);
    } else if (step) this.move(-step[0] * w * 0.2, -step[1] * h * 0.2);
    else if (event.key === "+" || event.key === "=") this.zoom(1.5);
    else if (event.key === "-" || event.key === "_") this.zoom(1 / 1.5);
    else if (event.key === "0") this.all();
    else if (event.key === "Enter") this.take(this.cellAt(w / 2, h / 2));
    else if (event.key === "Escape" && cell >= 0) this.choose(-1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/** @param {number[]} place @returns {[number, number]} */
const pair = place => [place[0], place[1]];
