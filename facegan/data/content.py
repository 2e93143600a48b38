"""What a dataset's content hash is made of: pixels and attributes, however they are stored."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import numpy as np

from facegan.data.splits import SPLITS


def pixels_digest(pixels: np.ndarray) -> bytes:
    """Return the SHA-256 of a picture's shape and values."""
    return hashlib.sha256(str(pixels.shape).encode() + pixels.tobytes()).digest()


class ContentHash:
    """Hash a dataset's pictures split by split: how the sources interleave their splits leaves no trace."""

    def __init__(self) -> None:
        self._splits = {split: hashlib.sha256() for split in SPLITS}

    def add(self, split: str, digest: bytes, attributes: Mapping[str, int | None]) -> None:
        """Add the next picture of a split, of which ``digest`` is the :func:`pixels_digest`."""
        text = json.dumps([split, digest.hex(), attributes], sort_keys=True)
        self._splits[split].update(text.encode())

    def hexdigest(self) -> str:
        return hashlib.sha256(b"".join(part.digest() for part in self._splits.values())).hexdigest()
