"""Walking through the latent space: points, paths and arithmetic.

>>> from facegan import latent, load
>>> model = load("my_run")
>>> a, b = model.latent.sample([7, 12])
>>> frames = model.images(torch.stack(list(latent.path([a, b], steps=10, kind="slerp"))))
>>> z = latent.arithmetic("1,2,3 - 4,5,6 + 7,8,9", model.latent.sample(range(100)))
"""

from facegan.latent.arithmetic import Term, arithmetic, evaluate, parse_expression
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
    "PATHS", "Term", "Vectors", "arithmetic", "constant_vectors", "evaluate", "joined", "load_vectors",
    "parse_expression", "parse_point", "parse_seeds", "path", "path_length", "save_vectors",
    "seed_vectors", "select_vectors", "spell_seeds",
]  # fmt: skip
