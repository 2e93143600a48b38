"""Measuring translators whose results are known, on pairs and between domains."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from untrained_translators import translator

import facegan
from facegan.attributes.predictor import AttributePredictor
from facegan.cli.main import main
from facegan.data.dataset import Dataset
from facegan.data.inputs import derive
from facegan.errors import FaceganError
from facegan.images import save_png
from facegan.metrics import evaluate_translator as module
from facegan.metrics import intervals, kid, pairs
from facegan.metrics.evaluate_translator import evaluate_translator
from facegan.metrics.feature_extractors import table
from facegan.translator import Translator

HELD = "dark skin,long hair,dark hair"  # attributes of drawn portraits
Function = Callable[[np.ndarray], np.ndarray]


def known(function: Function, family: str = "pix2pix", *, input: str = "") -> Translator:
    """A translator that does what ``function`` does, and the opposite backwards."""
    made = translator(family, input=input)

    def translate(images: np.ndarray, direction: str = "") -> np.ndarray:
        return function(images) if made.direction(direction) != "b-to-a" else 255 - function(images)

    made.translate = translate  # type: ignore[method-assign]
    return made


@pytest.fixture(scope="module")
def given(portraits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Pairs whose inputs are the negatives of their targets."""
    at = tmp_path_factory.mktemp("given")
    for split in ("train", "val", "test"):
        (at / "ab" / split).mkdir(parents=True)
        for i, picture in enumerate(portraits.images(split)[:24]):
            save_png(at / "ab" / split / f"{i}.png", np.concatenate([255 - picture, picture], axis=1))
    return facegan.prepare(at / "ab", at / "ds", pairs="side-by-side", crop="none", size=32, workers=1)


@pytest.fixture
def judged(predictor: AttributePredictor, monkeypatch: pytest.MonkeyPatch) -> AttributePredictor:
    """The judge is a network that knows the portraits' attributes."""
    monkeypatch.setattr(module, "AttributePredictor", SimpleNamespace(load=lambda name: predictor))
    return predictor


@pytest.fixture(scope="module")
def domains(portraits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Dataset]:
    """Portraits without dark hair, and with it."""
    at = tmp_path_factory.mktemp("domains")
    light = facegan.select(portraits, "not dark_hair", at / "light")
    return light.dataset, facegan.select(portraits, "dark_hair", at / "dark").dataset


@pytest.mark.parametrize("kind", ["edges", "grey", "small-16"])
def test_one_that_changes_nothing_measures_as_its_inputs(kind: str, portraits: Dataset) -> None:
    done = evaluate_translator(known(lambda x: x, input=kind), portraits)
    targets = portraits.images("test")
    inputs = derive(kind, targets)
    for name, compute in (("perceptual", pairs.perceptual), ("psnr", pairs.psnr), ("ssim", pairs.ssim)):
        expected = intervals.mean(compute(inputs, targets))
        assert done.estimates[name].value == pytest.approx(expected.value, rel=1e-5)
        assert done.estimates[name].low == pytest.approx(expected.low, rel=1e-5)
        assert done.unchanged[name] == done.estimates[name]
    assert done.count == len(targets) == 40 and done.against == f"{portraits.path} (test)"
    assert list(done.values) == ["perceptual", "psnr", "ssim", "kept", "recognised"]
    judge = AttributePredictor.load("evaluator")
    before, after = judge.features(targets), judge.features(inputs)
    assert done.values["recognised"] == pairs.recognised(before, after).mean()


def test_a_perfect_one_on_given_pairs(given: Dataset) -> None:
    done = evaluate_translator(known(lambda x: 255 - x), given)
    assert (done.values["psnr"], done.values["ssim"]) == (100, pytest.approx(1))
    assert done.values["perceptual"] == pytest.approx(0, abs=1e-9)
    assert done.unchanged["psnr"].value < 15 and done.unchanged["perceptual"].value > 0.5
    assert done.headline == "perceptual"
    other = evaluate_translator(known(lambda x: x), given, split="val", count=12, metrics="psnr")
    assert list(other.values) == ["psnr"] and other.count == 12
    inputs, targets = given.inputs("val")[::2], given.images("val")[::2]
    assert other.values["psnr"] == pytest.approx(pairs.psnr(inputs, targets).mean())


