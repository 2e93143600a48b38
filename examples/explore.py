"""Look around in what a model has learnt: faces, truncation, and a path between them.

python examples/explore.py my_run --out explored
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

import facegan
from facegan import images, latent, marks, video


def main(model: str, out: Path) -> None:
    generator = facegan.load(model)  # a run folder, RUN@30kimg, or a .safetensors file
    print(f"{model}: {generator.image_shape} pictures from {generator.latent.dim} numbers each")

    # Seed N is the same face in any batch and on any device. The files say what made them (docs/marks.md).
    faces, mark = generator.sample(range(36)), marks.made(generator.hash)
    images.save_png(out / "faces.png", images.grid(faces), mark.having(seed="0-35"))

    # One face a row, from the average (0) past the usual (1): truncation trades variety for typicality.
    if generator.truncates:  # some models see a vector's direction, not its length
        levels = [0.0, 0.25, 0.5, 0.75, 1.0, 1.25]
        columns = np.stack([generator.sample(range(6), truncation=level) for level in levels], axis=1)
        grid = images.grid(columns.reshape(-1, *faces.shape[1:]), len(levels))
        images.save_png(out / "truncation.png", grid, mark.having(seed="0-5"))

    # Three ways from one face to another, a row each.
    start, end = generator.latent.sample([0, 1])
    ways = [torch.stack(list(latent.path([start, end], steps=10, kind=kind))) for kind in latent.PATHS]
    images.save_png(out / "paths.png", images.grid(generator.images(torch.cat(ways)), 10), mark)

    # A film through five faces and back to the first: frames are made and written one after the other.
    points = generator.latent.sample([0, 1, 2, 3, 4])
    way = torch.stack(list(latent.path(points, steps=24, kind="slerp", loop=True)))
    frames = (images.enlarge(face, 4) for batch in generator.stream(way) for face in batch)
    count = video.write_film(out / "film.mp4", frames, fps=24, mark=mark)
    print(f"{count} frames in {out / 'film.mp4'}, figures beside it")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model", help="a run folder, RUN@30kimg, or a .safetensors file")
    parser.add_argument("--out", type=Path, default=Path("explored"), help="folder for the pictures")
    options = parser.parse_args()
    main(options.model, options.out)
