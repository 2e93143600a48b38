"""Training settings: frozen dataclasses without torch. The command line's flags come from them.

Counts of progress are images shown to the discriminator, in kimg (thousands).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any

from facegan import arguments
from facegan.augment import AUGMENT_NAMES
from facegan.errors import ConfigError, InputError
from facegan.families import get_family


@dataclass(frozen=True)
class LatentConfig:
    """The prior over z."""

    kind: str = "normal"
    """normal, or sphere (of radius sqrt(dim))."""
    dim: int = 100
    """Number of latent dimensions."""
    mean: float = 0.0
    """Mean in figures and sampling."""
    std: float = 1.0
    """Standard deviation in figures and sampling."""
    train_mean: float | None = None
    """Mean while training, where a tutorial's differs; None is the same."""
    train_std: float | None = None
    """Standard deviation while training; None is the same."""


@dataclass(frozen=True)
class TrainSettings:
    """Everything about a run but the networks."""

    kimg: float = 1000.0
    """Length of the run in thousands of real images shown to the discriminator."""
    batch: int = 64
    """Real images in one update of the discriminator."""
    g_batch: int = 0
    """Images in one update of the generator; 0 is as many as `batch`."""
    accumulate: int = 1
    """Pieces in which a batch goes through the networks: the same update in a fraction of the memory (but
    batch norm, minibatch deviation and StyleGAN2's running means see one piece at a time, for which its
    noise, and dropout, are drawn)."""
    d_updates: int = 1
    """Updates of the discriminator for each one of the generator."""
    seed: int = 0
    """Fixes weights, order of images, latents and dropout."""
    loss: str = "nonsaturating"
    """Adversarial loss: nonsaturating, bce, hinge, leastsquares, wgan, relativistic."""
    flip_labels: bool = False
    """The discriminator learns 1 for generated and 0 for real, as some tutorials have it."""
    label_noise: float = 0.0
    """Adds label_noise x U(0, 1) to every label of the discriminator (bce and nonsaturating only)."""
    r1_gamma: float = 0.0
    """Weight of R1, the gradient penalty on real images; 0 leaves it out."""
    r1_every: int = 1
    """Compute R1 every so many updates, with its weight raised as much."""
    r2_gamma: float = 0.0
    """Weight of R2, the gradient penalty on generated images, at the same updates as R1."""
    gp_weight: float = 0.0
    """Weight of WGAN-GP's penalty on gradients between real and generated images."""
    drift: float = 0.0
    """Weight of the mean square of logits on real images, which keeps them near 0."""
    flip: bool = True
    """Mirror each image with probability one half."""
    augment: str = ""
    """Augments real and fake alike: ada, ada-face, ada-full, ada-r3gan, diffaugment, flip; empty is none."""
    augment_p: float = 0.0
    """Probability of each augmentation at the beginning; without a target, for the whole run (and from 0 on
    within a burn-in). DiffAugment's paper has 1, with --augment-target 0."""
    augment_target: float = 0.6
    """Adapt that probability until the discriminator calls real pictures real so much more often than not
    (mean of the logits' signs); 0 keeps it."""
    augment_kimg: float = 500.0
    """How fast it adapts: from 0 to 1 in so many kimg at most. Short runs, and those with --init (100), do
    well with less."""
    augment_max: float = 0.8
    """It never rises above this; more would leak into what is generated (ADA, section 2.2)."""
    ema_halflife_kimg: float = 10.0
    """Half-life of the generator's moving average; 0 uses the raw weights."""
    ema_rampup: float = 0.05
    """Limits the half-life to this share of the images seen so far; 0 does not."""
    burnin_kimg: float = 0.0
    """Over so many kimg the settings below come to their final values, along half a cosine."""
    burnin_lr: float = 1.0
    """The learning rates begin at so many times their values."""
    burnin_gamma: float = 1.0
    """The weights of R1 and R2 begin at so many times their values."""
    burnin_beta2: float = 0.0
    """Adam's beta2 begins here; 0 leaves it alone."""
    burnin_ema: bool = False
    """The average's half-life begins at 0, unless the run begins with a trained one."""
    warmup_kimg: float = 0.0
    """Raise the learning rates linearly from 0 over so many kimg."""
    cooldown: float = 0.0
    """Lower the learning rates linearly to 0 over the last share (0 to 1) of the run (of its new length,
    where one is continued with another --kimg)."""
    sampling: str = "shuffle"
    """Order of real images: shuffle (epochs), replacement, consecutive (rows from a random start), or
    sequential (in order; each pass but the first begins at a random one of the first ten rows)."""
    d_split: bool = False
    """Update the discriminator on real and on fake images one after the other, as some tutorials do."""
    reuse_fakes: bool = True
    """One generated batch serves both updates; otherwise the generator draws a fresh one."""
    frozen_fakes: bool = False
    """The discriminator's fakes come from the generator in sampling mode (Keras's predict)."""
    grid_kimg: float = 0.0
    """Draw the grid of fixed seeds every so many kimg; 0 divides the run into 40."""
    grid_count: int = 64
    """Pictures in that grid."""
    eval_count: int = 0
    """With each grid, measure the discriminator's accuracy on so many real pictures and on the grid's."""
    save_pairs: bool = False
    """With each grid, save one real and one generated picture of their own into samples/pairs."""
    quality_count: int = 256
    """Samples in the measure of quality that goes with each grid; 0 leaves it out."""
    metric: str = ""
    """Measure samples against the val split (train, where there is none) by fid, kid, precision-recall,
    density-coverage or swd, and keep the best checkpoint and model (RUN@best); empty measures nothing."""
    metric_features: str = "faces"
    """What that metric compares pictures by: faces, pixels or inception."""
    metric_count: int = 1000
    """Samples that it measures."""
    metric_kimg: float = 0.0
    """Measure every so many kimg, and at the end; 0 is a twentieth of the run, but at least 40 times as many
    images as samples are measured, which keeps its share of the time small."""
    watchdog: bool = True
    """Go back to the last good checkpoint once, with lower learning rates, when training breaks down;
    the second time, stop."""
    checkpoint_kimg: float = 0.0
    """Save a checkpoint and the model every so many kimg; 0 divides the run into 10."""
    keep_checkpoints: int = 2
    """How many checkpoints to keep (models are all kept)."""
    precision: str = "float32"
    """float32, bfloat16 for mixed precision, or auto: bfloat16 where the device is faster with it."""
    init: str = ""
    """Begin with the weights of this run folder, moment of one (RUN@best), file of 'facegan pack' or model;
    it must be of the same family."""
    freeze_d: int = 0
    """Layers of the discriminator, counted from the image, that stay as they are: for --init."""
    condition: tuple[str, ...] = ()
    """Attributes of the dataset that the generator is told, and obeys: smiling male, or label."""
    latent: LatentConfig = field(default_factory=LatentConfig)
    """The prior over z."""


