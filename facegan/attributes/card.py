"""Describe an attribute network in a card: network, training data, accuracy and limits."""

from __future__ import annotations

import numpy as np

from facegan.attributes.predictor import AttributePredictor

# The card's text on the annotations and on uses that are not acceptable.
LIMITS = """\
The attributes record one team's judgement of looks: "Male", "Attractive" or "Young" describe what
annotators saw in photos of celebrities, not facts about people. Most of these photos show young,
light-skinned people in make-up and good light, so expect worse answers for others. Use the network to
measure and steer generators. Do not use it to judge, sort or identify people."""


def card(predictor: AttributePredictor, name: str) -> str:
    """Return the network's card in Markdown."""
    training, data = predictor.metadata["training"], predictor.metadata["dataset"]
    c, h, w = predictor.shape
    size = sum(p.numel() for p in predictor.network.parameters())
    flags = " ".join(
        f"--{k} {training[k]}" for k in ("architecture", "width", "size", "epochs", "batch", "lr", "seed")
    )
    return f"""# {name}: {len(predictor.names)} attributes of a face

This {predictor.architecture} network has {size:,} parameters. It takes pictures of {w}x{h} px with {c}
channel(s) and resizes others to that size. The file is safetensors in half precision; loading it executes
nothing.

- **Made by** `facegan train-attributes {data["name"]} --out {name}.safetensors {flags}`
- **Data**: {data["counts"].get("train", 0):,} pictures of the train split (content hash
  `{data["content_hash"][:16]}`); calibrated on val, scored on test. Training mirrors, rotates, scales,
  shifts, recolours and coarsens them, because crops differ.
- **Licence**: {predictor.metadata["licence"]}
- **Features**: the means of {len(predictor.feature_mean)} channels of the last three stages, each
  standardised to mean 0 and standard deviation 1 over the training pictures.

## Measures

```
{table(predictor)}
```

## Limits

{LIMITS}
"""


def table(predictor: AttributePredictor) -> str:
    """Return a table of accuracy, balanced accuracy, and the accuracy of always guessing the majority."""
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
