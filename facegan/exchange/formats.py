"""The table of formats that ``facegan import`` reads."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import NamedTuple

from facegan.errors import FaceganError, InputError, ModelError, offered
from facegan.exchange.base import Imported, ImportedTranslator, ImportOptions, Source

Found = Imported | ImportedTranslator


class Format(NamedTuple):
    """A row of FORMATS: the module with ``recognises`` and ``read``, and what its files are, for messages."""

    module: str
    files: str


FORMATS: dict[str, Format] = {
    "stylegan": Format("facegan.exchange.read_stylegan", "StyleGAN2-ADA's and StyleGAN3's .pkl"),
    "r3gan": Format("facegan.exchange.read_r3gan", "R3GAN's .pkl"),
    "rosinality": Format(
        "facegan.exchange.read_rosinality", "StyleGAN2's .pt of rosinality/stylegan2-pytorch"
    ),
    "lucidrains": Format("facegan.exchange.read_lucidrains", "stylegan2-pytorch's and lightweight-gan's .pt"),
    "biggan": Format(
        "facegan.exchange.read_biggan",
        "BigGAN's .pth and .bin of BigGAN-PyTorch and pytorch_pretrained_biggan",
    ),
    "keras": Format("facegan.exchange.read_keras", "Keras's .h5, .keras and .weights.h5"),
    "onnx": Format("facegan.exchange.read_onnx", "ONNX graphs (.onnx)"),
    "translators": Format(
        "facegan.exchange.read_translators", "pix2pix's and CycleGAN's generators (*_net_G*.pth)"
    ),
    "later": Format("facegan.exchange.read_later", ""),
    "pytorch": Format(
        "facegan.exchange.read_pytorch", "plain PyTorch generators (.pt, .pth, .tar, .safetensors)"
    ),
}
"""Name -> reader. The first that recognises a file reads it, so the most particular ones stand first."""


def reader(name: str) -> tuple[Callable[[Source], bool], Callable[[Source, ImportOptions], Found]]:
    """Return ``recognises`` and ``read`` of a format."""
    module = importlib.import_module(FORMATS[name].module)
    return module.recognises, module.read


def format_of(source: Source, wanted: str = "") -> str:
    """Return the name of the format of a file.

    Args:
        source: the file.
        wanted: the format that the user named; "" asks every reader.

    Raises:
        InputError: there is no such format, or the file is of another one.
        ModelError: no reader knows the file; the line says what it seems to be.
    """
    if wanted:
        names = [name for name, row in FORMATS.items() if row.files]
        if wanted not in names:
            raise InputError(f"--format {wanted}: not one that import reads ({offered(names, wanted)})")
        if not reader(wanted)[0](source):
            raise InputError(
                f"--format {wanted}: this is not one of {FORMATS[wanted].files}; leave out --format to have "
                "the format recognised"
            )
        return wanted
    said = ""
    for name in FORMATS:
        try:
            if reader(name)[0](source):
                return name
        except FaceganError as error:  # of a damaged file; another reader may know better
            said = said or str(error)
    known = "; ".join(row.files for row in FORMATS.values() if row.files)
    raise ModelError(said or f"this seems to be {source.seems()}; import reads {known}")
