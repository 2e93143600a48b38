"""The small attribute predictor and the scoring of arithmetic, on pictures whose answer is known."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import safetensors
import safetensors.numpy
import torch

import facegan
from facegan.attributes.networks import ARCHITECTURES, bundled, bundled_names
from facegan.attributes.predictor import AttributePredictor
from facegan.attributes.training import (
    SMALL,
    AttributeTraining,
    _calibration_error,
    calibrate,
    score,
    train_attribute_predictor,
)
from facegan.cli.main import main
from facegan.data.prepare import prepare
from facegan.demo.portraits import write_portraits
from facegan.errors import DatasetError, InputError, ModelError
from facegan.families.fast.projected import networks
from facegan.latent.evaluation import combine, draw_members, score_arithmetic


def fitted(images, attributes, names, test_images, test_attributes, **settings):
    predictor = train_attribute_predictor(images, attributes, names, settings=replace(SMALL, **settings))
    score(predictor, test_images, test_attributes)
    return predictor


def pictures(n, seed=0):
    """Noise with a bright bar on top (attribute Top) or at the left (attribute Left), independently."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 120, (n, 16, 16, 3), np.uint8)
    attributes = random.integers(0, 2, (n, 2)).astype(np.int16)
    images[attributes[:, 0] == 1, :6] += 100
    images[attributes[:, 1] == 1, :, :6] += 30
    return images, attributes


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_learns_what_is_there_and_says_how_well(architecture):
    images, attributes = pictures(400)
    attributes[::7, 1] = -1  # unknown values neither teach nor count
    predictor = fitted(
        images, attributes, ["Top", "Left"], *pictures(200, 1), architecture=architecture, epochs=6
    )
    assert predictor.accuracy["Top"] > 0.95 and predictor.balanced_accuracy["Top"] > 0.95
    fresh, truth = pictures(100, 2)
    right = ((predictor.predict(fresh) > 0.5) == (truth == 1)).mean(0)
    assert right[0] > 0.93
    np.testing.assert_allclose(predictor.predict(fresh, batch=7), predictor.predict(fresh), atol=1e-5)


def test_random_answers_score_half():
    images, attributes = pictures(200)
    nonsense = np.random.default_rng(9).integers(0, 2, (400, 1)).astype(np.int16)
    predictor = fitted(images, attributes[:, :1], ["Coin"], *(pictures(400, 3)[0], nonsense), epochs=2)
    assert abs(predictor.balanced_accuracy["Coin"] - 0.5) < 0.1


def test_no_pictures_is_one_line():
    images, attributes = pictures(1)
    with pytest.raises(DatasetError):
        train_attribute_predictor(images, attributes, ["Top"], settings=SMALL)


def test_members_and_sums():
    rows = [np.arange(10), np.arange(10, 20), np.arange(20, 30)]
    members = draw_members(rows, 3, 3, seed=0, purpose="trial")
    assert members.shape == (3, 3, 3)
    assert len(set(members.flat)) == 27  # no face in two draws
    assert (members[:, 1] >= 10).all() and (members[:, 1] < 20).all()
    pool = torch.arange(30.0)[:, None]
    expected = pool[members[0, 0]].mean() - pool[members[0, 1]].mean() + pool[members[0, 2]].mean()
    assert float(combine(pool, members)[0, 0]) == pytest.approx(float(expected))


class LinearModel:
    """z is (top, left): each paints its bar; so arithmetic is right by construction."""

    def images(self, z):
        n = len(z)
        out = np.random.default_rng(5).integers(0, 120, (n, 16, 16, 3)).astype(np.float32)
        out[:, :6] += 100 * np.clip(z[:, 0].numpy(), 0, 1)[:, None, None, None]
        out[:, :, :6] += 30 * np.clip(z[:, 1].numpy(), 0, 1)[:, None, None, None]
        return out.clip(0, 255).astype(np.uint8)


