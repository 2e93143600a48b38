"""Dreams, pictures from noise, and the tutorial's settings to the letter."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from small import Small, small
from torchvision.models.vgg import make_layers

from facegan.errors import ImageError, InputError
from facegan.images import save_png
from facegan.pixels import Classifier, dream, load_classifier, stylize, visualise, zoom
from facegan.pixels.dreams.config import DREAMS, DreamConfig
from facegan.pixels.dreams.dream import octave_sizes, with_suitable_layers, zoom_in
from facegan.pixels.dreams.objective import Objective, expand_channels, parse_terms
from facegan.pixels.loading import reverse_channels
from facegan.pixels.style.config import STYLES

NARROW_19 = [4, 4, "M", 4, 6, "M", 6, 6, 6, 8, "M", 8, 8, 8, 8, "M", 8, 8, 8, 8, "M"]  # VGG19, a few channels
QUICK = {"layers": ("features.7",), "octaves": 2, "steps": 3, "jitter": 4}


@pytest.fixture(scope="module")
def net() -> Classifier:
    return small(dtype=torch.float32)


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    y, x = np.mgrid[:48, :70]
    return np.stack([x * 3, y * 5, 128 + 60 * np.sin(x / 5)], -1).astype(np.uint8)


class VGG(torch.nn.Module):
    """The features of a narrow VGG19 with random weights, numbered as torchvision numbers them."""

    def __init__(self) -> None:
        super().__init__()
        self.features = make_layers(NARROW_19)  # type: ignore[arg-type]
        self.head = torch.nn.Linear(8, 5)
        for part in self.features:
            if isinstance(part, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(part.weight, generator=torch.Generator().manual_seed(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x).mean((2, 3)))


def vgg(mean: tuple[float, ...], std: tuple[float, ...]) -> tuple[Classifier, torch.nn.Sequential]:
    """The classifier, and a copy of its features as they are without one."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = VGG()
    plain = copy.deepcopy(network.features)
    return Classifier("vgg19", network, (64, 64), mean=mean, std=std), plain


def test_the_tutorials_dream_to_the_letter(photo: np.ndarray) -> None:
    """RECIPES: minus (103.939, 116.779, 123.68) channel by channel, reversed, / 255; loss block2_pool x 0.3 +
    block5_pool x 1.5 (mean squares); gradient / max(mean |g|, 1e-7); step 0.01. Here once more, plainly.
    """
    means = np.array([103.939, 116.779, 123.68])
    classifier, features = vgg(tuple(float(m) / 255 for m in means), (1, 1, 1))
    wide = np.concatenate([photo, photo], 1)
    x = torch.tensor(((wide - means)[..., ::-1] / 255).transpose(2, 0, 1)[None].copy(), dtype=torch.float32)
    losses = []
    for _ in range(4):
        leaf = x.clone().requires_grad_(True)
        pool2 = features[:10](leaf)
        pool5 = features[10:](pool2)
        loss = 0.3 * pool2.square().mean() + 1.5 * pool5.square().mean()
        (g,) = torch.autograd.grad(loss, leaf)
        x = x + 0.01 * g / max(float(g.abs().mean()), 1e-7)
        losses.append(float(loss.detach()))
    expected = np.clip(np.rint(x[0].numpy().transpose(1, 2, 0)[..., ::-1] * 255 + means), 0, 255)
    reverse_channels(classifier)
    settings = dataclasses.replace(DREAMS["tutorial"], steps=4, stop_above=1e9)
    seen: list[int] = []
    done = dream(classifier, wide, settings, every=1, on_picture=lambda step, _: seen.append(step))
    assert (
        done.curve == pytest.approx(losses, rel=1e-4) and losses[3] > losses[0] > 0 and seen == [1, 2, 3, 4]
    )
    assert np.abs(done.image.astype(int) - expected).max() <= 1 and np.abs(expected - wide).max() > 5


