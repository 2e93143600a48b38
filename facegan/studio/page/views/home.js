// Home: what is in the project, and the one next step.
import { html } from "../html.js";
import { refresh, useStore } from "../store.js";
import { EmptyState, ErrorLine, Spinner } from "../ui.js";

function View() {
  const project = useStore(state => state.project);
  const error = useStore(state => state.error);
  if (!project) return error ? html`<h1>Home</h1>` : html`<h1>Home</h1><p><${Spinner} /></p>`;
  const counts = /** @type {const} */ (["datasets", "runs", "models", "results"]);
  return html`<h1>${project.name}</h1>
    <p class="lead">What this project's folder holds.</p>
    <dl class="facts">${counts.map(kind => html`<div key=${kind}><dt>${kind}</dt><dd>${project[kind].length}</dd></div>`)}</dl>
    ${project.results.length === 0 && html`<${EmptyState} icon="face" title="Nothing is made yet">
      Whatever you make here is kept in this project's folder, and can be recalled later.<//>`}
    <${ErrorLine} error=${null} onRetry=${refresh} />`;
}

export default { View };
