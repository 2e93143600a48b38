"""Write the card of a published model.

What is unknown is called unknown; numbers stand here only if they were measured.
"""

from __future__ import annotations

import html
import shlex

from facegan.exchange.parity import Parity
from facegan.exchange.publish_facts import SHEET, Facts
from facegan.exchange.publish_metadata import front_matter
from facegan.hub import MODEL_FILE
from facegan.latent.directions import SHOWN
from facegan.version import __version__

SHEET_FILE, GRAPH_FILE, LICENCE_FILE = "samples.png", "model.onnx", "LICENSE"
DIRECTIONS_FILE = "directions.safetensors"
_UNKNOWN = "unknown"

USE = """With facegan:

    facegan generate hf:{repo} --count 25 --out faces.png

```python
import facegan

model = facegan.load("hf:{repo}")
images = model.sample(25)  # uint8 25,{h},{w},{c}
```

Loading executes nothing, and works offline once the file is cached. Pictures that facegan writes say in their
metadata that a trained model made them."""

EDIT = """To edit faces, take the directions of this model, so that facegan need not find them first:

    hf download {repo} {file} --local-dir .
    facegan edit hf:{repo} seed:1 {edit} --directions {file}"""

ONNX = """[ONNX Runtime](https://onnxruntime.ai) draws with `model.onnx`, without facegan and PyTorch:

```python
import numpy as np
import onnxruntime
from huggingface_hub import hf_hub_download
from PIL import Image

session = onnxruntime.InferenceSession(hf_hub_download("{repo}", "model.onnx"))
z = np.random.default_rng(0).standard_normal((1, {dim}))
{prior}{labels}image = session.run(None, {inputs})[0][0]
levels = np.clip(np.rint((image + 1) * 127.5), 0, 255).astype(np.uint8)
Image.fromarray({picture}).save("face.png")
```"""

LIMITS = """\
- The pictures resemble the training pictures, with their gaps and biases, which have not been examined.
- A generated face may resemble a real person by chance, and a model may repeat training pictures; see
  *Memorisation*.
- Intended for research, teaching and play. Do not use it to deceive, to impersonate or to judge people, or to
  represent a population."""


# --- the model's card -----------------------------------------------------------------------------------


def model_card(facts: Facts, parity: Parity | None = None) -> str:
    """Return README.md of the model's repository; ``parity`` is how its graph compares with PyTorch."""
    parts = [
        front_matter(facts),
        f"# {facts.name}\n",
        _introduction(facts),
        f"![The pictures of the seeds 0 to {SHEET - 1}]({SHEET_FILE})\n",
        f"*The pictures of the seeds 0 to {SHEET - 1}, in order, none left out.*\n",
        f"## How to use it\n\n{_use(facts)}\n",
        f"## What it is\n\n{_what(facts)}\n",
        f"## Training\n\n{_training(facts)}\n",
        f"## Measures\n\n{_measures(facts)}\n",
        f"## Memorisation\n\n{_memorisation(facts)}\n",
    ]
    for heading, text in facts.sections.items():
        if heading not in ("Data", "Measures", "Limits and bias"):
            parts.append(f"## {heading}\n\n{text}\n")
    parts.append(f"## Intended use and limits\n\n{facts.sections.get('Limits and bias') or LIMITS}\n")
    parts.append(f"## Licence\n\n{_licence(facts)}\n")
    parts.append(f"## How this was made\n\n{_made(facts, parity)}\n")
    return "\n".join(parts)


def _introduction(facts: Facts) -> str:
    kind = "grey" if facts.model.image_shape[0] == 1 else "colour"
    labels = ", given labels," if facts.model.labels else ""
    version = facts.origin.get("facegan", "of an unknown version")
    told = (
        "It comes from another program; `facegan import` read it."
        if facts.origin.get("imported")
        else f"It was made with facegan {version}."
    )
    return (
        f"This generator turns {facts.model.latent.dim} random numbers{labels} into a {kind} picture of "
        f"{facts.size} px. {told}\n"
    )


