"""A picture that comes back restores what made it; results are kept, named, published and packed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from studio_server import Server

import facegan
from facegan import marks
from facegan.errors import FaceganError
from facegan.models import bundled_file
from facegan.studio.actions import get_action
from facegan.studio.call import Call
from facegan.studio.project import Project
from facegan.studio.recall import find_model, find_result, moves_of, settings_of
from facegan.studio.refusals import NotFoundError
from facegan.studio.report import JobReport

HASH = facegan.load("celeba64").hash


@pytest.fixture
def project(tmp_path: Path) -> Project:
    found = Project(tmp_path / "project")
    found.prepare()
    found.results_folder.mkdir()
    return found


def result(project: Project, name: str, files: dict[str, bytes], role: str = "sheet") -> None:
    """Write a result of the project as the worker does."""
    listed = []
    for suffix, content in files.items():
        (project.results_folder / f"{name}{suffix}").write_bytes(content)
        listed.append({"name": f"{name}{suffix}", "role": role, "bytes": len(content)})
    about = {"id": name, "files": listed, "action": "generate", "settings": {"model": "celeba64"}}
    (project.results_folder / f"{name}.json").write_text(json.dumps(about))


# --- marks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edits", "moves"),
    [
        ("smiling +1.5, pca component 2 -2.0", {"Smiling": 1.5, "pca2": -2.0}),
        ("5 o clock shadow +1, wearing hat -0.25", {"5_o_Clock_Shadow": 1.0, "Wearing_Hat": -0.25}),
        ("", {}),
        ("smiling, +1, x 3", {}),
    ],
)
def test_edits_in_words_become_moves(edits: str, moves: dict[str, float]) -> None:
    assert moves_of(edits) == moves


def test_the_words_of_all_directions_lead_back_to_them() -> None:
    found = facegan.Directions.load(
        next((bundled_file("celeba64") or Path()).parent.glob("directions/*.safetensors"))
    )
    attributes = [name for name in found.names if not name.startswith(("pca", "sefa"))]
    assert len(attributes) >= 10
    spelled = ", ".join(f"{name.lower().replace('_', ' ')} +1" for name in attributes)
    assert list(moves_of(spelled)) == attributes


SETTINGS = {"model": "run~gone", "points": "seed:0-8"}
JOB = {"action": "generate", "settings": {**SETTINGS, "model": "celeba64"}}


@pytest.mark.parametrize(
    ("mark", "wanted"),
    [
        ({"model": HASH, "recall": json.dumps({"action": "generate", "settings": SETTINGS})}, {"job": JOB}),
        (
            {"model": HASH, "recall": "explore?seed=7&moves=Smiling%3A1.5"},
            {"view": "explore", "state": {"seed": "7", "moves": "Smiling:1.5"}},
        ),
        (
            {"model": HASH, "seed": "3-5,9", "truncation": "0.7", "edits": "smiling +1.5"},
            {
                "view": "explore",
                "state": {"seed": "3", "seeds": "3-5,9", "truncation": "0.7", "moves": "Smiling:1.5"},
            },
        ),
        ({"model": HASH, "recall": '{"action": "erase", "settings": {}}'}, {}),
        ({"model": HASH, "recall": '{"action": ["generate"], "settings": 3}'}, {}),
        ({"model": HASH, "recall": "[" * 100_000}, {}),
        ({"model": HASH, "recall": "../x?seed=1"}, {}),
        (
            {"model": "0" * 64, "seed": "1"},
            {"model": "", "view": "explore", "state": {"seed": "1", "seeds": "1"}},
        ),
        ({}, {"model": ""}),
    ],
)
def test_a_mark_restores(mark: dict[str, str], wanted: dict[str, Any], project: Project) -> None:
    nothing = {"model": "celeba64", "job": None, "view": "", "state": {}}
    assert settings_of(mark, project) == {**nothing, **wanted}


def test_the_model_is_found_by_its_hash_also_among_the_moments_of_a_run(project: Project) -> None:
    bundled = bundled_file("celeba64")
    assert bundled is not None
    for digest in facegan.load(
        "celeba64"
    ).hashes:  # a mark may be of an earlier version, which named the header's
        assert find_model(project, digest) == "celeba64"
    changed = facegan.load("celeba64")
    changed.meta["latent"] = {**changed.meta["latent"], "std": 2.0}
    run = project.root / "runs" / "mine"
    (run / "models").mkdir(parents=True)
    (run / "config.json").write_text("{}")
    changed.save(run / "models" / "000010kimg.safetensors")
    shutil.copy(bundled, run / "models" / "000020kimg.safetensors")
    assert find_model(project, changed.hash) == "run~mine@10kimg"
    assert project.find("models", "run~mine@10kimg").name == "runs/mine@10kimg"
    assert find_model(project, "") == "" == find_model(project, "f" * 64)


def test_a_result_is_found_by_its_bytes(project: Project, tmp_path: Path) -> None:
    result(project, "one", {".png": b"same length 1"})
    result(project, "two", {".png": b"same length 2", ".b.png": b"other"})
    dropped = tmp_path / "holiday.png"
    for content, wanted in ((b"same length 2", "two"), (b"other", "two"), (b"same length 3", None)):
        dropped.write_bytes(content)
        found = find_result(project, dropped)
        assert (found.id if found else None) == wanted


# --- actions ----------------------------------------------------------------------------------------------


def called(project: Project, action: str, **settings: Any) -> Call:
    return get_action(action).call(settings, project)


def test_publish_says_what_it_does(project: Project) -> None:
    dry = called(project, "publish", model="celeba64", repo="me/faces", licence="CC BY 4.0 / or later")
    assert dry.command("J") == (
        "facegan publish celeba64 me/faces --dry-run --out results/J.hub --licence 'CC BY 4.0 / or later'"
    )
    wet = called(
        project, "publish", model="celeba64", repo="me/faces", dry_run=False, private=True, onnx=False
    )
    assert wet.command() == "facegan publish celeba64 me/faces --private --no-onnx"
    packed = called(project, "archive", model="celeba64")
    assert packed.command("J") == "facegan publish celeba64 local/celeba64 --dry-run --out results/J.hub"


@pytest.mark.parametrize("repo", ["", "faces", "../faces", "/etc/passwd", "me/faces/x", "https://x/y"])
def test_publish_takes_only_names_of_repositories(project: Project, repo: str) -> None:
    with pytest.raises(FaceganError, match="repo"):
        called(project, "publish", model="celeba64", repo=repo)


def test_a_measurement_goes_to_the_card_by_its_result(project: Project, tmp_path: Path) -> None:
    result(project, "m", {".evaluation.json": b"{}"}, role="evaluation")
    result(project, "p", {".png": b"x"})
    call = called(project, "publish", model="celeba64", repo="me/faces", evaluation="m")
    assert "--evaluation results/m.evaluation.json" in call.command()
    (tmp_path / "job").mkdir()
    report = JobReport(tmp_path / "job", project, "J")
    assert report.values(Call.from_dict(call.to_dict()))["evaluation"] == "results/m.evaluation.json"
    for wanted, error in (("p", "has no evaluation"), ("../m", "no result")):
        with pytest.raises(FaceganError, match=error):
            called(project, "publish", model="celeba64", repo="me/faces", evaluation=wanted)


# --- the server -------------------------------------------------------------------------------------------


def recalled(server: Server, content: bytes) -> Any:
    brought = server.ask("POST", "/api/uploads", content, {"X-Name": "a.png", **server.headers})
    assert brought.status == 201, brought.content
    return server.ask("POST", "/api/recall", {"upload": brought.json()["id"]}).json()


def test_a_dropped_picture_restores_its_job_even_when_the_result_is_gone(server: Server) -> None:
    settings = {"model": "celeba64", "points": "seed:3,7"}
    job = server.wait(server.start("generate", **settings))
    assert job["state"] == "done", job
    content = server.ask("GET", f"/api/results/{job['id']}/file/0").content
    found = recalled(server, content)
    assert found["result"]["id"] == job["id"] and found["model"] == "celeba64"
    assert found["job"] == {"action": "generate", "settings": settings}
    assert found["mark"]["command"] == "facegan generate celeba64 seed:3,7 --out out.png"
    assert server.ask("DELETE", f"/api/results/{job['id']}").status == 200
    assert recalled(server, content) == {**found, "result": None, "upload": recalled_id(server)}
    plain = recalled(server, marks_free(content))
    assert (plain["mark"], plain["job"], plain["view"], plain["model"]) == (None, None, "", "")


def recalled_id(server: Server) -> str:
    """Return the id of the newest upload."""
    newest = max(
        (server.folder / ".studio" / "uploads").glob("*.json"), key=lambda path: path.stat().st_mtime_ns
    )
    return newest.stem


def marks_free(content: bytes) -> bytes:
    """Return the picture as another program saves it."""
    import io

    from PIL import Image

    out = io.BytesIO()
    Image.open(io.BytesIO(content)).convert("RGB").save(out, "PNG")
    return out.getvalue()


def test_recall_of_what_is_no_picture_says_nothing_and_unknown_uploads_are_refused(server: Server) -> None:
    assert recalled(server, b"a text, no picture")["mark"] is None
    for wanted in ("0" * 16, "../token", 7, None):
        refused = server.ask("POST", "/api/recall", {"upload": wanted})
        assert refused.status == 404 and "upload" in refused.error


def test_a_result_is_kept_and_named(server: Server) -> None:
    project = Project(server.folder)
    project.results_folder.mkdir(exist_ok=True)
    result(project, "r1", {".png": b"x"})
    place = "/api/results/r1"
    named = server.ask("PUT", place, {"kept": True, "label": " Nine\u2003faces "})
    assert named.status == 200 and (named.json()["kept"], named.json()["label"]) == (True, "Nine\u2003faces")
    assert (
        server.ask("PUT", place, {"kept": False, "label": ""}).json().keys()
        == project.find("results", "r1").to_dict().keys()
    )
    assert "kept" not in server.listed("results", "r1")
    for body in ({"id": "r2"}, {"kept": 1}, {"label": ["x"]}, {"files": []}):
        assert server.ask("PUT", place, body).status == 400
    assert server.ask("PUT", "/api/results/r2", {"kept": True}).status == 404


def test_a_model_has_a_card_and_a_file(server: Server) -> None:
    card = server.get("/api/models/celeba64/card")
    assert card["text"].startswith("# celeba64") and "<!--" not in card["text"]
    assert card["facts"]["hash"] == HASH and card["command"] == "facegan show celeba64"
    assert not any(str(server.folder) in text for text in card["facts"].values())
    bundled = bundled_file("celeba64")
    sent = server.ask("GET", "/api/models/celeba64/file")
    assert bundled is not None and sent.content == bundled.read_bytes()
    assert sent.headers["content-disposition"] == "attachment; filename*=UTF-8''celeba64.safetensors"
    for wanted in ("card", "file"):
        assert server.ask("GET", f"/api/models/nobody/{wanted}").status == 404


def test_a_model_of_the_project_has_the_card_that_it_would_be_published_with(server: Server) -> None:
    (server.folder / "models").mkdir(exist_ok=True)
    model = facegan.load("celeba64")
    model.meta["licence"] = "cc-by-4.0"
    model.save(server.folder / "models" / "my faces.safetensors")
    item = next(m for m in server.get("/api/project")["models"] if m["name"] == "models/my faces.safetensors")
    text = server.get(f"/api/models/{item['id']}/card")["text"]
    assert "# my-faces" in text and "## Training" in text and "## How to use it" not in text
    assert marks.RECALL not in text


def test_the_archive_has_model_card_graph_and_page(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the packing is tested here; what publish writes has tests of its own and takes a minute."""
    import zipfile

    def publish(model: str, repo: str, *, out: str, say: Any, **options: Any) -> Any:
        assert (model, repo, options) == ("celeba64", "local/celeba64", {"dry_run": True, "onnx": False})
        (Path(out) / "model").mkdir(parents=True)
        (Path(out) / "model" / "README.md").write_text("# a card\n")
        say("exporting the page")
        return type(
            "Published",
            (),
            {
                "repo": repo,
                "hash": HASH,
                "files": {"model/README.md": 9},
                "addresses": (),
                "folder": Path(out),
            },
        )

    monkeypatch.chdir(project.root)
    monkeypatch.setattr(facegan, "publish", publish, raising=False)
    (tmp_path / "job").mkdir()
    report = JobReport(tmp_path / "job", project, "J")
    done = get_action("archive").run(called(project, "archive", model="celeba64", onnx=False), report)
    assert done["card"] == "# a card\n" and [file["name"] for file in report.files] == ["J.zip"]
    with zipfile.ZipFile(project.results_folder / "J.zip") as archive:
        assert archive.namelist() == ["model/README.md"]
    assert sorted(path.name for path in project.results_folder.iterdir()) == ["J.zip"], "the folder is gone"
    with pytest.raises(NotFoundError):
        called(project, "archive", model="nobody")
