// The command line and the Python that draw the same face without the studio.
import { labelsOf } from "../parts/labels.js";
import { spellNumbers } from "./points.js";

/** @typedef {import("./points.js").Point} Point */
/** @typedef {import("./model.js").Look} Look */
/** @typedef {{id: string, name: string, labels?: string[], default_labels?: number[]}} Named */

/** @param {string} text as a word of a shell */
const quoted = text => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`);

/** @param {string} text as Python */
const string = text => JSON.stringify(text);

const short = (/** @type {number} */ x) => `${Math.round(x * 1e4) / 1e4}`;

/** "smiling=+2, old=-1" @param {Record<string, number>} moves */
const editsOf = moves => Object.entries(moves).filter(([, s]) => s).map(([name, s]) => `${name.toLowerCase()}=${s > 0 ? "+" : ""}${short(s)}`).join(", ");

/** A sum of seeds as an expression of 'facegan arithmetic'; "" of anything else. @param {Point} point */
function expressionOf(point) {
  if (!("sum" in point)) return "";
  const terms = point.sum.map(({ sign, members }) => ({ sign, seeds: members.map(member => ("seed" in member ? member.seed : -1)) }));
  if (terms.some(({ seeds }) => seeds.includes(-1))) return "";
  return terms.map(({ sign, seeds }, i) => `${sign < 0 ? "- " : i ? "+ " : ""}seed:${seeds.join(",")}`).join(" ");
}

/** How the model is called by commands: its path within the project. @param {Named & {file?: string}} about */
const modelOf = about => about.file ?? about.id;

/**
 * The commands that draw a face; "" where no command does.
 * @param {Named & {file?: string}} about @param {Look} look
 */
function commandOf(about, { face: { point, moves = {} }, truncation, labels }) {
  const model = quoted(modelOf(about));
  const told = labelsOf(about, labels);
  const options = `${truncation !== 1 ? ` --truncation ${short(truncation)}` : ""}${told ? ` --labels ${quoted(told)}` : ""}`;
  const edits = editsOf(moves);
  const edit = (/** @type {string} */ target) => `facegan edit ${model} ${target} ${quoted(edits)} --hold none${told ? ` --labels ${quoted(told)}` : ""}`;
  if (edits && truncation !== 1) return ""; // edits are drawn without truncation
  if ("seed" in point) return edits ? edit(`seed:${point.seed}`) : `facegan generate ${model} seed:${point.seed}${options} --out face.png`;
  if ("vector" in point) {
    const target = `results/${point.vector}.npz:${point.number + 1}`;
    return edits ? edit(target) : `facegan generate ${model} ${target}${options} --out face.png`;
  }
  if ("base" in point) {
    const { base, style, kind, numbers } = point;
    if (!("seed" in base && "seed" in style) || truncation !== 1) return "";
    const mix = `facegan mix ${model} seed:${base.seed} seed:${style.seed} --${kind} ${spellNumbers(numbers)}${told ? ` --labels ${quoted(told)}` : ""}`;
    return edits ? `${mix}\n${edit("mix.npz")}` : mix;
  }
  const expression = "words" in point ? point.words : expressionOf(point);
  if (!expression) return "";
  const sum = `facegan arithmetic ${model} ${quoted(expression)}${"words" in point ? "" : " --norm prior"}${options}`;
  return edits ? `${sum}\n${edit("arithmetic.npz")}` : sum;
}

/** Lines of Python that make a point. */
class Lines {
  constructor() {
    /** @type {string[]} */
    this.all = [];
    this.count = 0;
    this.normal = false;
  }

  /** @param {string} value */
  name(value) {
    const name = `w${++this.count}`;
    this.all.push(`${name} = ${value}`);
    return name;
  }

  /** Whether a point has a latent z. @param {Point} point @returns {boolean} */
  isDrawn(point) {
    if ("sum" in point) return point.sum.every(term => term.members.every(member => this.isDrawn(member)));
    return "between" in point ? point.between.every(end => this.isDrawn(end)) : "seed" in point;
  }

  /** Standard normal draws, as an expression. @param {Point} point @returns {string} */
  draws(point) {
    this.normal = true;
    if ("between" in point) {
      const [a, b] = point.between.map(end => this.draws(end));
      return `latent.along([${a}, ${b}], [${short(point.at)}], "slerp")[0]`;
    }
    if (!("sum" in point)) return `normal.sample([${"seed" in point ? point.seed : 0}])[0]`;
    let at = 0;
    const words = point.sum.map(({ sign, members }, i) => `${sign < 0 ? "- " : i ? "+ " : ""}${members.map(() => ++at).join(",")}`).join(" ");
    const sheet = point.sum.flatMap(({ members }) => members.map(member => this.draws(member)));
    return `latent.arithmetic(${string(words)}, torch.stack([${sheet.join(", ")}]), rescale=normal)`;
  }

  /** The name of w, 1,num_ws,w_dim. @param {Point} point @returns {string} */
  place(point) {
    if ("seed" in point) return this.name(`model.map(model.latent.sample([${point.seed}]))`);
    if (this.isDrawn(point)) return this.name(`model.map(model.latent.shape_normal(${this.draws(point)})[None])`);
    if ("words" in point) return this.name(`model.map(facegan.arithmetic(model, ${string(point.words)}).vectors)`);
    if ("vector" in point) return this.name(`model.map(latent.load_vectors(${string(`results/${point.vector}.npz`)}, model.latent.dim, (model.num_ws, model.w_dim)).z[[${point.number}]])`);
    if ("between" in point) {
      const [a, b] = point.between.map(end => this.place(end));
      return this.name(`${short(1 - point.at)} * ${a} + ${short(point.at)} * ${b}`);
    }
    if ("base" in point) {
      const [a, b] = [this.place(point.base), this.place(point.style)];
      const chosen = `${point.kind}=[${point.numbers.join(", ")}]`;
      return this.name(point.kind === "layers" ? `latent.mix(model, ${a}, ${b}, ${chosen})` : `facegan.mix(model, ${a}, ${b}, components="${spellNumbers(point.numbers)}").vectors.z`);
    }
    const parts = point.sum.map(({ sign, members }, i) => {
      const names = members.map(member => this.place(member));
      const mean = names.length > 1 ? `(${names.join(" + ")}) / ${names.length}` : names[0];
      return `${sign < 0 ? "- " : i ? "+ " : ""}${mean}`;
    });
    return this.name(parts.join(" "));
  }
}

/** @param {Named & {file?: string}} about @param {Look} look */
function pythonOf(about, { face: { point, moves = {} }, truncation, labels }) {
  const lines = new Lines();
  const told = labelsOf(about, labels);
  const w = lines.place(point);
  const end = [];
  if (truncation !== 1) end.push(`${w} = model.map(${w}, truncation=${short(truncation)})`);
  const strengths = Object.entries(moves).filter(([, s]) => s).map(([name, s]) => `${string(name)}: ${short(s)}`).join(", ");
  if (strengths) end.push(`${w} = latent.directions_of(model).move(${w}, {${strengths}})`);
  const text = [...lines.all, ...end].join("\n");
  const imports = [
    ...(text.includes("torch.") ? ["import torch"] : []), "import facegan",
    ...(text.includes("latent.") && /\blatent\.(along|arithmetic|mix|load|directions)/.test(text) ? ["from facegan import latent"] : []),
  ];
  return [
    imports.join("\n"), "",
    `model = facegan.load(${string(modelOf(about))})${told ? `.tell(${string(told)})` : ""}`,
    ...(lines.normal ? ['normal = facegan.Latent("normal", model.latent.dim)'] : []),
    text, `facegan.images.save_png("face.png", model.images(${w})[0])`,
  ].join("\n");
}

/** @param {Named & {file?: string}} about @param {Look} look @returns {{command: string, python: string}} */
export const scriptOf = (about, look) => ({ command: commandOf(about, look), python: pythonOf(about, look) });
