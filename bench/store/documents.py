"""The documents of the results folder."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from bench.files import JsonDocument
from bench.pose.metrics.diagnostics import Diagnostics
from bench.store.provenance import Provenance
from bench.suite.specs import EvalSpec, TrainSpec

State = Literal["done", "running", "queued", "failed", "cancelled", "interrupted", "missing", "unknown"]
"""State of a training; "unknown" means it was submitted and the scheduler does not answer."""

Cause = Literal["exception", "out_of_memory", "killed", "stalled"]
"""Cause of a failure: an error raised by the job, too little memory, a process killed from outside, or no progress
between time limits."""


def _judged(value: Any) -> Any:
    return None if isinstance(value, int | float) and value < 0 else value


MetricValue = Annotated[float | None, Field(allow_inf_nan=False), BeforeValidator(_judged)]
"""A metric; None where there is nobody to judge, for which older records hold pycocotools' -1."""

Tally = Annotated[int, Field(ge=0, le=10**15)]
"""A number of things; a stranger's document may hold any, and frames hold 64 bits."""


class EpochEntry(JsonDocument):
    """One epoch of a training curve.

    Attributes:
        epoch: number of the epoch, from 0.
        loss: mean over its instances.
        learning_rate: learning rate at its end.
        instances: number of instances trained on.
        validation: headline metric on the selection split after the epoch, if the best epoch's weights are kept; None
            where there is nobody to judge.
    """

    epoch: Tally
    loss: float
    learning_rate: float
    instances: Tally
    validation: MetricValue = None


class TrainingRecord(JsonDocument):
    """A finished training.

    Attributes:
        id: id of the training.
        spec: spec of the training.
        params: number of parameters of its network.
        history: its training curve.
        seconds: wall time of all runs together.
        weights_sha256: hash of `weights.pt` in the same folder.
        problems: images and annotations that were left out, those of one kind together, and what else to know of it.
        provenance: code, versions, hardware and data of the training.
        images: number of images with instances to train on; None in older records.
        images_left_out: number of those that could not be read.
        watts: mean power of its device in W, measured during its last run; None where nothing measured it.
        simulated: whether the record is made up by `bench simulate`, without weights.
    """

    id: str
    spec: TrainSpec
    params: Tally
    history: list[EpochEntry]
    seconds: float
    weights_sha256: str
    problems: list[str]
    provenance: Provenance
    images: Tally | None = None
    images_left_out: Tally = 0
    watts: Annotated[float | None, Field(gt=0, le=10**6)] = None
    simulated: bool = False


class Record(JsonDocument):
    """The result of one evaluation.

    Attributes:
        id: id of the evaluation.
        spec: spec of the evaluation.
        training: spec of the evaluated training.
        metrics: metrics of the dataset's protocol: COCO's and CrowdPose's in 0..1 with `mean_oks` and PCK, MPII's in
            percent. None where there is nobody to judge; earlier versions recorded no PCK. Empty until a server's score
            is entered, if only a server can score.
        scored_by: "bench", or "server" for a dataset that does not publish the split's annotations.
        baseline: the same metrics of the training instances' mean pose, on the same instances with annotated boxes.
        instances: number of predicted instances.
        seconds: wall time of the evaluation.
        problems: images, boxes and annotations that were left out, those of one kind together, and diagnostics that
            could not be made.
        provenance: code, versions, hardware and data of the evaluation.
        images: number of images with instances to predict; None in older records.
        images_left_out: number of those that could not be read: their instances count as not found.
        diagnostics: details of the same predictions by keypoint, threshold and kind of error; None without annotations.
        ceiling: the same metrics of a network without any error, limited by the representation alone.
        simulated: whether the record is made up by `bench simulate`.
        outputs_of: id of the evaluation whose stored outputs were decoded; None where the network ran.
    """

    id: str
    spec: EvalSpec
    training: TrainSpec
    metrics: Mapping[str, MetricValue]
    scored_by: Literal["bench", "server"] = "bench"
    baseline: Mapping[str, MetricValue]
    instances: Tally
    seconds: float
    problems: list[str]
    provenance: Provenance
    images: Tally | None = None
    images_left_out: Tally = 0
    diagnostics: Diagnostics | None = None
    ceiling: Mapping[str, MetricValue] = Field(default_factory=dict)
    simulated: bool = False
    outputs_of: str | None = None


class StoredOutputs(JsonDocument):
    """The raw outputs of an evaluation's network, in `outputs.zip` beside it.

    Attributes:
        sha256: hash of the file.
        bytes: its size.
        instances: number of instances in it.
        weights_sha256: hash of the network's weights.
    """

    sha256: str
    bytes: Tally
    instances: Tally
    weights_sha256: str


class Variant(JsonDocument):
    """An evaluation of the same weights that differs from another one in a single setting.

    Attributes:
        setting: name of the setting.
        value: its value in words.
        evaluation: id of the variant.
    """

    setting: str
    value: str
    evaluation: str


class Variants(JsonDocument):
    """The variants of an evaluation that `bench vary` measured."""

    variants: list[Variant] = Field(default_factory=list)


class ErrorBudget(JsonDocument):
    """The headline metric of an evaluation's predictions as if errors of some kinds had not been made.

    Attributes:
        metric: its name.
        steps: its value by kind of correction, in order; see `bench.pose.metrics.error_budget`.
    """

    metric: str
    steps: dict[str, MetricValue]


class ServerScore(JsonDocument):
    """A score of a dataset's server.

    Attributes:
        metrics: the server's metrics, in 0..1.
        source: where the score can be looked up.
        predictions_sha256: hash of the scored predictions.
    """

    metrics: dict[str, float]
    source: str
    predictions_sha256: str


class Failure(JsonDocument):
    """Why a job ended without a result.

    Attributes:
        kind: class name of the error.
        message: message of the error.
        cause: cause of the failure, which decides whether the job is retried.
        details: traceback, if there is one.
        retry: whether the job will be retried.
        at: time of the failure, seconds since the epoch.
    """

    kind: str
    message: str
    cause: Cause = "exception"
    details: str = ""
    retry: bool = False
    at: float = Field(default_factory=time.time)


class LoggerWarnings(JsonDocument):
    """What loggers of a job say to the user, such as a fault.

    Attributes:
        pid: id of the job's process.
        messages: one line each.
    """

    pid: int
    messages: list[str]


class JobProgress(JsonDocument):
    """Progress of a running job at its last heartbeat.

    Attributes:
        phase: current phase of the job.
        pid: id of its process.
        host: machine that it runs on.
        at: time of the heartbeat, seconds since the epoch.
        epoch: current epoch, from 1.
        epochs: number of epochs of the training.
        fraction: finished fraction of the phase.
        loss: mean loss of the epoch so far.
        rate: instances/s.
        remaining: seconds left of the phase at this rate.
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
