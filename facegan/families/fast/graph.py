"""The generator of the family ``fast`` as an ONNX graph, written from its weights without PyTorch.

It computes what ``FastGenerator.synthesize`` does, in the form at which ONNX Runtime is quickest. Batch norms
are folded into convolutions. A transposed convolution (4 x 4, stride 2) is four convolutions of 2 x 2, one
for each place in the doubled grid (Shi et al. 2016, section 3). Matrices are convolutions of one pixel, which
each picture goes through alone: its bits do not depend on the batch.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from facegan.families.fast.config import GeneratorConfig
from facegan.families.sampling import SamplingGraph, Weights
from facegan.onnx_writer import GraphWriter

_TAPS = (slice(3, None, -2), slice(2, None, -2))  # of a transposed kernel, for even and odd rows of the grid


def sampling_graph(
    config: GeneratorConfig, image_shape: Sequence[int], z_dim: int, *, arrays: Mapping[str, np.ndarray]
) -> SamplingGraph | None:
    """Return the graph, if there is one; raise ValueError if the weights are not of such a generator."""
    channels, *sides = image_shape
    factor = 2 ** (len(config.widths) - 1) * config.head
    height, width = (side // factor for side in sides)
    if config.excite and (height % 4 or width % 4):
        return None  # the averages over 4 x 4 places overlap
    num_ws = 1 + len(config.widths) * config.style
    writer = _FastWriter(config, Weights(arrays), z_dim, num_ws=num_ws)
    picture = writer.picture(channels, height, width)
    writer.weights.check_all_taken()
    shape: list[int | str] = ["batch", *image_shape]
    return SamplingGraph(writer.graph.content({"images": (picture, shape)}), num_ws, z_dim, True)


class _FastWriter:
    def __init__(self, config: GeneratorConfig, weights: Weights, z_dim: int, *, num_ws: int) -> None:
        self.config, self.weights, self.z_dim, self.num_ws = config, weights, z_dim, num_ws
        self.graph = GraphWriter()
        self.place = (0, 0)  # height and width of the map that a stage is given

    def picture(self, channels: int, height: int, width: int) -> str:
        """Write everything from ``w`` on, through a first map of that size; return the picture's name."""
        graph, widths, head = self.graph, self.config.widths, self.config.head
        first, *styles = self._layers(graph.input("w", ("batch", self.num_ws, self.z_dim)))
        taken = iter(styles or [first] * len(widths))
        size = widths[0] * height * width
        x = self._linear(
            first, self.weights.take("dense.weight", size, self.z_dim), self._bias("dense", size)
        )
        x = graph.node("Reshape", x, self._integers(-1, widths[0], height, width))
        low = x = self._stage(x, "first", next(taken), sizes=(widths[0], widths[0]), number=0)
        for i, sizes in enumerate(itertools.pairwise(widths)):
            self.place = (height << i, width << i)
            x = self._stage(x, f"stages.{i}", next(taken), sizes=sizes, number=i + 1)
        if self.config.excite:
            x = graph.node("Mul", x, self._gate(low, widths[0], widths[-1], side=(height, width)))
        out = channels * head * head
        x = self._conv(x, self.weights.take("out.weight", out, widths[-1], 3, 3), self._bias("out", out))
        x = graph.node("DepthToSpace", x, blocksize=head, mode="CRD") if head > 1 else x
        return graph.node("Tanh", x) if self.config.tanh else x

    def _layers(self, w: str) -> list[str]:
        """Return each layer's w ``N,w_dim,1,1`` with a mean square of 1."""
        graph = self.graph
        mean = graph.node("ReduceMean", graph.node("Mul", w, w), self._integers(2), keepdims=1)
        root = graph.node("Sqrt", graph.node("Add", mean, graph.weight(np.array([1e-8]))))
        w = graph.node("Div", w, root)
        parts = graph.split("Split", [w], self.num_ws, axis=1, num_outputs=self.num_ws)
        return [graph.node("Reshape", part, self._integers(-1, self.z_dim, 1, 1)) for part in parts]

    def _stage(self, x: str, name: str, w: str, *, sizes: tuple[int, int], number: int) -> str:
        cin, cout = sizes
        up = self.config.upsample if number else ""
        wide = cout * 4 if up == "shuffle" else cout
        shape = (cin, cout, 4, 4) if up == "convT" else (wide, cin, 3, 3)
        kernel = self.weights.take(f"{name}.conv.weight", *shape)
        scale, shift = self.weights.batch_norm(f"{name}.norm", cout, affine=not self.config.style)
        if up == "convT":
            x = self._doubled(x, kernel * scale[:, None, None], shift)
        else:
            if up == "nearest":
                x = self._nearest(x)
            # The four channels that a pixel is shuffled out of stand together.
            each = wide // cout
            scale, shift = np.repeat(scale, each), np.repeat(shift, each)
            x = self._conv(x, kernel * scale[:, None, None, None], shift)
            if up == "shuffle":
                x = self.graph.node("DepthToSpace", x, blocksize=2, mode="CRD")
        if self.config.style:
            x = self._styled(x, name, w, width=cout)
        x = self.graph.node("LeakyRelu", x, alpha=0.2)
        for i in range(self.config.blocks[number]):
            x = self._residual(x, f"{name}.blocks.{i}", cout)
        return x

    def _styled(self, x: str, name: str, w: str, *, width: int) -> str:
        matrix = self.weights.take(f"{name}.style.weight", 2 * width, self.z_dim)
        bias = self._bias(f"{name}.style", 2 * width)
        scale = self._linear(w, matrix[:width], bias[:width] + 1)
        shift = self._linear(w, matrix[width:], bias[width:])
        return self.graph.node("Add", self.graph.node("Mul", x, scale), shift)

    def _residual(self, x: str, name: str, width: int) -> str:
        kernels = [self.weights.take(f"{name}.conv{n}.weight", width, width, 3, 3) for n in (1, 2)]
        scale, shift = self.weights.batch_norm(f"{name}.norm", width, affine=True)
        branch = self._conv(x, kernels[0] * scale[:, None, None, None], shift)
        branch = self.graph.node("LeakyRelu", branch, alpha=0.2)
        return self.graph.node("Add", x, self._conv(branch, kernels[1], self._bias(f"{name}.conv2", width)))

    def _gate(self, low: str, cin: int, cout: int, *, side: tuple[int, int]) -> str:
        """Return ``N,cout,1,1`` from 0 to 1, of the lowest maps averaged to 4 x 4."""
        pool = tuple(size // 4 for size in side)
        x = self.graph.node("AveragePool", low, kernel_shape=pool, strides=pool) if pool != (1, 1) else low
        wide, narrow = ((cout, cin, 4, 4), (cout, cout, 1, 1))
        first, last = "excite.gate.1", "excite.gate.3"
        x = self._conv(
            x, self.weights.take(f"{first}.weight", *wide), self._bias(first, cout), pads=(0, 0, 0, 0)
        )
        x = self.graph.node("LeakyRelu", x, alpha=0.1)
        x = self._conv(
            x, self.weights.take(f"{last}.weight", *narrow), self._bias(last, cout), pads=(0, 0, 0, 0)
        )
        return self.graph.node("Sigmoid", x)

    def _doubled(self, x: str, kernel: np.ndarray, shift: np.ndarray) -> str:
        """Return the transposed convolution of ``cin,cout,4,4``, a phase of the doubled grid at a time."""
        (height, width), channels = self.place, kernel.shape[1]
        rows = []
        for row in (0, 1):
            columns = []
            for column in (0, 1):
                part = kernel[:, :, _TAPS[row], :][:, :, :, _TAPS[column]].transpose(1, 0, 2, 3)
                phase = self._conv(x, part, shift, pads=(1 - row, 1 - column, row, column))
                columns.append(self.graph.node("Unsqueeze", phase, self._integers(4)))
            woven = self.graph.node("Concat", *columns, axis=4)
            rows.append(self.graph.node("Reshape", woven, self._integers(-1, channels, height, 1, 2 * width)))
        woven = self.graph.node("Concat", *rows, axis=3)
        return self.graph.node("Reshape", woven, self._integers(-1, channels, 2 * height, 2 * width))

    def _nearest(self, x: str) -> str:
        sizes = self.graph.weight(np.array([1.0, 1.0, 2.0, 2.0]))
        return self.graph.node(
            "Resize",
            x,
            "",
            sizes,
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )

    def _conv(
        self, x: str, kernel: np.ndarray, bias: np.ndarray, *, pads: tuple[int, int, int, int] = (1, 1, 1, 1)
    ) -> str:
        return self.graph.node("Conv", x, self.graph.weight(kernel), self.graph.weight(bias), pads=pads)

    def _linear(self, x: str, matrix: np.ndarray, bias: np.ndarray) -> str:
        return self._conv(x, matrix[:, :, None, None], bias, pads=(0, 0, 0, 0))

    def _bias(self, name: str, width: int) -> np.ndarray:
        return self.weights.take(f"{name}.bias", width)

    def _integers(self, *values: int) -> str:
        return self.graph.weight(np.array(values, np.int64))
