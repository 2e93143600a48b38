// A page for generators: faces of seeds, their changes, arithmetic and films.
const engine = new Faces(data, embedded);
const SLIDERS = 6;  // at first

const plain = name => name.toLowerCase().replaceAll('_', ' ').replace(/^(pca|sefa)(\d+)$/, '$1 component $2');
const seedFace = seed => ({seed, title: `Seed ${seed}`, n: randn(seed, data.latent.dim), moves: {}});
const state = {
  first: 0, face: null, labels: data.default_labels || [], truncation: 1, slots: [null, null, null], kept: [], shown: [],
};

const settings = () => [state.labels, state.truncation];

// --- the chosen picture ------------------------------------------------------------------------------------

/** Draws the chosen picture as it is now. */
const refresh = newest(async () => {
  const face = state.face, pixels = await engine.draw(face, ...settings());
  paint(byId('large'), pixels);
  state.pixels = pixels;
  byId('large').dataset.title = face.title;
});

function moved({moves}) {
  const names = Object.fromEntries(data.directions.map(d => [d.index, plain(d.name)]));
  return Object.entries(moves).map(([i, s]) => `${names[i]} ${s > 0 ? '+' : '−'}${Math.abs(s).toFixed(1)}`).join(', ');
}

function choose(face) {
  state.face = face;
  byId('title').textContent = face.title;
  byId('large').setAttribute('aria-label', face.title);
  byId('link').disabled = face.seed === undefined;
  for (const tile of byId('tiles').children) {
    const here = face.seed === +tile.dataset.seed;
    tile.setAttribute('aria-selected', here);
    tile.tabIndex = here ? 0 : -1;
  }
  if (!byId('tiles').querySelector('[tabindex="0"]')) byId('tiles').firstChild.tabIndex = 0;
  showMoves();
  writeLink();
  return refresh();
}

function writeLink() {
  const {seed, moves} = state.face;
  if (seed === undefined) return;
  const names = Object.fromEntries(data.directions.map(d => [d.index, d.name]));
  const parts = [`seed=${seed}`, ...Object.entries(moves).map(([i, s]) => `${encodeURIComponent(names[i])}=${s}`)];
  if (state.truncation !== 1) parts.push(`truncation=${state.truncation}`);
  if (state.labels.join() !== (data.default_labels || []).join()) parts.push(`labels=${state.labels.join()}`);
  history.replaceState(null, '', `#${parts.join('&')}`);
}

function readLink() {
  const given = new URLSearchParams(location.hash.slice(1)), seed = Number(given.get('seed') || 0);
  const face = seedFace(Number.isSafeInteger(seed) && seed >= 0 ? seed : 0);
  for (const {index, name} of data.directions)
    if (Number(given.get(name))) face.moves[index] = Number(given.get(name));
  const labels = (given.get('labels') || '').split(',').map(Number), truncation = Number(given.get('truncation') || 1);
  if (labels.length === state.labels.length && labels.every(Number.isFinite)) state.labels = labels;
  if (data.truncates && truncation >= 0 && truncation <= 1) state.truncation = truncation;
  return face;
}

const fileName = face => face.title.toLowerCase().replaceAll('−', 'minus').replaceAll('+', 'plus').replace(/\W+/g, '-');

const described = face => `${face.title} ${moved(face)}`.replaceAll('−', '-').trim();

async function save() {
  const {face, pixels} = state, note = `${data.name}, ${described(face)}`;
  const edits = moved(face).replaceAll('−', '-'), seed = face.seed === undefined ? '' : `${face.seed}`;
  const mark = markOf({seed, edits, points: seed ? '' : face.title, truncation: `${state.truncation}`}, data);
  download(await writePng([pixels], SIZE, note, mark), `${data.name}-${fileName(face)}.png`);
}

async function copyLink() {
  let done = true;
  try { await navigator.clipboard.writeText(location.href); } catch {
    const field = element('textarea', {value: location.href});
    document.body.append(field);
    field.select();
    done = document.execCommand('copy');
    field.remove();
  }
  byId('link').textContent = done ? 'Copied' : 'See the address bar';
  setTimeout(() => { byId('link').textContent = 'Copy link'; }, 1500);
}

// --- sliders and labels -----------------------------------------------------------------------------------

function slider(name, {least, most, step, value, rest}, onInput) {
  const id = `slider-${name.replace(/\W+/g, '-')}`, output = element('output', {htmlFor: id});
  const input = element('input', {type: 'range', id, min: least, max: most, step});
  input.show = v => { input.value = v; output.textContent = rest === 0 && v > 0 ? `+${v.toFixed(1)}` : v.toFixed(rest ? 2 : 1); };
  input.show(value);
  input.addEventListener('input', () => { input.show(+input.value); onInput(+input.value); });
  input.addEventListener('dblclick', () => { input.show(rest); onInput(rest); });
  return [element('label', {htmlFor: id, textContent: name}), input, output];
}

function directionRow({index, name}) {
  const row = slider(plain(name), {least: -3, most: 3, step: .1, value: state.face.moves[index] || 0, rest: 0}, value => {
    if (value) state.face.moves[index] = value; else delete state.face.moves[index];
    writeLink();
    refresh();
  });
  row[1].dataset.index = index;
  return row;
}

