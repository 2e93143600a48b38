"""The interface of readers of other programs' model files.

A reader is a module with two functions and a row in ``FORMATS`` (:mod:`facegan.exchange.formats`):

    def recognises(source: Source) -> bool: ...
    def read(source: Source, options: ImportOptions) -> Imported | ImportedTranslator: ...

``recognises`` looks at :attr:`Source.kind` first, since ``source.tree`` and ``source.tensors`` read the file.
Both may raise FaceganError, whose text begins with neither the file's name nor a capital letter: the caller
puts the name before it. No reader may run, import or write anything that a file names.
"""

from __future__ import annotations

import functools
import math
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facegan.errors import InputError, ModelError
from facegan.pickles.torch_files import read_torch
from facegan.settings import setting
from facegan.tensor_files import foreign_kind

if TYPE_CHECKING:
    from torch import Tensor

    from facegan.prior import Latent

MAX_MEMBERS = 100_000
HEAD = 4096


@dataclass(frozen=True)
class ImportOptions:
    """What a file does not say about its network, and which of its networks to take. Most files need none."""

    network: str = ""
    """The network to take if the file has several; messages list their names."""
    latent: int = setting(0, minimum=0)
    """The length of the latent vector, if the weights leave it open; 0 reads it from them."""
    prior: str = setting("", choices=("normal", "uniform", "sphere", "truncated"))
    """The distribution of latent vectors; '' is the one usual for the format, else normal."""
    layers: str = ""
    """The layers of a plain chain, in the notation of the messages; '' deduces them from the shapes."""
    activation: str = setting("", choices=("relu", "lrelu", "elu", "selu", "gelu", "swish", "tanh"))
    """The activation between layers, if the file names none; '' is relu."""
    output_range: str = setting("", choices=("tanh", "-1..1", "sigmoid", "0..1", "0..255"))
    """The output of the last layer: tanh or sigmoid is applied to it, a range is as it is. '' is tanh, unless
    the file says otherwise."""
    multiplier: float = setting(0.0, minimum=0)
    """stylegan2-pytorch only: the learning rate factor of its mapping network (lr_mlp); 0 is 0.1."""
    config: str = ""
    """The JSON file of model.to_json(), for Keras's .weights.h5 files, which hold no network."""
    size: int = setting(0, minimum=0, maximum=4096)
    """The side of a translator's pictures in px, which its file does not say; 0 is what its authors use."""
    licence: str = ""
    """The licence of the model, kept in the new file."""

    def prior_of(self, dim: int, usual: str = "normal") -> Latent:
        """Return the prior of latents of ``dim`` numbers; uniform ones lie between -1 and 1."""
        from facegan.prior import Latent

        kind = self.prior or usual
        return Latent(kind, dim, std=1 / math.sqrt(3) if kind == "uniform" else 1.0)


@dataclass
class Imported:
    """A generator as a reader found it: the parts of a :class:`facegan.generator.Generator`, and remarks."""

    family: str
    """A row of FAMILIES."""
    config: Any
    """An instance of that family's ``config``."""
    state: dict[str, Tensor]
    """The state of the network that ``build_generator`` makes of the configuration, complete."""
    image_shape: tuple[int, int, int]
    """(C, H, W)."""
    latent: Latent
    labels: tuple[str, ...] = ()
    """A name for each number of the labels, ``label=0`` for class 0 among several."""
    label_rows: dict[str, Any] = field(default_factory=dict)
    """``rows`` and ``counts`` of the labels that pictures are drawn with; {} is one row of zeros."""
    taken: list[str] = field(default_factory=list)
    """What was taken, in words: ``netG_state_dict: 13 tensors``."""
    left_out: list[str] = field(default_factory=list)
    """What was left out, in words, each with its reason."""
    notes: list[str] = field(default_factory=list)
    """What was assumed, and by which option it can be set."""
    licence: str = ""
    networks: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    """States of further networks, to train on with: ``discriminator``, and ``generator`` before averaging."""


@dataclass
class ImportedTranslator:
    """A translator of one direction, as a reader found it, and remarks like those of :class:`Imported`."""

    family: str
    """A row of TRANSLATORS."""
    config: Any
    """An instance of that family's ``config``."""
    state: dict[str, Tensor]
    """The state of the network that ``build_translator`` makes of the configuration, complete."""
    image_shape: tuple[int, int, int]
    """(C, H, W)."""
    taken: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    licence: str = ""


class Source:
    """One file that is to be read. Nothing else is opened.

    Attributes:
        path: the file.
        size: its bytes.
        head: its first bytes.
        kind: ``torch-zip`` (torch 1.6 and later), ``zip`` (any other, such as ``.keras``), ``pickle`` (also
            what older torch wrote), ``hdf5``, ``safetensors``, ``tar``, or "" where the first bytes do not
            tell, as of ONNX.
        names: the members of a zip.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise InputError(f"{path}: there is no such file")
        if not self.path.is_file():
            raise InputError(f"{path}: this is no file")
        try:
            with open(self.path, "rb") as handle:
                self.head = handle.read(HEAD)
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
        self.size = self.path.stat().st_size
        self.names: tuple[str, ...] = ()
        self.kind = self._kind()
        self._tree: tuple[Any, ModelError | None] | None = None

    def _kind(self) -> str:
        head = self.head
        if head[:4] == b"PK\x03\x04":
            return self._zip_kind()
        if head[:4] == b"\x89HDF":
            return "hdf5"
        if head[:1] == b"\x80" and head[1:2] <= b"\x05":
            return "pickle"
        length = int.from_bytes(head[:8], "little")
        if head[8:9] == b"{" and 2 <= length <= self.size - 8:
            return "safetensors"
        return "tar" if head[257:262] == b"ustar" else ""

    def _zip_kind(self) -> str:
        try:
            with zipfile.ZipFile(self.path) as archive:
                self.names = tuple(archive.namelist())
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise ModelError(f"{self.path}: a damaged zip archive ({error})") from None
        if len(self.names) > MAX_MEMBERS:
            raise ModelError(
                f"{self.path}: an archive of {len(self.names):,} members; a model has at most {MAX_MEMBERS:,}"
            )
        torch_made = any(name.rpartition("/")[2] == "data.pkl" for name in self.names)
        return "torch-zip" if torch_made else "zip"

    def seems(self) -> str:
        """Return what the file is, for the message of one that no reader takes."""
        return foreign_kind(self.path) or "a file of an unknown kind"

    @property
    def tree(self) -> Any:
        """What PyTorch or pickle has saved, as plain containers with inert stand-ins; see facegan.pickles."""
        if self._tree is None:  # read once, also if it is damaged, since every reader asks
            try:
                self._tree = (read_torch(self.path), None)
            except ModelError as error:
                self._tree = (None, error)
        found, damage = self._tree
        if damage is not None:
            raise damage
        return found

    @functools.cached_property
    def tensors(self) -> dict[str, Tensor]:
        """The tensors of a ``.safetensors`` file by name; the file keeps no order of its own."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(self.path), framework="pt") as handle:
                return {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"not a readable .safetensors file ({str(error).splitlines()[0][:120]})"
            ) from None
