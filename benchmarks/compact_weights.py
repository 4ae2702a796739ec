"""Makes a quarter of a weights file's size: large tensors as 8-bit floats, small ones as 16-bit floats.

    python -m benchmarks.compact_weights results/trainings/ID/weights.pt suites/weights/NAME.pt

The network that such a file gives is another one, a little worse than the trained one (0.002 AP in suites/weights/);
converting it back to 32 bits is exact, so that it is the same network everywhere.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor

from bench.pose.checkpoints import read_weights

LARGE = 4000
"""Elements above which a tensor is rounded to 8 bits: normalization, biases and final layers are not."""


def compact(tensor: Tensor) -> Tensor:
    """The tensor in fewer bits; integers stay as they are."""
    if not tensor.is_floating_point():
        return tensor
    return tensor.to(torch.float8_e4m3fn if tensor.numel() > LARGE else torch.float16)


def main(source: Path, target: Path) -> None:
    torch.save({name: compact(tensor) for name, tensor in read_weights(source).items()}, target)
    print(f"{target}: {target.stat().st_size / 1e6:.2f} MB, from {source.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