@dataclass(frozen=True)
class TrainConfig(TrainSettings):
    """A whole run: the settings above, and a family with its networks."""

    recipe: str = ""
    """Name of the recipe that it began with."""
    family: str = "dcgan"
    """Name of the family of networks."""
    model: Any = None
    """The family's Config: generator and discriminator with their optimisers."""
    channels: int = 0
    """Channels of the pictures that this recipe needs (1 or 3); 0 is any."""
    size: int = 0
    """Height and width of the pictures that this recipe needs; 0 is any."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


# Of metrics.table.METRICS, which imports torch, those whose first number says what is better.
METRICS = ("fid", "kid", "precision-recall", "density-coverage", "swd")

# Settings that may differ when a run is resumed: how long, in how many pieces, and what is written when.
RESUMABLE = (
    "kimg", "accumulate", "grid_kimg", "grid_count", "eval_count", "save_pairs", "quality_count", "watchdog",
    "metric", "metric_features", "metric_count", "metric_kimg", "checkpoint_kimg", "keep_checkpoints",
)  # fmt: skip


@dataclass(frozen=True)
class UpdateKind:
    """Updates that do the same work: one of them by its number, and their share of all.

    ``extras`` names what comes on top now and then: ``penalty`` (R1, R2), ``path lengths``.
    """

    extras: tuple[str, ...]
    update: int
    share: float


def update_kinds(config: TrainConfig) -> list[UpdateKind]:
    """All kinds of updates that a run has, by what comes every so many updates."""
    lazy = {}
    if config.r1_gamma > 0 or config.r2_gamma > 0:
        lazy["penalty"] = config.r1_every
    if getattr(config.model.generator, "path_length_weight", 0.0):
        lazy["path lengths"] = config.model.generator.path_length_every
    period = math.lcm(*lazy.values())
    found: dict[tuple[str, ...], list[int]] = {}
    for i in range(period):
        found.setdefault(tuple(name for name, every in lazy.items() if i % every == 0), []).append(i)
    return [UpdateKind(extras, period + same[0], len(same) / period) for extras, same in found.items()]


def check(config: TrainConfig) -> TrainConfig:
    """The config itself; ConfigError names the first setting that cannot work."""
    for name, value in _numbers(asdict(config)):
        if not math.isfinite(value):
            raise ConfigError(f"--{name} must be a finite number, not {value}")
    positive = ("batch", "accumulate", "d_updates", "r1_every", "grid_count", "keep_checkpoints")
    never_negative = (
        "kimg", "g_batch", "r1_gamma", "r2_gamma", "ema_halflife_kimg", "warmup_kimg", "grid_kimg",
        "checkpoint_kimg", "seed", "label_noise", "eval_count", "quality_count", "metric_kimg", "gp_weight",
        "freeze_d", "drift", "burnin_kimg", "burnin_lr", "burnin_gamma",
    )  # fmt: skip
    for name in positive:
        if getattr(config, name) < 1:
            raise ConfigError(f"--{_flag(name)} must be at least 1, not {getattr(config, name)}")
    for name in never_negative:
        if not 0 <= getattr(config, name) < float("inf"):
            raise ConfigError(f"--{_flag(name)} must be 0 or more, not {getattr(config, name)}")
    choices = {
        "loss": ("nonsaturating", "bce", "hinge", "leastsquares", "wgan", "relativistic"),
        "augment": ("", *AUGMENT_NAMES),
        "sampling": ("shuffle", "replacement", "consecutive", "sequential"),
        "precision": ("float32", "bfloat16", "auto"),
        "metric": ("", *METRICS),
        "metric_features": ("faces", "pixels", "inception"),
    }
    if config.precision == "float16":
        raise ConfigError(
            "--precision float16: not in training (its range is too small for gradients, and processors take "
            "16 to 200 times as long); choose bfloat16, which auto takes where it is faster, or float32"
        )
    for name, known in choices.items():
        if getattr(config, name) not in known:
            there = ", ".join(filter(None, known))
            raise ConfigError(f"--{_flag(name)} '{getattr(config, name)}' is unknown (known: {there})")
    if config.latent.kind not in ("normal", "sphere") or config.latent.dim < 1:
        raise ConfigError("--latent.kind must be normal or sphere, and --latent.dim at least 1")
    if config.d_split and (config.loss == "relativistic" or _penalties(config)):
        raise ConfigError("--d-split works without gradient penalties and with separate losses only")
    if config.g_batch not in (0, config.batch) and config.reuse_fakes:
        raise ConfigError("--g-batch differs from --batch: this needs --no-reuse-fakes")
    if config.g_batch not in (0, config.batch) and config.loss == "relativistic":
        raise ConfigError("--loss relativistic pairs real with fake: --g-batch must equal --batch")
    if config.label_noise and config.loss not in ("bce", "nonsaturating"):
        raise ConfigError(f"--label-noise needs --loss bce or nonsaturating, not {config.loss}")
    for name in ("batch", "g_batch"):
        if getattr(config, name) % config.accumulate:
            raise ConfigError(
                f"--{_flag(name)} {getattr(config, name)} cannot be cut by --accumulate into "
                f"{config.accumulate} equal pieces"
            )
    _check_shares(config)
    if config.freeze_d and not config.init:
        raise ConfigError("--freeze-d keeps layers of a trained discriminator: give --init MODEL, too")
    if config.condition and config.eval_count:
        raise ConfigError("--eval-count measures without labels: with --condition, set it to 0")
    if config.metric and config.metric_count < 10:
        raise ConfigError(f"--metric-count must be at least 10, not {config.metric_count}")
    for side in ("generator", "discriminator"):
        adam = getattr(config.model, side)
        if adam.lr <= 0:
            raise ConfigError(f"--{side}.lr must be above 0, not {adam.lr}")
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(adam, name) < 1:
                raise ConfigError(f"--{side}.{name} must be from 0 to below 1, not {getattr(adam, name)}")
        if getattr(adam, "eps", 1.0) < 0:
            raise ConfigError(f"--{side}.eps must be 0 or more, not {adam.eps}")
    return config


def unfinished(config: TrainConfig, image_shape: Sequence[int]) -> str:
    """A warning where schedules last longer than the run; "" if they do not."""
    found = [(config.burnin_kimg, "the burn-in (--burnin-kimg)")]
    settled = getattr(get_family(config.family), "kimg_until_settled", None)
    found += [settled(config.model, image_shape)] if settled is not None else []
    late = [f"{what} takes {kimg:g} kimg" for kimg, what in found if kimg > config.kimg]
    return f"--kimg {config.kimg:g} ends before its schedules do: {'; '.join(late)}" if late else ""


def _numbers(settings: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Every number by the name of its flag."""
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _numbers(value, prefix if key == "model" else f"{prefix}{_flag(key)}.")
        elif isinstance(value, float):
            yield f"{prefix}{_flag(key)}", value


