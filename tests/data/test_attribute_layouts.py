"""Pictures with the tables that come with known datasets, from files to a dataset that one trains with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facegan.cli.prepare import report
from facegan.data.dataset import Dataset, conditions
from facegan.data.derive import select
from facegan.data.inspection import describe
from facegan.data.prepare import prepare
from facegan.errors import ConfigError, InputError
from facegan.generator import Conditions

OPTIONS: dict[str, Any] = {"crop": "none", "size": 28, "workers": 1}
N = 12


def photos(folder: Path, names: list[str]) -> Path:
    """Pictures of different contents under these names."""
    for i, name in enumerate(names):
        dots = np.random.default_rng(hash_of(folder.name) + i).integers(0, 256, (6, 6, 3), np.uint8)
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(dots).resize((28, 28), Image.Resampling.BICUBIC).save(file)
    return folder


def hash_of(text: str) -> int:
    return sum(map(ord, text)) * 1000


def celeba(folder: Path) -> Path:
    return photos(folder / "img_align_celeba", [f"{i:06d}.png" for i in range(1, N + 1)])


def values(data: Dataset, name: str, split: str = "train") -> list[int]:
    return data.attributes(split)[:, data.attribute_names.index(name)].tolist()


def table(tmp_path: Path, text: str, name: str = "table.csv") -> Path:
    (tmp_path / name).write_text(text)
    return tmp_path / name


def test_celeba_as_its_authors_write_it(tmp_path: Path) -> None:
    """list_attr_celeba.txt names .jpg files, the pictures are its .png ones; the split list has numbers."""
    lines = [f"{i:06d}.jpg  {1 if i % 3 else -1} -1\n" for i in range(1, N + 1)]
    attributes = table(tmp_path, f"{N}\nSmiling Bald \n" + "".join(lines), "list_attr_celeba.txt")
    parts = [f"{i:06d}.jpg {0 if i < 9 else 1 if i < 11 else 2}\n" for i in range(1, N + 1)]
    split = table(tmp_path, "".join(parts), "list_eval_partition.txt")
    made = prepare(celeba(tmp_path), tmp_path / "ds", attributes=attributes, split=split, **OPTIONS)
    assert made.counts == {"train": 8, "val": 2, "test": 2}
    assert values(made, "Smiling") == [1, 1, 0, 1, 1, 0, 1, 1] and values(made, "Bald") == [0] * 8
    text = report(made)
    assert "2 yes/no attributes (share of yes): Smiling 67%, Bald always no" in text
    for name in ("list_attr_celeba.txt", "list_eval_partition.txt"):
        assert f"{name}: 12 of 12 pictures found, of them 12 without the suffix" in text


KAGGLE = {
    "list_attr_celeba.csv": ("image_id,Smiling,Male", "{n},{s},1", {"Smiling": [0, 1] * 6, "Male": [1] * N}),
    "list_bbox_celeba.csv": ("image_id,x_1,y_1,width,height", "{n},95,{i},226,{i}", {}),
    "list_landmarks_align_celeba.csv": (
        "image_id,lefteye_x,lefteye_y,nose_x,nose_y,Male",
        "{n},69,109,{i},111,1",
        {"Male": [1] * N},
    ),
}


@pytest.mark.parametrize("name", KAGGLE)
def test_celeba_as_kaggle_has_it(tmp_path: Path, name: str) -> None:
    header, line, expected = KAGGLE[name]
    rows = [line.format(n=f"{i + 1:06d}.png", s=1 if i % 2 else -1, i=i) for i in range(N)]
    file = table(tmp_path, "\n".join([header, *rows]), name)
    made = prepare(celeba(tmp_path), tmp_path / "ds", attributes=file, **OPTIONS)
    assert {n: values(made, n) for n in made.attribute_names} == expected
    left_out = f"{header.split(',')[1]}" not in expected
    assert ("left out: coordinates of boxes or landmarks are no attributes" in report(made)) == left_out


@pytest.mark.parametrize("option", ["attributes", "split"])
def test_kaggles_partition_of_celeba_is_a_split(tmp_path: Path, option: str) -> None:
    rows = [f"{i + 1:06d}.png,{i % 3}\n" for i in range(N)]
    file = table(tmp_path, "image_id,partition\n" + "".join(rows), "list_eval_partition.csv")
    made = prepare(celeba(tmp_path), tmp_path / "ds", **{option: file}, **OPTIONS)
    assert made.counts == {"train": 4, "val": 4, "test": 4} and not made.attribute_names
    assert "list_eval_partition.csv: 12 of 12 pictures found" in report(made)


def fairface(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders whose files have the same names, and the table of one of them."""
    folder = photos(
        tmp_path / "fairface", [f"{s}/{i}.png" for s in ("train", "val") for i in range(1, N + 1)]
    )
    races, ages = ["White", "Black", "East Asian"], ["3-9", "20-29", "more than 70"]
    rows = [
        f"{s}/{i}.png,{ages[i % 3]},{('Male', 'Female')[i % 2]},{races[i // 5]},{i % 2 == 0}\n"
        for s in ("train", "val")
        for i in range(1, N + 1)
    ]
    return folder, table(tmp_path, "file,age,gender,race,service_test\n" + "".join(rows), "labels.csv")


