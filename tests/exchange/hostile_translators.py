"""Made-up files like those of pix2pix and CycleGAN: good, damaged, and of absurd shapes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from hostile import Files, flipped, torch_bytes
from test_read_translators import resnet, unet

OTHERS = (torch.zeros(()), torch.zeros(0, 3), torch.ones(1, 1, 1, 1, 1), torch.full((3,), torch.nan))


def translators() -> Files:
    good = {"U-Net": unet("batch").state_dict(), "ResNet": resnet("instance of 2018").state_dict()}
    for name, state in good.items():
        content = torch_bytes(state)
        yield f"good {name}", content
        rng = np.random.default_rng(len(name))
        for i in range(4):
            yield f"{name}, cut {i}", content[: len(content) * i // 4]
        for i in range(10):
            yield f"{name}, flipped {i}", flipped(content, rng, len(content) if i % 2 else 4000)
        keys = [key for key in state if not key.endswith("num_batches_tracked")]
        for i in range(12):
            key = keys[int(rng.integers(len(keys)))]
            yield f"{name}, without {i}", torch_bytes({k: v for k, v in state.items() if k != key})
            other = (
                torch.zeros(()),
                torch.zeros(0, 3),
                torch.ones(1, 1, 1, 1, 1),
                torch.full((3,), torch.nan),
            )
            yield f"{name}, another tensor {i}", torch_bytes({**state, key: other[i % 4]})
    first, last = torch.zeros(2, 3, 4, 4), torch.zeros(4, 3, 4, 4)
    deep = {"model.model.0.weight": first, "model.model.3.weight": last}
    for i in range(300):
        deep["model.model.1" + ".model.3" * i + ".model.1.weight"] = torch.zeros(2, 2, 4, 4)
    yield "deep", torch_bytes(deep)
    many = dict(good["ResNet"])
    for i in range(10, 3000):
        many[f"model.{i}.conv_block.1.weight"] = torch.zeros(1)
    yield "many blocks", torch_bytes(many)
    wide = torch.zeros(1).expand(3, 1 << 20, 4, 4)  # of four bytes in the file
    yield "a wide U-Net", torch_bytes({**good["U-Net"], "model.model.3.weight": wide.transpose(0, 1)})
    yield "a wide ResNet", torch_bytes({**good["ResNet"], "model.7.weight": wide.transpose(0, 1)})


MAKERS: dict[str, Callable[[], Files]] = {"translators": translators}
