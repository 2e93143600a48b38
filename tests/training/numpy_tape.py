"""Gradients in NumPy alone: values remember how they were made, and go backwards through it.

Arrays are float64 ``N,C,H,W``. Convolutions use the loops of ``keras_numpy``.
"""

from __future__ import annotations

from collections.abc import Callable

import keras_numpy as k
import numpy as np


class Value:
    """An array, with what it was made of: for each parent, the gradient that it gets of this value's."""

    def __init__(self, data, parents=()):
        self.data = np.asarray(data, np.float64)
        self.parents: list[tuple[Value, Callable]] = list(parents)
        self.grad = np.zeros_like(self.data)

    def __add__(self, other):
        if not isinstance(other, Value):
            return Value(self.data + other, [(self, lambda g: g)])
        return Value(self.data + other.data, [(self, lambda g: g), (other, lambda g: g)])

    def __mul__(self, number):
        return Value(self.data * number, [(self, lambda g: g * number)])

    def __sub__(self, other):
        return self + (other * -1 if isinstance(other, Value) else -other)

    __rmul__, __radd__ = __mul__, __add__

    def backward(self):
        """Add the gradient of this number to the ``grad`` of all that it was made of."""
        order, seen = [], set()

        def visit(value):
            if id(value) not in seen:
                seen.add(id(value))
                for parent, _ in value.parents:
                    visit(parent)
                order.append(value)

        visit(self)
        for value in order[:-1]:
            if value.parents:
                value.grad = np.zeros_like(value.data)
        self.grad = np.ones_like(self.data)
        for value in reversed(order):
            for parent, gradient in value.parents:
                parent.grad = parent.grad + gradient(value.grad)

    def detached(self):
        return Value(self.data)


def conv(x, w, b=None, *, stride=1, pad=0):
    """``w`` is out, in, k, k."""
    pads = ((pad, pad), (pad, pad))
    y, windows = k.correlate(x.data, w.data, stride, pads)
    parents = [
        (x, lambda g: k.spread(g, w.data, stride, pads, x.data.shape[2:])),
        (w, lambda g: np.einsum("nohw,nchwij->ocij", g, windows, optimize=True)),
    ]
    if b is None:
        return Value(y, parents)
    return Value(y + b.data[:, None, None], [*parents, (b, lambda g: g.sum((0, 2, 3)))])


def conv_transposed(x, w, b=None, *, stride=2, pad=1, more=0):
    """``w`` is in, out, k, k; ``more`` rows and columns at the end."""
    pads = ((pad, pad), (pad, pad))
    size = [(n - 1) * stride - 2 * pad + w.data.shape[2] + more for n in x.data.shape[2:]]
    y = k.spread(x.data, w.data, stride, pads, size)
    parents = [
        (x, lambda g: k.correlate(g, w.data, stride, pads)[0]),
        (
            w,
            lambda g: np.einsum(
                "nohw,nchwij->ocij", x.data, k.correlate(g, w.data, stride, pads)[1], optimize=True
            ),
        ),
    ]
    if b is None:
        return Value(y, parents)
    return Value(y + b.data[:, None, None], [*parents, (b, lambda g: g.sum((0, 2, 3)))])


def norm(x, axes, eps=1e-5):
    """Subtract the mean over ``axes``, and divide by the root of variance + ``eps``."""
    centred = x.data - x.data.mean(axes, keepdims=True)
    scale = 1 / np.sqrt((centred**2).mean(axes, keepdims=True) + eps)
    y = centred * scale

    def gradient(g):
        return scale * (g - g.mean(axes, keepdims=True) - y * (g * y).mean(axes, keepdims=True))

    return Value(y, [(x, gradient)])


def affine(x, weight, bias):
    """Scale and shift channels."""
    return Value(
        x.data * weight.data[:, None, None] + bias.data[:, None, None],
        [
            (x, lambda g: g * weight.data[:, None, None]),
            (weight, lambda g: (g * x.data).sum((0, 2, 3))),
            (bias, lambda g: g.sum((0, 2, 3))),
        ],
    )


def leaky(x, slope=0.0):
    factor = np.where(x.data > 0, 1.0, slope)
    return Value(x.data * factor, [(x, lambda g: g * factor)])


def tanh(x):
    y = np.tanh(x.data)
    return Value(y, [(x, lambda g: g * (1 - y**2))])


def times(x, mask):
    return Value(x.data * mask, [(x, lambda g: g * mask)])


def joined(a, b):
    """Channels of both."""
    n = a.data.shape[1]
    return Value(np.concatenate([a.data, b.data], 1), [(a, lambda g: g[:, :n]), (b, lambda g: g[:, n:])])


def reflected(x, pad):
    """Borders mirrored without the edge."""
    rows = np.pad(np.arange(x.data.shape[2]), pad, "reflect")
    columns = np.pad(np.arange(x.data.shape[3]), pad, "reflect")

    def gradient(g):
        out = np.zeros_like(x.data)
        np.add.at(out, (slice(None), slice(None), rows[:, None], columns[None]), g)
        return out

    return Value(x.data[:, :, rows[:, None], columns[None]], [(x, gradient)])


def softplus_mean(x, sign):
    """The mean of log(1 + exp(sign x))."""
    y = np.logaddexp(0, sign * x.data)
    slope = sign / (1 + np.exp(-sign * x.data)) / y.size
    return Value(y.mean(), [(x, lambda g: g * slope)])


def square_mean(x, target):
    """The mean of (x - target)^2."""
    return Value(((x.data - target) ** 2).mean(), [(x, lambda g: g * 2 * (x.data - target) / x.data.size)])


def difference(x, target):
    """The mean absolute difference from an array."""
    return Value(np.abs(x.data - target).mean(), [(x, lambda g: g * np.sign(x.data - target) / x.data.size)])


class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1)."""

    def __init__(self, params, beta1=0.5, beta2=0.999, eps=1e-8):
        self.params, self.betas, self.eps, self.t = params, (beta1, beta2), eps, 0
        self.m, self.v = ([np.zeros_like(p.data) for p in params] for _ in range(2))

    def zero(self):
        for p in self.params:
            p.grad = np.zeros_like(p.data)

    def step(self, lr):
        self.t += 1
        (b1, b2), t = self.betas, self.t
        for i, p in enumerate(self.params):
            self.m[i] = b1 * self.m[i] + (1 - b1) * p.grad
            self.v[i] = b2 * self.v[i] + (1 - b2) * p.grad**2
            p.data = p.data - lr * (self.m[i] / (1 - b1**t)) / (np.sqrt(self.v[i] / (1 - b2**t)) + self.eps)
