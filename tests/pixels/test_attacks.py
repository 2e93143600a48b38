"""Attacks on linear classifiers, of which the best is known.

To lift class 1 by m logits with w = w_1 - w_0 takes, in [0, 1]: in L-inf m / |w|_1, by -sign steps; in L2
m / |w|_2, along w. On the grid the first is rounded up to whole levels; the second is round(c w) with the
smallest c that is enough (facegan/pixels/attacks/state.py).
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from linear import linear

from facegan import images
from facegan.errors import InputError
from facegan.pixels import attack
from facegan.pixels.attacks.config import METHODS, AttackConfig
from facegan.pixels.attacks.methods import CLASSES, Attack
from facegan.pixels.attacks.result import survival
from facegan.pixels.attacks.state import SAFE, AttackState, Criterion


def levels_needed(margin: float, w: torch.Tensor) -> int:
    return math.ceil(255 * (margin + SAFE) / float(w.abs().sum()))


@pytest.mark.parametrize("margin", [1.0, 3.0, 9.0])
def test_the_smallest_linf_change(margin: float) -> None:
    classifier, photo, w = linear(margin)
    need = levels_needed(margin, w)
    for method in ("pgd", "fmn"):
        (found,) = attack(
            classifier, [photo], "right", method=method, norm="linf", epsilon=60 / 255, step=1 / 255, steps=60
        )
        assert found.success and round(255 * found.linf) == need, method
    assert found.said == 1 and found.source == 0
    for levels, works in ((need, True), (need - 1, False)):
        if levels:
            (found,) = attack(classifier, [photo], 1, method="fgsm", epsilon=levels / 255)
            assert found.success is works and round(255 * found.linf) == levels


def test_pgd_takes_no_step_too_many() -> None:
    classifier, photo, w = linear(9.0)
    (found,) = attack(classifier, [photo], 1, epsilon=60 / 255, step=1 / 255)
    assert found.steps == levels_needed(9.0, w) == len(found.curve) - 1
    assert [p for p, _ in found.curve] == sorted(p for p, _ in found.curve)
    (none,) = attack(classifier, [photo], 0)
    assert none.success and none.steps == 0 and none.linf == 0 and np.array_equal(none.image, photo)


@pytest.mark.parametrize("method", ["ddn", "fmn"])
@pytest.mark.parametrize(("margin", "slack"), [(90.0, 1.01), (0.5, 1.03), (0.1, 1.05)])
def test_the_smallest_l2_change(method: str, margin: float, slack: float) -> None:
    """90 logits take many levels in each pixel, rounding hardly matters; 0.5 and 0.1 one in a few."""
    classifier, photo, w = linear(margin)
    (found,) = attack(classifier, [photo], 1, method=method, norm="l2", steps=150)
    straight = (margin + SAFE) / float(w.norm())
    rounded = smallest_rounded(margin + SAFE, w)
    assert found.success
    assert straight * 0.999 <= found.l2 <= rounded * slack
    if margin == 90:
        assert found.l2 <= straight * 1.02, "of pictures with many levels the continuous optimum"
    else:
        assert rounded > straight * 1.05, "else this would say nothing about the grid"


def smallest_rounded(margin: float, w: torch.Tensor) -> float:
    """|round(c w)| in [0, 1] for the smallest c whose gain is ``margin``: c runs through all jumps."""
    v = w.flatten().double()
    jumps = torch.cat([(k + 0.5) / v.abs() for k in range(3 if margin < 50 else 130)]).sort().values
    for c in jumps if margin < 50 else jumps[::50]:
        q = (v * (c + 1e-9)).round()
        if float(v @ q) / 255 >= margin:
            return float(q.norm()) / 255
    raise AssertionError("not enough jumps")


EPSILONS = {"linf": (12 / 255, 11.6 / 255), "l2": (1.0, 0.83)}


@pytest.mark.parametrize("method", METHODS)
def test_every_method(method: str) -> None:
    """Targeted and not, in each norm: it works, stays in the ball, and says what is so."""
    classifier, photo, _ = linear(1.0)
    for norm in METHODS[method].norms:
        for target, epsilon in itertools.product((1, None), EPSILONS[norm]):
            (found,) = attack(
                classifier,
                [photo],
                target,
                method=method,
                norm=norm,
                epsilon=epsilon,
                step=0.5 if method == "gradient" else None,
            )
            assert found.success and found.said == 1 and found.target == (1 if target else -1)
            assert int(classifier.logits(images.to_unit(found.image[None])).argmax()) == 1
            difference = (found.image.astype(float) - photo) / 255
            assert found.linf == pytest.approx(np.abs(difference).max())
            assert found.l2 == pytest.approx(np.linalg.norm(difference), rel=1e-5)
            assert found.changed == pytest.approx((difference != 0).any(-1).mean())
            if not METHODS[method].minimal:
                assert (found.linf if norm == "linf" else found.l2) <= epsilon + 1e-6


def test_the_logits_of_the_result_are_those_of_its_picture() -> None:
    classifier, photo, _ = linear(2.0)
    for method in METHODS:
        (found,) = attack(classifier, [photo], 1, method=method, step=0.5 if method == "gradient" else None)
        p = classifier.probabilities(images.to_unit(found.image[None]))[0]
        assert found.probability == pytest.approx(float(p[1]), abs=1e-6)
        assert dict(found.after)[1] == pytest.approx(float(p[1]), abs=1e-6)


def test_confidence_is_reached_by_the_8_bit_picture() -> None:
    classifier, photo, _ = linear(1.0)
    for method, options in (("pgd", {"step": 1 / 255}), ("gradient", {"step": 0.05}), ("fmn", {})):
        (found,) = attack(classifier, [photo], 1, method=method, epsilon=40 / 255, confidence=0.9, **options)
        assert found.success and found.probability >= 0.9
        assert 255 * found.linf < 40
    (missed,) = attack(classifier, [photo], 1, epsilon=1 / 255, steps=3, confidence=0.999)
    assert missed.probability < 0.999 and 255 * missed.linf == 1, "the best within the ball"
    (unsure,) = attack(classifier, [photo], 1, epsilon=2 / 255, confidence=0.999)
    assert unsure.said == 1 and 0.5 < unsure.probability < 0.99 and not unsure.success


def test_a_gradient_that_is_never_there_stays_in_the_ball() -> None:
    """Rounding would carry 1.53 levels to 2, and two thirds of a small L2 ball's entries outside."""
    classifier, photo, _ = linear(90.0)
    for norm, epsilon in (("linf", 1.53 / 255), ("l2", 0.3), ("l2", 1.0)):
        (found,) = attack(
            classifier,
            [photo],
            1,
            method="gradient",
            norm=norm,
            epsilon=epsilon,
            step=5.0,
            loss="margin",
            steps=5,
        )
        assert 0 < (found.linf if norm == "linf" else found.l2) <= epsilon + 1e-6


