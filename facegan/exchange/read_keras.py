"""Reads Keras's generators: ``.h5``, ``.keras``, and ``.weights.h5`` with ``--config``."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from facegan.errors import InputError, ModelError, first_line, offered
from facegan.exchange.base import Imported, ImportOptions, Source
from facegan.exchange.graph import Graph
from facegan.exchange.hdf5 import opened
from facegan.exchange.keras_config import MAX_BYTES, Model, models_of, parsed
from facegan.exchange.keras_context import Value
from facegan.exchange.keras_graph import Inputs, draw, inputs_of
from facegan.exchange.keras_weights import Store, store_of
from facegan.exchange.output_range import to_pictures
from facegan.exchange.own_files import ABOUT, about, latent_of, ranged
from facegan.exchange.stylegan2 import class_labels

MAX_WEIGHTS = 16 * 2**30


def recognises(source: Source) -> bool:
    """Return whether this reader takes the file."""
    return source.kind == "hdf5" or (source.kind == "zip" and "config.json" in source.names)


def read(source: Source, options: ImportOptions) -> Imported:
    """Return the generator of the file; ModelError says what cannot be understood."""
    with _content(source) as (text, handle, said), opened(handle) as root:
        if options.config:
            text = _config_file(options.config)
        else:
            text = text if text is not None else root.text("model_config")
        if text is None:
            raise ModelError(
                "weights without their network; write it in Keras by open('model.json', 'w').write("
                "model.to_json()), and give --config model.json"
            )
        models = models_of(
            parsed(text, f"--config {options.config}" if options.config else "its configuration")
        )
        return _imported(models, store_of(root), options, ours=about(said))


def _config_file(place: str) -> str:
    try:
        if not Path(place).is_file():
            raise InputError(f"--config {place}: there is no such file")
        if Path(place).stat().st_size > MAX_BYTES:
            raise InputError(f"--config {place}: more than {MAX_BYTES:,} bytes")
        return Path(place).read_text("utf-8")
    except OSError as error:
        raise InputError(f"--config {place}: cannot be read ({error.strerror or error})") from None
    except ValueError:
        raise InputError(f"--config {place}: not a text; it should be JSON of model.to_json()") from None


@contextmanager
def _content(source: Source) -> Iterator[tuple[str | None, BinaryIO, dict[str, Any]]]:
    """Yield the configuration, if it is a member of its own, the HDF5 file, and what facegan says of it."""
    if source.kind == "hdf5":
        with open(source.path, "rb") as handle:
            yield None, handle, {}
        return
    try:
        with zipfile.ZipFile(source.path) as archive:
            text = _member(archive, "config.json", MAX_BYTES).decode("utf-8", "replace")
            weights = _member(archive, "model.weights.h5", min(source.size, MAX_WEIGHTS))
            said = _member(archive, ABOUT, MAX_BYTES) if ABOUT in source.names else b"{}"
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, OSError, RuntimeError) as error:
        raise ModelError(f"a damaged zip archive ({first_line(error)})") from None
    yield text, io.BytesIO(weights), parsed(said, f"its {ABOUT}")


def _member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    try:
        member = archive.getinfo(name)
    except KeyError:
        raise ModelError(f"a Keras archive without {name}") from None
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
        raise ModelError(f"an archive whose {name} is compressed or encrypted; Keras writes it plainly")
    if member.file_size > most:
        raise ModelError(f"an archive whose {name} has {member.file_size:,} bytes; at most {most:,} are read")
    return archive.read(member)


# --- which model -------------------------------------------------------------------------------------


def _imported(
    models: list[Model], store: Store, options: ImportOptions, *, ours: Mapping[str, Any]
) -> Imported:
    model, inputs, (graph, output), left = _generator(models, store, options)
    found = graph.add("permute", output.name, order=(2, 0, 1)) if _is_last(graph, output) else output.name
    config, state, image_shape = graph.finish(to_pictures(graph, found, ranged(ours, options)))
    dim = graph.z_dim
    numbers = sum(value.numel() for value in state.values())
    notes = []
    if inputs.label_dim:
        kind = "embedded" if inputs.embedded else "taken as one number each"
        notes.append(
            f"its {inputs.label_dim} labels ({kind}) are taken for classes: --labels label=0 and so on"
        )
    if not options.prior and not ours:
        notes.append("the latent is not in the file: normal is assumed (--prior)")
    return Imported(
        "graph",
        config,
        state,
        image_shape,
        latent_of(ours, dim, options),
        taken=[f"the model '{model.name}': {numbers:,} numbers"],
        left_out=left,
        notes=notes,
        licence=options.licence or ours.get("licence", ""),
        **class_labels(inputs.label_dim),
    )


def _is_last(graph: Graph, output: Value) -> bool:
    """Return whether the output still has Keras's usual order, channels last."""
    shape = graph.shape(output.name)
    return not output.last and len(shape) == 3 and shape[0] not in (1, 3) and shape[2] in (1, 3)


def _generator(
    models: list[Model], store: Store, options: ImportOptions
) -> tuple[Model, Inputs, tuple[Graph, Value], list[str]]:
    """Return the outermost model that makes a picture of a vector, or the one that ``--network`` names.

    The last value says of each other model why it is left out.
    """
    if options.network and not any(model.name == options.network for model in models):
        known = offered([model.name for model in models], options.network)
        raise InputError(f"--network {options.network}: not in this file ({known})")
    found: tuple[Model, Inputs, tuple[Graph, Value]] | None = None
    left: list[str] = []
    for model in models:
        if found or (options.network and model.name != options.network):
            left.append(f"the model '{model.name}'")
            continue
        if (inputs := inputs_of(model)) is None:
            left.append(f"the model '{model.name}': it takes no vector, which a generator does")
            continue
        try:
            graph, output = draw(model, inputs, store)
        except ModelError as error:
            left.append(f"the model '{model.name}': {error}")
            continue
        shape = graph.shape(output.name)
        if len(shape) == 3 and {shape[0], shape[2]} & {1, 3}:
            found = model, inputs, (graph, output)
        else:
            left.append(f"the model '{model.name}': it makes {shape}, no picture of one or three channels")
    if found is None:
        raise ModelError(left[0] if not options.network else next(line for line in left if ": " in line))
    return *found, left
