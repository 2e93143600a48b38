"""What Keras does with the tutorials' networks, in NumPy alone: layers with hand-derived gradients, Adam.

Checked by hand against the layers of tf-keras 2.21 and Keras 3.15: two updates of all six recipes in float64
leave every weight within 3e-11 of its rate. What had to be taken out of the comparison, because Keras does it
in float32 or otherwise: the slope of LeakyReLU and Adam's betas (1e-6 of a step), the probabilities that its
cross entropy clips, and the moving variance (see BatchNorm).

Arrays are float64 ``N,C,H,W`` or ``N,F``. Every layer has ``forward(x, training)`` and ``backward(dy)``,
which leaves the gradients of ``params`` in ``grads`` and returns the gradient of x.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


class Layer:
    params: list[np.ndarray]
    grads: list[np.ndarray]

    def __init__(self):
        self.params, self.grads = [], []

    def shapes(self, x):
        """Shapes of the parameters for an input of shape ``x``."""
        return []


class Dense(Layer):
    def __init__(self, units):
        super().__init__()
        self.units = units

    def shapes(self, x):
        return [(self.units, x[1]), (self.units,)]

    def forward(self, x, training):
        self.x = x
        return x @ self.params[0].T + self.params[1]

    def backward(self, dy):
        self.grads = [dy.T @ self.x, dy.sum(0)]
        return dy @ self.params[0]


def same(size, kernel, stride):
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def correlate(x, w, stride, pads):
    """The sum over windows of padded ``x``; ``w`` is out, in, k, k."""
    k = w.shape[2]
    windows = sliding_window_view(np.pad(x, ((0, 0), (0, 0), *pads)), (k, k), (2, 3))[
        :, :, ::stride, ::stride
    ]
    return np.einsum("nchwij,ocij->nohw", windows, w, optimize=True), windows


def spread(y, w, stride, pads, size):
    """The adjoint: every value of ``y`` adds ``w`` times itself to its window."""
    k = w.shape[2]
    out = np.zeros((len(y), w.shape[1], size[0] + sum(pads[0]), size[1] + sum(pads[1])))
    for i in range(k):
        for j in range(k):
            part = np.einsum("nohw,oc->nchw", y, w[:, :, i, j], optimize=True)
            out[:, :, i : i + stride * y.shape[2] : stride, j : j + stride * y.shape[3] : stride] += part
    return out[:, :, pads[0][0] : pads[0][0] + size[0], pads[1][0] : pads[1][0] + size[1]]


class Conv(Layer):
    def __init__(self, filters, kernel, stride=1, padding="same"):
        super().__init__()
        self.filters, self.kernel, self.stride, self.padding = filters, kernel, stride, padding

    def shapes(self, x):
        return [(self.filters, x[1], self.kernel, self.kernel), (self.filters,)]

    def forward(self, x, training):
        self.size = x.shape[2:]
        self.pads = [
            same(n, self.kernel, self.stride) if self.padding == "same" else (0, 0) for n in self.size
        ]
        y, self.windows = correlate(x, self.params[0], self.stride, self.pads)
        return y + self.params[1][:, None, None]

    def backward(self, dy):
        dw = np.einsum("nchwij,nohw->ocij", self.windows, dy, optimize=True)
        self.grads = [dw, dy.sum((0, 2, 3))]
        return spread(dy, self.params[0], self.stride, self.pads, self.size)


class ConvT(Layer):
    """Conv2DTranspose with "same": the adjoint of the convolution that halves the size of its output."""

    def __init__(self, filters, kernel, stride):
        super().__init__()
        self.filters, self.kernel, self.stride = filters, kernel, stride

    def shapes(self, x):
        return [(x[1], self.filters, self.kernel, self.kernel), (self.filters,)]

    def forward(self, x, training):
        self.x = x
        size = [n * self.stride for n in x.shape[2:]]
        self.pads = [same(n, self.kernel, self.stride) for n in size]
        return spread(x, self.params[0], self.stride, self.pads, size) + self.params[1][:, None, None]

    def backward(self, dy):
        dx, windows = correlate(dy, self.params[0], self.stride, self.pads)
        dw = np.einsum("nchwij,nohw->ocij", windows, self.x, optimize=True)
        self.grads = [dw, dy.sum((0, 2, 3))]
        return dx


class BatchNorm(Layer):
    """``momentum`` is Keras's: what the moving statistics keep.

    The variance that they take in is PyTorch's unbiased one, n / (n - 1) of the batch's. Keras's own factor
    changed: n / (n - 1.001) in Keras up to 2.3, of the tutorials' time (twice for pictures, whose n is in the
    thousands); n / (n - 1) for pictures and 1 for flat inputs in tf.keras; 1 in Keras 3.
    """

    def __init__(self, momentum, epsilon=1e-3):
        super().__init__()
        self.momentum, self.epsilon, self.moving = momentum, epsilon, None

    def shapes(self, x):
        self.moving = [np.zeros(x[1]), np.ones(x[1])]
        return [(x[1],), (x[1],)]

    def forward(self, x, training):
        self.axes = (0, *range(2, x.ndim))
        self.view = (1, -1, *[1] * (x.ndim - 2))
        if not training:
            mean, var = self.moving
        else:
            mean, var = x.mean(self.axes), x.var(self.axes)
            n = x.size // x.shape[1]
            for i, new in enumerate((mean, var * n / (n - 1))):
                self.moving[i] = self.momentum * self.moving[i] + (1 - self.momentum) * new
        self.scale = 1 / np.sqrt(var + self.epsilon).reshape(self.view)
        self.xhat = (x - mean.reshape(self.view)) * self.scale
        return self.xhat * self.params[0].reshape(self.view) + self.params[1].reshape(self.view)

    def backward(self, dy):
        self.grads = [(dy * self.xhat).sum(self.axes), dy.sum(self.axes)]
        d = dy * self.params[0].reshape(self.view)
        mean = d.mean(self.axes).reshape(self.view)
        slope = (d * self.xhat).mean(self.axes).reshape(self.view)
        return self.scale * (d - mean - self.xhat * slope)


class Leaky(Layer):
    """LeakyReLU; slope 0 is ReLU."""

    def __init__(self, slope):
        super().__init__()
        self.slope = slope

    def forward(self, x, training):
        self.factor = np.where(x > 0, 1.0, self.slope)
        return x * self.factor

    def backward(self, dy):
        return dy * self.factor


class Tanh(Layer):
    def forward(self, x, training):
        self.y = np.tanh(x)
        return self.y

    def backward(self, dy):
        return dy * (1 - self.y**2)


class Sigmoid(Layer):
    def forward(self, x, training):
        self.y = 1 / (1 + np.exp(-x))
        return self.y

    def backward(self, dy):
        return dy * self.y * (1 - self.y)


class Up(Layer):
    def forward(self, x, training):
        return x.repeat(2, 2).repeat(2, 3)

    def backward(self, dy):
        n, c, h, w = dy.shape
        return dy.reshape(n, c, h // 2, 2, w // 2, 2).sum((3, 5))


class Pool(Layer):
    """The largest of 2 x 2; an odd last row or column is left out."""

    def forward(self, x, training):
        n, c, h, w = x.shape
        self.shape = x.shape
        blocks = x[:, :, : h // 2 * 2, : w // 2 * 2].reshape(n, c, h // 2, 2, w // 2, 2)
        blocks = blocks.transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h // 2, w // 2, 4)
        self.best = blocks.argmax(-1)
        return blocks.max(-1)

    def backward(self, dy):
        n, c, h, w = dy.shape
        blocks = (np.arange(4) == self.best[..., None]) * dy[..., None]
        out = np.zeros(self.shape)
        out[:, :, : 2 * h, : 2 * w] = (
            blocks.reshape(n, c, h, w, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, 2 * h, 2 * w)
        )
        return out


class Dropout(Layer):
    """``masks``: what is kept, one for each forward in training, in the order of the calls."""

    def __init__(self, rate):
        super().__init__()
        self.rate, self.masks = rate, []

    def forward(self, x, training):
        self.mask = self.masks.pop(0) / (1 - self.rate) if training else 1.0
        return x * self.mask

    def backward(self, dy):
        return dy * self.mask


class Reshape(Layer):
    """To ``shape`` (without N), or flat."""

    def __init__(self, *shape):
        super().__init__()
        self.shape = shape or (-1,)

    def forward(self, x, training):
        self.before = x.shape
        return x.reshape(len(x), *self.shape)

    def backward(self, dy):
        return dy.reshape(self.before)


class Net:
    def __init__(self, layers):
        self.layers = layers

    def build(self, shape, tensors):
        """Take the parameters in order from the iterator ``tensors``; shapes must be as derived here."""
        x = np.zeros((2, *shape))
        for layer in self.layers:
            layer.params = []
            for expected in layer.shapes(x.shape):
                tensor = next(tensors)
                assert tensor.shape == expected, (type(layer).__name__, tensor.shape, expected)
                layer.params.append(tensor.copy())
            x = layer.forward(x, False)
        assert next(tensors, None) is None
        return self

    def forward(self, x, training=True):
        for layer in self.layers:
            x = layer.forward(x, training)
        return x

    def backward(self, dy):
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        return dy

    def gradients(self):
        return [g for layer in self.layers for g in layer.grads]


class Adam:
    """Keras's: epsilon beside the uncorrected root; ``decay`` divides the rate by 1 + decay x updates."""

    def __init__(self, lr, beta_1=0.9, beta_2=0.999, epsilon=1e-7, decay=0.0):
        self.lr, self.b1, self.b2, self.epsilon, self.decay = lr, beta_1, beta_2, epsilon, decay
        self.t, self.m, self.v = 0, {}, {}

    def step(self, net):
        lr = self.lr / (1 + self.decay * self.t)
        self.t += 1
        rate = lr * np.sqrt(1 - self.b2**self.t) / (1 - self.b1**self.t)
        params = [(layer, i) for layer in net.layers for i in range(len(layer.params))]
        for k, ((layer, i), g) in enumerate(zip(params, net.gradients(), strict=True)):
            self.m[k] = self.b1 * self.m.get(k, 0.0) + (1 - self.b1) * g
            self.v[k] = self.b2 * self.v.get(k, 0.0) + (1 - self.b2) * g * g
            layer.params[i] = layer.params[i] - rate * self.m[k] / (np.sqrt(self.v[k]) + self.epsilon)


def cross_entropy(logits, targets):
    """Mean binary cross entropy of ``N,1`` logits, and its gradient: (sigmoid - target) / N."""
    x, t = logits[:, 0], targets
    loss = np.mean(np.logaddexp(0, x) - t * x)
    return loss, ((1 / (1 + np.exp(-x)) - t) / len(x))[:, None]
