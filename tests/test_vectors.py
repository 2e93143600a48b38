"""Points as users write them: seeds, saved vectors, constants; and files that are none."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from facegan.errors import InputError
from facegan.generator import Generator
from facegan.latent import (
    Vectors,
    constant_vectors,
    load_vectors,
    parse_point,
    parse_seeds,
    save_vectors,
    seed_vectors,
    spell_seeds,
)

SEEDS = {
    "7": [7],
    " 7 ": [7],
    "0-3": [0, 1, 2, 3],
    "5-5": [5],
    "1,5,9-12": [1, 5, 9, 10, 11, 12],
    "3, 1 - 2": [3, 1, 2],
    "4,4": [4, 4],
    "007": [7],
    str(2**63 - 1): [2**63 - 1],
}


@pytest.mark.parametrize("text", SEEDS)
def test_seeds(text: str) -> None:
    assert parse_seeds(text) == SEEDS[text]


WRONG_SEEDS = {
    "": "'' is not a number nor a range",
    "1,,2": "'' is not a number nor a range",
    "a": "'a' is not a number nor a range",
    "-1": "'-1' is not a number nor a range",
    "1.5": "'1.5' is not a number nor a range",
    "1,2,x-3": "'x-3' is not a number nor a range",
    "٣": "'٣' is not a number nor a range",
    "9-3": "the range '9-3' runs backwards",
    "0-99999999999": "more than 10,000,000 at once",
    str(2**63): "is above 2^63 - 1",
    "9" * 40: "is not a number nor a range",
}


@pytest.mark.parametrize("text", WRONG_SEEDS)
def test_wrong_seeds_name_the_option_and_the_part(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_seeds(text, "--seed")
    message = str(caught.value)
    assert message.startswith(f"--seed '{text}': ") and WRONG_SEEDS[text] in message and "\n" not in message


@pytest.mark.parametrize("text", ["7", "0-99", "1,5,9-12", "3,2,1", "4,4,5-7"])
def test_spelled_seeds_read_back(text: str) -> None:
    assert parse_seeds(spell_seeds(parse_seeds(text))) == parse_seeds(text)


def test_spelling_is_short() -> None:
    assert spell_seeds(range(100)) == "0-99"
    assert spell_seeds([3, 4, 9]) == "3-4,9"


def test_vectors_round_trip(tmp_path: Path) -> None:
    saved = Vectors(torch.randn(3, 5), ("12", "all 0.5", "Ärger, \u2603"), "ab" * 32)
    save_vectors(tmp_path / "new" / "v.npz", saved)
    found = load_vectors(tmp_path / "new" / "v.npz", 5)
    assert torch.equal(found.z, saved.z)
    assert (found.names, found.model_hash) == (saved.names, saved.model_hash)


def test_vectors_of_others(tmp_path: Path) -> None:
    """Any .npz will do: the array z, or the first one; one vector may be flat; any real type."""
    np.savez(tmp_path / "a.npz", np.arange(6).reshape(2, 3))
    assert load_vectors(tmp_path / "a.npz", 3).z.tolist() == [[0, 1, 2], [3, 4, 5]]
    np.savez(tmp_path / "b.npz", other=np.zeros(7), z=np.array([1.5, 2.5]))
    found = load_vectors(tmp_path / "b.npz", 2)
    assert (found.z.tolist(), found.names, found.model_hash) == ([[1.5, 2.5]], ("#1",), "")


BROKEN = {
    "dimension": ({"z": np.zeros((2, 63))}, "shape (2, 63), but the model needs N,64"),
    "three axes": ({"z": np.zeros((2, 2, 64))}, "shape (2, 2, 64), but the model needs N,64"),
    "none": ({"z": np.zeros((0, 64))}, "shape (0, 64), but the model needs N,64"),
    "not a number": ({"z": np.full((1, 64), np.nan)}, "not finite"),
    "infinite": ({"z": np.full((1, 64), 1e300)}, "not finite"),
    "text": ({"z": np.array([["a"] * 64])}, "not a readable .npz of vectors"),
    "objects": ({"z": np.array([[print] * 64], dtype=object)}, "not a readable .npz of vectors"),
    "empty archive": ({}, "not a readable .npz of vectors"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.filterwarnings("ignore:overflow")
def test_broken_vectors(name: str, tmp_path: Path) -> None:
    arrays, message = BROKEN[name]
    path = tmp_path / "v.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    with pytest.raises(InputError) as caught:
        load_vectors(path, 64)
    assert message in str(caught.value) and str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_damaged_files_give_one_line_or_the_same_vectors(tmp_path: Path) -> None:
    path = tmp_path / "v.npz"
    save_vectors(path, Vectors(torch.ones(2, 64), ("a", "b")))
    content = path.read_bytes()
    damaged = [content[: round(len(content) * i / 30)] for i in range(30)]
    for at in np.random.default_rng(0).integers(0, len(content), 60):
        flipped = bytearray(content)
        flipped[at] ^= 1 << (at % 8)
        damaged.append(bytes(flipped))
    refused = 0
    for variant in damaged:
        path.write_bytes(variant)
        try:
            found = load_vectors(path, 64)
        except InputError as error:
            assert str(path) in str(error) and "\n" not in str(error)
            refused += 1
        else:
            assert torch.equal(found.z, torch.ones(2, 64))
    assert refused > 60


@pytest.mark.parametrize(
    ("name", "message"),
    [("no.npz", "there is no such file"), (".", "not a readable .npz"), ("text.npz", "not a readable .npz")],
)
def test_files_that_are_none(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("hello\n" * 100)
    with pytest.raises(InputError, match=message):
        load_vectors(tmp_path / name)


def test_saving_to_another_kind_of_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"saved vectors are \.npz files"):
        save_vectors(tmp_path / "v.npy", Vectors(torch.ones(1, 2), ("a",)))


def test_constants(tiny_model: Generator) -> None:
    found = constant_vectors(tiny_model, "0,0.5,-1")
    assert found.names == ("all 0", "all 0.5", "all -1")
    assert torch.equal(found.z, torch.tensor([[0.0], [0.5], [-1.0]]).expand(3, 64))


@pytest.mark.parametrize("text", ["", "a", "1,,2", "nan", "inf", "1e300"])
def test_wrong_constants(text: str, tiny_model: Generator) -> None:
    with pytest.raises(InputError, match="--constant"):
        constant_vectors(tiny_model, text)


def test_points_of_each_kind(tiny_model: Generator, tmp_path: Path) -> None:
    file = tmp_path / "v.npz"
    save_vectors(file, seed_vectors(tiny_model, [5, 6, 7]))
    seeds = {
        "5": [5],
        "seed:5": [5],
        "5-7": [5, 6, 7],
        "seed:5,7": [5, 7],
        str(file): [5, 6, 7],
        f"{file}:2": [6],
        f"{file}:3,1-2": [7, 5, 6],
    }
    for text, expected in seeds.items():
        found = parse_point(tiny_model, text)
        assert found.names == tuple(f"seed:{seed}" for seed in expected)
        assert torch.equal(found.z, tiny_model.latent.sample(expected))


@pytest.mark.parametrize(
    ("suffix", "message"),
    [
        (":0", "no vector 0"),
        (":4", "no vector 4 (it holds 1 to 3)"),
        (":x", "'x' is not a number"),
        ("x", "no such"),
    ],
)
def test_wrong_points(suffix: str, message: str, tiny_model: Generator, tmp_path: Path) -> None:
    file = tmp_path / "v.npz"
    save_vectors(file, seed_vectors(tiny_model, [5, 6, 7]))
    with pytest.raises(InputError) as caught:
        parse_point(tiny_model, f"{file}{suffix}")
    assert message in str(caught.value)


def test_seed_vectors_follow_the_prior(tiny_model: Generator) -> None:
    """64 seeds of 64 dimensions: mean and variance of 4,096 normal draws within five standard errors."""
    z = seed_vectors(tiny_model, range(64)).z
    assert abs(z.mean().item()) < 5 / math.sqrt(4096)
    assert abs(z.var().item() - 1) < 5 * math.sqrt(2 / 4096)
