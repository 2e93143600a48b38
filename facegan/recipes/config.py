"""Training settings as frozen dataclasses, without torch.

Flags, help, checks, the dry run's page and what may change when a run is resumed all come from the fields
(:mod:`facegan.settings`). Counts of progress are images shown to the discriminator, in kimg (thousands).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from itertools import chain
from typing import Any

from facegan import arguments
from facegan.augment.table import AUGMENTS
from facegan.errors import ConfigError, InputError
from facegan.families import get_family
from facegan.losses.adversarial import LOSSES
from facegan.metrics import FEATURE_NAMES, RANKING_METRICS
from facegan.metrics.pair_table import PAIR_METRICS
from facegan.settings import check_values, flag, setting

# What settings are about, in the order of help and of the dry run's page.
GROUPS = {
    "data": "pictures, their order and their labels",
    "networks": "first weights, latent vectors and precision",
    "loss": "what an update minimises, and on which pictures",
    "penalties": "what keeps the discriminator smooth",
    "augment": "augmentation of all that the discriminator sees",
    "average": "moving average of the generator's weights",
    "schedule": "length, batches and learning rates over time",
    "metric": "measurements on pictures held out",
    "output": "grids, checkpoints and models",
}


class _Either(Collection[str]):
    """The words of several tables, including rows that are added later."""

    def __init__(self, *tables: Collection[str]) -> None:
        self.tables = tables

    def __contains__(self, word: object) -> bool:
        return any(word in table for table in self.tables)

    def __iter__(self) -> Iterator[str]:
        return chain(*self.tables)

    def __len__(self) -> int:
        return sum(map(len, self.tables))


_METRICS = _Either(RANKING_METRICS, PAIR_METRICS)


@dataclass(frozen=True)
class LatentConfig:
    """The prior over z."""

    kind: str = setting("normal", choices=("normal", "sphere", "truncated"))
    """Distribution; the sphere has the radius sqrt(dim). truncated is normal in training; in figures and
    sampling, numbers beyond 2 standard deviations are drawn again."""
    dim: int = setting(100, minimum=1)
    """Number of latent dimensions."""
    mean: float = setting(0.0, minimum=-math.inf)
    """Mean in figures and sampling."""
    std: float = setting(1.0, minimum=-math.inf)
    """Standard deviation in figures and sampling."""
    train_mean: float | None = setting(None, minimum=-math.inf)
    """Mean during training, where a tutorial's differs; None is the same."""
    train_std: float | None = setting(None, minimum=-math.inf)
    """Standard deviation during training; None is the same."""


@dataclass(frozen=True)
class TranslationConfig:
    """What recipes that turn pictures into pictures minimise and draw; no other recipe reads it."""

    adversarial_weight: float = setting(1.0, minimum=0)
    """Weight of the adversarial loss in that of the generators."""
    l1_weight: float = setting(100.0, minimum=0)
    """pix2pix: weight of the mean absolute difference from the target."""
    perceptual_weight: float = setting(0.0, minimum=0)
    """pix2pix: weight of the mean absolute difference from the target in the feature maps of the bundled
    attribute network critic; for aligned faces."""
    cycle_weight: float = setting(10.0, minimum=0)
    """CycleGAN: weight of the mean absolute difference of a picture that went there and back."""
    identity_weight: float = setting(0.5, minimum=0)
    """CycleGAN: pictures of the target domain should stay as they are; a share of the cycle's weight."""
    pool: int = setting(50, minimum=0)
    """CycleGAN: earlier results that the discriminators see half of the time; 0 shows only the newest."""
    jitter: int = setting(0, minimum=0)
    """Enlarge training pictures by so many px and crop them again at random, input and target alike."""


