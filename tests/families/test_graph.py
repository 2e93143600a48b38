"""Graphs: each operation against its definition or PyTorch's own layer, and what cannot be is one line."""

from __future__ import annotations

import json

import pytest
import torch
import torch.nn.functional as F
from graphs import small_graph
from torch import nn

import facegan
from facegan.errors import ConfigError, ModelError
from facegan.exchange.graph import Graph
from facegan.families.graph.config import GraphConfig, Node
from facegan.families.graph.networks import MODULES
from facegan.families.graph.ops import OPS, check_graph, check_node
from facegan.generator import Generator

CORNER = {"kernel": [2, 2], "stride": [1, 1], "pads": [0, 1, 0, 1]}
X = torch.randn(2, 4, 6, 5, generator=torch.Generator().manual_seed(0))
X8 = torch.cat([X, X + 1], 1)
Y = torch.randn(2, 4, 1, 5, generator=torch.Generator().manual_seed(1))


def result(op, *inputs, weights=None, **attributes):
    """What a node makes of inputs with a batch; its shape is what was promised."""
    shapes = {f"i{k}": tuple(x.shape[1:]) for k, x in enumerate(inputs)}
    step = check_node(Node(op, "n1", tuple(shapes), attributes), shapes)
    module = MODULES[op](step)
    module.load_state_dict(weights or {})
    with torch.no_grad():
        out = module(*inputs)
    assert (
        out.shape[1:] == step.shape
        and {k: tuple(v.shape) for k, v in (weights or {}).items()} == step.weights
    )
    return out


def drawn(module):
    """A layer of PyTorch's with random statistics, in sampling mode."""
    torch.manual_seed(0)
    for tensor in module.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape) + 0.5)
    return module.eval()


def of(module):
    return {k: v for k, v in module.state_dict().items() if k != "num_batches_tracked"}


def same_as_layer(op, layer, **attributes):
    layer = drawn(layer)
    with torch.no_grad():
        return result(op, X, weights=of(layer), **attributes), layer(X)


