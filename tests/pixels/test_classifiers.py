"""Classifiers from every source, their layers and classes, and what they say of what cannot be used."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from facegan.classifiers.sources import keras_names
from facegan.errors import InputError
from facegan.pixels import Classifier, load_classifier

SMALL = '''
import torch
from torch import nn

class Small(nn.Module):
    """Uses one ReLU twice, and writes into what came before."""
    input_size = (24, 16)
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.more = nn.Conv2d(4, 4, 3, padding=1)
        self.head = nn.Linear(4, 5)
    def forward(self, x):
        x = self.relu(self.conv(x))
        x = self.relu(self.more(x)).add_(1)
        return self.head(x.mean((2, 3)))

def make():
    torch.manual_seed(0)
    return Small()

def labels():
    return ["tench, Tinca tinca", "crane", "great white shark, white shark", "crane", "cock"]

def broken():
    raise RuntimeError("no weights")
number = lambda: 7
'''


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("classifier") / "small.py"
    path.write_text(SMALL)
    return path


@pytest.fixture(scope="module")
def small(source: Path) -> Classifier:
    return load_classifier(f"{source}:make")


def test_what_a_module_says_of_its_input(small: Classifier) -> None:
    assert small.input_size == (24, 16) and small.mean == (0.5, 0.4, 0.3) and len(small.labels) == 5
    assert not small.module.training and not any(p.requires_grad for p in small.module.parameters())
    x = torch.rand(2, 3, 24, 16)
    expected = (x - torch.tensor(small.mean).view(3, 1, 1)) / torch.tensor(small.std).view(3, 1, 1)
    torch.testing.assert_close(small.preprocess(x), expected)
    torch.testing.assert_close(small.logits(x), small.module(expected))
    torch.testing.assert_close(small.probabilities(x).sum(1), torch.ones(2))


def test_the_whole_photo_is_seen_or_its_centre(source: Path) -> None:
    photo = torch.zeros(1, 3, 96, 200)
    photo[..., 0] = 1.0  # a line at the left edge
    whole, centre = (load_classifier(f"{source}:make", crop=crop) for crop in (False, True))
    assert whole.resize(photo)[..., 0].min() > 0, "antialiased: what is thin still counts"
    assert whole.resize(photo)[..., 2:].max() == 0
    assert centre.window(96, 200) == (0, 52, 96, 96) and centre.resize(photo).max() == 0
    x = photo.requires_grad_(True)
    (gradient,) = torch.autograd.grad(whole.resize(x).sum(), x)
    torch.testing.assert_close(gradient.sum(), torch.tensor(3.0 * 24 * 16)), "weights of a mean"


def test_flags_overrule_the_module(source: Path) -> None:
    c = load_classifier(f"{source}:make", input_size=40, mean=(0, 0, 0), std=(1, 1, 1))
    assert c.input_size == (40, 40)
    assert torch.equal(c.normalise(torch.full((1, 3, 2, 2), 0.25)), torch.full((1, 3, 2, 2), 0.25))


def test_layers_and_activations(small: Classifier) -> None:
    assert small.layer_names() == [
        ("conv", (4, 24, 16)),
        ("relu", (4, 24, 16)),
        ("more", (4, 24, 16)),
        ("head", (5,)),
    ]
    x = torch.rand(2, 3, 10, 12)
    m = small.module
    n = small.normalise(x)
    first = m.conv(n)
    second = m.more(first.relu())
    found = small.activations(x, ["conv", "more", "relu"], resize=False)
    torch.testing.assert_close(found["conv"], first), "although a ReLU may work in place"
    torch.testing.assert_close(found["more"], second)
    torch.testing.assert_close(found["relu"], second.relu()), "the last of its two outputs"
    resized = small.activations(x, ["conv"], resize=True)["conv"]
    torch.testing.assert_close(resized, m.conv(small.preprocess(x)))


def test_features_are_what_the_classes_follow_from(small: Classifier) -> None:
    x = torch.rand(5, 3, 30, 20)
    found = small.features(x)
    assert found.shape == (5, 4)
    torch.testing.assert_close(small.module.head(found), small.logits(x))
    torch.testing.assert_close(small.features(x[:2]), found[:2])


def test_features_before_a_last_convolution_are_averaged() -> None:
    c = load_classifier("squeezenet1_1", input_size=64, random_weights_seed=1)
    x = torch.rand(2, 3, 64, 64)
    before = c.activations(x, ["features.12"])["features.12"]
    torch.testing.assert_close(c.features(x), before.mean((2, 3)))


def test_a_network_without_weights_has_no_features() -> None:
    class Means(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean((2, 3))

    c = Classifier("means", Means(), (8, 8), mean=(0, 0, 0), std=(1, 1, 1))
    with pytest.raises(InputError, match="means: none of its layers has weights"):
        c.features(torch.rand(1, 3, 8, 8))


def test_its_digest_tells_weights_and_sizes_apart(source: Path, small: Classifier) -> None:
    others = {"std": (1, 1, 1)}, {"input_size": 40}, {"crop": True}
    digests = [load_classifier(f"{source}:make", **options).digest() for options in ({}, *others)]
    assert digests[0] == small.digest() and len(set(digests)) == 4


def test_layers_that_keep_their_channels_last(tmp_path: Path) -> None:
    """As Swin's blocks do; with as many channels as rows, the last axis is the columns."""

    class Blocks(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.last = torch.nn.Conv2d(3, 8, 4, 4), torch.nn.Linear(8, 6)
            self.square, self.head = torch.nn.Conv2d(6, 4, 1), torch.nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.last(self.conv(x).permute(0, 2, 3, 1))
            return self.head(self.square(x.permute(0, 3, 1, 2)).mean((2, 3)))

    found = Classifier("blocks", Blocks(), (16, 16), mean=(0.5,) * 3, std=(0.5,) * 3)
    shapes = {"conv": (8, 4, 4), "last": (6, 4, 4), "square": (4, 4, 4), "head": (2,)}
    assert dict(found.layer_names()) == shapes
    x = torch.rand(1, 3, 24, 16)
    acts = found.activations(x, ["conv", "last"], resize=False)
    assert acts["last"].shape == (1, 6, 6, 4)
    torch.testing.assert_close(acts["last"], found.module.last(acts["conv"].movedim(1, -1)).movedim(-1, 1))


def test_what_lies_behind_is_not_computed(small: Classifier) -> None:
    ran: list[str] = []
    handles = [
        part.register_forward_hook(lambda *_, name=name: ran.append(name))
        for name, part in small.module.named_children()
    ]
    small.activations(torch.rand(1, 3, 8, 8), ["conv"], resize=False)
    for handle in handles:
        handle.remove()
    assert "more" not in ran and "head" not in ran


def test_an_unknown_layer_names_its_neighbours(small: Classifier) -> None:
    with pytest.raises(InputError, match="'facegan layers"):
        small.activations(torch.rand(1, 3, 8, 8), ["con"], resize=False)
    with pytest.raises(InputError, match="near it: conv"):
        small.find_layer("convv")


CLASSES = {
    "2": 2,
    "cock": 4,
    "COCK": 4,
    "tinca tinca": 0,
    "white shark": 2,
    "great white": 2,
    " 0 ": 0,
}


@pytest.mark.parametrize("text", CLASSES)
def test_classes_by_number_and_name(text: str, small: Classifier) -> None:
    assert small.find_class(text) == CLASSES[text]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("crane", "1 crane; 3 crane"),
        ("5", "classes 0 to 4"),
        ("-1", "classes 0 to 4"),
        ("--5", "no such class"),
        ("whit shark", "near it: 2 great white shark"),
        ("", "which class"),
        ("zzz", "it has tench, Tinca tinca, crane, great white shark"),
    ],
)
def test_unclear_classes(text: str, message: str, small: Classifier) -> None:
    with pytest.raises(InputError, match=message):
        small.find_class(text)


