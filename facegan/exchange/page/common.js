// What both kinds of pages share: their elements, how a picture is drawn again and again, keys and messages.
const data = JSON.parse(document.getElementById('data').textContent);
const SIZE = [data.image_shape[2], data.image_shape[1]];  // width, height
document.documentElement.style.setProperty('--aspect', SIZE[0] / SIZE[1]);

const byId = id => document.getElementById(id);
const on = (id, action, kind = 'click') => byId(id).addEventListener(kind, action);
const pause = () => new Promise(resolve => setTimeout(resolve));

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

const blank = () => element('canvas', {width: SIZE[0], height: SIZE[1]});
const paint = (canvas, pixels) => canvas.getContext('2d').putImageData(new ImageData(pixels, ...SIZE), 0, 0);

let stale = false, drawing = false;

/** A function that draws the large picture by `draw`; while that is being done, only the newest wish is kept. */
function newest(draw) {
  return async () => {
    stale = true;
    if (drawing) return;
    drawing = true;
    while (stale) {
      stale = false;
      await draw();
      await pause();
    }
    drawing = false;
  };
}

function download(blob, name) {
  const link = element('a', {href: URL.createObjectURL(blob), download: name});
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

function listenToKeys(keys) {
  addEventListener('keydown', event => {
    const typing = event.target.matches('input:not([type=range], [type=checkbox]), select');
    if (event.ctrlKey || event.metaKey || event.altKey || typing || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
}

on('licences', async () => {
  const text = byId('licences').querySelector('pre');
  if (!text.textContent) text.textContent = new TextDecoder().decode(await unpack('notices'));
}, 'toggle');

function say(text, kind) {
  byId('said').textContent = text;
  byId('status').className = kind;
}

/** Says how far the browser's pictures are from those of the package, in levels. */
function sayParity(levels, good) {
  const count = data.tests.length, pictures = `${count} embedded picture${count > 1 ? 's' : ''}`;
  if (levels > 1) say(`This browser computes other pictures than the model: up to ${levels} of 255 levels away from the ${pictures}. Another browser may do better.`, 'bad');
  else say(`${good}: this browser reproduces the ${pictures}.`, 'good');
}

const start = begin => begin().catch(error => say(`This browser cannot run the model (${error.message || error}). A current Chrome, Edge, Firefox or Safari can.`, 'bad'));
