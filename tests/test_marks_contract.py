"""Every command that makes pictures marks them, each kind by its word, and --no-mark leaves no trace."""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch

import facegan
from facegan.cli.main import COMMANDS, main
from facegan.data.dataset import Dataset
from facegan.generator import Generator
from facegan.latent import directions
from facegan.marks import COMPOSITE, GENERATED, Mark, read_mark
from facegan.models import load

# command -> (its words, pictures that are generated, photos that were changed or stand beside, others)
MAKERS: dict[str, tuple[str, str, str, str]] = {
    "generate": ("MODEL seed:0-3 --out a.png", "a.png", "", ""),
    "interpolate": ("MODEL seed:0,1 --steps 3 --out a.gif", "a.gif", "", ""),
    "film": (
        "MODEL seed:0,1 --features pixels --seconds 0.5 --out a.mp4 --evenness e.png",
        "a.mp4 e.png",
        "",
        "",
    ),
    "arithmetic": ("MODEL 'seed:1 - seed:2' --sheet s.png --out a.png", "a.png a-result.png s.png", "", ""),
    "atlas": ("MODEL --count 9 --features pixels --out a.webp", "a.webp a.html", "", ""),
    "mix": ("MODEL seed:0-1 seed:3 --components 0-3 --out a.png", "a.png", "", ""),
    "edit": (
        "celeba64 seed:5 smiling=+1 --hold none --steps 2 --out a.png",
        "a.png a-result.png",
        "",
        "",
    ),
    "directions": (
        "MODEL --out d.safetensors --figure a.png",
        "a.png",
        "",
        "",
    ),
    "invert": (
        "MODEL seed:3 --steps 2 --encoder none --no-align --out o",
        "o/seed3.png",
        "o/pairs.png o/seed3-path.png o/seed3.mp4",
        "o/curve.png",
    ),
    "attack": (
        "sample:astronaut --steps 2 --size 64 --quiet --out a.png --report r.html",
        "",
        "a.png a-difference.png a-figure.png",
        "r.html",
    ),
    "dream": (
        "sample:chelsea --size 64 --steps 2 --octaves 1 --every 1 --quiet --out a.jpg --film f.gif "
        "--curve c.png",
        "",
        "a.jpg f.gif a-steps/000001.png",
        "c.png",
    ),
    "stylize": (
        "sample:chelsea sample:waves --size 48 --steps 2 --every 1 --quiet --out a.png --film f.webp "
        "--curve c.png",
        "",
        "a.png f.webp a-steps/000001.png",
        "c.png",
    ),
    "evaluate": (
        "MODEL --against DATA --features pixels --metrics fid --count 40 --no-floor --page p.html",
        "",
        "",
        "p.html",
    ),
    "train": (
        "DATA --recipe faces-tiny-32 --kimg 0.032 --batch 16 --grid-count 4 --quality-count 0 "
        "--no-tensorboard --quiet --device cpu --out run",
        "run/samples/000000kimg.png",
        "",
        "",
    ),
}
ELSEWHERE = {
    "demo": "tests/demo/test_demo.py reads the marks of its pictures",
    "translate": "tests/translation/test_translate.py",
}
NO_MAKERS = {
    "prepare": "photos",
    "inspect": "photos",
    "label": "photos",
    "select": "photos",
    "recipes": "text",
    "average": "a model",
    "compare": "its page keeps the marks of the grids",
    "train-attributes": "a network",
    "pack": "a network",
    "import": "a model",
    "export": "a page, whose pictures tests/exchange/test_page.py reads",
    "models": "text",
    "show": "text",
    "pairs": "a data set, whose card and preview say that it is generated",
    "publish": "its sheet is always marked, which tests/exchange/test_publish_folder.py reads",
    "sign": "copies of pictures that have marks",
    "train-encoder": "a network",
    "layers": "text",
    "studio": "a page; its jobs are the other commands",
}
# Functions that write pictures, and the calls without a mark: photos, charts, and pictures for eyes alone.
WRITERS = {"save_png": 2, "save_picture": 2, "png_bytes": 1, "write_film": 99}
UNMARKED = {
    "data/inspection.py": "photos of a data set",
    "data/png.py": "pictures of a data set",
    "data/derive.py": "pictures of a data set",
    "demo/portraits.py": "drawn by a program, not by a trained model",
    "demo/tour.py:prepare": "drawn portraits",
    "data/process_sources.py": "photos",
    "exchange/page_out.py": "pictures for the self-test of a page",
    "exchange/translator_page.py": "pictures for the self-test of a page",
    "runs/folder.py:save_labels": "photos of a data set",
    "studio/actions/attack.py:_run": "the photo before",
    "studio/actions/invert.py:_run": "the photo before",
    "studio/actions/translate.py:_run": "the photo before",
    "studio/tasks/edit_faces.py": "previews of photos that somebody brings",
    "studio/tasks/edits.py:encoded": "previews of photos and of inputs made of them",
    "studio/tasks/photos.py": "previews of photos that somebody brings",
    "studio/tasks/pictures.py": "previews of files that somebody brings",
}


