"""The watchdog's rules on sequences of reports, and each kind of breakdown in a real run."""

import json
import math
import re

import pytest
import torch

from facegan.recipes.config import check, override
from facegan.recipes.table import RECIPES
from facegan.training.initialization import with_precision
from facegan.training.watchdog import ADVICE, Watchdog, advice

HEALTHY = {"loss_d": 0.6, "loss_real": 0.6, "loss_fake": 0.6, "loss_g": 0.9, "grad_g": 1.0, "grad_d": 2.0}
TUTORIAL = {**HEALTHY, "loss_real": 0.0, "loss_fake": 15.942, "loss_g": 0.0}  # as the tutorials print it
BOTH_ZERO = {**HEALTHY, "loss_real": 0.0, "loss_fake": 0.0, "loss_d": 0.0, "loss_g": 16.0}
NEARLY_ZERO = {**HEALTHY, "loss_real": 0.004, "loss_fake": 0.009, "loss_g": 7.0}
PAIR_ZERO = {"loss_d": 0.0002, "loss_g": 9.0, "grad_g": 1.0, "grad_d": 0.1}
AT_95_PERCENT = {**HEALTHY, "loss_d": 0.1, "loss_real": 0.1, "loss_fake": 0.1, "loss_g": 4.0}


def means(count, values=HEALTHY, **changes):
    return [{**values, **changes}] * count


def growing(count, factor, side="grad_g"):
    return [{**HEALTHY, side: factor**i} for i in range(count)]


def decisions(sequence, every=50, total=10_000, through_json=()):
    """(index, kind) of what is found; a number in the sequence is the diversity of a grid."""
    memory, found = {}, []
    for i, seen in enumerate(sequence):
        if i in through_json:
            memory = json.loads(json.dumps(memory))
        dog = Watchdog(memory, total)
        updates = (i + 1) * every
        trouble = dog.on_means(seen, updates) if isinstance(seen, dict) else dog.on_diversity(seen, updates)
        if trouble is not None:
            found.append((i, trouble.kind, trouble.text))
            assert trouble.kind in ADVICE and "\n" not in trouble.text
    return found


