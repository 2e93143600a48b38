"""The authors' PyTorch code of pix2pix and CycleGAN at its defaults, where Python finds its folder.

It is no package: clone pytorch-CycleGAN-and-pix2pix and put the clone into PYTHONPATH. At 64 px its U-Nets of
7 and 8 halvings do not fit, so that its class of U-Nets gets 6; pictures are enlarged to 72 px and cropped,
as 286 is to 256. Its loader of files, its pages and the decay of its learning rates after 100 epochs, which
no run here reaches, are left out.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from facegan import rng

LARGER = 286 / 256  # to which pictures are enlarged before they are cropped


@dataclass(frozen=True)
class TranslationSetting:
    """``inputs`` and ``targets`` are uint8 ``N,H,W,C``: pairs, or two domains of any lengths."""

    inputs: np.ndarray
    targets: np.ndarray
    paired: bool
    held_out: np.ndarray
    """Inputs of the test split, uint8 ``N,H,W,C``."""
    dataset: Path
    folder: Path
    seed: int
    device: torch.device
    batch: int = 0
    options: tuple[str, ...] = ()
    task: str = ""


def to_tensor(images: np.ndarray, device: torch.device) -> torch.Tensor:
    """Return float ``N,C,H,W`` in [-1, 1]."""
    values = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float()
    return values.div(127.5).sub(1).to(device)


def to_pictures(values: torch.Tensor) -> np.ndarray:
    """Return uint8 ``N,H,W,C`` of float ``N,C,H,W`` in [-1, 1]."""
    scaled = values.add(1).mul(127.5).round().clamp(0, 255)
    return scaled.permute(0, 2, 3, 1).to("cpu", torch.uint8).numpy()


class Jittered:
    """Pictures in shuffled epochs, each enlarged, cropped and mirrored at random, by seed and index alone."""

    def __init__(self, *images: np.ndarray, seed: int, name: str = "") -> None:
        self.images, self.seed, self.name = images, seed, name
        self.epoch, self.order = -1, np.empty(0, np.int64)

    def __call__(self, index: int) -> list[np.ndarray]:
        """Return picture number ``index`` of each array, changed alike, uint8 ``1,H,W,C``."""
        epoch, at = divmod(index, len(self.images[0]))
        if epoch != self.epoch:
            order = rng.permutation(self.seed, f"order{self.name}", epoch, n=len(self.images[0]))
            self.epoch, self.order = epoch, order
        h, w = self.images[0].shape[1:3]
        high, wide = round(h * LARGER), round(w * LARGER)
        x, y, mirrored = rng.uniform(self.seed, f"crop{self.name}", index, count=1, per_item=3)[0]
        top, left = int(y * (high - h + 1)), int(x * (wide - w + 1))
        found = []
        for images in self.images:
            picture = cv2.resize(images[self.order[at]], (wide, high), interpolation=cv2.INTER_CUBIC)
            picture = picture[top : top + h, left : left + w]
            found.append((picture[:, ::-1] if mirrored < 0.5 else picture)[None])
        return found


def _options(paired: bool, folder: Path) -> types.SimpleNamespace:
    """Return the defaults of the code's options for training by one of its two models."""
    models: dict[str, Any] = (
        {"netG": "unet_256", "norm": "batch", "no_dropout": False, "gan_mode": "vanilla", "pool_size": 0}
        if paired
        else {"netG": "resnet_9blocks", "norm": "instance", "no_dropout": True, "gan_mode": "lsgan",
              "pool_size": 50}
    )  # fmt: skip
    return types.SimpleNamespace(
        isTrain=True, gpu_ids=[], checkpoints_dir=str(folder), name="run", preprocess="resize_and_crop",
        input_nc=3, output_nc=3, ngf=64, ndf=64, netD="basic", n_layers_D=3, init_type="normal",
        init_gain=0.02, lr=2e-4, beta1=0.5, direction="AtoB", lambda_L1=100.0, lambda_A=10.0, lambda_B=10.0,
        lambda_identity=0.5, **models,
    )  # fmt: skip


@contextmanager
def _six_halvings(networks: Any) -> Iterator[None]:
    """Let the code's ``define_G`` build its U-Net for 64 px."""
    unet = networks.UnetGenerator
    kept = unet.__init__

    def fewer(self: Any, inputs: int, outputs: int, halvings: int, *args: Any, **named: Any) -> None:
        kept(self, inputs, outputs, min(halvings, 6), *args, **named)

    unet.__init__ = fewer
    yield
    unet.__init__ = kept


class Authors:
    """Their Pix2PixModel or CycleGANModel, one picture an update."""

    def __init__(self, setting: TranslationSetting) -> None:
        try:
            from models import networks
            from models.cycle_gan_model import CycleGANModel
            from models.pix2pix_model import Pix2PixModel
        except ImportError:
            sys.exit(
                "translation: the authors' code is not found: clone pytorch-CycleGAN-and-pix2pix and set "
                "PYTHONPATH to the clone"
            )
        self.paired, self.device = setting.paired, setting.device
        options = _options(setting.paired, setting.folder)
        with _six_halvings(networks):
            self.model: Any = (Pix2PixModel if self.paired else CycleGANModel)(options)
        self.settings = f"the authors' {'pix2pix' if self.paired else 'CycleGAN'}, their defaults, batch 1"
        self.held_out, self.updates = setting.held_out, 0
        if self.paired:
            self.pairs = Jittered(setting.inputs, setting.targets, seed=setting.seed)
        else:
            self.a = Jittered(setting.inputs, seed=setting.seed, name="-a")
            self.b = Jittered(setting.targets, seed=setting.seed, name="-b")

    @property
    def images_seen(self) -> int:
        return self.updates

    def update(self) -> None:
        at = self.updates
        a, b = self.pairs(at) if self.paired else (*self.a(at), *self.b(at))
        tensors = {"A": to_tensor(a, self.device), "B": to_tensor(b, self.device)}
        self.model.set_input({**tensors, "A_paths": "", "B_paths": ""})
        self.model.optimize_parameters()
        self.updates += 1

    def _parts(self) -> dict[str, Any]:
        names = [f"net{name}" for name in self.model.model_names] + ["optimizer_G", "optimizer_D"]
        return {name: getattr(self.model, name) for name in names}

    def state(self) -> dict[str, Any]:
        pools = (
            {} if self.paired else {p: getattr(self.model, p).images for p in ("fake_A_pool", "fake_B_pool")}
        )
        states = {name: part.state_dict() for name, part in self._parts().items()}
        return {"parts": states, "pools": pools, "updates": self.updates}

    def load(self, state: dict[str, Any]) -> None:
        for name, part in self._parts().items():
            part.load_state_dict(state["parts"][name])
        for name, images in state["pools"].items():
            pool = getattr(self.model, name)
            pool.images, pool.num_imgs = list(images), len(images)
        self.updates = state["updates"]

    @torch.no_grad()
    def samples(self, count: int) -> Iterator[tuple[str, np.ndarray]]:
        """Yield its test's default (as in training, one by one) and its option --eval."""
        network = self.model.netG if self.paired else self.model.netG_A
        for title, training in (("as in training", True), ("--eval", False)):
            network.train(training)
            inputs = self.held_out[:count]
            made = [to_pictures(network(to_tensor(x[None], self.device))) for x in inputs]
            yield title, np.concatenate(made)
        network.train()


def contestant(name: str, setting: TranslationSetting) -> Any:
    """Return the authors' code, or a recipe of facegan."""
    if name == "authors":
        return Authors(setting)
    from contestants.ours import OurTranslator

    return OurTranslator(name, setting)
