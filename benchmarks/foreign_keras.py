"""Keras's generators: written by Keras itself with random weights, imported, and compared.

    python benchmarks/foreign_keras.py [--onnx] [--exported] PYTHON ...

Each argument is the Python of an environment that has Keras, of version 2 (keras==2.15.0,
tensorflow-cpu==2.15.1, numpy below 2) or 3 (keras, tensorflow-cpu). It writes the tutorials' generators
(dense, convolutional, conditional, stacked with a discriminator) in every format that it has, and what they
make of four vectors. With --onnx it writes graphs, too, by tf2onnx where Keras is version 2, else by Keras's
own export. Exit code 1: some picture differs by more than one level of 255.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

Z = 100
FORMATS = ("h5", "keras", "weights.h5")

# --- in the process of Keras -------------------------------------------------------------------------


def generators(keras: Any) -> dict[str, Any]:
    """The tutorials' generators, and one with further layers."""
    k = keras.layers
    made = {
        name: keras.Sequential([k.Input((z,)), *layers])
        for name, (z, layers) in {**tutorials(k), "odd": (Z, odd(k))}.items()
    }
    made["conditional"] = conditional(keras)
    made["multiplied"] = multiplied(keras)
    painter, judge = stack(keras)
    made["stack"] = keras.Sequential([k.Input((Z,)), painter, judge])
    z = k.Input((Z,))
    made["functional stack"] = keras.Model(z, judge(painter(z)))
    return made


def conv(k: Any, filters: int, size: int, **more: Any) -> Any:
    return k.Conv2D(filters, size, padding="same", **more)


def deconv(k: Any, filters: int, size: int, **more: Any) -> Any:
    return k.Conv2DTranspose(filters, size, strides=2, padding="same", **more)


def tutorials(k: Any) -> dict[str, tuple[int, list[Any]]]:
    """Length of the latent and layers, some of them narrower than printed."""
    tanh = {"activation": "tanh"}
    vanilla: list[Any] = []
    for units in (256, 512, 1024):
        vanilla += [k.Dense(units), k.LeakyReLU(0.2), k.BatchNormalization(momentum=0.8)]
    digits = [k.Dense(1024, **tanh), k.Dense(6272), k.BatchNormalization(), k.Activation("tanh")]
    digits += [k.Reshape((7, 7, 128)), k.UpSampling2D(), conv(k, 64, 5, **tanh), k.UpSampling2D()]
    faces80 = [k.Dense(5 * 5 * 128), k.LeakyReLU(0.2), k.Reshape((5, 5, 128))]
    for _ in range(4):
        faces80 += [deconv(k, 128, 4), k.LeakyReLU(0.2)]
    faces50 = [k.Dense(25 * 25 * 16), k.BatchNormalization(momentum=0.5), k.ReLU(), k.Reshape((25, 25, 16))]
    for layer in (conv(k, 64, 5), deconv(k, 32, 4), conv(k, 16, 5, use_bias=False)):
        faces50 += [layer, k.BatchNormalization(momentum=0.5), k.ReLU()]
    faces128 = [k.Dense(16 * 16 * 32), k.Reshape((16, 16, 32))]
    for filters in (32, 48, 64):
        faces128 += [deconv(k, filters, 4), k.LeakyReLU(0.2)]
    return {
        "vanilla-28": (Z, [*vanilla, k.Dense(784, **tanh), k.Reshape((28, 28, 1))]),
        "dcgan-28": (Z, [*digits, conv(k, 1, 5, **tanh)]),
        "dcgan-80": (Z, [*faces80, conv(k, 3, 5, **tanh)]),
        "dcgan-50": (Z, [*faces50, conv(k, 3, 7, **tanh)]),
        "dcgan-128": (128, [*faces128, conv(k, 3, 4, activation="sigmoid")]),
    }


def odd(k: Any) -> list[Any]:
    """One of each further layer, with sizes and strides that do not fit evenly."""
    return [
        k.Dense(4 * 4 * 8),
        k.Reshape((4, 4, 8)),
        k.PReLU(shared_axes=[1, 2]),
        deconv(k, 8, 5),
        k.PReLU(),
        k.LayerNormalization(),
        deconv(k, 8, 3),
        k.ELU(0.7),
        k.Conv2DTranspose(6, 2, strides=3, padding="same"),
        k.BatchNormalization(scale=False),
        k.GaussianNoise(0.1),
        conv(k, 6, 3, strides=2),
        k.DepthwiseConv2D(3, padding="same"),
        k.ZeroPadding2D(((1, 0), (2, 1))),
        k.Cropping2D(((0, 1), (2, 1))),
        k.Conv2DTranspose(5, 5, strides=2),
        deconv(k, 5, 5, output_padding=1),
        k.UpSampling2D(2, interpolation="bilinear"),
        k.Dropout(0.3),
        conv(k, 3, 3, dilation_rate=2),
        k.Rescaling(0.5, 0.1),
        k.Activation("tanh"),
    ]


