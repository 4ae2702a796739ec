"""The results as Markdown, for docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tabulate import tabulate

from benchmarks.gpu.results import Result, shown

RATE = "instances/s"


def markdown(results: Sequence[Result]) -> str:
    """Tables of all results."""
    machine = next((result.values for result in results if result.check == "machine"), {})
    parts = [
        "# On a GPU",
        ", ".join(f"{name} {value}" for name, value in machine.items()) or "The machine is not known.",
        *_section("What there is", _of(results, "ready"), skip=("machine",)),
        *_section("Correct", _of(results, "correct")),
        *_rates("Fast", _of(results, "fast")),
        *_section("Many at once", _of(results, "many")),
        *_section("Real images", _of(results, "real")),
    ]
    return "\n\n".join(parts) + "\n"


def _of(results: Iterable[Result], part: str) -> list[Result]:
    return [result for result in results if result.part == part]


def _section(title: str, results: Sequence[Result], skip: Sequence[str] = ()) -> list[str]:
    """A heading and a row per check."""
    rows = [
        (_safe(result.check), result.outcome, _figures(result), _safe(result.note), f"{result.seconds:.1f}")
        for result in results
        if result.check not in skip
    ]
    headers = ("check", "outcome", "figures", "note", "s")
    return [f"## {title}", tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)] if rows else []


def _rates(title: str, results: Sequence[Result]) -> list[str]:
    """A row per network and size and a column per way, and below it the other checks and figures."""
    cells = {tuple(result.check.split(" | ")): result for result in results if result.check.count(" | ") == 2}
    ways = list(dict.fromkeys(way for _, _, way in cells))
    rows = []
    for name, size in dict.fromkeys((name, size) for name, size, _ in cells):
        row = [cells.get((name, size, way)) for way in ways]
        if any(result is not None and RATE in result.values for result in row):
            rows.append((name, size, *(_rate(result) for result in row)))
    table = tabulate(rows, headers=("network", "size", *ways), tablefmt="github", disable_numparse=True)
    found = [f"## {title}", f"{RATE}:", table] if rows else []
    return [*found, *_section(f"{title}: figures", results)]


def _rate(result: Result | None) -> str:
    if result is None:
        return ""
    return shown(float(result.values[RATE])) if RATE in result.values else result.outcome


def _figures(result: Result) -> str:
    return _safe(", ".join(f"{name} {shown(value)}" for name, value in result.values.items()))


def _safe(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")
