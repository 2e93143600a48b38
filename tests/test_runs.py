"""What a MODEL on the command line means."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from facegan import runs
from facegan.errors import InputError, ModelError
from facegan.runs import load, moment_name, moments, resolve


@pytest.fixture()
def run(tmp_path: Path, tiny_model_file: Path) -> Path:
    """A run folder with three models; by name, the 4 kimg one would come after the 12 kimg one."""
    folder = tmp_path / "my run"
    for name in ("000012kimg", "000004kimg", "000004.5kimg"):
        (folder / "models").mkdir(parents=True, exist_ok=True)
        shutil.copy(tiny_model_file, folder / "models" / f"{name}.safetensors")
    (folder / "models" / "notes.txt").write_text("kimg")
    (folder / "models" / "best-kimg.safetensors").write_text("not a moment")
    return folder


def test_moments_in_order(run: Path) -> None:
    assert list(moments(run)) == [4.0, 4.5, 12.0]
    assert moments(run / "no such") == {}


REFERENCES = {
    "": "000012kimg",
    "/": "000012kimg",
    "@12kimg": "000012kimg",
    "@12": "000012kimg",
    "@4": "000004kimg",
    "@000004kimg": "000004kimg",
    "@4.0": "000004kimg",
    "@4.5kimg": "000004.5kimg",
    "/models/000004kimg.safetensors": "000004kimg",
}


@pytest.mark.parametrize("suffix", REFERENCES)
def test_references(suffix: str, run: Path) -> None:
    assert resolve(f"{run}{suffix}") == run / "models" / f"{REFERENCES[suffix]}.safetensors"


def test_a_path_object_and_the_home_folder(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve(run).stem == "000012kimg"
    monkeypatch.setenv("HOME", str(run.parent))
    assert resolve("~/my run@4").stem == "000004kimg"


def test_an_at_sign_in_a_folders_name(run: Path) -> None:
    other = run.rename(run.with_name("run@30kimg"))
    assert resolve(other).stem == "000012kimg"
    assert resolve(f"{other}@4").stem == "000004kimg"


MISTAKES = {
    "@7kimg": "no model at 7kimg (there are: 4kimg, 4.5kimg, 12kimg)",
    "@": "no such run folder, model file or bundled model",
    "@last": "no such run folder, model file or bundled model",
    "x": "no such run folder, model file or bundled model",
    "/models/000005kimg.safetensors": "no such run folder, model file or bundled model",
}


@pytest.mark.parametrize("suffix", MISTAKES)
def test_mistakes(suffix: str, run: Path) -> None:
    with pytest.raises(ModelError) as caught:
        resolve(f"{run}{suffix}")
    assert MISTAKES[suffix] in str(caught.value) and str(run) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_models(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no models in this folder; is it a run of 'facegan train'"):
        resolve(tmp_path)
    with pytest.raises(ModelError, match=r"no model at 3kimg \(there are: none\)"):
        resolve(f"{tmp_path}@3")


def test_bundled_names(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "ASSETS", run / "models")
    assert "000004kimg" in runs.bundled()
    assert resolve("000004kimg").stem == "000004kimg"
    monkeypatch.chdir(run)
    Path("000004kimg").mkdir()  # a dataset, say, of the same name
    assert resolve("000004kimg") == run / "models" / "000004kimg.safetensors"
    with pytest.raises(ModelError, match=r"bundled: 000004\.5kimg, 000004kimg"):
        resolve("no such")


@pytest.mark.parametrize(
    ("kimg", "name"), [(30.0, "30kimg"), (0.512, "0.512kimg"), (1234567.0, "1234567kimg")]
)
def test_moment_names(kimg: float, name: str) -> None:
    assert moment_name(kimg) == name


def test_load(run: Path) -> None:
    assert load(f"{run}@4").image_shape == (3, 32, 32)
    with pytest.raises(InputError, match="--device warp: not available here"):
        load(run, "warp")
