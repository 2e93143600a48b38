// The command line and the Python that do the same as a view, to copy.
import { post } from "../api.js";
import { html, useEffect, useState } from "../html.js";
import { Button, Tabs } from "./controls.js";
import { toast } from "./toasts.js";

/** Put a text into the clipboard; also over plain HTTP, where browsers keep the newer way back. @param {string} text */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  toast("Copied.", { kind: "good" });
}

/** @type {Array<{id: "command" | "python", label: string}>} */
const KINDS = [{ id: "command", label: "Command line" }, { id: "python", label: "Python" }];

/**
 * Show what does the same elsewhere. Give `action` and `settings`, of which the server makes both texts (and
 * says what is wrong with the settings: `onError` is told "" when nothing is), or `command` and `python`, of
 * which one may be "": no command makes every face.
 * @param {{action?: string, settings?: Record<string, any> | null, command?: string, python?: string,
 *   onError?: (sentence: string) => void}} props
 */
export function CommandBox({ action, settings, command, python, onError }) {
  const [made, setMade] = useState({ command: "", python: "" });
  const [kind, setKind] = useState("command");
  const wanted = action && settings ? JSON.stringify({ action, settings }) : "";
  useEffect(() => {
    if (!wanted) return undefined;
    const control = new AbortController();
    const timer = setTimeout(() => {
      post("/api/preview", JSON.parse(wanted), control.signal).then(
        answer => { setMade(answer); onError?.(""); },
        error => { if (!control.signal.aborted) { setMade({ command: "", python: "" }); onError?.(error.message); } },
      );
    }, 200);
    return () => { clearTimeout(timer); control.abort(); };
  }, [wanted]);
  const texts = { command: command ?? made.command, python: python ?? made.python };
  const tabs = KINDS.filter(one => texts[one.id]);
  const now = tabs.find(one => one.id === kind) ?? tabs[0];
  if (!now) return null;
  return html`<section class="command" aria-label="The same without the studio">
    <div class="row">
      <${Tabs} label="The same as" value=${now.id} onChange=${setKind} tabs=${tabs} />
      <${Button} small kind="quiet" icon="copy" onClick=${() => copyText(texts[now.id])}>Copy<//>
    </div>
    <pre tabindex="0" aria-label=${now.label}><code>${texts[now.id]}</code></pre>
  </section>`;
}
