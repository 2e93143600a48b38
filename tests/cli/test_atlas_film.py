"""atlas and film, as a user calls them, and every mistake in one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from facegan.cli.main import main
from facegan.explore.atlas import choose_seeds
from facegan.explore.config import AtlasConfig
from facegan.figures import magnified
from facegan.latent import Vectors, load_vectors, save_vectors
from facegan.models import load
from facegan.video import FORMATS


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def model(tiny_model_file: Path) -> str:
    return str(tiny_model_file)


def facegan(*argv: object) -> None:
    assert main([str(a) for a in argv]) == 0


def frames_of(path: Path) -> list[np.ndarray]:
    if path.suffix == ".webp":
        with Image.open(path) as film:
            found = []
            for i in range(film.n_frames):
                film.seek(i)
                found.append(np.asarray(film.convert("RGB")))
        return found
    import av

    with av.open(str(path)) as film:
        return [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]


def test_a_map_and_its_page(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--count", "14", "--seed", "100", "--features", "pixels", "--truncation", "0.7"]
    facegan("atlas", model, *options, "--out", "new/map.png", "--layout", "new/map.json")
    out = capsys.readouterr().out
    assert out.startswith("16 faces, 4 rows of 4 -> new/map.png, new/map.html (")
    with Image.open("new/map.png") as picture:
        assert picture.size == (128, 128)
        metadata = dict(picture.text)  # type: ignore[attr-defined]
        faces = np.asarray(picture)
    assert (metadata["seed"], metadata["truncation"], metadata["features"]) == ("100-115", "0.7", "pixels")
    page = Path("new/map.html").read_text()
    assert "16 generated faces, seeds 100-115" in page and "--truncation 0.7" in page
    means = load(model).sample(range(100, 116), 0.7).mean((1, 2, 3))
    cells = faces.reshape(4, 32, 4, 32, 3).mean((1, 3, 4)).ravel()
    assert np.allclose(np.sort(means), np.sort(cells), atol=0.1)
    layout = json.loads(Path("new/map.json").read_text())
    assert (layout["columns"], layout["tile"], layout["size"]) == (4, [32, 32], [128, 128])
    assert np.allclose([means[seed - 100] for seed in layout["seeds"]], cells, atol=0.1)


@pytest.mark.parametrize("ending", ["jpg", "webp"])
def test_smaller_pictures(ending: str, model: str) -> None:
    facegan("atlas", model, "--seed", "3,9,1-4", "--features", "pixels", "--tile", 16, "--out", f"a.{ending}")
    with Image.open(f"a.{ending}") as picture:
        assert picture.size == (3 * 16, 2 * 16) and picture.format == {"jpg": "JPEG", "webp": "WEBP"}[ending]


def test_seeds_of_a_map() -> None:
    def chosen(seed: str, count: int, columns: int = 0) -> list[int]:
        return choose_seeds(AtlasConfig(seed=seed, count=count, columns=columns))

    assert len(chosen("0", 0)) == 2500 and chosen("7", 5) == list(range(7, 13))
    assert chosen("3-9", 0) == list(range(3, 10)) and chosen("1,5", 2) == [1, 5]
    assert len(chosen("0", 100, 30)) == 120 and len(chosen("0", 20_000)) == 20_000


@pytest.mark.parametrize("ending", FORMATS)
def test_films(ending: str, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    facegan(
        "film", model, 3, 8, 12, "--seconds", 2, "--fps", 10, "--features", "pixels", "--out", f"f{ending}"
    )
    out = capsys.readouterr().out
    assert out.startswith(f"20 frames, 2.0 s -> f{ending}; steps vary by ")
    pictures = frames_of(Path(f"f{ending}"))
    assert len(pictures) == 20 and pictures[0].shape == (512, 512, 3)
    first = magnified(load(model).sample([3]))[0].astype(int)
    assert np.abs(pictures[0].astype(int) - first).mean() < 8


def test_a_tour_its_vectors_and_how_even_it_is(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    facegan(
        "film",
        model,
        "3-5",
        "--no-loop",
        "--fps",
        5,
        "--features",
        "pixels",
        "--out",
        "a.gif",
        "--latents",
        "z.npz",
        "--evenness",
        "even.png",
    )
    out, err = capsys.readouterr()
    assert "20 frames, 4.0 s" in out and "steps by evaluator: plain lerp varies by" in err
    vectors = load_vectors("z.npz", 64)
    ends = load(model).latent.sample([3, 5])
    assert len(vectors) == 20 and np.allclose(vectors.z[[0, -1]], ends, atol=1e-5)
    with Image.open("even.png") as picture:
        assert picture.size[0] == 1100 and picture.text["points"] == "3-5"  # type: ignore[attr-defined]
    # Saved vectors are points, too.
    facegan("film", model, "z.npz:1,20", "--seconds", 0.5, "--features", "pixels", "--out", "b.gif")
    assert len(frames_of(Path("b.gif"))) == 12
    # So are those that 'invert' and 'edit' save, in w, among others.
    network = load(model)
    w = network.map(network.latent.sample([5])).detach()
    save_vectors("w.npz", Vectors(w, ("photo",), network.hash, "w+"))
    facegan(
        "film",
        model,
        "3",
        "w.npz",
        "--no-loop",
        "--seconds",
        1,
        "--fps",
        8,
        "--features",
        "pixels",
        "--out",
        "w.gif",
        "--latents",
        "v.npz",
        "--evenness",
        "e.png",
    )
    saved = load_vectors("v.npz", 64, (network.num_ws, network.w_dim))
    assert saved.space == "w+" and torch.allclose(saved.z[-1], w[0], atol=1e-5)
    assert np.abs(network.images(saved.z[:1]).astype(int) - network.sample([3])).max() <= 1


MISTAKES = {
    "atlas MODEL seed:3": "takes one model, not 2",
    "atlas no_such_run": "no_such_run: no such run folder",
    "atlas note.safetensors": "note.safetensors: this is a text file, not a facegan model",
    "atlas empty_folder": "empty_folder: no models in this folder",
    "atlas MODEL --count -1": "--count must be 0 or more, not -1",
    "atlas MODEL --count 20001": "--count 20001: a map holds 20,000 faces at most",
    "atlas MODEL --seed 0-30000": "a map holds 20,000 faces at most",
    "atlas MODEL --seed 0-9 --count 3": "--seed 0-9 means 10 faces already",
    "atlas MODEL --seed x": "--seed 'x'",
    "atlas MODEL --columns -2": "--columns must be 0 or more, not -2",
    "atlas MODEL --tile -2": "--tile must be 0 or more, not -2",
    "atlas MODEL --count 9 --tile 9999": "--tile 9999: 3x3 faces may be",
    "atlas MODEL --features taste": "--features",
    "atlas MODEL --truncation nan": "--truncation",
    "atlas MODEL --labels smiling=1": "--labels smiling=1: this model takes none",
    "atlas MODEL --out a.gif": "--out a.gif: the name must end in .png or .jpg or .webp",
    "atlas MODEL --count 4 --features pixels --out file/a.png": "--out file/a.png: cannot be written",
    "atlas MODEL --layout a.txt": "--layout a.txt: the name must end in .json",
    "atlas MODEL --device warp": "--device warp: not available",
    "film note.safetensors": "note.safetensors: this is a text file, not a facegan model",
    "film MODEL 1": "a film needs two points or more, not 1",
    "film MODEL 1 seed:x": "point 'seed:x': 'x' is not a number",
    "film MODEL 1 no.npz": "no.npz: there is no such file",
    "film MODEL 1 note.npz": "note.npz: not a readable .npz",
    "film MODEL --seconds -1": "--seconds must be 0 or more, not -1",
    "film MODEL --seconds nan": "--seconds must be a finite number, not nan",
    "film MODEL --seconds 0.01": "0 frames; a film takes 2 to 20,000",
    "film MODEL --seconds 1e9": "a film takes 2 to 20,000",
    "film MODEL --fps 0": "--fps must be above 0",
    "film MODEL --fps 51 --out a.gif": "--fps must be above 0 and, for .gif, at most 50",
    "film MODEL --out a.avi": "a.avi: not a known kind of film",
    "film MODEL --evenness a.jpg": "--evenness a.jpg: the name must end in .png",
    "film MODEL --latents z.txt": "--latents z.txt: the name must end in .npz",
    "film MODEL --scale 65": "--scale",
    "film MODEL --truncation -1": "--truncation",
    "film MODEL --labels smiling=1": "this model takes none",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_mistakes(line: str, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("note.safetensors").write_text("dear diary\n" * 20)
    Path("note.npz").write_text("dear diary\n" * 20)
    Path("file").write_text("no folder")
    Path("empty_folder").mkdir()
    before = sorted(Path().rglob("*"))
    argv = [model if word == "MODEL" else word for word in line.split()]
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert MISTAKES[line] in err and out == ""
    assert err.count("\n") == 1 and err.startswith(f"facegan {argv[0]}: ")
    assert sorted(Path().rglob("*")) == before, "a mistake writes nothing"
