"""``facegan invert``: the vectors whose pictures are nearest to photos."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import tyro

from facegan.cli.evaluate import say
from facegan.cli.main import run_function
from facegan.cli.options import apply_labels
from facegan.cli.positional import model_first, options_last
from facegan.errors import InputError

if TYPE_CHECKING:
    from facegan.inversion.invert import SearchStep
    from facegan.inversion.results import Inversion


def main(
    photos: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[MODEL] PHOTO...")],
    model: str = "",
    out: str = "",
    *,
    preset: Literal["quick", "plain", "thorough", "tutorial"] = "quick",
    loss: str | None = None,
    space: Literal["z", "w", "w+"] | None = None,
    norm: float | None = None,
    optimizer: Literal["adam", "lbfgs"] | None = None,
    steps: int | None = None,
    lr: float | None = None,
    ramp_up: float | None = None,
    ramp_down: float | None = None,
    jitter: float | None = None,
    restarts: int | None = None,
    start: Literal["auto", "encoder", "random", "mean"] | None = None,
    noise: float | None = None,
    encoder: str = "auto",
    compare: str = "",
    align: bool = True,
    face: int = 1,
    tune: bool = False,
    tune_steps: int = 100,
    tune_rank: int = 8,
    tune_locality: float = 1.0,
    paths: Literal["auto", "all", "none"] = "auto",
    film: Literal["mp4", "gif", "webp"] = "mp4",
    seed: int | None = None,
    batch: int | None = None,
    labels: str = "",
    device: str = "cpu",
) -> None:
    """Find the vectors whose pictures are nearest to photos.

    In the folder OUT: vectors.npz (for generate, interpolate, edit), each photo's picture, pairs.png,
    errors.csv and curve.png; of few photos also the way there (NAME-path.png, NAME.mp4). Ctrl-C keeps what
    was found; with many photos, the same command then goes on with the rest.

    Args:
        photos: files, folders, - for standard input, http(s) addresses, or seed:5 for a generated target.
        model: a run folder, a moment of one (RUN@30kimg), a .safetensors file, or a bundled name; it may
            also stand first. Default: celeba64.
        out: the folder for all results; by default 'inverted', or 'inverted-2' and so on where that holds the
            results of other photos.
        preset: quick (from the encoder's guess, 50 steps of L-BFGS), plain (Adam, 1000 steps, 4 random
            starts), thorough (300 steps of L-BFGS, 4 starts), or tutorial (the face tutorial's procedure).
        loss: mae, mse, pyramid, faces (face network), vgg, lpips, with weights, as in mse=1,faces=0.02.
        space: z, w (all layers alike) or w+; by default w where the network maps, else z.
        norm: weight of | ||z|| - sqrt(dim) |, in standard coordinates.
        optimizer: adam or lbfgs.
        steps: updates.
        lr: Adam's learning rate, in standard deviations; of lbfgs the length of the first step.
        ramp_up: share of the steps over which Adam's rate rises.
        ramp_down: share of the steps over which it falls.
        jitter: Adam: noise on the vector at the beginning, which fades.
        restarts: starts of each photo; the best counts.
        start: encoder, random, mean, or auto: encoder where there is one for the model, else random.
        noise: seek the network's noise, too, where it has any (stylegan2); the weight of its regularisation.
            It is saved as NAME-delta.safetensors.
        encoder: auto (MODEL-encoder.safetensors beside the model), none, or a file of 'train-encoder'.
        compare: losses to run on one photo side by side, such as mae,mse; makes only compare.png and
            errors.csv.
        align: find the face and crop as the model's data were; --no-align takes the whole picture.
        face: which face of a photo, the largest being 1.
        tune: adapt the generator to each photo; NAME-delta.safetensors is for 'generate MODEL+FILE'.
        tune_steps: updates of the generator.
        tune_rank: of the change of each weight: more is nearer, and a larger file.
        tune_locality: weight of how much other faces change.
        paths: figure and film of the way of all photos, or none; auto: of up to 4 photos.
        film: kind of the films.
        seed: of random starts and noise.
        batch: pictures at once (photos x restarts).
        labels: of a conditional model, such as smiling=1,male=0.
        device: cpu, cuda or mps.
    """
    from facegan.inversion import config as settings
    from facegan.inversion.encoder import find_encoder
    from facegan.inversion.invert import compare_losses, invert
    from facegan.inversion.losses import parse_losses
    from facegan.inversion.results import InversionStopped
    from facegan.inversion.tune import TuneConfig, checked
    from facegan.models import load

    model, given = model_first(photos, model, command="invert", usage="MODEL PHOTO ...")
    changes: dict[str, Any] = {
        "loss": loss,
        "space": space,
        "norm": norm,
        "optimizer": optimizer,
        "steps": steps,
        "lr": lr,
        "ramp_up": ramp_up,
        "ramp_down": ramp_down,
        "jitter": jitter,
        "restarts": restarts,
        "start": start,
        "noise": noise,
        "seed": seed,
        "batch": batch,
    }
    settings.preset(preset, **changes)  # mistakes are told before the model is read
    parse_losses(loss or "mse")
    losses = list(parse_losses(compare, "--compare")) if compare else []
    wish = checked(TuneConfig(steps=tune_steps, rank=tune_rank, locality=tune_locality)) if tune else False
    if compare and ("=" in compare or loss or tune):
        raise InputError("--compare takes names of losses alone, and neither --loss nor --tune beside it")
    network = apply_labels(load(model, device), labels, by_seed=False)
    shared: dict[str, Any] = {
        "encoder": find_encoder(network, model, encoder) or "none",
        "align": align,
        "face": face,
        "preset": preset,
        "out": out or "auto",
        "on_step": _progress(),
        "say": say,
        **changes,
    }
    if losses:
        runs = compare_losses(list(given) or [""], network, losses, **shared)
        print("\n".join(f"by {name:<8} {_errors(d, 0)}" for name, d in runs.items()))
        print(f"{', '.join(runs)} -> {next(iter(runs.values())).folder}/compare.png")
        if any(d.stopped for d in runs.values()):
            raise KeyboardInterrupt
        return
    try:
        found = invert(list(given) or [""], network, tune=wish, paths=paths, film=film, **shared)
    except InversionStopped as stopped:
        _report(stopped.found)
        raise
    _report(found)


def _progress() -> Callable[[SearchStep], None]:
    """A line on the screen while steps go by."""
    begin = time.monotonic()
    live = sys.stderr.isatty()

    def told(at: SearchStep) -> None:
        last = at.step == at.steps
        if not (live or last) or (live and not last and at.step % 5):
            return
        first, end = at.before + 1, at.before + len(at.losses)
        who = f"photo {first}" + (f"-{end}" if end > first else "") + f" of {at.photos}"
        spent = time.monotonic() - begin
        text = f"{who}  step {at.step} of {at.steps}  loss {float(at.losses.mean()):.4f}  {spent:.0f} s"
        print(f"\r{text}" if live else text, end="\n" if last else "", file=sys.stderr, flush=True)

    return told


def _report(done: Inversion) -> None:
    print(_table(done))
    print(f"{len(done)} vector{'s' * (len(done) != 1)} -> {done.folder}/vectors.npz")


def _errors(done: Inversion, i: int) -> str:
    return "  ".join(
        f"{k.upper() if k != 'faces' else k} {done.errors[k][i]:.4f}" for k in ("mae", "mse", "faces")
    )


def _table(done: Inversion, most: int = 20) -> str:
    """Errors of the first photos and of their mean."""
    width = max([4, *(len(n) for n in done.names[:most])])
    columns = {k: list(done.errors[k]) for k in ("mae", "mse", "faces")} | done.tuned_errors
    rows = [f"{'':<{width}}" + "".join(f"{name:>12}" for name in columns)]
    for i, name in enumerate(done.names[:most]):
        rows.append(f"{name:<{width}}" + "".join(f"{values[i]:12.4f}" for values in columns.values()))
    if len(done) > most:
        rows.append(f"... and {len(done) - most} more in errors.csv")
    if len(done) > 1:
        rows.append(f"{'mean':<{width}}" + "".join(f"{np.mean(values):12.4f}" for values in columns.values()))
    return "\n".join(rows)


def run(argv: list[str]) -> int:
    run_function(main, options_last(main, argv))
    return 0
