// A page for translators: what is drawn, dropped or seen by the camera goes through the model at once.

/** Greatest difference, in levels, from the embedded results, which PyTorch made. */
async function selfTest() {
  let levels = 0;
  for (const {input, png} of data.tests) {
    const expected = await readPng(fromBase64(png)), found = await engine.draw(await readPng(fromBase64(input)));
    for (let i = 0; i < found.length; i++) levels = Math.max(levels, Math.abs(found[i] - expected[i]));
  }
  return levels;
}

const engine = new Translating(data, embedded);
const ENLARGED = Math.max(1, Math.ceil(512 / Math.max(...SIZE)));  // lines are drawn finer than the model's pixels
const PAD = SIZE.map(side => side * ENLARGED);
const pad = Object.assign(byId('pad'), {width: PAD[0], height: PAD[1]}).getContext('2d', {willReadFrequently: true});
const state = {exact: null, photo: false, ink: '#000', before: [], result: null, camera: null};
const surface = (width, height) => element('canvas', {width, height}).getContext('2d', {willReadFrequently: true});

// --- inputs -------------------------------------------------------------------------------------------------

/** What photos become before the model sees them, by the kind of its inputs: as facegan.data.inputs, nearly. */
const DERIVED = {
  grey: ['Make photos grey', context => overPixels(context, grey)],
  blur: ['Blur photos', context => overPixels(context, blurred)],
  small: ['Make photos small', (context, side) => {
    const least = Math.min(...SIZE), reduced = SIZE.map(n => Math.max(1, Math.round(n * side / least))), one = surface(...reduced);
    one.imageSmoothingQuality = 'high';
    one.drawImage(context.canvas, 0, 0, ...reduced);
    context.drawImage(one.canvas, 0, 0, ...SIZE);
  }],
};

function overPixels(context, change) {
  const image = context.getImageData(0, 0, ...SIZE);
  change(image.data);
  context.putImageData(image, 0, 0);
}

function grey(values) {
  for (let i = 0; i < values.length; i += 4) values.fill(luma(...values.subarray(i, i + 3)), i, i + 3);
}

function blurred(values) {  // a Gaussian of 1/48 of the shorter side, by rows and columns
  const [width, height] = SIZE, sigma = Math.min(...SIZE) / 48, reach = Math.ceil(3 * sigma);
  const weights = Array.from({length: 2 * reach + 1}, (_, i) => Math.exp(-((i - reach) ** 2) / (2 * sigma ** 2)));
  const sum = weights.reduce((a, b) => a + b), mirrored = (i, n) => Math.min(n - 1, Math.abs(i < n ? i : 2 * n - 2 - i));
  for (const [step, count, lines, next] of [[4, width, height, 4 * width], [4 * width, height, width, 4]])
    for (let c = 0; c < 3; c++)
      for (let line = 0; line < lines; line++) {
        const old = Array.from({length: count}, (_, i) => values[line * next + i * step + c]);
        for (let i = 0; i < count; i++)
          values[line * next + i * step + c] = weights.reduce((total, w, k) => total + w * old[mirrored(i + k - reach, count)], 0) / sum;
      }
}

const kind = () => data.input.startsWith('small-') ? 'small' : data.input;

/** Pixels RGBA of the model's size: those of an example as they are, else the pad's, reduced. */
function inputPixels() {
  if (state.exact) return state.exact;
  const context = surface(...SIZE);
  context.imageSmoothingQuality = 'high';
  context.drawImage(byId('pad'), 0, 0, ...SIZE);
  if (state.photo && DERIVED[kind()] && byId('derive').checked) DERIVED[kind()][1](context, +data.input.split('-')[1]);
  return context.getImageData(0, 0, ...SIZE).data;
}

/** Fills the pad with a picture, whose middle is taken. */
function place(source, width, height) {
  const scale = Math.max(PAD[0] / width, PAD[1] / height), size = [width * scale, height * scale];
  pad.imageSmoothingQuality = 'high';
  pad.drawImage(source, (PAD[0] - size[0]) / 2, (PAD[1] - size[1]) / 2, ...size);
}

function remember() {
  state.before.push({pad: pad.getImageData(0, 0, ...PAD), exact: state.exact, photo: state.photo});
  if (state.before.length > 20) state.before.shift();
}

function undo() {
  const last = state.before.pop();
  if (!last) return;
  pad.putImageData(last.pad, 0, 0);
  Object.assign(state, {exact: last.exact, photo: last.photo});
  refresh();
}

function clear() {
  stopCamera();
  remember();
  pad.fillStyle = '#fff';
  pad.fillRect(0, 0, ...PAD);
  Object.assign(state, {exact: null, photo: false});
  return refresh();
}

async function openPhoto(file) {
  stopCamera();
  let picture;
  try { picture = await createImageBitmap(file, {imageOrientation: 'from-image'}); } catch {
    say(`${file.name || 'This'} is no picture that this browser can read.`, 'bad');
    return;
  }
  remember();
  place(picture, picture.width, picture.height);
  Object.assign(state, {exact: null, photo: true});
  await refresh();
}

async function showExample(pixels) {
  stopCamera();
  remember();
  const small = surface(...SIZE);
  paint(small.canvas, pixels);
  pad.imageSmoothingEnabled = false;
  pad.drawImage(small.canvas, 0, 0, ...PAD);
  pad.imageSmoothingEnabled = true;
  Object.assign(state, {exact: pixels, photo: false});
  await refresh();
}

