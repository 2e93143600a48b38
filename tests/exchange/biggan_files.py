"""BigGAN's generators written anew from their published code, and files of their weights."""

import itertools
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F

CLASSES, TOLD, CHUNK = 3, 6, 4


class Drawn(dict):
    """Weights by name, drawn when they are first asked for."""

    def get_or(self, name: str, *shape: int, positive: bool = False) -> torch.Tensor:
        if name not in self:
            fan = max(1, torch.Size(shape[1:]).numel())
            self[name] = torch.rand(shape) + 0.5 if positive else torch.randn(shape) / fan**0.5
        return self[name]


def draws(z_dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.randn(5, z_dim), torch.eye(CLASSES)[[0, 1, 2, 0, 1]]


# --- ajbrock/BigGAN-PyTorch: layers.py, BigGAN.py, BigGANdeep.py ------------------------------------------


def brock(weights: Drawn, z: torch.Tensor, labels: torch.Tensor, deep: bool, spectral: bool) -> torch.Tensor:
    widths, attention = [8, 8, 4], 16

    def weight(name, *shape):
        w = weights.get_or(f"{name}.weight", *shape)
        if not spectral:
            return w
        u = weights.get_or(f"{name}.u0", 1, shape[0])
        matrix = w.reshape(len(w), -1)
        v = F.normalize(u @ matrix)
        u = F.normalize(v @ matrix.t())
        return w / (v @ matrix.t() @ u.t()).squeeze()

    def conv(x, name, cout, size, bias=True):
        b = weights.get_or(f"{name}.bias", cout) if bias else None
        return F.conv2d(x, weight(name, cout, x.shape[1], size, size), b, padding=size // 2)

    def norm(x, name, y):
        c = x.shape[1]
        gain = 1 + F.linear(y, weight(f"{name}.gain", c, y.shape[1]))
        bias = F.linear(y, weight(f"{name}.bias", c, y.shape[1]))
        mean = weights.get_or(f"{name}.stored_mean", c)
        var = weights.get_or(f"{name}.stored_var", c, positive=True)
        x = F.batch_norm(x, mean, var, eps=1e-5)
        return F.relu(x * gain[:, :, None, None] + bias[:, :, None, None])

    y = labels @ weights.get_or("shared.weight", CLASSES, TOLD)
    if deep:
        z = torch.cat([y, z], 1)
        ys = [z] * 4
    else:
        chunks = torch.split(z, CHUNK, 1)
        z, ys = chunks[0], [torch.cat([y, chunk], 1) for chunk in chunks[1:]]
    h = F.linear(
        z, weight("linear", 16 * widths[0], z.shape[1]), weights.get_or("linear.bias", 16 * widths[0])
    )
    h, i = h.view(len(h), -1, 4, 4), 0
    for a, b in itertools.pairwise(widths):
        for cin, cout, up in ((a, a, False), (a, b, True)) if deep else ((a, b, True),):
            name, y, x = f"blocks.{i}.0", ys[i], h
            if deep:
                h = conv(norm(h, f"{name}.bn1", y), f"{name}.conv1", cin // 4, 1)
                h = norm(h, f"{name}.bn2", y)
                if up:
                    h, x = F.interpolate(h, scale_factor=2), F.interpolate(x[:, :cout], scale_factor=2)
                h = conv(h, f"{name}.conv2", cin // 4, 3)
                h = conv(norm(h, f"{name}.bn3", y), f"{name}.conv3", cin // 4, 3)
                h = conv(norm(h, f"{name}.bn4", y), f"{name}.conv4", cout, 1) + x
            else:
                h = F.interpolate(norm(h, f"{name}.bn1", y), scale_factor=2)
                x = F.interpolate(x, scale_factor=2)
                h = conv(norm(conv(h, f"{name}.conv1", cout, 3), f"{name}.bn2", y), f"{name}.conv2", cout, 3)
                h = h + conv(x, f"{name}.conv_sc", cout, 1)
            if up and h.shape[2] == attention:
                part, c = f"blocks.{i}.1", h.shape[1]
                theta = conv(h, f"{part}.theta", max(1, c // 8), 1, bias=False).flatten(2)
                phi = F.max_pool2d(conv(h, f"{part}.phi", max(1, c // 8), 1, bias=False), 2).flatten(2)
                g = F.max_pool2d(conv(h, f"{part}.g", c // 2, 1, bias=False), 2).flatten(2)
                beta = F.softmax(torch.bmm(theta.transpose(1, 2), phi), -1)
                o = torch.bmm(g, beta.transpose(1, 2)).view(len(h), c // 2, attention, attention)
                gamma = weights.setdefault(f"{part}.gamma", torch.tensor(0.7))
                h = gamma * conv(o, f"{part}.o", c, 1, bias=False) + h
            i += 1
    c = h.shape[1]
    mean = weights.get_or("output_layer.0.stored_mean", c)
    var = weights.get_or("output_layer.0.stored_var", c, positive=True)
    gain, bias = weights.get_or("output_layer.0.gain", c), weights.get_or("output_layer.0.bias", c)
    return torch.tanh(conv(F.relu(F.batch_norm(h, mean, var, gain, bias)), "output_layer.2", 3, 3))


def write_brock(path: Path, deep: bool = False, spectral: bool = True) -> dict[str, torch.Tensor]:
    z, labels = draws(10 if deep else 3 * CHUNK)
    weights = Drawn()
    images = brock(weights, z, labels, deep, spectral)
    torch.save(dict(weights), path)
    return {"z": z, "labels": labels, "images": images}


# --- pytorch_pretrained_biggan: model.py ------------------------------------------------------------------


def ported(weights: Drawn, z: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    widths, attention, steps = [8, 8, 4], 8, 51

    def weight(name, *shape):
        w = weights.get_or(f"{name}.weight_orig", *shape)
        if f"{name}.weight_u" not in weights:  # as training leaves them: converged
            left, _, right = torch.linalg.svd(w.flatten(1), full_matrices=False)
            weights[f"{name}.weight_u"], weights[f"{name}.weight_v"] = left[:, 0].clone(), right[0].clone()
        return w / (weights[f"{name}.weight_u"] @ w.flatten(1) @ weights[f"{name}.weight_v"])

    def conv(x, name, cout, size, bias=True):
        b = weights.get_or(f"{name}.bias", cout) if bias else None
        return F.conv2d(x, weight(name, cout, x.shape[1], size, size), b, padding=size // 2)

    def statistics(name, c):
        means = weights.get_or(f"{name}.running_means", steps, c)
        return means[-1], weights.get_or(f"{name}.running_vars", steps, c, positive=True)[-1]

    def norm(x, name, cond):
        c = x.shape[1]
        mean, var = statistics(name, c)
        scale = 1 + F.linear(cond, weight(f"{name}.scale", c, cond.shape[1]))
        offset = F.linear(cond, weight(f"{name}.offset", c, cond.shape[1]))
        x = (x - mean[:, None, None]) / (var[:, None, None] + 1e-4).sqrt()
        return F.relu(x * scale[:, :, None, None] + offset[:, :, None, None])

    cond = torch.cat([z, F.linear(labels, weights.get_or("embeddings.weight", TOLD, CLASSES))], 1)
    rows = 16 * widths[0]
    h = F.linear(
        cond, weight("generator.gen_z", rows, cond.shape[1]), weights.get_or("generator.gen_z.bias", rows)
    )
    h, i = h.view(-1, 4, 4, widths[0]).permute(0, 3, 1, 2), 0
    for a, b in itertools.pairwise(widths):
        for cin, cout, up in ((a, a, False), (a, b, True)):
            name, x = f"generator.layers.{i}", h
            h = norm(conv(norm(h, f"{name}.bn_0", cond), f"{name}.conv_0", cin // 4, 1), f"{name}.bn_1", cond)
            h = F.interpolate(h, scale_factor=2) if up else h
            h = norm(conv(h, f"{name}.conv_1", cin // 4, 3), f"{name}.bn_2", cond)
            h = norm(conv(h, f"{name}.conv_2", cin // 4, 3), f"{name}.bn_3", cond)
            h = conv(h, f"{name}.conv_3", cout, 1)
            x = x[:, : x.shape[1] // 2] if cin != cout else x
            h, i = h + (F.interpolate(x, scale_factor=2) if up else x), i + 1
        if h.shape[2] == attention:
            part, c = f"generator.layers.{i}", h.shape[1]
            theta = conv(h, f"{part}.snconv1x1_theta", c // 8, 1, bias=False).flatten(2)
            phi = F.max_pool2d(conv(h, f"{part}.snconv1x1_phi", c // 8, 1, bias=False), 2).flatten(2)
            g = F.max_pool2d(conv(h, f"{part}.snconv1x1_g", c // 2, 1, bias=False), 2).flatten(2)
            found = torch.bmm(g, torch.bmm(theta.permute(0, 2, 1), phi).softmax(-1).permute(0, 2, 1))
            found = conv(found.view(-1, c // 2, 8, 8), f"{part}.snconv1x1_o_conv", c, 1, bias=False)
            h, i = h + weights.setdefault(f"{part}.gamma", torch.tensor([0.7])) * found, i + 1
    c = h.shape[1]
    mean, var = statistics("generator.bn", c)
    gain, bias = weights.get_or("generator.bn.weight", c), weights.get_or("generator.bn.bias", c)
    h = F.relu(F.batch_norm(h, mean, var, gain, bias, eps=1e-4))
    return torch.tanh(conv(h, "generator.conv_to_rgb", c, 3)[:, :3])


def write_ported(path: Path) -> dict[str, torch.Tensor]:
    z, labels = draws(10)
    weights = Drawn()
    images = ported(weights, z, labels)
    torch.save(dict(weights), path)
    return {"z": z, "labels": labels, "images": images}


WRITERS: dict[str, Callable[[Path], dict[str, torch.Tensor]]] = {
    "brock": write_brock,
    "brock-deep": lambda path: write_brock(path, deep=True),
    "brock-plain": lambda path: write_brock(path, spectral=False),
    "ported": write_ported,
}