def conditional(keras: Any) -> Any:
    """A conditional DCGAN: an embedded label as a further channel."""
    k = keras.layers
    label, z = k.Input((1,)), k.Input((Z,))
    plane = k.Reshape((7, 7, 1))(k.Dense(49)(k.Embedding(10, 50)(label)))
    x = k.Reshape((7, 7, 32))(k.LeakyReLU(0.2)(k.Dense(7 * 7 * 32)(z)))
    x = k.Concatenate()([x, plane])
    for _ in range(2):
        x = k.LeakyReLU(0.2)(deconv(k, 32, 4)(x))
    return keras.Model([z, label], conv(k, 1, 7, activation="tanh")(x))


def multiplied(keras: Any) -> Any:
    """Another: the embedded label times the latent, into an inner model."""
    k = keras.layers
    z, label = k.Input((Z,)), k.Input((1,), dtype="int32")
    layers = [k.Dense(64), k.LeakyReLU(0.2), k.Dense(784, activation="tanh"), k.Reshape((28, 28, 1))]
    inner = keras.Sequential(layers)
    inner.build((None, Z))
    return keras.Model([z, label], inner(k.Multiply()([z, k.Flatten()(k.Embedding(10, Z)(label))])))


def stack(keras: Any) -> tuple[Any, Any]:
    """Generator and frozen discriminator."""
    k, norm = keras.layers, keras.layers.BatchNormalization
    layers = [
        k.Dense(4 * 4 * 16, name="first"),
        k.Reshape((4, 4, 16)),
        norm(),
        deconv(k, 8, 5, activation="relu"),
    ]
    layers += [norm(), deconv(k, 3, 5, activation="tanh")]
    painter = keras.Sequential([k.Input((Z,)), *layers], name="painter")
    judged = [
        conv(k, 8, 5, strides=2),
        norm(),
        k.LeakyReLU(0.2),
        k.Flatten(),
        k.Dense(1, activation="sigmoid"),
    ]
    judge = keras.Sequential([k.Input((16, 16, 3)), *judged], name="judge")
    judge.trainable = False
    return painter, judge


def shake(model: Any) -> None:
    """Give biases, norms and statistics values of their own, as after training."""
    rng = np.random.default_rng(1)
    values = []
    for value in model.get_weights():
        if value.ndim == 1 or (value == value.flat[0]).all():
            noise = rng.normal(size=value.shape) * 0.25
            value = value + (np.abs(noise) if value.flat[0] else noise)
        values.append(value.astype(np.float32))
    model.set_weights(values)


def write(place: Path, onnx: bool) -> None:
    """Write every generator in every format, and what it makes."""
    import keras

    print(f"keras {keras.__version__}")
    z = np.random.default_rng(0).normal(size=(4, 128)).astype(np.float32)
    classes = np.array([[0], [3], [5], [9]])
    for name, model in generators(keras).items():
        shake(model)
        drawn = z[:, : model.inputs[0].shape[-1]]
        painter = next((layer for layer in model.layers if layer.name == "painter"), model)
        images = painter.predict([drawn, classes] if len(model.inputs) == 2 else drawn, verbose=0)
        folder = place / name
        folder.mkdir()
        np.savez(folder / "expected.npz", z=drawn, images=images, classes=classes[:, 0])
        (folder / "model.json").write_text(model.to_json())
        for ending in FORMATS:
            (model.save_weights if ending == "weights.h5" else model.save)(str(folder / f"g.{ending}"))
        if onnx:
            write_onnx(painter, str(folder / "g.onnx"))


def write_onnx(model: Any, place: str) -> None:
    import keras

    if keras.__version__ >= "3":
        model.export(place, format="onnx", verbose=False)
        return
    import tensorflow as tf
    import tf2onnx

    names = ("z", "label")
    signature = [tf.TensorSpec(x.shape, x.dtype, name=names[i]) for i, x in enumerate(model.inputs)]
    tf2onnx.convert.from_keras(model, input_signature=signature, opset=17, output_path=place)


