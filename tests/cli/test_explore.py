"""generate, interpolate, arithmetic and show, as a user calls them, and every mistake in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegan import figures
from facegan.cli.main import main
from facegan.generator import Generator
from facegan.images import save_png
from facegan.latent import load_vectors
from facegan.models import load


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def model(tiny_model_file: Path) -> str:
    return str(tiny_model_file)


@pytest.fixture(scope="session")
def saved(tiny_model_file: Path) -> Generator:
    """The model as it is in the file, in half precision."""
    return load(tiny_model_file)


def facegan(*argv: object) -> None:
    assert main([str(a) for a in argv]) == 0


def picture(path: str | Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def text(path: str | Path) -> dict[str, str]:
    with Image.open(path) as image:
        return dict(image.text)  # type: ignore[attr-defined]


def near(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal within a grey level, which another batch size may cost."""
    return a.shape == b.shape and int(np.abs(a.astype(int) - b).max()) <= 1


# --- generate ----------------------------------------------------------------------------------


def test_generate_a_grid(model: str, saved: Generator) -> None:
    facegan("generate", model, "--count", 4, "--seed", 7, "--scale", 1, "--out", "new/grid.png")
    sheet = picture("new/grid.png")
    faces = saved.sample(range(7, 11))
    gap = (sheet.shape[0] - 64) // 3
    for i, face in enumerate(faces):
        y, x = (gap + (i // 2) * (32 + gap), gap + (i % 2) * (32 + gap))
        assert near(sheet[y : y + 32, x : x + 32], face)
    metadata = text("new/grid.png")
    assert (metadata["seed"], metadata["model"], metadata["truncation"]) == ("7-10", saved.hash, "1")


@pytest.mark.parametrize(
    ("options", "seeds"),
    [
        (["--seed", "3", "--count", "2"], "3-4"),
        (["--seed", "0-9"], "0-9"),
        (["--seed", "5-5"], "5"),
        (["--seed", "3", "--count", "1", "--columns", "1000"], "3"),
        (["--seed", "1,1,2"], "1,1-2"),
        (["--seed", "5,1,7-9"], "5,1,7-9"),
        ([], "0-24"),
    ],
)
def test_seeds_of_a_grid(options: list[str], seeds: str, model: str) -> None:
    facegan("generate", model, *options, "--out", "a.png")
    assert text("a.png")["seed"] == seeds


def test_generate_a_folder(model: str, saved: Generator) -> None:
    facegan("generate", model, "--seed", "3,12345", "--truncation", 0.5, "--out", "faces")
    assert sorted(p.name for p in Path("faces").iterdir()) == ["seed0003.png", "seed12345.png"]
    for seed in (3, 12345):
        name = f"faces/seed{seed:04d}.png"
        assert near(picture(name), saved.sample([seed], truncation=0.5)[0])
        metadata = text(name)
        assert (metadata["seed"], metadata["model"], metadata["truncation"]) == (str(seed), saved.hash, "0.5")


def test_generate_an_npz(model: str, saved: Generator) -> None:
    facegan("generate", model, "--count", 70, "--out", "faces.npz")
    with np.load("faces.npz", allow_pickle=False) as archive:
        images = archive["images"]
    assert images.dtype == np.uint8 and near(images, saved.sample(70))


def test_latents_are_saved_and_come_back(model: str, saved: Generator) -> None:
    facegan("generate", model, "--seed", "4-6", "--latents", "z.npz", "--out", "a.npz")
    vectors = load_vectors("z.npz", 64)
    assert (vectors.names, vectors.model_hash) == (("seed:4", "seed:5", "seed:6"), saved.hash)
    assert np.array_equal(vectors.z.numpy(), saved.latent.sample([4, 5, 6]).numpy())
    facegan("generate", model, "--vectors", "z.npz", "--out", "b.npz")
    facegan("generate", model, "--vectors", "z.npz:3", "--out", "c.npz")
    a, b, c = (np.load(f"{name}.npz")["images"] for name in "abc")
    assert near(a, b) and near(a[2:], c)


def test_constant_vectors(model: str, saved: Generator) -> None:
    facegan("generate", model, "--constant", "0,0.5,1", "--out", "constants")
    for number, value in enumerate((0, 0.5, 1), 1):
        z = saved.latent.sample([0]) * 0 + value
        assert near(picture(f"constants/constant{number:04d}.png"), saved.images(z)[0])
        assert text(f"constants/constant{number:04d}.png")["constant"] == f"all {value:g}"
    facegan("generate", model, "--constant=-1,1", "--out", "two.png")
    assert text("two.png")["constant"] == "all -1, all 1"


def test_a_numbered_sheet_is_larger_by_its_numbers(model: str) -> None:
    facegan("generate", model, "--count", 6, "--columns", 3, "--out", "plain.png")
    facegan("generate", model, "--count", 6, "--columns", 3, "--numbered", "--out", "numbered.png")
    plain, numbered = picture("plain.png"), picture("numbered.png")
    assert numbered.shape[0] > plain.shape[0] + 2 * 10
    assert numbered.shape[1] >= 3 * 64


# --- interpolate -------------------------------------------------------------------------------


def test_ten_rows_of_ten(model: str, saved: Generator) -> None:
    facegan("interpolate", model, 0, 1, "--rows", 10, "--scale", 1, "--no-captions", "--out", "ten.png")
    sheet = picture("ten.png")
    gap = (sheet.shape[0] - 320) // 11
    assert sheet.shape == (320 + 11 * gap, 320 + 11 * gap, 3)
    for row in range(10):
        ends = saved.sample([2 * row, 2 * row + 1])
        y = gap + row * (32 + gap)
        assert near(sheet[y : y + 32, gap : gap + 32], ends[0])
        assert near(sheet[y : y + 32, -gap - 32 : -gap], ends[1])
    metadata = text("ten.png")
    assert (metadata["points"], metadata["path"], metadata["model"]) == ("0 1", "slerp", saved.hash)


@pytest.mark.parametrize("kind", ["lerp", "slerp", "hypersphere"])
def test_a_strip_along_each_path(kind: str, model: str, saved: Generator) -> None:
    import torch

    from facegan.latent import path

    facegan(
        "interpolate",
        model,
        3,
        5,
        "--path",
        kind,
        "--steps",
        4,
        "--scale",
        1,
        "--no-captions",
        "--out",
        "s.png",
    )
    expected = saved.images(torch.stack(list(path(saved.latent.sample([3, 5]), 4, kind))))
    sheet = picture("s.png")
    gap = (sheet.shape[0] - 32) // 2
    for i, face in enumerate(expected):
        x = gap + i * (32 + gap)
        assert near(sheet[gap : gap + 32, x : x + 32], face)


@pytest.mark.parametrize("kind", ["gif", "mp4", "webp"])
def test_films(kind: str, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    import av

    facegan("interpolate", model, "7,12", 31, "--loop", "--steps", 5, "--fps", 10, "--out", f"film.{kind}")
    assert "12 frames, 1.2 s" in capsys.readouterr().out
    if kind == "webp":
        with Image.open("film.webp") as film:
            assert film.n_frames == 12
        return
    with av.open(f"film.{kind}") as film:
        pictures = [f.to_ndarray(format="rgb24") for f in film.decode(video=0)]
    assert len(pictures) == 12 and pictures[0].shape == (512, 512, 3)


def test_a_path_through_saved_vectors(model: str) -> None:
    facegan("generate", model, "--seed", "4-6", "--latents", "z.npz", "--out", "a.npz")
    facegan("interpolate", model, "z.npz", "--steps", 3, "--no-captions", "--out", "saved.png")
    facegan("interpolate", model, "4", "z.npz:2-3", "--steps", 3, "--no-captions", "--out", "mixed.png")
    facegan("interpolate", model, "4-6", "--steps", 3, "--no-captions", "--out", "seeds.png")
    seeds = picture("seeds.png")
    assert near(picture("saved.png"), seeds) and near(picture("mixed.png"), seeds)


# --- arithmetic --------------------------------------------------------------------------------


def test_arithmetic_over_the_numbered_sheet(model: str, saved: Generator) -> None:
    """Number 1 is the first seed, so that 92,98,99 are the seeds 91, 97, 98."""
    facegan(
        "arithmetic", model, "92,98,99 - 9,21,79 + 10,30,45", "--out", "figure.png", "--sheet", "sheet.png"
    )
    z = saved.latent.sample(range(100))
    expected = z[[91, 97, 98]].mean(0) - z[[8, 20, 78]].mean(0) + z[[9, 29, 44]].mean(0)
    result = load_vectors("figure.npz", 64)
    assert result.names == ("result",)
    assert np.allclose(result.z[0].numpy(), expected.numpy(), atol=1e-6)
    single = picture("figure-result.png")
    assert near(single[:: single.shape[0] // 32, :: single.shape[1] // 32], saved.images(result.z)[0])
    metadata = text("figure.png")
    assert (metadata["expression"], metadata["model"]) == ("92,98,99 - 9,21,79 + 10,30,45", saved.hash)
    assert picture("sheet.png").shape[1] >= 10 * 64
    facegan("interpolate", model, 0, "figure.npz", "--steps", 3, "--out", "towards.png")


@pytest.mark.parametrize(
    "told, called",
    [
        ([], ["2 = seed:51", "1 = seed:50", "seed:7"]),
        (["--vectors", "z.npz"], ["2 = seed:4", "1 = seed:3", "seed:7"]),
        (["--vectors", "nameless.npz"], ["2", "1", "seed:7"]),
    ],
)
def test_numbers_of_a_sheet_are_shown_with_their_seeds(
    model: str, saved: Generator, told: list[str], called: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    facegan("generate", model, "--seed", "3-5", "--latents", "z.npz", "--out", "a.png")
    np.savez("nameless.npz", z=saved.latent.sample([3, 4, 5]).numpy())
    shown: list[str] = []
    draw = figures.arithmetic_figure
    monkeypatch.setattr(
        figures,
        "arithmetic_figure",
        lambda rows, *a: [shown.extend(r.labels) for r in rows] and draw(rows, *a),
    )
    facegan("arithmetic", model, "2 - 1 + seed:7", *told, *([] if told else ["--seed", 50]))
    assert shown == called


def test_arithmetic_with_groups_saved_vectors_and_norm(model: str, saved: Generator) -> None:
    Path("groups.yaml").write_text("smiling woman: [1, 2]\nman: [3]\nexpression: smiling woman - man\n")
    facegan("generate", model, "--seed", "50-59", "--latents", "z.npz", "--out", "a.png")
    facegan("arithmetic", model, "--groups", "groups.yaml", "--vectors", "z.npz", "--result", "r.npz")
    z = saved.latent.sample([50, 51, 52])
    assert np.allclose(load_vectors("r.npz").z[0], z[:2].mean(0) - z[2], atol=1e-6)
    facegan("arithmetic", model, "man + 1", "--groups", "groups.yaml", "--seed", 50, "--norm", "prior")
    assert load_vectors("arithmetic.npz").z[0].norm().item() == pytest.approx(8.0)


# --- show --------------------------------------------------------------------------------------


def test_show(model: str, saved: Generator, capsys: pytest.CaptureFixture[str]) -> None:
    facegan("show", model)
    out = capsys.readouterr().out
    count = sum(p.numel() for p in saved.network.parameters())
    for part in (
        "dcgan",
        "64 dimensions, normal, mean 0, std 1",
        "32x32",
        f"{count:,}",
        "CC0-1.0",
        saved.hash,
    ):
        assert part in out
    facegan("show", model, "--json")
    found = json.loads(capsys.readouterr().out)
    assert (found["parameters"], found["hash"], found["licence"]) == (count, saved.hash, "CC0-1.0")
    assert sum(row["parameters"] for row in found["layers"]) == count


def test_multiply_accumulates_agree_with_torchs_counter(
    model: str, saved: Generator, capsys: pytest.CaptureFixture[str]
) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        saved(saved.latent.sample([0]))
    facegan("show", model, "--json")
    assert json.loads(capsys.readouterr().out)["macs"] == counter.get_total_flops() // 2


# --- mistakes ----------------------------------------------------------------------------------

# arguments -> what the one line must hold; MODEL stands for the model's file
MISTAKES = {
    "generate photo.jpg": "photo.jpg: this is a picture ('facegan invert' finds a photo's vector",
    "generate MODEL MODEL": "a second model, after",
    "generate seed:3 MODEL": "the model comes first: facegan generate MODEL seed:0-24",
    "generate MODEL --model MODEL": "another one with --model",
    "generate MODEL seed:3 --seed 4": "--seed: the faces are named already (seed:3)",
    "generate MODEL seed:3 z64.npz": "name seeds, or one file of vectors",
    "generate no_such_run": "no_such_run: no such run folder, model file or bundled model",
    "generate note.safetensors": "note.safetensors: this is a text file, not a facegan model",
    "generate foreign.safetensors": "foreign.safetensors: no facegan model",
    "generate empty_folder": "empty_folder: no models in this folder",
    "generate MODEL --count -3": "--count",
    "generate MODEL --count many": "--count",
    "generate MODEL --cuont 3": "did you mean --count?",
    "generate MODEL --seed -3": "--seed",
    "generate MODEL --seed 1,x": "--seed '1,x': 'x' is not a number",
    "generate MODEL --seed 9-3": "runs backwards",
    "generate MODEL --seed 99999999999999999999": "--seed",
    "generate MODEL --truncation -1": "--truncation",
    "generate MODEL --truncation nan": "--truncation",
    "generate MODEL --constant x": "--constant 'x'",
    "generate MODEL --constant 1 --vectors z64.npz": "exclude each other",
    "generate MODEL --vectors no.npz": "no.npz: there is no such file",
    "generate MODEL --vectors z3.npz": "z3.npz: its vectors have shape (1, 3), but the model needs N,64",
    "generate MODEL --vectors note.npz": "note.npz: not a readable .npz",
    "generate MODEL --out a.jpg": "--out a.jpg: choose",
    "generate MODEL --count 2 --out file/a.png": "--out file/a.png: cannot be written",
    "generate MODEL --count 2 --out file": "--out file: cannot be written",
    "generate MODEL --count 2 --out file/a.npz": "--out file/a.npz: cannot be written",
    "generate MODEL --count 2 --latents file/z.npz": "file/z.npz: cannot be written",
    "generate MODEL --latents z.txt": "z.txt: saved vectors are .npz files",
    "generate MODEL --count 10001 --out a.png": "too many for one grid",
    "generate MODEL --device warp": "--device warp: not available",
    "generate MODEL --scale 1000": "--scale",
    "generate MODEL --count 10000001 --out a.npz": "--count must be from 0 to 10,000,000",
    "generate MODEL --columns 99999999": "--columns must be from 0 to 10,000",
    "generate MODEL --columns 3 --out a.npz": "--columns makes a grid",
    "generate MODEL --scale 3 --out a.npz": "--scale is for PNG",
    "generate MODEL --device meta": "--device meta: not available",
    "generate MODEL --seed 3 --constant 0": "--seed is for pictures of seeds, not for --constant",
    "generate MODEL --seed 1,1,2 --out folder/": "--seed 1,1,2: one of them comes twice",
    "generate MODEL --vectors z64.npz:1 --out ./z64.npz": "--out ./z64.npz: it would replace what is read",
    "generate MODEL --latents z.npz --out z.npz": "--out z.npz: another result goes there",
    "generate MODEL --vectors bad.yaml": "bad.yaml: not a readable .npz of vectors, such as numpy.savez",
    "interpolate MODEL 1": "a path needs two points or more, not 1",
    "interpolate MODEL 1 seed:x": "point 'seed:x': 'x' is not a number",
    "interpolate MODEL 1 no.npz": "no.npz: there is no such file",
    "interpolate MODEL 1 z64.npz:9": "there is no vector 9",
    "interpolate MODEL 1 z3.npz": "the model needs N,64",
    "interpolate MODEL 0 1 --steps 1": "--steps must be at least 2",
    "interpolate MODEL 0 1 --path spline": "--path",
    "interpolate MODEL 0 1 --rows 0": "--rows",
    "interpolate MODEL 0 1 --out a.avi": "--out a.avi: choose",
    "interpolate MODEL 0 1 --out file/a.mp4": "file/a.mp4: cannot be written",
    "interpolate MODEL 0 1 --out a.gif --fps 0": "--fps",
    "interpolate MODEL 0 1 --steps 10001": "too many for a figure",
    "arithmetic MODEL": "the expression is empty",
    "arithmetic MODEL 1 --out a.png --sheet a.png": "--sheet a.png: another result goes there",
    "arithmetic MODEL 1 --vectors z64.npz --result ./z64.npz": "it would replace what is read there",
    "arithmetic MODEL 1+": "expression '1+': expected a number",
    "arithmetic MODEL 0+1": "there is no face 0",
    "arithmetic MODEL xyz-woman": "the word 'xyz' is unknown",
    "arithmetic MODEL 3 --vectors z64.npz": "there is no face 3 on this sheet (it has 1 to 2)",
    "arithmetic MODEL 999999999": "there is no face 999999999",
    "arithmetic MODEL 1 --groups no.yaml": "--groups no.yaml: there is no such file",
    "arithmetic MODEL 1 --groups bad.yaml": "--groups bad.yaml: not readable as YAML",
    "arithmetic MODEL 1 --groups list.yaml": "--groups list.yaml: expected lines such as",
    "arithmetic MODEL 1 --groups text.yaml": "group 'man' must be a list of numbers",
    "arithmetic MODEL 1 --out a.gif": "--out a.gif: the name must end in .png",
    "arithmetic MODEL 1 --out file/a.png": "cannot be written",
    "arithmetic MODEL 1 --norm big": "--norm",
    "show no_such_run": "no_such_run: no such run folder",
    "show note.safetensors": "note.safetensors: this is a text file, not a facegan model",
    "show": "MODEL",
}


def surroundings(model: str) -> None:
    """The files that the mistakes speak of, in the current folder."""
    from safetensors.numpy import save_file

    Path("note.safetensors").write_text("dear diary\n" * 20)
    Path("note.npz").write_text("dear diary\n" * 20)
    Path("file").write_text("no folder")
    save_png("photo.jpg", np.zeros((8, 8, 3), np.uint8))
    Path("empty_folder").mkdir()
    save_file({"a": np.zeros(3, np.float32)}, "foreign.safetensors")
    np.savez("z3.npz", z=np.zeros((1, 3)))
    np.savez("z64.npz", z=np.zeros((2, 64)))
    Path("bad.yaml").write_text("a: [1, 2\nb: }")
    Path("list.yaml").write_text("[1, 2]")
    Path("text.yaml").write_text("man: tall")


@pytest.mark.parametrize("line", MISTAKES)
def test_mistakes(line: str, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    surroundings(model)
    before = sorted(Path().rglob("*"))
    argv = [model if word == "MODEL" else word for word in line.split()]
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert MISTAKES[line] in err and out == ""
    assert err.count("\n") == 1 and err.startswith(f"facegan {argv[0]}: ") and "Traceback" not in err
    assert sorted(Path().rglob("*")) == before, "a mistake writes nothing"


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_mistake_of_a_process(encoding: str, model: str) -> None:
    """In one line on a terminal of any encoding."""
    command = [sys.executable, "-m", "facegan.cli.main", "interpolate", model, "0", "--setps", "3"]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(
        "facegan interpolate: Unrecognized options: --setps, 3 (did you mean --steps?)"
    )


def test_a_process_makes_a_grid(model: str) -> None:
    command = [sys.executable, "-m", "facegan.cli.main", "generate", model, "--count", "4"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "4 pictures -> faces.png\n", "")
    assert text("faces.png")["seed"] == "0-3"


PEAK = """
import resource, sys
from facegan.cli.main import main
assert main(sys.argv[1:]) == 0
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def test_memory_does_not_grow_with_the_steps(model: str) -> None:
    """600 frames of 128x128 more are 29 MB of pixels; less than a third of it may stay."""
    peaks = []
    for steps in (50, 650):
        options = ["interpolate", model, "0", "1", "--steps", str(steps), "--scale", "4", "--out", "film.mp4"]
        done = subprocess.run(
            [sys.executable, "-c", PEAK, *options], capture_output=True, text=True, check=True
        )
        peaks.append(int(done.stderr) / 1024)
    assert peaks[1] - peaks[0] < 9, f"{peaks} MB"
