"""Drawing by ONNX Runtime: pictures are those of PyTorch, and sampling commands do without it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import facegan
from facegan import images
from facegan.errors import InputError, ModelError
from facegan.families import get_family
from facegan.families.fast.config import Config, GeneratorConfig
from facegan.generator import Generator, Latent, describe
from facegan.model_files import write_model
from facegan.models import as_generator, as_sampler
from facegan.sampler import OnnxSampler
from facegan.tensor_files import read_tensors, write_tensors

NORMAL = Latent("normal", 24)
# Settings of the family fast, and the size of its pictures.
VARIANTS: dict[str, tuple[dict[str, Any], tuple[int, int, int]]] = {
    "as bundled": ({"widths": (16, 12, 8, 8), "blocks": (0, 0, 1, 1)}, (3, 64, 64)),
    "nearest, excited": ({"upsample": "nearest", "excite": True}, (3, 32, 32)),
    "pooled, excited": ({"upsample": "convT", "excite": True, "head": 1}, (3, 32, 32)),
    "shuffled": ({"upsample": "shuffle", "blocks": (1, 0, 2)}, (3, 16, 32)),
    "without styles": ({"style": False, "tanh": False}, (1, 32, 32)),
}


def fast_model(
    changed: dict[str, Any],
    shape: tuple[int, int, int],
    *,
    latent: Latent = NORMAL,
    labels: tuple[str, ...] = (),
) -> Generator:
    """An untrained generator whose batch norms have statistics, and whose residual branches are no zeros."""
    settings = replace(GeneratorConfig(widths=(16, 12, 8), blocks=(0, 1, 0)), **changed)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        family = get_family("fast")
        network = family.build_generator(settings, shape, latent.dim, label_dim=len(labels))
        for name, tensor in network.state_dict().items():
            if name.endswith("running_var"):
                tensor.copy_(torch.rand_like(tensor) + 0.5)
            elif name.endswith(("running_mean", "bias")) or name.endswith("conv2.weight"):
                tensor.copy_(0.2 * torch.randn_like(tensor))
    config = Config(generator=settings)
    return Generator(network, describe("fast", config, latent, image_shape=shape, labels=labels))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "fast.safetensors"
    fast_model({}, (3, 32, 32)).save(path)
    return path


@pytest.mark.parametrize("variant", VARIANTS)
def test_pictures_are_those_of_pytorch(variant: str, tmp_path: Path) -> None:
    fast_model(*VARIANTS[variant]).save(tmp_path / "m.safetensors")
    theirs, ours = facegan.load(tmp_path / "m.safetensors"), OnnxSampler.load(tmp_path / "m.safetensors")
    assert ours is not None
    assert (ours.hash, ours.num_ws, ours.w_dim) == (theirs.hash, theirs.num_ws, theirs.w_dim)
    assert (ours.image_shape, ours.truncates) == (theirs.image_shape, theirs.truncates)
    z = np.concatenate([theirs.latents(range(5)), np.zeros((1, 24), np.float32)])
    np.testing.assert_allclose(ours.drawn(z), theirs.drawn(z), rtol=0, atol=1e-4)
    w = theirs.to_w(z)
    w[:, ::2] += 1  # other vectors in other layers
    np.testing.assert_allclose(ours.drawn(w), theirs.drawn(w), rtol=0, atol=1e-4)
    assert np.ptp(theirs.drawn(z)) > 0.5


def test_the_bundled_model_to_one_level() -> None:
    ours, theirs = as_sampler("celeba64"), facegan.load("celeba64")
    assert isinstance(ours, OnnxSampler) and ours.bundled == "celeba64"
    found, expected = ours.sample(range(100, 108)), theirs.sample(range(100, 108))
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert (found != expected).mean() < 1e-3
    assert isinstance(as_generator(ours), Generator) and as_generator(ours).hash == ours.hash


def test_a_seed_is_the_same_picture_in_any_batch(saved: Path) -> None:
    sampler = OnnxSampler.load(saved)
    assert sampler is not None
    together = sampler.drawn(sampler.latents(range(40)))
    for seed in (0, 7, 39):
        assert sampler.drawn(sampler.latents([seed])).tobytes() == together[seed].tobytes()
    assert np.array_equal(sampler.sample(40, batch=7), sampler.sample(40))


def test_a_result_loads_its_model_once(saved: Path, tmp_path: Path) -> None:
    done = facegan.generate(saved, [1], out=tmp_path / "a.png")
    assert isinstance(done.sampler, OnnxSampler) and done.model is done.model
    assert done.model.hash == done.sampler.hash


def test_vectors_of_any_kind(saved: Path) -> None:
    sampler, model = OnnxSampler.load(saved), facegan.load(saved)
    assert sampler is not None
    z = model.latent.sample([1, 2])
    for given in (z, z.numpy(), z.tolist(), facegan.latent.Vectors(z, ("a", "b"))):
        assert np.array_equal(sampler.to_w(given), model.to_w(given))
    assert sampler.to_w(z[0]).shape == (1, sampler.num_ws, 24)
    assert np.array_equal(sampler.to_w(z, 0.5), model.to_w(z, 0.5))
    assert sampler.images([]).shape == (0, 32, 32, 3)
    for wrong in (np.zeros((2, 23)), np.zeros(3)):
        with pytest.raises(InputError) as ours:
            sampler.to_w(wrong)
        with pytest.raises(InputError) as theirs:
            model.to_w(wrong)
        assert str(ours.value) == str(theirs.value)


OTHERS = {
    "labels": {"labels": ("smiling",)},
    "another prior": {"latent": Latent("sphere", 24)},
}


@pytest.mark.parametrize("other", OTHERS)
def test_other_models_are_drawn_by_pytorch(other: str, tmp_path: Path) -> None:
    fast_model({}, (3, 32, 32), **OTHERS[other]).save(tmp_path / "m.safetensors")  # type: ignore[arg-type]
    assert OnnxSampler.load(tmp_path / "m.safetensors") is None
    assert isinstance(as_sampler(tmp_path / "m.safetensors"), Generator)


def test_another_family_is_drawn_by_pytorch(tiny_model_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facegan.sampler.read_arrays", None)  # its weights are read by PyTorch alone
    assert isinstance(as_sampler(tiny_model_file), Generator)


def test_without_onnx_runtime_pytorch_draws(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert isinstance(as_sampler(saved), Generator)


def test_damaged_files(saved: Path, tmp_path: Path) -> None:
    content = bytearray(saved.read_bytes())
    content[-100] ^= 1
    (tmp_path / "bad.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match="does not match its hash"):
        as_sampler(tmp_path / "bad.safetensors")


def test_a_header_that_does_not_describe_its_tensors(saved: Path) -> None:
    model = facegan.load(saved)
    del model.network.out.bias
    write_model(saved, model.network, model.meta, dtype=torch.float16)
    with pytest.raises(ModelError, match=r"safetensors: the header .* tensors \(other names or shapes\)$"):
        as_sampler(saved)
    with read_tensors(saved, "facegan", 1, what="model") as (head, tensors):
        changes = ({"config": {"generator": {"wings": 2}}}, {"family": []}, {"latent": {"dim": "many"}})
        for change in changes:
            write_tensors(saved, "facegan", {**head, **change}, tensors=tensors)
            with pytest.raises(ModelError):
                as_sampler(saved)


# Commands that only sample, and what they draw. Of a bundled model the licence is told as well.
COMMANDS = {
    "generate": (["generate", "MODEL", "seed:3-5", "--out", "a.png", "--latents", "a.npz"], "a.png"),
    "generate from vectors": (["generate", "MODEL", "a.npz:2", "--out", "b.npz"], ""),
    "generate, bundled": (["generate", "celeba64", "--count", "2", "--numbered", "--out", "f.png"], ""),
    "interpolate": (["interpolate", "MODEL", "seed:1,2", "--steps", "4", "--out", "c.png"], "c.png"),
    "a film of a path": (["interpolate", "MODEL", "seed:1", "seed:2", "--out", "c.gif"], ""),
    "mix": (["mix", "MODEL", "seed:0-1", "seed:2-3", "--layers", "0", "--out", "d.png"], "d.png"),
    "arithmetic": (["arithmetic", "MODEL", "seed:1 - seed:2 + seed:3", "--out", "e.png"], "e.png"),
}
_RUN = """
import sys
from facegan.cli.main import main
for words in {commands!r}:
    code = main(words)
    heavy = [name for name in ("torch", "pyarrow", "pandas", "sklearn") if name in sys.modules]
    print(words[0], code or 0, heavy)