def draw(place: Path) -> None:
    """Write what Keras makes of the exported models."""
    import keras

    for file in sorted(place.glob("*.keras")):
        z = np.load(file.with_suffix(".npz"))["z"]
        np.save(file.with_suffix(".npy"), keras.models.load_model(file).predict(z, verbose=0))


# --- in ours -----------------------------------------------------------------------------------------


def compare(folder: Path, file: Path) -> float:
    """Return by how many levels of 255 pictures differ, at most."""
    import torch

    from facegan.exchange.importing import import_model

    expected = np.load(folder / "expected.npz")
    more = {"config": str(folder / "model.json")} if file.name == "g.weights.h5" else {}
    model = import_model(file, folder / "g.safetensors", **more).model
    labels = torch.eye(len(model.labels))[torch.from_numpy(expected["classes"])] if model.labels else None
    with torch.inference_mode():
        images = model(torch.from_numpy(expected["z"]), labels=labels).numpy()
    theirs = np.moveaxis(expected["images"], -1, 1)
    if folder.name == "dcgan-128":  # whose pictures are in [0, 1]
        theirs = theirs * 2 - 1
    return float(np.abs(images - theirs).max() * 127.5)


def export(place: Path) -> None:
    """Write every recipe's untrained generator for Keras, and what it makes."""
    import torch

    from facegan.exchange.exporting import export_model
    from facegan.generator import Generator, Latent, build_network, describe
    from facegan.recipes.table import RECIPES, recipe

    for name in RECIPES:
        config = recipe(name)
        if config.family not in ("dcgan", "vanilla"):
            continue
        prior, size = config.latent, config.size or 40
        latent = Latent(prior.kind, prior.dim, prior.mean, prior.std)
        meta = describe(config.family, config.model, latent, image_shape=(config.channels or 3, size, size))
        network = build_network(meta)
        for key, tensor in network.state_dict().items():
            if tensor.ndim > 1:
                tensor.normal_(std=(2 / (tensor.numel() / max(tensor.shape[:2]))) ** 0.5)
            elif key.endswith("running_var"):
                tensor.uniform_(0.5, 1.5)
            elif tensor.is_floating_point():
                tensor.add_(0.1 * torch.randn_like(tensor))
        model = Generator(network, meta)
        export_model(model, place / f"{name}.keras")
        np.savez(
            place / f"{name}.npz", z=model.latent.sample(range(4)).numpy(), images=model.images(range(4))
        )


def compare_exported(python: str) -> float:
    """Return by how many levels Keras's pictures of exported models differ from ours, at most."""
    worst = 0.0
    with tempfile.TemporaryDirectory() as place:
        export(Path(place))
        subprocess.run([python, __file__, "--draw", place], check=True, stderr=subprocess.DEVNULL)
        for file in sorted(Path(place).glob("*.npy")):
            theirs = ((np.load(file) + 1) * 127.5).round().clip(0, 255)
            levels = float(np.abs(theirs - np.load(file.with_suffix(".npz"))["images"]).max())
            worst = max(worst, levels)
            print(f"{file.stem}, exported: {levels:.0f}", flush=True)
    return worst


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pythons", nargs="*", metavar="PYTHON")
    parser.add_argument("--write", metavar="FOLDER", help=argparse.SUPPRESS)
    parser.add_argument("--onnx", action="store_true", help="write ONNX by Keras's own export, too")
    parser.add_argument("--exported", action="store_true", help="compare 'facegan export', too (Keras 3)")
    parser.add_argument("--draw", metavar="FOLDER", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.draw:
        draw(Path(args.draw))
        return 0
    if args.write:
        write(Path(args.write), args.onnx)
        return 0
    worst = 0.0
    for python in args.pythons:
        worst = max(worst, compare_exported(python)) if args.exported else worst
        with tempfile.TemporaryDirectory() as place:
            more = ["--onnx"] if args.onnx else []
            subprocess.run([python, __file__, "--write", place, *more], check=True, stderr=subprocess.DEVNULL)
            for folder in sorted(Path(place).iterdir()):
                found: dict[str, Any] = {}
                for file in sorted(folder.glob("g.*")):
                    if file.suffix == ".safetensors":
                        continue
                    try:
                        found[file.name] = round(compare(folder, file), 5)
                    except Exception as error:
                        found[file.name] = str(error)
                levels = [v for v in found.values() if isinstance(v, float)]
                worst = max(worst, *levels)
                print(f"{folder.name}: {json.dumps(found)}", flush=True)
    print(f"the greatest difference is {worst:.2g} levels of 255")
    return int(worst > 1)


if __name__ == "__main__":
    sys.exit(main())
