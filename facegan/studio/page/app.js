// The shell: the views and how to get to them, the jobs, the messages.
import { Component, html, render, useEffect, useRef, useState } from "./html.js";
import { Recall } from "./recall.js";
import { address, navigate, useRoute, useTurns } from "./router.js";
import { isActive, keepUp, onJobEnd, refresh, store, useStore } from "./store.js";
import { Button, Dialog, ErrorLine, Icon, IconButton, JobCard, Spinner, Toasts, toast } from "./ui.js";

/**
 * @typedef {object} ViewProps what a view is given: the rest of the address
 * @property {string} id "" where the address names no item
 * @property {Record<string, string>} state what stands after the address's question mark
 */
/**
 * @typedef {object} ViewEntry
 * @property {string} id
 * @property {string} title
 * @property {string} icon
 * @property {() => Promise<{default: {View: import("./html.js").ComponentType<ViewProps>}}>} load
 * @property {boolean} [tab] whether it has a place in the narrow page's bar
 */

/** @type {ViewEntry[]} One line for each view, in the order in which people need them. */
export const VIEWS = [
  { id: "home", title: "Home", icon: "home", load: () => import("./views/home.js"), tab: true },
  { id: "photos", title: "Photos", icon: "photos", load: () => import("./views/photos.js"), tab: true },
  { id: "train", title: "Train", icon: "train", load: () => import("./views/train.js"), tab: true },
  { id: "explore", title: "Explore", icon: "compass", load: () => import("./views/explore.js"), tab: true },
  { id: "photo", title: "My photo", icon: "face", load: () => import("./views/photo.js"), tab: true },
  { id: "translate", title: "Translate", icon: "pencil", load: () => import("./views/translate.js") },
  { id: "pixels", title: "Pixels", icon: "pixels", load: () => import("./views/pixels.js") },
  { id: "share", title: "Measure & share", icon: "bars", load: () => import("./views/share.js") },
  { id: "history", title: "Results", icon: "clock", load: () => import("./views/history.js"), tab: true },
];

const NARROW_TABS = 4;

// --- parts of the shell -------------------------------------------------------------------------------------

/** @param {{views: ViewEntry[], now: string, onGo?: () => void}} props */
function Links({ views, now, onGo }) {
  return html`<ul>${views.map(view => html`<li key=${view.id}>
    <a href=${address(view.id)} aria-current=${view.id === now ? "page" : undefined} onClick=${onGo}>
      <${Icon} name=${view.icon} /><span>${view.title}</span></a></li>`)}</ul>`;
}

const THEMES = /** @type {const} */ ({ auto: ["As the system", "sliders"], light: ["Light", "sun"], dark: ["Dark", "moon"] });

