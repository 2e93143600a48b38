"""The bundled generator written out: its weights and PyTorch, without facegan.

    facegan export celeba64 --out celeba64.pt
    python celeba64_in_torch.py celeba64.pt 0 1 2

writes seed0.ppm and so on: the pictures of ``facegan generate celeba64``.
"""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F


def generate(p: dict[str, torch.Tensor], z: torch.Tensor) -> torch.Tensor:
    """Return images N,3,64,64 in [-1, 1] of latents N,128; ``p`` holds the weights by name."""

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        scale, shift = p.get(f"{name}.weight"), p.get(f"{name}.bias")
        return F.batch_norm(x, p[f"{name}.running_mean"], p[f"{name}.running_var"], scale, shift)

    def styled(x: torch.Tensor, name: str) -> torch.Tensor:
        style = F.linear(z, p[f"{name}.style.weight"], p[f"{name}.style.bias"])[:, :, None, None]
        scale, shift = style.chunk(2, 1)
        return F.leaky_relu(shift + norm(x, f"{name}.norm") * (1 + scale), 0.2)

    def block(x: torch.Tensor, name: str) -> torch.Tensor:
        y = F.conv2d(x, p[f"{name}.conv1.weight"], padding=1)
        y = F.leaky_relu(norm(y, f"{name}.norm"), 0.2)
        return x + F.conv2d(y, p[f"{name}.conv2.weight"], p[f"{name}.conv2.bias"], padding=1)

    z = z / (z.square().mean(1, keepdim=True) + 1e-8).sqrt()
    x = F.linear(z, p["dense.weight"], p["dense.bias"]).reshape(-1, 256, 4, 4)
    x = styled(F.conv2d(x, p["first.conv.weight"], padding=1), "first")  # 4 x 4
    for i in range(3):  # 8, 16, 32
        x = F.conv_transpose2d(x, p[f"stages.{i}.conv.weight"], stride=2, padding=1)
        x = styled(x, f"stages.{i}")
        if i:
            x = block(x, f"stages.{i}.blocks.0")
    x = F.conv2d(x, p["out.weight"], p["out.bias"], padding=1)
    return F.pixel_shuffle(x, 2).tanh()


if __name__ == "__main__":
    weights = torch.load(sys.argv[1], weights_only=True)
    for seed in map(int, sys.argv[2:] or ["0"]):
        z = torch.randn(1, 128, generator=torch.Generator().manual_seed(seed))
        x = generate(weights, z)[0]
        pixels = ((x + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0)
        Path(f"seed{seed}.ppm").write_bytes(b"P6 64 64 255 " + bytes(pixels.flatten().tolist()))