def test_a_linear_model_scores_high_and_the_control_does_not():
    images, attributes = pictures(600)
    chooser, judge = (
        fitted(
            images[part], attributes[part], ["Top", "Left"], *pictures(100, 4), architecture=kind, epochs=12
        )
        for kind, part in (("plain", slice(0, 300)), ("pooled", slice(300, None)))
    )
    pool = torch.from_numpy(np.random.default_rng(6).integers(0, 2, (400, 2)).astype(np.float32))
    groups = {
        "top": {"Top": True, "Left": False},
        "none": {"Top": False, "Left": False},
        "left": {"Top": False, "Left": True},
    }
    score = score_arithmetic(
        LinearModel(), pool, chooser, judge=judge, groups=groups, goal={"Top": True, "Left": True}, trials=20
    )
    assert score is not None
    assert score.shares["trials"]["both"] > 0.8 > score.shares["control"]["both"] + 0.2
    few = score_arithmetic(
        LinearModel(), pool[:6], chooser, judge=judge, groups=groups, goal={"Top": True, "Left": True}
    )
    assert few is None


# --- files, resuming, calibration, the command ----------------------------------------------------


def same_weights(a, b):
    x, y = a.network.state_dict(), b.network.state_dict()
    return x.keys() == y.keys() and all(torch.equal(x[k], y[k]) for k in x)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_file_gives_the_same_network(architecture, tmp_path):
    images, attributes = pictures(60)
    settings = replace(SMALL, architecture=architecture, epochs=1)
    made = train_attribute_predictor(images, attributes, ["Top", "Left"], settings=settings)
    calibrate(made, images, attributes)
    made.measure_features(images)
    made.save(tmp_path / "n.safetensors")
    read = AttributePredictor.load(tmp_path / "n.safetensors")
    np.testing.assert_allclose(read.predict(images), made.predict(images), atol=5e-3)  # half precision
    found = read.features(images)
    assert found.shape == made.features(images).shape
    assert abs(found.mean()) < 0.05 and abs(found.std() - 1) < 0.25
    larger = np.repeat(np.repeat(images, 2, 1), 2, 2)  # brought to the network's size
    assert read.predict(larger).shape == (60, 2)
    assert read.predict(images[..., :1]).shape == (60, 2)  # grey


DAMAGE = {
    "absent": (lambda f: f.unlink(), "there is no such file; bundled attribute networks: "),
    "cut": (lambda f: f.write_bytes(f.read_bytes()[:500]), "not a readable .safetensors file"),
    "foreign": (lambda f: f.write_bytes(safetensors.numpy.save({"a": np.zeros(2)})), "no attribute network"),
    "other shapes": (lambda f: rewritten(f, width=8), "the header does not describe its tensors"),
    "no names": (lambda f: rewritten(f, names=None), "the header does not describe its tensors"),
    "unknown kind": (lambda f: rewritten(f, architecture="vgg"), "the header does not describe its tensors"),
    "huge": (lambda f: rewritten(f, width=10**6), "the header does not describe its tensors"),
    "newer": (lambda f: rewritten(f, format=2), "format 2 is not 1; is facegan up to date?"),
}


def rewritten(file, **changes):
    with safetensors.safe_open(str(file), framework="np") as handle:
        head = json.loads(handle.metadata()["facegan-attributes"])
        tensors = {k: handle.get_tensor(k) for k in handle.keys()}  # noqa: SIM118
    head |= changes
    file.write_bytes(safetensors.numpy.save(tensors, {"facegan-attributes": json.dumps(head)}))


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_files_are_one_line(damage, tmp_path):
    images, attributes = pictures(20)
    made = train_attribute_predictor(images, attributes, ["Top", "Left"], settings=replace(SMALL, epochs=1))
    file = tmp_path / "n.safetensors"
    made.save(file)
    change, text = DAMAGE[damage]
    change(file)
    with pytest.raises(ModelError) as caught:
        AttributePredictor.load(file)
    assert text in str(caught.value) and "\n" not in str(caught.value)


