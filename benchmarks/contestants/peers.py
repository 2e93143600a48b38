"""lightweight-gan and stylegan2-pytorch (both MIT), as installed, with a copy patched for the CPU.

Both refuse to be imported without CUDA. The copy lies in the contestant's folder; what is replaced in it is
where tensors live, and nothing else. Grids, their own checkpoints and the reading of picture files, which
would cost them time, are left out; and so is the accumulation of gradients, by which they make several of
their batches one update: on a CPU it only makes updates fewer.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import shutil
import sys
import types
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from contestants import Batches, Setting, to_bytes

# What keeps them from a CPU: pattern, replacement, and how often it must be found at least.
PATCHES = (
    (r"assert torch\.cuda\.is_available\(\)", "assert True", 1),
    (r"^(\s+)self\.cuda\(rank\)", r"\1self.to('cpu')", 1),
    (r"\.cuda\([^()]*\)", ".to('cpu')", 1),
    (r"f'cuda:\{self\.rank\}'", "'cpu'", 0),
)
AVERAGE = 0.995  # both packages' own, which they begin after 20,000 updates


def patched(package: str, into: Path) -> types.ModuleType:
    """The package's main module, from a copy that runs on the CPU."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        sys.exit(
            f"side_by_side: '{package}' is not installed: pip install --no-deps --target FOLDER "
            "lightweight-gan stylegan2-pytorch kornia kornia_rs einops adabelief-pytorch tabulate colorama "
            "vector-quantize-pytorch==0.1.0, and PYTHONPATH=FOLDER"
        )
    shutil.rmtree(into / package, ignore_errors=True)
    shutil.copytree(Path(found.origin).parent, into / package)
    file = into / package / f"{package}.py"
    text = file.read_text()
    for pattern, replacement, least in PATCHES:
        text, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
        if count < least:
            sys.exit(f"side_by_side: '{package}' is another version than this script knows ({pattern})")
    file.write_text(text)
    sys.path.insert(0, str(into))
    importlib.invalidate_caches()
    return importlib.import_module(f"{package}.{package}")


class _Peer:
    """What both trainers share: ``train()`` is one update, ``GAN`` holds networks and optimisers."""

    package = ""
    averaged: tuple[str, ...] = ()

    def __init__(self, setting: Setting, trainer: dict[str, Any]) -> None:
        for absent in ("aim", "fire"):  # a tracker and a command line, of which nothing is used
            if importlib.util.find_spec(absent) is None:
                sys.modules[absent] = types.ModuleType(absent)
        on_cpu = setting.device.type == "cpu"
        module = (
            patched(self.package, setting.folder / "patched")
            if on_cpu
            else importlib.import_module(f"{self.package}.{self.package}")
        )
        self.module, self.broken = module, module.NanException
        self.trainer = module.Trainer(
            name="run", base_dir=setting.folder, image_size=64, num_workers=0, **trainer
        )
        self.trainer.init_GAN()
        self.trainer.save = self.trainer.evaluate = self.trainer.load = lambda *_, **__: None
        self.trainer.loader = self
        self.batches = Batches(setting.images, trainer["batch_size"], setting.seed, setting.device)
        self.averages = [deepcopy(getattr(self.trainer.GAN, name)) for name in self.averaged]
        self.taken, self.device = 0, setting.device

    def __next__(self) -> torch.Tensor:
        self.taken += 1
        return self.batches(self.taken - 1)

    @property
    def images_seen(self) -> int:
        return self.taken * self.batches.batch

    @property
    def updates(self) -> int:
        return int(self.trainer.steps)

    def update(self) -> None:
        self.trainer.train()
        for average, name in zip(self.averages, self.averaged, strict=True):
            _follow(average, getattr(self.trainer.GAN, name))

    def state(self) -> dict[str, Any]:
        gan, mean = self.trainer.GAN, getattr(self.trainer, "pl_mean", None)
        return {
            "gan": gan.state_dict(),
            "g": gan.G_opt.state_dict(),
            "d": gan.D_opt.state_dict(),
            "averages": [a.state_dict() for a in self.averages],
            "taken": self.taken,
            "steps": self.trainer.steps,
            "pl_mean": None if mean is None else float(mean),
        }

    def load(self, state: dict[str, Any]) -> None:
        gan = self.trainer.GAN
        for part, key in ((gan, "gan"), (gan.G_opt, "g"), (gan.D_opt, "d")):
            part.load_state_dict(state[key])
        for average, values in zip(self.averages, state["averages"], strict=True):
            average.load_state_dict(values)
        self.taken, self.trainer.steps = state["taken"], state["steps"]
        if hasattr(self.trainer, "pl_mean"):
            self.trainer.pl_mean = state["pl_mean"]

    def latents(self, count: int, dim: int) -> Iterator[torch.Tensor]:
        torch.manual_seed(12345)
        for start in range(0, count, 100):
            yield torch.randn(min(100, count - start), dim, device=self.device)


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module) -> None:
    """Both packages copy the generator into their average until update 20,000: so this one is kept beside
    it, with their decay, at every update from the first on."""
    for a, b in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if a.is_floating_point():
            a.lerp_(b, 1 - AVERAGE)
        else:
            a.copy_(b)