def test_the_tutorials_limit_is_tested_before_the_update(photo: np.ndarray) -> None:
    classifier, _ = vgg((0.4, 0.4, 0.4), (1, 1, 1))
    settings = dataclasses.replace(DREAMS["tutorial"], stop_above=1e-9)
    done = dream(classifier, photo, settings)
    assert done.outcome.early and done.outcome.steps == 1 and np.array_equal(done.image, photo)


def test_the_tutorials_style_to_the_letter() -> None:
    """RECIPES: 224 x 224, RGB / 255; content block3_conv4 x 0.1, mean square; style block1_pool, block2_pool,
    block3_conv4, sum of squares / (4 x 3^2 x (H W)^2); gradient / max(mean |g|, 1e-7), step 0.001."""
    classifier, features = vgg((0, 0, 0), (1, 1, 1))
    other = np.random.default_rng(0).integers(0, 256, (224, 224, 3), np.uint8)
    content = other[::-1] // 2 + 40

    def layers(x: torch.Tensor) -> list[torch.Tensor]:
        a = features[:5](x)
        b = features[5:10](a)
        return [a, b, features[10:18](b)]

    def grams(acts: list[torch.Tensor]) -> list[torch.Tensor]:
        return [torch.einsum("ihw,jhw->ij", f[0], f[0]) for f in acts]

    start, style = (torch.tensor(p.transpose(2, 0, 1)[None] / 255.0).float() for p in (content, other))
    wanted, kept = [m.detach() for m in grams(layers(style))], layers(start)[2].detach()
    x, losses = start, []
    for _ in range(3):
        leaf = x.clone().requires_grad_(True)
        acts = layers(leaf)
        loss = 0.1 * (acts[2] - kept).square().mean()
        for m, w in zip(grams(acts), wanted, strict=True):
            loss = loss + (m - w).square().sum() / (4 * 3**2 * (224 * 224) ** 2)
        (g,) = torch.autograd.grad(loss, leaf)
        x = x - 0.001 * g / max(float(g.abs().mean()), 1e-7)
        losses.append(float(loss.detach()))
    done = stylize(classifier, content, [other], settings=dataclasses.replace(STYLES["tutorial"], steps=3))
    expected = np.clip(np.rint(x[0].numpy().transpose(1, 2, 0) * 255), 0, 255)
    assert [row["loss"] for row in done.curve] == pytest.approx(losses, rel=1e-4)
    apart = np.abs(done.image.astype(int) - expected)
    assert (apart <= 1).mean() > 0.999 and np.abs(expected - content).max() > 1  # poolings may tie
    assert STYLES["tutorial"].steps == 2000 and done.sizes == [(224, 224)]


def test_a_dream_strengthens_its_layer_and_repeats(net: Classifier, photo: np.ndarray) -> None:
    one = dream(net, photo, octaves=1, steps=8, layers=("features.7",), jitter=0)
    assert one.curve[-1] > 1.05 * one.curve[0] and one.image.shape == photo.shape
    a, b, c = (dream(net, photo, seed=seed, **QUICK) for seed in (0, 0, 1))
    assert np.array_equal(a.image, b.image) and not np.array_equal(a.image, c.image)
    assert a.octaves == octave_sizes(48, 70, 2, scale=1.4) == [(34, 50), (48, 70)] and len(a.curve) == 6


def test_tiles_dream_what_the_whole_dreams(net: Classifier, photo: np.ndarray) -> None:
    whole, tiles = (dream(net, photo, tile=tile, overlap=20, **QUICK) for tile in (0, 48))
    assert np.abs(whole.image.astype(int) - tiles.image).max() <= 1


def test_classes_channels_and_guides(net: Classifier, photo: np.ndarray) -> None:
    fox = dream(net, photo, classes=("fox",), octaves=1, steps=10, jitter=0)
    shown = torch.from_numpy(np.stack([photo, fox.image])).permute(0, 3, 1, 2) / 255
    before, after = net.module(net.normalise(shown))[:, 3].tolist()
    assert after > before + 0.01
    guide = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    plain, guided = dream(net, photo, **QUICK), dream(net, photo, guide=guide, **QUICK)
    assert not np.array_equal(plain.image, guided.image)
    names = [g.name for g in parse_terms(net, ("features.7:0,2-3=0.5",), ("owl=2",))]
    assert names == ["features.7:0", "features.7:2", "features.7:3", "owl"]
    assert expand_channels(["a:1-3=2", "b"]) == ["a:1=2", "a:2=2", "a:3=2", "b"]


