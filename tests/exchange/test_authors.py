"""Files of other authors' GANs: what is imported makes their pictures; what cannot be read says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from authors import (
    ALIAS_FREE,
    Weights,
    draws,
    lightweight_gan,
    r3gan,
    r3gan_logits,
    stylegan2,
    stylegan2_logits,
    stylegan2_pytorch,
    stylegan3,
)  # fmt: skip
from foreign_files import Pickled, module, stand_in, write_pickle

import facegan
from facegan.errors import FaceganError, InputError
from facegan.exchange.importing import ImportedModel
from facegan.families import get_family
from facegan.recipes.config import override
from facegan.recipes.table import recipe
from facegan.runs.export import unpack
from facegan.training.initialization import create_state

CLAMP = 4.0


def named(prefix: str, tensors: dict[str, Any]) -> dict[str, Any]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def stylegan_attributes(label_dim: int) -> dict[str, dict[str, Any]]:
    layer = {"activation": "lrelu", "conv_clamp": CLAMP}
    found = {
        "": {"z_dim": 6, "c_dim": label_dim, "w_dim": 6, "img_resolution": 16, "img_channels": 3},
        "mapping": {"num_layers": 2},
        "mapping.fc0": {"bias_gain": 0.01},
        "b4.mbstd": {"group_size": 4, "num_channels": 1},
        "b4.conv": dict(layer),
    }
    for size in (4, 8, 16):
        found |= {f"synthesis.b{size}": {"architecture": "skip"}, f"b{size}": {"architecture": "resnet"}}
        found |= {f"synthesis.b{size}.{conv}": dict(layer) for conv in ("conv0", "conv1")}
    return found


def write_stylegan2(path: Path, label_dim: int = 0, **changed: Any) -> dict[str, torch.Tensor]:
    """Write G, D and G_ema as StyleGAN2-ADA does; ``changed`` are attributes by place."""
    z, labels = draws(6, label_dim)
    weights, judge, attributes = Weights(), Weights(), stylegan_attributes(label_dim)
    images = stylegan2(weights, z, labels, CLAMP)
    logits = stylegan2_logits(judge, images, labels, CLAMP)
    judge["b4.mbstd.any"] = torch.zeros(1)  # a module that has no weights, but attributes
    weights["synthesis.b8.conv0.resample_filter"] = torch.outer(*[torch.tensor([1.0, 3, 3, 1]) / 8] * 2)
    for place, value in changed.items():
        attributes.setdefault(place.replace("__", "."), {}).update(value)
    kinds = {"": "persistent:Generator", ".": "persistent:Layer"}
    g = module(weights, attributes, kinds)
    plain = module({k: v + 1 for k, v in weights.items() if "filter" not in k}, attributes, kinds)
    d = module(judge, attributes, kinds)
    write_pickle(path, {"G": plain, "D": d, "G_ema": g, "augment_pipe": None, "training_set_kwargs": {}})
    return {"z": z, "labels": labels, "images": images, "logits": logits, "average": weights["mapping.w_avg"]}


def write_stylegan3(path: Path, label_dim: int = 0, radial: bool = False) -> dict[str, torch.Tensor]:
    z, labels = draws(6, label_dim)
    weights, attributes = Weights(), stylegan_attributes(label_dim)
    images = stylegan3(weights, z, labels, radial)
    names = [f"L{i}_{size}_{channels}" for i, (size, channels) in enumerate(ALIAS_FREE[1:])]
    attributes["synthesis"] = {"layer_names": names, "output_scale": 0.25}
    attributes["synthesis.input"] = {"channels": 4, "size": 24, "sampling_rate": 16.0, "bandwidth": 2.0}
    for i, (size, channels) in enumerate(ALIAS_FREE[1:]):
        attributes[f"synthesis.{names[i]}"] = {
            "up_taps": 1 if i else 12, "up_factor": 1 if i else 2, "in_sampling_rate": 16, "conv_clamp": 256,
            "out_sampling_rate": 16, "tmp_sampling_rate": 16 if i else 32, "out_channels": channels,
            "out_size": size, "conv_kernel": 1 if i or radial else 3, "down_radial": radial and not i,
        }  # fmt: skip
    g = module(weights, attributes, {".": "persistent:Layer"})
    write_pickle(path, {"G": g, "D": g, "G_ema": g})
    return {"z": z, "labels": labels, "images": images, "average": weights["mapping.w_avg"]}


def write_r3gan(path: Path, label_dim: int = 0) -> dict[str, torch.Tensor]:
    z, labels = draws(6, label_dim)
    weights, judge = Weights(), Weights()
    images = r3gan(weights, z, labels)
    logits = r3gan_logits(judge, images, labels)
    attributes = {"": {"z_dim": 6, "c_dim": label_dim, "img_resolution": 16}}
    kinds = {"": "training.networks.Generator", ".": "R3GAN.Networks.Layer"}
    g, d = (module(w, attributes, kinds) for w in (weights, judge))
    write_pickle(path, {"G": g, "D": d, "G_ema": g, "G_opt_state": {}, "cur_nimg": 1000})
    return {"z": z, "labels": labels, "images": images, "logits": logits}


def write_rosinality(path: Path, label_dim: int = 0) -> dict[str, torch.Tensor]:
    z, labels = draws(6)
    weights, judge = Weights(), Weights()
    images = stylegan2(weights, z, labels, 1e9)
    logits = stylegan2_logits(judge, images, labels, 1e9)
    g = {"input.input": weights["synthesis.b4.const"][None]}
    for i in range(2):
        g |= {f"style.{i + 1}.{k}": weights[f"mapping.fc{i}.{k}"] for k in ("weight", "bias")}
    convs = {(4, "conv1"): "conv1", (4, "torgb"): "to_rgb1"}
    for i, size in enumerate((8, 16)):
        convs |= {(size, f"conv{k}"): f"convs.{2 * i + k}" for k in (0, 1)}
        convs[size, "torgb"] = f"to_rgbs.{i}"
    noises = 0
    for (size, old), new in convs.items():
        t = named(f"synthesis.b{size}.{old}.", weights)
        g |= {f"{new}.conv.modulation.{k}": t[f"affine.{k}"] for k in ("weight", "bias")}
        g[f"{new}.conv.weight"] = t["weight"][None]
        if old == "torgb":
            g[f"{new}.bias"] = t["bias"].reshape(1, 3, 1, 1)
        else:
            g |= {f"{new}.activate.bias": t["bias"], f"{new}.noise.weight": t["noise_strength"].reshape(1)}
            g[f"noises.noise_{noises}"] = t["noise_const"][None, None]
            noises += 1
    names = {"b16.fromrgb.weight": "convs.0.0.weight", "b16.fromrgb.bias": "convs.0.1.bias",
             "b4.conv.weight": "final_conv.0.weight", "b4.conv.bias": "final_conv.1.bias",
             "b4.fc.weight": "final_linear.0.weight", "b4.fc.bias": "final_linear.0.bias",
             "b4.out.weight": "final_linear.1.weight", "b4.out.bias": "final_linear.1.bias"}  # fmt: skip
    parts = {"conv0.weight": "conv1.0.weight", "conv0.bias": "conv1.1.bias", "conv1.weight": "conv2.1.weight",
             "conv1.bias": "conv2.2.bias", "skip.weight": "skip.1.weight"}  # fmt: skip
    for i, size in enumerate((16, 8), 1):
        names |= {f"b{size}.{old}": f"convs.{i}.{new}" for old, new in parts.items()}
    average = weights["mapping.w_avg"]
    d = {new: judge[old] for old, new in names.items()}
    torch.save({"g": g, "g_ema": g, "d": d, "latent_avg": average, "ada_aug_p": 0.1}, path)
    return {"z": z, "labels": labels, "images": images, "logits": logits, "average": average}


def write_stylegan2_pytorch(path: Path, label_dim: int = 0) -> dict[str, torch.Tensor]:
    z, labels = draws(6)
    weights, plane = Weights(), torch.rand(8, 8)
    stylegan2_pytorch(weights, z, plane)
    torch.save({"GAN": {**weights, "D.to_logit.weight": torch.zeros(1)}, "version": "1.9.0"}, path)
    plane = facegan.import_model(path, path.with_name("noise.safetensors")).model.network.noise_const
    return {"z": z, "labels": labels, "images": stylegan2_pytorch(weights, z, plane) * 2 - 1}


def write_lightweight_gan(
    path: Path, label_dim: int = 0, frequencies: bool = False
) -> dict[str, torch.Tensor]:
    z, labels = draws(6)
    weights = Weights()
    lightweight_gan(weights, z, [torch.zeros(8 << i, 8 << i) for i in range(5)], frequencies)
    torch.save({"GAN": weights, "version": "1.2.0"}, path)
    layers = facegan.import_model(path, path.with_name("noise.safetensors")).model.network.layers
    images = lightweight_gan(weights, z, [layer.noise_const for layer in layers], frequencies)
    return {"z": z, "labels": labels, "images": images * 2 - 1}


CASES = {
    "stylegan2-ada": (write_stylegan2, {}),
    "stylegan2-ada-classes": (write_stylegan2, {"label_dim": 2}),
    "stylegan3-t": (write_stylegan3, {}),
    "stylegan3-r-classes": (write_stylegan3, {"label_dim": 2, "radial": True}),
    "r3gan": (write_r3gan, {}),
    "r3gan-classes": (write_r3gan, {"label_dim": 2}),
    "rosinality": (write_rosinality, {}),
    "stylegan2-pytorch": (write_stylegan2_pytorch, {}),
    "lightweight-gan": (write_lightweight_gan, {}),
    "lightweight-gan-frequencies": (write_lightweight_gan, {"frequencies": True}),
}


def bring(path: Path, **how: Any) -> ImportedModel:
    return facegan.import_model(path, path.with_suffix(".safetensors"), **how)


@pytest.mark.parametrize("case", CASES)
def test_pictures_are_the_authors(case, tmp_path):
    write, how = CASES[case]
    path = tmp_path / "weights.any"
    expected = write(path, **how)
    assert 0.05 < expected["images"].std() < 50
    model = facegan.load(bring(path).path)
    z, labels = expected["z"], expected["labels"] if model.labels else None
    with torch.inference_mode():
        images = model(z, labels=labels)
        alone = model(z[2:3], labels=None if labels is None else labels[2:3])
    error = 2e-5 * float(expected["images"].abs().max())
    torch.testing.assert_close(images, expected["images"], rtol=0, atol=error)
    torch.testing.assert_close(alone, images[2:3], rtol=0, atol=error)
    if "average" in expected and not model.labels:
        torch.testing.assert_close(model.w_average(), expected["average"])


@pytest.mark.parametrize("case", ["stylegan3-t", "stylegan2-pytorch", "lightweight-gan"])
def test_what_is_only_sampled(case, tmp_path):
    """Truncation, and the network's noise where it has some; training with it is refused."""
    write, how = CASES[case]
    write(tmp_path / "weights.any", **how)
    model = bring(tmp_path / "weights.any").model
    z = model.latent.sample(range(2))
    with torch.inference_mode():
        average = model(z, truncation=0.0)
        torch.testing.assert_close(average[0], average[1])
        w = model.map(z)
        kinds = ("const", "none", "random", "random")
        const, none, first, second = (model.synthesize(w, noise=kind) for kind in kinds)
    assert torch.equal(first, second) == torch.equal(const, none) == (case == "stylegan3-t")
    model.save(tmp_path / "model.safetensors")
    config = override(recipe("stylegan2-32"), {"init": str(tmp_path / "model.safetensors")})
    with pytest.raises(FaceganError, match=r"--init .*another program"):
        create_state(config, (3, 32, 32), torch.device("cpu"))


