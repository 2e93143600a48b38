"""``facegan invert``: the vectors whose pictures are nearest to photos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from facegan.cli.main import run_function
from facegan.cli.options import FLAT, notify, optional
from facegan.cli.positional import model_first, options_last
from facegan.errors import InputError
from facegan.inversion.config import InvertConfig

if TYPE_CHECKING:
    Settings = InvertConfig
else:
    Settings = optional(InvertConfig, "refine", "stop", "sums", "eps", "snapshots")


@dataclass(frozen=True)
class Tuning:
    """Flags of tuning the generator."""

    tune: bool = False
    """adapt the generator to each photo; NAME-delta.safetensors is for 'generate MODEL+FILE'."""
    tune_steps: int = 100
    """updates of the generator."""
    tune_rank: int = 8
    """rank of each weight's change: higher is closer but makes a larger file."""
    tune_locality: float = 1.0
    """weight of the penalty on changes of other faces."""


def main(
    photos: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[MODEL] PHOTO...")],
    model: str = "",
    out: str = "",
    *,
    preset: Literal["quick", "plain", "thorough", "tutorial"] = "quick",
    settings: Annotated[Settings, FLAT] = Settings(),  # noqa: B008
    encoder: str = "auto",
    compare: str = "",
    align: bool = True,
    face: int = 1,
    tuning: Annotated[Tuning, FLAT] = Tuning(),
    paths: Literal["auto", "all", "none"] = "auto",
    film: Literal["mp4", "gif", "webp"] = "mp4",
    mark: bool = True,
    labels: str = "",
    device: str = "cpu",
) -> None:
    """Find the vectors whose pictures are closest to photos.

    In the folder OUT: vectors.npz (for generate, interpolate, edit), each photo's picture, pairs.png,
    errors.csv and curve.png; of few photos also the way there (NAME-path.png, NAME.mp4). Ctrl-C keeps what
    was found; with many photos, the same command then goes on with the rest.

    Args:
        photos: files, folders, - for standard input, http(s) addresses, or seed:5 for a generated target.
        model: a run folder, a checkpoint of one (RUN@30kimg), a .safetensors file, a bundled name, or
            hf:owner/name on the Hugging Face Hub; it may
            also stand first. Default: celeba64.
        out: the folder for all results; by default 'inverted', or 'inverted-2' and so on where that holds the
            results of other photos.
        preset: quick (from the encoder's guess, 50 steps of L-BFGS), plain (Adam, 1000 steps, 4 random
            starts), thorough (300 steps of L-BFGS, 4 starts), or tutorial (the face tutorial's procedure).
        settings: of the search, by default the preset's.
        encoder: auto (MODEL-encoder.safetensors beside the model), none, or a file of 'train-encoder'.
        compare: losses to run on one photo side by side (mae,mse); makes only compare.png and errors.csv.
        align: find the face and crop it like the model's data; --no-align uses the whole picture.
        face: which face of a photo; 1 is the largest.
        tuning: of the generator.
        paths: figure and film of the search for all photos or none; auto: for up to 4.
        film: format of the films.
        mark: write into each picture that it is generated, and its model, seeds and command. EU law asks
            providers for such marks since 2 August 2026 (Regulation 2024/1689, Article 50(2)).
        labels: of a conditional model, such as smiling=1,male=0.
        device: cpu, cuda or mps.
    """
    model, given = model_first(photos, model, command="invert", usage="MODEL PHOTO ...")
    common = {"encoder": encoder, "align": align, "face": face, "preset": preset, "out": out or "auto"}
    common["mark"] = mark
    shared: Any = {**common, "labels": labels, "device": device, "say": notify, **vars(settings)}
    if compare and ("=" in compare or settings.loss or tuning.tune):
        raise InputError("--compare takes names of losses alone, and neither --loss nor --tune beside it")
    if compare:
        return _compare(given, model, compare, shared=shared)
    from facegan.inversion.invert import invert
    from facegan.inversion.results import InversionStopped
    from facegan.inversion.tune import TuneConfig

    changes = {name.removeprefix("tune_"): value for name, value in vars(tuning).items() if name != "tune"}
    wish = TuneConfig(**changes) if tuning.tune else False
    try:
        print(invert(given or [""], model, tune=wish, paths=paths, film=film, **shared))
    except InversionStopped as stopped:
        print(stopped.found)
        raise


def _compare(photos: list[str], model: str, losses: str, *, shared: dict[str, Any]) -> None:
    from facegan.inversion.invert import compare_losses

    runs = compare_losses(photos or [""], model, losses, **shared)
    for name, found in runs.items():
        errors = (
            f"{key.upper() if key != 'faces' else key} {found.errors[key][0]:.4f}"
            for key in ("mae", "mse", "faces")
        )
        print(f"by {name:<8} {'  '.join(errors)}")
    print(f"{', '.join(runs)} -> {next(iter(runs.values())).folder}/compare.png")
    if any(found.stopped for found in runs.values()):
        raise KeyboardInterrupt


def run(argv: list[str]) -> None:
    """Run the command."""
    run_function(main, options_last(main, argv))