function showMoves() {
  for (const index of Object.keys(state.face.moves)) addDirection(+index);
  for (const input of byId('sliders').querySelectorAll('[data-index]')) input.show(state.face.moves[input.dataset.index] || 0);
}

function addDirection(index) {
  if (byId('sliders').querySelector(`[data-index="${index}"]`)) return;
  byId('more').before(...directionRow(data.directions.find(d => d.index === index)));
  byId('more').querySelector(`option[value="${index}"]`)?.remove();
}

function buildSliders() {
  const box = byId('sliders');
  if (data.truncates)
    box.append(...slider('truncation', {least: 0, most: 1, step: .01, value: state.truncation, rest: 1}, value => {
      state.truncation = value;
      changedModel();
    }));
  if (data.directions.length) {
    for (const direction of data.directions.slice(0, SLIDERS)) box.append(...directionRow(direction));
    const more = element('select', {id: 'more', ariaLabel: 'More directions'}, element('option', {textContent: 'More directions …', value: ''}));
    for (const {index, name} of data.directions.slice(SLIDERS)) more.append(element('option', {value: index, textContent: plain(name)}));
    more.addEventListener('change', () => { if (more.value) addDirection(+more.value); more.value = ''; });
    box.append(more);
    more.hidden = data.directions.length <= SLIDERS;
  }
  buildLabels();
  byId('change').hidden = !box.children.length && !data.labels;
}

/** A checkbox for each label that is 0 or 1, a list for classes such as "digit=7". */
function buildLabels() {
  const groups = new Map();
  (data.labels || []).forEach((label, i) => {
    const name = label.split('=')[0];
    groups.set(name, [...(groups.get(name) || []), i]);
  });
  const change = values => { state.labels = state.labels.map((old, i) => values[i] ?? old); changedModel(); };
  for (const [name, members] of groups) {
    if (members.length === 1 && !data.labels[members[0]].includes('=')) {
      const box = element('input', {type: 'checkbox', checked: state.labels[members[0]] > 0});
      box.addEventListener('change', () => change({[members[0]]: +box.checked}));
      byId('labels').append(element('label', {}, box, plain(name)));
    } else {
      const list = element('select', {}, ...members.map(i => element('option', {value: i, textContent: data.labels[i].split('=')[1]})));
      list.value = members.find(i => state.labels[i] > 0);
      list.addEventListener('change', () => change(Object.fromEntries(members.map(i => [i, +(i === +list.value)]))));
      byId('labels').append(element('label', {}, plain(name), list));
    }
  }
}

let redraw;
function changedModel() {  // truncation and labels hold for all pictures
  writeLink();
  refresh();
  clearTimeout(redraw);
  redraw = setTimeout(() => { drawSheet(); drawSlots(); drawStrip(); }, 150);
}

// --- the sheet ----------------------------------------------------------------------------------------------
let sheetTurn = 0;
const perPage = () => matchMedia('(max-width: 860px)').matches ? 20 : 24;

function buildSheet(first) {
  state.first = Math.max(0, first);
  const seeds = Array.from({length: perPage()}, (_, i) => state.first + i);
  byId('range').textContent = `Seeds ${seeds[0]} to ${seeds.at(-1)}`;
  byId('back').disabled = !state.first;
  byId('tiles').replaceChildren(...seeds.map(seed => {
    const tile = element('div', {className: 'tile', tabIndex: -1, draggable: true, ariaLabel: `Seed ${seed}`}, blank(), element('span', {textContent: seed}));
    tile.dataset.seed = seed;
    tile.setAttribute('role', 'option');
    tile.setAttribute('aria-selected', state.face?.seed === seed);
    tile.addEventListener('click', () => choose(seedFace(seed)));
    // Not a button, since Firefox lets nobody drag buttons.
    tile.addEventListener('keydown', event => { if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); tile.click(); } });
    tile.addEventListener('dragstart', event => event.dataTransfer.setData('text/plain', `seed=${seed}`));
    return tile;
  }));
  (byId('tiles').querySelector('[aria-selected=true]') || byId('tiles').firstChild).tabIndex = 0;
}

async function drawSheet() {
  const turn = ++sheetTurn;
  for (const tile of [...byId('tiles').children]) {
    const pixels = await engine.draw(seedFace(+tile.dataset.seed), ...settings());
    if (turn !== sheetTurn) return;
    paint(tile.firstChild, pixels);
    tile.dataset.drawn = true;
    await pause();
  }
}

function turnTo(first) {
  buildSheet(first);
  return drawSheet();
}

function goTo(seed) {
  if (seed < state.first || seed >= state.first + byId('tiles').children.length) turnTo(seed - seed % perPage());
  choose(seedFace(seed));
}

byId('tiles').addEventListener('keydown', event => {
  const columns = getComputedStyle(byId('tiles')).gridTemplateColumns.split(' ').length;
  const step = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns}[event.key];
  if (!step) return;
  event.preventDefault();
  const seed = +event.target.closest('.tile').dataset.seed + step;
  if (seed < 0) return;
  goTo(seed);
  byId('tiles').querySelector('[aria-selected=true]').focus();
});

