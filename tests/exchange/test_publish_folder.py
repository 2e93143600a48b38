"""A dry run writes the whole repository, which names no place of this computer."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import re
import shutil
import socket
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
from PIL import Image
from published import ORIGIN, with_header
from safetensors import safe_open

import facegan
from facegan.cli.main import main
from facegan.errors import InputError
from facegan.exchange.publish_card import model_card
from facegan.exchange.publish_facts import facts_of
from facegan.generator import Generator

# --- the folder of a dry run ----------------------------------------------------------------------------


def run(*argv: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(argv))
    return code, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def folder(tiny_model: Generator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a dry run writes for a model from a folder with a name of a person in it."""
    at = tmp_path_factory.mktemp("home-of-ann")
    with_header(tiny_model, provenance=ORIGIN, licence="only for Ann's friends").save(at / "m.safetensors")
    with contextlib.chdir(at) if hasattr(contextlib, "chdir") else _changed(at):
        code, out, err = run("publish", "m.safetensors", "me/faces.v2", "--dry-run")
    assert code == 0, err
    (at / "out.txt").write_text(out)
    (at / "err.txt").write_text(err)
    return at


@contextlib.contextmanager
def _changed(at: Path) -> Any:
    before = os.getcwd()
    os.chdir(at)
    try:
        yield
    finally:
        os.chdir(before)


def test_a_dry_run_lists_what_it_wrote(folder: Path) -> None:
    out = (folder / "out.txt").read_text()
    written = {p.relative_to(folder / "faces.v2-hub").as_posix() for p in folder.rglob("faces.v2-hub/*/*")}
    names = ("LICENSE", "README.md", "config.json", "model.onnx", "model.safetensors", "samples.png")
    assert written == {f"model/{n}" for n in names} | {
        f"space/{n}" for n in ("LICENSE", "README.md", "index.html")
    }
    assert {line.split()[0] for line in out.splitlines() if re.match(r"  (model|space)/", line)} == written
    assert "nothing was uploaded; to upload it: facegan publish m.safetensors me/faces.v2\n" in out
    assert "  hf upload me/faces.v2 faces.v2-hub/space . --repo-type space\n" in out


def test_nothing_of_this_computer_is_published(folder: Path) -> None:
    """Neither in texts nor in headers and metadata of binary files."""
    here = [str(folder.parent), "home-of-ann", "/home/ann", "/mnt", "my disk", os.getcwd()]
    here += [str(Path.home())] if str(Path.home()) != "/" else []
    here += [socket.gethostname()] if len(socket.gethostname()) > 5 else []
    for file in folder.rglob("faces.v2-hub/*/*"):
        content = re.sub(rb">[\w+/=]{1000,}<", b"", file.read_bytes())  # weights in base64 hold any letters
        assert [place for place in here if place.encode() in content] == [], file.name
    with safe_open(folder / "faces.v2-hub/model/model.safetensors", "np") as handle:
        header = json.loads(handle.metadata()["facegan"])
    assert header["provenance"]["command"].startswith("facegan train faces64 --recipe faces-tiny-32 --out r ")


def test_the_published_model_draws_the_same_pictures(folder: Path, tiny_model: Generator) -> None:
    """Its weights are stored without loss; its hash, as before, is in card, graph and page."""
    model = facegan.load(folder / "faces.v2-hub/model/model.safetensors")
    original = facegan.load(folder / "m.safetensors")
    assert (model.sample(16) == original.sample(16)).all() and model.hash == original.hash
    for name in ("model/README.md", "model/config.json", "model/model.onnx"):
        assert model.hash.encode() in (folder / "faces.v2-hub" / name).read_bytes(), name
    page = (folder / "faces.v2-hub/space/index.html").read_bytes()
    assert model.hash[:12].encode() in page and b"<h1>faces.v2" in page
    mark = facegan.read_mark(folder / "faces.v2-hub/model/samples.png")
    assert mark.source == "trainedAlgorithmicMedia" and (mark.model, mark.seed) == (model.hash, "0-24")
    sheet = Image.open(folder / "faces.v2-hub/model/samples.png")
    assert sheet.size[0] == sheet.size[1] > 5 * 32


def test_weights_that_half_precision_would_change_stay_whole(tiny_model: Generator, tmp_path: Path) -> None:
    network = {
        k: v + 1e-5 if v.is_floating_point() else v for k, v in tiny_model.network.state_dict().items()
    }
    tiny_copy = facegan.load(_saved(tiny_model, tmp_path / "m.safetensors"))
    tiny_copy.network.load_state_dict(network)
    done = facegan.publish(tiny_copy, "me/x", dry_run=True, out=tmp_path / "o", onnx=False, space=False)
    again = facegan.load(tmp_path / "o/model/model.safetensors")
    assert done.files.keys() == {
        f"model/{n}" for n in ("README.md", "config.json", "model.safetensors", "samples.png")
    }
    for name, tensor in tiny_copy.network.state_dict().items():
        assert torch.equal(again.network.state_dict()[name], tensor)


