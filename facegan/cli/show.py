"""``facegan show``: what a model is and how it was trained, or what made a picture."""

from __future__ import annotations

from typing import Annotated

import tyro

from facegan.cli.options import print_json


def main(
    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL|PICTURE")], json: bool = False
) -> int:
    """Show what a model is: family, latent prior, pictures, parameters, training, licence.

    Of a picture or film (.png, .jpg, .webp, .gif, .mp4), show its mark: what made it, from which model and
    seeds, and the command. The exit code is 1 if it has none.

    Args:
        model: a run folder, a checkpoint of one (RUN@30kimg), a .safetensors file, a bundled name, or
            hf:owner/name on the Hugging Face Hub; or a picture.
        json: print JSON instead.
    """
    from facegan.xmp import is_readable

    if is_readable(model):
        return _show_mark(model, json)
    from facegan.model_summary import describe_model, facts_text

    found = describe_model(model)
    if json:
        print_json(found)
    else:
        print(facts_text(found))
    return 0


def _show_mark(picture: str, json: bool) -> int:
    from facegan.marks import read_mark
    from facegan.signing import is_installed, read_signature

    found = read_mark(picture)
    signature = read_signature(picture) if is_installed() else None
    if json:
        signed = {"signature": vars(signature)} if signature else {}
        print_json({**(found.to_dict() if found else {}), **signed})
        return int(found is None)
    print(found or f"{picture}: no mark says what made it")
    if signature:
        print(f"{'signature':<12} {signature}")
    return int(found is None)
