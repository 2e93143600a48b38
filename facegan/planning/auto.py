"""The settings that ``facegan train --auto`` chooses for dataset and device, and its reasons."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from facegan.data.dataset import Dataset
from facegan.devices import free_memory, pick_device
from facegan.errors import ConfigError
from facegan.families import get_family
from facegan.machine import cores
from facegan.planning.dry_run import DryRun, PeakMemory, dry_run, occasions
from facegan.planning.dry_run_text import MEASURE_NAMES, size
from facegan.planning.forecast import Forecast, forecast, moments
from facegan.recipes.choice import FEW_PICTURES, Surroundings, image_shape, surroundings
from facegan.recipes.config import TrainConfig, check, override
from facegan.recipes.table import RECIPES
from facegan.runs.page import duration
from facegan.runs.record import config_of, read_record
from facegan.settings import flag, values_of, walk
from facegan.training.initialization import with_precision
from facegan.training.out_of_memory import is_out_of_memory, two_updates

FEW_PASSES = 100  # over the data: more are too many without augmentation, even over many pictures
MAX_PASSES = 4_000  # over the data: as in few-shot training with 100 pictures (Liu et al. 2021, section 4)
MAX_HOURS = 24.0  # hours; a recipe's full length may take weeks on a small machine
MEMORY_SHARE = 0.8  # of the free memory, at most
MIN_PIECE = 4  # pictures: a group of minibatch deviation
PROBE_PICTURES = (2, 8)  # pictures in the pieces by which the probe measures
ADAPTIVE_TARGET = 0.6  # of an adaptive augmentation, as StyleGAN2-ADA's authors have it


@dataclass(frozen=True)
class Choice:
    """One line of the table; ``given`` if the user has decided it."""

    what: str
    value: str
    why: str
    given: bool = False


def look(data: Dataset, device: torch.device) -> Surroundings:
    """Return what is known of the dataset and the device."""
    return surroundings(data, device.type, cores(), memory=free_memory(device))


# --- settings ------------------------------------------------------------------------------------


def augmentation(config: TrainConfig, s: Surroundings) -> tuple[dict[str, Any], str]:
    """Return changes to the augmentation, and why, by how often each picture will be seen."""
    passes = config.kimg * 1000 / max(s.pictures, 1)
    seen = f"each of {s.pictures:,} pictures is seen {passes:,.0f} times"
    if config.d_split:
        return {}, f"{seen}; this recipe's updates cannot adapt one"
    pace = _pace(config)
    reach = f"from 0 to 1 in {pace.get('augment_kimg', config.augment_kimg):g} kimg at most"
    if config.augment and not config.augment_target:
        return {}, f"the recipe's; {seen}"
    if config.augment:
        return pace, f"the recipe's; {seen}; {reach}"
    if s.pictures >= FEW_PICTURES and passes <= FEW_PASSES:
        return {}, f"{seen}: not often enough to be learnt by heart"
    kind = "ada-face" if s.faces and s.channels == 3 else "ada"
    adaptive = {"augment_target": config.augment_target or ADAPTIVE_TARGET, "augment_p": 0.0}
    return {"augment": kind, **adaptive, **pace}, f"{seen}: grows with overfitting, {reach}"


def _pace(config: TrainConfig) -> dict[str, Any]:
    """Return how fast an augmentation adapts: in a quarter of the run, or 100 kimg after --init, at most."""
    most = min(config.kimg / 4, 100.0 if config.init else math.inf)
    return {"augment_kimg": float(f"{most:.3g}")} if most < config.augment_kimg else {}


def authors_rule(side: int, batch: int) -> dict[str, Any]:
    """Return R1's weight and the average's half-life as StyleGAN2-ADA's authors set them."""
    return {"r1_gamma": 0.0002 * side**2 / batch, "ema_halflife_kimg": batch * 10 / 32}