def test_between_domains(domains: tuple[Dataset, Dataset], judged: AttributePredictor) -> None:
    """A translator that gives dark-haired portraits for the others, and one that changes nothing."""
    light, dark = domains
    photos, targets = light.images("train"), dark.images("train")
    swap = np.resize(np.arange(len(targets)), len(photos))
    place = {photo.tobytes(): targets[k] for photo, k in zip(photos, swap, strict=True)}
    model = known(lambda x: np.stack([place[one.tobytes()] for one in x]), "cyclegan")
    before, after = judged.predict(photos), judged.predict(targets[swap])
    gap = (judged.predict(targets) > 0.5).mean(0) - (before > 0.5).mean(0)
    differ = {name: bool(g > 0) for name, g in zip(judged.names, gap, strict=True) if abs(g) >= 0.5}
    by_itself = evaluate_translator(model, dark, light, split="train", hold="none", metrics="attributes")
    assert by_itself.asked == differ and differ["Dark_Hair"] is True
    done = evaluate_translator(model, dark, light, split="train", hold=HELD, asked="dark hair")
    assert done.asked == {"Dark_Hair": True}
    column = judged.column("Dark_Hair")
    lacking = before[:, column] <= 0.5
    assert done.lacking == lacking.sum() > 10
    assert done.values["reached"] == (after[lacking, column] > 0.5).mean() > 0.8
    held = [judged.column(name) for name in ("Dark_Skin", "Long_Hair")]
    assert done.values["kept"] == pytest.approx(((before > 0.5) == (after > 0.5))[:, held].mean())
    assert "Dark_Hair" not in done.kept and set(done.kept) == {judged.names[k] for k in held}
    features = table("faces")
    expected = kid.kid(features(targets), features(targets[swap]))
    assert done.values["kid"] == pytest.approx(expected.value, abs=1e-5)
    assert done.unchanged["kid"].value == pytest.approx(
        kid.kid(features(targets), features(photos)).value, abs=1e-5
    )
    assert done.values["recognised"] < 0.5

    same = evaluate_translator(
        known(lambda x: x, "cyclegan"), dark, light, split="train", hold=HELD, asked="dark hair"
    )
    assert same.values["reached"] == 0 and same.values["kept"] == same.values["recognised"] == 1
    assert same.estimates["kid"] == same.unchanged["kid"]
    back = evaluate_translator(
        known(lambda x: x, "cyclegan"), dark, light, direction="b-to-a", metrics="attributes", hold=HELD
    )
    assert back.values["kept"] < 1


def test_what_is_asked_and_held_may_be_said(
    domains: tuple[Dataset, Dataset], judged: AttributePredictor
) -> None:
    light, dark = domains
    model = known(lambda x: x, "cyclegan")
    options = {"asked": "not dark hair", "hold": "long hair", "metrics": "attributes"}
    done = evaluate_translator(model, dark, light, **options)
    assert done.asked == {"Dark_Hair": False} and list(done.kept) == ["Long_Hair"]
    none = evaluate_translator(model, dark, light, hold="none", metrics="attributes", asked="dark hair")
    assert list(none.values) == ["reached"]
    alike = evaluate_translator(model, light, light, metrics=["attributes"], hold=HELD)
    assert not alike.asked and list(alike.values) == ["kept"]


