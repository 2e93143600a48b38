"""The Generator: seeds, priors, truncation, and its file: small, exact, and safe to load."""

from __future__ import annotations

import json
import math
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facegan.errors import InputError, ModelError
from facegan.generator import Generator, Latent, build_network, describe
from facegan.model_header import IDENTITY
from facegan.tensor_files import canonical_json

# --- seeds and priors --------------------------------------------------------------------------


def test_a_seed_is_the_same_picture_in_any_company(tiny_model: Generator) -> None:
    """At most one grey level apart: sums of another batch size may round another way."""
    together = tiny_model.sample(12).astype(int)
    for seed, expected in enumerate(together):
        assert np.abs(tiny_model.sample([seed])[0] - expected).max() <= 1
    order = [7, 3, 3, 11, 0]
    for batch in (1, 2, 64):
        found = tiny_model.sample(order, batch=batch).astype(int)
        assert np.abs(found - together[order]).max() <= 1
    assert len({image.tobytes() for image in together}) == 12, "other seeds are other pictures"


def test_latents_of_seeds_are_exact_and_leave_torchs_state_alone(tiny_model: Generator) -> None:
    state = torch.random.get_rng_state()
    z = tiny_model.latent.sample([5, 6])
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(tiny_model.latent.sample([6])[0], z[1])
    # Written down, so that seed 0 stays the same face in the next version, too.
    known = torch.randn(64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(tiny_model.latent.sample([0])[0], known)


def test_kinds_of_request(tiny_model: Generator) -> None:
    every = tiny_model.sample(3)
    assert (every.shape, every.dtype) == ((3, 32, 32, 3), np.uint8)
    assert np.array_equal(tiny_model.sample(range(3)), every)
    assert np.array_equal(tiny_model.images(tiny_model.latent.sample(range(3))), every)
    assert np.array_equal(tiny_model.images(tiny_model.latent.sample(range(3)).double()), every)
    assert tiny_model.sample([]).shape == (0, 32, 32, 3)
    assert [len(part) for part in tiny_model.stream(range(5), batch=2)] == [2, 2, 1]


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_seeds_out_of_range(seed: int, tiny_model: Generator) -> None:
    with pytest.raises(InputError, match=rf"seed must be from 0 to 2\^63 - 1, not {seed}$"):
        tiny_model.sample([seed])


def test_the_sphere_has_one_radius() -> None:
    z = Latent("sphere", 50).sample(range(20))
    assert torch.allclose(z.norm(dim=1), torch.full((20,), math.sqrt(50)))
    assert Latent("sphere", 50).centre().tolist() == [0.0] * 50


def test_the_normal_prior_has_its_mean_and_std() -> None:
    prior = Latent("normal", 500, -0.5, 0.25)
    z = prior.sample(range(20))
    assert z.mean().item() == pytest.approx(-0.5, abs=5 * 0.25 / 100)
    assert z.std().item() == pytest.approx(0.25, rel=5 / math.sqrt(20000))
    assert prior.centre().tolist() == [-0.5] * 500


def test_an_unknown_prior() -> None:
    with pytest.raises(ModelError, match="latent prior 'cauchy' is unknown"):
        Latent("cauchy", 3)


def test_truncation(tiny_model: Generator) -> None:
    """0 is the average picture for every seed; in between, w lies on the line towards its average."""
    average = tiny_model.images(tiny_model.latent.centre()[None])[0].astype(int)
    for image in tiny_model.sample(3, truncation=0.0):
        assert np.abs(image - average).max() <= 1
    z = tiny_model.latent.sample([4])
    half = tiny_model.map(z, 0.5)
    assert torch.allclose(half, (tiny_model.map(z) + tiny_model.w_average()) / 2)
    assert tiny_model.map(z).shape == (1, tiny_model.num_ws, tiny_model.w_dim)


@pytest.mark.parametrize("mean", [0.0, 0.5])
def test_lengths_that_the_first_layer_ignores(mean: float, tiny_model: Generator) -> None:
    """Truncation towards 0 changes nothing then; towards another mean it turns the vector."""
    plain = tiny_model.meta["config"]["generator"]
    config = {**tiny_model.meta["config"], "generator": {**plain, "layers": f"pixelnorm; {plain['layers']}"}}
    prior = {**tiny_model.meta["latent"], "mean": mean}
    meta = {**tiny_model.meta, "config": config, "latent": prior}
    model = Generator(build_network(meta), meta)
    z = model.latent.sample([1])
    apart = (model(z, truncation=0.5) - model(z)).abs().max()
    assert tiny_model.truncates and model.truncates == (mean != 0) == bool(apart > 1e-5)


def test_images_are_in_range_and_nothing_learns(tiny_model: Generator) -> None:
    images = tiny_model(tiny_model.latent.sample(range(4)))
    assert images.shape == (4, 3, 32, 32) and images.abs().max() <= 1 and not images.requires_grad
    assert not tiny_model.network.training
    assert sum(n for _, _, n in tiny_model.parameters_by_layer()) == sum(
        p.numel() for p in tiny_model.network.parameters()
    )


def test_gradients_reach_z(tiny_model: Generator) -> None:
    """What finding a face's vector needs."""
    z = tiny_model.latent.sample([1]).requires_grad_()
    tiny_model(z).square().mean().backward()
    assert z.grad is not None and z.grad.abs().sum() > 0


# --- files -------------------------------------------------------------------------------------


def test_half_precision_keeps_the_pictures_and_the_hash(tiny_model: Generator, tmp_path: Path) -> None:
    digest = tiny_model.save(tmp_path / "half.safetensors")
    assert tiny_model.save(tmp_path / "full.safetensors", torch.float32) == digest == tiny_model.hash
    before = tiny_model.sample(6).astype(int)
    for name, most in (("half", 2), ("full", 0)):
        found = Generator.load(tmp_path / f"{name}.safetensors")
        assert np.abs(found.sample(6) - before).max() <= most
        assert (found.hash, found.meta, found.latent) == (digest, tiny_model.meta, tiny_model.latent)
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("half", "full")]
    assert sizes[0] < 0.6 * sizes[1]


