"""Directions, edits, mixing and words on every family: narrow untrained networks, every command."""

import json

import numpy as np
import pytest
import torch
from graphs import small_graph
from narrow import TRAINED, at_32
from PIL import Image

import facegan
from facegan.attributes.networks import build
from facegan.attributes.predictor import AttributePredictor
from facegan.cli.main import main
from facegan.families import FAMILIES, get_family
from facegan.generator import Generator, Latent, describe
from facegan.latent import phrase_groups, w_statistics
from facegan.latent.directions import Directions
from facegan.layers.feedforward import initialise

CASES = [*FAMILIES, *(f"{family} told" for family in TRAINED)]

SEEDS = {"progan told": 8}  # of a random ProGAN, 16 gradients show a way up for some seeds only


def untrained(case):
    """A generator whose pictures differ; `told` ones have labels."""
    family, _, told = case.partition(" ")
    if family == "graph":
        return small_graph(("Smiling", "Male") if told else ())
    model, labels = at_32(family).model, ("Smiling", "Male") if told else ()
    more = {"label_rows": {"rows": [[0, 0], [1, 0], [0, 1]], "counts": [3, 2, 1]}} if told else {}
    latent = Latent(dim=16)
    with torch.random.fork_rng():
        torch.manual_seed(SEEDS.get(case, 0))
        network = get_family(family).build_generator(model.generator, (3, 32, 32), 16, label_dim=len(labels))
        initialise(network, "he")  # so that faces differ
    if hasattr(network, "level"):
        network.level.fill_(network.levels - 1)
    return Generator(network, describe(family, model, latent, image_shape=(3, 32, 32), labels=labels, **more))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Of each case: the model's file, its directions, and an attribute network that halves its faces."""
    folder, found = tmp_path_factory.mktemp("editing"), {}

    def make(case):
        if case not in found:
            model, place = untrained(case), folder / case.replace(" ", "-")
            place.mkdir()
            model.save(place / "model.safetensors")
            watcher(model.as_trained()).save(place / "network.safetensors")
            command = ["directions", place / "model.safetensors", "--network", place / "network.safetensors"]
            command += ["--samples", 160, "--gradients", 16, "--components", 3]
            command += ["--out", place / "d.safetensors", "--figure", place / "d.png"]
            assert main([str(word) for word in command]) == 0
            found[case] = place
        return found[case]

    return make


