"""Pictures that show themselves in a notebook: ``facegan.show(model.sample(25))``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from facegan import arguments
from facegan.errors import InputError
from facegan.images import enlarge, grid, png_bytes, save_picture
from facegan.marks import Mark, made
from facegan.values import array_to_uint8

WIDE = 1024  # px: small pictures are enlarged up to this width
_NEED = "pictures are uint8 or floats, N,H,W,3 or N,H,W,1, or one H,W,C"


class Sheet:
    """One picture, uint8 ``H,W,C``, that notebooks show and :meth:`save` writes, with its mark."""

    def __init__(self, image: np.ndarray, count: int = 1, mark: Mark | None = None) -> None:
        self.image, self.count, self.mark = image, count, mark

    def __repr__(self) -> str:
        h, w = self.image.shape[:2]
        return f"<Sheet of {self.count} picture{'s' * (self.count != 1)}, {w}x{h} px; save(FILE) writes it>"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.image, dtype=dtype or np.uint8)

    def _repr_png_(self) -> bytes:
        return png_bytes(self.image)

    def save(self, path: str | Path) -> None:
        """Write it as PNG or, where the name ends in .jpg, as JPEG."""
        save_picture(arguments.place(path, "a picture"), self.image, self.mark)


def show(images: Any, columns: int | None = None, *, model: Any = None) -> Sheet:
    """Show pictures ``N,H,W,C``, as ``sample`` returns them, row by row; a single one as it is.

    ``columns`` is by default that of the smallest square. Small pictures are enlarged by whole factors.
    ``model`` is the one that has drawn them, which a saved file then names; arrays do not know it.
    """
    if model is not None and not isinstance(getattr(model, "hash", None), str):
        raise InputError(f"model must be a loaded model, not {arguments.shown(model)}")
    mark = None if model is None else made(model.hash)
    array = np.asarray(images.detach().cpu() if hasattr(images, "detach") else images)
    if array.ndim == 3:
        array = array[None]
    if array.ndim != 4 or array.shape[-1] not in (1, 3) or not array.size or array.dtype.kind not in "buif":
        raise InputError(f"{_NEED}, not {arguments.shown(images)}")
    columns = None if columns is None else arguments.whole(columns, "columns", 1)
    array = array_to_uint8(array, "pictures")
    wide = (columns or math.ceil(math.sqrt(len(array)))) * array.shape[2]
    array = np.stack([enlarge(picture, max(1, WIDE // wide)) for picture in array])
    return Sheet(grid(array, columns) if len(array) > 1 else array[0], len(array), mark)


def table_html(title: str, rows: list[tuple[str, ...]], picture: str = "") -> str:
    """Return a title, a small table and perhaps a picture as HTML, for ``_repr_html_``; texts are escaped."""
    from html import escape

    cells = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    image = f'<img src="{picture}" style="max-width: 100%">' if picture else ""
    return f"<div><b>{escape(title)}</b><table>{cells}</table>{image}</div>"