def test_noise_becomes_what_is_asked_for(net: Classifier) -> None:
    settings = {"size": 48, "steps": 30, "step_size": 0.03}
    both = visualise(net, layers=("features.6:1", "features.6:2"), **settings)
    assert both.names == ["features.6:1", "features.6:2"] and both.curve[-1] > both.curve[0] + 0.02
    alone = visualise(net, layers=("features.6:2",), **settings)
    assert np.abs(alone.images[0].astype(int) - both.images[1]).mean() < 0.5  # rounding, through Adam
    shown = torch.from_numpy(both.images).permute(0, 3, 1, 2) / 255
    act = net.activations(shown, ["features.6"], resize=False)["features.6"].mean((2, 3))
    assert act[0, 1] > act[1, 1] and act[1, 2] > act[0, 2]


def test_ctrl_c_gives_the_picture_so_far_at_its_size(net: Classifier, photo: np.ndarray) -> None:
    def press(stats) -> None:
        if stats.step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    done = dream(net, photo, on_step=press, **QUICK)
    assert done.outcome.exit_code == 130 and done.outcome.steps == 2
    assert done.image.shape == photo.shape and not np.array_equal(done.image, photo)


def test_zoom(net: Classifier, photo: np.ndarray) -> None:
    frames = list(zoom(net, photo, 3, factor=1.1, turn=2.0, between=1, **QUICK))
    assert len(frames) == 5 and all(f.shape == photo.shape for f in frames)
    assert all(not np.array_equal(a, b) for a, b in itertools.pairwise(frames))


def test_the_default_layers_are_those_of_any_vgg() -> None:
    for name, last in (("vgg11", "block4_conv2=0.5"), ("vgg16", "block4_conv3=0.5")):
        network = load_classifier(name, random_weights_seed=0)
        layers = with_suitable_layers(network, DreamConfig()).layers
        assert layers[0] == last and parse_terms(network, layers, ())


def test_moved_enlarges_about_the_centre_and_turns() -> None:
    x = torch.zeros(1, 3, 41, 61)
    x[..., 20, 40] = 1  # 10 px right of the middle
    far = zoom_in(x, 1.5, 0.0, centre=(0.5, 0.5))[0, 0]
    assert divmod(int(far.argmax()), 61) == (20, 45)
    turned = zoom_in(x, 1.0, 90.0, centre=(0.5, 0.5))[0, 0]
    assert divmod(int(turned.argmax()), 61) in [(10, 30), (30, 30)]
    assert torch.allclose(zoom_in(x, 1.0, 0.0, centre=(0.3, 0.9)), x, atol=1e-5)


@pytest.fixture(scope="module")
def mobilenet(shared: Path) -> Classifier:
    """The classifier with real weights."""
    return load_classifier(f"{shared / 'models' / 'mobilenet_v1.py'}:load")


def test_a_real_classifier_dreams_with_its_default_layers(mobilenet: Classifier, shared: Path) -> None:
    cat = shared / "data" / "photos" / "cat.jpg"
    done = dream(mobilenet, cat, size=192, octaves=3, steps=5)
    assert done.image.shape == (108, 192, 3) and done.curve[-1] > 1.2 * done.curve[10] > 0
    fish = dream(mobilenet, cat, size=192, octaves=1, steps=10, classes=("goldfish",), jitter=0)
    shown = torch.from_numpy(fish.image[None]).permute(0, 3, 1, 2) / 255
    index, probability = mobilenet.top(mobilenet.module(mobilenet.normalise(shown)))[0]
    assert mobilenet.short_label(index) == "goldfish" and probability > 0.9


