"""Training curves for TensorBoard. Nothing in bench reads them."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.pose.errors import BenchError

Follow = Callable[[Sequence[Mapping[str, Any]]], None]
"""Called with the history of a training so far."""

SCALARS = ("loss", "learning_rate", "validation")
"""Fields of an epoch that are logged, if present."""


def require_tensorboard() -> None:
    """Raise `BenchError` unless TensorBoard is installed."""
    if importlib.util.find_spec("tensorboard") is None:
        raise BenchError("--tensorboard needs the package tensorboard: pip install 'simdr-bench[tensorboard]'")


@contextlib.contextmanager
def event_log(folder: Path | None) -> Iterator[Follow]:
    """Log the epochs of a training, numbered from 0, to event files; None logs nothing.

    A resumed training starts a new file with all its epochs, which replaces earlier files. So no epoch appears twice,
    and an epoch that a killed process logged but did not save is replaced by its repetition.
    """
    if folder is None:
        yield lambda _history: None
        return
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(folder), purge_step=0)
    logged = 0

    def follow(history: Sequence[Mapping[str, Any]]) -> None:
        nonlocal logged
        for entry in history[logged:]:
            for name in SCALARS:
                if entry.get(name) is not None:
                    writer.add_scalar(name, entry[name], int(entry["epoch"]))
        if logged < len(history):
            writer.flush()
        logged = len(history)

    try:
        yield follow
    finally:
        writer.close()
