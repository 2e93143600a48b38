"""Named training configurations, each with its source; no torch at import.

A recipe's name always means the whole network. To add one, add its row to RECIPES.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from facegan.errors import ConfigError
from facegan.families import dcgan, vanilla
from facegan.training.config import LatentConfig, TrainConfig


@dataclass(frozen=True)
class Recipe:
    """A configuration, what it is for in one line, and where its settings come from."""

    config: TrainConfig
    summary: str
    source: str


_KERAS_ADAM = {"lr": 2e-4, "beta1": 0.5, "eps": 1e-7, "eps_hat": True}
_KERAS_NET = {"init": "glorot", "bn_eps": 1e-3, **_KERAS_ADAM}


def _tutorial(model: object, **settings: object) -> TrainConfig:
    """What the Keras tutorials share: joint binary cross entropy, no flips, no average, fresh fakes."""
    common: dict[str, object] = {
        "loss": "bce", "flip": False, "ema_halflife_kimg": 0.0, "reuse_fakes": False, "frozen_fakes": True,
    }  # fmt: skip
    return TrainConfig(model=model, **{**common, **settings})  # type: ignore[arg-type]


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
_D_DCGAN = "conv 64 5 tanh; pool; conv 128 5 valid tanh; pool; dense 1024 tanh; dense 1"


def _plus(
    size: int, g_layers: str, d_layers: str, r1_gamma: float, family: str = "dcgan", **settings: object
) -> TrainConfig:
    """What the modern variants share: R1, moving average, minibatch deviation, half the work of an update."""
    module = {"dcgan": dcgan, "vanilla": vanilla}[family]
    common: dict[str, object] = {
        "batch": 32, "r1_every": 4, "precision": "auto", "grid_kimg": 10.0, "checkpoint_kimg": 20.0,
        "kimg": 500.0,
    }  # fmt: skip
    networks = (module.NetworkConfig(layers=layers, lr=1e-3) for layers in (g_layers, d_layers))
    return TrainConfig(
        family=family,
        size=size,
        r1_gamma=r1_gamma,
        model=module.Config(*networks),
        **{**common, **settings},  # type: ignore[arg-type]
    )


def _halving(widths: str) -> str:
    """A discriminator that halves the resolution with every layer."""
    return "; ".join(f"conv {width} 4 s2 lrelu" for width in widths.split()) + "; mbstd; dense 1"


RECIPES: dict[str, Recipe] = {
    "digits-vanilla-28": Recipe(
        _tutorial(
            vanilla.Config(
                vanilla.NetworkConfig(
                    layers="dense 256 lrelu bn; dense 512 lrelu bn; dense 1024 lrelu bn; dense image tanh",
                    bn_momentum=0.2, **_DECAY,  # type: ignore[arg-type]
                ),
                vanilla.NetworkConfig(
                    layers="dense 784 lrelu; dense 392 lrelu; dense 1", **_DECAY  # type: ignore[arg-type]
                ),
            ),
            family="vanilla", **_DIGITS,
        ),
        "MNIST digits from dense networks",
        "Keras tutorial; Goodfellow et al. 2014",
    ),
    "digits-dcgan-28": Recipe(
        _tutorial(
            dcgan.Config(
                dcgan.NetworkConfig(
                    layers="dense 1024 tanh; dense 7x7x128 bn tanh; up; conv 64 5 tanh; up; "
                    "conv image 5 tanh",
                    bn_momentum=0.01, **_DECAY,  # type: ignore[arg-type]
                ),
                dcgan.NetworkConfig(layers=_D_DCGAN, **_DECAY),  # type: ignore[arg-type]
            ),
            family="dcgan", **_DIGITS,
        ),
        "MNIST digits from convolutional networks",
        "Keras tutorial; Radford et al. 2015",
    ),
    "faces-dcgan-56": Recipe(
        _tutorial(
            dcgan.Config(
                dcgan.NetworkConfig(
                    layers="dense 1024 tanh; dense 14x14x128 bn tanh; up; conv 64 5 tanh; up; "
                    "conv image 5 tanh",
                    bn_momentum=0.01, **_DECAY,  # type: ignore[arg-type]
                ),
                dcgan.NetworkConfig(layers=_D_DCGAN, **_DECAY),  # type: ignore[arg-type]
            ),
            family="dcgan", **_SIXTEEN, channels=3, size=56, g_batch=64, kimg=160.0,
        ),
        "56 px colour faces, the LFWcrop tutorial",
        "Keras tutorial; Radford et al. 2015",
    ),
    "faces-dcgan-80": Recipe(
        _tutorial(
            dcgan.Config(
                dcgan.NetworkConfig(
                    layers="dense 5x5x128 lrelu; convT 128 4 s2 lrelu x4; conv image 5 tanh",
                    **_KERAS_NET,  # type: ignore[arg-type]
                ),
                dcgan.NetworkConfig(
                    layers="conv 128 5 lrelu; conv 128 5 s2 lrelu x4; drop 0.4; dense 1",
                    **_KERAS_NET,  # type: ignore[arg-type]
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
                dcgan.NetworkConfig(
                    layers="dense 25x25x128 bn relu; conv 512 5 bn relu; convT 256 4 s2 bn relu; "
                    "conv 256 5 bn relu; conv 128 5 bn relu; conv 64 5 bn relu; conv image 7 tanh",
                    unit_range=True, bn_momentum=0.5,
                    **{**_KERAS_NET, "lr": 4e-4, "beta1": 0.9},  # type: ignore[arg-type]
                ),
                dcgan.NetworkConfig(
                    layers="conv 256 3 valid lrelu0.3; conv 256 5 s2 valid lrelu0.3 x2; "
                    "conv 256 3 s2 valid lrelu0.3; drop 0.5; dense 1",
                    unit_range=True, **{**_KERAS_NET, "lr": 8e-4, "beta1": 0.9},  # type: ignore[arg-type]
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
                dcgan.NetworkConfig(
                    layers="dense 16x16x128; convT 128 4 s2 lrelu; convT 256 4 s2 lrelu; "
                    "convT 512 4 s2 lrelu; conv image 4 sigmoid",
                    unit_range=True, **{**_KERAS_NET, "lr": 1e-4, "beta1": 0.9},  # type: ignore[arg-type]
                ),
                dcgan.NetworkConfig(
                    layers="conv 64 4 s2 lrelu; conv 128 4 s2 lrelu x2; drop 0.2; dense 1",
                    unit_range=True, **{**_KERAS_NET, "lr": 1e-4, "beta1": 0.9},  # type: ignore[arg-type]
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
            "dense 512 lrelu; dense 256 lrelu; dense 1", 0.2, "vanilla",
            channels=1, batch=64, flip=False, precision="float32", kimg=400.0,
        ),
        "one prior for training and figures, R1, moving average, shuffled digits",
        "Mescheder et al. 2018; Karras et al. 2018",
    ),
    "digits-dcgan-28-plus": Recipe(
        _plus(
            28, "dense 7x7x128; bn relu; up; conv 64 3 bn relu; up; conv 32 3 bn relu; conv image 3 tanh",
            _halving("32 64 128"), 0.2, channels=1, flip=False, kimg=200.0,
        ),
        "one prior for training and figures, R1, moving average; half the MACs, a twelfth of the weights",
        "Mescheder et al. 2018; Karras et al. 2018",
    ),
    "faces-dcgan-50-plus": Recipe(
        _plus(
            50, "dense 25x25x32 bn relu; conv 96 3 bn relu; conv 96 3 bn relu; up; conv 48 3 bn relu; "
            "conv image 3 tanh",
            _halving("32 64 128 256"), 5.0, kimg=200.0,
        ),
        "one person's photos at a fiftieth of the MACs; R1 and flips for stability",
        "Mescheder et al. 2018; Karras et al. 2018",
    ),
    "faces-dcgan-56-plus": Recipe(
        _plus(
            56, "dense 7x7x192; bn relu; up; conv 128 3 bn relu; up; conv 64 3 bn relu; up; "
            "conv 32 3 bn relu; conv image 3 tanh",
            _halving("32 64 128 256"), 2.0,
        ),
        "half the MACs and a twentieth of the weights, R1, moving average, flips",
        "Mescheder et al. 2018; Karras et al. 2018",
    ),
    "faces-dcgan-80-plus": Recipe(
        _plus(
            80, "dense 5x5x256; bn relu; up; conv 192 3 bn relu; up; conv 96 3 bn relu; up; "
            "conv 48 3 bn relu; up; conv 24 3 bn relu; conv image 3 tanh",
            _halving("32 64 128 256"), 3.0,
        ),
        "a fifth of the MACs, R1 against a discriminator that wins, moving average, flips",
        "Mescheder et al. 2018; Karras et al. 2018",
    ),
    "faces-dcgan-128-plus": Recipe(
        _plus(
            128, "dense 4x4x256; bn relu; up; conv 256 3 bn relu; up; conv 128 3 bn relu; up; "
            "conv 64 3 bn relu; up; conv 32 3 bn relu; up; conv 16 3 bn relu; conv image 3 tanh",
            _halving("16 32 64 128 256"), 8.0, latent=LatentConfig(dim=128),
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
    "faces-tiny-32": Recipe(
        TrainConfig(
            family="dcgan",
            model=dcgan.Config(
                dcgan.NetworkConfig(
                    layers="dense 4x4x128; bn relu; up; conv 128 3 bn relu; up; conv 64 3 bn relu; up; "
                    "conv 32 3 bn relu; conv image 3 tanh", lr=2e-3,
                ),
                dcgan.NetworkConfig(
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
    name: Recipe(_named, r.summary, r.source)
    for name, r in RECIPES.items()
    for _named in [TrainConfig(**{**vars(r.config), "recipe": name})]
}


def recipe(name: str) -> TrainConfig:
    """The configuration called ``name``; ConfigError names the nearest known one."""
    if name not in RECIPES:
        import difflib

        near = difflib.get_close_matches(name, RECIPES, n=1)
        hint = f"did you mean '{near[0]}'?" if near else "see 'facegan recipes'"
        raise ConfigError(f"there is no recipe '{name}'; {hint}")
    return RECIPES[name].config
