"""What people hand to the Python API: arrays, lists, one vector, ranges; and what cannot be meant.

Each good input gives the pictures of the plain one; each mistake is one line that says what is needed.
"""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import facegan
from facegan import arguments
from facegan.errors import FaceganError
from facegan.generator import Generator
from facegan.latent import Vectors

DIM, WIDE = 64, 64  # of the tiny model: w is z, in one place

Made = Callable[[Generator], Any]


def one_line(caught: pytest.ExceptionInfo[FaceganError]) -> str:
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- seeds --------------------------------------------------------------------------------------

SEEDS: dict[str, Any] = {
    "list": [3, 7],
    "tuple": (3, 7),
    "range": range(3, 8, 4),
    "array": np.array([3, 7]),
    "uint8": np.array([3, 7], np.uint8),
    "tensor": torch.tensor([3, 7]),
    "numpy numbers": [np.int64(3), np.int8(7)],
    "whole floats": [3.0, np.float32(7)],
    "tensors": [torch.tensor(3), torch.tensor(7)],
}


@pytest.mark.parametrize("kind", SEEDS)
def test_seeds_as_people_have_them(kind: str, tiny_model: Generator) -> None:
    expected = tiny_model.sample([3, 7])
    assert np.array_equal(tiny_model.sample(SEEDS[kind]), expected)
    assert torch.equal(tiny_model.latent.sample(SEEDS[kind]), tiny_model.latent.sample([3, 7]))
    if kind != "whole floats":  # which are numbers of a vector where vectors may be meant
        assert np.array_equal(tiny_model.images(SEEDS[kind]), expected)


@pytest.mark.parametrize("count", [2, np.int64(2), np.array(2), 2.0, torch.tensor(2)])
def test_a_number_of_pictures(count: Any, tiny_model: Generator) -> None:
    assert np.array_equal(tiny_model.sample(count), tiny_model.sample([0, 1]))


BAD_SEEDS: dict[str, tuple[Any, str]] = {
    "fraction": ([1.5], "seed must be a whole number, not 1.5"),
    "nan": ([float("nan")], "seed must be a whole number, not nan"),
    "infinite": (np.array([np.inf]), "seed must be a whole number, not inf"),
    "negative": ([3, -1], "seed must be from 0 to 2^63 - 1, not -1"),
    "negative range": (range(2, -3, -1), "seed must be from 0 to 2^63 - 1, not -2"),
    "too large": ([2**63], "seed must be from 0 to 2^63 - 1, not 9223372036854775808"),
    "true": ([True], "seed must be a whole number, not True"),
    "flags": (np.array([True, False]), "seed must be a whole number, not True"),
    "words": (["seven"], "seed must be a whole number, not 'seven'"),
    "text": ("0-99", "seeds must be whole numbers, such as [7, 12] or range(25), not '0-99'"),
    "none": (None, "seeds must be whole numbers, such as [7, 12] or range(25), not None"),
    "dict": ({"seed": 7}, "seeds must be whole numbers, such as [7, 12] or range(25), not a dict"),
    "two dimensions": (np.zeros((2, 64)), "(1-D), not an array of shape (2, 64) and type float64"),
    "nested": ([[1, 2]], "seed must be a whole number, not a list of 2"),
    "a vector": (torch.full((64,), 0.5), "seed must be a whole number, not 0.5"),
}


@pytest.mark.parametrize("kind", BAD_SEEDS)
def test_seeds_that_are_none(kind: str, tiny_model: Generator) -> None:
    given, message = BAD_SEEDS[kind]
    for call in (tiny_model.sample, tiny_model.latent.sample, tiny_model.labels_of):
        with pytest.raises(FaceganError) as caught:
            call(given)
        assert message in one_line(caught)


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (-1, "the number of pictures must be from 0"),
        (1.5, "must be a whole number, not 1.5"),
        (float("nan"), "must be a whole number, not nan"),
        (10**9, "must be from 0 to 10,000,000, not 1000000000"),
        (True, "seeds must be whole numbers, such as [7, 12] or range(25), not True"),
    ],
)
def test_numbers_of_pictures_that_are_none(count: Any, message: str, tiny_model: Generator) -> None:
    with pytest.raises(FaceganError) as caught:
        tiny_model.sample(count)
    assert message in one_line(caught)


