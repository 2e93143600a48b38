"""Bring a model of another program in: ``facegan.import_model``, which ``facegan import`` calls."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from facegan import arguments
from facegan.errors import FaceganError, InputError, ModelError, first_line, printable
from facegan.exchange.base import Imported, ImportedTranslator, ImportOptions, Source
from facegan.exchange.formats import Found, format_of, reader
from facegan.exchange.tutorial import as_dcgan
from facegan.families import GeneratorNetwork, OptimizerConfig, get_family
from facegan.families.translator import TranslatorFamily
from facegan.files import beside, check_ending, check_places, fit_name, writing
from facegan.generator import Generator, describe
from facegan.layers.unfilled import Unfilled
from facegan.recipes.table import RECIPES, recipe
from facegan.runs.export import write_networks
from facegan.settings import check_values, flag, no_flag, walk
from facegan.tensor_files import has_header
from facegan.translator import Translator, describe_translator, key_of

MAX_MESSAGE = 1000  # letters; files may have names of any length


@dataclass(frozen=True)
class ImportedModel:
    """What :func:`import_model` made."""

    path: Path
    """The model's file."""
    format: str
    """The row of FORMATS that read it."""
    model: Generator | Translator
    taken: tuple[str, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...]
    flags: tuple[str, ...] = ()
    """With ``networks``: the flags of a training whose networks are of the same shapes."""


