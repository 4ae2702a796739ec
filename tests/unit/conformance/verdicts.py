"""Checks run by tests, and what they say."""

from collections.abc import Collection, Iterable
from pathlib import Path

from bench.checks import Check, CheckOutcome, run_checks, source_of

HERE = Path(__file__).parent


def results(checks: Iterable[Check], *, only: Collection[str] = ()) -> list[CheckOutcome]:
    """All checks made on built-in code, or those of these names."""
    return list(run_checks((check for check in checks if not only or check.name in only), source_of(None)))


def assert_kept(checks: Iterable[Check], *, only: Collection[str] = ()) -> list[CheckOutcome]:
    """Every check holds or has nothing to look at, and there are some."""
    found = results(checks, only=only)
    assert [result for result in found if result.verdict == "failed"] == []
    assert any(result.verdict == "ok" for result in found)
    assert not only or {result.name for result in found} == set(only)
    return found


def failures(checks: Iterable[Check], *, only: Collection[str] = ()) -> dict[str, str]:
    """What failed, by name; errors of the entry are told with the lines of these tests."""
    found = run_checks((check for check in checks if not only or check.name in only), HERE)
    return {result.name: result.found for result in found if result.verdict == "failed"}
