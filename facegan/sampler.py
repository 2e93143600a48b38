"""Draw pictures with ONNX Runtime, without PyTorch: what commands use that only sample.

A sampler is quick to load and quick on CPUs. One rule decides which model has one: a file with an
unconditional generator, whose prior is normal and whose family writes a graph (``Family.sampling_graph``).
All others are drawn by :class:`facegan.generator.Generator`, which has the same methods, in PyTorch
(:func:`facegan.models.as_sampler`).
"""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar

import numpy as np

from facegan import arguments
from facegan.errors import InputError, ModelError
from facegan.families import FAMILIES, get_family
from facegan.families.base import Family
from facegan.families.sampling import SamplingGraph
from facegan.images import to_uint8
from facegan.machine import cores
from facegan.model_hash import as_part, checked_hash
from facegan.model_header import FORMAT, KEY, OTHER_HASH, from_dict, read_header, without_hash
from facegan.prior import Latent
from facegan.tensor_files import read_arrays

if TYPE_CHECKING:
    from facegan.conditions import Conditions

_STORED = ("float16", "float32", "int64")
_Rows = TypeVar("_Rows", bound=Any)
_Sampler = TypeVar("_Sampler", bound="Sampler")


class Sampler(Protocol):
    """What a generator and a sampler have in common: pictures of seeds and of vectors, in NumPy.

    Vectors are z ``N,dim`` or w ``N,num_ws,w_dim``.
    """

    latent: Latent
    meta: dict[str, Any]
    image_shape: tuple[int, int, int]
    labels: tuple[str, ...]
    conditions: Conditions | None
    varied: dict[int, float] | None
    num_ws: int
    w_dim: int
    bundled: str

    @property
    def hash(self) -> str:
        """The hash of metadata and weights."""

    @property
    def truncates(self) -> bool:
        """Whether truncation to values other than 0 changes pictures."""

    def latents(self, seeds: arguments.Seeds) -> np.ndarray:
        """Return float32 ``N,dim``: the latent of each seed."""

    def to_w(self, z: Any, truncation: float = 1.0, labels: Any = None) -> np.ndarray:
        """Return vectors as w, ``N,num_ws,w_dim``."""

    def labels_of(self, seeds: arguments.Seeds) -> Any:
        """Return labels ``N,L`` for the pictures of seeds, or None for an unconditional network."""

    def tell(self, wanted: Any) -> Any:
        """Return a copy with labels; raise InputError if it takes none."""

    def as_trained(self) -> Any:
        """Return the network with labels drawn like those of the training pictures, if it takes labels."""

    def spelled(self) -> str:
        """Return the labels that pictures get; "" if there are none."""

    def drawn(self, z: Any, truncation: float = 1.0) -> np.ndarray:
        """Return float32 ``N,C,H,W``, about from -1 to 1."""

    def stream(self, z: Any, truncation: float = 1.0, batch: int = 64) -> Iterator[np.ndarray]:
        """Yield batches of uint8 ``n,H,W,C`` for vectors or seeds in order."""

    def images(self, z: Any, truncation: float = 1.0, batch: int = 64) -> np.ndarray:
        """Return uint8 ``N,H,W,C`` for vectors or seeds."""

    def sample(self, seeds: int | arguments.Seeds, truncation: float = 1.0, batch: int = 64) -> np.ndarray:
        """Return the pictures of seeds as uint8 ``N,H,W,C``; a number N means seeds 0..N-1."""


