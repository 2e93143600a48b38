"""Progressive growing: the schedule, the fade and the optimisers' fresh starts, by hand."""

from dataclasses import replace

import pytest
import torch

from facegan.families.progan import FAMILY
from facegan.families.progan import config as progan

SCHEDULE = progan.Config(replace(progan.GeneratorConfig(), stage_kimg=0.4, fade_kimg=0.6))


@pytest.mark.parametrize(
    "seen, level",
    [
        (0, 0.0),
        (399, 0.0),
        (400, 0.0),
        (550, 0.25),
        (700, 0.5),
        (999, 599 / 600),
        (1000, 1.0),
        (1400, 1.0),
        (1700, 1.5),
        (2000, 2.0),
        (3000, 3.0),
        (10**6, 3.0),
    ],
)
def test_the_schedule(seen, level):
    """400 images at 4 px, 600 of fading 8 px in, 400 there, and so on up to the last of four levels."""
    assert progan.level_at(SCHEDULE, seen, 4) == pytest.approx(level)


def test_without_a_schedule_all_is_grown():
    config = progan.Config(replace(progan.GeneratorConfig(), stage_kimg=0.0, fade_kimg=0.0))
    assert progan.level_at(config, 0, 4) == 3.0


def networks(size=32, base=64):
    config = progan.Config(
        replace(SCHEDULE.generator, channel_base=base), progan.DiscriminatorConfig(channel_base=base)
    )
    torch.manual_seed(0)
    shape = (3, size, size)
    return (
        config,
        FAMILY.build_generator(config.generator, shape, 16),
        FAMILY.build_discriminator(config.discriminator, shape),
    )


def test_both_grow_together_and_optimisers_begin_again_where_a_fade_begins_or_ends():
    config, g, d = networks()
    again = []
    for seen in range(0, 4001, 50):
        if FAMILY.begin_update(config, g, d, images_seen=seen):
            again.append(seen)
        assert float(g.level) == float(d.level) == pytest.approx(progan.level_at(config, seen, g.levels))
    assert again == [450, 1000, 1450, 2000, 2450, 3000]


def test_what_has_grown_stays():
    """A trained model waits at its own level for the schedule, and takes a fresh discriminator along."""
    config, g, d = networks()
    g.level.fill_(2.0)
    assert not FAMILY.begin_update(config, g, d, images_seen=0)
    assert float(g.level) == float(d.level) == 2.0
    FAMILY.begin_update(config, g, d, images_seen=1700)
    assert float(g.level) == 2.0
    assert FAMILY.begin_update(config, g, d, images_seen=2700) and float(g.level) == float(d.level) == 2.5


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_fade_begins_at_the_level_below_and_ends_at_its_own(level):
    _, g, d = networks()
    z = torch.randn(4, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        drawn = {}
        for part in (level - 1, level - 1 + 1e-6, level - 1e-6, level):
            g.level.fill_(part)
            drawn[part] = g.train()(z)
        below, begun, ended, above = drawn.values()
        assert above.shape[-1] == 4 * 2**level and below.shape[-1] == above.shape[-1] // 2
        enlarged = below.repeat_interleave(2, 2).repeat_interleave(2, 3)
        torch.testing.assert_close(begun, enlarged, rtol=0, atol=1e-4)
        torch.testing.assert_close(ended, above, rtol=0, atol=1e-4)
        logits = []
        for part, pictures in ((level - 1, below), (level - 1 + 1e-6, enlarged)):
            d.level.fill_(part)
            logits.append(d(pictures))
        torch.testing.assert_close(logits[0], logits[1], rtol=0, atol=1e-4)


def test_real_pictures_come_at_the_levels_resolution():
    *_, d = networks()
    real = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for level in range(4):
        d.level.fill_(float(level))
        seen, side = d.prepare_real(real), 4 * 2**level
        blocks = real.view(2, 3, side, 32 // side, side, 32 // side).mean((3, 5))
        torch.testing.assert_close(seen, blocks)
    d.level.fill_(2.5)  # half faded in: half of the detail
    fine, coarse = real, real.view(2, 3, 16, 2, 16, 2).mean((3, 5))
    expected = 0.5 * fine + 0.5 * coarse.repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(d.prepare_real(real), expected)
