"""How a vector is sought: settings and presets. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from facegan import arguments
from facegan.errors import InputError
from facegan.settings import check_values, setting


@dataclass(frozen=True)
class InvertConfig:
    """Settings of an inversion; lengths in the latent space are in standard deviations of its draws."""

    space: str = setting("", choices=("z", "w", "w+"))
    """z, w (all layers alike) or w+ (each layer its own); "" is w where the network maps, else z."""
    loss: str = "mse=1,faces=0.02"
    """Losses with weights: mae, mse, pyramid, faces (the face network's features), vgg, lpips."""
    norm: float = setting(1e-4, minimum=0)
    """Weight of | ||z|| - sqrt(dim) | in standard coordinates (for w: of each layer's)."""
    optimizer: str = setting("lbfgs", choices=("adam", "lbfgs"))
    """adam or lbfgs."""
    steps: int = setting(50, minimum=0)
    """Updates."""
    lr: float = setting(0.1, above=0)
    """Adam's learning rate, or the length of the first step of lbfgs."""
    ramp_up: float = setting(0.05, minimum=0)
    """Share of the steps over which Adam's learning rate rises."""
    ramp_down: float = setting(0.25, minimum=0)
    """Share of the steps over which it falls."""
    jitter: float = setting(0.05, minimum=0)
    """Adam: noise on the vector at the beginning; gone after three quarters of the steps."""
    restarts: int = setting(1, minimum=1)
    """Starts for each photo, run as one batch; the best one counts."""
    start: str = setting("auto", choices=("auto", "encoder", "random", "mean"))
    """encoder (its guess, further starts around it), random (seeds), mean; auto: encoder, else random."""
    refine: tuple[float, ...] = setting((0.3,), minimum=0, maximum=1)
    """lbfgs: after these shares of the steps, only the best start goes on, the metric measured there."""
    stop: float = setting(0.0, minimum=0)
    """lbfgs: a photo whose loss is no larger is left as it is."""
    noise: float = setting(0.0, minimum=0)
    """Weight of the regularisation of the network's noise, which is sought, too, where it is above 0."""
    sums: bool = False
    """Pixel losses are summed over pictures in [0, 1], as in the tutorial, not averaged in [-1, 1]."""
    eps: float = setting(1e-8, minimum=0)
    """Adam's epsilon."""
    snapshots: int = setting(40, minimum=1)
    """Pictures kept of the way."""
    seed: int = setting(0, minimum=0)
    """Of random starts (the first one is this seed's face) and of all noise."""
    batch: int = setting(32, minimum=1)
    """Pictures per batch: photos x restarts."""


# What the face tutorial does, to the letter.
_TUTORIAL = {
    "space": "z",
    "loss": "mae",
    "norm": 1.0,
    "sums": True,
    "start": "random",
    "restarts": 1,
    "jitter": 0.0,
    "optimizer": "adam",
    "lr": 0.01,
    "ramp_up": 0.0,
    "ramp_down": 0.0,
    "eps": 1e-7,
}
PRESETS: dict[str, dict[str, Any]] = {
    "quick": {},
    "plain": {"optimizer": "adam", "steps": 1000, "restarts": 4, "start": "random"},
    "thorough": {"steps": 300, "restarts": 4},
    "tutorial": _TUTORIAL,
}
# The tutorial's seeds and lengths: a generated target, and any other.
TUTORIAL_RUNS = {True: {"seed": 777, "steps": 200}, False: {"seed": 0, "steps": 300}}


def preset(name: str, generated: bool = False, **changes: object) -> InvertConfig:
    """Return the settings of that name; what ``changes`` hold (None: leave it) comes on top."""
    if not isinstance(name, str) or name not in PRESETS:
        raise InputError(f"--preset {name}: choose {', '.join(PRESETS)}")
    given = arguments.settings(InvertConfig, {k: v for k, v in changes.items() if v is not None})
    values = dict(PRESETS[name])
    if name == "tutorial":
        values |= TUTORIAL_RUNS[generated]
    config = replace(InvertConfig(), **values | given)
    if name == "tutorial" and changes.get("snapshots") is None:
        config = replace(config, snapshots=max(1, config.steps // 5))
    return checked(config)


def checked(config: InvertConfig) -> InvertConfig:
    """Return the config itself; InputError names the first option that cannot work."""
    check_values(config, error=InputError)
    if config.noise and config.optimizer != "adam":
        raise InputError("--noise goes with --optimizer adam")
    return config


@dataclass(frozen=True)
class EncoderTraining:
    """How an encoder is trained; lengths in thousands of pictures, of which half are generated."""

    kimg: float = 40.0
    """Length of the training."""
    batch: int = 32
    """Pictures in one update, half of them generated."""
    lr: float = 2e-3
    """Highest learning rate."""
    width: int = 32
    """Channels of the first layer."""
    latent: float = 0.2
    """Weight of the squared error of generated pictures' coordinates."""
    loss: str = "mse=1,faces=0.05"
    """Loss between a photo and the generator's picture of the guess."""
    norm: float = 1e-3
    """Weight of the guess's distance from the typical norm."""
    seed: int = 0
    """Seed of weights and pictures."""
