"""Parameter counts of the tutorials' networks, layer by layer, as Keras counts them."""

import pytest

from facegan.families import get_family
from facegan.recipes import recipe

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
