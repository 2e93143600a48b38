"""Train an attribute predictor: augmentation, moving average, calibration; resumable after any epoch."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from facegan import rng
from facegan.attributes.networks import AttributeNet, build, fit
from facegan.attributes.predictor import AttributePredictor
from facegan.devices import fast_bfloat16
from facegan.errors import DatasetError
from facegan.images import to_float
from facegan.layers.ema import update_ema
from facegan.layers.optimizers import LBFGS, AdamW
from facegan.tensor_files import ResumableTensors, load_training, training_tensors


@dataclass(frozen=True)
class AttributeTraining:
    """Hold the training settings of a predictor; ``size`` 0 keeps the pictures' size."""

    architecture: str = "residual"
    width: int = 24
    size: int = 64
    epochs: int = 60
    batch: int = 64
    lr: float = 2e-3
    weight_decay: float = 0.05
    ema_decay: float = 0.998
    augment: str = "faces"
    mixup: float = 0.2
    seed: int = 0


# What the demo's little networks take: a minute is too much for them.
SMALL = AttributeTraining(
    "plain", 16, size=0, epochs=12, weight_decay=1e-2, ema_decay=0.0, augment="shift", mixup=0.0
)

OnEpoch = Callable[[int, float, AttributePredictor], None]


def train_attribute_predictor(
    images: np.ndarray,
    attributes: np.ndarray,
    names: Sequence[str],
    *,
    settings: AttributeTraining,
    state: Path | None = None,
    on_epoch: OnEpoch | None = None,
) -> AttributePredictor:
    """Fit on uint8 ``N,H,W,C`` with attributes ``N,K`` (1, 0, or -1 for unknown).

    AdamW with a warm-up and a cosine schedule, binary cross entropy over the known values. With ``state``,
    a file that holds all there is after each epoch, the same call goes on from it, to the bit.
    ``on_epoch`` gets the epoch, its mean loss and the predictor as it is.
    """
    if len(images) < 2 or not len(names):
        raise DatasetError("an attribute predictor needs pictures with attributes")
    s = settings
    channels, side = images.shape[3], (s.size, s.size) if s.size else images.shape[1:3]
    shape = (int(channels), int(side[0]), int(side[1]))
    torch.manual_seed(rng.torch_seed(s.seed, "predictor", 0))
    network = build(s.architecture, shape, len(names), width=s.width)
    network = network.to(memory_format=torch.channels_last)
    average = deepcopy(network)
    optimizer = AdamW(_groups(network, s.weight_decay), s.lr)
    per_epoch = -(-len(images) // s.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _cosine(s.epochs * per_epoch, per_epoch))
    target = torch.from_numpy(attributes.astype(np.float32))
    kept = ResumableTensors(state, _work(s, names, images, attributes=attributes))
    networks = {"network": network, "average": average}
    begin = _resume(kept, networks, optimizer, schedule=schedule)
    predictor = AttributePredictor(
        tuple(names),
        average,
        shape,
        s.architecture,
        s.width,
        mirror=s.augment == "faces",
        metadata={"training": asdict(s)},
    )
    for epoch in range(begin, s.epochs):
        loss = _epoch(
            network,
            average,
            optimizer,
            schedule=schedule,
            images=images,
            target=target,
            shape=shape,
            s=s,
            epoch=epoch,
        )
        kept.save(training_tensors(networks, optimizer), epoch=epoch + 1)
        if on_epoch is not None:
            on_epoch(epoch + 1, loss, predictor)
    predictor.network.eval()
    return predictor


def _groups(network: AttributeNet, weight_decay: float) -> list[dict[str, Any]]:
    """Apply weight decay to kernels only, not to norms and biases."""
    kernels = [p for p in network.parameters() if p.ndim > 1]
    rest = [p for p in network.parameters() if p.ndim <= 1]
    return [{"params": kernels, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]


def _cosine(steps: int, warmup: int) -> Callable[[int], float]:
    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(steps - warmup, 1)))

    return factor


