"""What every report format keeps to, on reports of made-up records whose texts are hostile."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path, PurePosixPath

import yaml

from bench.conformance.check import Check, NotApplicableError, require
from bench.planning.plan import Plan, make_plan
from bench.report.document import Report, make_report
from bench.report.formats import Format
from bench.simulation.records import simulate
from bench.simulation.scores import Chance
from bench.store.folders import Store
from bench.suite.schema import load_suite

__all__ = ["Reports", "format_checks"]

MARKUP = "<script>alert(1)</script>"
HOSTILE = f"a_b {MARKUP} | 100 % `c` {{{{ 7*7 }}}} $x$ & \\d <img src=x onerror=alert(1)>"
"""A text with something that means more than itself in each language of documents."""

RAW = (MARKUP, "<img src=x")
"""What must not stand in HTML as it is."""

HTML_FILES = (".html", ".htm", ".xhtml", ".svg")

SUITE = {
    "name": "conformance",
    "title": HOSTILE,
    "description": HOSTILE,
    "dataset": {"name": "synthetic", "train": "train30", "eval": "val10"},
    "train": {
        "recipe": "corrected",
        "axes": {"backbone": ["simba_tiny"], "representation": ["heatmap", "simdr"], "input_size": ["64x64", "96x64"]},
        "exclude": [{"when": {"input_size": "96x64", "representation": "simdr"}, "because": HOSTILE}],
    },
    "evaluate": [{"boxes": "gt"}],
    "tables": [{"id": "some_table", "title": HOSTILE, "metrics": ["AP", "mean_oks"]}],
    "claims": [
        {"id": "some_claim", "says": HOSTILE, "that": "AP[simdr] - AP[heatmap] > 0", "at": {"input_size": "64x64"}}
    ],
}


@dataclass(frozen=True)
class Reports:
    """A report of made-up records and one without any, made once for all formats."""

    pictures: bool = True

    @cached_property
    def full(self) -> Report:
        """With a record of everything that is planned."""
        return self._make(filled=True)

    @cached_property
    def empty(self) -> Report:
        """Of a suite of which nothing was run."""
        return self._make(filled=False)

    def _make(self, *, filled: bool) -> Report:
        with tempfile.TemporaryDirectory() as folder:
            file, store = Path(folder) / "conformance.yaml", Store(Path(folder) / "results")
            file.write_text(yaml.safe_dump(SUITE), encoding="utf-8")

            def plan() -> Plan:
                return make_plan(load_suite(file), store)

            if filled:
                simulate([plan()], store, Chance(state=0, spread=0.2), "bench simulate")
            return make_report(plan(), store, pictures=self.pictures)


def format_checks(form: Format, reports: Reports | None = None) -> Iterator[Check]:
    """All checks of a report format.

    Args:
        form: the format.
        reports: to render, where several formats share them; they need pictures if a format shows them.
    """
    shared = reports or Reports(pictures=form.pictures or form.figures)
    checks = {
        _files: ("files", "it writes files with different paths, all inside the report's folder"),
        _determinism: ("determinism", "the same report gives the same bytes"),
        _escaping: ("escaping", "markup in the texts of a suite does not become the document's"),
        _empty: ("an empty report", "a report without any record can be written"),
    }
    for look, (title, promise) in checks.items():
        yield Check(title, promise, partial(look, form, shared))


def _files(form: Format, reports: Reports) -> str:
    return _checked(form, reports.full)


def _empty(form: Format, reports: Reports) -> str:
    return _checked(form, reports.empty)


def _checked(form: Format, report: Report) -> str:
    """Render and look at the files; how many there are and their size."""
    seen: dict[PurePosixPath, int] = {}
    for file in form.render(report):
        parts = file if isinstance(file, tuple) else ()
        fits = len(parts) == 2 and isinstance(parts[0], str) and isinstance(parts[1], bytes)
        require(fits, f"it yields {file!r:.80}, expected a path as str and contents as bytes")
        path = PurePosixPath(parts[0])
        leaves = path.is_absolute() or ".." in path.parts or "\\" in parts[0] or "\0" in parts[0]
        require(path.parts and not leaves, f"{parts[0]!r} is no path inside the report's folder")
        require(path not in seen, f"{parts[0]!r} is written twice")
        seen[path] = len(parts[1])
    require(seen, "it writes no file")
    return f"{', '.join(map(str, list(seen)[:3]))}: {len(seen)} files, {sum(seen.values()):,} bytes"


def _determinism(form: Format, reports: Reports) -> str:
    once, again = (list(form.render(reports.full)) for _ in range(2))
    for (path, first), (other, second) in zip(once, again, strict=False):
        require(path == other and first == second, f"{path} has other bytes the second time")
    require(len(once) == len(again), f"{len(once)} files, then {len(again)}")
    return "to the bit"


def _escaping(form: Format, reports: Reports) -> str:
    documents = {path: contents.decode(errors="replace") for path, contents in form.render(reports.full) if _html(path)}
    if not documents:
        raise NotApplicableError("none of its files is HTML")
    for path, text in documents.items():
        found = next((raw for raw in RAW if raw in text.lower()), None)
        require(found is None, f"{path} holds {found!r} of a title as it is: escape it")
    return f"{len(documents)} documents"


def _html(path: str) -> bool:
    return path.lower().endswith(HTML_FILES)
