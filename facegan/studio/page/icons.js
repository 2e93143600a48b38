// The icons, drawn on a grid of 24 with a line of 1.7. They say nothing to screen readers: their buttons have names.
import { html } from "./html.js";

/** @type {Record<string, string>} */
const PATHS = {
  again: "M20 5v5h-5M19.500 10a8 8 0 1 0 .2 4.500",
  alert: "M12 4 2.800 19.500h18.400zM12 10v4.500M12 17.200v.1",
  back: "M15 5l-7 7 7 7",
  bars: "M5 20v-7M12 20V4M19 20v-11",
  camera: "M4 8h3.500L9 5.500h6L16.500 8H20v11H4zM12 16.500a3.300 3.300 0 1 0 0-6.600 3.300 3.300 0 0 0 0 6.600z",
  check: "M5 12.500l4.500 4.500L19 7.500",
  clock: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5l3.500 2",
  close: "M6 6l12 12M18 6L6 18",
  compass: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM15.500 8.500l-2 5-5 2 2-5z",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  down: "M6 9.500l6 6 6-6",
  download: "M12 4v11M7.500 11l4.500 4.500L16.500 11M5 20h14",
  face: "M12 3.500c4 0 6.500 2.700 6.500 7.200 0 5.500-3 9.800-6.500 9.800s-6.500-4.300-6.500-9.800c0-4.500 2.500-7.200 6.500-7.200zM9.500 10.500v.4M14.500 10.500v.4M9.800 15.300c1.400 1.100 3 1.100 4.400 0",
  film: "M4 5h16v14H4zM8 5v14M16 5v14M4 9.700h4M4 14.300h4M16 9.700h4M16 14.300h4",
  folder: "M3.500 19V5.500H9l2 2.500h9.500v11z",
  forward: "M9 5l7 7-7 7",
  grid: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
  home: "M4 11.500 12 4.500l8 7M6 10v9.500h12V10M10 19.500v-5.500h4v5.500",
  info: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 11v5.500M12 7.600v.1",
  menu: "M4 7h16M4 12h16M4 17h16",
  minus: "M5 12h14",
  moon: "M19.500 14.500A8 8 0 0 1 9.500 4.500a8 8 0 1 0 10 10z",
  more: "M5.500 12v.1M12 12v.1M18.500 12v.1",
  pause: "M8 5v14M16 5v14",
  pencil: "M4.500 19.500l1-4.500L16 4.500l3.500 3.500L9 18.500zM13.500 7l3.500 3.500",
  photos: "M4 5h16v14H4zM4 16l4.500-4.500 4 4 2.500-2.500 5 4.500M15.500 9.300v.1",
  pixels: "M4 4h5v5H4zM9.500 9.500h5v5h-5zM15 4h5v5h-5zM4 15h5v5H4zM15 15h5v5h-5z",
  play: "M8 5l11 7-11 7z",
  plus: "M12 5v14M5 12h14",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM16 16l4.500 4.500",
  share: "M12 15V4M7.500 8L12 3.500 16.500 8M5 13v7h14v-7",
  shuffle: "M3.500 7H7l9 10h4.500M3.500 17H7l2.500-2.800M13.500 9.800 16 7h4.500M18 4.500 20.500 7 18 9.500M18 14.500l2.500 2.500-2.500 2.500",
  sliders: "M4 7h9M17 7h3M4 17h3M11 17h9M15 9.300a2.300 2.300 0 1 0 0-4.600 2.300 2.300 0 0 0 0 4.600zM9 19.300a2.300 2.300 0 1 0 0-4.600 2.300 2.300 0 0 0 0 4.600z",
  star: "M12 4l2.500 5.200 5.700.8-4.100 4 1 5.700-5.100-2.700-5.100 2.700 1-5.700-4.100-4 5.700-.8z",
  stop: "M6.500 6.500h11v11h-11z",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 2.500V5M12 19v2.500M2.500 12H5M19 12h2.500M5.300 5.300 7 7M17 17l1.700 1.700M5.300 18.700 7 17M17 7l1.700-1.700",
  train: "M3 17l5-6 4 3.500L21 5M16 5h5v5",
  trash: "M5 7h14M10 7V4.500h4V7M7 7l.8 12.500h8.400L17 7M10.500 10.500v5.500M13.500 10.500v5.500",
  undo: "M8 5L4 9l4 4M4.500 9H14a5.500 5.500 0 0 1 0 11H9",
  redo: "M16 5l4 4-4 4M19.500 9H10a5.500 5.500 0 0 0 0 11h5",
  upload: "M12 20V9M7.500 13L12 8.500l4.500 4.500M5 4h14",
  work: "M12 3v4M12 17v4M3 12h4M17 12h4M5.600 5.600l2.900 2.900M15.500 15.500l2.900 2.900M5.600 18.400l2.900-2.900M15.500 8.500l2.900-2.900",
};

/** @typedef {string} IconName a name of the table above */

/**
 * An icon.
 * @param {{name: IconName, size?: number}} props
 */
export function Icon({ name, size = 20 }) {
  return html`<svg class="icon" width=${size} height=${size} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
    <path d=${PATHS[name] ?? PATHS.info} /></svg>`;
}