TRAINED = ["stylegan2-ada", "stylegan2-ada-classes", "r3gan", "r3gan-classes", "rosinality"]


@pytest.mark.parametrize("case", TRAINED)
def test_training_begins_with_both_networks(case, tmp_path):
    write, how = CASES[case]
    path, networks = tmp_path / "weights.any", tmp_path / "networks.safetensors"
    expected = write(path, **how)
    made = bring(path, networks=networks)
    flags = dict(zip(made.flags[::2], made.flags[1::2], strict=False))
    config = recipe(flags["--recipe"])
    settings, state = unpack(networks)
    network = get_family(settings["family"]).build_discriminator(
        _config(settings).discriminator, settings["image_shape"], len(settings["labels"])
    )
    network.load_state_dict({k: v.float() for k, v in state["discriminator"].items()})
    with torch.inference_mode():
        logits = network.eval()(expected["images"], expected["labels"] if settings["labels"] else None)
    scale = float(expected["logits"].abs().max())
    torch.testing.assert_close(logits, expected["logits"], rtol=0, atol=5e-3 * scale)  # halves
    label_dim = len(settings["labels"])
    config = override(
        config, {"init": str(networks), "latent.dim": 6, "size": 16, "model": _config(settings)}
    )
    fresh = create_state(config, (3, 16, 16), torch.device("cpu"), label_dim=label_dim)
    count = [len(n.state_dict()) for n in (fresh.generator, fresh.ema, fresh.discriminator)]
    told = [
        f"{count[0]} of {count[0]} tensors of the generator",
        f"{count[2]} of {count[2]} tensors of the disc",
    ]
    assert all(text in fresh.begun_with for text in told), fresh.begun_with


