"""The results folder: trainings and evaluations by id.

    trainings/ID/    spec.json  checkpoint.pt  weights.pt  training.json  progress.json  failure.json  cancelled.json
                     loggers.json  leases/N.json  log.txt
    evaluations/ID/  spec.json  predictions.json  per_instance.npz  resamples.npz  instances.json  instances/*.jpg
                     record.json  failure.json  server.json  outputs.zip  outputs.json  variants.json
                     error_budget.json

`training.json` and `record.json` are written last: a folder that has one is complete. `resamples.npz` holds metrics on
resampled images, and may be deleted.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from bench.files import StoreError, load_document, read_json, remove, remove_leftovers, write_json
from bench.store.documents import (
    ErrorBudget,
    Failure,
    JobProgress,
    LoggerWarnings,
    Record,
    ServerScore,
    StoredOutputs,
    TrainingRecord,
    Variants,
)
from bench.store.leases import Lease, Leases, Owner
from bench.suite.specs import SCHEMA_VERSION, EvalSpec, TrainSpec, schema_of

RecordT = TypeVar("RecordT", TrainingRecord, Record)


class _Within:
    """A path within a folder, joined on access: a plan looks at few of them."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, folder: _Folder, _kind: type[_Folder]) -> Path:
        return folder.path / self._name


class _Folder:
    record_file: _Within
    failure_file = _Within("failure.json")

    def __init__(self, path: Path) -> None:
        self.path = path

    def _load_record(self, kind: type[RecordT]) -> RecordT | None:
        """The record; None if there is none. Raises `StoreError`, also for one of an older schema or another id."""
        try:
            record = load_document(self.record_file, kind)
        except StoreError:
            schema = self.record_schema()
            if schema in {None, SCHEMA_VERSION}:
                raise
            raise StoreError(
                f"{self.record_file}: its spec is of schema {schema}, this version of bench reads schema"
                f" {SCHEMA_VERSION}; read it with the version of bench that its provenance names, or run its suite"
                " again, which makes new results beside it"
            ) from None
        if record is not None and not record.id == record.spec.id == self.path.name:
            raise StoreError(f"{self.record_file}: its spec has id {record.spec.id}, not {self.path.name}")
        return record

    def record_schema(self) -> int | None:
        """The schema version of the record's spec, by the folder's id; None if it cannot be told."""
        try:
            return schema_of(read_json(self.record_file)["spec"], self.path.name)
        except (StoreError, KeyError, TypeError, ValueError):
            return None

    def failure(self) -> Failure | None:
        """The stored failure of the last try, if it failed."""
        return load_document(self.failure_file, Failure)

    def fail(self, failure: Failure) -> None:
        """Store a failure."""
        write_json(self.failure_file, failure.model_dump())

    def clear_failure(self) -> None:
        """Remove an earlier failure."""
        remove(self.failure_file)

    def save_spec(self, spec: TrainSpec | EvalSpec) -> None:
        """Store the spec. A different one that is already there is an error."""
        file = self.path / "spec.json"
        stored = load_document(file, type(spec))
        if stored is not None and stored.id != spec.id:
            raise StoreError(f"{file}: holds the spec of {stored.id}, not of {spec.id}; the folder was tampered with")
        if stored is None:
            write_json(file, spec.model_dump(mode="json"))


class TrainingFolder(_Folder):
    """Folder of one training."""

    record_file = _Within("training.json")
    checkpoint = _Within("checkpoint.pt")
    weights = _Within("weights.pt")
    log = _Within("log.txt")
    progress_file = _Within("progress.json")
    logger_warnings_file = _Within("loggers.json")
    cancel_file = _Within("cancelled.json")

    @property
    def leases(self) -> Leases:
        """All leases ever made on the training."""
        return Leases(self.path / "leases")

    def rendezvous_file(self, token: str) -> Path:
        """File through which the processes of one try of a training find each other."""
        return self.path / f"rendezvous-{token}.json"

    @contextlib.contextmanager
    def lease(
        self, patience: float = 0, job_lives: Callable[[Owner], bool | None] = lambda _owner: None
    ) -> Iterator[Lease]:
        """Hold the training and its evaluations against all other processes; see `Leases.take`.

        Raises:
            BusyError: another process holds it.
            StoreError: the folder cannot be made or written.
        """
        with self.leases.take(patience, job_lives) as lease:
            remove_leftovers(self.path)
            yield lease

    def cancel(self) -> None:
        """Request cancellation; a running worker saves its state and stops."""
        write_json(self.cancel_file, {"at": time.time()})

    @property
    def cancelled(self) -> bool:
        """Whether cancellation was requested."""
        return self.cancel_file.exists()

    def uncancel(self) -> None:
        """Withdraw the request for cancellation."""
        remove(self.cancel_file)

    def record(self) -> TrainingRecord | None:
        """The finished training, if it is; its spec must have the folder's id."""
        return self._load_record(TrainingRecord)

    def job_progress(self) -> JobProgress | None:
        """The last heartbeat of a running job."""
        return load_document(self.progress_file, JobProgress)

    def logger_warnings(self) -> LoggerWarnings | None:
        """What the loggers of the last job that had trouble said."""
        return load_document(self.logger_warnings_file, LoggerWarnings)


