"""How a vector is sought: settings and presets. Imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from facegan import arguments
from facegan.errors import InputError

OPTIMIZERS = ("adam", "lbfgs")
STARTS = ("auto", "encoder", "random", "mean")


@dataclass(frozen=True)
class InvertConfig:
    """Settings of an inversion; lengths in the latent space are in standard deviations of its draws."""

    space: str = ""
    """z, w (all layers alike) or w+ (each layer its own); "" is w where the network maps, else z."""
    loss: str = "mse=1,faces=0.02"
    """Losses with weights: mae, mse, pyramid, faces (the face network's features), vgg, lpips."""
    norm: float = 1e-4
    """Weight of | ||z|| - sqrt(dim) | in standard coordinates (for w: of each layer's)."""
    optimizer: str = "lbfgs"
    """adam or lbfgs."""
    steps: int = 50
    """Updates."""
    lr: float = 0.1
    """Adam's learning rate, or the length of the first step of lbfgs."""
    ramp_up: float = 0.05
    """Share of the steps over which Adam's learning rate rises."""
    ramp_down: float = 0.25
    """Share of the steps over which it falls."""
    jitter: float = 0.05
    """Adam: noise on the vector at the beginning; gone after three quarters of the steps."""
    restarts: int = 1
    """Starts of each photo, run as one batch; the best one counts."""
    start: str = "auto"
    """encoder (its guess, further starts around it), random (seeds), mean; auto: encoder, else random."""
    refine: tuple[float, ...] = (0.3,)
    """lbfgs: after these shares of the steps, only the best start goes on, the metric measured there."""
    stop: float = 0.0
    """lbfgs: a photo whose loss is no larger is left as it is."""
    noise: float = 0.0
    """Weight of the regularisation of the network's noise, which is sought, too, where it is above 0."""
    sums: bool = False
    """Pixel losses are summed over pictures in [0, 1], as in the tutorial, not averaged in [-1, 1]."""
    eps: float = 1e-8
    """Adam's epsilon."""
    snapshots: int = 40
    """Pictures kept of the way."""
    seed: int = 0
    """Of random starts (the first one is this seed's face) and of all noise."""
    batch: int = 32
    """Pictures at once: photos x restarts."""


# What the face tutorial does, to the letter.
_TUTORIAL = {
    "space": "z", "loss": "mae", "norm": 1.0, "sums": True, "start": "random", "restarts": 1, "jitter": 0.0,
    "optimizer": "adam", "lr": 0.01, "ramp_up": 0.0, "ramp_down": 0.0, "eps": 1e-7,
}  # fmt: skip
PRESETS: dict[str, dict] = {
    "quick":    {},
    "plain":    {"optimizer": "adam", "steps": 1000, "restarts": 4, "start": "random"},
    "thorough": {"steps": 300, "restarts": 4},
    "tutorial": _TUTORIAL,
}  # fmt: skip
# The tutorial's seeds and lengths: a generated target, and any other.
TUTORIAL_RUNS = {True: {"seed": 777, "steps": 200}, False: {"seed": 0, "steps": 300}}


def preset(name: str, generated: bool = False, **changes: object) -> InvertConfig:
    """The settings of that name; what ``changes`` hold (None: leave it) comes on top."""
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
    """The same, or InputError that names the option."""
    if config.optimizer not in OPTIMIZERS:
        raise InputError(f"--optimizer {config.optimizer}: choose {' or '.join(OPTIMIZERS)}")
    if config.start not in STARTS:
        raise InputError(f"--start {config.start}: choose {', '.join(STARTS)}")
    if config.space not in ("", "z", "w", "w+"):
        raise InputError(f"--space {config.space}: choose z, w or w+")
    for name, least in (("steps", 0), ("restarts", 1), ("batch", 1), ("seed", 0), ("snapshots", 1)):
        if getattr(config, name) < least:
            raise InputError(f"--{name} must be at least {least}, not {getattr(config, name)}")
    for name in ("norm", "jitter", "stop", "noise", "ramp_up", "ramp_down", "lr"):
        value = getattr(config, name)
        if not (math.isfinite(value) and value >= 0) or (name == "lr" and value == 0):
            bound = "above" if name == "lr" else "at least"
            raise InputError(f"--{name.replace('_', '-')} must be {bound} 0, not {value:g}")
    if config.noise and config.optimizer != "adam":
        raise InputError("--noise goes with --optimizer adam")
    return config
