"""Results of a suite whose records have whatever a test puts into them: diagnostics, ceilings, curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.analysis.results import Results, read_results
from bench.files import write_json
from bench.planning.plan import PlannedEvaluation, PlannedTraining, make_plan
from bench.store.documents import EpochEntry, Record, TrainingRecord
from bench.store.folders import Store
from bench.store.provenance import Provenance
from bench.suite.schema import load_suite

__all__ = ["Fields", "History", "curve", "make_results", "suite_text"]

PROVENANCE = Provenance(commit=None, dirty=None, versions={}, hardware={}, files={}, seed=0, command="", started=0.0)

AXES: Mapping[str, Sequence[Any]] = {
    "backbone": ["simba_res50", "hrnet_w32"],
    "representation": ["heatmap", "simdr"],
    "input_size": ["64x64", "256x192"],
}

Fields = Callable[[PlannedTraining, PlannedEvaluation], Mapping[str, Any] | None]
"""Fields of a record that differ from an empty one; None where there is no record."""

History = Callable[[PlannedTraining], Sequence[EpochEntry] | None]
"""Epochs of a training; None where it is not finished."""


def suite_text(
    dataset: str = "{name: coco, train: train2017, eval: val2017}",
    boxes: str = "detector",
    post_process: str = "[quarter, none]",
    **axes: Sequence[Any],
) -> str:
    """A suite with some axes added or replaced."""
    lines = "\n".join(f"    {name}: [{', '.join(map(str, values))}]" for name, values in (AXES | axes).items())
    return f"""\
name: plotted
title: Plotted
dataset: {dataset}
train:
  axes:
{lines}
evaluate:
  - {{boxes: {boxes}, post_process: {post_process}, when: {{representation: heatmap}}}}
  - {{boxes: {boxes}, when: {{representation: [simdr, simdr_star]}}}}
tables: [{{id: results, metrics: [{"Mean" if "mpii" in dataset else "AP"}]}}]
"""


def curve(*losses: float, validation: Sequence[float | None] | None = None) -> list[EpochEntry]:
    """A training's epochs from 1 on."""
    scores = validation or [None] * len(losses)
    return [
        EpochEntry(epoch=epoch, loss=loss, learning_rate=1e-3, instances=10, validation=score)
        for epoch, (loss, score) in enumerate(zip(losses, scores, strict=True), start=1)
    ]


def make_results(folder: Path, text: str, fields: Fields, histories: History = lambda _: None) -> Results:
    """Results of a suite, read from a folder in which they are stored first."""
    file, store = folder / "suite.yaml", Store(folder / "results")
    file.write_text(text, encoding="utf-8")
    suite = load_suite(file)
    for training in make_plan(suite, store).trainings:
        history = histories(training)
        if history is not None:
            _write_training(store, training, history)
        for evaluation in training.evaluations:
            changes = fields(training, evaluation)
            if changes is not None:
                _write_record(store, training, evaluation, changes)
    return read_results(make_plan(suite, store), store)


def _write_training(store: Store, training: PlannedTraining, history: Sequence[EpochEntry]) -> None:
    record = TrainingRecord(
        id=training.spec.id, spec=training.spec, params=1, history=list(history), seconds=1.0, weights_sha256="",
        problems=[], provenance=PROVENANCE,
    )  # fmt: skip
    write_json(store.training(record.id).record_file, record.model_dump(mode="json"), durable=False)


def _write_record(
    store: Store, training: PlannedTraining, evaluation: PlannedEvaluation, changes: Mapping[str, Any]
) -> None:
    empty = {
        "id": evaluation.spec.id, "spec": evaluation.spec, "training": training.spec, "metrics": {}, "baseline": {},
        "instances": 10, "seconds": 1.0, "problems": [], "provenance": PROVENANCE,
    }  # fmt: skip
    record = Record.model_validate(empty | dict(changes))
    write_json(store.evaluation(record.id).record_file, record.model_dump(mode="json"), durable=False)
