// The model's card: what it is, what it has learnt from, how good it is.
import { useAnswer } from "../answers.js";
import { html } from "../html.js";
import { CommandBox, ErrorLine, Markdown, Spinner } from "../ui.js";

/** @typedef {import("../store.js").Item} Item */

/** @param {{model: Item}} props */
export function CardTab({ model }) {
  const { answer, error, ask } = useAnswer(`/api/models/${encodeURIComponent(model.id)}/card`);
  const card = /** @type {{text: string, facts: Record<string, string>, command: string, python: string} | null} */ (answer);
  if (error) return html`<${ErrorLine} error=${error} onRetry=${ask} />`;
  if (!card) return html`<p><${Spinner} label="Reading the model" /></p>`;
  return html`<div class="split wide-first">
    <article class="card">${card.text ? html`<${Markdown} text=${card.text} />` : html`<p class="soft">This model's file says no more than the facts beside.</p>`}</article>
    <div class="stack"><section class="card" aria-label="Facts"><h2>Facts</h2>
      <dl class="rows">${Object.entries(card.facts).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
    </section><${CommandBox} command=${card.command} python=${card.python} /></div></div>`;
}