def d2s(x, block):
    """TensorFlow's depth_to_space by its definition."""
    n, c, h, w = x.shape
    out = torch.empty(n, c // block**2, h * block, w * block)
    for i in range(block):
        for j in range(block):
            first = (i * block + j) * (c // block**2)
            out[:, :, i::block, j::block] = x[:, first : first + c // block**2]
    return out


CASES = {
    "conv": lambda: same_as_layer("conv", nn.Conv2d(4, 6, 3, 2, 1, groups=2), out=6, kernel=[3, 3],
                                  stride=[2, 2], pads=[1, 1, 1, 1], groups=2),
    "conv, uneven": lambda: (
        result("conv", X, weights={"weight": torch.ones(1, 4, 2, 2)}, out=1, kernel=[2, 2], pads=[0, 1, 0, 1],
               bias=False),
        F.pad(X, (0, 1, 0, 1)).unfold(2, 2, 1).unfold(3, 2, 1).sum((1, 4, 5))[:, None],
    ),
    "conv_transpose": lambda: same_as_layer(
        "conv_transpose", nn.ConvTranspose2d(4, 6, 5, 2, 2, output_padding=1, groups=2), out=6, kernel=[5, 5],
        stride=[2, 2], crops=[2, 1, 2, 1], groups=2),
    "conv_transpose, dilated": lambda: same_as_layer(
        "conv_transpose", nn.ConvTranspose2d(4, 6, 3, 1, 1, dilation=2), out=6, kernel=[3, 3],
        dilation=[2, 2], crops=[1, 1, 1, 1]),
    "linear": lambda: same_as_layer("linear", nn.Linear(5, 7), out=7),
    "batch_norm": lambda: same_as_layer("batch_norm", nn.BatchNorm2d(4, eps=0.1), eps=0.1),
    "instance_norm": lambda: same_as_layer("instance_norm", nn.InstanceNorm2d(4, affine=True)),
    "prelu": lambda: same_as_layer("prelu", nn.PReLU(4)),
    "relu": lambda: (result("relu", X), X.clamp_min(0)),
    "leaky_relu": lambda: (result("leaky_relu", X, slope=0.3), torch.where(X < 0, 0.3 * X, X)),
    "elu": lambda: (result("elu", X, alpha=2), torch.where(X < 0, 2 * (X.exp() - 1), X)),
    "selu": lambda: (result("selu", X), nn.SELU()(X)),
    "sigmoid": lambda: (result("sigmoid", X), 1 / (1 + (-X).exp())),
    "tanh": lambda: (result("tanh", X), (X.exp() - (-X).exp()) / (X.exp() + (-X).exp())),
    "softplus": lambda: (result("softplus", X), (1 + X.exp()).log()),
    "swish": lambda: (result("swish", X), X / (1 + (-X).exp())),
    "gelu": lambda: (result("gelu", X), X * (1 + torch.erf(X / 2**0.5)) / 2),
    "softmax": lambda: (result("softmax", X, axis=0), X.exp() / X.exp().sum(1, keepdim=True)),
    "clip": lambda: (result("clip", X, low=-0.5, high=0.25), X.clamp(-0.5, 0.25)),
    "scale": lambda: (result("scale", X, factor=2, offset=-1), 2 * X - 1),
    "sqrt": lambda: (result("sqrt", X.abs()), X.abs() ** 0.5),
    "exp": lambda: (result("exp", X), X.exp()),
    "reshape": lambda: (result("reshape", X, shape=[5, 24]), X.reshape(2, 5, 24)),
    "flatten": lambda: (result("flatten", X), X.reshape(2, -1)),
    "permute": lambda: (result("permute", X, order=[2, 0, 1]), X.permute(0, 3, 1, 2)),
    "upsample": lambda: (result("upsample", X, factor=[2, 3]),
                         X.repeat_interleave(2, 2).repeat_interleave(3, 3)),
    "upsample, bilinear": lambda: (result("upsample", X, factor=[2, 2], mode="bilinear"),
                                   F.interpolate(X, scale_factor=2, mode="bilinear")),
    "depth_to_space": lambda: (result("depth_to_space", X, block=2), nn.PixelShuffle(2)(X)),
    "depth_to_space, dcr": lambda: (
        result("depth_to_space", X8, block=2, mode="dcr"), d2s(X8, 2)
    ),
    "average_pool": lambda: (result("average_pool", X, kernel=[2, 2], stride=[2, 2]), F.avg_pool2d(X, 2)),
    "average_pool, uneven": lambda: (
        result("average_pool", X, **CORNER)[:, :, -1, -1], X[:, :, -1, -1]
    ),
    "max_pool": lambda: (result("max_pool", X, kernel=[2, 2], stride=[2, 2], pads=[0, 0, 0, 1]),
                         F.max_pool2d(F.pad(X, (0, 1), value=-1e9), 2)),
    "mean": lambda: (result("mean", X, axes=[1, 2]), X.mean((2, 3), keepdim=True)),
    "pad": lambda: (result("pad", X, pads=[1, 2, 3, 4], value=7), F.pad(X, (3, 4, 1, 2), value=7)),
    "pad, reflect": lambda: (result("pad", X, pads=[1, 2, 3, 0], mode="reflect"),
                             F.pad(X, (3, 0, 1, 2), mode="reflect")),
    "slice": lambda: (result("slice", X, axis=1, begin=1, end=5, step=2), X[:, :, 1:5:2]),
    "concat": lambda: (result("concat", X, X[:, :1], axis=0), torch.cat([X, X[:, :1]], 1)),
    "constant": lambda: (result("constant", weights={"value": X[0]}, shape=[4, 6, 5]), X[:1]),
    "add": lambda: (result("add", X, Y), X + Y),
    "add, features": lambda: (result("add", X, Y[:, 0, 0]), X + Y[:, :1, :1]),
    "sub": lambda: (result("sub", X, Y), X - Y),
    "mul": lambda: (result("mul", X, Y), X * Y),
    "div": lambda: (result("div", X, Y), X / Y),
    "matmul": lambda: (result("matmul", X, X.transpose(2, 3)), X @ X.transpose(2, 3)),
}  # fmt: skip


def test_every_operation_has_a_case_and_a_module() -> None:
    assert {name.partition(",")[0] for name in CASES} == set(OPS) == set(MODULES)


@pytest.mark.parametrize("name", CASES)
def test_operation(name: str) -> None:
    found, expected = CASES[name]()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def nodes(*rows):
    return [Node(op, f"n{i}", tuple(inputs), attributes) for i, (op, inputs, attributes) in enumerate(rows)]


MISTAKES = {
    "no such operation": (nodes(("os.system", ["z"], {})), "the operation 'os.system' is unknown"),
    "no such input": (nodes(("relu", ["n7"], {})), "input 'n7' has not been made"),
    "no labels": (nodes(("relu", ["labels"], {})), "input 'labels' has not been made"),
    "a name twice": ([Node("relu", "n0", ("z",)), Node("relu", "n0", ("z",))], "used once"),
    "a module's own name": ([Node("relu", "training", ("z",))], "a name has letters"),
    "a dot": ([Node("relu", "a.0", ("z",))], "a name has letters"),
    "no such attribute": (nodes(("relu", ["z"], {"slope": 1})), "has no attribute 'slope'"),
    "a missing attribute": (nodes(("leaky_relu", ["z"], {})), "needs the attribute 'slope'"),
    "no number": (nodes(("leaky_relu", ["z"], {"slope": float("nan")})), "must be a finite number"),
    "another shape": (nodes(("reshape", ["z"], {"shape": [3, 3, 3]})), "cannot become"),
    "a huge layer": (nodes(("linear", ["z"], {"out": 1 << 30})), "whole number from 1 to"),
    "a huge picture": (
        nodes(("reshape", ["z"], {"shape": [16, 1, 1]}), ("upsample", ["n0"], {"factor": [5000, 5000]})),
        "would have the shape",
    ),
    "many large pictures": (
        nodes(("reshape", ["z"], {"shape": [16, 1, 1]}), ("upsample", ["n0"], {"factor": [2000, 2000]}),
              *[("relu", [f"n{i}"], {}) for i in range(1, 40)]),
        "a picture takes more than",
    ),
    "many weights": (
        nodes(("linear", ["z"], {"out": 1 << 20}), ("linear", ["n0"], {"out": 1 << 20})),
        "has more than 4,294,967,296 weights",
    ),
    "nothing": ([], "a graph of 0 nodes"),
    "a kernel larger than the picture": (
        nodes(("reshape", ["z"], {"shape": [1, 4, 4]}), ("conv", ["n0"], {"out": 1, "kernel": [5, 5]})),
        "would have the shape (1, 0, 0)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_and_allocates_nothing(name: str) -> None:
    given, said = MISTAKES[name]
    with pytest.raises(ConfigError) as error:
        check_graph(given, 16, 0)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_a_graph_lies_in_its_file_as_json(tmp_path) -> None:
    model = small_graph(("smiling",))
    model.save(tmp_path / "m.safetensors", torch.float32)
    again = facegan.load(tmp_path / "m.safetensors")
    assert json.loads(json.dumps(again.meta)) == again.meta and again.meta["family"] == "graph"
    z = model.latent.sample(range(3))
    torch.testing.assert_close(again(z), model(z), rtol=0, atol=0)
    with pytest.raises(ConfigError, match="not a list of nodes"):
        GraphConfig(nodes=({"op": "relu", "exec": "1"},))
    changed = {
        **again.meta,
        "config": {**again.meta["config"], "generator": {"nodes": [{"op": "x", "name": "n1"}]}},
    }
    Generator(model.network, changed).save(tmp_path / "changed.safetensors")
    with pytest.raises(ModelError, match="'x' is unknown"):
        facegan.load(tmp_path / "changed.safetensors")


def test_what_is_no_picture_is_refused_when_it_is_added() -> None:
    graph = Graph(8)
    with pytest.raises(ModelError, match=r"its weights have the shapes"):
        graph.add("linear", graph.z, weights={"weight": torch.zeros(4, 9)}, out=4, bias=False)
    x = graph.add("reshape", graph.z, shape=(2, 2, 2))
    with pytest.raises(ModelError, match="not pictures of one or three channels"):
        graph.finish(x)


def test_uniform_latents_lie_between_their_bounds_and_come_back() -> None:
    model = small_graph()
    z = model.latent.sample(range(500))
    assert -1 <= float(z.min()) < -0.99 and 0.99 < float(z.max()) <= 1
    assert abs(float(z.mean())) < 0.02 and abs(float(z.var()) - 1 / 3) < 0.01
    again = model.latent.shape_normal(model.latent.normal_of(z))
    torch.testing.assert_close(again, z, rtol=0, atol=1e-5)


def test_training_says_that_it_cannot_begin_with_a_graph(tmp_path) -> None:
    from narrow import at_32

    from facegan.training.initialization import create_state

    small_graph().save(tmp_path / "m.safetensors")
    config = at_32("dcgan", init=str(tmp_path / "m.safetensors"))
    with pytest.raises(ConfigError, match=r"--init .*m\.safetensors: a model of another program"):
        create_state(config, (3, 32, 32), torch.device("cpu"))