def test_goes_on_to_the_bit(tmp_path):
    """Stopped after the first epoch, and continued: dropout, mixing and augmentation as if never stopped."""
    images, attributes = pictures(40)
    settings = AttributeTraining(width=8, size=16, epochs=3, batch=8, architecture="residual")
    whole = train_attribute_predictor(images, attributes, ["Top", "Left"], settings=settings)

    def stop(epoch, loss, predictor):
        raise KeyboardInterrupt

    state = tmp_path / "n.state"
    with pytest.raises(KeyboardInterrupt):
        train_attribute_predictor(
            images, attributes, ["Top", "Left"], settings=settings, state=state, on_epoch=stop
        )
    epochs = []
    again = train_attribute_predictor(
        images,
        attributes,
        ["Top", "Left"],
        settings=settings,
        state=state,
        on_epoch=lambda e, *_: epochs.append(e),
    )
    assert epochs == [2, 3] and same_weights(whole, again)
    other = train_attribute_predictor(
        images,
        attributes,
        ["Top", "Left"],
        settings=replace(settings, seed=1),
        state=state,
        on_epoch=lambda e, *_: epochs.append(e),
    )
    assert epochs[2:] == [1, 2, 3] and not same_weights(whole, other)  # another run's state is no use
    # Nor is that of other attributes, of their other order, or of other pictures.
    for x, y, names in (
        (images, attributes[:, ::-1].copy(), ["Left", "Top"]),
        (images, attributes[:, :1], ["Top"]),
        (images[1:], attributes[1:], ["Top", "Left"]),
    ):
        with pytest.raises(KeyboardInterrupt):
            train_attribute_predictor(
                images, attributes, ["Top", "Left"], settings=settings, state=state, on_epoch=stop
            )
        epochs.clear()
        train_attribute_predictor(
            x, y, names, settings=settings, state=state, on_epoch=lambda e, *_: epochs.append(e)
        )
        assert epochs == [1, 2, 3]


def test_what_a_split_does_not_answer_is_said_and_not_averaged():
    from facegan.attributes.card import table

    images, attributes = pictures(40)
    settings = AttributeTraining(width=8, size=16, epochs=1, batch=8, architecture="residual")
    predictor = train_attribute_predictor(images, attributes, ["Top", "Left"], settings=settings)
    answers = attributes.copy()
    answers[:, 1] = -1
    found = score(predictor, images, answers)
    predictor.metadata["measures"] = {"split": "test", "majority": {"Top": 0.5}, **found}
    lines = table(predictor).splitlines()
    assert lines[2].split() == ["Left", "unknown", "there"]
    assert lines[1].split()[1:] == lines[3].split()[1:] and lines[3].startswith("mean")


def test_calibration_mends_answers_that_are_too_sure():
    images, attributes = pictures(300)
    noisy = attributes.copy()
    flip = np.random.default_rng(1).random(noisy.shape) < 0.25
    noisy[flip] = 1 - noisy[flip]  # nobody can be more than 75% sure
    made = train_attribute_predictor(images, attributes, ["Top", "Left"], settings=replace(SMALL, epochs=4))
    before = score(made, images, noisy)["calibration_error"]
    calibrate(made, images, noisy)
    after = score(made, images, noisy)["calibration_error"]
    assert after < 0.1 and after < before / 1.5
    sure = np.maximum(made.predict(images), 1 - made.predict(images)).mean(0)
    assert (sure < 0.83).all()


def test_the_calibration_error_by_hand():
    """Ten answers at 0.9 of which eight are right, ten at 0.3 of which three: (0.1 + 0.0) / 2."""
    p = np.array([0.9] * 10 + [0.3] * 10)
    y = np.array([1] * 8 + [0] * 2 + [1] * 3 + [0] * 7)
    assert _calibration_error(p, y) == pytest.approx(0.05)


