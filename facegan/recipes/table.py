"""Named training configurations, each with its source; no torch at import.

A recipe's name always means the whole network. To add one, add its row to RECIPES.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from facegan.arguments import shown
from facegan.errors import ConfigError
from facegan.families.dcgan import config as dcgan
from facegan.families.fast import config as fast
from facegan.families.feedforward import NetworkConfig
from facegan.families.progan import config as progan
from facegan.families.r3gan import config as r3gan
from facegan.families.stylegan2 import config as stylegan2
from facegan.families.vanilla import config as vanilla
from facegan.recipes.biggan import ROWS as BIGGAN
from facegan.recipes.config import LatentConfig, TrainConfig
from facegan.recipes.row import Recipe
from facegan.recipes.translators import ROWS as TRANSLATORS

_KERAS_ADAM: dict[str, Any] = {"lr": 2e-4, "beta1": 0.5, "eps": 1e-7, "eps_hat": True}
_KERAS_NET: dict[str, Any] = {"init": "glorot", "bn_eps": 1e-3, **_KERAS_ADAM}


def _tutorial(model: object, **settings: Any) -> TrainConfig:
    """Return what the Keras tutorials share: joint cross entropy, no flips, no average, fresh fakes."""
    common = {
        "loss": "bce", "flip": False, "ema_halflife_kimg": 0.0, "reuse_fakes": False, "frozen_fakes": True,
    }  # fmt: skip
    return TrainConfig(model=model, **{**common, **settings})


# 16 real pictures an update; a grid every 100 updates, which is every 1.6 kimg, the first one at 0
_SIXTEEN = {
    "batch": 16, "sampling": "consecutive", "grid_kimg": 1.6, "grid_count": 16, "checkpoint_kimg": 6.4,
}  # fmt: skip
_DIGITS = {
    **_SIXTEEN, "channels": 1, "size": 28, "g_batch": 32, "kimg": 64.0,
    "latent": LatentConfig(dim=100, train_mean=-0.5, train_std=0.5),
}  # fmt: skip
_DECAY = {**_KERAS_NET, "lr_decay": 8e-8}
# Two tutorials call generated pictures 1 and real ones 0, and add noise to both labels.
_FLIPPED = {"flip_labels": True, "channels": 3}


def _keras_dcgan(base: str) -> dcgan.Config:
    """Return the networks of the digits' tutorial, which begin at ``base``, such as 7x7."""
    g = f"dense 1024 tanh; dense {base}x128 bn tanh; up; conv 64 5 tanh; up; conv image 5 tanh"
    d = "conv 64 5 tanh; pool; conv 128 5 valid tanh; pool; dense 1024 tanh; dense 1"
    return dcgan.Config(
        NetworkConfig(layers=g, bn_momentum=0.01, **_DECAY), NetworkConfig(layers=d, **_DECAY)
    )


def _plus(
    size: int, g_layers: str, d_layers: str, *, r1_gamma: float, family: str = "dcgan", **settings: Any
) -> TrainConfig:
    """Return what the modern variants share: R1, moving average, minibatch deviation, one batch of fakes."""
    module = {"dcgan": dcgan, "vanilla": vanilla}[family]
    common = {
        "batch": 32, "r1_every": 4, "precision": "auto", "grid_kimg": 10.0, "checkpoint_kimg": 20.0,
        "kimg": 500.0,
    }  # fmt: skip
    networks = (NetworkConfig(layers=layers, lr=1e-3) for layers in (g_layers, d_layers))
    common |= {"family": family, "size": size, "r1_gamma": r1_gamma, "model": module.Config(*networks)}
    return TrainConfig(**{**common, **settings})


def _halving(widths: str) -> str:
    """Return the layers of a discriminator that halves the resolution with each of them."""
    return "; ".join(f"conv {width} 4 s2 lrelu" for width in widths.split()) + "; mbstd; dense 1"


def _progan(size: int, **settings: Any) -> TrainConfig:
    """Return the paper's settings (Karras et al. 2018, appendix A.1), with one batch for all resolutions."""
    common = {
        "batch": 16, "loss": "wgan", "gp_weight": 10.0, "drift": 0.001, "reuse_fakes": False,
        "ema_halflife_kimg": 11.085, "ema_rampup": 0.0,  # 0.999 an update
        "latent": LatentConfig("sphere", 512), "model": progan.Config(),
        "grid_kimg": 50.0, "checkpoint_kimg": 200.0,
    }  # fmt: skip
    return TrainConfig(family="progan", size=size, **{**common, **settings})


