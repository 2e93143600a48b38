"""``facegan invert``: the vectors whose pictures are nearest to photos."""

from __future__ import annotations

import itertools
import os
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import tyro

from facegan.cli.evaluate import say
from facegan.cli.main import run_function
from facegan.cli.options import papers, told, writing
from facegan.cli.positional import model_first, options_last
from facegan.errors import InputError

if TYPE_CHECKING:
    import torch

    from facegan.generator import Generator
    from facegan.inversion.config import InvertConfig
    from facegan.inversion.encoder import Encoder
    from facegan.inversion.invert import Inversion
    from facegan.inversion.targets import Photo
    from facegan.inversion.tune import TuneConfig

FEW = 4  # so many photos get their paths and films without being asked for


def main(
    photos: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[MODEL] PHOTO...")],
    model: str = "",
    out: str = "",
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
    from facegan.inversion.losses import parse_losses
    from facegan.inversion.targets import read_photos
    from facegan.inversion.tune import TuneConfig, checked
    from facegan.models import load

    model, given = model_first(photos, model, command="invert", usage="MODEL PHOTO ...")
    photos = tuple(given)
    changes: dict[str, Any] = {
        "loss": loss, "space": space, "norm": norm, "optimizer": optimizer, "steps": steps, "lr": lr,
        "ramp_up": ramp_up, "ramp_down": ramp_down, "jitter": jitter, "restarts": restarts, "start": start,
        "noise": noise, "seed": seed, "batch": batch,
    }  # fmt: skip
    settings.preset(preset, **changes)  # mistakes are told before anything is read
    parse_losses(loss or "mse")
    compared = list(parse_losses(compare, "--compare")) if compare else []
    wish = checked(TuneConfig(steps=tune_steps, rank=tune_rank, locality=tune_locality)) if tune else None
    if compare and ("=" in compare or loss or tune):
        raise InputError("--compare takes names of losses alone, and neither --loss nor --tune beside it")
    target = Path(out or "inverted")
    _check_folder(target, photos)
    network = told(load(model, device), labels, by_seed=False)
    guide = find_encoder(network, model, encoder)
    found = read_photos(photos, network, align, face, alpha=preset != "tutorial", say=say)
    target = _place(target, [photo.name for photo in found], asked=bool(out))
    chosen = settings.preset(preset, all(p.seed is not None for p in found), **changes)
    if preset == "tutorial" and any(p.seed is None for p in found):
        say(
            "the tutorial feeds a photo as a vector and takes what comes out as target; here, the photo is it"
        )
    with writing("--out", str(target)):
        if compared:
            _compare(network, found, compared, chosen, guide, target)
        else:
            _invert(network, found, chosen, guide, target, wish, paths, film)


def _check_folder(out: Path, photos: tuple[str, ...]) -> None:
    """Results must have a place, and one where they replace nobody's photos: said before hours of search."""
    there = next(p for p in (out, *out.absolute().parents) if p.exists())
    if not there.is_dir():
        raise InputError(f"--out {out}: {there} is a file; choose a folder")
    if not os.access(there, os.W_OK):
        raise InputError(f"--out {out}: {there} may not be written to; choose another folder")
    for text in photos:
        path = Path(text).expanduser()
        if not text or not path.exists():
            continue
        within = (out.resolve(), *out.resolve().parents) if path.is_dir() else (out.resolve(),)
        if (path if path.is_dir() else path.parent).resolve() in within:  # of a folder all below is read
            raise InputError(f"--out {out}: the photos lie there; choose a folder for the results alone")


def _place(out: Path, names: list[str], asked: bool) -> Path:
    """The folder for results of these photos: not one that holds those of others, which would be replaced in
    part. InputError where it is ``asked`` for."""
    for number in itertools.count(2):
        others = _others(out, names)
        if not others:
            return out
        if asked:
            more = f" and {len(others) - 1} more" if len(others) > 1 else ""
            raise InputError(f"--out {out}: it holds the results of {others[0]}{more}; choose another folder")
        out = out.with_name(f"inverted-{number}")
    raise AssertionError


def _others(out: Path, names: list[str]) -> list[str]:
    """Photos whose results lie in the folder and that are not among ``names``."""
    try:
        with np.load(out / "vectors.npz", allow_pickle=False) as archive:
            return [str(name) for name in archive["names"] if str(name) not in names]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return []


def _invert(
    network: Generator, photos: list[Photo], config: InvertConfig, guide: Encoder | None, out: Path,
    wish: TuneConfig | None, paths: str, film: str,
) -> None:  # fmt: skip
    from facegan.inversion.invert import batches, merged
    from facegan.inversion.results import Parts

    each = max(1, config.batch // config.restarts)
    key = network.spelled() + (guide.digest() if guide else "")
    parts = Parts(out, config, network.hash, key)
    done: list[Inversion] = []
    for at in range(0, len(photos), each):
        part = photos[at : at + each]
        kept = parts.load(part)
        if kept is None:
            kept = next(batches(network, part, config, guide, _progress(at, len(photos), config)))
            if not kept.stopped and len(photos) > each:
                parts.save(part, kept)
        done.append(kept)
        if kept.stopped:
            say(f"stopped at step {len(kept.curves) - 1}; what was found is in {out}")
            break
    whole = merged(done)
    _write(network, whole, out, wish if not whole.stopped else None, paths, film)
    if whole.stopped:
        raise KeyboardInterrupt
    parts.remove()


def _progress(at: int, count: int, config: InvertConfig) -> Callable[[int, int, torch.Tensor], None]:
    """A line on the screen while steps go by."""
    import time

    begin = time.monotonic()
    live = sys.stderr.isatty()

    def told(before: int, step: int, losses: torch.Tensor) -> None:
        last = step == config.steps
        if not (live or last) or (live and not last and step % 5):
            return
        n = len(losses)
        who = f"photo {at + 1}" + (f"-{at + n}" if n > 1 else "") + f" of {count}"
        spent = time.monotonic() - begin
        text = f"{who}  step {step} of {config.steps}  loss {float(losses.mean()):.4f}  {spent:.0f} s"
        print(f"\r{text}" if live else text, end="\n" if last else "", file=sys.stderr, flush=True)

    return told


def _write(
    network: Generator, done: Inversion, out: Path, wish: TuneConfig | None, paths: str, film: str
) -> None:
    from facegan import images, video
    from facegan.files import write_bytes
    from facegan.inversion import results
    from facegan.latent import save_vectors

    out.mkdir(parents=True, exist_ok=True)
    text = papers(network.hash, 1.0, space=done.vectors.space, loss=done.config.loss)
    save_vectors(out / "vectors.npz", done.vectors)
    for name, picture in zip(done.names, done.pictures, strict=True):
        images.save_png(out / f"{name}.png", picture, {"inverted": name, **text})
    tuned, errors = _deltas(network, done, out, wish)
    write_bytes(out / "errors.csv", results.errors_csv(done, errors))
    images.save_png(out / "pairs.png", results.pairs_figure(done, tuned), text)
    title = f"{done.config.optimizer}, {done.config.loss}, {len(done)} photo{'s' * (len(done) != 1)}"
    write_bytes(out / "curve.png", results.curve_figure(done.curves, done.names, title))
    if paths == "all" or (paths == "auto" and len(done) <= FEW):
        for i, name in enumerate(done.names):
            steps, pictures = results.path_pictures(network, done, i)
            images.save_png(out / f"{name}-path.png", results.path_figure(steps, pictures), text)
            video.write_film(out / f"{name}.{film}", results.film_frames(done, i, pictures, 10), 10)
    print(_table(done, errors))
    print(f"{len(done)} vector{'s' * (len(done) != 1)} -> {out / 'vectors.npz'}")


def _deltas(
    network: Generator, done: Inversion, out: Path, wish: TuneConfig | None
) -> tuple[dict[str, np.ndarray], dict[str, list[float]]]:
    """Tunes the generator to each photo, or saves the noise that was found; pictures and errors with it."""
    from dataclasses import asdict

    from facegan.deltas import save_delta
    from facegan.images import to_float
    from facegan.inversion.losses import distances
    from facegan.inversion.tune import noise_difference, tune, with_difference

    pictures: dict[str, np.ndarray] = {}
    errors: dict[str, list[float]] = {}
    if wish is None and not done.noise:
        for name in done.names:  # of an earlier search: it fits another vector
            (out / f"{name}-delta.safetensors").unlink(missing_ok=True)
        return pictures, errors
    for i, name in enumerate(done.names):
        z, noise = done.vectors.z[i : i + 1], {k: v[i : i + 1] for k, v in done.noise.items()}
        target = to_float(done.photos[i : i + 1], network.device)
        if wish is not None:
            say(f"tuning to {name}")
            config = replace(wish, loss=done.config.loss if not done.config.sums else wish.loss)
            changes = tune(network, network.map(z), target, config, noise)
        else:
            changes = noise_difference(network, noise)
        file = out / f"{name}-delta.safetensors"
        made = asdict(wish) if wish is not None else {"noise": done.config.noise}
        save_delta(file, network.hash, changes, photo=name, tuning=made)
        other = with_difference(network, file)
        pictures[name] = other.images(z)[0]
        for key, value in distances(to_float(pictures[name][None], network.device), target).items():
            errors.setdefault(f"{key}_tuned", []).append(float(value))
        say(f"{file}: {file.stat().st_size / 1e6:.2f} MB")
    return (pictures if wish is not None else {}), (errors if wish is not None else {})


def _compare(
    network: Generator, photos: list[Photo], names: list[str], config: InvertConfig, guide: Encoder | None,
    out: Path,
) -> None:  # fmt: skip
    from facegan.files import write_bytes
    from facegan.inversion.invert import compared
    from facegan.inversion.results import compare_figure, errors_csv

    if len(photos) != 1:
        raise InputError(f"--compare takes one photo, not {len(photos)}")
    progress = _progress(0, 1, config)
    runs = compared(network, photos[0], names, config, guide, lambda *step: progress(0, *step))
    out.mkdir(parents=True, exist_ok=True)
    done = dict(zip(names, runs, strict=False))
    write_bytes(out / "compare.png", compare_figure(done))
    rows = [errors_csv(d).decode().splitlines() for d in runs]
    lines = [f"by,{rows[0][0]}", *(f"{name},{row[1]}" for name, row in zip(done, rows, strict=True))]
    write_bytes(out / "errors.csv", ("\n".join(lines) + "\n").encode())
    print("\n".join(f"by {name:<8} {_errors(d, 0)}" for name, d in done.items()))
    print(f"{', '.join(done)} -> {out / 'compare.png'}")
    if runs[-1].stopped:
        raise KeyboardInterrupt


def _errors(done: Inversion, i: int) -> str:
    return "  ".join(
        f"{k.upper() if k != 'faces' else k} {done.errors[k][i]:.4f}" for k in ("mae", "mse", "faces")
    )


def _table(done: Inversion, more: dict[str, list[float]], most: int = 20) -> str:
    """Errors of the first photos and of their mean."""
    width = max([4, *(len(n) for n in done.names[:most])])
    columns = {k: list(done.errors[k]) for k in ("mae", "mse", "faces")} | more
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
