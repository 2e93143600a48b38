"""The small attribute predictor and the scoring of arithmetic, on pictures whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from facegan.errors import DatasetError
from facegan.latent.scoring import combine, draw_members, score_arithmetic
from facegan.metrics.attribute_training import SMALL, score, train_attribute_predictor
from facegan.nets.attribute_nets import ARCHITECTURES


def fitted(images, attributes, names, test_images, test_attributes, **settings):
    predictor = train_attribute_predictor(images, attributes, names, replace(SMALL, **settings))
    score(predictor, test_images, test_attributes)
    return predictor


def pictures(n, seed=0):
    """Noise with a bright bar on top (attribute Top) or at the left (attribute Left), independently."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 120, (n, 16, 16, 3), np.uint8)
    attributes = random.integers(0, 2, (n, 2)).astype(np.int16)
    images[attributes[:, 0] == 1, :6] += 100
    images[attributes[:, 1] == 1, :, :6] += 30
    return images, attributes


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_learns_what_is_there_and_says_how_well(architecture):
    images, attributes = pictures(400)
    attributes[::7, 1] = -1  # unknown values neither teach nor count
    predictor = fitted(
        images, attributes, ["Top", "Left"], *pictures(200, 1), architecture=architecture, epochs=6
    )
    assert predictor.accuracy["Top"] > 0.95 and predictor.balanced_accuracy["Top"] > 0.95
    fresh, truth = pictures(100, 2)
    right = ((predictor.predict(fresh) > 0.5) == (truth == 1)).mean(0)
    assert right[0] > 0.93
    np.testing.assert_allclose(predictor.predict(fresh, batch=7), predictor.predict(fresh), atol=1e-5)


def test_random_answers_score_half():
    images, attributes = pictures(200)
    nonsense = np.random.default_rng(9).integers(0, 2, (400, 1)).astype(np.int16)
    predictor = fitted(images, attributes[:, :1], ["Coin"], *(pictures(400, 3)[0], nonsense), epochs=2)
    assert abs(predictor.balanced_accuracy["Coin"] - 0.5) < 0.1


def test_no_pictures_is_one_line():
    images, attributes = pictures(1)
    with pytest.raises(DatasetError):
        train_attribute_predictor(images, attributes, ["Top"], SMALL)


def test_members_and_sums():
    rows = [np.arange(10), np.arange(10, 20), np.arange(20, 30)]
    members = draw_members(rows, 3, 3, 0, "trial")
    assert members.shape == (3, 3, 3)
    assert len(set(members.flat)) == 27  # no face in two draws
    assert (members[:, 1] >= 10).all() and (members[:, 1] < 20).all()
    pool = torch.arange(30.0)[:, None]
    expected = pool[members[0, 0]].mean() - pool[members[0, 1]].mean() + pool[members[0, 2]].mean()
    assert float(combine(pool, members)[0, 0]) == pytest.approx(float(expected))


class LinearModel:
    """z is (top, left): each paints its bar; so arithmetic is right by construction."""

    def images(self, z):
        n = len(z)
        out = np.random.default_rng(5).integers(0, 120, (n, 16, 16, 3)).astype(np.float32)
        out[:, :6] += 100 * np.clip(z[:, 0].numpy(), 0, 1)[:, None, None, None]
        out[:, :, :6] += 30 * np.clip(z[:, 1].numpy(), 0, 1)[:, None, None, None]
        return out.clip(0, 255).astype(np.uint8)


def test_a_linear_model_scores_high_and_the_control_does_not():
    images, attributes = pictures(600)
    chooser, judge = (
        fitted(
            images[part], attributes[part], ["Top", "Left"], *pictures(100, 4), architecture=kind, epochs=12
        )
        for kind, part in (("plain", slice(0, 300)), ("pooled", slice(300, None)))
    )
    pool = torch.from_numpy(np.random.default_rng(6).integers(0, 2, (400, 2)).astype(np.float32))
    groups = {
        "top": {"Top": True, "Left": False}, "none": {"Top": False, "Left": False},
        "left": {"Top": False, "Left": True},
    }  # fmt: skip
    score = score_arithmetic(
        LinearModel(), pool, chooser, judge, groups, {"Top": True, "Left": True}, trials=20
    )
    assert score is not None
    assert score.shares["trials"]["both"] > 0.8 > score.shares["control"]["both"] + 0.2
    few = score_arithmetic(LinearModel(), pool[:6], chooser, judge, groups, {"Top": True, "Left": True})
    assert few is None
