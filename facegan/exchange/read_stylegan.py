"""Reader of the ``.pkl`` files of StyleGAN2-ADA and StyleGAN3 (NVIDIA's PyTorch code).

Such a file is a pickle of whole modules, each with the source code of its class, which is never run. The
attributes of the modules say what the network is; their parameters and buffers are the weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facegan.errors import ModelError
from facegan.exchange.base import Imported, ImportOptions, Source
from facegan.exchange.modules import PERSISTENT, Module, module_state
from facegan.exchange.stylegan2 import channel_settings, check_filters, class_labels, mapping_state
from facegan.families.stylegan2.config import Config, DiscriminatorConfig, GeneratorConfig
from facegan.pickles.objects import Stub, as_table
from facegan.prior import Latent

if TYPE_CHECKING:
    from torch import Tensor

TENSORFLOW = "dnnlib.tflib.network.Network"


def recognises(source: Source) -> bool:
    """Return whether this reader takes the file."""
    if source.kind != "pickle":
        return False
    if isinstance(source.tree, tuple):
        return any(isinstance(part, Stub) and part.name == TENSORFLOW for part in source.tree)
    networks = _networks(source.tree)
    return any(stub.name == PERSISTENT for stub in networks.values())


def _networks(tree: Any) -> dict[str, Stub]:
    table = {"G_ema": tree} if isinstance(tree, Stub) and not tree.pairs else as_table(tree) or {}
    return {k: v for k, v in table.items() if k in ("G_ema", "G", "D") and module_state(v) is not None}


def read(source: Source, options: ImportOptions) -> Imported:
    """Read the averaged generator (G_ema), and G and D for training on."""
    if isinstance(source.tree, tuple):
        raise ModelError(
            "a StyleGAN pickle of the TensorFlow code; convert it by legacy.py of stylegan2-ada-pytorch "
            "(--source FILE.pkl --dest NEW.pkl), then import NEW.pkl"
        )
    stubs = _networks(source.tree)
    name = options.network or ("G_ema" if "G_ema" in stubs else "G")
    if name not in stubs or name == "D":
        raise ModelError(
            f"--network {name}: the file has {', '.join(k for k in stubs if k != 'D') or 'no generator'}"
        )
    generator = Module(stubs[name], name)
    synthesis = generator.child("synthesis")
    alias_free = "input" in synthesis
    if alias_free:
        from facegan.exchange.stylegan3 import read_generator

        imported = read_generator(generator)
    else:
        imported = _stylegan2(generator)
        _add_training_networks(imported, stubs, name)
    imported.taken.insert(0, f"{name}: {len(imported.state)} tensors")
    present = as_table(source.tree) or {}
    if present.get("augment_pipe") is not None:
        imported.left_out.append("augment_pipe: training here has its own augmentation (--augment)")
    if alias_free and len(stubs) > 1:
        others = ", ".join(k for k in stubs if k != name)
        imported.left_out.append(f"{others}: StyleGAN3 is sampled here, not trained")
    if imported.labels:
        imported.notes.append(
            f"its {len(imported.labels)} labels are taken for classes: --labels label=0 and so on"
        )
    return imported


def _add_training_networks(imported: Imported, stubs: dict[str, Stub], name: str) -> None:
    if "G" in stubs and name != "G":
        imported.networks["generator"] = _stylegan2(Module(stubs["G"], "G")).state
    if "D" in stubs:
        try:
            config, state = _discriminator(Module(stubs["D"], "D"))
        except ModelError as error:
            imported.left_out.append(f"D: {error}")
        else:
            imported.config = Config(imported.config.generator, config)
            imported.networks["discriminator"] = state


# --- StyleGAN2's networks ----------------------------------------------------------------------------

LAYER = ("affine.weight", "affine.bias", "weight", "bias")


def _stylegan2(generator: Module) -> Imported:
    """Return the generator of StyleGAN2-ADA, and of StyleGAN3's configuration ``stylegan2``."""
    size, channels, label_dim = (generator.whole(k) for k in ("img_resolution", "img_channels", "c_dim"))
    mapping, synthesis = generator.child("mapping"), generator.child("synthesis")
    depth = mapping.whole("num_layers")
    levels = [4 << i for i in range(12) if 4 << i <= size]
    clamp = _check_blocks(synthesis, levels)
    tensors = generator.tensors()
    check_filters(tensors, generator.what)
    state = mapping_state(tensors, depth, "mapping.")
    state["const"] = tensors["synthesis.b4.const"][None]
    for i, level in enumerate(levels):
        block = f"synthesis.b{level}."
        state |= {f"blocks.{i}.rgb.{k}": tensors[f"{block}torgb.{k}"] for k in LAYER}
        for conv in ("conv0", "conv1") if i else ("conv1",):
            state |= {f"blocks.{i}.{conv}.{k}": tensors[f"{block}{conv}.{k}"] for k in LAYER}
            zeros = tensors["synthesis.b4.const"].new_zeros(level, level)
            for key, value in (
                ("noise_strength", zeros.sum()),
                ("noise_const", zeros),
            ):  # of those without noise
                state[f"blocks.{i}.{conv}.{key}"] = tensors.get(f"{block}{conv}.{key}", value)
    widths = [state[f"blocks.{i}.conv1.bias"].numel() for i in range(len(levels))]
    config = GeneratorConfig(
        w_dim=generator.whole("w_dim"),
        mapping_layers=depth,
        mapping_lr_multiplier=mapping.child("fc0").number("bias_gain"),
        clamp=clamp,
        **channel_settings(widths, size),
    )
    return Imported(
        family="stylegan2",
        config=Config(generator=config),
        state=state,
        image_shape=(channels, size, size),
        latent=Latent(dim=generator.whole("z_dim")),
        **class_labels(label_dim),
    )


