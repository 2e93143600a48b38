// The settings of a recipe, made of their own fields: the common ones first, all of them to be searched.
import { html, useMemo, useState } from "../html.js";
import { Button, Select, Switch, TextInput } from "../ui.js";
import { inWords } from "../words.js";

/** @typedef {import("./data.js").Setting} Setting */
/** @typedef {import("./data.js").Settings} Settings */
/** @typedef {Record<string, any>} Changes by name, what differs from the recipe */

/** A value as text. @param {any} value */
function spelled(value) {
  if (value == null) return "";
  if (Array.isArray(value)) return value.join(" ");
  if (typeof value === "boolean") return value ? "yes" : "no";
  return String(value);
}

/**
 * Read what somebody typed.
 * @param {Setting} setting
 * @param {string} text
 * @returns {{value: any, error: string}}
 */
function read(setting, text) {
  const numeric = setting.kind === "int" || setting.kind === "float";
  const one = (/** @type {string} */ word) => {
    if (!numeric) return { value: word, error: "" };
    const value = Number(word);
    if (!word.trim() || !Number.isFinite(value) || (setting.kind === "int" && !Number.isInteger(value))) {
      return { value: word, error: `Type ${setting.kind === "int" ? "a whole number" : "a number"}${setting.range ? `, ${setting.range}` : ""}.` };
    }
    return { value, error: "" };
  };
  if (setting.several) {
    const words = text.split(/[\s,]+/).filter(Boolean).map(one);
    return { value: words.map(word => word.value), error: words.find(word => word.error)?.error ?? "" };
  }
  if (setting.optional && !text.trim()) return { value: null, error: "" };
  return one(text);
}

/** @param {any} a @param {any} b */
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** A name for people: r1_gamma becomes "R1 gamma". @param {Setting} setting */
function titled({ name, group, key }) {
  const words = key.replaceAll("_", " ").replace(/\b(ema|r1|r2|gp|d|g|lr)\b/g, word => word.toUpperCase()).replace(/^kimg$/, "length (thousand pictures)").replace(/ kimg$/, " (thousand pictures)");
  const title = words[0]?.toUpperCase() + words.slice(1);
  return name.includes(".") ? `${title}, ${group}` : title;
}

/** @param {string} text */
const firstSentence = text => text.replace(/^(.*?)(?:[.;](?=\s|$)| \().*$/s, "$1.");

/**
 * One setting; its hint is the field's own documentation.
 * @param {{setting: Setting, value: any, onChange: (value: any) => void, brief?: boolean}} props
 */
function SettingField({ setting, value, onChange, brief }) {
  const [typed, setTyped] = useState(/** @type {string | null} */ (null));
  const changed = !same(value, setting.value);
  const was = changed ? ` The recipe's: ${spelled(setting.value) || "none"}.` : "";
  const hint = `${inWords(brief ? firstSentence(setting.help) : setting.help)}${was}`;
  const label = titled(setting);
  if (setting.kind === "bool") {
    return html`<${Switch} label=${label} checked=${Boolean(value)} onChange=${onChange} hint=${hint} />`;
  }
  if (setting.choices && !setting.several) {
    const options = setting.choices.map(choice => ({ value: choice, label: choice || "none" }));
    return html`<${Select} label=${label} value=${spelled(value)} options=${options} onChange=${onChange} hint=${hint} />`;
  }
  const text = typed ?? spelled(value);
  const { error } = typed == null ? { error: "" } : read(setting, typed);
  const numeric = setting.kind !== "text" && !setting.several;
  return html`<${TextInput} label=${label} value=${text} inputmode=${numeric ? "decimal" : "text"} error=${error}
    hint=${`${hint}${setting.range && !brief ? ` Allowed: ${setting.range}.` : ""}`}
    onChange=${(/** @type {string} */ to) => {
      setTyped(to);
      const found = read(setting, to);
      if (!found.error) onChange(found.value);
    }} onBlur=${() => { if (!error) setTyped(null); }} />`;
}

/** How well a setting answers a search; 0 is not at all. @param {Setting} setting @param {string[]} words */
function matches(setting, words) {
  const name = `${setting.name} ${setting.name.replaceAll("_", " ")} ${titled(setting)}`.toLowerCase();
  const help = setting.help.toLowerCase();
  const scores = words.map(word => Number(name.includes(word)) * 2 || Number(help.includes(word)));
  return scores.some(score => score === 0) ? 0 : scores.reduce((sum, score) => sum + score, 0);
}

/** Whether a setting is one of those that have a place of their own in the view. @param {Setting} setting */
const apart = setting => ["condition", "balance", "metric"].includes(setting.name);

/**
 * All settings of a recipe.
 * @param {{settings: Settings, changes: Changes, onChange: (changes: Changes) => void, focus?: string}} props
 */
export function SettingsEditor({ settings, changes, onChange, focus = "" }) {
  const [search, setSearch] = useState(focus);
  const [all, setAll] = useState(false);
  const words = search.toLowerCase().replaceAll("-", "_").replaceAll("_", " ").split(/\s+/).filter(Boolean);
  const set = (/** @type {Setting} */ setting, /** @type {any} */ value) => {
    const next = { ...changes, [setting.name]: value };
    if (same(value, setting.value)) delete next[setting.name];
    onChange(next);
  };
  const field = (/** @type {Setting} */ setting, /** @type {boolean} */ brief) => html`<${SettingField} key=${`${settings.recipe} ${setting.name}`}
    setting=${setting} value=${changes[setting.name] ?? (setting.name in changes ? null : setting.value)} brief=${brief}
    onChange=${(/** @type {any} */ value) => set(setting, value)} />`;
  const found = useMemo(() => words.length === 0 ? [] : settings.settings.map(setting => ({ setting, score: matches(setting, words) }))
    .filter(({ score }) => score > 0).sort((a, b) => b.score - a.score).map(({ setting }) => setting), [search, settings]);
  const shown = settings.settings.filter(s => !apart(s) && (s.common || (s.name in changes)));
  const count = settings.settings.length;
  return html`<div class="settings stack">
    <div class="row end"><${TextInput} label="Search all ${count} settings" type="search" value=${search} onChange=${setSearch} placeholder="for example: learning rate, augment, r1" />
      ${Object.keys(changes).length > 0 && html`<${Button} small icon="undo" onClick=${() => onChange({})}>Back to the recipe (${Object.keys(changes).length} changed)<//>`}</div>
    ${words.length > 0
      ? html`<p class="soft small" role="status">${found.length === 0 ? `No setting speaks of “${search}”.` : `${found.length} of ${count} settings`}</p>
        <div class="fields">${found.slice(0, 24).map(setting => field(setting, false))}</div>`
      : html`<div class="fields">${shown.map(setting => field(setting, true))}</div>
        <${Button} small kind="quiet" icon=${all ? "minus" : "plus"} onClick=${() => setAll(!all)} aria-expanded=${String(all)}>${all ? "Only the common ones" : `All ${count} settings`}<//>
        ${all && settings.groups.map(group => html`<details class="card" key=${group.name}>
          <summary><b>${group.name[0]?.toUpperCase() + group.name.slice(1)}</b> <span class="soft">${group.title}</span></summary>
          <div class="fields">${settings.settings.filter(s => s.group === group.name).map(setting => field(setting, false))}</div></details>`)}`}
  </div>`;
}
