"""MODEL+delta.safetensors: small files of differences, for one model alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from facegan.cli.main import main
from facegan.deltas import load_delta, save_delta
from facegan.errors import ModelError
from facegan.generator import Generator
from facegan.models import bundled, load, resolve, split_delta


@pytest.fixture
def weight(tiny_model: Generator) -> tuple[str, torch.Tensor]:
    return next((n, p) for n, p in tiny_model.network.named_parameters() if p.ndim == 4)


def test_factors_and_whole_differences_add_up(tiny_model_file: Path, weight, tmp_path: Path) -> None:
    name, _ = weight
    base = load(tiny_model_file)
    tensor = base.network.state_dict()[name].clone()
    rows = tensor.shape[0]
    left, right = torch.randn(rows, 2) * 0.1, torch.randn(2, tensor.numel() // rows) * 0.1
    other = next(n for n, p in base.network.named_parameters() if p.ndim == 1)
    shift = torch.full_like(base.network.state_dict()[other], 0.25)
    file = tmp_path / "me.safetensors"
    save_delta(
        file, base.hash, {f"left/{name}": left, f"right/{name}": right, f"full/{other}": shift}, photo="me"
    )
    tuned = load(f"{tiny_model_file}+{file}")
    expected = tensor + (left.half().float() @ right.half().float()).reshape(tensor.shape)
    state = tuned.network.state_dict()
    assert torch.allclose(state[name], expected, atol=1e-5)
    assert torch.allclose(state[other], base.network.state_dict()[other] + 0.25)
    assert tuned.hash != base.hash and tuned.meta["delta"]["photo"] == "me"
    assert file.stat().st_size < tiny_model_file.stat().st_size / 10
    assert load(tiny_model_file).hash == base.hash  # the model's own file is as it was


def test_every_command_takes_it(tiny_model_file: Path, weight, tmp_path: Path, capsys) -> None:
    file, base = tmp_path / "d.safetensors", load(tiny_model_file)
    save_delta(file, base.hash, {f"full/{weight[0]}": torch.full_like(weight[1], 0.05)})
    both = f"{tiny_model_file}+{file}"
    assert main(["generate", both, "--count", "2", "--scale", "1", "--out", str(tmp_path / "a.npz")]) == 0
    assert main(["generate", str(tiny_model_file), "--count", "2", "--out", str(tmp_path / "b.npz")]) == 0
    a, b = (np.load(tmp_path / f"{x}.npz")["images"] for x in "ab")
    assert not np.array_equal(a, b)
    np.testing.assert_array_equal(a, load(both).sample(2))
    for command in (["interpolate", both, "0", "1"], ["arithmetic", both, "1 - 2"]):
        assert main([*command, "--out", str(tmp_path / "o.png")]) == 0
    assert main(["show", both]) == 0
    assert load(both).hash[:12] in capsys.readouterr().out
    assert resolve(both) == tiny_model_file


def test_a_plus_in_a_name_is_no_delta(tiny_model_file: Path, tmp_path: Path) -> None:
    odd = tmp_path / "a+b.safetensors"
    odd.write_bytes(tiny_model_file.read_bytes())
    assert split_delta(odd) == (str(odd), "")
    assert load(odd).hash == load(tiny_model_file).hash
    assert split_delta("run@30kimg") == ("run@30kimg", "")
    assert split_delta("c++") == ("c++", "")
    (tmp_path / "c+d").mkdir()
    delta = tmp_path / "c+d" / "me+you-delta.safetensors"
    delta.write_bytes(b"")
    assert split_delta(f"{odd}+{delta}") == (str(odd), str(delta))
    assert split_delta("run+no.safetensors") == ("run", "no.safetensors")


def test_what_is_refused(tiny_model_file: Path, weight, tmp_path: Path) -> None:
    name, base = weight[0], load(tiny_model_file)
    whole = {f"full/{name}": torch.zeros_like(weight[1])}
    cases = {
        "other.safetensors": ("0" * 64, whole, "made for another model"),
        "unknown.safetensors": (base.hash, {"full/no.such": torch.zeros(3)}, "no tensor 'no.such'"),
        "size.safetensors": (base.hash, {f"full/{name}": torch.zeros(3)}, f"no tensor '{name}' of that size"),
        "nan.safetensors": (base.hash, {f"full/{name}": torch.full_like(weight[1], torch.nan)}, "not finite"),
        "half.safetensors": (base.hash, {f"left/{name}": torch.zeros(3, 2)}, "does not describe its tensors"),
    }
    for file, (model_hash, tensors, message) in cases.items():
        save_delta(tmp_path / file, model_hash, tensors)
        with pytest.raises(ModelError) as caught:
            load(f"{tiny_model_file}+{tmp_path / file}")
        assert message in str(caught.value) and file in str(caught.value) and "\n" not in str(caught.value)
    (tmp_path / "text.safetensors").write_text("hello")
    for file, message in (
        ("none.safetensors", "there is no such delta"),
        ("text.safetensors", "this is a text file, not a delta"),
    ):
        with pytest.raises(ModelError, match=message):
            load(f"{tiny_model_file}+{tmp_path / file}")
    with pytest.raises(ModelError, match="no delta"):
        load_delta(tiny_model_file)
    with pytest.raises(ModelError, match="no_such"):
        load(f"no_such+{tmp_path / 'text.safetensors'}")


def test_a_newer_format_says_so(tiny_model_file: Path, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    file = tmp_path / "new.safetensors"
    save_file({}, file, {"facegan-delta": json.dumps({"format": 99, "model": ""})})
    with pytest.raises(ModelError, match="format 99 is not 1"):
        load_delta(file)


def test_encoders_are_no_models() -> None:
    assert not [name for name in bundled() if name.endswith("-encoder")]
