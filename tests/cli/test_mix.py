"""facegan mix: every face of A with layers of every face of B, in a figure with names, and as vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import facegan
from facegan.cli import explore


@pytest.mark.parametrize(("scale", "width"), [("0", 1024), ("1", 4 + 110 + 4 * (64 + 4) + 4)])
def test_layers_of_the_columns_on_the_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scale: str, width: int
) -> None:
    monkeypatch.chdir(tmp_path)
    assert (
        explore.mix(["seed:0-1", "seed:2-4", "--model", "celeba64", "--layers", "0,2", "--scale", scale])
        is None
    )
    model = facegan.load("celeba64")
    w = torch.cat([model.map(model.latent.sample([seed])) for seed in range(5)]).numpy()
    with np.load("mix.npz") as saved:
        mixed = saved["w+"].reshape(2, 3, *w.shape[1:])
    for a, b in np.ndindex(2, 3):
        for layer in range(model.num_ws):
            source = w[2 + b] if layer in (0, 2) else w[a]
            np.testing.assert_allclose(mixed[a, b, layer], source[layer], atol=1e-5)
    with Image.open("mix.png") as picture:
        assert abs(picture.width - width) <= 8 and "layers 0,2" in picture.text["mixed"]  # type: ignore
