"""Attributes that a network sees: what it may fill in, how sure it is, and that others can read it."""

from __future__ import annotations

import csv
import io
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import facegan
from facegan.attributes.labelling import label_dataset, label_photos, what_helps
from facegan.cli.main import main
from facegan.data.dataset import Dataset
from facegan.data.derive import select
from facegan.data.prepare import prepare
from facegan.errors import InputError
from facegan.images import save_png


@pytest.fixture(scope="module")
def bare(portraits, tmp_path_factory):
    """The portraits without their attributes, but for one column that is partly known."""
    at = tmp_path_factory.mktemp("bare")
    for i, picture in enumerate(portraits.images("train")[:30]):
        save_png(at / f"photos/{i:03d}.png", picture)
    name = portraits.attribute_names[0]
    known = "".join(f"{i:03d}.png,{i % 2 if i < 10 else ''}\n" for i in range(30))
    (at / "a.csv").write_text(f"file,{name}\n{known}")
    return prepare(at / "photos", at / "ds", crop="none", size=32, workers=1, attributes=at / "a.csv")


def test_unknown_values_are_filled_and_known_ones_stay(bare, predictor, tmp_path):
    made, done = label_dataset(bare, tmp_path / "out", predictor, network="tiny")
    p = predictor.predict(bare.images("train"))
    table = made.attributes("train")
    name = bare.attribute_names[0]
    assert made.attribute_names[0] == name and set(made.attribute_names) == set(predictor.names)
    for k, attribute in enumerate(made.attribute_names):
        column = predictor.column(attribute)
        expected = (p[:, column] > 0.5).astype(int)
        if attribute == name:
            expected[:10] = np.arange(10) % 2
        np.testing.assert_array_equal(table[:, k], expected)
    rows = list(made.rows("train"))
    assert [r["confidence"][name] for r in rows[:10]] == [None] * 10
    certain = np.maximum(p, 1 - p)[:, predictor.column(name)]
    np.testing.assert_allclose([r["confidence"][name] for r in rows[10:]], certain[10:], rtol=1e-5)
    assert made.info["predicted"]["network"] == "tiny"
    sums = made.info["predicted"]["names"][name]
    assert sums == {"count": 20, "confidence": pytest.approx(certain[10:].mean(), rel=1e-5)}
    assert done.count == 30 and done.names[name]["count"] == 20
    np.testing.assert_array_equal(made.images("train"), bare.images("train"))
    assert made.content_hash != bare.content_hash


def test_only_sure_answers(bare, predictor, tmp_path):
    made, _ = label_dataset(bare, tmp_path / "out", predictor, network="tiny", min_confidence=0.9)
    p = predictor.predict(bare.images("train"))
    sure = np.maximum(p, 1 - p) >= 0.9
    table = made.attributes("train")
    for attribute in made.attribute_names[1:]:
        k, column = made.attribute_names.index(attribute), predictor.column(attribute)
        np.testing.assert_array_equal(table[:, k] >= 0, sure[:, column])
    assert 0 < sure.mean() < 1


def test_again_with_overwrite(bare, predictor, tmp_path):
    made, _ = label_dataset(bare, tmp_path / "out", predictor, network="tiny", overwrite=True)
    p = predictor.predict(bare.images("train"))[:, predictor.column(bare.attribute_names[0])]
    np.testing.assert_array_equal(made.attributes("train")[:, 0], p > 0.5)


