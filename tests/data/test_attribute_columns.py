"""What columns of attributes become: yes or no, numbers, classes with names, or left out with a word."""

from __future__ import annotations

import math
from typing import Any

import pytest

from facegan.data.attribute_columns import MAX_CLASSES, Columns, Rule, as_sorted, note_lines

NAN = math.nan
CAT = ["cat", "dog", "fox"]
# values -> kind, what they become, names of classes, a part of the note
COLUMNS: dict[str, tuple[list[Any], str, list[int | None], list[str], str]] = {
    "yes and no": ([True, False, 1, 0, None], "yes/no", [1, 0, 1, 0, None], [], ""),
    "words": (["yes", "No", "TRUE", "false", "1", ""], "yes/no", [1, 0, 1, 0, 1, None], [], ""),
    "CelebA's signs": ([-1, 1, None], "yes/no", [0, 1, None], [], ""),
    "signs as text": (["-1", "1", "nan"], "yes/no", [0, 1, None], [], ""),
    "all no": ([-1, -1], "yes/no", [0, 0], [], ""),
    "all yes": ([1, 1], "yes/no", [1, 1], [], ""),
    "-1 is a class": ([-1, 0, 1, None], "classes", [0, 1, 2, None], ["-1", "0", "1"], ""),
    "-1 of two": ([-1, 0], "classes", [0, 1], ["-1", "0"], ""),
    "degrees": ([-90, 0, 90], "classes", [0, 1, 2], ["-90", "0", "90"], ""),
    "digits": ([7, 0, 9], "classes", [7, 0, 9], [], ""),
    "whole floats": ([7.0, 0.0, NAN], "classes", [7, 0, None], [], ""),
    "yes and no as floats": (["1.0", "0.0", "NaN"], "yes/no", [1, 0, None], [], ""),
    "many ids": (list(range(32_760, 34_000)), "numbers", list(range(32_760, 34_000)), [], ""),
    "few large ids": ([2**40, 5], "classes", [1, 0], ["5", str(2**40)], ""),
    "many large ids": (
        [2**40 + i for i in range(2000)],
        "",
        [None] * 2000,
        [],
        "whole numbers from",
    ),
    "scores": ([0.9, 0.1, 0.5, None], "yes/no", [1, 0, 1, None], [], "holds fractions from 0.1 to 0.9: 0.5"),
    "angles": ([-33.5, 2.25], "", [None, None], [], "left out: fractions from -33.5 to 2.25"),
    "infinite": (["inf", "0.5"], "", [None, None], [], "left out: fractions from 0.5 to inf"),
    "texts": (["White", "Black", "White"], "classes", [1, 0, 1], ["Black", "White"], ""),
    "blanks and control signs": (
        [" East  Asian", "East\nAsian", "\x1b[31mx"],
        "classes",
        [0, 0, 1],
        ["East Asian", "[31mx"],
        "",
    ),
    "one text": (["White"] * 4, "classes", [0] * 4, ["White"], ""),
    "ranges": (
        ["10-19", "3-9", "more than 70", "3-9"],
        "classes",
        [1, 0, 2, 0],
        ["3-9", "10-19", "more than 70"],
        "",
    ),
    "texts and numbers": (["3-9", "5", "3-9", 5], "classes", [1, 0, 1, 0], ["5", "3-9"], ""),
    "a word among answers": (
        ["yes", "no", "maybe"] * 3,
        "classes",
        [2, 1, 0] * 3,
        ["maybe", "no", "yes"],
        "",
    ),
    "words among numbers": (["yes", "3", "4"] * 3, "classes", [2, 0, 1] * 3, ["3", "4", "yes"], ""),
    "one odd cell": (["1", "0"] * 9 + ["oops"], "yes/no", [1, 0] * 9 + [None], [], "cells such as 'oops'"),
    "captions": ([f"a face, number {i}" for i in range(40)], "", [None] * 40, [], "left out: free text (40"),
    "long texts": (["x" * 61, "y"] * 5, "", [None] * 10, [], "left out: free text"),
    "too many texts": (
        [f"name {i % 1500}" for i in range(6000)],
        "",
        [None] * 6000,
        [],
        f"more than {MAX_CLASSES:,}",
    ),
    "unknown in words": (["1", "unknown", "?", "0", "-"], "yes/no", [1, None, None, 0, None], [], ""),
    "nothing": ([None, "", NAN, "None"], "", [None] * 4, [], "left out: empty"),
}


