"""ONNX generators come in and make the pictures that onnxruntime makes of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from onnx_files import GRAPHS, Maker, conditional, drawn, ints, torchlike

import facegan
from facegan.cli.main import main


@pytest.mark.parametrize("name", GRAPHS)
def test_pictures_are_those_of_onnxruntime(name: str, tmp_path: Path) -> None:
    proto = GRAPHS[name]()
    onnx.checker.check_model(proto)
    path = tmp_path / "g.onnx"
    path.write_bytes(proto.SerializeToString())
    model = facegan.import_model(path, tmp_path / "m.safetensors").model
    z, classes = drawn(3, 6) * 2, ints(0, 2, 1)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    given = {"z": z.reshape(3, 1, 1, 6) if name == "tf2onnx" else z}
    if name == "conditional":
        given["label"] = classes.reshape(3, 1)
    wanted = session.run(None, given)[0]
    if name == "tf2onnx":  # which has channels last, and pictures in [0, 1]
        wanted = wanted.transpose(0, 3, 1, 2) * 2 - 1
    with torch.inference_mode():
        images = model(torch.from_numpy(z), labels=torch.eye(3)[classes] if model.labels else None).numpy()
    assert wanted.std() > 0.1 and (np.abs(wanted) < 0.99).mean() > 0.5
    np.testing.assert_allclose(images, wanted, atol=2e-5)


def test_an_exported_model_comes_back(tmp_path: Path) -> None:
    """With its prior, labels and licence, and weights in half precision behind Casts."""
    (tmp_path / "g.onnx").write_bytes(conditional().SerializeToString())
    first = facegan.import_model(
        tmp_path / "g.onnx", tmp_path / "m.safetensors", prior="uniform", licence="MIT"
    )
    facegan.export_model(tmp_path / "m.safetensors", tmp_path / "out.onnx", weights="float16")
    made = facegan.import_model(tmp_path / "out.onnx", tmp_path / "n.safetensors").model
    assert made.latent == first.model.latent and made.meta["licence"] == "MIT" and len(made.labels) == 3
    assert np.abs(made.images(range(4)).astype(int) - first.model.images(range(4))).max() <= 1


def changed(change: Callable[[Any], Any]) -> bytes:
    proto = torchlike()
    change(proto)
    return proto.SerializeToString()


def _external(proto: Any) -> None:
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="secret.bin")


def _loop(proto: Any) -> None:
    inner = helper.make_graph([], "inner", [], [])
    proto.graph.node[0].attribute.append(helper.make_attribute("body", inner))


def noisy() -> bytes:
    g = Maker()
    x = g.add("Reshape", g.add("Gemm", "z", drawn(6, 16)), ints(-1, 1, 4, 4))
    return g.finish(g.add("Tanh", g.add("Add", x, g.add("RandomNormalLike", x)))).SerializeToString()


def mixing() -> bytes:
    g = Maker()
    x = g.add("Reshape", g.add("Gemm", "z", drawn(6, 16)), ints(1, -1, 4, 4))
    return g.finish(g.add("Tanh", x)).SerializeToString()


def open_ended() -> bytes:
    g = Maker()
    return g.finish(g.add("Reshape", g.add("Gemm", "z", drawn(6, 16)), ints(-1, 1, 4, 4))).SerializeToString()


def huge() -> bytes:
    g = Maker()
    x = g.add("Add", "z", g.add("ConstantOfShape", ints(1 << 20, 1 << 20)))
    return g.finish(g.add("Tanh", x)).SerializeToString()


MISTAKES: dict[str, tuple[bytes, str]] = {
    "weights elsewhere": (changed(_external), "are in another file, which is not opened"),
    "a loop": (changed(_loop), "runs a graph of its own"),
    "another's operation": (
        changed(lambda p: p.graph.node[0].__setattr__("domain", "com.microsoft")),
        "is no operation of ONNX itself",
    ),
    "an unknown one": (
        changed(lambda p: p.graph.node[-1].__setattr__("op_type", "Erf")),
        "(Erf): the operation is",
    ),
    "noise": (noisy(), "(RandomNormalLike): the operation is unknown"),
    "pictures mixed": (mixing(), "which mixes pictures of a batch"),
    "no range": (open_ended(), "give --output-range"),
    "two outputs": (changed(lambda p: p.graph.output.append(p.graph.output[0])), "with 2 outputs"),
    "cut": (torchlike().SerializeToString()[:-200], "not a readable ONNX file"),
    "damaged weights": (
        changed(lambda p: p.graph.initializer[0].dims.__setitem__(0, 1 << 40)),
        "which are not in the file",
    ),
    "a large constant": (huge(), "would make a constant of the shape"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_an_onnx_file_is_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content, said = MISTAKES[name]
    monkeypatch.chdir(tmp_path)
    Path("g.onnx").write_bytes(content)
    assert main(["import", "g.onnx", "--out", "m.safetensors"]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1, error
    assert not Path("m.safetensors").exists()
