"""Labels before they are used: counts, the rule of what is scarce, and sheets of examples."""

import numpy as np
import pytest

from facegan.cli.main import main
from facegan.data import label_counts
from facegan.data.label_counts import alarms, counts_lines, examples, kinds


def table(*columns):
    return np.stack([np.asarray(c, np.float32) for c in columns], 1)


def one_hot(values, count):
    return (np.asarray(values)[:, None] == np.arange(count)).astype(np.float32)


@pytest.mark.parametrize(
    ("yes", "total", "scarce"),
    [
        (5000, 10_000, []),
        (100, 10_000, []),
        (99, 10_000, ["smiling"]),
        (9901, 10_000, ["not smiling"]),
        (49, 100, ["smiling"]),
        (50, 100, []),
        (0, 200, ["smiling"]),
        (200, 200, ["not smiling"]),
    ],
)
def test_a_yes_or_no_of_which_there_are_almost_none_or_all(yes, total, scarce):
    found = kinds(["smiling"], table([1] * yes + [0] * (total - yes)))
    assert [k.name for k in found] == ["smiling", "not smiling"]
    assert [len(k.rows) for k in found] == [yes, total - yes]
    assert [k.name for k in found if k.scarce] == scarce
    assert [name in text for text in alarms(found) for name in scarce] == [True] * len(scarce)


def test_of_many_classes_a_tenth_of_an_even_share_is_enough():
    values = np.repeat(np.arange(20), 500)  # an even share is 5%, a tenth of it 0.5%
    values[: 500 - 60] = 19
    found = kinds([f"label={i}" for i in range(20)], one_hot(values, 20))
    assert len(found[0].rows) == 60 and found[0].share == 0.006 and not any(k.scarce for k in found)
    values[500 - 60 : 500 - 49] = 19
    found = kinds([f"label={i}" for i in range(20)], one_hot(values, 20))
    assert [k.name for k in found if k.scarce] == ["label=0"]


def test_lines_and_alarms_say_numbers_and_the_way_out():
    found = kinds(["smiling", "label=a", "label=b"], table([1, 0, 0, 0], [1, 1, 1, 0], [0, 0, 0, 1]))
    assert counts_lines(found) == [
        "smiling: yes in 1 pictures (25%)",
        "label: 2 classes: a: 3 (75%), b: 1 (25%)",
    ]
    (text,) = alarms(found)
    assert "smiling (1 pictures, 25%)" in text and "--balance" in text and "\n" not in text
    assert "--balance" not in alarms(found, balance=True)[0]


def test_a_row_of_examples_shows_only_pictures_of_its_kind(monkeypatch):
    """Pictures of one colour for each class: a row has that colour, and white where there are too few."""
    monkeypatch.setattr(label_counts.figures, "magnified", lambda pictures, *_: pictures)
    monkeypatch.setattr(label_counts.figures, "table", lambda rows: rows)
    values = np.array([0] * 30 + [1] * 3)
    images = np.where(values[:, None, None, None] == 0, 40, 90).astype(np.uint8) * np.ones(
        (1, 4, 4, 1), np.uint8
    )
    images[:30, 0, 0, 0] = np.arange(30)  # to tell them apart
    found = kinds(["label=0", "label=1", "label=2"], one_hot(values, 3))
    rows = dict(examples(images, found, count=10))
    assert list(rows) == ["label=0", "label=1", "label=2"]
    assert all((cell[1:] == 40).all() for cell in rows["label=0"])
    assert len({int(cell[0, 0, 0]) for cell in rows["label=0"]}) == 10
    assert [int(cell[2, 2, 0]) for cell in rows["label=1"]] == [90] * 3 + [255] * 7
    assert all((cell == 255).all() for cell in rows["label=2"])


def test_inspect_writes_examples_of_every_attribute(portraits, tmp_path, capsys):
    out = tmp_path / "examples.png"
    assert main(["inspect", str(portraits.path), "--examples", str(out)]) == 0
    said = capsys.readouterr().out
    assert out.is_file() and "labels of which there are almost no pictures" in said
    assert main(["inspect", str(portraits.path), "--examples", "e.jpg"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
