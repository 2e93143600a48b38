"""Pairs of a generator: what the network sees changed, nothing else did, and the same call gives the same."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import facegan
from facegan.attributes.predictor import AttributePredictor
from facegan.cli.main import main
from facegan.data.dataset import Dataset
from facegan.errors import FaceganError, InputError
from facegan.generator import Generator
from facegan.translation import candidates, pairs
from facegan.translation.local import HIGH, LOW, localized
from facegan.translation.pairs import GeneratedPairs

COUNT = 6


@pytest.fixture(scope="module")
def small_chunks() -> Any:
    """Chunks of few faces, so that several are needed and little is drawn in vain."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "CHUNK", 12)
        yield


@pytest.fixture(scope="module")
def model() -> Generator:
    return facegan.load("celeba64")


@pytest.fixture(scope="module")
def faces() -> AttributePredictor:
    return AttributePredictor.load("faces")


@pytest.fixture(scope="module")
def glasses(model: Generator, small_chunks: None, tmp_path_factory: pytest.TempPathFactory) -> GeneratedPairs:
    return facegan.pairs(model, "eyeglasses=+2", tmp_path_factory.mktemp("pairs") / "glasses", count=COUNT)


def everything(data: Dataset) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Inputs, targets and seeds of all splits."""
    splits = list(data.counts)
    seeds = [int(source.partition(":")[2]) for s in splits for source in data.sources(s)]
    inputs, images = (np.concatenate([read(s) for s in splits]) for read in (data.inputs, data.images))
    return inputs, images, seeds


def test_a_pair_is_a_face_and_the_same_face_edited(glasses: GeneratedPairs, model: Generator) -> None:
    inputs, images, seeds = everything(glasses.dataset)
    assert len(seeds) == COUNT == sum(glasses.dataset.counts.values())
    np.testing.assert_array_equal(inputs, model.sample(seeds))
    edited = facegan.edit(model, seeds, "eyeglasses=+2", hold="none").images
    assert np.abs(images.astype(int) - edited).max() <= 1


def test_the_network_sees_what_was_asked_and_nothing_of_what_is_held(
    glasses: GeneratedPairs, faces: AttributePredictor
) -> None:
    inputs, images, _ = everything(glasses.dataset)
    before, after = faces.predict(inputs), faces.predict(images)
    column = faces.column("Eyeglasses")
    assert (before[:, column] <= 0.1 + 1e-6).all() and (after[:, column] >= 0.9 - 1e-6).all()
    for name in ("Male", "Smiling", "Young", "Wearing_Hat", "Black_Hair", "No_Beard"):
        k = faces.column(name)
        crossed = (before[:, k] > 0.5) != (after[:, k] > 0.5)
        assert not (crossed & (np.abs(before[:, k] - after[:, k]) > 0.3 + 1e-6)).any(), name


def test_every_face_that_makes_no_pair_is_listed_with_its_reason(
    glasses: GeneratedPairs, faces: AttributePredictor, model: Generator
) -> None:
    _, _, kept = everything(glasses.dataset)
    rejects = {int(r["source"].partition(":")[2]): r["reason"] for r in glasses.dataset.info["rejects"]}
    assert sorted([*kept, *rejects]) == list(range(glasses.looked)) and glasses.looked == max(kept) + 1
    counts = Counter(rejects.values())
    for reason, count in counts.items():
        assert f"{count:6d}  {reason}" in str(glasses)
    column = faces.column("Eyeglasses")
    for reason, test in {
        "eyeglasses: so before, or in doubt": lambda p, q: p > 0.1,
        "eyeglasses: not reached": lambda p, q: q < 0.9,
    }.items():
        seeds = [seed for seed, why in rejects.items() if why == reason]
        before = faces.predict(model.sample(seeds))[:, column] if seeds else []
        edits = facegan.edit(model, seeds, "eyeglasses=+2", hold="none").images if seeds else []
        after = faces.predict(edits)[:, column] if seeds else []
        assert all(test(p, q) for p, q in zip(before, after, strict=True)), reason
    assert counts["eyeglasses: not reached"], "none of these faces tells"


def test_attributes_are_those_of_the_target_with_confidence(
    glasses: GeneratedPairs, faces: AttributePredictor
) -> None:
    data = glasses.dataset
    seen = faces.predict(data.images("train"))
    for row, p in zip(data.rows("train"), seen, strict=True):
        for name, value in zip(faces.names, p.tolist(), strict=True):
            assert row["confidence"][name] == pytest.approx(max(value, 1 - value), abs=0.02)
            assert row["attributes"][name] == (value > 0.5) or abs(value - 0.5) < 0.02
    assert facegan.select(data, "eyeglasses", data.path.parent / "all").dataset.counts == data.counts


def test_the_dataset_says_that_both_pictures_are_generated(glasses: GeneratedPairs, model: Generator) -> None:
    info, card = glasses.dataset.info, (glasses.dataset.path / "README.md").read_text()
    assert info["generated"]["hash"] == model.hash and info["generated"]["edits"] == "eyeglasses +2"
    assert "All pictures are generated by the model" in card and "no real person" in card
    assert info["crop"] == model.meta["alignment"], "translators cut photos so"
    text = facegan.inspect(glasses.dataset).text
    assert "pairs" in text and "eyeglasses: not reached" in text
    assert f"generated: eyeglasses +2, {COUNT} of {glasses.looked} faces" in text


def test_the_same_call_makes_the_same_dataset_and_finds_it_made(
    glasses: GeneratedPairs, model: Generator, small_chunks: None, tmp_path: Path
) -> None:
    again = facegan.pairs(model, {"eyeglasses": 2.0}, tmp_path / "again", count=COUNT)
    for one, other in zip(glasses.dataset.shards(), again.dataset.shards(), strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert again.dataset.content_hash == glasses.dataset.content_hash
    assert not (tmp_path / "again" / ".work").exists()
    before = (tmp_path / "again" / "dataset.json").stat().st_mtime_ns
    found = facegan.pairs(model, "eyeglasses=2", tmp_path / "again", count=COUNT)
    assert (tmp_path / "again" / "dataset.json").stat().st_mtime_ns == before
    assert (found.looked, found.rejects) == (again.looked, again.rejects)
    with pytest.raises(InputError, match=r"made otherwise \(different: count\)"):
        facegan.pairs(model, "eyeglasses=2", tmp_path / "again", count=COUNT + 1)
    info = tmp_path / "again" / "dataset.json"
    for digest, known in (
        (model.hashes[1], True),
        ("0" * 64, False),
    ):  # as an earlier version named the model
        told = json.loads(info.read_text())
        info.write_text(json.dumps({**told, "plan": {**told["plan"], "model": digest}}))
        with contextlib.nullcontext() if known else pytest.raises(InputError, match="different: model"):
            facegan.pairs(model, "eyeglasses=2", tmp_path / "again", count=COUNT)


def test_a_part_of_such_a_dataset_is_not_taken_for_all_of_it(
    glasses: GeneratedPairs, model: Generator, small_chunks: None, tmp_path: Path
) -> None:
    part = facegan.select(glasses.dataset, "eyeglasses", tmp_path / "part", limit=2).dataset
    with pytest.raises(InputError, match="holds another dataset"):
        facegan.pairs(model, "eyeglasses=2", part.path, count=COUNT)


def test_an_interrupted_call_goes_on_where_it_was(
    glasses: GeneratedPairs,
    model: Generator,
    small_chunks: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stop(task: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        facegan.pairs(model, "eyeglasses=2", tmp_path / "a", count=COUNT, on_progress=stop)
    assert not (tmp_path / "a" / "dataset.json").exists()
    drawn: list[range] = []
    rows = candidates.Candidates.rows
    monkeypatch.setattr(
        candidates.Candidates, "rows", lambda self, seeds: (drawn.append(seeds), rows(self, seeds))[1]
    )
    made = facegan.pairs(model, "eyeglasses=2", tmp_path / "a", count=COUNT)
    assert drawn[0] == range(12, 24), "the first chunk was kept"
    assert made.dataset.content_hash == glasses.dataset.content_hash


def test_reversed_pairs_begin_with_the_edit(
    glasses: GeneratedPairs, model: Generator, small_chunks: None, tmp_path: Path
) -> None:
    made = facegan.pairs(model, "eyeglasses=2", tmp_path / "plain", count=COUNT, reverse=True)
    for (a, b, seeds), (c, d, others) in [(everything(glasses.dataset), everything(made.dataset))]:
        order, other = np.argsort(seeds), np.argsort(others)
        np.testing.assert_array_equal(a[order], d[other])
        np.testing.assert_array_equal(b[order], c[other])
    column = made.dataset.attribute_names.index("Eyeglasses")
    assert (made.dataset.attributes()[:, column] == 0).all()
    assert "`input` is edited, `image` plain" in (made.dataset.path / "README.md").read_text()


OTHER = {"smiling=+2": ("Smiling", True), "male=-2": ("Male", False)}


@pytest.mark.parametrize("edits", OTHER)
def test_other_edits_and_both_signs(
    edits: str, model: Generator, faces: AttributePredictor, small_chunks: None, tmp_path: Path
) -> None:
    name, yes = OTHER[edits]
    made = facegan.pairs(model, edits, tmp_path / "made", count=2, min_confidence=0.8, split="")
    before, after = (
        faces.predict(p)[:, faces.column(name)] for p in (made.dataset.inputs(), made.dataset.images())
    )
    assert ((before < 0.5) == yes).all() and ((after > 0.5) == yes).all()
    assert made.dataset.counts == {"train": 2}


def test_a_distance_bounds_how_much_a_face_changes(
    glasses: GeneratedPairs, model: Generator, faces: AttributePredictor, small_chunks: None, tmp_path: Path
) -> None:
    inputs, images, _ = everything(glasses.dataset)
    distances = ((faces.features(inputs) - faces.features(images)) ** 2).mean(1)
    bound = float(np.sort(distances)[:2].mean())  # which one of these pairs keeps
    made = facegan.pairs(model, "eyeglasses=2", tmp_path / "near", count=2, max_distance=bound)
    a, b, _ = everything(made.dataset)
    assert (((faces.features(a) - faces.features(b)) ** 2).mean(1) <= bound * 1.01).all()
    assert any(r["reason"].startswith("another face") for r in made.dataset.info["rejects"])


def test_held_attributes_may_be_bound_and_several_networks_asked(
    model: Generator, faces: AttributePredictor, small_chunks: None, tmp_path: Path
) -> None:
    critic = AttributePredictor.load("critic")
    made = facegan.pairs(
        model, "eyeglasses=2", tmp_path / "strict", count=4, max_change=0.3, network="faces,critic"
    )
    inputs, images, _ = everything(made.dataset)
    for network in (faces, critic):
        a, b = network.predict(inputs), network.predict(images)
        columns = [network.column(name) for name in made.dataset.info["plan"]["held"]]
        assert np.abs(a[:, columns] - b[:, columns]).max() <= 0.3
        glasses = network.column("Eyeglasses")
        assert a[:, glasses].max() <= 0.1 and b[:, glasses].min() >= 0.9
    assert made.dataset.info["predicted"]["network"].count("-") == 2, "both are on record"
    loose = facegan.pairs(model, "eyeglasses=2", tmp_path / "loose", count=4)
    assert loose.looked < made.looked


def test_a_local_edit_leaves_the_rest_of_the_picture(
    glasses: GeneratedPairs, model: Generator, small_chunks: None, tmp_path: Path
) -> None:
    made = facegan.pairs(model, "eyeglasses=2", tmp_path / "local", count=4, local=True)
    inputs, images, _ = everything(made.dataset)
    before, after, _ = everything(glasses.dataset)
    assert (inputs == images).all(3).mean() > 0.4 > (before == after).all(3).mean()
    assert np.abs(inputs[:, 20:42].astype(int) - images[:, 20:42]).mean() > 10, "at the eyes it stays"
    assert made.dataset.info["generated"]["local"] is True


def test_what_is_local_is_blended_by_the_size_of_the_change() -> None:
    before = np.full((1, 42, 42, 3), 100, np.uint8)
    after = before.copy()
    after[0, :, 21:] = 180
    found = localized(before, after)[0, 20, :, 0]
    assert (found[:18] == 100).all() and (found[25:] == 180).all()
    assert (np.diff(found.astype(int)) >= 0).all()
    slight = np.full_like(before, 100 + int(LOW) - 1)
    np.testing.assert_array_equal(localized(before, slight), before)
    np.testing.assert_array_equal(
        localized(before, np.full_like(before, 100 + int(HIGH))), before + int(HIGH)
    )


def held(model: Generator, edits: str, hold: str) -> set[str]:
    rules = candidates.Rules.read(
        hold=hold, margin=0.3, min_confidence=0.9, max_distance=0.0, max_change=0.0, network="faces"
    )
    found = candidates.Candidates.of(
        model,
        edits,
        rules,
        layers="",
        directions="",
        labels="",
        reverse=False,
        local=False,
        device="cpu",
        say=None,
    )
    return set(found.held)


def test_what_is_held(model: Generator) -> None:
    usual = held(model, "eyeglasses=+2", "")
    assert {"Male", "Young", "Smiling", "No_Beard"} <= usual and "Eyeglasses" not in usual
    assert "Mouth_Slightly_Open" not in held(model, "smiling=+2", ""), "it belongs to a smile"
    assert held(model, "smiling=+2", "open mouth, man") == {"Mouth_Slightly_Open", "Male"}
    assert held(model, "smiling=+2", "none") == set()
    assert len(held(model, "smiling=+2", "all")) == 39


def test_an_edit_that_does_not_show_ends_with_the_reasons_and_leaves_nothing(
    model: Generator, small_chunks: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "HOPELESS", (24, 0.2))
    with pytest.raises(
        InputError, match=r"0 of 24 faces become pairs .*not reached.*larger strength"
    ) as found:
        facegan.pairs(model, "eyeglasses=0.01", tmp_path / "out", count=5)
    assert "\n" not in str(found.value) and not (tmp_path / "out").exists()


WRONG: dict[str, tuple[Callable[[Any], Any], str]] = {
    "an unknown word": (lambda f: f("frowning=+2"), "frowning"),
    "no number": (lambda f: f("smiling"), "write a name and a number"),
    "nothing": (lambda f: f(""), "the edits are empty"),
    "no text": (lambda f: f(None), "edits must be a text"),
    "a component": (lambda f: f("pca1=2"), "the network does not see it"),
    "no strength": (lambda f: f("smiling=0"), "changes nothing"),
    "the judge": (lambda f: f(network="evaluator"), "must not choose pairs"),
    "the judge among others": (lambda f: f(network="faces,evaluator"), "must not choose pairs"),
    "a change of 2": (lambda f: f(max_change=2), "max_change must be"),
    "no network": (lambda f: f(network="nobody"), "nobody"),
    "an unknown word to hold": (lambda f: f(hold="frown"), "hold 'frown'"),
    "no pairs": (lambda f: f(count=0), "count must be from 1"),
    "doubt": (lambda f: f(min_confidence=0.3), "min_confidence must be"),
    "a margin of 2": (lambda f: f(margin=2), "margin must be"),
    "a negative distance": (lambda f: f(max_distance=-1), "max_distance must be"),
    "a layer too many": (lambda f: f(layers="9"), "there is no layer 9"),
    "a list of splits": (lambda f: f(split="list.txt"), "list.txt"),
    "shares above 1": (lambda f: f(split="val=2"), "shares from 0 to 1"),
    "labels": (lambda f: f(labels="male=1"), "labels"),
    "a switch": (lambda f: f(reverse="yes"), "reverse"),
    "no model": (lambda f: f(model="nobody.safetensors"), "nobody.safetensors"),
    "a full folder": (lambda f: f(out="full"), "not empty and not a dataset of pairs"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_is_told_in_one_line(
    case: str, model: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.txt").write_text("a")

    def call(edits: Any = "eyeglasses=+2", **options: Any) -> Any:
        return facegan.pairs(options.pop("model", model), edits, options.pop("out", "out"), **options)

    make, text = WRONG[case]
    with pytest.raises(FaceganError) as found:
        make(call)
    assert text in str(found.value) and "\n" not in str(found.value), str(found.value)
    assert not (tmp_path / "out").exists()


def test_the_command_prints_what_came_of_it(
    small_chunks: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["pairs", "celeba64", "eyeglasses=+3", "--count", "3", "--out", str(tmp_path / "g")]
    assert main([*words, "--hold", "none", "--min-confidence", "0.8"]) == 0
    said = capsys.readouterr().out
    assert "3 pairs" in said and "of 3 faces" in said and "preview.jpg" in said
    assert json.loads((tmp_path / "g" / "dataset.json").read_text())["plan"]["held"] == []
    assert main(["pairs", "celeba64", "--out", str(tmp_path / "h")]) == 2
    assert "pairs takes the edits, not 0 words" in capsys.readouterr().err
    assert main(["pairs", "smiling=+1", "male=1", "--out", str(tmp_path / "h")]) == 2
    assert "not 2 words" in capsys.readouterr().err


def test_a_model_with_labels_draws_those_it_was_trained_with(
    faces: AttributePredictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attribute network is one that sees glasses in every edited face, and in no other."""
    from facegan.families import get_family
    from facegan.generator import describe
    from facegan.latent.directions import Directions
    from facegan.prior import Latent
    from facegan.recipes.config import override
    from facegan.recipes.table import recipe

    changes = {"generator.channel_base": 128, "generator.channel_max": 16, "generator.w_dim": 16}
    config = override(recipe("stylegan2-64-small"), changes).model
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = get_family("stylegan2").build_generator(config.generator, (1, 8, 8), 16, label_dim=2)
    rows = {"rows": [[0, 1], [1, 0]], "counts": [3, 1]}
    about: dict[str, Any] = {"labels": ("Smiling", "Male"), "label_rows": rows}
    told = Generator(network, describe("stylegan2", config, Latent(dim=16), image_shape=(1, 8, 8), **about))
    effects = np.zeros((1, 1), np.float32)
    step = torch.ones(1, told.num_ws, 16)
    found = Directions(("Eyeglasses",), ("attribute",), step, effects, ("Eyeglasses",), {}, told.hash)
    found.save(tmp_path / "d.safetensors")
    calls: list[int] = []

    def predict(self: AttributePredictor, pictures: np.ndarray, batch: int = 64) -> np.ndarray:
        calls.append(len(pictures))
        return np.full((len(pictures), len(self.names)), 0.02 if len(calls) % 2 else 0.98, np.float32)

    monkeypatch.setattr(AttributePredictor, "predict", predict)
    options: dict[str, Any] = {"count": 5, "directions": tmp_path / "d.safetensors", "hold": "none"}
    made = facegan.pairs(told, "eyeglasses=1", tmp_path / "any", split="", **options)
    np.testing.assert_array_equal(made.dataset.inputs(), told.as_trained().sample(range(5)))
    one = facegan.pairs(told, "eyeglasses=1", tmp_path / "one", split="", labels="male=1", **options)
    np.testing.assert_array_equal(one.dataset.inputs(), told.tell("male=1").sample(range(5)))
    assert one.dataset.content_hash != made.dataset.content_hash and one.dataset.channels == 1
