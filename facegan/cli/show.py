"""``facegan show``: what a model is and how it was trained."""

from __future__ import annotations

from typing import Annotated, Any

import tyro

from facegan.cli.main import run_function


def facts(reference: str) -> dict[str, Any]:
    """Everything that the file says of itself, and what can be counted."""
    from facegan.generator import Generator
    from facegan.runs import moments, resolve

    file = resolve(reference)
    model = Generator.load(file)
    layers = model.parameters_by_layer()
    return {
        "file": str(file),
        "bytes": file.stat().st_size,
        "hash": model.hash,
        "moments": [f"{kimg:g}kimg" for kimg in moments(reference)],
        "parameters": sum(n for _, _, n in layers),
        "layers": [{"name": name, "shape": list(shape), "parameters": n} for name, shape, n in layers],
        **model.meta,
    }


def text(f: dict[str, Any]) -> str:
    """The facts for a person."""
    c, h, w = f["image_shape"]
    latent, origin = f["latent"], f.get("provenance", {})
    prior = (
        "sphere" if latent["kind"] == "sphere" else f"normal, mean {latent['mean']:g}, std {latent['std']:g}"
    )
    data, crop = origin.get("dataset", {}), f.get("alignment") or {}
    rows = [
        ("file", f"{f['file']} ({f['bytes'] / 1e6:.1f} MB)"),
        ("family", f["family"]),
        ("pictures", f"{w}x{h}, {c} channel(s)"),
        ("latent", f"{latent['dim']} dimensions, {prior}"),
        ("parameters", f"{f['parameters']:,}"),
        ("recipe", origin.get("recipe") or "unknown"),
        ("trained on", f"{data.get('name', 'unknown')}, {data.get('count', '?')} pictures, "
                       f"content hash {str(data.get('content_hash', '?'))[:16]}"),
        ("images seen", f"{origin['images_seen'] / 1000:g} kimg" if "images_seen" in origin else "unknown"),
        ("seed", str(origin.get("seed", "unknown"))),
        ("command", origin.get("command") or "unknown"),
        ("facegan", origin.get("facegan", "unknown")),
        ("crop", ", ".join(f"{k} {v}" for k, v in crop.items() if v not in (False, 0, 0.0))),
        ("labels", ", ".join(f.get("labels", [])) or "none"),
        ("licence", f.get("licence", "unknown")),
        ("hash", f["hash"]),
    ]  # fmt: skip
    if f["moments"]:
        rows.append(("moments", ", ".join(f["moments"])))
    lines = [f"{name:<12} {value}" for name, value in rows]
    lines.append("layers")
    lines += [
        f"  {r['name']:<28} {'x'.join(map(str, r['shape'])):<16} {r['parameters']:>12,}" for r in f["layers"]
    ]
    return "\n".join(lines)


def main(
    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")], json: bool = False
) -> None:
    """Tell what a model is: family, latent prior, pictures, parameters, training, licence.

    Args:
        model: a run folder, a moment of one (RUN@30kimg), a .safetensors file, or a bundled name.
        json: print JSON instead.
    """
    found = facts(model)
    if json:
        from json import dumps

        print(dumps(found, indent=1))
    else:
        print(text(found))


def run(argv: list[str]) -> int:
    run_function(main, argv)
    return 0
