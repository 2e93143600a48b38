"""``facegan show``: what a model is and how it was trained."""

from __future__ import annotations

from typing import Annotated

import tyro

from facegan.cli.main import run_function


def main(
    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")], json: bool = False
) -> None:
    """Tell what a model is: family, latent prior, pictures, parameters, training, licence.

    Args:
        model: a run folder, a moment of one (RUN@30kimg), a .safetensors file, or a bundled name.
        json: print JSON instead.
    """
    from facegan.model_summary import describe_model, facts_text

    found = describe_model(model)
    if json:
        from json import dumps

        print(dumps(found, indent=1))
    else:
        print(facts_text(found))


def run(argv: list[str]) -> int:
    run_function(main, argv)
    return 0
