"""generate, interpolate, film, atlas, mix and arithmetic: commands around the functions of that name.

Each is a row of ``EXPLORERS``; its flags are the fields of the settings.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import tyro

from facegan.cli.main import run_function
from facegan.cli.options import FLAT, notify
from facegan.cli.positional import model_first, only_model, options_last
from facegan.errors import InputError
from facegan.explore import config


@dataclass(frozen=True)
class Explorer:
    """A command: its settings, what stands before the options, how to write it, and its help."""

    settings: type
    metavar: str
    usage: str
    words: str
    text: str
    only_points: bool = False
    """Whether every word after the model is a point, so that the first that is none is the model."""


_POINTS = "two or more: seeds (seed:7, seed:3-6), or saved vectors (FILE.npz, FILE.npz:2). Default: "
EXPLORERS = {
    "generate": Explorer(
        config.GenerateConfig,
        "[MODEL] [POINT...]",
        "MODEL seed:0-24",
        "faces to draw: seeds (seed:7, seed:0-99, seed:1,5,9-12) or saved vectors (FILE.npz, "
        "FILE.npz:1,4-6). Default: seeds 0 to 24.",
        "Draw pictures from seeds or saved vectors.",
        only_points=True,
    ),
    "interpolate": Explorer(
        config.InterpolateConfig,
        "[MODEL] POINT...",
        "MODEL seed:0 seed:1",
        f"{_POINTS}seeds 0 and 1.",
        "Draw a path from face to face as a figure (.png) or a film (.mp4, .gif, .webp).",
        only_points=True,
    ),
    "film": Explorer(
        config.FilmConfig,
        "[MODEL] POINT...",
        "MODEL seed:0-5",
        f"{_POINTS}seeds 0 to 5.",
        "Make a film through faces that changes in equal steps, as measured by a face network.",
        only_points=True,
    ),
    "atlas": Explorer(
        config.AtlasConfig,
        "[MODEL]",
        "MODEL",
        "the model, first or as --model.",
        "Arrange thousands of faces by similarity in one picture and a page (.html) that zooms and pans."
        "\n\nThe page works offline in any browser, with mouse, touch and keyboard. A click on a face "
        "shows its seed and the command that draws it.",
    ),
    "mix": Explorer(
        config.MixConfig,
        "[MODEL] A B",
        "MODEL seed:0-4 seed:10-15",
        "A and B, each one or several faces: seed:5, seed:0-4, saved vectors (FILE.npz:1-3) or photos. B "
        "provides the style.",
        "Mix styles: faces of A (rows) take some layers from faces of B (columns).\n\nLayer 0 is the "
        "coarsest. Networks that take their vector in only one place have no layers to mix. They mix "
        "components: the directions to which their weights respond most (SeFa); 0 is the strongest. The "
        "mixed vectors are saved next to the figure (mix.npz, for generate and interpolate).",
    ),
    "arithmetic": Explorer(
        config.ArithmeticConfig,
        "[MODEL] EXPRESSION",
        'MODEL "EXPRESSION"',
        "EXPRESSION, terms joined by + and -: words, seeds (seed:7,12 or seed:3-6), numbers of the sheet, or "
        "names of groups. '0.5 * seed:3' is half of seed 3.",
        'Compute with faces: "smiling woman - neutral woman + neutral man", or "92,98,99 - 9,21,79 + '
        '10,30,45".\n\nFor words, an attribute network finds the first faces that clearly match them. '
        "Numbers count the faces of a numbered sheet from 1; draw one with --sheet or with 'facegan generate "
        "MODEL --count 100 --numbered'. The result is also saved as a picture (arithmetic-result.png) and as "
        "a vector (arithmetic.npz, for generate and interpolate).",
    ),
}


def _arguments(name: str, words: list[str]) -> tuple[Any, ...]:
    """Return the words after the model as the function's arguments."""
    if name == "mix":
        if len(words) != 2:
            raise InputError(f"mix takes two groups of faces, A and B, not {len(words)}: seed:0-4 seed:10-15")
        return tuple(words)
    if name == "arithmetic":
        if len(words) > 1:
            raise InputError(
                f"arithmetic takes one expression in quotes, not {len(words)} words: '{' '.join(words)}'"
            )
        return tuple(words)
    return (words,) if words else ()


def _main(name: str) -> Callable[..., None]:
    """Return the function whose signature and docstring are the command's flags."""
    row = EXPLORERS[name]

    def main(
        words: tuple[str, ...] = (),
        model: str = "",
        settings: Any = None,
        *,
        labels: str = "",
        device: str = "cpu",
    ) -> None:
        from facegan.vectors import is_point

        if name == "atlas":
            model = only_model(words, model, command=name)
            rest: list[str] = []
        else:
            other = is_point if row.only_points else None
            model, rest = model_first(words, model, command=name, usage=row.usage, is_other=other)
        function = getattr(importlib.import_module(f"facegan.explore.{name}"), name)
        print(
            function(
                model, *_arguments(name, rest), labels=labels, device=device, say=notify, **vars(settings)
            )
        )

    metavar = tyro.conf.arg(metavar=row.metavar)
    main.__annotations__ |= {
        "words": Annotated[tuple[str, ...], tyro.conf.Positional, metavar],
        "settings": Annotated[row.settings, FLAT],
    }
    main.__defaults__ = ((), "", row.settings())
    text = row.text.replace("\n\n", "\n\n    ")  # as deep as "Args:", or that is not recognised
    main.__doc__ = f"""{text}

    Args:
        words: {row.words}
        model: a run folder, a checkpoint of one (RUN@30kimg), a .safetensors file, a bundled name, or
            hf:owner/name on the Hugging Face Hub; it may
            also stand first. Default: celeba64.
        settings: those of the command.
        labels: of a conditional model, such as smiling=1,male=0; random draws each seed its own, as in the
            training photos.
        device: cpu, cuda or mps.
    """
    return main


def run(name: str, argv: list[str]) -> None:
    """Run the command ``name``."""
    main = _main(name)
    run_function(main, options_last(main, argv), f"facegan {name}")


generate, interpolate, film, atlas, mix, arithmetic = (functools.partial(run, name) for name in EXPLORERS)
