"""Losses against what can be worked out by hand."""

from __future__ import annotations

import pytest
import torch

from facegan.errors import InputError
from facegan.inversion.losses import LOSSES, Objective, distances, get_loss, parse_losses, pyramid

WITH_WEIGHTS = ("vgg", "lpips")
OWN = [name for name in LOSSES if name not in WITH_WEIGHTS]


def pictures(n: int = 2, side: int = 32) -> torch.Tensor:
    return torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_parsing() -> None:
    assert parse_losses("mse") == {"mse": 1.0}
    assert parse_losses(" mse=2 , faces = 0.05") == {"mse": 2.0, "faces": 0.05}


@pytest.mark.parametrize(
    "text", ["", "l2", "mse=", "mse=x", "mse=0", "mse=-1", "mse=nan", "mse=inf", "mse,,mae"]
)
def test_parsing_refuses(text: str) -> None:
    with pytest.raises(InputError, match="--loss"):
        parse_losses(text)


@pytest.mark.parametrize("name", OWN)
def test_a_picture_is_at_no_distance_from_itself_only(name: str) -> None:
    x = pictures()
    loss = get_loss(name, "cpu")
    assert loss.compare(loss.embed(x), loss.embed(x)).abs().max() < 1e-6
    assert (loss.compare(loss.embed(x), loss.embed(-x)) > 0.01).all()


def test_mae_and_mse_of_a_shift() -> None:
    """x and x + d everywhere: mean |d| and mean d^2."""
    found = distances(
        torch.zeros(2, 3, 8, 8) + torch.tensor([0.5, -0.25]).view(2, 1, 1, 1), torch.zeros(2, 3, 8, 8)
    )
    assert found["mae"].tolist() == [0.5, 0.25]
    assert found["mse"].tolist() == [0.25, 0.0625]


def test_pyramid_of_a_constant_is_its_last_band() -> None:
    bands = pyramid(torch.full((1, 3, 32, 32), 0.5))
    assert [b.shape[-1] for b in bands] == [32, 16, 8, 4]
    assert all(b.abs().max() < 1e-6 for b in bands[:-1]) and torch.allclose(bands[-1], torch.tensor(0.5))
    # A shift of d changes that band alone: |d| of four bands, averaged.
    loss = get_loss("pyramid", "cpu")
    x = pictures()
    assert torch.allclose(loss.compare(loss.embed(x), loss.embed(x + 0.4)), torch.tensor(0.1), atol=1e-5)


def test_the_sum_is_weighted_and_picks_the_targets_rows() -> None:
    targets = pictures(3)
    objective = Objective({"mae": 2.0, "mse": 3.0}, targets)
    images = targets[[2, 0]] + 0.5
    assert torch.allclose(objective(images, torch.tensor([2, 0])), torch.tensor(2 * 0.5 + 3 * 0.25))


@pytest.mark.parametrize("name", OWN)
def test_gradients_reach_the_picture(name: str) -> None:
    x = pictures().requires_grad_()
    Objective({name: 1.0}, torch.zeros_like(x))(x, torch.arange(2)).sum().backward()
    assert x.grad is not None and x.grad.isfinite().all() and (x.grad != 0).any()


@pytest.mark.parametrize("name", WITH_WEIGHTS)
def test_absent_weights_are_named(name: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(
        InputError, match=rf"--loss {name}: its weights are not here; put vgg16.*pth at .*{tmp_path.name}"
    ):
        LOSSES[name]("cpu")
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    (tmp_path / "hub" / "checkpoints" / "vgg16-397923af.pth").write_text("hello")
    with pytest.raises(InputError, match="not readable as weights"):
        LOSSES[name]("cpu")


def test_vgg_with_weights(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a file of that name there, of torchvision's network (here untrained)."""
    from torchvision.models.vgg import cfgs, make_layers

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    weights = {f"features.{k}": v for k, v in make_layers(cfgs["D"]).state_dict().items()}
    torch.save(weights, tmp_path / "hub" / "checkpoints" / "vgg16-397923af.pth")
    loss = LOSSES["vgg"]("cpu")
    x = pictures(1)
    assert [v.shape[1] for v in loss.embed(x)] == [64, 128, 256, 512]
    assert (
        float(loss.compare(loss.embed(x), loss.embed(x)))
        == 0
        < float(loss.compare(loss.embed(x), loss.embed(-x)))
    )
