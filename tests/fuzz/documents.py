"""Valid documents that fuzzing starts from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.execute.job import NO_RETRIES
from bench.execute.slurm.ledger import Array, Submission
from bench.files import write_json
from bench.planning.forecast.evidence import Calibration, CalibrationPoint
from bench.planning.plan import Plan, make_plan
from bench.store.documents import JobProgress
from bench.store.folders import Store
from bench.suite.schema import load_suite
from tests.reports import PROVENANCE, Bench

__all__ = ["CALIBRATION", "INSTANCES", "JOB_PROGRESS", "LEDGER", "ONE_CELL", "finished"]

ONE_CELL = """\
name: one
title: One cell
dataset: {name: synthetic, train: train30, eval: val10}
train: {axes: {backbone: [simba_tiny], representation: [simdr], input_size: [64x64]}}
evaluate: [{boxes: gt}]
tables: [{id: one, metrics: [AP]}]
claims: [{id: good, says: It is good., that: "AP > 0.3"}]
"""

JOB_PROGRESS = JobProgress(phase="training", pid=7, host="here", at=1.7e9, epoch=1, epochs=3, loss=0.5).model_dump()

LEDGER = Submission(
    id="one",
    suite="tiny",
    suite_file="suites/tiny.yaml",
    snapshot="results/snapshots/0123456789ab",
    at=1.7e9,
    pack=1,
    signal_delay=90,
    retries=NO_RETRIES,
    arrays=[Array(name="tiny-one-0", world_size=1, tasks=[["0" * 12], ["1" * 12, "2" * 12]])],
    evaluations={"0" * 12: ["a" * 12], "1" * 12: [], "2" * 12: ["b" * 12]},
).model_dump()

CALIBRATION = Calibration(
    points=[
        CalibrationPoint(
            phase=phase, backbone="simba_tiny", representation="simdr", input_size=size, split_ratio=2.0, batch_size=16,
            megapixels=0.3, instances=100, seconds=2.5,
        )
        for phase in ("training", "evaluation")
        for size in ("64x64", "128x128")
    ],
    seconds=10.0,
    provenance=PROVENANCE.model_copy(update={"hardware": {"processor": "one", "threads": 1, "workers": 0}}),
).model_dump(mode="json")  # fmt: skip

INSTANCES: dict[str, Any] = {
    "skeleton": "coco_17",
    "instances": [
        {
            "image_id": 1, "annotation_id": number, "choice": "spread", "file": "instances/1.jpg",
            "truth": [[1.0, 2.0, 2]] * 17, "prediction": [[1.0, 2.0, 0.5]] * 17, "oks": 0.5,
        }
        for number in (1, 2)
    ],
}  # fmt: skip


def finished(folder: Path) -> tuple[Plan, Store]:
    """A suite of one cell, which is done."""
    bench = Bench(folder)
    plan = bench.fill(ONE_CELL, lambda _training, _evaluation: {"AP": 0.5, "mean_oks": 0.6}, baseline={"AP": 0.1})
    for training in plan.trainings:
        for item in training.evaluations:
            write_json(bench.store.evaluation(item.spec.id).path / "spec.json", item.spec.model_dump(mode="json"))
    suite = load_suite(folder / "suite.yaml")
    return make_plan(suite, bench.store), bench.store
