"""A dataset in other people's tools: the commands that docs and card show, and shards written again."""

from __future__ import annotations

import glob
import importlib
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sample_photos import OPTIONS, folder, run_without_facegan

from facegan.cli.main import main
from facegan.data import derive as rewriting
from facegan.data.dataset import Dataset
from facegan.data.prepare import prepare

ROOT = Path(__file__).resolve().parents[2]
EXPECTED = {"train": [0, 1, 4, 5, 8, 9], "val": [2, 6, 10], "test": [3, 7, 11]}
CLASSES = ["cat", "dog", 'it\'s: "a" fish, ü']


class WithPlaces(Dataset):
    """As if faces had been looked for."""

    def rows(self, *args: Any) -> Iterator[dict[str, Any]]:
        for i, row in enumerate(super().rows(*args)):
            yield {**row, "box": [1.0, 2.0, 3.0, 4.0], "landmarks": [float(i)] * 10}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures in three splits without faces, all attributes known."""
    at = tmp_path_factory.mktemp("plain")
    rows = "".join(f"{i:03d}.png,{i % 2}\n" for i in range(12))
    (at / "a.csv").write_text("file,Odd\n" + rows)
    names = "".join(f"{i:03d}.png {('train', 'train', 'val', 'test')[i % 4]}\n" for i in range(12))
    (at / "split.txt").write_text(names)
    prepare(folder(at / "photos", 12), at / "ds", attributes=at / "a.csv", split=at / "split.txt", **OPTIONS)
    return at / "ds"


@pytest.fixture(scope="module")
def made(plain: Path) -> Path:
    """The same in every kind of column: box, landmarks, classes with names, nulls, confidence. Its folder's
    name begins with a digit, and facegan's cache lies in it."""

    def edit(split: str, number: int, attributes: Any, confidence: Any) -> Any:
        label = number % 3 if number else None
        return {**attributes, "label": label}, {"Odd": 0.75 if number % 2 else None}

    more = {
        "class_names": {"label": CLASSES},
        "predicted": {"network": "n", "names": {"Odd": {"count": 6, "confidence": 0.75}}},
    }
    data = rewriting.rewrite(
        WithPlaces(plain), plain.parent / "3 faces-64", edit, names=("Odd", "label"), more=lambda: more
    )
    data.images()
    assert (data.path / ".cache").is_dir()
    return data.path


def commands(text: str) -> list[str]:
    """The lines of the blocks of Python, one command each."""
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if re.match(r"\w+\.\w+.*\)$", line)]


DOCUMENTED = [c for c in commands((ROOT / "docs/datasets.md").read_text()) if "my_faces" in c]


def module(name: str) -> Any:
    """An installed tool; Ray, which is large, need not be."""
    if name == "ray":
        pytest.importorskip("ray", reason="needs ray")
        sys.modules["ray"].init(
            num_cpus=2, include_dashboard=False, log_to_driver=False, ignore_reinit_error=True
        )
        return importlib.import_module("ray")
    importlib.import_module("pyarrow.dataset")
    return importlib.import_module(name)


def count(found: Any) -> int:
    """Rows of what a tool gives."""
    if isinstance(found, dict):
        return sum(map(len, found.values()))
    for name in ("count_rows", "count"):
        if type(found).__module__.partition(".")[0] in ("pyarrow", "ray") and hasattr(found, name):
            return int(getattr(found, name)())
    return len(found)


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")
    datasets.disable_progress_bars()


@pytest.mark.parametrize("command", DOCUMENTED)
def test_the_documented_commands_read_it(
    made: Path, command: str, offline: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "my_faces").symlink_to(made)
    monkeypatch.chdir(tmp_path)
    name = command.partition(".")[0]
    found = eval(command, {"glob": glob, name: module(name)})
    assert count(found) == (3 if "val" in command else 12)


