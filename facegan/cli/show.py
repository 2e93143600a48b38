"""``facegan show``: what a model is and how it was trained."""

from __future__ import annotations

from typing import Annotated

import tyro

from facegan.cli.options import print_json


def main(
    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")], json: bool = False
) -> None:
    """Show what a model is: family, latent prior, pictures, parameters, training, licence.

    Args:
        model: a run folder, a checkpoint of one (RUN@30kimg), a .safetensors file, a bundled name, or
            hf:owner/name on the Hugging Face Hub.
        json: print JSON instead.
    """
    from facegan.model_summary import describe_model, facts_text

    found = describe_model(model)
    if json:
        print_json(found)
    else:
        print(facts_text(found))
