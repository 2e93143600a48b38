"""Small networks in the layouts of other authors' files, and what they make by the formulas of their papers.

The formulas are written without facegan's layers. Weights are drawn when a formula first asks for them, so
that the formulas also say which there are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

Tensor = torch.Tensor
ROW = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
FIR = torch.outer(ROW, ROW)


class Weights(dict[str, Tensor]):
    """Random tensors by name, drawn when they are first asked for, around ``mean``."""

    def __call__(self, name: str, *shape: int, mean: float = 0.0, std: float = 1.0) -> Tensor:
        if name not in self:
            seed = torch.Generator().manual_seed(len(self))
            self[name] = mean + std * torch.randn(shape, generator=seed)
        return self[name]

    def under(self, prefix: str) -> Callable[..., Tensor]:
        return lambda name, *shape, **how: self(prefix + name, *shape, **how)


def draws(dim: int, label_dim: int = 0) -> tuple[Tensor, Tensor]:
    z = torch.randn(4, dim, generator=torch.Generator().manual_seed(7))
    return z, torch.eye(label_dim)[[0, 1, 1, 0]] if label_dim else torch.zeros(4, 0)


# --- operators -----------------------------------------------------------------------------------------


def unit(x: Tensor) -> Tensor:
    return x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()


def linear(
    t: Callable[..., Tensor], name: str, x: Tensor, out: int, rate: float = 1.0, mean: float = 0.0
) -> Tensor:
    weight = t(f"{name}.weight", out, x.shape[1], std=1 / rate)
    return x @ weight.T * (rate / math.sqrt(x.shape[1])) + t(f"{name}.bias", out, mean=mean / rate) * rate


def act(x: Tensor, clamp: float = 1e9) -> Tensor:
    return (F.leaky_relu(x, 0.2) * math.sqrt(2)).clamp(-clamp, clamp)


def spread(x: Tensor, up: int) -> Tensor:
    """Zeros after each sample."""
    y = x.new_zeros(*x.shape[:2], x.shape[2] * up, x.shape[3] * up)
    y[:, :, ::up, ::up] = x
    return y


def fir(x: Tensor, kernel: Tensor, pad: tuple[int, int]) -> Tensor:
    x = F.pad(x, pad * 2)
    return F.conv2d(x, kernel.flip(0, 1).expand(x.shape[1], 1, *kernel.shape), groups=x.shape[1])


def modulated(
    x: Tensor, weight: Tensor, style: Tensor, convolve: Callable[..., Tensor], norm: bool = True
) -> Tensor:
    """A convolution with its own weights for each picture (Karras et al. 2020, equations 1 and 3)."""
    made = []
    for one, s in zip(x, style, strict=True):
        w = weight * s[None, :, None, None]
        made.append(
            convolve(one[None], w / (w.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt() if norm else w)
        )
    return torch.cat(made)


def same(x: Tensor, w: Tensor) -> Tensor:
    return F.conv2d(x, w, padding=w.shape[-1] // 2)


def doubled(x: Tensor, w: Tensor) -> Tensor:
    return fir(F.conv_transpose2d(x, w.transpose(0, 1), stride=2), FIR * 4, (1, 1))


# --- StyleGAN2, with the names of NVIDIA's code ----------------------------------------------------------


def mapping(t: Callable[..., Tensor], z: Tensor | None, labels: Tensor, w_dim: int, layers: int) -> Tensor:
    x = [] if z is None else [unit(z)]
    if labels.shape[1]:
        x.append(unit(linear(t, "embed", labels, w_dim)))
    w = torch.cat(x, 1)
    for i in range(layers):
        w = act(linear(t, f"fc{i}", w, w_dim, 0.01))
    return w


def stylegan2(weights: Weights, z: Tensor, labels: Tensor, clamp: float) -> Tensor:
    w = mapping(weights.under("mapping."), z, labels, 6, 2)
    weights("mapping.w_avg", 6)
    x, image, width = weights("synthesis.b4.const", 8, 4, 4).expand(len(z), -1, -1, -1), None, 8
    for size, out in ((4, 8), (8, 8), (16, 4)):
        t = weights.under(f"synthesis.b{size}.")
        for conv in ("conv0", "conv1") if size > 4 else ("conv1",):
            style = linear(t, f"{conv}.affine", w, width, mean=1)
            x = modulated(
                x, t(f"{conv}.weight", out, width, 3, 3), style, doubled if conv == "conv0" else same
            )
            x = x + t(f"{conv}.noise_const", size, size) * t(f"{conv}.noise_strength")
            x, width = act(x + t(f"{conv}.bias", out)[:, None, None], clamp), out
        style = linear(t, "torgb.affine", w, width, mean=1) / math.sqrt(width)
        rgb = modulated(x, t("torgb.weight", 3, width, 1, 1), style, same, norm=False)
        rgb = (rgb + t("torgb.bias", 3)[:, None, None]).clamp(-clamp, clamp)
        image = rgb if image is None else fir(spread(image, 2), FIR * 4, (2, 1)) + rgb
    assert image is not None
    return image


def stylegan2_logits(weights: Weights, x: Tensor, labels: Tensor, clamp: float) -> Tensor:
    def conv(name: str, x: Tensor, out: int, k: int, bias: bool = True) -> Tensor:
        weight = weights(f"{name}.weight", out, x.shape[1], k, k) / math.sqrt(x.shape[1] * k * k)
        x = F.conv2d(x, weight, padding=0 if down else k // 2, stride=2 if down else 1)
        return x + weights(f"{name}.bias", out)[:, None, None] if bias else x

    down = False
    x = act(conv("b16.fromrgb", x, 4, 1), clamp)
    for size, out in ((16, 8), (8, 8)):
        y = act(conv(f"b{size}.conv0", x, x.shape[1], 3), clamp)
        down = True
        skip = conv(f"b{size}.skip", fir(x, FIR, (1, 1)), out, 1, bias=False)
        y = act(conv(f"b{size}.conv1", fir(y, FIR, (2, 2)), out, 3), clamp)
        down, x = False, (skip + y) / math.sqrt(2)
    deviation = ((x - x.mean(0)).square().mean(0) + 1e-8).sqrt().mean()
    x = torch.cat([x, deviation.expand(len(x), 1, 4, 4)], 1)
    x = act(conv("b4.conv", x, 8, 3), clamp).flatten(1)
    x = linear(weights, "b4.out", act(linear(weights, "b4.fc", x, 8)), 8 if labels.shape[1] else 1)
    if not labels.shape[1]:
        return x[:, 0]
    return (x * mapping(weights.under("mapping."), None, labels, 8, 2)).sum(1) / math.sqrt(8)


# --- StyleGAN3 -----------------------------------------------------------------------------------------

ALIAS_FREE = ((24, 4), (24, 4), (16, 3))
"""Size and channels of the Fourier features, a layer, and the picture, all at 16 samples a side."""


def stylegan3(weights: Weights, z: Tensor, labels: Tensor, radial: bool) -> Tensor:
    w = mapping(weights.under("mapping."), z, labels, 6, 2)
    weights("mapping.w_avg", 6)
    t = weights.under("synthesis.input.")
    c, s, dx, dy = (v := linear(t, "affine", w, 4, mean=1)).div(v[:, :2].norm(dim=1, keepdim=True)).unbind(1)
    user = t("transform", 3, 3, std=0.3) + torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 0]])
    user = torch.cat([user[:2], torch.tensor([[0.0, 0, 1]])])
    weights["synthesis.input.transform"] = user
    zero, one = torch.zeros_like(c), torch.ones_like(c)
    turn = torch.stack([c, -s, zero, s, c, zero, zero, zero, one], 1).reshape(-1, 3, 3)
    move = torch.stack([one, zero, -dx, zero, one, -dy, zero, zero, one], 1).reshape(-1, 3, 3)
    whole = turn @ move @ user
    freqs, phases = t("freqs", 4, 2), t("phases", 4)
    x = torch.zeros(len(z), 4, 24, 24)
    place = (torch.arange(24) - 11.5) / 16
    points = torch.stack([place.expand(24, 24), place[:, None].expand(24, 24)], 2)
    for n in range(len(z)):
        for channel in range(4):
            f = freqs[channel] @ whole[n, :2, :2]
            wave = torch.sin(2 * math.pi * (points @ f + phases[channel] + freqs[channel] @ whole[n, :2, 2]))
            x[n, channel] = wave * (1 - (f.norm() - 2) / (8 - 2)).clamp(0, 1)
    x = torch.einsum("oc,nchw->nohw", t("weight", 4, 4) / 2, x)
    for index, (size, channels) in enumerate(ALIAS_FREE[1:]):
        last = index == 1
        t = weights.under(f"synthesis.L{index}_{size}_{channels}.")
        style, k = linear(t, "affine", w, x.shape[1], mean=1), 1 if last or radial else 3
        weight, gain = t("weight", channels, x.shape[1], k, k), t("magnitude_ema", mean=1, std=0.1).rsqrt()
        style = style * gain / (math.sqrt(x.shape[1]) if last else 1)

        def full(x: Tensor, w: Tensor, k: int = k) -> Tensor:
            return F.conv2d(x, w, padding=k - 1)

        x = modulated(x, weight, style, full, norm=not last) * (1 if last else gain)
        x = x + t("bias", channels)[:, None, None]
        if last:
            x = x[:, :, 4:-4, 4:-4].clamp(-256, 256)  # 24 samples: the picture's 16 and margins of 4
            continue
        up = t("up_filter", 12, std=0.2)
        up += up.flip(0).clone()
        down = t("down_filter", *((12, 12) if radial else (12,)), std=0.2)
        for axis in range(down.ndim):  # filters are symmetric
            down += down.flip(axis).clone()
        total = (24 - 1) * 2 + 1 - (24 + k - 1) * 2 + 22
        before = (total + 2) // 2
        x = fir(spread(x, 2), torch.outer(up, up) * 4, (before, total - before))
        x = act(x, 256)
        x = fir(x, down if radial else torch.outer(down, down), (0, 0))[:, :, ::2, ::2]
    return x * 0.25


# --- R3GAN ---------------------------------------------------------------------------------------------


def residual(t: Callable[..., Tensor], x: Tensor) -> Tensor:
    n, wide = x.shape[1], 2 * x.shape[1]
    y = F.conv2d(x, t("LinearLayer1.Layer.weight", wide, n, 1, 1))
    y = F.leaky_relu(y + t("NonLinearity1.Bias", wide)[:, None, None], 0.2)
    y = F.conv2d(y, t("LinearLayer2.Layer.weight", wide, 4, 3, 3, std=0.2), padding=1, groups=wide // 4)
    y = F.leaky_relu(y + t("NonLinearity2.Bias", wide)[:, None, None], 0.2)
    return x + F.conv2d(y, t("LinearLayer3.Layer.weight", n, wide, 1, 1, std=0.1))


def r3gan(weights: Weights, z: Tensor, labels: Tensor) -> Tensor:
    t = weights.under("Model.")
    if labels.shape[1]:
        z = torch.cat([z, labels @ t("EmbeddingLayer.weight", 6, labels.shape[1]).T], 1)
    basis = t("MainLayers.0.Layers.0.Basis", 8, 4, 4)
    x = basis * (z @ t("MainLayers.0.Layers.0.LinearLayer.weight", 8, z.shape[1]).T)[:, :, None, None]
    for stage, width in enumerate((8, 8, 4)):
        place = f"Model.MainLayers.{stage}.Layers"
        if stage:
            if width != x.shape[1]:
                x = F.conv2d(x, weights(f"{place}.0.LinearLayer.Layer.weight", width, x.shape[1], 1, 1))
            x = fir(spread(x, 2), FIR * 4, (2, 1))
            weights[f"{place}.0.Resampler.Kernel"] = FIR
        for block in range(1, 3 if stage == 1 else 2):
            x = residual(weights.under(f"{place}.{block}."), x)
    return F.conv2d(x, t("AggregationLayer.Layer.weight", 3, 4, 1, 1, std=0.1))


def r3gan_logits(weights: Weights, x: Tensor, labels: Tensor) -> Tensor:
    t = weights.under("Model.")
    x = F.conv2d(x, t("ExtractionLayer.Layer.weight", 4, 3, 1, 1))
    for stage, width in enumerate((8, 8, 0)):
        place, blocks = f"Model.MainLayers.{stage}.Layers", 2 if stage == 1 else 1
        for block in range(blocks):
            x = residual(weights.under(f"{place}.{block}."), x)
        if width:
            x = fir(x, FIR, (1, 1))[:, :, ::2, ::2]
            weights[f"{place}.{blocks}.Resampler.Kernel"] = FIR
            if width != x.shape[1]:
                x = F.conv2d(
                    x, weights(f"{place}.{blocks}.LinearLayer.Layer.weight", width, x.shape[1], 1, 1)
                )
    x = (x * t("MainLayers.2.Layers.1.Basis.weight", 8, 1, 4, 4)[:, 0]).sum((2, 3))
    count = 8 if labels.shape[1] else 1
    x = x @ t("MainLayers.2.Layers.1.LinearLayer.weight", count, 8).T
    if not labels.shape[1]:
        return x[:, 0]
    return (x * (labels @ t("EmbeddingLayer.weight", 8, labels.shape[1]).T)).sum(1)


# --- lucidrains' ---------------------------------------------------------------------------------------


def blurred(x: Tensor) -> Tensor:
    row = torch.tensor([0.25, 0.5, 0.25])
    x = F.pad(x, (1, 1, 1, 1), mode="reflect")
    return F.conv2d(x, torch.outer(row, row).expand(x.shape[1], 1, 3, 3), groups=x.shape[1])


def dense(t: Callable[..., Tensor], name: str, x: Tensor, out: int) -> Tensor:
    return F.linear(x, t(f"{name}.weight", out, x.shape[1]), t(f"{name}.bias", out))


def normed(t: Callable[..., Tensor], x: Tensor) -> Tensor:
    variance, mean = torch.var_mean(x, 1, unbiased=False, keepdim=True)
    n = x.shape[1]
    return (x - mean) / (variance + 1e-5).sqrt() * t("norm.g", 1, n, 1, 1, mean=1) + t("norm.b", 1, n, 1, 1)


def conv(
    t: Callable[..., Tensor], name: str, x: Tensor, out: int, k: int = 1, bias: bool = True, **how: Any
) -> Tensor:
    inside = x.shape[1] // how.get("groups", 1)
    weight = t(f"{name}.weight", out, inside, k, k, std=1 / math.sqrt(inside * k * k))
    return F.conv2d(x, weight, t(f"{name}.bias", out) if bias else None, padding=k // 2, **how)


def heads(x: Tensor) -> Tensor:
    return x.reshape(len(x), 8, 64, -1)


def linear_attention(t: Callable[..., Tensor], x: Tensor, prefix: str) -> Tensor:
    """8 heads of 64 channels: each pixel's query meets the sum of all keys and values."""
    q = heads(conv(t, f"{prefix}q", x, 512, bias=False)).softmax(2) / 8
    inner = conv(t, f"{prefix}kv.net.0", x, x.shape[1], 3, bias=False, groups=x.shape[1])
    k, v = conv(t, f"{prefix}kv.net.1", inner, 1024, bias=False).chunk(2, 1)
    context = heads(k).softmax(3) @ heads(v).transpose(2, 3)
    found = (q.transpose(2, 3) @ context).transpose(2, 3)
    return F.gelu(found.reshape(len(x), 512, *x.shape[2:]))