def watcher(model):
    """Random features of the pictures, cut at the median over the model's: three attributes."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        predictor = AttributePredictor(
            ("Smiling", "Male", "Young"), build("plain", (3, 32, 32), 3, width=4), (3, 32, 32), "plain", 4
        )
    logits = predictor.raw_logits(model.sample(200))
    predictor.scale = 3 / logits.std(0).clip(1e-6)
    predictor.shift = -np.median(logits, 0) * predictor.scale
    return predictor


@pytest.mark.parametrize("case", CASES)
def test_directions_of_every_family(case, made):
    place = made(case)
    found = Directions.load(place / "d.safetensors")
    model = facegan.load(place / "model.safetensors")
    assert found.names[:3] == ("Smiling", "Male", "Young") and "pca1" in found.names
    assert found.vectors.shape[1:] == (model.num_ws, model.w_dim) and found.model_hash == model.hash
    own = [found.effects[k, k] for k in range(3)]
    others = np.abs(found.effects[:3] - np.diag(own))
    assert min(own) > 0.05 and others.max() < max(own)
    # one unit is a standard deviation of fresh samples along the direction, root mean square over layers
    w = w_statistics.sample_w(model, 4000, seed=3)[:, 0]
    for k, (name, kind) in enumerate(zip(found.names, found.kinds, strict=True)):
        v = found.vectors[k]
        along = (w @ v.T / v.norm()).std(0).square().sum().sqrt() * len(v) ** 0.5
        assert float(v.norm()) == pytest.approx(float(along), rel=0.08), (name, kind)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "command",
    [
        [
            "edit",
            "seed:0-1",
            "smiling=+2, pca1=-1",
            "--model",
            "MODEL",
            "--directions",
            "FOUND",
            "--out",
            "o.png",
        ],
        [
            "edit",
            "seed:3",
            "old=1",
            "--model",
            "MODEL",
            "--directions",
            "FOUND",
            "--hold",
            "none",
            "--out",
            "o.npz",
        ],
        ["mix", "MODEL", "0-1", "seed:2", "--out", "o.png"],
        [
            "arithmetic",
            "MODEL",
            "smiling woman - neutral woman + neutral man",
            "--network",
            "NETWORK",
            "--samples",
            "400",
            "--members",
            "3",
            "--confidence",
            "0.6",
            "--out",
            "o.png",
        ],
    ],
    ids=["edit", "edit-npz", "mix", "words"],
)
def test_every_command(case, command, made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = made(case)
    files = {"MODEL": "model.safetensors", "FOUND": "d.safetensors", "NETWORK": "network.safetensors"}
    assert main([str(place / files[word]) if word in files else word for word in command]) == 0
    model = facegan.load(place / "model.safetensors")
    with np.load("o.npz") as saved:
        space = next(s for s in ("z", "w", "w+") if s in saved)
        assert np.isfinite(saved[space]).all()
        drawn = model.images(torch.from_numpy(saved[space]))
        if "images" in saved:
            np.testing.assert_array_equal(drawn, saved["images"])
            assert not np.array_equal(drawn, model.sample([3]))
    if "o.png" in command:
        with Image.open("o.png") as picture:
            assert min(picture.size) >= 96
        # what was saved is what other commands draw, move along and film
        given = str(place / "model.safetensors")
        assert main(["generate", given, "--vectors", "o.npz", "--out", "again.png"]) == 0
        assert main(["interpolate", given, "o.npz:1", "4", "--steps", "3", "--out", "again.png"]) == 0
        film = ["film", given, "o.npz:1", "4", "--seconds", "1", "--fps", "4", "--features", "pixels"]
        assert main([*film, "--out", "again.webp"]) == 0


@pytest.mark.parametrize("case", ["fast", "stylegan2 told"])
def test_found_again_by_the_seed(case, made):
    """The same bits from the same seed, also where the work was interrupted before the gradients."""
    from facegan.latent.directions import Settings, directions
    from facegan.tensor_files import ResumableTensors

    place = made(case)
    model = facegan.load(place / "model.safetensors")
    settings = Settings(samples=60, gradients=8, components=1, effects=8, protect=("Male",))

    class Stop(Exception):
        pass

    def stop(what, done, count):
        if what == "solving":
            raise Stop

    network = str(place / "network.safetensors")
    whole = directions(model, network=network, settings=settings)
    stages = ResumableTensors(place / "part", key="x")
    with pytest.raises(Stop):
        directions(model, network=network, settings=settings, stages=stages, on_progress=stop)
    seen = []
    note = lambda what, *_: seen.append(what)  # noqa: E731
    resumed = directions(model, network=network, settings=settings, stages=stages, on_progress=note)
    assert "gradients" not in seen and "looking at samples" not in seen
    assert torch.equal(whole.vectors, resumed.vectors)
    np.testing.assert_array_equal(whole.effects, resumed.effects)


@pytest.mark.parametrize("case", CASES)
def test_mixing_all_layers_gives_the_other_face(case, made):
    from facegan.latent.editing import mix, mix_components

    model = facegan.load(made(case) / "model.safetensors")
    a, b = (model.map(model.latent.sample([seed])).cpu() for seed in (0, 1))
    assert torch.equal(mix(model, a, b, layers=range(model.num_ws)), b)
    assert torch.equal(mix(model, a, b, layers=[]), a)
    torch.testing.assert_close(
        mix_components(model, a, b, components=range(model.w_dim)), b, rtol=0, atol=1e-4
    )
    torch.testing.assert_close(
        mix_components(model, a, b, components=[1, 0, 1]), mix_components(model, a, b, components=[0, 1])
    )
    if model.num_ws > 1:  # each layer changes the picture
        drawn = [model.images(mix(model, a, b, layers=[i])) for i in range(model.num_ws)]
        assert len({picture.tobytes() for picture in [*drawn, model.images(a)]}) == model.num_ws + 1


def test_scores_of_words_are_shares(made):
    place = made("dcgan")
    model, network = facegan.load(place / "model.safetensors"), str(place / "network.safetensors")
    score = phrase_groups.score_words(
        model, network=network, judge=network, samples=600, members=3, trials=10
    )
    assert score.members.shape == (10, 3, 3)
    assert json.dumps(score.shares) and 0 <= score.shares["control"]["both"] <= 1
