// Contents of this page itself: each in a script element, by gzip in base64.
const unpack = id => inflate(fromBase64(document.getElementById(id).textContent), 'gzip');

const embedded = {
  content: unpack,
  runtime: async () => import(URL.createObjectURL(new Blob([await unpack('runtime')], {type: 'text/javascript'}))),
};
