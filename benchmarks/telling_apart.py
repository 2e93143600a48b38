"""Can samples be told from photos, and what do feature tables not see?

    python benchmarks/telling_apart.py c2st datasets/celeba64
    python benchmarks/telling_apart.py features datasets/celeba64 --classifier CLASSIFIER --input-size 128
    python benchmarks/telling_apart.py blind --classifier CLASSIFIER --input-size 128
    python benchmarks/telling_apart.py fresh

Prints the tables of docs/results/metrics.md. ``c2st`` and ``features`` compare samples of a model with photos
of the train split, and photos held out with the same. ``blind`` changes one thing in samples, such as the
background, and measures whether each table's features notice; ``fresh``, whether fresh classifiers do.
Without a command, it is ``blind``. CLASSIFIER is what ``facegan evaluate --features`` takes. No photo is
shown or kept.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator

import numpy as np

FIRST_SEED = 10_000
FACES = ("faces", "")
EVALUATOR = ("faces", "evaluator")


def told(text: str) -> None:
    print(text, flush=True)


# --- samples and photos -------------------------------------------------------------------------------


def samples(model: str, count: int, first: int = FIRST_SEED) -> np.ndarray:
    from facegan.models import load

    return load(model).images(range(first, first + count))


def photos(dataset: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """At most that many photos of train, evenly spaced, and of val and test."""
    from facegan.data.dataset import Dataset
    from facegan.metrics.neighbours import spaced

    data = Dataset(dataset)
    held_out = np.concatenate([data.images("val"), data.images("test")])
    return spaced(data.images("train"), count), spaced(held_out, count)


def accuracies(heading: str, rows: Iterable[tuple[str, np.ndarray, np.ndarray]], digits: int) -> None:
    """Print how often fresh classifiers tell both sets of a row apart, at each size."""
    from facegan.metrics.c2st import c2st

    for number, (title, first, second) in enumerate(rows):
        found = c2st(first, second)
        if number == 0:
            told(f"| {heading} | " + " | ".join(name.replace("_", " ") for name in found) + " |")
            told("|---" * (len(found) + 1) + "|")
        shown = ([f"{x:.{digits}f}" for x in (e.value, e.low, e.high)] for e in found.values())
        told(f"| {title} | " + " | ".join(f"{value} ({low} to {high})" for value, low, high in shown) + " |")


def c2st_table(model: str, dataset: str, count: int) -> None:
    train, held_out = photos(dataset, count)
    drawn = samples(model, count)
    rows = [(f"samples of `{model}`", train, drawn), ("photos held out", train, held_out)]
    accuracies("against photos of train", rows, 3)


def tables(options: argparse.Namespace) -> Iterator[tuple[str, Callable[[np.ndarray], np.ndarray]]]:
    """Each feature table with its name."""
    from facegan.metrics.feature_extractors import table

    yield "`faces`", table(*FACES)
    yield "`evaluator`", table(*EVALUATOR)
    if options.classifier:
        yield "classifier", table(options.classifier, input_size=options.input_size)


def features_table(options: argparse.Namespace) -> None:
    """The area of a linear classifier, and Frechet's distance beside that of photos held out."""
    from facegan.metrics.fid import fid
    from facegan.metrics.linear_auc import linear_auc

    train, held_out = photos(options.dataset, options.count)
    sets = {"samples": samples(options.model, options.count), "photos held out": held_out}
    told("| features | linear AUC, samples | photos held out | distance, samples / photos held out |")
    told("|---|---|---|---|")
    for title, table in tables(options):
        real = table(train)
        found = {name: table(images) for name, images in sets.items()}
        areas = [linear_auc(real, features) for features in found.values()]
        count = min(len(features) for features in (real, *found.values()))
        distances = [fid(real[:count], features[:count]) for features in found.values()]
        cells = [f"{a.value:.3f} ({a.low:.3f} to {a.high:.3f})" for a in areas]
        told(f"| {title} | " + " | ".join(cells) + f" | {distances[0] / distances[1]:.2f} |")


# --- what is changed in samples: uint8 N,H,W,C to uint8 N,H,W,C -----------------------------------------


def oval(side: int, centre: tuple[float, float], radii: tuple[float, float]) -> np.ndarray:
    """1 in an ellipse, 0 outside, softly: float ``side,side,1``; centre and radii in shares of the side."""
    y, x = (np.indices((side, side)) + 0.5) / side
    distance = np.hypot((x - centre[0]) / radii[0], (y - centre[1]) / radii[1])
    return np.clip((1.1 - distance) / 0.2, 0, 1)[..., None]


