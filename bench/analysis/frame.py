"""The results frame: every evaluation of a results folder as one row of a tidy pandas DataFrame.

Tables, plots, claims and the gate read this frame, and so does a user's notebook: any number that a report prints is
three lines of pandas away from `load_results`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from bench.analysis.formatting import setting_text
from bench.analysis.frame_columns import COSTS, column_annotation, column_type, in_order
from bench.analysis.result_reading import EvaluationResult, planned_results, stored_results, stored_trainings
from bench.files import StoreError
from bench.planning.plan import Plan, answered_rows, complexity_of, elsewhere_row, make_plan
from bench.pose.errors import UnknownNameError
from bench.pose.metrics.catalog import metrics_of, unjudged
from bench.store.documents import Record, TrainingRecord
from bench.store.folders import Store
from bench.suite.schema import load_suite
from bench.suite.specs import TrainSpec, shared_settings
from bench.suite.training_length import LENGTH, planned_length

__all__ = [
    "diagnostics_frame",
    "load_epochs",
    "load_errors",
    "load_keypoints",
    "load_per_instance",
    "load_results",
    "load_thresholds",
    "results_frame",
    "row_id",
    "setting_columns",
    "to_frame",
]


HASH_LENGTH = 10
"""Characters of the hashes in the columns `row` and `training_kind`."""


def load_results(results: str | Path = "results", suite: str | Path | None = None) -> pd.DataFrame:
    """All evaluations of a results folder, or of a suite, one row per evaluation and seed.

    Columns, left to right; docs/results.md shows how to use them:

    - `row` (str): equal for evaluations that differ in the seed alone, which are one row of a printed table.
    - `training`, `evaluation` (str): ids, as `bench show` takes them.
    - `training_kind` (str): equal for trainings that differ in the seed alone.
    - `state` ("done", "missing", "failed", ...) and `reason` (str): why there is no record; "" where there is one.
    - `seed` (int64), then the other settings by the names of `TrainSpec` and `EvalSpec`; where both have one of a name
      (`split`, `subset`, `batch_size`, `precision`), the evaluation's begins with `evaluation_`. Numbers are float64 or
      int64, flags bool, all others str; missing where there is no such setting. `input_size` is "HxW".
    - metrics (float64) by the names of `metrics.json`, in its units; NaN where not measured.
    - `nobody_to_judge` (str): names of the metrics that are NaN because no instance of the split counts for them.
    - `baseline_METRIC` of the mean pose, `ceiling_METRIC` of a network without error, `published_METRIC` of the paper,
      likewise.
    - `params`, `multiply_adds`, `published_convention` (int64; float64 where a network is of an extension that is not
      loaded): size and work of the network per image, see `Complexity`.
    - `published_params_m`, `published_gflops` (float64): the same as the paper prints them.
    - `published_row` (str): ids of the paper's rows that the evaluation measures again, "" for none.
    - `elsewhere_row` (str): another project's published result for the cell, with its protocol, "" for none; and
      `elsewhere_METRIC` (float64), its numbers.
    - `images`, `images_left_out` (Int64): images with instances to predict, and those of them that could not be read;
      `training_images`, `training_images_left_out` likewise.
    - `instances`, `epochs_done` (Int64), `seconds`, `training_seconds` (float64), `scored_by` (str), `simulated`
      (bool).
    - `distinct_instances`, `instances_seen` (Int64): of the training, one by one and over all of its epochs, see
      `training_lengths`.
    - `commit`, `package`, `command`, `device`, `torch` (str), `dirty` (boolean), `started` (float64, seconds since
      1970): provenance of the evaluation.

    Args:
        results: the results folder.
        suite: a suite's file. With it, rows are the suite's planned evaluations, measured or not, in the order of its
            tables; without it, all finished evaluations of the folder, by id.

    Raises:
        StoreError: there is no such folder, or a record cannot be read.
        SuiteError: the suite cannot be used.
    """
    store = Store(Path(results))
    if suite is not None:
        frame, problems = results_frame(make_plan(load_suite(Path(suite)), store), store)
        if problems:
            raise StoreError("\n".join(problems))
        return frame
    if not store.root.is_dir():
        raise StoreError(f"{store.root}: there is no such results folder")
    return to_frame(stored_results(store))


def results_frame(
    plan: Plan, store: Store, left_out: Mapping[str, str] | None = None
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The frame of a plan, in the order of tables, and the files that cannot be read, which cost their own row only.

    Args:
        plan: of the suite.
        store: what is there of it.
        left_out: why trainings that nobody has begun were not run, by their ids, where more is known than that.
    """
    problems: list[str] = []
    return to_frame(planned_results(plan, store, left_out or {}, problems)), tuple(problems)