# --- vectors ------------------------------------------------------------------------------------

VECTORS: dict[str, Callable[[torch.Tensor], Any]] = {
    "tensor": lambda z: z,
    "array": lambda z: z.numpy(),
    "double array": lambda z: z.double().numpy(),
    "double tensor": lambda z: z.double(),
    "lists": lambda z: z.tolist(),
    "tuples": lambda z: tuple(map(tuple, z.tolist())),
    "list of arrays": lambda z: [row.numpy() for row in z],
    "list of tensors": lambda z: list(z),
    "a mirrored view": lambda z: np.ascontiguousarray(z.numpy()[::-1])[::-1],
    "read-only": lambda z: np.frombuffer(z.numpy().tobytes(), np.float32).reshape(2, DIM),
    "saved vectors": lambda z: Vectors(z, ("a", "b")),
}


@pytest.mark.parametrize("kind", VECTORS)
def test_vectors_as_people_have_them(kind: str, tiny_model: Generator) -> None:
    z = tiny_model.latent.sample([3, 7])
    given, expected = VECTORS[kind](z), tiny_model.sample([3, 7])
    assert np.array_equal(tiny_model.images(given), expected)
    w = tiny_model.map(given)
    assert torch.equal(w, tiny_model.map(z))
    assert torch.equal(tiny_model(given), tiny_model.synthesize(w))
    assert np.array_equal(np.concatenate(list(tiny_model.stream(given, batch=1))).shape, expected.shape)


@pytest.mark.parametrize("kind", ["array", "lists", "tensor"])
def test_one_vector_is_a_batch_of_one(kind: str, tiny_model: Generator) -> None:
    z = tiny_model.latent.sample([7])
    one = VECTORS[kind](z[0]) if kind != "lists" else z[0].tolist()
    assert np.array_equal(tiny_model.images(one), tiny_model.sample([7]))
    w = tiny_model.map(one)
    assert w.shape == (1, 1, WIDE)
    assert torch.equal(tiny_model.synthesize(w[0]), tiny_model.synthesize(w))
    assert torch.equal(tiny_model.synthesize(w[0, 0].numpy()), tiny_model.synthesize(w))


def test_vectors_of_whole_numbers(tiny_model: Generator) -> None:
    assert np.array_equal(tiny_model.images(np.zeros((1, DIM), int)), tiny_model.images(np.zeros((1, DIM))))
    assert tiny_model.images(np.empty((0, DIM))).shape == (0, 32, 32, 3)


NEED = "this model takes z (64 numbers) or w (1 layers of 64 numbers)"
BAD_VECTORS: dict[str, tuple[Any, str]] = {
    "width": (np.zeros((2, 63)), f"vectors of shape 2,63: {NEED}: N,1,64 or N,64"),
    "one of another width": (
        [0.1, 0.2],
        f"vectors of shape 2: {NEED}: N,1,64 or N,64 (seeds are for sample)",
    ),
    "layers": (torch.zeros(2, 3, 64), f"vectors of shape 2,3,64: {NEED}"),
    "pictures": (np.zeros((1, 3, 32, 32)), f"vectors of shape 1,3,32,32: {NEED}"),
    "nan": (np.full((1, 64), np.nan), "vectors: some values are not finite"),
    "infinite": (torch.full((1, 64), torch.inf), "vectors: some values are not finite"),
    "beyond float32": (np.full((1, 64), 1e300), "vectors: some values are not finite"),
    "ragged": ([[0.0] * 64, [0.0] * 63], f"vectors: {NEED}, not a list of 2"),
    "text": ("seed:7", f"vectors: {NEED}, not 'seed:7'"),
    "none": (None, f"vectors: {NEED}, not None"),
    "flags": (np.zeros((1, 64), bool), f"vectors: {NEED}, not an array of shape (1, 64) and type bool"),
    "a tensor of flags": (
        torch.zeros(1, 64, dtype=torch.bool),
        "not a Tensor of shape (1, 64) and type bool",
    ),
    "complex": (np.zeros((1, 64), complex), f"vectors: {NEED}, not an array of shape (1, 64)"),
    "objects": (np.array([[None] * 64]), f"vectors: {NEED}, not an array"),
}