def test_a_class_called_by_a_number(source: Path, tmp_path: Path) -> None:
    (tmp_path / "digits.txt").write_text("7\n8\n1\n9\n2\n")
    found = load_classifier(f"{source}:make", labels=str(tmp_path / "digits.txt"))
    assert [found.find_class(text) for text in ("1", "7", "3")] == [2, 0, 3]  # what is no name is a number


def test_labels_from_files(source: Path, tmp_path: Path) -> None:
    names = [f"n{i}" for i in range(5)]
    files = {
        "plain.txt": "\n".join(names) + "\n\n",
        "list.json": json.dumps(names),
        "keras.json": json.dumps({str(i): [f"id{i}", n] for i, n in enumerate(names)}),
    }
    for file, text in files.items():
        (tmp_path / file).write_text(text)
        assert load_classifier(f"{source}:make", labels=str(tmp_path / file)).labels == names
    for file, text, message in (
        ("few.txt", "a\nb", "2 labels for 5 classes"),
        ("empty.txt", "\n", "is empty"),
        ("bad.json", "{", "not a list"),
    ):
        (tmp_path / file).write_text(text)
        with pytest.raises(InputError, match=message):
            load_classifier(f"{source}:make", labels=str(tmp_path / file))
    with pytest.raises(InputError, match="cannot be read"):
        load_classifier(f"{source}:make", labels=str(tmp_path / "none.txt"))