"""


def test_commands_that_only_sample_do_not_import_torch(saved: Path, tmp_path: Path) -> None:
    """In a process of their own, one after the other; then the same pictures by PyTorch."""
    commands = [[str(saved) if word == "MODEL" else word for word in words] for words, _ in COMMANDS.values()]
    run = [sys.executable, "-c", _RUN.format(commands=commands)]
    package = str(Path(facegan.__file__).parent.parent)
    session = {
        **os.environ,
        "PYTHONPATH": package,
        "FACEGAN_CACHE": str(tmp_path),
    }  # nothing was said in it yet
    done = subprocess.run(run, capture_output=True, text=True, cwd=tmp_path, env=session)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.endswith("]")]
    assert lines == [f"{words[0]} 0 []" for words, _ in COMMANDS.values()], done.stdout
    model = facegan.load(saved)
    options: dict[str, dict[str, Any]] = {"generate": {}, "interpolate": {"steps": 4}, "mix": {"layers": "0"}}
    for name, points, out in (
        ("generate", (["seed:3-5"],), "a.png"),
        ("interpolate", (["seed:1,2"],), "c.png"),
        ("mix", ("seed:0-1", "seed:2-3"), "d.png"),
        ("arithmetic", ("seed:1 - seed:2 + seed:3",), "e.png"),
    ):
        theirs = tmp_path / f"torch-{out}"
        getattr(facegan, name)(model, *points, out=theirs, **options.get(name, {}))
        difference = images.read_image_file(theirs).astype(int) - images.read_image_file(tmp_path / out)
        assert np.abs(difference).max() <= 2, name  # one level, and that of enlarging it
