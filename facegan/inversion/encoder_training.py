"""Training an encoder: generated pictures, whose vectors are known, and photos; resumable.

Each batch is half generated pictures (the latent loss) and half photos (what the generator makes of the guess
must look like them: squared error and features). Random numbers come from the picture's index.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facegan import arguments, bars, rng
from facegan.attributes.networks import fit
from facegan.data.dataset import Dataset
from facegan.devices import fast_bfloat16
from facegan.errors import DatasetError, InputError
from facegan.generator import Generator
from facegan.images import to_float
from facegan.inversion.config import EncoderTraining
from facegan.inversion.curvature import measure_metric
from facegan.inversion.encoder import Encoder, EncoderNet, beside
from facegan.inversion.losses import Objective, distances, parse_losses
from facegan.inversion.space import Space, default_space
from facegan.layers.ema import update_ema
from facegan.layers.optimizers import AdamW
from facegan.models import as_model
from facegan.tensor_files import ResumableTensors, load_training, training_tensors

Tensor = torch.Tensor


# (pictures seen, losses by name) after every 20th update
OnProgress = Callable[[int, dict[str, float]], None]
REPORT_EVERY = 20
MAX_BYTES = 4 * 2**20  # of a file, beyond which a line says how it becomes smaller


class _Training:
    def __init__(self, model: Generator, photos: np.ndarray, s: EncoderTraining) -> None:
        self.model, self.photos, self.s = model, photos, s
        self.space = Space(model, default_space(model))
        torch.manual_seed(rng.torch_seed(s.seed, "encoder", 0))
        self.encoder = Encoder.fresh(model, self.space.name, s.width)
        self.encoder.network.to(model.device)
        self.average = deepcopy(self.encoder.network)
        kernels = [p for p in self.encoder.network.parameters() if p.ndim > 1]
        rest = [p for p in self.encoder.network.parameters() if p.ndim <= 1]
        groups = [{"params": kernels, "weight_decay": 0.02}, {"params": rest, "weight_decay": 0.0}]
        self.optimizer = AdamW(groups, s.lr, betas=(0.9, 0.98))
        self.steps = max(1, math.ceil(s.kimg * 1000 / s.batch))
        self.weights = parse_losses(s.loss)
        self.half = model.device.type == "cpu" and fast_bfloat16(model.device)
        self.step = 0

    def generated(self, first: int, count: int) -> tuple[Tensor, Tensor]:
        """Return coordinates and pictures of the ``first``-th draw and those that follow."""
        n = rng.normal(self.s.seed, "encoder/z", first, count=count, per_item=self.model.latent.dim)
        z = self.model.latent.shape_normal(torch.from_numpy(n)).to(self.model.device)
        with torch.no_grad(), self.autocast():
            w = self.model.map(z)
            images = self.model.synthesize(w).float()
        return self.space.coordinates(z if self.space.name == "z" else w), images

    def real(self, first: int, count: int) -> Tensor:
        """Return photos in a new order in each epoch, half of them mirrored."""
        n = len(self.photos)
        places = [divmod(i, n) for i in range(first, first + count)]
        orders = {e: rng.permutation(self.s.seed, "encoder/photos", e, n=n) for e in {e for e, _ in places}}
        rows = [orders[epoch][place] for epoch, place in places]
        x = to_float(np.asarray(self.photos[np.array(rows)]), self.model.device)
        mirrored = torch.from_numpy(
            rng.uniform(self.s.seed, "encoder/mirror", first, count=count)[:, 0] < 0.5
        )
        return torch.where(mirrored.view(-1, 1, 1, 1).to(x.device), x.flip(3), x)

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.model.device.type, torch.bfloat16, enabled=self.half)

    def update(self) -> dict[str, float]:
        s, half = self.s, max(1, self.s.batch // 2)
        lr = s.lr * min(1.0, (self.step + 1) / 50) * 0.5 * (1 + math.cos(math.pi * self.step / self.steps))
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        wanted, drawn = self.generated(self.step * half, half)
        photos = self.real(self.step * half, half)
        self.encoder.network.train()
        with self.autocast():
            both = self.encoder.network(torch.cat([fit(x, self.encoder.shape) for x in (drawn, photos)]))
            u = both[half:].float()
            images = self.model.synthesize(self.space.w(u)).float()
            picture = Objective(self.weights, photos)(images, torch.arange(half, device=images.device)).mean()
        latent = (both[:half].float() - wanted).square().mean()
        loss = picture + s.latent * latent + s.norm * self.space.norm_penalty(u).mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.encoder.network.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        update_ema(self.average, self.encoder.network, min(0.99, self.step / (self.step + 10)))
        return {"latent": float(latent.detach()), "picture": float(picture.detach())}

    def finished(self) -> Encoder:
        """Return the averaged network, as a file holds it."""
        network = deepcopy(self.average).eval().requires_grad_(False)
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(tensor.half().float())
        self.encoder.network = network
        self.encoder.metric = (
            measure_metric(self.model, self.space, self.weights, seed=self.s.seed).half().float()
        )
        self.encoder.metadata = {"training": asdict(self.s)}
        return self.encoder

    # --- what an interrupted training leaves behind ---------------------------------------------

    def key(self) -> str:
        head = {**asdict(self.s), "model": self.model.hash, "photos": len(self.photos)}
        return json.dumps(head, sort_keys=True)

    def networks(self) -> dict[str, EncoderNet]:
        return {"network": self.encoder.network, "average": self.average}

    def save(self, state: ResumableTensors) -> None:
        tensors = training_tensors(self.networks(), self.optimizer)
        state.save(tensors, step=self.step, bfloat16=self.half)

    def resume(self, state: ResumableTensors) -> None:
        """Go on from what was kept, if anything was."""
        if (found := state.load()) is not None:
            load_training(found[1], self.networks(), self.optimizer)
            self.step, self.half = int(found[0]["step"]), bool(found[0]["bfloat16"])


def fit_encoder(
    model: Generator,
    photos: np.ndarray,
    settings: EncoderTraining,
    *,
    state: Path | None = None,
    on_progress: OnProgress | None = None,
) -> Encoder:
    """Return an encoder for ``model`` from generated pictures and uint8 photos ``N,H,W,C`` of its size.

    With ``state``, a file that holds all there is now and then, the same call goes on from it, to the bit.
    """
    c, h, w = model.image_shape
    if photos.ndim != 4 or photos.shape[1:] != (h, w, c) or not len(photos):
        have = "x".join(map(str, photos.shape[2:0:-1])) if photos.ndim == 4 else "no pictures"
        raise DatasetError(
            f"the dataset's pictures ({have} px) are not of the model's size, {w}x{h} px with {c} channels"
        )
    training = _Training(model, photos, settings)
    kept = ResumableTensors(state, training.key())
    training.resume(kept)
    sums: dict[str, float] = {}
    try:
        while training.step < training.steps:
            for name, value in training.update().items():
                sums[name] = sums.get(name, 0.0) + value
            if training.step % REPORT_EVERY == 0 or training.step == training.steps:
                count = (training.step - 1) % REPORT_EVERY + 1
                if on_progress is not None:
                    seen = training.step * settings.batch
                    on_progress(seen, {name: value / count for name, value in sums.items()})
                sums = {}
            if training.step % (10 * REPORT_EVERY) == 0:
                training.save(kept)
    except KeyboardInterrupt:
        training.save(kept)
        raise
    return training.finished()


# --- from end to end -------------------------------------------------------------------------------------


def train_encoder(
    model: Generator | str | Path,
    dataset: Dataset | str | Path,
    *,
    out: str | Path | None = None,
    device: str = "cpu",
    on_losses: OnProgress | None = None,
    say: Callable[[str], None] | None = None,
    **changes: Any,
) -> Encoder:
    """Train an encoder from generated pictures, whose vectors are known, and a dataset's train split.

    ``invert`` finds it beside the model and begins with its guess. Interrupted, the same call goes on.

    >>> facegan.train_encoder("my_run", "faces64")
    >>> facegan.invert("me.jpg", "my_run")

    Args:
        model: what ``load`` takes, or a Generator (``out`` must then be given).
        dataset: a prepared dataset, its pictures of the model's size.
        out: the encoder's file; None is MODEL-encoder.safetensors beside the model's file.
        device: of a model that is loaded: cpu, cuda or mps.
        on_losses: is called now and then with the pictures seen and the losses by name; without it a bar
            shows the progress.
        say: receives a line on how an interrupted training goes on.
        **changes: settings of :class:`EncoderTraining`, such as ``kimg=10``.
    """
    settings = checked(changes, out)
    generator = as_model(model, device)
    target = encoder_place(generator, model, out)
    data = dataset if isinstance(dataset, Dataset) else Dataset(arguments.place(dataset, "the dataset"))
    state = target.with_suffix(".state")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with bars.shown(on_losses) as report:
            total = int(settings.kimg * 1000)

            def show(seen: int, losses: dict[str, float]) -> None:
                note = "  ".join(f"{name} {value:.4f}" for name, value in losses.items())
                report("train encoder", min(seen, total), total, note=note)

            encoder = fit_encoder(
                generator, data.images("train"), settings, state=state, on_progress=on_losses or show
            )
        encoder.metadata["dataset"] = {"name": data.path.name, "content_hash": data.content_hash}
        encoder.save(target)
        state.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"--out {target}: cannot be written ({error.strerror})") from None
    except KeyboardInterrupt:
        if say is not None:
            say(f"\nstopped; the same command goes on ({state})")
        raise
    if say is not None and (size := target.stat().st_size) > MAX_BYTES:
        say(f"{target}: {size / 2**20:.1f} MiB; a smaller --width makes it smaller")
    encoder.errors, encoder.file = measured(generator, data, encoder), target
    return encoder


def checked(changes: dict[str, Any], out: str | Path | None) -> EncoderTraining:
    """Return the settings; InputError names the option that cannot be."""
    s = replace(EncoderTraining(), **arguments.settings(EncoderTraining, changes))
    if (
        s.width < 1
        or s.batch < 4
        or s.batch % 2
        or not (s.kimg > 0 and s.lr > 0)
        or s.latent < 0
        or s.seed < 0
    ):
        raise InputError(
            "--kimg, --lr and --width must be above 0, --batch even and at least 4, --latent and --seed "
            "at least 0"
        )
    parse_losses(s.loss)
    if out and not str(out).endswith(".safetensors"):
        raise InputError(f"--out {out}: the name must end in .safetensors")
    return s


def encoder_place(model: Generator, reference: Generator | str | Path, out: str | Path | None) -> Path:
    """Return the encoder's file; InputError where it must be named."""
    if out:
        return Path(out)
    if isinstance(reference, Generator):
        raise InputError("--out is missing: a Generator has no file beside which the encoder could lie")
    if model.bundled:
        raise InputError(f"--out is missing: {reference}'s own encoder comes with the package")
    target = beside(reference)
    if not os.access(target.parent, os.W_OK):
        raise InputError(f"{target.parent}: the folder is read-only; name the encoder's file with --out")
    return target


def measured(
    model: Generator, data: Dataset, encoder: Encoder, *, most: int = 200
) -> dict[str, dict[str, float]]:
    """Return the errors of the bare guess on held-out photos and on generated pictures."""
    split = next((s for s in ("val", "test", "train") if data.counts.get(s)), "train")
    photos = to_float(np.array(data.images(split)[:most]), model.device)
    with torch.no_grad():
        drawn = model(model.latent.sample(range(10_000, 10_000 + min(most, 64))))
        found = {}
        for name, images in ((f"{len(photos)} photos of {split}", photos), ("generated", drawn)):
            sums: dict[str, list[Tensor]] = {}
            for part in images.split(32):
                made = model.synthesize(model.map(encoder.guess(model, part)))
                for key, value in distances(made, part).items():
                    sums.setdefault(key, []).append(value)
            found[name] = {k: float(torch.cat(v).mean()) for k, v in sums.items()}
    return found
