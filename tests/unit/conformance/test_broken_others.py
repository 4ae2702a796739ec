"""Report formats and executors that break one promise each, and the checks that say so."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator

import pytest

from bench.conformance.executors import executor_checks
from bench.conformance.formats import Reports, format_checks
from bench.extend import executor
from bench.planning.executors import EXECUTORS, Executor, RunRequest
from bench.report.document import Report
from bench.report.formats import Format
from bench.report.render_html import render_html
from bench.simulation.records import simulate
from bench.simulation.scores import Chance
from bench.store.folders import Store
from tests.unit.conformance.verdicts import failures

Files = Iterator[tuple[str, bytes]]


@pytest.fixture(scope="module")
def reports() -> Reports:
    return Reports(pictures=False)


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


def dated(report: Report) -> Files:
    yield "x", os.urandom(8)


def needy(report: Report) -> Files:
    """Counts on records."""
    yield "x", next(row.records[0] for table in report.tables for row in table.rows if row.records).encode()


@pytest.mark.parametrize(
    ("render", "expected", "message"),
    [
        (plain, set(), ""),
        (outside, {"files", "an empty report"}, "'../x' is no path inside"),
        (absolute, {"files", "an empty report"}, "'/tmp/x' is no path inside"),
        (twice, {"files", "an empty report"}, "'./x' is written twice"),
        (as_text, {"files", "an empty report"}, "expected a path as str and contents as bytes"),
        (nothing, {"files", "an empty report"}, "it writes no file"),
        (unescaped, {"escaping"}, "holds '<script>alert(1)</script>' of a title as it is"),
        (dated, {"determinism"}, "x has other bytes the second time"),
        (needy, {"an empty report"}, "StopIteration"),
    ],
)
def test_formats(render: Callable[[Report], Files], expected: set[str], message: str, reports: Reports) -> None:
    failed = failures(format_checks(Format(render, pictures=False), reports))
    assert failed.keys() == expected
    assert message in "".join(failed.values())


def made_up(request: RunRequest) -> int:
    """Breaks nothing, and takes no time: records are simulated."""
    plan = request.plan()
    if not request.dry_run and plan.unfinished:
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


def inexact(request: RunRequest) -> int:
    made_up(request)
    for file in request.results.glob("trainings/*/training.json"):
        record = json.loads(file.read_text()) | {"weights_sha256": "f" * 64}
        file.write_text(json.dumps(record))
    return 0


def repeating(request: RunRequest) -> int:
    if not request.dry_run:
        shutil.rmtree(request.results, ignore_errors=True)
    return made_up(request)


def raising(request: RunRequest) -> int:
    raise ConnectionError("no such host")


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(
    ("run", "expected", "message"),
    [
        (made_up, set(), ""),
        (idle, {"run"}, "it ends 0, but what was to be done is missing, missing"),
        (failing, {"dry run", "run"}, "it ends 1"),
        (eager, {"dry run"}, "it writes results, results/jobs.sh"),
        (inexact, {"weights", "repetition"}, "sha256 ffffffffffff, the local executor's"),
        (repeating, {"repetition"}, "it makes anew what was done already"),
        (raising, {"dry run", "run"}, "ConnectionError: no such host ("),
    ],
)
def test_executors(
    run: Callable[[RunRequest], int], expected: set[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor("own")(run)
    monkeypatch.setitem(EXECUTORS._entries, "local", Executor(made_up))
    failed = failures(executor_checks("own"))
    assert failed.keys() == expected
    assert message in "".join(failed.values())
