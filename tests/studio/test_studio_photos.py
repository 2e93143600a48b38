"""Photos in the studio: brought, looked through for faces, decided about, saved, labelled, selected."""

from __future__ import annotations

import io
import json
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import numpy as np
import pytest
from PIL import Image
from studio_server import Server

import facegan
from facegan.data.dataset import Dataset
from facegan.data.review import LEFT_OUT, read_review
from facegan.demo.portraits import write_portraits

PHOTOS = Path(facegan.__file__).parent / "assets" / "photos"


@pytest.fixture(scope="module")
def portraits(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("portraits")
    write_portraits(folder, 6, 0, size=128)
    return sorted(folder.glob("*.png"))


def send(server: Server, content: bytes, name: str) -> str:
    found = server.ask("POST", "/api/uploads", content, {"X-Name": quote(name), **server.headers})
    assert found.status == 201, found.content
    return str(found.json()["id"])


def bring(server: Server, files: dict[str, bytes], into: str = "") -> dict[str, Any]:
    listed = [{"id": send(server, content, name), "path": name} for name, content in files.items()]
    found = server.ask("POST", "/api/photos", {"files": listed, "into": into})
    assert found.status == 201, found.content
    return dict(found.json())


def png(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


@pytest.fixture(scope="module")
def brought(server: Server, portraits: list[Path]) -> dict[str, Any]:
    """A set of photos of a folder, in which faces have been looked for, with the job's events."""
    files = {f"holiday/{path.name}": path.read_bytes() for path in portraits}
    files |= {"holiday/cat.jpg": (PHOTOS / "chelsea.jpg").read_bytes(), "holiday/notes.txt": b"who is who"}
    files |= {"holiday/again.png": portraits[0].read_bytes(), "../../etc/x\0.png": portraits[1].read_bytes()}
    made = bring(server, files)
    job = server.start("prepare", photos=made["id"])
    return {**made, "job": server.wait(job), "events": server.events(job)}


def test_every_face_and_reject_is_told_as_it_is_found(brought: dict[str, Any], portraits: list[Path]) -> None:
    assert brought["job"]["state"] == "done", brought["job"]
    found = [event for event in brought["events"] if event["kind"] == "found"]
    assert {event["name"]: event["reason"] for event in found if event["reason"]} == {
        "holiday/cat.jpg": "no face",
        "holiday/notes.txt": "not an image file",
    }
    faces = [event for event in found if not event["reason"]]
    assert {e["name"] for e in faces} >= {f"holiday/{p.name}" for p in portraits} | {"etc/x.png"}
    assert all(e["crop"].startswith("data:image/jpeg;base64,") and 0.9 < e["confidence"] <= 1 for e in faces)
    assert all(len(e["box"]) == 4 for e in faces)
    result = brought["job"]["result"]
    assert result["draft"] and result["counts"] == {"train": 6} and result["rejected"] == 4


def test_the_uploads_are_an_archive_under_the_names_of_their_owner(
    server: Server, brought: dict[str, Any]
) -> None:
    with zipfile.ZipFile(server.folder / "photos" / f"{brought['id']}.zip") as archive:
        names = archive.namelist()
    assert "holiday/cat.jpg" in names and "etc/x.png" in names and len(names) == 10
    assert not list((server.folder / ".studio/uploads").glob("*.png"))
    assert brought["job"]["command"].startswith(
        f"facegan prepare photos/{brought['id']}.zip --out .studio/photos/{brought['id']}/draft"
    )


def rows(server: Server, kind: str, item: str, **query: Any) -> dict[str, Any]:
    return dict(server.get(f"/api/photos/{kind}/{item}/rows?{urlencode(query)}"))


def test_the_draft_shows_crops_photos_and_all_faces(server: Server, brought: dict[str, Any]) -> None:
    base = f"/api/photos/sets/{brought['id']}"
    listing = rows(server, "sets", brought["id"])
    first = listing["rows"][0]
    assert listing["total"] == 6 and listing["size"] == [64, 64]
    assert {r["reason"].partition(" of ")[0] for r in listing["rejects"]} == {
        "no face",
        "not an image file",
        "exact duplicate",
    }
    crop = png(server.ask("GET", f"{base}/crop/{first['split']}/{first['n']}").content)
    photo = server.ask("GET", f"{base}/view?{urlencode({'source': first['source'], 'side': 100})}")
    assert crop.shape == (64, 64, 3) and png(photo.content).shape == (100, 100, 3)
    assert photo.headers["x-size"] == "128x128"
    looked = server.ask("POST", f"{base}/faces", {"source": first["source"], "crop": {}}).json()
    assert looked["faces"][0]["reason"] == "" and looked["faces"][0]["box"] == pytest.approx(
        first["box"], abs=0.2
    )
    cut = png(server.ask("POST", f"{base}/cut", {"source": first["source"], "crop": {}}).content)
    np.testing.assert_array_equal(cut, crop)
    other = server.ask("POST", f"{base}/cut", {"source": first["source"], "crop": {"size": 32, "gray": True}})
    assert png(other.content).shape[:2] == (32, 32)
    cat = next(r["source"] for r in listing["rejects"] if r["reason"] == "no face")
    whole = server.ask("POST", f"{base}/cut", {"source": cat, "crop": {}, "box": [0, 0, 400, 300]})
    assert png(whole.content).shape == (64, 64, 3)
    assert "no face is found" in server.ask("POST", f"{base}/cut", {"source": cat, "crop": {}}).error


def test_decisions_are_kept_and_followed_and_the_dataset_is_listed(
    server: Server, brought: dict[str, Any]
) -> None:
    listing = rows(server, "sets", brought["id"])
    cat = next(r["source"] for r in listing["rejects"] if r["reason"] == "no face")
    out = listing["rows"][0]
    decisions = [
        {"source": cat, "keep": True, "box": [50, 0, 250, 250]},
        {"source": out["source"], "keep": False, "box": out["box"]},
    ]
    review = f"/api/photos/{brought['id']}/review"
    assert server.ask("PUT", review, {"decisions": decisions}).status == 200
    assert server.get(review)["decisions"] == decisions
    file = server.folder / "photos" / f"{brought['id']}-review.csv"
    assert len(read_review(file).by_source) == 2
    settings = {"photos": brought["id"], "name": "mine", "val": 0.2, "test": 0.0}
    preview = server.ask("POST", "/api/preview", {"action": "prepare", "settings": settings}).json()
    wanted = f"facegan prepare photos/{brought['id']}.zip --out datasets/mine --split val=0.2"
    assert preview["command"].startswith(wanted) and "--review photos/" in preview["command"]
    job = server.wait(server.start("prepare", **settings))
    assert job["state"] == "done", job
    assert job["result"]["dataset"] == "mine" and sum(job["result"]["counts"].values()) == 6
    made = rows(server, "datasets", "mine")
    assert cat in {row["source"] for row in made["rows"]}
    assert {r["reason"] for r in made["rejects"] if r["source"] == out["source"]} == {LEFT_OUT}
    assert next(d for d in server.get("/api/project")["datasets"] if d["id"] == "mine")
    assert server.ask("GET", f"/api/results/{job['id']}/file/0").headers["content-type"] == "image/jpeg"
    results = [one["id"] for one in server.get("/api/project")["results"]]
    assert brought["job"]["id"] not in results, "a draft is no result"
    photo = server.ask("GET", f"/api/photos/datasets/mine/view?{urlencode({'source': cat})}")
    assert photo.status == 200
    taken = server.ask("POST", "/api/jobs", {"action": "prepare", "settings": settings})
    assert taken.status == 400 and "already; choose another" in taken.error


def test_the_command_line_that_is_shown_makes_the_same_dataset(server: Server) -> None:
    jobs = server.get("/api/project")["jobs"]
    command = next(job["command"] for job in jobs if "--out datasets/mine" in job["command"])
    words = [word.replace("datasets/mine", "elsewhere") for word in shlex.split(command)[1:]]
    command = [sys.executable, "-m", "facegan.cli.main", *words, "--workers", "1", "--quiet"]
    subprocess.run(command, cwd=server.folder, check=True)
    made, shown = Dataset(server.folder / "elsewhere"), Dataset(server.folder / "datasets/mine")
    assert made.content_hash == shown.content_hash and made.info["rejects"] == shown.info["rejects"]


def test_attributes_are_predicted_filtered_sorted_and_saved(server: Server) -> None:
    job = server.wait(server.start("label", dataset="mine", name="mine-labelled"))
    assert job["result"]["dataset"] == "mine-labelled", job
    found = rows(server, "datasets", "mine-labelled", sort="Smiling")
    assert found["made_from"] == "mine" and found["predicted"]["Smiling"]["count"] == 6
    yes = [
        r["confidence"]["Smiling"] if r["attributes"]["Smiling"] else 1 - r["confidence"]["Smiling"]
        for r in found["rows"]
    ]
    assert yes == sorted(yes, reverse=True)
    some = rows(server, "datasets", "mine-labelled", where="not smiling", min_confidence=0.6)
    wanted = [
        r for r in found["rows"] if not r["attributes"]["Smiling"] and r["confidence"]["Smiling"] >= 0.6
    ]
    assert some["matching"] == len(wanted)
    bad = server.ask("GET", "/api/photos/datasets/mine-labelled/rows?where=smilling")
    assert bad.status == 400 and "did you mean 'Smiling'" in bad.error
    expression = "Male or not Male"
    job = server.wait(server.start("select", dataset="mine-labelled", expression=expression, name="some"))
    assert job["result"]["dataset"] == "some" and job["result"]["before"] == 6, job


def test_more_photos_join_a_set_and_archives_stay_as_they_are(server: Server, portraits: list[Path]) -> None:
    made = bring(server, {"one.png": portraits[0].read_bytes()})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.write(portraits[1], "inside/two.png")
    again = bring(server, {"more.zip": buffer.getvalue()}, into=made["id"])
    assert again["id"] == made["id"] and again["files"] == 2
    job = server.wait(server.start("prepare", photos=made["id"]))
    sources = [row["source"] for row in rows(server, "sets", made["id"])["rows"]]
    names = [f"photos/{made['id']}.zip!one.png", f"photos/{made['id']}-2.zip!inside/two.png"]
    assert job["state"] == "done" and sources == names
    assert server.ask("DELETE", f"/api/photos/{made['id']}").status == 200
    assert not list((server.folder / "photos").glob(f"{made['id']}*"))
    assert server.ask("GET", f"/api/photos/sets/{made['id']}/rows").status == 404


def test_wrong_input_is_one_sentence(server: Server, portraits: list[Path]) -> None:
    damaged = send(server, b"PK\x03\x04" + bytes(200), "damaged.zip")
    good = send(server, portraits[0].read_bytes(), "good.png")
    files = [{"id": damaged, "path": "damaged.zip"}, {"id": good, "path": "good.png"}]
    found = server.ask("POST", "/api/photos", {"files": files}).json()
    assert [each["name"] for each in found["refused"]] == ["damaged.zip"] and found["files"] == 1
    assert "the archive" in found["refused"][0]["error"]
    huge = io.BytesIO()
    Image.new("L", (10_000, 10_000)).save(huge, "PNG")
    refused = server.ask("POST", "/api/uploads", huge.getvalue(), {"X-Name": "huge.png", **server.headers})
    assert refused.status == 400 and "more than 80 million pixels" in refused.error
    assert str(server.folder) not in refused.error
    none = bring(server, {"cat.jpg": (PHOTOS / "chelsea.jpg").read_bytes(), "notes.txt": b"hello"})
    job = server.wait(server.start("prepare", photos=none["id"]))
    assert job["state"] == "done" and "no picture is left" in job["result"]["nothing"]
    assert server.ask("GET", f"/api/photos/sets/{none['id']}/rows").status == 404
    saved = server.wait(server.start("prepare", photos=none["id"], name="none"))
    assert saved["state"] == "failed" and "no picture is left" in saved["error"]
    assert not (server.folder / "datasets/none").exists()


HOSTILE: dict[str, tuple[str, str, Any, int]] = {
    "source outside": ("POST", "/api/photos/sets/photos-1/cut", {"source": "/etc/passwd", "crop": {}}, 404),
    "source with dots": ("GET", "/api/photos/sets/photos-1/view?source=../../x!y", None, 404),
    "member": (
        "GET",
        "/api/photos/sets/photos-1/view?source=photos/photos-1.zip!../../etc/passwd",
        None,
        400,
    ),
    "unlisted": ("GET", "/api/photos/datasets/mine/view?source=.studio/token", None, 400),
    "kind": ("GET", "/api/photos/elsewhere/photos-1/rows", None, 404),
    "set": ("GET", "/api/photos/sets/..%2F..%2Fetc/rows", None, 404),
    "split": ("GET", "/api/photos/datasets/mine/crop/..%2Ftrain/0", None, 404),
    "number": ("GET", "/api/photos/datasets/mine/crop/train/99999", None, 400),
    "side": ("GET", "/api/photos/sets/photos-1/view?source=x&side=99999", None, 400),
    "box": (
        "POST",
        "/api/photos/sets/photos-1/cut",
        {"source": "photos/photos-1.zip!x", "box": [0, 0, -1, 1]},
        400,
    ),
    "crop": ("POST", "/api/photos/sets/photos-1/cut", {"source": "photos/photos-1.zip!x", "crop": []}, 400),
    "size": (
        "POST",
        "/api/photos/sets/photos-1/cut",
        {"source": "photos/photos-1.zip!holiday/cat.jpg", "crop": {"size": 10**6}},
        400,
    ),
    "upload": ("POST", "/api/photos", {"files": [{"id": "../../etc/passwd", "path": "x"}]}, 404),
    "no list": ("POST", "/api/photos", {"files": "all"}, 400),
    "nothing": ("POST", "/api/photos", {"files": []}, 400),
    "decision": (
        "PUT",
        "/api/photos/photos-1/review",
        {"decisions": [{"source": "a\nb", "keep": True}]},
        400,
    ),
    "decisions": ("PUT", "/api/photos/photos-1/review", {"decisions": 5}, 400),
    "start": ("GET", "/api/photos/datasets/mine/rows?start=many", None, 400),
    "sort": ("GET", "/api/photos/datasets/mine/rows?sort=beauty", None, 400),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_a_request_brings_is_looked_up_and_never_opened(
    server: Server, brought: dict[str, Any], case: str
) -> None:
    method, path, body, status = HOSTILE[case]
    if "mine" in path and not (server.folder / "datasets/mine").exists():
        pytest.fail("the dataset of an earlier test is missing")
    found = server.ask(method, path, body)
    assert found.status == status, found.content
    assert "error" in json.loads(found.content) and b"Traceback" not in found.content
