// The Markdown of model cards as elements. Markup of HTML in it stays text, and links open nothing by themselves.
import { html } from "../html.js";

/** @typedef {import("../html.js").Children} Children */

const INLINE = /(`[^`]+`|\*\*[^*]+\*\*|\[[^\]]+\]\([^)\s]+\)|\*[^*\s][^*]*\*)/;

/** @param {string} text @returns {Children[]} */
function inline(text) {
  return text.split(INLINE).map((part, n) => {
    if (n % 2 === 0) return part;
    if (part.startsWith("`")) return html`<code>${part.slice(1, -1)}</code>`;
    if (part.startsWith("**")) return html`<b>${inline(part.slice(2, -2))}</b>`;
    if (part.startsWith("*")) return html`<em>${part.slice(1, -1)}</em>`;
    const [, label = "", target = ""] = part.match(/^\[(.+)\]\((.+)\)$/s) ?? [];
    return /^https?:/.test(target) ? html`<a href=${target} target="_blank" rel="noopener noreferrer">${label}</a>` : html`<span>${label}</span>`;
  });
}

/** @param {string} line */
const cells = line => line.replace(/^\s*\||\|\s*$/g, "").split(/(?<!\\)\|/).map(cell => cell.trim());

/** @param {string[]} lines */
function table(lines) {
  const [head = "", , ...body] = lines;
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Table"><table><thead><tr>${cells(head).map((cell, n) => (cell ? html`<th key=${n} scope="col">${inline(cell)}</th>` : html`<td key=${n}></td>`))}</tr></thead>
    <tbody>${body.map((line, row) => html`<tr key=${row}>${cells(line).map((cell, n) => html`<td key=${n}>${inline(cell)}</td>`)}</tr>`)}</tbody></table></div>`;
}

/** @param {string[]} lines of a list, with the lines that continue an item */
function list(lines) {
  /** @type {string[]} */
  const items = [];
  for (const line of lines) {
    const found = line.match(/^\s*(?:[-*]|\d+\.)\s+(.*)/);
    if (found) items.push(found[1] ?? "");
    else items.push(`${items.pop() ?? ""} ${line.trim()}`);
  }
  const inside = items.map((item, n) => html`<li key=${n}>${inline(item)}</li>`);
  return /^\s*\d/.test(lines[0] ?? "") ? html`<ol>${inside}</ol>` : html`<ul>${inside}</ul>`;
}

/** @param {string} block @returns {Children} */
function paragraph(block) {
  const lines = block.split("\n");
  const heading = block.match(/^(#{1,6})\s+(.*)/);
  if (heading) {
    const [, marks = "", text = ""] = heading;
    const rest = lines.slice(1).join("\n").trim();
    const made = marks.length < 2 ? html`<h2>${inline(text)}</h2>` : html`<h3>${inline(text)}</h3>`;
    return rest ? html`${made}${paragraph(rest)}` : made;
  }
  if (/^\s*(?:[-*]|\d+\.)\s/.test(block)) return list(lines);
  if (lines.length > 1 && /^\s*\|?\s*:?-{2,}/.test(lines[1] ?? "")) return table(lines);
  if (/^!\[/.test(block) || /^<!--/.test(block)) return null;
  if (lines.every(line => /^(?: {4}|\t)/.test(line))) return code(lines.map(line => line.slice(4)).join("\n"));
  return html`<p>${inline(lines.join(" "))}</p>`;
}

/** @param {string} text */
const code = text => html`<pre tabindex="0" aria-label="Code"><code>${text}</code></pre>`;

/** @param {{text: string}} props */
export function Markdown({ text }) {
  const body = text.replace(/^---\n.*?\n---\n/s, "").replace(/\r/g, "");
  const parts = body.split(/^```.*\n([\s\S]*?)^```\s*$/m);
  return html`<div class="prose">${parts.map((part, n) => (n % 2
    ? html`<${CodePart} key=${n} text=${part.replace(/\n$/, "")} />`
    : html`<${Part} key=${n} blocks=${part.split(/\n{2,}/).map(block => block.replace(/^\n+|\s+$/g, "")).filter(Boolean)} />`))}</div>`;
}

/** @param {{text: string}} props */
const CodePart = ({ text }) => code(text);
/** @param {{blocks: string[]}} props */
const Part = ({ blocks }) => html`${blocks.map(block => paragraph(block))}`;
