"""Files that come beside photos: attributes in CelebA's layout or as CSV, split lists, split shares."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from facegan.data.attributes import Splitter, lookup, read_attributes
from facegan.errors import InputError

CELEBA = "Smiling 5_o_Clock_Shadow\n1.jpg  1 -1\n2.jpg -1  1\n"
EXPECTED = {
    "1.jpg": {"Smiling": 1, "5_o_Clock_Shadow": 0},
    "2.jpg": {"Smiling": 0, "5_o_Clock_Shadow": 1},
}
LAYOUTS = {
    "CelebA": "2\n" + CELEBA,
    "CelebA without count": CELEBA,
    "CelebA with Windows line ends and blank lines": ("2\n" + CELEBA).replace("\n", "\r\n\r\n"),
    "CSV of 1 and -1": "image_id,Smiling,5_o_Clock_Shadow\n1.jpg,1,-1\n2.jpg,-1,1\n",
    "CSV of words, names last": "Smiling,5_o_Clock_Shadow,File\nyes,no,1.jpg\nFalse,TRUE,2.jpg\n",
    "CSV with byte order mark, quotes": '\ufefffilename,Smiling,5_o_Clock_Shadow\n"1.jpg",1,0\n2.jpg,0,1\n',
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_say_the_same(tmp_path: Path, layout: str) -> None:
    file = tmp_path / "attributes.txt"
    file.write_text(LAYOUTS[layout], encoding="utf-8", newline="")
    names, table = read_attributes(file)
    assert names == ["Smiling", "5_o_Clock_Shadow"]
    assert table == EXPECTED


def test_numbers_are_kept_as_classes_and_gaps_are_unknown(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("file,age,left,Hat\na.png,31,-1,\nb.png,-1,2.0,nan\n")
    names, table = read_attributes(file)
    assert names == ["age", "left", "Hat"]
    assert table == {
        "a.png": {"age": 31, "left": -1, "Hat": None},
        "b.png": {"age": -1, "left": 2, "Hat": None},
    }


def test_a_quoted_file_name_may_hold_a_comma(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text('file,Hat\n"a, b.png",1\n')
    assert read_attributes(file)[1] == {"a, b.png": {"Hat": 1}}


def test_names_match_by_path_first_and_by_the_last_part_else() -> None:
    table = {"one/a.png": 1, "a.png": 2}
    assert [lookup(table, n) for n in ("one/a.png", "two/a.png", "a.png", "b.png")] == [1, 2, 2, None]
    assert lookup({r"\udcff.jpg": 3}, "a/\udcff.jpg") == 3  # as 'facegan label' and datasets write bytes


BAD_ATTRIBUTES = {
    "file,Hat\n": "no line follows the header",
    "": "empty",
    "\n\n": "empty",
    "3\n": "names no attributes",
    "2\nSmiling Hat\n1.jpg 1 1\n2.jpg 1\n": "line 4 has 2 columns, the header 3",
    "Smiling Hat\n1.jpg 1 1\n2.jpg 1\n": "line 3 has 2 columns, the header 3",
    "Smiling Hat\n\n1.jpg 1 perhaps\n": "line 3: 'perhaps'",
    "a,b\n1,2\n": "no column is called",
    "file,Hat\n1.jpg,1\n2.jpg,1,1\n": "line 3 has 3 columns, the header 2",
    "file,Hat\n1.jpg,99999\n": "line 2: '99999'",
    "file,Hat\n1.jpg,0.5\n": "line 2: '0.5'",
    "file,Hat\n1.jpg,inf\n": "line 2: 'inf'",
    "file,Hat,Hat\n1.jpg,1,1\n": "one twice",
    "\0\1\2\n": "no line follows the header",
    "file," + "x" * 200_000 + "\n": "not readable as CSV",
}


@pytest.mark.parametrize("text", BAD_ATTRIBUTES, ids=lambda t: repr(t[:30]))
def test_bad_attribute_files_name_file_and_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "attributes.csv"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        read_attributes(file)
    message = str(caught.value)
    assert BAD_ATTRIBUTES[text] in message and f"--attributes {file}" in message and "\n" not in message


BAD_SPLITS = {
    "": "empty",
    "a.jpg train\nb.jpg\n": "line 2",
    "a.jpg train\n\nb.jpg train now\n": "line 3",
    "a.jpg holdout\n": "line 1",
}


@pytest.mark.parametrize("text", BAD_SPLITS, ids=repr)
def test_bad_split_files_name_file_and_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "split.txt"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        Splitter(str(file))
    message = str(caught.value)
    assert BAD_SPLITS[text] in message and str(file) in message and "\n" not in message


def test_missing_and_binary_files_are_named(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(bytes(range(256)))
    for file in (tmp_path / "missing", binary, tmp_path):
        for read, option in ((read_attributes, "--attributes"), (Splitter, "--split")):
            with pytest.raises(InputError, match=f"^{option} .*{file.name}"):
                read(str(file))


def test_split_lists_name_pictures(tmp_path: Path) -> None:
    file = tmp_path / "split.txt"
    file.write_text("a.jpg train\nb.jpg, valid\n\nc.jpg 2\none/d.jpg TEST\n")
    splitter = Splitter(str(file))
    names = ("a.jpg", "deep/b.jpg", "c.jpg", "one/d.jpg", "two/d.jpg", "e.jpg")
    assert [splitter(n, b"", "train") for n in names] == ["train", "val", "test", "test", None, None]


def digests(n: int) -> list[bytes]:
    return [hashlib.sha256(str(i).encode()).digest() for i in range(n)]


def test_shares_by_content_are_about_right_and_independent_of_other_pictures() -> None:
    both, test_only = Splitter("val=0.05,test=0.1"), Splitter(" test=0.05")
    splits = [both("x", d, "train") for d in digests(20_000)]
    # Binomial: three standard deviations are 3 * sqrt(20000 p (1 - p)) = 92 for p = 0.05, 127 for 0.1.
    assert abs(splits.count("val") - 1000) < 92 and abs(splits.count("test") - 2000) < 127
    assert [both("y", d, None) for d in digests(100)] == splits[:100]
    assert abs([test_only("x", d, "train") for d in digests(20_000)].count("test") - 1000) < 92
    assert {test_only("x", d, "val") for d in digests(2_000)} == {"val"}  # what its source holds out


def test_growing_a_share_moves_pictures_only_out_of_train() -> None:
    small, large = Splitter("test=0.05"), Splitter("test=0.1")
    pairs = {(small("x", d, None), large("x", d, None)) for d in digests(2_000)}
    assert pairs == {("train", "train"), ("train", "test"), ("test", "test")}


@pytest.mark.parametrize(
    "spec",
    ["test=1", "test=-0.1", "test=x", "val=0.5,test=0.5", "test=0.1,test=0.1", "train=0.9", "test=nan"],
)
def test_bad_shares_are_refused_in_one_line(spec: str) -> None:
    with pytest.raises(InputError, match="--split") as caught:
        Splitter(spec)
    assert "\n" not in str(caught.value)


def test_without_a_request_the_source_decides() -> None:
    splitter = Splitter("")
    assert [splitter("x", b"", own) for own in ("test", "val", None)] == ["test", "val", "train"]
