"""Models with headers for the tests of publishing."""

from __future__ import annotations

from typing import Any

from facegan.generator import Generator


def with_header(model: Generator, **header: Any) -> Generator:
    return Generator(model.network, {**model.meta, **header})


ORIGIN = {
    "command": "facegan train /home/ann/faces64 --recipe faces-tiny-32 --out '/mnt/my disk/r' --kimg 30",
    "recipe": "faces-tiny-32",
    "seed": 7,
    "images_seen": 30000,
    "images_before": 10000,
    "facegan": "0.1.0",
    "dataset": {"name": "faces64", "content_hash": "ab" * 32, "count": 1234},
}
