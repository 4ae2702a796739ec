"""Everything that a results folder knows of one cell, as plain values: what `bench show` prints."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.execute.progress import describe
from bench.planning.plan import BINARY_GIGA, GIGA, answered_rows, complexity_of
from bench.planning.status import Observer, Status
from bench.pose.data.left_out import summarize
from bench.pose.errors import BenchError, UnknownNameError
from bench.pose.metrics.catalog import explain_unjudged, headline
from bench.report.appendix import format_time
from bench.report.details import log_tail
from bench.store.documents import Failure, TrainingRecord
from bench.store.folders import EvaluationFolder, Store, TrainingFolder
from bench.store.leases import Owner
from bench.store.lookup import StoredCell, look_up, seeds_of
from bench.store.provenance import Provenance
from bench.suite.expansion import expand
from bench.suite.schema import load_suite
from bench.suite.shipped import shipped_suites, suite_argument
from bench.suite.specs import TrainSpec

Sections = dict[str, Any]
"""Sections by name: a value, a mapping, a list of values, or a list of mappings of the same keys."""


def describe_cell(store: Store, prefix: str, suites: Path) -> Sections:
    """What is known of the training or evaluation whose id starts so; sections with nothing in them are left out.

    Args:
        store: that holds it.
        prefix: of its id.
        suites: folder of suites among which those that plan it are looked for; the installed ones if it has none.

    Raises:
        StoreError: the id names none or several, or a file cannot be read.
    """
    cell = look_up(store, prefix)
    training, folder = cell.training, store.training(cell.training.id)
    measured = store.evaluation(cell.id) if cell.evaluation is not None else None
    folders: list[TrainingFolder | EvaluationFolder] = [folder, *([measured] if measured is not None else [])]
    sections: Sections = {
        "id": cell.id,
        "kind": "evaluation" if cell.evaluation is not None else "training",
        "simulated": cell.simulated,
        "state": _state(store, cell),
        "suites": _suites(cell.id, suites),
        "metrics": _metrics(cell),
        "notes": explain_unjudged(cell.record.metrics, cell.record.spec.split) if cell.record is not None else "",
        "seeds": _seeds(store, cell),
        "evaluations": _evaluations(store, cell),
        "training": {"id": training.id} | training.model_dump(mode="json"),
        "evaluation": cell.evaluation.model_dump(mode="json") if cell.evaluation is not None else {},
        "network": _network(training),
        "training_run": _training_run(cell.training_record),
        "evaluation_run": _evaluation_run(cell),
        "server": _server(measured),
        "diagnostics": _diagnostics(cell),
        "problems": _problems(cell),
        "failures": [_failure(item.path, failure) for item in folders if (failure := item.failure())],
        "progress": _progress(folder),
        "leases": [_lease(owner) for owner in folder.leases.history()],
        "files": [entry for item in folders for entry in _files(item.path)],
        "log": list(log_tail(folder.log)),
        "command": _command(cell),
    }
    return {name: value for name, value in sections.items() if value not in ({}, [], "", None)}


def _state(store: Store, cell: StoredCell) -> dict[str, Any]:
    observer = Observer(store)
    found = {"training": observer.training(cell.training.id)}
    if cell.evaluation is not None:
        found["evaluation"] = observer.evaluation(cell.training.id, cell.id)
    return {kind: _status(status) for kind, status in found.items()}


def _status(status: Status) -> str:
    job = f" (job {status.job})" if status.job else ""
    return f"{status.state}{job}{f': {status.reason}' if status.reason else ''}"


def _suites(id_: str, folder: Path) -> list[str]:
    """Files of the suites that plan a training or evaluation; those that cannot be read plan nothing."""
    found = []
    for file in sorted(folder.glob("*.yaml")) or shipped_suites().values():
        with contextlib.suppress(BenchError):
            cells = expand(load_suite(file)).cells
            if any(id_ in {cell.training.id, *(spec.id for spec in cell.evaluations)} for cell in cells):
                found.append(suite_argument(file))
    return found


def _metrics(cell: StoredCell) -> list[dict[str, Any]]:
    """Each metric with the paper's value, what the mean pose reaches, and what ideal outputs reach."""
    record = cell.record
    if record is None or cell.evaluation is None:
        return []
    rows = answered_rows(cell.training, cell.evaluation)
    published = {metric: (row.id, value) for row in rows for metric, value in row.metrics.items()}
    found = []
    for metric, value in record.metrics.items():
        row, paper = published.get(metric, ("", None))
        found.append(
            {
                "metric": metric,
                "value": value,
                "published": paper,
                "difference": None if paper is None or value is None else value - paper,
                "row": row,
                "mean_pose": record.baseline.get(metric),
                "ideal_outputs": record.ceiling.get(metric),
            }
        )
    return found


def _seeds(store: Store, cell: StoredCell) -> list[dict[str, Any]]:
    """The same with other seeds, and the mean and deviation if there are several records."""
    others = seeds_of(store, cell)
    if len(others) < 2:
        return []
    rows: list[dict[str, Any]] = [
        {"seed": other.training.seed, "id": other.id, "simulated": other.simulated} | _headline(other)
        for other in others
    ]
    values = [row["value"] for row in rows if row["value"] is not None]
    if len(values) > 1:
        empty = {"id": "", "simulated": "", "metric": rows[0]["metric"]}
        rows.append({"seed": "mean"} | empty | {"value": statistics.fmean(values)})
        rows.append({"seed": "standard deviation"} | empty | {"value": statistics.stdev(values)})
    return rows


