"""The watchdog, which notices that a run has broken down or could do better.

It sees the means of every report and the diversity of every grid. A rule must hold without a break for as
long as its row in RULES says. The memory is plain JSON in the checkpoint, so that a resumed run decides as an
uninterrupted one does. WARNINGS stop nothing, and each is given once.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from facegan.families import get_family
from facegan.recipes.config import TrainSettings

Means = dict[str, float]
Memory = dict[str, Any]

_HISTORY = 50  # reports whose gradients are remembered


@dataclass(frozen=True)
class Rule:
    """A run has broken down when it ``holds`` for ``patience`` reports in a row and ``updates`` updates."""

    holds: Callable[[Means, Memory], str]
    """Returns what is wrong, or ""."""
    patience: int
    updates: int
    by_loss: bool = False
    """Whether it needs a loss of the discriminator that 0 bounds."""


@dataclass(frozen=True)
class Trouble:
    """What is wrong, and under which name :func:`advice` knows it."""

    kind: str
    text: str


def _not_finite(means: Means, memory: Memory) -> str:
    bad = sorted(name for name, value in means.items() if not math.isfinite(value))
    return f"{bad[0]} is no longer a finite number" if bad else ""


def _won(means: Means, memory: Memory) -> str:
    real, fake = means.get("loss_real"), means.get("loss_fake")
    if real is None or fake is None:  # a loss over pairs
        over = means.get("loss_d", math.inf) < 0.001
        return f"the discriminator has won: its loss is {means['loss_d']:.3f}" if over else ""
    if max(real, fake) >= 0.01:
        return ""
    return (
        f"the discriminator has won: its loss is {real:.3f} on real and {fake:.3f} on generated pictures, "
        "and the generator learns nothing from it any more"
    )


def _given_up(means: Means, memory: Memory) -> str:
    real, fake = means.get("loss_real"), means.get("loss_fake")
    if real is None or fake is None or min(real, fake) > 0.01 or max(real, fake) < 5:
        return ""
    side = "real" if real < fake else "generated"
    return (
        f"the discriminator has given up: it calls everything {side} (loss {real:.3f} on real, {fake:.3f} "
        f"on generated, {means.get('loss_g', math.nan):.3f} for the generator)"
    )


def _exploding(means: Means, memory: Memory) -> str:
    history: dict[str, list[float]] = memory.setdefault("gradients", {})
    usual: dict[str, float] = memory.setdefault("usual gradients", {})
    found = ""
    for side, name in (("g", "generator"), ("d", "discriminator")):
        now = means.get(f"grad_{side}")
        if now is None:
            continue
        past = history.setdefault(side, [])
        # The highest median yet: gradients that come back after they had vanished do not explode,
        # nor do those of a young network that rise from next to nothing.
        if len(past) >= 20:
            usual[side] = max(usual.get(side, 0.01), statistics.median(past))
        if len(past) >= 20 and now > 100 * usual[side]:
            found = f"the {name}'s gradients explode: {now:.3g}, usually {usual[side]:.3g}"
        else:  # an explosion must not become the usual
            past.append(now)
            del past[:-_HISTORY]
    return found


# --- warnings: what is wrong, "" if nothing is, or None where the report does not say --------------------


def _augmentation(means: Means, memory: Memory, c: TrainSettings) -> str | None:
    p, r = means.get("augment_p"), means.get("augment_r")
    if p is None or r is None or not c.augment_max:
        return None
    if p < 0.999 * c.augment_max or r <= c.augment_target:
        return ""
    return (
        f"the augmentation has run away: it stands at its cap of {c.augment_max:g}, and the discriminator "
        f"still knows the real pictures by heart (its r_t is {r:.2f}, the target {c.augment_target:g})"
    )


FALLEN = 0.7  # of the variety that a run has had, or of the data's, if that is less


def _variety(means: Means, memory: Memory, c: TrainSettings) -> str | None:
    now = means.get("diversity")
    if now is None or not math.isfinite(now):
        return None
    recent: list[float] = memory.setdefault("recent diversity", [])
    recent.append(now)
    del recent[:-5]
    if len(recent) == 5:
        memory["usual diversity"] = max(statistics.median(recent), memory.get("usual diversity", 0.0))
    usual = memory.get("usual diversity", 0.0)
    if now >= FALLEN * min(usual, 1.0):
        memory.pop("fallen to", None)
        return ""
    if now > 1.1 * memory.setdefault("fallen to", now):  # it is on its way back
        memory.pop("fallen to")
        return ""
    return (
        f"the samples lose their variety: they differ {now:.0%} as much as real pictures do, once {usual:.0%}"
    )


COPIED = 0.2  # share of samples that look copied; 0.05 if none is


def _copying(means: Means, memory: Memory, c: TrainSettings) -> str | None:
    share = means.get("copied")
    if share is None:
        return None
    least = memory["least copied"] = min(share, memory.get("least copied", share))
    if share < COPIED:
        return ""
    return (
        f"the generator learns training pictures by heart: {share:.0%} of its samples are suspiciously near "
        f"to one (of new pictures 5% are, of its samples once {least:.0%} were)"
    )


@dataclass(frozen=True)
class Caution:
    """A warning that is given when it ``holds`` for ``patience`` reports in a row and ``updates`` updates."""

    holds: Callable[[Means, Memory, TrainSettings], str | None]
    patience: int
    updates: int
    share: float = 0.0
    """It must also hold for this share of the images in which the augmentation can go from 0 to 1."""


WARNINGS: dict[str, Caution] = {
    "augmentation": Caution(_augmentation, 10, 500, 0.1),
    "variety": Caution(_variety, 5, 500),
    "copying": Caution(_copying, 3, 100),
}

COLLAPSED, ALIVE = 0.1, 0.3  # diversity of a collapsed generator, and of one that has learnt something
_COLLAPSE_GRIDS = 3

_SLOWER = "a lower --generator.lr and --discriminator.lr"
_R1 = "a higher --r1-gamma"
_WIDER, _NARROWER = "a wider discriminator", "a narrower one"
# What to try, without options that the networks lack and settings that the run already has.
ADVICE: dict[str, tuple[str, ...]] = {
    "not finite": (_SLOWER, "--precision float32", _R1),
    "exploding": (_SLOWER, _R1),
    "given up": ("a lower --generator.lr", _R1, _WIDER),
    "won": (_R1, "a lower --discriminator.lr", _NARROWER),
    "augmentation": ("more pictures", "--init MODEL with --freeze-d", _R1, "a shorter --kimg"),
    "variety": ("an earlier model of this run", _R1, "'mbstd' in --discriminator.layers"),
    "copying": (
        "more pictures",
        "--augment ada",
        "--init MODEL with --freeze-d",
        "an earlier model of this run",
    ),
    "collapsed": ("--loss nonsaturating", _R1, "'mbstd' in --discriminator.layers", "more pictures"),
}


def advice(kind: str, config: Any) -> str:
    """Return what to try instead of a :class:`TrainConfig`: "a, b, or c"."""
    c = config
    penalty = f"{_R1} (now {c.r1_gamma:g})" if c.r1_gamma else f"{_R1} (1, say; now 0)"
    if c.gp_weight and not c.r1_gamma:
        penalty = f"a higher --gp-weight (now {c.gp_weight:g})"
    shown = {_R1: penalty}
    if c.d_split:  # neither works with it
        shown = {_R1: f"{penalty} with --no-d-split", "--augment ada": "--augment ada with --no-d-split"}
    width, settings = get_family(c.family).width_setting, asdict(c.model)
    if width:
        option = f"--discriminator.{width.replace('_', '-')}"
        several = isinstance(settings["discriminator"][width], tuple)
        shown[_WIDER] = f"a wider discriminator ({'' if several else 'a higher '}{option})"
        shown[_NARROWER] = f"a narrower one ({'' if several else 'a lower '}{option})"

    def helps(text: str) -> bool:
        options = re.findall(r"--(generator|discriminator)\.([a-z_]+)", text)
        if not all(name in settings[side] for side, name in options):
            return False
        if text in (_WIDER, _NARROWER):
            return bool(width)
        if "mbstd" in text and "mbstd" in settings["discriminator"]["layers"]:
            return False
        is_so = {
            "--precision float32": c.precision == "float32",
            "--loss nonsaturating": c.loss == "nonsaturating",
            "--augment ada": bool(c.augment),
        }
        return not is_so.get(text, False)

    *some, last = (shown.get(text, text) for text in ADVICE[kind] if helps(text))
    return f"{', '.join(some)}{',' * (len(some) > 1)} or {last}"


RULES: dict[str, Rule] = {
    "not finite": Rule(_not_finite, 1, 0),
    "exploding": Rule(_exploding, 3, 50),
    "given up": Rule(_given_up, 5, 100, by_loss=True),
    "won": Rule(_won, 10, 500, by_loss=True),
}


class Watchdog:
    """``memory`` is part of the run's state and is changed in place; ``bounded`` is the loss's."""

    def __init__(self, memory: Memory, total_updates: int, bounded: bool = True) -> None:
        self.memory, self.total_updates = memory, total_updates
        self.rules = {k: rule for k, rule in RULES.items() if bounded or not rule.by_loss}

    def _count(self, kind: str, holds: bool, updates: int) -> tuple[int, int]:
        """Return how many times in a row, and for how many updates, something has held."""
        running: dict[str, list[int]] = self.memory.setdefault("running", {})
        if not holds:
            running.pop(kind, None)
            return 0, 0
        times, since = running.get(kind, [0, updates])
        running[kind] = [times + 1, since]
        return times + 1, updates - since

    def on_means(self, means: Means, updates: int) -> Trouble | None:
        """Judge the means of a report after ``updates`` updates; nothing is reported twice."""
        found: list[Trouble] = []
        for kind, rule in self.rules.items():
            text = rule.holds(means, self.memory)
            times, lasting = self._count(kind, bool(text), updates)
            if text and times >= rule.patience and lasting >= rule.updates and not self._told(kind):
                found.append(Trouble(kind, text))
        return found[0] if found else None

    def _told(self, kind: str) -> bool:
        return kind in self.memory.get("told", ())

    def on_diversity(self, diversity: float, updates: int) -> Trouble | None:
        """Judge a grid by the mean pairwise distance of its pictures, divided by that of real ones."""
        if not math.isfinite(diversity):
            return None
        best = self.memory["diversity"] = max(diversity, self.memory.get("diversity", 0.0))
        # A young generator draws nothing but grey: that is no collapse before half of the run is over.
        young = best < ALIVE and (updates < self.total_updates / 2 or updates < 1000)
        times, _ = self._count("collapsed", diversity < COLLAPSED and not young, updates)
        if times < _COLLAPSE_GRIDS or self._told("collapsed"):
            return None
        text = f"the samples have collapsed: they differ {diversity:.1%} as much as real pictures do" + (
            f" (they once did {best:.0%})" if best >= ALIVE else ""
        )
        return Trouble("collapsed", text)

    def warnings(self, means: Means, updates: int, images: int, *, config: TrainSettings) -> list[Trouble]:
        """Return the warnings about a report and the measurements of its grid; each kind comes once."""
        found: list[Trouble] = []
        warned: list[str] = self.memory.setdefault("warned", [])
        uneasy: dict[str, list[int]] = self.memory.setdefault("uneasy", {})
        for kind, rule in WARNINGS.items():
            text = rule.holds(means, self.memory, config)
            if text is None:
                continue
            if not text:
                uneasy.pop(kind, None)
                continue
            times, since, begun = uneasy.get(kind, [0, updates, images])
            uneasy[kind] = [times + 1, since, begun]
            long = (
                updates - since >= rule.updates and images - begun >= rule.share * config.augment_kimg * 1000
            )
            if times + 1 >= rule.patience and long and kind not in warned:
                warned.append(kind)
                found.append(Trouble(kind, text))
        return found

    @property
    def at_ease(self) -> bool:
        """Whether nothing is suspicious, so that a checkpoint is worth going back to."""
        return not self.memory.get("running")
