"""Whole evaluations: models, folders and datasets against a dataset, through the API and the command."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from facegan.cli.main import main
from facegan.data.dataset import Dataset
from facegan.errors import FaceganError
from facegan.images import save_png
from facegan.metrics import fid, image_sets
from facegan.metrics.evaluate import _few_warnings, evaluate, reference_split
from facegan.metrics.feature_extractors import FEATURES, table
from facegan.metrics.image_sets import features_of, of_dataset, of_folder, of_model
from facegan.metrics.registry import FEATURE_NAMES, METRICS
from facegan.metrics.shapes import of_array


@pytest.fixture(scope="module")
def pixels():
    return table("pixels")


def test_the_names_of_feature_tables_are_those_of_the_table() -> None:
    assert list(FEATURES) == FEATURE_NAMES


@pytest.mark.parametrize("name", [n for n in FEATURES if n != "inception"])
def test_feature_tables(name, portraits):
    made = table(name)
    images = portraits.images("val")
    found = made(images)
    assert found.shape == (len(images), made.dim) and found.dtype == np.float32
    np.testing.assert_allclose(made(images, batch=7), found, atol=1e-4)  # alone or in a batch
    gray = images[..., :1]
    np.testing.assert_allclose(made(gray), made(np.repeat(gray, 3, 3)), atol=1e-4)
    assert made.key == table(name).key


CLASSIFIER = """
import torch
from torch import nn

class Small(nn.Module):
    input_size, mean, std = 16, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 6, 3, 2), nn.Linear(6, 4)

    def forward(self, x):
        return self.head(self.conv(x).relu().mean((2, 3)))

