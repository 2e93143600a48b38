"""``facegan invert`` as a user calls it: what it leaves, going on, Ctrl-C, and every mistake in one line."""

from __future__ import annotations

import csv
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import warm
from PIL import Image

import facegan
from facegan.cli.main import main
from facegan.images import png_bytes
from facegan.inversion import invert as api
from facegan.inversion.tune import TuneConfig
from facegan.latent import load_vectors
from facegan.models import load

QUICK = ["--loss", "mse", "--steps", "6", "--start", "random"]


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def model(vivid_model_file: Path) -> str:
    return str(vivid_model_file)


@pytest.fixture
def folder(model: str) -> str:
    Path("photos").mkdir()
    for i, image in enumerate(load(model).sample([11, 12, 13, 14, 15])):
        Path(f"photos/{i}.png").write_bytes(png_bytes(image))
    return "photos"


def invert(*argv: object) -> int:
    return main(["invert", *map(str, argv)])


def rows(path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(Path(path).read_text().splitlines()))


def test_what_a_photo_leaves(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert invert("seed:7", "--model", model, "--out", "out", *QUICK) == 0
    names = {p.name for p in Path("out").iterdir()}
    assert names == {
        "vectors.npz",
        "seed7.png",
        "pairs.png",
        "errors.csv",
        "curve.png",
        "seed7-path.png",
        "seed7.mp4",
    }
    network, found = load(model), load_vectors("out/vectors.npz", 64)
    assert found.names == ("seed7",) and found.model_hash == network.hash
    with Image.open("out/seed7.png") as picture:
        assert np.abs(np.asarray(picture).astype(int) - network.images(found.z)[0]).max() <= 1
        assert picture.text["inverted"] == "seed7"  # type: ignore[attr-defined]
    (row,) = rows("out/errors.csv")
    error = np.square((network.images(found.z)[0].astype(float) - network.sample([7])[0]) / 127.5).mean()
    assert float(row["mse"]) == pytest.approx(error, rel=0.02)
    said = capsys.readouterr().out
    assert f"{float(row['mse']):.4f}" in said and "1 vector -> out/vectors.npz" in said
    assert main(["generate", model, "--vectors", "out/vectors.npz", "--out", "again.png"]) == 0


def test_the_tutorials_path_is_10x4(model: str) -> None:
    assert invert("seed:7", "--model", model, "--preset", "tutorial", "--film", "webp", "--out", "out") == 0
    with Image.open("out/seed7.webp") as film:
        assert film.n_frames == 40 + 10  # type: ignore[attr-defined]
    with Image.open("out/seed7-path.png") as figure:
        width, height = figure.size
    assert width == 1024 and 4 * width / 10 < height < 4 * (width / 10 + 24)


def test_a_folder_in_batches_goes_on(model: str, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of two; the second call stops in the second batch, the third does the rest, to the bit."""
    argv = [folder, "--model", model, "--batch", 2, *QUICK]
    assert invert(*argv, "--out", "whole") == 0
    assert not Path("whole/.parts").exists() and not list(Path("whole").glob("*-path.png"))
    real, done = api.invert_pictures, []

    def stopping(network, photos, names, *, config, encoder=None, on_step=None):  # type: ignore[no-untyped-def]
        done.append(names)
        if len(done) == 2:

            def on_step(step, losses, draw):  # type: ignore[no-untyped-def]
                if step == 2:
                    raise KeyboardInterrupt

        return real(network, photos, names, config=config, encoder=encoder, on_step=on_step)

    monkeypatch.setattr(api, "invert_pictures", stopping)
    assert invert(*argv, "--out", "twice") == 130
    assert [r["name"] for r in rows("twice/errors.csv")] == ["0", "1", "2", "3"]
    assert invert(*argv, "--out", "twice") == 0
    assert done == [["0", "1"], ["2", "3"], ["2", "3"], ["4"]]
    for name in ("vectors.npz", "errors.csv"):
        a, b = Path("whole", name), Path("twice", name)
        if name.endswith("npz"):
            assert np.array_equal(np.load(a)["z"], np.load(b)["z"])
        else:
            assert a.read_text() == b.read_text()
    assert invert(*argv, "--seed", 5, "--out", "twice") == 0  # other settings begin anew
    assert len(done) == 7


def test_compare_on_one_photo(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["seed:7", "--model", model, "--compare", "mae,mse", "--preset", "tutorial", "--steps", 5]
    assert invert(*argv, "--out", "out") == 0
    found = rows("out/errors.csv")
    assert [r["by"] for r in found] == ["mae", "mse"] and found[0]["loss"] != found[1]["loss"]
    with Image.open("out/compare.png") as figure:
        pixels = np.asarray(figure.convert("RGB"))
    assert pixels.shape[1] > 600 and len(np.unique(pixels.reshape(-1, 3), axis=0)) > 100
    assert "by mae" in capsys.readouterr().out
    assert invert("seed:7,8", "--model", model, "--compare", "mae,mse") == 2


def test_tuning_makes_a_file_that_every_command_takes(model: str) -> None:
    argv = ["seed:7", "--model", model, "--tune", "--tune-steps", 20, "--tune-rank", 2, "--paths", "none"]
    assert invert(*argv, "--out", "out", *QUICK) == 0
    (row,) = rows("out/errors.csv")
    assert float(row["mse_tuned"]) < float(row["mse"])
    both = f"{model}+out/seed7-delta.safetensors"
    assert main(["generate", both, "--vectors", "out/vectors.npz", "--scale", "1", "--out", "t.npz"]) == 0
    picture = np.load("t.npz")["images"][0].astype(float)
    error = np.square((picture - load(model).sample([7])[0]) / 127.5).mean()
    assert float(row["mse_tuned"]) == pytest.approx(error, rel=0.02)


def test_the_function_does_what_the_command_does(model: str) -> None:
    """Vectors, errors, deltas and the names of all files are the same."""
    argv = ["seed:7", "--model", model, "--tune", "--tune-steps", 5, "--tune-rank", 2, "--film", "gif"]
    assert invert(*argv, "--out", "by-command", *QUICK) == 0
    wish = TuneConfig(steps=5, rank=2)
    settings = {"loss": "mse", "steps": 6, "start": "random"}
    found = facegan.invert("seed:7", model, tune=wish, out="by-function", film="gif", **settings)
    assert found.folder == Path("by-function")
    for one, other in zip(*(sorted(Path(f).iterdir()) for f in ("by-command", "by-function")), strict=True):
        assert one.name == other.name
        if one.suffix in (".csv", ".safetensors"):
            assert one.read_bytes() == other.read_bytes(), one
    told: list[tuple[str, int, int]] = []
    kept = facegan.invert("seed:7", model, tune=wish, on_progress=lambda *at: told.append(at), **settings)
    assert told[-5:] == [("tune to seed7", step, 5) for step in range(1, 6)] and told[0][0] != told[-1][0]
    assert kept.folder is None and np.array_equal(kept.tuned["seed7"], found.tuned["seed7"])
    assert kept.tuned_errors == found.tuned_errors and torch.equal(kept.vectors.z, found.vectors.z)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_keeps_what_was_found(model: str) -> None:
    argv = ["invert", "seed:7", "--model", model, "--steps", "100000", "--optimizer", "adam", "--loss", "mse"]
    argv += ["--start", "random", "--paths", "none", "--out", "out"]
    code = "import facegan.inversion.invert as i, sys\nreal = i._count_updates\n"
    code += "def noisy(*a):\n f = real(*a)\n def g(at):\n  at.step == 3 and open('running', 'w')\n"
    code += "  f(at)\n return g\ni._count_updates = noisy\n"
    code += "from facegan.cli.main import main\nsys.exit(main(sys.argv[1:]))"
    running = warm.Popen(["-c", code, *argv])
    while not Path("running").exists():
        assert running.poll() is None
        time.sleep(0.02)
    time.sleep(0.2)
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 130
    assert load_vectors("out/vectors.npz", 64).names == ("seed7",) and Path("out/curve.png").is_file()


MISTAKES = {
    "no photo": ([], "give a photo: a file, a folder"),
    "no such file": (["no.png"], "no.png: there is no such file"),
    "not a picture": (["text.png"], "text.png: not readable as a picture"),
    "empty folder": (["empty"], "empty: there are no pictures"),
    "steps": (["seed:1", "--steps", "-1"], "--steps must be 0 or more, not -1"),
    "restarts": (["seed:1", "--restarts", "0"], "--restarts must be at least 1"),
    "loss": (["seed:1", "--loss", "l3"], "--loss l3: 'l3' is unknown (known: mae"),
    "weight": (["seed:1", "--loss", "mse=-1"], "'-1' is not a weight above 0"),
    "compare": (["seed:1", "--compare", "mae,x"], "--compare mae,x: 'x' is unknown"),
    "space": (["seed:1", "--space", "v"], "--space"),
    "face": (["seed:1", "--face", "0"], "--face must be at least 1"),
    "tune": (["seed:1", "--tune", "--tune-steps", "0"], "--tune-steps and --tune-rank must be at least 1"),
    "encoder": (["seed:1", "--encoder", "no.safetensors"], "no.safetensors: there is no such encoder"),
    "start": (["seed:1", "--start", "encoder"], "--start encoder: this model has none"),
    "seed": (["seed:-1"], "seed:"),
    "noise": (["seed:1", "--noise", "1"], "--noise goes with --optimizer adam"),
    "no noise": (["seed:1", "--noise", "1", "--optimizer", "adam"], "--noise: this model has none"),
    "out": (["seed:1", "--out", "text.png"], "--out text.png: text.png is a file; choose a folder"),
    "out below": (["seed:1", "--out", "text.png/x"], "text.png is a file; choose a folder"),
    "out beside the photo": (["text.png", "--out", "."], "--out .: the photos lie there"),
    "out below the folder": (["empty", "--out", "empty/sub"], "--out empty/sub: the photos lie there"),
    "out of the folder": (["empty", "--out", "empty/../empty"], "the photos lie there"),
    "empty": ([""], "give a photo: a file, a folder"),
    "no number": (["seed:1", "--steps", "abc"], "--steps abc: not a whole number"),
    "no float": (["seed:1", "--norm", "abc"], "--norm abc: not a number"),
    "compare weights": (["seed:1", "--compare", "mae=3,mse"], "--compare takes names of losses alone"),
    "compare loss": (["seed:1", "--compare", "mae", "--loss", "mse"], "neither --loss nor --tune"),
    "encoder folder": (["seed:1", "--encoder", "empty"], "empty: not a readable .safetensors file (it is a"),
    "delta": (["seed:1", "--model", "MODEL+text.png"], "after a + comes a delta"),
    "model": (["seed:1", "--model", "no_model"], "no_model: no such run folder"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name: str, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("text.png").write_text("hello")
    Path("empty").mkdir()
    argv, message = MISTAKES[name]
    given = argv if "--model" in argv else [*argv, "--model", model]
    assert invert(*given) == 2
    said = capsys.readouterr().err.strip()
    assert (
        message in said.splitlines()[-1] and said.startswith("facegan invert: ") and "Traceback" not in said
    )


def test_train_encoder_mistakes(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for argv, message in (
        ([model, "nowhere"], "nowhere: not a prepared dataset"),
        (["no_model", "nowhere"], "no_model: no such run folder"),
        ([model, "nowhere", "--kimg", "0"], "--kimg"),
        ([model, "nowhere", "--out", "e.txt"], "--out e.txt: the name must end in .safetensors"),
        ([model, "nowhere", "--loss", "x"], "--loss x"),
    ):
        assert main(["train-encoder", *argv]) == 2
        assert message in capsys.readouterr().err


def test_an_encoder_beside_a_read_only_model_is_refused_at_once(
    model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert main(["train-encoder", model, "nowhere"]) == 2
    assert "the folder is read-only; name the encoder's file with --out" in capsys.readouterr().err


def test_help_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("invert", "train-encoder"):
        with pytest.raises(SystemExit) as stop:
            main([name, "--help"])
        assert not stop.value.code and "usage: facegan" in capsys.readouterr().out
