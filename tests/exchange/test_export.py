"""What is exported draws what the model draws, in any batch, without facegan; else nothing is written."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from narrow import TRAINED
from PIL import Image
from untrained import model_of

import facegan
from facegan.cli.main import main
from facegan.deltas import save_delta
from facegan.errors import FaceganError, InputError, ModelError
from facegan.exchange import exporting
from facegan.exchange.examples import example_source
from facegan.exchange.onnx_out import onnx_graph
from facegan.exchange.parity import measure_parity
from facegan.generator import Generator, Latent
from facegan.images import to_uint8

CASES = [(family, False) for family in TRAINED] + [(family, True) for family in TRAINED]
NAMES = [family + "-labels" * labelled for family, labelled in CASES]


def runner(content: bytes | Path) -> onnxruntime.InferenceSession:
    given = str(content) if isinstance(content, Path) else content
    return onnxruntime.InferenceSession(given, providers=["CPUExecutionProvider"])


def levels(a: np.ndarray, b: np.ndarray) -> int:
    return int(np.abs(a.astype(int) - b).max())


@pytest.mark.parametrize(("family", "labelled"), CASES, ids=NAMES)
def test_a_graph_of_every_family(family: str, labelled: bool, tmp_path: Path) -> None:
    model = model_of(family, labelled)
    expected = model.as_trained().sample(3)
    assert expected.std(0).mean() > 8, "pictures of a model without contrast would prove nothing"
    done = facegan.export_model(model, tmp_path / "a.onnx")
    assert done.parity and done.parity.levels <= 1 and done.size == done.path.stat().st_size

    session = runner(done.path)
    back = facegan.import_model(done.path, tmp_path / "back.safetensors").model
    assert back.labels == model.labels and levels(back.images(range(3)), model.images(range(3))) <= 1

    given = {"z": model.latent.sample(range(3)).numpy()}
    if labelled:
        given["labels"] = model.as_trained().labels_of(range(3)).numpy()
    assert [i.name for i in session.get_inputs()] == list(given)
    assert all(i.shape[0] == "batch" for i in session.get_inputs())
    (images,) = session.run(["images"], given)
    assert levels(to_uint8(torch.from_numpy(images)), expected) <= 1

    proto = onnx.load(done.path)
    assert {(o.domain, o.version) for o in proto.opset_import} == {("", 18)} and not proto.functions
    about = {p.key: p.value for p in proto.metadata_props}
    assert about["family"] == family and about["model_hash"] == model.hash and about["licence"] == "CC0-1.0"
    assert json.loads(about["latent"])["dim"] == model.latent.dim
    mean = np.broadcast_to(json.loads(about["w_mean"]), (model.num_ws, model.w_dim))
    np.testing.assert_allclose(mean, model.w_average().expand(model.num_ws, -1), atol=1e-6)
    assert json.loads(about.get("labels", "[]")) == list(model.labels)
    assert all(v.doc_string for v in [*proto.graph.input, *proto.graph.output])
    content = done.path.read_bytes()
    assert b".py" not in content and b"facegan/" not in content, "source lines and paths of this machine"


def test_both_parts_with_truncation_between(tmp_path: Path) -> None:
    """As the documentation has it, in NumPy; conditional, where the average belongs to the labels."""
    model, sessions = model_of("stylegan2", labelled=True), []
    for part in ("map", "synthesize"):
        done = facegan.export_model(model, tmp_path / f"{part}.onnx", part=part)
        assert done.parity and done.parity.levels <= 1
        sessions.append(runner(done.path))
    mapping, synthesis = sessions
    about = mapping.get_modelmeta().custom_metadata_map
    z = model.latent.sample(range(5))
    labels = np.repeat(np.float32([json.loads(about["default_labels"])]), 5, 0)
    (w,) = mapping.run(None, {"z": z.numpy(), "labels": labels})
    mean = np.float32(json.loads(about["w_mean"]))
    (images,) = synthesis.run(None, {"w": mean + np.float32(0.6) * (w - mean)})
    expected = model.images(z, truncation=0.6)
    assert levels(to_uint8(torch.from_numpy(images)), expected) <= 1
    assert levels(expected, model.images(z)) > 8
    assert synthesis.get_inputs()[0].shape == ["batch", model.num_ws, model.w_dim]


def test_half_the_weights_half_the_file(tmp_path: Path) -> None:
    model = model_of("vanilla")
    for tensor in model.network.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(tensor.half().float())  # as they are in a model's file
    full, halved = (
        facegan.export_model(model, tmp_path / f"{kind}.onnx", weights=kind)
        for kind in ("float32", "float16")
    )
    assert halved.size < 0.52 * full.size
    given = {"z": model.latent.sample(range(8)).numpy()}
    outputs = [runner(done.path).run(None, given)[0] for done in (full, halved)]
    assert np.array_equal(*outputs), "weights that were in half precision before lose nothing"
    graph = onnx.load(halved.path).graph
    kinds = {v.type.tensor_type.elem_type for v in [*graph.input, *graph.output]}
    assert kinds == {onnx.TensorProto.FLOAT}, "what goes in and comes out stays float32"


# --- nothing wrong is written -----------------------------------------------------------------------------


def test_another_network_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, other = model_of("vanilla"), model_of("vanilla")
    other.network.get_parameter("layers.0.weight").mul_(1.1)
    wrong = replace(
        exporting.WRITERS[".onnx"], write=lambda _, part, weights: onnx_graph(other, part, weights)
    )
    monkeypatch.setitem(exporting.WRITERS, ".onnx", wrong)
    with pytest.raises(ModelError, match=r"nothing written, since .* by \d+ levels"):
        facegan.export_model(model, tmp_path / "a.onnx", example=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("wrong", [1, 5, 32])
def test_one_batch_size_that_is_wrong_is_noticed(wrong: int, tiny_model: Generator) -> None:
    def run(inputs: dict[str, np.ndarray]) -> np.ndarray:
        z = torch.from_numpy(inputs["z"])
        images = tiny_model(z)
        return (images + 2 / 127.5 * (len(z) == wrong)).numpy()

    assert measure_parity(tiny_model, "all", run).levels in (2, 3)


class Untraceable(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if float(x.sum()) > 0 else x * 2


@pytest.mark.parametrize("ending", [".onnx", ".pt2"])
def test_what_cannot_be_traced_is_one_line(ending: str, tmp_path: Path) -> None:
    model = model_of("vanilla")
    model.network.layers = torch.nn.Sequential(*model.network.layers, Untraceable())
    with pytest.raises(ModelError, match="cannot trace the network of family 'vanilla'") as caught:
        facegan.export_model(model, tmp_path / f"a{ending}")
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


def test_packages_that_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find, model = importlib.util.find_spec, model_of("vanilla")
    for name in ("onnxruntime", "onnxscript"):
        monkeypatch.setattr(importlib.util, "find_spec", lambda n, name=name: None if n == name else find(n))
        if name == "onnxruntime":
            done = facegan.export_model(model, tmp_path / "a.onnx")
            assert done.parity is None and "not run: pip install onnxruntime" in str(done)
        else:
            with pytest.raises(InputError, match="needs the package onnxscript: pip install"):
                facegan.export_model(model, tmp_path / "b.onnx")
    assert not (tmp_path / "b.onnx").exists()


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--out", "a.tflite"], "--out a.tflite: the name must end in .onnx or .html or .pt2 or"),
        (["--out", "a.npz", "--part", "map"], "--part map: .npz holds weights alone; choose .onnx or .pt2"),
        (["--out", "a.html", "--part", "map"], "--part map: .html holds both parts; choose .onnx or .pt2"),
        (["--out", "a.html", "--example"], "--example: needs a whole program"),
        (["--out", "a.html", "--directions", "taken.py"], "taken.py"),
        (["--out", "a.onnx", "--directions", "taken.py"], "--directions: .onnx holds none"),
        (["--out", "a.onnx", "--title", "Faces"], "--title: .onnx has no heading"),
        (["--out", "a.pt2", "--weights", "float16"], "--weights float16: .pt2 holds float32"),
        (["--out", "a.pt", "--example"], "--example: needs a whole program"),
        (["--out", "taken.onnx", "--example"], "--example: it would replace taken.py"),
        (["--out", "taken.py/a.npz"], "--out taken.py/a.npz: cannot be written"),
        (
            ["--out", "a.npz", "--labels", "Male"],
            "--out a.npz: datasets are written as .zip; leave out --labels",
        ),
        (["--out", "a.onnx", "--split", "val"], "datasets are written as .zip; leave out --split"),
        (
            ["--out", "a.zip", "--weights", "float16"],
            "--out a.zip: a .zip is made of a dataset; leave out --w",
        ),
        (["--out", "a.zip", "--example"], "a .zip is made of a dataset; leave out --example"),
        (["--out", "a.zip", "--direction", "a-to-b"], "is made of a dataset; leave out --direction"),
    ],
)
def test_mistakes_are_one_line(
    argv: list[str], said: str, tiny_model_file: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("taken.py").write_text("print('mine')\n")
    assert main(["export", str(tiny_model_file), *argv]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["taken.py"]


def test_the_argument_is_named_from_python(tmp_path: Path) -> None:
    with pytest.raises(FaceganError, match=r"^part must be one of all, map, synthesize, not 'w'"):
        facegan.export_model("celeba64", tmp_path / "a.onnx", part="w")


# --- without facegan ----------------------------------------------------------------------------------


def draw(program: Path, seeds: list[int], monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Run an example in this process; the pictures that it writes."""
    source = program.read_text()
    assert "import facegan" not in source and len(source.splitlines()) <= 60
    monkeypatch.setattr(sys, "argv", [str(program), *map(str, seeds)])
    monkeypatch.chdir(program.parent)
    exec(compile(source, str(program), "exec"), {"__file__": str(program)})
    return np.stack([np.asarray(Image.open(f"seed{seed:04d}.png")) for seed in seeds])


