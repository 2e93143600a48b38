"""What a MODEL on the command line means."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest

from facegan import files
from facegan import models as runs
from facegan.errors import DatasetError, FaceganWarning, InputError, ModelError
from facegan.models import load, meaning, moment_name, moments, resolve


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
    monkeypatch.setattr(files, "_twice", set())
    with pytest.warns(FaceganWarning, match="000004kimg: this is the bundled model"):
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


# --- one meaning for all commands -------------------------------------------------------------------


@pytest.fixture()
def place(run: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a run, a dataset, photos and files, some of which have the name of a bundled model."""
    home = run.parent / "home"
    shutil.copytree(run, home / "celeba64")
    shutil.copytree(run, home / "run")
    shutil.copytree(run, home / "both")
    for dataset in ("data", "both"):
        (home / dataset).mkdir(exist_ok=True)
        (home / dataset / "dataset.json").write_text("{}")
    (home / "photos").mkdir()
    shutil.copy(run / "models" / "000004kimg.safetensors", home / "model.safetensors")
    monkeypatch.chdir(home)
    monkeypatch.setattr(files, "_twice", set())
    return home


MEANINGS = {
    "celeba64": ("bundled", True),
    "./celeba64": ("folder", True),
    "celeba64/": ("folder", True),
    "../home/celeba64": ("folder", True),
    "celeba64@4": ("moment", True),
    "run": ("folder", True),
    "run@4kimg": ("moment", True),
    "run@best": ("moment", True),
    "data": ("folder", False),
    "both": ("folder", False),
    "photos": ("folder", False),
    "model.safetensors": ("file", True),
    "model.safetensors+d.safetensors": ("delta", True),
    "nothing": ("", False),
    "nothing@4": ("", False),
}


@pytest.mark.filterwarnings("ignore::facegan.errors.FaceganWarning")
@pytest.mark.parametrize("name", MEANINGS)
def test_what_a_name_means(name: str, place: Path) -> None:
    found = meaning(name)
    assert (found.kind, found.is_model) == MEANINGS[name]
    assert found.is_dataset == (name in ("data", "both"))
    assert found.run == (None if found.kind not in ("folder", "moment") else Path(name.partition("@")[0]))


def test_a_bundled_name_and_a_folder_of_that_name(place: Path) -> None:
    with pytest.warns(FaceganWarning) as told:
        assert resolve("celeba64").parent == runs.ASSETS
    assert str(told[0].message) == (
        "celeba64: this is the bundled model; the folder of that name is ./celeba64"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # told once; a path is never in doubt
        assert resolve("celeba64").parent == runs.ASSETS
        assert resolve("./celeba64") == Path("celeba64/models/000012kimg.safetensors")
        assert resolve(Path("celeba64")) == Path("celeba64/models/000012kimg.safetensors")


def test_attribute_networks_likewise(place: Path) -> None:
    """A folder "faces" is common, and no network; a file of that name may be meant."""
    from facegan.attributes.networks import ASSETS, bundled

    (place / "faces").mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert bundled("faces") == ASSETS / "faces.safetensors" and bundled("./faces") is None
    (place / "faces").rmdir()
    (place / "faces").write_bytes(b"")
    with pytest.warns(FaceganWarning, match="faces: this is the bundled attribute network; the file of that"):
        assert bundled("faces") == ASSETS / "faces.safetensors"


def test_checkpoints_and_models_are_of_one_meaning(place: Path) -> None:
    """--init with a bundled name never takes the checkpoint of a folder of that name."""
    from facegan.runs.checkpoints import checkpoint_of

    (place / "celeba64" / "checkpoints" / "000012kimg").mkdir(parents=True)
    with pytest.warns(FaceganWarning):
        assert checkpoint_of("celeba64") is None
    assert checkpoint_of("./celeba64") == Path("celeba64/checkpoints/000012kimg")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("run", "this is a run of 'facegan train'"),
        ("photos", "make one with 'facegan prepare photos --out DATASET'"),
        ("model.safetensors", "this is a model's file"),
        ("nothing", "there is no such folder"),
    ],
)
def test_what_is_no_dataset(name: str, said: str, place: Path) -> None:
    from facegan.data.dataset import Dataset

    (place / "run" / "config.json").write_text("{}")
    with pytest.raises(DatasetError) as caught:
        Dataset(name)
    assert str(caught.value) == f"{name}: not a prepared dataset ({said})"


def test_what_is_no_model(place: Path) -> None:
    with pytest.raises(ModelError, match="data: this is a dataset; 'facegan train data' makes a model of it"):
        resolve("data")
    assert resolve("both") == Path("both/models/000012kimg.safetensors")  # what holds models is a run, too


@pytest.mark.parametrize("given", [None, 7, "", "  ", b"celeba64", ["celeba64"], 1.5])
def test_references_that_are_none(given: Any) -> None:
    with pytest.raises(
        InputError, match=r"a model, run or dataset must be a path, not |a model must be a path"
    ):
        load(given)


@pytest.mark.parametrize("device", [None, 7, ["cpu"]])
def test_devices_that_are_none(device: Any, tiny_model_file: Path) -> None:
    with pytest.raises(InputError, match="the device must be a name such as cpu or cuda, not "):
        load(tiny_model_file, device)
