"""``facegan train-encoder``: a network that guesses the vector of a photo, for one model."""

from __future__ import annotations

from typing import Annotated

import tyro

from facegan.cli.options import FLAT, notify
from facegan.inversion.config import EncoderTraining


def main(
    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")],
    dataset: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")],
    out: str = "",
    *,
    settings: Annotated[EncoderTraining, FLAT] = EncoderTraining(),  # noqa: B008
    device: str = "cpu",
) -> None:
    """Train an encoder from generated pictures, whose vectors are known, and a dataset's train split.

    'facegan invert' finds it next to the model and starts from its guess. After an interruption, the same
    command continues.

    Args:
        model: a run folder, a checkpoint of one (RUN@30kimg), a .safetensors file, a bundled name, or
            hf:owner/name on the Hugging Face Hub.
        dataset: a folder made by 'facegan prepare', its pictures of the model's size.
        out: the encoder's file; by default MODEL-encoder.safetensors beside the model's file.
        settings: of the training.
        device: cpu, cuda or mps.
    """
    from facegan.inversion.encoder_training import train_encoder

    encoder = train_encoder(model, dataset, out=out, device=device, say=notify, **vars(settings))
    for name, errors in encoder.errors.items():
        print(f"{name}: " + "  ".join(f"{k} {v:.4f}" for k, v in errors.items()))
    if encoder.file is not None:
        print(f"{encoder.file.stat().st_size / 2**20:.2f} MiB -> {encoder.file}")
