"""BigGAN's files: pictures of the authors' networks, written anew; truncation; what is refused."""

from pathlib import Path

import pytest
import torch
from biggan_files import CLASSES, WRITERS, Drawn, write_brock

import facegan
from facegan.errors import FaceganError


def bring(path: Path):
    return facegan.import_model(path, path.with_suffix(".safetensors"))


@pytest.mark.parametrize("case", WRITERS)
def test_pictures_are_the_authors(case, tmp_path):
    expected = WRITERS[case](tmp_path / "G_ema.pth")
    assert expected["images"].std() > 0.05
    found = bring(tmp_path / "G_ema.pth")
    assert found.format == "biggan"
    model = facegan.load(found.path)
    assert len(model.labels) == CLASSES and model.latent.kind == "truncated"
    with torch.inference_mode():
        images = model(expected["z"], labels=expected["labels"])
        alone = model(expected["z"][2:3], labels=expected["labels"][2:3])
    torch.testing.assert_close(images, expected["images"], rtol=0, atol=2e-5)
    torch.testing.assert_close(alone, images[2:3], rtol=0, atol=2e-5)
    if case == "brock":
        half = model.tell("label=1").sample(2, truncation=0.5)  # with statistics of its own
        assert (half[0] != half[1]).any()


def test_a_table_of_weights_within_others_and_of_several_gpus(tmp_path):
    write_brock(tmp_path / "plain.pth")
    weights = torch.load(tmp_path / "plain.pth", weights_only=True)
    torch.save({"G_ema": {f"module.{k}": v for k, v in weights.items()}}, tmp_path / "whole.pth")
    a, b = (bring(tmp_path / f"{name}.pth").model for name in ("plain", "whole"))
    assert (a.sample(3) == b.sample(3)).all()


@pytest.mark.parametrize(
    "change, line",
    [
        (lambda w: w.pop("blocks.1.0.bn2.stored_var"), "no weights 'blocks.1.0.bn2.stored_var'"),
        (lambda w: w.update({"linear.weight": torch.zeros(9, 4)}), "no square maps of 8 channels"),
        (lambda w: w.update({"linear.weight": torch.zeros(128, 5)}), "do not fit the network"),
        (lambda w: w.update({"shared.weight": torch.zeros(2000, 6)}), "2,000 labels"),
        (lambda w: w.update({"blocks.0.0.conv1.weight": torch.zeros(8, 0, 3, 3)}), ""),
        (
            lambda w: w.update({"blocks.0.1.theta.weight": torch.zeros(1, 8, 1, 1)}),
            "elsewhere",
        ),
    ],
    ids=["missing", "first", "wide", "labels", "nothing", "attention"],
)
def test_what_cannot_be_read_is_one_line(change, line, tmp_path):
    write_brock(tmp_path / "plain.pth")
    weights = Drawn(torch.load(tmp_path / "plain.pth", weights_only=True))
    change(weights)
    torch.save(dict(weights), tmp_path / "changed.pth")
    with pytest.raises(FaceganError) as caught:
        bring(tmp_path / "changed.pth")
    assert line in str(caught.value) and "\n" not in str(caught.value)