def load_epochs(results: str | Path = "results") -> pd.DataFrame:
    """Training curves: one row per epoch of every finished training.

    Columns: `training` (id, as in `load_results`), `epoch` from 0, `loss`, `learning_rate`, `instances`, `validation`
    (the headline metric of the selection split; NaN where there was none). Raises `StoreError` for unreadable records.
    """
    rows = [
        {"training": record.id, **entry.model_dump()}
        for record in stored_trainings(Store(Path(results)))
        for entry in record.history
    ]
    types = {"training": "str", "epoch": "int64", "loss": "float64", "learning_rate": "float64", "instances": "int64",
             "validation": "float64"}  # fmt: skip
    return pd.DataFrame(rows, columns=list(types)).astype(types)


def load_keypoints(results: str | Path = "results") -> pd.DataFrame:
    """Results by keypoint: one row per evaluation and keypoint.

    Columns: `evaluation` (id), `keypoint`, `measure` ("AP" in 0..1 or "PCKh" in percent), `value`. Keypoints that are
    labelled nowhere have no row. Raises `StoreError` for unreadable records.
    """
    return diagnostics_frame(_stored_records(results), "keypoints")


def load_thresholds(results: str | Path = "results") -> pd.DataFrame:
    """Results over all keypoints by threshold: one row per evaluation and threshold.

    Columns: `evaluation` (id), `threshold` (float64: OKS for "AP", head sizes for "PCKh"; NaN where the record holds
    no number), `measure` ("AP" in 0..1 or "PCKh" in percent), `value`. Raises `StoreError` for unreadable records.
    """
    return diagnostics_frame(_stored_records(results), "curve")


def load_errors(results: str | Path = "results") -> pd.DataFrame:
    """Kinds of errors: one row per evaluation and kind, none for MPII.

    Columns: `evaluation` (id), `kind` ("good", "jitter", "inversion", "swap" or "miss"), `value` (share of the labelled
    keypoints of matched instances; those of an evaluation add up to 1). Raises `StoreError` for unreadable records.
    """
    return diagnostics_frame(_stored_records(results), "errors")


def diagnostics_frame(records: Iterable[Record], part: Literal["keypoints", "curve", "errors"]) -> pd.DataFrame:
    """A part of the diagnostics of records, see `load_keypoints`, `load_thresholds` and `load_errors`."""
    name, dtype = {"keypoints": ("keypoint", "str"), "curve": ("threshold", "float64"), "errors": ("kind", "str")}[part]
    rows = [
        {"evaluation": record.id, name: key, "measure": record.diagnostics.measure, "value": value}
        for record in records
        if record.diagnostics is not None
        for key, value in getattr(record.diagnostics, part).items()
        if 0 <= value < math.inf  # older records hold pycocotools' -1 where there is nobody to judge
    ]
    types = {"evaluation": "str", name: dtype, "measure": "str", "value": "float64"}
    frame = pd.DataFrame(rows, columns=list(types))
    if part == "curve":
        frame[name] = pd.to_numeric(frame[name], errors="coerce")
    return frame.astype(types).drop(columns=["measure"] if part == "errors" else [])


def _stored_records(results: str | Path) -> Iterator[Record]:
    return (result.record for result in stored_results(Store(Path(results))) if result.record is not None)


def load_per_instance(results: str | Path, evaluation: str) -> pd.DataFrame:
    """What one evaluation found instance by instance.

    For COCO and CrowdPose one row per labelled instance: `image` (id, int64) and `oks` (float64), the best OKS that a
    prediction in the image reaches. For MPII one row per instance and labelled keypoint: `instance` (position in the
    annotations, int64), `keypoint` (str) and `distance` (float64) from the annotation in head sizes, NaN for instances
    without a prediction.

    Args:
        results: the results folder.
        evaluation: id of the evaluation, as in `load_results`.

    Raises:
        DataError: the evaluation kept no per-instance results, or they are broken.
    """
    # SciPy takes a second, and all else does without it.
    from bench.pose.metrics import per_instance
    from bench.pose.metrics.oks_per_instance import OksPerInstance
    from bench.pose.skeletons import MPII_16

    found = per_instance.load_per_instance(Store(Path(results)).evaluation(evaluation).per_instance)
    if isinstance(found, OksPerInstance):
        return pd.DataFrame({"image": found.image_ids[found.best_images].astype("int64"), "oks": found.best_oks})
    instances, keypoints = found.visible.nonzero()  # type: ignore[attr-defined]  # the other kind is PCKh's
    return pd.DataFrame(
        {
            "instance": instances.astype("int64"),
            "keypoint": pd.Series([MPII_16.keypoints[keypoint] for keypoint in keypoints], dtype="str"),
            "distance": found.distances[instances, keypoints].astype("float64"),  # type: ignore[attr-defined]
        }
    )


