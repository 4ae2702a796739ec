"""What a report is made of: a plan, its results frame, and the records behind the frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from bench.analysis.frame import to_frame
from bench.analysis.result_reading import planned_results
from bench.analysis.rows import collect_rows
from bench.planning.plan import Plan
from bench.pose.metrics.catalog import headline
from bench.store.documents import Record, TrainingRecord
from bench.store.folders import Store
from bench.suite.schema import Suite


@dataclass(frozen=True)
class Results:
    """A plan with what the store holds of it.

    Attributes:
        plan: of the suite.
        frame: its evaluations, see `load_results`; every number of a report comes from here.
        records: by evaluation id, for what the frame leaves out.
        trainings: finished trainings by id, likewise.
        problems: files of the store that cannot be read.
    """

    plan: Plan
    frame: pd.DataFrame
    records: Mapping[str, Record]
    trainings: Mapping[str, TrainingRecord]
    problems: tuple[str, ...]

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The rows of the frame by their ids, see `collect_rows`."""
        return collect_rows(self.frame)

    @property
    def simulated(self) -> bool:
        """Whether any record of it is made up."""
        return bool(self.frame["simulated"].any())


def read_results(plan: Plan, store: Store, left_out: Mapping[str, str] | None = None) -> Results:
    """Read all records of a plan. A file that cannot be read costs its own cell only, and is named in `problems`.

    Args:
        plan: of the suite.
        store: what is there of it.
        left_out: why trainings that nobody has begun were not run, by their ids, where more is known than that.
    """
    problems: list[str] = []
    found = planned_results(plan, store, left_out or {}, problems)
    return Results(
        plan=plan,
        frame=to_frame(found),
        records={item.record.id: item.record for item in found if item.record is not None},
        trainings={item.training.id: item.training_record for item in found if item.training_record is not None},
        problems=tuple(problems),
    )


def headline_metric(suite: Suite) -> str:
    """The metric by which the methods of a suite are ranked and plotted, see `headline`."""
    return headline([metric for table in suite.tables for metric in table.metrics])
