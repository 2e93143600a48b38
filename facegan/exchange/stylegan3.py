"""StyleGAN3's layers (T and R) out of NVIDIA's pickles."""

from __future__ import annotations

from facegan.errors import ModelError
from facegan.exchange.base import Imported
from facegan.exchange.modules import Module
from facegan.exchange.stylegan2 import class_labels, mapping_state
from facegan.families.stylegan3.config import Config, GeneratorConfig
from facegan.prior import Latent

BUFFERS = ("magnitude_ema", "up_filter", "down_filter")


def read_generator(generator: Module) -> Imported:
    """Return the generator, with the geometry that its layers state."""
    size, channels, label_dim = (generator.whole(k) for k in ("img_resolution", "img_channels", "c_dim"))
    mapping, synthesis = generator.child("mapping"), generator.child("synthesis")
    first = synthesis.child("input")
    names = synthesis.state.get("layer_names")
    if not isinstance(names, list) or not 1 <= len(names) <= 64:
        raise ModelError(
            "its synthesis network does not list its layers; another version of its code has written it"
        )
    layers = [synthesis.child(str(name)) for name in names]
    tensors, depth = generator.tensors(), mapping.whole("num_layers")
    state = mapping_state(tensors, depth, "mapping.")
    for key in ("affine.weight", "affine.bias", "weight", "freqs", "phases", "transform"):
        state[f"input.{key}"] = tensors[f"synthesis.input.{key}"]
    for i, name in enumerate(names):
        for key in ("affine.weight", "affine.bias", "weight", "bias", *BUFFERS):
            if (value := tensors.get(f"synthesis.{name}.{key}")) is not None:
                state[f"layers.{i}.{key}"] = value
    inner = layers[0]
    taps = inner.whole("up_taps") / max(inner.whole("up_factor"), 1)
    high = max(inner.whole("in_sampling_rate"), inner.whole("out_sampling_rate"))
    config = GeneratorConfig(
        w_dim=generator.whole("w_dim"),
        mapping_layers=depth,
        mapping_lr_multiplier=mapping.child("fc0").number("bias_gain"),
        channels=(first.whole("channels"), *(layer.whole("out_channels") for layer in layers)),
        sizes=(first.whole("size"), *(layer.whole("out_size") for layer in layers)),
        rates=(first.whole("sampling_rate"), *(layer.whole("out_sampling_rate") for layer in layers)),
        bandwidth=float(first.number("bandwidth")),
        kernel=inner.whole("conv_kernel"),
        filter_taps=int(taps) if taps > 1 else 6,
        oversampling=inner.whole("tmp_sampling_rate") // max(high, 1),
        radial=(False, *(bool(layer.get("down_radial", False)) for layer in layers)),
        clamp=float(inner.get("conv_clamp") or 0),
        output_scale=float(synthesis.number("output_scale")),
    )
    return Imported(
        family="stylegan3",
        config=Config(generator=config),
        state=state,
        image_shape=(channels, size, size),
        latent=Latent(dim=generator.whole("z_dim")),
        **class_labels(label_dim),
    )
