"""The output store: raw outputs of an evaluation's network, from which `bench vary` measures without the network."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.files import LEFTOVER, StoreError, remove, sha256, write_json
from bench.pose.raw_outputs import OutputsError, OutputsWriter, RawOutputs
from bench.store.documents import StoredOutputs
from bench.store.folders import EvaluationFolder, Store


class OutputsKeeper:
    """Keeps raw outputs beside a running evaluation. What goes wrong costs the outputs, never the evaluation."""

    def __init__(self, folder: EvaluationFolder, instances: int, weights_sha256: str, problems: list[str]) -> None:
        """Write nothing yet.

        Args:
            folder: of the evaluation.
            instances: of its split.
            weights_sha256: of the network.
            problems: gets what goes wrong.
        """
        self._folder, self._weights, self._problems = folder, weights_sha256, problems
        self._temporary = folder.path / f".{folder.outputs.name}{LEFTOVER}"
        self._kept = 0
        folder.path.mkdir(parents=True, exist_ok=True)
        self._writer: OutputsWriter | None = OutputsWriter(self._temporary, instances)

    def add(self, outputs: RawOutputs) -> None:
        """Keep the outputs of a batch."""
        if self._writer is None:
            return
        try:
            self._writer.add(outputs)
            self._kept += len(outputs.indices)
        except (OutputsError, OSError) as error:
            self._drop(str(error))

    def commit(self) -> None:
        """Complete the file, and then the document that describes it."""
        if self._writer is None:
            return
        try:
            self._writer.close()
            document = StoredOutputs(
                sha256=sha256(self._temporary),
                bytes=self._temporary.stat().st_size,
                instances=self._kept,
                weights_sha256=self._weights,
            )
            os.replace(self._temporary, self._folder.outputs)
            write_json(self._folder.outputs_file, document.model_dump(mode="json"))
        except (OSError, StoreError) as error:
            self._drop(str(error))

    def _drop(self, reason: str) -> None:
        if self._writer is not None:
            with suppress(OSError, ValueError):
                self._writer.close()
        self._writer = None
        self._problems.append(f"no stored outputs: {reason}")
        with suppress(StoreError):
            remove(self._temporary)


def stored_outputs(folder: EvaluationFolder) -> StoredOutputs | None:
    """What describes the stored outputs of an evaluation; None where there are none.

    Raises:
        OutputsError: the file is not the one that was stored.
        StoreError: the document cannot be read.
    """
    document = folder.stored_outputs()
    if document is None or not folder.outputs.exists():
        return None
    _check(folder.outputs, document)
    return document


@dataclass(frozen=True)
class CheckedOutputs:
    """What became of the stored outputs of a split.

    Attributes:
        evaluations: that kept their outputs.
        broken: what is wrong with those of some.
    """

    evaluations: int
    broken: tuple[str, ...]

    @property
    def summary(self) -> str:
        """In one line."""
        return f"raw outputs of {self.evaluations} evaluations, {len(self.broken)} broken"


def check_stored(store: Store, dataset: str, split: str) -> CheckedOutputs:
    """Compare all stored outputs of a split with their sha256. Raises `StoreError` for unreadable records."""
    found, broken = 0, []
    for path in sorted(store.evaluations.glob("*/outputs.json")):
        folder = store.evaluation(path.parent.name)
        record = folder.record()
        if record is None or (record.training.dataset, record.spec.split) != (dataset, split):
            continue
        found += 1
        try:
            if stored_outputs(folder) is None:
                broken.append(f"{folder.outputs}: missing; `bench vary` makes it again")
        except OutputsError as error:
            broken.append(str(error))
    return CheckedOutputs(found, tuple(broken))


def _check(file: Path, document: StoredOutputs) -> None:
    """Compare a file of outputs with what was stored. Raises `OutputsError` for another size or sha256."""
    size = file.stat().st_size
    if size != document.bytes or sha256(file) != document.sha256:
        raise OutputsError(
            f"{file}: not the file that was stored ({document.bytes:,} bytes, sha256 {document.sha256:.12}); remove it,"
            " and it is made again"
        )
