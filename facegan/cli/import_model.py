"""``facegan import``: a model of another program -> a model that every command takes."""

from __future__ import annotations

import shlex
from typing import Annotated

import tyro

from facegan.cli.options import FLAT
from facegan.exchange.base import ImportOptions


def main(
    file: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")],
    *,
    out: str = "",
    format: str = "",
    half: bool = False,
    networks: str = "",
    options: Annotated[ImportOptions, FLAT] = ImportOptions(),  # noqa: B008
) -> None:
    """Import a generator or translator of another program. Nothing in the file is executed.

    It recognises .pkl files of StyleGAN2-ADA, StyleGAN3 and R3GAN, .pt files of rosinality's StyleGAN2,
    stylegan2-pytorch and lightweight-gan, BigGAN, pix2pix and CycleGAN (*_net_G*.pth), plain PyTorch,
    Keras and ONNX; see docs/exchange.md

    Args:
        file: the other program's file.
        out: the .safetensors file to write; '' is FILE-imported.safetensors here.
        format: the file's format; '' detects it.
        half: store half precision, in half the space; pictures may differ by a level from the original's.
        networks: another .safetensors file, with the discriminator as well, from which 'facegan train --init'
            goes on; '' writes none.
        options: what the file does not say.
    """
    from facegan.exchange.importing import import_model
    from facegan.translator import Translator

    made = import_model(file, out, format=format, half=half, networks=networks, options=options)
    c, h, w = made.model.image_shape
    place = shlex.quote(str(made.path))
    print(f"{file} ({made.format}) -> {made.path} ({made.path.stat().st_size / 2**20:.1f} MiB)")
    colour = "colour" if c == 3 else "grey"
    if isinstance(made.model, Translator):
        print(f"makes pictures of {w}x{h} px, {colour}, of such pictures")
        following = f"facegan translate {place} PHOTO"
    else:
        latent = made.model.latent
        print(f"makes pictures of {w}x{h} px, {colour}, of {latent.dim} numbers ({latent.kind})")
        following = f"facegan generate {place} --count 16"
    for title, lines in (("took", made.taken), ("left out", made.left_out), ("note", made.notes)):
        for line in lines:
            print(f"{title}: {line}")
    if made.flags:
        begun = ["facegan", "train", "DATASET", *made.flags, "--init", networks or str(made.path)]
        print(f"to train on: {shlex.join(begun)}")
    print(f"next: {following}")