class Lightweight(_Peer):
    """``most`` channels in a layer (theirs is 512), with or without the attention that can be left out."""

    package, averaged = "lightweight_gan", ("G",)

    def __init__(self, setting: Setting, most: int = 512, attention: bool = True) -> None:
        batch, n = setting.batch or 10, len(setting.images)
        augment = min(0.5, max(1e5 - n, 0) * 3e-6)  # what the package sets by itself for so few pictures
        self.settings = (
            f"lightweight-gan 1.2.1, its command line's defaults (augmentation {augment:.3g}) but for "
            f"batch {batch} x 1 (10 x 4)"
            + (f", --fmap-max {most} (512)" if most != 512 else "")
            + ("" if attention else ", --attn-res-layers [] (32)")
        )
        super().__init__(
            setting,
            {
                "batch_size": batch,
                "gradient_accumulate_every": 1,
                "fmap_max": most,
                "attn_res_layers": [32] if attention else [],
                "disc_output_size": 1,
                "aug_prob": augment,
                "aug_types": ["cutout", "translation"],
                "use_aim": False,
            },
        )

    @torch.no_grad()
    def samples(self, count: int) -> Iterator[tuple[str, np.ndarray]]:
        from facegan.layers.ema import recalibrate_batch_norm

        average = deepcopy(self.averages[0]).eval()
        recalibrate_batch_norm(average, list(self.latents(1600, self.trainer.latent_dim)))
        for title, network in (
            ("weights as they are", deepcopy(self.trainer.GAN.G).eval()),
            ("moving average", average),
        ):
            parts = self.latents(count, self.trainer.latent_dim)
            yield title, np.concatenate([to_bytes(self.trainer.generate_(network, z)) for z in parts])


class StyleGAN2(_Peer):
    package, averaged = "stylegan2_pytorch", ("S", "G")

    def __init__(self, setting: Setting) -> None:
        batch = setting.batch or 5
        self.settings = (
            f"stylegan2-pytorch 1.9.0, its command line's defaults (capacity 16, no augmentation) but for "
            f"batch {batch} x 1 (5 x 6)"
        )
        super().__init__(
            setting, {"batch_size": batch, "gradient_accumulate_every": 1, "lr": 2e-4, "ttur_mult": 1.5}
        )

    @torch.no_grad()
    def samples(self, count: int) -> Iterator[tuple[str, np.ndarray]]:
        now = [deepcopy(getattr(self.trainer.GAN, name)).eval() for name in self.averaged]
        average = [deepcopy(a).eval() for a in self.averages]
        dim, layers = self.trainer.GAN.G.latent_dim, self.trainer.GAN.G.num_layers
        for title, (mapping, network), psi in (
            ("weights as they are", now, 1.0),
            ("moving average", average, 1.0),
            ("moving average, truncation 0.75", average, 0.75),
        ):
            self.trainer.av, parts = None, []
            for z in self.latents(count, dim):
                noise = self.module.image_noise(len(z), 64, self.device)
                found = self.trainer.generate_truncated(mapping, network, [(z, layers)], noise, psi)
                parts.append(to_bytes(found))
            self.trainer.av = None
            yield title, np.concatenate(parts)
