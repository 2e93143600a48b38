"""Run by test_processes.py in one process or, by a launcher, in two: what updates do, written to a file.

    python updates_in_processes.py OUT.npz

Every case is one update in float64; the last one is 20 updates in float32.
"""

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent.parent))
from narrow import reductions

from facegan import distributed
from facegan.distributed import together
from facegan.losses.adversarial import LOSSES
from facegan.recipes.config import check, override
from facegan.recipes.table import recipe
from facegan.training.initialization import create_state
from facegan.training.objective import train_step
from facegan.training.sampler import ImageSampler

G_NORM = "dense 8x8x8; bn relu; up; conv 8 3 bn relu; up; conv image 3 tanh"
G_PLAIN = "dense 8x8x8; lrelu; up; conv 8 3 lrelu; up; conv image 3 tanh"
D_NORM = "conv 8 4 s2 bn lrelu; conv 8 4 s2 bn lrelu; dense 1"
D_PLAIN = "conv 8 4 s2 lrelu; conv 8 4 s2 lrelu; dense 1"
PENALTIES = {"r1_gamma": 1.0, "r2_gamma": 1.0, "r1_every": 1}

CASES = {
    f"{norm}, {penalty}": {
        "generator.layers": G_NORM if norm == "batch norm" else G_PLAIN,
        "discriminator.layers": D_NORM if norm == "batch norm" else D_PLAIN,
        **(PENALTIES if penalty == "penalties" else {"r1_gamma": 0.0}),
    }
    for norm in ("batch norm", "no norm")
    for penalty in ("penalties", "no penalty")
}
CASES |= {f"loss {loss}": {"loss": loss, **PENALTIES} for loss in LOSSES}
CASES |= {
    "dropout": {"discriminator.layers": "conv 8 4 s2 lrelu; drop 0.4; dense 1"},
    "minibatch deviation": {"discriminator.layers": "conv 8 4 s2 lrelu; mbstd; dense 1"},
    "accumulated": {"accumulate": 2, "generator.layers": G_PLAIN},
    "two updates of the discriminator": {"d_updates": 2},
    "halves": {"d_split": True, "r1_gamma": 0.0, "reuse_fakes": False, "g_batch": 16, "frozen_fakes": True},
    "noisy flipped labels": {"label_noise": 0.1, "flip_labels": True},
    "rows with replacement": {"sampling": "replacement"},
    "sequential rows": {"sampling": "sequential"},
}
FADING = {"generator.stage_kimg": 0.0, "generator.fade_kimg": 0.02}  # 40% of the first one after 8 images
CASES |= {
    "vanilla": {"recipe": "digits-vanilla-28-plus", "channels": 0},
    "progan": {"recipe": "progan-64-short", "start": 8, **FADING},
    "stylegan2": {"recipe": "stylegan2-32", "augment_p": 0.5, "augment_kimg": 0.1, "r1_gamma": 1.0},
    "fast": {
        "recipe": "faces-fast-64",
        "generator.widths": (8, 8, 8),
        "generator.blocks": (0, 0, 0),
        "discriminator.widths": (8, 8, 8),
        "discriminator.blocks": (0, 0),
        "discriminator.projected_width": 8,
    },
    "r3gan": {"recipe": "r3gan-32", "augment_p": 0.5, "burnin_kimg": 0.0},
    "biggan": {"recipe": "digits-biggan-32", "channels": 0, "orthogonal": 0.1, "d_updates": 2},
    "biggan, deep, with labels": {
        "recipe": "digits-biggan-32",
        "channels": 0,
        "generator.deep": True,
        "discriminator.deep": True,
        "condition": ("a", "b"),
    },
    "stylegan2 with labels": {"recipe": "stylegan2-32", "condition": ("a", "b")},
    "r3gan with labels": {"recipe": "r3gan-32", "condition": ("a", "b")},
    "pix2pix": {"recipe": "pix2pix-256", "input": "given", "generator.widths": (4,) * 5},
    "light pix2pix": {"recipe": "pix2pix-64", "input": "grey", "r1_gamma": 1.0, "r1_every": 1},
    "cyclegan": {"recipe": "cyclegan-256"},
    "cyclegan, accumulated": {"recipe": "cyclegan-64", "accumulate": 2, "translation.pool": 3},
}
SMALL = {"batch": 8, "generator.layers": G_NORM, "discriminator.layers": D_PLAIN, "latent.dim": 8}
TWENTY = {
    "batch": 8,
    "generator.width": 0.25,
    "discriminator.width": 0.25,
    "generator.lr": 2e-4,
    "discriminator.lr": 2e-4,
}


def pictures(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (40, 32, 32, 3), np.uint8)


def gradients(changes):
    """Name -> array: the gradients of one update, and the running statistics after it."""
    changes = dict(changes)
    name, start = changes.pop("recipe", "faces-tiny-32"), changes.pop("start", 0)
    small = SMALL if name == "faces-tiny-32" else {**reductions(name), "batch": 8, "size": 32}
    config = check(override(recipe(name), {**small, **changes}))
    labels = np.eye(2, dtype=np.float32)[np.arange(40) % 2] if config.condition else None
    label_dim = len(config.condition)
    state = create_state(config, (3, 32, 32), torch.device("cpu"), dtype=torch.float64, label_dim=label_dim)
    state.images_seen = state.fakes_drawn = start
    found = {}

    def keep(side, network, optimizer):
        step = optimizer.step

        def stepped():
            for name, p in network.named_parameters():
                if p.grad is not None:  # layers that have not grown yet
                    found.setdefault(f"{side}/{name}/{len(found)}", p.grad.numpy().copy())
            return step()

        optimizer.step = stepped

    for name, optimizer in state.optimizers.items():
        keep(name, state.networks[name], optimizer)
    device, objective = torch.device("cpu"), state.objective
    train_step(state, objective.sampler(pictures(), config, device, table=labels, beside=pictures(1)))
    found["g/augmentation"] = np.array(state.augment.p)
    for side in state.optimizers:
        buffers = state.networks[side].named_buffers()
        found |= {f"{side}/{name}": b.numpy().astype(float) for name, b in buffers}
    return found | {f"extra/{name}": value.numpy() for name, value in state.extra.items()}


def twenty():
    config = check(override(recipe("faces-tiny-32"), TWENTY))
    state = create_state(config, (3, 32, 32), torch.device("cpu"))
    feed = ImageSampler(pictures(), config, torch.device("cpu"))
    for _ in range(20):
        train_step(state, feed)
    return {name: p.detach().numpy() for name, p in state.generator.named_parameters()}


def main(out):
    torch.set_num_threads(1)
    with together(torch.device("cpu")):
        result = {"world": np.array(distributed.world())}
        for case, changes in CASES.items():
            result |= {f"{case}//{name}": value for name, value in gradients(changes).items()}
        result |= {f"twenty//{name}": value for name, value in twenty().items()}
        if distributed.rank() == 0:
            np.savez(Path(out), **{key.replace("/", "|"): value for key, value in result.items()})


if __name__ == "__main__":
    main(sys.argv[1])