def window_attention(t: Callable[..., Tensor], x: Tensor) -> Tensor:
    """Each pixel looks at the 3 x 3 around it; beyond the border there are zeros."""
    n, _, h, w = x.shape
    q = conv(t, "to_q", x, 512, bias=False).reshape(n, 8, 64, h, w)
    k, v = (F.pad(p, (1, 1, 1, 1)).reshape(n, 8, 64, h + 2, w + 2)
            for p in conv(t, "to_kv", x, 1024, bias=False).chunk(2, 1))  # fmt: skip
    places = [(slice(i, i + h), slice(j, j + w)) for i in range(3) for j in range(3)]
    scores = torch.stack([(q * k[..., r, c]).sum(2) / 8 for r, c in places]).softmax(0)
    found = sum(s[:, :, None] * v[..., r, c] for s, (r, c) in zip(scores, places, strict=True))
    return found.reshape(n, 512, h, w)


def stylegan2_pytorch(weights: Weights, z: Tensor, plane: Tensor) -> Tensor:
    """``plane`` is the noise of all pictures, ``H,W`` as facegan keeps it: the original turns it over."""
    w = F.normalize(z, dim=1)
    for i in (0, 2):
        weight, bias = (
            weights(f"SE.net.{i}.{k}", *s, std=5) for k, s in (("weight", (6, 6)), ("bias", (6,)))
        )
        w = F.leaky_relu(F.linear(w, weight * 0.1, bias * 0.1), 0.2)
    x, image = weights("GE.initial_block", 1, 8, 4, 4).expand(len(z), -1, -1, -1), None
    x = conv(weights, "GE.initial_conv", x, 8, 3)
    for i, out in enumerate((8, 4)):
        t = weights.under(f"GE.blocks.{i}.")
        if i:
            a = weights.under("GE.attns.1.0.fn.")
            inner = linear_attention(a, normed(a, x), "fn.to_")
            x = x + conv(a, "fn.to_out", inner, x.shape[1])
            a = weights.under("GE.attns.1.1.fn.")
            inner = F.leaky_relu(conv(a, "fn.0", normed(a, x), 2 * x.shape[1]), 0.2)
            x = x + conv(a, "fn.2", inner, x.shape[1])
            x = F.interpolate(x, scale_factor=2, mode="bilinear")
        side = x.shape[2]
        for k in "12":
            style = dense(t, f"to_style{k}", w, x.shape[1]) + 1
            x = modulated(x, t(f"conv{k}.weight", out, x.shape[1], 3, 3), style, same)
            noise = plane[:side, :side, None] * t(f"to_noise{k}.weight", out, 1)[:, 0] + t(
                f"to_noise{k}.bias", out
            )
            x = F.leaky_relu(x + noise.permute(2, 0, 1), 0.2)
        style = dense(t, "to_rgb.to_style", w, out) + 1
        rgb = modulated(x, t("to_rgb.conv.weight", 3, out, 1, 1), style, same, norm=False)
        image = rgb if image is None else rgb + blurred(F.interpolate(image, scale_factor=2, mode="bilinear"))
        if not i:
            t("to_rgb.upsample.1.f", 3)
    assert image is not None
    return image


