"""--classes: folders are classes always, never, or where they look like it."""

import numpy as np
import pytest
from sample_photos import OPTIONS, smooth

from facegan.cli.main import main
from facegan.data.prepare import prepare
from facegan.errors import InputError
from facegan.images import png_bytes


def write(at, names, first=0):
    for i, name in enumerate(names, first):
        (at / name).parent.mkdir(parents=True, exist_ok=True)
        (at / name).write_bytes(png_bytes(smooth(i, 40)))
    return at


def labels(data):
    """The class of each picture by its source's end."""
    found = {}
    for split in data.counts:
        for source, row in zip(data.sources(split), data.attributes(split), strict=True):
            value = int(row[0]) if len(row) else -1
            names = data.class_names.get("label", ())
            found["/".join(source.replace("!", "/").split("/")[-2:])] = (
                names[value] if names and value >= 0 else value
            )
    return found


DEEP = ["a.png", "cats/b.png", "cats/black/c.png", "dogs/d.png"]  # at several depths, and few in each


@pytest.mark.parametrize(
    ("names", "classes", "meant"),
    [
        (DEEP, "auto", {}),
        (
            DEEP,
            "folders",
            {"src/a.png": "src", "cats/b.png": "cats", "black/c.png": "black", "dogs/d.png": "dogs"},
        ),
        (["0/a.png", "1/b.png", "7/c.png"], "folders", {"0/a.png": 0, "1/b.png": 1, "7/c.png": 7}),
        (["x/a.png", "x/b.png", "y/c.png", "y/d.png"], "none", {}),
        (
            ["train/x/a.png", "train/y/b.png", "test/x/c.png"],
            "folders",
            {"x/a.png": "x", "y/b.png": "y", "x/c.png": "x"},
        ),
    ],
)
def test_folders_are_classes_as_asked(names, classes, meant, tmp_path):
    source = write(tmp_path / "src", names)
    data = prepare(source, tmp_path / "d", classes=classes, **OPTIONS)
    assert (labels(data) if data.attribute_names else {}) == meant
    if "test/x/c.png" in names:
        assert data.counts == {"train": 2, "test": 1}


def test_each_source_is_a_class_of_its_own(tmp_path):
    a, b = write(tmp_path / "cats", ["1.png", "2.png"]), write(tmp_path / "dogs", ["3.png"], first=5)
    data = prepare([a, b], tmp_path / "d", classes="folders", **OPTIONS)
    assert data.class_names == {"label": ["cats", "dogs"]}
    assert sorted(np.concatenate([data.attributes(s)[:, 0] for s in data.counts])) == [0, 0, 1]


def test_another_word_is_refused_in_one_line(tmp_path, capsys):
    source = write(tmp_path / "src", DEEP)
    with pytest.raises(InputError, match="--classes must be one of auto, folders, none"):
        prepare(source, tmp_path / "d", classes="files", **OPTIONS)
    assert main(["prepare", str(source), "--out", str(tmp_path / "d"), "--classes", "files"]) == 2
    capsys.readouterr()
