// Run from the root of the repository: .ci/page/node_modules/.bin/eslint -c .ci/page/eslint.config.js facegan/studio/page
import js from "@eslint/js";

const BROWSER = [
  "AbortController", "Blob", "CSS", "DOMException", "DragEvent", "DataTransfer", "DataTransferItem", "Event", "EventSource", "File",
  "FileReader", "FormData", "HTMLElement", "Headers", "Image", "ImageBitmap", "ImageData", "IntersectionObserver", "KeyboardEvent",
  "MessageChannel",
  "MediaRecorder", "OffscreenCanvas", "Path2D", "Request", "ResizeObserver", "Response", "TextDecoder", "TextEncoder",
  "URL", "URLSearchParams", "VideoEncoder", "VideoFrame", "WebAssembly", "Worker", "XMLHttpRequest", "alert", "btoa", "atob",
  "caches", "cancelAnimationFrame", "clearInterval", "clearTimeout", "console", "createImageBitmap", "crypto",
  "customElements", "devicePixelRatio", "document", "fetch", "getComputedStyle", "history", "localStorage", "location",
  "matchMedia", "navigator", "performance", "postMessage", "queueMicrotask", "requestAnimationFrame", "self", "sessionStorage",
  "setInterval", "setTimeout", "structuredClone", "window",
];

export default [
  { ignores: ["**/vendor/**"] },
  js.configs.recommended,
  {
    files: ["**/*.js"],
    languageOptions: {
      ecmaVersion: 2023,
      sourceType: "module",
      globals: Object.fromEntries(BROWSER.map(name => [name, "readonly"])),
    },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "curly": ["error", "multi-line"],
      "eqeqeq": ["error", "always", { null: "ignore" }],
      "max-lines": ["error", { max: 400 }],
      "max-lines-per-function": ["error", { max: 80, skipBlankLines: true, skipComments: true }],
      "no-empty": ["error", { allowEmptyCatch: false }],
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-restricted-properties": ["error",
        { property: "innerHTML", message: "Let preact make elements; text is never markup." },
        { property: "outerHTML", message: "Let preact make elements; text is never markup." },
        { property: "dangerouslySetInnerHTML", message: "Let preact make elements; text is never markup." },
        { property: "insertAdjacentHTML", message: "Let preact make elements; text is never markup." }],
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
    },
  },
];