def _epoch(
    network: AttributeNet,
    average: AttributeNet,
    optimizer: torch.optim.Optimizer,
    *,
    schedule: Any,
    images: np.ndarray,
    target: torch.Tensor,
    shape: tuple[int, int, int],
    s: AttributeTraining,
    epoch: int,
) -> float:
    torch.manual_seed(rng.torch_seed(s.seed, "predictor", epoch + 1))  # dropout, augmentation, mixing
    half = fast_bfloat16(torch.device("cpu"))
    order = rng.permutation(s.seed, "predictor", epoch, n=len(images))
    network.train()
    total = 0.0
    batches = 0
    for start in range(0, len(order), s.batch):
        rows = np.sort(order[start : start + s.batch])
        if len(rows) < 2:
            continue
        x, y = AUGMENTS[s.augment](fit(to_float(images[rows]), shape)), target[rows]
        known, y = (y >= 0).float(), y.clamp_min(0)
        if s.mixup:
            share = float(
                np.random.default_rng(rng.torch_seed(s.seed, f"mix/{epoch}", start)).beta(s.mixup, s.mixup)
            )
            x, y, known = (share * v + (1 - share) * v.flip(0) for v in (x, y * known, known))
            y = y / known.clamp_min(1e-6)
        with torch.autocast("cpu", torch.bfloat16, enabled=half and s.size > 0):
            logits = network(x)
        loss = F.binary_cross_entropy_with_logits(logits.float(), y, known, reduction="sum")
        loss = loss / known.sum().clamp_min(1)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        seen = epoch * -(-len(order) // s.batch) + start // s.batch
        update_ema(average, network, min(s.ema_decay, (1 + seen) / (10 + seen)) if s.ema_decay else 0.0)
        total, batches = total + float(loss.detach()), batches + 1
    return total / max(batches, 1)


# --- augmentation --------------------------------------------------------------------------------


def _shift(x: torch.Tensor) -> torch.Tensor:
    """Shift the batch by up to 2 px and repeat the border (mirroring would turn drawn faces around)."""
    dy, dx = (int(v) for v in torch.randint(0, 5, (2,)))
    h, w = x.shape[2:]
    return F.pad(x, (2, 2, 2, 2), "replicate")[:, :, dy : dy + h, dx : dx + w]


def _faces(x: torch.Tensor) -> torch.Tensor:
    """Return each picture moved as crops differ, in other light; now and then coarser, or with a hole."""
    n, _, h, w = x.shape
    draw = torch.randn(n, 4).clamp(-2, 2) * torch.tensor([0.08, 0.09, 0.06, 0.06])
    turn, scale = draw[:, 0], torch.exp(draw[:, 1])
    flip = torch.where(torch.rand(n) < 0.5, -1.0, 1.0)
    theta = torch.stack(
        [
            torch.stack([flip * scale * turn.cos(), -scale * turn.sin(), draw[:, 2]], 1),
            torch.stack([flip * scale * turn.sin(), scale * turn.cos(), draw[:, 3]], 1),
        ],
        1,
    )
    where = F.affine_grid(theta, [n, x.shape[1], h, w], align_corners=False)
    x = F.grid_sample(x, where, mode="bilinear", padding_mode="reflection", align_corners=False)
    coarse = torch.rand(n) < 0.15
    if coarse.any():
        factor = float(torch.empty(()).uniform_(0.5, 0.9))
        small = F.interpolate(x[coarse], scale_factor=factor, mode="bilinear", antialias=True)
        x[coarse] = F.interpolate(small, (h, w), mode="bilinear", antialias=True)
    light = 1 + 0.2 * torch.randn(n, 1, 1, 1).clamp(-2, 2)
    colour = 1 + 0.3 * torch.randn(n, 1, 1, 1).clamp(-2, 2)
    grey = x.mean(1, keepdim=True)
    x = (grey + (x - grey) * colour) * light + 0.1 * torch.randn(n, x.shape[1], 1, 1).clamp(-2, 2)
    rows, columns = torch.arange(h)[None, :, None], torch.arange(w)[None, None, :]
    top, left = torch.rand(n, 1, 1) * h, torch.rand(n, 1, 1) * w
    side = torch.where(torch.rand(n, 1, 1) < 0.3, 0.3, 0.0) * torch.rand(n, 1, 1) * h
    hole = ((rows - top).abs() < side / 2) & ((columns - left).abs() < side / 2)
    return (x * ~hole[:, None]).clamp(-1, 1).contiguous(memory_format=torch.channels_last)


AUGMENTS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {"shift": _shift, "faces": _faces}


# --- the state after an epoch --------------------------------------------------------------------


def _work(s: AttributeTraining, names: Sequence[str], images: np.ndarray, *, attributes: np.ndarray) -> str:
    """Return what identifies a state: settings, attributes in order, and the pictures' answers."""
    data = {"pictures": images.shape, "answers": hashlib.sha256(attributes.tobytes()).hexdigest()}
    return json.dumps({**asdict(s), "names": list(names), **data}, sort_keys=True)


def _resume(
    state: ResumableTensors,
    networks: dict[str, AttributeNet],
    optimizer: torch.optim.Optimizer,
    *,
    schedule: Any,
) -> int:
    """Resume from the saved state; return the number of finished epochs."""
    if (found := state.load()) is None:
        return 0
    load_training(found[1], networks, optimizer)
    schedule.last_epoch = int(found[1]["optimizer/0/step"])
    for group, base, factor in zip(
        optimizer.param_groups, schedule.base_lrs, schedule.lr_lambdas, strict=True
    ):
        group["lr"] = base * factor(schedule.last_epoch)
    return int(found[0]["epoch"])


# --- calibration and score -----------------------------------------------------------------------


def calibrate(predictor: AttributePredictor, images: np.ndarray, attributes: np.ndarray) -> None:
    """Return the scale and shift of each attribute's logits that suit held-out answers best.

    They are drawn towards 1 and 0 as if by 20 more pictures.
    """
    logits = torch.from_numpy(predictor.raw_logits(images)).double()
    target = torch.from_numpy(attributes.astype(np.float64))
    known = target >= 0
    scale = torch.ones(logits.shape[1], dtype=torch.float64, requires_grad=True)
    shift = torch.zeros(logits.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = LBFGS([scale, shift], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        each = F.binary_cross_entropy_with_logits(
            logits * scale + shift, target.clamp_min(0), known.double(), reduction="sum"
        )
        loss = each + 20 * ((scale - 1).square().sum() + shift.square().sum())
        loss.backward()
        return loss

    optimizer.step(closure)
    predictor.scale, predictor.shift = scale.detach().numpy(), shift.detach().numpy()


def score(predictor: AttributePredictor, images: np.ndarray, attributes: np.ndarray) -> dict[str, float]:
    """Set each attribute's accuracy and mean accuracy of both classes in the predictor.

    Returns their means and the expected calibration error (Guo et al. 2017; ten bins of equal width).
    """
    probabilities = predictor.predict(images)
    right = (probabilities > 0.5) == (attributes == 1)
    errors = []
    for i, name in enumerate(predictor.names):
        known = attributes[:, i] >= 0
        sides = [right[known & ((attributes[:, i] == 1) == side), i] for side in (True, False)]
        if known.any():
            predictor.accuracy[name] = float(right[known, i].mean())
            predictor.balanced_accuracy[name] = float(np.mean([s.mean() for s in sides if len(s)]))
            errors.append(_calibration_error(probabilities[known, i], attributes[known, i]))
    return {
        "accuracy": float(np.mean(list(predictor.accuracy.values()))),
        "balanced_accuracy": float(np.mean(list(predictor.balanced_accuracy.values()))),
        "calibration_error": float(np.mean(errors)),
    }


def _calibration_error(p: np.ndarray, y: np.ndarray) -> float:
    bins = np.minimum((p * 10).astype(int), 9)
    gaps = [abs(p[bins == b].mean() - (y[bins == b] == 1).mean()) * (bins == b).mean() for b in set(bins)]
    return float(sum(gaps))
