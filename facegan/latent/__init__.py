"""Walking through the latent space: points, paths and arithmetic.

>>> from facegan import latent, load
>>> model = load("my_run")
>>> a, b = model.latent.sample([7, 12])
>>> frames = model.images(torch.stack(list(latent.path([a, b], steps=10, kind="slerp"))))
>>> smile = latent.edit(model, "seed:7", "smiling=+2").images
>>> z = latent.arithmetic("1,2,3 - 4,5,6 + 7,8,9", model.latent.sample(range(100)))
"""

from facegan.latent.arithmetic import Term, arithmetic, evaluate, parse_expression
from facegan.latent.directions import Directions, directions_of
from facegan.latent.editing import Edited, edit, mix
from facegan.latent.path import PATHS, path, path_length
from facegan.latent.points import (
    Vectors,
    constant_vectors,
    joined,
    load_vectors,
    parse_point,
    parse_seeds,
    save_vectors,
    seed_vectors,
    select_vectors,
    spell_seeds,
)

__all__ = [
    "PATHS", "Directions", "Edited", "Term", "Vectors", "arithmetic", "constant_vectors", "directions_of",
    "edit", "evaluate", "joined", "load_vectors", "mix", "parse_expression", "parse_point", "parse_seeds",
    "path", "path_length", "save_vectors", "seed_vectors", "select_vectors", "spell_seeds",
]  # fmt: skip
