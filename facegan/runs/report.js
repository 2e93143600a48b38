'use strict';
const data = JSON.parse(document.getElementById('data').textContent);
const runs = data.runs;
const kimgs = [...new Set(runs.flatMap(run => run.frames.map(frame => frame.kimg)))].sort((a, b) => a - b);
const state = {smooth: Math.max(0, ...runs.map(run => run.kimg.length)) < 60 ? 0 : 0.6,  // few lines need none
  across: 'kimg', moment: kimgs.length - 1, hidden: new Set()};
const redraws = [];
const byId = id => document.getElementById(id);
const color = i => i < 0 ? 'var(--accent)' : `var(--s${i % 8})`;  // -1: of no single run
const ends = list => list[list.length - 1];
const nearest = (list, v) => list.reduce((best, w, i) => Math.abs(w - v) < Math.abs(list[best] - v) ? i : best, 0);

function node(parent, tag, attributes = {}, text = '') {
  const svg = parent.namespaceURI.endsWith('svg') || tag === 'svg';
  const made = document.createElementNS(svg ? 'http://www.w3.org/2000/svg' : 'http://www.w3.org/1999/xhtml', tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== '') made.textContent = text;
  return parent.appendChild(made);
}

function short(v) {
  if (v === null || v === undefined) return '–';
  const size = Math.abs(v);
  return size !== 0 && (size >= 1e5 || size < 1e-3) ? v.toExponential(1) : String(Number(v.toPrecision(4)));
}

function ticks(low, high, count) {
  const raw = (high - low) / count, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(m => m * power).find(s => s >= raw * 0.999);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) found.push(Number((k * step).toPrecision(12)));
  return found;
}

function decades(low, high) {  // 1, 2, 5, 10 ... between two positive numbers
  const found = [];
  for (let p = Math.floor(Math.log10(low)); p <= Math.log10(high); p++) for (const m of [1, 2, 5]) found.push(m * 10 ** p);
  return found.filter(v => v >= low && v <= high).map(v => Number(v.toPrecision(3)));
}

function smoothed(values, keep) {  // exponential average without the pull of a start value
  if (values.filter(v => v !== null).length < 60) return values;  // those measured now and then
  let sum = 0, weight = 0;
  return values.map(v => {
    if (v === null) return null;
    sum = keep * sum + (1 - keep) * v; weight = keep * weight + (1 - keep);
    return sum / weight;
  });
}

function axes() {  // for each run: x values of its lines and of any count of images; and their unit
  const timed = runs.every(run => run.seconds.length === run.kimg.length);
  if (state.across === 'kimg' || !timed) return {unit: 'kimg', each: runs.map(run => ({x: run.kimg, at: k => k}))};
  const last = Math.max(0, ...runs.map(run => ends(run.seconds) || 0));
  const [size, unit] = last > 7200 ? [3600, 'hours'] : last > 120 ? [60, 'minutes'] : [1, 'seconds'];
  const each = runs.map(({kimg, seconds}) => {
    const x = seconds.map(s => s / size);
    const at = k => {
      if (!x.length) return 0;
      let i = kimg.findIndex(v => v >= k);
      if (i < 0) i = kimg.length - 1;
      const k0 = i ? kimg[i - 1] : 0, x0 = i ? x[i - 1] : 0;
      return kimg[i] > k0 ? x0 + (x[i] - x0) * Math.min(1, (k - k0) / (kimg[i] - k0)) : x[i];
    };
    return {x, at};
  });
  return {unit, each};
}

function span(chart, lines) {  // y range and its scale; a few wild values must not flatten the rest
  const [from, to] = chart.range || [null, null];
  const all = lines.flat().filter(v => v !== null && v !== undefined).sort((a, b) => a - b);
  if (!all.length) return {low: 0, high: 1, log: false};
  const cut = Math.floor(all.length * 0.005);
  let low = all[cut], high = all[all.length - 1 - cut];
  if (chart.log && low > 0 && high > chart.log * low) return {low: low / 1.15, high: high * 1.15, log: true};
  if (low > 0 && low < 0.4 * high) low = 0;
  const pad = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
  return {low: from ?? (low === 0 ? 0 : low - pad), high: to ?? high + pad, log: false};
}

