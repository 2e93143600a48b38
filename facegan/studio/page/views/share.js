// Measure and share: how good a model is, what its card says, and how it gets out.
import { html } from "../html.js";
import { navigate } from "../router.js";
import { useStore } from "../store.js";
import { CardTab } from "../share/card.js";
import { ExportTab } from "../share/export.js";
import { MeasureTab } from "../share/measure.js";
import { PublishTab } from "../share/publish.js";
import { Button, EmptyState, ModelPicker, Spinner, Tabs, chosenModel } from "../ui.js";

const TABS = [
  { id: "evaluate", label: "Measure", icon: "bars", Tab: MeasureTab },
  { id: "card", label: "Card", icon: "info", Tab: CardTab },
  { id: "export", label: "Export", icon: "download", Tab: ExportTab },
  { id: "publish", label: "Publish", icon: "share", Tab: PublishTab },
];

/** @param {{id: string, state: Record<string, string>}} props */
function View({ id, state }) {
  const models = useStore(store => store.project?.models);
  if (!models) return html`<h1>Measure & share</h1><p><${Spinner} /></p>`;
  const chosen = chosenModel(models, id) ?? models.find(one => !one.bundled) ?? models[0];
  const wanted = state.tab ?? (state.action === "archive" ? "export" : state.action);
  const tab = TABS.find(one => one.id === wanted) ?? /** @type {typeof TABS[0]} */ (TABS[0]);
  if (!chosen) {
    return html`<h1>Measure & share</h1><${EmptyState} icon="bars" title="There is no model yet"
      action=${html`<${Button} kind="primary" icon="train" href="#/train">Train<//>`}>A training makes one.<//>`;
  }
  return html`<h1>Measure & share</h1>
    <p class="lead">How good a model is, what its card says, and how it leaves this machine.</p>
    <div class="row filters">
      <${Tabs} label="Measure and share" tabs=${TABS} value=${tab.id} panelId="share-panel"
        onChange=${(/** @type {string} */ to) => navigate("share", chosen.id, { tab: to }, { replace: true })} />
      <${ModelPicker} value=${chosen.id} onChange=${(/** @type {string} */ to) => navigate("share", to, { tab: tab.id }, { replace: true })} />
    </div>
    <div id="share-panel" role="tabpanel" aria-label=${tab.label}><${tab.Tab} key="${chosen.id} ${tab.id} ${state.settings ?? ""}" model=${chosen} state=${state} /></div>`;
}

export default { View };
