"""Compute with faces: averages of a few, added and subtracted (Radford et al. 2015, section 6.3.2).

    python examples/vector_arithmetic.py my_run "92,98,99 - 9,21,79 + 10,30,45"

Look at numbered.png first, choose faces that share something, and put their numbers there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import facegan
from facegan import figures, images, latent


def main(model: str, expression: str, out: Path) -> None:
    generator = facegan.load(model)
    sheet = generator.latent.sample(range(100))  # the vectors of faces 1 to 100, shape 100,dim
    faces = generator.images(sheet)
    large = figures.magnified(faces, columns=10)
    numbered = figures.labelled_grid(large, [str(n) for n in range(1, 101)], columns=10)
    mark = figures.origin(generator.hash)  # what the files say of their making
    images.save_png(out / "numbered.png", numbered, mark)

    terms = latent.parse_expression(expression)
    averages, result = latent.evaluate(terms, sheet)
    rows = [
        figures.ArithmeticRow(
            term.title(), faces[[n - 1 for n in term.members]], [str(n) for n in term.members], average
        )
        for term, average in zip(terms, generator.images(averages), strict=True)
    ]
    picture = generator.images(result[None])[0]
    images.save_png(out / "arithmetic.png", figures.arithmetic_figure(rows, picture), mark)

    # The vector can be used again: facegan generate my_run --vectors result.npz
    latent.save_vectors(out / "result.npz", latent.Vectors(result[None], ("result",), generator.hash))
    print(f"look at {out / 'arithmetic.png'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model", help="a run folder, RUN@30kimg, or a .safetensors file")
    parser.add_argument("expression", nargs="?", default="92,98,99 - 9,21,79 + 10,30,45")
    parser.add_argument("--out", type=Path, default=Path("arithmetic"), help="folder for the pictures")
    options = parser.parse_args()
    main(options.model, options.expression, options.out)
