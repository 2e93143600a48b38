"""Fit pictures of other shapes to a dataset's: crop them like its pictures, or refuse them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from facegan import arguments, values
from facegan.data.crops import Crop, apply
from facegan.data.dataset import Dataset
from facegan.errors import InputError
from facegan.images import luma
from facegan.metrics.image_sets import Pictures, of_list, of_uint8

PICTURES = "pictures are an array N,H,W,3 or N,H,W,1 of numbers, or a list of arrays H,W,3"


# --- arrays as people have them --------------------------------------------------------------------


def of_array(given: Any, name: str = "pictures") -> Pictures:
    """Convert numbers ``N,H,W,C``, ``N,H,W`` or ``N,C,H,W`` from an array, tensor or list of pictures.

    Pictures in a list may differ in size. All of them together tell what their numbers mean
    (:func:`facegan.values.array_to_uint8`). InputError says what is wanted where they are no pictures.
    """
    if isinstance(given, (list, tuple)):
        return _of_list([_numbers(part, name) for part in given], name)
    array = _numbers(given, name)
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4:
        raise InputError(f"{name}: {PICTURES}, not {arguments.shown(given)}")
    return of_uint8(values.array_to_uint8(_channels_last(array, name), name), name)


def _of_list(parts: Sequence[np.ndarray], name: str) -> Pictures:
    if not parts:
        raise InputError(f"{name}: {PICTURES}, not an empty list")
    if any(part.ndim not in (2, 3) or not part.size for part in parts):
        odd = next(part for part in parts if part.ndim not in (2, 3) or not part.size)
        raise InputError(f"{name}: {PICTURES}; one of the list is {arguments.shown(odd)}")
    if len({part.shape for part in parts}) == 1 and len({part.dtype for part in parts}) == 1:
        stacked = np.stack(parts)
        return of_array(stacked, name)
    pictures = [
        _channels_last(part[None, ..., None] if part.ndim == 2 else part[None], name) for part in parts
    ]
    everything = np.concatenate([picture.ravel() for picture in pictures])
    meaning = values.meaning_of(everything, name, option="")
    if not np.isfinite(everything).all():
        raise InputError(f"{name} {values.NOT_FINITE}")
    found = [meaning.levels(picture.astype(everything.dtype))[0] for picture in pictures]
    return of_list([np.repeat(p, 3, 2) if p.shape[2] == 1 else p for p in found], name)


def _numbers(given: Any, name: str) -> np.ndarray:
    """Return a tensor, an array or a Pillow picture as a NumPy array."""
    if isinstance(given, (str, bytes, dict)) or given is None or arguments.is_number(given):
        raise InputError(f"{name}: {PICTURES}, not {arguments.shown(given)}")
    try:
        found = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
    except (ValueError, TypeError):
        raise InputError(f"{name}: {PICTURES}, not {arguments.shown(given)}") from None
    if found.dtype.kind not in "buif":
        raise InputError(f"{name}: {PICTURES}, not {arguments.shown(given)}")
    return found


def _channels_last(array: np.ndarray, name: str) -> np.ndarray:
    """Return ``N,H,W,C`` for pictures with 1 or 3 channels last, or first as in torch."""
    if array.shape[3] in (1, 3):
        return array
    if array.shape[1] in (1, 3):
        return array.transpose(0, 2, 3, 1)
    shape = ",".join(map(str, array.shape))
    more = "; leave out the alpha channel" if array.shape[3] == 4 else ""
    raise InputError(f"{name} of shape {shape}: {PICTURES}{more}")


# --- to a dataset's shape --------------------------------------------------------------------------


def like(pictures: Pictures, data: Dataset) -> tuple[Pictures, str]:
    """Return the pictures in the shape of ``data``, and what was done to them ("" if nothing).

    Pictures of the same aspect ratio are resized. Those of another are cut around their centre where the
    dataset's were; others, whose faces would have to be found first, are an InputError with the way out.
    """
    (h, w), c = data.size, data.channels
    if pictures.sizes == {(h, w)} and pictures.shape[2] == c:
        return pictures, ""
    kind, resample = data.crop.get("kind", ""), data.crop.get("resample", "lanczos")
    others = sorted(size for size in pictures.sizes if not _same_aspect(size, (h, w)))
    if others and kind != "center":
        raise InputError(_refusal(pictures, others[0], data, kind=kind))
    crop = Crop("center", (h, w), resample=resample)
    at, several = pictures.at, len(pictures.sizes) > 1

    def brought(rows: np.ndarray) -> np.ndarray:
        given = [at(rows[i : i + 1])[0] for i in range(len(rows))] if several else at(rows)
        found = np.stack([_cut(picture, crop) for picture in given])
        if c == 1 and found.shape[3] == 3:
            found = np.stack([luma(p) for p in found])
        return np.repeat(found, 3, 3) if c == 3 and found.shape[3] == 1 else found

    key = f"{pictures.key}/{(h, w, c)}/{resample}" if pictures.key else ""
    changed = replace(pictures, shape=(h, w, c), sizes=frozenset({(h, w)}), at=brought, key=key)
    return changed, _description(pictures, (h, w), c, cut=bool(others))


def _cut(image: np.ndarray, crop: Crop) -> np.ndarray:
    return image if image.shape[:2] == crop.shape[:2] else apply(image, crop)[0].image


def _same_aspect(size: tuple[int, int], wanted: tuple[int, int]) -> bool:
    """Return whether cropping to the aspect ratio removes at most a pixel or a fiftieth of a side."""
    scale = min(size[0] / wanted[0], size[1] / wanted[1])
    return all(have - want * scale <= max(1, have / 50) for have, want in zip(size, wanted, strict=True))


def _description(pictures: Pictures, wanted: tuple[int, int], channels: int, *, cut: bool) -> str:
    was = _sizes(pictures.sizes)
    done = []
    if pictures.sizes != {wanted}:
        how = "cut around the centre and brought" if cut else "brought"
        done.append(f"{how} to {wanted[1]}x{wanted[0]}")
    if pictures.shape[2] != channels:
        done.append("made grey" if channels == 1 else "repeated in three channels")
    return f"{pictures.name} has {was} px and was {' and '.join(done)}"


def _sizes(sizes: Iterable[tuple[int, int]]) -> str:
    spelled = [f"{w}x{h}" for h, w in sorted(sizes)]
    return spelled[0] if len(spelled) == 1 else f"{spelled[0]} to {spelled[-1]}"


def _refusal(pictures: Pictures, size: tuple[int, int], data: Dataset, *, kind: str) -> str:
    (h, w), (sh, sw) = data.size, size
    what = f"{pictures.name}: pictures of {sw}x{sh} px, and those of {data.path} are {w}x{h}"
    if pictures.generator is not None:
        return (
            f"{what}: measure a model against a dataset of its own shape (facegan prepare --size {sw}x{sh})"
        )
    spelled = f"{w}x{h}" if h != w else f"{h}"
    cut = f"--crop {kind or 'center'} --size {spelled}"
    return f"{what}: prepare them as the dataset was ('facegan prepare ... {cut}'), and measure that"
