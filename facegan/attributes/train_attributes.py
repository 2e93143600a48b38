"""Train an attribute network from a dataset to a file with its card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from facegan import arguments, bars
from facegan.attributes.card import card
from facegan.attributes.networks import ARCHITECTURES
from facegan.attributes.predictor import AttributePredictor
from facegan.attributes.training import (
    AttributeTraining,
    OnEpoch,
    calibrate,
    score,
    train_attribute_predictor,
)
from facegan.data.dataset import Dataset
from facegan.data.filters import plain
from facegan.errors import DatasetError, InputError, offered
from facegan.files import write_bytes

LICENCE = "as the dataset's; CelebA: non-commercial research only"
Say = Callable[[str], None]


def train_attributes(
    dataset: Dataset | str | Path,
    out: str | Path,
    *,
    attributes: str | Sequence[str] = (),
    licence: str = LICENCE,
    on_epoch: OnEpoch | None = None,
    say: Say | None = None,
    **changes: Any,
) -> AttributePredictor:
    """Train an attribute network on a dataset's train split; calibrate it on val, score it on test.

    After an interruption, the same call continues from the last whole epoch. Writes the card FILE.md, too.

    >>> network = facegan.train_attributes("faces64", "mine.safetensors", epochs=30)
    >>> network.accuracy["Smiling"]

    Args:
        dataset: a prepared dataset with attributes.
        out: the network's file (.safetensors).
        attributes: only these, as a list or a text with commas (default: every yes/no attribute).
        licence: the licence in the card.
        on_epoch: called with the epoch, its mean loss and the network; without it a bar shows the
            progress.
        say: called with one line about what is trained, and about why it was not scored.
        **changes: settings of :class:`AttributeTraining`, such as ``epochs=30``.
    """
    target, report = Path(arguments.place(out, "out")), say or (lambda line: None)
    settings = _settings(target, changes)
    data = dataset if isinstance(dataset, Dataset) else Dataset(arguments.place(dataset, "the dataset"))
    columns = _columns(data, ",".join([attributes] if isinstance(attributes, str) else attributes))
    names = [data.attribute_names[i] for i in columns]
    state = target.with_suffix(".state")
    count = data.counts["train"]
    report(f"{settings.architecture} network, {len(names)} attributes, {count} pictures -> {out}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with bars.shown() if on_epoch is None else bars.shown(on_epoch) as progress:
            each = on_epoch or (lambda epoch, loss, _: progress("train attributes", epoch, settings.epochs))
            known = data.attributes("train")[:, columns]
            predictor = train_attribute_predictor(
                data.images("train"), known, names, settings=settings, state=state, on_epoch=each
            )
        measures = _measured(predictor, data, columns, report=report)
        predictor.metadata |= {
            "dataset": {"name": data.path.name, "content_hash": data.content_hash, "counts": data.counts},
            "measures": measures,
            "licence": licence,
        }
        predictor.save(target)
        write_bytes(target.with_suffix(".md"), card(predictor, target.stem).encode())
        state.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"--out {out}: cannot be written ({error.strerror})") from None
    except KeyboardInterrupt:
        report(f"\nstopped; the same command continues from the last whole epoch ({state})")
        raise
    return predictor


def _settings(target: Path, changes: dict[str, Any]) -> AttributeTraining:
    """Return the settings, or raise InputError that names the option."""
    if target.suffix != ".safetensors":
        raise InputError(f"--out {target}: the name must end in .safetensors")
    s = replace(AttributeTraining(), **arguments.settings(AttributeTraining, changes))
    if s.architecture not in ARCHITECTURES:
        raise InputError(f"--architecture {s.architecture}: choose {', '.join(ARCHITECTURES)}")
    if min(s.width, s.batch, s.epochs) < 1 or s.size < 0 or not s.lr > 0:
        raise InputError("--width, --batch, --epochs and --lr must be above 0, --size at least 0")
    return s


def _columns(data: Dataset, wanted: str) -> list[int]:
    """Return the requested columns of yes/no attributes; both answers must occur."""
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


def _measured(
    predictor: AttributePredictor, data: Dataset, columns: list[int], *, report: Say
) -> dict[str, Any]:
    """Calibrate on val, score on test (or on val, where there is no test)."""
    predictor.round_to_half()
    rows = np.linspace(0, data.counts["train"] - 1, min(data.counts["train"], 4000)).astype(np.int64)
    predictor.measure_features(data.images("train")[rows])
    there = {s: np.asarray(data.images(s)) for s in ("val", "test") if data.counts.get(s)}
    answers = {s: data.attributes(s)[:, columns] for s in there}
    if "val" in there:
        calibrate(predictor, there["val"], answers["val"])
    on = "test" if "test" in there else "val" if "val" in there else ""
    if not on:
        report("no val or test split: not calibrated, not scored")
        return {}
    known = np.ma.masked_equal(answers[on], -1)
    share = np.asarray((known == 1).mean(0).filled(np.nan), float)
    if not known.count():
        report(f"no picture of {on} has these attributes: not scored")
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
