"""Networks without initial weights: no random number drawn, nothing heavy loaded, all else as usual."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from narrow import TRAINED
from torch import nn

from facegan.families import get_family
from facegan.layers.unfilled import Unfilled
from facegan.recipes.table import RECIPES


def built(family: str) -> nn.Module:
    """The generator of the family's smallest recipe, for four classes where it takes any."""
    sized = [r.config for r in RECIPES.values() if r.config.family == family and r.config.size]
    config = min(sized, key=lambda c: c.size)
    made = get_family(family)
    labels = 4 if made.conditional else 0
    shape = (3, config.size, config.size)
    return made.build_generator(config.model.generator, shape, config.latent.dim, label_dim=labels)


@pytest.mark.parametrize("family", TRAINED)
def test_no_random_number_is_drawn_and_constants_are_there(family: str) -> None:
    state = torch.random.get_rng_state()
    with Unfilled():
        bare = built(family)
    assert torch.equal(torch.random.get_rng_state(), state)
    full = built(family)
    weights = full.state_dict()
    assert not torch.equal(torch.random.get_rng_state(), state)
    assert {k: v.shape for k, v in bare.state_dict().items()} == {k: v.shape for k, v in weights.items()}
    constants = {k: v for k, v in full.named_buffers() if k not in weights}
    found = dict(bare.named_buffers())
    assert all(torch.equal(found[k], v) for k, v in constants.items())


LIGHT = """
import sys
sys.path.insert(0, "..")
import torch, facegan
from test_unfilled import TRAINED, Unfilled, built
facegan.load("celeba64").sample(1)
for family in TRAINED:
    with Unfilled(), torch.device("meta"):
        assert all(v.is_meta for v in built(family).state_dict().values())
    print(family, *(m for m in ("torch._dynamo", "sympy") if m in sys.modules))
"""


def test_reading_a_model_loads_no_compiler() -> None:
    here = Path(__file__).parent
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, cwd=here)
    assert (done.returncode, done.stdout.split()) == (0, TRAINED), done.stderr
