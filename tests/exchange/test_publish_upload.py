"""Publishing by the real huggingface_hub to a Hub that the test serves, and what may go wrong on the way."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hub_server import READER, WRITER, Hub, Machine, serving
from PIL import Image
from published import ORIGIN, with_header

from facegan.generator import Generator


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving() as hub:
        yield hub


@pytest.fixture
def machine(hub: Hub, tmp_path: Path, tiny_model: Generator) -> Machine:
    """A machine with a model, whose user is logged in."""
    machine = Machine(hub, tmp_path / "home")
    machine.environment["HF_TOKEN"] = WRITER
    with_header(tiny_model, provenance=ORIGIN).save(machine.home / "m.safetensors")
    return machine


SMALL = ("publish", "m.safetensors", "me/faces", "--no-space", "--no-onnx")  # what takes no time
MODEL_FILES = {".gitattributes", "README.md", "config.json", "model.safetensors", "samples.png"}


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_a_published_model_draws_the_same_pictures_elsewhere(
    hub: Hub, machine: Machine, tmp_path: Path
) -> None:
    """Model, card, graph and page go up; another machine draws by name, bit for bit, then without network.

    At first the page fails: the message says that the model is there, and nothing of that is sent again.
    """
    hub.faults["POST /api/spaces/me/faces/commit/main"] = [500]
    code, _, err = machine.run("publish", "m.safetensors", "me/faces")
    done = f"done before: the model was uploaded ({hub.url}/me/faces), the space's repository was created; "
    assert code == 2 and done.replace("before: ", "before: the model's repository was created, ") in err
    sent = hub.count("PUT .*")
    code, out, err = machine.run("publish", "m.safetensors", "me/faces")
    assert code == 0 and hub.count("PUT .*") == sent, err
    assert f"published: {hub.url}/me/faces\n" in out and f"published: {hub.url}/spaces/me/faces\n" in out
    assert "next: facegan generate hf:me/faces --count 25" in out
    assert "model me/faces: uploading 5 files, " in err and "space me/faces: uploading 2 files, " in err
    assert set(hub.files("me/faces")) == MODEL_FILES | {"model.onnx"}
    assert set(hub.files("me/faces", "space")) >= {"README.md", "index.html"}
    assert hub.repositories["space", "me/faces"].sdk == "static"
    assert (
        len(hub.repositories["model", "me/faces"].commits) == 2
    )  # the empty one, and ours: one for all files
    assert hub.files("me/faces", "space")["index.html"].startswith(b"<!doctype html>")
    elsewhere = Machine(hub, tmp_path / "elsewhere")
    assert elsewhere.run("generate", "hf:me/faces", "seed:3", "--out", "a.png")[0] == 0
    assert machine.run("generate", "m.safetensors", "seed:3", "--out", "b.png")[0] == 0
    hub.repositories.clear()
    code, _, err = elsewhere.run("generate", "hf:me/faces", "seed:3", "--out", "c.png", HF_HUB_OFFLINE="1")
    assert code == 0 and "the copy in the cache is used" in err
    first, second, third = (
        pixels(p) for p in (elsewhere.home / "a.png", machine.home / "b.png", elsewhere.home / "c.png")
    )
    assert np.array_equal(first, second) and np.array_equal(first, third)


@pytest.mark.parametrize("shown", ["1", "0"])
def test_progress_is_shown_if_wanted(shown: str, hub: Hub, machine: Machine) -> None:
    code, _, err = machine.run(*SMALL, FACEGAN_PROGRESS=shown)
    assert code == 0 and ("model.safetensors: 100%" in err) == (shown == "1"), err
    code, _, err = machine.run("show", "hf:me/faces", FACEGAN_PROGRESS=shown)  # a bar on a terminal alone
    assert (code, err) == (0, "")


def test_publishing_again_replaces_and_tidies(hub: Hub, machine: Machine) -> None:
    """What has not changed is not sent again, and what is not published any more is removed."""
    assert machine.run(*SMALL)[0] == 0
    repository = hub.repositories["model", "me/faces"]
    repository.commit({"model.onnx": b"of an older model", "notes.txt": b"somebody's own"})
    sent = hub.count("PUT .*")
    code, _, err = machine.run(*SMALL, "--licence", "cc-by-4.0")
    assert code == 0, err
    files = hub.files("me/faces")
    assert set(files) == MODEL_FILES | {"notes.txt"} and b"license: cc-by-4.0" in files["README.md"]
    assert sent == 1 and hub.count("PUT .*") == 2  # the model, whose header has the licence now
    code, _, err = machine.run(*SMALL, "--licence", "cc-by-4.0")
    assert code == 0 and hub.count("PUT .*") == 2, err


def test_private_repositories(hub: Hub, machine: Machine) -> None:
    assert machine.run(*SMALL, "--private")[0] == 0
    assert hub.repositories["model", "me/faces"].private
    hub.add("me/open", {"README.md": b"---\ntags: [facegan]\n---\n"})
    code, _, err = machine.run("publish", "m.safetensors", "me/open", *SMALL[3:], "--private")
    assert code == 2 and "this model is there already and public; make it private in its settings" in err


def test_a_stopped_upload_goes_on(hub: Hub, machine: Machine) -> None:
    """The Hub fails when the files are there but not committed: the message says so, then it goes on."""
    hub.faults["POST /api/models/me/faces/commit/main"] = [500]
    code, out, err = machine.run(*SMALL)
    assert code == 2 and out == "" and "Traceback" not in err, err
    assert err.splitlines()[-1] == (
        "facegan publish: me/faces: the Hub has a fault (it answers 500); done before: the model's "
        "repository was created; the same command goes on from there"
    )
    assert set(hub.files("me/faces")) == {".gitattributes"} and hub.count("PUT .*") == 1
    code, _, err = machine.run(*SMALL)
    assert code == 0 and set(hub.files("me/faces")) == MODEL_FILES, err
    assert hub.count("PUT .*") == 1  # the large file was there already


def test_a_fault_that_passes_is_no_failure(hub: Hub, machine: Machine) -> None:
    """huggingface_hub sends a large file again."""
    hub.faults["PUT /large/.*"] = [500]
    code, _, err = machine.run(*SMALL)
    assert code == 0 and hub.count("PUT .*") == 2, err


REFUSED = {
    "no token": ({"HF_TOKEN": ""}, (), "no token for the Hugging Face Hub: run 'hf auth login', or"),
    "a token with an accent": (
        {"HF_TOKEN": "hf_wröng"},
        (),
        "the token holds letters that tokens never have",
    ),
    "a bad token": ({"HF_TOKEN": "hf_wrong"}, (), "the token is not valid; run 'hf auth login'"),
    "a token that may only read": ({"HF_TOKEN": READER}, (), "the token does not permit this (You"),
    "no network": ({"HF_ENDPOINT": "http://127.0.0.1:9"}, (), "the Hub cannot be reached ("),
    "offline": ({"HF_HUB_OFFLINE": "1"}, (), "HF_HUB_OFFLINE is set"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_hub_refuses_is_one_line(case: str, hub: Hub, machine: Machine) -> None:
    environment, more, said = REFUSED[case]
    code, out, err = machine.run(*SMALL, *more, **environment)
    lines = [line for line in err.splitlines() if line.startswith("facegan publish: ")]
    assert (code, out, len(lines)) == (2, "", 1) and "Traceback" not in err, err
    assert lines[0].startswith("facegan publish: me/faces: ") and said in lines[0], err
    assert not hub.repositories


def test_anothers_namespace(hub: Hub, machine: Machine) -> None:
    code, _, err = machine.run("publish", "m.safetensors", "you/faces", *SMALL[3:])
    assert code == 2 and "You don't have the rights to write to you/faces" in err and not hub.repositories
    assert "nothing was uploaded" in err


def test_a_repository_of_something_else_is_left_alone(hub: Hub, machine: Machine) -> None:
    hub.add("me/faces", {"pytorch_model.bin": b"years of work", "README.md": b"---\nlicense: mit\n---\n"})
    code, _, err = machine.run(*SMALL)
    assert code == 2 and len(hub.repositories["model", "me/faces"].commits) == 1
    assert "me/faces: this model is there already and holds something else (pytorch_model.bin)" in err


def test_somebodys_page_is_left_alone(hub: Hub, machine: Machine) -> None:
    """A static Space of the same name whose page was written by hand; nothing is uploaded at all."""
    space = hub.add("me/faces", {"README.md": b"---\nsdk: static\n---\n"}, kind="space", sdk="static")
    space.commit({"index.html": b"years of work"})
    code, _, err = machine.run("publish", "m.safetensors", "me/faces", "--no-onnx")
    assert code == 2 and "this space is there already and holds something else (index.html)" in err
    assert len(space.commits) == 2 and ("model", "me/faces") not in hub.repositories


def test_an_empty_repository_made_by_hand_is_used(hub: Hub, machine: Machine) -> None:
    hub.add("me/faces", {"README.md": b"---\nlicense: mit\n---\n", "LICENSE": b"MIT"})
    assert machine.run(*SMALL)[0] == 0
    assert set(hub.files("me/faces")) == MODEL_FILES


def test_the_printed_command_uploads_the_folder_of_a_dry_run(hub: Hub, machine: Machine) -> None:
    """By huggingface_hub's own command, after the card was changed by hand."""
    code, out, _ = machine.run(*SMALL, "--dry-run")
    assert code == 0 and not hub.log  # a dry run asks nobody
    with open(machine.home / "faces-hub/model/README.md", "a") as card:
        card.write("\nMore by hand.\n")
    line = next(line.split() for line in out.splitlines() if line.startswith("  hf upload"))
    argv = [sys.executable, "-m", "huggingface_hub.cli.hf", *line[1:]]
    subprocess.run(argv, cwd=machine.home, env=machine.environment, check=True, capture_output=True)
    assert set(hub.files("me/faces")) == MODEL_FILES
    assert hub.files("me/faces")["README.md"].endswith(b"\nMore by hand.\n")


def test_metadata_that_the_hub_refuses(hub: Hub, machine: Machine) -> None:
    """The Hub's own words, before anything large is sent."""
    hub.faults["POST /api/validate-yaml"] = [400]
    code, _, err = machine.run(*SMALL)
    assert (
        code == 2 and "Invalid metadata in README.md. - this was arranged" in err and hub.count("PUT .*") == 0
    )
