"""Walking through the latent space: points, paths, arithmetic, maps and films.

>>> from facegan import latent, load
>>> model = load("my_run")
>>> a, b = model.latent.sample([7, 12])
>>> frames = model.images(torch.stack(list(latent.path([a, b], steps=10, kind="slerp"))))
>>> smile = latent.edit(model, "seed:5", "smiling=+2").images
>>> z = latent.arithmetic("1,2,3 - 4,5,6 + 7,8,9", model.latent.sample(range(100)))
>>> face_map = latent.atlas(model, 2500).picture           # like faces are neighbours
>>> even = latent.film(model, [a, b], frames=240)          # even.variation, model.images(even.z)
"""

from facegan.latent import phrase_groups
from facegan.latent.arithmetic import Term, arithmetic, evaluate_expression, parse_expression
from facegan.latent.atlas import Atlas, atlas
from facegan.latent.directions import Directions, directions_of
from facegan.latent.edited import Edited
from facegan.latent.editing import edit, mix
from facegan.latent.film import Film, film
from facegan.latent.interpolation import PATHS, along, path, path_length
from facegan.latent.layout import arrange
from facegan.seeds import parse_seeds, spell_seeds
from facegan.vectors import (
    Vectors,
    constant_vectors,
    joined,
    load_vectors,
    parse_point,
    save_vectors,
    seed_vectors,
    select_vectors,
)

evaluate = evaluate_expression  # the name in 0.1
words = phrase_groups  # the name in 0.1

__all__ = [
    "PATHS",
    "Atlas",
    "Directions",
    "Edited",
    "Film",
    "Term",
    "Vectors",
    "along",
    "arithmetic",
    "arrange",
    "atlas",
    "constant_vectors",
    "directions_of",
    "edit",
    "evaluate",
    "evaluate_expression",
    "film",
    "joined",
    "load_vectors",
    "mix",
    "parse_expression",
    "parse_point",
    "parse_seeds",
    "path",
    "path_length",
    "phrase_groups",
    "save_vectors",
    "seed_vectors",
    "select_vectors",
    "spell_seeds",
]
