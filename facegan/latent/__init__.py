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

from __future__ import annotations

from typing import TYPE_CHECKING

from facegan.lazy import importer

# name -> where it lives: imported on first use, since some of them import torch. No other module here has
# one of these names, or it would hide the function once it is imported.
_PUBLIC = {
    "Atlas": "facegan.latent.face_map",
    "Directions": "facegan.latent.directions",
    "Edited": "facegan.latent.edited",
    "Film": "facegan.latent.even_film",
    "PATHS": "facegan.latent.interpolation",
    "Term": "facegan.latent.expressions",
    "Vectors": "facegan.vectors",
    "along": "facegan.latent.interpolation",
    "arithmetic": "facegan.latent.expressions",
    "arrange": "facegan.latent.layout",
    "atlas": "facegan.latent.face_map",
    "constant_vectors": "facegan.vectors",
    "directions_of": "facegan.latent.directions",
    "edit": "facegan.latent.editing",
    "evaluate_expression": "facegan.latent.expressions",
    "film": "facegan.latent.even_film",
    "joined": "facegan.vectors",
    "load_vectors": "facegan.vectors",
    "mix": "facegan.latent.editing",
    "parse_expression": "facegan.latent.expressions",
    "parse_point": "facegan.vectors",
    "parse_seeds": "facegan.seeds",
    "path": "facegan.latent.interpolation",
    "path_length": "facegan.latent.interpolation",
    "phrase_groups": "facegan.latent.phrase_groups",
    "save_vectors": "facegan.vectors",
    "seed_vectors": "facegan.vectors",
    "select_vectors": "facegan.vectors",
    "spell_seeds": "facegan.seeds",
}
# Names of 0.1, which go on working.
_RENAMED = {"evaluate": "evaluate_expression", "words": "phrase_groups"}

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

if TYPE_CHECKING:
    from facegan.latent import phrase_groups
    from facegan.latent.directions import Directions, directions_of
    from facegan.latent.edited import Edited
    from facegan.latent.editing import edit, mix
    from facegan.latent.even_film import Film, film
    from facegan.latent.expressions import Term, arithmetic, evaluate_expression, parse_expression
    from facegan.latent.face_map import Atlas, atlas
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


__getattr__ = importer(__name__, _PUBLIC, _RENAMED)


def __dir__() -> list[str]:
    return sorted([*__all__, *_RENAMED])
