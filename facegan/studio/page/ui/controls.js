// Buttons and inputs. Every one has a name that screen readers say.
import { html, useId, useRef } from "../html.js";
import { Icon } from "../icons.js";

/** @typedef {import("../html.js").Children} Children */

/**
 * A button. `kind`: "primary" (at most one in a view), "plain", "quiet" or "danger". With `href` it is a link.
 * @param {{children?: Children, kind?: string, icon?: string, small?: boolean, busy?: boolean, disabled?: boolean,
 *   href?: string, download?: string | boolean, onClick?: (event: any) => void, title?: string, type?: string,
 *   pressed?: boolean, [rest: string]: any}} props
 */
export function Button({ children, kind = "plain", icon, small, busy, disabled, href, pressed, ...rest }) {
  const inside = html`${busy ? html`<span class="spinner" aria-hidden="true"></span>` : icon && html`<${Icon} name=${icon} />`}
    ${children && html`<span>${children}</span>`}`;
  const names = `button ${kind}${small ? " small" : ""}`;
  if (href != null && !disabled) return html`<a class=${names} href=${href} ...${rest}>${inside}</a>`;
  return html`<button type="button" class=${names} disabled=${disabled || busy} aria-busy=${busy ? "true" : undefined}
    aria-pressed=${pressed} ...${rest}>${inside}</button>`;
}

/**
 * A button that shows only an icon; `label` is its name and its tooltip.
 * @param {{icon: string, label: string, kind?: string, onClick?: (event: any) => void, pressed?: boolean,
 *   disabled?: boolean, href?: string, [rest: string]: any}} props
 */
export function IconButton({ icon, label, kind = "quiet", ...rest }) {
  return html`<${Button} kind="${kind} round" icon=${icon} aria-label=${label} title=${label} ...${rest} />`;
}

/**
 * A label, its control, a hint below, and an error in place of the hint. `children` is given the control's ids.
 * @param {{label: string, hint?: Children, error?: string, inline?: boolean,
 *   children: (ids: {id: string, describedBy: string | undefined, invalid: boolean}) => Children}} props
 */
function Field({ label, hint, error, inline, children }) {
  const id = useId();
  const described = error || hint ? `${id}-hint` : undefined;
  return html`<div class="field ${inline ? "inline" : ""} ${error ? "invalid" : ""}">
    <label for=${id}>${label}</label>
    ${children({ id, describedBy: described, invalid: Boolean(error) })}
    ${described && html`<p class="hint" id=${described}>${error || hint}</p>`}
  </div>`;
}

/**
 * A line of text or a number.
 * @param {{label: string, value: string | number, onChange: (value: string) => void, type?: string, hint?: Children,
 *   error?: string, placeholder?: string, [rest: string]: any}} props
 */
export function TextInput({ label, value, onChange, type = "text", hint, error, ...rest }) {
  return html`<${Field} label=${label} hint=${hint} error=${error}>${(/** @type {any} */ ids) => html`
    <input class="input" id=${ids.id} type=${type} value=${value} aria-describedby=${ids.describedBy}
      aria-invalid=${ids.invalid ? "true" : undefined} autocomplete="off" spellcheck=${false}
      onInput=${(/** @type {any} */ event) => onChange(event.target.value)} ...${rest} />`}<//>`;
}

/**
 * A choice of one.
 * @param {{label: string, value: string, onChange: (value: string) => void, hint?: Children, error?: string,
 *   options: Array<string | {value: string, label: string, disabled?: boolean}>, [rest: string]: any}} props
 */
export function Select({ label, value, onChange, options, hint, error, ...rest }) {
  return html`<${Field} label=${label} hint=${hint} error=${error}>${(/** @type {any} */ ids) => html`
    <div class="select"><select class="input" id=${ids.id} value=${value} aria-describedby=${ids.describedBy}
      onChange=${(/** @type {any} */ event) => onChange(event.target.value)} ...${rest}>
      ${options.map(option => {
        const { value: of, label: text, disabled } = typeof option === "string" ? { value: option, label: option, disabled: false } : option;
        return html`<option key=${of} value=${of} disabled=${disabled} selected=${of === value}>${text}</option>`;
      })}
    </select><${Icon} name="down" size=${16} /></div>`}<//>`;
}

/**
 * A slider; a double click or the key Delete sets it back to `reset`.
 * @param {{label: string, value: number, onInput: (value: number) => void, min: number, max: number, step?: number,
 *   reset?: number, format?: (value: number) => string, onChange?: (value: number) => void, disabled?: boolean}} props
 */
export function Slider({ label, value, onInput, onChange, min, max, step = 0.1, reset, format = String, disabled }) {
  const id = useId();
  const share = (/** @type {number} */ at) => (100 * (at - min)) / (max - min);
  const from = min < 0 && max > 0 ? share(0) : 0; // of both signs: filled from 0
  const [low, high] = [Math.min(from, share(value)), Math.max(from, share(value))];
  const set = (/** @type {number} */ to) => { onInput(to); onChange?.(to); };
  return html`<div class="slider">
    <label for=${id}>${label}</label>
    <output for=${id}>${format(value)}</output>
    <input id=${id} type="range" min=${min} max=${max} step=${step} value=${value} disabled=${disabled}
      aria-valuetext=${format(value)} style=${{ "--low": `${low}%`, "--high": `${high}%` }}
      onInput=${(/** @type {any} */ event) => onInput(Number(event.target.value))}
      onChange=${(/** @type {any} */ event) => onChange?.(Number(event.target.value))}
      onDblClick=${() => reset != null && set(reset)}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "Delete" && reset != null && set(reset)} />
  </div>`;
}

/**
 * Yes or no.
 * @param {{label: string, checked: boolean, onChange: (checked: boolean) => void, hint?: Children, disabled?: boolean}} props
 */
export function Switch({ label, checked, onChange, hint, disabled }) {
  const id = useId();
  return html`<div class="switch">
    <input id=${id} type="checkbox" role="switch" checked=${checked} disabled=${disabled}
      aria-describedby=${hint ? `${id}-hint` : undefined}
      onChange=${(/** @type {any} */ event) => onChange(event.target.checked)} />
    <label for=${id}>${label}</label>
    ${hint && html`<p class="hint" id="${id}-hint">${hint}</p>`}
  </div>`;
}

/**
 * Tabs of a view. The content belongs to the caller: draw the panel of `value` below, with the given `panelId`.
 * @param {{label: string, tabs: Array<{id: string, label: string, icon?: string}>, value: string,
 *   onChange: (id: string) => void, panelId?: string}} props
 */
export function Tabs({ label, tabs, value, onChange, panelId }) {
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const move = (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const at = tabs.findIndex(tab => tab.id === value);
    const to = event.key === "Home" ? 0 : event.key === "End" ? tabs.length - 1 : step ? (at + step + tabs.length) % tabs.length : -1;
    const tab = tabs[to];
    if (!tab) return;
    event.preventDefault();
    onChange(tab.id);
    /** @type {HTMLElement | undefined} */ (list.current?.querySelectorAll("[role=tab]")[to])?.focus();
  };
  return html`<div class="tabs" role="tablist" aria-label=${label} ref=${list} onKeyDown=${move}>
    ${tabs.map(tab => html`<button key=${tab.id} type="button" role="tab" aria-selected=${String(tab.id === value)}
      aria-controls=${panelId} tabindex=${tab.id === value ? 0 : -1} onClick=${() => onChange(tab.id)}>
      ${tab.icon && html`<${Icon} name=${tab.icon} size=${18} />`}<span>${tab.label}</span></button>`)}
  </div>`;
}
