"""A job: one training and the evaluations to make of it, with what it may use. Imports no torch."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from bench.extensions import NO_EXTENSIONS, Extensions
from bench.pose.data.pixels.names import PixelSource
from bench.store.documents import Cause
from bench.suite.specs import EvalSpec, TrainSpec

__all__ = ["NO_RETRIES", "Job", "JobOutcome", "Resources", "Retries"]


class JobOutcome(IntEnum):
    """Exit status of a job's process."""

    DONE = 0
    FAILED = 1
    STOPPED = 10
    BUSY = 11
    CANCELLED = 12
    LOST = 13
    """Another process of the same training went away."""


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Times = Annotated[int, Field(ge=0, strict=True)]


class Retries(_Settings):
    """How often a job is tried again after each cause before it counts as failed.

    Attributes:
        killed: a process of it died by a signal or without a word.
        out_of_memory: of the machine or of the GPU.
        exception: anything else that it raised.
        stalled: runs in a row that ended at a time limit without one step of progress.
    """

    killed: Times = 2
    out_of_memory: Times = 0
    exception: Times = 0
    stalled: Times = 3

    def left(self, cause: Cause, used: int) -> int:
        """How many tries are left after so many."""
        limit: int = getattr(self, cause)
        return max(limit - used, 0)


NO_RETRIES = Retries(killed=0, out_of_memory=0, exception=0, stalled=0)


class Resources(_Settings):
    """What a job may use; nothing here decides a result.

    Attributes:
        data_root: folder with one folder per dataset.
        results: the store's folder.
        device: "cpu", "cuda" or "cuda:N".
        threads: of torch; exact resumption needs the same number.
        workers: processes that load crops.
        pixels: where crops get their pixels from, see `choose_images`.
        save_every: seconds between checkpoints.
        tensorboard: folder with a log for TensorBoard per training; None logs nothing.
    """

    data_root: Path
    results: Path
    device: str
    threads: int
    workers: int
    pixels: PixelSource = "auto"
    save_every: float
    tensorboard: Path | None = None


class Job(_Settings):
    """One training with the evaluations to make of it, and the command that makes the same again.

    `weights` is the file that the training starts from, where it starts from given weights; `extensions` are to be
    loaded before anything else.
    """

    training: TrainSpec
    evaluations: tuple[EvalSpec, ...]
    resources: Resources
    command: str
    weights: Path | None = None
    extensions: Extensions = NO_EXTENSIONS

    @property
    def id(self) -> str:
        """Of the training."""
        return self.training.id

    @property
    def evaluation_ids(self) -> list[str]:
        """Of the evaluations."""
        return [spec.id for spec in self.evaluations]

    @property
    def title(self) -> str:
        """For progress displays."""
        spec = self.training
        return f"{spec.backbone} {spec.representation} {spec.input_size} seed {spec.seed}"
