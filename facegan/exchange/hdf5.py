"""Reading HDF5 files as data: hard links to plain numbers and texts of this one file, and nothing else.

HDF5 can name other files (external links, external storage, virtual datasets), load filters as libraries, and
declare arrays that are not there. Each of these is refused before HDF5 follows it, and an array is read only
if it has the shape that the caller expects, and as many bytes in the file.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from facegan.errors import InputError, ModelError, first_line

if TYPE_CHECKING:
    from torch import Tensor

MAX_NAMES = 20_000  # of groups and datasets
MAX_DEPTH = 16
MAX_ATTRIBUTE = 32 * 2**20  # bytes


@contextmanager
def _told() -> Iterator[None]:
    """Turn all that h5py raises of damaged files into ModelError."""
    try:
        yield
    except MemoryError:
        raise ModelError("it needs more memory than there is") from None
    except (
        OSError,
        RuntimeError,
        LookupError,
        ValueError,
        TypeError,
        AttributeError,
        OverflowError,
    ) as error:
        raise ModelError(f"a damaged HDF5 file ({first_line(error)})") from None


@contextmanager
def opened(handle: BinaryIO) -> Iterator[Group]:
    """Open an HDF5 file of which Python has opened, or holds, the content."""
    if importlib.util.find_spec("h5py") is None:
        raise InputError("Keras files need the package h5py: pip install 'facegan[exchange]'")
    import h5py

    with _told():
        file = h5py.File(handle, "r")
    try:
        yield Group(file, "")
    finally:
        file.close()


class Group:
    """A group of the file; ``place`` is its path, for messages."""

    def __init__(self, group: Any, place: str) -> None:
        self._group, self.place = group, place

    def _child(self, name: str) -> Any:
        """Return what a hard link leads to, step by step; None if there is nothing of this name."""
        import h5py

        found = self._group
        for part in name.split("/"):
            with _told():
                if not isinstance(found, h5py.Group) or not part or part == "." or part not in found.keys():  # noqa: SIM118
                    return None
                link = found.get(part, getlink=True)
                if isinstance(link, h5py.HardLink):
                    found = found.get(part)
                    continue
            kind = type(link).__name__.removesuffix("Link").lower() if link is not None else "other"
            raise ModelError(f"'{self.place}/{name}' is a link to elsewhere ({kind}), which is not followed")
        return found

    def group(self, name: str) -> Group | None:
        """Return the group of this name, a path of several with ``/``; None if there is none."""
        import h5py

        found = self._child(name)
        return Group(found, f"{self.place}/{name}") if isinstance(found, h5py.Group) else None

    def datasets(self) -> list[str]:
        """Return the paths of all datasets below, as far as hard links lead."""
        import h5py

        found: list[str] = []
        todo: list[tuple[str, Any]] = [("", self._group)]
        seen = 0
        with _told():
            while todo:
                place, group = todo.pop()
                for name in group:
                    seen += 1
                    if seen > MAX_NAMES or place.count("/") > MAX_DEPTH:
                        raise ModelError(f"'{self.place}' has more parts than a model")
                    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                        continue
                    kind = group.get(name, getclass=True)
                    if kind is h5py.Dataset:
                        found.append(f"{place}{name}")
                    elif kind is h5py.Group:
                        todo.append((f"{place}{name}/", group[name]))
        return found

    def has(self, name: str) -> bool:
        """Return whether there is an attribute of this name."""
        with _told():
            return name in self._group.attrs

    def text(self, name: str) -> str | None:
        """Return an attribute that is one text; None if there is none."""
        import h5py

        with _told():
            if name not in self._group.attrs:
                return None
            declared = self._group.attrs.get_id(name)
            is_text = h5py.check_string_dtype(declared.dtype) is not None
            if is_text and declared.shape == () and declared.dtype.itemsize <= MAX_ATTRIBUTE:
                value = self._group.attrs[name]
                return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        raise ModelError(f"its attribute '{name}' is no text")

    def numbers(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """Return a dataset in single precision.

        Args:
            name: its path from here.
            shape: the shape that it must have.

        Raises:
            ModelError: it is missing, has another shape, is not stored plainly in this file, or damaged.
        """
        import h5py
        import numpy as np
        import torch

        place = f"{self.place}/{name}".lstrip("/")
        found = self._child(name)
        if not isinstance(found, h5py.Dataset):
            raise ModelError(f"it has no weights '{place}'")
        with _told():
            stored = found.id.get_create_plist()
            elsewhere = stored.get_layout() == h5py.h5d.VIRTUAL or stored.get_external_count()
            if elsewhere:
                raise ModelError(f"the weights '{place}' are in another file, which is not opened")
            if stored.get_nfilters():
                raise ModelError(f"the weights '{place}' are compressed: 'h5repack -f NONE' undoes it")
            if found.shape != shape:
                raise ModelError(f"the weights '{place}' have the shape {found.shape}, not {shape}")
            if found.dtype.kind != "f" or found.dtype.itemsize > 8:
                raise ModelError(f"the weights '{place}' are of the type {found.dtype}, not plain numbers")
            count = math.prod(shape) * found.dtype.itemsize
            chunk = math.prod(found.chunks or ()) * found.dtype.itemsize
            if found.id.get_storage_size() < count or chunk > max(count, 4096):
                raise ModelError(f"the weights '{place}' are not in the file")
            return torch.from_numpy(np.array(found[()], np.float32))
