"""Style transfer: Gram matrices by hand, stages, resuming to the bit, masks, colours."""

from __future__ import annotations

import dataclasses
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from small import picture, small

from facegan.errors import InputError
from facegan.pixels import Classifier, StyleConfig, stylize
from facegan.pixels.colours import luma
from facegan.pixels.style.gram import StyleObjective, gram
from facegan.pixels.style.painter import read_pictures, stages
from facegan.pixels.style.stylize import fingerprint

FAST = {
    "layers": ("features.1", "features.4=0.5"),
    "content_layers": ("features.7",),
    "content_weight": 0.1,
    "size": 64,
    "first_size": 45,
    "steps": 4,
}


@pytest.fixture(scope="module")
def net() -> Classifier:
    return small(dtype=torch.float32)


@pytest.fixture(scope="module")
def pictures() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng, (y, x) = np.random.default_rng(0), np.mgrid[:50, :64]
    content = np.stack([x * 3, y * 4, 255 - x * 2], -1).astype(np.uint8)
    noise = rng.integers(0, 256, (60, 60, 3), np.uint8)
    stripes = np.repeat(((np.arange(64) // 4 % 2) * 255).astype(np.uint8)[None, :, None], 64, 0).repeat(3, 2)
    return content, noise, stripes


def test_gram_by_hand() -> None:
    """f1 = (1, 2), f2 = (3, 4): sums of products; the second position counted half in the other one."""
    f = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]])
    assert gram(f).tolist() == [[5, 11], [11, 25]]
    assert gram(f, torch.tensor([[1.0, 0.5]])).tolist() == [[3, 7], [7, 17]]


def test_losses_by_hand() -> None:
    """relative: ||G - A||^2 / ||A||^2 of matrices per position, ||F - P||^2 / ||P - mean P||^2.
    tutorial: ||G - A||^2 / (4 x 9 x (H W)^2) of sums, and the mean square."""
    net, content, style, x = small(), picture(24, 32), picture(40, 24, 1), picture(24, 32, 2)
    acts = [net.activations(p, ["features.4"], resize=False)["features.4"] for p in (content, style, x)]
    p, s, f = acts
    for formula in ("relative", "tutorial"):
        each = formula == "relative"
        objective = StyleObjective(
            net,
            {"features.4": 2.0},
            {"features.4": 3.0},
            content=content,
            content_weight=0.1,
            formula=formula,
        )
        objective.add_style(style, 0.25)
        _, _, parts = objective.evaluate(x)
        g, a = gram(f) / (12 * 16 if each else 1), gram(s) / (20 * 12 if each else 1)
        divisor = a.square().sum() if each else 4 * 9 * (24 * 32) ** 2
        assert parts["style"] == pytest.approx(float(0.25 * 2 * (g - a).square().sum() / divisor), rel=1e-9)
        around = (p - p.mean((2, 3), keepdim=True)).square().sum() if each else p.numel()
        assert parts["content"] == pytest.approx(float(0.1 * 3 * (f - p).square().sum() / around), rel=1e-9)


def test_a_picture_in_its_own_style_has_no_loss() -> None:
    net, x = small(), picture(32, 32)
    objective = StyleObjective(net, {"features.4": 1.0}, {"features.7": 1.0}, content=x)
    objective.add_style(x)
    loss, gradient, _ = objective.evaluate(x)
    assert loss < 1e-20 and float(gradient.abs().max()) < 1e-10


def test_a_mask_hides_the_rest() -> None:
    """What happens outside of a style's mask, beyond the layers' sight, changes nothing of its loss."""
    net, x = small(), picture(32, 64)
    mask = torch.zeros(1, 1, 32, 64, dtype=torch.float64)
    mask[..., :24] = 1
    objective = StyleObjective(net, {"features.4": 1.0}, {}, content=x, content_weight=0)
    objective.add_style(picture(32, 32, 1), 1.0, mask)
    other = torch.cat([x[..., :40], picture(32, 24, 9)], -1)
    loss, gradient, _ = objective.evaluate(x)
    assert objective.evaluate(other)[0] == pytest.approx(loss, rel=1e-12)
    assert float(gradient[..., 40:].abs().max()) == 0 and float(gradient[..., :24].abs().max()) > 0
    with pytest.raises(InputError, match="black all over"):
        objective.add_style(picture(32, 32), 1.0, torch.zeros_like(mask))


def test_stages_grow_by_the_square_root_of_2() -> None:
    found = stages(1200, 960, StyleConfig(size=512, first_size=181, steps=50))
    assert found == [((181, 145), 100), ((256, 205), 50), ((362, 290), 50), ((512, 410), 50)]
    assert stages(100, 200, StyleConfig(size=0, first_size=300, steps=7)) == [((100, 200), 7)]
    assert stages(100, 2000, StyleConfig(size=1000, first_size=100)) == [
        ((35, 707), 200),
        ((50, 1000), 100),
    ]
    with pytest.raises(InputError, match="give one up to 2048"):
        stages(3000, 2000, StyleConfig(size=0))


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_it_approaches_the_style_and_repeats(net: Classifier, pictures, optimizer: str) -> None:
    content, noise, _ = pictures
    settings = {**FAST, "steps": 10, "optimizer": optimizer, "content_weight": 0.01}
    one, two = (stylize(net, content, [noise], **settings) for _ in range(2))
    assert np.array_equal(one.image, two.image) and one.image.shape == (50, 64, 3)
    assert one.curve[-1]["style"] < 0.5 * one.curve[0]["style"] and len(one.curve) == 30
    assert one.sizes == [(35, 45), (50, 64)]


