"""``facegan train-encoder``: a network that guesses the vector of a photo, for one model."""

from __future__ import annotations

import time
from typing import Annotated, Any

import tyro

from facegan.cli.evaluate import say
from facegan.cli.main import run_function

MOST_BYTES = 4 * 2**20


def main(
    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")],
    dataset: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")],
    out: str = "",
    *,
    kimg: float = 40.0,
    batch: int = 32,
    lr: float = 2e-3,
    width: int = 32,
    latent: float = 0.2,
    loss: str = "mse=1,faces=0.05",
    seed: int = 0,
    device: str = "cpu",
) -> None:
    """Train an encoder from generated pictures, whose vectors are known, and a dataset's train split.

    'facegan invert' finds it beside the model and begins with its guess. The same command goes on after an
    interruption.

    Args:
        model: a run folder, a moment of one (RUN@30kimg), a .safetensors file, or a bundled name.
        dataset: a folder made by 'facegan prepare', its pictures of the model's size.
        out: the encoder's file; by default MODEL-encoder.safetensors beside the model's file.
        kimg: length in thousands of pictures, half of them generated.
        batch: pictures in one update.
        lr: highest learning rate.
        width: channels of the first layer.
        latent: weight of the squared error of generated pictures' vectors.
        loss: between a photo and what the generator makes of the guess, as in 'facegan invert'.
        seed: of weights and pictures.
        device: cpu, cuda or mps.
    """
    from facegan.data.dataset import Dataset
    from facegan.inversion.encoder_training import checked, encoder_place, measured, train_encoder
    from facegan.models import load

    settings: dict[str, Any] = {
        "kimg": kimg,
        "batch": batch,
        "lr": lr,
        "width": width,
        "latent": latent,
        "loss": loss,
        "seed": seed,
    }
    checked(settings, out)  # mistakes are told before the model is read
    network = load(model, device)
    target = encoder_place(network, model, out)
    data = Dataset(dataset)
    begin = time.monotonic()

    def told(seen: int, losses: dict[str, float]) -> None:
        spent = (time.monotonic() - begin) / 60
        text = "  ".join(f"{name} {value:.4f}" for name, value in losses.items())
        say(f"{seen / 1000:.1f} of {kimg:g} kimg  {text}  {spent:.1f} min")

    encoder = train_encoder(network, data, out=target, on_losses=told, say=say, **settings)
    size = target.stat().st_size
    if size > MOST_BYTES:
        say(f"{target}: {size / 2**20:.1f} MiB; a smaller --width makes it smaller")
    for name, errors in measured(network, data, encoder).items():
        print(f"{name}: " + "  ".join(f"{k} {v:.4f}" for k, v in errors.items()))
    print(f"{size / 2**20:.2f} MiB -> {target}")


def run(argv: list[str]) -> int:
    run_function(main, argv)
    return 0
