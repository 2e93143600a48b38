// Training: all runs, a new one, one run while it trains, and several beside each other.
import { html } from "../html.js";
import { recalledOf } from "../results.js";
import { RunPage } from "../train/run.js";
import { Compare, RunList } from "../train/runs.js";
import { Start } from "../train/start.js";

/** @param {{id: string, state: Record<string, string>}} props */
function View({ id, state }) {
  const recalled = recalledOf(state, "train")?.settings;
  if (recalled?.run) return html`<${RunPage} key=${recalled.run} id=${recalled.run} />`;
  if (recalled) {
    const { dataset, recipe, init, to, changes = {} } = recalled;
    return html`<${Start} state=${{ new: "1", dataset, recipe, init, to, changes: JSON.stringify(changes) }} />`;
  }
  if (id) return html`<${RunPage} key=${id} id=${id} />`;
  if (state.compare) return html`<${Compare} ids=${state.compare.split(",").filter(Boolean)} />`;
  if (state.new) return html`<${Start} state=${state} />`;
  return html`<${RunList} />`;
}

export default { View };