@pytest.mark.parametrize("optimizer, start", [("adam", "content"), ("adam", "noise"), ("lbfgs", "content")])
def test_interrupted_it_goes_on_to_the_bit(
    net: Classifier, pictures, tmp_path: Path, optimizer: str, start: str
) -> None:
    """Stopped after a step in the middle, at the end of a stage, and of its next step."""
    content, noise, _ = pictures
    settings = {**FAST, "optimizer": optimizer, "start": start, "seed": 3}
    whole = stylize(net, content, [noise], **settings)
    state, stops = tmp_path / "work.safetensors", [3, 8, 9]
    for stop in stops:

        def press(stats, stop=stop) -> None:
            if stats.step == stop:
                os.kill(os.getpid(), signal.SIGINT)

        part = stylize(net, content, [noise], state=state, on_step=press, **settings)
        assert part.outcome.exit_code == 130 and part.outcome.steps == stop and state.exists()
        assert part.curve == whole.curve[:stop]
    for _ in range(2):  # finished, too, it stays until the result is safe
        rest = stylize(net, content, [noise], state=state, **settings)
        assert np.array_equal(rest.image, whole.image) and rest.curve == whole.curve
        assert list(rest.curve[0]) == list(whole.curve[0]) and state.exists()


def test_a_state_of_something_else_is_refused(net: Classifier, pictures, tmp_path: Path) -> None:
    content, noise, stripes = pictures
    state = tmp_path / "work.safetensors"

    def press(stats) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    stylize(net, content, [noise], state=state, on_step=press, **FAST)
    with pytest.raises(InputError, match="other settings or pictures"):
        stylize(net, content, [stripes], state=state, **FAST)
    other = small()  # of the same name
    other.module.head.weight.data.add_(1)
    for another in (other, small()):
        another.mean = net.mean if another is other else (0.1, 0.2, 0.3)
        with pytest.raises(InputError, match="other settings or pictures"):
            stylize(another, content, [noise], state=state, **FAST)
    save_file({"weight": torch.ones(3)}, state)
    with pytest.raises(InputError, match=r"no file of unfinished work .* choose another --out"):
        stylize(net, content, [noise], state=state, **FAST)
    state.write_bytes(b"no")
    with pytest.raises(InputError, match=r"this is a text file.*; choose another --out"):
        stylize(net, content, [noise], state=state, **FAST)


def test_masks_of_one_style_are_not_those_of_the_other(net: Classifier, pictures) -> None:
    content, noise, stripes = pictures
    works = [read_pictures(content, [noise, stripes], masks) for masks in ([content, "-"], ["-", content])]
    assert len({fingerprint(net, work, StyleConfig()) for work in works}) == 2


def test_styles_have_weights_and_places(net: Classifier, pictures) -> None:
    content, noise, stripes = pictures
    only = stylize(net, content, [noise], **FAST).image
    both = stylize(net, content, [noise, stripes], style_weights=(1.0, 0.0), **FAST).image
    assert np.abs(only.astype(int) - both).max() <= 1
    left = np.zeros((20, 20, 3), np.uint8)
    left[:, :10] = 255
    made = stylize(
        net, content, [noise], masks=[left], **{**FAST, "content_weight": 1.0, "tv_weight": 0.0}
    ).image
    change = np.abs(made.astype(int) - content).mean((0, 2))
    assert change[:24].mean() > 3 * change[-16:].mean()


def test_colours_are_kept(net: Classifier, pictures) -> None:
    content, noise, _ = pictures
    made = stylize(net, content, [noise], keep_colours=True, **FAST).image
    a, b = (torch.from_numpy(p[None]).permute(0, 3, 1, 2) / 255 for p in (made, content))
    apart = (a - luma(a) - (b - luma(b))).abs()
    assert float(apart.median()) < 0.01 and not np.array_equal(made, content)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"size": 4096}, "--size must be 0 or 32 to 2,048, not 4096"),
        ({"steps": 0}, "--steps must be at least 1"),
        ({"optimizer": "sgd"}, "--optimizer 'sgd' is unknown .known: adam, lbfgs, plain."),
        ({"style_weights": (1.0, 2.0)}, "2 weights for 1 styles"),
        ({"style_weights": (-1.0,)}, "--style-weights must be 0 or more"),
        ({"masks": ("a", "b")}, "2 masks for 1 styles"),
        ({"layers": ("head",)}, "its output is no picture"),
        ({"layers": ("features.7:1",)}, "write NAME or NAME=WEIGHT"),
        ({"content_layers": ("feature.7",)}, "no such layer"),
        ({"average": 1.0}, "--average"),
        ({"size": 1024, "style_scale": 9.0}, "--style-scale 9: the style would be 9216 px large"),
        ({"tv_weight": float("nan")}, "--tv-weight"),
    ],
)
def test_mistakes_are_told(net: Classifier, pictures, changes: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        stylize(net, pictures[0], [pictures[1]], **{**FAST, **changes})


def test_settings_are_checked_before_work() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        StyleConfig().size = 3  # type: ignore[misc]
