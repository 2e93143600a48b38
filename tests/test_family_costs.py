"""benchmarks/families.py: which updates stand for all of a recipe's, and for how many of them."""

import pytest
from narrow import TRAINED

from facegan.recipes.config import update_kinds
from facegan.recipes.table import recipe


@pytest.fixture(scope="module")
def script(benchmarks):
    return benchmarks("families")


def test_every_family_has_a_row(script):
    assert {recipe(name).family for name in script.ROWS} == set(TRAINED)


def test_kinds_of_updates_by_their_share():
    kinds = update_kinds
    found = {k.update % 16: k.share for k in kinds(recipe("stylegan2-64"))}
    assert found == {0: 1 / 16, 1: 12 / 16, 4: 3 / 16}  # both penalties, none, path length alone
    assert [k.share for k in kinds(recipe("faces-fast-64"))] == [1 / 4, 3 / 4]
    assert [k.share for k in kinds(recipe("digits-vanilla-28"))] == [1]
