"""Runs of translators: what they write and show, beginning with a model, and mistakes in one line each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from narrow import at_32
from PIL import Image

import facegan
from facegan.cli.main import main
from facegan.data.dataset import Dataset
from facegan.data.prepare import prepare
from facegan.demo.portraits import write_portraits
from facegan.errors import FaceganError
from facegan.planning.dry_run import dry_run
from facegan.planning.dry_run_text import page
from facegan.translator import Translator


def portraits(folder: Path, count: int, start: int, **options: Any) -> Dataset:
    write_portraits(folder / "photos", count, start, size=32)
    return prepare([folder / "photos"], folder / "dataset", crop="none", size=32, **options)


@pytest.fixture(scope="module")
def domains(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Dataset]:
    folder = tmp_path_factory.mktemp("domains")
    return portraits(folder / "a", 24, 0), portraits(folder / "b", 20, 100)


@pytest.fixture(scope="module")
def runs(domains: tuple[Dataset, Dataset], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One run of each kind, measured."""
    folder = tmp_path_factory.mktemp("runs")
    measured = {"metric_count": 10, "metric_kimg": 0.032}
    pairs = at_32("pix2pix", metric="psnr", **measured)
    cycle = at_32("cyclegan", metric="kid", metric_features="pixels", **measured)
    return {
        "pix2pix": facegan.train(domains[0], pairs, folder / "pix2pix"),
        "cyclegan": facegan.train(domains[0], cycle, folder / "cyclegan", to=domains[1]),
    }


