"""The layer notation: what it means, and one clear line for what it cannot mean."""

import pytest

from facegan.errors import ConfigError
from facegan.layers.notation import Layer, parse, scale


def test_reads_every_word():
    layers = parse(
        "dense 7x7x128 bn tanh; up; conv 64 5 s2 lrelu0.3; conv image 3 valid tanh; drop 0.4; res 32 up silu"
    )
    assert layers == [
        Layer("dense", (7, 7, 128), then=("bn", "tanh")),
        Layer("up"),
        Layer("conv", 64, 5, 2, then=("lrelu0.3",)),
        Layer("conv", "image", 3, 1, "valid", then=("tanh",)),
        Layer("drop", rate=0.4),
        Layer("res", 32, resample="up", then=("silu",)),
    ]


def test_repetition():
    assert parse("convT 128 4 s2 lrelu x4") == [Layer("convT", 128, 4, 2, then=("lrelu",))] * 4


@pytest.mark.parametrize(
    "text, part",
    [
        ("", "no layers"),
        ("conv 64", "kernel"),
        ("conv wide 3", "size"),
        ("dense", "size"),
        ("blur 3", "'blur' is no layer"),
        ("conv 64 3 s3", "'s3'"),
        ("dense 10 valid", "'valid'"),
        ("drop 2", "probability"),
        ("conv 0 3", "size"),
        ("x3", "'x3' is no layer"),
    ],
)
def test_errors_name_option_and_layer(text, part):
    with pytest.raises(ConfigError, match=r"generator\.layers") as caught:
        parse(text, "generator.layers")
    assert part in str(caught.value) and "\n" not in str(caught.value)


def test_quick_changes_leave_the_last_layer():
    layers = scale(
        parse("dense 4x4x100 relu; convT 50 4 s2 bn relu; conv image 3 tanh"), 0.5, "silu", kernel=5, depth=1
    )
    assert layers == [
        Layer("dense", (4, 4, 50), then=("silu",)),
        Layer("convT", 25, 5, 2, then=("bn", "silu")),
        Layer("conv", 25, 3, then=("bn", "silu")),
        Layer("conv", "image", 3, then=("tanh",)),
    ]
