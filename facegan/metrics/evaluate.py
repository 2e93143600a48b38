"""Measure pictures against real ones with every metric, and with the values of real pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from facegan import arguments, bars
from facegan.data.dataset import Dataset
from facegan.errors import InputError
from facegan.generator import Generator
from facegan.metrics.base import MetricInputs, Values
from facegan.metrics.evaluation import PER_DIMENSION, Evaluation
from facegan.metrics.feature_extractors import FeatureTable
from facegan.metrics.feature_extractors import table as feature_table
from facegan.metrics.image_sets import (
    COUNT,
    Pictures,
    Progress,
    features_of,
    named,
    of_dataset,
    of_model,
    with_wanted_labels,
)
from facegan.metrics.registry import METRICS, chosen
from facegan.metrics.shapes import like, of_array
from facegan.models import is_translator
from facegan.sampler import check_truncation

MIN_PICTURES = 10
MAX_REAL = 50_000  # real pictures that are compared with
_KEPT_BYTES = 256 * 2**20
Subject = Pictures | Generator | Dataset | str | Path | np.ndarray | Sequence[Any]


def as_pictures(
    subject: Any,
    count: int = 0,
    split: str = "train",
    *,
    truncation: float = 1.0,
    device: str = "cpu",
    report: Callable[[str], None] = lambda line: None,
) -> Pictures:
    """Return a subject as pictures for the metrics; see :func:`evaluate`."""
    if is_translator(subject):
        raise InputError(
            f"{subject if isinstance(subject, (str, Path)) else 'the model'}: this is a translator; "
            "facegan.evaluate_translator measures it, and so does 'facegan evaluate'"
        )
    if isinstance(subject, (str, Path)):
        found = named(subject, count, split, truncation=truncation, device=device, report=report)
    elif isinstance(subject, Generator):
        found = of_model(subject, "generator", count or COUNT, truncation=truncation)
    else:
        if isinstance(subject, Dataset):
            found = of_dataset(subject, split)
        else:
            found = subject if isinstance(subject, Pictures) else of_array(subject)
        found = found.limited(count) if count else found
    if found.generator is not None:
        check_truncation(truncation, found.generator)
    elif truncation != 1.0:
        raise InputError(f"--truncation {truncation:g}: {found.name} holds pictures; it is for models")
    return found


def reference_split(data: Dataset, wanted: str = "") -> str:
    """Return ``wanted``, or the first of test, val and train that has pictures."""
    if wanted:
        return data.split(wanted)
    return next((s for s in ("test", "val", "train") if data.counts.get(s, 0) >= MIN_PICTURES), "train")


def not_held_out(what: str) -> str:
    """Return a caution about numbers measured against the training pictures."""
    return (
        f"no other split has {MIN_PICTURES} pictures: {what} compares with the training pictures, which "
        "favours learning them by heart (facegan prepare --split val=0.1,test=0.1 holds some out)"
    )


def evaluate(
    subject: Subject,
    against: Dataset | str | Path,
    table: FeatureTable | str = "faces",
    *,
    metrics: str | Sequence[str] = (),
    split: str = "",
    floor: bool = True,
    on_progress: Progress | None = None,
    count: int = 0,
    subject_split: str = "train",
    truncation: float = 1.0,
    labels: str = "",
    weights: str = "",
    input_size: int = 0,
    device: str = "cpu",
    say: Callable[[str], None] = lambda line: None,
) -> Evaluation:
    """Measure a model, pictures or a dataset against the real pictures of a dataset.

    Crops and resizes pictures of another size like the dataset's.

    Args:
        subject: a generator, a dataset, pictures (``N,H,W,C`` of any numbers, or a list of them), or the name
            of a model, run, dataset or folder of pictures.
        against: the dataset with the real pictures.
        table: the feature table that compares pictures, or its name: faces, inception, pixels, or what
            :func:`facegan.pixels.load_classifier` takes: then what its last layer is given compares them.
        metrics: some of METRICS, as a list or a text with commas (default: all that fit and are not slow).
        split: which real pictures: by default test, else val, else train.
        floor: measure other real pictures, too: of the train split, or with ``split="train"`` of one that is
            held out from it.
        on_progress: called with task, done, total; by default, a bar shows the progress
            (:func:`facegan.set_progress`).
        count: samples of a model, or the maximum number of pictures (0: 5,000 samples, or all pictures).
        subject_split: which split of the subject, if it is a dataset.
        truncation: below 1 moves samples towards the average face.
        labels: of a conditional model, such as ``smiling=1``: measure samples with these labels against the
            real pictures that have them. By default, samples have labels as often as training pictures.
        weights: file of the feature network, instead of the bundled or downloaded one.
        input_size: side in px to which pictures are brought for a classifier (0: its own).
        device: of a model and a feature table that are loaded: cpu, cuda or mps.
        say: called with one line about the files of a folder that were left out.

    Raises:
        InputError: if there are too few pictures, or if bringing them to the dataset's size would need to
            find faces first.
    """
    names = chosen(metrics) if metrics else []
    if arguments.is_number(count) and count < 0:
        raise InputError(f"--count {count}: must be 0 or more")
    count, truncation = arguments.whole(count, "--count"), arguments.real(truncation, "--truncation")
    pictures = as_pictures(subject, count, subject_split, truncation=truncation, device=device, report=say)
    pictures, wanted = with_wanted_labels(pictures, labels)
    features = feature_table(table, weights, device, input_size=input_size)
    with bars.shown(on_progress) as progress:
        return _evaluated(
            pictures,
            against,
            features,
            metrics=names,
            split=split,
            floor=floor,
            wanted=wanted,
            on_progress=progress,
        )


def _evaluated(
    subject: Pictures,
    against: Dataset | str | Path,
    table: FeatureTable,
    *,
    metrics: Sequence[str],
    split: str,
    floor: bool,
    wanted: Mapping[str, float],
    on_progress: Progress,
) -> Evaluation:
    names = metrics or chosen("")
    data = against if isinstance(against, Dataset) else Dataset(arguments.place(against, "against"))
    name = reference_split(data, split)
    real = of_dataset(data, name, wanted=wanted).limited(MAX_REAL)
    subject, changed = like(subject, data)
    warnings = [changed] if changed else []
    for side in (subject, real):
        _check_count(side)
    if subject.key and subject.key == real.key:
        warnings.append("both sides are the same pictures")
    elif name == "train" and not split:
        warnings.append(not_held_out("it"))
    train, held_out = _learnt(data, name, names, wanted=wanted)
    seconds: dict[str, float] = {}
    with _clock(seconds, "samples"):
        subject = _drawn(subject, on_progress)
    with _clock(seconds, "features"):
        features = {
            which: features_of(p, table, on_progress)
            for which, p in (("real", real), ("fake", subject), ("train", train), ("held", held_out))
            if p is not None
        }
    inputs = MetricInputs(
        table,
        features["real"],
        features["fake"],
        real.spaced,
        subject.spaced,
        features.get("train"),
        features.get("held"),
        subject.generator,
    )
    values = _measure(inputs, names, seconds, insist=bool(metrics), on_progress=on_progress)
    others = _other_real(data, name, subject.count, wanted=wanted) if floor else None
    found: Values = {}
    if others is not None:
        with _clock(seconds, "real pictures"):
            found = _measured_real(inputs, others, names, on_progress=on_progress)
        if "fid" in found and others.count < subject.count:
            warnings.append(
                f"FID of real pictures is of {others.count}, of the generated of {subject.count}, and so too "
                f"high beside it: compare KID, or measure with --count {others.count}"
            )
    if "ppl" in values and subject.truncation != 1.0:
        warnings.append("the path length is that of truncation 1")
    warnings += _few_warnings(subject, real, table, values=values)
    return Evaluation(
        subject, real, table, values, found, seconds, warnings, inputs.extra.get("pairs", ()), train
    )


def _check_count(side: Pictures) -> None:
    if side.count < MIN_PICTURES:
        raise InputError(
            f"{side.name}: {side.count} pictures are too few to measure; it takes {MIN_PICTURES}"
        )


def _measured_real(
    inputs: MetricInputs, others: Pictures, names: Sequence[str], *, on_progress: Progress
) -> Values:
    """Return what other real pictures get in the place of generated ones."""
    features = features_of(others, inputs.table, on_progress)
    instead = replace(inputs, fake=features, fake_pictures=others.spaced, extra={})
    of_real = [name for name in names if METRICS[name].of_real]
    return _measure(instead, of_real, {}, insist=False, on_progress=None)


def _drawn(subject: Pictures, on_progress: Progress | None) -> Pictures:
    """Draw a model's samples, once each, and keep them in memory if they fit."""
    if subject.generator is None or subject.count * int(np.prod(subject.shape)) > _KEPT_BYTES:
        return subject
    kept = np.empty((subject.count, *subject.shape), np.uint8)
    done = 0
    for batch in subject.batches():
        kept[done : done + len(batch)] = batch
        done += len(batch)
        if on_progress is not None:
            on_progress(f"samples of {subject.name}", done, subject.count)
    return replace(subject, at=lambda rows: kept[rows])