def test_then_select_and_inspect(bare, predictor, tmp_path, capsys):
    made, _ = label_dataset(bare, tmp_path / "out", predictor, network="tiny")
    name = bare.attribute_names[0]
    done = select(made, f"{name} or not {name}", tmp_path / "sure", min_confidence=0.7)
    certain = [r["confidence"][name] for r in made.rows("train")]
    assert done.unknown == sum(c is not None and c < 0.7 for c in certain) > 0
    assert main(["inspect", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "(20 predicted, " in said and "predicted by the network tiny" in said


def test_datasets_reads_the_confidences(bare, predictor, tmp_path):
    datasets = pytest.importorskip("datasets")
    label_dataset(bare, tmp_path / "out", predictor, network="tiny")
    read = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert read.features["confidence"][bare.attribute_names[0]].dtype == "float32"
    assert isinstance(read[0]["image"], Image.Image)


def test_photos_become_a_table_that_prepare_reads(portraits, predictor, tmp_path):
    for i, picture in enumerate(portraits.images("train")[:12]):
        save_png(tmp_path / f"photos/sub/{i:03d}.png", picture)
    (tmp_path / "photos/broken.png").write_bytes(b"hello")
    done = label_photos([str(tmp_path / "photos")], tmp_path / "a.csv", predictor, align=False)
    assert done.count == 12
    assert [r["reason"] for r in done.rejects] == ["not an image"]
    made = prepare(
        tmp_path / "photos", tmp_path / "ds", crop="none", size=32, workers=1, attributes=tmp_path / "a.csv"
    )
    rows = list(csv.DictReader(io.StringIO((tmp_path / "a-confidence.csv").read_text())))
    assert [r["file"] for r in rows] == [f"sub/{i:03d}.png" for i in range(12)]
    p = np.array([[float(r[n]) for n in predictor.names] for r in rows])
    np.testing.assert_array_equal(made.attributes("train"), p > 0.5)


def test_names_are_those_that_prepare_looks_for(predictor, tmp_path):
    """A folder with ! in its name, a duplicate, a name that no line holds, and pictures of an array."""
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (3, 32, 32, 3), np.uint8)
    for name, picture in (("a,b.png", 0), ("hey!.png", 1), ("sub/same.png", 1), ("two\nlines.png", 2)):
        save_png(tmp_path / "best!" / name, pictures[picture])
    done = label_photos([str(tmp_path / "best!")], tmp_path / "a.csv", predictor, align=False)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "a.csv").read_text())))
    assert [r["file"] for r in rows] == ["a,b.png", "hey!.png", "sub/same.png"]
    assert [r["reason"] for r in done.rejects] == ["its name does not fit into a table"]
    assert list(rows[1].values())[1:] == list(rows[2].values())[1:]
    np.savez(tmp_path / "x.npz", images=pictures)
    label_photos([str(tmp_path / "x.npz")], tmp_path / "x.csv", predictor, align=False)
    made = prepare(
        tmp_path / "x.npz", tmp_path / "x", crop="none", size=32, workers=1, attributes=tmp_path / "x.csv"
    )
    assert (made.attributes("train") >= 0).all() and made.counts == {"train": 3}


def test_photos_without_a_face_are_listed_and_nothing_is_written(predictor, tmp_path, capsys):
    save_png(tmp_path / "photos/grey.png", np.full((80, 80, 3), 128, np.uint8))
    predictor.save(tmp_path / "n.safetensors")
    argv = ["label", str(tmp_path / "photos"), "--network", str(tmp_path / "n.safetensors"), "--workers", "1"]
    assert main(argv) == 2
    said = capsys.readouterr().err
    assert "no face to look at: the only one found was rejected: no face; nothing was written" in said
    assert "; --no-align takes the whole photos" in said and said.count("\n") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["n.safetensors", "photos"]


def test_rejects_are_counted_by_reason_with_one_of_each_and_what_helps(bare, predictor, tmp_path, capsys):
    save_png(tmp_path / "photos/face.png", bare.images("train")[0])
    for name in ("c.png", "b.png", "a.png"):
        (tmp_path / "photos" / name).write_bytes((tmp_path / "photos/face.png").read_bytes()[:-100])
    (tmp_path / "photos/notes.txt").write_text("words")
    predictor.save(tmp_path / "n.safetensors")
    argv = ["label", str(tmp_path / "photos"), "--network", str(tmp_path / "n.safetensors"), "--no-align"]
    assert main([*argv, "--workers", "1"]) == 0
    lines = capsys.readouterr().err.splitlines()
    at = lines.index("4 left out:")
    assert lines[at + 1].startswith("       3  truncated (such as ") and lines[at + 1].endswith(
        "photos/a.png)"
    )
    assert lines[at + 2] == f"       1  not an image file ({tmp_path / 'photos/notes.txt'})"
    assert lines[at + 3 :] == ["  the files end early: was the download or the copy complete?"]