def _penalties(config: TrainConfig) -> bool:
    return any((config.r1_gamma, config.r2_gamma, config.gp_weight, config.drift))


def _check_shares(config: TrainConfig) -> None:
    """ConfigError unless what is a share lies in its range, and what adapts has what it adapts by."""
    for name, top in (
        ("cooldown", 1.0), ("augment_p", 1.0), ("augment_max", 1.0), ("augment_target", 1.0),
        ("burnin_beta2", 1.0), ("ema_rampup", 1.0),
    ):  # fmt: skip
        if not 0 <= getattr(config, name) <= top:
            raise ConfigError(f"--{_flag(name)} must be from 0 to {top:g}, not {getattr(config, name)}")
    if config.augment and config.augment_target and config.augment_kimg <= 0:
        raise ConfigError(f"--augment-kimg must be above 0, not {config.augment_kimg}")
    if config.burnin_beta2 == 1:
        raise ConfigError("--burnin-beta2 must be below 1")
    if config.augment and config.augment_target and config.augment_p > config.augment_max:
        raise ConfigError(
            f"--augment-p {config.augment_p:g} is above --augment-max {config.augment_max:g}, its highest"
        )
    if config.augment and config.augment_target and config.d_split:
        raise ConfigError("--augment adapts to joint updates; with --d-split, use --augment-target 0")