function drawChart(box, chart, id) {
  const head = node(box, 'h3', {}, chart.title + (chart.unit ? ` (${chart.unit})` : ''));
  const note = node(box, 'p', {class: 'note'});
  const svg = node(box, 'svg', {role: 'img'});
  const legend = node(box, 'div', {class: 'legend'});
  // Where colours mean runs, a run that is hidden in one chart is hidden in all.
  const hidden = data.linked ? state.hidden : new Set();
  const buttons = chart.series.map(s => {
    const button = node(legend, 'button', {type: 'button', class: 'chip', style: `--c: ${color(s.color)}`});
    button.onclick = () => {
      hidden.has(s.color) ? hidden.delete(s.color) : hidden.add(s.color);
      data.linked ? redrawAll() : redraw();
    };
    return button;
  });
  const where = node(legend, 'span', {class: 'at'});

  function redraw() {
    const width = Math.max(240, box.clientWidth - 34), height = 210;
    const left = 50, right = width - 10, top = 8, bottom = height - 36;
    const {unit, each} = axes();
    const series = chart.series.map(s => ({...s, x: each[s.run].x, at: each[s.run].at, line: smoothed(s.values, state.smooth), seen: !hidden.has(s.color)}));
    const shown = series.filter(s => s.seen);
    const {low, high, log} = span(chart, shown.flatMap(s => [s.values, s.low || [], s.high || [], [s.floor]]));
    const outside = shown.flatMap(s => s.values).filter(v => v !== null && (v < low || v > high)).length;
    note.textContent = chart.note + (log ? ' Logarithmic.' : '') + (outside ? ` ${outside} value${outside > 1 ? 's' : ''} beyond the frame.` : '');
    const x1 = Math.max(1e-9, ...series.map(s => s.x.length ? ends(s.x) : 0)) || 1;
    const px = v => left + v / x1 * (right - left);
    const level = v => log ? Math.log(Math.max(v, low / 10) / low) / Math.log(high / low) : (v - low) / (high - low);
    const py = v => bottom - level(v) * (bottom - top);
    const upright = (x, stroke, more = {}) => node(svg, 'line', {x1: x, x2: x, y1: top, y2: bottom, stroke, ...more});

    svg.replaceChildren();
    svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    svg.setAttribute('aria-label', `${head.textContent}: ` + series.map(s => `${s.label} ends at ${short(s.values.findLast(v => v !== null))}`).join(', '));
    const clip = node(svg, 'clipPath', {id: `clip-${id}`});
    node(clip, 'rect', {x: left, y: top, width: right - left, height: bottom - top});
    const many = log ? decades(low, high) : [];
    const levels = many.length > 7 ? many.filter(v => /^[1e.0+-]+$/.test(String(v))) : many.length ? many : ticks(low, high, 5);
    for (const v of levels) {
      node(svg, 'line', {x1: left, x2: right, y1: py(v), y2: py(v), stroke: 'var(--line)'});
      node(svg, 'text', {x: left - 7, y: py(v) + 4, 'text-anchor': 'end'}, short(v));
    }
    for (const v of ticks(0, x1, width < 420 ? 4 : 6)) node(svg, 'text', {x: px(v), y: bottom + 15, 'text-anchor': !v ? 'start' : px(v) > right - 12 ? 'end' : 'middle'}, short(v));
    node(svg, 'text', {x: right, y: height - 5, 'text-anchor': 'end'}, unit);
    runs.forEach((run, i) => {
      if (data.linked && hidden.has(i)) return;
      for (const e of run.events) {
        const x = px(each[i].at(e.kimg)), stroke = data.linked ? color(i) : e.alarm ? 'var(--alarm)' : 'var(--soft)';
        node(upright(x, stroke, {'stroke-dasharray': e.alarm ? '5 2' : '2 3', 'stroke-width': e.alarm ? 1.6 : 1}), 'title', {}, e.text);
        if (e.alarm) node(node(svg, 'path', {d: `M${x - 5} ${top}h10l-5 8z`, fill: 'var(--alarm)'}), 'title', {}, e.text);
      }
    });
    const moment = kimgs.length ? each[series[0].run].at(kimgs[state.moment]) : Infinity;
    if (moment <= x1 * 1.02) upright(px(Math.min(x1, moment)), 'var(--accent)', {'stroke-opacity': .6});
    const plot = node(svg, 'g', {'clip-path': `url(#${clip.id})`, fill: 'none'});
    const path = (x, values) => {
      let text = '';  // some values are not in every line: join those that are
      values.forEach((v, i) => { if (v !== null) text += `${text ? 'L' : 'M'}${px(x[i]).toFixed(1)} ${py(v).toFixed(1)}`; });
      return text;
    };
    for (const s of shown) {
      const stroke = color(s.color), dash = s.color >= 8 ? '6 3' : 'none';
      if (s.low && s.low.length) node(plot, 'path', {d: `${path(s.x, smoothed(s.high, state.smooth))}L${path([...s.x].reverse(), [...smoothed(s.low, state.smooth)].reverse()).slice(1)}Z`, fill: stroke, 'fill-opacity': .18});
      if (s.floor !== null && s.floor !== undefined) node(plot, 'line', {x1: left, x2: right, y1: py(s.floor), y2: py(s.floor), stroke, 'stroke-width': 1.6, 'stroke-dasharray': '1.5 4', 'stroke-linecap': 'round'});
      if (s.line !== s.values && state.smooth > 0) node(plot, 'path', {d: path(s.x, s.values), stroke, 'stroke-opacity': .22});
      node(plot, 'path', {d: path(s.x, s.line), stroke, 'stroke-width': 1.8, 'stroke-dasharray': dash, 'stroke-linejoin': 'round', 'stroke-linecap': 'round'});
      const dots = s.line.map((v, i) => [v, i]).filter(([v]) => v !== null);
      if (dots.length < 60 && dots.length < s.x.length || dots.length === 1) for (const [v, i] of dots) node(plot, 'circle', {cx: px(s.x[i]), cy: py(v), r: 2.2, fill: stroke});
    }

    const cross = node(svg, 'g');
    function read(v) {  // the values at v in the legend; without v the last ones
      cross.replaceChildren();
      const all = shown.flatMap(s => s.x);
      const at = v === null || !all.length ? Math.max(0, ...all) : all[nearest(all, v)];
      series.forEach((s, k) => {
        const i = s.values.findLastIndex((w, j) => w !== null && s.x[j] <= at * (1 + 1e-9));
        buttons[k].textContent = `${s.label} ${i < 0 ? '–' : short(s.values[i])}`;
        buttons[k].setAttribute('aria-pressed', String(s.seen));
        if (v !== null && i >= 0 && s.seen && s.line[i] >= low && s.line[i] <= high) node(cross, 'circle', {cx: px(s.x[i]), cy: py(s.line[i]), r: 3.5, fill: color(s.color)});
      });
      where.textContent = all.length ? `at ${short(at)} ${unit}` : '';
      if (v !== null && all.length) node(cross, 'line', {x1: px(at), x2: px(at), y1: top, y2: bottom, stroke: 'var(--soft)'});
    }
    const value = event => {
      const bounds = svg.getBoundingClientRect();
      return ((event.clientX - bounds.left) / bounds.width * width - left) / (right - left) * x1;
    };
    svg.onpointermove = event => read(value(event));
    svg.onpointerleave = () => read(null);
    svg.onclick = event => kimgs.length && show(nearest(kimgs.map(each[series[0].run].at), value(event)));
    read(null);
  }
  redraws.push(redraw);
}