@pytest.fixture
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_every_command_is_known_to_make_pictures_or_not() -> None:
    assert set(MAKERS) | set(ELSEWHERE) | set(NO_MAKERS) == set(COMMANDS)


@pytest.mark.parametrize("name", [*MAKERS, *ELSEWHERE])
def test_every_maker_has_no_mark_and_names_the_law(name: str) -> None:
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        main([name, "--help-all" if name == "train" else "--help"])
    plain = " ".join(re.sub("[│╭╮╰╯─]", " ", text.getvalue()).split())
    assert "--no-mark" in plain
    assert "providers for such marks since 2 August 2026 (Regulation 2024/1689, Article 50(2))" in plain


def one_direction(model: Generator, *_: object, **__: object) -> directions.Directions:
    """Stands for the search, which takes minutes: a direction to draw."""
    vectors = torch.ones(1, model.num_ws, model.w_dim) / model.w_dim**0.5
    return directions.Directions(("pca1",), ("pca",), vectors, np.zeros((1, 0)), (), {}, model.hash)


def inside(page: str) -> list[Mark | None]:
    """The marks of the pictures in a page."""
    found = []
    for number, data in enumerate(re.findall(r"data:image/\w+;base64,([\w+/=]+)", page)):
        place = Path(f"inside-{number}")
        place.write_bytes(base64.b64decode(data))
        found.append(read_mark(place))
    assert found
    return found


@pytest.mark.parametrize("marked", [True, False], ids=["marked", "no-mark"])
@pytest.mark.parametrize("name", MAKERS)
def test_every_picture_of_every_command(
    in_a_folder: None,
    tiny_model_file: Path,
    portraits: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    marked: bool,
) -> None:
    monkeypatch.setattr(directions, "_find", one_direction)
    typed, generated, composite, others = MAKERS[name]
    words = typed.replace("MODEL", str(tiny_model_file)).replace("DATA", str(portraits.path))
    argv = [name, *shlex.split(words), *([] if marked else ["--no-mark"])]
    assert main(argv) in (0, 1)  # attack: the target was not reached
    sources = dict.fromkeys(generated.split(), GENERATED) | dict.fromkeys(composite.split(), COMPOSITE)
    for file, source in sources.items():
        for mark in inside(Path(file).read_text()) if file.endswith(".html") else [read_mark(file)]:
            if not marked:
                assert mark is None, file
                continue
            assert mark is not None and mark.source == source, file
            assert mark.command.startswith(f"facegan {name} ") and "/" not in mark.command
            assert mark.tool == f"facegan {facegan.__version__}"
            if "MODEL" in typed:
                assert mark.model == load(tiny_model_file).hash
            assert mark.model
    for file in others.split():
        if not file.endswith(".html"):
            assert read_mark(file) is None, file
    if name == "generate":
        assert not marked or read_mark("a.png").seed == "0-3"  # type: ignore[union-attr]
    if name == "attack":
        found = inside(Path("r.html").read_text())  # the photo, the attacked one, their difference
        assert [mark and mark.source for mark in found] == [None, *[COMPOSITE if marked else None] * 2]
    if name == "evaluate":
        found = inside(Path("p.html").read_text())
        assert [mark and mark.source for mark in found] == [GENERATED if marked else None, None]
    if name == "train":
        grid = Path("run/samples/000000kimg.png")
        assert not marked or read_mark(grid).seed == "0-3"  # type: ignore[union-attr]
        assert all(m == read_mark(grid) for m in inside(Path("run/report.html").read_text())[:1])
        last = Path("run/samples/000000.032kimg.png")
        if marked:
            assert read_mark(last).model == load("run").hash  # type: ignore[union-attr]


def test_every_call_that_writes_a_picture_gives_its_mark() -> None:
    """New code decides: pictures of a model get a mark, others a line in ``UNMARKED``."""
    root, missing, used = Path(facegan.__file__).parent, [], set()
    for file in sorted(root.rglob("*.py")):
        tree = ast.parse(file.read_text())
        for function in [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]:
            for call in [n for n in ast.walk(function) if isinstance(n, ast.Call)]:
                named = getattr(call.func, "attr", getattr(call.func, "id", ""))
                if named not in WRITERS or function.name in {*WRITERS, "_repr_png_"}:
                    continue
                if len(call.args) > WRITERS[named] or any(k.arg == "mark" for k in call.keywords):
                    continue
                place = str(file.relative_to(root))
                known = [p for p in (place, f"{place}:{function.name}") if p in UNMARKED]
                used.update(known)
                if not known:
                    missing.append(f"{place}:{call.lineno} in {function.name}")
    assert not missing
    assert used <= set(UNMARKED)
