"""Parameter counts of the tutorials' networks, layer by layer, as Keras counts them."""

import pytest

from facegan.families import get_family
from facegan.recipes.table import recipe

# recipe -> network -> (trained parameters, totals by layer with weights and biases)
COUNTS = {
    "digits-vanilla-28": {
        "generator": (1_489_936, [25_856, 512, 131_584, 1_024, 525_312, 2_048, 803_600]),
        "discriminator": (923_553, [615_440, 307_720, 393]),
    },
    "digits-dcgan-28": {
        "generator": (6_751_233, [103_424, 6_428_800, 12_544, 204_864, 1_601]),
        "discriminator": (3_485_441, [1_664, 204_928, 3_277_824, 1_025]),
    },
    "faces-dcgan-80": {
        "generator": (1_381_891, [323_200, *[262_272] * 4, 9_603]),
        "discriminator": (1_651_841, [9_728, *[409_728] * 4, 3_201]),
    },
    "faces-dcgan-56": {
        "generator": (26_078_467, [103_424, 25_715_200, 50_176, 204_864, 4_803]),
        "discriminator": (19_086_209, [4_864, 204_928, 18_875_392, 1_025]),
    },
    "faces-dcgan-50": {
        "generator": (
            14_651_011,
            [
                8_080_000,
                160_000,
                1_638_912,
                1_024,
                2_097_408,
                512,
                1_638_656,
                512,
                819_328,
                256,
                204_864,
                128,
                9_411,
            ],
        ),
        "discriminator": (3_878_657, [7_168, 1_638_656, 1_638_656, 590_080, 4_097]),
    },
    "faces-dcgan-128": {
        "generator": (7_136_131, [4_227_072, 262_272, 524_544, 2_097_664, 24_579]),
        "discriminator": (429_377, [3_136, 131_200, 262_272, 32_769]),
    },
}


def build(name, side):
    config = recipe(name)
    family = get_family(config.family)
    shape = (config.channels, config.size, config.size)
    if side == "generator":
        return family.build_generator(config.model.generator, shape, config.latent.dim)
    return family.build_discriminator(config.model.discriminator, shape)


@pytest.mark.parametrize("name, side", [(n, s) for n in COUNTS for s in COUNTS[n]])
def test_parameters(name, side):
    total, by_layer = COUNTS[name][side]
    network = build(name, side)
    assert sum(p.numel() for p in network.parameters()) == total
    counted = [sum(p.numel() for p in m.parameters(recurse=False)) for m in network.modules()]
    assert [c for c in counted if c] == by_layer