SKIN = ((0.5, 0.56), (0.24, 0.3))
HEAD = ((0.5, 0.52), (0.4, 0.5))
GLASSES = ((0.5, 0.44), (0.34, 0.12))


def within(where: np.ndarray, changed: np.ndarray, images: np.ndarray) -> np.ndarray:
    return np.rint(where * changed + (1 - where) * images).clip(0, 255).astype(np.uint8)


def glasses(images: np.ndarray, model: str) -> np.ndarray:
    """The same seeds with glasses, of which only the part around the eyes is taken over."""
    from facegan.latent.editing import edit

    seeds = range(FIRST_SEED, FIRST_SEED + len(images))
    edited = np.asarray(edit(model, seeds, "eyeglasses=+3", hold="none").images)
    return within(oval(images.shape[1], *GLASSES), edited, images)


def smooth_skin(images: np.ndarray, model: str) -> np.ndarray:
    import cv2

    blurred = np.stack([cv2.GaussianBlur(x, (0, 0), 0.7) for x in images])
    return within(oval(images.shape[1], *SKIN), blurred, images)


def grainy_skin(images: np.ndarray, model: str) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 4, images.shape)
    return within(oval(images.shape[1], *SKIN), images + noise, images)


def others_background(images: np.ndarray, model: str) -> np.ndarray:
    """The background of the next sample: all backgrounds are there, behind other heads."""
    return within(oval(images.shape[1], *HEAD), images, np.roll(images, 1, 0))


def grey_background(images: np.ndarray, model: str) -> np.ndarray:
    return within(oval(images.shape[1], *HEAD), images, np.full_like(images, 128))


def blurred_background(images: np.ndarray, model: str) -> np.ndarray:
    import cv2

    blurred = np.stack([cv2.GaussianBlur(x, (0, 0), 1.5) for x in images])
    return within(oval(images.shape[1], *HEAD), images, blurred)


CHANGES: dict[str, Callable[[np.ndarray, str], np.ndarray]] = {
    "nothing": lambda images, model: images,
    "all wear glasses": glasses,
    "skin blurred, sigma 0.7 px": smooth_skin,
    "skin with noise, sigma 4 of 255": grainy_skin,
    "background of another sample": others_background,
    "background grey": grey_background,
    "background blurred, sigma 1.5 px": blurred_background,
}


def blind_table(options: argparse.Namespace) -> None:
    """What features tell of changes: the linear AUC, and Frechet's distance over that of the unchanged.

    Changed samples are compared with samples of other seeds, which are unchanged.
    """
    from facegan.metrics.fid import frechet_distance, moments
    from facegan.metrics.linear_auc import linear_auc

    images, others = (
        samples(options.model, options.count, first) for first in (FIRST_SEED, FIRST_SEED + options.count)
    )
    known = list(tables(options))
    compared = [table(others) for _, table in known]
    expected = [moments(features) for features in compared]
    distances: list[float] = []
    told("| changed | " + " | ".join(title for title, _ in known) + " |")
    told("|---" * (len(known) + 1) + "|")
    for title, change in CHANGES.items():
        pictures = change(images, options.model)
        found = [table(pictures) for _, table in known]
        areas = [linear_auc(a, b) for a, b in zip(compared, found, strict=True)]
        strayed = [frechet_distance(a, moments(b)) for a, b in zip(expected, found, strict=True)]
        distances = distances or strayed
        cells = [
            f"{a.value:.2f} ± {(a.high - a.low) / 2:.2f}, {d / least:.2f}"
            for a, d, least in zip(areas, strayed, distances, strict=True)
        ]
        told(f"| {title} | " + " | ".join(cells) + " |")


def fresh_table(model: str, count: int) -> None:
    """Compare changed samples with samples of other seeds."""
    images, others = (samples(model, count, first) for first in (FIRST_SEED, FIRST_SEED + count))
    accuracies("changed", ((title, others, change(images, model)) for title, change in CHANGES.items()), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", nargs="?", default="blind", choices=["c2st", "features", "blind", "fresh"])
    parser.add_argument("dataset", nargs="?", default="")
    parser.add_argument("--model", default="celeba64")
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--classifier", default="")
    parser.add_argument("--input-size", type=int, default=0)
    options = parser.parse_args()
    if options.table in ("c2st", "features") and not options.dataset:
        parser.error(f"{options.table}: which dataset?")
    if options.table == "c2st":
        c2st_table(options.model, options.dataset, options.count or 1000)
        return
    if options.table == "fresh":
        fresh_table(options.model, options.count or 400)
        return
    options.count = options.count or (1200 if options.table == "features" else 400)
    (features_table if options.table == "features" else blind_table)(options)


if __name__ == "__main__":
    main()