def _use(facts: Facts) -> str:
    c, h, w = facts.model.image_shape
    parts = [USE.format(repo=facts.repo, c=c, h=h, w=w)]
    if facts.directions:
        names = facts.directions.names
        edit = f"{next((name for name in SHOWN if name in names), names[0]).lower()}=+2"
        parts.append(EDIT.format(repo=facts.repo, file=DIRECTIONS_FILE, edit=edit))
    if facts.onnx:
        parts.append(_onnx_use(facts))
    if facts.space:
        address = f"https://huggingface.co/spaces/{facts.repo}"
        parts.append(
            f"In a browser: the Space [{facts.repo}]({address}) is a page that draws by itself. Its file "
            "`index.html` also works offline."
        )
    return "\n\n".join(parts)


def _onnx_use(facts: Facts) -> str:
    latent, labels = facts.model.latent, facts.model.labels
    if latent.kind == "sphere":
        prior = f"z *= np.sqrt({latent.dim}) / np.linalg.norm(z, axis=1, keepdims=True)\n"
    elif latent.kind == "uniform":
        reach = latent.std * 3**0.5
        low, high = latent.mean - reach, latent.mean + reach
        prior = f"z = np.random.default_rng(0).uniform({low:.6g}, {high:.6g}, (1, {latent.dim}))\n"
    elif latent.kind == "truncated":
        prior = (
            "while (far := abs(z) > 2).any():  # numbers beyond 2 standard deviations are drawn again\n"
            f"    z[far] = np.random.default_rng().standard_normal(far.sum())\n"
            f"z = {latent.mean:g} + {latent.std:g} * z\n"
        )
    else:
        prior = f"z = {latent.mean:g} + {latent.std:g} * z\n" if (latent.mean, latent.std) != (0, 1) else ""
    row = facts.model.label_row
    told = "" if row is None else f"labels = np.float32([{row.tolist()}])  # {', '.join(labels[:6])}\n"
    inputs = '{"z": np.float32(z), "labels": labels}' if labels else '{"z": np.float32(z)}'
    picture = "levels[0]" if facts.model.image_shape[0] == 1 else "levels.transpose(1, 2, 0)"
    fields = {"repo": facts.repo, "dim": latent.dim, "prior": prior, "labels": told}
    return ONNX.format(**fields, inputs=inputs, picture=picture)


def _table(rows: list[tuple[str, str]]) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {_cell(value)} |" for name, value in rows)])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _what(facts: Facts) -> str:
    model = facts.model
    latent = model.latent
    prior = (
        f"on a sphere of radius √{latent.dim}"
        if latent.kind == "sphere"
        else f"{latent.kind}, mean {latent.mean:g}, standard deviation {latent.std:g}"
    )
    parameters = sum(p.numel() for p in model.network.parameters())
    imported = facts.origin.get("imported") or {}
    rows = [
        ("family of networks", f"`{model.meta['family']}`"),
        ("pictures", f"{facts.size} px, {'grey' if model.image_shape[0] == 1 else 'colour'}"),
        ("random numbers", f"{latent.dim}, {prior}"),
        ("parameters", f"{parameters:,}"),
    ]
    if model.labels:
        more = f" and {len(model.labels) - 20} more" if len(model.labels) > 20 else ""
        rows.append(("labels", html.escape(", ".join(model.labels[:20]), quote=False) + more))
    if imported:
        rows.append(("imported from", f"a file of the format `{imported.get('format', _UNKNOWN)}`"))
    rows.append(("hash", f"`{model.hash}`"))
    return _table(rows)


def _training(facts: Facts) -> str:
    data, origin, (recipe, summary) = facts.dataset, facts.origin, facts.recipe
    crop = {
        k: v for k, v in (facts.model.meta.get("alignment") or {}).items() if v not in (False, None, "", [])
    }
    crop.pop("landmarks", None)
    crop = {"kind": "none"} if crop.get("kind") == "none" else crop
    kimg = f"{facts.kimg:,.0f} thousand, counted with repetitions" if facts.kimg is not None else _UNKNOWN
    if origin.get("images_before"):
        kimg += f", of which {origin['images_before'] / 1000:,.0f} thousand by the model that it began with"
    count, digest = data.get("count"), str(data.get("content_hash") or "")
    described = f": {facts.sections['Data']}" if "Data" in facts.sections else ""
    rows = [
        ("data set", f"`{data['name']}`{described}" if data.get("name") else _UNKNOWN),
        ("training pictures", f"{count:,}" if isinstance(count, int) else _UNKNOWN),
        ("data set's content hash", f"`{digest[:16]}`" if digest else _UNKNOWN),
        ("data set's licence", facts.data_licence or _UNKNOWN),
        ("how they were cropped", ", ".join(f"{k} {v}" for k, v in crop.items()) or _UNKNOWN),
        ("recipe", f"`{recipe}`" + f": {summary}" * bool(summary) if recipe else _UNKNOWN),
        ("pictures seen", kimg),
        ("seed", str(origin.get("seed", _UNKNOWN))),
    ]
    command = str(origin.get("command") or "")
    told = f"The training command, without folders:\n\n{_block(command)}" if command else (
        "The training command is unknown."
    )  # fmt: skip
    return f"{_table(rows)}\n\n{told}"


