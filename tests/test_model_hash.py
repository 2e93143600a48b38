"""Models of equal weights have one hash, wherever they come from, and share what was made for one of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open

import facegan
from facegan.cli.main import main
from facegan.data.dataset import Dataset
from facegan.deltas import save_delta
from facegan.errors import ModelError
from facegan.generator import Generator
from facegan.inversion.encoder import Encoder, beside, find_encoder
from facegan.latent.directions import Directions, kept_directions
from facegan.model_hash import former_hash, hash_of_file
from facegan.model_header import IDENTITY
from facegan.models import bundled_file

FILES = Path(__file__).parent / "files_of_0_1"
OLD = FILES / "run" / "models" / "000000.024kimg.safetensors"
TINY = ["--recipe", "faces-tiny-32", "--batch", "8", "--generator.width", "0.125"]
TINY += ["--discriminator.width", "0.125", "--quality-count", "0", "--grid-count", "1", "--no-tensorboard"]
TINY += ["--checkpoint-kimg", "0.008", "--threads", "1"]


def trained(dataset: Path, out: Path, *more: str, kimg: float = 0.016) -> Path:
    assert main(["train", str(dataset), "--out", str(out), *TINY, "--kimg", str(kimg), *more]) == 0
    return out


@pytest.fixture(scope="module")
def runs(portraits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same training in two folders, interrupted and moved with its data, and with another seed."""
    folder, data = tmp_path_factory.mktemp("runs"), portraits.path
    found = {"here": trained(data, folder / "here"), "there": trained(data, folder / "some where" / "there")}
    first = trained(data, folder / "begun", kimg=0.008)
    moved, copied = folder / "elsewhere" / "moved", folder / "other data"
    shutil.move(first, moved)
    shutil.copytree(data, copied)
    found["moved"] = trained(copied, moved, "--resume")
    found["seed"] = trained(data, folder / "seed", "--seed", "1")
    return found


def by_hand(model: Generator) -> Directions:
    """Two directions of a model."""
    vectors = torch.zeros(2, model.num_ws, model.w_dim)
    vectors[0, :, 0] = vectors[1, :, 1] = 1.0
    return Directions(
        ("one", "two"), ("pca", "pca"), vectors, np.zeros((2, 0)), (), {}, model.hashes[0], {"settings": {}}
    )


def shifted(model: Generator) -> dict[str, torch.Tensor]:
    name, tensor = next((n, p) for n, p in model.network.named_parameters() if p.ndim == 1)
    return {f"full/{name}": torch.full_like(tensor, 0.25)}


