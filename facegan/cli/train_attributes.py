"""``facegan train-attributes``: a network that sees a dataset's yes/no attributes in other pictures."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import tyro

from facegan.cli.evaluate import say
from facegan.cli.main import run_function
from facegan.data.filters import plain
from facegan.errors import DatasetError, InputError, offered

if TYPE_CHECKING:
    from facegan.attributes.predictor import AttributePredictor
    from facegan.data.dataset import Dataset

# What is said of the faces' networks' data and of what such a network must not be used for.
LIMITS = """\
The answers are those of one team of annotators, about looks: "Male", "Attractive" or "Young" say what they
saw in a photo of a celebrity, not what a person is. Such photos are mostly of young, light-skinned people in
make-up and good light: expect worse answers for others. Good for measuring and steering generators; not for
judging, sorting or identifying people."""


def main(
    dataset: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")],
    out: str,
    architecture: str = "residual",
    width: int = 24,
    size: int = 64,
    epochs: int = 60,
    batch: int = 64,
    lr: float = 2e-3,
    seed: int = 0,
    attributes: str = "",
    licence: str = "as the dataset's; CelebA: non-commercial research only",
) -> None:
    """Train an attribute network on a dataset's train split; calibrate on val, score on test.

    The same command goes on after an interruption. Beside the network lies its card, FILE.md.

    Args:
        dataset: a folder made by 'facegan prepare' with --attributes.
        out: the network's file (.safetensors).
        architecture: residual or convolutional (about 64 px), plain or pooled (small pictures).
        width: channels of the first layer.
        size: pictures are brought to this many px (0: as they are).
        epochs: how many times each picture is seen.
        batch: pictures in one update.
        lr: highest learning rate.
        seed: another seed gives another network.
        attributes: only these, with commas (default: every yes/no attribute of the dataset).
        licence: what the card says of it.
    """
    from facegan.attributes.networks import ARCHITECTURES
    from facegan.attributes.training import AttributeTraining, train_attribute_predictor
    from facegan.data.dataset import Dataset
    from facegan.files import write_bytes

    target = Path(out)
    if target.suffix != ".safetensors":
        raise InputError(f"--out {out}: the name must end in .safetensors")
    if architecture not in ARCHITECTURES:
        raise InputError(f"--architecture {architecture}: choose {', '.join(ARCHITECTURES)}")
    if min(width, batch, epochs) < 1 or size < 0 or not lr > 0:
        raise InputError("--width, --batch, --epochs and --lr must be above 0, --size at least 0")
    data = Dataset(dataset)
    columns = _columns(data, attributes)
    names = [data.attribute_names[i] for i in columns]
    settings = replace(
        AttributeTraining(), architecture=architecture, width=width, size=size, epochs=epochs, batch=batch,
        lr=lr, seed=seed,
    )  # fmt: skip
    state = target.with_suffix(".state")
    start = time.monotonic()
    say(f"{architecture} network, {len(names)} attributes, {data.counts['train']} pictures -> {out}")

    def told(epoch: int, loss: float, _: AttributePredictor) -> None:
        spent = time.monotonic() - start
        say(f"epoch {epoch} of {epochs}  loss {loss:.4f}  {spent / 60:.1f} min")

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        known = data.attributes("train")[:, columns]
        predictor = train_attribute_predictor(data.images("train"), known, names, settings, state, told)
        measures = _measured(predictor, data, columns)
        predictor.papers |= {
            "dataset": {"name": data.path.name, "content_hash": data.content_hash, "counts": data.counts},
            "measures": measures, "licence": licence,
        }  # fmt: skip
        predictor.save(target)
        write_bytes(target.with_suffix(".md"), card(predictor, target.stem).encode())
        state.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"--out {out}: cannot be written ({error.strerror})") from None
    except KeyboardInterrupt:
        say(f"\nstopped; the same command goes on from the last whole epoch ({state})")
        raise
    print(table(predictor))


def _columns(data: Dataset, wanted: str) -> list[int]:
    """The columns of yes/no attributes that are asked for; both answers must occur."""
    values = data.attributes("train") if data.attribute_names else np.zeros((0, 0), np.int16)
    if wanted:
        known = {plain(name): name for name in data.attribute_names}
        asked = [n.strip() for n in wanted.split(",") if n.strip()]
        if unknown := next((n for n in asked if plain(n) not in known), ""):
            there = offered(list(data.attribute_names), unknown)
            raise InputError(f"--attributes {unknown}: {data.path} has no such attribute; {there}")
        names = list(dict.fromkeys(known[plain(n)] for n in asked))
    else:
        names = list(data.attribute_names)
    found = [data.attribute_names.index(n) for n in names]
    found = [i for i in found if {0, 1} <= set(np.unique(values[:, i])) <= {-1, 0, 1}]
    if not found:
        raise DatasetError(
            f"{data.path}: no attribute has both yes and no among its training pictures; "
            "prepare with --attributes FILE"
        )
    return found


def _measured(predictor: AttributePredictor, data: Dataset, columns: list[int]) -> dict[str, Any]:
    """Calibrate on val, score on test (or on val, where there is no test)."""
    from facegan.attributes.training import calibrate, score

    predictor.round_to_half()
    rows = np.linspace(0, data.counts["train"] - 1, min(data.counts["train"], 4000)).astype(np.int64)
    predictor.measure_features(data.images("train")[rows])
    there = {s: np.asarray(data.images(s)) for s in ("val", "test") if data.counts.get(s)}
    answers = {s: data.attributes(s)[:, columns] for s in there}
    if "val" in there:
        calibrate(predictor, there["val"], answers["val"])
    on = "test" if "test" in there else "val" if "val" in there else ""
    if not on:
        say("no val or test split: not calibrated, not scored")
        return {}
    known = np.ma.masked_equal(answers[on], -1)
    share = np.asarray((known == 1).mean(0).filled(np.nan), float)
    if not known.count():
        say(f"no picture of {on} says anything about them: not scored")
        return {}
    guessed = zip(predictor.names, np.maximum(share, 1 - share).tolist(), strict=True)
    majority = {name: value for name, value in guessed if np.isfinite(value)}
    pictures = int((~np.ma.getmaskarray(known)).any(1).sum())
    return {
        "split": on,
        "pictures": pictures,
        "majority": majority,
        **score(predictor, there[on], answers[on]),
    }


def table(predictor: AttributePredictor) -> str:
    """Accuracy, balanced accuracy, and that of always guessing the commoner answer."""
    measures = predictor.papers.get("measures") or {}
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


def card(predictor: AttributePredictor, name: str) -> str:
    """The network's card, in Markdown."""
    training, data = predictor.papers["training"], predictor.papers["dataset"]
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
- **Licence**: {predictor.papers["licence"]}
- **Features**: the means of {len(predictor.feature_mean)} channels of its last three stages, each with mean 0
  and standard deviation 1 over training pictures.

## Measures

```
{table(predictor)}
```

## Limits

{LIMITS}
"""


def run(argv: list[str]) -> int:
    run_function(main, argv)
    return 0