def gamma(config: TrainConfig, s: Surroundings) -> tuple[dict[str, Any], str]:
    """Return R1's weight by the rule of StyleGAN2-ADA's authors, if the recipe follows it, and why."""
    base = RECIPES[config.recipe].config if config.recipe in RECIPES else config
    ruled = authors_rule(base.size or 64, base.batch)["r1_gamma"]  # of any size: for 64 px
    if not config.r1_gamma or not ruled or not math.isclose(base.r1_gamma, ruled):
        return {}, "the recipe's, for this size" if config.r1_gamma else "the recipe has no penalty"
    why = f"the authors' rule: 0.0002 x {s.side} x {s.side} / batch {config.batch}"
    return authors_rule(s.side, config.batch), why


# --- memory ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Probe:
    """``base`` bytes and ``each`` more for a picture in a piece; ``seen`` are (pictures, bytes) measured."""

    base: float
    each: float
    seen: tuple[tuple[int, int], ...]

    def needs(self, pictures: int) -> float:
        return self.base + self.each * pictures


def probe(config: TrainConfig, shape: Sequence[int], device: torch.device) -> Probe | None:
    """Return the line through the peaks of updates with few pictures; None where the system does not tell.

    Large batches are never tried: on a CPU the system ends whoever takes too much.
    """
    seen: list[tuple[int, int]] = []
    gc.collect()
    start: int | None = None
    for pictures in PROBE_PICTURES:
        few = override(
            config,
            {"batch": pictures, "g_batch": 0, "accumulate": 1, "condition": (), "balance": False, "init": ""},
        )
        with PeakMemory(device) as memory:
            try:
                two_updates(with_precision(few, device), shape, device)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                raise ConfigError(f"not even {pictures} pictures at a time fit into memory") from None
        if memory.peak is None:
            return None
        start = memory.level if start is None else start  # torch keeps what the first one has let go
        seen.append((pictures, memory.level + memory.peak - start))
    (a, low), (b, high) = seen
    each = max(high - low, 0) / (b - a)
    return Probe(max(low - a * each, 0.0), each, tuple(seen))