def test_every_tool_is_documented() -> None:
    assert sorted(c.partition(".")[0] for c in DOCUMENTED) == sorted(
        2 * ["datasets", "duckdb", "pandas", "polars", "pyarrow", "ray"]
    )


def test_the_cards_commands_read_it(made: Path, offline: None) -> None:
    told = commands((made / "README.md").read_text(encoding="utf-8"))
    assert len(told) == 6
    for command in told:
        name = command.partition(".")[0]
        if name != "ray":
            found = eval(command.replace("FOLDER", str(made)), {"glob": glob, name: module(name)})
            assert count(found) == 6, command


def test_pandas_reads_every_column(made: Path) -> None:
    code = """
import io, json, pandas as pd
from PIL import Image
frame = pd.read_parquet(sys.argv[1])
shapes = {Image.open(io.BytesIO(image["bytes"])).size for image in frame["image"]}
label = [a["label"] for a in frame["attributes"]]
print(json.dumps([list(frame.columns), [i["path"] for i in frame["image"]], sorted(shapes),
    [int(a["Odd"]) for a in frame["attributes"]], [None if n is None or n != n else int(n) for n in label]]))
"""
    columns, paths, shapes, odd, label = json.loads(
        run_without_facegan(code, str(made / "data/train-00000-of-00001.parquet"))
    )
    assert columns == ["image", "source", "box", "landmarks", "attributes", "confidence"]
    assert paths == [f"{i:03d}.png" for i in EXPECTED["train"]] and shapes == [[28, 28]]
    assert odd == [i % 2 for i in EXPECTED["train"]] and label == [None, 1, 2, 0, 1, 2]


@pytest.mark.parametrize("how", ["folder", "files"])
def test_datasets_decodes_it(made: Path, tmp_path: Path, how: str) -> None:
    code = """
import json, os
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_CACHE"] = sys.argv[3]
from datasets import load_dataset
if sys.argv[2] == "folder":
    data = load_dataset(sys.argv[1])
else:
    data = {s: load_dataset("parquet", data_files=f"{sys.argv[1]}/data/{s}-*.parquet", split="train")
            for s in ("train", "val", "test")}
print(json.dumps({s: [[r["image"].size, r["image"].mode, r["attributes"], sum(r["image"].tobytes())]
    for r in data[s]] for s in data}))
"""
    found = json.loads(run_without_facegan(code, str(made), how, str(tmp_path / "cache")))
    ours = Dataset(made)
    for split, numbers in EXPECTED.items():
        images = ours.images(split)
        assert [row[:3] for row in found[split]] == [
            [[28, 28], "RGB", {"Odd": i % 2, "label": k % 3 if k else None}] for k, i in enumerate(numbers)
        ]
        assert [row[3] for row in found[split]] == [int(image.sum()) for image in images]


def load(path: Path) -> Any:
    import datasets

    return datasets.load_dataset(str(path))


def by_pandas(shard: Path) -> None:
    import pandas

    pandas.read_parquet(shard).to_parquet(shard)


