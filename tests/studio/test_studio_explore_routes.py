"""``/api/explore``: what the page's engine is given, and every request that is refused in one sentence."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from studio_server import Server, running

from facegan.errors import InputError
from facegan.exchange.onnx_out import onnx_runner
from facegan.generator import Generator
from facegan.studio import points
from facegan.studio.tasks import explore as tasks


@pytest.fixture(scope="module")
def server(tiny_model: Generator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("routes")
    (folder / "models").mkdir()
    tiny_model.save(folder / "models" / "tiny.safetensors")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEGAN_CACHE", str(folder / "cache"))
        with running(folder) as started:
            yield started


LOOK = {"face": {"point": {"seed": 3}}}
REFUSED: dict[str, tuple[str, str, Any, int, str]] = {
    "another model": ("GET", "nobody", None, 404, "this project has no model 'nobody'"),
    "a part that is none": ("GET", "tiny/part/facts.json", None, 404, "contents are one of map"),
    "a part outside": ("GET", "tiny/part/..%2ffacts.json", None, 404, ""),
    "no directions": ("POST", "tiny/moves", {"words": "old"}, 400, "press 'Find directions'"),
    "no words": ("POST", "tiny/words", {"words": " "}, 400, "words must be a text of one line"),
    "words that are none": ("POST", "tiny/words", {"words": "purple cow"}, 400, "purple"),
    "no looks": ("POST", "tiny/faces", {"looks": []}, 400, "looks: give 1 to 100 of them"),
    "a seed too large": (
        "POST",
        "tiny/faces",
        {"looks": [{"face": {"point": {"seed": 2**60}}}]},
        400,
        "seed must be a whole number",
    ),
    "a path": (
        "POST",
        "tiny/faces",
        {"looks": [{"face": {"point": {"vector": "../../etc/passwd", "number": 0}}}]},
        404,
        "this project has no result",
    ),
    "a direction that is none": (
        "POST",
        "tiny/faces",
        {"looks": [{"face": {"point": {"seed": 1}, "moves": {"smiling": 1}}}]},
        400,
        "press 'Find directions'",
    ),
    "no result": ("GET", "tiny/vector/nothing/0", None, 404, "this project has no result 'nothing'"),
    "a look that is none": ("POST", "tiny/keep", {"look": 7}, 400, "look must be an object"),
    "favourites that are none": ("PUT", "tiny/tray", {"looks": [1]}, 400, "look must be an object"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, server: Server) -> None:
    method, path, body, status, sentence = REFUSED[name]
    found = server.ask(method, f"/api/explore/{path}", body)
    assert (found.status, sentence in found.error) == (status, True), found.content
    assert str(server.folder) not in found.error


def test_a_model_is_exported_once(server: Server, tiny_model: Generator) -> None:
    before = server.get("/api/explore/tiny")
    assert before["runs"] is None and before["model_hash"] == tiny_model.hash
    assert server.ask("GET", "/api/explore/tiny/part/synthesize").status == 404
    assert server.ask("POST", "/api/explore/tiny/prepare", {}, seconds=300).json() == {"runs": True}
    files = sorted((server.folder / ".studio" / "engine").rglob("synthesize"))
    written = files[0].stat().st_mtime_ns
    assert server.ask("POST", "/api/explore/tiny/prepare", {}).json() == {"runs": True}
    assert len(files) == 1 and files[0].stat().st_mtime_ns == written
    about = server.get("/api/explore/tiny")
    assert about["runs"] and about["latent"]["dim"] == tiny_model.latent.dim and about["directions"] == []
    parts = [server.ask("GET", f"/api/explore/tiny/part/{name}") for name in ("map", "synthesize")]
    assert all("immutable" in part.headers["cache-control"] for part in parts)
    mapping, synthesis = (onnx_runner(part.content) for part in parts)
    assert mapping is not None and synthesis is not None
    drawn = synthesis({"w": np.ascontiguousarray(mapping({"z": tiny_model.latent.sample([3]).numpy()}))})
    picture = np.clip(np.rint((drawn[0] + 1) * 127.5), 0, 255).astype(int).transpose(1, 2, 0)
    assert np.abs(picture - tiny_model.sample([3])[0]).max() <= 1
    basis = np.frombuffer(server.ask("GET", "/api/explore/tiny/part/components").content, "<f4")
    basis = basis.reshape(about["w_dim"], -1)
    np.testing.assert_allclose(basis @ basis.T, np.eye(len(basis)), atol=1e-4)


def test_vectors_are_kept_and_filmed(server: Server, tiny_model: Generator) -> None:
    looks = [LOOK, {"face": {"point": {"sum": [{"sign": 1, "members": [{"seed": 1}, {"seed": 2}]}]}}}]
    kept = server.ask("POST", "/api/explore/tiny/vectors", {"looks": looks}).json()
    found = server.get(f"/api/explore/tiny/vector/{kept['id']}/0")
    w = np.frombuffer(base64.b64decode(found["w"]), "<f4").reshape(1, tiny_model.num_ws, tiny_model.w_dim)
    assert found["count"] == 2
    np.testing.assert_allclose(w, tiny_model.map(tiny_model.latent.sample([3])).numpy(), atol=1e-6)
    settings = {"model": "tiny", "vectors": kept["id"], "seconds": 1, "fps": 4, "format": ".gif"}
    preview = server.ask("POST", "/api/preview", {"action": "film", "settings": settings}).json()["command"]
    assert preview.startswith(f"facegan film models/tiny.safetensors results/{kept['id']}.npz --seconds 1")
    job = server.wait(server.start("film", **settings))
    assert job["state"] == "done", job
    assert [file["role"] for file in job["result"]["files"]] == ["film"]


def test_favourites(server: Server) -> None:
    assert server.get("/api/explore/tiny/tray") == {"looks": []}
    assert server.ask("PUT", "/api/explore/tiny/tray", {"looks": [LOOK]}).status == 200
    (kept,) = server.get("/api/explore/tiny/tray")["looks"]
    assert kept == {"face": {"point": {"seed": 3}, "moves": {}}, "truncation": 1, "labels": None}
    assert server.get("/api/explore/celeba64/tray") == {"looks": []}


def test_a_network_that_cannot_be_exported_is_drawn_by_the_server(
    tmp_path: Path, tiny_model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(model: Generator) -> list[bytes]:
        raise RuntimeError("untraceable")

    monkeypatch.setattr(tasks, "_graphs", fail)
    given = {"model": str(tiny_model_file), "folder": str(tmp_path / "engine" / "a")}
    assert tasks.engine(given, b"")[0]["runs"] is None
    assert tasks.prepare(given, b"")[0] == {"runs": False}
    assert tasks.engine(given, b"")[0]["runs"] is False


BAD_POINTS = {
    "nothing": ({}, "sum must be a list"),
    "no object": ([1], "face must be an object"),
    "unknown words": ({"file": "/etc/passwd"}, "face: there is no 'file'"),
    "a truth value": ({"seed": True}, "seed must be a whole number"),
    "below 0": ({"seed": -1}, "seed must be a whole number"),
    "a sign": ({"sum": [{"sign": 2, "members": [{"seed": 1}]}]}, "sign must be 1 or -1"),
    "an empty sum": ({"sum": [{"sign": 1, "members": []}]}, "members must be a list"),
    "one end": ({"between": [{"seed": 1}], "at": 0.5}, "between must be a list of 2"),
    "beyond the end": ({"between": [{"seed": 1}, {"seed": 2}], "at": 2}, "at must be from -1 to 1"),
    "an odd kind": ({"base": {"seed": 1}, "style": {"seed": 2}, "kind": "wires"}, "kind must be one of"),
    "seeds as words": ({"words": "woman - seed:0-9999999"}, "words: write words alone"),
    "several lines": ({"words": "a\nb"}, "words must be a text of one line"),
}


@pytest.mark.parametrize("name", BAD_POINTS)
def test_points_are_checked(name: str) -> None:
    point, sentence = BAD_POINTS[name]
    with pytest.raises(InputError, match=sentence):
        points.check_face({"point": point})


def test_points_are_bounded() -> None:
    point: Any = {"seed": 1}
    for _ in range(points.MAX_DEPTH + 1):
        point = {"sum": [{"sign": 1, "members": [point]}]}
    with pytest.raises(InputError, match="8 deep at most"):
        points.check_face({"point": point})
    many = {
        "sum": [{"sign": 1, "members": [{"seed": 1}] * 150}, {"sign": -1, "members": [{"seed": 2}] * 150}]
    }
    with pytest.raises(InputError, match="at most 200 faces"):
        points.check_face({"point": many})


def test_points_are_spelled_as_commands_take_them() -> None:
    point = points.check_point(
        {"sum": [{"sign": 1, "members": [{"seed": 1}, {"seed": 2}]}, {"sign": -1, "members": [{"seed": 3}]}]}
    )
    assert points.spelled(point) == "seed:1,2 - seed:3"
    assert points.spelled_moves({"Smiling": 1.5, "pca1": -2, "Male": 0}) == "smiling=+1.5, pca1=-2"


def test_the_first_picture_of_a_model_is_drawn_once(
    tiny_model: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_model.save(tmp_path / "tiny.safetensors")
    (tmp_path / "engine").mkdir()
    given = {"model": str(tmp_path / "tiny.safetensors"), "folder": str(tmp_path / "engine")}
    about, _ = tasks.engine(given, b"")
    monkeypatch.setattr(tasks, "_drawn", None)
    assert about["first_picture"] and tasks.engine(given, b"")[0] == about