def _stylegan2(size: int, **settings: Any) -> TrainConfig:
    """Return the authors' automatic settings for one GPU (Karras et al. 2020b, appendix C and its code)."""
    batch = settings.get("batch", max(min(4096 // size, 32), 1))
    common = {
        "batch": batch, "model": stylegan2.Config(), "kimg": 25000.0,
        "r1_gamma": 0.0002 * size**2 / batch, "r1_every": 16, "ema_halflife_kimg": batch * 10 / 32,
        "augment": "ada", "precision": "auto", "reuse_fakes": False,
        "latent": LatentConfig(dim=512), "grid_kimg": 50.0, "checkpoint_kimg": 200.0,
    }  # fmt: skip
    return TrainConfig(family="stylegan2", size=size, **{**common, **settings})


_SMALL: dict[str, Any] = {"kimg": 500.0, "reuse_fakes": True, "grid_kimg": 10.0, "checkpoint_kimg": 20.0}
_SMALL_STYLEGAN2 = _stylegan2(
    64, batch=16, latent=LatentConfig(dim=128), **_SMALL,
    model=stylegan2.Config(
        stylegan2.GeneratorConfig(w_dim=128, channel_base=2048, channel_max=128),
        stylegan2.DiscriminatorConfig(channel_base=2048, channel_max=128),
    ),
)  # fmt: skip


def _r3gan(size: int, gamma: float, **settings: Any) -> TrainConfig:
    """Return the paper's FFHQ settings, except as docs/r3gan.md says; the burn-in ends at ``gamma``."""
    common = {
        "model": r3gan.Config(r3gan.NetworkConfig(lr=5e-5), r3gan.NetworkConfig(lr=5e-5)),
        "batch": 256, "loss": "relativistic", "r1_gamma": gamma, "r2_gamma": gamma,
        "augment": "ada-r3gan", "augment_p": 0.3, "augment_target": 0.0,
        "burnin_kimg": 20000.0, "burnin_lr": 4.0, "burnin_gamma": 10.0, "burnin_beta2": 0.9,
        "burnin_ema": True, "ema_halflife_kimg": 500.0, "ema_rampup": 0.0, "precision": "auto",
        "reuse_fakes": False, "latent": LatentConfig(dim=64), "grid_kimg": 50.0, "checkpoint_kimg": 200.0,
    }  # fmt: skip
    return TrainConfig(family="r3gan", size=size, **{**common, **settings})


_ROWS: dict[str, Recipe] = {
    "digits-vanilla-28": Recipe(
        _tutorial(
            vanilla.Config(
                NetworkConfig(
                    layers="dense 256 lrelu bn; dense 512 lrelu bn; dense 1024 lrelu bn; dense image tanh",
                    bn_momentum=0.2, **_DECAY,
                ),
                NetworkConfig(layers="dense 784 lrelu; dense 392 lrelu; dense 1", **_DECAY),
            ),
            family="vanilla", **_DIGITS,
        ),
        "MNIST digits from dense networks",
        "Keras tutorial; Goodfellow et al. 2014",
    ),
    "digits-dcgan-28": Recipe(
        _tutorial(
            _keras_dcgan("7x7"), family="dcgan", **_DIGITS,
        ),
        "MNIST digits from convolutional networks",
        "Keras tutorial; Radford et al. 2015",
    ),
    "faces-dcgan-56": Recipe(
        _tutorial(
            _keras_dcgan("14x14"), family="dcgan", **_SIXTEEN, channels=3, size=56, g_batch=64, kimg=160.0,
        ),
        "56 px colour faces, the LFWcrop tutorial",
        "Keras tutorial; Radford et al. 2015",
    ),
    "faces-dcgan-80": Recipe(
        _tutorial(
            dcgan.Config(
                NetworkConfig(
                    layers="dense 5x5x128 lrelu; convT 128 4 s2 lrelu x4; conv image 5 tanh", **_KERAS_NET,
                ),
                NetworkConfig(
                    layers="conv 128 5 lrelu; conv 128 5 s2 lrelu x4; drop 0.4; dense 1", **_KERAS_NET,
                ),
            ),
            # 100 epochs of 390 updates with 64 real faces each; every 10 epochs a grid of 100, the
            # discriminator's accuracy on them and on 100 real ones, and the generator
            family="dcgan", channels=3, size=80, batch=64, g_batch=128, kimg=2496.0, sampling="replacement",
            d_split=True, grid_kimg=249.6, grid_count=100, eval_count=100, checkpoint_kimg=249.6,
        ),
        "80 px CelebA faces, the latent-arithmetic tutorial",
        "Keras tutorial",
    ),
    "faces-dcgan-50": Recipe(
        _tutorial(
            dcgan.Config(
                NetworkConfig(
                    layers="dense 25x25x128 bn relu; conv 512 5 bn relu; convT 256 4 s2 bn relu; "
                    "conv 256 5 bn relu; conv 128 5 bn relu; conv 64 5 bn relu; conv image 7 tanh",
                    unit_range=True, bn_momentum=0.5,
                    **{**_KERAS_NET, "lr": 4e-4, "beta1": 0.9},
                ),
                NetworkConfig(
                    layers="conv 256 3 valid lrelu0.3; conv 256 5 s2 valid lrelu0.3 x2; "
                    "conv 256 3 s2 valid lrelu0.3; drop 0.5; dense 1",
                    unit_range=True, **{**_KERAS_NET, "lr": 8e-4, "beta1": 0.9},
                ),
            ),
            # Pictures in [0, 1] against a tanh: the tutorial's own mismatch. A pair every 100 updates.
            family="dcgan", **_FLIPPED, size=50, batch=20, sampling="sequential", label_noise=0.1, kimg=200.0,
            grid_kimg=2.0, grid_count=16, save_pairs=True, checkpoint_kimg=20.0,
        ),
        "50 px faces of one person, the LFW tutorial (about 9 GMAC a picture)",
        "Keras tutorial",
    ),
    "faces-dcgan-128": Recipe(
        _tutorial(
            dcgan.Config(
                NetworkConfig(
                    layers="dense 16x16x128; convT 128 4 s2 lrelu; convT 256 4 s2 lrelu; "
                    "convT 512 4 s2 lrelu; conv image 4 sigmoid",
                    unit_range=True, **{**_KERAS_NET, "lr": 1e-4, "beta1": 0.9},
                ),
                NetworkConfig(
                    layers="conv 64 4 s2 lrelu; conv 128 4 s2 lrelu x2; drop 0.2; dense 1",
                    unit_range=True, **{**_KERAS_NET, "lr": 1e-4, "beta1": 0.9},
                ),
            ),
            family="dcgan", **_FLIPPED, size=128, batch=32, label_noise=0.05, kimg=1000.0,
            latent=LatentConfig(dim=128), grid_count=16,
        ),
        "128 px faces, after Keras's own example (about 10 GMAC a picture)",
        "Keras example and tutorial",
    ),
    "digits-vanilla-28-plus": Recipe(
        _plus(
            28, "dense 256 bn relu; dense 512 bn relu; dense 1024 bn relu; dense image tanh",
            "dense 512 lrelu; dense 256 lrelu; dense 1", r1_gamma=0.2, family="vanilla",
            channels=1, batch=64, flip=False, precision="float32", kimg=400.0,
        ),
        "one prior for training and figures, R1, moving average, shuffled digits",
        "Mescheder et al. 2018; Karras et al. 2018",
    ),
    "digits-dcgan-28-plus": Recipe(
        _plus(
            28, "dense 7x7x128; bn relu; up; conv 64 3 bn relu; up; conv 32 3 bn relu; conv image 3 tanh",
            _halving("32 64 128"), r1_gamma=0.2, channels=1, flip=False, kimg=200.0,
        ),
        "one prior for training and figures, R1, moving average; half the MACs, a twelfth of the weights",
        "Mescheder et al. 2018; Karras et al. 2018",
    ),
    "faces-dcgan-50-plus": Recipe(
        _plus(
            50, "dense 25x25x32 bn relu; conv 96 3 bn relu; conv 96 3 bn relu; up; conv 48 3 bn relu; "
            "conv image 3 tanh",
            _halving("32 64 128 256"), r1_gamma=5.0, kimg=200.0,
        ),
        "one person's photos at a fiftieth of the MACs; R1 and flips for stability",
        "Mescheder et al. 2018; Karras et al. 2018",
    ),
    "faces-dcgan-56-plus": Recipe(
        _plus(
            56, "dense 7x7x192; bn relu; up; conv 128 3 bn relu; up; conv 64 3 bn relu; up; "
            "conv 32 3 bn relu; conv image 3 tanh",
            _halving("32 64 128 256"), r1_gamma=2.0,
        ),
        "half the MACs and a twentieth of the weights, R1, moving average, flips",
        "Mescheder et al. 2018; Karras et al. 2018",
    ),
    "faces-dcgan-80-plus": Recipe(
        _plus(
            80, "dense 5x5x256; bn relu; up; conv 192 3 bn relu; up; conv 96 3 bn relu; up; "
            "conv 48 3 bn relu; up; conv 24 3 bn relu; conv image 3 tanh",
            _halving("32 64 128 256"), r1_gamma=3.0,
        ),
        "a fifth of the MACs, R1 against a discriminator that wins, moving average, flips",
        "Mescheder et al. 2018; Karras et al. 2018",
    ),
    "faces-dcgan-128-plus": Recipe(
        _plus(
            128, "dense 4x4x256; bn relu; up; conv 256 3 bn relu; up; conv 128 3 bn relu; up; "
            "conv 64 3 bn relu; up; conv 32 3 bn relu; up; conv 16 3 bn relu; conv image 3 tanh",
            _halving("16 32 64 128 256"), r1_gamma=8.0, latent=LatentConfig(dim=128),
        ),
        "a twenty-fifth of the MACs, from 4 x 4 up instead of 16 x 16; R1, moving average, flips",
        "Mescheder et al. 2018; Karras et al. 2018",
    ),
    "faces-dcgan-64": Recipe(
        TrainConfig(
            family="dcgan", size=64, kimg=500.0, batch=32, r1_gamma=3.0, r1_every=4, precision="auto",
            model=dcgan.Config(
                replace(dcgan.Config().generator, lr=5e-4), replace(dcgan.Config().discriminator, lr=5e-4)
            ),
            grid_kimg=10.0, checkpoint_kimg=20.0,
        ),
        "64 px faces: DCGAN with moving average, R1 and flips",
        "Radford et al. 2015; Mescheder et al. 2018",
    ),
    "faces-fast-64": Recipe(
        TrainConfig(
            family="fast", size=64, kimg=300.0, batch=32, r1_gamma=0.5, r1_every=4, precision="auto",
            cooldown=0.6, augment="ada-face", ema_halflife_kimg=20.0, latent=LatentConfig(dim=128),
            model=fast.Config(discriminator=fast.DiscriminatorConfig(projected="critic")),
            grid_kimg=10.0, checkpoint_kimg=20.0,
        ),
        "64 px faces, the best that two CPU hours give (docs/results/faces-fast.md)",
        "ours; Radford et al. 2015; Shi et al. 2016; Karras et al. 2019; Sauer et al. 2021",
    ),
    "faces-fast-64-gpu": Recipe(
        TrainConfig(
            family="fast", size=64, kimg=2000.0, batch=64, r1_gamma=0.5, r1_every=4, precision="auto",
            cooldown=0.6, augment="ada-face", ema_halflife_kimg=20.0, latent=LatentConfig(dim=128),
            model=fast.Config(
                fast.GeneratorConfig(widths=(512, 512, 256, 128), blocks=(1, 1, 1, 1)),
                fast.DiscriminatorConfig(
                    widths=(128, 256, 512, 512), blocks=(0, 1, 1), projected="critic", projected_width=256
                ),
            ),
            grid_kimg=50.0, checkpoint_kimg=100.0,
        ),
        "the same twice as wide, meant for ten minutes of a data-centre GPU (not measured on one yet)",
        "ours; Sauer et al. 2021",
    ),
    "progan-128": Recipe(
        _progan(128, kimg=10188.8),
        "128 px faces by progressive growing, the tutorials' (636,801 updates)",
        "Karras et al. 2018",
    ),
    "progan-64": Recipe(
        _progan(64, kimg=8000.0), "64 px faces by progressive growing", "Karras et al. 2018"
    ),
    "progan-64-short": Recipe(
        _progan(
            64, kimg=300.0, batch=32, reuse_fakes=True, precision="auto",
            latent=LatentConfig("sphere", 128), grid_kimg=10.0, checkpoint_kimg=20.0,
            model=progan.Config(
                progan.GeneratorConfig(
                    lr=2e-3, channel_base=4096, channel_max=128, stage_kimg=20, fade_kimg=20
                ),
                progan.DiscriminatorConfig(lr=2e-3, channel_base=4096, channel_max=128),
            ),
        ),
        "a fifteenth of the weights and a thirtieth of the schedule, for small machines",
        "Karras et al. 2018",
    ),
    **{
        f"stylegan2-{size}": Recipe(
            _stylegan2(size), f"{size} px; augments adaptively, for little data", "Karras et al. 2020a, 2020b"
        )
        for size in (32, 64, 128, 256)
    },
    "stylegan2-64-small": Recipe(
        _SMALL_STYLEGAN2, "a hundredth of the MACs, for small machines", "Karras et al. 2020a, 2020b"
    ),
    "stylegan2-small": Recipe(
        replace(_SMALL_STYLEGAN2, size=0),
        "the same for any shape that halves down to 4 to 8 px: 48, 96, 112 px, 60x80",
        "Karras et al. 2020a, 2020b",
    ),
    **{
        f"r3gan-{size}": Recipe(
            _r3gan(size, gamma, kimg=200000.0 if size == 256 else 100000.0),
            f"{size} px; relativistic loss, R1 and R2, no normalisation", "Huang et al. 2024",
        )
        for size, gamma in ((32, 0.05), (64, 0.2), (128, 1.7), (256, 15.0))
    },
    **{
        f"r3gan-{size}-small": Recipe(
            _r3gan(
                size, gamma, batch=32, burnin_kimg=50.0, ema_halflife_kimg=10.0, augment="", **_SMALL,
                model=r3gan.Config(*(
                    r3gan.NetworkConfig(
                        lr=2e-4, widths=r3gan.default_widths(size, small=True), group_size=1
                    ) for _ in range(2)
                )),
            ),
            "narrow and with depthwise convolutions, for small machines",
            "Huang et al. 2024",
        )
        for size, gamma in ((32, 0.05), (64, 0.2), (128, 1.7), (256, 15.0))
    },
    "faces-tiny-32": Recipe(
        TrainConfig(
            family="dcgan",
            model=dcgan.Config(
                NetworkConfig(
                    layers="dense 4x4x128; bn relu; up; conv 128 3 bn relu; up; conv 64 3 bn relu; up; "
                    "conv 32 3 bn relu; conv image 3 tanh", lr=2e-3,
                ),
                NetworkConfig(
                    layers="conv 32 3 lrelu; conv 64 4 s2 lrelu; conv 128 4 s2 lrelu; conv 128 4 s2 lrelu; "
                    "mbstd; dense 1", lr=2e-3,
                ),
            ),
            size=32, kimg=100.0, batch=16, r1_gamma=0.5, r1_every=4, cooldown=0.3,
            latent=LatentConfig(dim=64),
        ),
        "32 px faces in about five minutes on two cores; the demo's",
        "ours",
    ),
}  # fmt: skip

RECIPES = {
    name: replace(row, config=replace(row.config, recipe=name))
    for name, row in {**_ROWS, **BIGGAN, **TRANSLATORS}.items()
}


def recipe(name: str) -> TrainConfig:
    """Return the configuration of that name; ConfigError names the nearest known one."""
    if not isinstance(name, str):
        raise ConfigError(f"a recipe is a name, such as faces-fast-64, not {shown(name)}")
    if name not in RECIPES:
        import difflib

        near = difflib.get_close_matches(name, RECIPES, n=1)
        hint = f"did you mean '{near[0]}'?" if near else "see 'facegan recipes'"
        raise ConfigError(f"there is no recipe '{name}'; {hint}")
    return RECIPES[name].config
