"""What a capsule holds, checked: its records, and its suite without the code that it names."""

from __future__ import annotations

from pathlib import Path

from bench.capsule.archive import Capsule
from bench.capsule.manifest import SUITE
from bench.store.documents import Record, TrainingRecord
from bench.suite.overrides import override
from bench.suite.schema import Suite, load_suite
from bench.suite.specs import EvalSpec, TrainSpec


def checked_records(capsule: Capsule) -> list[Record]:
    """The records of all evaluations, which agree with their ids, specs, trainings and the manifest.

    Raises:
        CapsuleError: one does not.
    """
    records = [_record(capsule, id_) for id_ in capsule.evaluations]
    _check_trainings(capsule, records)
    return records


def read_suite(capsule: Capsule, folder: Path) -> Suite:
    """The suite as it was planned, written into a folder on the way; modules that it names are not imported.

    Raises:
        BenchError: this version cannot read it, or it names modules that are not imported yet.
    """
    file = folder / SUITE
    file.write_bytes(capsule.contents(SUITE))
    return override(load_suite(file, run_extensions=False), capsule.manifest.settings)


def _record(capsule: Capsule, id_: str) -> Record:
    """The record of an evaluation. Raises `CapsuleError` if it does not match its id and spec."""
    record = capsule.document(f"evaluations/{id_}/record.json", Record)
    spec = capsule.document(f"evaluations/{id_}/spec.json", EvalSpec)
    if not id_ == record.id == spec.id == record.spec.id:
        raise capsule.problem(
            f"evaluation {id_}: its spec hashes to {spec.id}, its record's to {record.spec.id}; one was changed"
        )
    if record.training.id != record.spec.training:
        raise capsule.problem(f"evaluation {id_}: its training has id {record.training.id}, not {record.spec.training}")
    return record


def _check_trainings(capsule: Capsule, records: list[Record]) -> None:
    for id_ in sorted({record.spec.training for record in records} | set(capsule.trainings)):
        spec = capsule.document(f"trainings/{id_}/spec.json", TrainSpec)
        record = capsule.document(f"trainings/{id_}/training.json", TrainingRecord)
        if not id_ == spec.id == record.id == record.spec.id:
            raise capsule.problem(
                f"training {id_}: its spec hashes to {spec.id}, its record's to {record.spec.id}; one was changed"
            )
    simulated = any(record.simulated for record in records)
    if simulated != capsule.manifest.simulated:
        raise capsule.problem("the manifest and the records disagree about whether results are simulated")


def per_instance_member(capsule: Capsule, record: Record) -> str | None:
    """Member with the results of a record's instances; None without one.

    A variant that has none found what the evaluation found whose outputs it decoded.
    """
    names = (f"evaluations/{id_}/per_instance.npz" for id_ in (record.id, record.outputs_of) if id_)
    return next((name for name in names if name in capsule), None)