def as_rows(found: _Rows, dim: int, w_shape: tuple[int, int], *, only_w: bool = False) -> _Rows:
    """Return an array or a tensor as latents ``N,dim`` or w ``N,num_ws,w_dim``, also that of one vector.

    Args:
        found: the numbers.
        dim: of a latent.
        w_shape: the model's (num_ws, w_dim).
        only_w: whether latents are refused, and one ``w_dim`` is the w of all layers.

    Raises:
        InputError: The shape does not fit; the message says which one does.
    """
    shape, (layers, wide) = tuple(found.shape), w_shape
    if shape[1:] == w_shape or (not only_w and shape[1:] == (dim,)):
        return found
    if shape == (w_shape if only_w else (dim,)):
        return found[None]
    if only_w and shape == (wide,):
        return found[None, None][:, [0] * layers]
    given = ",".join(map(str, shape)) or "one number"
    hint = " (seeds are for sample)" if len(shape) < 2 and not only_w else ""
    need = f"N,{layers},{wide}" + f" or N,{dim}" * (not only_w) + hint
    raise InputError(f"vectors of shape {given}: {needed(dim, w_shape, only_w=only_w)}: {need}")


def needed(dim: int, w_shape: tuple[int, int], *, only_w: bool = False) -> str:
    """Return what vectors a model takes, for messages."""
    one_w = f"w ({w_shape[0]} layers of {w_shape[1]} numbers)"
    return f"this model takes {one_w}" if only_w else f"this model takes z ({dim} numbers) or {one_w}"


def check_truncation(truncation: float, network: _Sampler) -> _Sampler:
    """Return the network; raise InputError if this truncation has no effect on it."""
    if not (math.isfinite(truncation) and 0 <= truncation <= 10):
        raise InputError(f"--truncation must be from 0 (the average face) to 10, not {truncation:g}")
    if truncation not in (0, 1) and not network.truncates:
        raise InputError(
            f"--truncation {truncation:g} changes nothing: this model sees a vector's direction, not its "
            "length. Leave it out; more typical faces come from words, such as 'facegan arithmetic "
            '"smiling woman"\''
        )
    return network


