"""``facegan pairs``: pairs of generated faces, plain and edited, to train a translator on."""

from __future__ import annotations

from typing import Annotated

import tyro

from facegan.cli.main import run_function
from facegan.cli.options import notify
from facegan.cli.positional import model_first, options_last
from facegan.errors import InputError

USAGE = 'MODEL "eyeglasses=+2" --count 5000 --out glasses'


def main(
    words: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[MODEL] EDITS")],
    out: str,
    model: str = "",
    *,
    count: int = 1000,
    hold: str = "",
    margin: float = 0.3,
    min_confidence: float = 0.9,
    max_distance: float = 0.0,
    max_change: float = 0.0,
    layers: str = "",
    local: bool = False,
    reverse: bool = False,
    split: str = "val=0.05,test=0.05",
    seed: int = 0,
    network: str = "faces",
    directions: str = "",
    labels: str = "",
    device: str = "cpu",
) -> None:
    """Make pairs for a translator: generated faces, and the same faces edited, such as "eyeglasses=+2".

    A face becomes a pair if the attribute network sees the asked change, and no other; dataset.json lists all
    other faces with the reason. 'facegan train OUT --recipe pix2pix-64' then learns the change for photos.

    Args:
        words: EDITS, names and strengths with commas, as 'facegan edit' takes them.
        out: the dataset's folder; interrupted, the same command goes on.
        model: a run folder, a checkpoint of one (RUN@30kimg), a .safetensors file, or a bundled name; it may
            also stand first. Default: celeba64.
        count: how many pairs.
        hold: attributes that must not change, separated by commas, or all, or none; by default sex, age,
            smile, glasses, hair, beard and hats, less those that belong to the edit.
        margin: a held attribute has changed if its probability crosses 1/2 and moves by more than this.
        min_confidence: how sure the network must be of what is asked, before and after, 0.5 to 1.
        max_distance: the largest distance between both faces in the network's features (typical pairs are
            0.9 apart, different faces 1.9); 0 sets no bound.
        max_change: by how much the probability of a held attribute may move at most, also without crossing
            1/2; 0 sets no bound.
        layers: edit only these layers: 0-2.
        local: undo the edit where it changes little: glasses then change nothing but the region of the eyes.
        reverse: take the edited faces as inputs and the plain ones as targets.
        split: shares of the pairs that are held out.
        seed: the first face.
        network: the attribute network that decides: a bundled name, or a file of 'train-attributes'. Of
            several (faces,critic) all must agree.
        directions: a file of 'facegan directions'; by default, they are computed once and cached.
        labels: of a conditional model, such as male=1.
        device: cpu, cuda or mps.
    """
    options = dict(locals())
    model, given = model_first(options.pop("words"), options.pop("model"), command="pairs", usage=USAGE)
    if len(given) != 1:
        count_ = f"{len(given)} word" + "s" * (len(given) != 1)
        raise InputError(f"pairs takes the edits, not {count_}: facegan pairs {USAGE}")
    from facegan.recipes.choice import next_step
    from facegan.translation.pairs import pairs

    made = pairs(model, given[0], options.pop("out"), say=notify, **options)
    print(f"{made}\nlook at {made.dataset.path / 'preview.jpg'}; next: {next_step(made.dataset)}")


def run(argv: list[str]) -> None:
    """Run the command."""
    run_function(main, options_last(main, argv))
