"""The grammar of expressions with its mistakes, and values against those worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from facegan.errors import InputError
from facegan.generator import Latent
from facegan.latent import Term, arithmetic, evaluate, parse_expression

GROUPS = {
    "smiling woman": [92, 98, 99],
    "neutral_woman": [9, 21],
    "a+b": [1],
    "Mann": [4],
    "4th": [5],
    "none": [],
}

GRAMMAR = {
    "1": [(1, (1,), "")],
    " 1 ": [(1, (1,), "")],
    "92,98,99 - 9,21,79 + 10,30,45": [(1, (92, 98, 99), ""), (-1, (9, 21, 79), ""), (1, (10, 30, 45), "")],
    "1+2-3": [(1, (1,), ""), (1, (2,), ""), (-1, (3,), "")],
    "1 , 2- 3": [(1, (1, 2), ""), (-1, (3,), "")],
    "-1": [(-1, (1,), "")],
    "- 1 + 2": [(-1, (1,), ""), (1, (2,), "")],
    "0.5 * 10,30": [(0.5, (10, 30), "")],
    "1 - .5*2": [(1, (1,), ""), (-0.5, (2,), "")],
    "2*3": [(2, (3,), "")],
    "1,1": [(1, (1, 1), "")],
    "smiling woman - neutral woman": [(1, (92, 98, 99), "smiling woman"), (-1, (9, 21), "neutral woman")],
    "Smiling  Woman": [(1, (92, 98, 99), "smiling woman")],
    "smiling_woman-mann": [(1, (92, 98, 99), "smiling woman"), (-1, (4,), "Mann")],
    "0.5 * smiling woman + 1": [(0.5, (92, 98, 99), "smiling woman"), (1, (1,), "")],
    '"a+b" - 2': [(1, (1,), "a+b"), (-1, (2,), "")],
    "'4th'": [(1, (5,), "4th")],
}


@pytest.mark.parametrize("text", GRAMMAR)
def test_grammar(text: str) -> None:
    assert parse_expression(text, GROUPS) == [Term(*expected) for expected in GRAMMAR[text]]


MISTAKES = {
    "": "the expression is empty",
    "  ": "the expression is empty",
    "1 +": "expected a number or the name of a group at its end",
    "1,": "expected a number or the name of a group at its end",
    "1 2": "expected + or - at character 3, '2'",
    "1 ++ 2": "expected a number or the name of a group at character 4, '+ 2'",
    "1 * 2 * 3": "expected + or - at character 7, '* 3'",
    "1,,2": "at character 3, ',2'",
    ",1": "at character 1, ',1'",
    "1.5": "expected a whole number at character 1, '1.5'",
    "1 - 2,3.0": "expected a whole number at character 7, '3.0'",
    "1 / 2": "expected + or - at character 3, '/ 2'",
    "(1 + 2)": "at character 1, '(1 + 2)'",
    "9999999999": "at character 1",
    "smiling men": "there is no group 'smiling men' (known: smiling woman, neutral_woman",
    "1 - x": "there is no group 'x' (known: ",
    "none": "group 'none' has no members",
    '"smiling': "at character 1",
    "1\n2": "expected + or -",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_mistakes_name_the_spot(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_expression(text, GROUPS)
    message = str(caught.value)
    assert MISTAKES[text] in message and "\n" not in message


def test_a_name_without_groups() -> None:
    with pytest.raises(InputError, match=r"no group 'man' \(give groups with --groups\)"):
        parse_expression("man")


SHEET = torch.tensor([[1.0, 0.0], [0.0, 1.0], [4.0, 2.0], [-1.0, 5.0]])
VALUES = {
    "1": ([[1, 0]], [1, 0]),
    "1 + 2": ([[1, 0], [0, 1]], [1, 1]),
    "3 - 1": ([[4, 2], [1, 0]], [3, 2]),
    "1,3 - 2,4 + 3": ([[2.5, 1], [-0.5, 3], [4, 2]], [7, 0]),
    "-0.5 * 3": ([[4, 2]], [-2, -1]),
    "1,1,2": ([[2 / 3, 1 / 3]], [2 / 3, 1 / 3]),
    "3 - 3": ([[4, 2], [4, 2]], [0, 0]),
}


@pytest.mark.parametrize("text", VALUES)
def test_values_by_hand(text: str) -> None:
    averages, result = evaluate(parse_expression(text), SHEET)
    assert torch.allclose(averages, torch.tensor(VALUES[text][0], dtype=torch.float32))
    assert torch.allclose(result, torch.tensor(VALUES[text][1], dtype=torch.float32))
    assert torch.equal(arithmetic(text, SHEET), result)


def test_groups_by_name() -> None:
    assert arithmetic("old - young", SHEET, {"old": [1, 3], "young": [2, 4]}).tolist() == [3.0, -2.0]


@pytest.mark.parametrize("number", [0, 5])
def test_a_face_beyond_the_sheet(number: int) -> None:
    with pytest.raises(InputError, match=rf"no face {number} on this sheet \(it has 1 to 4\)"):
        arithmetic(f"1 - {number}", SHEET)


def test_rescaling_to_the_prior() -> None:
    """2 dimensions, std 1: the typical norm is sqrt(2), of averages and result alike."""
    averages, result = evaluate(parse_expression("3 - 2"), SHEET, Latent(dim=2))
    radius = math.sqrt(2)
    first, second = torch.tensor([4.0, 2.0]) * radius / math.sqrt(20), torch.tensor([0.0, radius])
    assert torch.allclose(averages, torch.stack([first, second]))
    total = first - second
    assert torch.allclose(result, total * radius / total.norm())


@pytest.mark.parametrize(
    ("prior", "radius", "centre"),
    [
        (Latent(dim=2, mean=1.0, std=3.0), 3 * math.sqrt(2), 1.0),
        (Latent("sphere", 2), math.sqrt(2), 0.0),
    ],
)
def test_rescaling_is_about_the_priors_mean(prior: Latent, radius: float, centre: float) -> None:
    averages, result = evaluate(parse_expression("1,3 + 4"), SHEET, prior)
    for v in (*averages, result):
        assert (v - centre).norm().item() == pytest.approx(radius, rel=1e-6)


def test_a_result_of_zero_stays_there() -> None:
    assert arithmetic("3 - 3", SHEET, rescale=Latent(dim=2)).tolist() == [0.0, 0.0]


def test_titles() -> None:
    terms = parse_expression("92,98 - 0.5 * smiling woman + 2*3", GROUPS)
    assert [t.title() for t in terms] == ["+ 92, 98", "- 0.5 x smiling woman", "+ 2 x 3"]
