"""From nothing to a face generator: draw portraits, prepare them, train, and look.

    python examples/train_tiny.py --out tiny            # a few minutes on two cores

To train on photos instead, give their folder: --photos my_photos
"""

from __future__ import annotations

import argparse
from pathlib import Path

import facegan
from facegan.demo.portraits import write_portraits
from facegan.images import enlarge, grid, save_png
from facegan.marks import made


def main(out: Path, photos: Path | None, count: int, kimg: float) -> Path:
    if photos is None:
        write_portraits(out / "portraits", count, seed=0, size=64)
        data = facegan.prepare(
            out / "portraits",
            out / "dataset",
            crop="none",
            size=32,
            attributes=out / "portraits" / "attributes.csv",
        )
    else:
        data = facegan.prepare(photos, out / "dataset", crop="aligned", size=32)
    print(f"{data.counts['train']} pictures to learn from")

    run = facegan.train(data, "faces-tiny-32", out / "run", kimg=kimg)

    model = facegan.load(run)
    faces = model.sample(range(25))  # uint8 25,32,32,3
    save_png(out / "faces.png", enlarge(grid(faces), 4), made(model.hash, seed="0-24"))
    print(f"look at {out / 'faces.png'} and {run / 'report.html'}")
    return run


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("tiny"), help="folder for everything")
    parser.add_argument("--photos", type=Path, help="learn from these instead of drawn portraits")
    parser.add_argument("--count", type=int, default=3000, help="how many portraits to draw")
    parser.add_argument("--kimg", type=float, default=100.0, help="thousands of pictures to train on")
    options = parser.parse_args()
    main(options.out, options.photos, options.count, options.kimg)