@dataclass(frozen=True)
class TrainSettings:
    """All settings of a run except those of the networks."""

    kimg: float = setting(1000.0, group="schedule", minimum=0, resumable=True, common=True)
    """Length of the run in thousands of real images shown to the discriminator."""
    batch: int = setting(64, group="schedule", minimum=1, common=True)
    """Real images in one update of the discriminator."""
    g_batch: int = setting(0, group="schedule", minimum=0)
    """Images in one update of the generator; 0 is as many as `batch`."""
    accumulate: int = setting(1, group="schedule", minimum=1, resumable=True, common=True)
    """Pieces in which a batch passes through the networks: the same update in a fraction of the memory (but
    batch norm, minibatch deviation and StyleGAN2's running means see one piece at a time, and noise and
    dropout are drawn for each piece)."""
    d_updates: int = setting(1, group="schedule", minimum=1)
    """Updates of the discriminator for each update of the generator."""
    seed: int = setting(0, group="data", minimum=0, common=True)
    """Fixes weights, order of images, latents and dropout."""
    loss: str = setting("nonsaturating", group="loss", choices=LOSSES)
    """Adversarial loss."""
    flip_labels: bool = setting(False, group="loss")
    """The discriminator learns 1 for generated and 0 for real, as in some tutorials."""
    label_noise: float = setting(0.0, group="loss", minimum=0)
    """Add label_noise x U(0, 1) to every label of the discriminator (bce and nonsaturating only)."""
    r1_gamma: float = setting(0.0, group="penalties", minimum=0)
    """Weight of R1, the gradient penalty on real images; 0 leaves it out."""
    r1_every: int = setting(1, group="penalties", minimum=1)
    """Compute R1 only in every n-th update, with n times its weight."""
    r2_gamma: float = setting(0.0, group="penalties", minimum=0)
    """Weight of R2, the gradient penalty on generated images, in the same updates as R1."""
    gp_weight: float = setting(0.0, group="penalties", minimum=0)
    """Weight of WGAN-GP's penalty on gradients between real and generated images."""
    drift: float = setting(0.0, group="penalties", minimum=0)
    """Weight of the mean square of logits on real images, which keeps them near 0."""
    orthogonal: float = setting(0.0, group="penalties", minimum=0)
    """Weight of BigGAN's orthogonal regularisation of the generator: squared products of different filters of
    a layer. Its paper has 1e-4."""
    flip: bool = setting(True, group="data", common=True)
    """Mirror each image with probability one half."""
    augment: str = setting("", group="augment", choices=AUGMENTS, common=True)
    """Augment real and generated images alike; empty is none."""
    augment_p: float = setting(0.0, group="augment", minimum=0, maximum=1)
    """Probability of each augmentation at the beginning; without a target, for the whole run (and from 0 on
    within a burn-in). DiffAugment's paper has 1, with --augment-target 0."""
    augment_target: float = setting(0.6, group="augment", minimum=0, maximum=1)
    """Adapt that probability until the discriminator calls real pictures real this much more often than not
    (mean of the logits' signs); 0 keeps it."""
    augment_kimg: float = setting(500.0, group="augment", above=0)
    """How fast it adapts: from 0 to 1 in at least this many kimg. Short runs, and those with --init (100), do
    well with less."""
    augment_max: float = setting(0.8, group="augment", minimum=0, maximum=1)
    """It never rises above this; more would leak into what is generated (ADA, section 2.2)."""
    ema_halflife_kimg: float = setting(10.0, group="average", minimum=0)
    """Half-life of the generator's moving average; 0 uses the raw weights."""
    ema_rampup: float = setting(0.05, group="average", minimum=0, maximum=1)
    """Limit the half-life to this share of the images seen so far; 0 does not."""
    ema_start_kimg: float = setting(0.0, group="average", minimum=0, scales=True)
    """Until then the average is a copy of the weights."""
    burnin_kimg: float = setting(0.0, group="schedule", minimum=0, scales=True)
    """How long the next four settings take to reach their final values, along half a cosine."""
    burnin_lr: float = setting(1.0, group="schedule", minimum=0)
    """The learning rates begin at this many times their values."""
    burnin_gamma: float = setting(1.0, group="schedule", minimum=0)
    """The weights of R1 and R2 begin at this many times their values."""
    burnin_beta2: float = setting(0.0, group="schedule", minimum=0, below=1)
    """Adam's beta2 begins here; 0 leaves it alone."""
    burnin_ema: bool = setting(False, group="schedule")
    """The average's half-life begins at 0, unless the run begins with a trained one."""
    warmup_kimg: float = setting(0.0, group="schedule", minimum=0, scales=True)
    """Raise the learning rates linearly from 0 over this many kimg."""
    cooldown: float = setting(0.0, group="schedule", minimum=0, maximum=1)
    """Lower the learning rates linearly to 0 over this last share of the run (of its new length, if the run
    is continued with another --kimg)."""
    sampling: str = setting(
        "shuffle", group="data", choices=("shuffle", "replacement", "consecutive", "sequential")
    )
    """Order of real images: in shuffled epochs, drawn with replacement, rows that follow a random one, or all
    in order (each pass but the first begins at a random one of the first ten rows)."""
    d_split: bool = setting(False, group="loss")
    """Update the discriminator on real and on generated images one after the other, as in some tutorials."""
    reuse_fakes: bool = setting(True, group="loss")
    """One generated batch serves both updates; otherwise the generator draws a fresh one."""
    frozen_fakes: bool = setting(False, group="loss")
    """The discriminator's generated images come from the generator in sampling mode (Keras's predict)."""
    grid_kimg: float = setting(0.0, group="output", minimum=0, resumable=True)
    """Draw the grid of fixed seeds every so many kimg; 0 divides the run into 40."""
    grid_count: int = setting(64, group="output", minimum=1, resumable=True)
    """Pictures in that grid."""
    eval_count: int = setting(0, group="output", minimum=0, resumable=True)
    """With each grid, measure the discriminator's accuracy on this many real pictures and on the grid's."""
    save_pairs: bool = setting(False, group="output", resumable=True)
    """With each grid, save one real and one generated picture of their own into samples/pairs."""
    quality_count: int = setting(256, group="output", minimum=0, resumable=True)
    """Samples in the measure of quality that goes with each grid; 0 leaves it out."""
    metric: str = setting("", group="metric", choices=_METRICS, resumable=True, common=True)
    """Measure results against the val split (train, if there is none), and keep the best checkpoint and model
    (RUN@best); empty measures nothing. Pairs of pix2pix have their own: perceptual, psnr, ssim, lpips."""
    metric_features: str = setting("faces", group="metric", choices=FEATURE_NAMES, resumable=True)
    """What that metric compares pictures by."""
    metric_count: int = setting(1000, group="metric", minimum=10, resumable=True)
    """Samples that it measures."""
    metric_kimg: float = setting(0.0, group="metric", minimum=0, resumable=True)
    """Measure every so many kimg, and at the end; 0 is a twentieth of the run, but at least 40 times as many
    images as samples are measured, which keeps its share of the time small."""
    watchdog: bool = setting(True, group="schedule", resumable=True)
    """When training breaks down, go back to the last good checkpoint once, with lower learning rates; the
    second time, stop."""
    checkpoint_kimg: float = setting(0.0, group="output", minimum=0, resumable=True)
    """Save a checkpoint and the model every so many kimg; 0 divides the run into 10."""
    keep_checkpoints: int = setting(2, group="output", minimum=1, resumable=True)
    """Number of checkpoints that are kept (models are all kept)."""
    precision: str = setting(
        "float32", group="networks", choices=("float32", "bfloat16", "auto"), common=True
    )
    """bfloat16 is mixed precision; auto takes it where the device is faster with it."""
    init: str = setting("", group="networks", common=True)
    """Begin with the weights of this run folder, checkpoint of one (RUN@best), file of 'facegan pack' or
    model; it must be of the same family."""
    freeze_d: int = setting(0, group="networks", minimum=0)
    """With --init: layers of the discriminator, counted from the image, that are not trained."""
    balance: bool = setting(False, group="data", common=True)
    """Draw all combinations of the labels equally often."""
    condition: tuple[str, ...] = setting((), group="data", common=True)
    """Attributes of the dataset by which generated pictures can be chosen: smiling male, or label."""
    input: str = setting("", group="data", common=True, quiet=True)
    """pix2pix: the inputs are edges, grey, small-16, hole or blur of the pictures, or given with them (as
    'facegan prepare --pairs' does; the default)."""
    latent: LatentConfig = setting(LatentConfig())
    """The prior over z."""
    translation: TranslationConfig = setting(TranslationConfig())
    """Pictures from pictures."""