BROKEN = {  # sequence, the index at which it breaks, kind, words
    "the tutorials' printed failure": (
        means(30) + means(9, TUTORIAL),
        34,
        "given up",
        "real (loss 0.000 on real, 15.942 on generated",
    ),
    "calls everything generated": (
        means(3) + means(9, HEALTHY, loss_real=9.0, loss_fake=0.001),
        7,
        "given up",
        "everything generated",
    ),
    "both at 0": (means(30) + means(19, BOTH_ZERO), 40, "won", "0.000 on real and 0.000 on generated"),
    "nearly 0 on both": (means(19, NEARLY_ZERO), 10, "won", "0.004 on real and 0.009"),
    "a loss over pairs at 0": (means(19, PAIR_ZERO), 10, "won", "its loss is 0.000"),
    "NaN": (means(2) + means(1, loss_g=math.nan), 2, "not finite", "loss_g is no longer"),
    "NaN at once": (means(1, grad_d=math.nan), 0, "not finite", "grad_d"),
    "Inf": (means(2) + means(1, grad_g=math.inf), 2, "not finite", "grad_g is no longer"),
    "-Inf": (means(2) + means(1, score_fake=-math.inf), 2, "not finite", "score_fake"),
    "gradients x 1000": (
        means(30) + means(5, grad_g=1000.0),
        32,
        "exploding",
        "gradients explode: 1e+03, usually 1",
    ),
    "the other network's": (means(30) + means(5, grad_d=2000.0), 32, "exploding", "discriminator's"),
    "gradients in ever larger steps": (means(30) + growing(12, 5.0), 34 + 1, "exploding", "generator's"),
    "collapsed": ([0.3, 0.7, 0.8, 0.6, 0.02, 0.02, 0.02], 6, "collapsed", "2.0% as much .*once did 80%"),
    "never came to life": ([0.05] * 150, 99 + 2, "collapsed", "5.0% as much"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_breakdowns(name):
    sequence, index, kind, words = BROKEN[name]
    found = decisions(sequence)
    assert found and found[0][:2] == (index, kind)
    assert words in found[0][2] or re.search(words, found[0][2])


@pytest.mark.parametrize("name", BROKEN)
def test_memory_survives_a_checkpoint(name):
    """Stopped and resumed after any report, the decision is the same."""
    sequence = BROKEN[name][0]
    assert decisions(sequence, through_json=range(len(sequence))) == decisions(sequence)
    for i in range(0, len(sequence), 7):
        assert decisions(sequence, through_json=[i]) == decisions(sequence)


NEAR_MISSES = {
    "healthy": means(200),
    "four bad reports, then a good one, again and again": (means(4, TUTORIAL) + means(1)) * 20,
    "nine reports both at 0, then a good one": (means(9, BOTH_ZERO) + means(1)) * 10,
    "a discriminator at 95 %": means(200, AT_95_PERCENT),
    "one side at 0, the other not": means(200, HEALTHY, loss_real=0.0, loss_fake=1.5),
    "one side as high as in the failure, the other alive": means(200, TUTORIAL, loss_real=0.3),
    "a pair loss that is small": means(200, PAIR_ZERO, loss_d=0.01),
    "gradients that grow slowly": growing(300, 1.05),
    "gradients that fall": growing(200, 0.93),
    "a spike of two reports": (means(30) + means(2, grad_g=1e5)) * 4,
    "gradients that vanished and came back": means(40) + means(120, grad_g=1e-9) + means(60),
    "gradients that were nothing and came back": means(40) + means(120, grad_g=0.0) + means(60),
    "gradients that rise from next to nothing": [{**HEALTHY, "grad_g": 1e-6}] * 20
    + [{**HEALTHY, "grad_g": min(1.0, 1e-6 * 3**i)} for i in range(40)],
    "a wild time with a report after every update": (means(30) + means(40, grad_d=1e4) + means(3)) * 4,
    "a wild start": [{**HEALTHY, "grad_g": 10.0 ** (i % 5)} for i in range(15)] + means(60),
    "a young grey generator": [0.01] * 19 + [0.2, 0.5, 0.8] * 3,
    "two grids without variety": [0.5, 0.7] + [0.02, 0.02, 0.3] * 10,
    "less and less variety, but some": [0.9 * 0.97**i for i in range(70)],
    "a grid that could not be measured": [0.8, math.nan, math.nan, math.nan, math.nan, 0.8],
}


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_near_misses(name):
    assert decisions(NEAR_MISSES[name], every=1 if "every update" in name else 50) == []


@pytest.mark.parametrize(
    "values, updates", [({**HEALTHY, "grad_d": 2e3}, 50), (TUTORIAL, 100), (BOTH_ZERO, 500)]
)
def test_reports_close_together_wait_for_updates(values, updates):
    """With a report after every update, five or ten of them are no time at all."""
    found = decisions(means(30) + means(600, values), every=1)
    assert found[0][0] == 30 + updates


@pytest.mark.parametrize(
    "values",
    [
        {"loss_real": -3.0, "loss_fake": -3.0},
        {"loss_real": -6.3, "loss_fake": 5.8},
        {"loss_real": 0.001, "loss_fake": 0.001},
    ],
)
def test_losses_without_a_bound_are_no_victory(values):
    """Wasserstein: -D(real) and D(fake) are of any sign and size, also in the best of runs."""
    memory = {}
    for i in range(100):
        dog = Watchdog(memory, 10_000, bounded=False)
        assert dog.on_means({**HEALTHY, **values}, i * 50) is None and dog.at_ease
    assert dog.on_means({**HEALTHY, **values, "grad_g": math.nan}, 5000).kind == "not finite"


@pytest.mark.parametrize("name", RECIPES)
def test_advice_can_be_followed_and_changes_something(name):
    """Each option that is named can be given to this recipe, with what is said to go with it, and is news."""
    config = with_precision(RECIPES[name].config, torch.device("cpu"))
    for kind in ADVICE:
        text = advice(kind, config)
        assert "--" in text and " or " in text
        for item in re.split(r", or |, | or ", text.replace(" (1, say; now 0)", "")):
            changes = {}
            for option, value in re.findall(r"--([a-z0-9.-]+[a-z0-9])((?: [a-z0-9]+)?)", item):
                key, value = option.replace("-", "_"), value.strip()
                if key.startswith("no_"):
                    key, value = key.removeprefix("no_"), False
                side, _, rest = key.rpartition(".")
                now = getattr(getattr(config.model, side) if side else config, rest)
                if key in ("r1_gamma", "gp_weight"):
                    assert f"(now {now:g})" in item or not now
                    value = 2 * now or 1.0
                if key in ("precision", "loss", "augment", "d_split", "r1_gamma", "gp_weight"):
                    assert value != now, (kind, item)
                    changes[key] = value
            check(override(config, changes))


@pytest.mark.parametrize(
    ("name", "kind", "there", "not_there"),
    [
        ("faces-dcgan-64", "won", "a higher --r1-gamma (now 3)", "--discriminator.widths"),
        ("faces-dcgan-80", "won", "a higher --r1-gamma (1, say; now 0) with --no-d-split", "gp-weight"),
        ("faces-dcgan-80", "copying", "--augment ada with --no-d-split", "--r1-gamma"),
        ("faces-fast-64", "copying", "--init MODEL with --freeze-d", "--augment"),
        ("faces-fast-64", "collapsed", "more pictures", "--loss"),
        ("progan-64", "exploding", "a higher --gp-weight (now 10)", "--r1-gamma"),
        ("r3gan-64", "collapsed", "--loss nonsaturating", "mbstd"),
    ],
)
def test_advice_fits_the_run(name, kind, there, not_there):
    text = advice(kind, RECIPES[name].config)
    assert there in text and not_there not in text, text


def test_what_is_told_is_not_told_again_and_hides_nothing():
    memory = {"told": ["exploding"]}
    dog = Watchdog(memory, 10_000)
    for i in range(30):
        assert dog.on_means(HEALTHY, i) is None
    kinds = [t.kind for i in range(30, 60) if (t := dog.on_means({**TUTORIAL, "grad_g": 1e4}, i * 50))]
    assert kinds[0] == "given up" and set(kinds) == {"given up"}
    assert not dog.at_ease


def test_ease_ends_with_the_first_suspicion_and_comes_back():
    dog = Watchdog({}, 10_000)
    seen = []
    for values in (HEALTHY, TUTORIAL, HEALTHY):
        dog.on_means(values, 1)
        seen.append(dog.at_ease)
    for diversity in (0.8, 0.02, 0.8):
        dog.on_diversity(diversity, 1)
        seen.append(dog.at_ease)
    assert seen == [True, False, True, True, False, True]
