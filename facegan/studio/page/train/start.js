// Before a training: dataset, recipe, settings, a look ahead, and the button that starts it.
import { useAnswer } from "../answers.js";
import { html, useEffect, useState } from "../html.js";
import { address, navigate } from "../router.js";
import { isActive, removeJob, startJob, stopJob, useJob, useStore } from "../store.js";
import { Button, CommandBox, EmptyState, ErrorLine, Select, Spinner, Switch, TextInput, toastError } from "../ui.js";
import { counted, freeName, nameOfDataset, pixelSize, waitText } from "../words.js";
import { PlanResult } from "./plan.js";
import { pictures } from "./scale.js";
import { SettingsEditor } from "./settings.js";

/** @typedef {import("./data.js").Recipe} Recipe */
/** @typedef {import("./data.js").Recipes} Recipes */
/** @typedef {import("./data.js").Settings} Settings */
/** @typedef {import("./plan.js").Plan} Plan */
/** @typedef {import("../store.js").Item} Item */
/**
 * @typedef {object} Draft
 * @property {string} dataset
 * @property {string} to
 * @property {string} recipe
 * @property {string} name
 * @property {string} init
 * @property {Record<string, any>} changes
 */

/** A free name for a new run. @param {string} dataset @param {string} recipe @param {string[]} taken */
const runName = (dataset, recipe, taken) => freeName(
  `${dataset.replace(/^.*\//, "")}-${recipe}`.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[^A-Za-z0-9]+/, "").slice(0, 70), taken);

/** What a request brings. @param {Draft} draft @param {string} name */
function request(draft, name) {
  const { dataset, to, recipe, init, changes } = draft;
  return { dataset, recipe, changes, ...(to ? { to } : {}), ...(init ? { init } : {}), ...(name ? { name } : {}) };
}

/** Names of settings in a sentence of the server, such as --accumulate. @param {string} sentence */
export const namedSettings = sentence => [...new Set([...sentence.matchAll(/--(?:no-)?([a-z][a-z0-9.-]+)/g)].map(found => (found[1] ?? "").replaceAll("-", "_")))];

/** @param {Item} item */
const described = item => `${nameOfDataset(item)} · ${counted(item.counts?.train ?? 0, "picture")}${item.size ? ` of ${pixelSize(item.size)}` : ""}`;

// --- parts ---------------------------------------------------------------------------------------------------

/** @param {{recipes: Recipes, draft: Draft, set: (change: Partial<Draft>) => void}} props */
function RecipeChoice({ recipes, draft, set }) {
  const [all, setAll] = useState(false);
  const fitting = recipes.recipes.filter(recipe => recipe.fits || recipe.name === draft.recipe);
  const shown = all ? recipes.recipes : fitting;
  const now = recipes.recipes.find(recipe => recipe.name === draft.recipe);
  const label = (/** @type {Recipe} */ recipe) => `${recipe.name}${recipe.name === recipes.suited ? " (suits)" : ""}${recipe.known ? " · forecast" : ""}${recipe.fits ? "" : " · other pictures"}`;
  return html`<div class="stack tight">
    <${Select} label="Recipe" value=${draft.recipe} options=${shown.map(recipe => ({ value: recipe.name, label: label(recipe) }))}
      onChange=${(/** @type {string} */ recipe) => set({ recipe, changes: {}, init: "", to: "" })}
      hint=${now ? `${now.summary}. ${pictures(now.kimg)} pictures long. Source: ${now.source}.` : ""} />
    ${recipes.suited && html`<p class="small soft">${draft.recipe === recipes.suited ? "This recipe suits your pictures and this machine" : html`<button type="button" class="link" onClick=${() => set({ recipe: recipes.suited, changes: {}, init: "", to: "" })}>${recipes.suited}</button> would suit your pictures and this machine`}: ${recipes.why}.</p>`}
    ${!recipes.suited && html`<${ErrorLine} error=${recipes.why} />`}
    ${fitting.length < recipes.recipes.length && html`<${Switch} label="Show recipes for other pictures, too" checked=${all} onChange=${setAll} />`}
  </div>`;
}

