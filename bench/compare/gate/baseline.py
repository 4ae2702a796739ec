"""Baselines: what a suite measured when somebody last looked, and how far it may move, as a file to be reviewed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from bench.files import write_bytes
from bench.store.documents import MetricValue
from bench.suite.source import Problem, dump_yaml, read_yaml
from bench.suite.structure import ContradictionError, check_structure

DIGITS = 6
"""Decimals of a metric that a baseline keeps, and that are compared: fewer digits make readable differences."""

HEADER = """\
# What `bench check {suite}` compares with. `--update` writes ids, cells, metrics and commits anew;
# directions, tolerances, tests and reasons (`because`) are written by hand and stay.
"""

Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Metrics = Mapping[str, MetricValue]
Direction = Literal["any", "down"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Policy(_Section):
    """How far metrics may move.

    Attributes:
        direction: "any" refuses every movement, "down" only losses.
        tolerance: by metric, how far a single measurement may be from the baseline, in units of the metric.
        test: by metric, how far the mean over seeds may be: it has moved if all of the 95 % interval of the difference
            lies beyond this margin.
        because: the reason.
    """

    direction: Direction | None = None
    tolerance: Mapping[str, Amount] = {}
    test: Mapping[str, Amount] = {}
    because: str = ""

    @model_validator(mode="after")
    def _check_metrics(self) -> Self:
        twice = [metric for metric in self.test if metric in self.tolerance]
        if twice:
            message = "has a tolerance already; choose one of them"
            raise ContradictionError([Problem(("test", metric), f"{metric!r} {message}") for metric in twice])
        return self

    @property
    def limited(self) -> tuple[str, ...]:
        """Metrics whose movement it limits."""
        return (*self.tolerance, *self.test)


class BaselineEntry(Policy):
    """One evaluation.

    Attributes:
        id: of the evaluation.
        cell: what it is, in words.
        metrics: in the units of records; None, or the -1 of older baselines, where there was nobody to judge.
        commit: of the code that measured them.
    """

    id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12}$")]
    cell: str
    metrics: Metrics = Field(min_length=1)
    commit: str = ""


@dataclass(frozen=True)
class Limit:
    """How far one metric may move: a tolerance, or the margin of a test over seeds."""

    kind: Literal["tolerance", "test"]
    amount: float
    direction: Direction


class Baseline(_Section):
    """What a suite measured.

    Attributes:
        version: of this format.
        suite: name of the suite.
        default: policy of all evaluations; each may replace parts of it, metric by metric.
        evaluations: in the order of the suite.
    """

    version: Literal[1]
    suite: str
    default: Policy = Policy()
    evaluations: list[BaselineEntry]

    def limit(self, policy: Policy, metric: str) -> Limit | None:
        """How far a metric of an evaluation with this policy may move; None where nobody says."""
        direction = policy.direction or self.default.direction or "any"
        for level in (policy, self.default):
            if metric in level.tolerance:
                return Limit("tolerance", level.tolerance[metric], direction)
            if metric in level.test:
                return Limit("test", level.test[metric], direction)
        return None

    def metrics_of(self, policy: Policy) -> tuple[str, ...]:
        """Metrics of an evaluation with this policy that may move so far and no further."""
        return tuple(dict.fromkeys((*policy.limited, *self.default.limited)))


def load_baseline(file: Path, suite: str) -> Baseline:
    """Read a baseline of a suite, YAML or JSON.

    Raises:
        SuiteError: one `file:line: what` per problem: it is not a baseline, or another suite's; an evaluation is given
            twice, or a metric without a limit.
    """
    source = read_yaml(file)
    baseline = check_structure(source, Baseline)
    problems = [*_foreign(baseline, suite), *_repeated(baseline), *_unlimited(baseline)]
    if problems:
        raise source.error(problems)
    return baseline


def save_baseline(file: Path, baseline: Baseline) -> None:
    """Write a baseline atomically, as YAML whatever the file's name: JSON is read as well, but carries no remarks."""
    document = baseline.model_dump(mode="json", exclude_defaults=True)
    # What it is comes before what is declared of it, which the entry has from its base class.
    document["evaluations"] = [
        {name: entry[name] for name in sorted(entry, key=lambda name: name in Policy.model_fields)}
        for entry in document["evaluations"]
    ]
    write_bytes(file, (HEADER.format(suite=baseline.suite) + dump_yaml(document)).encode())


def _foreign(baseline: Baseline, suite: str) -> Iterator[Problem]:
    if baseline.suite != suite:
        yield Problem(("suite",), f"this is the baseline of suite {baseline.suite!r:.80}, not of {suite!r}")


def _repeated(baseline: Baseline) -> Iterator[Problem]:
    ids = [entry.id for entry in baseline.evaluations]
    for number, id_ in enumerate(ids):
        if id_ in ids[:number]:
            yield Problem(("evaluations", number, "id"), f"evaluation {id_} is given twice")


def _unlimited(baseline: Baseline) -> Iterator[Problem]:
    for number, entry in enumerate(baseline.evaluations):
        limited = baseline.metrics_of(entry)
        for metric in entry.metrics:
            if metric not in limited:
                place = ("evaluations", number, "metrics", metric)
                yield Problem(place, f"{metric!r} has neither a tolerance nor a test, here or in `default`")
