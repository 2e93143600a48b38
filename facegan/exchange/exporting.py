"""Take a model out: ``facegan.export_model``, which ``facegan export`` calls."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facegan import arguments
from facegan.deltas import base_hashes
from facegan.errors import FaceganError, InputError, ModelError, first_line
from facegan.exchange import translator_out, translator_page
from facegan.exchange.examples import example_source, is_example
from facegan.exchange.keras_out import keras_model, keras_runner
from facegan.exchange.onnx_out import OPSET, onnx_graph, onnx_runner
from facegan.exchange.page_out import page, page_runner
from facegan.exchange.parity import Parity, Run, measure_parity
from facegan.exchange.tracing import PARTS, described, traced
from facegan.exchange.translator_out import Way
from facegan.files import check_ending, check_places, write_bytes, writing
from facegan.generator import Generator
from facegan.latent.directions import Directions, kept_directions
from facegan.models import as_model, load, resolve
from facegan.tensor_files import half
from facegan.translator import Translator

WEIGHTS = ("auto", "float32", "float16")


@dataclass(frozen=True)
class Exported:
    """What :func:`export_model` wrote."""

    path: Path
    """The file."""
    kind: str
    """What it is, in a few words."""
    size: int
    """Its size in bytes."""
    parity: Parity | None = None
    """How it compares with PyTorch; None where nothing was compared."""
    example: Path | None = None
    """The program beside it, if one was asked for."""

    def __str__(self) -> str:
        lines = [f"{self.path}: {self.kind}, {self.size / 2**20:.1f} MiB"]
        lines += [str(self.parity)] if self.parity else []
        lines += [f"{self.example}: a program that draws with it"] if self.example else []
        return "\n".join(lines)


@dataclass(frozen=True)
class Writer:
    """A row of WRITERS. ``write`` makes a file's content of model, part and weights."""

    kind: str
    write: Callable[..., bytes]
    run: Callable[[bytes], Run | None] | None = None
    """Makes what runs the content; None where the file holds weights alone, which have no parts."""
    float16: bool = True
    needs: str = ""
    """What has to be installed for the content to be run and compared."""
    page: bool = False
    """Whether it is a page: with directions, and weights in float16 by itself."""
    whole: bool = False
    """Whether it has no parts, although it can be run."""


# --- PyTorch's own program ------------------------------------------------------------------------------


def _program(model: Generator, part: str, weights: str) -> bytes:
    content = io.BytesIO()
    about = {"metadata.json": json.dumps(described(model, part))}
    torch.export.save(traced(model, part), content, extra_files=about)
    return content.getvalue()


def _program_runner(content: bytes) -> Run:
    program = torch.export.load(io.BytesIO(content)).module()
    return lambda inputs: program(*map(torch.from_numpy, inputs.values())).numpy()


# --- weights alone --------------------------------------------------------------------------------------


def _tensors(model: Generator | Way, weights: str) -> dict[str, torch.Tensor]:
    tensors = model.network.state_dict()
    chosen = half(tensors) if weights == "float16" else tensors
    return {name: tensor.detach().cpu().contiguous() for name, tensor in chosen.items()}


def _state_dict(model: Generator | Way, part: str, weights: str) -> bytes:
    content = io.BytesIO()
    torch.save(_tensors(model, weights), content)
    return content.getvalue()


def _arrays(model: Generator | Way, part: str, weights: str) -> bytes:
    content = io.BytesIO()
    arrays: dict[str, Any] = {name: tensor.numpy() for name, tensor in _tensors(model, weights).items()}
    np.savez(content, **arrays)
    return content.getvalue()


WRITERS: dict[str, Writer] = {
    ".onnx": Writer(f"an ONNX graph (opset {OPSET})", onnx_graph, onnx_runner, needs="onnxruntime"),
    ".html": Writer("a page for browsers", page, page_runner, needs="onnxruntime", page=True),
    ".pt2": Writer("a program for PyTorch alone", _program, _program_runner, float16=False),
    ".keras": Writer(
        "a model of Keras 3, run by facegan's own reader", keras_model, keras_runner, whole=True
    ),
    ".pt": Writer("weights, a state dict of PyTorch", _state_dict),
    ".npz": Writer("weights, arrays of NumPy", _arrays),
}
"""Ending -> what is written of a generator."""
TRANSLATOR_WRITERS: dict[str, Writer] = {
    ".onnx": replace(WRITERS[".onnx"], write=translator_out.onnx_graph),
    ".html": replace(WRITERS[".html"], write=translator_page.page, run=translator_page.page_runner),
    ".pt2": replace(WRITERS[".pt2"], write=translator_out.program),
    ".pt": WRITERS[".pt"],
    ".npz": WRITERS[".npz"],
}
"""Ending -> what is written of a direction of a translator."""


# --- the function ---------------------------------------------------------------------------------------


