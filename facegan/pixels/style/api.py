"""``facegan.stylize``: all that the command does, from Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from facegan.errors import InputError
from facegan.files import derived, fit_name
from facegan.pixels.loading import Model, model_name, with_settings
from facegan.pixels.loop import OnStep
from facegan.pixels.pictures import Picture, as_list, name_of
from facegan.pixels.settings import SnapshotConfig
from facegan.pixels.snapshots import Recorder, check_snapshots
from facegan.pixels.style import stylize as transfer
from facegan.pixels.style.config import StyleConfig


def stylize(
    content: Picture,
    styles: Picture | Sequence[Picture],
    *,
    model: Model = "faces",
    config: StyleConfig | None = None,
    masks: Sequence[Picture] = (),
    out: str | Path | None = None,
    keep: SnapshotConfig | None = None,
    on_step: OnStep | None = None,
    on_resume: Callable[[Path], None] | None = None,
    **settings: Any,
) -> transfer.Stylized:
    """Paint a photo in the style of one or more pictures.

    >>> facegan.stylize("sample:astronaut", ["sample:strokes"], size=512, out="painted.png")

    Args:
        content: The photo: a file, or an array ``H,W,C``.
        styles: The pictures whose style it gets, such as ``sample:strokes``.
        model: What ``load_classifier`` takes, its result, or a ``ClassifierConfig``.
        config: Settings of the style transfer.
        masks: A picture for each style, white where it goes, or "-" (instead of the settings' ``masks``).
        out: A .png or .jpg; "" is CONTENT-STYLE.png here; None writes no picture. Unfinished work lies beside
            it, as .safetensors, and the same call continues from there.
        keep: What is kept on the way: pictures, a film, a curve.
        on_step: Sees each step's numbers.
        on_resume: Sees the file of unfinished work that the call continues from.
        settings: Fields of ``StyleConfig``, ``SnapshotConfig`` and ``ClassifierConfig``.

    Returns:
        The picture; after Ctrl-C (``outcome.exit_code`` 130) the picture so far.
    """
    network, config, keep = with_settings(model, settings, config or StyleConfig(), keep or SnapshotConfig())
    styles = as_list(styles)
    if not styles:
        raise InputError("give CONTENT and at least one STYLE picture")
    default = fit_name(f"{Path(name_of(content)).stem}-{Path(name_of(styles[0])).stem}", ".png")
    place = "" if out is None else str(out) or default
    config.check(len(styles))
    check_snapshots(keep, place, (content, *styles, *config.masks, *masks))
    if (keep.film or keep.pictures) and not keep.every:
        raise InputError("--film and --pictures keep what --every says: give it, too, such as --every 5")
    unfinished = derived(place, ".safetensors") if place else None
    recorder = Recorder(keep, place, going_on=unfinished is not None and unfinished.exists())
    if unfinished is not None and unfinished.exists() and on_resume is not None:
        on_resume(unfinished)
    options: dict[str, Any] = {"masks": masks, "state": unfinished, "every": keep.every, "on_step": on_step}
    done = transfer.stylize(
        network, content, styles, settings=config, on_picture=recorder.snapshots, **options
    )
    names = ", ".join(map(name_of, styles))
    text = {"content": name_of(content), "styles": names, "model": model_name(network)}
    path = recorder.save(done.image, text)
    if unfinished is not None and not done.outcome.exit_code:
        unfinished.unlink(missing_ok=True)  # now that the picture is safe
    frames = recorder.finish(done.outcome.steps, done.image, done.curve, title=f"{name_of(content)}, {names}")
    return replace(done, path=path, frames=frames)
