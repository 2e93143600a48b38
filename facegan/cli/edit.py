"""``facegan edit``: faces with more of a smile, and less of something else."""

from __future__ import annotations

from typing import Annotated

import tyro

from facegan.cli.main import run_function
from facegan.cli.options import notify
from facegan.cli.positional import model_first, options_last
from facegan.errors import InputError

USAGE = 'MODEL seed:5 "smiling=+2, eyeglasses=-1"'


def main(
    words: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[MODEL] FACE EDITS")],
    model: str = "",
    directions: str = "",
    *,
    out: str = "edit.png",
    steps: int = 5,
    layers: str = "",
    keep: str = "",
    align: bool = True,
    face: int = 1,
    hold: str = "male,eyeglasses,young,smiling",
    scale: int = 0,
    mark: bool = True,
    labels: str = "",
    device: str = "cpu",
) -> None:
    """Edit faces: "smiling=+2, eyeglasses=-1". One unit is one standard deviation of the model's faces.

    Names are those that 'facegan directions' lists, or words: "old=1.5", "without glasses=2". A .png gets a
    row for each face, from the original to the edit, and beside it the last picture (edit-result.png) and
    the vectors (edit.npz, for generate and interpolate). An .npz gets pictures and vectors of all faces.

    Args:
        words: FACE, the faces to edit: seed:5, seed:0-9, saved vectors (FILE.npz, FILE.npz:1-3), or photos (a
            file, a folder, an address, - for standard input); and EDITS, names and strengths with commas.
        model: a run folder, a checkpoint of one (RUN@30kimg), a .safetensors file, a bundled name, or
            hf:owner/name on the Hugging Face Hub; it may
            also stand first. Default: celeba64.
        directions: a file of 'facegan directions'; by default, they are computed once and cached.
        out: the strip (.png), or pictures and vectors (.npz).
        steps: pictures in a row, including both ends.
        layers: edit only these layers: 0-2.
        keep: what stays: layers (0-2), or a picture that is white where the original stays.
        hold: attributes that must not change unless the edits name them: each face's own way is corrected by
            gradients of the bundled network. 'none' moves straight, which is quicker.
        align: for a photo: find the face and crop it like the model's data; --no-align keeps it whole.
        face: which face of a photo; 1 is the largest.
        scale: repeat each pixel so often; 0 enlarges smoothly, to a figure of about 1,024 px.
        mark: write into each picture that it is generated, and its model, seeds and command. EU law asks
            providers for such marks since 2 August 2026 (Regulation 2024/1689, Article 50(2)).
        labels: of a conditional model, such as smiling=1,male=0.
        device: cpu, cuda or mps.
    """
    options = dict(locals())
    model, given = model_first(options.pop("words"), options.pop("model"), command="edit", usage=USAGE)
    if len(given) != 2:
        count = f"{len(given)} word" + "s" * (len(given) != 1)
        raise InputError(f"edit takes a face and its edits, not {count}: facegan edit {USAGE}")
    from facegan.latent.editing import edit

    options["directions"] = directions or None
    print(edit(model, *given, encoder="auto", say=notify, **options))


def run(argv: list[str]) -> None:
    """Run the command."""
    run_function(main, options_last(main, argv))
