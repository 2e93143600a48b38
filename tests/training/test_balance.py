"""Labels in a run: balanced draws, what the run folder and the report show, and the alarm."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from narrow import at_32

import facegan
from facegan.data.dataset import Dataset
from facegan.errors import ConfigError
from facegan.recipes.config import check
from facegan.training.sampler import ImageSampler

CPU = torch.device("cpu")
COUNTS = (90, 9, 1)
TABLE = np.eye(3, dtype=np.float32)[np.repeat(np.arange(3), COUNTS)]


def sampler(**changes):
    config = replace(at_32("dcgan"), condition=("label",), balance=True, flip=False, **changes)
    images = np.zeros((100, 2, 2, 3), np.uint8)
    return ImageSampler(images, config, CPU, table=TABLE)


def test_every_combination_comes_equally_often_and_every_picture_of_it():
    rows = sampler().image_rows(0, 300)
    assert Counter(TABLE[rows].argmax(1).tolist()) == {0: 100, 1: 100, 2: 100}
    assert Counter(rows[rows == 99].tolist()) == {99: 100}
    common = Counter(rows[rows < 90].tolist())
    assert len(common) == 90 and set(common.values()) == {1, 2}  # 100 draws of 90 pictures
    rare = Counter(rows[(rows >= 90) & (rows < 99)].tolist())
    assert len(rare) == 9 and set(rare.values()) == {11, 12}
    for start in range(0, 300, 3):  # three in a row have one each
        assert len(set(TABLE[rows[start : start + 3]].argmax(1))) == 3


def test_draws_follow_from_the_index_alone():
    whole = sampler().image_rows(0, 300)
    pieces = sampler()
    later = np.concatenate([pieces.image_rows(start, 7) for start in range(140, 280, 7)])
    np.testing.assert_array_equal(later, whole[140:280])
    np.testing.assert_array_equal(sampler().image_rows(50, 32), whole[50:82])
    other = sampler(seed=1).image_rows(0, 300)
    assert not np.array_equal(whole, other)


def test_labels_go_with_their_pictures_and_fakes_are_balanced_too():
    s = sampler()
    np.testing.assert_array_equal(s.labels(64, 32, (8, 24)).numpy(), TABLE[s.image_rows(64, 32)[8:24]])
    fakes = torch.cat([s.drawn_labels(start, (0, 30)) for start in range(0, 300, 30)])
    assert fakes.sum(0).tolist() == [100, 100, 100]
    again = torch.cat([sampler().drawn_labels(0, (0, 120)), sampler().drawn_labels(120, (0, 180))])
    assert torch.equal(fakes, again)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"condition": ()}, "--balance goes with --condition"),
        ({"sampling": "sequential"}, "leave out --sampling sequential"),
    ],
)
def test_what_cannot_be_balanced(changes, said):
    with pytest.raises(ConfigError, match=said):
        check(replace(at_32("dcgan"), **{"condition": ("label",), "balance": True, **changes}))


def test_a_balanced_run_resumes_to_the_bit_and_shows_its_labels(portraits, tmp_path):
    from safetensors.numpy import load_file

    name = portraits.attribute_names[0]
    config = at_32("dcgan", condition=(name,), balance=True)
    whole = facegan.train(portraits, config, tmp_path / "whole")
    half = facegan.train(portraits, replace(config, kimg=0.032), tmp_path / "half")
    facegan.train(portraits, config, half, resume=True)
    a, b = (load_file(sorted(run.glob("checkpoints/*/state.safetensors"))[-1]) for run in (whole, half))
    assert a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)

    shown = json.loads((whole / "labels.json").read_text())
    yes = int((Dataset(portraits.path).attributes("train")[:, 0] == 1).sum())
    assert shown["counts"] == {name: yes, f"not {name}": portraits.counts["train"] - yes}
    assert shown["balance"] and len(shown["alarms"]) == 1 and "--balance" not in shown["alarms"][0]
    assert (whole / "labels.png").is_file()
    events = [json.loads(line)["text"] for line in (whole / "events.jsonl").read_text().splitlines()]
    assert any(text.startswith(f"labels: {name}: yes in {yes} pictures") for text in events)
    assert any(text.startswith("watchdog: labels of which there are almost no pictures") for text in events)
    page = (whole / "report.html").read_text()
    assert "<h2>Labels</h2>" in page and "yes in" in page and "Training pictures of each label" in page
    without = facegan.train(portraits, at_32("dcgan", kimg=0.008), tmp_path / "without")
    assert (
        not (without / "labels.json").exists()
        and "<h2>Labels</h2>" not in (without / "report.html").read_text()
    )