@pytest.mark.parametrize(
    "latent",
    [
        Latent("normal", 48),
        Latent("sphere", 100),
        Latent("uniform", 48, std=3**-0.5),
        Latent("uniform", 9),
        Latent("truncated", 48, 0.5, 2.0),
        Latent("normal", 17, 0.5, 2.0),
        Latent("sphere", 7),
    ],
    ids=repr,
)
def test_the_example_without_pytorch_draws_the_same_latents(
    latent: Latent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of torch.randn: in rows of 16 with a rest and without, and one by one below 16."""
    given = []

    class Session:
        def run(self, _: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
            given.append(inputs["z"])
            return [np.zeros((1, 1, 2, 3))]

    fake = SimpleNamespace(InferenceSession=lambda *_, **__: Session())
    monkeypatch.setitem(sys.modules, "onnxruntime", fake)
    model = model_of("vanilla", latent=latent)
    (tmp_path / "faces.py").write_text(example_source(model, "faces.onnx"))
    seeds = [0, 5, 2**33 + 1]
    assert draw(tmp_path / "faces.py", seeds, monkeypatch).shape == (3, 2, 3)
    np.testing.assert_allclose(np.concatenate(given), latent.sample(seeds), rtol=0, atol=1e-5)


def test_the_command_and_its_program_without_facegan_and_pytorch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = model_of("r3gan", labelled=True)
    model.save(tmp_path / "m.safetensors")
    assert main(["export", f"{tmp_path}/m.safetensors", "--out", f"{tmp_path}/a.onnx", "--example"]) == 0
    said = capsys.readouterr()
    assert f"{tmp_path}/a.onnx: an ONNX graph (opset 18), 0.0 MiB\n64 seeds" in said.out and not said.err
    blocked = (
        "import sys, runpy; sys.modules['facegan'] = sys.modules['torch'] = None; runpy.run_path('a.py')"
    )
    subprocess.run([sys.executable, "-c", blocked], cwd=tmp_path, check=True)
    expected = facegan.load(tmp_path / "m.safetensors").sample(1)[0]
    assert levels(np.asarray(Image.open(tmp_path / "seed0000.png")), expected) <= 1


def test_the_example_for_pytorch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of("r3gan", labelled=True)
    (tmp_path / "faces.py").write_text('"""Draw, written by \'facegan export --example\'."""')  # an older one
    done = facegan.export_model(model, tmp_path / "faces.pt2", example=True)
    assert done.parity and done.parity.levels <= 1 and done.example
    assert levels(draw(done.example, [0, 3], monkeypatch), model.sample([0, 3])) <= 1
    about = {"metadata.json": ""}
    torch.export.load(done.path, extra_files=about)
    assert json.loads(about["metadata.json"])["model_hash"] == model.hash
    assert str(Path(facegan.__file__).parent).encode() not in done.path.read_bytes()


