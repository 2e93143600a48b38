"""Why pictures were rejected, in words, and what helps where most were rejected for one reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any


def commonest(rejects: list[dict[str, str]]) -> list[tuple[str, int]]:
    """Return reasons with their counts, the commonest first; duplicates are counted together."""
    return Counter(plain_reason(r["reason"]) for r in rejects).most_common()


def plain_reason(reason: str) -> str:
    """Return a reason without the name of the picture of which another one is a duplicate."""
    return reason.partition(" of ")[0] if "duplicate of" in reason else reason


def summary(rejects: list[dict[str, str]], most: int = 5) -> str:
    """Return ``no face, 12 times; truncated, once``: counts come last, since reasons may begin with some."""
    reasons = commonest(rejects)
    times = {1: "once", 2: "twice"}
    text = "; ".join(f"{reason}, {times.get(n, f'{n:,} times')}" for reason, n in reasons[:most])
    more = len(reasons) - most
    return text + (f"; {more} more reason{'s' * (more != 1)}" if more > 0 else "")


def all_rejected(rejects: list[dict[str, str]]) -> str:
    """Return ``all 6 were rejected for the same reason: no face``; '' where nothing was rejected."""
    if len(rejects) < 2:
        return "".join(f"the only one found was rejected: {r['reason']}" for r in rejects)
    if len(commonest(rejects)) == 1:
        return f"all {len(rejects):,} were rejected for the same reason: {commonest(rejects)[0][0]}"
    return f"all {len(rejects):,} were rejected for these reasons: {summary(rejects)}"


_FACES = ("no face", "low confidence", "face too small", "no landmarks")


EARLY = 300  # pictures that are rejected without one that is kept, after which the help comes at once


class Early:
    """What helps, once and long before the end, where the first pictures are all rejected."""

    def __init__(self, plan: Mapping[str, Any]) -> None:
        self.plan, self.reasons, self.over = plan, Counter[str](), False

    def __call__(self, rejects: Sequence[str], last: bool) -> str:
        """Return a line or '' for the next pictures' reasons ('' is kept); ``last`` if no more come."""
        self.over = self.over or last or "" in rejects
        if self.over:
            return ""
        self.reasons.update(rejects)
        count = self.reasons.total()
        helps = advice(self.reasons.most_common(), 0, self.plan) if count >= EARLY else ""
        self.over = bool(helps)
        reason = self.reasons.most_common(1)[0][0]
        return f"none of the first {count} pictures are kept ({reason}); {helps}" if helps else ""


def reason_lines(rejects: Sequence[dict[str, str]], most: int = 8, example: bool = False) -> list[str]:
    """Return how often each of the commonest reasons came, a line for each; with an ``example`` if wanted."""
    lines = []
    for reason, count in commonest(list(rejects))[:most]:
        first = next(r["source"] for r in rejects if reason == plain_reason(r["reason"])) if example else ""
        such = f" ({'such as ' * (count > 1)}{first})" if first else ""
        lines.append(f"  {count:6d}  {reason}{such}")
    return lines


def advice(
    reasons: Sequence[tuple[str, int]],
    kept: int,
    plan: Mapping[str, Any],
    *,
    helps: Mapping[str, str] | None = None,
) -> str:
    """Return a sentence with the option that helps, or '' where no single reason took most of the pictures.

    ``reasons`` are those of the rejects with their counts, the commonest first; ``kept`` is how many pictures
    stayed, ``plan`` the configuration as dataset.json has it. ``helps`` are the sentences of another command
    than ``prepare``.
    """
    total = kept + sum(count for _, count in reasons)
    groups: Counter[str] = Counter()
    for reason, count in reasons:
        groups["faces" if reason in _FACES else reason.partition(" (")[0]] += count
    if not groups:
        return ""
    group, count = groups.most_common(1)[0]
    if count * 2 <= total:
        return ""
    if group == "faces":
        group = max((r for r in reasons if r[0] in _FACES), key=lambda r: r[1])[0]
    crop = plan["crop"]
    return (
        (_HELP if helps is None else helps)
        .get(group, "")
        .format(
            **plan,
            less_confidence=max(0.0, crop["min_confidence"] - 0.2),
            half_face=crop["min_face"] / 2,
            half_sharpness=crop["min_sharpness"] / 2,
            more_pixels=plan["max_pixels"] * 4,
        )
    )


_HELP = {
    "no face": "for tight crops of faces, or other things, use --crop center, which looks for no face",
    "low confidence": "--min-confidence {less_confidence:.2g} takes less certain faces "
    "(now {crop[min_confidence]:g})",
    "face too small": "--min-face {half_face:g} takes smaller faces (now {crop[min_face]:g} px)",
    "no landmarks": "--crop face needs no landmarks, --crop center no face",
    "blurred": "--min-sharpness {half_sharpness:g} takes more of them (now {crop[min_sharpness]:g})",
    "too many pixels": "--max-pixels {more_pixels} takes larger pictures (now {max_pixels})",
    "not named by the split file": "--split {split} takes only what it names; without it all pictures stay",
    "exact duplicate": "is a folder named twice, or does one hold a copy of another?",
    "near duplicate": "without --drop-near-duplicates they stay",
    "not an image file": "name the folder or archive that holds the pictures",
    "truncated": "the files end early: was the download or the copy complete?",
}
_WHOLE = "--no-align takes the whole photos, for tight crops of faces"
LABEL_HELP = {
    **{reason: _WHOLE for reason in _FACES},
    **{reason: _HELP[reason] for reason in ("not an image file", "truncated")},
    "too many pixels": "make the photos smaller first",
    "its name does not fit into a table": "rename the files, or pack them with 'facegan prepare' first",
}
"""What helps in ``facegan label``, whose --min-confidence is that of its answers."""