def _flag(name: str) -> str:
    return name.replace("_", "-")


def override(config: TrainConfig, changes: dict[str, Any]) -> TrainConfig:
    """``config`` with changes by dotted name (``{"batch": 32, "generator.lr": 1e-4}``).

    Names of the networks' settings start with ``generator.`` or ``discriminator.``; those of the
    prior with ``latent.``. ConfigError names an unknown one.
    """
    for name, value in changes.items():
        path = name.split(".")
        root = ("model", *path) if path[0] in ("generator", "discriminator") else tuple(path)
        config = _set(config, root, value, name)
    return config


def _set(node: Any, path: tuple[str, ...], value: Any, name: str) -> Any:
    if not is_dataclass(node) or path[0] not in {f.name for f in fields(node)}:
        import difflib

        known = [f.name for f in fields(node)] if is_dataclass(node) else []
        near = difflib.get_close_matches(path[0], known, n=1)
        raise ConfigError(f"there is no setting '{name}'" + (f"; did you mean '{near[0]}'?" if near else ""))
    if len(path) > 1:
        new = _set(getattr(node, path[0]), path[1:], value, name)
    else:
        kind: Any = type(node)
        try:
            new = arguments.setting(value, arguments.field_types(kind)[path[0]], f"--{_flag(name)}")
        except InputError as error:
            raise ConfigError(str(error)) from None
    return replace(node, **{path[0]: new})  # type: ignore[type-var]


def differences(a: dict[str, Any], b: dict[str, Any], prefix: str = "") -> list[str]:
    """Dotted names whose values differ, as ``name: a -> b``."""
    result: list[str] = []
    for name in sorted(a.keys() | b.keys()):
        x, y = a.get(name), b.get(name)
        if isinstance(x, dict) and isinstance(y, dict):
            result += differences(x, y, f"{prefix}{name}.")
        elif x != y:
            result.append(f"{prefix}{name}: {x} -> {y}")
    return result
