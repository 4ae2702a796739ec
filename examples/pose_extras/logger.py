"""The logger `curves_csv`: a file of each training's curves that any program reads."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from bench.extend import logger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.execute.logger import LoggedRun, Outcome, Scalar

COLUMNS = ("epoch", "loss", "learning_rate", "validation")


@logger("curves_csv")
class CurvesCsv:
    """Each job is told all epochs so far, so that it can start the file anew."""

    def __init__(self, run: LoggedRun) -> None:
        run.folder.mkdir(parents=True, exist_ok=True)
        self._file = (run.folder / f"{run.id}.csv").open("w", newline="", encoding="utf-8")
        self._rows = csv.DictWriter(self._file, COLUMNS)
        self._rows.writeheader()

    def epoch(self, epoch: int, values: Mapping[str, float]) -> None:
        """A row."""
        self._rows.writerow({"epoch": epoch, **values})
        self._file.flush()

    def evaluation(self, name: str, metrics: Mapping[str, float], settings: Mapping[str, Scalar]) -> None:
        """Not of a curve."""

    def end(self, outcome: Outcome) -> None:
        """Close the file."""
        self._file.close()
