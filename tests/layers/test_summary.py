"""Layers, parameters and MACs against their closed forms, and a module that is left as it was."""

import pytest
import torch
from torch import nn

from facegan.families import get_family
from facegan.layers.feedforward import Builder, SameConv
from facegan.layers.notation import parse
from facegan.layers.summary import shape_text, summarize
from facegan.recipes.table import recipe


def bn(n):
    return 2 * n


# notation on an 8x8 picture of 3 channels -> (kind, output, parameters, statistics, MACs) of each layer
CASES = {
    "conv 16 5": [("conv 16 5", (16, 8, 8), 5 * 5 * 3 * 16 + 16, 0, 5 * 5 * 3 * 16 * 8 * 8)],
    "conv 16 5 s2": [("conv 16 5 s2", (16, 4, 4), 5 * 5 * 3 * 16 + 16, 0, 5 * 5 * 3 * 16 * 4 * 4)],
    "conv 16 4": [("conv 16 4", (16, 8, 8), 4 * 4 * 3 * 16 + 16, 0, 4 * 4 * 3 * 16 * 8 * 8)],
    "conv 16 3 valid": [("conv 16 3 valid", (16, 6, 6), 3 * 3 * 3 * 16 + 16, 0, 3 * 3 * 3 * 16 * 6 * 6)],
    "conv 16 3 s2 valid": [
        ("conv 16 3 s2 valid", (16, 3, 3), 3 * 3 * 3 * 16 + 16, 0, 3 * 3 * 3 * 16 * 3 * 3)
    ],
    "conv 16 1": [("conv 16 1", (16, 8, 8), 3 * 16 + 16, 0, 3 * 16 * 8 * 8)],
    # Each of the 8 x 8 values spreads over k x k x cout, whatever of that is cropped.
    "convT 16 4 s2": [("convT 16 4 s2", (16, 16, 16), 4 * 4 * 3 * 16 + 16, 0, 4 * 4 * 3 * 16 * 8 * 8)],
    "convT 16 5 s2": [("convT 16 5 s2", (16, 16, 16), 5 * 5 * 3 * 16 + 16, 0, 5 * 5 * 3 * 16 * 8 * 8)],
    "dense 7 lrelu": [
        ("flatten", (192,), 0, 0, 0),
        ("dense 7", (7,), 192 * 7 + 7, 0, 192 * 7),
        ("lrelu", (7,), 0, 0, 0),
    ],
    "conv 4 3 bn lrelu0.3; up; down; pool; mbstd; drop 0.4; pixelnorm": [
        ("conv 4 3", (4, 8, 8), 3 * 3 * 3 * 4 + 4, 0, 3 * 3 * 3 * 4 * 64),
        ("bn", (4, 8, 8), bn(4), bn(4), 0),
        ("lrelu0.3", (4, 8, 8), 0, 0, 0),
        ("up", (4, 16, 16), 0, 0, 0),
        ("down", (4, 8, 8), 0, 0, 0),
        ("pool", (4, 4, 4), 0, 0, 0),
        ("mbstd", (5, 4, 4), 0, 0, 0),
        ("drop 0.4", (5, 4, 4), 0, 0, 0),
        ("pixelnorm", (5, 4, 4), 0, 0, 0),
    ],
    "dense 4x4x6 bn tanh": [
        ("flatten", (192,), 0, 0, 0),
        ("dense 96", (96,), 192 * 96 + 96, 0, 192 * 96),
        ("bn", (96,), bn(96), bn(96), 0),
        ("tanh", (96,), 0, 0, 0),
        ("reshape 4x4x6", (6, 4, 4), 0, 0, 0),
    ],
}


def build(notation):
    return Builder((3, 8, 8)).build(parse(notation), (3, 8, 8))[0]


@pytest.mark.parametrize("notation", CASES)
@pytest.mark.parametrize("batch", [1, 4])
def test_closed_forms(notation, batch):
    rows = summarize(build(notation), torch.zeros(batch, 3, 8, 8))
    assert [(r.kind, r.output, r.parameters, r.statistics, r.macs) for r in rows] == CASES[notation]
    assert [r.name for r in rows] == [str(i) for i in range(len(rows))] and not any(r.block for r in rows)


@pytest.mark.parametrize("resample, at_conv1, at_skip", [("", 8, 8), ("up", 16, 8), ("down", 8, 4)])
def test_residual_blocks_by_their_children(resample, at_conv1, at_skip):
    """The block works at the larger size; its shortcut is cheapest at the smaller one."""
    rows = summarize(build(f"res 5 bn lrelu {resample}"), torch.zeros(1, 3, 8, 8))
    assert {r.block for r in rows} == {f"res 5 {resample}".rstrip()}
    macs = {r.name: r.macs for r in rows if r.macs}
    assert macs == {
        "0.conv1": 9 * 3 * 5 * at_conv1**2,
        "0.conv2": 9 * 5 * 5 * at_conv1**2,
        "0.skip": 3 * 5 * at_skip**2,
    }
    assert sum(r.parameters for r in rows) == (9 * 3 * 5 + 5) + (9 * 5 * 5 + 5) + 3 * 5 + 2 * bn(5)


