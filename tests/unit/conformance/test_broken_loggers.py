"""Loggers that break one promise each, and the checks that say so."""

from __future__ import annotations

import importlib

import pytest

from bench.conformance import logger_checks as checks
from bench.conformance.logger_checks import logger_checks
from bench.execute.logger import LOGGERS
from tests.unit.conformance.verdicts import assert_kept, failures, results
from tests.unit.execute import faulty_loggers


@pytest.fixture(autouse=True)
def registered(sandbox: None) -> None:
    """The faulty loggers are there for a test only."""
    for name in [name for name in LOGGERS if LOGGERS.origin(name) == faulty_loggers.__name__]:
        del LOGGERS._entries[name]
    importlib.reload(faulty_loggers)


def test_a_sound_one() -> None:
    assert_kept(logger_checks("sound"), only=("a training", "a dead job", "odd values"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fails_at_epoch", "RuntimeError: at epoch ("),
        ("fails_at_end", "RuntimeError: at end ("),
        ("fails_at_evaluation", "RuntimeError: at evaluation ("),
        ("leaves", "SystemExit: 3 ("),
        ("dies", "its process ended before it, by status 7"),
        ("goes_away", "its process ended before it, by status 0"),
    ],
)
def test_a_fault_is_told_with_its_line(name: str, message: str) -> None:
    failed = failures(logger_checks(name), only=("a training",))
    assert failed.keys() == {"a training"}
    assert failed["a training"].startswith(message)
    assert message[-1] != "(" or f"{faulty_loggers.__file__}:" in failed["a training"]


def test_one_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "SECONDS", 2)
    failed = failures(logger_checks("hangs_at_end"), only=("a training",))
    assert failed == {"a training": "it has not ended after 2 s"}


def test_one_whose_second_run_fails() -> None:
    failed = failures(logger_checks("works_once"), only=("a training", "resumption"))
    assert failed.keys() == {"resumption"}
    assert failed["resumption"].startswith("FileExistsError: ")


def test_one_that_is_not_installed() -> None:
    assert {result.verdict for result in results(logger_checks("not_installed"))} == {"skipped"}
