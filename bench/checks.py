"""Checks of the doctor and of conformance: lists, execution and output. Imports only the standard library."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

Verdict = Literal["ok", "warning", "failed", "skipped"]
"""Holds; holds, but not as well as it could; does not hold; not applicable."""

BENCH = Path(__file__).parent

MAX_NAMED = 5

INSTALL = "install the project into this environment again: python -m pip install --editable ."


class CheckFailedError(Exception):
    """A check failed; `fix` replaces the check's usual advice."""

    def __init__(self, found: str, fix: str | None = None) -> None:
        super().__init__(found)
        self.fix = fix


class CheckWarning(CheckFailedError):  # noqa: N818  # a warning is not an error
    """A check holds, but not as well as it could."""


class NotApplicableError(Exception):
    """A check is not applicable; the message says why."""


@dataclass(frozen=True)
class CheckOutcome:
    """Outcome of a check.

    Attributes:
        name: name of the check.
        title: what must hold.
        verdict: whether it holds.
        found: the value found, or a line per problem.
        fix: advice, one per line; may be empty.
    """

    name: str
    title: str
    verdict: Verdict
    found: str
    fix: str = ""


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: short and unique in its list.
        title: what must hold, as a sentence without its full stop.
        look: returns the value found. Raises `CheckFailedError`, `CheckWarning` or `NotApplicableError`; any other
            exception is a failure too.
        fix: advice for a failure, unless the exception has its own.
        seconds: time limit in a separate process.
    """

    name: str
    title: str
    look: Callable[[], str]
    fix: str = ""
    seconds: float = 60.0


class CheckList:
    """Check functions of the same subject; their names and docstrings become the checks' names and titles."""

    def __init__(self) -> None:
        self._entries: list[tuple[Callable[..., str], str, float]] = []

    def check(self, fix: str = "", seconds: float = 60.0) -> Callable[[Callable[..., str]], Callable[..., str]]:
        """Add the decorated function, which takes the subject and becomes `Check.look`."""

        def add(look: Callable[..., str]) -> Callable[..., str]:
            self._entries.append((look, fix, seconds))
            return look

        return add

    def of(self, *subject: Any, name: str = "{}") -> list[Check]:
        """The checks of one subject, given as the functions' arguments; `name` is the pattern of their names."""
        return [
            Check(
                name.format(look.__name__.strip("_").replace("_", " ")),
                (look.__doc__ or "").partition("\n")[0].removesuffix("."),
                partial(look, *subject),
                fix,
                seconds,
            )
            for look, fix, seconds in self._entries
        ]


def require(holds: object, problem: str) -> None:
    """Raise `CheckFailedError` with the problem unless `holds` is true."""
    if not holds:
        raise CheckFailedError(problem)


def raise_together(problems: Iterable[CheckFailedError]) -> None:
    """Raise the problems of one check as one exception, failures first; only a few are named."""
    several = sorted(problems, key=lambda problem: isinstance(problem, CheckWarning))
    if several:
        named = several[:MAX_NAMED]
        more = [f"and {len(several) - MAX_NAMED:,} more"] if len(several) > MAX_NAMED else []
        fixes = dict.fromkeys(problem.fix for problem in named if problem.fix)
        raise type(several[0])("\n".join([*map(str, named), *more]), "\n".join(fixes) or None)


def source_of(module: str | None) -> Path:
    """File or folder of the top-level package that an entry comes from; bench's for a built-in one."""
    from bench.extensions import place_of

    return BENCH if module is None else place_of(module.partition(".")[0])


def run_checks(checks: Iterable[Check], source: Path = BENCH) -> Iterator[CheckOutcome]:
    """Run all checks, also after failures; see `run_check`."""
    return (run_check(check, source) for check in checks)


def run_check(check: Check, source: Path = BENCH) -> CheckOutcome:
    """Run a check; its prints go to standard error.

    Args:
        check: check to run.
        source: file or folder of the code under test, whose lines messages name; see `source_of`.
    """
    outcome = partial(CheckOutcome, check.name, check.title)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return outcome("ok", check.look())
    except CheckFailedError as error:
        fix = check.fix if error.fix is None else error.fix
        return outcome("warning" if isinstance(error, CheckWarning) else "failed", str(error), fix)
    except NotApplicableError as error:
        return outcome("skipped", str(error))
    except (Exception, SystemExit) as error:
        broken_install = isinstance(error, ImportError) and source == BENCH
        return outcome("failed", _described(error, source), INSTALL if broken_install else check.fix)


def _described(error: BaseException, source: Path) -> str:
    """Message of a bench error; for other errors also the class and the line in the code under test, or in bench."""
    try:
        from bench.extensions import line_in
        from bench.pose.errors import BenchError
    except ImportError:  # a missing package may be the reason for the failure
        return f"{type(error).__name__}: {error}"
    if isinstance(error, BenchError) and source == BENCH:
        return str(error)
    line = line_in(error, {source}) or line_in(error, {BENCH})
    place = f" ({line})" if line and not line.startswith(__file__) else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())}{place}"


def outcome_line(outcome: CheckOutcome, width: int) -> str:
    """An outcome as text: a line, one more per further problem, and what to do; `width` of the names in characters."""
    first, *others = outcome.found.splitlines() or [""]
    below = [*others, *(f"-> {line}" for line in outcome.fix.splitlines())]
    lines = [f"{outcome.verdict:<7}  {outcome.name:<{width}}  {outcome.title}: {first}"]
    return "\n".join([*lines, *(f"{'':<{width + 11}}{line}" for line in below)])


def summary(outcomes: Iterable[CheckOutcome]) -> str:
    """How many checks ended with each verdict."""
    verdicts = [outcome.verdict for outcome in outcomes]
    counts = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in get_args(Verdict))
    return f"{len(verdicts)} checks: {counts}"


def document(outcomes: Iterable[CheckOutcome]) -> dict[str, Any]:
    """All outcomes for `--json`."""
    listed = [asdict(outcome) for outcome in outcomes]
    return {"passed": all(outcome["verdict"] != "failed" for outcome in listed), "checks": listed}
