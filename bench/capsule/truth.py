"""The local copy of the annotations that a record was scored against."""

from __future__ import annotations

import re
from pathlib import Path
from string import ascii_lowercase

from bench.files import sha256
from bench.pose.data.datasets import DatasetInfo
from bench.pose.errors import BenchError, DataError, UnknownNameError
from bench.pose.evaluator_names import EVALUATORS, EvaluatorName
from bench.pose.scoring import Scoring, split_scoring
from bench.store.documents import Record

SPLIT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
"""Split names of untrusted records, which become file names under the data root."""

FEW = re.compile(r"[a-z]+[0-9]{1,7}")
MOST_DRAWN = 20_000
"""Most instances that are drawn for an untrusted record."""


class UnavailableError(BenchError):
    """The truth of a record is not available here."""


class Truths:
    """Annotations under a data root, each read and hashed once."""

    def __init__(self, data_root: Path) -> None:
        self._data_root = data_root
        self._known: dict[tuple[DatasetInfo, str, int | None, EvaluatorName], tuple[Scoring, dict[str, str]]] = {}

    def of(self, record: Record) -> Scoring:
        """The scoring of the record's split.

        Raises:
            UnavailableError: its dataset is unknown, or its annotations are missing, unusable, or have another hash
                than in the record.
        """
        try:
            key = (record.training.data, record.spec.split, record.spec.subset, record.spec.evaluator)
        except UnknownNameError as error:
            raise UnavailableError(str(error)) from error
        scoring, hashes = self._known[key] = self._known.get(key) or self._open(*key)
        for name, digest in hashes.items():
            recorded = record.provenance.files.get(name)
            if recorded != digest:
                known = f"the record's has sha256 {recorded:.12}" if recorded else "the record names no such file"
                raise UnavailableError(f"{name} here has sha256 {digest:.12}, {known}")
        return scoring

    def _open(
        self, data: DatasetInfo, split: str, subset: int | None, evaluator: EvaluatorName
    ) -> tuple[Scoring, dict[str, str]]:
        if evaluator not in EVALUATORS[data.protocol]:
            raise UnavailableError(f"evaluator {evaluator} does not score {data.name}")
        if not SPLIT.fullmatch(split):
            raise UnavailableError(f"split {split!r:.80} is not a valid split name")
        folder = self._data_root / data.name
        few = FEW.fullmatch(split) and int(split.lstrip(ascii_lowercase)) <= MOST_DRAWN
        if data.generate is not None and not few and split not in data.splits(folder):
            raise UnavailableError(f"{data.name} {split} is not here, and its instances are too many to draw")
        try:
            opened = data.open(folder, split, subset)
            scoring = split_scoring(opened, evaluator)
            files = dict.fromkeys([opened.annotation_file, opened.truth_file])
            return scoring, {file.name: sha256(file) for file in files}
        except DataError as error:
            raise UnavailableError(str(error)) from error
