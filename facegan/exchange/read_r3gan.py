"""Reader of R3GAN's ``.pkl``: a pickle of whole modules (``G_ema``, ``G``, ``D``), without source code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facegan.errors import ModelError
from facegan.exchange.base import Imported, ImportOptions, Source
from facegan.exchange.modules import PERSISTENT, Module, Weights, module_state
from facegan.exchange.stylegan2 import check_filters, class_labels
from facegan.families.r3gan.config import Config, NetworkConfig
from facegan.pickles.objects import as_table
from facegan.prior import Latent

if TYPE_CHECKING:
    from torch import Tensor

State = dict[str, "Tensor"]


def recognises(source: Source) -> bool:
    """Return whether this reader takes the file."""
    if source.kind != "pickle":
        return False
    state = module_state((as_table(source.tree) or {}).get("G_ema"))
    model = (as_table(state["_modules"]) or {}).get("Model") if state is not None else None
    return model is not None and model.name != PERSISTENT and "MainLayers" in Module(model, "Model")


def read(source: Source, options: ImportOptions) -> Imported:
    """Read the averaged generator (G_ema), and G and D for training on."""
    networks = {
        k: Module(v, k) for k, v in source.tree.items() if k in ("G_ema", "G", "D") and module_state(v)
    }
    name = options.network or "G_ema"
    if name not in networks or name == "D":
        raise ModelError(f"--network {name}: the file has {', '.join(k for k in networks if k != 'D')}")
    outer = networks[name]
    size, label_dim = outer.whole("img_resolution"), outer.whole("c_dim")
    config, state = _generator(outer.child("Model"))
    found = Imported(
        family="r3gan",
        config=Config(generator=config),
        state=state,
        image_shape=(len(state["to_image.weight"]), size, size),
        latent=Latent(dim=outer.whole("z_dim")),
        taken=[f"{name}: {len(state)} tensors"],
        **class_labels(label_dim),
    )
    if "G" in networks and name != "G":
        found.networks["generator"] = _generator(networks["G"].child("Model"))[1]
    if "D" in networks:
        other, found.networks["discriminator"] = _discriminator(networks["D"].child("Model"))
        found.config = Config(config, other)
    if left := [key for key in source.tree if str(key).endswith("opt_state")]:
        found.left_out.append(
            f"{', '.join(left)}: moments of the optimisers; training on begins with new ones"
        )
    if found.labels:
        found.notes.append(f"its {label_dim} labels are taken for classes: --labels label=0 and so on")
    if _halved(outer):
        found.notes.append("computed in float32 throughout; the original takes bfloat16 for some stages")
    return found


def _halved(outer: Module) -> bool:
    """Return whether some stages compute in half precision."""
    main = outer.child("Model").child("MainLayers")
    return any("float16" in str(main.child(stage).get("DataType")) for stage in main.inner)


def _stages(model: Module) -> list[int]:
    """Return how many layers each stage has: residual blocks and a transition."""
    main = model.child("MainLayers")
    return [len(main.child(str(i)).child("Layers").inner) for i in range(len(main.inner))]


def _blocks(weights: Weights, places: list[tuple[str, str]]) -> State:
    """Return the state of residual blocks, each with its name in the file and here."""
    names = {
        "LinearLayer1.Layer.weight": "expand.weight",
        "NonLinearity1.Bias": "expand.bias",
        "LinearLayer2.Layer.weight": "grouped.weight",
        "NonLinearity2.Bias": "grouped.bias",
        "LinearLayer3.Layer.weight": "project.weight",
    }
    return {f"{new}.{k}": weights[f"{old}.{key}"] for old, new in places for key, k in names.items()}


def _settings(widths: list[int], blocks: list[int], state: State) -> NetworkConfig:
    grouped = {v.shape[1:] for k, v in state.items() if k.endswith("grouped.weight")}
    expanded = {len(v) / v.shape[1] for k, v in state.items() if k.endswith("expand.weight")}
    if len(grouped) != 1 or len(expanded) != 1:
        raise ModelError("its residual blocks differ in group size, kernel or expansion; facegan's are alike")
    group, kernel, _ = grouped.pop()
    return NetworkConfig(
        widths=tuple(widths),
        blocks=tuple(blocks),
        group_size=group,
        expansion=int(expanded.pop()),
        kernel=kernel,
    )


def _generator(model: Module) -> tuple[NetworkConfig, State]:
    weights = model.tensors()
    check_filters(weights, model.what)
    counts = _stages(model)
    basis = weights["MainLayers.0.Layers.0.Basis"]
    state = {
        "body.0.maps": basis[None],
        "body.0.scale.weight": weights["MainLayers.0.Layers.0.LinearLayer.weight"],
    }
    widths, place, places = [len(basis)], 1, []
    for i, count in enumerate(counts):
        if i:
            change = weights.get(f"MainLayers.{i}.Layers.0.LinearLayer.Layer.weight")
            widths.append(widths[-1] if change is None else len(change))
            if change is not None:
                state[f"body.{place}.weight"] = change
            place += 1 if change is None else 2
        places += [(f"MainLayers.{i}.Layers.{j}", f"body.{place + j - 1}") for j in range(1, count)]
        place += count - 1
    state |= _blocks(weights, places)
    state["to_image.weight"] = weights["AggregationLayer.Layer.weight"]
    if "EmbeddingLayer.weight" in weights:
        state["embed.weight"] = weights["EmbeddingLayer.weight"]
    return _settings(widths, [count - 1 for count in counts], state), state


def _discriminator(model: Module) -> tuple[NetworkConfig, State]:
    weights = model.tensors()
    check_filters(weights, model.what)
    counts = _stages(model)
    extract = weights["ExtractionLayer.Layer.weight"]
    state = {"body.0.weight": extract}
    widths, place, places = [len(extract)], 1, []
    for i, count in enumerate(counts):
        places += [(f"MainLayers.{i}.Layers.{j}", f"body.{place + j}") for j in range(count - 1)]
        place += count - 1
        last = f"MainLayers.{i}.Layers.{count - 1}"
        if i < len(counts) - 1:
            change = weights.get(f"{last}.LinearLayer.Layer.weight")
            widths.append(widths[-1] if change is None else len(change))
            if change is not None:
                state[f"body.{place + 1}.weight"] = change
            place += 1 if change is None else 2
        else:
            state["head.basis.weight"] = weights[f"{last}.Basis.weight"]
            state["head.linear.weight"] = weights[f"{last}.LinearLayer.weight"]
    state |= _blocks(weights, places)
    if "EmbeddingLayer.weight" in weights:
        embed = weights["EmbeddingLayer.weight"]
        state |= {"embed.weight": embed, "embed.bias": embed.new_zeros(len(embed))}
    return _settings(widths[::-1], [count - 1 for count in counts][::-1], state), state
