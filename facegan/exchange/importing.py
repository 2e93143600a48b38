"""Bring a model of another program in: ``facegan.import_model``, which ``facegan import`` calls."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from facegan import arguments
from facegan.errors import FaceganError, InputError, ModelError, first_line
from facegan.exchange.base import Imported, ImportOptions, Source
from facegan.exchange.formats import format_of, reader
from facegan.families import GeneratorNetwork, get_family
from facegan.files import beside, check_ending, check_places, fit_name, writing
from facegan.generator import Generator, describe
from facegan.layers.unfilled import Unfilled
from facegan.settings import check_values
from facegan.tensor_files import has_header


@dataclass(frozen=True)
class ImportedModel:
    """What :func:`import_model` made."""

    path: Path
    """The model's file."""
    format: str
    """The row of FORMATS that read it."""
    model: Generator
    taken: tuple[str, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...]


def import_model(
    file: str | Path,
    out: str | Path = "",
    *,
    format: str = "",
    half: bool = False,
    options: ImportOptions | None = None,
    **settings: Any,
) -> ImportedModel:
    """Bring a generator of another program in, as a model that every command takes.

    Nothing that the file holds is executed.

    Args:
        file: the other program's file; see ``facegan import --help`` for the kinds.
        out: the ``.safetensors`` file to write; "" is FILE-imported.safetensors in the current folder.
        format: a row of ``facegan.exchange.formats.FORMATS``; "" recognises it.
        half: store half precision, in half the space; pictures may differ by a level from the original's.
        options: what the file does not say; settings by name change them.

    Returns:
        The model, where it lies, what was taken and what was left out.

    Raises:
        FaceganError: in one line, if the file is damaged, of another kind, or needs an option to be
            understood.
    """
    given = arguments.place(file, "file")
    out = out or str(beside(Path(given.name), fit_name(given.stem, "-imported.safetensors")))
    check_ending("--out", str(out), [".safetensors"])
    check_places({"--out": str(out)}, read=[given])
    chosen = _options(options, settings)
    if has_header(given, "facegan"):
        raise InputError(f"{file}: this is a model already; every command takes it as it is")
    source = Source(given)
    try:
        name = format_of(source, format)
        imported = reader(name)[1](source, chosen)
        model = build(imported, {"format": name, "file": given.name, "sha256": _digest(given)})
    except FaceganError as error:
        raise type(error)(f"{file}: {error}") from None
    with writing("--out", str(out)):
        model.save(out, torch.float16 if half else torch.float32)
    told = (tuple(part) for part in (imported.taken, imported.left_out, imported.notes))
    return ImportedModel(Path(out), name, model, *told)


def _options(options: ImportOptions | None, settings: dict[str, Any]) -> ImportOptions:
    chosen = replace(options or ImportOptions(), **arguments.settings(ImportOptions, settings))
    check_values(chosen, error=InputError)
    return chosen


def build(imported: Imported, origin: dict[str, Any]) -> Generator:
    """Return the generator of what a reader found; ModelError if the weights do not fit the network."""
    i = imported
    family = get_family(i.family)
    more: dict[str, Any] = {"label_rows": i.label_rows} if i.label_rows else {}
    meta = describe(
        i.family,
        i.config,
        i.latent,
        image_shape=i.image_shape,
        labels=i.labels,
        provenance={"imported": origin},
        licence=i.licence,
        **more,
    )

    def new() -> GeneratorNetwork:
        return family.build_generator(
            i.config.generator, i.image_shape, i.latent.dim, label_dim=len(i.labels)
        )

    with Unfilled():
        with torch.device("meta"):
            planned = {k: v.shape for k, v in new().state_dict().items()}
        if wrong := sorted(planned.keys() ^ i.state.keys()):
            raise ModelError(f"the weights do not fit the network ({wrong[0]} is missing on one side)")
        for key, shape in planned.items():
            if i.state[key].shape != shape:
                has = ",".join(map(str, i.state[key].shape))
                raise ModelError(f"the weights do not fit the network ({key} has the shape {has})")
            if not bool(i.state[key].isfinite().all()):
                raise ModelError(f"{key} has values that are not finite")
        network = new()
    network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in i.state.items()})
    try:
        model = Generator(network, meta)
        with torch.inference_mode():
            shape = tuple(model(model.latent.sample([0])).shape[1:])
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"the network does not run ({first_line(error)})") from None
    if shape != tuple(i.image_shape):
        raise ModelError(f"the network makes pictures of shape {shape}, not {tuple(i.image_shape)}")
    return model


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        while part := handle.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()