def test_each_result_is_told_when_it_is_there() -> None:
    classifier, photo, _ = linear(1.0)
    told = []
    found = attack(
        classifier,
        [photo] * 3,
        1,
        batch=2,
        on_result=lambda r: told.append(r),
        on_step=lambda s: told.append(len(told)),
    )
    results = [one for one in told if not isinstance(one, int)]
    assert results == found and isinstance(told[-2], int) and told[-1] is found[2]


def test_pictures_end_at_black_and_white() -> None:
    classifier, _, w = linear(0.0)
    classifier.module.bias.zero_()
    black = np.zeros((12, 12, 3), np.uint8)
    for method in ("pgd", "ddn"):
        (found,) = attack(classifier, [black], method=method)
        up = (found.image.astype(int) - black).transpose(2, 0, 1)
        sign = w.numpy() if found.source == 0 else -w.numpy()
        assert found.success and not up[sign < 0].any() and up[sign > 0].any()


def state_and_attack(margin: float = 1.0, **settings: object) -> tuple[AttackState, Attack, torch.Tensor]:
    classifier, photo, w = linear(margin)
    base = torch.from_numpy(photo).permute(2, 0, 1)[None].float()
    config = AttackConfig(**{"epsilon": 99 / 255, **settings}).resolved()  # type: ignore[arg-type]
    return AttackState(base, Criterion(target=1)), CLASSES[config.method](classifier, config), w


def test_the_tutorials_step_is_the_raw_gradient() -> None:
    """p_1 is the logistic function of the margin: its gradient is p (1 - p) w."""
    state, attack, w = state_and_attack(1.0, method="gradient", step=0.025, steps=1)
    p = 1 / (1 + math.e)
    attack.run([state])
    torch.testing.assert_close(state.v[0], 255 * 0.025 * p * (1 - p) * w, atol=1e-5, rtol=1e-4)
    state, attack, _ = state_and_attack(method="gradient", epsilon=0.005, step=1.0)
    attack.update(state, torch.full_like(state.v, -1e6), 0, reached=False)
    assert float(state.v.max()) == pytest.approx(1.275), "kept within epsilon"


def test_momentum_sums_gradients_of_mean_size_one() -> None:
    state, attack, _ = state_and_attack(epsilon=9 / 255, step=1 / 255, momentum=0.5)
    for value in (8.0, -3.0, -7.0, -5.0):  # the sum: 1, -0.5, -1.25, -1.625
        attack.update(state, torch.full_like(state.v, value), 0, reached=False)
    assert float(state.v.unique()) == -1 + 1 + 1 + 1
    assert float(state.momentum.unique()) == pytest.approx(-1.625)  # type: ignore[union-attr]


def test_fmn_goes_where_a_linear_model_puts_the_boundary() -> None:
    state, attack, w = state_and_attack(5.0, method="fmn", norm="l2", step=1.0)
    state.record(state.v, [attack.classifier.logits(state.at(state.v))[0]])
    attack.update(state, -w[None].clone(), 0, reached=False)
    assert state.radius == pytest.approx(255 * 5 / float(w.norm()), rel=1e-4)


