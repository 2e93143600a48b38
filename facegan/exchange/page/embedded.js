// Contents of this page itself: each in a script element, by gzip in base64.
const unpack = id => inflate(fromBase64(document.getElementById(id).textContent), 'gzip');

const embedded = {
  content: unpack,
  runtime: async () => {
    const [script, wasm] = await Promise.all(['runtime', 'wasm'].map(unpack));
    return settled(await import(URL.createObjectURL(new Blob([script], {type: 'text/javascript'}))), {wasmBinary: wasm.buffer});
  },
};
