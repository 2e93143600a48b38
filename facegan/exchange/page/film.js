// Favourites, the film through them, and what it is saved as.

const FRAME = 50;  // ms
let filmTurn = 0;

function keep(face) {
  state.kept.push({...face, moves: {...face.moves}});
  drawStrip();
}

async function drawStrip() {
  const turn = ++filmTurn;
  byId('strip').replaceChildren(...state.kept.map((face, i) => {
    const show = element('button', {title: face.title, ariaLabel: face.title}, blank());
    const drop = element('button', {className: 'drop', textContent: '✕', ariaLabel: `Remove ${face.title}`});
    show.addEventListener('click', () => choose({...face, moves: {...face.moves}}));
    drop.addEventListener('click', () => { state.kept.splice(i, 1); drawStrip(); });
    return element('div', {className: 'kept'}, show, drop);
  }));
  byId('clear').hidden = !state.kept.length;
  byId('hint').hidden = state.kept.length > 1;
  byId('show').hidden = state.kept.length < 2;
  state.frames = null;
  for (const [i, canvas] of [...byId('strip').querySelectorAll('canvas')].entries())
    paint(canvas, await engine.draw(state.kept[i], ...settings()));
  if (turn === filmTurn && state.kept.length > 1) await makeFrames(turn);
}

function between(a, b, t) {
  const moves = {};
  for (const index of new Set([...Object.keys(a.moves), ...Object.keys(b.moves)]))
    moves[index] = (1 - t) * (a.moves[index] || 0) + t * (b.moves[index] || 0);
  return {n: slerp(a.n, b.n, t), moves};
}

async function makeFrames(turn) {
  const steps = +byId('pace').value, faces = [...state.kept], frames = [];
  const total = steps * faces.length;
  saving(true);
  for (let i = 0; i < total; i++) {
    const at = Math.floor(i / steps);
    frames.push(await engine.draw(between(faces[at], faces[(at + 1) % faces.length], i % steps / steps), ...settings()));
    if (turn !== filmTurn) return;
    byId('progress').textContent = `Drawing ${i + 1} of ${total} …`;
    await pause();
  }
  state.frames = frames;
  byId('progress').textContent = `${total} frames, ${(total * FRAME / 1000).toFixed(0)} s`;
  saving(false);
}

const saving = busy => { for (const id of ['gif', 'apng', 'video']) byId(id).disabled = busy || (id === 'video' && !VIDEO); };
setInterval(() => {
  if (state.frames && !document.hidden) paint(byId('screen'), state.frames[Math.floor(performance.now() / FRAME) % state.frames.length]);
}, FRAME);

async function saveFilm(kind) {
  const frames = state.frames, scale = +byId('scale').value, size = SIZE.map(side => side * scale);
  const small = blank(), large = element('canvas', {width: size[0], height: size[1]});
  const pen = large.getContext('2d', {willReadFrequently: kind !== 'video'});
  pen.imageSmoothingQuality = 'high';
  const show = i => { paint(small, frames[i]); pen.drawImage(small, 0, 0, ...size); };
  saving(true);
  byId('progress').textContent = kind === 'video' ? 'Recording, as it plays …' : 'Writing …';
  await pause();
  try {
    let blob;
    const mark = markOf({points: state.kept.map(face => described(face)).join(', '), truncation: `${state.truncation}`}, data);
    if (kind === 'video') blob = await recordVideo(large, frames.length, show, mark, FRAME);
    else {
      const scaled = scale === 1 ? frames : frames.map((_, i) => { show(i); return pen.getImageData(0, 0, ...size).data; });
      blob = kind === 'gif' ? writeGif(scaled, size, mark, FRAME) : await writePng(scaled, size, `${data.name}, a film`, mark, FRAME);
    }
    download(blob, `${data.name}-film.${blob.type.split('/')[1]}`);
    byId('progress').textContent = `Saved, ${(blob.size / 1e6).toFixed(1)} MB`;
  } catch (error) {
    byId('progress').textContent = `Not saved: ${error.message}`;
  }
  saving(false);
}