def import_model(
    file: str | Path,
    out: str | Path = "",
    *,
    format: str = "",
    half: bool = False,
    networks: str | Path = "",
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
        networks: another ``.safetensors`` file to write, with the discriminator as well, from which
            ``train --init`` goes on; "" writes none. Not all formats have a discriminator that fits.
        options: what the file does not say.
        **settings: settings of :class:`ImportOptions` by name, which take the place of those in ``options``.

    Returns:
        The model, where it lies, what was taken and what was left out.

    Raises:
        FaceganError: in one line, if the file is damaged, of another kind, or needs an option to be
            understood.
    """
    given = arguments.place(file, "file")
    out = out or str(beside(Path(given.name), fit_name(given.stem, "-imported.safetensors")))
    places = {"--out": str(out), **({"--networks": str(networks)} if networks else {})}
    for option, place in places.items():
        check_ending(option, place, [".safetensors"])
    check_places(places, read=[given])
    chosen = _options(options, settings)
    if has_header(given, "facegan"):
        raise InputError(f"{file}: this is a model already; every command takes it as it is")
    name, imported, model = read_model(given, format, chosen)
    if isinstance(imported, ImportedTranslator):
        if networks:
            raise InputError(f"--networks: {file} holds a translator without its discriminator")
        with writing("--out", str(out)):
            model.save(out)
        return ImportedModel(Path(out), name, model, *_remarks(imported))
    assert isinstance(model, Generator)
    if networks:
        try:
            whole = training_networks(imported)
        except FaceganError as error:
            raise type(error)(f"{file}: {error}") from None
    with writing("--out", str(out)):
        model.save(out, torch.float16 if half else torch.float32)
    if networks:
        with writing("--networks", str(networks)):
            write_networks(networks, model.meta, whole)
    elif "discriminator" in imported.networks:
        imported.left_out.append("D: --networks FILE keeps it, for 'facegan train --init FILE'")
    alone = get_family(imported.family).trains and "discriminator" not in imported.networks
    flags = training_flags(imported) if networks or alone else ()
    return ImportedModel(Path(out), name, model, *_remarks(imported), flags)


def _remarks(found: Found) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    taken, left_out, notes = (
        tuple(printable(line, keep="") for line in lines)
        for lines in (found.taken, found.left_out, found.notes)
    )
    return taken, left_out, notes


def read_model(file: Path, format: str, options: ImportOptions) -> tuple[str, Found, Generator | Translator]:
    """Return the format of a file, what its reader found, and the model; nothing is written.

    Raises:
        FaceganError: in one line that begins with the file.
    """
    source = Source(file)
    try:
        name = format_of(source, format)
        found, origin = reader(name)[1](source, options), {"format": name, "file": file.name}
        origin["sha256"] = _digest(file)
        if isinstance(found, ImportedTranslator):
            return name, found, build_translator(found, origin)
        found = as_dcgan(found)
        return name, found, build(found, origin)
    except FaceganError as error:
        told = printable(str(error)[:MAX_MESSAGE], keep="")  # names may hold anything
        raise type(error)(f"{file}: {told}") from None
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        why = first_line(error)[:MAX_MESSAGE]
        raise ModelError(f"{file}: its parts do not fit together ({why})") from None


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
            planned = new().state_dict()
        _check_state(planned, i.state)
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


def _check_state(planned: Mapping[str, torch.Tensor], state: Mapping[str, torch.Tensor]) -> None:
    """Raise ModelError unless the tensors are those of a network, and finite."""
    if wrong := sorted(planned.keys() ^ state.keys()):
        raise ModelError(f"the weights do not fit the network ({wrong[0]} is missing on one side)")
    for key, tensor in planned.items():
        if state[key].shape != tensor.shape:
            has = ",".join(map(str, state[key].shape))
            raise ModelError(f"the weights do not fit the network ({key} has the shape {has})")
        if not bool(state[key].isfinite().all()):
            raise ModelError(f"{key} has values that are not finite")


def build_translator(found: ImportedTranslator, origin: dict[str, Any]) -> Translator:
    """Return the translator of what a reader found; ModelError if the weights do not fit the network."""
    meta = describe_translator(
        found.family,
        found.config,
        image_shape=found.image_shape,
        provenance={"imported": origin},
        licence=found.licence,
    )
    family = get_family(found.family)
    assert isinstance(family, TranslatorFamily)
    with Unfilled():
        with torch.device("meta"):
            planned = family.build_translator(found.config.generator, found.image_shape)
        _check_state(planned.state_dict(), found.state)
        network = family.build_translator(found.config.generator, found.image_shape)
    network.load_state_dict(found.state)
    try:
        model = Translator(torch.nn.ModuleDict({key_of(family.directions[0]): network}), meta)
        c, h, w = found.image_shape
        with torch.inference_mode():
            model(torch.zeros(1, c, h, w))
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"the network does not run ({first_line(error)})") from None
    return model


def training_networks(imported: Imported) -> dict[str, dict[str, torch.Tensor]]:
    """Return the states that training begins with, by name.

    Raises:
        InputError: the file has no discriminator that facegan trains.
        ModelError: its weights do not fit.
    """
    i = imported
    if "discriminator" not in i.networks:
        why = next((t for t in i.left_out if "D" in re.split("[:,] ?", t)), "the format gives none")
        raise InputError(f"--networks: there is no discriminator to train on with ({why})")
    with Unfilled(), torch.device("meta"):
        network = get_family(i.family).build_discriminator(
            i.config.discriminator, i.image_shape, len(i.labels)
        )
    planned = {k: v.shape for k, v in network.state_dict().items()}
    if planned != {k: v.shape for k, v in i.networks["discriminator"].items()}:
        raise ModelError("the discriminator's weights do not fit the network")
    return {"generator": i.state, "ema": i.state, **i.networks}


def training_flags(imported: Imported) -> tuple[str, ...]:
    """Return the flags of ``facegan train`` that make networks of the same shapes."""
    i, size = imported, imported.image_shape[1]
    names = [name for name, row in RECIPES.items() if row.config.family == i.family]
    name = next((n for n in names if recipe(n).size == size), names[0])
    config, usual = recipe(name), get_family(i.family).config()
    flags = ["--recipe", name] + (["--size", str(size)] if config.size != size else [])
    if i.latent.dim != config.latent.dim:
        flags += ["--latent.dim", str(i.latent.dim)]
    if i.labels:
        flags += ["--condition", "label"]
    # The recipe keeps its optimisers, and its discriminator if the file has none that is trained on.
    optimiser = {field.name for field in fields(OptimizerConfig)}
    for side in ("generator", "discriminator")[: 1 + ("discriminator" in i.networks)]:
        own, theirs, default = (getattr(model, side) for model in (i.config, config.model, usual))
        for item in walk(own, f"{side}."):
            key = item.name.rpartition(".")[2]
            if key in optimiser:
                continue
            if isinstance(item.value, bool) and item.value != getattr(theirs, key):
                flags.append(flag(item.name) if item.value else no_flag(item.name))
            elif item.value not in (getattr(theirs, key), getattr(default, key)):
                values = item.value if isinstance(item.value, tuple) else (item.value,)
                flags += [flag(item.name), *map(str, values)]
    return tuple(flags)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        while part := handle.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()
