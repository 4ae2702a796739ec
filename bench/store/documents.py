"""What is written down of trainings and evaluations: the documents of the results folder."""

from __future__ import annotations

import time
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from bench.pose.metrics.diagnostics import Diagnostics
from bench.store.provenance import Provenance
from bench.suite.specs import EvalSpec, TrainSpec

__all__ = [
    "Cause",
    "EpochEntry",
    "Failure",
    "JobProgress",
    "Record",
    "ServerScore",
    "State",
    "TrainingRecord",
]

State = Literal["done", "running", "queued", "failed", "cancelled", "interrupted", "missing", "unknown"]
"""Where a training stands; "unknown" is a submitted one of which the scheduler does not answer."""

Cause = Literal["exception", "out_of_memory", "killed", "stalled"]
"""Why a job failed: an error that it raised, too little memory, a process killed from outside, or no progress between
time limits."""


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class EpochEntry(_Document):
    """One epoch of a training curve.

    Attributes:
        epoch: from 0.
        loss: mean over its instances.
        learning_rate: at its end.
        instances: that it trained on.
        validation: headline metric of the selection split after it, where the best epoch is kept.
    """

    epoch: int
    loss: float
    learning_rate: float
    instances: int
    validation: float | None = None


class TrainingRecord(_Document):
    """A finished training.

    Attributes:
        id: of the training.
        spec: of it.
        params: parameters of its network.
        history: its curve.
        seconds: that it took, all runs together.
        weights_sha256: of `weights.pt` beside it.
        problems: broken images and annotations that were left out.
        provenance: where it came from.
        simulated: whether nothing was trained, and there are no weights (`bench simulate`).
    """

    id: str
    spec: TrainSpec
    params: int
    history: list[EpochEntry]
    seconds: float
    weights_sha256: str
    problems: list[str]
    provenance: Provenance
    simulated: bool = False


class Record(_Document):
    """The result of one evaluation.

    Attributes:
        id: of the evaluation.
        spec: of it.
        training: spec of the training that it measures.
        metrics: of the dataset's protocol: COCO's and CrowdPose's in 0..1 with `mean_oks`, MPII's in percent. None yet
            where only a server can score.
        scored_by: us, or the server of a dataset that does not publish the split's annotations.
        baseline: the same metrics of the mean pose of the training instances, on the same instances with annotated
            boxes.
        instances: number predicted.
        seconds: that it took.
        problems: broken images and annotations that were left out.
        provenance: where it came from.
        diagnostics: finer readings of the same predictions; None where there is no truth to judge them by.
        ceiling: the same metrics of a network without any error: what is lost to the representation alone.
        simulated: whether nothing was measured, and the numbers are made up (`bench simulate`).
    """

    id: str
    spec: EvalSpec
    training: TrainSpec
    metrics: dict[str, float]
    scored_by: Literal["bench", "server"] = "bench"
    baseline: dict[str, float]
    instances: int
    seconds: float
    problems: list[str]
    provenance: Provenance
    diagnostics: Diagnostics | None = None
    ceiling: dict[str, float] = {}
    simulated: bool = False


class ServerScore(_Document):
    """A score that a dataset's server returned for the predictions with this hash, and where it can be looked up."""

    metrics: dict[str, float]
    source: str
    predictions_sha256: str


class Failure(_Document):
    """Why a job ended without a result.

    Attributes:
        kind: class of the error.
        message: what it says.
        cause: decides whether the job is tried again.
        details: its traceback, where it has one.
        retry: whether whoever started the job tries it again.
        at: seconds since the epoch.
    """

    kind: str
    message: str
    cause: Cause = "exception"
    details: str = ""
    retry: bool = False
    at: float = Field(default_factory=time.time)


class JobProgress(_Document):
    """A running job's last sign of life.

    Attributes:
        phase: what it does.
        pid: of its process.
        host: that it runs on.
        at: seconds since the epoch.
        epoch: from 1.
        epochs: of the training.
        fraction: of the phase that is done.
        loss: mean of the epoch so far.
        rate: instances per second.
        remaining: seconds that the phase will take at this rate.
    """

    phase: Literal["training", "evaluating"]
    pid: int
    host: str
    at: float
    epoch: int = 0
    epochs: int = 0
    fraction: Annotated[float, Field(ge=0, le=1)] = 0.0
    loss: float | None = None
    rate: float = 0.0
    remaining: float | None = None
