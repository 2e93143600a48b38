"""Walking through the latent space: points, paths and arithmetic.

>>> from facegan import latent, load
>>> model = load("my_run")
>>> a, b = model.latent.sample([7, 12])
>>> frames = model.images(torch.stack(list(latent.path([a, b], steps=10, kind="slerp"))))
"""

from facegan.latent.arithmetic import Term, arithmetic, evaluate, parse_expression
from facegan.latent.path import PATHS, path, path_length
from facegan.latent.points import Vectors, load_vectors, parse_point, parse_seeds, save_vectors

__all__ = [
    "PATHS", "Term", "Vectors", "arithmetic", "evaluate", "load_vectors", "parse_expression", "parse_point",
    "parse_seeds", "path", "path_length", "save_vectors",
]  # fmt: skip