def by_pyarrow(shard: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(pq.read_table(shard).replace_schema_metadata(None), shard)


def by_polars(shard: Path) -> None:
    import polars

    polars.read_parquet(shard).write_parquet(shard)


def by_duckdb(shard: Path) -> None:
    import duckdb

    new = shard.with_suffix(".new")
    duckdb.sql(f"COPY (FROM '{shard}') TO '{new}' (FORMAT parquet)")
    new.replace(shard)


def by_ray(shard: Path) -> None:
    module("ray").data.read_parquet(str(shard)).write_parquet(str(shard.with_suffix(".d")))
    (new,) = shard.with_suffix(".d").glob("*.parquet")
    new.replace(shard)
    shard.with_suffix(".d").rmdir()


@pytest.mark.parametrize("again", [by_pandas, by_pyarrow, by_polars, by_duckdb, by_ray])
def test_shards_that_others_write_again_decode_as_before(
    made: Path, tmp_path: Path, offline: None, again: Callable[[Path], None]
) -> None:
    import pyarrow.parquet as pq

    path = tmp_path / "ds"
    shutil.copytree(made, path, ignore=shutil.ignore_patterns(".cache"))
    for shard in path.glob("data/*.parquet"):
        again(shard)
        assert b"huggingface" not in (pq.read_schema(shard).metadata or {})
    before, after = load(made), load(path)
    assert list(after) == ["train", "val", "test"]
    assert after["train"].features == before["train"].features
    assert after["train"].features["attributes"]["label"].names == CLASSES
    for split in before:
        for one, other in zip(before[split], after[split], strict=True):
            np.testing.assert_array_equal(np.asarray(one.pop("image")), np.asarray(other.pop("image")))
            assert one == other
        np.testing.assert_array_equal(Dataset(path).attributes(split), Dataset(made).attributes(split))
        np.testing.assert_array_equal(Dataset(path).images(split), Dataset(made).images(split))


def test_fewer_rows_load_and_can_be_prepared_anew(made: Path, tmp_path: Path, offline: None) -> None:
    import pandas

    path = tmp_path / "ds"
    shutil.copytree(made, path, ignore=shutil.ignore_patterns(".cache"))
    for shard in path.glob("data/*.parquet"):
        pandas.read_parquet(shard)[1:].to_parquet(shard)
    assert {split: len(rows) for split, rows in load(path).items()} == {"train": 5, "val": 2, "test": 2}
    assert main(["prepare", str(path), "--out", str(tmp_path / "fewer"), "--crop", "none"]) == 0
    assert Dataset(tmp_path / "fewer").counts == {"train": 5, "val": 2, "test": 2}


@pytest.mark.parametrize("lost", ["", "README.md"])
def test_the_split_is_called_val_with_and_without_the_card(
    made: Path, tmp_path: Path, offline: None, lost: str
) -> None:
    path = tmp_path / "ds"
    shutil.copytree(made, path)
    if lost:
        (path / lost).unlink()
    assert set(load(path)) == {"train", "val", "test"}


@pytest.mark.parametrize("name", ["val", "validation", "valid", "Validation", "dev"])
def test_other_words_for_val_are_understood(
    plain: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = Dataset(plain)
    assert data.split(name) == "val" and len(data.shards(name)) == 1
    assert data.sources(name) == data.sources("val") and len(list(data.rows(name))) == 3
    for read in (data.images, data.attributes, lambda split: data.peek(8, split)):
        np.testing.assert_array_equal(read(name), read("val"))
    assert len(next(data.batches(name))) == 3
    assert not any(name in p.name for p in plain.rglob("*") if name != "val")
    assert main(["select", str(plain), "odd or not odd", "--split", name, "--out", str(tmp_path / "s")]) == 0
    assert Dataset(tmp_path / "s").counts == {"val": 3}
    assert main(["inspect", str(plain), "--split", name, "--to-npz", str(tmp_path / "a.npz")]) == 0
    photos = folder(tmp_path / "photos", 12)
    made = prepare(photos, tmp_path / "drawn", **{**OPTIONS, "split": f"{name}=0.5"})
    assert set(made.counts) == {"train", "val"}


def test_pytorchs_collation_takes_a_dataset_without_faces(plain: Path, offline: None) -> None:
    import torch

    rows = load(plain)["train"].with_format("torch")
    assert list(rows.features) == ["image", "source", "attributes"]
    batches = list(torch.utils.data.DataLoader(rows, batch_size=3))
    assert [batch["image"].shape for batch in batches] == [(3, 3, 28, 28)] * 2
    assert torch.cat([batch["attributes"]["Odd"] for batch in batches]).tolist() == [
        i % 2 for i in EXPECTED["train"]
    ]


def test_columns_that_are_null_throughout_are_left_out(plain: Path, made: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    places = ["box", "landmarks"]
    for path, there in ((plain, []), (made, places)):
        for split in EXPECTED:
            assert pq.read_schema(Dataset(path).shards(split)[0]).names[2 : 2 + len(there)] == there
        row = next(Dataset(path).rows())  # always there for who reads them by us
        assert [row[name] is not None for name in places] == [bool(there)] * 2
        assert list(next(Dataset(path).rows("val", ["box"]))) == ["box"]
        assert all((f"`{name}`" in (path / "README.md").read_text()) == bool(there) for name in places)
    # A confidence that no chosen row has goes, too, and the schema is the same in every split.
    kept = rewriting.select(Dataset(made), "odd or not odd", tmp_path / "all").dataset
    assert pq.read_schema(kept.shards()[0]).names == [
        "image",
        "source",
        *places,
        "attributes",
        "confidence",
    ]
    sure = rewriting.select(
        Dataset(made), "label = 0", tmp_path / "cats", split="train"
    ).dataset  # numbers 3, without a confidence of its own but for odd ones
    assert sure.counts == {"train": 1}


def test_a_dataset_of_the_first_layout_loads(plain: Path, tmp_path: Path, offline: None) -> None:
    """Its shards had box and landmarks, null throughout, int16, and the card no ``dataset_info``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "ds"
    shutil.copytree(plain, path, ignore=shutil.ignore_patterns(".cache"))
    value = {"feature": {"dtype": "float32", "_type": "Value"}, "_type": "Sequence"}
    for shard in path.glob("data/*.parquet"):
        table = pq.read_table(shard)
        nulls = pa.nulls(len(table), pa.list_(pa.float32()))
        odd = table["attributes"].combine_chunks().field("Odd").cast(pa.int16())
        table = table.drop_columns("attributes").append_column("box", nulls)
        table = table.append_column("landmarks", nulls)
        table = table.append_column("attributes", pa.StructArray.from_arrays([odd], ["Odd"]))
        features = {
            "image": {"_type": "Image"},
            "source": {"dtype": "string", "_type": "Value"},
            "box": value,
            "landmarks": value,
            "attributes": {"Odd": {"dtype": "int16", "_type": "Value"}},
        }
        told = {"huggingface": json.dumps({"info": {"features": features}})}
        pq.write_table(table.replace_schema_metadata(told), shard)
    card = (path / "README.md").read_text()
    (path / "README.md").write_text(re.sub(r"dataset_info:\n(  .*\n)*", "", card))
    info = json.loads((path / "dataset.json").read_text())
    for name in ("places", "class_names"):
        info.pop(name)
    (path / "dataset.json").write_text(json.dumps(info))
    assert "dataset_info" not in (path / "README.md").read_text()
    found = load(path)
    assert {s: [r["attributes"]["Odd"] for r in found[s]] for s in found} == {
        s: [i % 2 for i in numbers] for s, numbers in EXPECTED.items()
    }
    ours, now = Dataset(path), Dataset(plain)
    np.testing.assert_array_equal(ours.images("val"), now.images("val"))
    np.testing.assert_array_equal(ours.attributes(), now.attributes())
    again = rewriting.select(ours, "odd or not odd", tmp_path / "again").dataset
    assert again.content_hash == now.content_hash
    assert pq.read_schema(again.shards()[0]).names == ["image", "source", "attributes"]


def test_the_upload_leaves_the_caches_out(made: Path) -> None:
    from huggingface_hub import HfApi

    (call,) = re.findall(r"upload_folder\((.*?)\n\)", (ROOT / "docs/datasets.md").read_text(), re.DOTALL)
    options = eval(f"dict({call})")
    assert set(options) <= set(HfApi.upload_folder.__annotations__)
    from huggingface_hub.utils import filter_repo_objects

    names = [p.relative_to(made).as_posix() for p in made.rglob("*") if p.is_file()]
    sent = set(filter_repo_objects(names, ignore_patterns=options["ignore_patterns"]))
    assert sent == {n for n in names if not n.startswith(".cache")}
    assert len(sent) == 6 < len(names)
