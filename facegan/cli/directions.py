"""``facegan directions``: what can be changed in a model's faces."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from facegan.cli.main import run_function
from facegan.cli.positional import only_model, options_last
from facegan.errors import InputError
from facegan.files import check_ending

if TYPE_CHECKING:
    from facegan.generator import Generator
    from facegan.latent.directions import Directions

PROTECT = "male,eyeglasses,young,smiling"
SHOWN = ("Smiling", "Male", "Eyeglasses", "Young")
FACES = ("aligned", "face", "tutorial")  # crops that hold nothing but faces
SURE = 0.8  # accuracy from which a direction is suggested first where the pictures may show anything


def main(
    models: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[MODEL]")] = (),
    model: str = "",
    out: str = "",
    *,
    network: str = "faces",
    method: Literal["steered", "projected", "boundary"] = "steered",
    protect: str = PROTECT,
    samples: int = 4000,
    gradients: int = 128,
    components: int = 10,
    figure: str = "",
    seed: int = 0,
    device: str = "cpu",
) -> None:
    """Find directions: one for each attribute that a network sees, PCA's and SeFa's. Takes minutes.

    Interrupted, the same command goes on. 'facegan edit' finds the file where this puts it.

    Args:
        models: the model, first or as --model.
        model: a run folder, a moment of one (RUN@30kimg), a .safetensors file, or a bundled name; it may
            also stand first. Default: celeba64.
        out: the file, a .safetensors; '' is in the cache, where 'facegan edit' looks.
        network: the attribute network: a bundled one or a file of 'facegan train-attributes'.
        method: steered (gradients through both networks hold the other attributes still), projected (the
            boundary's normal less its share of the protected ones'), or boundary (the normal as it is).
        protect: attributes that must not change while others do, with commas.
        samples: generated faces whose attributes are looked at.
        gradients: faces at which gradients are taken.
        components: directions of PCA, and of SeFa.
        figure: also draw what each direction does to the face of seed 0, into this .png.
        seed: of the samples.
        device: cpu, cuda or mps.
    """
    from facegan.attributes.predictor import AttributePredictor
    from facegan.latent.directions import Settings, directions, place_in_cache
    from facegan.models import load

    model = only_model(models, model, command="directions")
    for option, name, ending in (("--out", out, ".safetensors"), ("--figure", figure, ".png")):
        if name:
            check_ending(option, name, [ending])
    generator = load(model, device)
    known = AttributePredictor.load(network).names
    settings = Settings(
        samples=samples,
        gradients=gradients,
        components=components,
        method=method,
        seed=seed,
        protect=protected(protect, known),
    )
    target = Path(out) if out else place_in_cache(generator)
    if target is None:
        raise InputError("no cache folder can be written; name the file with --out, or set FACEGAN_CACHE")
    found = directions(generator, network=network, settings=settings, out=target, told=Line())
    if figure:
        _draw(generator, found, figure)
    print(table(found))
    print(f"{len(found.names)} directions -> {target}")
    where = f" --directions {target}" if out else ""
    if shown := suggested(found, generator):
        print(f'next: facegan edit {model} seed:0 "{shown}=+2"{where}')


def suggested(found: Directions, model: Generator) -> str:
    """Return the direction to try first, as ``facegan edit`` takes it; '' where there is none.

    Words for faces come first where the pictures are faces that were found; of other colour pictures they
    must be told apart well. Of gray ones, such as digits, the network's words mean nothing, so that a
    component comes first.
    """
    from facegan.data.filters import plain

    least = 0.0 if (model.meta.get("alignment") or {}).get("kind") in FACES else SURE
    words = SHOWN if least < SURE or model.image_shape[0] > 1 else ()
    usual = [n for n in words if n in found.names and found.accuracy.get(n, 0.5) >= least]
    pairs = zip(found.names, found.kinds, strict=True)
    components = [name for name, kind in pairs if kind != "attribute"]
    others = sorted(found.names, key=lambda name: -found.accuracy.get(name, 0.0))
    return plain(next(iter([*usual, *components, *others]), ""))


def protected(text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """Names as the network spells them. The default's are left out where the network knows none of them."""
    from facegan.attributes.phrases import meaning

    default = text == PROTECT
    found: list[str] = []
    for word in filter(None, (w.strip() for w in text.split(","))):
        try:
            found += meaning(word, known)
        except InputError as error:
            if not default:
                raise InputError(f"--protect {error}") from None
    return tuple(dict.fromkeys(found))


class Line:
    """Progress in one line of the terminal, or now and then where there is none."""

    def __init__(self) -> None:
        self.last, self.live = 0.0, sys.stderr.isatty()

    def __call__(self, what: str, done: int, count: int) -> None:
        now = time.monotonic()
        if now - self.last < (0.2 if self.live else 10) and done < count:
            return
        self.last = now
        text = f"{what}: {done} of {count}"
        if self.live:
            print(f"\r{text:<60}", end="\n" if done >= count else "", file=sys.stderr, flush=True)
        elif done < count:
            print(text, file=sys.stderr, flush=True)


def table(found: Directions) -> str:
    """One line for each direction: accuracy, its own effect, and what else it changes most."""
    from facegan.data.filters import plain

    lines = [f"{'direction':<22}{'accuracy':>9}{'effect':>8}  changes besides (standard deviations per unit)"]
    for k, name in enumerate(found.names):
        effects = dict(zip(found.seen, found.effects[k].tolist(), strict=True))
        own = effects.pop(name, None)
        most = sorted(effects, key=lambda n: -abs(effects[n]))[:4]
        accuracy = f"{found.accuracy[name]:.0%}" if name in found.accuracy else "-"
        effect = f"{own:+.2f}" if own is not None else "-"
        besides = ", ".join(f"{plain(n)} {effects[n]:+.2f}" for n in most)
        lines.append(f"{plain(name):<22}{accuracy:>9}{effect:>8}  {besides}")
    return "\n".join(lines)


def _draw(model: object, found: Directions, figure: str) -> None:
    import numpy as np

    from facegan import figures, images
    from facegan.data.filters import plain
    from facegan.files import writing
    from facegan.latent.editing import target_points

    w = target_points(model, "seed:0").z  # type: ignore[arg-type]
    rows, steps = [], (-3, -1.5, 0, 1.5, 3)
    for name in found.names:
        drawn = [model.images(found.move(w, {name: s}))[0] for s in steps]  # type: ignore
        large = figures.magnified(np.stack(drawn), len(drawn), 0, wide=figures.WIDE // 2)
        rows.append((plain(name).replace("_", " "), list(figures.colour(large))))
    with writing("--figure", figure):
        images.save_png(figure, figures.table(rows, [f"{s:+g}" if s else "seed 0" for s in steps]))


def run(argv: list[str]) -> int:
    run_function(main, options_last(main, argv))
    return 0