@pytest.mark.parametrize("kind", BAD_VECTORS)
def test_vectors_that_are_none(kind: str, tiny_model: Generator) -> None:
    given, message = BAD_VECTORS[kind]
    with np.errstate(over="ignore"):
        for call in (tiny_model.map, tiny_model, tiny_model.images, tiny_model.stream):
            with pytest.raises(FaceganError) as caught:
                call(given)
            assert message in one_line(caught)
        with pytest.raises(FaceganError) as caught:
            tiny_model.synthesize(given)
    assert "this model takes w (1 layers of 64 numbers)" in one_line(caught) or "not finite" in str(
        caught.value
    )


def test_a_search_keeps_its_gradient(tiny_model: Generator) -> None:
    """Tensors that want a gradient pass as they are; torch.func's transforms, too."""
    z = tiny_model.latent.sample([7]).requires_grad_()
    tiny_model(z).sum().backward()
    assert z.grad is not None and float(z.grad.abs().sum()) > 0
    flat = z.detach()[0]
    _, moved = torch.func.jvp(lambda v: tiny_model(v[None]), (flat,), (torch.ones(DIM),))
    assert moved.shape == (1, 3, 32, 32)


# --- other settings -------------------------------------------------------------------------------

SETTINGS: dict[str, tuple[Made, str]] = {
    "truncation nan": (
        lambda m: m.sample(1, truncation=float("nan")),
        "truncation must be a finite number, not nan",
    ),
    "truncation text": (lambda m: m.sample(1, "0.7"), "truncation must be a number, not '0.7'"),
    "truncation list": (lambda m: m.map(np.zeros(64), [0.7]), "truncation must be a number, not a list of 1"),
    "truncation flag": (lambda m: m.images([1], True), "truncation must be a number, not True"),
    "batch zero": (lambda m: m.sample(1, batch=0), "batch must be from 1 to 2^63 - 1, not 0"),
    "batch fraction": (lambda m: m.sample(1, batch=1.5), "batch must be a whole number, not 1.5"),
    "noise": (
        lambda m: m.synthesize(m.map(np.zeros(64)), "loud"),
        "noise must be one of const, random, none, not 'loud'",
    ),
    "labels of none": (lambda m: m.map(np.zeros(64), labels=[1.0]), "labels: this model takes none"),
    "average of none": (lambda m: m.w_average([1.0]), "labels: this model takes none"),
    "tell a number": (lambda m: m.tell(1), "labels must be a text such as 'smiling=1', not 1"),
    "tell a mapping": (lambda m: m.tell({"smiling": 1}), "--labels smiling=1: this model takes none"),
}


@pytest.mark.parametrize("kind", SETTINGS)
def test_settings_of_a_generator(kind: str, tiny_model: Generator) -> None:
    call, message = SETTINGS[kind]
    with pytest.raises(FaceganError) as caught:
        call(tiny_model)
    assert message in one_line(caught)


@pytest.fixture(scope="module")
def told_model() -> Generator:
    """Untrained, conditional on two labels."""
    from facegan.families import get_family
    from facegan.generator import describe
    from facegan.prior import Latent
    from facegan.recipes.config import override
    from facegan.recipes.table import recipe

    changes = {"generator.channel_base": 128, "generator.channel_max": 16, "generator.w_dim": 16}
    config = override(recipe("stylegan2-64-small"), changes).model
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = get_family("stylegan2").build_generator(config.generator, (1, 8, 8), 16, label_dim=2)
    rows = {"rows": [[0, 1], [1, 0]], "counts": [3, 1]}
    meta = describe(
        "stylegan2",
        config,
        Latent(dim=16),
        image_shape=(1, 8, 8),
        labels=("Smiling", "Male"),
        label_rows=rows,
    )
    return Generator(network, meta)


@pytest.mark.parametrize(
    "labels",
    [
        [1, 0],
        np.array([1.0, 0.0]),
        torch.tensor([[1, 0]]),
        [[1.0, 0.0], [1.0, 0.0]],
        (1, 0),
    ],
)
def test_labels_as_people_have_them(labels: Any, told_model: Generator) -> None:
    z = told_model.latent.sample([1, 2])
    expected = told_model.map(z, labels=torch.tensor([[1.0, 0.0]]))
    assert torch.equal(told_model.map(z, labels=labels), expected)
    assert torch.equal(told_model.tell({"Smiling": 1, "Male": 0}).map(z), expected)
    average = told_model.w_average(labels)
    assert torch.equal(average.reshape(-1, *average.shape[-2:])[0], told_model.w_average([1, 0]))


