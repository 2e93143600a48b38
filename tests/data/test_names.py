"""Pictures found in lists of names that were written elsewhere."""

from __future__ import annotations

import time
import unicodedata

import pytest

from facegan.data.names import ENDING, WHOLE, Matches, NameIndex

# rows, the picture's name and its source -> the rows that fit and how
FOUND: dict[str, tuple[list[str], str, str, tuple[int, ...], str]] = {
    "whole": (["a.jpg", "b.jpg"], "b.jpg", "", (1,), WHOLE),
    "a path": (["one/a.jpg", "a.jpg"], "one/a.jpg", "", (0,), WHOLE),
    "backslashes": (["one\\a.jpg"], "one/a.jpg", "", (0,), WHOLE),
    "a dot before": (["./a.jpg"], "a.jpg", "", (0,), WHOLE),
    "a drive": ([r"C:\photos\a.jpg"], "a.jpg", "", (0,), ENDING),
    "a folder more in the list": (["train/000.jpg"], "000.jpg", "", (0,), ENDING),
    "a folder less in the list": (["000.jpg"], "train/000.jpg", "", (0,), ENDING),
    "most folders in common": (["a.jpg", "x/a.jpg", "y/a.jpg"], "deep/x/a.jpg", "", (1,), ENDING),
    "told apart by the source": (["train/1.jpg", "val/1.jpg"], "1.jpg", "/set/val/1.jpg", (1,), ENDING),
    "told apart by the archive's folder": (["t/1.jpg", "v/1.jpg"], "t/1.jpg", "a.zip!t/1.jpg", (0,), WHOLE),
    "case": (["000.JPG"], "000.jpg", "", (0,), "in other upper and lower case"),
    "case in a folder": (["Train/A.jpg"], "a.JPG", "", (0,), "in other upper and lower case"),
    "Unicode": (
        [unicodedata.normalize("NFC", "Zoë.jpg")],
        unicodedata.normalize("NFD", "Zoë.jpg"),
        "",
        (0,),
        "in another Unicode form",
    ),
    "stem": (["000.jpg"], "000.png", "", (0,), "without the suffix"),
    "stem alone": (["000"], "deep/000.png", "", (0,), "without the suffix"),
    "dots are no suffix": (["john.smith"], "john.smith.webp", "", (0,), "without the suffix"),
    "exact before loose": (["A.jpg", "a.png", "a.jpg"], "a.jpg", "", (2,), WHOLE),
    "case before stem": (["a.png", "A.JPG"], "a.jpg", "", (1,), "in other upper and lower case"),
    "not readable as text": ([r"\udcff.jpg"], "a/\udcff.jpg", "", (0,), ENDING),
    "two fit": (["x/a.jpg", "y/a.jpg"], "a.jpg", "", (0, 1), ENDING),
    "two stems fit": (["a.jpg", "a.png"], "a.webp", "", (0, 1), "without the suffix"),
}


@pytest.mark.parametrize("case", FOUND)
def test_names_are_found_as_they_are_meant(case: str) -> None:
    rows, name, source, expected, how = FOUND[case]
    found = NameIndex(rows).find(name, source)
    assert found is not None and (found.rows, found.how) == (expected, how)


@pytest.mark.parametrize(
    "row, name",
    [
        ("val/1.jpg", "train/1.jpg"),  # another picture, however alike its name is
        ("1.jpg", "01.jpg"),
        ("a.b", "a.jpg"),
        ("1.jpg/x", "1.jpg"),
        ("a.jpg", ""),
        ("", "a.jpg"),
    ],
)
def test_other_names_are_not_found(row: str, name: str) -> None:
    assert NameIndex([row]).find(name) is None


def test_a_look_up_takes_no_longer_in_a_long_list_of_one_last_name() -> None:
    index = NameIndex([f"{i}/image.jpg" for i in range(30_000)])
    index.find("image.jpg")
    begin = time.monotonic()
    assert all(index.find(f"{i}/image.png").rows == (i,) for i in range(2_000))  # type: ignore[union-attr]
    assert index.find("none/image.png") is None
    assert time.monotonic() - begin < 10  # 60 million comparisons would take longer


def test_rows_that_different_pictures_share_are_sure_by_the_whole_name_alone() -> None:
    matches = Matches()
    matches.hit(0, ENDING, "x/a.jpg", digest=b"1")
    matches.hit(0, ENDING, "again/a.jpg", digest=b"1")  # the same picture in another place
    assert matches.sure(0, ENDING)
    matches.hit(0, "without the suffix", "y/a.png", digest=b"2")
    assert not matches.sure(0, ENDING) and matches.sure(0, WHOLE) and matches.sure(1, ENDING)
    assert matches.shared == {0: ("x/a.jpg", "y/a.png")}
    matches.missing.add("b.jpg")
    assert (matches.found, matches.asked) == (3, 4)
    assert str(matches) == "0 of 4 pictures found; not found: b.jpg"  # none of the three is described
    matches.hit(1, ENDING, "z/c.jpg", digest=b"3")
    assert str(matches) == "1 of 5 pictures found, of them 1 by the end of the path; not found: b.jpg"
    assert len(matches.doubts()) == 1 and "'x/a.jpg' and 'y/a.png'" in matches.doubts()[0]
