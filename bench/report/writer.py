"""Reports on disk: one folder per suite."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from bench.files import write_atomically
from bench.planning.plan import Plan
from bench.pose.errors import BenchError, ExtensionError
from bench.report.costs import Price
from bench.report.document import Report, make_report
from bench.report.figure_options import REPORT, FigureKind, VenueStyle
from bench.report.formats import FORMATS, Format, figure_files
from bench.report.render_ahead import RenderAhead
from bench.store.folders import Store


def write_report(
    plans: Sequence[Plan],
    store: Store,
    out: Path,
    *,
    formats: Sequence[str] = tuple(FORMATS),
    left_out: Mapping[str, str] | None = None,
    style: Path | None = None,
    figures: Sequence[FigureKind] = (),
    venue: VenueStyle = REPORT,
    price: Price | None = None,
    watts: float | None = None,
    source: str = "",
) -> list[Path]:
    """Write a report per plan into OUT/SUITE; settings of the command line are part of the folder's name.

    `md` gives report.md with figures/*.png, `html` gives report.html and `pdf` gives report.pdf, which need no other
    file, `csv` gives tables/TABLE.csv, and `tex` gives tables/TABLE.tex and figures/FIGURE.tex with FIGURE.pdf. Beside
    the folder of tables stand the tables glance and, where the suite states claims, claims. Beside each figure stand
    the numbers that it shows as CSV.

    Args:
        plans: one per suite.
        store: their results.
        out: folder of reports.
        formats: some of `FORMATS`.
        left_out: why trainings that nobody has begun were not run, by their ids, where more is known than that.
        style: a style file of matplotlib for the plots, on top of ours.
        figures: kinds of files that each figure is written as, beyond those that the formats need.
        venue: whose columns the figures are to fit.
        price: of a device-hour; None to state no cost.
        watts: declared power of a device, see `Energy`.
        source: where the results were read from, if that is not a results folder.

    Returns:
        The files written.

    Raises:
        UnknownNameError: a format is not in `FORMATS`; nothing is written.
        BenchError: two suites have the same name, or the style file cannot be used; nothing is written.
        StoreError: a file cannot be written.
    """
    chosen = [FORMATS.named(name) for name in dict.fromkeys(formats)]
    _check_names(plans)
    written = []
    kinds = list(dict.fromkeys([*(kind for form in chosen for kind in form.figures), *figures]))
    pictures = bool(kinds) or any(form.pictures for form in chosen)
    drawn = list(dict.fromkeys([*kinds, *(kind for form in chosen for kind in form.embedded)]))
    for plan in plans:
        with RenderAhead(drawn) as ahead:
            report = make_report(
                plan,
                store,
                pictures=pictures,
                left_out=left_out,
                style=style,
                venue=venue,
                price=price,
                watts=watts,
                source=source,
                ahead=ahead,
            )
            for path, contents in _files(report, chosen, kinds):
                written.append(out / report_folder(plan) / path)
                _write(written[-1], contents)
    return written


def _write(path: Path, contents: bytes) -> None:
    # Not durable: a report that a power cut takes is made again.
    write_atomically(path, lambda file: file.write(contents), durable=False)


def report_folder(plan: Plan) -> str:
    """Name of a report's folder, such as `low_res_epochs=2_subset=500`."""
    return re.sub(r"[^\w=.,-]+", "-", "_".join([plan.suite.name, *plan.suite.settings]))


def _check_names(plans: Iterable[Plan]) -> None:
    files: dict[str, Path] = {}
    for plan in plans:
        name = plan.suite.name
        if name in files:
            raise BenchError(f"{plan.suite.file}: its suite is named {name!r} like that of {files[name]}; rename one")
        files[name] = plan.suite.file


def _files(report: Report, formats: Sequence[Format], kinds: Sequence[FigureKind]) -> Iterator[tuple[str, bytes]]:
    """Path within the suite's folder and contents of each file."""
    if kinds:
        yield from figure_files(report, kinds)
    for form in formats:
        for path, contents in form.render(report):
            if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
                raise ExtensionError(f"a report format writes {path!r}, which is outside of the report's folder")
            yield path, contents