def make():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Small()
"""


def test_a_classifier_is_a_feature_table(portraits, tmp_path):
    file = tmp_path / "small one.py"
    file.write_text(CLASSIFIER)
    made, images = table(f"{file}:make"), portraits.images("val")
    assert (made.dim, made.name) == (6, "small-one") and made.key.startswith("small-one-")
    found = made(images)
    assert found.shape == (len(images), 6) and found.std() > 0
    np.testing.assert_allclose(made(images, batch=7), found, atol=1e-5)
    gray = images[..., :1]
    np.testing.assert_allclose(made(gray), made(np.repeat(gray, 3, 3)), atol=1e-5)
    larger = table(f"{file}:make", input_size=32)
    assert larger.key != made.key and table(made) is made
    np.testing.assert_allclose(larger(images), larger(images.copy()), atol=0)
    by_name = evaluate(of_dataset(portraits, "val"), portraits, f"{file}:make", metrics="linear-auc")
    assert by_name.table.key == made.key and 0 <= by_name.values["linear_auc"] <= 1
    assert (
        by_name.values["linear_auc_low"] <= by_name.values["linear_auc"] <= by_name.values["linear_auc_high"]
    )


def test_weights_of_a_classifier_are_read_without_executing_them(tmp_path):
    import pickle

    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "executed",))

    file = tmp_path / "w.pth"
    file.write_bytes(pickle.dumps({"weight": Trap()}))
    with pytest.raises(FaceganError, match=r"w\.pth"):
        table("squeezenet1_1", str(file))
    assert not (tmp_path / "executed").exists()


def test_a_dataset_against_itself_is_perfect(portraits, pixels):
    done = evaluate(of_dataset(portraits, "test"), portraits, pixels)
    v = done.values
    assert v["fid"] == pytest.approx(0, abs=1e-6) and v["swd"] == 0.0
    assert v["precision"] == v["recall"] == v["coverage"] == 1.0
    assert v["memorized"] == pytest.approx(0.05) and v["nearer"] == pytest.approx(0.5)
    assert any("the same pictures" in w for w in done.warnings)
    assert "ppl" not in v and done.headline == "kid"  # too few for FID; no generator to walk through


def test_real_pictures_are_the_floor(portraits, pixels):
    """``real`` is what the train split gets in the place of the samples, at their number."""
    noise = np.random.default_rng(0).integers(0, 256, (50, 32, 32, 3), np.uint8)
    done = evaluate(of_array(noise), portraits, pixels)
    direct = evaluate(of_dataset(portraits, "train").limited(50), portraits, pixels, floor=False)
    for name, value in done.real.items():
        assert value == pytest.approx(direct.values[name], rel=1e-6), name
    against_train = evaluate(of_array(noise), portraits, pixels, metrics=["fid"], split="train").real
    held_out = evaluate(of_dataset(portraits, "test"), portraits, pixels, metrics=["fid"], split="train")
    assert against_train["fid"] == held_out.values["fid"]
    assert done.values["fid"] > 3 * done.real["fid"] and done.values["precision"] == 0.0
    assert direct.real == {}


def test_copies_are_found_and_shown(portraits, pixels):
    copies = np.asarray(portraits.images("train")[10:30])
    done = evaluate(of_array(copies), portraits, pixels, metrics=["memorization"])
    assert done.values["memorized"] == 1.0 and len(done.pairs) == 10
    assert all(row + 10 == trained and distance < 1e-3 for row, trained, distance in done.pairs)


def test_a_model_has_a_path_length(portraits, tiny_model, pixels):
    done = evaluate(of_model(tiny_model, "tiny", 40), portraits, pixels, metrics=["ppl", "kid"])
    assert done.values["ppl"] > 0 and set(done.seconds) >= {"samples", "features", "ppl", "kid"}


def test_generators_datasets_and_arrays_are_taken_as_they_are(portraits, tiny_model, monkeypatch):
    import facegan
    from facegan.metrics import evaluate as module

    monkeypatch.setattr(module, "COUNT", 20)
    options = {"table": "pixels", "metrics": ["fid"], "floor": False}
    drawn = facegan.evaluate(tiny_model, portraits.path, **options)
    same = facegan.evaluate(tiny_model.sample(range(10_000, 10_020)), portraits, **options)
    assert drawn.values == same.values and drawn.subject.count == 20
    assert facegan.evaluate(portraits, portraits, **options).subject.count == portraits.counts["train"]


def test_order_and_batch_size_do_not_matter(portraits, pixels, monkeypatch):
    images = np.asarray(portraits.images("train")[:40])
    names = ["fid", "kid", "precision-recall", "density-coverage", "memorization"]
    expected = evaluate(of_array(images), portraits, pixels, metrics=names, floor=False).values
    shuffled = images[np.random.default_rng(1).permutation(40)]
    monkeypatch.setattr(image_sets, "BATCH", 7)
    found = evaluate(of_array(shuffled), portraits, pixels, metrics=names, floor=False).values
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-5, abs=1e-7), name


def test_features_of_a_dataset_are_computed_once(portraits, pixels, monkeypatch):
    part = of_dataset(portraits, "val")
    first = features_of(part, pixels)
    monkeypatch.setattr(type(pixels), "__call__", lambda *_: pytest.fail("computed again"))
    np.testing.assert_array_equal(features_of(part, pixels), first)
    monkeypatch.undo()
    files = list((portraits.path / ".cache" / portraits.content_hash).glob("features-pixels-*"))
    for file in files:
        file.unlink()
        file.write_bytes(b"damaged")
    np.testing.assert_array_equal(features_of(part, pixels), first)
    assert sum(file.read_bytes()[:6] == b"\x93NUMPY" for file in files) == 1


def test_a_folder_is_what_its_pictures_are(portraits, pixels, tmp_path):
    images = portraits.images("train")[:30]
    for i, picture in enumerate(images):
        save_png(tmp_path / f"{i:03d}.png", picture)
    (tmp_path / "100.png").write_bytes(b"hello")
    said = []
    of = of_folder(tmp_path, said.append)
    np.testing.assert_array_equal(of.at(np.arange(30)), images)
    assert said == [f"{tmp_path}: left out: 1 not an image"]
    save_png(tmp_path / "101.png", np.zeros((8, 8, 3), np.uint8))
    assert of_folder(tmp_path).sizes == {(32, 32), (8, 8)} and of_folder(tmp_path).shape == (0, 0, 3)


def test_other_sizes_and_grey_are_brought_to_the_datasets(portraits, pixels):
    large = np.repeat(np.repeat(portraits.images("train")[:20], 2, 1), 2, 2)
    done = evaluate(of_array(large), portraits, pixels, metrics=["fid", "swd"])
    assert any("64x64 px and was brought to 32x32" in w for w in done.warnings)
    assert done.values["fid"] < 50
    gray = evaluate(of_array(large[..., :1]), portraits, pixels, metrics=["fid"])
    assert gray.values["fid"] > done.values["fid"]


def test_reference_split(portraits):
    assert reference_split(portraits) == "test" and reference_split(portraits, "train") == "train"
    with pytest.raises(FaceganError, match="no split 'best'"):
        reference_split(portraits, "best")


def test_the_command(portraits, tiny_model_file, tmp_path, capsys):
    argv = ["evaluate", str(tiny_model_file), "--against", str(portraits.path), "--features", "pixels"]
    page, file = tmp_path / "e.html", tmp_path / "e.json"
    assert main([*argv, "--count", "30", "--json", str(file), "--page", str(page)]) == 0
    said = capsys.readouterr().out
    read = json.loads(file.read_text())
    titles = [v.title for m in METRICS.values() if not m.slow for v in m.values.values()]
    assert all(title in said for title in titles), said
    assert "C2ST" not in said and "c2st" not in read["metrics"]
    assert read["count"] == 30 and read["count_real"] == portraits.counts["test"]
    assert read["headline"] == "kid" and f"{read['metrics']['fid']:.3f}" in said
    assert 1 <= len(read["nearest"]) <= 10 and read["real"]["fid"] < read["metrics"]["fid"]
    text = page.read_text()
    assert text.count("data:image/png;base64,") == 3 and "Nearest to the training pictures" in text
    assert "://" not in text.split("<style>")[0]  # nothing is fetched


def test_json_on_standard_output(portraits, capsys):
    argv = ["evaluate", str(portraits.path), "--against", str(portraits.path), "--features", "pixels"]
    assert main([*argv, "--metrics", "fid,kid", "--json", "-"]) == 0
    assert set(json.loads(capsys.readouterr().out)["metrics"]) == {"fid", "kid", "kid_low", "kid_high"}


MISTAKES = {
    "model": (["nobody"], "nobody: no such run folder, model file or bundled model"),
    "against": (["{data}", "--against", "{tmp}"], "not a prepared dataset"),
    "metric": (["{data}", "--metrics", "fud"], "--metrics fud: choose of fid, kid"),
    "no latent space": (["{data}", "--metrics", "ppl"], "--metrics ppl: it walks through"),
    "features": (
        ["{data}", "--features", "vgg"],
        "--features vgg: choose faces, inception, pixels, or a classifier; near it: vgg",
    ),
    "its own size": (
        ["{data}", "--input-size", "64"],
        "--input-size 64: is for classifiers, and not for 'pixels'",
    ),
    "few to learn from": (
        ["{data}", "--metrics", "c2st"],
        "--metrics c2st: 40 pictures of a side are too few",
    ),
    "weights": (
        ["{data}", "--features", "inception", "--weights", "no.pth"],
        "--weights no.pth: there is no",
    ),
    "split": (["{data}", "--split", "best"], "there is no split 'best'"),
    "few": (["{data}", "--count", "5"], "5 pictures are too few to measure; it takes 10"),
    "count": (["{data}", "--count", "-1"], "--count -1: must be 0 or more"),
    "page": (["{data}", "--page", "a.pdf"], "--page a.pdf: the name must end in .html"),
    "empty": (["{tmp}"], "no dataset, no run, and no pictures in it"),
}


def test_without_torchvision_features_are_named_as_well(portraits, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    data = str(portraits.path)
    assert main(["evaluate", data, "--against", data, "--features", "evaluater"]) == 2
    said = capsys.readouterr().err.strip()
    assert "--features evaluater: choose faces, inception, pixels, or a classifier here; pip install" in said


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_are_one_line(case, portraits, tmp_path, capsys):
    argv, text = MISTAKES[case]
    argv = [a.format(data=portraits.path, tmp=tmp_path) for a in argv]
    if "--against" not in argv:
        argv += ["--against", str(portraits.path)]
    if "--features" not in argv:
        argv += ["--features", "pixels"]
    assert main(["evaluate", *argv]) == 2
    said = capsys.readouterr().err.strip()
    assert text in said and "\n" not in said, said


def test_fifty_thousand_in_pieces(monkeypatch):
    """Nothing of the size N x N: at most the features themselves and blocks of fixed size are held."""
    import tracemalloc

    from facegan.metrics import kid, prdc

    x, y = (np.random.default_rng(i).standard_normal((4000, 16)).astype(np.float32) for i in range(2))
    monkeypatch.setattr(kid, "MAX_PICTURES", 1000)
    from facegan.metrics import neighbours

    monkeypatch.setattr(neighbours, "_BYTES", 2**20)
    tracemalloc.start()
    fid.fid(x, y)
    kid.kid(x, y)
    prdc.prdc(x, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4000 * 4000  # bytes: an eighth of one matrix of distances


def test_the_dataset_is_left_as_it_was(portraits, pixels):
    before = Dataset(portraits.path).content_hash
    evaluate(of_dataset(portraits, "val"), portraits, pixels, metrics=["fid"])
    assert Dataset(portraits.path).content_hash == before


def test_without_held_out_pictures_it_says_so(portraits, pixels, tmp_path):
    """Copies of them are perfect by every number: nobody must take that for quality."""
    from facegan.data.prepare import prepare

    photos = tmp_path / "photos"
    photos.mkdir()
    images = np.asarray(portraits.images("train")[:24])
    for i, image in enumerate(images):
        save_png(photos / f"{i:02d}.png", image)
    data = prepare(photos, tmp_path / "d", crop="none", size=32, workers=1)
    done = evaluate(of_array(images), data, pixels, metrics=["fid", "kid"])
    assert done.values["fid"] == pytest.approx(0, abs=1e-6) and done.real == {}
    assert any("favours learning them by heart" in w for w in done.warnings)
    asked = evaluate(of_array(images), data, pixels, metrics=["kid"], split="train")
    assert not any("by heart" in w for w in asked.warnings)


def test_fid_of_fewer_real_pictures_is_told(portraits, pixels):
    count = portraits.counts["train"] + 10
    noise = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), np.uint8)
    done = evaluate(of_array(noise), portraits, pixels, metrics=["fid"])
    words = f"FID of real pictures is of {count - 10}, of the generated of {count}"
    assert any(w.startswith(words) for w in done.warnings)
    same = evaluate(of_array(noise[:-10]), portraits, pixels, metrics=["fid"])
    assert not any(w.startswith("FID of real") for w in same.warnings)


def test_a_test_of_few_pictures_is_called_one(pixels, monkeypatch):
    from facegan.metrics import c2st

    monkeypatch.setattr(c2st, "_epochs", lambda images: 0)
    images = np.random.default_rng(0).integers(0, 256, (240, 16, 16, 3), np.uint8)
    sides = [of_array(part) for part in (images[:120], images[120:])]
    found = _few_warnings(*sides, pixels, values=c2st.c2st(images[:120], images[120:]))
    assert [w for w in found if w.startswith("C2ST learns little from 120 pictures")] == found


def test_truncation_is_part_of_the_result(portraits, tiny_model_file, tmp_path, capsys):
    argv = [
        "evaluate",
        str(tiny_model_file),
        "--against",
        str(portraits.path),
        "--features",
        "pixels",
        "--count",
        "20",
        "--metrics",
        "kid,ppl",
        "--json",
        str(tmp_path / "a.json"),
        "--truncation",
        "0.7",
    ]
    assert main(argv) == 0
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["subject"].endswith(", truncation 0.7") and "truncation 0.7" in capsys.readouterr().out
    assert "the path length is that of truncation 1" in found["warnings"]
    assert main([*argv[:-1], "1"]) == 0
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["truncation"] == 1 and "truncation" not in found["subject"]
    assert main([argv[0], str(portraits.path), *argv[2:]]) == 2
    said = capsys.readouterr().err
    assert "--truncation 0.7" in said and "it is for models" in said
