"""Report formats and executors that break one promise each, and the checks that say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from bench.conformance.executor_checks import executor_checks
from bench.conformance.format_checks import SampleReports, format_checks
from bench.planning.executors import Executor, RunRequest
from bench.report.document import Report
from bench.report.formats import Format
from bench.report.render_html import render_html
from bench.simulation.simulated_records import simulate
from bench.simulation.simulated_scores import Chance
from bench.store.folders import Store
from tests.unit.conformance.verdicts import failures

Files = Iterator[tuple[str, bytes]]


@pytest.fixture(scope="module")
def reports() -> SampleReports:
    return SampleReports(pictures=False)


def plain(report: Report) -> Files:
    """Breaks nothing."""
    yield "own.html", render_html(report).encode()


def outside(report: Report) -> Files:
    yield "../x", b""


def absolute(report: Report) -> Files:
    yield "/tmp/x", b""


def twice(report: Report) -> Files:
    yield "x", b"1"
    yield "./x", b"2"


def as_text(report: Report) -> Files:
    yield "x", report.title  # type: ignore[misc]  # that is what is wrong


def nothing(report: Report) -> Files:
    yield from ()


def unescaped(report: Report) -> Files:
    yield "own.html", f"<h1>{report.title}</h1>".encode()


def needy(report: Report) -> Files:
    """Counts on records."""
    yield "x", next(row.records[0] for table in report.tables for row in table.rows if row.records).encode()


@pytest.mark.parametrize(
    ("render", "expected", "message"),
    [
        (plain, set(), ""),
        (outside, {"files", "escaping", "empty report"}, "'../x' is not a path inside"),
        (absolute, {"files", "escaping", "empty report"}, "'/tmp/x' is not a path inside"),
        (twice, {"files", "escaping", "empty report"}, "'./x' is written twice"),
        (as_text, {"files", "escaping", "empty report"}, "expected a path as str and contents as bytes"),
        (nothing, {"files", "escaping", "empty report"}, "it writes no file"),
        (unescaped, {"escaping"}, "contains '<script>alert(1)</script>' of a title as it is"),
        (needy, {"empty report"}, "StopIteration"),
    ],
)
def test_formats(render: Callable[[Report], Files], expected: set[str], message: str, reports: SampleReports) -> None:
    failed = failures(format_checks(Format(render, pictures=False), reports))
    assert failed.keys() == expected
    assert message in "".join(failed.values())


def made_up(request: RunRequest) -> int:
    """Breaks nothing, and takes no time: records are simulated. Without its data it fails, as jobs would."""
    if request.data_root.is_file():
        return 1
    plan = request.plan()
    if not request.dry_run:
        simulate([plan], Store(request.results), Chance(0, 0.1), "made up")
    return 0


def idle(request: RunRequest) -> int:
    return 0


def failing(request: RunRequest) -> int:
    return made_up(request) or 1


def eager(request: RunRequest) -> int:
    """Leaves a script of the jobs behind, dry run or not."""
    request.results.mkdir(exist_ok=True)
    (request.results / "jobs.sh").write_text("true\n")
    return made_up(request)


def silent(request: RunRequest) -> int:
    made_up(request)
    return 0


def raising(request: RunRequest) -> int:
    raise ConnectionError("no such host")


@pytest.mark.parametrize(
    ("run", "expected", "message"),
    [
        (made_up, set(), ""),
        (idle, {"run", "failure"}, "it ends 0, but what was to be done is missing, missing"),
        (failing, {"dry run", "run"}, "it ends 1"),
        (eager, {"dry run"}, "it writes results, results/jobs.sh"),
        (silent, {"failure"}, "it ends 0"),
        (raising, {"dry run", "run", "failure"}, "ConnectionError: no such host ("),
    ],
)
def test_executors(run: Callable[[RunRequest], int], expected: set[str], message: str) -> None:
    failed = failures(executor_checks(Executor(run)))
    assert failed.keys() == expected
    assert message in "".join(failed.values())
