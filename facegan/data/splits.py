"""Splits as sources tell them: words for train, val and test."""

from __future__ import annotations

import re
from collections.abc import Iterable

SPLIT_NAMES = {
    "train": "train", "training": "train", "0": "train", "val": "val", "valid": "val", "validation": "val",
    "dev": "val", "1": "val", "test": "test", "testing": "test", "2": "test",
}  # fmt: skip
_IN_NAMES = {word: s for word, s in SPLIT_NAMES.items() if len(word) > 1} | {"t10k": "test"}


def name_words(name: str) -> list[str]:
    """``t10k-images.idx3`` to its three words."""
    return re.split(r"[-_.]", name)


def split_named(words: Iterable[str]) -> str | None:
    """The first split that ``words``, parts of a file's name, speak of."""
    return next((_IN_NAMES[word.lower()] for word in words if word.lower() in _IN_NAMES), None)
