'use strict';
// Places are in pixels of the finest level; a screen pixel is 1 / view.k of them.
const data = JSON.parse(document.getElementById('data').textContent);
const byId = id => document.getElementById(id);
const map = byId('map'), pen = map.getContext('2d');
const [tileH, tileW] = data.tile, [height, width] = data.levels[0].size;
const view = {x: 0, y: 0, k: 0};
const tour = [];
let chosen = -1, drawing = false;
const clamp = (v, low, high) => Math.min(Math.max(v, low), high);
const screen = () => ({w: map.clientWidth, h: map.clientHeight});
const least = () => Math.min(screen().w / width, screen().h / height, limit());
const limit = () => 0.7 * Math.min(screen().w, screen().h) / Math.max(tileW, tileH);

// --- pictures: made when first seen, the longest unseen given up ---------------------------------
const kept = new Map();
const MOST = 96;
function part(level, i) {
  const key = level * 1e6 + i;
  let image = kept.get(key);
  if (!image) {
    image = new Image();
    image.onload = redraw;
    image.src = data.levels[level].uris[i];
  }
  kept.delete(key);
  kept.set(key, image);  // the newest stand last
  while (kept.size > MOST) kept.delete(kept.keys().next().value);
  return image.complete && image.naturalWidth ? image : null;
}

function drawLevel(level, box) {
  const {size: [h, w]} = data.levels[level], side = data.side, across = Math.ceil(w / side);
  const sx = width / w, sy = height / h;  // the coarser levels are rounded up
  const [left, right] = [box.left, box.right].map(v => clamp(Math.floor(v / sx / side), 0, across - 1));
  const [top, bottom] = [box.top, box.bottom].map(v => clamp(Math.floor(v / sy / side), 0, Math.ceil(h / side) - 1));
  for (let j = top; j <= bottom; j++) for (let i = left; i <= right; i++) {
    const image = part(level, j * across + i);
    if (!image) continue;
    const [x0, y0] = [i * side * sx, j * side * sy];
    const [x1, y1] = [x0 + image.naturalWidth * sx, y0 + image.naturalHeight * sy];
    const at = ([x, y]) => [Math.round((x - view.x) * view.k * ratio), Math.round((y - view.y) * view.k * ratio)];
    const [a, b] = at([x0, y0]), [c, d] = at([x1, y1]);
    pen.drawImage(image, a, b, c - a, d - b);
  }
}

let ratio = 1;
function draw() {
  drawing = false;
  ratio = window.devicePixelRatio || 1;
  const {w, h} = screen();
  if (map.width !== Math.round(w * ratio) || map.height !== Math.round(h * ratio)) {
    map.width = Math.round(w * ratio);
    map.height = Math.round(h * ratio);
  }
  pen.clearRect(0, 0, map.width, map.height);
  pen.imageSmoothingQuality = 'high';
  const box = {left: view.x, top: view.y, right: view.x + w / view.k, bottom: view.y + h / view.k};
  const last = data.levels.length - 1;
  const level = clamp(Math.floor(Math.log2(1 / (view.k * ratio)) + 1e-6), 0, last);
  drawLevel(last, box);  // one small picture of all, until the fine ones are there
  if (level < last) drawLevel(level, box);
  if (chosen >= 0) outline(chosen);
}
function redraw() {
  if (!drawing) { drawing = true; requestAnimationFrame(draw); }
}

function outline(cell) {
  const x = (cell % data.columns * tileW - view.x) * view.k * ratio;
  const y = (Math.floor(cell / data.columns) * tileH - view.y) * view.k * ratio;
  for (const [color, thick] of [['#000', 5], ['#fff', 2.5]]) {
    pen.strokeStyle = color;
    pen.lineWidth = thick * ratio;
    pen.strokeRect(x, y, tileW * view.k * ratio, tileH * view.k * ratio);
  }
}

