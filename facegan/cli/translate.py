"""``facegan translate``: photos as a translator shows them."""

from __future__ import annotations

from typing import Annotated

import tyro

from facegan.cli.main import run_function
from facegan.cli.options import notify
from facegan.cli.positional import model_first, options_last

USAGE = "MODEL PHOTO ..."


def main(
    photos: Annotated[
        tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="MODEL PHOTO|FOLDER|DATASET...")
    ],
    model: str = "",
    *,
    direction: str = "",
    whole: bool = False,
    ready: bool = False,
    align: bool = True,
    face: int = 0,
    steps: int = 0,
    split: str = "",
    out: str = "translated.png",
    scale: int = 0,
    mark: bool = True,
    device: str = "cpu",
) -> int:
    """Translate photos: drawings to faces, faces with glasses, grey to colour, by what the model has learnt.

    Each photo is cut as the model's data were and turned into what the model was trained on. A picture of
    exactly the model's size is a crop already. The exit code is 1 if some photo could not be used.

    Args:
        photos: files, folders, datasets, - for standard input, or http(s) addresses.
        model: a run folder, a checkpoint of one (RUN@30kimg), a .safetensors file, or a bundled name; it may
            also stand first.
        direction: a-to-b or b-to-a, of a model of two domains.
        whole: translate every face in a photo and put it back, at the photo's own size.
        ready: the pictures are inputs already: a drawing by hand, a small picture, one with a grey hole.
        align: find the face and crop it like the model's data; --no-align uses the whole picture.
        face: which face of a photo; 1 is the largest (default: the largest, with --whole all).
        steps: so many pictures in a row, from none of the change to all of it; 0 is input and result.
        split: which split of a dataset: test, val or train (default: the first of these that is there).
        out: a .png (a figure, and beside it OUT-result.png), a folder (single files), or an .npz.
        scale: repeat each pixel so often; 0 enlarges a figure smoothly to about 1,024 px.
        mark: write into each picture that it is generated, and its model and command. EU law asks
            providers for such marks since 2 August 2026 (Regulation 2024/1689, Article 50(2)).
        device: cpu, cuda or mps.
    """
    options = dict(locals())
    model, given = model_first(
        options.pop("photos"), options.pop("model"), command="translate", usage=USAGE, default=""
    )
    from facegan.translation.translate import translate

    done = translate(model, given, say=notify, **options)
    print(done)
    return int(bool(done.left_out))


def run(argv: list[str]) -> int:
    """Run the command."""
    return int(run_function(main, options_last(main, argv)) or 0)
