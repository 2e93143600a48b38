"""The card of an attribute network: what it is, what it was trained on, and how well it does."""

from __future__ import annotations

import numpy as np

from facegan.attributes.predictor import AttributePredictor

# What is said of the faces' networks' data and of what such a network must not be used for.
LIMITS = """\
The answers are those of one team of annotators, about looks: "Male", "Attractive" or "Young" say what they
saw in a photo of a celebrity, not what a person is. Such photos are mostly of young, light-skinned people in
make-up and good light: expect worse answers for others. Good for measuring and steering generators; not for
judging, sorting or identifying people."""


def card(predictor: AttributePredictor, name: str) -> str:
    """Return the network's card, in Markdown."""
    training, data = predictor.metadata["training"], predictor.metadata["dataset"]
    c, h, w = predictor.shape
    size = sum(p.numel() for p in predictor.network.parameters())
    flags = " ".join(
        f"--{k} {training[k]}" for k in ("architecture", "width", "size", "epochs", "batch", "lr", "seed")
    )
    return f"""# {name}: {len(predictor.names)} attributes of a face

A {predictor.architecture} network of {size:,} parameters; it takes {w}x{h} px with {c} channel(s) and brings
other pictures to that size. Half precision, safetensors; loading executes nothing.

- **Made by** `facegan train-attributes {data["name"]} --out {name}.safetensors {flags}`
- **Data**: {data["counts"].get("train", 0):,} pictures of the train split (content hash
  `{data["content_hash"][:16]}`); calibrated on val, scored on test. Mirrored, turned, scaled, moved,
  recoloured and coarsened in training, as crops differ.
- **Licence**: {predictor.metadata["licence"]}
- **Features**: the means of {len(predictor.feature_mean)} channels of its last three stages, each with mean 0
  and standard deviation 1 over training pictures.

## Measures

```
{table(predictor)}
```

## Limits

{LIMITS}
"""


def table(predictor: AttributePredictor) -> str:
    """Return accuracy, balanced accuracy, and that of always guessing the commoner answer."""
    measures = predictor.metadata.get("measures") or {}
    if not measures:
        return "not scored"
    count = measures.get("pictures")  # not in files of earlier versions
    of = "" if count is None else f" ({count:,} picture{'s' * (count != 1)})"
    rows = [f"{'on ' + measures['split'] + of:<24}accuracy  balanced  majority"]
    for name in predictor.names:
        if name not in predictor.accuracy:
            rows.append(f"{name:<24}{'unknown there':>8}")
            continue
        rows.append(
            f"{name:<24}{predictor.accuracy[name]:8.1%}  {predictor.balanced_accuracy[name]:8.1%}  "
            f"{measures['majority'][name]:8.1%}"
        )
    majority = float(np.mean([measures["majority"][name] for name in predictor.accuracy]))
    rows.append(
        f"{'mean':<24}{measures['accuracy']:8.1%}  {measures['balanced_accuracy']:8.1%}  {majority:8.1%}"
    )
    rows.append(f"expected calibration error {measures['calibration_error']:.3f}")
    return "\n".join(rows)