def _saved(model: Generator, path: Path) -> Path:
    model.save(path)
    return path


@pytest.mark.parametrize("code", [0, 1])
def test_the_cards_programs_run(
    code: int, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both blocks of Python, with the Hub's files from the folder."""
    card = (folder / "faces.v2-hub/model/README.md").read_text()
    program = re.findall(r"```python\n(.*?)```", card, re.DOTALL)[code]
    place = folder / "faces.v2-hub/model"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda repo, name: str(place / name))
    program = program.replace('"hf:me/faces.v2"', repr(str(place / "model.safetensors")))
    found: dict[str, Any] = {}
    exec(program, found)
    if code == 0:
        assert found["images"].shape == (25, 32, 32, 3)
    else:
        assert Image.open(tmp_path / "face.png").size == (32, 32) and found["session"].get_inputs()


PRIORS = {
    "uniform": ("z = np.random.default_rng(0).uniform(-1, 1, (1, 8))", {"kind": "uniform", "std": 3**-0.5}),
    "sphere": ("z *= np.sqrt(8) / np.linalg.norm(z, axis=1, keepdims=True)", {"kind": "sphere"}),
    "truncated": ("    z[far] = np.random.default_rng().standard_normal(far.sum())", {"kind": "truncated"}),
    "shifted": ("z = 0.5 + 2 * z", {"mean": 0.5, "std": 2.0}),
}


@pytest.mark.parametrize("prior", PRIORS)
def test_the_cards_program_draws_from_the_models_prior(prior: str, tiny_model: Generator) -> None:
    from facegan.families import get_family
    from facegan.prior import Latent

    line, settings = PRIORS[prior]
    network = get_family("dcgan").build_generator(_config(tiny_model), (1, 32, 32), 8)
    latent = {**tiny_model.meta["latent"], "dim": 8, **settings}
    model = Generator(network, {**tiny_model.meta, "latent": latent, "image_shape": [1, 32, 32]})
    assert Latent(**latent) == model.latent
    card = model_card(facts_of(model, "me/faces"))
    assert f"{line}\n" in card and "Image.fromarray(levels[0])" in card


def _config(model: Generator) -> Any:
    from facegan.families import get_family
    from facegan.model_header import from_dict

    return from_dict(get_family("dcgan").config, model.meta["config"]).generator


def test_the_card_says_whether_the_graph_was_compared(
    folder: Path, tiny_model: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = (folder / "faces.v2-hub/model/README.md").read_text()
    assert re.search(r"`model.onnx` was compared with PyTorch: 64 seeds in batches of .* \(of 255; ", card)
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: None if n == "onnxruntime" else find(n))
    said: list[str] = []
    facegan.publish(tiny_model, "me/x", dry_run=True, out=tmp_path / "o", space=False, say=said.append)
    assert "`model.onnx` was not compared with PyTorch." in (tmp_path / "o/model/README.md").read_text()
    assert "model.onnx: an ONNX graph (opset 18), not run: pip install onnxruntime" in said


# --- what is refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["faces", "me/", "me/a b", "me/a--b", "a/b/c", "hf:me/faces", "me/x.git", ""]
)
def test_what_is_no_repository(name: str, tiny_model: Generator) -> None:
    with pytest.raises(InputError, match="not a repository's name; write owner/name"):
        facegan.publish(tiny_model, name, dry_run=True)


def test_a_folder_of_other_files_is_left_alone(tiny_model: Generator, tmp_path: Path) -> None:
    (tmp_path / "o/model").mkdir(parents=True)
    (tmp_path / "o/model/thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match=r"this folder holds other files \(model/thesis.txt\)"):
        facegan.publish(tiny_model, "me/x", dry_run=True, out=tmp_path / "o")
    with pytest.raises(InputError, match="this is a file; name a folder"):
        facegan.publish(tiny_model, "me/x", dry_run=True, out=tmp_path / "o/model/thesis.txt")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked/model").symlink_to(tmp_path / "o/model")
    with pytest.raises(InputError, match=r"this folder holds other files \(model\)"):
        facegan.publish(tiny_model, "me/x", dry_run=True, out=tmp_path / "linked")
    assert (tmp_path / "o/model/thesis.txt").read_text() == "years of work"
    shutil.rmtree(tmp_path / "o")
    for onnx in (True, False):  # again into the same folder: what is not published any more goes
        facegan.publish(tiny_model, "me/x", dry_run=True, out=tmp_path / "o", onnx=onnx, space=False)
        assert (tmp_path / "o/model/model.onnx").exists() == onnx
