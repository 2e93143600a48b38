"""``facegan.attack``: adversarial attacks, small changes after which a classifier sees something else.

Success means the 8-bit picture, never the numbers before rounding: each step looks at a point of the grid.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facegan import images
from facegan.classifiers.classifier import Classifier
from facegan.classifiers.face_classes import cut, face_window
from facegan.errors import FaceganError, InputError
from facegan.files import check_ending, photo_path
from facegan.marks import COMPOSITE, made, without_folder
from facegan.pixels.attacks.config import AttackConfig
from facegan.pixels.attacks.methods import CLASSES
from facegan.pixels.attacks.output import Writer, find_photos, warn
from facegan.pixels.attacks.report import REPORTS, write_report
from facegan.pixels.attacks.result import AttackResult, gather
from facegan.pixels.attacks.state import AttackState, Criterion
from facegan.pixels.loading import Model, load_configured, with_settings
from facegan.pixels.loop import OnStep, StepStats
from facegan.pixels.pictures import Picture
from facegan.training.out_of_memory import is_out_of_memory

MAX_VALUES = 1 << 26  # values of photos that are attacked together
GPU_BATCH = 16
Target = str | int | Sequence[str | int] | None
_Group = list[tuple[AttackResult, Criterion]]


def attack(
    photos: Picture | Sequence[Picture],
    target: Target = None,
    *,
    model: Model = "faces",
    config: AttackConfig | None = None,
    out: str | Path | None = None,
    figure: bool = True,
    report: str = "",
    mark: bool = True,
    on_step: OnStep | None = None,
    on_result: Callable[[AttackResult], None] | None = None,
    on_unread: Callable[[FaceganError], None] = warn,
    **settings: Any,
) -> list[AttackResult]:
    """Change photos, a little, until a classifier sees something else in them.

    >>> [found] = facegan.attack("sample:officer", "smiling face", epsilon=4 / 255, out="officer.png")

    Args:
        photos: A photo or several: files, folders, or arrays uint8 ``H,W,3``.
        target: A class for all or one for each photo, by name or number; None is any other class.
        model: What ``load_classifier`` takes, its result, or a ``ClassifierConfig``.
        config: Settings of the attack.
        out: A .png, or a folder for several photos; "" is PHOTO-attacked.png or attacked/; None is nowhere.
        figure: Write the amplified difference and a figure beside each picture.
        report: A table of all photos to write: .html, .json or .csv.
        mark: Write into the pictures that they were changed, and by what.
        on_step: Sees each step's numbers, and can draw the work so far (``StepStats``).
        on_result: Sees each photo's result as soon as it is there.
        on_unread: Sees the error of each file in a folder that cannot be read, which is then left out.
        settings: Fields of ``AttackConfig`` and ``ClassifierConfig``, such as ``device="cuda"``.

    Returns:
        A result for each photo; after Ctrl-C those of the photos that were begun, the last with ``signum``.
    """
    network, config = with_settings(model, settings, config or AttackConfig())
    config = config.resolved()
    if report:
        check_ending("--report", report, tuple(REPORTS))
    found = find_photos(photos, on_unread)
    options: dict[str, Any] = {"photos": found, "report": report}
    writer = None if out is None else Writer(config, figure, photos, out=str(out), **options)
    classifier = load_configured(network, config.crop)
    classes = _classes(classifier, target, len(found))
    results: list[AttackResult] = []
    try:
        for group in _groups(classifier, found, classes, config=config):
            place = len(results), len(found)
            for result in _attack_group(classifier, group, config, on_step=on_step, place=place):
                about = {"target": result.target_name or "any other class", "seed": str(config.seed)}
                note = made(without_folder(result.model), mark=mark, source=COMPOSITE, **about)
                result = replace(result, mark=note)
                results.append(writer.write(classifier, result, len(results)) if writer else result)
                if on_result is not None:
                    on_result(results[-1])
            if results[-1].signum:
                break
    except KeyboardInterrupt:  # between two steps; finished photos are still reported
        if writer is None or not results:
            raise
        results[-1] = replace(results[-1], signum=int(signal.SIGINT))
    if report and results:
        write_report(report, results)
    return results


def _classes(classifier: Classifier, target: Target, count: int) -> list[int]:
    """Return the class for each photo, -1 for any other than its own."""
    targets = [target] * count if target is None or isinstance(target, str | int) else list(target)
    if len(targets) != count:
        raise InputError(f"{len(targets)} targets for {count} photos")
    return [-1 if t is None else classifier.find_class(str(t)) for t in targets]


def _groups(
    classifier: Classifier, photos: Sequence[Picture], classes: Sequence[int], *, config: AttackConfig
) -> Iterator[_Group]:
    """Yield photos that go together: a batch, and no more values than fit well into memory."""
    size = config.batch or (torch.get_num_threads() if classifier.device.type == "cpu" else GPU_BATCH)
    group: _Group = []
    values = 0
    for photo, target in zip(photos, classes, strict=True):
        pixels, name = _pixels(photo, config.size)
        if group and (len(group) == size or values + pixels.size > MAX_VALUES):
            yield group
            group, values = [], 0
        window = face_window(pixels) if classifier.faces else None
        criterion = Criterion(target, confidence=config.confidence)
        group.append((AttackResult(name, pixels, pixels, -1, target, window=window), criterion))
        values += pixels.size
    if group:
        yield group


def _pixels(photo: Picture, size: int) -> tuple[np.ndarray, str]:
    """Return a photo as uint8 ``H,W,3``, made ``size`` px wide and high unless that is 0, and its name."""
    if not isinstance(photo, np.ndarray):
        pixels, name = images.read_image_file(photo), photo_path(photo).name
    elif photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
        raise InputError("a photo as an array is uint8 H,W,3")
    else:
        pixels, name = photo, "photo"
    return (images.resize(pixels, (size, size), "nearest") if size else pixels), name


def _attack_group(
    classifier: Classifier,
    group: _Group,
    config: AttackConfig,
    *,
    on_step: OnStep | None,
    place: tuple[int, int],
) -> list[AttackResult]:
    """Attack photos that share their forward passes; ``place`` is how many are done, of how many."""
    done, total = place

    def forward(stats: StepStats) -> None:
        if on_step is not None:
            counts = {"photos_done": done, "photos": total, "photos_now": len(group)}
            on_step(replace(stats, values={**stats.values, **counts}, pictures=lambda: _drawn(group, stats)))

    try:
        states = [
            AttackState(_levels(photo.seen[0], classifier.device), criterion, done + i)
            for i, (photo, criterion) in enumerate(group)
        ]
        signum = CLASSES[config.method](classifier, config).run(states, forward)
        return [
            gather(classifier, replace(photo, signum=signum), state)
            for (photo, _), state in zip(group, states, strict=True)
        ]
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        values = sum(photo.original.size for photo, _ in group)
        raise InputError(
            f"{group[0][0].name}: {values / 3e6:.0f} megapixels do not fit into the memory of "
            f"{classifier.device}; give smaller photos (--size), or fewer at once (--batch 1)"
        ) from None


def _drawn(group: _Group, stats: StepStats) -> list[np.ndarray]:
    """Return the whole photos with what was found so far, uint8 ``H,W,3``."""
    drawn = [photo.original.copy() for photo, _ in group]
    for image, (photo, _), seen in zip(drawn, group, stats.pictures(), strict=True):
        cut(image, photo.window)[:] = seen
    return drawn


def _levels(pixels: np.ndarray, device: torch.device) -> Tensor:
    """Return ``1,3,H,W`` of whole numbers from 0 to 255."""
    x = torch.from_numpy(np.require(pixels, requirements=["C", "W"])).to(device)
    return x.permute(2, 0, 1)[None].float().contiguous()
