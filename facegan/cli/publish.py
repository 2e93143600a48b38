"""``facegan publish``: a model's repository on the Hugging Face Hub, with a card and a page."""

from __future__ import annotations

import shlex
from typing import Annotated

import tyro

from facegan.cli.options import notify


def main(
    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")],
    repo: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="OWNER/NAME")],
    *,
    dry_run: bool = False,
    out: str = "",
    private: bool = False,
    space: bool = True,
    onnx: bool = True,
    evaluation: str = "",
    licence: str = "",
    data_licence: str = "",
) -> None:
    """Publish a model on the Hugging Face Hub: the model, a card, an ONNX graph, and a page as a Space.

    The card says what is known of the model and calls the rest unknown. Paths of this computer are left out.
    Others then use it as hf:OWNER/NAME.

    Args:
        model: a run folder, a checkpoint of one (RUN@30kimg), a .safetensors file, or a bundled name.
        repo: the repository's name, for the model and the Space.
        dry_run: write everything to a folder, and upload nothing.
        out: the folder; '' is NAME-hub here in a dry run, else a temporary one.
        private: create private repositories.
        space: publish the page, too.
        onnx: publish the ONNX graph, too.
        evaluation: a file of 'facegan evaluate MODEL --against DATASET --json FILE', for the card; '' takes
            what the run has measured.
        licence: the model's licence, such as cc-by-4.0 or a sentence; '' takes what its file says.
        data_licence: the licence of the training pictures, for the card; '' is unknown.
    """
    from facegan.exchange.publish import publish

    done = publish(
        model,
        repo,
        dry_run=dry_run,
        out=out,
        private=private,
        space=space,
        onnx=onnx,
        evaluation=evaluation,
        licence=licence,
        data_licence=data_licence,
        say=notify,
    )
    print(done)
    if not dry_run or done.folder is None:
        return
    words = ["facegan", "publish", model, repo, *["--private"] * private]
    words += ["--no-space"] * (not space) + ["--no-onnx"] * (not onnx)
    for option, value in (
        ("--evaluation", evaluation),
        ("--licence", licence),
        ("--data-licence", data_licence),
    ):
        words += [option, value] if value else []
    print(f"nothing was uploaded; to upload it: {shlex.join(words)}")
    print("if you change the files first:")
    hidden = ["--private"] * private
    lines = [["hf", "upload", repo, str(done.folder / "model"), ".", *hidden]]
    if space:  # which 'hf upload' would create as one that needs a server
        kind = ["--repo-type", "space"]
        lines.append(["hf", "repos", "create", repo, *kind, "--space-sdk", "static", "--exist-ok", *hidden])
        lines.append(["hf", "upload", repo, str(done.folder / "space"), ".", *kind])
    for line in lines:
        print(f"  {shlex.join(line)}")
