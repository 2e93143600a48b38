"""``--where``: a table of expressions, what unknown values do, and errors in one line."""

from __future__ import annotations

from typing import Any

import pytest

from facegan.data.filters import parse_where
from facegan.errors import InputError

NAMES = [
    "Smiling",
    "Eyeglasses",
    "Wearing_Hat",
    "label",
    "5_o_Clock_Shadow",
    "Notable",
    "Android",
    "Black-and-White",
    "Rock or Roll",
    "R&B",
]
# One letter a row; the columns are those of NAMES. None is unknown.
ROWS = {
    "a": [1, 0, 0, 3, 0, 1, 0, 1, 0, 0],
    "b": [1, 1, 0, 4, 1, 0, 1, 0, 1, 0],
    "c": [0, 1, 1, 5, 0, 0, 0, 1, 0, 1],
    "d": [None] * 10,
    "e": [0, 0, 1, -1, 1, 1, 1, 0, 1, 1],
}
CASES = {
    "Smiling": "ab",
    "smiling": "ab",
    "SMILING AND EYEGLASSES": "b",
    "Smiling and not Eyeglasses": "a",
    "not Smiling": "ce",  # of the unknown one it is unknown
    "not not Smiling": "ab",
    "Smiling == 0": "ce",  # ... nor is it known to be 0
    "Smiling = 0": "ce",
    "Smiling != 1": "ce",
    "label >= 4": "bc",
    "label<4": "ae",
    "label == -1": "e",
    "label > 3 and label <= 5": "bc",
    "Wearing_Hat": "ce",
    "wearing hat": "ce",
    "wearing-hat and not smiling": "ce",
    "5_o_Clock_Shadow": "be",
    "5 o clock shadow and Smiling": "b",
    "Smiling or Eyeglasses and Wearing_Hat": "abc",  # and binds tighter
    "(Smiling or Eyeglasses) and Wearing_Hat": "c",
    "not (Smiling or Eyeglasses)": "e",
    "not Smiling and Eyeglasses": "c",  # not binds tightest
    "not label == 3": "bce",
    "  ( ( Smiling ) )  ": "ab",
    "Notable or Android": "abe",  # names that begin with an operator's letters
    "not Notable": "bc",
    "black-and-white and not smiling": "c",  # a hyphen joins, a blank parts
    "Black_and_White": "ac",
    '"rock or roll" and Smiling': "b",
    'not "R&B" and label < 5': "ab",
    '("R&B") or smiling': "abce",
}


@pytest.mark.parametrize("text", CASES)
def test_rows_that_an_expression_chooses(text: str) -> None:
    predicate = parse_where(text, NAMES)
    chosen = [
        key
        for key, values in ROWS.items()
        if predicate(dict(zip(NAMES, values, strict=True)))  # type: ignore[arg-type]
    ]
    assert "".join(chosen) == CASES[text]


ERRORS = {
    "Smilin": "did you mean 'Smiling'?",
    "smiling and eyeglases": "did you mean 'Eyeglasses'?",
    "wearing": "there is no attribute 'wearing'; did you mean 'Wearing_Hat'?",
    "Zebra": "there is no attribute 'Zebra'; known: Smiling",
    "": "an attribute is missing at the end",
    "Smiling and": "an attribute is missing at the end",
    "and Smiling": "an attribute is missing before 'and'",
    "(Smiling": "a closing parenthesis is missing",
    "Smiling)": "')' is not expected here",
    "()": "an attribute is missing before ')'",
    "label == three": "a whole number must follow the comparison of 'label'",
    "label > three": "'three' is no number; names are compared by == and != alone",
    "label ==": "a value must follow the comparison of 'label'",
    "label == )": "a value must follow",
    "label == and smiling": "a value must follow",
    "== 3": "an attribute is missing before '=='",
    "Smiling $ 1": "cannot read",
    "Smiling & Eyeglasses": "cannot read",
    "label === 1": "a value must follow",
    "3": "there is no attribute '3'",
    "Smiling (Eyeglasses)": "'(' is not expected here",
    "(" * 20_000 + "Smiling": "nested too deeply",
}