def _block(command: str) -> str:
    """Return a command line as a block of code, in lines of moderate length."""
    try:
        words = [shlex.quote(word) for word in shlex.split(command)]
    except ValueError:
        words = command.split()
    lines = [""]
    for i, word in enumerate(words):
        option = word.startswith("-") and i > 0
        if option and len(lines[-1]) > 60:
            lines.append("   ")
        lines[-1] += f" {word}" if lines[-1] else word
    return "```sh\n" + " \\\n".join(lines) + "\n```"


def _measures(facts: Facts) -> str:
    m = facts.measures
    if m is None or not m.rows():
        return (
            "Not measured. `facegan evaluate MODEL --against DATASET --json FILE` measures the model, and "
            "`facegan publish ... --evaluation FILE` puts the result here."
        )
    samples = f"{m.count:,} samples (seeds 10000 and up, none left out)" if m.count else "samples"
    truncated = f", truncated to {m.truncation:g}," if m.truncation != 1 else ""
    amount = f"{m.count_real:,} " if m.count_real else ""
    split = f"the split `{m.split}` of " if m.split else ""
    pictures = "training pictures" if m.split == "train" else "real pictures"
    features = f", by the features `{m.features}`" if m.features else ""
    head = (
        f"The table compares {samples}{truncated} with {amount}{pictures} in {split}`{m.against or _UNKNOWN}`"
        f"{features}. The second column of numbers is what other real pictures get in the place of samples."
        f"{' Numbers in brackets are 95% intervals.' if m.low else ''}"
    )
    rows = ["| | this model | real pictures | |", "|---|---|---|---|"]
    better = {"lower": "lower is better", "higher": "higher is better", "equal": "like real is best"}
    for name, value in m.rows():
        real = f"{m.real[name]:.{value.digits}f}" if name in m.real else ""
        rows.append(f"| {value.title} | {m.text(name, value.digits)} | {real} | {better[value.better]} |")
    notes = [f"- {warning}" for warning in m.warnings]
    if m.split == "train":
        notes.append("- Nothing was held out: a model that repeats its training pictures looks good here.")
    return "\n".join([head, "", *rows, *(["", *notes] if notes else [])])


def _memorisation(facts: Facts) -> str:
    m = facts.measures
    if m is not None and "memorized" in m.values:
        found = (
            f"{m.values['memorized']:.1%} of the samples are nearer to a training picture than 95% of "
            "held-out pictures are (5% if nothing is memorised)."
        )
        if "nearer" in m.values:
            found += (
                f" A sample is nearer to the training pictures than a held-out picture with a probability of "
                f"{m.values['nearer']:.2f} (0.5 if nothing is memorised)."
            )
        return found
    if m is not None and m.copied is not None:
        return (
            f"{m.copied:.1%} of the samples in the run's last grid are suspiciously close to a training "
            "picture at 16x16 px (5% if nothing is memorised)."
        )
    return "Not measured: whether samples repeat training pictures is unknown."


def _licence(facts: Facts) -> str:
    found = facts.licence
    if not found.known:
        said = f" The model's file says: {found.text}." if found.text else ""
        return f"Unknown: nothing was stated.{said} The licence of the training pictures may limit its use."
    if found.identifier == "other":
        return f"{html.escape(found.text, quote=False)} (see `{LICENCE_FILE}`)"
    return f"`{found.identifier}`"


def _made(facts: Facts, parity: Parity | None) -> str:
    compared = f"was compared with PyTorch: {parity}" if parity else "was not compared with PyTorch"
    graph = f" `{GRAPH_FILE}` {compared}." if facts.onnx else ""
    return (
        f"`facegan publish` (facegan {__version__}) wrote this card from the header of `{MODEL_FILE}` and "
        f"from recorded measurements. Nobody chose among the pictures of `{SHEET_FILE}`.{graph}"
    )
