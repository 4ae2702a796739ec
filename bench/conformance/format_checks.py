"""Checks of report formats, on reports of made-up records with hostile texts."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import yaml

from bench.checks import Check, CheckList, NotApplicableError, require
from bench.planning.plan import make_plan
from bench.report.document import Report, make_report
from bench.report.formats import Format
from bench.simulation.simulated_records import simulate
from bench.simulation.simulated_scores import Chance
from bench.store.folders import Store
from bench.suite.schema import load_suite

HOSTILE = "a_b <script>alert(1)</script> | 100 % `c` {{ 7*7 }} $x$ & \\d <img src=x onerror=alert(1)>"
"""A text with markup of each document language."""

RAW = ("<script>alert(1)</script>", "<img src=x")
"""Markup that HTML must not contain unescaped."""

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

CHECKS = CheckList()


@dataclass(frozen=True)
class SampleReports:
    """A report of made-up records and one without any, made once for all formats."""

    pictures: bool = True

    @cached_property
    def full(self) -> Report:
        """A report with all records."""
        return self._make(filled=True)

    @cached_property
    def empty(self) -> Report:
        """A report without records."""
        return self._make(filled=False)

    def _make(self, *, filled: bool) -> Report:
        with tempfile.TemporaryDirectory() as folder:
            file, store = Path(folder) / "conformance.yaml", Store(Path(folder) / "results")
            file.write_text(yaml.safe_dump(SUITE), encoding="utf-8")
            suite = load_suite(file)
            if filled:
                simulate([make_plan(suite, store)], store, Chance(state=0, spread=0.2), "bench simulate")
            return make_report(make_plan(suite, store), store, pictures=self.pictures)


def format_checks(form: Format, reports: SampleReports | None = None) -> list[Check]:
    """All checks of a report format.

    Args:
        form: the format.
        reports: to render, where several formats share them; they need pictures if a format shows them.
    """
    return CHECKS.of(form, reports or SampleReports(pictures=form.pictures or bool(form.figures)))


@CHECKS.check()
def files(form: Format, reports: SampleReports) -> str:
    """It writes files with different paths, all inside the report's folder."""
    return _described(_rendered(form, reports.full))


@CHECKS.check()
def escaping(form: Format, reports: SampleReports) -> str:
    """Markup in the texts of a suite does not become the document's."""
    rendered = _rendered(form, reports.full).items()
    pages = {path: contents.decode(errors="replace") for path, contents in rendered if path.suffix in HTML_FILES}
    if not pages:
        raise NotApplicableError("none of its files is HTML")
    for path, text in pages.items():
        found = next((raw for raw in RAW if raw in text.lower()), None)
        require(found is None, f"{path} contains {found!r} of a title as it is: escape it")
    return f"{len(pages)} documents"


@CHECKS.check()
def empty_report(form: Format, reports: SampleReports) -> str:
    """A report without any record can be written."""
    return _described(_rendered(form, reports.empty))


def _rendered(form: Format, report: Report) -> dict[PurePosixPath, bytes]:
    """The files of a report. Raises `CheckFailedError` for what cannot be written into the report's folder."""
    rendered: dict[PurePosixPath, bytes] = {}
    for file in form.render(report):
        parts = file if isinstance(file, tuple) else ()
        fits = len(parts) == 2 and isinstance(parts[0], str) and isinstance(parts[1], bytes)
        require(fits, f"it yields {file!r:.80}, expected a path as str and contents as bytes")
        path = PurePosixPath(parts[0])
        leaves = path.is_absolute() or ".." in path.parts or "\\" in parts[0] or "\0" in parts[0]
        require(path.parts and not leaves, f"{parts[0]!r} is not a path inside the report's folder")
        require(path not in rendered, f"{parts[0]!r} is written twice")
        rendered[path] = parts[1]
    require(rendered, "it writes no file")
    return rendered


def _described(rendered: dict[PurePosixPath, bytes]) -> str:
    size = sum(map(len, rendered.values()))
    return f"{', '.join(map(str, list(rendered)[:3]))}: {len(rendered)} files, {size:,} bytes"
