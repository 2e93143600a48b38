// Pixels: what a classifier sees, and pictures made by changing pixels until it sees something else.
import { html } from "../html.js";
import { Attack } from "../pixels/attack.js";
import { Dream } from "../pixels/dream.js";
import { Style } from "../pixels/style.js";
import { navigate } from "../router.js";
import { useStore } from "../store.js";
import { Spinner, Tabs } from "../ui.js";

const TABS = [{ id: "attack", label: "Attack", icon: "search" }, { id: "dream", label: "Dream", icon: "moon" }, { id: "style", label: "Style", icon: "pencil" }];
const SAID = /** @type {Record<string, string>} */ ({
  attack: "Change a photo so little that nobody notices, until a classifier sees something else in it.",
  dream: "Let a classifier see more of what it sees already: in your photo, or in noise.",
  style: "Paint a photo in the style of another picture.",
});

/** @param {{id: string, state: Record<string, string>}} props */
function View({ id, state }) {
  const ready = useStore(all => Boolean(all.project));
  const tab = id in SAID ? id : "attack";
  const Tab = /** @type {any} */ ({ attack: Attack, dream: Dream, style: Style })[tab];
  const shown = state.job ?? "";
  return html`<h1>Pixels</h1><p class="lead">${SAID[tab]}</p>
    <p><${Tabs} label="What to do" tabs=${TABS} value=${tab} onChange=${(/** @type {string} */ to) => navigate("pixels", to)} panelId="pixels-panel" /></p>
    <div id="pixels-panel" role="tabpanel" aria-label=${TABS.find(one => one.id === tab)?.label}>
      ${ready ? html`<${Tab} key="${tab} ${shown} ${state.settings ?? ""}" shown=${shown} />` : html`<p><${Spinner} /></p>`}</div>`;
}

export default { View };