const redrawAll = () => redraws.forEach(redraw => redraw());
let show = () => {};

function buildPlayer(box) {  // one figure for each run that has grids, and one slider for all of them
  const shown = runs.map((run, i) => ({run, i})).filter(({run}) => run.frames.length);
  if (!shown.length) return;
  box.replaceChildren();
  const screens = node(box, 'div', data.linked ? {class: 'players'} : {}), bar = node(box, 'div', {class: 'controls'});
  const figures = shown.map(({run, i}) => {
    const figure = node(screens, 'figure', {});
    const title = data.linked ? node(figure, 'figcaption') : null;
    if (title) node(title, 'b', {class: 'chip', style: `--c: ${color(i)}`}, run.name);
    const at = title ? node(title, 'span') : null, image = node(figure, 'img', {alt: ''});
    image.onload = () => {  // whole multiples keep the pixels of small pictures sharp
      const times = Math.floor(Math.min(figure.clientWidth, 760) / image.naturalWidth);
      image.style.width = times >= 1 ? `${times * image.naturalWidth}px` : '100%';
      image.style.imageRendering = times >= 2 ? 'pixelated' : 'auto';
    };
    if (!data.linked) node(figure, 'figcaption', {}, run.caption);
    return {run, image, at};
  });
  const play = node(bar, 'button', {type: 'button'}, '▶ Play');
  const slider = node(bar, 'input', {type: 'range', min: 0, max: kimgs.length - 1, step: 1, 'aria-label': 'Moment of the training'});
  const label = node(bar, 'output');
  let timer = null;
  const stop = () => { clearInterval(timer); timer = null; play.textContent = '▶ Play'; };
  show = index => {
    state.moment = Math.max(0, Math.min(kimgs.length - 1, index));
    const kimg = kimgs[state.moment];
    for (const {run, image, at} of figures) {
      const frame = run.frames[nearest(run.frames.map(f => f.kimg), kimg)], text = `${short(frame.kimg)} kimg`;
      if (image.src !== frame.uri) image.src = frame.uri;
      image.alt = `Pictures generated by ${run.name} at ${text}`;
      if (at) at.textContent = text;
    }
    slider.value = state.moment;
    label.textContent = `${short(kimg)} kimg`;
    redrawAll();
  };
  slider.oninput = () => { stop(); show(Number(slider.value)); };
  play.onclick = () => {
    if (timer) return stop();
    if (state.moment === kimgs.length - 1) show(0);
    play.textContent = '❚❚ Pause';
    timer = setInterval(() => state.moment < kimgs.length - 1 ? show(state.moment + 1) : stop(), 220);
  };
  document.addEventListener('keydown', event => {
    const step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey || /INPUT|SELECT|TEXTAREA/.test(event.target.tagName)) return;
    event.preventDefault(); stop(); show(state.moment + step);
  });
  window.addEventListener('resize', () => figures.forEach(({image}) => image.naturalWidth && image.onload()));
  show(kimgs.length - 1);
}

data.charts.forEach((chart, i) => drawChart(node(byId('charts'), 'div', {class: 'card chart'}), chart, i));
if (!data.charts.length) node(byId('charts'), 'p', {class: 'soft'}, 'There are no statistics yet.');
buildPlayer(byId('player'));
byId('smooth').value = state.smooth;
byId('smooth').oninput = event => { state.smooth = Number(event.target.value); redrawAll(); };
byId('across').onchange = event => { state.across = event.target.value; redrawAll(); };
window.addEventListener('resize', redrawAll);
document.querySelectorAll('pre').forEach(pre => {
  const button = node(pre.previousElementSibling, 'button', {type: 'button', style: 'font-size:.8rem;padding:0 8px;margin-left:8px'}, 'copy');
  button.onclick = () => navigator.clipboard?.writeText(pre.textContent).then(() => { button.textContent = 'copied'; });
});
redrawAll();
