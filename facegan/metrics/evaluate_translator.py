"""Measure a translator on held-out pairs, or between two domains."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facegan import arguments, bars
from facegan.attributes import phrases
from facegan.attributes.predictor import AttributePredictor
from facegan.data.dataset import Dataset
from facegan.data.inputs import INPUTS, derive
from facegan.errors import InputError
from facegan.metrics import intervals, pairs
from facegan.metrics.evaluate import MIN_PICTURES, not_held_out, reference_split
from facegan.metrics.feature_extractors import FeatureTable
from facegan.metrics.feature_extractors import table as feature_table
from facegan.metrics.image_sets import COUNT, Progress, features_of, of_dataset
from facegan.metrics.kid import kid
from facegan.metrics.pair_table import CHANGES, PAIR_METRICS, TRANSLATOR_METRICS
from facegan.metrics.translator_evaluation import TranslatorEvaluation
from facegan.models import as_translator
from facegan.translator import Translator

HOLD = "male,eyeglasses,young,smiling"
JUDGE = "evaluator"  # the attribute network that took no part in training
BATCH = 64
DIFFERENT = 0.5  # of the share of pictures with an attribute: two domains that differ by so much are of it


@dataclass(frozen=True)
class _Work:
    """What is translated and what it is compared with; each function takes rows and returns uint8 pictures.

    ``photos`` are what results should still look like. ``targets`` is None between domains.
    """

    name: str
    count: int
    inputs: Callable[[np.ndarray], np.ndarray]
    photos: Callable[[np.ndarray], np.ndarray]
    targets: Callable[[np.ndarray], np.ndarray] | None
    against: Dataset
    split: str

    def rows(self) -> Iterator[np.ndarray]:
        for start in range(0, self.count, BATCH):
            yield np.arange(start, min(start + BATCH, self.count))


@dataclass
class _Seen:
    """What the batches gave: values of pairs, features, and the judge's probabilities and features.

    The lists hold a part for each batch, of results and of what they are compared with.
    """

    results: dict[str, list[np.ndarray]]
    unchanged: dict[str, list[np.ndarray]]

    def note(self, name: str, result: np.ndarray, unchanged: np.ndarray) -> None:
        self.results.setdefault(name, []).append(result)
        self.unchanged.setdefault(name, []).append(unchanged)

    def both(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        return np.concatenate(self.results[name]), np.concatenate(self.unchanged[name])


def evaluate_translator(
    model: Translator | str | Path,
    against: Dataset | str | Path,
    photos: Dataset | str | Path | None = None,
    *,
    direction: str = "",
    asked: str = "",
    hold: str = HOLD,
    metrics: str | Sequence[str] = (),
    split: str = "",
    count: int = 0,
    table: FeatureTable | str = "faces",
    weights: str = "",
    input_size: int = 0,
    device: str = "cpu",
    on_progress: Progress | None = None,
) -> TranslatorEvaluation:
    """Measure what a translator makes of held-out pictures.

    Without ``photos``, ``against`` holds pairs: its own, or those that the translator's kind of input derives
    of its pictures. With ``photos``, these are translated and compared with ``against`` as a whole. The
    network ``evaluator``, which takes part in no training, decides on attributes and identity.

    >>> facegan.evaluate_translator("my_run", "faces64").values["perceptual"]
    >>> facegan.evaluate_translator("my_run", "smiling64", "serious64", asked="smiling").values

    Args:
        model: what ``load`` takes, or a Translator.
        against: the dataset with the targets, or with pictures of the target domain.
        photos: the dataset whose pictures are translated, if they are others.
        direction: one of the model's ``directions``; "" is the first.
        asked: the attributes that results should have, in words: ``eyeglasses``, ``no beard``. By default,
            between domains, those by which the two differ.
        hold: attributes that should stay, with commas; those asked for are no part of it.
        metrics: some of perceptual, psnr, ssim, lpips, kid, attributes, identity (default: those that fit).
        split: which split of both datasets: by default test, else val, else train.
        count: the maximum number of pictures (0: 5,000).
        table: the features that compare pictures, or their name: faces, inception, pixels, or what
            :func:`facegan.pixels.load_classifier` takes.
        weights: a file of the feature network, or the attribute network ``evaluator``.
        input_size: side in px to which pictures are brought for a classifier (0: its own).
        device: cpu, cuda or mps, of a model and a feature table that are loaded.
        on_progress: called with task, done, total; by default, a bar shows the progress.

    Raises:
        InputError: The datasets do not suit the translator, or there are too few pictures.
    """
    names, count = _chosen(metrics), arguments.whole(count, "--count")
    network = as_translator(model, device)
    direction = network.direction(direction)
    work = _work(network, _dataset(against, "against"), photos, split=split, count=count or COUNT)
    names = names or _fitting(work)
    _check_names(names, work)
    features = feature_table(table, weights, device, input_size=input_size)
    judge = AttributePredictor.load(JUDGE)
    held, wanted = _columns(hold, judge, "--hold"), _wanted(asked, judge)
    began = time.perf_counter()
    with bars.shown(on_progress) as show:
        seen = _look(network, work, names, direction=direction, features=features, judge=judge, show=show)
        found = TranslatorEvaluation(
            str(model) if isinstance(model, (str, Path)) else "translator", direction, work.name, work.count
        )
        found.against, found.table = f"{work.against.path} ({work.split})", features.key
        if work.split == "train" and not split:
            found.warnings.append(not_held_out("it"))
        _measure_pairs(found, seen, names)
        if "kid" in names:
            target = of_dataset(work.against, work.split).limited(COUNT)
            real = features_of(target, features, show)
            result, before = seen.both("features")
            found.note("kid", kid(real, result), kid(real, before))
    if "attributes" in names:
        _measure_attributes(found, seen, work, wanted=wanted, held=held, judge=judge)
    if "identity" in names:
        result, before = seen.both("judge")
        found.note("recognised", intervals.share(pairs.recognised(before, result)))
    found.seconds = round(time.perf_counter() - began, 3)
    return found


# --- what is given -----------------------------------------------------------------------------------------


def _dataset(given: Dataset | str | Path, what: str) -> Dataset:
    return given if isinstance(given, Dataset) else Dataset(arguments.place(given, what))


def _work(
    network: Translator,
    against: Dataset,
    photos: Dataset | str | Path | None,
    *,
    split: str,
    count: int,
) -> _Work:
    """Return what is translated, and what it is compared with."""
    source = against if photos is None else _dataset(photos, "photos")
    for data in (source, against):
        _check_shape(network, data)
    part = reference_split(source, split)
    taken = min(source.counts[part], count)
    if taken < MIN_PICTURES:
        raise InputError(f"{source.path}: {taken} pictures are too few to measure; it takes {MIN_PICTURES}")
    chosen = (np.arange(taken) * source.counts[part]) // taken
    pictures = source.images(part)

    def at(rows: np.ndarray) -> np.ndarray:
        return np.asarray(pictures[chosen[rows]])

    inputs, targets, before = _inputs(network, source, photos is None, at=at, split=part, chosen=chosen)
    name = f"{source.path} ({part}, {taken:,} pictures)"
    return _Work(name, taken, inputs, before, targets, against, reference_split(against, split))


Rows = Callable[[np.ndarray], np.ndarray]


def _inputs(
    network: Translator, source: Dataset, as_pairs: bool, *, at: Rows, split: str, chosen: np.ndarray
) -> tuple[Rows, Rows | None, Rows]:
    """Return what is translated, its targets if there are any, and the photos that it is compared with."""
    if network.input:
        if network.input not in INPUTS:
            raise InputError(
                f"this translator takes inputs of the kind '{network.input}', which is unknown here: make it "
                "known with facegan.register_input"
            )
        return lambda rows: derive(network.input, at(rows)), at if as_pairs else None, at
    if not as_pairs:
        return at, None, at
    if not source.has_inputs:
        raise InputError(
            f"{source.path}: it holds no pairs of input and target; --photos DATASET names the pictures that "
            "are translated, and --against those that the results are compared with"
        )
    given = source.inputs(split)

    def inputs(rows: np.ndarray) -> np.ndarray:
        return np.asarray(given[chosen[rows]])

    return inputs, at, inputs


def _check_shape(network: Translator, data: Dataset) -> None:
    c, h, w = network.image_shape
    if (*data.size, data.channels) != (h, w, c):
        kinds = {1: "grey", 3: "colour"}
        raise InputError(
            f"{data.path}: its pictures are {data.size[1]}x{data.size[0]} {kinds[data.channels]}, and this "
            f"translator takes {w}x{h} {kinds[c]}; prepare them so ('facegan prepare ... --size {h}')"
        )


def _chosen(metrics: str | Sequence[str]) -> list[str]:
    listed = metrics.split(",") if isinstance(metrics, str) else list(metrics)
    names = [str(name).strip() for name in listed if str(name).strip()]
    for name in names:
        if name not in TRANSLATOR_METRICS:
            raise InputError(f"--metrics {name}: of a translator, choose of {', '.join(TRANSLATOR_METRICS)}")
    return names


def _fitting(work: _Work) -> list[str]:
    own = [name for name, row in PAIR_METRICS.items() if not row.asked_only and min(work.against.size) >= 11]
    return [*own, "attributes", "identity"] if work.targets is not None else list(CHANGES)


def _check_names(names: Sequence[str], work: _Work) -> None:
    if work.targets is None and (of_pairs := next((n for n in names if n in PAIR_METRICS), "")):
        raise InputError(
            f"--metrics {of_pairs}: compares pairs, and with --photos there are none; choose of "
            f"{', '.join(CHANGES)}"
        )


def _wanted(text: str, judge: AttributePredictor) -> dict[int, bool]:
    """Return the columns of the judge that are asked for, and what they should say."""
    arguments.text(text, "--asked", "'eyeglasses'")
    try:
        found = phrases.meaning(text, judge.names) if text.strip() else {}
    except InputError as error:
        raise InputError(f"--asked {error}") from None
    return {judge.column(name): yes for name, yes in found.items()}


def _columns(text: str, judge: AttributePredictor, option: str) -> list[int]:
    """Return the columns of the judge that a list of words names."""
    arguments.text(text, option, "'male,young'")
    found: list[int] = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        if word.lower() == "none":
            continue
        try:
            found += [judge.column(name) for name in phrases.meaning(word, judge.names)]
        except InputError as error:
            raise InputError(f"{option} {error}") from None
    return list(dict.fromkeys(found))


# --- what is measured --------------------------------------------------------------------------------------


def _look(
    network: Translator,
    work: _Work,
    names: Sequence[str],
    *,
    direction: str,
    features: FeatureTable,
    judge: AttributePredictor,
    show: Progress,
) -> _Seen:
    """Translate in batches, of which only numbers are kept."""
    seen, done = _Seen({}, {}), 0
    for rows in work.rows():
        inputs, photos = work.inputs(rows), work.photos(rows)
        results = network.translate(inputs, direction)
        if work.targets is not None:
            targets = work.targets(rows)
            for name in (n for n in names if n in PAIR_METRICS):
                more = {"features": features} if name == "perceptual" else {}
                compute = PAIR_METRICS[name].compute
                seen.note(name, compute(results, targets, **more), compute(inputs, targets, **more))
        if "kid" in names:
            seen.note("features", features(results), features(inputs))
        if "attributes" in names:
            seen.note("answers", judge.predict(results), judge.predict(photos))
        if "identity" in names:
            seen.note("judge", judge.features(results), judge.features(photos))
        done += len(rows)
        show("translate and compare", done, work.count)
    return seen


def _measure_pairs(found: TranslatorEvaluation, seen: _Seen, names: Sequence[str]) -> None:
    for name in (n for n in names if n in PAIR_METRICS):
        result, before = seen.both(name)
        found.note(name, intervals.mean(result), intervals.mean(before))


def _measure_attributes(
    found: TranslatorEvaluation,
    seen: _Seen,
    work: _Work,
    *,
    wanted: dict[int, bool],
    held: Sequence[int],
    judge: AttributePredictor,
) -> None:
    """Note which results show what was asked, and keep what was not."""
    result, before = seen.both("answers")
    if not wanted and work.targets is None:
        wanted = _differences(before, work, judge)
    found.asked = {judge.names[k]: yes for k, yes in wanted.items()}
    if wanted:
        turned = pairs.reached(before, result, wanted)
        found.lacking = len(turned)
        if len(turned):
            found.note("reached", intervals.share(turned))
        else:
            found.warnings.append("all photos show what is asked already, so that none could reach it")
    columns = [k for k in held if k not in wanted]
    if columns:
        stayed = pairs.kept(before, result, columns)
        found.note("kept", intervals.mean(stayed.mean(1)))
        for i, k in enumerate(columns):
            found.kept[judge.names[k]] = intervals.share(stayed[:, i])


def _differences(before: np.ndarray, work: _Work, judge: AttributePredictor) -> dict[int, bool]:
    """Return the attributes by which the target domain differs from the photos, and what it shows."""
    target = of_dataset(work.against, work.split).limited(COUNT)
    answers = np.concatenate([judge.predict(batch) for batch in target.batches()]) > 0.5
    gap = answers.mean(0) - (before > 0.5).mean(0)
    return {int(k): bool(gap[k] > 0) for k in np.flatnonzero(np.abs(gap) >= DIFFERENT)}