def test_all_have_it_already(portraits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    class Sure:
        names = ("Smiling",)

        def column(self, name: str) -> int:
            return self.names.index(name)

        def predict(self, images: np.ndarray) -> np.ndarray:
            return np.ones((len(images), 1), np.float32)

    monkeypatch.setattr(module, "AttributePredictor", SimpleNamespace(load=lambda name: Sure()))
    options = {"asked": "smiling", "metrics": "attributes", "hold": "none"}
    done = evaluate_translator(known(lambda x: x), portraits, portraits, **options)
    assert "reached" not in done.values and done.lacking == 0
    assert done.warnings == ["all photos show what is asked already, so that none could reach it"]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    translator(input="grey").save(tmp_path / "grey.safetensors")
    translator("cyclegan").save(tmp_path / "ab.safetensors")
    translator("cyclegan", side=64).save(tmp_path / "large.safetensors")
    return tmp_path


def test_the_command_prints_and_writes_it(
    files: Path, portraits: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["evaluate", str(files / "grey.safetensors"), "--against", str(portraits.path)]
    assert main([*argv, "--json", str(files / "a.json")]) == 0
    out = capsys.readouterr().out
    done = evaluate_translator(str(files / "grey.safetensors"), portraits)
    assert str(done).splitlines() == out.splitlines()
    written = json.loads((files / "a.json").read_text())
    assert written["metrics"]["psnr"] == pytest.approx(
        {"value": done.values["psnr"], "low": done.estimates["psnr"].low, "high": done.estimates["psnr"].high}
    )
    lines = out.splitlines()
    assert lines[0].endswith(f"of {portraits.path} (test, 40 pictures)") and "translated" in lines[2]
    assert [line.split("  ")[0].strip() for line in lines[3:7]] == [
        "Perceptual distance",
        "PSNR (dB)",
        "SSIM",
        "Attributes kept",
    ]
    assert "<table>" in done._repr_html_()
    both = [
        "--photos",
        str(portraits.path),
        "--metrics",
        "kid,identity",
        "--direction",
        "b-to-a",
        "--json",
        "-",
    ]
    ab = ["evaluate", str(files / "ab.safetensors"), "--against", str(portraits.path)]
    assert main([*ab, *both]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["metrics"]) == ["kid", "recognised"] and found["direction"] == "b-to-a"


MISTAKES: dict[str, tuple[list[str], str]] = {
    "no pairs": (["AB"], "it holds no pairs of input and target; --photos DATASET names"),
    "another size": (
        ["LARGE", "--photos", "DATA"],
        "its pictures are 32x32 colour, and this",
    ),
    "no dataset": (["GREY", "--photos", "nowhere"], "nowhere: not a prepared dataset"),
    "pairs of none": (["AB", "--photos", "DATA", "--metrics", "psnr"], "--metrics psnr: compares pairs"),
    "a generator's metric": (["GREY", "--metrics", "fid"], "--metrics fid: of a translator, choose of"),
    "direction": (["AB", "--photos", "DATA", "--direction", "back"], "--direction back: this translator has"),
    "asked": (["GREY", "--asked", "winged"], "--asked 'winged': the word 'winged' is unknown"),
    "held": (["GREY", "--hold", "male,winged"], "--hold 'winged': the word 'winged' is unknown"),
    "truncation": (["GREY", "--truncation", "0.5"], "--truncation: is not for translators"),
    "page": (["GREY", "--page", "a.html"], "--page: is for generators and pictures"),
    "split": (["GREY", "--split", "exam"], "there is no split 'exam'"),
    "features": (["GREY", "--features", "vgg"], "--features vgg: choose faces"),
    "few": (["GREY", "--count", "5"], "5 pictures are too few to measure; it takes 10"),
    "lpips": (["GREY", "--metrics", "lpips"], "the metric lpips: its weights are not here"),
    "asked of a generator": (["celeba64", "--asked", "smiling"], "--asked smiling: is for translators"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_of_evaluate_is_one_line(
    mistake: str,
    files: Path,
    portraits: Dataset,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(files / "torch"))
    pairs._lpips.cache_clear()
    words = {name.upper(): str(files / f"{name}.safetensors") for name in ("ab", "grey", "large")}
    words["DATA"] = str(portraits.path)
    argv, message = MISTAKES[mistake]
    assert main(["evaluate", *(words.get(w, w) for w in argv), "--against", str(portraits.path)]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("facegan ")]
    assert len(errors) == 1 and message in errors[0]


def test_evaluate_names_the_function_for_translators(portraits: Dataset) -> None:
    with pytest.raises(FaceganError, match=r"this is a translator; facegan\.evaluate_translator measures it"):
        facegan.evaluate(translator(), portraits)
