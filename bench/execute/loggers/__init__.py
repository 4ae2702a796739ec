"""The built-in loggers, one file each. Importing this package adds them; their packages are imported when used."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bench.execute.logger import LOGGERS
from bench.execute.loggers import mlflow, tensorboard, wandb

__all__ = ["logger_folders", "mlflow", "tensorboard", "wandb"]


def logger_folders(names: Iterable[str], folder: Path) -> dict[str, Path]:
    """The folder of each of these loggers, within one.

    Raises:
        UnknownNameError: there is no such logger.
        BenchError: a logger's package is not installed.
    """
    for name in names:
        LOGGERS.named(name).require(name)
    return {name: folder.absolute() / name for name in names}
