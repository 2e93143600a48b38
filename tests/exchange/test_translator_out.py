"""An exported translator makes what the translator makes, in any batch, without facegan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import facegan
from facegan.cli.main import main
from facegan.data.inputs import derive
from facegan.exchange.translator_out import Way, compared_pictures, measure_parity
from facegan.families.translator_config import GeneratorConfig
from facegan.images import to_float, to_uint8
from facegan.translator import Translator, build_networks, describe_translator

UNET = {"layout": "unet", "widths": (6, 8, 10, 12)}
RESNET = {"layout": "resnet", "widths": (6, 8, 10), "blocks": 2, "norm": "instance"}
LIGHT = {"layout": "light", "widths": (8, 10), "blocks": 1, "norm": "none", "stem": 2, "residual": True}
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "a U-Net with dropout": ("pix2pix", {**UNET, "norm": "batch", "dropout": 0.5}, {"input": "edges"}),
    "a U-Net, instance norm, grey": ("pix2pix", {**UNET, "norm": "instance"}, {"channels": 1}),
    "a ResNet": ("cyclegan", RESNET, {}),
    "a ResNet, batch norm": ("pix2pix", {**RESNET, "norm": "batch"}, {}),
    "a light one": ("pix2pix", LIGHT, {"input": "grey"}),
}


def translator(family: str, settings: dict[str, Any], input: str = "", channels: int = 3) -> Translator:
    """Return an untrained translator of 32 px whose pictures have contrast."""
    from dataclasses import replace

    from facegan.families import get_family

    config = get_family(family).config()
    own = type(config.generator)
    assert issubclass(own, GeneratorConfig)
    config = replace(config, generator=own(**{"dropout": 0.0, **settings}))
    meta = describe_translator(family, config, image_shape=(channels, 32, 32), input=input, licence="CC0-1.0")
    with torch.random.fork_rng():
        torch.manual_seed(1)
        networks = build_networks(meta)
        for tensor in networks.state_dict().values():
            if tensor.ndim > 1:
                tensor.normal_(std=(2 / tensor[0].numel()) ** 0.5)
            elif tensor.is_floating_point():
                tensor.add_(0.2 * torch.randn(tensor.shape))
    return Translator(networks, meta)


def levels(a: np.ndarray, b: np.ndarray) -> int:
    return int(np.abs(a.astype(int) - b).max())


FILES = [(name, ".onnx") for name in CASES] + [("a U-Net with dropout", ".pt2"), ("a ResNet", ".pt2")]


@pytest.mark.parametrize(("name", "ending"), FILES)
def test_what_is_written_makes_the_same(name: str, ending: str, tmp_path: Path) -> None:
    family, settings, more = CASES[name]
    model = translator(family, settings, **more)
    direction = model.directions[-1]
    done = facegan.export_model(model, tmp_path / f"a{ending}", direction=direction)
    assert done.parity and done.parity.levels <= 1 and "64 pictures in batches of 1, 5 and 32" in str(done)
    pictures = compared_pictures(Way(model, direction), 3)
    expected = model.translate(pictures, direction)
    assert expected.std() > 20 and levels(expected[0], expected[1]) > 8
    x = to_float(pictures)
    if ending == ".pt2":
        about = {"metadata.json": ""}
        made = torch.export.load(done.path, extra_files=about).module()(x)
        assert json.loads(about["metadata.json"])["direction"] == direction
    else:
        session = onnxruntime.InferenceSession(str(done.path), providers=["CPUExecutionProvider"])
        made = torch.from_numpy(session.run(["images"], {"pictures": x.contiguous().numpy()})[0])
        proto = onnx.load(done.path)
        facts = {p.key: p.value for p in proto.metadata_props}
        assert facts["model_hash"] == model.hash and facts["input"] == model.input
        assert all(
            v.type.tensor_type.shape.dim[0].dim_param for v in (*proto.graph.input, *proto.graph.output)
        )
        assert b"facegan/" not in done.path.read_bytes()
    assert levels(to_uint8(made), expected) <= 1


def test_pictures_to_compare_with_are_inputs() -> None:
    way = Way(translator(*CASES["a U-Net with dropout"][:2], input="edges"), "forward")
    drawings = compared_pictures(way)
    plain = compared_pictures(Way(translator("pix2pix", UNET | {"norm": "batch"}), "forward"))
    assert len(drawings) == 64 and np.array_equal(drawings, derive("edges", plain))


@pytest.mark.parametrize("wrong", [1, 5, 32])
def test_one_batch_size_that_is_wrong_is_noticed(wrong: int) -> None:
    way = Way(translator("pix2pix", LIGHT), "forward")

    def run(inputs: dict[str, np.ndarray]) -> np.ndarray:
        x = torch.from_numpy(inputs["pictures"])
        return (way.model(x) + 3 / 127.5 * (len(x) == wrong)).detach().numpy()

    assert measure_parity(way, run).levels in (3, 4)


def test_weights_alone(tmp_path: Path) -> None:
    model = translator("cyclegan", RESNET)
    for direction in model.directions:
        tensors = model.network[f"generator-{direction}"].state_dict()
        for ending in (".pt", ".npz"):
            done = facegan.export_model(model, tmp_path / f"{direction}{ending}", direction=direction)
            found = torch.load(done.path) if ending == ".pt" else dict(np.load(done.path))
            assert found.keys() == tensors.keys()
            assert all(np.array_equal(found[key], tensor) for key, tensor in tensors.items())


MISTAKES = [
    (["--out", "a.keras"], "--out a.keras: a translator becomes one of .onnx, .html, .pt2, .pt, .npz"),
    (["--out", "a.onnx", "--part", "map"], "--part: translators have none; it is for generators"),
    (["--out", "a.onnx", "--example"], "--example: translators have none"),
    (["--out", "a.html", "--directions", "d.npz"], "--directions: translators have none"),
    (["--out", "a.onnx", "--direction", "sideways"], "--direction sideways: this translator has forward"),
]


@pytest.mark.parametrize(("argv", "said"), MISTAKES)
def test_mistakes_are_one_line(
    argv: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    translator("pix2pix", LIGHT).save("t.safetensors")
    assert main(["export", "t.safetensors", *argv]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["t.safetensors"]


def test_generators_have_no_direction(
    tiny_model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(tiny_model_file), "--out", f"{tmp_path}/a.pt", "--direction", "a-to-b"]) == 2
    assert "--direction a-to-b: this is a generator" in capsys.readouterr().err
