"""Test by fresh classifiers whether samples can be told from photos (Lopez-Paz and Oquab 2017).

One half of both sets teaches a small convolutional network from scratch, the other half examines it. Its
accuracy there is their statistic (section 3, equation 2): 0.5 where it finds no difference, 1 where it is
always right. The networks take part in nothing else: no generator can have been trained to please them.

The finest textures give samples away first. So the pictures are examined at half their size as well, and at a
quarter, by other networks: these see shapes and layout where the first one saw noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facegan import rng
from facegan.devices import working_threads
from facegan.images import to_float
from facegan.layers.optimizers import AdamW
from facegan.metrics import intervals
from facegan.metrics.base import MetricInputs, Values
from facegan.metrics.kid import Estimate
from facegan.metrics.neighbours import spaced
from facegan.metrics.random_features import thumbnails

MAX_PICTURES = 1000  # of each side, which bounds the time
MIN_PICTURES = 100  # of each side: fewer teach nothing
COARSEST = 16  # px: the shorter side of the smallest pictures
EPOCHS, MANY_EPOCHS = 8, 24  # passes over the pictures; many where they are small
FEW_PIXELS = 48 * 48
BATCH = 50
RATE, DECAY = 2e-3, 0.05
FIRST_WIDTH, WIDTHS = 16, (32, 64, 128)  # channels at the full size, and after each halving of it
_DETAIL = 8.0  # by which a picture's finest detail is enlarged, to about the size of the rest


def c2st(real: np.ndarray, fake: np.ndarray, seed: int = 0) -> dict[str, Estimate]:
    """Return accuracies on the halves not learnt from, of uint8 ``N,H,W,C`` and ``M,H,W,C``.

    ``c2st`` is the mean over the sizes, and ``c2st_64`` the accuracy at a height of 64 px. As many pictures
    of both are taken as there are of the fewer, at most 1,000, evenly spaced. Pictures above 64 px are
    averaged down to that; sizes halve down to 16 px. ``seed`` draws the halves, the first weights, and the
    order and mirroring of pictures. It runs on one thread of the CPU, and so gives the same bits each time.

    Intervals are Wilson's (1927) for a share of right answers: given the classifiers, answers on different
    pictures are independent. For the mean over sizes they are wider than they need to be.
    """
    count = min(len(real), len(fake), MAX_PICTURES)
    learnt, asked = [], []
    for name, images in (("real", real), ("fake", fake)):
        order = rng.permutation(seed, f"c2st/{name}", 0, n=count)
        shuffled = thumbnails(spaced(images, count))[order]
        learnt.append(shuffled[: count // 2])
        asked.append(shuffled[count // 2 :])
    lessons, questions = np.concatenate(learnt), np.concatenate(asked)
    right: dict[str, np.ndarray] = {}
    with working_threads(torch.device("cpu"), wanted=1):
        while True:
            network = _trained(lessons, _labels(learnt), seed)
            said = _logits(network, questions) > 0
            right[f"c2st_{lessons.shape[1]}"] = said == _labels(asked).astype(bool)
            if min(lessons.shape[1:3]) // 2 < COARSEST:
                break
            lessons, questions = _halved(lessons), _halved(questions)
    everywhere = np.mean(list(right.values()), axis=0)
    return {name: intervals.share(answers) for name, answers in {"c2st": everywhere, **right}.items()}


def _labels(sides: list[np.ndarray]) -> np.ndarray:
    """Return float32 ``N``: 0 for each real picture, then 1 for each generated one."""
    return np.repeat(np.array([0, 1], np.float32), [len(side) for side in sides])


def _epochs(images: np.ndarray) -> int:
    """Return how often ``N,H,W,C`` are passed through: in about the same time at each size."""
    return EPOCHS if images.shape[1] * images.shape[2] > FEW_PIXELS else MANY_EPOCHS


def _halved(images: np.ndarray) -> np.ndarray:
    """Return uint8 ``N,H/2,W/2,C``, each pixel the mean of four; an odd last row or column is left out."""
    n, height, width, channels = images.shape
    even = images[:, : height // 2 * 2, : width // 2 * 2]
    fours = even.reshape(n, height // 2, 2, width // 2, 2, channels)
    return np.rint(fours.mean((2, 4), dtype=np.float32)).astype(np.uint8)


class _Detail(nn.Module):
    """Return pictures ``N,C,H,W`` together with what a blur of 3x3 px takes away from them, ``N,2C,H,W``."""

    def forward(self, x: Tensor) -> Tensor:
        line = torch.tensor([0.25, 0.5, 0.25])
        kernel = (line[:, None] * line).expand(x.shape[1], 1, 3, 3)
        blurred = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), kernel, groups=x.shape[1])
        return torch.cat([x, _DETAIL * (x - blurred)], 1)


def _network(channels: int, seed: int) -> nn.Sequential:
    """Return the untrained network: it looks for patterns, and averages what it finds over all places."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(rng.torch_seed(seed, "c2st/weights", 0))
        layers: list[nn.Module] = [_Detail(), nn.Conv2d(2 * channels, FIRST_WIDTH, 3, padding=1, bias=False)]
        before = FIRST_WIDTH
        for width in WIDTHS:
            layers += [nn.BatchNorm2d(before), nn.LeakyReLU(0.2)]
            layers += [nn.Conv2d(before, width, 4, 2, 1, bias=False)]
            before = width
        layers += [nn.BatchNorm2d(before), nn.LeakyReLU(0.2), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        return nn.Sequential(*layers, nn.Linear(before, 1))


@torch.enable_grad()
def _trained(images: np.ndarray, labels: np.ndarray, seed: int) -> nn.Sequential:
    """Return the network that has learnt from uint8 ``N,H,W,C``; the rate falls along a cosine."""
    network = _network(images.shape[3], seed)
    optimizer = AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    steps = _epochs(images) * max(1, len(images) // BATCH)
    for step, (rows, x) in enumerate(_batches(images, seed)):
        optimizer.param_groups[0]["lr"] = RATE * (1 + math.cos(math.pi * step / steps)) / 2
        loss = F.binary_cross_entropy_with_logits(network(x)[:, 0], torch.from_numpy(labels[rows]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


def _batches(images: np.ndarray, seed: int) -> Iterator[tuple[np.ndarray, Tensor]]:
    """Yield rows and pictures ``n,C,h,w``: mirrored at random, and cut at random to 7/8 of each side."""
    n, height, width = images.shape[:3]
    size = min(BATCH, n)
    for epoch in range(_epochs(images)):
        order = rng.permutation(seed, "c2st/order", epoch, n=n)
        mirrored = rng.uniform(seed, "c2st/mirror", epoch * n, count=n)[:, 0] < 0.5
        places = rng.uniform(seed, "c2st/place", epoch * n, count=n, per_item=2)
        for start in range(0, n - size + 1, size):
            rows = order[start : start + size]
            top, left = (places[start] * (height // 8 + 1, width // 8 + 1)).astype(int)
            part = images[rows, top : top + height - height // 8, left : left + width - width // 8]
            flipped = mirrored[rows]
            part[flipped] = part[flipped, :, ::-1]
            yield rows, to_float(part)


@torch.inference_mode()
def _logits(network: nn.Sequential, images: np.ndarray) -> np.ndarray:
    """Return ``N`` logits, above 0 where the network takes a picture for a generated one."""
    parts = [network(to_float(images[i : i + BATCH]))[:, 0] for i in range(0, len(images), BATCH)]
    return torch.cat(parts).numpy()


def compute(inputs: MetricInputs) -> Values:
    """Return the mean accuracy and that of each size, with their intervals."""
    found = c2st(inputs.real_pictures(MAX_PICTURES), inputs.fake_pictures(MAX_PICTURES))
    return {key: x for name, estimate in found.items() for key, x in estimate.named(name).items()}


def fits(inputs: MetricInputs) -> str:
    """Return why these pictures cannot be told apart, or ""."""
    height, width = inputs.fake_pictures(1).shape[1:3]
    if min(height, width) < COARSEST:
        return f"pictures are below {COARSEST} px"
    few = min(len(inputs.real), len(inputs.fake))
    return f"{few} pictures of a side are too few; it takes {MIN_PICTURES}" if few < MIN_PICTURES else ""