def _config(settings: dict[str, Any]) -> Any:
    from facegan.model_header import from_dict

    return from_dict(get_family(settings["family"]).config, settings["config"])


# --- what cannot be read says so ------------------------------------------------------------------------


def tensorflow(path: Path) -> None:
    network = Pickled(stand_in("dnnlib.tflib.network.Network"), (), {"version": 4})
    write_pickle(path, (network, network, network))


def saved(names: list[str]) -> Callable[[Path], None]:
    return lambda path: torch.save({name: torch.zeros(1) for name in names}, path)


def without_a_layer(path: Path) -> None:
    write_stylegan2_pytorch(path)
    weights = torch.load(path, weights_only=True)
    del weights["GAN"]["GE.blocks.0.conv2.weight"]
    torch.save(weights, path)


def of_another_version(path: Path) -> None:
    write_stylegan2_pytorch(path)
    weights = torch.load(path, weights_only=True)
    weights["GAN"]["GE.blocks.0.gate.weight"] = torch.zeros(1)
    torch.save(weights, path)


REFUSED: dict[str, tuple[Callable[[Path], Any], dict[str, Any], str]] = {
    "residual": (lambda p: write_stylegan2(p, synthesis__b8={"architecture": "resnet"}), {}, "'resnet'"),
    "relu": (lambda p: write_stylegan2(p, synthesis__b8__conv1={"activation": "relu"}), {}, "'relu'"),
    "clamps": (lambda p: write_stylegan2(p, synthesis__b8__conv1={"conv_clamp": 1}), {}, "differently"),
    "no-width": (lambda p: write_stylegan2(p, **{"": {"w_dim": "six"}}), {}, "does not say its 'w_dim'"),
    "size": (lambda p: write_stylegan2(p, **{"": {"img_resolution": 2**30}}), {}, "no part 'b32'"),
    "wide": (lambda p: write_stylegan2(p, **{"": {"z_dim": 2**30}}), {}, "do not fit the network"),
    "labels": (lambda p: write_stylegan2(p, **{"": {"c_dim": 2**30}}), {}, "1,073,741,824 labels"),
    "network": (write_stylegan2, {"network": "D"}, "the file has G, G_ema"),
    "tensorflow": (tensorflow, {}, "legacy.py"),
    "no-judge": (write_stylegan3, {"networks": "n.safetensors"}, "StyleGAN3 is sampled here"),
    "missing": (without_a_layer, {}, "blocks.0.conv2.weight is missing"),
    "version": (of_another_version, {}, "another version has written it"),
    "biggan": (
        saved(["linear.weight", "blocks.0.0.conv1.weight", "blocks.0.0.bn1.gain.weight"]),
        {},
        "a BigGAN",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_says_so(case, tmp_path, monkeypatch):
    write, how, line = REFUSED[case]
    monkeypatch.chdir(tmp_path)
    write(Path("weights.any"))
    before = set(Path().iterdir())
    with pytest.raises(FaceganError) as caught:
        bring(Path("weights.any"), **how)
    assert line in str(caught.value) and "\n" not in str(caught.value)
    assert str(caught.value).startswith("weights.any: ") and set(Path().iterdir()) == before


def test_a_discriminator_of_another_kind_is_left_out(tmp_path):
    path = tmp_path / "weights.pkl"
    write_stylegan2(path, b8={"architecture": "orig"})
    assert any("D: its architecture is 'orig'" in told for told in bring(path).left_out)
    with pytest.raises(InputError, match="its architecture is 'orig'"):
        bring(path, networks=tmp_path / "networks.safetensors")


def test_the_command_says_how_to_train_on(tmp_path, monkeypatch, capsys):
    from facegan.cli.main import main

    monkeypatch.chdir(tmp_path)
    write_stylegan2(Path("faces.pkl"), label_dim=2)
    assert main(["import", "faces.pkl", "--networks", "both.safetensors"]) == 0
    told = capsys.readouterr().out
    flags = (
        "--recipe stylegan2-32 --size 16 --latent.dim 6 --condition label --generator.w-dim 6 "
        "--generator.channel-base 64 --generator.channel-max 8 --generator.clamp 4.0 "
        "--discriminator.channel-base 64 --discriminator.channel-max 8 --discriminator.clamp 4.0 "
        "--discriminator.mapping-layers 2 --init both.safetensors"
    )
    assert f"facegan train DATASET {flags}" in told and "took: G_ema" in told
    assert "left out: D" not in told and Path("faces-imported.safetensors").exists()