@pytest.mark.parametrize("batch", [0, 2])
def test_exported_programs(batch: int, small: Classifier, tmp_path: Path) -> None:
    """With any batch size, and with one that is fixed, which other sizes are cut and filled up to."""
    path = tmp_path / "small.pt2"
    example = torch.zeros(2, 3, 24, 16)
    shapes = None if batch else ({0: torch.export.Dim("n")},)
    torch.export.save(torch.export.export(small.module, (example,), dynamic_shapes=shapes), path)
    c = load_classifier(str(path), mean=small.mean, std=small.std)
    assert (c.batch, c.input_size, len(c.labels)) == (batch, (24, 16), 5)
    x = torch.rand(3, 3, 30, 20)
    torch.testing.assert_close(c.logits(x), small.logits(x))
    assert ("conv", (4, 24, 16)) in c.layer_names()
    got = c.activations(x[:2], ["more"])["more"]
    torch.testing.assert_close(got, small.activations(x[:2], ["more"])["more"])
    torch.testing.assert_close(c.features(x), small.features(x))


def test_torchvision_with_weights_from_a_file(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    c = load_classifier("squeezenet1_1", random_weights_seed=1)
    assert c.input_size == (224, 224) and c.find_class("African elephant") == 386
    assert (
        c.crop == 0 and load_classifier("squeezenet1_1", random_weights_seed=1, crop=True).crop == 224 / 256
    )
    state = c.module.state_dict()
    torch.save(state, tmp_path / "w.pth")
    save_file(state, tmp_path / "w.safetensors")
    x = torch.rand(1, 3, 50, 60)
    for file in ("w.pth", "w.safetensors"):
        again = load_classifier("squeezenet1_1", weights=str(tmp_path / file))
        assert torch.equal(again.logits(x), c.logits(x))
    assert not torch.equal(load_classifier("squeezenet1_1", random_weights_seed=2).logits(x), c.logits(x))
    with pytest.raises(InputError, match="not the weights of squeezenet1_0"):
        load_classifier("squeezenet1_0", weights=str(tmp_path / "w.pth"))


class Trap:
    def __reduce__(self) -> tuple:
        return (open, ("trap-was-sprung", "w"))


def test_weights_cannot_run_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"a": Trap()}, "zip.pth")
    Path("plain.pth").write_bytes(pickle.dumps(Trap()))
    Path("text.pth").write_text("hello")
    Path("text.safetensors").write_text("hello")
    for file in ("zip.pth", "plain.pth", "text.pth", "text.safetensors", "none.pth"):
        with pytest.raises(InputError, match=f"--weights {file}"):
            load_classifier("squeezenet1_1", weights=file)
    assert not Path("trap-was-sprung").exists()