def fit_batch(config: TrainConfig, found: Probe | None, free: int | None) -> tuple[dict[str, Any], str]:
    """Return in how few pieces the batch fits, and why."""
    if found is None or free is None:
        return {}, "the recipe's; this system does not tell its memory"
    room, batch = MEMORY_SHARE * free, config.batch
    measured = ", ".join(f"{n} pictures {size(b)}" for n, b in found.seen)
    for pieces in (n for n in range(1, batch + 1) if batch % n == 0 and (config.g_batch or n) % n == 0):
        if found.needs(batch // pieces) <= room:
            need = f"{batch // pieces} need about {size(found.needs(batch // pieces))} of {size(free)} free"
            if batch // pieces < min(MIN_PIECE, batch):
                need += "; what compares the pictures of a piece has little to compare"
            return {"accumulate": pieces} if pieces > 1 else {}, f"probed: {measured}, so {need}"
    raise ConfigError(
        f"--auto: one picture at a time needs about {size(found.needs(1))}, but {size(free)} are free; "
        "name a smaller --recipe"
    )


# --- all of it -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Decision:
    """The configuration, the table that explains it, and the dry run that measured it."""

    config: TrainConfig
    choices: tuple[Choice, ...]
    measured: DryRun
    surroundings: Surroundings


def decide(
    data: Dataset, config: TrainConfig, given: Sequence[str], *, device: str = "auto", why_recipe: str = ""
) -> Decision:
    """Complete ``config``, a recipe with the user's changes; what is ``given`` by name stays as it is."""
    config, place = check(config), pick_device(device)
    if get_family(config.family).translates:
        raise ConfigError(
            f"--auto chooses settings of recipes that make pictures from noise; {config.recipe} keeps its own"
        )
    s, shape = look(data, place), image_shape(config, data)
    choices = [
        Choice("recipe", config.recipe, why_recipe or "you named it", not why_recipe),
        Choice("family", config.family, RECIPES[config.recipe].source if config.recipe in RECIPES else ""),
        Choice("size", f"{s.width}x{s.height}", "the dataset's"),
    ]

    def settle(what: str, changes: dict[str, Any], why: str) -> None:
        """Apply what the user has left open, and add the line."""
        nonlocal config
        names, value = SHOWN[what]
        decided = [name for name in names if name in given]
        config = override(config, {k: v for k, v in changes.items() if k not in given})
        if decided:
            spelled = (f"no_{n}" if f"no_{n}" in given else n for n in decided)
            also = why if what == "length" else ""
            why = "you gave " + ", ".join(map(flag, spelled)) + also
        choices.append(Choice(what, value(config), why, bool(decided)))

    few = s.pictures < config.batch
    batch = 1 << max(s.pictures, 1).bit_length() - 1
    if few and "batch" not in given:
        config = override(config, {"batch": batch, "g_batch": 0})
    changes, why = fit_batch(config, probe(config, shape, place), s.memory)
    settle("batch", changes, f"{why}; not more than pictures" if few else why)
    settle("gamma", *gamma(config, s))
    measured = dry_run(data, check(config), device)
    planned = _given_length(config) if "kimg" in given else _length(config, measured, s)
    settle("length", *planned)
    settle("augmentation", *augmentation(config, s))
    if config.augment != measured.config.augment:  # it costs time
        measured = dry_run(data, check(config), device)
    measured = _shortened(measured, config)
    fastest = {"precision": with_precision(config, place).precision}
    settle("precision", fastest, "what this device computes fastest")
    choices += [_condition(config, s), *_others(config, given)]
    hours = (measured.training_seconds + measured.drawing_seconds) / 3600
    choices += [Choice("expected hours", f"{hours:.2g}", _speed(measured)), _quality(forecast(measured))]
    return Decision(config, tuple(choices), measured, s)


def _condition(config: TrainConfig, s: Surroundings) -> Choice:
    if config.condition:
        return Choice("condition", " ".join(config.condition), "you gave --condition", True)
    if not s.attributes:
        return Choice("condition", "none", "the dataset has no attributes: see 'facegan label'")
    known = f"{len(s.attributes)} attributes are known"
    if get_family(config.family).conditional:
        return Choice("condition", "none", f"{known}: add --condition {s.attributes[0]}")
    return Choice("condition", "none", f"{known}, but these networks take none")


def _quality(found: Forecast) -> Choice:
    """Return the line on the last distance that the recipe's curve knows within this run."""
    if not (rows := moments(found)):
        why = " ".join(found.doubts) if found.curve is None else "so short a run was not measured"
        return Choice("quality", "unknown", why)
    last = rows[-1]
    value = f"{MEASURE_NAMES[found.measure]} {last.estimate.value:.2g}"
    return Choice("quality", value, f"to expect: measured at {last.kimg:.3g} kimg; --dry-run shows the curve")


def _others(config: TrainConfig, given: Sequence[str]) -> list[Choice]:
    """Return a line for everything else that the user has set."""
    shown = {"recipe", "condition", *(name for names, _ in SHOWN.values() for name in names)}
    return [
        Choice(flag(name)[2:], f"{value}", f"you gave {flag(name)}", True)
        for name in given
        if (value := values_of(config).get(name)) is not None and name not in shown
    ]


def begun(config: TrainConfig, given: Sequence[str], out: Path) -> TrainConfig | None:
    """Return the settings of the run in ``out``, with what is ``given`` now; None if there is no such run."""
    before = read_record(out).config if (out / "config.json").is_file() else {}
    if before.get("recipe") != config.recipe:
        return None
    return config_of(before, config, keep=given)


def _schedules(config: TrainConfig) -> dict[str, float]:
    """Return the settings of this configuration that shorten with the run."""
    return {s.name: s.value for s in walk(config) if s.rules.scales and s.value}


# Line of the table -> the settings that decide it, and what it says.
SHOWN: dict[str, tuple[tuple[str, ...], Callable[[TrainConfig], str]]] = {
    "batch": (
        ("batch", "accumulate"),
        lambda c: f"{c.batch}" + (f" in {c.accumulate} pieces" if c.accumulate > 1 else ""),
    ),
    "gamma": (
        ("r1_gamma", "r2_gamma"),
        lambda c: f"{c.r1_gamma:.3g}" + (f", R2 {c.r2_gamma:.3g}" if c.r2_gamma else ""),
    ),
    "length": (("kimg",), lambda c: f"{c.kimg:g} kimg"),
    "augmentation": (
        ("augment", "flip"),
        lambda c: " ".join((c.augment, "flips" * c.flip)).strip() or "none",
    ),
    "precision": (("precision",), lambda c: c.precision),
}


def _length(config: TrainConfig, measured: DryRun, s: Surroundings) -> tuple[dict[str, Any], str]:
    """Return the recipe's length, that of a day, or the one at which few pictures are exhausted."""
    hours = measured.training_seconds / 3600
    day = config.kimg * MAX_HOURS / hours if hours > MAX_HOURS else math.inf
    data = MAX_PASSES * s.pictures / 1000
    if min(day, data) >= config.kimg:
        return {}, "the recipe's"
    kimg = max(float(f"{min(day, data):.2g}"), config.batch / 1000)
    shorter, also = _shorter(config, kimg / config.kimg)
    if data < day:
        why = f"each of {s.pictures:,} pictures is seen {MAX_PASSES:,} times, and longer teaches nothing new"
        return {"kimg": kimg, **shorter}, f"{why}; {_for_few(config, s)}{also}"
    whole = f"the recipe's {config.kimg:g} kimg would take {duration(hours * 3600)}"
    return {"kimg": kimg, **shorter}, f"what {MAX_HOURS:g} h give; {whole}{also}"


def _for_few(config: TrainConfig, s: Surroundings) -> str:
    """Return what helps if so few pictures are learnt by heart."""
    if not config.init and s.faces and (s.height, s.width, s.channels) == (64, 64, 3):
        return "so few are learnt by heart: add photos, or begin with --init celeba64, which knows faces"
    return "so few are learnt by heart: add photos"


def _given_length(config: TrainConfig) -> tuple[dict[str, Any], str]:
    """Return the schedules of a run that is shorter than its recipe."""
    whole = RECIPES[config.recipe].config.kimg if config.recipe in RECIPES else config.kimg
    return _shorter(config, config.kimg / whole) if 0 < config.kimg < whole else ({}, "")


def _shorter(config: TrainConfig, share: float) -> tuple[dict[str, Any], str]:
    """Return schedules that last that share of their time, and a note."""
    shorter = {name: lasting * share for name, lasting in _schedules(config).items()}
    names = ", ".join(name.rpartition(".")[2].removesuffix("_kimg") for name in shorter)
    return shorter, f"; as much shorter: {names}" if shorter else ""


def _shortened(measured: DryRun, config: TrainConfig) -> DryRun:
    """Return the same measurements for another length."""
    if config.kimg == measured.config.kimg:
        return measured
    changes: dict[str, Any] = {"config": config, **occasions(config)}
    return replace(measured, **changes)


def _speed(measured: DryRun) -> str:
    count = sum(t.count for t in measured.timings.values())
    speed = measured.images_per_update / measured.update_seconds
    return f"{count} real updates timed: {speed:.3g} img/s; grids and models included"


def table(decision: Decision) -> str:
    """Return what was found and chosen as aligned text; a star marks what the user gave."""
    s = decision.surroundings
    colour = "grey" if s.channels == 1 else "colour"
    attributes = f", {len(s.attributes)} attributes" if s.attributes else ""
    memory = f", {size(s.memory)} free" if s.memory is not None else ""
    place = decision.measured.device if s.gpu else f"{s.cores} CPU core{'s' * (s.cores != 1)}"
    threads = "" if s.gpu else f", {decision.measured.threads} used"
    lines = [
        f"{decision.measured.dataset}: {s.pictures:,} training pictures, "
        f"{s.width}x{s.height} {colour}{attributes}",
        f"{place}{threads}{memory}",
        "",
    ]
    wide = max(len(c.value) for c in decision.choices) + 1
    for c in decision.choices:
        lines.append(f"  {c.what:<15} {c.value + '*' * c.given:<{wide}}  {c.why}".rstrip())
    if decision.measured.disturbed:
        lines += ["", decision.measured.disturbed]
    if any(c.given for c in decision.choices):
        lines += ["", "* is yours; the rest was chosen."]
    return "\n".join(lines)