def _check_blocks(synthesis: Module, levels: list[int]) -> float:
    """Return by how much all layers clamp; ModelError for blocks that facegan does not know."""
    clamps = set()
    for level in levels:
        block = synthesis.child(f"b{level}")
        if (form := block.get("architecture", "skip")) != "skip":
            raise ModelError(f"{block.what} has the architecture '{form}'; facegan reads 'skip' alone")
        if (form := block.child("conv1").get("activation", "lrelu")) != "lrelu":
            raise ModelError(f"{block.what} has the activation '{form}'; facegan reads 'lrelu' alone")
        clamps.add(block.child("conv1").get("conv_clamp") or 0)
    if len(clamps) != 1 or not isinstance(clamp := clamps.pop(), (int, float)):
        raise ModelError(f"{synthesis.what} clamps its blocks differently")
    return float(clamp)


def _discriminator(discriminator: Module) -> tuple[DiscriminatorConfig, dict[str, Tensor]]:
    size, label_dim = discriminator.whole("img_resolution"), discriminator.whole("c_dim")
    levels = [4 << i for i in range(12) if 4 << i <= size][::-1]
    last = discriminator.child("b4")
    for level in levels:
        form = discriminator.child(f"b{level}").get("architecture", "resnet")
        if form != "resnet":
            raise ModelError(f"its architecture is '{form}'; facegan reads 'resnet' alone")
    tensors = discriminator.tensors()
    check_filters(tensors, discriminator.what)
    group, features = (0, 0)
    if "mbstd" in last:
        group, features = (last.child("mbstd").get(k) for k in ("group_size", "num_channels"))
    if not isinstance(group, int) or features not in (0, 1):
        raise ModelError("its minibatch standard deviation is of the whole batch, or has several channels")
    names = {f"b{size}.fromrgb": "from_rgb", "b4.conv": "conv", "b4.fc": "dense", "b4.out": "out"}
    for i, level in enumerate(levels[:-1]):
        names |= {f"b{level}.{k}": f"blocks.{i}.{k}" for k in ("conv0", "conv1", "skip")}
    state = {
        f"{new}.{k}": tensors[f"{old}.{k}"]
        for old, new in names.items()
        for k in ("weight", "bias")
        if f"{old}.{k}" in tensors
    }
    more: dict[str, Any] = {}
    if label_dim:
        mapping = discriminator.child("mapping")
        more["mapping_layers"] = mapping.whole("num_layers")
        more["mapping_lr_multiplier"] = mapping.child("fc0").number("bias_gain")
        state |= mapping_state(tensors, more["mapping_layers"], "mapping.")
    widths = [
        state["conv.bias"].numel(),
        *(tensors[f"b{n}.conv0.bias"].numel() for n in reversed(levels[:-1])),
    ]
    clamp = float(last.child("conv").get("conv_clamp") or 0)
    config = DiscriminatorConfig(mbstd_group=group, clamp=clamp, **more, **channel_settings(widths, size))
    return config, state