@pytest.mark.parametrize(
    ("rejects", "kept", "help_"),
    [
        (["no face"] * 3 + ["truncated"], 1, "--no-align takes the whole photos"),
        (["low confidence", "face too small"], 0, "--no-align"),
        (["too many pixels"] * 2, 1, "make the photos smaller first"),
        (["no face"], 5, ""),
    ],
)
def test_what_helps_is_an_option_of_label(rejects, kept, help_):
    said = what_helps([{"source": f"{i}.png", "reason": reason} for i, reason in enumerate(rejects)], kept)
    assert said.startswith(help_) and bool(said) == bool(help_) and "--min-confidence" not in said


def test_without_out_the_result_lies_beside_the_source(bare, predictor, tmp_path, capsys):
    save_png(tmp_path / "my photos/a.png", bare.images("train")[0])
    shutil.copytree(bare.path, tmp_path / "ds")
    predictor.save(tmp_path / "n.safetensors")
    for source in ("my photos", "ds"):
        argv = ["label", str(tmp_path / source), "--network", str(tmp_path / "n.safetensors"), "--no-align"]
        assert main([*argv, "--workers", "1"]) == 0, capsys.readouterr().err
    assert {p.name for p in tmp_path.iterdir()} == {
        "my photos",
        "my photos-attributes.csv",
        "my photos-attributes-confidence.csv",
        "n.safetensors",
        "ds",
        "ds-labelled",
    }
    table = tmp_path / "my photos-attributes.csv"
    table.write_text("mine")  # made by hand, say
    argv[1] = str(tmp_path / "my photos")
    capsys.readouterr()
    assert main([*argv, "--workers", "1"]) == 2 and table.read_text() == "mine"
    assert "my photos-attributes.csv exists already" in capsys.readouterr().err
    assert main([*argv, "--workers", "1", "--overwrite"]) == 0 and len(table.read_text()) > 40
    assert f"--attributes '{table}'" in capsys.readouterr().out  # the next command, ready to paste


def test_the_source_stays_as_it_was(bare, predictor, tmp_path):
    shutil.copytree(bare.path, tmp_path / "ds", ignore=shutil.ignore_patterns(".cache"))
    before = contents(tmp_path / "ds")
    made, _ = label_dataset(Dataset(tmp_path / "ds"), tmp_path / "out", predictor, network="tiny")
    assert contents(tmp_path / "ds") == before
    pictures = [row["image"] for row in Dataset(tmp_path / "ds").rows("train")]
    assert [row["image"] for row in made.rows("train")] == pictures


def test_another_spelling_is_the_same_attribute(bare, predictor, tmp_path):
    name = bare.attribute_names[0]
    other = name.lower().replace("_", " ")
    renamed, _ = label_dataset(
        bare, tmp_path / "a", replace(predictor, names=(other, *predictor.names[1:])), network="n"
    )
    assert other != name and other not in renamed.attribute_names and name in renamed.attribute_names
    assert renamed.info["predicted"]["names"][name]["count"] == 20


def test_a_second_network_takes_over_what_it_sees(bare, predictor, tmp_path, capsys):
    """Known values stay known, each prediction is its network's, and what it is not sure of is unknown."""
    first, _ = label_dataset(bare, tmp_path / "first", replace_names(predictor, "Other "), network="first")
    second, _ = label_dataset(first, tmp_path / "second", predictor, network="second", min_confidence=0.9)
    name = bare.attribute_names[0]
    found = second.info["predicted"]["names"]
    assert found[f"Other {name}"]["network"] == "first" and found[f"Other {name}"]["count"] == 30
    assert "network" not in found[name] and second.info["predicted"]["network"] == "second"
    third, _ = label_dataset(second, tmp_path / "third", predictor, network="third")
    again, _ = label_dataset(third, tmp_path / "again", predictor, network="again", min_confidence=0.9)
    np.testing.assert_array_equal(again.attributes("train"), second.attributes("train"))
    assert again.content_hash == second.content_hash
    for key in ("count", "confidence"):
        assert again.info["predicted"]["names"][name][key] == found[name][key]
    assert main(["inspect", str(tmp_path / "again")]) == 0
    assert "predicted by the network again and first" in capsys.readouterr().out


