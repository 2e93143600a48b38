// A line of words, and a button that does what they say.
import { html, useState } from "../html.js";
import { Button, ErrorLine, TextInput } from "../ui.js";

/**
 * @param {{label: string, placeholder: string, button: string, onWords: (words: string) => Promise<void>, examples?: string[], hint?: string}} props
 *   `onWords` may fail with a sentence
 */
export function WordsForm({ label, placeholder, button, onWords, examples = [], hint }) {
  const [text, setText] = useState("");
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const apply = async (/** @type {string} */ words) => {
    setText(words);
    if (!words.trim()) return;
    setBusy(true);
    setError("");
    await onWords(words.trim()).catch(problem => setError(problem.message));
    setBusy(false);
  };
  return html`<form class="words" onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); void apply(text); }}>
      <${TextInput} label=${label} value=${text} onChange=${setText} placeholder=${placeholder} required />
      <${Button} type="submit" icon="pencil" busy=${busy}>${button}<//></form>
    ${hint && html`<p class="soft small">${hint} For example ${examples.map((example, i) => html`${i ? " or " : ""}<button
      type="button" class="link" onClick=${() => apply(example)}>${example}</button>`)}.</p>`}
    <${ErrorLine} error=${error} />`;
}
