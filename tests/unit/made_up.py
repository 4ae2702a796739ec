"""Made-up records in a results folder, with per-instance results of made-up images where a test wants them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from bench.analysis.results import Results, read_results
from bench.analysis.rows import as_records
from bench.analysis.uncertainty import Uncertainty
from bench.files import write_json
from bench.planning.plan import PlannedEvaluation, PlannedTraining, make_plan
from bench.pose.errors import DataError, UnknownNameError
from bench.store.bootstrap import Resamples
from bench.store.documents import Record
from bench.store.folders import Store
from bench.store.provenance import Provenance
from bench.suite.schema import load_suite

Array = npt.NDArray[np.float64]

SUITE = """\
name: made_up
title: Made up
dataset: {name: synthetic, train: train30, eval: val10}
train:
  axes:
    backbone: [simba_tiny, simba_res50]
    representation: [heatmap, simdr]
    input_size: [64x64, 128x128]
    seed: [0, 1, 2]
evaluate:
  - {boxes: gt, post_process: [quarter, none], when: {representation: heatmap}}
  - {boxes: gt, when: {representation: simdr}}
tables: [{id: results, metrics: [AP, AR]}]
"""

PROVENANCE = Provenance(commit=None, dirty=None, versions={}, hardware={}, files={}, seed=0, command="", started=0.0)

Scores = Callable[[PlannedTraining, PlannedEvaluation], Mapping[str, float] | None]


@dataclass(frozen=True, eq=False)
class MeanPerInstance:
    """Images whose mean is each metric."""

    kind: ClassVar[str] = "mean"
    images: Mapping[str, Array]
    fingerprint: str = "images"

    @property
    def units(self) -> int:
        return len(next(iter(self.images.values())))

    def metrics(self) -> dict[str, float]:
        return {name: float(values.mean()) for name, values in self.images.items()}

    def resample(self, counts: npt.NDArray[Any], metrics: Sequence[str]) -> dict[str, Any]:
        for name in metrics:
            if name not in self.images:
                raise UnknownNameError("metric", name, self.images)
        return {name: counts @ self.images[name] / self.units for name in metrics}


@dataclass
class MadeUp:
    """A results folder with records of a suite.

    Attributes:
        folder: of everything.
        text: of the suite.
        judged: per-instance results by record.
        loaded: records whose per-instance results were read, in order.
    """

    folder: Path
    text: str = SUITE
    judged: dict[str, MeanPerInstance] = field(default_factory=dict)
    loaded: list[str] = field(default_factory=list)

    @property
    def store(self) -> Store:
        return Store(self.folder / "results")

    def fill(self, scores: Scores, images: Callable[[Mapping[str, float]], MeanPerInstance] | None = None) -> None:
        """Store a record wherever `scores` gives metrics, judged by `images` where that is given."""
        for training in self._plan(None).trainings:
            for evaluation in training.evaluations:
                metrics = scores(training, evaluation)
                if metrics is not None:
                    self._write(training, evaluation, metrics)
                    if images is not None:
                        self.judge(evaluation.spec.id, images(metrics))

    def judge(self, record: str, per_instance: MeanPerInstance) -> None:
        """Give a record per-instance results, behind a file that stands for them."""
        self.judged[record] = per_instance
        images = b"".join(values.tobytes() for values in per_instance.images.values())
        self.store.evaluation(record).per_instance.write_bytes(images)

    def results(self, selection: Mapping[str, tuple[str, ...]] | None = None) -> Results:
        return read_results(self._plan(selection), self.store)

    def uncertainty(self, results: Results | None = None) -> Uncertainty:
        frame = (results or self.results()).frame
        return Uncertainty(frame, self.store, Resamples(self.store, load=self._load))

    def _load(self, file: Path) -> MeanPerInstance:
        record = file.parent.name
        self.loaded.append(record)
        if record not in self.judged:
            raise DataError(f"{file}: broken")
        return self.judged[record]

    def _plan(self, selection: Mapping[str, tuple[str, ...]] | None) -> Any:
        file = self.folder / "suite.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(self.text, encoding="utf-8")
        return make_plan(load_suite(file), self.store, selection)

    def _write(self, training: PlannedTraining, evaluation: PlannedEvaluation, metrics: Mapping[str, float]) -> None:
        record = Record(
            id=evaluation.spec.id, spec=evaluation.spec, training=training.spec, metrics=dict(metrics), baseline={},
            instances=10, seconds=1.0, problems=[], provenance=PROVENANCE,
        )  # fmt: skip
        file = self.store.evaluation(evaluation.spec.id).record_file
        write_json(file, record.model_dump(mode="json"), durable=False)


def row_of(results: Results, **wanted: Any) -> str:
    """Id of the one row with these settings."""
    rows = zip(results.rows.index, as_records(results.rows), strict=True)
    (found,) = (str(row) for row, values in rows if all(values[name] == wanted[name] for name in wanted))
    return found


def records_of(results: Results, row: str) -> list[Record]:
    """The records of a row."""
    return [results.records[id_] for id_ in results.frame.query("row == @row and state == 'done'")["evaluation"]]
