"""Agreement with the implementations that papers quote, on the same features: to 1e-4 or better."""

import numpy as np
import pytest
import torch

from facegan.errors import ModelError
from facegan.metrics import frechet, kernel, msssim, prdc
from facegan.metrics.features import table

torch_fidelity = pytest.importorskip("torch_fidelity")
torchmetrics = pytest.importorskip("torchmetrics")


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
    assert frechet.fid(real, fake) == pytest.approx(expected, rel=1e-4)


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
    assert frechet.fid(*sets) == pytest.approx(float(metric.compute()), rel=1e-4)


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
    assert kernel.kid(*sides).value == pytest.approx(expected, rel=1e-4)


def test_kid_of_the_usual_subsets(sets):
    """Their mean over random subsets is an estimate of the same number: within its own standard error."""
    from torch_fidelity.metric_kid import kid_features_to_metric

    found = kid_features_to_metric(
        *(torch.from_numpy(s) for s in sets), kid_subsets=50, kid_subset_size=200, verbose=False
    )
    mean, std = found["kernel_inception_distance_mean"], found["kernel_inception_distance_std"]
    assert kernel.kid(*sets).value == pytest.approx(mean, abs=3 * std / np.sqrt(50) + 1e-5)


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
    with pytest.raises(ModelError, match="--weights FILE, or use --features faces"):
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