def batch_norm(t: Callable[..., Tensor], name: str, x: Tensor) -> Tensor:
    scale, shift, mean = (
        t(f"{name}.{k}", x.shape[1])[:, None, None] for k in ("weight", "bias", "running_mean")
    )
    variance = t(f"{name}.running_var", x.shape[1], mean=1, std=0.1)[:, None, None]
    return (x - mean) / (variance + 1e-5).sqrt() * scale + shift


def lightweight_gan(weights: Weights, z: Tensor, planes: list[Tensor], frequencies: bool) -> Tensor:
    """128 px; ``planes`` is the noise of each layer."""
    x = torch.einsum("nc,cokl->nokl", z, weights("GE.initial_conv.0.weight", 6, 12, 4, 4))
    x = x + weights("GE.initial_conv.0.bias", 12)[:, None, None]
    x = F.normalize(F.glu(batch_norm(weights, "GE.initial_conv.1", x), 1), dim=1)
    gate = torch.ones(())
    for i, out in enumerate((16, 16, 4, 4, 3)):
        t, n = weights.under(f"GE.layers.{i}."), x.shape[1]
        if i == 1:
            a = weights.under(f"GE.layers.{i}.2.")
            inside = normed(a, x)
            f = weights.under(f"GE.layers.{i}.2.fn.")
            both = torch.cat([linear_attention(f, inside, "to_lin_"), window_attention(f, inside)], 1)
            x = x + conv(a, "fn.to_out", both, n)
        x = F.pixel_shuffle(F.silu(conv(t, "0.0.net.0", x, 4 * n)), 2)
        t("0.1.f", 3)
        x = F.conv2d(F.pad(blurred(x), (2, 1, 2, 1)), t("0.2.1.weight", 2 * out, n, 4, 4, std=0.3),
                     t("0.2.1.bias", 2 * out))  # fmt: skip
        x = F.glu(batch_norm(t, "0.4", x + planes[i] * t("0.3.weight", 1)), 1)
        if i == 1:
            seen = x.flatten(2)
            if frequencies:
                seen = (seen * t("1.dct_weights", 1, out, 16, 16).flatten(2)).sum(2)
            else:
                seen = (seen * conv(t, "1.to_k", x, 1).flatten(2).softmax(2)).sum(2)
            inner = F.leaky_relu(conv(t, "1.net.0", seen[:, :, None, None], 3), 0.1)
            gate = conv(t, "1.net.2", inner, 3).sigmoid()
    return conv(weights, "GE.out_conv", x * gate, 3, 3)