BAD_LABELS: dict[str, tuple[Any, str]] = {
    "text": ("smiling=1", "labels: give numbers here, or use model.tell('smiling=1')"),
    "width": ([1, 0, 1], "labels of shape 3: this model takes N,2 or 2, in the order Smiling, Male"),
    "rows": (np.zeros((3, 2)), "labels of 3 pictures, but vectors of 2"),
    "nan": ([np.nan, 0], "labels: some values are not finite"),
    "scalar": (1.0, "labels of shape : this model takes N,2 or 2"),
}


@pytest.mark.parametrize("kind", BAD_LABELS)
def test_labels_that_are_none(kind: str, told_model: Generator) -> None:
    given, message = BAD_LABELS[kind]
    with pytest.raises(FaceganError) as caught:
        told_model.map(told_model.latent.sample([1, 2]), labels=given)
    assert message in one_line(caught)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x" * 100, repr("x" * 57 + "...")),
        (np.float32(1.5), "1.5"),
        (torch.zeros(2, 3), "a Tensor of shape (2, 3) and type float32"),
        ([1, 2], "a list of 2"),
        (None, "None"),
        (object(), "an object"),
    ],
)
def test_what_was_given_in_a_few_words(value: Any, text: str) -> None:
    assert arguments.shown(value) == text


# --- messages speak of arguments ---------------------------------------------------------------------

SPOKEN = {  # what the command says -> what a function says
    "a.jpg: no face; --no-align takes it as it is": "a.jpg: no face; align=False takes it as it is",
    "2 faces; --face 2 is the next": "2 faces; face=2 is the next",
    "--face must be at least 1": "face must be at least 1",
    "--steps -3: too few": "steps=-3: too few",
    "--steps 1 to 10 or --face 10 to 20": "steps 1 to 10 or face 10 to 20",
    "--noise goes with --optimizer adam": "noise goes with optimizer='adam'",
    "choose --space w or w+": "choose space w or w+",
    "--range -1..1 says which": "value_range='-1..1' says which",
    "--dry-run measures it": "--dry-run measures it",
    "none; 'facegan train-encoder --steps 3'": "none; 'facegan train-encoder --steps 3'",
    "a--face and --faces": "a--face and --faces",
}


@pytest.mark.parametrize("message", SPOKEN)
def test_flags_become_arguments(message: str) -> None:
    names = {"align", "face", "steps", "noise", "optimizer", "space", "value_range"}
    assert arguments.as_arguments(message, names) == SPOKEN[message]


MISTAKES: dict[str, tuple[Callable[[Generator], Any], str]] = {
    "invert": (lambda model: facegan.invert("seed:1", model, face=0), "face must be at least 1"),
    "invert's settings": (lambda model: facegan.invert("seed:1", model, start="x"), "start 'x' is unknown"),
    "edit": (lambda model: facegan.edit(model, "seed:1", "smiling=1", layers=2.5), "layers"),
    "prepare": (lambda _: facegan.prepare("x", "y", preset="z"), "preset 'z' is unknown"),
    "prepare's limit": (lambda _: facegan.prepare("x", "y", limit=-1), "limit must be 0 or more"),
    "evaluate": (lambda model: facegan.evaluate(model, "x", metrics=("y",)), "metrics"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_functions_speak_of_arguments(case: str, tiny_model: Generator) -> None:
    call, message = MISTAKES[case]
    with pytest.raises(FaceganError) as caught:
        call(tiny_model)
    assert message in one_line(caught) and "--" not in str(caught.value)


def test_public_functions_stay_what_they_are() -> None:
    for name in ("invert", "edit", "prepare", "evaluate", "train", "directions"):
        function = getattr(facegan, name)
        assert pickle.loads(pickle.dumps(function)) is function is getattr(facegan, name)
        assert (
            function.__name__ == name
            and function.__doc__
            and "args" not in inspect.signature(function).parameters
        )