def test_a_method_of_ones_own_overrides_what_differs() -> None:
    """Half a step along the sign, in a box half as large."""

    class Half(Attack):
        def normalize(self, state, g, k):  # type: ignore[no-untyped-def]
            return g.sign(), self.length / 2

        def project(self, state):  # type: ignore[no-untyped-def]
            state.v.clamp_(-self.epsilon / 2, self.epsilon / 2)

    for steps, levels in ((1, 2), (4, 4)):
        state, attack, w = state_and_attack(90.0, epsilon=8 / 255, step=4 / 255, steps=steps)
        Half(attack.classifier, attack.config).run([state])
        torch.testing.assert_close(state.v[0], levels * w.sign())


def test_deterministic_and_the_same_in_any_batch() -> None:
    classifier, photo, _ = linear(1.0)
    photos = [photo, np.roll(photo, 3, 0), photo[::-1].copy()]
    options = {
        "epsilon": 1 / 255,
        "steps": 2,
        "restarts": 3,
        "confidence": 0.999,
        "robust": ("resize", "jpeg"),
        "samples": 2,
    }
    runs = [attack(classifier, photos, 1, batch=batch, seed=3, **options) for batch in (1, 3, 3)]
    for results in zip(*runs, strict=True):
        for other in results[1:]:
            assert np.array_equal(results[0].image, other.image)
    assert len(runs[0][0].curve) == 1 + 3 * 2 + 2, "looks: the photo, six steps, two new starts"
    assert runs[0][0].steps == 6


def test_photos_of_different_sizes_share_a_batch() -> None:
    classifier, photo, _ = linear(0.2)
    large = images.resize(photo, (31, 45), "bilinear")
    both = attack(classifier, [photo, large], [1, "left"], epsilon=30 / 255, batch=2)
    assert [r.success for r in both] == [True, True] and both[1].image.shape == (31, 45, 3)
    alone = attack(classifier, [large], 0, epsilon=30 / 255)[0]
    assert np.array_equal(both[1].image, alone.image)


def test_the_mean_gradient_over_transformations() -> None:
    """Pictures that are made smaller by nothing: all views are the picture, and so is their mean gradient."""
    from facegan.pixels.attacks.transforms import Transform

    same = Transform("same", lambda x, generator: x * 1, lambda x, generator: x)
    ends = []
    for transforms in ((), (same,)):
        state, attack, _ = state_and_attack(method="gradient", epsilon=9 / 255, step=0.1, steps=3)
        type(attack)(attack.classifier, attack.config, transforms).run([state])
        ends.append(state.v)
    torch.testing.assert_close(ends[0], ends[1])


def test_survival_counts_real_files() -> None:
    classifier, photo, _ = linear(1.0)
    (found,) = attack(classifier, [photo], 1, epsilon=40 / 255, confidence=0.9999)
    shares = survival(classifier, found, ("jpeg", "resize"), draws=4)
    assert set(shares) == {"jpeg", "resize"} and all(0 <= share <= 1 for share in shares.values())
    untouched = attack(classifier, [photo], 0)[0]
    strong = linear(1000.0)
    assert survival(strong[0], attack(strong[0], [strong[1]], 0)[0], ("jpeg",), draws=3) == {"jpeg": 1.0}
    assert untouched.success


MISTAKES = {
    "method": ({"method": "pdg"}, "--method 'pdg' is unknown"),
    "norm": ({"method": "ddn", "norm": "linf"}, "ddn knows l2"),
    "small epsilon": ({"epsilon": 0.001}, "at least 1/255"),
    "epsilon of 255": ({"epsilon": 4.0}, "4/255"),
    "nan": ({"epsilon": float("nan")}, "--epsilon"),
    "step": ({"step": 0.0}, "--step must be above 0"),
    "steps": ({"steps": -1}, "--steps must be 0 or more"),
    "restarts": ({"restarts": 0}, "--restarts"),
    "samples": ({"samples": -1}, "--samples"),
    "momentum": ({"momentum": 2.0}, "--momentum"),
    "confidence": ({"confidence": 1.0}, "--confidence"),
    "loss": ({"loss": "mse"}, "--loss 'mse' is unknown"),
    "robust": ({"robust": ("rain",)}, "--robust 'rain' is unknown"),
    "batch": ({"batch": -1}, "--batch"),
    "class": ({"target": "rigth"}, "near it: 1 right"),
    "targets": ({"target": [1, 1]}, "2 targets for 1 photos"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_told(name: str) -> None:
    classifier, photo, _ = linear()
    options, text = MISTAKES[name]
    with pytest.raises(InputError, match=text.replace("(", r"\(")):
        attack(classifier, [photo], **{"target": 1, **options})  # type: ignore[arg-type]


def test_photos_that_do_not_fit_into_memory() -> None:
    classifier, photo, _ = linear()

    def full(*args: object) -> torch.Tensor:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    classifier.resize = full  # type: ignore[method-assign]
    with pytest.raises(InputError, match="0 megapixels do not fit"):
        attack(classifier, [photo], 1)