/** Labels that the generator will obey. @param {{item: Item, draft: Draft, set: (change: Partial<Draft>) => void, conditional: boolean}} props */
function Labels({ item, draft, set, conditional }) {
  const found = item.attributes ?? {};
  const names = /** @type {string[]} */ (Array.isArray(found) ? found.map(one => one.name ?? one) : Object.keys(found));
  const chosen = /** @type {string[]} */ (draft.changes.condition ?? []);
  const change = (/** @type {Record<string, any>} */ changes) => {
    const kept = Object.fromEntries(Object.entries({ ...draft.changes, ...changes }).filter(([, value]) => value !== undefined));
    set({ changes: kept });
  };
  if (!conditional) return null;
  if (names.length === 0) {
    return html`<p class="small soft">Faces with chosen attributes, such as smiling, need a dataset whose pictures have labels:${" "}
      <a href=${address("photos")}>label them</a> first, if you want that.</p>`;
  }
  return html`<fieldset class="labels"><legend>Labels that can be asked for later</legend>
    <div class="chips">${names.map(name => html`<${Button} key=${name} small pressed=${chosen.includes(name)} onClick=${() => {
      const next = chosen.includes(name) ? chosen.filter(one => one !== name) : [...chosen, name];
      change({ condition: next.length ? next : undefined, ...(next.length ? {} : { balance: undefined }) });
    }}>${name.replaceAll("_", " ")}<//>`)}</div>
    ${chosen.length > 0 && html`<${Switch} label="Draw all combinations equally often" checked=${Boolean(draft.changes.balance)}
      onChange=${(/** @type {boolean} */ on) => change({ balance: on || undefined })} />`}
  </fieldset>`;
}

/** @param {{draft: Draft, set: (change: Partial<Draft>) => void, recipe: Recipe, datasets: Item[]}} props */
function Further({ draft, set, recipe, datasets }) {
  const models = useStore(state => state.project?.models ?? []);
  const suited = models.filter(model => model.model === (recipe.translates ? "translator" : "generator"));
  const metric = draft.changes.metric;
  const rest = Object.fromEntries(Object.entries(draft.changes).filter(([name]) => name !== "metric"));
  return html`<div class="fields">
    ${recipe.domains && html`<${Select} label="Second dataset" value=${draft.to} options=${[{ value: "", label: "Choose one" }, ...datasets.filter(item => item.id !== draft.dataset).map(item => ({ value: item.id, label: described(item) }))]}
      onChange=${(/** @type {string} */ to) => set({ to })} hint="Pictures of the first become such of the second, and back." />`}
    <${Select} label="Begin with" value=${draft.init} options=${[{ value: "", label: "Fresh networks" }, ...suited.map(model => ({ value: model.id, label: model.name }))]}
      onChange=${(/** @type {string} */ init) => set({ init })} hint="Weights of a model of the same family learn from few pictures." />
    ${!recipe.translates && html`<${Switch} label="Measure on pictures held out (KID), and keep the best" checked=${metric === "kid"}
      onChange=${(/** @type {boolean} */ on) => set({ changes: on ? { ...rest, metric: "kid" } : rest })}
      hint="The forecast is drawn behind this measure. It takes a little time." />`}
  </div>`;
}

/** The look ahead: a short job of its own. @param {{draft: Draft, recipe: Recipe, job: string, setJob: (id: string) => void, set: (change: Partial<Draft>) => void, blocked: boolean}} props */
function LookAhead({ draft, recipe, job: id, setJob, set, blocked }) {
  const job = useJob(id);
  const [failed, setFailed] = useState("");
  const asked = JSON.stringify(request(draft, ""));
  const start = async (/** @type {boolean} */ auto) => {
    setFailed("");
    if (id && job && !isActive(job)) removeJob(id).catch(() => {});
    try {
      setJob((await startJob("plan", { ...request(draft, ""), ...(auto ? { auto } : {}) })).id);
    } catch (error) {
      setFailed(/** @type {Error} */ (error).message);
    }
  };
  const busy = Boolean(job && isActive(job));
  const plan = /** @type {Plan | null} */ (job?.state === "done" ? job.result : null);
  const before = { ...job?.settings };
  delete before.auto;
  const recommended = plan?.changes ? JSON.stringify({ ...before, changes: plan.changes }) : "";
  const old = plan && asked !== JSON.stringify(before) && asked !== recommended;
  return html`<section class="stack" aria-label="Look ahead">
    <div class="row"><h2>Look ahead</h2><div class="actions">
      ${!recipe.translates && html`<${Button} icon="sliders" disabled=${blocked || busy} onClick=${() => start(true)}>Recommend settings<//>`}
      <${Button} icon="clock" disabled=${blocked || busy} onClick=${() => start(false)}>Dry run<//></div></div>
    ${!plan && !busy && html`<p class="soft">A few real updates on this machine tell how long the training takes, what memory it needs, and how good its pictures will be by then. Nothing is written.</p>`}
    ${busy && html`<div class="row card"><p aria-live="polite"><${Spinner} label="Looking ahead" /> <span>${job?.state === "queued" ? waitText(job) : "Builds the networks and times a few updates"} …</span></p>
      <${Button} small icon="stop" onClick=${() => stopJob(id).catch(toastError)}>Stop<//></div>`}
    <${ErrorLine} error=${failed || (job?.state === "failed" ? job.error : "")} />
    ${old && html`<p class="warning"><span>The settings have changed since; look ahead again to see what they bring.</span></p>`}
    ${plan && html`<${PlanResult} plan=${plan} taken=${asked === recommended}
      onTake=${plan.changes && (() => set({ recipe: plan.recipe, changes: plan.changes ?? {} }))} />`}
  </section>`;
}

// --- all of it -----------------------------------------------------------------------------------------------

/** @param {{state: Record<string, string>}} props */
export function Start({ state }) {
  const project = useStore(store => store.project);
  const datasets = project?.datasets ?? [];
  const [draft, setDraft] = useState(/** @type {Draft} */ ({ dataset: state.dataset ?? "", to: state.to ?? "", recipe: state.recipe ?? "", name: "", init: state.init ?? "", changes: readChanges(state.changes) }));
  const [job, setJob] = useState(state.plan ?? "");
  const [wrong, setWrong] = useState("");
  const [failed, setFailed] = useState("");
  const [starting, setStarting] = useState(false);
  const [search, setSearch] = useState(state.setting ?? "");
  const set = (/** @type {Partial<Draft>} */ change) => setDraft((/** @type {Draft} */ old) => ({ ...old, ...change }));
  const dataset = datasets.find(item => item.id === draft.dataset) ?? datasets[0];
  const recipes = useAnswer(dataset ? `/api/training/recipes?dataset=${encodeURIComponent(dataset.id)}` : "");
  const list = /** @type {Recipes | null} */ (recipes.answer);
  const recipe = list?.recipes.find(one => one.name === (draft.recipe || list.suited)) ?? list?.recipes.find(one => one.fits);
  const settings = useAnswer(recipe ? `/api/training/settings?recipe=${encodeURIComponent(recipe.name)}` : "");
  const full = { ...draft, dataset: dataset?.id ?? "", recipe: recipe?.name ?? "" };
  const taken = (project?.runs ?? []).map(run => run.name.replace(/^.*\//, ""));
  const name = draft.name || (dataset && recipe ? runName(dataset.name, recipe.name, taken) : "");
  useEffect(() => { // so that the address can be kept, and a page that is loaded again shows the same
    if (!dataset || !recipe) return;
    const kept = Object.keys(full.changes).length ? JSON.stringify(full.changes) : "";
    navigate("train", "", { new: 1, dataset: full.dataset, recipe: full.recipe, init: full.init, changes: kept, plan: job }, { replace: true });
  }, [full.dataset, full.recipe, full.init, JSON.stringify(full.changes), job]);
  if (!project) return html`<p><${Spinner} /></p>`;
  if (!dataset) {
    return html`<h1>Train</h1><${EmptyState} icon="photos" title="Training needs photos first"
      action=${html`<${Button} kind="primary" icon="photos" href=${address("photos")}>Bring photos<//>`}>
      Bring a folder of photos; the studio finds the faces and makes a dataset of them.<//>`;
  }
  const start = async () => {
    setStarting(true);
    setFailed("");
    try {
      await startJob("train", request(full, name));
      navigate("train", name);
    } catch (error) {
      setFailed(/** @type {Error} */ (error).message);
    }
    setStarting(false);
  };
  const named = namedSettings(wrong || failed)[0]?.replaceAll("_", " ");
  const blocked = !recipe || Boolean(wrong) || (recipe.domains && !full.to);
  return html`<div class="row"><h1>New training</h1><a href=${address("train")}>All runs</a></div>
    <p class="lead">Choose pictures and a recipe, look ahead, and start. It goes on when you close this page.</p>
    <div class="stack wide-gap">
      <section class="card fields">
        <${Select} label="Dataset" value=${dataset.id} options=${datasets.map(item => ({ value: item.id, label: described(item) }))}
          onChange=${(/** @type {string} */ id) => { set({ dataset: id, recipe: "", changes: {}, to: "" }); setJob(""); }} />
        ${list && recipe ? html`<${RecipeChoice} recipes=${list} draft=${full} set=${set} />` : recipes.error ? html`<${ErrorLine} error=${recipes.error} />` : html`<${Spinner} />`}
      </section>
      ${recipe && html`<section class="card stack"><${Further} draft=${full} set=${set} recipe=${recipe} datasets=${datasets} />
        <${Labels} item=${dataset} draft=${full} set=${set} conditional=${recipe.conditional} /></section>`}
      ${settings.answer && html`<section aria-label="Settings" class="stack"><h2>Settings</h2>
        <${SettingsEditor} key=${`${recipe?.name} ${search}`} settings=${/** @type {Settings} */ (settings.answer)} changes=${full.changes} onChange=${(/** @type {Record<string, any>} */ changes) => set({ changes })} focus=${search} /></section>`}
      ${recipe && html`<${LookAhead} draft=${full} recipe=${recipe} job=${job} setJob=${setJob} set=${set} blocked=${blocked} />`}
      <section class="stack" aria-label="Start"><h2>Start</h2>
        <${ErrorLine} error=${wrong || failed} retry="Show this setting" ...${named ? { onRetry: () => setSearch(named) } : {}} />
        <div class="row end"><${TextInput} label="Name of the run" value=${name} onChange=${(/** @type {string} */ to) => set({ name: to })} />
          <${Button} kind="primary" icon="play" busy=${starting} disabled=${blocked} onClick=${start}>Start the training<//></div>
        ${recipe && html`<${CommandBox} action="train" settings=${request(full, name)} onError=${setWrong} />`}
      </section>
    </div>`;
}

/** @param {string | undefined} text */
function readChanges(text) {
  try {
    const found = JSON.parse(text ?? "{}");
    return found && typeof found === "object" && !Array.isArray(found) ? found : {};
  } catch {
    return {}; // an address that somebody typed
  }
}

