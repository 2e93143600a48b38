"""Pictures for the tests of preparing, made on the spot."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from facegan.images import png_bytes

OPTIONS: dict[str, Any] = {"crop": "none", "size": 28, "workers": 1}


def smooth(index: int, side: int = 32) -> np.ndarray:
    dots = np.random.default_rng(index).integers(0, 256, (7, 7, 3), np.uint8)
    return np.asarray(Image.fromarray(dots).resize((side, side), Image.Resampling.BICUBIC))


def folder(at: Path, count: int) -> Path:
    at.mkdir()
    for i in range(count):
        (at / f"{i:03d}.png").write_bytes(png_bytes(smooth(i)))
    return at


def contents(dataset: Path) -> dict[str, bytes]:
    """Every file of a dataset but the memory map, which is made later."""
    return {
        p.relative_to(dataset).as_posix(): p.read_bytes()
        for p in sorted(dataset.rglob("*"))
        if p.is_file() and ".cache" not in p.parts
    }


def messy(at: Path) -> Path:
    """80 pictures, among them duplicates and broken files."""
    photos = folder(at, 80)
    (photos / "010.png").write_bytes((photos / "003.png").read_bytes())  # the same file
    Image.fromarray(smooth(5)).save(photos / "011.bmp")  # the same pixels
    (photos / "020.png").write_bytes(b"hello")
    (photos / "021.png").write_bytes((photos / "022.png").read_bytes()[:300])
    (photos / "023.png").write_bytes(b"")
    buffer = io.BytesIO()
    Image.fromarray(smooth(40)).save(buffer, "JPEG", quality=80)
    (photos / "041.jpg").write_bytes(buffer.getvalue())  # nearly the same pixels
    (photos / "notes.txt").write_text("x")
    return photos


def run_without_facegan(code: str, *argv: str) -> str:
    """What ``code`` prints in a process that cannot import facegan."""
    guard = "import sys; sys.modules['facegan'] = None\n"
    done = subprocess.run(
        [sys.executable, "-c", guard + code, *argv], capture_output=True, text=True, cwd="/", check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