function ThemeButton() {
  const [theme, setTheme] = useState(/** @type {keyof typeof THEMES} */ (
    document.documentElement.dataset.theme ?? "auto"));
  const next = { auto: "light", light: "dark", dark: "auto" }[theme];
  const change = () => {
    const to = /** @type {keyof typeof THEMES} */ (next);
    if (to === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = to;
    try {
      localStorage.setItem("theme", to);
    } catch {
      // storage is switched off: the choice lasts as long as the page
    }
    setTheme(to);
  };
  return html`<${IconButton} icon=${THEMES[theme][1]} label="Colours: ${THEMES[theme][0].toLowerCase()}" onClick=${change} />`;
}

/** @param {{onOpen: () => void}} props */
function JobsButton({ onOpen }) {
  const active = useStore(state => state.jobs.filter(isActive).length);
  return html`<${Button} kind="quiet" icon="work" onClick=${onOpen} aria-haspopup="dialog">
    Jobs${active > 0 && html`<span class="count" aria-label="${active} at work">${active}</span>`}<//>`;
}

/** @param {{open: boolean, onClose: () => void}} props */
function JobsTray({ open, onClose }) {
  const jobs = useStore(state => state.jobs);
  return html`<${Dialog} title="Jobs" open=${open} onClose=${onClose} side>
    ${jobs.length === 0
      ? html`<p class="soft">Long work, such as training or measuring, appears here. It goes on when you close this page.</p>`
      : html`<div class="stack">${jobs.map(job => html`<${JobCard} key=${job.id} id=${job.id} onOpen=${onClose} />`)}</div>`}
  <//>`;
}

/** Say once when the server is gone, and when it is back. */
function Connection() {
  const { error, locked } = { error: useStore(state => state.error), locked: useStore(state => state.locked) };
  if (!error) return null;
  return html`<div class="connection"><${ErrorLine} error=${error} ...${locked ? {} : { onRetry: refresh }} /></div>`;
}

// --- the view -------------------------------------------------------------------------------------------------

/** Keeps the shell where a view breaks down: its mistake is told, and the other views still work. */
class Boundary extends Component {
  /** @param {{children: import("./html.js").Children}} props */
  constructor(props) {
    super(props);
    /** @type {{error: Error | null}} */
    this.state = { error: null };
  }

  /** @param {Error} error */
  static getDerivedStateFromError(error) {
    return { error };
  }

  /** @param {Error} error */
  componentDidCatch(error) {
    console.error(error);
  }

  render() {
    const { error } = this.state;
    if (!error) return this.props.children;
    return html`<h1>This view made a mistake</h1>
      <${ErrorLine} error="The page's own mistake, not yours: ${error.message}. What you made is safe." retry="Load again" onRetry=${() => location.reload()} />`;
  }
}

/** @type {Map<string, import("./html.js").ComponentType<ViewProps>>} */
const loaded = new Map();

function CurrentView() {
  const route = useRoute();
  const [, setReady] = useState("");
  const [failed, setFailed] = useState("");
  const main = useRef(/** @type {HTMLElement | null} */ (null));
  const shown = useRef("");
  const turns = useTurns();
  const entry = VIEWS.find(view => view.id === route.view);
  useEffect(() => {
    setFailed("");
    document.title = `${entry?.title ?? "Not found"} · facegan studio`;
    if (!entry || loaded.has(entry.id)) return;
    entry.load().then(
      module => { loaded.set(entry.id, module.default.View); setReady(entry.id); },
      () => setFailed(`The view ${entry.title} could not be loaded. Load the page again.`),
    );
  }, [route.view]);
  useEffect(() => { // to the begin of what has opened, unless the focus is in what stays, such as tabs
    const opened = shown.current !== route.view || !document.activeElement || document.activeElement === document.body;
    if (shown.current && opened) { main.current?.focus({ preventScroll: true }); window.scrollTo(0, 0); }
    shown.current = route.view;
  }, [route.view, turns]);
  const View = entry && loaded.get(entry.id);
  return html`<main id="main" class="view-${route.view}" tabindex="-1" ref=${main} key=${route.view}>
    ${!entry && html`<h1>No such view</h1><p>The address names “${route.view}”, which this studio does not have.
      <a href=${address("home")}>Go home</a>.</p>`}
    ${failed && html`<${ErrorLine} error=${failed} retry="Load again" onRetry=${() => location.reload()} />`}
    ${entry && !View && !failed && html`<p><${Spinner} label="Loading ${entry.title}" /></p>`}
    ${View && html`<${Boundary}><${View} id=${route.id} state=${route.state} /><//>`}
  </main>`;
}

// --- all of it ------------------------------------------------------------------------------------------------

function Shell() {
  const now = useRoute().view;
  const name = useStore(state => state.project?.name ?? "");
  const about = useStore(state => (state.project ? ["facegan", state.project.version, state.project.device && `on ${state.project.device}`].filter(Boolean).join(" ") : ""));
  const [jobs, setJobs] = useState(false);
  const [more, setMore] = useState(false);
  useEffect(() => onJobEnd((id, event) => {
    const title = store.get().jobs.find(job => job.id === id)?.title ?? "A job";
    const show = { label: "Show", onClick: () => navigate("history", id) };
    const listed = store.get().project?.results.some(result => result.id === id);
    if (event.kind === "done") toast(`${title}: done.`, { kind: "good", ...(listed ? { action: show } : {}) });
    if (event.kind === "failed") toast(`${title}: ${event.error}`, { kind: "bad", action: { label: "Jobs", onClick: () => setJobs(true) } });
  }), []);
  const tabs = VIEWS.filter(view => view.tab).slice(0, NARROW_TABS);
  return html`
    <a class="skip" href="#main" onClick=${(/** @type {Event} */ event) => { event.preventDefault(); document.getElementById("main")?.focus(); }}>To the content</a>
    <header class="top">
      <a class="brand" href=${address("home")}><img src=${new URL("icon.svg", import.meta.url).href} alt="" width="28" height="28" />
        <span><b>facegan studio</b><small>${name}</small></span></a>
      <div class="tools"><${JobsButton} onOpen=${() => setJobs(true)} /><${ThemeButton} /></div>
    </header>
    <nav class="side" aria-label="Views"><${Links} views=${VIEWS} now=${now} /><p class="soft small foot">${about}</p></nav>
    <${Connection} />
    <${CurrentView} />
    <nav class="bar" aria-label="Views"><${Links} views=${tabs} now=${now} />
      <button type="button" aria-haspopup="dialog" onClick=${() => setMore(true)}><${Icon} name="menu" /><span>More</span></button></nav>
    <${Dialog} title="Views" open=${more} onClose=${() => setMore(false)} side>
      <nav class="all" aria-label="All views"><${Links} views=${VIEWS} now=${now} onGo=${() => setMore(false)} /></nav><//>
    <${JobsTray} open=${jobs} onClose=${() => setJobs(false)} />
    <${Recall} views=${VIEWS} />
    <${Toasts} />`;
}

keepUp();
render(html`<${Shell} />`, /** @type {HTMLElement} */ (document.getElementById("app")));
