"""``facegan.stylize``: a photo's content with the style of one or more pictures.

Gatys et al. 2016 on growing sizes (Gatys et al. 2017, section 6; the sizes by sqrt 2 and the averaged result
after Crowson's *style-transfer-pytorch*).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from facegan.classifiers.classifier import Classifier
from facegan.errors import InputError, ModelError
from facegan.files import derived, fit_name, writing
from facegan.marks import COMPOSITE, made, without_folder
from facegan.pixels.loading import Model, load_configured, model_name, with_settings
from facegan.pixels.loop import OnPicture, OnStep, OptimisedPicture, StepStats, optimise
from facegan.pixels.pictures import Picture, as_list, name_of
from facegan.pixels.settings import SnapshotConfig
from facegan.pixels.snapshots import Recorder, check_snapshots
from facegan.pixels.style.config import StyleConfig
from facegan.pixels.style.painter import Painter, Pictures, read_pictures, with_suitable_layers
from facegan.pixels.tiles import max_pixels, require_memory
from facegan.tensor_files import read_tensors, write_tensors

SAVE_EVERY = 25  # steps between states on disk
FORMAT = "facegan unfinished picture 1"


@dataclass(frozen=True, repr=False)
class Stylized(OptimisedPicture):
    """A photo in another style; ``curve`` has a row of named losses for each step.

    Attributes:
        sizes: (height, width) of each stage.
    """

    sizes: list[tuple[int, int]] = field(default_factory=list)


def stylize(
    content: Picture,
    styles: Picture | Sequence[Picture],
    *,
    model: Model = "faces",
    config: StyleConfig | None = None,
    masks: Sequence[Picture] = (),
    out: str | Path | None = None,
    keep: SnapshotConfig | None = None,
    state: str | Path | None = None,
    on_step: OnStep | None = None,
    on_resume: Callable[[Path], None] | None = None,
    on_picture: OnPicture | None = None,
    **settings: Any,
) -> Stylized:
    """Paint a photo in the style of one or more pictures.

    >>> facegan.stylize("sample:astronaut", ["sample:strokes"], size=512, out="painted.png")

    Args:
        content: The photo: a file, or an array ``H,W,C``.
        styles: The pictures whose style it gets, such as ``sample:strokes``.
        model: What ``load_classifier`` takes, its result, or a ``ClassifierConfig``.
        config: Settings of the style transfer.
        masks: A picture for each style, white where it goes, or "-" (instead of the settings' ``masks``).
        out: A .png or .jpg; "" is CONTENT-STYLE.png here; None writes no picture.
        keep: What is kept on the way: pictures, a film, a curve.
        state: A file for unfinished work, from which the same call continues. By default it is the
            .safetensors beside ``out``, which is removed once the picture is saved.
        on_step: Sees each step's numbers, and can draw the work so far (``StepStats``).
        on_resume: Sees the file of unfinished work that the call continues from.
        on_picture: Sees (steps done, uint8 ``H,W,3``) after every ``keep.every`` steps.
        settings: Fields of ``StyleConfig``, ``SnapshotConfig`` and ``ClassifierConfig``.

    Returns:
        The picture; after Ctrl-C (``outcome.exit_code`` 130) the picture so far.
    """
    network, config, keep = with_settings(model, settings, config or StyleConfig(), keep or SnapshotConfig())
    styles = as_list(styles)
    if not styles:
        raise InputError("give CONTENT and at least one STYLE picture")
    names = ", ".join(map(name_of, styles))
    place = "" if out is None else str(out) or fit_name(f"{_stem(content)}-{_stem(styles[0])}", ".png")
    masks = masks or config.masks
    replace(config, masks=masks).check(len(styles))
    check_snapshots(keep, place, (content, *styles, *masks))
    if (keep.film or keep.pictures) and not keep.every:
        raise InputError("--film and --pictures need --every, such as --every 5")
    work = Path(state) if state is not None else derived(place, ".safetensors") if place else None
    if (resumes := work is not None and work.exists()) and work is not None and on_resume is not None:
        on_resume(work)
    mark = made(without_folder(model_name(network)), mark=keep.mark, source=COMPOSITE)
    recorder = Recorder(keep, place, resumes, mark=mark, on_picture=on_picture)
    pictures = read_pictures(content, styles, masks)
    done = _paint(load_configured(network), pictures, config, work=work, recorder=recorder, on_step=on_step)
    text = {"content": name_of(content), "styles": names}
    title = f"{name_of(content)}, {names}"
    path, frames = recorder.finish(done.image, done.curve, steps=done.outcome.steps, title=title, text=text)
    if work is not None and state is None and not done.outcome.exit_code:
        work.unlink(missing_ok=True)  # now that the picture is safe
    return replace(done, path=path, frames=frames)


def _stem(picture: Picture) -> str:
    return Path(name_of(picture)).stem


def _paint(
    classifier: Classifier,
    pictures: Pictures,
    config: StyleConfig,
    *,
    work: Path | None,
    recorder: Recorder,
    on_step: OnStep | None,
) -> Stylized:
    """Run all stages, or continue from ``work``; Ctrl-C ends them after the step that runs."""
    s = with_suitable_layers(classifier, config)
    painter = Painter(classifier, pictures, s)
    mark = "" if work is None else fingerprint(classifier, pictures, s)
    curve: list[dict[str, float]] = []
    if work is not None and work.is_file():
        curve = load_work(work, mark, painter)
    start = painter.done

    def report(stats: StepStats) -> None:
        curve.append({"loss": stats.loss, **stats.values})
        if work is not None and stats.step % SAVE_EVERY == 0 and stats.step < stats.steps:
            with writing("--out", str(work)):
                save_work(work, mark, painter, curve=curve)
        if recorder.keep.every and stats.step % recorder.keep.every == 0:
            recorder(stats.step, painter.image())
        if on_step is not None:
            on_step(stats)

    with require_memory(classifier, max_pixels(s.tile, painter.sizes), s.tile):
        outcome = optimise(
            painter.step,
            painter.total,
            seed=s.seed,
            purpose="stylize",
            start=start,
            on_step=report,
            pictures=lambda: [painter.image()],
        )
    if work is not None and outcome.steps > start:
        # At the end the picture is what counts: a disk that is too full for all may have room for it.
        complete = outcome.steps == painter.total
        with contextlib.suppress(OSError) if complete else writing("--out", str(work)):
            save_work(work, mark, painter, curve=curve)
    image = painter.image() if outcome.steps else pictures.photo
    return Stylized(image, outcome, curve, sizes=painter.sizes)


def fingerprint(classifier: Classifier, work: Pictures, settings: StyleConfig) -> str:
    """Return a hash of what a saved state belongs to: settings, pictures and classifier."""
    digest = hashlib.sha256(json.dumps(asdict(settings), sort_keys=True).encode())
    seen = (classifier.name, classifier.input_size, classifier.mean, classifier.std)
    digest.update(json.dumps(seen).encode())
    for name, tensor in classifier.module.state_dict().items():  # some of each tensor's numbers: VGG is large
        if not isinstance(tensor, Tensor):
            continue
        some = tensor.detach().flatten()[:: max(1, tensor.numel() // 64)].cpu().float()
        digest.update(f"{name} {tuple(tensor.shape)}".encode() + some.numpy().tobytes())
    for picture in [work.photo, *work.styles, *work.masks]:
        digest.update(b"none" if picture is None else str(picture.shape).encode() + picture.tobytes())
    return digest.hexdigest()[:16]


def load_work(path: Path, mark: str, painter: Painter) -> list[dict[str, float]]:
    """Restore unfinished work; return the curve of the steps done."""
    try:
        with read_tensors(path, "facegan", FORMAT, what="file of unfinished work") as (head, tensors):
            if head["mark"] != mark:
                raise InputError("is unfinished work with other settings or pictures; use those")
            steps = int(head["steps"])
    except (ModelError, InputError) as error:
        raise InputError(f"{error}; choose another --out, or remove the file to begin anew") from None
    names = sorted(key for key in tensors if key.startswith("curve."))
    columns = {key.split(".", 2)[2]: tensors.pop(key).tolist() for key in names}
    painter.restore(tensors, steps)
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def save_work(path: Path, mark: str, painter: Painter, *, curve: Sequence[Mapping[str, float]]) -> None:
    """Save the work so far, whole or not at all."""
    columns = {
        f"curve.{i}.{name}": torch.tensor([row[name] for row in curve], dtype=torch.float64)
        for i, name in enumerate(curve[0])
    }
    head = {"format": FORMAT, "steps": painter.done, "mark": mark}
    write_tensors(path, "facegan", head, tensors=painter.state() | columns)
