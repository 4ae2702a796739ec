"""A job: one training, its evaluations, and the resources it may use. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field

from bench.extensions import NO_EXTENSIONS, Extensions
from bench.files import JsonDocument
from bench.pose.data.pixels.names import PixelSource
from bench.store.documents import Cause
from bench.suite.specs import EvalSpec, TrainSpec


class JobOutcome(IntEnum):
    """Exit status of a job's process."""

    DONE = 0
    FAILED = 1
    STOPPED = 10
    BUSY = 11
    CANCELLED = 12
    LOST = 13
    """A process was killed, or another process of the same training was lost."""


Times = Annotated[int, Field(ge=0, strict=True)]


class Retries(JsonDocument):
    """How often a job is retried after each cause of failure before it counts as failed.

    Attributes:
        killed: retries after one of its processes died by a signal or without an error.
        out_of_memory: retries after the machine or the GPU ran out of memory.
        exception: retries after any other error.
        stalled: consecutive runs that may end at a time limit without any progress.
    """

    killed: Times = 2
    out_of_memory: Times = 0
    exception: Times = 0
    stalled: Times = 3

    def left(self, cause: Cause, used: int) -> int:
        """Number of retries left after `used` of them."""
        limit: int = getattr(self, cause)
        return max(limit - used, 0)


NO_RETRIES = Retries(killed=0, out_of_memory=0, exception=0, stalled=0)


MOST_WORKERS = 8
"""Processes that load crops for a GPU unless told."""


def usual_workers(device: str, cores: int) -> int:
    """Processes that load crops unless told: none on CPUs, whose cores all compute, and a job's cores on GPUs."""
    return min(cores, MOST_WORKERS) if device.startswith("cuda") else 0


class Resources(JsonDocument):
    """Resources of a job. None of them changes a result.

    Attributes:
        data_root: folder with one folder per dataset.
        results: the store's folder.
        device: "cpu", "cuda", "cuda:N" or "mps".
        threads: torch's threads; a training that is resumed keeps the number that it began with.
        workers: processes that load crops.
        pixels: source of the crops' pixels, see `choose_images`.
        allow_links: whether images may be links out of their folder.
        save_every: seconds between checkpoints.
        store_outputs: whether evaluations in a single process keep the network's raw outputs, see
            `bench.execute.output_store`.
        loggers: folder of each logger by its name.
        cuda_graphs: whether an NVIDIA GPU records training steps and replays them, see `CapturedStep`.
    """

    data_root: Path
    results: Path
    device: str
    threads: int
    workers: int
    pixels: PixelSource = "auto"
    allow_links: bool = False
    save_every: float
    store_outputs: bool = False
    loggers: Mapping[str, Path] = Field(default_factory=dict)
    cuda_graphs: bool = False


class Job(JsonDocument):
    """One training with its evaluations.

    Attributes:
        training: spec of the training.
        evaluations: specs of the evaluations.
        resources: what the job may use.
        command: command line that makes the same results again.
        axes: of the suite with several values, which tell its trainings apart.
        weights: file of the initial weights, if the training starts from given ones.
        extensions: modules to load before anything else.
    """

    training: TrainSpec
    evaluations: tuple[EvalSpec, ...]
    resources: Resources
    command: str
    axes: tuple[str, ...] = ()
    weights: Path | None = None
    extensions: Extensions = NO_EXTENSIONS

    @property
    def id(self) -> str:
        """Id of the training."""
        return self.training.id

    @property
    def evaluation_ids(self) -> list[str]:
        """Ids of the evaluations."""
        return [spec.id for spec in self.evaluations]

    @property
    def title(self) -> str:
        """Name for progress displays."""
        return self.training.title(self.axes)