@pytest.mark.parametrize("text", ERRORS, ids=lambda text: text[:40])
def test_errors_are_one_line_that_says_what_is_wrong(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_where(text, NAMES, whole=True)
    assert ERRORS[text] in str(caught.value) and "--where" in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


KLEENE = {
    ("a", "b"): {
        "a and b": None,
        "a or b": True,
        "not a": False,
        "not b": None,
        "b or b": None,
        "not b and a": None,
    },
    ("b", "a"): {"a and b": None, "a or b": True, "not b or a": None, "not a": None},
    ("none", "b"): {"a and b": False, "not (a and b)": True, "b == 1": None, "b != 1": None, "a or b": None},
}


@pytest.mark.parametrize("yes, unknown", KLEENE)
def test_unknown_values_are_neither_true_nor_false(yes: str, unknown: str) -> None:
    row = {"a": 0, "b": 0} | {yes: 1, unknown: None}
    for text, expected in KLEENE[yes, unknown].items():
        assert parse_where(text, ["a", "b"])(row) is expected, text


def test_near_names_and_beginnings_are_told() -> None:
    names = ["Wearing_Hat", "Wearing_Earrings", "Black_Hair", "Brown_Hair", "Bald"]
    for text, hint in {
        "wearing": "it begins Wearing_Hat and Wearing_Earrings",
        "b": "it begins Black_Hair, Brown_Hair and Bald",
        "blown hair": "did you mean 'Brown_Hair' or 'Black_Hair'?",
    }.items():
        with pytest.raises(InputError, match=f"there is no attribute '{text}'; ") as caught:
            parse_where(f"bald and {text}", names)
        assert hint in str(caught.value)


def test_without_any_attributes_it_says_so() -> None:
    with pytest.raises(InputError, match="there are no attributes"):
        parse_where("Smiling", [])


CLASSES = {
    "race": ["Black", "East Asian", "White"],
    "pose": ["-1", "0", "1"],
    "age": ["3-9", "5", "more than 70"],
}
# expression -> values of its attribute, and those of which it is true; an unknown one never is
NAMED: dict[str, tuple[list[Any], list[Any]]] = {
    "race == White": ([0, 1, 2, None], [2]),
    "race = white or race == black": ([0, 1, 2, None], [0, 2]),
    "race != White": ([0, 1, 2, None], [0, 1]),
    "race == east asian": ([0, 1, 2], [1]),
    'race == "East Asian" and not race == White': ([0, 1, 2], [1]),
    "race == 2": ([0, 1, 2], [2]),  # names that are no numbers leave the classes' numbers
    "race >= 1": ([0, 1, 2], [1, 2]),
    "pose == -1": ([0, 1, 2], [0]),
    "pose >= 0": ([0, 1, 2, None], [1, 2]),
    "pose": ([0, 1, 2], [2]),
    "not pose": ([0, 1, 2], [0, 1]),
    "age == 3-9": ([0, 1, 2], [0]),
    "age == 5": ([0, 1, 2], [1]),
    "age == more than 70": ([0, 1, 2], [2]),
}


@pytest.mark.parametrize("text", NAMED)
def test_classes_are_compared_by_name(text: str) -> None:
    values, chosen = NAMED[text]
    predicate = parse_where(text, list(CLASSES), class_names=CLASSES, whole=True)
    name = next(name for name in CLASSES if name in text)
    assert [v for v in values if predicate({name: v})] == chosen


RAW: dict[str, tuple[list[Any], list[Any]]] = {
    "x == White": (["White", "Black", None, ""], ["White"]),
    "x != White": (["White", "Black", None, ""], ["Black"]),
    "x": ([1, 0, True, "yes", "No", "true", 1.0, "1", "other", None], [1, True, "yes", "true", 1.0, "1"]),
    "not x": ([1, 0, "no", "yes", None], [0, "no"]),
    "x == yes": ([1, 0, "yes", "no", True], [1, "yes", True]),
    "x >= 0.5": ([0.4, 0.5, "0.75", 1, None, "White"], [0.5, "0.75", 1]),
    "x == 3": ([3, "3", 3.0, "three", 4], [3, "3", 3.0]),
    "x != 3": ([3, "three", 4, None], ["three", 4]),
    "x == none of these": (["none of these", "none"], ["none of these"]),
}


@pytest.mark.parametrize("text", RAW)
def test_values_as_their_source_has_them(text: str) -> None:
    values, chosen = RAW[text]
    predicate = parse_where(text, ["x"])
    assert [v for v in values if predicate({"x": v})] == chosen


def test_names_that_come_while_pictures_are_read_count_as_well() -> None:
    names: dict[str, list[str]] = {}
    predicate = parse_where("label == dog", ["label"], class_names=names)
    names["label"] = ["cat", "dog"]
    assert [predicate({"label": v}) for v in (0, 1, None)] == [False, True, None]


def test_a_class_that_is_not_there_is_told_with_those_that_are() -> None:
    for text, hint in {
        "race == Whit": "there are: White",
        "race == zebra": "Black, East Asian, White",
    }.items():
        with pytest.raises(InputError, match=f"'race' has no class '.*'; .*{hint}"):
            parse_where(text, ["race"], class_names=CLASSES, whole=True)
