"""``facegan directions``: what can be changed in a model's faces."""

from __future__ import annotations

from typing import Annotated, Literal

import tyro

from facegan.cli.main import run_function
from facegan.cli.positional import only_model, options_last


def main(
    models: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[MODEL]")] = (),
    model: str = "",
    out: str = "",
    *,
    network: str = "faces",
    method: Literal["steered", "projected", "boundary"] = "steered",
    protect: str = "male,eyeglasses,young,smiling",
    samples: int = 4000,
    gradients: int = 128,
    components: int = 10,
    figure: str = "",
    mark: bool = True,
    seed: int = 0,
    device: str = "cpu",
) -> None:
    """Find directions for each attribute, and those of PCA and SeFa. Takes minutes.

    After an interruption, the same command continues. 'facegan edit' finds the file.

    Args:
        models: the model, first or as --model.
        model: a run folder, a checkpoint of one (RUN@30kimg), a .safetensors file, a bundled name, or
            hf:owner/name on the Hugging Face Hub; it may
            also stand first. Default: celeba64.
        out: the file, a .safetensors; '' is in the cache, where 'facegan edit' looks.
        network: the attribute network: a bundled one or a file of 'facegan train-attributes'.
        method: steered (gradients through both networks hold the other attributes still), projected (the
            boundary's normal less its share of the protected ones'), or boundary (the normal as it is).
        protect: attributes that must not change with others, separated by commas.
        samples: number of generated faces to analyse.
        gradients: number of faces for gradients.
        components: number of directions of PCA and of SeFa.
        figure: also draw the effect of each direction on seed 0 into this .png.
        mark: write into the figure that it is generated, and its model, seeds and command. EU law asks
            providers for such marks since 2 August 2026 (Regulation 2024/1689, Article 50(2)).
        seed: seed of the samples.
        device: cpu, cuda or mps.
    """
    from facegan.latent.directions import directions
    from facegan.latent.finding import Settings
    from facegan.models import as_model

    model = only_model(models, model, command="directions")
    generator = as_model(model, device)
    settings = Settings(
        samples=samples,
        gradients=gradients,
        components=components,
        method=method,
        seed=seed,
        protect=tuple(protect.split(",")),
    )
    found = directions(
        generator, network=network, settings=settings, out=out, figure=figure or None, mark=mark
    )
    print(f"{found}\n{len(found.names)} directions -> {found.file}")
    if first := found.suggest(generator):
        where = f" --directions {found.file}" if out else ""
        print(f'next: facegan edit {model} seed:0 "{first}=+2"{where}')


def run(argv: list[str]) -> None:
    """Run the command."""
    run_function(main, options_last(main, argv))