@pytest.mark.parametrize(("other", "same"), [("there", True), ("moved", True), ("seed", False)])
def test_the_same_training_is_the_same_model(
    runs: dict[str, Path], other: str, same: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    one, two = facegan.load(runs["here"]), facegan.load(runs[other])
    assert isinstance(one, Generator) and isinstance(two, Generator)
    assert one.meta["provenance"] != two.meta["provenance"], "where it came from is still there"
    assert (one.hash == two.hash) == same
    by_hand(one).save(tmp_path / "d.safetensors")
    by_hand(one).save(tmp_path / "cache" / "directions" / f"{one.hash[:32]}.safetensors")
    save_delta(tmp_path / "delta.safetensors", one.hash, shifted(one))
    Encoder.fresh(one, "z", 8).save(tmp_path / "encoder.safetensors")
    uses: dict[str, Callable[[], Any]] = {
        "directions": lambda: Directions.load(tmp_path / "d.safetensors", two),
        "a delta": lambda: facegan.load(f"{runs[other]}+{tmp_path / 'delta.safetensors'}"),
        "an encoder": lambda: find_encoder(two, runs[other], str(tmp_path / "encoder.safetensors")),
    }
    for what, use in uses.items():
        if same:
            use()
        else:
            with pytest.raises(ModelError, match="another model"):
                use()
                pytest.fail(what)
    assert (kept_directions(two) is not None) == same


def weights(model: Generator) -> None:
    with torch.no_grad():
        next(model.network.parameters()).view(-1)[0] += 0.1


CHANGES: dict[str, tuple[Callable[[Generator], Any], bool]] = {
    "nothing": (lambda m: None, True),
    "command": (lambda m: m.meta["provenance"].update(command="facegan train x --out y"), True),
    "version": (lambda m: m.meta["provenance"].update(facegan="9.0", images_seen=7), True),
    "no provenance": (lambda m: m.meta.pop("provenance"), True),
    "licence": (lambda m: m.meta.update(licence="another"), True),
    "crop": (lambda m: m.meta.update(alignment={"kind": "face"}), True),
    "discriminator": (lambda m: m.meta["config"]["discriminator"].update(lr=0.5), True),
    "a weight": (weights, False),
    "a buffer": (lambda m: next(m.network.buffers()).add_(1), False),
    "the latent": (lambda m: m.meta["latent"].update(std=2.0), False),
    "the family": (lambda m: m.meta.update(family="vanilla"), False),
    "a setting of the generator": (lambda m: m.meta["config"]["generator"].update(width=0.5), False),
    "labels": (lambda m: m.meta.update(labels=["Smiling"]), False),
    "rows of labels": (lambda m: m.meta.update(label_rows={"rows": [[1]], "counts": [2]}), False),
    "the size": (lambda m: m.meta.update(image_shape=[3, 64, 64]), False),
    "what a later version may add": (lambda m: m.meta.update(wings=2), False),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_counts(change: str, runs: dict[str, Path]) -> None:
    apply, same = CHANGES[change]
    model = facegan.load(runs["here"])
    assert isinstance(model, Generator)
    before = model.hash
    model.meta = deepcopy(model.meta)
    apply(model)
    assert (model.hash == before) == same


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_a_file_says_its_hash_beside_its_header(
    dtype: torch.dtype, tiny_model_file: Path, tmp_path: Path
) -> None:
    """It is found without torch as well; earlier files do not say it."""
    model = Generator.load(tiny_model_file)
    next(p for p in model.network.parameters() if p.ndim == 1)[0] = 1e6  # beyond half precision
    model.meta = {**model.meta, "licence": "none"}
    digest = model.save(tmp_path / "m.safetensors", dtype)
    with safe_open(tmp_path / "m.safetensors", "np") as handle:
        told = handle.metadata()
    content = (tmp_path / "m.safetensors").read_bytes()
    for _ in range(12):  # the library has no order of its own for several entries of a header
        model.save(tmp_path / "again.safetensors", dtype)
        assert (tmp_path / "again.safetensors").read_bytes() == content
    assert told[IDENTITY] == digest == model.hash == hash_of_file(tmp_path / "m.safetensors")
    assert json.loads(told["facegan"])["hash"] == model.hashes[1] != digest
    for name in ("celeba64", "glasses64"):
        assert hash_of_file(bundled_file(name) or "") == facegan.load(name).hash
    (tmp_path / "text.safetensors").write_text("hello")
    assert hash_of_file(tmp_path / "text.safetensors") == ""
    assert hash_of_file(FILES / "delta.safetensors") == ""


# --- what earlier versions wrote ------------------------------------------------------------------------


def old() -> Generator:
    model = facegan.load(OLD)
    assert isinstance(model, Generator)
    return model


def test_an_earlier_file_is_known_by_both_hashes() -> None:
    model = old()
    with safe_open(OLD, "np") as handle:
        head = json.loads(handle.metadata()["facegan"])
    assert model.hashes == (model.hash, head["hash"]) and model.hash != head["hash"]
    for name in ("directions", "delta", "encoder"):
        with safe_open(FILES / f"{name}.safetensors", "np") as handle:
            (text,) = handle.metadata().values()
        assert json.loads(text)["model"] == head["hash"], "it names the model as it was named then"


@pytest.mark.parametrize(
    "name", ["a new file of it", "with an earlier delta", "with two deltas", "saved with one"]
)
def test_earlier_directions_and_new_ones_fit(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An encoder as well: with a delta, they are those of the model below it."""
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    file, base = tmp_path / "new.safetensors", old()
    base.save(file)
    if name == "with an earlier delta":
        model = facegan.load(f"{file}+{FILES / 'delta.safetensors'}")
    elif name == "with two deltas":
        first = facegan.load(f"{OLD}+{FILES / 'delta.safetensors'}")
        save_delta(tmp_path / "d2.safetensors", first.hash, shifted(first))
        model = facegan.load(f"{OLD}+{FILES / 'delta.safetensors'}+{tmp_path / 'd2.safetensors'}")
    elif name == "saved with one":
        facegan.load(f"{OLD}+{FILES / 'delta.safetensors'}").save(file)
        model = facegan.load(file)
    else:
        model = facegan.load(file)
    assert isinstance(model, Generator) and (model.hash == base.hash) == (name == "a new file of it")
    by_hand(base).save(tmp_path / "d.safetensors")
    for directions in (FILES / "directions.safetensors", tmp_path / "d.safetensors"):
        Directions.load(directions, model)
    Encoder.load(FILES / "encoder.safetensors").check(model, "encoder")
    Encoder.fresh(base, "w", 8).check(model, "encoder")
    assert kept_directions(model) is None
    kept = (
        tmp_path / "cache" / "directions" / f"{base.hashes[1][:32]}.safetensors"
    )  # where they were kept then
    kept.parent.mkdir(parents=True)
    shutil.copy(FILES / "directions.safetensors", kept)
    assert kept_directions(model) is not None


def test_an_earlier_delta_on_top_of_another_fits() -> None:
    """It named the model below by its header, with the first delta's name and settings."""
    tuned = facegan.load(f"{OLD}+{FILES / 'delta.safetensors'}")
    assert isinstance(tuned, Generator)
    plain = {k: v for k, v in tuned.meta["delta"].items() if k != "below"}
    then = Generator(deepcopy(tuned.network), {**tuned.meta, "delta": plain})
    assert then.hashes == tuned.hashes and tuned.hashes[1] == former_hash(then.meta, _parts(then))


def _parts(model: Generator) -> Any:
    from facegan.model_files import halves

    return halves(model.network.state_dict())


def test_earlier_directions_of_another_header_cannot_be_known() -> None:
    """They name a hash of the header, and nothing says which model that was if the header is another one."""
    model = old()
    model.meta = {**model.meta, "provenance": {**model.meta["provenance"], "command": "from elsewhere"}}
    with pytest.raises(ModelError, match="directions of another model"):
        Directions.load(FILES / "directions.safetensors", model)


def test_the_encoder_beside_an_earlier_model_is_found(tmp_path: Path) -> None:
    shutil.copy(OLD, tmp_path / "m.safetensors")
    shutil.copy(FILES / "encoder.safetensors", beside(tmp_path / "m.safetensors"))
    assert find_encoder(old(), tmp_path / "m.safetensors") is not None