// --- arithmetic ---------------------------------------------------------------------------------------------

function buildSlots() {
  const parts = [];
  ['A', 'B', 'C', '='].forEach((letter, i) => {
    const slot = element('button', {className: i < 3 ? 'slot' : 'slot result'}, blank(), element('span', {textContent: i < 3 ? letter : 'result'}));
    slot.addEventListener('click', () => { const face = i < 3 ? state.slots[i] : state.sum; if (face) choose({...face, moves: {...face.moves}}); });
    if (i < 3) onDrop(slot, face => setSlot(i, face));
    parts.push(slot, element('b', {textContent: ['−', '+', '=', ''][i]}));
  });
  byId('slots').replaceChildren(...parts.slice(0, -1));
}

function onDrop(target, take) {
  target.addEventListener('dragover', event => { event.preventDefault(); target.classList.add('over'); });
  target.addEventListener('dragleave', () => target.classList.remove('over'));
  target.addEventListener('drop', event => {
    event.preventDefault();
    target.classList.remove('over');
    const match = /^seed=(\d+)$/.exec(event.dataTransfer.getData('text/plain'));
    if (match) take(seedFace(+match[1]));
  });
}

function setSlot(i, face) {
  state.slots[i] = {...face, moves: {...face.moves}};
  return drawSlots();
}

async function drawSlots() {
  const slots = byId('slots').querySelectorAll('.slot'), faces = [...state.slots, null];
  if (state.slots.every(Boolean)) {
    const [a, b, c] = state.slots, moves = {};
    for (const [face, sign] of [[a, 1], [b, -1], [c, 1]])
      for (const [index, strength] of Object.entries(face.moves)) moves[index] = (moves[index] || 0) + sign * strength;
    const short = face => face.title.replace('Seed ', '');
    state.sum = faces[3] = {title: `${short(a)} − ${short(b)} + ${short(c)}`, n: arithmetic([[1, a], [-1, b], [1, c]].map(([factor, {n}]) => ({factor, members: [n]}))), moves};
  }
  for (const [i, face] of faces.entries()) {
    if (!face) continue;
    slots[i].classList.add('full');
    slots[i].lastChild.textContent = face.title;
    paint(slots[i].firstChild, await engine.draw(face, ...settings()));
    slots[i].dataset.title = face.title;
  }
}

// --- everything begins --------------------------------------------------------------------------------------

function listen() {
  const reset = () => { state.face.moves = {}; choose(state.face); };
  const turn = way => turnTo(state.first + way * perPage());
  on('save', save);
  on('link', copyLink);
  on('keep', () => keep(state.face));
  on('reset', reset);
  on('back', () => turn(-1));
  on('next', () => turn(1));
  on('any', () => goTo(Math.floor(Math.random() * 1e6)));
  on('find', event => { event.preventDefault(); if (/^\d{1,15}$/.test(byId('seed').value.trim())) goTo(+byId('seed').value); }, 'submit');
  on('clear', () => { state.kept = []; drawStrip(); });
  on('pace', drawStrip, 'change');
  on('gif', () => saveFilm('gif'));
  on('apng', () => saveFilm('png'));
  on('video', () => saveFilm('video'));
  for (const button of byId('use').querySelectorAll('button')) button.addEventListener('click', () => setSlot(+button.dataset.slot, state.face));
  onDrop(byId('film'), keep);
  const keys = {f: () => keep(state.face), s: save, r: reset, n: () => turn(1), p: () => state.first && turn(-1)};
  listenToKeys(keys);
  addEventListener('hashchange', () => location.reload());  // somebody has put in another address
}

/** Shows the embedded pictures while the model is being loaded; they are drawn anew then. */
async function showEmbedded() {
  for (const {seed, png} of data.tests) {
    const tile = byId('tiles').querySelector(`[data-seed="${seed}"]`), pixels = await readPng(fromBase64(png));
    if (tile) paint(tile.firstChild, pixels);
    if (state.face.seed === seed) paint(byId('large'), pixels);
  }
}

async function begin() {
  for (const id of ['large', 'screen']) Object.assign(byId(id), {width: SIZE[0], height: SIZE[1]});
  const sizes = [1, 4, 8].map(scale => [scale, scale * Math.max(...SIZE)]).filter(([scale, side]) => scale === 1 || side <= 512);
  byId('scale').append(...sizes.map(([scale, side]) => element('option', {value: scale, textContent: `${side} px`, selected: side <= 256})));
  byId('video').textContent = VIDEO?.includes('mp4') ? 'MP4' : 'WebM';
  state.face = readLink();
  buildSheet(state.face.seed - state.face.seed % perPage());
  buildSlots();
  buildSliders();
  drawStrip();
  await Promise.all([engine.start(), showEmbedded()]);
  listen();
  await choose(state.face);
  performance.mark('first picture');
  await pause();
  sayParity(await engine.selfTest(), 'Seeds are the same pictures as in facegan');
  await drawSheet();
}

start(begin);
