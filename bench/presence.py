"""Which ids have folders in a store: one question to the file system for all of them, in place of several for each."""

from __future__ import annotations

import os
from collections.abc import Container
from pathlib import Path

from bench.store.folders import EvaluationFolder, Store, TrainingFolder

__all__ = ["Presence"]


class Presence:
    """The folders that a store had when this was made."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._trainings = _names(store.trainings)
        self._evaluations = _names(store.evaluations)

    def training(self, training_id: str) -> TrainingFolder | None:
        """Folder of a training; None if there was none."""
        return self._store.training(training_id) if training_id in self._trainings else None

    def evaluation(self, evaluation_id: str) -> EvaluationFolder | None:
        """Folder of an evaluation; None if there was none."""
        return self._store.evaluation(evaluation_id) if evaluation_id in self._evaluations else None


class _Any:
    """Names of a folder that cannot be listed: each may be there, and whoever looks hears what is wrong."""

    def __contains__(self, _name: object) -> bool:
        return True


def _names(folder: Path) -> Container[str]:
    try:
        return frozenset(os.listdir(folder))
    except FileNotFoundError:
        return frozenset()
    except OSError:
        return _Any()
