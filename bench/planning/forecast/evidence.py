"""Measurements on a kind of hardware: its calibration and the records of finished work."""

from __future__ import annotations

import contextlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from bench.files import JsonDocument, StoreError, load_document
from bench.planning.forecast.prices import Observation, Prices, Rates
from bench.planning.forecast.work import (
    SplitSizes,
    UnknownTimeError,
    WorkItem,
    evaluation_item,
    forward_work,
    training_item,
    training_work,
)
from bench.planning.jobs import LocalOptions, local_slots
from bench.planning.predicted_complexity import predict
from bench.pose.errors import BenchError
from bench.pose.skeletons import COCO_17
from bench.store.documents import Record, TrainingRecord
from bench.store.folders import Store
from bench.store.provenance import Provenance, describe_hardware
from bench.suite.spec_values import Size

UNMEASURED = "such work was never measured on this hardware"

LONG = 60.0
"""Shortest run in seconds that is used for prices; shorter ones are dominated by start-up."""


@dataclass(frozen=True)
class HardwareKind:
    """The properties of hardware that decide how long work takes.

    Attributes:
        device: "cpu" or "cuda".
        gpu: model of the GPU; empty for "cpu".
        processor: model of the CPU.
        threads: torch's threads.
        workers: processes that load crops.
    """

    device: str
    gpu: str
    processor: str
    threads: int
    workers: int

    @classmethod
    def of(cls, hardware: Mapping[str, str | int]) -> HardwareKind:
        """The kind of a provenance's hardware."""
        return cls(
            device=str(hardware.get("device", "")).partition(":")[0],
            gpu=str(hardware.get("gpu", "")),
            processor=str(hardware.get("processor", "")),
            threads=_count(hardware.get("threads")),
            workers=_count(hardware.get("workers")),
        )

    @property
    def slug(self) -> str:
        """Name for files."""
        text = f"{self.device} {self.gpu} {self.processor} {self.threads} threads {self.workers} workers"
        return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")

    @property
    def unit(self) -> str:
        """Unit of forecast hours."""
        return "GPU-hours" if self.device == "cuda" else "machine-hours"


def _count(value: str | int | None) -> int:
    """A number in a provenance; 0 for anything else."""
    return value if isinstance(value, int) else 0


class CalibrationPoint(JsonDocument):
    """One measurement of a calibration.

    Attributes:
        phase: training steps, or predictions with flip testing.
        backbone: backbone of the network.
        representation: representation of the network.
        input_size: crop size "HxW".
        split_ratio: bins per px; None for heatmaps.
        batch_size: instances per batch.
        megapixels: size of each image.
        instances: number of processed instances.
        seconds: time of all of them.
    """

    phase: Literal["training", "evaluation"]
    backbone: str
    representation: str
    input_size: Size
    split_ratio: float | None
    batch_size: Annotated[int, Field(ge=1)]
    megapixels: Annotated[float, Field(gt=0)]
    instances: Annotated[int, Field(ge=1)]
    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)]

    @model_validator(mode="after")
    def _check_network(self) -> Self:
        try:
            _ = self.observation
        except (BenchError, ValueError, OverflowError) as error:
            raise ValueError(str(error)) from None
        return self

    @property
    def observation(self) -> Observation:
        """The measurement as input for fitting prices."""
        size, keypoints = self.input_size, COCO_17.size
        cost = predict(
            self.backbone, self.representation, keypoints=keypoints, input_size=size, split_ratio=self.split_ratio
        )
        if self.phase == "evaluation":
            work = forward_work(cost, instances=self.instances, passes=2, megapixels=self.megapixels)
        else:
            work = training_work(
                cost, instances=self.instances, epochs=1, batch_size=self.batch_size, megapixels=self.megapixels
            )
        return Observation(self.backbone, work, self.seconds)


class Calibration(JsonDocument):
    """The measurements of `bench calibrate`, with the hardware in the provenance."""

    version: Literal[1] = 1
    points: list[CalibrationPoint]
    seconds: float
    provenance: Provenance

    @property
    def kind(self) -> HardwareKind:
        """Kind of the measured hardware."""
        return HardwareKind.of(self.provenance.hardware)


def calibration_file(results: Path, kind: HardwareKind) -> Path:
    """File of the calibration of a kind of hardware in a results folder."""
    return results / "calibrations" / f"{kind.slug}.json"