def test_saving_twice_writes_the_same_bytes(tiny_model: Generator, tmp_path: Path) -> None:
    tiny_model.save(tmp_path / "a.safetensors")
    Generator.load(tmp_path / "a.safetensors").save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def parts(path: Path) -> tuple[dict[str, Any], bytes]:
    content = path.read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + size]), content[8 + size :]


def joined(header: dict[str, Any], tail: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + tail


def refused(content: bytes, folder: Path) -> str:
    """The one line that says why ``content`` is no model."""
    path = folder / "broken.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        Generator.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message and len(message) < 400
    return message


def test_truncated_at_any_length(tiny_model_file: Path, tmp_path: Path) -> None:
    content = tiny_model_file.read_bytes()
    lengths = [*range(0, 64, 3), *(round(len(content) * i / 40) for i in range(1, 40)), len(content) - 1]
    for length in lengths:
        refused(content[:length], tmp_path)


def test_flipped_bits(tiny_model_file: Path, tmp_path: Path) -> None:
    """The hashes cover names, shapes, numbers and metadata; a flip is refused, wherever it is.

    But a file whose entry with the model's hash has another name is one of an earlier version.
    """
    content = tiny_model_file.read_bytes()
    name = content.index(IDENTITY.encode())
    rng = np.random.default_rng(0)
    header = struct.unpack("<Q", content[:8])[0]
    places = [*range(8), *rng.integers(8, 8 + header, 120), *rng.integers(8 + header, len(content), 40)]
    for at in (at for at in places if not name <= at < name + len(IDENTITY)):
        flipped = bytearray(content)
        flipped[at] ^= 1 << int(rng.integers(8))
        refused(bytes(flipped), tmp_path)


FOREIGN: dict[str, tuple[Callable[[], bytes], str]] = {
    "text": (lambda: b"hello, I am no model\n" * 50, "this is a text file, not a facegan model"),
    "text in UTF-8, cut through": (lambda: b"x" + "\u00e9".encode() * 900, "this is a text file"),
    "text in Windows-1252": (lambda: "caf\u00e9 \u20ac 3".encode("cp1252"), "this is a text file"),
    "text in UTF-16": (lambda: "words".encode("utf-16"), "this is a text file"),
    "pointer": (lambda: b"version https://git-lfs.github.com/spec/v1\noid", "this is a pointer of Git LFS ("),
    "web page": (lambda: b"<!DOCTYPE html><html><body>", "this is a web page"),
    "noise": (lambda: bytes(range(256)) * 4, "not a readable .safetensors file"),
    "empty": (lambda: b"", "this is an empty file, not a facegan model"),
    "zeros": (lambda: bytes(1000), "not a readable .safetensors file"),
    "pickle": (lambda: pickle.dumps({"a": 1}), "this is a pickle, such as PyTorch weights"),
    "huge header": (lambda: struct.pack("<Q", 2**62) + b"{}", "not a readable .safetensors file"),
    "another program's": (lambda: joined({}, b""), "no facegan model (its header has no 'facegan' entry)"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_files(name: str, tmp_path: Path) -> None:
    make, message = FOREIGN[name]
    assert message in refused(make(), tmp_path)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no such model file"):
        Generator.load(tmp_path / "no.safetensors")
    with pytest.raises(ModelError, match="not a readable"):
        Generator.load(tmp_path)


def set_generator(meta: dict[str, Any], **settings: Any) -> None:
    meta["config"]["generator"].update(settings)


HEADERS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "newer format": (lambda m: m.update(format=2), "format 2 is not 1; is facegan up to date?"),
    "no hash": (lambda m: m.pop("hash"), "does not describe its tensors ('hash')"),
    "wrong hash": (lambda m: m.update(hash="0" * 64), "does not match its hash"),
    "another licence": (lambda m: m.update(licence="mine"), "does not match its hash"),
}

# With a hash that fits: made on purpose, or by another version.
REHASHED: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "unknown family": (lambda m: m.update(family="os"), "os"),
    "no family": (lambda m: m.pop("family"), "family"),
    "other width": (lambda m: set_generator(m, width=0.5), "does not describe its tensors"),
    "absurd layers": (lambda m: set_generator(m, layers="dense 99999999x99999999x4"), ""),
    "endless layers": (lambda m: set_generator(m, layers="conv 4 3 x99999999999"), "not understood"),
    "endless depth": (lambda m: set_generator(m, depth=10**12), "depth must be from 0 to 100"),
    "infinite width": (lambda m: set_generator(m, width=1e308), "does not describe its tensors"),
    "text as width": (lambda m: set_generator(m, width="wide"), "does not describe its tensors"),
    "huge latent": (lambda m: m["latent"].update(dim=10**15), "does not describe its tensors"),
    "unknown setting": (lambda m: m["config"]["generator"].update(evil=1), "unknown setting 'evil'"),
    "wrong type": (lambda m: m.update(latent="normal"), "does not describe its tensors"),
    "config is a list": (lambda m: m.update(config=[1]), "does not describe its tensors"),
    "image shape": (lambda m: m.update(image_shape=[3, 32]), "does not describe its tensors"),
    "other image shape": (lambda m: m.update(image_shape=[3, 64, 64]), ""),
    "negative dimension": (lambda m: m["latent"].update(dim=-1), ""),
    "unknown prior": (lambda m: m["latent"].update(kind="evil"), "evil"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_changed_headers(name: str, tiny_model_file: Path, tmp_path: Path) -> None:
    change, message = HEADERS[name]
    header, tail = parts(tiny_model_file)
    meta = json.loads(header["__metadata__"]["facegan"])
    change(meta)
    header["__metadata__"]["facegan"] = canonical_json(meta)
    assert message in refused(joined(header, tail), tmp_path)


@pytest.mark.parametrize("name", REHASHED)
def test_headers_that_lie(name: str, tiny_model_file: Path, tmp_path: Path) -> None:
    from facegan.model_files import halves
    from facegan.model_hash import content_hash

    change, message = REHASHED[name]
    header, tail = parts(tiny_model_file)
    meta = json.loads(header["__metadata__"]["facegan"])
    change(meta)
    meta["hash"] = content_hash(meta, halves(Generator.load(tiny_model_file).network.state_dict()))
    del header["__metadata__"][IDENTITY]
    header["__metadata__"]["facegan"] = canonical_json(meta)
    assert message in refused(joined(header, tail), tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "1", '"a"', "{}", "[" * 100_000])
def test_papers_that_are_no_papers(text: str, tiny_model_file: Path, tmp_path: Path) -> None:
    header, tail = parts(tiny_model_file)
    header["__metadata__"]["facegan"] = text
    refused(joined(header, tail), tmp_path)


def test_weights_beyond_half_precision_stay_finite(tiny_model_file: Path, tmp_path: Path) -> None:
    model = Generator.load(tiny_model_file)
    with torch.no_grad():
        next(model.network.parameters()).view(-1)[0] = 1e6
    model.save(tmp_path / "m.safetensors")
    weights = next(Generator.load(tmp_path / "m.safetensors").network.parameters())
    assert weights.view(-1)[0].item() == 65504


def test_describe_and_build_are_inverse(tiny_model: Generator) -> None:
    meta = json.loads(canonical_json(tiny_model.meta))
    network = build_network(meta)
    shapes = {k: v.shape for k, v in network.state_dict().items()}
    assert shapes == {k: v.shape for k, v in tiny_model.network.state_dict().items()}
    from facegan.recipes.table import recipe

    found = describe(
        "dcgan",
        recipe("faces-tiny-32").model,
        Latent(dim=7),
        image_shape=(1, 2, 3),
        labels=("a",),
        licence="x",
    )
    assert (found["latent"]["dim"], found["image_shape"], found["labels"]) == (7, [1, 2, 3], ["a"])
    assert found["licence"] == "x"
