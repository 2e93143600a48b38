"""``hf:owner/name`` wherever a MODEL goes, by the real huggingface_hub, from a Hub that the test serves."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hub_server import READER, WRITER, Hub, Machine, serving
from safetensors.torch import save

from facegan.deltas import save_delta
from facegan.errors import InputError, ModelError
from facegan.generator import Generator
from facegan.hub import HubName, choose_file, is_repository, parse_hub_name
from facegan.inversion.encoder import beside
from facegan.models import load, meaning


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving() as hub:
        yield hub


@pytest.fixture
def machine(hub: Hub, tmp_path: Path) -> Machine:
    return Machine(hub, tmp_path / "home")


NAMES = {
    "hf:me/faces": HubName("me/faces"),
    "hf:me/faces@v1.0": HubName("me/faces", "v1.0"),
    "hf:me/faces/sub/a.safetensors": HubName("me/faces", "", "sub/a.safetensors"),
    "hf:me/faces@refs/pr/7/a.safetensors": HubName("me/faces", "refs/pr/7", "a.safetensors"),
    "hf://me/faces": HubName("me/faces"),
    "hf://models/me/faces@main": HubName("me/faces", "main"),
}


@pytest.mark.parametrize("text", NAMES)
def test_names_of_the_hub(text: str) -> None:
    assert parse_hub_name(text) == NAMES[text]
    assert meaning(text).kind == "hub" and meaning(text).is_model


@pytest.mark.parametrize(
    "text", ["hf:", "hf:faces", "hf:me/a--b", "hf:me/.a", "hf:me/a b", "hf:../x", "hf:me/"]
)
def test_what_is_no_name_is_one_line(text: str) -> None:
    with pytest.raises(InputError, match=r"not a name of the Hugging Face Hub; write hf:owner/name, "):
        load(text)


def test_names_that_resemble_one() -> None:
    with pytest.raises(InputError, match=r"this names a dataset; a model is hf:owner/name"):
        load("hf://datasets/me/photos")
    with pytest.raises(ModelError, match=r"a model on the Hugging Face Hub is hf:me/faces$"):
        load("me/faces")
    with pytest.raises(ModelError, match=r"a model on the Hugging Face Hub is hf:me/faces$"):
        load("https://huggingface.co/me/faces/tree/main")
    assert not is_repository("a/b.git") and not is_repository("a" * 60 + "/" + "b" * 60)


CHOICES: list[tuple[str, list[str], str]] = [
    ("hf:me/x", ["model.safetensors", "other.safetensors"], "model.safetensors"),
    ("hf:me/x", ["README.md", "faces.safetensors"], "faces.safetensors"),
    ("hf:me/x", ["sub/faces.safetensors"], "sub/faces.safetensors"),
    ("hf:me/x/b.safetensors", ["a.safetensors", "b.safetensors"], "b.safetensors"),
    (
        "hf:me/x@v1",
        ["a.safetensors", "b.safetensors"],
        "!it holds 2 .safetensors files; choose one: hf:me/x@v1/a.safetensors, hf:me/x@v1/b.safetensors",
    ),
    ("hf:me/x/c.safetensors", ["a.safetensors"], "!no such file in me/x; its models: a.safetensors"),
    ("hf:me/x", ["README.md"], "!no facegan model in it (files: README.md)"),
    ("hf:me/x", [], "!no facegan model in it (files: none)"),
    (
        "hf:me/x",
        ["README.md", "ffhq.pkl"],
        "!no facegan model in it; if it is a generator of another program: "
        "hf download me/x ffhq.pkl --local-dir . && facegan import ffhq.pkl",
    ),
    (
        "hf:me/x@v1/g.onnx",
        ["g.onnx"],
        "!a model is a .safetensors file; if it is a generator of another program: "
        "hf download me/x g.onnx --revision v1 --local-dir . && facegan import g.onnx",
    ),
    (  # the line may be pasted into a shell
        "hf:me/x",
        ["$(reboot); g.pkl"],
        "!no facegan model in it; if it is a generator of another program: "
        "hf download me/x '$(reboot); g.pkl' --local-dir . && facegan import '$(reboot); g.pkl'",
    ),
]


@pytest.mark.parametrize(("text", "files", "said"), CHOICES)
def test_which_file_is_the_model(text: str, files: list[str], said: str) -> None:
    if not said.startswith("!"):
        assert choose_file(text, parse_hub_name(text), files) == said
        return
    with pytest.raises(ModelError) as raised:
        choose_file(text, parse_hub_name(text), files)
    assert str(raised.value) == f"{text}: {said[1:]}"


def test_a_model_is_downloaded_once_and_works_offline(
    hub: Hub, machine: Machine, tiny_model_file: Path, tmp_path: Path
) -> None:
    """The pictures are the model's own; then without a server at all, with a note."""
    content = tiny_model_file.read_bytes()
    hub.add("me/faces", {"model.safetensors": content, "model.onnx": b"not for us", "README.md": b""})
    code, _, err = machine.run("generate", "hf:me/faces", "seed:3", "--out", "a.npz")
    assert code == 0, err
    expected = load(tiny_model_file).sample([3])
    assert code == 0 and hub.count("GET /large/.*") == 2  # its first bytes, and the file
    assert hub.count(".*model.onnx") == 0
    shutil.copy(tiny_model_file, machine.home / "own.safetensors")
    for name in ("hf:me/faces", "own.safetensors"):
        assert machine.run("generate", name, "seed:3", "--out", f"{name[-5:]}.png")[0] == 0
    ours, own = (machine.home / f"{name[-5:]}.png" for name in ("hf:me/faces", "own.safetensors"))
    assert np.array_equal(_pixels(ours), _pixels(own)) and expected.shape[1:3] == (32, 32)
    assert hub.count("GET /large/.*") == 2  # cached
    for environment in ({"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}):
        code, _, err = machine.run("generate", "hf:me/faces", "seed:3", "--out", "off.png", **environment)
        notes = [line for line in err.splitlines() if line.startswith("note: hf:me/faces")]
        assert code == 0 and len(notes) == 1 and "the copy in the cache is used (" in notes[0], err
        assert np.array_equal(_pixels(machine.home / "off.png"), _pixels(own))


def _pixels(path: Path) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(path))


def test_revisions_and_files_of_other_names(hub: Hub, machine: Machine, tiny_model_file: Path) -> None:
    content = tiny_model_file.read_bytes()
    repository = hub.add("me/faces", {"faces.safetensors": content})
    old = repository.commits[0][0]
    repository.commit({"faces.safetensors": None, "new.safetensors": content})
    for name in (f"hf:me/faces@{old}", "hf:me/faces", "hf:me/faces@main/new.safetensors"):
        code, out, err = machine.run("show", name)
        assert code == 0 and "family       dcgan" in out, err
    code, out, err = machine.run("show", "hf:me/faces", HF_HUB_OFFLINE="1")  # not model.safetensors
    assert code == 0 and "new.safetensors" in out and "note: " in err


def test_what_else_takes_a_model(hub: Hub, machine: Machine, tiny_model: Generator, tmp_path: Path) -> None:
    """A model with a delta; its encoder would lie in the current folder, not in the Hub's cache."""
    assert beside("hf:me/faces.v2@main") == Path("faces.v2-encoder.safetensors")
    tiny_model.save(tmp_path / "model.safetensors")
    hub.add("me/faces", {"model.safetensors": (tmp_path / "model.safetensors").read_bytes()})
    name, weight = next((k, v) for k, v in tiny_model.network.named_parameters() if v.ndim > 1)
    change = {f"full/{name}": torch.full_like(weight, 0.1)}
    save_delta(machine.home / "d.safetensors", tiny_model.hash, change)
    code, out, err = machine.run("show", "hf:me/faces+d.safetensors")
    assert code == 0 and "hash  " in out and tiny_model.hash not in out, err


REFUSED = {
    "no such repository": (
        "hf:me/nothing",
        {},
        "there is no such repository, or it is private (run 'hf auth",
    ),
    "private": ("hf:me/secret", {}, "there is no such repository, or it is private"),
    "no such revision": ("hf:me/faces@v9", {}, "there is no such revision"),
    "gated": ("hf:me/gated", {"HF_TOKEN": READER}, "access is gated: accept its terms at https://hugging"),
    "several": ("hf:me/several", {}, "choose one: hf:me/several/a.safetensors, hf:me/several/b.safetensors"),
    "none": ("hf:me/empty", {}, "no facegan model in it (files: .gitattributes)"),
    "foreign": ("hf:me/foreign", {}, "&& facegan import stylegan2-ffhq.pkl"),
    "control characters": ("hf:me/controls", {}, "&& facegan import 'a?[2Jb.pkl'"),
    "other weights": (
        "hf:me/bert",
        {},
        "model.safetensors is no facegan model; if it is a generator of anoth",
    ),
    "a bad token": ("hf:me/nothing", {"HF_TOKEN": "hf_wrong"}, "there is no such repository"),
    "no network": ("hf:me/faces", {"HF_ENDPOINT": "http://127.0.0.1:9"}, "and the cache does not have it"),
    "offline": ("hf:me/faces", {"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE is set, and the cache does not have"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_hub_refuses_is_one_line(
    case: str, hub: Hub, machine: Machine, tiny_model_file: Path
) -> None:
    text, environment, said = REFUSED[case]
    content = tiny_model_file.read_bytes()
    hub.add("me/faces", {"model.safetensors": content})
    hub.add("me/secret", {"model.safetensors": content}, private=True)
    hub.add("me/gated", {"model.safetensors": content}, gated=True)
    hub.add("me/several", {"a.safetensors": content, "b.safetensors": content})
    hub.add("me/empty", {})
    hub.add("me/controls", {"a\x1b[2Jb.pkl": b"\x80\x04"})
    hub.add("me/foreign", {"stylegan2-ffhq.pkl": b"\x80\x04"})
    hub.add("me/bert", {"model.safetensors": save({"w": torch.zeros(50_000)})})
    code, out, err = machine.run("show", text, **environment)
    said_lines = [line for line in err.splitlines() if line.startswith("facegan show: ")]
    assert code == 2 and len(said_lines) == 1 and out == "" and "Traceback" not in err, err
    assert said_lines[0].startswith(f"facegan show: {text}: ") and said in said_lines[0], err
    if case == "other weights":  # whose content was not downloaded
        assert not list(machine.home.rglob("blobs/*"))


def test_a_private_model_with_a_token(hub: Hub, machine: Machine, tiny_model_file: Path) -> None:
    hub.add("me/secret", {"model.safetensors": tiny_model_file.read_bytes()}, private=True)
    assert machine.run("show", "hf:me/secret", HF_TOKEN=WRITER)[0] == 0


def test_a_download_that_is_cut_off(hub: Hub, machine: Machine, tiny_model_file: Path) -> None:
    """It leaves nothing in the cache that could be taken for the model; later it works."""
    hub.add("me/faces", {"model.safetensors": tiny_model_file.read_bytes()})
    hub.cut = True
    code, _, err = machine.run("show", "hf:me/faces")
    last = err.splitlines()[-1]
    assert code == 2 and last.startswith("facegan show: hf:me/faces: "), err
    assert "the connection ended early" in last and "try again later" in last, err
    hub.cut = False
    assert machine.run("show", "hf:me/faces")[0] == 0


def test_a_fault_of_the_hub(hub: Hub, machine: Machine, tiny_model_file: Path) -> None:
    hub.add("me/faces", {"model.safetensors": tiny_model_file.read_bytes()})
    hub.faults["GET /api/models/.*"] = [503] * 9
    code, _, err = machine.run("show", "hf:me/faces")
    assert code == 2 and "the Hub has a fault (it answers 503), and the cache does not have it" in err