// --- camera ---------------------------------------------------------------------------------------------------

function stopCamera() {
  if (!state.camera) return;
  for (const track of state.camera.getTracks()) track.stop();
  state.camera = null;
  byId('camera').setAttribute('aria-pressed', false);
}

async function toggleCamera() {
  if (state.camera) { stopCamera(); return; }
  try { state.camera = await navigator.mediaDevices.getUserMedia({video: {facingMode: 'user'}}); } catch (error) {
    say(`The camera cannot be used (${error.message || error}); open a photo instead.`, 'bad');
    return;
  }
  remember();
  byId('camera').setAttribute('aria-pressed', true);
  const film = element('video', {srcObject: state.camera, muted: true, playsInline: true}), own = state.camera;
  await film.play();
  while (state.camera === own) {
    place(film, film.videoWidth, film.videoHeight);
    Object.assign(state, {exact: null, photo: true});
    await refresh();
    await new Promise(resolve => requestAnimationFrame(resolve));
  }
  film.srcObject = null;
}

// --- drawing --------------------------------------------------------------------------------------------------

function listenToPen() {
  let last = null;
  const at = event => {
    const box = byId('pad').getBoundingClientRect();
    return [(event.clientX - box.left) / box.width * PAD[0], (event.clientY - box.top) / box.height * PAD[1]];
  };
  const line = (from, to) => {
    Object.assign(pad, {strokeStyle: state.ink, lineWidth: byId('width').value / 1000 * Math.min(...PAD), lineCap: 'round'});
    pad.beginPath();
    pad.moveTo(...from);
    pad.lineTo(...to);
    pad.stroke();
    state.exact = null;
    refresh();
  };
  byId('pad').addEventListener('pointerdown', event => {
    stopCamera();
    remember();
    byId('pad').setPointerCapture(event.pointerId);
    last = at(event);
    line(last, last);
  });
  byId('pad').addEventListener('pointermove', event => {
    if (!last) return;
    for (const step of event.getCoalescedEvents?.() || [event]) { const to = at(step); line(last, to); last = to; }
  });
  for (const name of ['pointerup', 'pointercancel']) byId('pad').addEventListener(name, () => { last = null; });
}

function choosePen(ink) {
  state.ink = ink;
  for (const button of byId('tools').querySelectorAll('[data-ink]')) button.setAttribute('aria-pressed', button.dataset.ink === ink);
}

// --- results --------------------------------------------------------------------------------------------------

/** Translates the input as it is now. */
const refresh = newest(async () => {
  state.result = await engine.draw(inputPixels());
  paint(byId('large'), state.result);
});

async function save() {
  if (!state.result) return;
  const mark = markOf({direction: data.direction}, data);
  download(await writePng([state.result], SIZE, `${data.name}, a translation`, mark), `${data.name}-result.png`);
}

function listen() {
  on('photo', () => byId('file').click());
  on('file', event => { if (event.target.files[0]) openPhoto(event.target.files[0]); event.target.value = ''; }, 'change');
  on('camera', toggleCamera);
  on('undo', undo);
  on('clear', clear);
  on('save', save);
  on('derive', refresh, 'change');
  for (const button of byId('tools').querySelectorAll('[data-ink]')) button.addEventListener('click', () => choosePen(button.dataset.ink));
  listenToPen();
  const given = byId('given'), over = yes => event => { event.preventDefault(); given.classList.toggle('over', yes); };
  given.addEventListener('dragover', over(true));
  given.addEventListener('dragleave', over(false));
  given.addEventListener('drop', event => { over(false)(event); if (event.dataTransfer.files[0]) openPhoto(event.dataTransfer.files[0]); });
  addEventListener('paste', event => { const file = [...event.clipboardData.files][0]; if (file) openPhoto(file); });
  const keys = {p: () => byId('file').click(), c: toggleCamera, u: undo, x: clear, s: save};
  listenToKeys(keys);
}

async function begin() {
  Object.assign(byId('large'), {width: SIZE[0], height: SIZE[1]});
  byId('turning').hidden = !DERIVED[kind()];
  if (DERIVED[kind()]) byId('kind').textContent = DERIVED[kind()][0];
  pad.fillStyle = '#fff';
  pad.fillRect(0, 0, ...PAD);
  choosePen(data.input === 'hole' ? '#808080' : '#000');
  byId('width').value = data.input === 'hole' ? 100 : Math.max(8, 1000 / Math.min(...SIZE));  // a pixel of the model, or two
  const examples = await Promise.all(data.tests.map(({input}) => readPng(fromBase64(input))));
  byId('samples').append(...examples.map((pixels, i) => {
    const canvas = blank();
    paint(canvas, pixels);
    const button = element('button', {ariaLabel: `Example ${i + 1}`}, canvas);
    button.addEventListener('click', () => showExample(pixels));
    return button;
  }));
  paint(byId('large'), await readPng(fromBase64(data.tests[0].png)));
  await engine.start();
  listen();
  await showExample(examples[0]);
  state.before = [];
  performance.mark('first picture');
  sayParity(await selfTest(), 'Results are those of facegan');
}

start(begin);
