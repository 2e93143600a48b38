"""A run's networks in one small file, and training that goes on from it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import facegan
from facegan.cli.main import main
from facegan.runs.checkpoints import list_checkpoints, read_networks
from facegan.runs.export import is_packed, unpack

SMALL = {
    "kimg": 0.064,
    "batch": 16,
    "grid_count": 4,
    "quality_count": 0,
    "ema_halflife_kimg": 1.0,
    "generator.width": 0.25,
    "discriminator.width": 0.25,
}


@pytest.fixture(scope="module")
def run(tiny_dataset, tmp_path_factory):
    return facegan.train(tiny_dataset, "faces-tiny-32", tmp_path_factory.mktemp("pack") / "run", **SMALL)


@pytest.fixture(scope="module")
def packed(run, tmp_path_factory):
    file = tmp_path_factory.mktemp("packed") / "networks.safetensors"
    assert main(["pack", str(run), "--out", str(file)]) == 0
    return file


def test_it_holds_the_newest_networks_in_half_precision(run, packed):
    metadata, networks = unpack(packed)
    whole = read_networks(list_checkpoints(run / "checkpoints")[-1])
    assert set(networks) == {"generator", "ema", "discriminator"}
    for name, tensors in whole.items():
        assert set(networks[name]) == set(tensors)
        for key, value in tensors.items():
            given = value.half() if value.is_floating_point() else value
            assert torch.equal(networks[name][key], given)
    assert metadata["provenance"]["images_seen"] == 64
    assert all(v.dtype != torch.float32 for v in load_file(packed).values())


def test_training_goes_on_from_it(tiny_dataset, run, packed, tmp_path):
    begun = facegan.train(
        tiny_dataset,
        "faces-tiny-32",
        tmp_path / "on",
        init=str(packed),
        **{**SMALL, "kimg": 0.016, "generator.lr": 1e-12, "discriminator.lr": 1e-12},
    )
    model = facegan.load(begun)
    origin = model.meta["provenance"]
    assert (origin["images_before"], origin["images_seen"]) == (64, 16)
    assert np.abs(model.sample(4).astype(int) - facegan.load(run).sample(4)).mean() < 4
    after = read_networks(list_checkpoints(begun / "checkpoints")[-1])["discriminator"]
    before = unpack(packed)[1]["discriminator"]
    assert all(torch.allclose(after[k].float(), before[k].float(), atol=1e-6) for k in after)
    assert "of the discriminator" in (begun / "events.jsonl").read_text()


def test_the_count_survives_resuming_and_a_second_stretch(tiny_dataset, packed, tmp_path, capsys):
    for kimg in (0.016, 0.032):
        facegan.train(
            tiny_dataset, "faces-tiny-32", tmp_path / "on", init=str(packed), **{**SMALL, "kimg": kimg}
        )
    assert facegan.load(tmp_path / "on").meta["provenance"]["images_before"] == 64
    assert main(["pack", str(tmp_path / "on"), "--out", str(tmp_path / "again.safetensors")]) == 0
    third = facegan.train(
        tiny_dataset,
        "faces-tiny-32",
        tmp_path / "third",
        init=str(tmp_path / "again.safetensors"),
        **{**SMALL, "kimg": 0.016},
    )
    assert facegan.load(third).meta["provenance"]["images_before"] == 64 + 32
    capsys.readouterr()
    assert main(["show", str(third)]) == 0
    assert "0.016 kimg, after 0.096 kimg" in capsys.readouterr().out


def test_mistakes_in_one_line(tiny_dataset, packed, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for argv, said in (
        (["pack", str(tmp_path / "none")], "no checkpoint"),
        (["pack", str(tmp_path / "empty")], "no checkpoint"),
        (["pack", str(tmp_path), "--out", "x.txt"], ".safetensors"),
        (
            [
                "train",
                str(tiny_dataset.path),
                "--recipe",
                "r3gan-32",
                "--quiet",
                "--init",
                str(packed),
                "--out",
                str(tmp_path / "runs" / "r"),
            ],
            "its family is",
        ),
        (["generate", str(packed)], "no facegan model"),
    ):
        assert main(argv) == 2
        error = capsys.readouterr().err
        assert said in error and len(error.strip().splitlines()) == 1, error
    assert not (tmp_path / "runs").exists()  # a run that could not begin leaves nothing behind
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(packed.read_bytes()[:2000])
    assert not is_packed(damaged)
