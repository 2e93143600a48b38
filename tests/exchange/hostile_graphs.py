"""Made-up hostile and damaged files of Keras and ONNX. Nothing here runs; payloads name a marker."""

from __future__ import annotations

import copy
import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from keras_files import (
    LAYERS,
    WEIGHTS,
    Z,
    counted_bytes,
    functional,
    layer,
    named,
    sequential,
    write_h5,
    write_keras,
)
from onnx import ModelProto, TensorProto, helper
from onnx_files import Maker, drawn, ints, torchlike

Files = Iterator[tuple[str, bytes]]
H = 1 << 40


def made(write: Callable[[Path], None]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "g"
        write(path)
        return path.read_bytes()


def h5(config: Any = None, change: Callable[[h5py.File], None] | None = None) -> bytes:
    """A good ``.h5`` with another configuration, or changed."""

    def write(path: Path) -> None:
        write_h5(path, sequential() if config is None else config, named())
        if change is not None:
            with h5py.File(path, "a") as file:
                change(file)

    return made(write)


def archive(config: Any, content: bytes | None = None) -> bytes:
    return made(lambda path: write_keras(path, config, content or counted_bytes({"": WEIGHTS})))


def with_layer(place: int, **config: Any) -> dict[str, Any]:
    layers = copy.deepcopy(LAYERS)
    layers[place]["config"].update(config)
    return sequential(layers)


NETWORKS: dict[str, Any] = {
    "a Lambda": sequential(
        [*LAYERS, layer("Lambda", function={"class_name": "__lambda__", "config": "4wAAAA=="})]
    ),
    "a function": with_layer(0, activation={"class_name": "function", "config": "system", "module": "os"}),
    "a module": sequential(
        [{"module": "os", "class_name": "system", "config": {"name": "touch marker"}}, *LAYERS]
    ),
    "huge units": with_layer(0, units=H),
    "negative units": with_layer(0, units=-1),
    "no units": with_layer(0, units=None),
    "huge filters": with_layer(4, filters=1 << 23),
    "huge strides": with_layer(4, strides=[1 << 20, 1 << 20]),
    "no strides": with_layer(9, strides=[0, 0]),
    "a huge kernel": with_layer(9, kernel_size=[1 << 20, 1 << 20]),
    "a huge size": with_layer(8, size=[1 << 20, 1 << 20]),
    "no size": with_layer(8, size=[0, 0]),
    "a text for a number": with_layer(3, alpha="0.2"),
    "NaN": with_layer(3, alpha=float("nan")),
    "a deep number": with_layer(3, alpha={"value": {"value": {"value": {"value": 1}}}}),
    "another target": with_layer(1, target_shape=[-1, -1, 3]),
    "no target": with_layer(1, target_shape=[0, -1]),
    "an axis": with_layer(2, axis=[7]),
    "axes": with_layer(2, axis=[1, 2, 3]),
    "an infinite eps": with_layer(2, epsilon=1e999),
    "a huge latent": with_layer(0, batch_input_shape=[None, H]),
    "no latent": with_layer(0, batch_input_shape=[None, 0]),
    "names that climb": sequential(
        [layer("Dense", "../../etc", units=48, batch_input_shape=[None, Z]), *LAYERS[1:]]
    ),
    "many layers": sequential([LAYERS[0], *[layer("ReLU", f"r{i}") for i in range(5000)]]),
    "many copies": sequential(
        [*LAYERS[:4], *[layer("UpSampling2D", f"u{i}", size=[2, 2]) for i in range(30)]]
    ),
    "no layers": sequential([]),
    "a text of layers": {"class_name": "Sequential", "config": {"layers": "abc"}},
    "layers of numbers": sequential([1, None, [], "x"]),
    "a list": [],
    "a number": 7,
    "a Graph": {"class_name": "Graph", "config": {"layers": {}}},
}


def _circle() -> dict[str, Any]:
    config = functional()
    layers = config["config"]["layers"]
    layers[-2]["inbound_nodes"] = [[[layers[0]["name"], 0, 0, {}]]]
    return config


def _nested(depth: int) -> dict[str, Any]:
    inner = sequential()
    for _ in range(depth):
        inner = sequential([inner])
    return inner


def _laughs() -> dict[str, Any]:
    """Each model calls the one within twice."""
    inner = sequential([layer("ReLU", batch_input_shape=[None, Z])])
    for _ in range(11):
        inner = sequential([inner, copy.deepcopy(inner)])
    return inner


def _absent(config: dict[str, Any], *ref: Any) -> dict[str, Any]:
    config["config"]["output_layers"] = [list(ref)]
    return config


# What facegan's own member of the archive may claim.
ABOUT = {
    "no JSON": "\0",
    "a list": "[1]",
    "deep": '{"facegan": "1", "latent": ' + "[" * 100_000,
    "deep inside": json.dumps({"facegan": "1", "latent": "[" * 100_000}),
    "another kind": json.dumps({"facegan": "1", "latent": '{"kind": ["x"], "dim": 6}'}),
    "no numbers": json.dumps({"facegan": "1", "latent": '{"kind": "normal", "dim": 6, "std": NaN}'}),
    "huge": json.dumps({"facegan": "1", "latent": '{"kind": "normal", "dim": 6, "mean": 1e999}'}),
    "tables": json.dumps({"facegan": {"a": [1]}, "latent": {"kind": {}}, "licence": [[]], "labels": {}}),
}


def _said(text: str) -> bytes:
    buffer = io.BytesIO(archive(sequential()))
    with zipfile.ZipFile(buffer, "a") as file:
        file.writestr("facegan-model.json", text)
    return buffer.getvalue()


def keras_networks() -> Files:
    for name, config in NETWORKS.items():
        yield f"h5, {name}", h5(config)
        yield f"keras, {name}", archive(config)
    for name, text in ABOUT.items():
        yield f"about, {name}", _said(text)
    yield "a circle", h5(_circle())
    yield "deep models", archive(_nested(40))
    yield "models within models, each twice", archive(_laughs())
    yield "no such output", h5(_absent(functional(), "nothing", 0, 0))
    yield "no such call", h5(_absent(functional(), LAYERS[-1]["config"]["name"], 7, 0))
    yield "a huge call", h5(_absent(functional(), LAYERS[-1]["config"]["name"], H, H))
    yield "deep JSON", archive("[" * 200_000)
    yield "deep tables", archive('{"a":' * 100_000)
    yield "long numbers", archive('{"a":' + "9" * 100_000 + "}")
    yield "much JSON", archive('{"class_name":"Sequential","config":{"layers":[' + "{}," * 200_000 + "{}]}}")


def _replace(file: h5py.File, name: str, value: Any) -> None:
    del file[name]
    file[name] = value


KERNEL = "model_weights/first/first/kernel:0"
CHANGES: dict[str, Callable[[h5py.File], None]] = {
    "an external link": lambda f: _replace(f, KERNEL, h5py.ExternalLink("/etc/hostname", "/x")),
    "an external group": lambda f: _replace(f, "model_weights", h5py.ExternalLink("/proc/self/mem", "/x")),
    "a soft link": lambda f: _replace(f, KERNEL, h5py.SoftLink("/model_weights/last/last/kernel:0")),
    "a soft link to itself": lambda f: _replace(f, KERNEL, h5py.SoftLink(f"/{KERNEL}")),
    "references": lambda f: _replace(f, KERNEL, np.array([f.ref] * 9, h5py.ref_dtype)),
    "a group in itself": lambda f: f["model_weights/first"].__setitem__("again", f["model_weights"]),
    "texts": lambda f: _replace(f, KERNEL, np.array(["a"] * 9, h5py.string_dtype())),
    "whole numbers": lambda f: _replace(f, KERNEL, np.zeros((Z, 48), np.int64)),
    "not finite": lambda f: _replace(f, KERNEL, np.full((Z, 48), np.inf, np.float32)),
    "a configuration of numbers": lambda f: f.attrs.__setitem__("model_config", np.arange(9)),
    "configurations": lambda f: f.attrs.__setitem__("model_config", [b"a", b"b"]),
    "no configuration": lambda f: f.attrs.__setitem__("model_config", b"{"),
    "a configuration of references": lambda f: f.attrs.__setitem__("model_config", f.ref),
    "many groups": lambda f: [f["model_weights/first"].create_group(f"g{i}") for i in range(3000)] and None,
}


def _declared(file: h5py.File, **more: Any) -> None:
    del file[KERNEL]
    file["model_weights/first/first"].create_dataset("kernel:0", dtype=np.float32, **more)


DECLARED: dict[str, dict[str, Any]] = {
    "never written": {"shape": (Z, 48)},
    "a huge shape": {"shape": (H, H)},
    "nothing": {"shape": (0, 48)},
    "chunks": {"shape": (Z, 48), "chunks": (2, 2)},
    "huge chunks": {"shape": (Z, 48), "chunks": (1 << 14, 1 << 14), "maxshape": (None, None)},
    "gzip": {"shape": (Z, 48), "compression": "gzip"},
    "external storage": {"shape": (Z, 48), "external": [("/etc/hostname", 0, Z * 48 * 4)]},
    "an empty dataset": {"data": h5py.Empty("f")},
}


def hdf5() -> Files:
    for name, change in CHANGES.items():
        yield name, h5(change=change)
    for name, more in DECLARED.items():
        yield f"a dataset, {name}", h5(change=lambda f, more=more: _declared(f, **more))
    layout = h5py.VirtualLayout((Z, 48), np.float32)
    layout[:] = h5py.VirtualSource("/etc/hostname", "x", (Z, 48))
    yield (
        "a virtual dataset",
        h5(
            change=lambda f: (
                f.pop(KERNEL),
                f["model_weights/first/first"].create_virtual_dataset("kernel:0", layout),
            )
        ),
    )
    yield "keras, no HDF5", archive(sequential(), b"\x89HDF\r\n\x1a\n" + bytes(999))
    yield "keras, a zip within", archive(sequential(), archive(sequential()))


def _proto(change: Callable[[ModelProto], Any]) -> bytes:
    proto = torchlike()
    change(proto)
    return proto.SerializeToString()


def _tensor(**fields: Any) -> bytes:
    def change(proto: ModelProto) -> None:
        tensor = proto.graph.initializer[0]
        for key, value in fields.items():
            if isinstance(value, list):
                tensor.ClearField(key)
                getattr(tensor, key).extend(value)
            else:
                setattr(tensor, key, value)

    return _proto(change)


def _external(proto: ModelProto) -> None:
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "/etc/hostname"), ("offset", "0"), ("length", "9")):
        tensor.external_data.add(key=key, value=value)


