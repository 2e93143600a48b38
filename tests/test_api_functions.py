"""Every public function with what cannot be meant: one FaceganError whose line says what is needed.

And with what people have, where that is another form of the same.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import facegan
from facegan import latent
from facegan.data.dataset import Dataset
from facegan.demo.portraits import write_portraits
from facegan.errors import FaceganError
from facegan.generator import Generator
from facegan.latent import Directions


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    at = tmp_path_factory.mktemp("api")
    write_portraits(at / "photos", 12, 0, size=32)
    return facegan.prepare(at / "photos", at / "ds", crop="none", size=32, workers=1)


@pytest.fixture(scope="module")
def found(tiny_model: Generator) -> Directions:
    """Two directions of the tiny model, by hand."""
    vectors = torch.eye(64)[:2, None]
    return Directions(
        ("Smiling", "pca1"),
        ("attribute", "pca"),
        vectors,
        np.zeros((2, 1), np.float32),
        ("Smiling",),
        {"Smiling": 0.9},
        tiny_model.hash,
        {},
    )


Call = Callable[["Things"], Any]


class Things:
    """What the calls below work on."""

    def __init__(self, model: Generator, data: Dataset, found: Directions, at: Path) -> None:
        self.model, self.data, self.found, self.at = model, data, found, at

    def prepare(self, sources: Any = "photos", **options: Any) -> Any:
        return facegan.prepare(sources, options.pop("out", self.at / "new"), workers=1, **options)

    def train(self, recipe: Any = "faces-tiny-32", **options: Any) -> Any:
        return facegan.train(
            options.pop("data", self.data), recipe, options.pop("out", self.at / "run"), **options
        )

    def edit(self, target: Any = (7,), edits: Any = "smiling=1", **options: Any) -> Any:
        return facegan.edit(self.model, target, edits, directions=self.found, hold="none", **options)

    def invert(self, photos: Any = None, **options: Any) -> Any:
        photos = self.model.sample(1)[0] if photos is None else photos
        return facegan.invert(
            photos, options.pop("model", self.model), **{"steps": 1, "loss": "mse=1", **options}
        )


NAN = float("nan")
MISTAKES: dict[str, tuple[Call, str]] = {
    # prepare
    "prepare nothing": (lambda t: t.prepare(None), "sources are files, folders or data sets, not None"),
    "prepare an array": (
        lambda t: t.prepare(np.zeros((9, 8, 8))),
        "make a file with numpy.savez('pictures.npz'",
    ),
    "prepare arrays": (lambda t: t.prepare([np.zeros((8, 8))]), "make a file with numpy.savez"),
    "prepare numbers": (lambda t: t.prepare([1, 2]), "sources are files, folders or data sets, not 1"),
    "prepare no list": (lambda t: t.prepare([]), "no source given"),
    "prepare out": (lambda t: t.prepare(out=None), "out must be a path, not None"),
    "prepare size": (lambda t: t.prepare(size=64.5), "size must be a whole number, not 64.5"),
    "prepare size text": (lambda t: t.prepare(size="64"), "size must be a whole number, not '64'"),
    "prepare small": (lambda t: t.prepare(size=(64, 8)), "size must be from 28 to 1024, not 8"),
    "prepare size of three": (
        lambda t: t.prepare(size=(64, 64, 3)),
        "size must be a whole number, not a tuple of 3",
    ),
    "prepare crop": (lambda t: t.prepare(crop=["none"]), "crop must be a text, not a list of 1"),
    "prepare unknown crop": (lambda t: t.prepare(crop="square"), "choose one of face, aligned"),
    "prepare preset": (lambda t: t.prepare(preset=["a"]), "preset '['a']' is unknown"),
    "prepare gray": (lambda t: t.prepare(gray="yes"), "gray must be True or False, not 'yes'"),
    "prepare margin": (
        lambda t: t.prepare(margin=NAN),
        "margin, min_face and min_sharpness must be 0 or more",
    ),
    "prepare margin text": (lambda t: t.prepare(margin="a bit"), "margin must be a number, not 'a bit'"),
    "prepare limit": (lambda t: t.prepare(limit=2.5), "limit must be a whole number, not 2.5"),
    "prepare less": (lambda t: t.prepare(limit=-1), "limit must be 0 or more, not -1"),
    "prepare where": (lambda t: t.prepare(where={"smiling": 1}), "where must be a text, not a dict"),
    "prepare split": (lambda t: t.prepare(split=0.1), "split must be a text, not 0.1"),
    # select, inspect, label
    "select nothing": (lambda t: facegan.select(None, "smiling", t.at / "new"), "must be a path, not None"),
    "select words": (lambda t: facegan.select(t.data, "smiling", t.at / "new"), "it has no attributes"),
    "select less": (
        lambda t: facegan.select(t.data, "a", t.at / "new", limit=-1),
        "limit must be 0 or more, not -1",
    ),
    "inspect none": (lambda t: facegan.inspect(t.data, count=0), "count must be at least 1, rejects"),
    "inspect grid": (
        lambda t: facegan.inspect(t.data, grid=t.at / "a.jpg"),
        "the name must end in .png",
    ),
    "label out": (lambda t: facegan.label("photos", "a.txt"), "choose a name that ends in .csv"),
    "label network": (
        lambda t: facegan.label("photos", network="nobody"),
        "bundled attribute networks: critic",
    ),
    "demo": (lambda t: facegan.run_demo(t.at / "new", portraits=3), "portraits must be at least 100"),
    # datasets
    "dataset": (lambda t: Dataset(None), "a dataset must be a path, not None"),
    "dataset of bytes": (lambda t: Dataset(b"d"), "a dataset must be a path, not a bytes"),
    "split": (lambda t: t.data.images(["train"]), "there is no split '['train']'"),
    # train
    "train nothing": (lambda t: t.train(data=None), "a dataset must be a path, not None"),
    "train recipe": (lambda t: t.train(7), "a recipe is a name, such as faces-fast-64, not 7"),
    "train unknown": (lambda t: t.train("faces-tiny-23"), "did you mean 'faces-tiny-32'?"),
    "train out": (lambda t: t.train(out=7), "out must be a path, not 7"),
    "train kimg": (lambda t: t.train(kimg="10"), "kimg must be a number, not '10'"),
    "train kimg nan": (lambda t: t.train(kimg=NAN), "kimg must be a finite number, not nan"),
    "train batch": (lambda t: t.train(batch=16.5), "batch must be a whole number, not 16.5"),
    "train batch less": (lambda t: t.train(batch=-16), "batch must be at least 1, not -16"),
    "train flip": (lambda t: t.train(flip="no"), "flip must be True or False, not 'no'"),
    "train loss": (lambda t: t.train(loss=None), "loss must be a text, not None"),
    "train lr": (
        lambda t: t.train(**{"generator.lr": "high"}),
        "--generator.lr must be a number, not 'high'",
    ),
    "train condition": (lambda t: t.train(condition=7), "condition must be a list, not 7"),
    "train setting": (lambda t: t.train(batchsize=8), "there is no setting 'batchsize'; did you mean"),
    "train device": (lambda t: t.train(device=3.5), "the device must be a name such as cpu or cuda, not 3.5"),
    "train seed": (lambda t: t.train(seed=1.5), "seed must be a whole number, not 1.5"),
    "recipe": (lambda t: facegan.recipe(["a"]), "a recipe is a name, such as faces-fast-64, not a list of 1"),
    # invert
    "invert nothing": (lambda t: t.invert([]), "not an empty list"),
    "invert a number": (lambda t: t.invert(7), "pictures are an array"),
    "invert numbers": (lambda t: t.invert([7]), "pictures are an array"),
    "invert no text": (lambda t: t.invert(""), "a photo must be a path, not ''"),
    "invert absent": (lambda t: t.invert("nobody.jpg"), "there is no such file or folder"),
    "invert nan": (lambda t: t.invert(np.full((32, 32, 3), NAN)), "holds nothing but NaN"),
    "invert in doubt": (lambda t: t.invert(np.full((32, 32, 3), 3.5)), "bring them to uint8"),
    "invert vectors": (lambda t: t.invert(np.zeros((1, 2, 3, 4, 5))), "pictures are an array"),
    "invert steps": (lambda t: t.invert(steps="10"), "steps must be a whole number, not '10'"),
    "invert lr": (lambda t: t.invert(lr=NAN), "lr must be a finite number, not nan"),
    "invert setting": (lambda t: t.invert(step=10), "there is no setting 'step'; did you mean 'steps'?"),
    "invert preset": (lambda t: t.invert(preset=1), "preset=1: choose quick"),
    "invert face": (lambda t: t.invert(face=1.5), "face must be a whole number, not 1.5"),
    "invert align": (lambda t: t.invert(align="no"), "align must be True or False, not 'no'"),
    "invert model": (lambda t: t.invert(model=None), "a model must be a path, not None"),
    # edit and directions
    "edit nothing": (lambda t: t.edit([]), "no face is named"),
    "edit None": (lambda t: t.edit(None), "this model takes z (64 numbers)"),
    "edit fractions": (lambda t: t.edit([1.5]), "vectors of shape 1: this model takes z"),
    "edit width": (lambda t: t.edit(np.zeros((1, 63))), "vectors of shape 1,63: this model takes z"),
    "edit nan": (lambda t: t.edit(torch.full((1, 64), NAN)), "vectors: some values are not finite"),
    "edit negative": (lambda t: t.edit([-7]), "seed must be from 0"),
    "edit edits": (lambda t: t.edit(edits=None), "edits must be a text such as 'smiling=+2', not None"),
    "edit strength": (lambda t: t.edit(edits={"smiling": NAN}), "write a name and a number"),
    "edit unknown": (lambda t: t.edit(edits={"frowning": 1}), "frowning"),
    "edit layers": (lambda t: t.edit(layers=[1]), "layers=1: there is no layer 1"),
    "edit layers fraction": (
        lambda t: t.edit(layers=[0.5]),
        "layers: layer must be a whole number, not 0.5",
    ),
    "edit model": (lambda t: facegan.edit(None, [7], "smiling=1"), "must be a path, not None"),
    "directions": (lambda t: facegan.directions(7), "must be a path, not 7"),
    "directions settings": (lambda t: facegan.directions(t.model, settings=7), "settings must be"),
    "directions network": (lambda t: facegan.directions(t.model, network=7), "network must be a path, not 7"),
    # latent
    "path steps": (lambda t: latent.path(np.eye(2), 2.5), "--steps must be a whole number, not 2.5"),
    "path text": (
        lambda t: latent.path("7,8"),
        "points: a path leads through vectors, N,D or N,layers,D, not '7,8'",
    ),
    "path nan": (lambda t: latent.path([[NAN], [1.0]]), "points: some values are not finite"),
    "path sizes": (lambda t: latent.path([np.zeros(3), np.zeros(4)]), "vectors of one size"),
    "path kind": (lambda t: latent.path(np.eye(2), kind=None), "--path 'None' is unknown"),
    "along places": (lambda t: latent.along(np.eye(2), ["a"]), "a place must be a number, not 'a'"),
    "film frames": (
        lambda t: latent.film(t.model, np.eye(64)[:2], 9.5),
        "frames must be a whole number, not 9.5",
    ),
    "atlas count": (
        lambda t: latent.atlas(t.model, 2.5),
        "the number of faces must be a whole number, not 2.5",
    ),
    "atlas seeds": (lambda t: latent.atlas(t.model, [0.5]), "seed must be a whole number, not 0.5"),
    "atlas columns": (lambda t: latent.atlas(t.model, 9, columns=1.5), "columns must be a whole number"),
    "arithmetic": (
        lambda t: latent.arithmetic(7, np.eye(3)),
        "the expression must be a text such as '1 - 2 + 3', not 7",
    ),
    "arithmetic sheet": (lambda t: latent.arithmetic("1", [1.0, 2.0]), "the sheet holds vectors"),
    "arithmetic text": (lambda t: latent.arithmetic("1", "sheet"), "the sheet: it holds vectors"),
    "mix layers": (
        lambda t: latent.mix(t.model, np.eye(64)[:1], np.eye(64)[1:2], layers=[1]),
        "layer must be from 0 to 0, not 1",
    ),
    "mix width": (
        lambda t: latent.mix(t.model, np.eye(63)[:1], np.eye(64)[1:2], layers=[0]),
        "vectors of shape 1,63",
    ),
    # explore
    "generate setting": (lambda t: facegan.generate(t.model, cuont=3), "did you mean 'count'?"),
    "generate count": (lambda t: facegan.generate(t.model, count=-3), "count must be from 0 to 10,000,000"),
    "generate out": (lambda t: facegan.generate(t.model, [7], out="a.jpg"), "out='a.jpg': choose"),
    "generate twice": (lambda t: facegan.generate(t.model, [7], seed=3), "seed: the faces are named already"),
    "generate words": (
        lambda t: facegan.generate(t.model, "me.jpg"),
        "me.jpg: there is no such file of vectors",
    ),
    "interpolate one": (lambda t: facegan.interpolate(t.model, [7]), "needs two points or more, not 1"),
    "interpolate width": (lambda t: facegan.interpolate(t.model, np.eye(63)), "vectors of shape 63,63"),
    "interpolate path": (lambda t: facegan.interpolate(t.model, [7, 8], path="spline"), "path 'spline' is"),
    "film fps": (lambda t: facegan.film(t.model, [7, 8], fps="fast"), "fps must be a number, not 'fast'"),
    "film out": (lambda t: facegan.film(t.model, [7, 8], out="a.avi"), "a.avi: not a known kind of film"),
    "atlas model": (lambda t: facegan.atlas(None), "must be a path, not None"),
    "atlas tile": (lambda t: facegan.atlas(t.model, tile=-2), "tile must be 0 or more, not -2"),
    "mix nothing": (lambda t: facegan.mix(t.model, [], [7]), "no face is named"),
    "mix both": (lambda t: facegan.mix(t.model, [1], [2], layers="0", components="1"), "exclude each other"),
    "sum of nothing": (lambda t: facegan.arithmetic(t.model), "the expression is empty"),
    "sum of 7": (lambda t: facegan.arithmetic(t.model, 7), "the expression must be a text"),
    "sum norm": (lambda t: facegan.arithmetic(t.model, "1", norm="big"), "norm 'big' is unknown"),
    "seeds of vectors": (
        lambda t: latent.seed_vectors(t.model, [0.5]),
        "seed must be a whole number, not 0.5",
    ),
    # publish
    "publish nothing": (lambda t: facegan.publish(None, "me/x", dry_run=True), "must be a path, not None"),
    "publish no name": (lambda t: facegan.publish(t.model, 7, dry_run=True), "7: not a repository's name"),
    "publish licence": (
        lambda t: facegan.publish(t.model, "me/x", dry_run=True, licence=4.0),
        "licence must be a text",
    ),
    "publish private": (lambda t: facegan.publish(t.model, "me/x", private="no"), "private must be True or"),
    "publish evaluation": (
        lambda t: facegan.publish(t.model, "me/x", dry_run=True, evaluation=[1]),
        "evaluation must be a path, not a list of 1",
    ),
    "publish absent": (
        lambda t: facegan.publish(t.model, "me/x", dry_run=True, evaluation="e.json"),
        "evaluation='e.json': there is no such file",
    ),
    # generators
    "device": (lambda t: t.model.to("warp"), "warp"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_one_line_says_what_is_needed(
    case: str,
    tiny_model: Generator,
    data: Dataset,
    found: Directions,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    call, message = MISTAKES[case]
    with pytest.raises(FaceganError) as caught:
        call(Things(tiny_model, data, found, tmp_path))
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "new").exists() and not (tmp_path / "run" / "models").exists()


SAME: dict[str, tuple[Call, Call]] = {
    "size": (
        lambda t: t.prepare(t.at / "p", size=np.int64(32), crop="none", out=t.at / "a").content_hash,
        lambda t: t.prepare(str(t.at / "p"), size=[32, 32], crop="none", out=t.at / "b").content_hash,
    ),
    "edit dict": (
        lambda t: t.edit(edits={"smiling": 1.5}).images,
        lambda t: t.edit(edits="smiling=1.5").images,
    ),
    "edit array of seeds": (lambda t: t.edit(np.array([7])).images, lambda t: t.edit("seed:7").images),
    "edit vectors": (
        lambda t: t.edit(t.model.latent.sample([7]).numpy()).images,
        lambda t: t.edit([7]).images,
    ),
    "edit one vector": (
        lambda t: t.edit(t.model.latent.sample([7])[0].tolist()).images,
        lambda t: t.edit([7]).images,
    ),
    "edit saved": (lambda t: t.edit(latent.seed_vectors(t.model, [7])).images, lambda t: t.edit([7]).images),
    "edit layers": (lambda t: t.edit(layers=[0]).images, lambda t: t.edit(layers="0").images),
    "path": (
        lambda t: list(latent.path([[0.0, 1.0], [1.0, 0.0]], 3)),
        lambda t: list(latent.path(np.eye(2)[::-1], 3.0)),
    ),
    "along": (
        lambda t: latent.along(np.eye(2, dtype=np.float32), [0.5]),
        lambda t: latent.along(list(torch.eye(2)), [0.5]),
    ),
    "arithmetic": (
        lambda t: latent.arithmetic("1 - 2", np.eye(2)),
        lambda t: latent.arithmetic("1 - 2", torch.eye(2)),
    ),
    "arithmetic saved": (
        lambda t: latent.arithmetic("1", latent.seed_vectors(t.model, [7])),
        lambda t: t.model.latent.sample([7])[0],
    ),
    "mix": (lambda t: latent.mix(t.model, *np.eye(64)[:2], layers=[0]), lambda t: t.model.map(np.eye(64)[1])),
    "invert floats": (
        lambda t: t.invert(t.model.sample(1)[0] / 255).vectors.z,
        lambda t: t.invert().vectors.z,
    ),
    "invert a batch": (lambda t: t.invert(t.model.sample(1)).vectors.z, lambda t: t.invert().vectors.z),
    "invert channels first": (
        lambda t: t.invert(torch.from_numpy(t.model.sample(1)[0]).permute(2, 0, 1)).vectors.z,
        lambda t: t.invert().vectors.z,
    ),
    "train numbers": (
        lambda t: facegan.recipes.config.override(
            facegan.recipe("faces-tiny-32"),
            {"batch": np.int64(8), "kimg": np.float32(2), "flip": np.bool_(False), "condition": ["a"]},
        ),
        lambda t: facegan.recipes.config.override(
            facegan.recipe("faces-tiny-32"), {"batch": 8, "kimg": 2.0, "flip": False, "condition": ("a",)}
        ),
    ),
}


@pytest.mark.parametrize("case", SAME)
def test_other_forms_of_the_same(
    case: str, tiny_model: Generator, data: Dataset, found: Directions, tmp_path: Path
) -> None:
    write_portraits(tmp_path / "p", 3, 0, size=32)
    things = Things(tiny_model, data, found, tmp_path)
    one, other = (call(things) for call in SAME[case])
    if isinstance(one, (np.ndarray, torch.Tensor, list)):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_allclose(np.asarray(a, float), np.asarray(b, float), rtol=1e-6)
    else:
        assert one == other


def test_exploring_functions_do_what_the_commands_do(
    tiny_model: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeds as numbers, arrays and texts; what they return names the files that lie there."""
    monkeypatch.chdir(tmp_path)
    z = tiny_model.latent.sample([3, 5])
    found = [
        facegan.generate(tiny_model, range(3, 6), out="a.npz", latents="z.npz"),
        facegan.generate(tiny_model, z.numpy(), out="b.npz"),
        facegan.interpolate(tiny_model, np.array([3, 5]), steps=3, captions=False, scale=1, out="c.png"),
        facegan.interpolate(tiny_model, z, steps=3, captions=False, scale=1, out="d.png"),
        facegan.film(tiny_model, [3, 5], seconds=0.5, fps=8, features="pixels", scale=1, out="e.gif"),
        facegan.atlas(tiny_model, count=4, features="pixels", out="f.png"),
        facegan.mix(tiny_model, [3, 4], "seed:5", components="0-9", out="g.png"),
        facegan.arithmetic(tiny_model, "seed:3 - seed:5", out="h.png"),
    ]
    assert all(path.is_file() for one in found for path in one.files)
    assert str(found[0]) == "3 pictures -> a.npz" and str(found[6]).startswith("2 mixed, components 0-9 of B")
    a, b = (np.load(f"{name}.npz")["images"].astype(int) for name in "ab")
    assert np.abs(a[[0, 2]] - b).max() <= 1 and (tmp_path / "f.html").is_file()
    c, d = (facegan.images.read_image((tmp_path / f"{name}.png").read_bytes()).astype(int) for name in "cd")
    assert np.abs(c - d).max() <= 1
    assert found[7].vectors is not None and torch.allclose(found[7].vectors.z[0], z[0] - z[1], atol=1e-6)
    assert found[4].vectors is not None and len(found[4].vectors) == 4
