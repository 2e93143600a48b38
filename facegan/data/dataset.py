"""A prepared dataset: Parquet shards that other tools read, a memory map, and labels to train with.

See docs/conventions.md for the layout. Nothing here imports torch.
"""

from __future__ import annotations

import itertools
import json
import math
import shutil
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from facegan import arguments
from facegan.caches import Cache, tell
from facegan.data.filters import CLASS_ATTRIBUTE, CLASS_WORDS, class_label, plain
from facegan.data.folders import split_named
from facegan.data.png import decode
from facegan.data.shards import PLACES
from facegan.errors import ConfigError, DatasetError, first_line
from facegan.machine import amount, free_memory

FORMAT = 1
# Pictures without a memory map, while somebody holds them: all datasets of one content share them.
_IN_MEMORY: weakref.WeakValueDictionary[tuple[Any, ...], np.ndarray] = weakref.WeakValueDictionary()


class Dataset:
    """A folder written by ``facegan prepare``; DatasetError in one line if it is missing or damaged."""

    def __init__(self, path: str | Path) -> None:
        self.path = arguments.place(path, "a dataset")
        self._held: dict[tuple[Any, ...], np.ndarray] = {}
        file = self.path / "dataset.json"
        if not file.is_file():
            raise DatasetError(f"{self.path}: not a prepared dataset ({_what_lies_at(self.path)})")
        try:
            self.info: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            if self.info["format"] != FORMAT:
                other = self.info["format"]
                raise DatasetError(f"{file}: format {other} is not {FORMAT}; is facegan up to date?")
            self.size: tuple[int, int] = (int(self.info["size"][0]), int(self.info["size"][1]))
            self.channels = int(self.info["channels"])
            self.content_hash = str(self.info["content_hash"])
            self.attribute_names: tuple[str, ...] = tuple(self.info["attribute_names"])
            classes = self.info.get("class_names", {}).items()
            self.class_names: dict[str, list[str]] = {name: list(map(str, names)) for name, names in classes}
            self.counts: dict[str, int] = {k: int(v) for k, v in self.info["counts"].items()}
            self.crop: dict[str, Any] = dict(self.info["crop"])
            self.has_inputs = bool(self.info.get("has_inputs", False))
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise DatasetError(f"{file}: damaged ({type(error).__name__}: {error}); prepare again") from None

    def __repr__(self) -> str:
        h, w = self.size
        counts = ", ".join(f"{n:,} {split}" for split, n in self.counts.items())
        known = f", {len(self.attribute_names)} attributes" if self.attribute_names else ""
        kind = ("grey" if self.channels == 1 else "colour") + " pairs" * self.has_inputs
        return f"<Dataset {self.path}: {w}x{h} {kind} ({counts}){known}, hash {self.content_hash[:12]}>"

    def _repr_html_(self) -> str:
        import base64

        from facegan.sheets import table_html

        rows: list[tuple[str, ...]] = [(split, f"{n:,} pictures") for split, n in self.counts.items()]
        rows += [("attributes", ", ".join(self.attribute_names))] if self.attribute_names else []
        preview, picture = self.path / "preview.jpg", ""
        with suppress(OSError):
            picture = f"data:image/jpeg;base64,{base64.b64encode(preview.read_bytes()).decode()}"
        return table_html(repr(self)[1:-1], rows, picture)

    @classmethod
    def open(cls, path: str | Path) -> Dataset:
        return cls(path)

    def shards(self, split: str = "train") -> list[Path]:
        """Return the split's Parquet files in order; DatasetError for a split that is not there."""
        return sorted((self.path / "data").glob(f"{self.split(split)}-*.parquet"))

    def split(self, name: str) -> str:
        """Return a split by its name here (``validation`` is ``val``); DatasetError if there is none."""
        text = name if isinstance(name, str) else ""
        found = text if text in self.counts else split_named([text])
        if found not in self.counts:
            known = ", ".join(self.counts)
            raise DatasetError(f"{self.path}: there is no split '{name}' (there are: {known})")
        return found

    def rows(self, split: str = "train", columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
        """Yield rows in order; ``box`` and ``landmarks`` are None where the shards lack them."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        absent = {name: None for name in PLACES if columns is None or name in columns}
        for shard in self.shards(split):
            try:
                with pq.ParquetFile(shard) as file:
                    for batch in file.iter_batches(256, columns=columns):
                        yield from ({**absent, **row} for row in batch.to_pylist())
            except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
                raise DatasetError(f"{shard}: damaged ({first_line(error)}); prepare again") from None

    def images(self, split: str = "train") -> np.ndarray:
        """Read-only uint8 ``N,H,W,C``: a memory map, decoded once and kept by :mod:`facegan.caches`.

        Where no folder takes it, the pictures are decoded into memory, once in each process; DatasetError if
        they do not fit.
        """
        return self._pictures(split, "image")

    def inputs(self, split: str = "train") -> np.ndarray:
        """Return the inputs of pairs, whose targets are ``images``, in the same way and order.

        DatasetError if the dataset has no pairs (``has_inputs``).
        """
        self.check_inputs()
        return self._pictures(split, "input")

    def check_inputs(self) -> None:
        """Raise DatasetError if the dataset has no pairs."""
        if not self.has_inputs:
            way = "'facegan prepare --pairs' and 'facegan pairs' make datasets of pairs"
            raise DatasetError(f"{self.path}: its pictures have no inputs; {way}")

    def _pictures(self, split: str, column: str) -> np.ndarray:
        split = self.split(split)
        shape = self._shape(split)
        if (found := self._mapped(split, column)) is not None:
            return found
        key = (self.content_hash, split, column, shape)
        if key not in self._held and (held := _IN_MEMORY.get(key)) is not None:
            self._held[key] = held
        if key not in self._held:
            name, size = _map_name(split, column), math.prod(shape)
            file = self.cache.keep(name, lambda f: self._decode(f, split, column), size)
            if file is not None:
                return np.load(file, mmap_mode="r")
            _IN_MEMORY[key] = self._held[key] = self._into_memory(split, column)
        return self._held[key]

    def peek(self, count: int, split: str = "train", column: str = "image") -> np.ndarray:
        """Return the split's pictures uint8 ``N,H,W,C``: the first ``count`` if no memory map is there.

        ``column`` is ``image``, or ``input`` of a dataset of pairs.
        """
        split = self.split(split)
        if (found := self._mapped(split, column)) is not None:
            return found
        rows = itertools.islice(self.rows(split, [column]), count)
        return np.stack([self.picture(row, split, column) for row in rows])

    def batches(self, split: str = "train", size: int = 256, column: str = "image") -> Iterator[np.ndarray]:
        """Yield the split's pictures in order, uint8 ``n,H,W,C`` at a time, without a memory map."""
        rows = self.rows(split, [column])
        while part := [self.picture(row, split, column) for row in itertools.islice(rows, size)]:
            yield np.stack(part)

    @property
    def cache(self) -> Cache:
        """The cache of everything that is computed from this dataset's content."""
        return Cache(f"datasets/{self.content_hash}", self.path / ".cache" / self.content_hash)

    def _shape(self, split: str) -> tuple[int, int, int, int]:
        return (self.counts[split], *self.size, self.channels)

    def _mapped(self, split: str, column: str = "image") -> np.ndarray | None:
        """Return the memory map, if one is there."""
        for file in self.cache.files(_map_name(split, column)):
            if _is_map(file, self._shape(split)):
                return np.load(file, mmap_mode="r")
        return None

    def _decode(self, handle: IO[bytes], split: str, column: str) -> None:
        """Write the pictures as an .npy file."""
        own = self.path / ".cache"
        with suppress(OSError):  # maps of earlier contents are of no use
            for old in own.iterdir():
                if old.is_dir() and old.name != self.content_hash:
                    shutil.rmtree(old, ignore_errors=True)
        header = {"descr": "|u1", "fortran_order": False, "shape": self._shape(split)}
        np.lib.format.write_array_header_1_0(handle, header)
        for picture in self._every(split, column):
            handle.write(picture.tobytes())

    def _into_memory(self, split: str, column: str) -> np.ndarray:
        shape = self._shape(split)
        need, free = math.prod(shape), free_memory()
        text = f"{self.path}: the {shape[0]} pictures of '{split}' take {amount(need)} of memory"
        try:
            if free is not None and need > free:
                raise MemoryError
            images = np.empty(shape, np.uint8)
        except MemoryError:
            known = f", {amount(free)} are free" if free is not None else ""
            help_ = "no folder takes them as a file: set FACEGAN_CACHE to one with room"
            raise DatasetError(f"{text}{known}, and {help_}") from None
        tell(f"{text} in each process")
        for i, picture in enumerate(self._every(split, column)):
            images[i] = picture
        images.flags.writeable = False
        return images

    def _every(self, split: str, column: str) -> Iterator[np.ndarray]:
        """Yield all pictures of a split; DatasetError where they are fewer than dataset.json says."""
        index, count = 0, self.counts[split]
        for index, row in enumerate(self.rows(split, [column]) if self.shards(split) else (), 1):
            if index > count:
                break
            yield self.picture(row, split, column)
        if index != count:
            raise DatasetError(f"{self.path}: split '{split}' has {index} of {count} pictures; prepare again")

    def picture(self, row: dict[str, Any], split: str, column: str = "image") -> np.ndarray:
        """Return the picture of one of the ``rows`` as uint8 ``H,W,C``; DatasetError where it is damaged."""
        try:
            return decode(row[column]["bytes"], self.channels).reshape(*self.size, self.channels)
        except Exception as error:  # whatever a decoder makes of damaged bytes
            why = f"a picture of split '{split}' cannot be decoded ({first_line(error)})"
            raise DatasetError(f"{self.path}: {why}") from None

    def attributes(self, split: str = "train") -> np.ndarray:
        """Return int32 ``N,K`` in the order of ``attribute_names``: 1 yes, 0 no (or a class), -1 unknown.

        Where classes have names, ``class_names`` of the attribute holds those of the classes 0, 1, ...
        """
        names, split = self.attribute_names, self.split(split)
        table = np.full((self.counts[split], len(names)), -1, np.int32)
        if names:
            for i, row in enumerate(self._whole(split, "attributes")):
                values = row["attributes"] or {}
                table[i] = [-1 if values.get(name) is None else values[name] for name in names]
        return table

    def undescribed(self) -> int:
        """Return the number of pictures, in all splits, of which no attribute is known."""
        return sum(int((self.attributes(split) == -1).all(1).sum()) for split in self.counts)

    def sources(self, split: str = "train") -> list[str]:
        """Return where each picture came from."""
        return [row["source"] for row in self._whole(split, "source")]

    def _whole(self, split: str, column: str) -> list[dict[str, Any]]:
        """Return a column's rows, as many as dataset.json says."""
        split = self.split(split)
        rows = list(self.rows(split, [column]))
        if len(rows) != self.counts[split] or any(column not in row for row in rows[:1]):
            found = f"{len(rows)} of {self.counts[split]} rows of '{column}'"
            raise DatasetError(f"{self.path}: split '{split}' has {found}; prepare again")
        return rows


def _what_lies_at(path: Path) -> str:
    """Return what there is in the place of a dataset, and how to come to one."""
    if not path.exists():
        return "there is no such folder"
    if (path / "config.json").is_file() and (path / "models").is_dir():
        return "this is a run of 'facegan train'"
    if path.suffix == ".safetensors":
        return "this is a model's file"
    return f"make one with 'facegan prepare {path} --out DATASET'"


def _map_name(split: str, column: str) -> str:
    """Return the name of a memory map in the cache."""
    return f"{split}.npy" if column == "image" else f"{split}-{column}s.npy"


def _is_map(file: Path, shape: tuple[int, ...]) -> bool:
    try:
        found = np.load(file, mmap_mode="r" if 0 not in shape else None)
        return bool(found.shape == shape and found.dtype == np.uint8)
    except Exception:  # of an absent file, an empty one, or one of any other kind
        return False


MAX_CLASSES = 1000
MAX_ROWS = 1024  # combinations of labels that a model remembers


def conditions(
    data: Dataset, names: Sequence[str], split: str = "train"
) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the channels' names, and float32 ``N,L`` for every picture of the split.

    ConfigError names an attribute that is unknown, always the same, or missing from some pictures.
    """
    known = {plain(name): i for i, name in enumerate(data.attribute_names)}
    table = data.attributes(split)
    labels: list[str] = []
    columns: list[np.ndarray] = []
    for text in names:
        for name in filter(None, text.replace(",", " ").split()):
            found, channels = _channels(data, name, known, table=table)
            labels += found
            columns += channels
    if not labels:
        raise ConfigError("--condition names no attribute; write for example --condition smiling,male")
    if len(set(labels)) != len(labels):
        raise ConfigError(f"--condition {' '.join(names)}: an attribute is named twice")
    return tuple(labels), np.stack(columns, 1).astype(np.float32)


def _channels(
    data: Dataset, name: str, known: dict[str, int], *, table: np.ndarray
) -> tuple[list[str], list[np.ndarray]]:
    if plain(name) not in known and plain(name) in CLASS_WORDS and CLASS_ATTRIBUTE in known:
        name = CLASS_ATTRIBUTE
    if plain(name) not in known:
        import difflib

        near = difflib.get_close_matches(plain(name), known, n=1)
        there = ", ".join(data.attribute_names[:12]) or "none"
        hint = f"did you mean '{data.attribute_names[known[near[0]]]}'?" if near else f"there are: {there}"
        raise ConfigError(f"--condition: {data.path} has no attribute '{name}'; {hint}")
    index = known[plain(name)]
    column, spelled = table[:, index], data.attribute_names[index]
    values = np.unique(column)
    if values[0] == -1:
        missing = int((column == -1).sum())
        raise ConfigError(
            f"--condition {spelled}: {missing} of {len(column)} pictures do not say; "
            f"'facegan label {data.path} --out DATASET' fills them in"
        )
    called = data.class_names.get(spelled, ())
    named = [class_label(name) for name in called]
    classes = [named[v] if 0 <= v < len(named) else str(v) for v in values]
    if len(values) < 2:
        raise ConfigError(f"--condition {spelled}: it is {classes[0]} in all pictures of {data.path}")
    if set(values.tolist()) == {0, 1} and not called:
        return [spelled], [column]
    if len(values) > MAX_CLASSES:
        raise ConfigError(f"--condition {spelled}: {len(values)} values are too many for classes")
    if len({plain(name) for name in classes}) < len(classes):  # "East Asian" and "east_asian"
        classes = [str(value) for value in values]
    return [f"{spelled}={name}" for name in classes], [column == value for value in values]


def label_metadata(labels: Sequence[str], table: np.ndarray | None) -> dict[str, Any]:
    """Return labels, and how often training pictures have which together, for a model's header."""
    if table is None:
        return {}
    rows, counts = np.unique(table, axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MAX_ROWS]
    return {
        "labels": list(labels),
        "label_rows": {"rows": rows[order].astype(int).tolist(), "counts": counts[order].tolist()},
    }
