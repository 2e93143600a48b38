// Training: all runs, a new one, one run while it trains, and several beside each other.
import { html } from "../html.js";
import { RunPage } from "../train/run.js";
import { Compare, RunList } from "../train/runs.js";
import { Start } from "../train/start.js";

/** @param {{id: string, state: Record<string, string>}} props */
function View({ id, state }) {
  if (id) return html`<${RunPage} key=${id} id=${id} />`;
  if (state.compare) return html`<${Compare} ids=${state.compare.split(",").filter(Boolean)} />`;
  if (state.new) return html`<${Start} state=${state} />`;
  return html`<${RunList} />`;
}

export default { View };
