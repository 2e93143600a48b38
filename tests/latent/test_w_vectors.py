"""Saved vectors of the spaces w and w+."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from facegan.cli.main import main
from facegan.errors import InputError
from facegan.generator import Generator
from facegan.latent import (
    Vectors,
    joined,
    load_vectors,
    parse_point,
    save_vectors,
    seed_vectors,
    select_vectors,
)


@pytest.mark.parametrize("space", ["w", "w+"])
def test_round_trip(space: str, tmp_path: Path) -> None:
    saved = Vectors(torch.randn(3, 4, 5), ("a", "b", "c"), "ab" * 32, space)
    save_vectors(tmp_path / "v.npz", saved)
    assert set(np.load(tmp_path / "v.npz").files) == {space, "names", "model_hash"}
    found = load_vectors(tmp_path / "v.npz", 64, (4, 5))
    assert torch.equal(found.z, saved.z) and (found.names, found.space) == (saved.names, space)
    some = select_vectors(f"{tmp_path / 'v.npz'}:1,3", 64, w_shape=(4, 5))
    assert torch.equal(some.z, saved.z[[0, 2]]) and some.space == space


def test_refused_where_they_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "v.npz"
    save_vectors(path, Vectors(torch.randn(3, 4, 5), ("a", "b", "c"), "", "w+"))
    with pytest.raises(InputError, match=r"its vectors are in the space w\+, but here z is needed"):
        load_vectors(path, 64)
    with pytest.raises(InputError, match=r"have shape \(3, 4, 5\), but the model needs N,4,6"):
        load_vectors(path, 64, (4, 6))


def test_commands_take_them(tiny_model: Generator, tiny_model_file: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "w.npz", tmp_path / "o.npz"
    z = tiny_model.latent.sample([1, 2])
    save_vectors(path, Vectors(tiny_model.map(z), ("1", "2"), tiny_model.hash, "w"))
    assert main(["generate", str(tiny_model_file), "--vectors", str(path), "--out", str(out)]) == 0
    assert main(["generate", str(tiny_model_file), "--seed", "1,2", "--out", str(tmp_path / "z.npz")]) == 0
    np.testing.assert_array_equal(np.load(out)["images"], np.load(tmp_path / "z.npz")["images"])
    again = str(tmp_path / "again.npz")
    assert (
        main(
            ["generate", str(tiny_model_file), "--vectors", str(path), "--latents", again, "--out", str(out)]
        )
        == 0
    )
    assert load_vectors(again, 64, (1, 64)).space == "w"
    film = tmp_path / "o.png"
    assert (
        main(["interpolate", str(tiny_model_file), "7", f"{path}:2", "--steps", "4", "--out", str(film)]) == 0
    )
    assert (
        main(["arithmetic", str(tiny_model_file), "1 - 2", "--vectors", str(path), "--out", str(film)]) == 2
    )


def test_joining_goes_to_w_where_it_must(tiny_model: Generator, tmp_path: Path) -> None:
    z, w = seed_vectors(tiny_model, [1]), Vectors(torch.randn(1, 1, 64), ("x",), "", "w+")
    assert joined(tiny_model, [z, z]).space == "z"
    both = joined(tiny_model, [z, w])
    assert both.space == "w+" and torch.equal(both.z, torch.cat([tiny_model.map(z.z), w.z]))
    save_vectors(tmp_path / "w.npz", w)
    assert torch.equal(parse_point(tiny_model, str(tmp_path / "w.npz")).z, w.z)


def test_w_is_truncated_towards_its_average(tiny_model: Generator) -> None:
    w = tiny_model.map(tiny_model.latent.sample([1]))
    assert torch.equal(tiny_model.map(w), w)
    assert torch.allclose(tiny_model.map(w, 0.5), tiny_model.w_average() + 0.5 * (w - tiny_model.w_average()))
