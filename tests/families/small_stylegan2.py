"""StyleGAN2's networks in small, for tests; their weights are always the same."""

from dataclasses import replace

import torch

from facegan.families.stylegan2 import FAMILY
from facegan.families.stylegan2.config import Config
from facegan.layers.styled import StyledConv

SMALL = {"channel_base": 128, "channel_max": 8, "mapping_layers": 2}


def generator(shape=(3, 16, 16), label_dim=0, z_dim=6, **changes):
    torch.manual_seed(0)
    config = replace(Config().generator, **{**SMALL, "w_dim": 10, **changes})
    return FAMILY.build_generator(config, shape, z_dim, label_dim=label_dim)


def discriminator(shape=(3, 16, 16), label_dim=0, **changes):
    torch.manual_seed(0)
    config = replace(Config().discriminator, **{**SMALL, **changes})
    return FAMILY.build_discriminator(config, shape, label_dim)


def noisy(net):
    """With noise of some strength everywhere, and biases: what a trained generator has."""
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, StyledConv):
                module.noise_strength.fill_(0.3)
                module.bias.normal_()
    return net