def load_calibration(file: Path) -> Calibration:
    """Read a calibration. Raises `StoreError` if it is missing or unusable."""
    calibration = load_document(file, Calibration)
    if calibration is None:
        raise StoreError(f"{file}: no such file; `bench calibrate` on the hardware in question writes it")
    return calibration


def job_hardware(options: LocalOptions) -> tuple[str, int, int]:
    """Device, threads and loading processes of a job on this machine with these options."""
    slots = local_slots(options, ())
    return slots[0].devices[0], options.threads_of(len(slots)), options.workers_of(len(slots))


def kind_here(options: LocalOptions) -> HardwareKind:
    """Kind of hardware of a job on this machine with these options."""
    return HardwareKind.of(describe_hardware(*job_hardware(options)))


@dataclass(frozen=True)
class Evidence:
    """All measurements on a kind of hardware.

    Attributes:
        kind: kind of hardware.
        instances: number of instances of splits.
        rates: rates of work done before.
        prices: prices of work; None if too little was measured.
        otherwise: kinds of work done on the same hardware with other threads or workers.
    """

    kind: HardwareKind
    instances: SplitSizes
    rates: Rates
    prices: Prices | None
    otherwise: tuple[HardwareKind, ...] = ()

    @property
    def unmeasured(self) -> str:
        """That nothing tells how long work takes, and with which options something would."""
        options = [f"--threads {kind.threads} --workers {kind.workers}" for kind in self.otherwise]
        return f"{UNMEASURED} (work with {' or '.join(options)} was)" if options else UNMEASURED


def gather(store: Store, kind: HardwareKind, calibration: Calibration | None = None) -> Evidence:
    """Read the store's records, each once, and its calibration for the hardware unless another one is given.

    Unreadable records are skipped; reading them elsewhere reports the error.
    """
    own = calibration or load_document(calibration_file(store.root, kind), Calibration)
    records = [*_records(store)]
    instances = SplitSizes(records)
    done = list(_done(records, instances, kind))
    observations = [point.observation for point in own.points] if own else []
    observations += _mean_observations(done)
    kinds = dict.fromkeys(HardwareKind.of(record.provenance.hardware) for record in records)
    return Evidence(
        kind,
        instances,
        Rates((task.key, seconds / task.units) for task, seconds in done),
        Prices(observations) if Prices.sufficient(observations) else None,
        tuple(
            other
            for other in kinds
            if other != kind and kind == replace(other, threads=kind.threads, workers=kind.workers)
        ),
    )


def _records(store: Store) -> Iterator[TrainingRecord | Record]:
    """Measured trainings and evaluations."""
    files = [*store.root.glob("trainings/*/training.json"), *store.root.glob("evaluations/*/record.json")]
    for file in sorted(files):
        folder = (store.training if file.name == "training.json" else store.evaluation)(file.parent.name)
        with contextlib.suppress(StoreError):
            if (record := folder.record()) and not record.simulated:
                yield record


def _done(
    records: Iterable[TrainingRecord | Record], instances: SplitSizes, kind: HardwareKind
) -> Iterator[tuple[WorkItem, float]]:
    """Finished work on such hardware, with its time in seconds. Variants are none: their networks did not run."""
    for record in records:
        ran = isinstance(record, TrainingRecord) or record.outputs_of is None
        if ran and record.seconds > 0 and HardwareKind.of(record.provenance.hardware) == kind:
            with contextlib.suppress(UnknownTimeError):
                if isinstance(record, Record):
                    item = evaluation_item(record.spec, record.training, instances)
                else:
                    item = training_item(record.spec, instances)
                if item.units:
                    yield item, record.seconds


def _mean_observations(done: list[tuple[WorkItem, float]]) -> Iterator[Observation]:
    """One mean observation for all runs of the same work, so that repetitions do not outweigh other work."""
    runs: dict[object, list[Observation]] = defaultdict(list)
    for task, seconds in done:
        if not isinstance(task.work, str) and seconds >= LONG:
            runs[task.key].append(Observation(task.network, task.work, seconds))
    for same in runs.values():
        work = np.mean([run.work for run in same], axis=0)
        yield Observation(same[0].network, work, sum(run.seconds for run in same) / len(same))