def _headline(cell: StoredCell) -> dict[str, Any]:
    """The metric of a cell that says most: of a training, its last loss."""
    if cell.evaluation is None:
        history = cell.training_record.history if cell.training_record is not None else []
        return {"metric": "last loss", "value": history[-1].loss if history else None}
    metrics = cell.record.metrics if cell.record is not None else {}
    name = headline(metrics) if metrics else ""
    return {"metric": name, "value": metrics.get(name)}


def _evaluations(store: Store, cell: StoredCell) -> list[dict[str, Any]]:
    """The evaluations of a training."""
    if cell.evaluation is not None:
        return []
    found = []
    for file in sorted(store.root.glob("evaluations/*/spec.json")):
        folder = store.evaluation(file.parent.name)
        with contextlib.suppress(BenchError):
            spec = folder.spec()
            if spec is not None and spec.training == cell.id:
                way = {name: getattr(spec, name) for name in ("split", "boxes", "flip_test", "post_process")}
                found.append({"id": spec.id} | way | _headline(look_up(store, spec.id)))
    return found


def _network(training: TrainSpec) -> dict[str, Any]:
    try:
        complexity = complexity_of(training)
    except UnknownNameError:  # of an extension that is not loaded
        return {}
    return {
        "parameters": complexity.params,
        "gflops_multiply_adds": complexity.multiply_adds / GIGA,
        "gflops_published_convention": complexity.published_convention / BINARY_GIGA,
    }


def _training_run(record: TrainingRecord | None) -> dict[str, Any]:
    if record is None:
        return {}
    last = record.history[-1].model_dump(exclude={"epoch"}) if record.history else {}
    run = {"seconds": record.seconds, "images": record.images, "images_left_out": record.images_left_out}
    run |= {"epochs": len(record.history)} | {f"last_{name}": last[name] for name in last}
    return run | {"weights_sha256": record.weights_sha256} | _provenance(record.provenance)


def _evaluation_run(cell: StoredCell) -> dict[str, Any]:
    record = cell.record
    if record is None:
        return {}
    run: dict[str, Any] = {"seconds": record.seconds, "instances": record.instances, "images": record.images}
    run |= {"images_left_out": record.images_left_out, "scored_by": record.scored_by}
    return run | _provenance(record.provenance)


def _provenance(provenance: Provenance) -> dict[str, Any]:
    return {
        "commit": provenance.commit,
        "dirty": provenance.dirty,
        "package": provenance.package,
        "started": format_time(provenance.started),
        "seed": provenance.seed,
        **{f"version of {name}": value for name, value in provenance.versions.items()},
        **{f"code of {name}": value for name, value in provenance.extensions.items()},
        **{f"hardware: {name}": value for name, value in provenance.hardware.items()},
        **{f"sha256 of {name}": value for name, value in provenance.files.items()},
    }


def _server(folder: EvaluationFolder | None) -> dict[str, Any]:
    score = folder.server_score() if folder is not None else None
    return score.model_dump(mode="json") if score is not None else {}


def _diagnostics(cell: StoredCell) -> dict[str, Any]:
    diagnostics = cell.record.diagnostics if cell.record is not None else None
    if diagnostics is None:
        return {}
    parts: Mapping[str, Mapping[str, float]] = {
        f"{diagnostics.measure} of": diagnostics.keypoints,
        f"{diagnostics.measure} at": diagnostics.curve,
        "keypoints:": diagnostics.errors,
    }
    return {f"{prefix} {name}": value for prefix, part in parts.items() for name, value in part.items()}


def _problems(cell: StoredCell) -> list[str]:
    records: Sequence[Any] = [record for record in (cell.training_record, cell.record) if record is not None]
    return summarize(problem for record in records for problem in record.problems)


def _failure(folder: Path, failure: Failure) -> dict[str, Any]:
    return {"of": folder.name, "at": format_time(failure.at)} | failure.model_dump(exclude={"at"})


def _progress(folder: TrainingFolder) -> str:
    job_progress = folder.job_progress()
    if job_progress is None:
        return ""
    return (
        f"{describe(job_progress)} (process {job_progress.pid} on {job_progress.host}, {format_time(job_progress.at)})"
    )


def _lease(owner: Owner) -> dict[str, Any]:
    return {
        "holder": str(owner),
        "since": format_time(owner.since),
        "released": owner.released,
        "restart": owner.restart,
    }


def _files(folder: Path) -> Iterator[dict[str, Any]]:
    """Files of a folder, and each folder in it as a whole."""
    for path in sorted(folder.glob("*")):
        files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
        name = f"{path}/ ({len(files)} files)" if path.is_dir() else str(path)
        yield {"file": name, "bytes": sum(file.stat().st_size for file in files)}


def _command(cell: StoredCell) -> str:
    record = cell.record or cell.training_record
    return record.provenance.command if record is not None else ""
