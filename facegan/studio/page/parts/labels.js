// The labels of a conditional model: what its pictures show, such as a smile, or which class.
import { html } from "../html.js";
import { Select, Switch } from "../ui.js";
import { plainName } from "../words.js";

/** Labels of attributes, "smiling", and of classes, "digit=7", by what they tell of: their numbers. @param {string[]} names */
function groupsOf(names) {
  /** @type {Map<string, number[]>} */
  const groups = new Map();
  for (const [i, label] of names.entries()) {
    const of = label.split("=")[0] ?? label;
    groups.set(of, [...(groups.get(of) ?? []), i]);
  }
  return [...groups].map(([name, members]) => ({ name, members, isClass: members.length > 1 || Boolean(names[members[0] ?? 0]?.includes("=")) }));
}

/**
 * A switch for each attribute, a list for classes.
 * @param {{names: string[], values: number[], onChange: (values: number[]) => void}} props values: one for each name
 */
export function LabelChoice({ names, values, onChange }) {
  const set = (/** @type {Record<number, number>} */ change) => onChange(values.map((old, i) => change[i] ?? old));
  return html`${groupsOf(names).map(({ name, members, isClass }) => !isClass
    ? html`<${Switch} key=${name} label=${plainName(name)} checked=${(values[members[0] ?? 0] ?? 0) > 0} onChange=${(/** @type {boolean} */ yes) => set({ [members[0] ?? 0]: Number(yes) })} />`
    : html`<${Select} key=${name} label=${plainName(name)} value=${String(members.find(i => (values[i] ?? 0) > 0) ?? members[0])}
        options=${members.map(i => ({ value: String(i), label: names[i]?.split("=")[1] ?? "" }))}
        onChange=${(/** @type {string} */ value) => set(Object.fromEntries(members.map(i => [i, Number(i === Number(value))])))} />`)}`;
}

/** Labels as --labels takes them; "" for the usual ones. @param {{labels?: string[]}} about @param {number[] | null} labels */
export function labelsOf({ labels: names = [] }, labels) {
  if (!labels) return "";
  return names.map((name, i) => ({ name, on: labels[i] }))
    .filter(({ name, on }) => !name.includes("=") || on)
    .map(({ name, on }) => (name.includes("=") ? name : `${name}=${on}`)).join(",");
}

/** What `labelsOf` wrote, as values; what it does not name is as usual. @param {string[]} names @param {number[]} usual @param {string} text */
export function readLabels(names, usual, text) {
  const told = text.split(",").map(part => part.trim()).filter(Boolean);
  const classes = new Set(told.filter(part => names.includes(part)).map(part => part.split("=")[0]));
  return names.map((name, i) => {
    if (classes.has(name.split("=")[0])) return Number(told.includes(name));
    return told.includes(`${name}=1`) ? 1 : told.includes(`${name}=0`) ? 0 : usual[i] ?? 0;
  });
}