// --- moving ---------------------------------------------------------------------------------------
function settle() {
  const {w, h} = screen();
  view.k = clamp(view.k, least(), limit());
  const [seenW, seenH] = [w / view.k, h / view.k];
  // Up to 0.4 of the screen may show what is beyond the edge: a face there comes out from under a panel.
  view.x = seenW >= width ? (width - seenW) / 2 : clamp(view.x, -0.4 * seenW, width - 0.6 * seenW);
  view.y = seenH >= height ? (height - seenH) / 2 : clamp(view.y, -0.4 * seenH, height - 0.6 * seenH);
  redraw();
}
function zoom(factor, x = screen().w / 2, y = screen().h / 2) {  // what is under (x, y) stays there
  const [px, py] = [view.x + x / view.k, view.y + y / view.k];
  view.k = clamp(view.k * factor, least(), limit());
  view.x = px - x / view.k;
  view.y = py - y / view.k;
  settle();
}
function move(dx, dy) { view.x -= dx / view.k; view.y -= dy / view.k; settle(); }
function all() { view.k = 0; settle(); }
function centre(cell, closeness) {
  const {w, h} = screen();
  view.k = clamp(Math.max(view.k, closeness / Math.max(tileW, tileH)), least(), limit());
  view.x = (cell % data.columns + 0.5) * tileW - w / view.k / 2;
  view.y = (Math.floor(cell / data.columns) + 0.5) * tileH - h / view.k / 2;
  settle();
}
function keepInSight(cell, room) {  // with so many faces around it, and not under a panel
  const {w, h} = screen(), wide = w > 640, panel = byId('face').getBoundingClientRect();
  const [right, bottom] = wide ? [panel.left, h] : [w, panel.top];
  const top = wide ? 0 : byId('head').getBoundingClientRect().bottom;
  const x = (cell % data.columns + 0.5) * tileW, y = (Math.floor(cell / data.columns) + 0.5) * tileH;
  view.x = clamp(view.x, x + room * tileW - right / view.k, x - room * tileW);
  view.y = clamp(view.y, y + room * tileH - bottom / view.k, y - room * tileH - top / view.k);
  settle();
}

// --- a face -----------------------------------------------------------------------------------------
function cellAt(x, y) {
  const column = Math.floor((view.x + x / view.k) / tileW), row = Math.floor((view.y + y / view.k) / tileH);
  const cell = row * data.columns + column;
  return column >= 0 && column < data.columns && row >= 0 && cell < data.seeds.length ? cell : -1;
}
function choose(cell) {
  chosen = cell;
  byId('face').hidden = cell < 0;
  if (cell >= 0) {
    byId('name').textContent = `seed:${data.seeds[cell]}`;
    write('command', data.command.replaceAll('{seed}', data.seeds[cell]));
    byId('copy').textContent = 'Copy';
    enlarge(cell);
  }
  redraw();
}
function enlarge(cell) {  // from the finest level; a face may lie across several of its parts
  const large = byId('large'), ink = large.getContext('2d'), side = data.side;
  large.width = tileW; large.height = tileH;
  const [x, y] = [cell % data.columns * tileW, Math.floor(cell / data.columns) * tileH];
  const across = Math.ceil(width / side);
  for (let j = Math.floor(y / side); j <= Math.floor((y + tileH - 1) / side); j++)
    for (let i = Math.floor(x / side); i <= Math.floor((x + tileW - 1) / side); i++) {
      const image = new Image();
      image.onload = () => { if (chosen === cell) ink.drawImage(image, i * side - x, j * side - y); };
      image.src = data.levels[0].uris[j * across + i];
    }
}
function write(id, command) {  // lines end between words, which browsers also break behind hyphens
  const words = command.split(' ').flatMap(word => {
    const span = document.createElement('span');
    span.textContent = word;
    return [' ', span];
  });
  byId(id).replaceChildren(...words.slice(1));
}
function go(cell) {
  const inside = cell >= 0 && cell < data.seeds.length;
  if (inside) { choose(cell); keepInSight(cell, 1.5); }
}
function showTour() {
  byId('tour').hidden = !tour.length;
  write('film', tour.length < 2 ? `${tour[0]} ... (one more)` : data.film.replaceAll('{seeds}', tour.join(',')));
  byId('copyfilm').hidden = tour.length < 2;
}
function copy(id, button) {
  const done = () => { button.textContent = 'Copied'; setTimeout(() => { button.textContent = 'Copy'; }, 1500); };
  const range = document.createRange();
  range.selectNodeContents(byId(id));
  getSelection().removeAllRanges();
  getSelection().addRange(range);  // what a page from a file may always do
  if (navigator.clipboard) navigator.clipboard.writeText(byId(id).textContent).then(done, () => {});
  else if (document.execCommand('copy')) done();
}