class EvaluationFolder(_Folder):
    """Folder of one evaluation."""

    record_file = _Within("record.json")
    predictions = _Within("predictions.json")
    per_instance = _Within("per_instance.npz")
    resamples = _Within("resamples.npz")
    instances_file = _Within("instances.json")
    instances_folder = _Within("instances")
    server_file = _Within("server.json")
    outputs = _Within("outputs.zip")
    outputs_file = _Within("outputs.json")
    variants_file = _Within("variants.json")
    budget_file = _Within("error_budget.json")

    def spec(self) -> EvalSpec | None:
        """The evaluation's spec, if it was ever started."""
        return load_document(self.path / "spec.json", EvalSpec)

    def stored_outputs(self) -> StoredOutputs | None:
        """What describes the raw outputs, if they were stored."""
        return load_document(self.outputs_file, StoredOutputs)

    def variants(self) -> Variants:
        """The variants of it that were measured."""
        return load_document(self.variants_file, Variants) or Variants()

    def error_budget(self) -> ErrorBudget | None:
        """What each kind of error costs, if that was measured."""
        return load_document(self.budget_file, ErrorBudget)

    def server_score(self) -> ServerScore | None:
        """The entered score of the dataset's server, if any."""
        return load_document(self.server_file, ServerScore)

    def record(self) -> Record | None:
        """The record, if the evaluation is done, with the server's score if its metrics are empty.

        Raises:
            StoreError: the file is unusable, or its specs do not fit its ids.
        """
        record = self._load_record(Record)
        if record is not None and record.training.id != record.spec.training:
            raise StoreError(
                f"{self.record_file}: its training has id {record.training.id}, not {record.spec.training}"
            )
        score = self.server_score() if record is not None and not record.metrics else None
        return record if record is None or score is None else record.model_copy(update={"metrics": score.metrics})


class Store:
    """A results folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.trainings = root / "trainings"
        self.evaluations = root / "evaluations"

    def ids(self) -> frozenset[str]:
        """Ids of the trainings and evaluations that have a folder. Raises `StoreError` if one cannot be listed."""
        found: set[str] = set()
        for kind in (self.trainings, self.evaluations):
            try:
                found.update(os.listdir(kind))
            except FileNotFoundError:
                continue
            except OSError as error:
                raise StoreError(f"cannot read {kind}: {error.strerror}") from error
        return frozenset(found)

    def training(self, training_id: str) -> TrainingFolder:
        """The folder of a training, which need not exist."""
        return TrainingFolder(self.trainings / training_id)

    def evaluation(self, evaluation_id: str) -> EvaluationFolder:
        """The folder of an evaluation, which need not exist."""
        return EvaluationFolder(self.evaluations / evaluation_id)

    def folders(self, training_id: str, evaluation_ids: Iterable[str]) -> list[TrainingFolder | EvaluationFolder]:
        """The folders of a training and some of its evaluations."""
        return [self.training(training_id), *map(self.evaluation, evaluation_ids)]

    def complete(self, training_id: str, evaluation_ids: Iterable[str]) -> bool:
        """Whether a training and some of its evaluations are done."""
        return all(folder.record_file.exists() for folder in self.folders(training_id, evaluation_ids))

    def finished_evaluation(self, prefix: str) -> tuple[EvaluationFolder, Record]:
        """The only finished evaluation whose id has this prefix. Raises `StoreError` if there is not exactly one."""
        folder = self.find(prefix)
        record = folder.record() if isinstance(folder, EvaluationFolder) else None
        if not isinstance(folder, EvaluationFolder) or record is None:
            raise StoreError(f"{folder.path.name} is not a finished evaluation")
        return folder, record

    def find(self, prefix: str) -> TrainingFolder | EvaluationFolder:
        """The only training or evaluation whose id has this prefix. Raises `StoreError` for none or several."""
        kinds: Mapping[Path, Any] = {self.trainings: self.training, self.evaluations: self.evaluation}
        found = [
            open_folder(path.name)
            for kind, open_folder in kinds.items()
            for path in sorted(kind.glob("*"))
            if path.name.startswith(prefix) and path.is_dir()
        ]
        if len(found) != 1:
            listed = ", ".join(folder.path.name for folder in found) or "none"
            raise StoreError(f"{self.root}: the id {prefix!r} must name one training or evaluation; it names {listed}")
        folder: TrainingFolder | EvaluationFolder = found[0]
        return folder
