"""The bundled translator: put one into the package, measure it, write its card, or check the card.

    python benchmarks/bundled_translator.py put runs/glasses         # -> facegan/assets
    python benchmarks/bundled_translator.py card datasets/celeba64   # measures it, writes its card
    python benchmarks/bundled_translator.py check datasets/celeba64  # again; exit code 1 if it differs

It is measured on the photos of the test split without glasses by the attribute network `evaluator`, which
took part in no training. No photo took part either: it learnt from pairs of generated faces.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from bundled import at_4_px, run

NAME, ATTRIBUTE = "glasses64", "eyeglasses"
HELD = "male,smiling,young"
LICENCE = (
    "for research and other non-commercial use only, as the CelebA photos from which the generator of its "
    "pairs learnt"
)
SLACK = {"reached": 0.01, "kept": 0.01, "recognised": 0.02}  # by which another machine may differ


def put(reference: str) -> None:
    """Write a translator into the package in half precision, with its licence."""
    from facegan.exchange.personal import clean_command
    from facegan.models import ASSETS, TRANSLATORS, as_translator

    model, folder = as_translator(reference), ASSETS / TRANSLATORS
    model.meta["licence"] = LICENCE
    model.meta["provenance"]["command"] = clean_command(model.meta["provenance"]["command"])
    folder.mkdir(exist_ok=True)
    model.save(folder / f"{NAME}.safetensors")
    print(f"{reference} -> {folder / NAME}.safetensors")


def measure(dataset: str) -> dict[str, Any]:
    """Measure everything that the card reports, as plain numbers."""
    import facegan
    from facegan.models import as_translator

    with tempfile.TemporaryDirectory() as folder:
        for name, words in (("with", ATTRIBUTE), ("without", f"not {ATTRIBUTE}")):
            facegan.select(dataset, words, out=Path(folder) / name)
        found = facegan.evaluate_translator(
            NAME, Path(folder) / "with", Path(folder) / "without", asked=ATTRIBUTE, hold=HELD, split="test",
            metrics="attributes,identity",
        )  # fmt: skip
    estimates = {**found.estimates, **{f"kept {name}": value for name, value in found.kept.items()}}
    return {
        "model": as_translator(NAME).hash,
        "dataset": facegan.Dataset(dataset).content_hash,
        "count": found.count,
        "lacking": found.lacking,
        "values": {name: [e.value, e.low, e.high] for name, e in estimates.items()},
        "pixels": thumbnails().tolist(),
    }


def thumbnails() -> np.ndarray:
    """Return results of celeba64's seeds 0 to 3 at 4x4 px; the same on every machine, except for rounding."""
    import facegan

    return at_4_px(facegan.translate(NAME, facegan.load("celeba64").sample(4)).images)


def card(m: dict[str, Any]) -> str:
    """Return the card in Markdown; its last line contains the numbers for ``check``."""
    from facegan.model_summary import describe_model
    from facegan.models import ASSETS, TRANSLATORS

    facts, file = describe_model(NAME), ASSETS / TRANSLATORS / f"{NAME}.safetensors"
    origin = facts["provenance"]
    rows = "\n".join(
        f"| {title} | {value:.1%} ({low:.1%} to {high:.1%}) |"
        for title, (value, low, high) in (
            (f"glasses are seen, of the {m['lacking']} photos where none were", m["values"]["reached"]),
            *((f"{k.removeprefix('kept ').lower()} stays as it was", v) for k, v in m["values"].items()
              if k.startswith("kept ")),
            ("the result is nearer to its own photo than to all others", m["values"]["recognised"]),
        )
    )  # fmt: skip
    return f"""# {NAME}: glasses on a face, 64 px

This translator has {facts["parameters"]:,} parameters and takes {file.stat().st_size / 2**20:.1f} MiB in half
precision. It turns a face into the same face with glasses. Loading it executes nothing and needs no network
connection.

    facegan translate {NAME} me.jpg --whole

- **Made by** the recipe `{origin["recipe"]}` from {origin["dataset"]["count"]:,} pairs of faces that the
  bundled generator `celeba64` drew, {origin["images_seen"] / 1000:,.0f} kimg;
  [the commands](../../../docs/translate.md#glasses64-the-bundled-translator)
- **Licence**: {facts["licence"]}
- **Hash**: `{m["model"][:16]}`

## Measures

{m["count"]} photos of CelebA's test split in which nobody wears glasses, by the label; the network
`evaluator` judges, which took part in no training. The brackets are 95% intervals. `python
benchmarks/bundled_translator.py check DATASET` repeats the measurements.

| | share |
|---|---|
{rows}

## Limits and bias

It knows frontal faces, aligned by the eyes; `facegan translate` aligns photos so. Its faces come from a
generator that learnt from photos of celebrities, mostly young, light-skinned and well lit: faces unlike these
change more than they should, and a face at the edge of that range may look younger or smoother. At 64 px, a
frame is a few pixels wide. With `--whole`, the photo's own detail is kept where the result differs little.
Who wears glasses already gets another pair. Do not use it to identify or impersonate people.

<!-- measures {json.dumps(m)} -->
"""


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return where new numbers differ from the card by more than another machine explains."""
    wrong = [key for key in ("model", "dataset", "count") if old[key] != new[key]]
    for name, (a, *_) in old["values"].items():
        b, slack = new["values"][name][0], SLACK[name.partition(" ")[0]]
        wrong += [f"{name}: {a:.4f} in the card, {b:.4f} now"] if abs(a - b) > slack else []
    if np.abs(np.subtract(old["pixels"], new["pixels"])).max() > 1:
        wrong.append("pixels")
    return wrong


def main() -> int:
    """Run the command that is given."""
    from facegan.models import ASSETS, TRANSLATORS

    return run(sys.modules[__name__], ASSETS / TRANSLATORS / f"{NAME}.md")


if __name__ == "__main__":
    sys.exit(main())
