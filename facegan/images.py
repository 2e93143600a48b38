"""The only place where uint8 meets [-1, 1]; reading, resizing, grids and writing of pictures.

Shapes: ``hwc``/``nhwc`` arrays are uint8 sRGB with 1 or 3 channels; ``nchw`` tensors are float in
[-1, 1]. The conversion is ``x / 127.5 - 1`` and, back, ``round((x + 1) * 127.5)`` clipped to
0..255, so that every uint8 value survives the round trip. torch is imported inside the two
functions that need it, so that workers which only read pictures stay small.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def to_float(images: np.ndarray | torch.Tensor, device: str | torch.device = "cpu") -> torch.Tensor:
    """uint8 ``N,H,W,C`` to float32 ``N,C,H,W`` in [-1, 1] on ``device``."""
    import torch

    tensor = torch.from_numpy(np.ascontiguousarray(images)) if isinstance(images, np.ndarray) else images
    # A permuted view of N,H,W,C memory is already channels-last: the fast layout of convolutions.
    return tensor.to(device).permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)


def to_uint8(images: torch.Tensor) -> np.ndarray:
    """float ``N,C,H,W`` in [-1, 1] (outside is clipped) to uint8 ``N,H,W,C``."""
    import torch

    scaled = images.detach().float().add(1.0).mul_(127.5).round_().clamp_(0, 255)
    return np.ascontiguousarray(scaled.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy())


def grid(images: np.ndarray, columns: int | None = None, pad: int = 2, background: int = 255) -> np.ndarray:
    """Tile uint8 ``N,H,W,C`` row by row into one ``H,W,C`` picture.

    ``columns`` defaults to the smallest square that holds all; empty cells and the ``pad`` px
    between and around cells have the value ``background``.
    """
    n, h, w, c = images.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    out = np.full((rows * (h + pad) + pad, columns * (w + pad) + pad, c), background, np.uint8)
    for i, image in enumerate(images):
        y, x = pad + (i // columns) * (h + pad), pad + (i % columns) * (w + pad)
        out[y : y + h, x : x + w] = image
    return out


def enlarge(image: np.ndarray, factor: int) -> np.ndarray:
    """Repeat each pixel ``factor`` times, so that small pictures can be looked at."""
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def png_bytes(image: np.ndarray, text: dict[str, str] | None = None) -> bytes:
    """Losslessly encode uint8 ``H,W,C`` (C = 1 or 3); ``text`` becomes PNG text chunks."""
    import io

    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    for key, value in (text or {}).items():
        info.add_itxt(key, value)
    buffer = io.BytesIO()
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    picture.save(buffer, "PNG", pnginfo=info, compress_level=6)
    return buffer.getvalue()


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file whole or not at all (temporary file beside it, then rename)."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def save_png(path: str | Path, image: np.ndarray, text: dict[str, str] | None = None) -> None:
    """Write uint8 ``H,W,C`` as PNG, atomically."""
    write_bytes(path, png_bytes(image, text))