def test_fairface_has_classes_with_names(tmp_path: Path) -> None:
    folder, file = fairface(tmp_path)
    made = prepare(folder / "train", tmp_path / "ds", attributes=file, **OPTIONS)
    assert made.class_names == {
        "age": ["3-9", "20-29", "more than 70"],
        "gender": ["Female", "Male"],
        "race": ["Black", "East Asian", "White"],
    }
    order = sorted(range(1, N + 1), key=str)  # as folders are read
    assert values(made, "age") == [i % 3 for i in order]
    assert values(made, "race") == [(2, 0, 1)[i // 5] for i in order]
    assert values(made, "service_test") == [int(i % 2 == 0) for i in order]
    inspected = describe(made, 0)
    assert "gender                 2 classes (Female 50%, Male 50%)" in inspected
    assert "race                   3 classes (Black 42%, East Asian 25%, White 33%)" in inspected
    labels, channels = conditions(made, ["race", "service_test"])
    assert labels == ("race=Black", "race=East Asian", "race=White", "service_test")
    assert channels.sum(1).tolist() == [1 + int(i % 2 == 0) for i in order]
    told = Conditions(labels, {}).parse(["race=east asian", "service_test=1"])  # as --labels has it
    assert told == {0: 0.0, 1: 1.0, 2: 0.0, 3: 1.0}
    chosen = select(made, "race == east asian and gender == Male", tmp_path / "few").dataset
    assert sum(chosen.counts.values()) == 2 and chosen.class_names == made.class_names
    assert chosen.info["attributes"][2] == {
        "name": "race",
        "known": 2,
        "kind": "classes",
        "counts": {"East Asian": 2},
    }
    with pytest.raises(InputError, match="'race' has no class 'Martian'"):
        select(made, "race == Martian", tmp_path / "none")
    with pytest.raises(ConfigError, match="race: it is East Asian in all pictures"):
        conditions(chosen, ["race"])


def test_pictures_of_another_folder_are_not_described_by_the_names_of_one(tmp_path: Path) -> None:
    folder, file = fairface(tmp_path)
    lines = file.read_text().splitlines(keepends=True)
    train = table(tmp_path, "".join(line for line in lines if not line.startswith("val")), "train.csv")
    made = prepare(folder, tmp_path / "ds", attributes=train, **OPTIONS)
    held = np.concatenate([made.attributes(s)[:, 0] for s in made.counts if s != "train"] or [np.array([])])
    known = sum(e["known"] for e in made.info["attributes"] if e["name"] == "age")
    assert known == N and "train.csv: 12 of 24 pictures found; not found: val/1.png" in report(made)
    assert not len(held) or (held == -1).all()


@pytest.mark.parametrize(
    "where, count",
    [
        ("race == White", 4),
        ("age == 3-9 and not service_test", 2),
        ("race != white", 8),
        ("gender == male", 6),
    ],
)
def test_prepare_chooses_by_text_before_the_classes_are_known(tmp_path: Path, where: str, count: int) -> None:
    folder, file = fairface(tmp_path)
    made = prepare(folder / "train", tmp_path / "ds", attributes=file, where=where, **OPTIONS)
    assert sum(made.counts.values()) == count
    assert made.class_names["race"] == ["Black", "East Asian", "White"]  # as with all pictures


def test_what_no_picture_is_says_what_they_are(tmp_path: Path) -> None:
    folder, file = fairface(tmp_path)
    with pytest.raises(InputError, match=r"none of 12 files fits --where \(race: Black, East Asian, White\)"):
        prepare(folder / "train", tmp_path / "ds", attributes=file, where="race == Martian", **OPTIONS)


def test_a_limit_does_not_change_the_classes(tmp_path: Path) -> None:
    folder, file = fairface(tmp_path)
    made = prepare(folder / "train", tmp_path / "ds", attributes=file, limit=3, **OPTIONS)
    assert made.class_names["race"] == ["Black", "East Asian", "White"]
    poses = table(
        tmp_path, "file,pose\n" + "".join(f"{i}.png,{i % 3 - 1}\n" for i in range(1, 13)), "poses.csv"
    )
    few = prepare(folder / "train", tmp_path / "few", attributes=poses, limit=1, **OPTIONS)
    assert few.class_names == {"pose": ["-1", "0", "1"]} and values(few, "pose") == [1]


def test_ambiguous_names_are_told_and_not_used(tmp_path: Path) -> None:
    folder = photos(tmp_path / "p", ["x/1.png", "y/1.png", "x/2.png", "3.png"])
    file = table(tmp_path, "file,Hat\n1.png,1\n2.jpg,1\n3.png,1\na/3.PNG,0\n")
    made = prepare(folder, tmp_path / "ds", attributes=file, **OPTIONS)
    names = [s.rpartition("/p/")[2] for s in made.sources()]
    assert dict(zip(names, values(made, "Hat"), strict=True)) == {
        "x/1.png": -1,
        "y/1.png": -1,
        "x/2.png": 1,
        "3.png": 1,
    }
    assert "1 line fits several pictures (such as 'x/1.png' and 'y/1.png')" in report(made)


def test_minus_one_is_a_class_that_one_trains_with(tmp_path: Path) -> None:
    folder = photos(tmp_path / "p", [f"{i}.png" for i in range(6)])
    file = table(tmp_path, "file,pose\n" + "".join(f"{i}.png,{i % 3 - 1}\n" for i in range(6)))
    made = prepare(folder, tmp_path / "ds", attributes=file, **OPTIONS)
    assert values(made, "pose") == [0, 1, 2, 0, 1, 2]
    labels, channels = conditions(made, ["pose"])
    assert labels == ("pose=-1", "pose=0", "pose=1") and (channels.sum(1) == 1).all()
    assert [
        select(made, f"pose {c}", tmp_path / f"d{i}").dataset.counts["train"]
        for i, c in enumerate(("== -1", ">= 0", "!= 0"))
    ] == [2, 4, 4]
    again = prepare(made.path, tmp_path / "again", **OPTIONS)
    assert values(again, "pose") == values(made, "pose") and again.class_names == made.class_names
    assert again.content_hash == made.content_hash


def test_ids_beyond_16_bits_are_kept(tmp_path: Path) -> None:
    folder = photos(tmp_path / "p", [f"{i}.png" for i in range(4)])
    file = table(tmp_path, "file,id\n" + "".join(f"{i}.png,{32766 + i}\n" for i in range(4)))
    made = prepare(folder, tmp_path / "ds", attributes=file, **OPTIONS)
    assert values(made, "id") == [32766, 32767, 32768, 32769]


def test_a_split_list_that_is_unclear_leaves_pictures_out_with_a_reason(tmp_path: Path) -> None:
    folder = photos(tmp_path / "p", ["1.png", "2.png", "3.png", "4.png"])
    file = table(tmp_path, "a/1.png train\nb/1.png test\na/2.png val\nb/2.png val\n3.png test\n", "list.txt")
    made = prepare(folder, tmp_path / "ds", split=file, **OPTIONS)
    assert made.counts == {"val": 1, "test": 1}  # both lines of 2.png say the same
    assert sorted(r["reason"] for r in made.info["rejects"]) == [
        "not named by the split file",
        "several lines of the split file fit",
    ]
    text = report(made)
    assert "list.txt: 2 of 4 pictures found, of them 1 by the end of the path; not found: 4.png" in text
    assert "list.txt: 1 picture (such as '1.png') counts as not found" in text


@pytest.mark.parametrize(
    "option, text", [("split", "x/9.png train\n"), ("attributes", "file,Hat\nx/9.png,1\n")]
)
def test_a_file_of_other_pictures_is_the_end_and_says_which(tmp_path: Path, option: str, text: str) -> None:
    folder, file = photos(tmp_path / "p", ["1.png", "2.png"]), table(tmp_path, text)
    with pytest.raises(InputError, match=r"none of 2 files \(it names 'x/9.png', they are '1.png, 2.png'"):
        prepare(folder, tmp_path / "ds", **{option: file}, **OPTIONS)
    assert not (tmp_path / "ds").exists()