def row_id(settings: Mapping[str, Any]) -> str:
    """The value of the column `row` for settings as `shared_settings` gives them."""
    return hashlib.sha256(repr(settings).encode()).hexdigest()[:HASH_LENGTH]


def setting_columns(frame: pd.DataFrame) -> tuple[str, ...]:
    """The columns of a results frame that are settings, but for the seed."""
    return tuple(name for name in frame.columns if name != "seed" and column_annotation(name) is not None)


def to_frame(results: Iterable[EvaluationResult]) -> pd.DataFrame:
    """The results frame of some evaluations."""
    frame = in_order(pd.DataFrame([dict(_columns(result)) for result in results]))
    return frame.astype({name: column_type(frame, name) for name in frame.columns}).copy()


def _columns(result: EvaluationResult) -> Iterator[tuple[str, Any]]:
    training, evaluation, record, trained = result.training, result.evaluation, result.record, result.training_record
    settings = shared_settings(training, evaluation)
    yield "row", row_id(settings)
    yield from {"training": training.id, "training_kind": _kind(training), "evaluation": evaluation.id}.items()
    yield from {"state": result.state, "reason": result.reason, "seed": training.seed}.items()
    yield from ((name, _plain(value)) for name, value in settings.items())
    yield from _metrics(result)
    yield from _costs(result.training)
    yield "nobody_to_judge", ", ".join(unjudged(record.metrics)) if record else ""
    yield "instances", record.instances if record else None
    for prefix, document in (("", record), ("training_", trained)):
        yield f"{prefix}images", document.images if document else None
        yield f"{prefix}images_left_out", document.images_left_out if document else None
    yield "seconds", record.seconds if record else None
    yield "training_seconds", trained.seconds if trained else None
    yield "epochs_done", len(trained.history) if trained else None
    yield from training_lengths(training, trained).items()
    yield "scored_by", record.scored_by if record else ""
    yield "simulated", any(item is not None and item.simulated for item in (record, trained))
    origin = record.provenance if record else None
    for name in ("commit", "dirty", "package", "command", "started"):
        yield name, getattr(origin, name) if origin else None
    yield "device", origin.hardware.get("device") if origin else None
    yield "torch", origin.versions.get("torch") if origin else None


def training_lengths(training: TrainSpec, trained: TrainingRecord | None) -> dict[str, int | None]:
    """The columns `distinct_instances` and `instances_seen` of a training.

    As counted while it trained, which leaves out those that could not be read. Where nothing was counted yet, or the
    record is made up, they are what the settings tell; missing without `train_subset`. Weights that are measured as
    they are given have seen none.
    """
    counts = [entry.instances for entry in trained.history if entry.instances] if trained else []
    planned = training.train_subset if training.epochs else 0
    return {
        "distinct_instances": max(counts, default=planned),
        LENGTH: sum(counts) or planned_length(training.settings),
    }


def _kind(training: TrainSpec) -> str:
    return row_id(training.model_dump(exclude={"seed"}))


def _plain(value: Any) -> Any:
    """A setting as a cell of a frame: numbers, flags and texts stay, others become text."""
    return value if value is None or isinstance(value, bool | int | float | str) else setting_text(value)


def _metrics(result: EvaluationResult) -> Iterator[tuple[str, Any]]:
    """Metrics of the record, its baseline and ceiling, and of the paper's rows that it measures again."""
    record, published = result.record, answered_rows(result.training, result.evaluation)
    try:
        names = metrics_of(result.training.data)
    except UnknownNameError:  # a dataset whose extension is not loaded
        names = tuple(record.metrics) if record else ()
    sources: Mapping[str, Mapping[str, float | None]] = {
        "": record.metrics if record else {},
        "baseline_": record.baseline if record else {},
        "ceiling_": record.ceiling if record else {},
        "published_": {name: value for row in reversed(published) for name, value in row.metrics.items()},
    }
    for prefix, values in sources.items():
        yield from ((prefix + name, values.get(name)) for name in dict.fromkeys((*names, *values)))
    yield "published_row", ", ".join(row.id for row in published)
    elsewhere = elsewhere_row(result.training, result.evaluation)
    yield "elsewhere_row", elsewhere.words if elsewhere else ""
    yield from ((f"elsewhere_{name}", value) for name, value in (elsewhere.metrics if elsewhere else {}).items())
    for size in ("params_m", "gflops"):
        yield f"published_{size}", next((value for row in published if (value := getattr(row, size)) is not None), None)


def _costs(training: TrainSpec) -> Iterator[tuple[str, int | None]]:
    try:
        complexity = complexity_of(training)
    except UnknownNameError:  # a network whose extension is not loaded
        yield from dict.fromkeys(COSTS).items()
    else:
        yield from ((name, getattr(complexity, name)) for name in COSTS)
