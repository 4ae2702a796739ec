"""A job: one training and the evaluations to make of it, with what it may use. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from bench.suite.specs import EvalSpec, TrainSpec

__all__ = ["Job", "Outcome", "Resources"]


class Outcome(IntEnum):
    """Exit status of a job's process."""

    DONE = 0
    FAILED = 1
    STOPPED = 10
    BUSY = 11


@dataclass(frozen=True)
class Resources:
    """What a job may use; nothing here decides a result.

    Attributes:
        data_root: folder with one folder per dataset.
        results: the store's folder.
        device: "cpu", "cuda" or "cuda:N".
        threads: of torch; exact resumption needs the same number.
        workers: processes that load crops.
        save_every: seconds between checkpoints.
    """

    data_root: Path
    results: Path
    device: str
    threads: int
    workers: int
    save_every: float


@dataclass(frozen=True)
class Job:
    """One training with the evaluations to make of it, and the command that makes the same again."""

    training: TrainSpec
    evaluations: tuple[EvalSpec, ...]
    resources: Resources
    command: str

    @property
    def title(self) -> str:
        """For progress displays."""
        spec = self.training
        return f"{spec.backbone} {spec.representation} {spec.input_size} seed {spec.seed}"