def contents(at):
    return {p.relative_to(at): p.read_bytes() for p in at.rglob("*") if p.is_file()}


def replace_names(predictor, before):
    return replace(predictor, names=tuple(before + name for name in predictor.names))


def test_where_all_is_known_it_says_so(portraits, predictor, tmp_path):
    with pytest.raises(InputError, match="is known already; --overwrite predicts it anew"):
        label_dataset(portraits, tmp_path / "out", predictor, network="tiny")
    made, done = label_dataset(portraits, tmp_path / "out", predictor, network="tiny", overwrite=True)
    assert made.counts == portraits.counts
    assert {v["count"] for v in done.names.values()} == {sum(portraits.counts.values())}


def test_mistakes_are_one_line(bare, tmp_path, capsys, predictor):
    with pytest.raises(InputError, match="--min-confidence must be from"):
        label_dataset(bare, tmp_path / "out", predictor, network="tiny", min_confidence=0.3)
    predictor.save(tmp_path / "n.safetensors")
    network = ["--network", str(tmp_path / "n.safetensors")]
    for argv, text in (
        ([str(bare.path), "--out", str(tmp_path / "a.csv")], "choose a folder"),
        ([str(tmp_path / "no"), "--out", str(tmp_path / "a.csv")], "no: no such file or folder"),
        ([str(tmp_path), "--out", str(tmp_path / "a")], "a name that ends in .csv"),
    ):
        assert main(["label", *argv, *network]) == 2
        said = capsys.readouterr().err
        assert text in said and said.strip().count("\n") == 0, said
    assert main(["label", str(bare.path), "--out", str(tmp_path / "x"), "--network", "nobody"]) == 2
    assert "bundled attribute networks: " in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_photos_of_doubtful_values_and_behind_links_are_labelled_on_request(predictor, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "far").mkdir()
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "far")
    twelve = np.random.default_rng(0).integers(0, 4096, (64, 64), dtype=np.uint16)
    Image.fromarray(twelve).save(tmp_path / "far" / "a.png")
    source, out = str(tmp_path / "in"), tmp_path / "a.csv"
    with pytest.raises(InputError, match=r"rejected: link to a folder \(--follow-links follows it\)"):
        label_photos([source], out, predictor, align=False)
    with pytest.raises(InputError, match=r"--range 0\.\.4095"):
        label_photos([source], out, predictor, align=False, follow_links=True)
    label_photos([source], out, predictor, align=False, follow_links=True, value_range="0..4095")
    assert out.read_text().splitlines()[1].startswith("linked/a.png,")


def test_the_function_decides_as_the_command_does(bare, predictor, tmp_path, monkeypatch, capsys):
    """Of a dataset a dataset, of photos a table, each beside its source, with the command's bytes."""
    monkeypatch.chdir(tmp_path)
    predictor.save("network.safetensors")
    shutil.copytree(bare.path, "ds")
    made = facegan.label("ds", network="network.safetensors")
    assert made.path.name == "ds-labelled" and made.labelled.count == 30
    assert main(["label", "ds", "--network", "network.safetensors", "--out", "by-command"]) == 0
    assert (Dataset(made.path).attributes("train") == Dataset("by-command").attributes("train")).all()
    for i, picture in enumerate(bare.images("train")[:3]):
        save_png(tmp_path / f"photos/{i}.png", picture)
    done = facegan.label("photos", network="network.safetensors", align=False)
    assert done.path.name == "photos-attributes.csv"
    argv = ["label", "photos", "--network", "network.safetensors", "--no-align"]
    assert main([*argv, "--out", "c.csv"]) == 0
    assert "c.csv" in capsys.readouterr().out
    assert done.path.read_bytes() == (tmp_path / "c.csv").read_bytes()
    assert main(argv) == 2  # it is there
    with pytest.raises(InputError, match="overwrite replaces it"):
        facegan.label("photos", network="network.safetensors", align=False)
