"""Agreement with the implementations that papers quote, on the same features: to 1e-4 or better."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch

from facegan import rng
from facegan.errors import ModelError
from facegan.generator import Latent
from facegan.metrics import fid, kid, msssim, path_length, prdc, swd
from facegan.metrics.feature_extractors import table

for tool in ("torch_fidelity", "torchmetrics"):  # which take seconds to import
    if find_spec(tool) is None:
        pytest.skip(f"needs {tool}", allow_module_level=True)


def features(n, dim, seed=0, scale=1.0, shift=0.0):
    """Correlated, skewed and not negative, as features after a ReLU are."""
    random = np.random.default_rng(seed)
    mixed = random.standard_normal((n, dim)) @ np.random.default_rng(99).standard_normal((dim, dim))
    return np.maximum(scale * mixed / np.sqrt(dim) + shift, 0).astype(np.float32)


CASES = {"close": (1.0, 0.05), "far": (1.5, 0.4)}


@pytest.fixture(params=CASES)
def sets(request):
    return features(700, 64), features(600, 64, 1, *CASES[request.param])


def test_fid(sets):
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    real, fake = sets
    statistics = [fid_features_to_statistics(torch.from_numpy(s.astype(np.float64))) for s in sets]
    expected = fid_statistics_to_metric(*statistics, False)["frechet_inception_distance"]
    assert fid.fid(real, fake) == pytest.approx(expected, rel=1e-4)


def test_fid_of_torchmetrics(sets):
    from torchmetrics.image.fid import FrechetInceptionDistance

    class Ready(torch.nn.Module):
        num_features = 64

        def forward(self, x):
            return x.flatten(1).double()

    metric = FrechetInceptionDistance(Ready(), normalize=True, input_img_size=(1, 8, 8)).set_dtype(
        torch.float64
    )
    for side, real in zip(sets, (True, False), strict=True):
        metric.update(torch.from_numpy(side).double().view(-1, 1, 8, 8), real=real)
    assert fid.fid(*sets) == pytest.approx(float(metric.compute()), rel=1e-4)


def test_kid(sets):
    """One subset that holds everything: the same estimator."""
    from torch_fidelity.metric_kid import kid_features_to_metric

    sides = [s[:600] for s in sets]
    expected = kid_features_to_metric(
        *(torch.from_numpy(s.astype(np.float64)) for s in sides),
        kid_subsets=1,
        kid_subset_size=600,
        verbose=False,
    )["kernel_inception_distance_mean"]
    assert kid.kid(*sides).value == pytest.approx(expected, rel=1e-4)


def test_kid_of_the_usual_subsets(sets):
    """Their mean over random subsets is an estimate of the same number: within its own standard error."""
    from torch_fidelity.metric_kid import kid_features_to_metric

    found = kid_features_to_metric(
        *(torch.from_numpy(s) for s in sets), kid_subsets=50, kid_subset_size=200, verbose=False
    )
    mean, std = found["kernel_inception_distance_mean"], found["kernel_inception_distance_std"]
    assert kid.kid(*sets).value == pytest.approx(mean, abs=3 * std / np.sqrt(50) + 1e-5)


@pytest.mark.parametrize("k", [3, 5])
def test_prdc(sets, k):
    reference = pytest.importorskip("prdc")
    expected = reference.compute_prdc(*sets, nearest_k=k)
    found = prdc.prdc(*sets, k)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-4), name


@pytest.mark.parametrize("side", [64, 192])
def test_ms_ssim(side):
    """Put together from torchmetrics' SSIM at each scale; its own multi-scale function takes the last scale's
    windows beyond the border, too, which the paper does not and which shows where that scale is small."""
    from torchmetrics.functional.image import (
        multiscale_structural_similarity_index_measure,
        structural_similarity_index_measure,
    )

    random = np.random.default_rng(3)
    coarse = torch.from_numpy(random.uniform(0, 255, (4, 3, 8, 8)))
    a = torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic").clamp(0, 255).float()
    b = (a + torch.from_numpy(random.normal(0, 20, a.shape)).float()).clamp(0, 255)
    found = msssim.ms_ssim(a, b)
    levels = msssim.scales(side, side)
    betas = [w / sum(msssim.WEIGHTS[:levels]) for w in msssim.WEIGHTS[:levels]]
    if side == 192:
        whole = multiscale_structural_similarity_index_measure(
            a, b, data_range=255.0, betas=tuple(betas), normalize="relu", reduction="none"
        )
        np.testing.assert_allclose(found, whole, atol=2e-4)
    expected = torch.ones(4)
    for level, beta in enumerate(betas):
        options = {"data_range": 255.0, "reduction": "none"}
        _, full = structural_similarity_index_measure(a, b, return_full_image=True, **options)
        _, structure = structural_similarity_index_measure(a, b, return_contrast_sensitivity=True, **options)
        last = level == levels - 1
        expected *= (full[..., 5:-5, 5:-5].mean((1, 2, 3)) if last else structure) ** beta
        a, b = (torch.nn.functional.avg_pool2d(x, 2) for x in (a, b))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def karras_pyramid(images):
    """The Laplacian pyramid of ProGAN's code, down to 16 px: SciPy's convolution with mirrored borders."""
    from scipy.ndimage import convolve

    line = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    kernel = np.outer(line, line)[None, None]
    levels = [images.transpose(0, 3, 1, 2).astype(np.float64)]
    while levels[-1].shape[2] >= 32:
        levels.append(convolve(levels[-1], kernel, mode="mirror")[:, :, ::2, ::2])
        large = np.zeros_like(levels[-2])
        large[:, :, ::2, ::2] = levels[-1]
        levels[-2] = levels[-2] - convolve(large, 4 * kernel, mode="mirror")
    return levels


def test_swd():
    """ProGAN's published algorithm in float64, with our draws of patches and directions."""
    random = np.random.default_rng(5)
    real, fake = (random.integers(0, high, (12, 64, 64, 3), np.uint8) for high in (256, 200))
    fake[:, 1:] = fake[:, 1:] // 2 + fake[:, :-1] // 2
    found = swd.swd(real, fake)
    for number, levels in enumerate(zip(karras_pyramid(real), karras_pyramid(fake), strict=True)):
        h, n = levels[0].shape[2], 12 * swd.PATCHES
        place = (rng.uniform(0, f"swd/where/{number}", 0, count=n, per_item=2) * (h - 6)).astype(int)
        directions = rng.normal(0, f"swd/{number}", 0, count=7 * 7 * 3, per_item=512).astype(np.float64)
        directions /= np.sqrt(np.square(directions).sum(0))
        sides = []
        for level in levels:
            patches = np.stack(
                [level[i // swd.PATCHES, :, y : y + 7, x : x + 7] for i, (y, x) in enumerate(place)]
            )
            patches -= patches.mean((0, 2, 3), keepdims=True)
            patches /= patches.std((0, 2, 3), keepdims=True)
            sides.append(np.sort(patches.transpose(0, 2, 3, 1).reshape(n, -1) @ directions, axis=0))
        expected = 1000 * np.abs(sides[0] - sides[1]).mean()
        assert expected > 10 and found[f"swd_{h}"] == pytest.approx(expected, rel=1e-4)


class Curved(torch.nn.Module):
    """A smooth generator of 8x8 px in [-1, 1], which torchmetrics and we can ask."""

    def __init__(self):
        super().__init__()
        self.latent = Latent(dim=6)
        self.a = torch.from_numpy(np.random.default_rng(7).standard_normal((192, 6))).float()
        self.side = 0

    def forward(self, z):
        return (self.synthesize(z[:, None]) + 1) * 127.5

    def synthesize(self, w):
        return torch.sin(w[:, 0] @ self.a.T).view(-1, 3, 8, 8)

    def sample(self, count):  # the first ends, then the second ones
        self.side += 1
        return self.latent.sample(range(self.side - 1, 2 * count, 2))

    def map(self, z, labels=None):
        return z[:, None]

    def labels_of(self, seeds):
        return None


def test_path_length(monkeypatch):
    """torchmetrics measures at the beginning of each path, with any distance: t = 0 and ours. What it leaves
    out is its own choice; StyleGAN's code and torch-fidelity take the next value beyond both percentiles."""
    from torchmetrics.functional.image import perceptual_path_length

    class Distance(torch.nn.Module):
        def forward(self, a, b):
            return (a - b).double().square().sum((1, 2, 3))

    _, _, lengths = perceptual_path_length(
        Curved(),
        330,
        epsilon=path_length.EPSILON,
        resize=None,
        sim_net=Distance(),
        lower_discard=None,
        upper_discard=None,
    )
    lengths = np.sort(lengths.numpy())
    expected = lengths[3:-3].mean()  # the percentiles lie at 3.29 from either end
    monkeypatch.setattr(path_length.rng, "uniform", lambda *_, **__: np.zeros((330, 1)))
    found = path_length.path_length(Curved(), lambda x: x.flatten(1), 330)
    assert found > 100 and found == pytest.approx(expected, rel=1e-4)


def test_inception_features(tmp_path):
    """Random weights in torch-fidelity's file: the same features as its own extractor gives."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    file = tmp_path / "weights.pth"
    _random_inception(file)
    found = table("inception", str(file))
    images = np.random.default_rng(0).integers(0, 256, (3, 40, 40, 3), np.uint8)
    reference = FeatureExtractorInceptionV3("i", ["2048"], feature_extractor_weights_path=str(file))
    expected = reference(torch.from_numpy(images).permute(0, 3, 1, 2))[0]
    np.testing.assert_allclose(found(images), expected, rtol=1e-4, atol=1e-5)
    assert found.dim == 2048 and found(images, batch=2).shape == (3, 2048)
    gray = images[..., :1]
    np.testing.assert_allclose(found(gray), found(np.repeat(gray, 3, 3)), rtol=1e-4, atol=1e-5)


def test_inception_weights_that_are_a_program_are_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("executed",))

    torch.save({"a": Evil()}, tmp_path / "w.pth")
    with pytest.raises(ModelError, match="not torch-fidelity's Inception weights"):
        table("inception", str(tmp_path / "w.pth"))


def test_inception_offline_is_one_line(monkeypatch, tmp_path):
    from urllib.error import URLError

    import torch_fidelity.feature_extractor_inceptionv3 as module

    def offline(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setattr(module, "load_state_dict_from_url", offline)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(
        ModelError,
        match=r"put weights-inception\S+pth into \S+checkpoints .*--weights FILE\), or use --features faces$",
    ):
        table("inception")


def _random_inception(file):
    """The network's own initial weights, which its constructor would replace by the file's."""
    import torch_fidelity.feature_extractor_inceptionv3 as module

    held = {}
    original = torch.nn.Module.load_state_dict
    try:
        module.load_state_dict_from_url = lambda *a, **k: held
        torch.nn.Module.load_state_dict = lambda self, *a, **k: held.update(self.state_dict())
        torch.manual_seed(0)
        module.FeatureExtractorInceptionV3("i", ["2048"])
    finally:
        torch.nn.Module.load_state_dict = original
    torch.save(dict(held), file)
