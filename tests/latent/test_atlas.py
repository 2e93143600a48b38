"""Maps: every face where its seed says, sizes that stay within bounds, a page that needs nothing else."""

from __future__ import annotations

import base64
import html
import io
import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from browsers import chromium_program
from PIL import Image

from facegan.errors import InputError
from facegan.generator import Generator
from facegan.latent import Atlas, atlas
from facegan.latent.face_map import MAX_PIXELS, MAX_SIDE, SIDE, mosaic, pyramid, render_atlas, tile_size

HOSTILE = "</script><script>alert(1)</script>&\"' x"


@pytest.fixture(scope="module")
def made(tiny_model: Generator) -> Atlas:
    return atlas(tiny_model, range(5, 28), features="pixels", columns=6)


def data_of(page: bytes) -> dict:
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.decode(), re.DOTALL)
    assert match
    return json.loads(match[1])


def test_each_face_lies_where_its_seed_says(made: Atlas, tiny_model: Generator) -> None:
    assert sorted(made.seeds) == list(range(5, 28)) and (made.rows, made.columns) == (4, 6)
    assert made.picture.shape == (4 * 32, 6 * 32, 3)
    for cell, (seed, face) in enumerate(zip(made.seeds, tiny_model.sample(made.seeds), strict=True)):
        y, x = 32 * (cell // 6), 32 * (cell % 6)
        there = made.picture[y : y + 32, x : x + 32].astype(int)
        assert np.abs(there - face).max() <= 1, seed
    assert made.picture[96:, 5 * 32 :].min() == 255, "the last row's end is empty"


def test_like_faces_are_neighbours(tiny_model: Generator) -> None:
    found = atlas(tiny_model, 144, features="pixels")
    assert 0.8 < found.likeness < 0.96, "1 by chance; random weights spread in all 64 dimensions"
    again = atlas(tiny_model, range(144), features="pixels")
    assert again.seeds == found.seeds and np.array_equal(again.picture, found.picture)


def test_progress_and_smaller_tiles(tiny_model: Generator) -> None:
    told: list[tuple[str, int, int]] = []
    found = atlas(
        tiny_model, 70, features="pixels", tile=16, on_progress=lambda what, a, b: told.append((what, a, b))
    )
    assert found.tile == (16, 16) and found.picture.shape == (8 * 16, 9 * 16, 3)
    assert told[:2] == [("drawing and comparing", 64, 70), ("drawing and comparing", 70, 70)]
    assert told[-1][1] == told[-1][2] and {what for what, _, _ in told[2:]} == {"laying out"}


@pytest.mark.parametrize("count", [0, 20_001])
def test_none_and_too_many(count: int, tiny_model: Generator) -> None:
    with pytest.raises(InputError, match="a map takes 1 to 20,000 faces"):
        atlas(tiny_model, count)


def test_one_face(tiny_model: Generator) -> None:
    found = atlas(tiny_model, [7], features="pixels")
    assert found.seeds == (7,) and found.picture.shape == (32, 32, 3)
    assert "random pairs" not in render_atlas(found, "m").decode()


@pytest.mark.parametrize(
    ("face", "shape"),
    [
        ((64, 64), (50, 50)),
        ((256, 256), (64, 64)),
        ((64, 48), (100, 200)),
        ((512, 512), (1, 3000)),
        ((28, 28), (3, 3)),
    ],
)
def test_pictures_stay_within_bounds(face: tuple[int, int], shape: tuple[int, int]) -> None:
    h, w = tile_size(face, shape)
    assert h <= face[0] and w <= face[1] and min(h, w) >= 1
    assert shape[0] * h * shape[1] * w <= MAX_PIXELS and max(shape[0] * h, shape[1] * w) <= MAX_SIDE
    if face[0] * shape[0] < 8000 and face[1] * shape[1] < 8000:
        assert (h, w) == face


def test_a_tile_as_asked_or_refused() -> None:
    assert tile_size((64, 48), (10, 10), 24) == (32, 24) and tile_size((28, 28), (3, 3), 56) == (56, 56)
    with pytest.raises(InputError, match="--tile 999: 50x50 faces may be 163 px wide at most"):
        tile_size((64, 64), (50, 50), 999)
    with pytest.raises(InputError, match="1 rows of 17000 faces: a map is 16383 px wide"):
        tile_size((64, 64), (1, 17_000))


def test_mosaic_by_hand() -> None:
    faces = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((1, 1, 2, 1), np.uint8)
    assert mosaic(faces, np.array([2, 0, 1]), (2, 2))[..., 0].tolist() == [[2, 2, 0, 0], [1, 1, 255, 255]]


def test_a_pyramid_halves_by_means() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (70, 131, 3), np.uint8)
    levels = list(pyramid(picture, 20))
    assert [p.shape[:2] for p in levels] == [(70, 131), (35, 66), (18, 33), (9, 17)]
    means = picture[:, :130].reshape(35, 2, 65, 2, 3).mean((1, 3))
    assert np.abs(levels[1][:, :65] - means).max() <= 0.5
    assert np.array_equal(levels[1][:, 65], np.floor(picture[:, 130].reshape(35, 2, 3).mean(1) + 0.5))