def test_a_real_classifier_paints_with_its_default_layers(mobilenet: Classifier, shared: Path) -> None:
    photos = shared / "data" / "photos"
    done = stylize(mobilenet, photos / "portrait.jpg", [photos / "cat.jpg"], size=128, steps=20)
    assert done.sizes == [(128, 102)] and done.curve[-1]["style"] < 0.3 * done.curve[0]["style"]


def test_tiles_of_a_real_classifier_equal_the_whole(mobilenet: Classifier) -> None:
    """features.8 sees 43 px, so that a margin of 24 holds."""
    x = torch.rand(1, 3, 150, 210, generator=torch.Generator().manual_seed(0))
    objective = Objective(mobilenet, parse_terms(mobilenet, ("features.8", "features.4:2=0.1"), ()))
    (loss, whole), (pieces, summed) = (
        objective.evaluate(x),
        objective.evaluate(x, 112, margin=24, pad=(0, 0, 0, 0)),
    )
    assert pieces == pytest.approx(loss, rel=1e-5)
    assert float((summed - whole).abs().max()) < 1e-4 * float(whole.abs().max())


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"layers": ("features.9",)}, "features.9: small has no such layer"),
        ({"layers": ("features.7:10",)}, "channels 0 to 9"),
        ({"layers": ("features.7=much",)}, "features.7=0.5"),
        ({"layers": ("features.7:4-2",)}, "no range of channels"),
        ({"layers": ("head",)}, "its output is no picture"),
        ({"classes": ("cow",)}, "no such class"),
        ({"octaves": 0}, "--octaves must be at least 1, not 0"),
        ({"step_size": -1.0}, "--step-size must be from"),
        ({"octave_scale": 1.0}, "--octave-scale"),
        ({"smooth": (-1.0,)}, "--smooth"),
        ({"tile": 8}, "--tile must be -1, 0 or at least 32"),
        ({"size": 8}, "--size must be 0 or at least 32"),
        ({"size": 33}, "px are too few"),
        ({"layers": ("features.7:1",), "guide": np.zeros((40, 40, 3), np.uint8)}, "goes with whole layers"),
        ({"classes": ("cat",), "guide": np.zeros((40, 40, 3), np.uint8)}, "--guide goes with --layers"),
    ],
)
def test_mistakes_are_told(net: Classifier, photo: np.ndarray, changes: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        dream(net, photo, **({"layers": ("features.7",)} if "classes" not in changes else {}) | changes)


def test_a_program_of_one_size_only_is_told_in_one_line(photo: np.ndarray, tmp_path: Path) -> None:
    program = torch.export.export(Small().eval(), (torch.zeros(1, 3, 32, 32),))
    torch.export.save(program, tmp_path / "fixed.pt2")
    fixed = load_classifier(str(tmp_path / "fixed.pt2"))
    with pytest.raises(InputError, match="takes pictures of 32x32 px only"):
        dream(fixed, photo, **QUICK)
    with pytest.raises(InputError, match="takes pictures of 32x32 px only"):
        stylize(fixed, photo, [photo], layers=("features.1",), content_layers=("features.4",), size=64)


def test_odd_pictures(net: Classifier, tmp_path) -> None:
    path = tmp_path / "no.png"
    path.write_text("hello")
    with pytest.raises(ImageError, match="not an image"):
        dream(net, path, **QUICK)
    from PIL import Image

    turned = Image.fromarray(np.full((40, 80, 3), 99, np.uint8))
    exif = turned.getexif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees
    turned.save(tmp_path / "turned.jpg", exif=exif)
    assert dream(net, tmp_path / "turned.jpg", **QUICK).image.shape == (80, 40, 3)
    clear = np.zeros((40, 44, 4), np.uint8)
    Image.fromarray(clear).save(tmp_path / "clear.png")
    assert dream(net, tmp_path / "clear.png", **QUICK).image.mean() > 150  # transparent is white
    save_png(tmp_path / "grey.png", np.zeros((40, 300, 1), np.uint8))
    assert dream(net, tmp_path / "grey.png", **QUICK).image.shape == (40, 300, 3)
