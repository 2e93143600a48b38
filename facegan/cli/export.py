"""``facegan export``: a model as a file that needs no facegan."""

from __future__ import annotations

from typing import Annotated, Literal

import tyro


def main(
    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")],
    *,
    out: str,
    weights: Literal["auto", "float32", "float16"] = "auto",
    part: Literal["all", "map", "synthesize"] = "all",
    example: bool = False,
    directions: str = "",
    direction: str = "",
    title: str = "",
    split: str = "train",
    labels: str = "",
) -> None:
    """Write a model as a file that needs no facegan, or a dataset as StyleGAN's zip.

    A model is run before it is written: 64 seeds or pictures, in batches of 1, 5 and 32, differ from
    PyTorch's pictures by at most one level of 255.

    Args:
        model: a generator or translator: a run folder, a checkpoint of one (RUN@30kimg), a .safetensors file,
            a bundled name, or hf:owner/name on the Hugging Face Hub; with --out FILE.zip, a dataset.
        out: the file: .onnx (a graph for onnxruntime and others), .html (a page that any browser opens and
            that draws by itself), .pt2 (a program that PyTorch runs alone), .keras (a model of Keras 3; dcgan
            and vanilla only), or the weights by name as .pt (a state dict) or .npz.
        weights: how weights are stored: float32, or float16 in half the space. Graphs compute in float32.
            auto is float16 in pages, where that changes no picture by more than a level, else float32.
        part: all (z and labels -> pictures), map (z and labels -> w) or synthesize (w -> pictures). With the
            last two, you truncate and edit w in between.
        example: write a program beside the file, too, which draws seeds with it: OUT.py.
        directions: of a page: a file of 'facegan directions' for its sliders; '' takes those found before.
        direction: of a translator with two directions: which of them is written; '' is the first.
        title: of a page: its heading; '' is the model's name.
        split: of a dataset: the split that is written.
        labels: of a dataset: the attribute that is each picture's class, or several as NAME,NAME, which
            become a list of numbers; '' writes no labels.
    """
    from facegan.errors import InputError

    is_dataset = out.lower().endswith(".zip")
    of_models = {
        "--weights": weights != "auto",
        "--part": part != "all",
        "--example": example,
        "--directions": bool(directions),
        "--direction": bool(direction),
        "--title": bool(title),
    }
    of_datasets = {"--split": split != "train", "--labels": bool(labels)}
    for option, given in (of_models if is_dataset else of_datasets).items():
        if given:
            why = "a .zip is made of a dataset" if is_dataset else "datasets are written as .zip"
            raise InputError(f"--out {out}: {why}; leave out {option}")
    if is_dataset:
        from facegan.data.stylegan_zip import export_dataset

        print(export_dataset(model, out, split=split, labels=labels))
        return
    from facegan.cli.options import tell_licence
    from facegan.exchange.exporting import export_model
    from facegan.models import load

    tell_licence(model)
    done = export_model(
        load(model),
        out,
        weights=weights,
        part=part,
        example=example,
        directions=directions,
        direction=direction,
        title=title,
    )
    print(done)
