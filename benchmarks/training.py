"""Training speed: facegan's step beside a plain PyTorch loop of the same networks, in one run.

The plain loop is what tutorials write: default memory layout, Adam as it comes, the discriminator on
real and on fake images, the generator through the discriminator, no penalty, no average. Both see the
same networks, batch and data. In the rows that say so, facegan does what its recipe asks for beyond that,
R1, moving average, flips and mixed precision where the device has it, as well. The last line is the share of
an update that waits for data.

Exit code 1 says that the whole recipe missed 1.3 times the plain loop, or that data took 2% or more.

With --compile more rows tell what torch.compile makes of the same work (compiling takes minutes at first).

    python benchmarks/training.py [--recipe faces-dcgan-64] [--seconds 20] [--compile]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from side_by_side import clock

from facegan.families import get_family
from facegan.images import to_float
from facegan.recipes.config import TrainConfig, override
from facegan.recipes.table import recipe
from facegan.training.initialization import create_state, with_precision
from facegan.training.objective import train_step
from facegan.training.sampler import ImageSampler
from facegan.training.state import TrainState


def plain_loop(config: TrainConfig, images: np.ndarray) -> Callable[[], None]:
    """One update as a tutorial writes it."""
    family, shape = get_family(config.family), (images.shape[3], *images.shape[1:3])
    g = family.build_generator(config.model.generator, shape, config.latent.dim)
    d = family.build_discriminator(config.model.discriminator, shape)
    opt_g = torch.optim.Adam(g.parameters(), 2e-4, (0.5, 0.999))
    opt_d = torch.optim.Adam(d.parameters(), 2e-4, (0.5, 0.999))
    dataset = torch.utils.data.TensorDataset(to_float(images).contiguous())
    loader = torch.utils.data.DataLoader(dataset, config.batch, shuffle=True, drop_last=True)
    batches = iter(loader)

    def bce(logits: torch.Tensor, target: float) -> torch.Tensor:
        return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))

    def update() -> None:
        nonlocal batches
        try:
            (real,) = next(batches)
        except StopIteration:
            batches = iter(loader)
            (real,) = next(batches)
        fake = g(torch.randn(config.batch, config.latent.dim))
        opt_d.zero_grad()
        (bce(d(real), 1.0) + bce(d(fake.detach()), 0.0)).backward()
        opt_d.step()
        opt_g.zero_grad()
        bce(d(fake), 1.0).backward()
        opt_g.step()

    return update


def our_state(config: TrainConfig, images: np.ndarray) -> tuple[TrainState, ImageSampler]:
    state = create_state(config, (images.shape[3], *images.shape[1:3]), torch.device("cpu"))
    return state, ImageSampler(images, config, state.device)


def our_loop(config: TrainConfig, images: np.ndarray, compiled: bool = False) -> Callable[[], None]:
    state, feed = our_state(config, images)
    if compiled:
        state.generator.compile()
        state.discriminator.compile()
    return lambda: train_step(state, feed)


def data_share(state: TrainState, feed: ImageSampler, updates: int = 6) -> float:
    """Seconds spent in the feed (of the CPU, or on the wall with another device), divided by those of whole
    updates."""
    waited = 0.0

    def timed(start: int, count: int, part: tuple[int, int] | None = None) -> torch.Tensor:
        nonlocal waited
        begin = clock(state.device)
        batch = feed(start, count, part)
        waited += clock(state.device) - begin
        return batch

    train_step(state, timed)
    waited, begin = 0.0, clock(state.device)
    for _ in range(updates):
        train_step(state, timed)
    return waited / (clock(state.device) - begin)


def measure(
    loops: dict[str, Callable[[], None]], batch: int, seconds: float
) -> dict[str, tuple[float, float]]:
    """Images a CPU second and a wall second; the loops take turns, so that noise hits all alike."""
    for update in loops.values():
        for _ in range(3):
            update()
    spent = {name: [0.0, 0.0, 0] for name in loops}
    end = time.perf_counter() + seconds * len(loops)
    while time.perf_counter() < end:
        for name, update in loops.items():
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(3):
                update()
            spent[name][0] += time.perf_counter() - wall
            spent[name][1] += time.process_time() - cpu
            spent[name][2] += 3 * batch
    return {name: (n / cpu, n / wall) for name, (wall, cpu, n) in spent.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="faces-dcgan-64")
    parser.add_argument("--seconds", type=float, default=20.0, help="for each loop")
    parser.add_argument("--compile", action="store_true", help="also with torch.compile")
    args = parser.parse_args()
    config = override(recipe(args.recipe), {"reuse_fakes": True, "g_batch": 0})
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2000, config.size, config.size, config.channels or 3), np.uint8)
    bare = {"r1_gamma": 0.0, "r2_gamma": 0.0, "ema_halflife_kimg": 0.0, "flip": False, "precision": "float32"}
    whole = with_precision(config, torch.device("cpu"))
    loops = {
        "plain loop": plain_loop(config, images),
        "facegan, the same work": our_loop(override(config, bare), images),
        "facegan, the whole recipe, float32": our_loop(override(config, {"precision": "float32"}), images),
        f"facegan, the whole recipe, {whole.precision}": our_loop(whole, images),
    }
    if args.compile:  # no penalty: compiled code cannot do double backward
        for precision in {"float32", whole.precision}:
            same = override(config, {**bare, "precision": precision})
            loops[f"the same work, {precision}"] = our_loop(same, images)
            loops[f"the same work, {precision}, compiled"] = our_loop(same, images, compiled=True)
    speeds = measure(loops, config.batch, args.seconds)
    base = speeds["plain loop"][0]
    print(
        f"{args.recipe}, batch {config.batch}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    )
    print(f"{'loop':<36} {'img / CPU s':>12} {'img / s':>9} {'ratio':>6}")
    for name, (cpu, wall) in speeds.items():
        print(f"{name:<36} {cpu:12.1f} {wall:9.1f} {cpu / base:6.2f}")
    share = data_share(*our_state(whole, images))
    print(f"waiting for data: {share:.2%} of an update")
    return int(speeds[f"facegan, the whole recipe, {whole.precision}"][0] < 1.3 * base or share >= 0.02)


if __name__ == "__main__":
    raise SystemExit(main())
