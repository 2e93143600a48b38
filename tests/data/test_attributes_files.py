"""Files that come beside photos: attributes in CelebA's layout or as CSV, split lists, split shares."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from facegan.data.attribute_columns import note_lines
from facegan.data.attribute_tables import AttributeTable, Splitter, attribute_files, read_attributes
from facegan.errors import InputError

CELEBA = "Smiling 5_o_Clock_Shadow\n1.jpg  1 -1\n2.jpg -1  1\n"
EXPECTED = {
    "1.jpg": {"Smiling": 1, "5_o_Clock_Shadow": 0},
    "2.jpg": {"Smiling": 0, "5_o_Clock_Shadow": 1},
}
CSV = "file,Smiling,5_o_Clock_Shadow\n1.jpg,1,0\n2.jpg,0,1\n"
LAYOUTS: dict[str, str | bytes] = {
    "CelebA": "2\n" + CELEBA,
    "CelebA without count": CELEBA,
    "CelebA with Windows line ends and blank lines": ("2\n" + CELEBA).replace("\n", "\r\n\r\n"),
    "CSV of 1 and -1": "image_id,Smiling,5_o_Clock_Shadow\n1.jpg,1,-1\n2.jpg,-1,1\n",
    "CSV with byte order mark, quotes": '\ufefffilename,Smiling,5_o_Clock_Shadow\n"1.jpg",1,0\n2.jpg,0,1\n',
    "tabs": CSV.replace(",", "\t"),
    "semicolons": CSV.replace(",", ";"),
    "bars": CSV.replace(",", "|"),
    "Excel's sep line": "sep=;\n" + CSV.replace(",", ";"),
    "UTF-16 with its mark": CSV.encode("utf-16"),
    "UTF-16 without": CSV.encode("utf-16-le"),
    "old Macs": CSV.replace("\n", "\r"),
    "blanks around cells": CSV.replace(",", " , "),
    "cells too many, all empty": CSV.replace("\n", ",,\n").replace("Shadow,,", "Shadow"),
    "quoted line ends": 'file,note,Smiling,5_o_Clock_Shadow\n1.jpg,"a\nb",1,0\n2.jpg,"c, ""d""\n",0,1\n',
    "no name of its own": CSV.replace("file", "key"),
    "told by what it holds": CSV.replace("file", "Bild"),
    "JSON": '[{"file": "1.jpg", "Smiling": true, "5_o_Clock_Shadow": 0},'
    ' {"file": "2.jpg", "5_o_Clock_Shadow": true, "Smiling": 0}]',
    "JSON lines": '{"file": "1.jpg", "Smiling": 1, "5_o_Clock_Shadow": 0}\n'
    '{"file": "2.jpg", "Smiling": 0, "5_o_Clock_Shadow": 1}\n',
    "JSON by name": '{"1.jpg": {"Smiling": 1, "5_o_Clock_Shadow": 0},'
    ' "2.jpg": {"Smiling": 0, "5_o_Clock_Shadow": 1}}',
    "JSON of pandas": '{"file": {"0": "1.jpg", "1": "2.jpg"}, "Smiling": {"0": 1, "1": 0},'
    ' "5_o_Clock_Shadow": {"0": 0, "1": 1}}',
    "a comment before": "# made by hand\n\n" + CSV,
    "a header that begins with #": "# " + CSV,
    "a quoted header of two lines": CSV.replace("file", '"file\nname"'),
    "packed by gzip": gzip.compress(CSV.encode()),
    "packed by bzip2": bz2.compress(CSV.encode()),
    "packed by xz": lzma.compress(CSV.encode()),
    "packed by zstd": zstandard.compress(CSV.encode()),
}


def written(folder: Path, content: str | bytes, name: str = "attributes.csv") -> Path:
    file = folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def by_name(table: AttributeTable) -> dict[str, dict[str, Any]]:
    return {name: table.values(i) for i, name in enumerate(table.pictures)}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_say_the_same(tmp_path: Path, layout: str) -> None:
    found = by_name(read_attributes(written(tmp_path, LAYOUTS[layout])))
    assert {name: {n: v for n, v in row.items() if n != "note"} for name, row in found.items()} == EXPECTED


def test_parquet_is_a_table_as_well(tmp_path: Path) -> None:
    rows = [{"file": n, **values, "box": [1, 2], "__index_level_0__": 4} for n, values in EXPECTED.items()]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    table = read_attributes(tmp_path / "a.parquet")
    assert table.names == ["Smiling", "5_o_Clock_Shadow", "__index_level_0__"]  # which is left out later
    assert [table.rows[0][:2], table.rows[1][:2]] == [(1, 0), (0, 1)]
    assert table.notes == ["column 'box' left out: it holds values of the type list"]


def test_names_of_several_words_stand_between_blanks(tmp_path: Path) -> None:
    table = read_attributes(written(tmp_path, "Hat Tie\nmy photo 1.jpg 1 0\n2.jpg 0 1\n3.jpg 1 1 1\n"))
    assert table.pictures == ["my photo 1.jpg", "2.jpg"] and table.rows == [(1, 0), (0, 1)]
    assert len(table.notes) == 1 and "line 4" in table.notes[0]


def test_a_column_of_pictures_is_that_of_names_even_beside_one_called_name(tmp_path: Path) -> None:
    table = read_attributes(written(tmp_path, "name,subDirectory_filePath\nAnn,a/1.jpg\nBob,b/2.jpg\n"))
    assert by_name(table) == {"a/1.jpg": {"name": "Ann"}, "b/2.jpg": {"name": "Bob"}}


def test_windows_1252_is_read_and_told(tmp_path: Path) -> None:
    table = read_attributes(written(tmp_path, "file,Name\nZoë.jpg,Müller\n".encode("cp1252")))
    assert by_name(table) == {"Zoë.jpg": {"Name": "Müller"}} and table.notes == ["it is read as Windows-1252"]


def test_values_are_numbers_texts_or_unknown(tmp_path: Path) -> None:
    text = 'file,age,left,Hat,score\na.png,31,-1,,0.5\nb.png,3-9,2.0,nan,-1e-2\n"a, c.png",x,0,None,1\n'
    table = read_attributes(written(tmp_path, text))
    assert by_name(table) == {
        "a.png": {"age": 31, "left": -1, "Hat": None, "score": 0.5},
        "b.png": {"age": "3-9", "left": 2, "Hat": None, "score": -0.01},
        "a, c.png": {"age": "x", "left": 0, "Hat": None, "score": 1},
    }


def test_decimal_commas_stand_between_semicolons(tmp_path: Path) -> None:
    table = read_attributes(written(tmp_path, "file;score;name\na.png;0,25;a,b\n"))
    assert by_name(table) == {"a.png": {"score": 0.25, "name": "a,b"}}


NOTED = {
    "file,Hat\n1.jpg,1\n2.jpg,1,1\n3.jpg,0": "1 line left out that does not have the header's 2 cells",
    "2\nHat Tie\n1.jpg 1 1\n2.jpg 1\n3.jpg 1 0\n": "the header's 3 cells (line 4)",
    "file,Hat,Hat\n1.jpg,1,0\n": "a second column 'Hat' left out",
    "1.jpg,0\n2.jpg,1\n": "it has no header; its columns are called file, column2",
    "a.jpg 5\nb.jpg 7\n": "it has no header; its columns are called file, column2",
    "file,Hat\n1.jpg,1\n1.jpg,0\n2.jpg,0\n": "1 name (such as '1.jpg') comes again with other values:",
    '{"file": "1.jpg", "Hat": 1}\n{"file": "2.jpg"}\n{"file"': "1 line left out that cannot be read (line 3",
    "file,Hat\n1.jpg,1\n,0\n": "1 line without a name left out",
    "file,split\n1.jpg,train\n2.jpg,fold3\n": "column 'split' is an attribute: 'fold3' is no split",
    "file,partition\n1.jpg,0\n2.jpg,2\n": "column 'partition' says which pictures are for train",
}


@pytest.mark.parametrize("text", NOTED, ids=repr)
def test_what_is_amiss_is_told_and_the_rest_is_read(tmp_path: Path, text: str) -> None:
    table = read_attributes(written(tmp_path, text))
    assert "1.jpg" in table.pictures or "a.jpg" in table.pictures
    assert len(table.notes) == 1 and NOTED[text] in table.notes[0]


def test_the_last_of_differing_lines_counts_and_equal_ones_are_no_matter(tmp_path: Path) -> None:
    differing = read_attributes(written(tmp_path, "file,Hat\n1.jpg,1\n2.jpg,1\n1.jpg,0\n"))
    assert by_name(differing) == {"1.jpg": {"Hat": 0}, "2.jpg": {"Hat": 1}} and differing.notes
    assert not read_attributes(written(tmp_path, "file,Hat\n1.jpg,1\n2.jpg,0\n1.jpg,1\n")).notes


BAD_ATTRIBUTES: dict[str | bytes, str] = {
    "file,Hat\n": "no line follows the header",
    "": "empty",
    "\n\n": "empty",
    "3\n": "names no attributes",
    "file\n1.jpg\n": "names no attributes",
    "2\nSmiling Hat\n1.jpg 1 1\n2.jpg 1\n3.jpg 1\n": "line 4 has 2 columns, the header 3",
    "a,b\n1,2\n": "no column is called file or filename or file_name, and none holds names of pictures",
    "file,Hat\n1.jpg\n2.jpg,1,1\n": "line 2 has 1 columns, the header 2",
    "\0\1\2\n": "not readable as text",
    "file," + "x" * 200_000 + "\n": "not readable as CSV",
    b"PK\x03\x04": "a zip archive; save the table as CSV",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an old Excel workbook",
    b"\x1f\x8b\x08": "not readable as text",
    b"PAR1": "not a readable Parquet file",
    "[1, 2]": "JSON, but no list of objects",
    '{"images": [{"file_name": "a.jpg"}], "annotations": []}': "JSON, but no list of objects",
    '{"file": "a.jpg", "Hat": 1}\n{"file": "b.j': "not readable as JSON",
    "[" * 100_000: "not readable as JSON",
}


@pytest.mark.parametrize("text", BAD_ATTRIBUTES, ids=lambda t: repr(t[:30]))
def test_bad_attribute_files_name_file_and_line(tmp_path: Path, text: str | bytes) -> None:
    file = written(tmp_path, text)
    with pytest.raises(InputError) as caught:
        read_attributes(file)
    message = str(caught.value)
    assert BAD_ATTRIBUTES[text] in message and f"--attributes {file}" in message and "\n" not in message


@pytest.mark.parametrize("member, kind", [("xl/workbook.xml", "an Excel"), ("mimetype", "a document of")])
def test_workbooks_are_told_from_tables(tmp_path: Path, member: str, kind: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as book:
        book.writestr(member, "x")
    for read in (read_attributes, Splitter):
        with pytest.raises(InputError, match=f"{kind}.*save the table as CSV"):
            read(str(tmp_path / "a.xlsx"))


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
    file = written(tmp_path, "a.jpg train\nb.jpg, valid\n\nc.jpg 2\none/d.jpg TEST\nx;val\n")
    splitter = Splitter(str(file))
    names = ("A.png", "deep/b.jpg", "c.jpg", "one/d.jpg", "two/d.jpg", "d.jpg", "e.jpg", "x.jpg")
    expected = ["train", "val", "test", "test", None, "test", None, "val"]
    assert [splitter(n, b"", "train") for n in names] == expected


@pytest.mark.parametrize(
    "text",
    [
        "000001.jpg 0\n000002.jpg 1\n000003.jpg 2\n",  # CelebA's list_eval_partition.txt
        "image_id,partition\n000001.jpg,0\n000002.jpg,1\n000003.jpg,2\n",  # Kaggle's
        "image_id,Smiling,partition\n000001.jpg,-1,0\n000002.jpg,1,1\n000003.jpg,1,2\n",
        "image_id\tsplit\n000001.jpg\ttrain\n000002.jpg\tvalid\n000003.jpg\ttest\n",
    ],
    ids=repr,
)
def test_split_lists_as_others_write_them(tmp_path: Path, text: str) -> None:
    splitter = Splitter(str(written(tmp_path, text)))
    assert [splitter(f"00000{i}.jpg", b"", None) for i in (1, 2, 3, 4)] == ["train", "val", "test", None]


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


def test_damaged_tables_are_read_or_refused_in_one_line(tmp_path: Path) -> None:
    """Whatever the bytes: never anything but an InputError."""
    draw = np.random.default_rng(0)
    whole = [content if isinstance(content, bytes) else content.encode() for content in LAYOUTS.values()]
    pq.write_table(pa.table({"file": ["1.jpg"] * 50, "a": [1] * 50}), tmp_path / "p")
    whole += [(tmp_path / "p").read_bytes(), b"[1, [2]]", b'{"a": {"b": [1]}}', b'{"labels": [1, [2, 3]]}']
    refused = 0
    for i in range(400):
        content = bytearray(whole[i % len(whole)])
        for at in draw.integers(0, len(content), draw.integers(1, 6)):
            content[at] = draw.choice([*b'\0\n\t",;|{}[]\xff9-', int(draw.integers(0, 256))])
        content = content[: draw.integers(1, len(content) + 1)] if i % 3 == 0 else content
        for read in (read_attributes, Splitter):
            try:
                found = read(str(written(tmp_path, bytes(content), "damaged")))
                if isinstance(found, AttributeTable):
                    assert all("\n" not in line for line in note_lines(found.columns().rules()))
            except InputError as error:
                refused += 1
                assert "\n" not in str(error)
    assert 100 < refused < 800


def test_several_tables_are_one(tmp_path: Path) -> None:
    parts = {
        "a/t.csv": "file,hat,hat\n1.jpg,1,0\n2.jpg,,1\n",
        "b/t.csv": "mood,file\nglad,2.jpg\nsad,3.jpg\n",
        "s.csv": "image_id,partition,hat\n1.jpg,0,0\n3.jpg,2,1\n",
    }
    for name, text in parts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    table = read_attributes(",".join(str(tmp_path / name) for name in parts))
    assert by_name(table) == {
        "1.jpg": {"hat": 0, "mood": None},
        "2.jpg": {"hat": None, "mood": "glad"},
        "3.jpg": {"hat": 1, "mood": "sad"},
    }
    assert table.splits == ["train", None, "test"]
    assert [note for note in table.notes if "partition" not in note] == [
        "t.csv: a second column 'hat' left out",
        "1 name in s.csv comes again with other values, which count",
    ]


def test_a_name_with_a_comma_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "a,b.csv").write_text("file,hat\n1.jpg,1\n")
    assert attribute_files(tmp_path / "a,b.csv") == [str(tmp_path / "a,b.csv")]
    assert by_name(read_attributes(tmp_path / "a,b.csv")) == {"1.jpg": {"hat": 1}}
    with pytest.raises(InputError, match="there is no such file"):
        read_attributes(f"{tmp_path / 'a,b.csv'},nope.csv")