// --- mouse, touch, wheel ---------------------------------------------------------------------------
const fingers = new Map();
let travelled = 0, spread = 0;
const place = event => { const box = map.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
map.addEventListener('pointerdown', event => {
  if (event.button) return;
  map.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, place(event));
  if (fingers.size === 1) travelled = 0;
  spread = distance();
});
function distance() {
  if (fingers.size < 2) return 0;
  const [[ax, ay], [bx, by]] = [...fingers.values()];
  return Math.hypot(ax - bx, ay - by);
}
map.addEventListener('pointermove', event => {
  const before = fingers.get(event.pointerId);
  if (!before) return;
  const now = place(event);
  fingers.set(event.pointerId, now);
  const [dx, dy] = [now[0] - before[0], now[1] - before[1]];
  travelled += Math.hypot(dx, dy);
  if (travelled > 6) map.classList.add('dragged');
  if (fingers.size > 2 || travelled <= 6) return;
  move(dx / fingers.size, dy / fingers.size);
  if (fingers.size === 2) {
    const [[ax, ay], [bx, by]] = [...fingers.values()], apart = distance();
    if (spread > 0 && apart > 0) zoom(apart / spread, (ax + bx) / 2, (ay + by) / 2);
    spread = apart;
  }
});
for (const kind of ['pointerup', 'pointercancel']) map.addEventListener(kind, event => {
  const known = fingers.delete(event.pointerId);
  if (fingers.size) { spread = distance(); return; }
  map.classList.remove('dragged');
  if (known && kind === 'pointerup' && travelled <= 6) {
    const cell = cellAt(...place(event));
    choose(cell === chosen ? -1 : cell);
    if (chosen >= 0) keepInSight(chosen, 0.55);
  }
});
map.addEventListener('dblclick', event => { zoom(2, ...place(event)); });
map.addEventListener('wheel', event => {
  event.preventDefault();
  const lines = event.deltaMode === 1 ? 33 : event.deltaMode === 2 ? 400 : 1;
  zoom(2 ** (-clamp(event.deltaY * lines, -400, 400) * (event.ctrlKey ? 0.01 : 0.0025)), ...place(event));
}, {passive: false});

// --- keys and buttons --------------------------------------------------------------------------------
const STEPS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === 'INPUT') return;
  const step = STEPS[event.key], {w, h} = screen();
  if (step && chosen >= 0) {
    const column = chosen % data.columns + step[0];
    if (column >= 0 && column < data.columns) go(chosen + step[0] + step[1] * data.columns);
  } else if (step) move(-step[0] * w * 0.2, -step[1] * h * 0.2);
  else if (event.key === '+' || event.key === '=') zoom(1.5);
  else if (event.key === '-' || event.key === '_') zoom(1 / 1.5);
  else if (event.key === '0') all();
  else if (event.key === 'Escape') choose(-1);
  else if (event.key === 'Enter' && event.target.tagName !== 'BUTTON' && event.target.tagName !== 'SUMMARY') go(cellAt(w / 2, h / 2));
  else return;
  event.preventDefault();
});
byId('in').onclick = () => zoom(1.5);
byId('out').onclick = () => zoom(1 / 1.5);
byId('all').onclick = all;
byId('close').onclick = () => { choose(-1); map.focus(); };
byId('copy').onclick = event => copy('command', event.target);
byId('copyfilm').onclick = event => copy('film', event.target);
byId('add').onclick = () => { tour.push(data.seeds[chosen]); showTour(); };
byId('clear').onclick = () => { tour.length = 0; showTour(); };
byId('find').onsubmit = event => {
  event.preventDefault();
  const input = byId('seed'), cell = data.seeds.indexOf(Number(input.value));
  const known = input.value.trim() !== '' && cell >= 0;
  input.setCustomValidity(known ? '' : 'This seed is not on the map.');
  if (!known) { input.reportValidity(); return; }
  choose(cell);
  centre(cell, 96);
  keepInSight(cell, 0.55);
  map.focus();
};
byId('seed').oninput = event => event.target.setCustomValidity('');
addEventListener('resize', settle);
all();