def test_weights_alone(tiny_model: Generator, tmp_path: Path) -> None:
    tensors = tiny_model.network.state_dict()
    for weights in ("float32", "float16"):
        for ending in (".pt", ".npz"):
            path = facegan.export_model(tiny_model, tmp_path / f"a{ending}", weights=weights).path
            content = torch.load(path, weights_only=True) if ending == ".pt" else dict(np.load(path))
            assert content.keys() == tensors.keys()
            for name, value in content.items():
                halved = weights == "float16" and tensors[name].is_floating_point()
                expected = tensors[name].half() if halved else tensors[name]
                assert np.array_equal(value, expected) and np.asarray(value).dtype == expected.numpy().dtype


def test_an_exported_model_of_a_delta_holds_the_difference(tiny_model_file: Path, tmp_path: Path) -> None:
    before, delta = facegan.load(tiny_model_file), tmp_path / "delta.safetensors"
    name, tensor = next((n, p) for n, p in before.network.named_parameters() if p.ndim == 1)
    save_delta(delta, before.hash, {f"full/{name}": torch.ones_like(tensor)})
    done = facegan.export_model(f"{tiny_model_file}+{delta}", tmp_path / "a.npz")
    np.testing.assert_allclose(np.load(done.path)[name], tensor + 1, atol=1e-3)
