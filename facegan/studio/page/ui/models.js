// Choosing a model, also one of a run's earlier states.
import { html } from "../html.js";
import { useStore } from "../store.js";
import { Select } from "./controls.js";

/**
 * Return the model of that id; of a run's earlier state, RUN@MOMENT, the run's facts with that id and name.
 * @param {import("../store.js").Item[]} models
 * @param {string} id
 */
export function chosenModel(models, id) {
  const [base = "", moment] = id.split("@");
  const model = models.find(one => one.id === id) ?? models.find(one => one.id === base && moment && one.moments?.includes(moment));
  return model && model.id !== id ? { ...model, id, name: `${model.name}@${moment}` } : model;
}

/**
 * A choice among the project's models and those that come with facegan.
 * @param {{value: string, onChange: (id: string) => void, kind?: "generator" | "translator", label?: string}} props
 */
export function ModelPicker({ value, onChange, kind, label = "Model" }) {
  const models = (useStore(state => state.project?.models) ?? []).filter(model => !kind || model.model === kind);
  const options = models.flatMap(model => [
    { value: model.id, label: `${model.name}${model.bundled ? " (bundled)" : ""}` },
    .../** @type {string[]} */ (model.moments ?? []).slice().reverse().map(moment => ({
      value: `${model.id}@${moment}`, label: `\u2003${moment === "best" ? "best measured" : moment}` })),
  ]);
  return html`<${Select} label=${label} value=${value} options=${options} onChange=${onChange} />`;
}