def test_the_command(tmp_path, capsys):
    table = write_portraits(tmp_path / "photos", 60, 0, size=32)
    prepare(
        tmp_path / "photos",
        tmp_path / "ds",
        crop="none",
        size=32,
        attributes=table,
        workers=1,
        split="val=0.2,test=0.2",
    )
    out = tmp_path / "n.safetensors"
    argv = ["train-attributes", str(tmp_path / "ds"), "--out", str(out), "--epochs", "2", "--batch", "16"]
    small = ["--architecture", "plain", "--size", "32", "--width", "8"]
    assert main([*argv, *small]) == 0
    said = capsys.readouterr()
    assert "epoch 2 of 2" in said.err and "majority" in said.out
    assert re.search(r"on test \(\d+ pictures?\)", said.out)
    read = AttributePredictor.load(out)
    card = out.with_suffix(".md").read_text()
    assert f"{len(read.names)} attributes" in card and "Licence" in card and "Limits" in card
    assert read.metadata["dataset"]["content_hash"] in json.dumps(read.metadata)
    assert not out.with_suffix(".state").exists()
    again = tmp_path / "again.safetensors"  # the function does what the command does
    settings = {"epochs": 2, "batch": 16, "architecture": "plain", "size": 32, "width": 8}
    made = facegan.train_attributes(tmp_path / "ds", again, **settings)
    assert again.read_bytes() == out.read_bytes() and made.accuracy == read.accuracy
    with pytest.raises(InputError, match="Nose"):
        facegan.train_attributes(tmp_path / "ds", again, attributes=["Nose"], **settings)
    for change, text in (
        (["--attributes", "Nose"], "--attributes Nose: "),
        (["--architecture", "vgg"], "--architecture vgg: choose plain"),
        (["--out", str(tmp_path / "n.pt")], "the name must end in .safetensors"),
        (["--epochs", "0"], "must be above 0"),
    ):
        assert main([*argv, *small, *change]) == 2
        said = capsys.readouterr().err.strip()
        assert text in said and "\n" not in said


GOALS = {"Smiling": 0.90, "Male": 0.95}


@pytest.fixture(scope="module")
def celeba_test(shared, tmp_path_factory):
    """The test split of the real photos."""
    at = tmp_path_factory.mktemp("celeba")
    lines = (shared / "data/celeba-9k-split.txt").read_text().splitlines()
    (at / "split.txt").write_text("".join(f"{line}\n" for line in lines if line.split()[1] in ("test", "2")))
    return prepare(
        shared / "data/celeba-9k.zip",
        at / "ds",
        crop="aligned",
        size=64,
        workers=1,
        attributes=shared / "data/celeba-9k-attributes.txt",
        split=at / "split.txt",
    )


@pytest.mark.parametrize("name", bundled_names())
def test_the_bundled_networks_keep_their_promises(name, celeba_test):
    made = AttributePredictor.load(name)
    made.accuracy.clear()
    found = score(made, celeba_test.images("test"), celeba_test.attributes("test"))
    assert len(made.names) == 40 and bundled(name).stat().st_size < 4e6
    assert found["accuracy"] >= 0.89 and found["calibration_error"] < 0.05
    assert all(made.accuracy[n] >= least for n, least in GOALS.items())
    assert made.balanced_accuracy["Eyeglasses"] >= 0.90
    assert found["accuracy"] == pytest.approx(made.metadata["measures"]["accuracy"], abs=0.003)  # the card's


def test_the_bundled_networks_are_different_ones():
    """Nothing is judged by what it was trained, tuned or chosen with."""
    assert bundled_names() == ["critic", "evaluator", "faces"]
    found = [AttributePredictor.load(n) for n in bundled_names()]
    assert len({p.architecture for p in found}) == len({p.metadata["training"]["seed"] for p in found}) == 3
    assert networks() == ["critic"]