def test_the_page_holds_the_whole_map(made: Atlas) -> None:
    big = Atlas(made.seeds, made.columns, (160, 160), made.picture.repeat(5, 0).repeat(5, 1), made.likeness)
    page = render_atlas(big, "runs/my faces", " --truncation 0.7")
    data = data_of(page)
    assert data["seeds"] == list(big.seeds) and data["columns"] == 6 and data["tile"] == [160, 160]
    assert [level["size"] for level in data["levels"]] == [[640, 960], [320, 480]]
    sheet = np.zeros((640, 960, 3))
    for i, uri in enumerate(data["levels"][0]["uris"]):
        kind, content = uri.split(";base64,")
        part = np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))
        y, x = SIDE * (i // 2), SIDE * (i % 2)
        sheet[y : y + part.shape[0], x : x + part.shape[1]] = part
        assert kind == "data:image/webp"
    assert np.abs(sheet - big.picture).mean() < 6, "but for what WebP loses"
    command = "facegan generate 'runs/my faces' seed:{seed} --truncation 0.7 --out seed{seed}.png"
    assert data["command"] == command
    assert data["film"] == "facegan film 'runs/my faces' seed:{seeds} --truncation 0.7 --out film.mp4"


def test_the_page_needs_nothing_else_and_trusts_no_name(made: Atlas) -> None:
    page = render_atlas(made, HOSTILE).decode()
    assert "default-src 'none'; img-src data:" in page
    shell = re.sub(r"data:image/webp;base64,[\w+/=]+", "", page)
    assert not re.search(r"https?://|<link|<img|\bsrc=|@import|url\(|fetch\(|XMLHttp", shell)
    assert shell.count("<script") == shell.count("</script>") == 2 and "{{" not in shell
    assert HOSTILE.replace("'", "'\"'\"'") in data_of(page.encode())["command"]


LINES = """<script>
choose(0);
byId('add').click();
byId('add').click();
const found = {};
for (const id of ['command', 'film']) {
  const text = byId(id), lines = new Map(), range = document.createRange();
  const nodes = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
  for (let node = nodes.nextNode(); node; node = nodes.nextNode())
    for (let i = 0; i < node.length; i++) {
      range.setStart(node, i);
      range.setEnd(node, i + 1);
      const {top} = range.getBoundingClientRect();
      lines.set(top, (lines.get(top) || '') + node.data[i]);
    }
  found[id] = {text: text.textContent, lines: [...lines.values()]};
}
document.title = JSON.stringify(found);
</script>"""


@pytest.mark.parametrize("options", ["", " --labels a=1,b-c=2"])
def test_commands_end_lines_between_words(options: str, made: Atlas, tmp_path: Path) -> None:
    browser = chromium_program()
    page = tmp_path / "atlas.html"
    page.write_bytes(render_atlas(made, "celeba64", options) + LINES.encode())
    flags = ["--headless", "--no-sandbox", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    done = subprocess.run([browser, *flags, str(page)], capture_output=True, text=True, timeout=120)
    found = json.loads(html.unescape(done.stdout.split("<title>")[1].split("</title>")[0]))
    seed = made.seeds[0]
    for id, command in (
        ("command", f"generate celeba64 seed:{seed}"),
        ("film", f"film celeba64 seed:{seed},{seed}"),
    ):
        text, lines = found[id]["text"], found[id]["lines"]
        assert text.startswith(f"facegan {command}{options} --out ") and len(lines) > 1
        assert [word for line in lines for word in line.split()] == text.split()


def test_grey_faces(tiny_model: Generator) -> None:
    grey = Atlas((0, 1), 2, (4, 4), np.arange(32, dtype=np.uint8).reshape(4, 8, 1) * 8, 0.5)
    uri = data_of(render_atlas(grey, "m"))["levels"][0]["uris"][0]
    part = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))))
    assert part.shape == (4, 8, 3) and np.abs(part - grey.picture.astype(int)).mean() < 8
