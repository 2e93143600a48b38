"""Reads the generators of pix2pix and CycleGAN as the authors' PyTorch code stores them (``*_net_G*.pth``).

The U-Net is nested: ``model.model.1.model.3...``, each level a convolution down, the next level, and a
transposed convolution up. The residual network is a plain sequence, ``model.1`` to ``model.26``. Both are
recognised by names and shapes; nothing else is in the files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from facegan.errors import InputError, ModelError
from facegan.exchange.base import ImportedTranslator, ImportOptions, Source
from facegan.families.pix2pix.config import Config, GeneratorConfig
from facegan.pickles.objects import StoredTensor
from facegan.pickles.tables import state_dicts

if TYPE_CHECKING:
    from torch import Tensor

Table = Mapping[str, StoredTensor]
UNET = {"model.model.0.weight", "model.model.1.model.1.weight", "model.model.3.weight"}
RESNET = {"model.1.weight", "model.4.weight", "model.7.weight", "model.10.conv_block.1.weight"}
MAX_LEVELS = 12
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def _tables(source: Source) -> list[Table]:
    found = state_dicts(source.tree).values() if source.kind in ("torch-zip", "pickle") else ()
    return [{re.sub(r"^(module\.)+", "", name): value for name, value in table.items()} for table in found]


def recognises(source: Source) -> bool:
    """Return whether this reader takes the file."""
    return any(table.keys() >= UNET or table.keys() >= RESNET for table in _tables(source))


def read(source: Source, options: ImportOptions) -> ImportedTranslator:
    """Return the generator; ModelError says what cannot be understood."""
    table = next((t for t in _tables(source) if t.keys() >= UNET or t.keys() >= RESNET), None)
    if table is None:
        raise ModelError("this holds neither a U-Net of pix2pix nor a residual network of CycleGAN")
    reader = _Reader(table)
    unet = table.keys() >= UNET
    config, state, usual = (reader.unet if unet else reader.resnet)()
    if left := sorted(table.keys() - reader.seen):
        raise ModelError(f"it has a tensor '{left[0]}' that these networks do not have")
    channels, out = reader.ends
    if channels != out or channels not in (1, 3):
        raise ModelError(
            f"it makes pictures of {out} channels from {channels}; facegan's translators keep 1 or 3 channels"
        )
    side = options.size or usual
    factor = 2 ** len(config.widths) if unet else 4
    if side % factor:
        raise InputError(f"--size {side}: this network needs sides that are multiples of {factor} px")
    what = f"a U-Net of {len(config.widths)} levels" if unet else f"a ResNet of {config.blocks} blocks"
    notes = [] if options.size else [f"the size of its pictures is not in the file: {usual} px (--size)"]
    if config.norm == "batch":
        notes.append(
            "each picture is normalised by its own statistics, as the authors' test.py does without --eval"
        )
    if unet:
        notes.append("dropout, which the authors' test.py leaves on as noise, is off")
    numbers = sum(tensor.numel() for tensor in state.values())
    return ImportedTranslator(
        "pix2pix",
        Config(config),
        state,
        (channels, side, side),
        taken=[f"{what}, norm {config.norm}: {numbers:,} numbers"],
        left_out=[f"{reader.dropped} statistics that nothing uses"] if reader.dropped else [],
        notes=notes,
        licence=options.licence,
    )


class _Reader:
    """Takes tensors of a table by the names of modules; ``seen`` are the names that were taken."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.seen = {name for name in table if name.rpartition(".")[2] in _STATISTICS}
        self.dropped = len(self.seen)
        self.state: dict[str, Tensor] = {}
        self.ends = (0, 0)

    def has(self, name: str) -> bool:
        return f"{name}.weight" in self.table

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a convolution's weight."""
        found = self.table.get(f"{name}.weight")
        if found is None or len(found.shape) != 4:
            raise ModelError(f"'{name}.weight' is no convolution")
        return tuple(found.shape)

    def take(self, theirs: str, ours: str) -> None:
        """Take a module's tensors, if it has any."""
        for key in ("weight", "bias"):
            if (name := f"{theirs}.{key}") in self.table:
                self.state[f"{ours}.{key}"] = self.table[name].read().float()
                self.seen.add(name)

    def norm(self, norm: str, conv: str) -> str:
        """Return the kind of the norm behind a convolution: only instance norm's convolution has a bias."""
        if self.has(norm):
            return "batch"
        return "instance" if f"{conv}.bias" in self.table else "none"

    # --- U-Net --------------------------------------------------------------------------------------------

    def unet(self) -> tuple[GeneratorConfig, dict[str, Tensor], int]:
        """Return settings, state and the smallest side of the pictures."""
        places, place = ["model"], "model.model.1"
        while self.has(f"{place}.model.1") and len(places) < MAX_LEVELS:
            places.append(place)
            place += ".model.3"
        last = len(places) - 1
        if last < 2:
            raise ModelError(f"a U-Net of {last + 1} levels")
        widths = [self.shape("model.model.0")[0]]
        widths += [self.shape(f"{place}.model.1")[0] for place in places[1:]]
        self.ends = (self.shape("model.model.0")[1], self.shape("model.model.3")[1])
        norm = self.norm(f"{places[1]}.model.2", f"{places[1]}.model.1")
        layout = GeneratorConfig(layout="unet", widths=tuple(widths), norm=norm, dropout=0.0)
        self.take("model.model.0", "downs.0.0")
        self.take("model.model.3", "out.1")
        for i, inner in enumerate(places[1:], 1):
            self.take(f"{inner}.model.1", f"downs.{i}.1")
            # The innermost level has nothing between its convolutions, and no norm in front.
            up = 3 if i == last else 5
            if i < last:
                self.take(f"{inner}.model.2", f"downs.{i}.2")
            self.take(f"{inner}.model.{up}", f"ups.{last - i}.1")
            self.take(f"{inner}.model.{up + 1}", f"ups.{last - i}.2")
        return layout, self.state, 2 ** len(widths)

    # --- residual network ----------------------------------------------------------------------------------

    def resnet(self) -> tuple[GeneratorConfig, dict[str, Tensor], int]:
        """Return settings, state and the usual side of the pictures."""
        blocks = 0
        while self.has(f"model.{10 + blocks}.conv_block.1"):
            blocks += 1
        widths = tuple(self.shape(f"model.{i}")[0] for i in (1, 4, 7))
        norm = self.norm("model.2", "model.1")
        if norm == "none":
            raise ModelError("a residual network without norms, whose layers have other numbers")
        end = 10 + blocks
        self.ends = (self.shape("model.1")[1], self.shape(f"model.{end + 7}")[0])
        layout = GeneratorConfig(layout="resnet", widths=widths, blocks=blocks, norm=norm, dropout=0.0)
        for i in (1, 2, 4, 5, 7, 8, *(end + j for j in (0, 1, 3, 4, 7))):
            self.take(f"model.{i}", f"layers.{i}")
        for i in range(10, end):
            second = 5 if self.has(f"model.{i}.conv_block.5") else 6  # dropout stands before it
            for theirs, ours in {1: 1, 2: 2, second: 5, second + 1: 6}.items():
                self.take(f"model.{i}.conv_block.{theirs}", f"layers.{i}.layers.{ours}")
        return layout, self.state, 256
