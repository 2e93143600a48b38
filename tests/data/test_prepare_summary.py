"""The closing summary of ``prepare``: attributes in a few lines, and what helps where most was left out."""

from __future__ import annotations

from typing import Any

import pytest

from facegan.data.summary import EARLY, WIDTH, AttributeTally, Early, advice, attribute_lines, percent

PLAN: dict[str, Any] = {
    "crop": {"kind": "aligned", "min_face": 20, "min_confidence": 0.9, "min_sharpness": 50.0},
    "max_pixels": 80_000_000,
    "split": "list.txt",
}


def lines_of(rows: list[dict[str, Any]], class_names: dict[str, list[str]] | None = None) -> list[str]:
    tally = AttributeTally()
    for row in rows:
        tally.add(row)
    names = list(dict.fromkeys(name for row in rows for name in row))
    return attribute_lines(tally.summary(names, class_names or {}), len(rows))


LINES: dict[str, tuple[list[dict[str, Any]], list[str]]] = {
    "one": ([{"Hat": 1}, {"Hat": 0}], ["yes/no attribute (share of yes): Hat 50%"]),
    "two": (
        [{"Hat": 1, "Tie": 0}] * 3 + [{"Hat": 0, "Tie": 0}],
        ["2 yes/no attributes (share of yes): Hat 75%, Tie always no"],
    ),
    "half known alike": (
        [{"Hat": 1, "Tie": 0}, {"Hat": None, "Tie": None}],
        ["2 yes/no attributes (share of yes, known of 1 of 2): Hat always yes, Tie always no"],
    ),
    "half known each": (
        [{"Hat": 1, "Tie": None}, {"Hat": 0, "Tie": 1}],
        ["2 yes/no attributes (share of yes): Hat 50%, Tie always yes (known of 1 of 2)"],
    ),
    "names": ([{"race": 2}, {"race": 0}, {"race": 2}], ["race: 2 classes (Black 33%, White 67%)"]),
    "two names": ([{"sex": 0}, {"sex": 1}], ["sex: 2 classes (Female 50%, Male 50%)"]),
    "digits": (
        [{"label": d % 10} for d in range(100)],
        ["label: 10 classes (0 10%, 1 10%, 2 10%, 3 10%, 4 10%, 5 10% and 4 more)"],
    ),
    "ids": ([{"id": 40_000 + i} for i in range(30)], ["id: 30 different numbers from 40000 to 40029"]),
    "always": ([{"race": 1}] * 2, ["race: always East Asian"]),
    "nothing": ([{}], []),
}


@pytest.mark.parametrize("case", LINES)
def test_attributes_in_a_few_lines(case: str) -> None:
    rows, expected = LINES[case]
    assert lines_of(rows, {"race": ["Black", "East Asian", "White"], "sex": ["Female", "Male"]}) == expected


def test_forty_attributes_take_five_lines_and_many_classes_few() -> None:
    rows = [{f"A_Longer_Attribute_{k}": (i >> k % 5) & 1 for k in range(40)} for i in range(64)]
    lines = lines_of(rows)
    assert len(lines) == 5 and all(len(line) <= WIDTH for line in lines)
    shown = sum(line.count("%") for line in lines)
    assert lines[-1].endswith(f"and {40 - shown} more") and 10 < shown < 40
    many = lines_of([{f"kind{k}": i % 3 for k in range(50)} for i in range(9)])
    assert len(many) <= 8 and many[6].startswith("44 more attributes: kind6, ")


def test_shares_that_are_few_are_not_none() -> None:
    assert [percent(s) for s in (0, 0.004, 0.126, 0.996, 1)] == ["0%", "0.4%", "13%", "99.6%", "100%"]


HELP = {
    "no face": "--crop center",
    "low confidence": "--min-confidence 0.7",
    "face too small": "--min-face 10",
    "no landmarks": "--crop face",
    "blurred": "--min-sharpness 25",
    "too many pixels": "--max-pixels 320000000",
    "not named by the split file": "--split list.txt",
    "exact duplicate": "is a folder named twice",
    "near duplicate": "--drop-near-duplicates",
    "not an image file": "name the folder",
    "truncated": "complete?",
}


@pytest.mark.parametrize("reason", HELP)
def test_what_most_pictures_lack_names_the_option_that_helps(reason: str) -> None:
    assert HELP[reason] in advice([(reason, 6), ("unreadable", 1)], 3, PLAN)
    assert not advice([(reason, 5), ("unreadable", 1)], 4, PLAN)  # half are not most


def test_reasons_of_faces_count_together_and_the_commonest_decides() -> None:
    assert "--min-face" in advice([("face too small", 4), ("no face", 3)], 3, PLAN)
    assert "--crop center" in advice([("no face", 4), ("low confidence", 3)], 3, PLAN)
    assert advice([], 3, PLAN) == advice([("never heard of", 9)], 0, PLAN) == ""


@pytest.mark.parametrize(
    ("chunks", "heard"),
    [
        ([["no face"] * EARLY, ["no face"]], [True, False]),  # once
        ([["no face"] * (EARLY - 1), ["no face"] * 2], [False, True]),
        ([["no face"] * EARLY + [""], ["no face"] * EARLY], [False, False]),  # some are kept
        ([["", "no face"], ["no face"] * EARLY], [False, False]),
        ([["unreadable"] * EARLY, ["no face"] * 2 * EARLY], [False, True]),  # nothing helps at first
        ([["no face"] * (EARLY - 1)], [False]),
    ],
)
def test_help_comes_early_where_nothing_is_kept(chunks: list[list[str]], heard: list[bool]) -> None:
    early = Early(PLAN)
    said = [early(chunk, False) for chunk in chunks]
    assert [bool(s) for s in said] == heard
    assert all("--crop center" in s and "none of the first" in s for s in said if s)
    assert not Early(PLAN)(["no face"] * EARLY, True)  # the end says it, too
