"""Plain PyTorch generators come in and make the pictures that they made."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.utils import spectral_norm

import facegan
from facegan.cli.main import main
from facegan.demo.portraits import write_portraits
from facegan.errors import FaceganError
from facegan.images import to_uint8


def tutorial(width: int = 4, channels: int = 3, z: int = 16) -> nn.Module:
    """The PyTorch tutorial's netG, narrow."""
    t, w = nn.ConvTranspose2d, width
    return nn.Sequential(
        t(z, w * 8, 4, 1, 0, bias=False), nn.BatchNorm2d(w * 8), nn.ReLU(True),
        t(w * 8, w * 4, 4, 2, 1, bias=False), nn.BatchNorm2d(w * 4), nn.ReLU(True),
        t(w * 4, w * 2, 4, 2, 1, bias=False), nn.BatchNorm2d(w * 2), nn.ReLU(True),
        t(w * 2, w, 4, 2, 1, bias=False), nn.BatchNorm2d(w), nn.ReLU(True),
        t(w, channels, 4, 2, 1, bias=False), nn.Tanh(),
    )  # fmt: skip


class Unflatten(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, None, None]


class NormsLast(nn.Module):
    """Its norms are defined behind all of its convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.c1, self.c2 = nn.ConvTranspose2d(16, 8, 4), nn.ConvTranspose2d(8, 6, 4, 2, 1)
        self.c3 = nn.ConvTranspose2d(6, 1, 4, 2, 1)
        self.b1, self.b2 = nn.BatchNorm2d(8), nn.BatchNorm2d(6)

    def forward(self, x: Tensor) -> Tensor:
        x = self.b1(self.c1(x[:, :, None, None])).relu()
        return self.c3(self.b2(self.c2(x)).relu()).tanh()


def from_dense() -> nn.Module:
    return nn.Sequential(
        nn.Linear(16, 8 * 16), nn.BatchNorm1d(8 * 16), nn.ReLU(), nn.Unflatten(1, (8, 4, 4)),
        nn.ConvTranspose2d(8, 4, 5, 2, 2, output_padding=1), nn.BatchNorm2d(4), nn.ReLU(),
        nn.ConvTranspose2d(4, 3, 3, 1, 1), nn.Tanh(),
    )  # fmt: skip


def shuffled() -> nn.Module:
    return nn.Sequential(
        nn.Linear(16, 8 * 16), nn.ReLU(), nn.Unflatten(1, (8, 4, 4)), nn.Conv2d(8, 16, 3, 1, 1), nn.ReLU(),
        nn.PixelShuffle(2), nn.Conv2d(4, 3, 3, 1, 1), nn.Tanh(),
    )  # fmt: skip


def upsampled() -> nn.Module:
    return nn.Sequential(
        nn.Linear(16, 8 * 16), nn.Unflatten(1, (8, 4, 4)), nn.BatchNorm2d(8), nn.Upsample(scale_factor=2),
        nn.Conv2d(8, 8, 3, 1, 1), nn.BatchNorm2d(8, 0.8), nn.LeakyReLU(0.2), nn.Upsample(scale_factor=2),
        nn.Conv2d(8, 3, 3, 1, 1), nn.Tanh(),
    )  # fmt: skip


def dense(last: nn.Module) -> nn.Module:
    return nn.Sequential(
        nn.Linear(16, 32), nn.LeakyReLU(0.2), nn.Linear(32, 64), nn.BatchNorm1d(64), nn.LeakyReLU(0.2),
        nn.Linear(64, 784), last, nn.Unflatten(1, (1, 28, 28)),
    )  # fmt: skip


def normed(norm: Callable[[nn.Module], nn.Module]) -> nn.Module:
    return nn.Sequential(
        Unflatten(), norm(nn.ConvTranspose2d(16, 8, 4)), nn.PReLU(),
        norm(nn.ConvTranspose2d(8, 8, 4, 2, 1)), nn.PReLU(),
        norm(nn.ConvTranspose2d(8, 3, 4, 2, 1)), nn.Tanh(),
    )  # fmt: skip


def whole(net: nn.Module, disc: nn.Module) -> dict[str, Tensor]:
    """The state of one module that holds both networks."""
    return nn.ModuleDict({"discriminator": disc, "generator": net}).state_dict()


UPSAMPLED = "linear; reshape 8x4x4; bn; up; conv; bn 0.8; lrelu 0.2; up; conv; tanh"
CASES: dict[str, tuple[nn.Module, Callable[[nn.Module, nn.Module], Any], dict[str, str]]] = {
    "the tutorial's": (tutorial(), lambda g, d: g.state_dict(), {}),
    "grey": (tutorial(channels=1), lambda g, d: g.state_dict(), {}),
    "parallel": (tutorial(), lambda g, d: nn.DataParallel(g).state_dict(), {}),
    "a checkpoint": (
        tutorial(),
        lambda g, d: {"netD_state_dict": d.state_dict(), "netG_state_dict": g.state_dict(), "epoch": 3,
                      "optimizerG": torch.optim.Adam(g.parameters()).state_dict()},
        {},
    ),
    "an average beside it": (
        tutorial(), lambda g, d: {"G": d.state_dict(), "D": d.state_dict(), "g_ema": g.state_dict()}, {}
    ),
    "named": (
        tutorial(), lambda g, d: {"first": d.state_dict(), "other": g.state_dict()}, {"network": "other"}
    ),
    "one module": (tutorial(), whole, {}),
    "a pickled module": (tutorial(), lambda g, d: {"netG": g, "netD": d}, {}),
    "norms last": (NormsLast(), lambda g, d: g.state_dict(), {}),
    "a dense layer first": (from_dense(), lambda g, d: g.state_dict(), {}),
    "pixel shuffle": (shuffled(), lambda g, d: g.state_dict(), {}),
    "upsampling": (upsampled(), lambda g, d: g.state_dict(), {"layers": UPSAMPLED}),
    "dense layers": (dense(nn.Tanh()), lambda g, d: g.state_dict(), {"activation": "lrelu"}),
    "a sigmoid": (
        dense(nn.Sigmoid()), lambda g, d: g.state_dict(), {"activation": "lrelu", "output_range": "sigmoid"}
    ),
    "spectral norm": (normed(spectral_norm), lambda g, d: g.state_dict(), {}),
    "newer spectral norm": (normed(nn.utils.parametrizations.spectral_norm), lambda g, d: g.state_dict(), {}),
}  # fmt: skip
GRAPHS = {
    "a dense layer first",
    "pixel shuffle",
    "upsampling",
    "spectral norm",
    "newer spectral norm",
}  # no DCGAN of the notation
DISCRIMINATOR = nn.Sequential(nn.Conv2d(3, 8, 4, 2, 1), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(8192, 1))


def lively(net: nn.Module) -> nn.Module:
    """The network with statistics that are not those of a fresh one, in sampling mode."""
    torch.manual_seed(0)
    for name, tensor in net.state_dict().items():
        if name.endswith("running_var"):
            tensor.copy_(torch.rand(tensor.shape) + 0.5)
        elif tensor.is_floating_point() and not name.endswith(("_u", "_v")):
            fan = max(1, tensor[0].numel()) if tensor.ndim else 1
            tensor.copy_(
                torch.randn(tensor.shape) * (4 / fan) ** 0.5 if tensor.ndim > 1 else torch.rand(tensor.shape)
            )
    if any(name.endswith(("weight_orig", "original")) for name in net.state_dict()):
        for _ in range(30):  # until the vectors are those of the weights
            net.train()(torch.randn(2, 16))
    return net.eval()


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "older"])
def test_pictures_are_the_same(
    name: str, legacy: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, content, options = CASES[name]
    monkeypatch.chdir(tmp_path)
    torch.save(content(lively(net), DISCRIMINATOR), "g.pt", _use_new_zipfile_serialization=not legacy)
    made = facegan.import_model("g.pt", "m.safetensors", **options)
    z = made.model.latent.sample(range(4))
    with torch.no_grad():
        first = net[0] if isinstance(net, nn.Sequential) else net
        images = net(z[:, :, None, None] if isinstance(first, nn.ConvTranspose2d) else z)
    if options.get("output_range") == "sigmoid":
        images = images * 2 - 1
    assert made.model.meta["family"] == ("graph" if name in GRAPHS else "dcgan")
    found = facegan.load("m.safetensors").images(z)
    assert np.abs(found.astype(int) - to_uint8(images)).max() <= 1 and found.std() > 5


def test_safetensors_and_what_is_told(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    net = lively(tutorial())
    save_file({k: v for k, v in nn.DataParallel(net).state_dict().items()}, "netG.safetensors")
    assert main(["import", "netG.safetensors", "--licence", "MIT", "--prior", "uniform"]) == 0
    told = capsys.readouterr().out
    for part in ("netG.safetensors (pytorch) -> netG-imported.safetensors", "64x64 px, colour", "(uniform)",
                 "took: the weights: 21 tensors", 'read as --layers "reshape 16x1x1; convT s1 p0; bn; ',
                 "activations are not in the file", "facegan generate netG-imported."):  # fmt: skip
        assert part in told, told
    model = facegan.load("netG-imported.safetensors")
    assert model.meta["licence"] == "MIT" and model.meta["provenance"]["imported"]["format"] == "pytorch"
    assert float(model.latent.sample(range(99)).abs().max()) <= 1
    with torch.no_grad():
        z = model.latent.sample([3])
        assert np.array_equal(model.images(z), to_uint8(net(z[:, :, None, None])))
    assert main(["show", "netG-imported.safetensors"]) == 0
    assert "uniform, mean 0, std 0.57735" in capsys.readouterr().out


def test_training_goes_on_with_what_was_imported(tmp_path, monkeypatch, capsys) -> None:
    """By the command that import prints."""
    monkeypatch.chdir(tmp_path)
    write_portraits(Path("photos"), 16, seed=0, size=32)
    facegan.prepare("photos", "faces", crop="none", size=32, workers=1)
    net = tutorial(2)
    net[9], net[10], net[12] = nn.ConvTranspose2d(4, 3, 4, 2, 1), nn.Tanh(), nn.Identity()  # 32 px
    torch.save(lively(net[:11]).state_dict(), "g.pt")
    assert main(["import", "g.pt", "--out", "m.safetensors"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("to train on: ")]
    words = shlex.split(line.removeprefix("to train on: facegan "))
    short = ["--kimg", "0.016", "--batch", "8", "--out", "run", "--precision", "float32"]
    still = ["--generator.lr", "1e-12"]
    assert main([word if word != "DATASET" else "faces" for word in words] + short + still) == 0
    assert "of the generator, a fresh discriminator" in Path("run/events.jsonl").read_text()
    z = facegan.load("m.safetensors").latent.sample(range(2))
    weights, begun = (facegan.load(name).network.state_dict() for name in ("m.safetensors", "run"))
    for key, value in weights.items():
        if key.endswith(("weight", "bias")):
            torch.testing.assert_close(begun[key], value, rtol=0, atol=1e-3)
    assert facegan.load("run").images(z).shape == (2, 32, 32, 3)


def saved(content: Any) -> Callable[[], None]:
    return lambda: torch.save(content, "g.pt")


MISTAKES: dict[str, tuple[Callable[[], None], dict[str, str], str]] = {
    "no file": (lambda: None, {}, "g.pt: there is no such file"),
    "a folder": (lambda: Path("g.pt").mkdir(), {}, "g.pt: this is no file"),
    "a text": (lambda: Path("g.pt").write_text("hello"), {}, "g.pt: this seems to be a text"),
    "no weights": (saved({"epoch": 3}), {}, "this seems to be PyTorch weights; import reads "),
    "a model of ours": (lambda: facegan.load("celeba64").save("g.pt"), {}, "is a model already"),
    "two networks": (
        saved({"first": tutorial().state_dict(), "second": tutorial().state_dict()}), {},
        "several networks (first, second); name the generator with --network",
    ),
    "another name": (saved(tutorial().state_dict()), {"network": "x"}, "it holds one network; leave out"),
    "another format": (
        saved(tutorial().state_dict()), {"format": "stylegan"},
        "g.pt: --format stylegan: this is not one of StyleGAN2-ADA's and StyleGAN3's .pkl; leave out",
    ),
    "no zip": (saved(tutorial().state_dict()), {"format": "keras"}, "keras: this is not one of Keras's"),
    "no format": (saved(tutorial().state_dict()), {"format": "later"}, "not one that import reads (known: "),
    "where it grows": (saved(upsampled().state_dict()), {}, "; up; conv"),
    "an embedding": (
        saved({"emb.weight": torch.zeros(3, 4, 5), **tutorial().state_dict()}), {},
        "layer emb: weight of shape (3, 4, 5): no convolution",
    ),
    "a word": (saved(tutorial().state_dict()), {"layers": "dense"}, "--layers: 'dense' is not understood"),
    "too few layers": (
        saved(tutorial().state_dict()), {"layers": "reshape 16x1x1; convT s1 p0"}, "no layer for 1 and what",
    ),
    "too many": (
        saved(dense(nn.Tanh()).state_dict()), {"layers": "linear; " * 4}, "no further layer for 'linear'"
    ),
    "no picture": (saved(nn.Linear(16, 7).state_dict()), {}, "7 numbers make no square picture"),
    "NaN": (saved({"weight": torch.full((768, 16), torch.nan)}), {}, "values that are not finite"),
    "a program": (
        lambda: torch.jit.save(torch.jit.script(nn.Linear(2, 3)), "g.pt"), {}, "a TorchScript program"
    ),
    "a format": (saved(tutorial().state_dict()), {"format": "x"}, "--format x: not one that import reads"),
    "an activation": (saved(tutorial().state_dict()), {"activation": "x"}, "--activation 'x' is unknown"),
}  # fmt: skip


def test_names_in_a_file_do_nothing_to_the_terminal(tmp_path: Path, monkeypatch, capsys) -> None:
    """Of what was left out at the import, and of what a model's header says afterwards."""
    monkeypatch.chdir(tmp_path)
    torch.save({"netG": tutorial().state_dict(), "netD\x1b[2J": tutorial().state_dict()}, "g.pt")
    assert main(["import", "g.pt", "--out", "m.safetensors", "--licence", "mine\x1b[2J"]) == 0
    out = capsys.readouterr().out
    assert "left out: netD?[2J: " in out and "\x1b" not in out
    assert main(["show", "m.safetensors"]) == 0
    out = capsys.readouterr().out
    assert "mine?[2J\n" in out and "\x1b" not in out


@pytest.mark.parametrize("name", MISTAKES)
@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_mistake_is_one_line(name: str, tmp_path, monkeypatch, capsys) -> None:
    make, options, said = MISTAKES[name]
    monkeypatch.chdir(tmp_path)
    make()
    argv = ["import", "g.pt", "--out", "m.safetensors"]
    argv += [word for key, value in options.items() for word in (f"--{key.replace('_', '-')}", value)]
    assert main(argv) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1, error
    assert not Path("m.safetensors").exists()
    if name == "a word":  # Python's arguments are named without their dashes
        with pytest.raises(FaceganError, match="layers: 'dense'"):
            facegan.import_model("g.pt", **options)