@pytest.mark.parametrize(
    ("kind", "rows", "keys"),
    [
        ("pix2pix", 3, {"psnr", "loss_l1", "l1_held_out"}),
        ("cyclegan", 4, {"kid", "kid_a_to_b", "kid_b_to_a", "loss_cycle", "cycle_held_out"}),
    ],
)
def test_a_run_has_sheets_numbers_and_the_best_translator(
    kind: str, rows: int, keys: set[str], runs: dict[str, Path], domains: tuple[Dataset, Dataset]
) -> None:
    run = runs[kind]
    lines = [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
    assert keys | {"loss_g", "loss_d", "accuracy_real", "accuracy_fake", "diversity"} <= set(lines[-1])
    newest, best = facegan.load(run), facegan.load(f"{run}@best")
    assert isinstance(newest, Translator) and isinstance(best, Translator)
    # The sheet shows what the model makes: 4 columns, input first.
    with Image.open(run / "samples" / "000000.064kimg.png") as opened:
        sheet = np.asarray(opened)
    assert sheet.shape == (rows * 34 + 2, 4 * 34 + 2, 3)
    spans = [slice(2 + 34 * i, 34 + 34 * i) for i in range(4)]
    cells = [[sheet[down, across] for across in spans] for down in spans[:rows]]
    for direction, row in zip(newest.directions, (0, 2), strict=False):
        made = newest.translate(np.stack(cells[row]), direction)
        np.testing.assert_array_equal(made, np.stack(cells[row + 1]))
    report = (run / "report.html").read_text()
    assert "none chosen" in report and "Rows in turn" in report
    if kind == "pix2pix":
        assert newest.input == "grey"
        np.testing.assert_array_equal(cells[0][0].max(2), cells[0][0].min(2))
    else:
        assert json.loads((run / "config.json").read_text())["to"]["count"] == 20


def test_training_begins_with_a_translator(
    runs: dict[str, Path], domains: tuple[Dataset, Dataset], tmp_path: Path
) -> None:
    whole = facegan.train(domains[0], at_32("pix2pix", init=str(runs["pix2pix"])), tmp_path / "a")
    assert "tensors of the discriminator" in (whole / "events.jsonl").read_text()
    model = str(sorted((runs["cyclegan"] / "models").iterdir())[-1])
    config = at_32("cyclegan", init=model)
    begun = facegan.train(domains[0], config, tmp_path / "b", to=domains[1])
    assert "fresh discriminators" in (begun / "events.jsonl").read_text()
    with pytest.raises(FaceganError, match="its family is pix2pix, not cyclegan"):
        config = at_32("cyclegan", init=str(runs["pix2pix"]))
        facegan.train(domains[0], config, tmp_path / "c", to=domains[1])


def test_a_dry_run_tells_of_all_networks(domains: tuple[Dataset, Dataset]) -> None:
    found = dry_run(domains[0], at_32("cyclegan"), "cpu", to=domains[1])
    text = page(found)
    assert "Generator (2 of these)" in text and "all networks" in text
    assert "translation" in text and "latent" not in text
    trained = sum(layer.parameters for side in (found.generator, found.discriminator) for layer in side)
    assert found.weights > 2 * 4 * trained  # two of each in float32, and the vectors of spectral norms


MISTAKES: dict[str, tuple[list[str], str]] = {
    "no input": (["A", "--recipe", "pix2pix-64"], "it has no inputs; give --input, such as --input edges"),
    "unknown input": (["A", "--recipe", "pix2pix-64", "--input", "lines"], "lines"),
    "too small": (["A", "--recipe", "pix2pix-64", "--input", "small-64"], "small-64"),
    "no second domain": (["A", "--recipe", "cyclegan-64"], "trains on two datasets: facegan train"),
    "the same twice": (["A", "--to", "A", "--recipe", "cyclegan-64"], "both domains are the same dataset"),
    "grey and colour": (["A", "--to", "GREY", "--recipe", "cyclegan-64"], "64x64 grey, those of"),
    "another size": (["A", "--to", "SMALL", "--recipe", "cyclegan-64"], "32x32 colour, those of"),
    "one domain too many": (
        ["A", "--to", "GREY", "--recipe", "pix2pix-64", "--input", "grey"],
        "pix2pix-64 trains on one dataset",
    ),
    "a generator with two": (["A", "--to", "GREY", "--recipe", "faces-fast-64"], "trains on one dataset"),
    "a generator with input": (["A", "--recipe", "faces-fast-64", "--input", "grey"], "from noise"),
    "a metric of pairs": (["A", "--recipe", "faces-fast-64", "--metric", "psnr"], "from noise"),
    "a metric of domains": (
        ["A", "--recipe", "pix2pix-64", "--input", "grey", "--metric", "kid"],
        "pairs are measured by perceptual, psnr",
    ),
    "no pairs to measure": (
        ["A", "--to", "B", "--recipe", "cyclegan-64", "--metric", "psnr"],
        "it needs pairs; two domains have kid and fid",
    ),
    "labels": (
        ["A", "--recipe", "pix2pix-64", "--input", "grey", "--condition", "smiling"],
        "--condition: recipes that turn pictures into pictures take none",
    ),
    "augmented": (["A", "--recipe", "pix2pix-64", "--input", "grey", "--augment", "ada"], "--augment"),
    "auto": (["A", "--recipe", "pix2pix-64", "--input", "grey", "--auto"], "--auto"),
    "sides": (["A", "--recipe", "pix2pix-256", "--input", "grey"], "needs 256x256"),
}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("places")
    made = {}
    kinds: dict[str, Any] = {"A": {}, "B": {}, "GREY": {"gray": True}, "SMALL": {"size": 32}}
    for i, (name, options) in enumerate(kinds.items()):
        photos = folder / name / "photos"
        write_portraits(photos, 6, 10 * i, size=64)
        made[name] = str(prepare([photos], folder / name / "d", crop="none", **{"size": 64, **options}).path)
    return made


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_line(
    case: str, places: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, text = MISTAKES[case]
    out = tmp_path / "run"
    assert main(["train", *(places.get(word, word) for word in words), "--out", str(out)]) == 2
    told = [line for line in capsys.readouterr().err.splitlines() if "a few real updates" not in line]
    assert len(told) == 1 and text in told[0], told
    assert not out.exists()