class OnnxSampler:
    """An unconditional generator as a graph that ONNX Runtime draws on CPUs; the methods are Sampler's.

    Seed N is the same picture in any batch, to the bit, and to one level that of PyTorch.
    """

    def __init__(self, graph: SamplingGraph, meta: dict[str, Any], digest: str, *, file: Path) -> None:
        self.meta, self.file, self.hash = meta, file, digest
        self.latent = Latent(**meta["latent"])
        channels, height, width = meta["image_shape"]
        self.image_shape: tuple[int, int, int] = (channels, height, width)
        self.labels: tuple[str, ...] = ()
        self.conditions: Conditions | None = None
        self.varied: dict[int, float] | None = None
        self.num_ws, self.w_dim, self._ignores_length = graph.num_ws, graph.w_dim, graph.ignores_length
        self.bundled = ""
        self._session = _session(graph.content)

    def __repr__(self) -> str:
        c, h, w = self.image_shape
        name = self.bundled or self.meta.get("provenance", {}).get("recipe") or self.meta["family"]
        kind = "grey" if c == 1 else "colour"
        dim = self.latent.dim
        return f"<OnnxSampler {name}: {w}x{h} {kind}, {dim} latent dimensions, hash {self.hash[:12]}>"

    @property
    def truncates(self) -> bool:
        """Whether truncation to values other than 0 changes pictures."""
        return not self._ignores_length or self.latent.mean != 0

    def latents(self, seeds: arguments.Seeds) -> np.ndarray:
        """Return float32 ``N,dim``: the latent of each seed."""
        return self.latent.draw(seeds)

    def to_w(self, z: Any, truncation: float = 1.0, labels: Any = None) -> np.ndarray:
        """Return vectors as w, ``N,num_ws,w_dim``; truncation moves it towards the prior's mean."""
        if labels is not None:
            raise InputError("labels: this model takes none")
        truncation, shape = arguments.real(truncation, "truncation"), (self.num_ws, self.w_dim)
        need = needed(self.latent.dim, shape)
        w = as_rows(arguments.array(z, "vectors", need).astype(np.float32), self.latent.dim, shape)
        w = w[:, None].repeat(self.num_ws, 1) if w.ndim == 2 else w
        mean = np.float32(self.latent.mean)
        return w if truncation == 1.0 else mean + (w - mean) * np.float32(truncation)

    def labels_of(self, seeds: arguments.Seeds) -> None:
        """Return None: it is unconditional."""

    def as_trained(self) -> OnnxSampler:
        """Return itself: it is unconditional."""
        return self

    def spelled(self) -> str:
        """Return "": it is unconditional."""
        return ""

    def tell(self, wanted: Any) -> NoReturn:
        """Raise InputError: it takes no labels."""
        raise InputError(f"--labels {wanted}: this model takes none")

    def drawn(self, z: Any, truncation: float = 1.0) -> np.ndarray:
        """Return float32 ``N,C,H,W`` from -1 to 1 of vectors."""
        w = self.to_w(z, truncation)
        if not len(w):
            return np.empty((0, *self.image_shape), np.float32)
        found: np.ndarray = self._session.run(None, {"w": np.ascontiguousarray(w)})[0]
        return found

    def stream(self, z: Any, truncation: float = 1.0, batch: int = 64) -> Iterator[np.ndarray]:
        """Yield batches of uint8 ``n,H,W,C`` for vectors or seeds in order, in constant memory."""
        truncation, batch = arguments.real(truncation, "truncation"), arguments.whole(batch, "batch", 1)
        given: Sequence[int] | np.ndarray = arguments.seeds(z) if arguments.are_seeds(z) else self.to_w(z)
        return self._streamed(given, truncation, batch)

    def _streamed(
        self, given: Sequence[int] | np.ndarray, truncation: float, batch: int
    ) -> Iterator[np.ndarray]:
        for start in range(0, len(given), batch):
            part = given[start : start + batch]
            vectors = part if isinstance(part, np.ndarray) else self.latents(part)
            yield to_uint8(self.drawn(vectors, truncation))

    def images(self, z: Any, truncation: float = 1.0, batch: int = 64) -> np.ndarray:
        """Return uint8 ``N,H,W,C`` for vectors or seeds; whole numbers in one dimension are seeds."""
        c, h, w = self.image_shape
        parts = list(self.stream(z, truncation, batch))
        return np.concatenate(parts) if parts else np.empty((0, h, w, c), np.uint8)

    def sample(self, seeds: int | arguments.Seeds, truncation: float = 1.0, batch: int = 64) -> np.ndarray:
        """Return the pictures of seeds as uint8 ``N,H,W,C``; a number N means seeds 0..N-1."""
        return self.images(arguments.counted_seeds(seeds), truncation, batch)

    @classmethod
    def load(cls, path: str | Path) -> OnnxSampler | None:
        """Return the sampler of a model file; None if it has none, or without ONNX Runtime.

        Raises:
            ModelError: The file is damaged.
        """
        head = read_header(path)
        latent = head.get("latent")
        plain = isinstance(latent, dict) and latent.get("kind", "normal") == "normal"
        if not plain or head.get("labels") or head.get("kind") or str(head.get("family")) not in FAMILIES:
            return None
        family = get_family(head["family"])
        if type(family).sampling_graph is Family.sampling_graph:  # it writes none
            return None
        if importlib.util.find_spec("onnxruntime") is None:
            return None
        with read_arrays(path, KEY, FORMAT, what="facegan model", absent="model file") as (meta, arrays):
            if any(str(array.dtype) not in _STORED for array in arrays.values()):
                return None
            parts = [as_part(name, array) for name, array in sorted(arrays.items())]
            if not (digest := checked_hash(meta, lambda: parts)):
                raise ModelError(OTHER_HASH)
            settings = from_dict(family.config, meta["config"]).generator
            dim = Latent(**meta["latent"]).dim
            graph = family.sampling_graph(settings, meta["image_shape"], dim, arrays=arrays)
            return None if graph is None else cls(graph, without_hash(meta), digest, file=Path(path))
        raise AssertionError  # the block above returns or raises


def _session(content: bytes) -> Any:
    """Return what runs a graph, on as many threads as PyTorch takes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    given = os.environ.get("OMP_NUM_THREADS", "")
    options.intra_op_num_threads = int(given) if given.isdecimal() and int(given) else cores()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors alone
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
