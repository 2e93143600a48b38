"""``facegan train-encoder``: a network that guesses the vector of a photo, for one model."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from facegan.cli.evaluate import say
from facegan.cli.main import run_function
from facegan.errors import InputError

if TYPE_CHECKING:
    from facegan.data.dataset import Dataset
    from facegan.generator import Generator
    from facegan.inversion.encoder import Encoder

MOST_BYTES = 4 * 2**20


def main(
    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")],
    dataset: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")],
    out: str = "",
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
    from facegan.inversion.encoder import beside
    from facegan.inversion.encoder_training import EncoderTraining, train_encoder
    from facegan.inversion.losses import parse_losses
    from facegan.models import load

    if width < 1 or batch < 4 or batch % 2 or not (kimg > 0 and lr > 0) or latent < 0 or seed < 0:
        raise InputError(
            "--kimg, --lr and --width must be above 0, --batch even and at least 4, --latent and --seed "
            "at least 0"
        )
    parse_losses(loss)
    if out and not out.endswith(".safetensors"):
        raise InputError(f"--out {out}: the name must end in .safetensors")
    network = load(model, device)
    if network.bundled and not out:
        raise InputError(f"--out is missing: {model}'s own encoder comes with the package")
    target = Path(out) if out else beside(model)
    if not out and not os.access(target.parent, os.W_OK):
        raise InputError(f"{target.parent}: the folder is read-only; name the encoder's file with --out")
    data = Dataset(dataset)
    settings = EncoderTraining(kimg, batch, lr, width, latent, loss, seed=seed)
    begin, total = time.monotonic(), kimg

    def told(seen: int, losses: dict[str, float]) -> None:
        spent = (time.monotonic() - begin) / 60
        text = "  ".join(f"{name} {value:.4f}" for name, value in losses.items())
        say(f"{seen / 1000:.1f} of {total:g} kimg  {text}  {spent:.1f} min")

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        state = target.with_suffix(".state")
        encoder = train_encoder(network, data.images("train"), settings, state, told)
        encoder.papers["dataset"] = {"name": data.path.name, "content_hash": data.content_hash}
        encoder.save(target)
        state.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"--out {target}: cannot be written ({error.strerror})") from None
    except KeyboardInterrupt:
        say(f"\nstopped; the same command goes on ({target.with_suffix('.state')})")
        raise
    size = target.stat().st_size
    if size > MOST_BYTES:
        say(f"{target}: {size / 2**20:.1f} MiB; a smaller --width makes it smaller")
    print(f"{_measured(network, data, encoder)}\n{size / 2**20:.2f} MiB -> {target}")


def _measured(network: Generator, data: Dataset, encoder: Encoder, most: int = 200) -> str:
    """Errors of the bare guess on held-out photos and on generated pictures."""
    import numpy as np
    import torch

    from facegan.images import to_float
    from facegan.inversion.losses import distances

    split = next((s for s in ("val", "test", "train") if data.counts.get(s)), "train")
    photos = to_float(np.array(data.images(split)[:most]), network.device)
    with torch.no_grad():
        drawn = network(network.latent.sample(range(10_000, 10_000 + min(most, 64))))
        lines = []
        for name, images in ((f"{len(photos)} photos of {split}", photos), ("generated", drawn)):
            sums: dict[str, list[torch.Tensor]] = {}
            for part in images.split(32):
                made = network.synthesize(network.map(encoder.guess(network, part)))
                for key, value in distances(made, part).items():
                    sums.setdefault(key, []).append(value)
            means = {k: float(torch.cat(v).mean()) for k, v in sums.items()}
            lines.append(f"{name}: " + "  ".join(f"{k} {v:.4f}" for k, v in means.items()))
    return "\n".join(lines)


def run(argv: list[str]) -> int:
    run_function(main, argv)
    return 0
