"""ONNX graphs as exporters write them, narrow, made by onnx.helper."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

RNG = np.random.default_rng(0)
Array = np.ndarray


def drawn(*shape: int) -> Array:
    return (RNG.normal(size=shape) * 0.5).astype(np.float32)


class Maker:
    """Adds nodes to a graph, each called by its operation; returns names."""

    def __init__(self, opset: int = 18, z: tuple[Any, ...] = ("batch", 6)) -> None:
        self.opset = opset
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.inputs = [helper.make_tensor_value_info("z", TensorProto.FLOAT, z)]

    def hold(self, value: Any) -> str:
        self.weights.append(numpy_helper.from_array(np.asarray(value), f"w{len(self.weights)}"))
        return str(self.weights[-1].name)

    def add(self, op: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
        names = [name if isinstance(name, str) else self.hold(name) for name in inputs]
        made = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, names, made, **attributes))
        return made[0] if outputs == 1 else made

    def finish(self, output: str, **metadata: str) -> ModelProto:
        out = helper.make_tensor_value_info(output, TensorProto.FLOAT, [None] * 4)
        graph = helper.make_graph(self.nodes, "g", self.inputs, [out], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        helper.set_model_props(model, metadata)
        return model


def ints(*values: int) -> Array:
    return np.array(values, np.int64)


def norm(count: int) -> list[Array]:
    return [drawn(count) + 1, drawn(count), drawn(count), np.abs(drawn(count)) + 0.5]


def torchlike() -> ModelProto:
    """Shapes computed from z's, as torch writes x.view(x.size(0), -1, 4, 4); constants as nodes."""
    g = Maker()
    x = g.add("Gemm", "z", drawn(48, 6), drawn(48), transB=1, alpha=0.5)
    batch = g.add("Gather", g.add("Shape", "z"), np.int64(0))
    rest = g.add("Constant", value=numpy_helper.from_array(ints(-1, 4, 4)))
    x = g.add("Reshape", x, g.add("Concat", g.add("Unsqueeze", batch, ints(0)), rest, axis=0))
    x = g.add("LeakyRelu", g.add("BatchNormalization", x, *norm(3), epsilon=0.01), alpha=0.2)
    x = g.add(
        "ConvTranspose",
        x,
        drawn(3, 4, 5, 5),
        drawn(4),
        strides=[2, 2],
        pads=[2, 2, 2, 2],
        output_padding=[1, 1],
    )
    x = g.add("InstanceNormalization", x, drawn(4) + 1, drawn(4))
    x = g.add("Conv", g.add("PRelu", x, drawn(4, 1, 1)), drawn(12, 2, 3, 3), group=2, pads=[1, 0, 1, 2])
    x = g.add("DepthToSpace", x, blocksize=2, mode="CRD")
    return g.finish(g.add("Tanh", x))


def channels_last() -> ModelProto:
    """What tf2onnx writes: channels last between transposes, a picture in [0, 1]; z is (1, 1, 6)."""
    g = Maker(opset=13, z=("batch", 1, 1, 6))
    x = g.add("MatMul", g.add("Reshape", "z", ints(-1, 6)), drawn(6, 32))
    x = g.add("Add", g.add("Reshape", x, ints(-1, 4, 4, 2)), drawn(2))
    x = g.add("Transpose", x, perm=[0, 3, 1, 2])
    x = g.add("Conv", x, drawn(4, 2, 5, 5), strides=[2, 2], auto_pad="SAME_UPPER")
    scales = np.array([1, 1, 4, 2], np.float32)
    x = g.add(
        "Resize",
        x,
        "",
        scales,
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    x = g.add(
        "ConvTranspose", x, drawn(4, 3, 5, 5), strides=[1, 2], output_shape=[8, 8], auto_pad="SAME_UPPER"
    )
    x = g.add("Add", x, drawn(1, 3, 1, 1))
    x = g.add("Transpose", g.add("Relu", x), perm=[0, 2, 3, 1])
    return g.finish(g.add("Sigmoid", x))


def normalised() -> ModelProto:
    """ProGAN's ways: a normalised latent, pixel norm, enlarging by Tile, weights that are computed."""
    g = Maker()
    mean = g.add("ReduceMean", g.add("Mul", "z", "z"), ints(1), keepdims=1)
    z = g.add("Mul", "z", g.add("Reciprocal", g.add("Sqrt", g.add("Add", mean, np.float32(1e-8)))))
    weight = g.add("Mul", g.add("Transpose", drawn(32, 6), perm=[1, 0]), np.float32(1.5))
    x = g.add("Reshape", g.add("MatMul", z, weight), ints(0, 8, 2, -1))
    root = g.add("Sqrt", g.add("ReduceMean", g.add("Pow", x, np.float32(2)), ints(1)))
    x = g.add("Div", x, g.add("Max", root, np.float32(1e-4)))
    x = g.add("Tile", g.add("Reshape", x, ints(-1, 8, 2, 1, 2, 1)), ints(1, 1, 1, 2, 1, 2))
    plane = g.add("Expand", drawn(1, 1, 4, 1), ints(1, 1, 4, 4))  # a constant beside each picture
    x = g.add("Mul", g.add("Reshape", x, ints(-1, 8, 4, 4)), plane)
    left, right = g.add("Split", x, ints(3, 5), axis=1, outputs=2)
    right = g.add("Slice", right, ints(-4), ints(2**62), ints(1), ints(1))
    right = g.add("Gather", right, ints(1, 2, 3), axis=1)
    x = g.add("Sub", np.float32(0.3), g.add("Mul", left, g.add("Neg", right)))
    batch = g.add("Slice", g.add("Shape", "z"), ints(0), ints(1), ints(0))
    x = g.add("Resize", x, "", "", g.add("Concat", batch, ints(3, 8, 8), axis=0), mode="linear")
    x = g.add("Pad", x, ints(0, 0, 1, 0, 0, 0, 0, 1), np.float32(0.5))
    return g.finish(g.add("Clip", x, np.float32(-1), np.float32(1)))


def conditional() -> ModelProto:
    """Numbers of classes, looked up in a table, times z."""
    g = Maker()
    g.inputs.append(helper.make_tensor_value_info("label", TensorProto.INT64, ("batch", 1)))
    row = g.add("Squeeze", g.add("Gather", drawn(3, 6) + 1, "label"), ints(1))
    x = g.add("Gemm", g.add("Concat", "z", g.add("Mul", "z", row), axis=-1), drawn(12, 16))
    x = g.add("Reshape", g.add("Unsqueeze", x, ints(1)), ints(-1, 1, 4, 4))
    return g.finish(g.add("Tanh", x))


GRAPHS = {
    "torch": torchlike,
    "tf2onnx": channels_last,
    "ProGAN": normalised,
    "conditional": conditional,
}
