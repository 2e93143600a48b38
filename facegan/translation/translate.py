"""Translate photos: read, turn into inputs, translate, put back, write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from facegan import arguments, bars
from facegan.data.dataset import Dataset
from facegan.data.inputs import INPUTS, derive
from facegan.errors import InputError
from facegan.files import writing
from facegan.inversion.invert import warn
from facegan.inversion.targets import silent
from facegan.marks import made
from facegan.models import as_translator
from facegan.translation.photos import Crops, Given, count_of, read, sources_of
from facegan.translation.translated import Output, Translated, Turned
from facegan.translation.whole import WholePhotos, put_back
from facegan.translator import Translator

BATCH = 64  # pictures that are turned into inputs and translated together


def translate(
    model: Translator | str | Path,
    images: Any,
    direction: str = "",
    *,
    whole: bool = False,
    ready: bool = False,
    align: bool = True,
    face: int = 0,
    steps: int = 0,
    split: str = "",
    out: str | Path | None = None,
    scale: int = 0,
    mark: bool = True,
    device: str = "cpu",
    on_progress: Callable[[str, int, int | None], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> Translated:
    """Turn photos into what a translator makes of them.

    A photo is cut as the model's data were, with the face found and aligned, and turned into what the model
    was trained on (``input``: a drawing of it, for example). A picture of exactly the model's size is a crop
    already.

    >>> facegan.translate("my_run", "me.jpg").images
    >>> facegan.translate("my_run", "party.jpg", whole=True, out="after.png")

    Args:
        model: what ``load`` takes, or a Translator.
        images: files, folders, addresses, - for standard input, datasets, pictures ``H,W,C`` or ``N,H,W,C``
            of any numbers (arrays, tensors, Pillow's), or a list of these.
        direction: one of the model's ``directions``; "" is the first.
        whole: translate every face in a photo, and put it back into the photo.
        ready: the pictures are inputs already, such as drawings by hand.
        align: find the face and crop as the model's data were.
        face: which face of a photo, 1 being the largest; 0 is the largest, with ``whole`` all.
        steps: in files, so many pictures from none of the change to all of it; 0 shows input and result.
        split: which split of a dataset: by default test, else val, else train.
        out: a .png (a figure, and beside it the results), a folder (single files), or an .npz.
        scale: repeat each pixel of PNG files so often; 0 enlarges figures smoothly.
        mark: write into the pictures that they are generated, and by what.
        device: cpu, cuda or mps, of a model that is loaded.
        on_progress: receives what is done, how much, and of how much (None: not known); without it a bar
            shows it.
        say: receives lines on what was left out, on further faces in a photo, and on splits of datasets; by
            default the first two are a FaceganWarning.

    Raises:
        InputError: No photo can be used, or the options contradict each other.
    """
    number, steps = arguments.whole(face, "--face"), arguments.whole(steps, "--steps")
    switches = {"whole": whole, "ready": ready, "align": align}
    whole, ready, align = (arguments.switch(value, name) for name, value in switches.items())
    _check(whole, ready, align)
    sources, tell = sources_of(images), say or warn
    total = count_of(sources, split)
    if out is not None:
        arguments.place(out, "out")
    output = Output(out, steps, whole, arguments.whole(scale, "--scale"))
    output.check([each.path if isinstance(each, Dataset) else each for each in sources], total)
    network = as_translator(model, device)
    direction = network.direction(direction)
    output = replace(output, note=made(network.hash, mark=mark, direction=direction))
    reader: Crops | WholePhotos
    if whole:
        reader = WholePhotos(network, number, say=tell)
    else:
        reader = Crops(network, align, number or 1, ready=ready, say=tell)
    _check_input(network, ready)
    givens, count = read(sources, reader, split, note=say or silent), 0
    with bars.shown(on_progress) as show, writing("--out", str(out)):
        sink = output.sink()
        try:
            for one in turned(network, givens, direction, ready=ready):
                sink.take(one)
                count += 1
                show("translate", count, total)
            files = sink.finish()
        finally:
            sink.close()
    return Translated(count, direction, tuple(sink.turned), tuple(files), tuple(reader.left_out))


def _check(whole: bool, ready: bool, align: bool) -> None:
    """Raise InputError for options that contradict each other."""
    if whole and ready:
        raise InputError("--ready is for pictures that are inputs already; --whole looks for faces in photos")
    if whole and not align:
        raise InputError("--whole looks for the faces in a photo: leave out --no-align")


def _check_input(network: Translator, ready: bool) -> None:
    """Raise InputError where this program does not know how to make the translator's inputs."""
    if network.input and network.input not in INPUTS and not ready:
        raise InputError(
            f"this translator takes inputs of the kind '{network.input}', which is unknown here: make it "
            "known with facegan.register_input, or give such pictures with --ready"
        )


def turned(
    network: Translator, givens: Iterator[Given], direction: str, *, ready: bool = False
) -> Iterator[Turned]:
    """Yield what the translator makes of each picture, some of them in memory at a time."""
    first = next(givens, None)
    if first is None:
        return
    if first.faces:
        yield from (_whole(network, one, direction) for one in chain([first], givens))
        return
    derived = bool(network.input) and not ready
    batch = [first, *islice(givens, BATCH - 1)]
    while batch:
        pictures = np.stack([one.picture for one in batch])
        inputs = derive(network.input, pictures) if derived else pictures
        results = network.translate(inputs, direction)
        for one, before, after in zip(batch, inputs, results, strict=True):
            yield Turned(one.name, before, after, one.picture if derived else None)
        batch = list(islice(givens, BATCH))


def _whole(network: Translator, given: Given, direction: str) -> Turned:
    """Return a photo with each of its faces translated."""
    pictures = np.stack([face.crop for face in given.faces])
    inputs = derive(network.input, pictures) if network.input else pictures
    results = network.translate(inputs, direction)
    return Turned(given.name, given.picture, put_back(given.picture, given.faces, list(results)))