def _chain(op: str, *inputs: Any, times: int = 1, **more: Any) -> bytes:
    """A constant to which an operation is applied again and again, beside z."""
    g = Maker()
    x = g.hold(inputs[0])
    for _ in range(times):
        x = g.add(op, x, *inputs[1:], **more)
    return g.finish(g.add("Tanh", g.add("Add", "z", x))).SerializeToString()


def _doubling() -> bytes:
    g = Maker()
    x = g.hold(drawn(1, 1 << 10))
    for _ in range(60):
        x = g.add("Concat", x, x, axis=1)
    return g.finish(g.add("Tanh", g.add("Add", "z", x))).SerializeToString()


def _function(proto: ModelProto) -> None:
    node = helper.make_node("F", ["a"], ["b"], domain="mine")
    made = helper.make_function("mine", "F", ["a"], ["b"], [node], [helper.make_opsetid("", 18)])
    proto.functions.append(made)


def onnx_graphs() -> Files:
    yield "weights elsewhere", _proto(_external)
    yield "a function that calls itself", _proto(_function)
    yield "another library's operation", _proto(lambda p: setattr(p.graph.node[0], "domain", "com.microsoft"))
    yield "a huge shape", _tensor(dims=[H, H])
    yield "a negative shape", _tensor(dims=[-1, 6])
    yield "many axes", _tensor(dims=[1] * 3000)
    yield "texts", _tensor(data_type=8)
    yield "an unknown type", _tensor(data_type=999)
    yield "four bits", _tensor(data_type=22)
    yield "a name of paths", _tensor(name="../../etc/passwd")
    yield "no inputs", _proto(lambda p: p.graph.ClearField("input"))
    yield (
        "a huge latent",
        _proto(lambda p: setattr(p.graph.input[0].type.tensor_type.shape.dim[1], "dim_value", H)),
    )
    yield (
        "a node's own output",
        _proto(lambda p: p.graph.node[0].input.__setitem__(0, p.graph.node[0].output[0])),
    )
    yield "nodes backwards", _proto(lambda p: p.graph.node.sort(key=lambda n: n.output[0], reverse=True))
    yield "no attributes", _proto(lambda p: [n.ClearField("attribute") for n in p.graph.node])
    yield "no inputs of nodes", _proto(lambda p: [n.ClearField("input") for n in p.graph.node])
    yield "no outputs", _proto(lambda p: [n.ClearField("output") for n in p.graph.node])
    yield "one output for all", _proto(lambda p: [n.output.__setitem__(0, "x") for n in p.graph.node])
    yield "many nodes", _proto(lambda p: p.graph.node.extend([p.graph.node[0]] * 25_000))
    yield "an array without end", _chain("ConstantOfShape", ints(1 << 20, 1 << 20))
    yield "a negative array", _chain("ConstantOfShape", ints(-5))
    yield "a range without end", _chain("Range", np.int64(0), np.int64(H), np.int64(1))
    yield "a range of steps of 0", _chain("Range", np.int64(0), np.int64(9), np.int64(0))
    yield "a large expansion", _chain("Expand", drawn(1, 1), ints(1 << 30, 1 << 30))
    yield "many tiles", _chain("Tile", drawn(1, 6), ints(1, 1 << 40))
    yield "negative tiles", _chain("Tile", drawn(1, 6), ints(-1, -1))
    yield "doubling", _doubling()
    yield "many constants", _chain("Mul", drawn(1 << 10, 1 << 10), drawn(1), times=400)
    yield "a power", _chain("Pow", drawn(1, 6), np.float32(1e30))
    yield "division by 0", _chain("Div", ints(1, 2), ints(0, 0))
    yield "axes", _chain("Unsqueeze", drawn(1, 6), ints(*range(40)))
    yield "metadata", torchlike_with(facegan="1", latent="[" * 10_000, labels='{"a": 1}')
    yield (
        "a latent of text",
        torchlike_with(facegan="1", latent='{"kind": "os.system", "dim": 6, "mean": "x"}'),
    )


def torchlike_with(**metadata: str) -> bytes:
    proto = torchlike()
    helper.set_model_props(proto, metadata)
    return proto.SerializeToString()


def damaged_graphs() -> Files:
    """Good files, cut short and with bits flipped at places fixed by their number."""
    buffer = io.BytesIO()
    buffer.write(archive(sequential()))
    whole = {"h5": h5(), "keras": buffer.getvalue(), "onnx": torchlike().SerializeToString()}
    for kind, content in whole.items():
        yield f"good {kind}", content
        rng = np.random.default_rng(len(kind))
        for i in range(12):
            yield f"{kind}, cut {i}", content[: len(content) * i // 12]
        for i in range(40):
            raw = np.frombuffer(content, np.uint8).copy()
            places = rng.integers(0, len(raw) if i % 2 else min(len(raw), 3000), rng.integers(1, 8))
            raw[places] ^= 1 << rng.integers(0, 8, len(places)).astype(np.uint8)
            yield f"{kind}, flipped {i}", raw.tobytes()


MAKERS: dict[str, Callable[[], Files]] = {
    "Keras": keras_networks,
    "HDF5": hdf5,
    "ONNX": onnx_graphs,
    "damaged graphs": damaged_graphs,
}