def _learnt(
    data: Dataset, name: str, metrics: Sequence[str], *, wanted: Mapping[str, float]
) -> tuple[Pictures | None, Pictures | None]:
    """Return the training pictures and held-out pictures, or None for both."""
    splits = [name, "test", "val"] if name != "train" else ["test", "val"]
    held = next((s for s in splits if data.counts.get(s, 0) >= MIN_PICTURES), None)
    if held is None or not any(METRICS[name].of_training for name in metrics) or not data.counts.get("train"):
        return None, None
    train, held_out = (of_dataset(data, s, wanted=wanted).limited(MAX_REAL) for s in ("train", held))
    return train, held_out


def _other_real(data: Dataset, name: str, count: int, *, wanted: Mapping[str, float]) -> Pictures | None:
    """Return real pictures of another split than the one that is compared with, or None."""
    others = ("test", "val") if name == "train" else ("train",)
    split = next((s for s in others if data.counts.get(s, 0) >= MIN_PICTURES), None)
    return of_dataset(data, split, wanted=wanted).limited(count) if split else None


def _measure(
    inputs: MetricInputs,
    names: Sequence[str],
    seconds: dict[str, float],
    *,
    insist: bool,
    on_progress: Progress | None,
) -> Values:
    values: Values = {}
    for i, name in enumerate(names):
        why_not = METRICS[name].fits(inputs)
        if why_not and insist:
            raise InputError(f"--metrics {name}: {why_not}")
        if why_not:
            continue
        if on_progress is not None:
            on_progress(name, i, len(names))
        with _clock(seconds, name):
            values |= METRICS[name].compute(inputs)
    return values


class _clock:
    """Add the wall seconds of a block to ``seconds[name]``."""

    def __init__(self, seconds: dict[str, float], name: str) -> None:
        self.seconds, self.name = seconds, name

    def __enter__(self) -> None:
        self.start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds[self.name] = round(time.perf_counter() - self.start, 3)


def _few_warnings(subject: Pictures, real: Pictures, table: FeatureTable, *, values: Values) -> list[str]:
    found = []
    fewer = min(subject.count, real.count)
    if "fid" in values and fewer < PER_DIMENSION * table.dim:
        found.append(
            f"FID is biased upwards by as few as {fewer} pictures (the {table.dim} features '{table.name}' "
            f"want {PER_DIMENSION * table.dim}): quote KID, and compare FID only at the same numbers"
        )
    if "recall" in values and fewer < 1000:
        found.append(
            f"recall and coverage of {fewer} pictures are rough; compare them only at the same numbers"
        )
    if "c2st" in values and fewer < 1000:
        found.append(
            f"C2ST learns little from {fewer} pictures and misses what 1,000 would show; compare it only at "
            "the same numbers"
        )
    return found
