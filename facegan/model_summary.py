"""What a model is and how it was trained, layer by layer."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch

from facegan.errors import printable
from facegan.generator import Generator
from facegan.layers.summary import macs_of
from facegan.models import load, moment_name, moments, resolve
from facegan.translator import Translator


def describe_model(reference: str) -> dict[str, Any]:
    """Return everything that a model's file says of itself, and what can be counted."""
    file = resolve(reference)
    model = load(reference)
    layers = layer_table(model)
    running = sum(b.numel() for b in model.network.buffers() if b.is_floating_point())
    return {
        "file": str(file),
        "bytes": file.stat().st_size,
        "hash": model.hash,
        "moments": [moment_name(kimg) for kimg in moments(reference)],
        "parameters": sum(n for _, _, n in model.parameters_by_layer()),
        "running_statistics": running,
        "macs": sum(row["macs"] for row in layers),
        "layers": layers,
        **model.meta,
    }


def layer_table(model: Generator | Translator) -> list[dict[str, Any]]:
    """Return a row for each module with parameters.

    It has the name, the kind, the shapes of its weight and of what it gives, the number of parameters, and
    the multiply-accumulates for one picture (of convolutions and dense layers).
    """
    shapes: dict[str, tuple[int, ...]] = {}
    macs: Counter[str] = Counter()
    found = {n: m for n, m in model.network.named_modules() if list(m.parameters(recurse=False))}

    def note(name: str) -> Any:
        def hook(module: Any, given: Any, out: Any) -> None:
            shapes[name] = tuple(out.shape[1:])
            macs[name] += macs_of(module, given[0], out)

        return hook

    handles = [module.register_forward_hook(note(name)) for name, module in found.items()]
    with torch.inference_mode():
        if isinstance(model, Translator):
            for direction in model.directions:
                model(torch.zeros(1, *model.image_shape), direction)
        else:
            model(model.latent.sample([0]))
    for handle in handles:
        handle.remove()
    return [
        {
            "name": name,
            "kind": type(module).__name__,
            "out": list(shapes.get(name, ())),
            "macs": macs[name],
            "weight": [
                s for key, p in module.named_parameters(recurse=False) if key == "weight" for s in p.shape
            ],
            "parameters": sum(p.numel() for p in module.parameters(recurse=False)),
        }
        for name, module in found.items()
    ]


def _what_it_takes(f: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what a generator or a translator makes its pictures of."""
    if "latent" not in f:
        rows = [("directions", ", ".join(f["directions"]))]
        return [*rows, ("input", f["input"])] if f.get("input") else rows
    latent = f["latent"]
    prior = (
        "sphere"
        if latent["kind"] == "sphere"
        else f"{latent['kind']}, mean {latent['mean']:g}, std {latent['std']:g}"
    )
    labels = ", ".join(f.get("labels", [])) or "none"
    return [("latent", f"{latent['dim']} dimensions, {prior}"), ("labels", labels)]


def facts_rows(f: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what :func:`describe_model` has found as names and texts for a person, without the layers."""
    c, h, w = f["image_shape"]
    origin = f.get("provenance") or {}
    data = origin.get("dataset") or {}
    statistics = f" (and {f['running_statistics']:,} running statistics)" if f["running_statistics"] else ""
    seen = f"{origin['images_seen'] / 1000:g} kimg" if "images_seen" in origin else "unknown"
    earlier = origin.get("images_before", 0) / 1000
    seen += f", after {earlier:g} kimg of what it began with" if earlier else ""
    crop = {k: v for k, v in (f.get("alignment") or {}).items() if v not in (False, None, "")}
    return [
        ("file", f"{f['file']} ({f['bytes'] / 1e6:.1f} MB)"),
        ("family", f["family"]),
        ("pictures", f"{w}x{h} px, {'colour' if c == 3 else 'grey'}"),
        *_what_it_takes(f),
        ("parameters", f"{f['parameters']:,}{statistics}"),
        ("one picture", f"{f['macs'] / 1e6:,.1f} million multiply-accumulates"),
        ("recipe", origin.get("recipe") or "unknown"),
        (
            "trained on",
            f"{data['name']}, {data.get('count', '?')} pictures, content hash "
            f"{str(data.get('content_hash', '?'))[:16]}"
            if "name" in data
            else "unknown",
        ),
        ("images seen", seen),
        ("seed", str(origin.get("seed", "unknown"))),
        ("command", origin.get("command") or "unknown"),
        ("facegan", origin.get("facegan", "unknown")),
        ("crop", ", ".join(f"{k} {v}" for k, v in crop.items()) or "unknown"),
        ("licence", f.get("licence") or "unknown"),
        ("hash", f["hash"]),
        ("moments", ", ".join(f["moments"])),
    ]


def facts_text(f: dict[str, Any]) -> str:
    """Return what :func:`describe_model` has found, for a person, with a table of the layers."""
    lines = [
        f"{name:<12} {printable(str(value), keep='')}"
        for name, value in facts_rows(f)
        if name != "moments" or value
    ]
    wide = max([20, *(len(r["name"]) for r in f["layers"])])
    lines.append(
        f"{'layers':<{wide + 2}} {'kind':<18} {'weight':>14} {'gives':>12} {'parameters':>12} {'MACs':>14}"
    )
    for r in f["layers"]:
        shapes = ["x".join(map(str, r[key])) for key in ("weight", "out")]
        lines.append(
            f"  {r['name']:<{wide}} {r['kind']:<18} {shapes[0]:>14} {shapes[1]:>12} {r['parameters']:>12,} "
            f"{r['macs']:>14,}"
        )
    return "\n".join(lines)