def test_without_weights_and_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from urllib.error import URLError

    def no_network(*args: object, **more: object) -> None:
        raise URLError("no route")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", no_network)
    with pytest.raises(InputError, match=r"no route.*--weights.*put squeezenet1_1-\w+\.pth into"):
        load_classifier("squeezenet1_1")
    c = load_classifier("squeezenet1_1", random_weights_seed=0)
    from torchvision.models import SqueezeNet1_1_Weights as Weights

    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    torch.save(c.module.state_dict(), cache / Path(Weights.DEFAULT.url).name)
    x = torch.rand(1, 3, 64, 64)
    assert torch.equal(load_classifier("squeezenet1_1").logits(x), c.logits(x)), "found in torch's cache"


def test_keras_names() -> None:
    from torchvision import models

    with torch.device("meta"):
        vgg, normed, inception = models.vgg19(), models.vgg16_bn(), models.inception_v3(init_weights=False)
    names = keras_names(vgg)
    assert len(names) == 16 + 5 and [n for n in names if n.endswith("pool")][-1] == "block5_pool"
    for name, layer in {"block1_conv1": 1, "block1_pool": 4, "block2_pool": 9, "block3_conv4": 17}.items():
        assert names[name] == f"features.{layer}"
        kind = nn.MaxPool2d if "pool" in name else nn.ReLU
        assert isinstance(vgg.features[layer], kind)
    assert names["block5_pool"] == "features.36" and keras_names(normed)["block5_conv3"] == "features.42"
    assert keras_names(inception)["mixed0"] == "Mixed_5b" and keras_names(inception)["mixed10"] == "Mixed_7c"
    assert keras_names(nn.Sequential()) == {}


WRONG = {
    "no such name": ("vgg18", "near it: vgg19"),
    "no such file": ("{dir}/none.py:make", "there is no file"),
    "no function": ("{dir}/small.py", "which function"),
    "another function": ("{dir}/small.py:load", "has no function load"),
    "it fails": ("{dir}/small.py:broken", "no weights"),
    "no network": ("{dir}/small.py:number", "not a network"),
    "no program": ("{dir}/none.pt2", "no such file"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_classifier(name: str, source: Path) -> None:
    spec, message = WRONG[name]
    with pytest.raises(InputError, match=message):
        load_classifier(spec.format(dir=source.parent))


def test_wrong_flags(source: Path, tmp_path: Path) -> None:
    (tmp_path / "text.pt2").write_text("hello")
    (tmp_path / "grey.py").write_text(f"{source.read_text()}\nSmall.mean = 0.5\n")
    (tmp_path / "one.py").write_text(f"{source.read_text()}\nSmall.mean = Small.std = (0.5,)\n")
    for spec, options, message in (
        (f"{source}:make", {"mean": (0.5,)}, "--mean takes three"),
        (f"{source}:make", {"std": (1, 0, 1)}, "--std must be above 0"),
        (f"{source}:make", {"input_size": 5000}, "--input-size"),
        (f"{source}:make", {"weights": "w.pth"}, "ImageNet's networks only"),
        (f"{source}:make", {"device": "gpu7"}, "--device gpu7"),
        (f"{tmp_path}/grey.py:make", {}, "its mean must be three numbers, one for each colour, not 0.5"),
        (f"{tmp_path}/one.py:make", {}, "its mean must be three numbers"),
        (str(tmp_path / "text.pt2"), {}, "not an exported program"),
    ):
        with pytest.raises(InputError, match=message):
            load_classifier(spec, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("dtype", "message"),
    [
        (torch.float16, r"weights are float16, with which a .* takes 16 to 200 times .*; give it in float32"),
        (torch.bfloat16, r"weights are bfloat16, pictures are float32 .*; give it in float32"),
        (torch.float64, r"weights are float64, pictures are float32 .*; give it in float32"),
    ],
)
def test_other_numbers_than_float32_are_one_line(dtype: torch.dtype, message: str) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
    with pytest.raises(InputError, match=message) as caught:
        Classifier("mine", network.to(dtype), (16, 16), mean=(0.5,) * 3, std=(0.2,) * 3)
    assert "\n" not in str(caught.value)