def export_model(
    model: Generator | Translator | str | Path,
    out: str | Path,
    *,
    weights: str = "auto",
    part: str = "all",
    example: bool = False,
    directions: Directions | str | Path = "",
    direction: str = "",
    title: str = "",
) -> Exported:
    """Write a generator or translator as a file that needs no facegan.

    It is ``.onnx``, ``.html``, ``.pt2``, ``.keras``, or weights as ``.pt`` or ``.npz``.

    A graph, page or program is run before it is written: 64 seeds in batches of 1, 5 and 32 may differ from
    PyTorch's pictures by one level of 255; a ``.keras`` is run by the reader of :func:`facegan.import_model`.
    Its batch is free, and noise of the network is constant.

    Args:
        model: a Generator or Translator, or what :func:`facegan.load` takes.
        out: the file, whose ending decides.
        weights: how weights are stored: float32 or, in half the space, float16. Graphs compute in float32.
            ``auto`` is float16 in pages, where that changes no picture by more than a level, else float32.
        part: ``all`` (z and labels to pictures), ``map`` (z and labels to w) or ``synthesize`` (w to
            pictures).
        example: write a program beside the file, ``OUT.py``, which draws seeds with it without facegan.
        directions: for the sliders of a page: a file of :func:`facegan.directions`, or what it returned;
            "" takes those that have been found before or come with the model, if there are any.
        direction: of a translator: which of its directions is written; "" is the first.
        title: the heading of a page; "" is the model's own name.

    Returns:
        What was written, and how it compares.

    Raises:
        InputError: options that do not go together, or a package is missing.
        ModelError: the network cannot be exported, or draws something else then; nothing is written.
    """
    path = arguments.place(out, "out").expanduser()
    check_ending("--out", str(path), list(WRITERS))
    writer = WRITERS[path.suffix.lower()]
    _check_options(
        writer, path.suffix, weights=weights, part=part, has_directions=bool(directions), title=title
    )
    tried = (weights,) if weights != "auto" else ("float16", "float32") if writer.page else ("float32",)
    beside = _example_place(path, writer, part) if example else None
    if not isinstance(model, (Generator, Translator)):
        given = [] if isinstance(directions, Directions) else [str(directions)]
        check_places({"--out": path}, [resolve(model), *given])
        model = load(model)
    subject: Generator | Way
    extras: dict[str, Any] = {"title": title} if writer.page else {}
    if isinstance(model, Translator):
        options = {"--part": part != "all", "--example": example, "--directions": bool(directions)}
        subject, writer = _way(model, direction, path, options=options)
    else:
        if direction:
            raise InputError(f"--direction {direction}: this is a generator; translators have directions")
        subject = as_model(model)
        extras |= {"directions": _sliders(subject, directions)} if writer.page else {}
    for stored in tried:
        content, runner = _made(subject, path, writer, part=part, weights=stored, **extras)
        parity = _compared(subject, part, runner) if runner else None
        if not parity or parity.levels <= 1:
            break
    else:
        way = "; choose --weights float32" if weights == "float16" else ""
        raise ModelError(f"--out {path}: nothing written, since {parity}{way}")
    with writing("--out", str(path)):
        write_bytes(path, content)
        if beside and isinstance(subject, Generator):
            write_bytes(beside, example_source(subject, path.name).encode())
    unchecked = f", not run: pip install {writer.needs}" if writer.needs and not parity else ""
    return Exported(path, writer.kind + unchecked, len(content), parity, beside)


def _way(model: Translator, direction: str, path: Path, *, options: dict[str, bool]) -> tuple[Way, Writer]:
    """Return a translator's direction and what writes it; InputError for ``options`` of generators."""
    for option, given in options.items():
        if given:
            raise InputError(f"{option}: translators have none; it is for generators")
    suffix = path.suffix.lower()
    if suffix not in TRANSLATOR_WRITERS:
        raise InputError(f"--out {path}: a translator becomes one of {', '.join(TRANSLATOR_WRITERS)}")
    return Way(model, model.direction(direction)), TRANSLATOR_WRITERS[suffix]


def _compared(subject: Generator | Way, part: str, run: Run) -> Parity:
    """Return how a file's pictures differ from PyTorch's."""
    if isinstance(subject, Way):
        return translator_out.measure_parity(subject, run)
    return measure_parity(subject, part, run)


def _check_options(
    writer: Writer, suffix: str, *, weights: str, part: str, has_directions: bool, title: str
) -> None:
    """Raise InputError for options that do not go with the file's ending."""
    arguments.one_of(weights, "--weights", WEIGHTS)
    arguments.one_of(part, "--part", PARTS)
    if part != "all" and (writer.run is None or writer.page or writer.whole):
        held = "both parts" if writer.page else "the whole" if writer.whole else "weights alone"
        raise InputError(f"--part {part}: {suffix} holds {held}; choose .onnx or .pt2")
    if has_directions and not writer.page:
        raise InputError(f"--directions: {suffix} holds none; they are for .html")
    if title and not writer.page:
        raise InputError(f"--title: {suffix} has no heading; it is for .html")
    if weights == "float16" and not writer.float16:
        raise InputError(f"--weights float16: {suffix} holds float32; choose another ending than that")


def _sliders(model: Generator, directions: Directions | str | Path) -> Directions | None:
    """Return the directions for a page."""
    if isinstance(directions, Directions):
        if directions.model_hash not in base_hashes(model):
            raise InputError("directions: they are of another model; find this one's with facegan.directions")
        return directions
    return Directions.load(directions, model) if directions else kept_directions(model)


def _made(model: Generator | Way, path: Path, writer: Writer, **given: Any) -> tuple[bytes, Run | None]:
    """Return a file's content and what runs it."""
    try:
        content = writer.write(model, **given)
        return content, writer.run(content) if writer.run else None
    except FaceganError:
        raise
    except Exception as error:  # of many kinds, from the tracer and from the network of whoever wrote it
        family = (model.model if isinstance(model, Way) else model).meta["family"]
        raise ModelError(
            f"--out {path}: PyTorch cannot trace the network of family '{family}' ({first_line(error)})"
        ) from error


def _example_place(path: Path, writer: Writer, part: str) -> Path:
    """Return where the example goes; InputError where there can be none."""
    if writer.run is None or writer.page or part != "all":
        raise InputError("--example: needs a whole program; choose .onnx, .pt2 or .keras, and no --part")
    place = path.with_suffix(".py")
    if place.exists() and not is_example(place):
        raise InputError(f"--example: it would replace {place}; choose another --out")
    return place
