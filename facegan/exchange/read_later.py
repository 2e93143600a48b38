"""Recognises files that facegan cannot read yet, to say so in a line of their own."""

from __future__ import annotations

from facegan.errors import ModelError
from facegan.exchange.base import Imported, ImportOptions, Source
from facegan.pickles.tables import state_dicts

KINDS: dict[str, tuple[set[str], ...]] = {
    "a BigGAN generator": (
        {"linear.weight", "blocks.0.0.conv1.weight", "blocks.0.0.bn1.gain.weight"},
        {"embeddings.weight", "generator.gen_z.weight_orig"},
        {"generator.embeddings.weight", "generator.generator.gen_z.weight_orig"},
    ),
}
"""What a file is -> sets of names, of which a table of weights has all of one."""


def _kind(source: Source) -> str:
    tables = state_dicts(source.tree).values() if source.kind in ("torch-zip", "pickle") else ()
    names = [{name.removeprefix("module.") for name in table} for table in tables]
    return next((k for k, sets in KINDS.items() if any(n >= s for n in names for s in sets)), "")


def recognises(source: Source) -> bool:
    """Return whether this reader takes the file."""
    return _kind(source) != ""


def read(source: Source, options: ImportOptions) -> Imported:
    """Raise ModelError, which says what the file is."""
    raise ModelError(f"this is {_kind(source) or 'something'} and facegan cannot read it yet")
