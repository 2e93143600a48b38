#!/usr/bin/env bash
# PyTorch 2.15.0, CPU: the gradient of F.instance_norm (and nn.InstanceNorm2d) is wrong for a batch of one picture if
# the gradient that comes in is channels-last, which it is as soon as the network is (model.to(memory_format=
# torch.channels_last)). CycleGAN is trained in batches of one, with instance norm in almost every layer. Nothing warns.
#
# Input: N(0, 1) of shape N,4,6,6 in float64, and an incoming gradient of the same shape, contiguous or channels-last.
# Expected: a memory format changes no gradient but by rounding. Seen (Python 3.11, x86-64): the largest difference is
# 0 for N = 2, and above 1 for N = 1. The same norm by F.group_norm with a group for each channel is right, and so is
# F.batch_norm of one picture.
#
# Exits with 1 as soon as this changes. Needs python3 with venv, and a package index; PYTHON=/path/to/python takes an
# interpreter that has torch 2.15 instead.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
if [ -z "${PYTHON:-}" ]; then
    python3 -m venv alone
    alone/bin/pip install -q --disable-pip-version-check torch==2.15.0 numpy
    PYTHON=alone/bin/python
fi
"$PYTHON" - <<'P' | tee seen.txt
import torch
import torch.nn.functional as F

torch.manual_seed(0)
print("torch", torch.__version__.partition("+")[0])
norms = {
    "instance_norm": lambda x: F.instance_norm(x),
    "group_norm": lambda x: F.group_norm(x, x.shape[1]),
    "batch_norm": lambda x: F.batch_norm(x, None, None, training=True),
}
for name, norm in norms.items():
    for n in (1, 2):
        x, g = torch.randn(2, n, 4, 6, 6, dtype=torch.float64)
        found = []
        for layout in (torch.contiguous_format, torch.channels_last):
            leaf = x.clone().requires_grad_()
            norm(leaf).backward(g.contiguous(memory_format=layout))
            found.append(leaf.grad)
        print(name, "batch of", n, "differs" if (found[0] - found[1]).abs().max() > 1e-6 else "equal")
P
cat > expected.txt <<'E'
torch 2.15.0
instance_norm batch of 1 differs
instance_norm batch of 2 equal
group_norm batch of 1 equal
group_norm batch of 2 equal
batch_norm batch of 1 equal
batch_norm batch of 2 equal
E
diff expected.txt seen.txt && echo "as stated"