@dataclass(frozen=True)
class TrainConfig(TrainSettings):
    """A whole run: the settings above, and a family with its networks."""

    recipe: str = setting("", group="networks")
    """Name of the recipe that it began with."""
    family: str = setting("dcgan", group="networks")
    """Name of the family of networks."""
    model: Any = setting(None, group="networks", inline=True)
    """The family's Config: generator and discriminator with their optimisers."""
    channels: int = setting(0, group="data", minimum=0, quiet=True)
    """Channels of the pictures that this recipe needs (1 or 3); 0 is any."""
    size: int = setting(0, group="data", minimum=0, quiet=True)
    """Height and width of the pictures that this recipe needs; 0 is any."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class UpdateKind:
    """Updates that do the same work: one of them by its number, and their share of all.

    ``extras`` names what comes on top now and then: ``penalty`` (R1, R2), ``path lengths``.
    """

    extras: tuple[str, ...]
    update: int
    share: float


def update_kinds(config: TrainConfig) -> list[UpdateKind]:
    """Return all kinds of updates that a run has, by what comes every so many updates."""
    lazy = {}
    if config.r1_gamma > 0 or config.r2_gamma > 0:
        lazy["penalty"] = config.r1_every
    if (penalty := get_family(config.family).path_length(config.model)) is not None:
        lazy["path lengths"] = penalty.every
    period = math.lcm(*lazy.values())
    found: dict[tuple[str, ...], list[int]] = {}
    for i in range(period):
        found.setdefault(tuple(name for name, every in lazy.items() if i % every == 0), []).append(i)
    return [UpdateKind(extras, period + same[0], len(same) / period) for extras, same in found.items()]


def check(config: TrainConfig) -> TrainConfig:
    """Return the config itself; ConfigError names the first setting that cannot work."""
    if config.precision == "float16":
        raise ConfigError(
            "--precision float16: not in training (its range is too small for gradients, and processors take "
            "16 to 200 times as long); choose bfloat16, which auto takes where it is faster, or float32"
        )
    check_values(config)
    for rules in (_check_batches, _check_loss, _check_augment, _check_labels_and_init):
        rules(config)
    return config


def _check_batches(config: TrainConfig) -> None:
    if config.g_batch not in (0, config.batch) and config.reuse_fakes:
        raise ConfigError("--g-batch differs from --batch: this needs --no-reuse-fakes")
    for option, count in (("--batch", config.batch), ("--g-batch", config.g_batch)):
        if count % config.accumulate:
            raise ConfigError(
                f"{option} {count} cannot be cut by --accumulate into {config.accumulate} equal pieces"
            )


def _check_loss(config: TrainConfig) -> None:
    penalties = any((config.r1_gamma, config.r2_gamma, config.gp_weight, config.drift))
    pairs = LOSSES[config.loss].needs_real
    if config.d_split and (pairs or penalties):
        raise ConfigError("--d-split works without gradient penalties and with separate losses only")
    if config.g_batch not in (0, config.batch) and pairs:
        raise ConfigError(f"--loss {config.loss} pairs real with fake: --g-batch must equal --batch")
    if config.label_noise and config.loss not in ("bce", "nonsaturating"):
        raise ConfigError(f"--label-noise needs --loss bce or nonsaturating, not {config.loss}")


def _check_augment(config: TrainConfig) -> None:
    if not (config.augment and config.augment_target):
        return
    if config.augment_p > config.augment_max:
        raise ConfigError(
            f"--augment-p {config.augment_p:g} is above --augment-max {config.augment_max:g}, its highest"
        )
    if config.d_split:
        raise ConfigError("--augment adapts to joint updates; with --d-split, use --augment-target 0")


def _check_labels_and_init(config: TrainConfig) -> None:
    if config.freeze_d and not config.init:
        raise ConfigError("--freeze-d keeps layers of a trained discriminator: give --init MODEL, too")
    if config.balance and not config.condition:
        raise ConfigError("--balance goes with --condition: it balances the labels that these name")
    if config.balance and config.sampling != "shuffle":
        raise ConfigError(f"--balance has an order of its own: leave out --sampling {config.sampling}")
    if config.condition and config.eval_count:
        raise ConfigError("--eval-count measures without labels: with --condition, set it to 0")


def unread_group(config: TrainConfig) -> str:
    """Return the group of settings that this kind of recipe does not read: the prior's, or translators'."""
    return "latent" if get_family(config.family).translates else "translation"


def unfinished(config: TrainConfig, image_shape: Sequence[int]) -> str:
    """Return a warning if schedules last longer than the run, and "" if they do not."""
    found = [(config.burnin_kimg, "the burn-in (--burnin-kimg)")]
    if config.ema_halflife_kimg:
        found.append((config.ema_start_kimg, "the wait for the average (--ema-start-kimg)"))
    found.append(get_family(config.family).kimg_until_settled(config.model, image_shape))
    late = [f"{what} takes {kimg:g} kimg" for kimg, what in found if kimg > config.kimg]
    return f"--kimg {config.kimg:g} ends before its schedules do: {'; '.join(late)}" if late else ""


def override(config: TrainConfig, changes: dict[str, Any]) -> TrainConfig:
    """Return ``config`` with changes by dotted name (``{"batch": 32, "generator.lr": 1e-4}``).

    Names of the networks' settings start with ``generator.`` or ``discriminator.``; those of the
    prior with ``latent.``. ConfigError names an unknown one.
    """
    for name, value in changes.items():
        path = name.split(".")
        root = ("model", *path) if path[0] in ("generator", "discriminator") else tuple(path)
        config = _set(config, root, value, name=name)
    return config


def _set(node: Any, path: tuple[str, ...], value: Any, *, name: str) -> Any:
    if not is_dataclass(node) or path[0] not in {f.name for f in fields(node)}:
        import difflib

        known = [f.name for f in fields(node)] if is_dataclass(node) else []
        near = difflib.get_close_matches(path[0], known, n=1)
        raise ConfigError(f"there is no setting '{name}'" + (f"; did you mean '{near[0]}'?" if near else ""))
    if len(path) > 1:
        new = _set(getattr(node, path[0]), path[1:], value, name=name)
    else:
        kind: Any = type(node)
        try:
            new = arguments.setting(value, arguments.field_types(kind)[path[0]], flag(name))
        except InputError as error:
            raise ConfigError(str(error)) from None
    return replace(node, **{path[0]: new})  # type: ignore[type-var]


def differences(a: dict[str, Any], b: dict[str, Any], prefix: str = "") -> list[str]:
    """Return the dotted names whose values differ, as ``name: a -> b``."""
    result: list[str] = []
    for name in sorted(a.keys() | b.keys()):
        x, y = a.get(name), b.get(name)
        if isinstance(x, dict) and isinstance(y, dict):
            result += differences(x, y, f"{prefix}{name}.")
        elif x != y:
            result.append(f"{prefix}{name}: {x} -> {y}")
    return result