def test_a_layer_called_twice_has_its_parameters_once_and_its_macs_twice():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = SameConv(3, 3, 3, size=(8, 8))

        def forward(self, x):
            return self.conv(self.conv(x))

    rows = summarize(Twice(), torch.zeros(1, 3, 8, 8))
    assert [(r.parameters, r.macs) for r in rows] == [(84, 81 * 64), (0, 81 * 64)]


def test_parameters_of_a_module_with_children_count_too():
    class Scaled(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Linear(3, 2))
            self.scale = nn.Parameter(torch.ones(2))

        def forward(self, x):
            return super().forward(x) * self.scale

    rows = summarize(nn.Sequential(Scaled()), torch.zeros(1, 3))
    assert {(r.kind, r.parameters) for r in rows} == {("dense 2", 8), ("Scaled", 2)}


def test_the_module_and_the_random_numbers_stay_as_they_were():
    module = build("conv 4 3 bn lrelu; drop 0.5; dense 1")
    module[1].eval()
    modes = [m.training for m in module.modules()]
    before = {k: v.clone() for k, v in module.state_dict().items()}
    state = torch.get_rng_state()
    summarize(module, torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)))
    assert [m.training for m in module.modules()] == modes
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(m._forward_hooks for m in module.modules())


def test_hooks_are_gone_after_an_error():
    module = build("conv 4 3")
    with pytest.raises(RuntimeError):
        summarize(module, torch.zeros(1, 7, 8, 8))
    assert not any(m._forward_hooks for m in module.modules()) and module.training


def test_grouped_convolutions():
    rows = summarize(nn.Conv2d(6, 4, 3, groups=2, padding=1), torch.zeros(1, 6, 8, 8))
    assert (rows[0].parameters, rows[0].macs) == (9 * 3 * 4 + 4, 9 * 3 * 4 * 64)
    rows = summarize(nn.ConvTranspose2d(6, 4, 3, groups=2, padding=1), torch.zeros(1, 6, 8, 8))
    assert rows[0].macs == 9 * 6 * 2 * 64


def test_shapes_are_written_as_in_the_notation():
    assert (shape_text((128, 5, 7)), shape_text((100,))) == ("5x7x128", "100")


# recipe -> (G trained, G with statistics, D trained): Keras's totals of the tutorials' networks
TOTALS = {
    "digits-vanilla-28": (1_489_936, 1_493_520, 923_553),
    "digits-dcgan-28": (6_751_233, 6_763_777, 3_485_441),
    "faces-dcgan-56": (26_078_467, 26_128_643, 19_086_209),
    "faces-dcgan-80": (1_381_891, 1_381_891, 1_651_841),
    "faces-dcgan-50": (14_651_011, 14_813_443, 3_878_657),
    "faces-dcgan-128": (7_136_131, 7_136_131, 429_377),
}


@pytest.mark.parametrize("name", TOTALS)
def test_totals_of_the_recipes(name):
    c = recipe(name)
    family, shape = get_family(c.family), (c.channels, c.size, c.size)
    # Without memory: the largest of them would take seconds to run.
    with torch.device("meta"):
        g = family.build_generator(c.model.generator, shape, c.latent.dim)
        d = family.build_discriminator(c.model.discriminator, shape)
        rows, d_rows = summarize(g, torch.zeros(1, c.latent.dim)), summarize(d, torch.zeros(1, *shape))
    trained, kept = sum(r.parameters for r in rows), sum(r.statistics for r in rows)
    assert (trained, trained + kept, sum(r.parameters for r in d_rows)) == TOTALS[name]
    assert shape in (rows[-1].output, rows[-2].output) and d_rows[-1].output == (1,)


def test_macs_of_the_80_px_tutorial():
    """z 100 to 5x5x128, four doublings of 128 channels, 3 channels at the end; and back."""
    c = recipe("faces-dcgan-80")
    family = get_family("dcgan")
    with torch.device("meta"):
        g = summarize(family.build_generator(c.model.generator, (3, 80, 80), 100), torch.zeros(1, 100))
        d = summarize(
            family.build_discriminator(c.model.discriminator, (3, 80, 80)), torch.zeros(1, 3, 80, 80)
        )
    doublings = [16 * 128 * 128 * n * n for n in (5, 10, 20, 40)]
    assert [r.macs for r in g if r.macs] == [100 * 3200, *doublings, 25 * 128 * 3 * 80 * 80]
    halvings = [25 * 128 * 128 * n * n for n in (40, 20, 10, 5)]
    assert [r.macs for r in d if r.macs] == [25 * 3 * 128 * 80 * 80, *halvings, 3200]