COORDINATES: dict[str, tuple[str, str]] = {  # columns -> those of them that are coordinates
    "CelebA's boxes": ("x_1 y_1 width height Smiling", "x_1 y_1 width height"),
    "CelebA's landmarks": ("lefteye_x lefteye_y rightmouth_x rightmouth_y", "*"),
    "corners": ("xmin ymin xmax ymax age", "xmin ymin xmax ymax"),
    "pandas": ("x1 y1 x2 y2 w h", "*"),
    "sides": ("left top right bottom label", "left top right bottom"),
    "with a prefix": ("bbox_x bbox_y bbox_width bbox_height", "*"),
    "sizes alone": ("width height age", ""),
    "one axis": ("x_1 label", ""),
    "words like them": ("eyeglasses nose_size Big_Nose left y", ""),
}


@pytest.mark.parametrize("case", COORDINATES)
def test_coordinates_are_no_attributes(case: str) -> None:
    names, expected = COORDINATES[case][0].split(), COORDINATES[case][1].split()
    columns = Columns()
    for i in range(40):
        columns.add({name: 30 + i for name in names})
    left_out = [name for name, rule in columns.rules().items() if not rule.kind]
    assert left_out == (names if expected == ["*"] else expected)
    answers = Columns()
    for i in range(4):
        answers.add({name: i % 2 for name in ("left", "top", "x1", "y1")})
    assert all(rule.kind == "yes/no" for rule in answers.rules().values())


def rule_of(values: list[Any], name: str = "thing", class_names: dict[str, list[str]] | None = None) -> Rule:
    columns = Columns(class_names)
    for value in values:
        columns.add({name: value})
    return columns.rules()[name]


@pytest.mark.parametrize("case", COLUMNS)
def test_columns_become_what_they_hold(case: str) -> None:
    values, kind, expected, names, note = COLUMNS[case]
    rule = rule_of(values)
    assert (rule.kind, list(rule.names)) == (kind, names)
    assert [rule(value) for value in values] == expected
    assert note in rule.note and bool(note) == bool(rule.note) and "\n" not in rule.note


def test_notes_name_their_columns_and_alike_ones_stand_together() -> None:
    columns = Columns()
    columns.add({"a": None, "b": 0.5, "c": "", "d": 1})
    assert note_lines(columns.rules()) == [
        "columns 'a', 'c' left out: empty",
        "column 'b' holds fractions from 0.5 to 0.5: 0.5 and more is yes",
    ]


def test_the_order_of_rows_decides_nothing() -> None:
    for values, *_ in COLUMNS.values():
        forth, back = rule_of(values), rule_of(values[::-1])
        assert [forth(v) for v in values] == [back(v) for v in values] and forth.names == back.names


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "__index_level_0__", "Unnamed: 0_level_1"])
def test_the_index_of_pandas_is_no_attribute(name: str) -> None:
    rule = rule_of([0, 1, 2], name)
    assert not rule.kind and "numbers of rows" in rule.note


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("index", [3, 1, 2], ""),
        ("Index", list(range(5, 3000)), ""),
        ("index", [0, 1, 0], "yes/no"),
        ("index", ["a", "b", "a"], "classes"),
        ("id", [3, 1, 2], "classes"),
    ],
)
def test_a_column_called_index_that_numbers_the_rows_is_no_attribute(
    name: str, values: list[Any], kind: str
) -> None:
    assert rule_of(values, name).kind == kind


@pytest.mark.parametrize("name", ["caption", "Text"])
def test_captions_are_told_by_their_columns_name_even_where_they_repeat(name: str) -> None:
    assert not rule_of(["a face"] * 9, name).kind
    assert rule_of(["White"] * 9, name).kind == "classes"


NAMED = {
    "numbers": ([0, 2, None, -1], CAT, [0, 2, None, None], CAT, ""),
    "names": (["dog", "cat"], CAT, [1, 0], CAT, ""),
    "one more": (["dog", 0, "emu", "ant"], CAT, [1, 0, 4, 3], [*CAT, "ant", "emu"], ""),
    "beyond": ([0, 7], CAT, [0, None], CAT, "holds 7, which is none of its 3 classes"),
    "only some": ([1, 1], CAT, [1, 1], CAT, ""),
    "no and yes": ([0, 1, 1], ["no", "yes"], [0, 1, 1], [], ""),
    "two": ([0, 1, 1], ["Female", "Male"], [0, 1, 1], ["Female", "Male"], ""),
}


@pytest.mark.parametrize("case", NAMED)
def test_classes_keep_the_names_that_their_source_gives(case: str) -> None:
    values, given, expected, names, note = NAMED[case]
    rule = rule_of(values, class_names={"thing": given})
    assert [rule(v) for v in values] == expected and list(rule.names) == names
    assert note in rule.note and bool(note) == bool(rule.note)


def test_names_are_sorted_as_people_count() -> None:
    assert as_sorted(["10", "9", "-1"]) == ["-1", "9", "10"]
    assert as_sorted(["b10", "b9", "a"]) == ["a", "b9", "b10"]
