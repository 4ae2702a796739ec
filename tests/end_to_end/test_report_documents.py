"""The reports to print: PDF pages looked at as a reader would, LaTeX compiled by pdflatex."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.report import plots
from bench.report.figure_options import VENUES
from bench.report.render_pdf import render_pdf
from bench.report.tables import Column, Row, Table, TableCell
from bench.report.writer import write_report
from bench.store.documents import Failure
from tests.reports import COCO, Bench, coco_scores

HOSTILE = (
    r"<script> ../../x \input{/etc/passwd} $x_1^2$ #eval(1) #read(1) `c` *b* %5 & ~ 中 é | \\ [1] {} @a <b> // /* = -"
)
SUITES = Path(__file__).parents[2] / "suites"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr("bench.report.plots.style.DPI", 60)  # small figures are drawn faster
    return Bench(tmp_path)


def _need(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"needs {program} on the path")
    return found


def _hostile_suite() -> str:
    quoted = "'" + HOSTILE.replace("'", "''") + "'"
    text = COCO.replace("COCO rows", quoted).replace("title: COCO val2017", f"title: {quoted}")
    return text.replace("The paper's rows.", quoted)


def _write(bench: Bench, text: str, *formats: str) -> Path:
    write_report([bench.plan(text)], bench.store, bench.folder / "out", formats=formats)
    return bench.folder / "out" / "coco"


def _text(pdf: Path) -> list[str]:
    """Text of each page, white space made single."""
    done = subprocess.run([_need("pdftotext"), "-layout", str(pdf), "-"], capture_output=True, text=True, check=True)
    return [" ".join(page.split()) for page in done.stdout.split("\f")[:-1]]


def _compile(folder: Path, file: str) -> str:
    command = [_need("pdflatex"), "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", file]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, errors="replace", check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


def test_every_page_of_a_simulated_pdf_says_so(bench: Bench) -> None:
    _need("pdftotext")
    bench.fill(COCO, coco_scores, simulated=True)
    pages = _text(_write(bench, COCO, "pdf") / "report.pdf")
    assert len(pages) >= 3
    for number, page in enumerate(pages, start=1):
        assert "SIMULATED: numbers made up by `bench simulate`, nothing was measured" in page
        assert "Suite coco" in page
        assert f"Page {number} of {len(pages)}" in page
    whole = " ".join(pages)
    for fact in ("44.0", "45.8", "−1.8 ?", "0123456789abcdef", "python -m bench run suites/small.yaml", "feedbeef"):
        assert fact in whole


def test_pdf_prints_hostile_text_as_text(bench: Bench) -> None:
    _need("pdftotext")
    plan = bench.fill(_hostile_suite(), coco_scores, problems=[HOSTILE])
    failed = plan.trainings[1]
    bench.store.training(failed.spec.id).record_file.unlink()
    bench.store.evaluation(failed.evaluations[0].spec.id).record_file.unlink()
    bench.store.training(failed.spec.id).fail(Failure(kind="x", message=HOSTILE))
    whole = " ".join(_text(_write(bench, _hostile_suite(), "pdf") / "report.pdf"))
    for part in (r"<script> ../../x \input{/etc/passwd} $x_1^2$", "#eval(1) #read(1) `c` *b*", "[1] {} @a"):
        assert whole.count(part) >= 4, "title, description, table, failure and problem"


def test_pdf_pages_are_neither_empty_nor_run_over(bench: Bench) -> None:
    """Rendered, every page has ink, and none within 8 mm of an edge."""
    program = _need("pdftoppm")
    text = (SUITES / "coco_val.yaml").read_text(encoding="utf-8").replace("name: coco_val", "name: coco", 1)
    bench.fill(text, lambda *_: {"AP": 0.5, "AR": 0.6}, baseline={"AP": 0.03})
    folder = _write(bench, text, "pdf")
    subprocess.run([program, "-r", "50", "-gray", str(folder / "report.pdf"), str(folder / "page")], check=True)
    pages = sorted(folder.glob("page*.pgm"))
    assert len(pages) >= 4
    for page in pages:
        ink = cv2.imread(str(page), cv2.IMREAD_GRAYSCALE) < 200
        margin = round(8 / 25.4 * 50)
        inner = ink[margin:-margin, margin:-margin]
        assert np.count_nonzero(inner) > 200, page.name
        assert np.count_nonzero(inner) == np.count_nonzero(ink), page.name


@pytest.mark.parametrize("simulated", [False, True])
def test_latex_tables_of_hostile_text_compile(bench: Bench, simulated: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    _need("pdflatex")
    monkeypatch.setattr("bench.report.pictures.PLOTS", {})
    bench.fill(_hostile_suite(), coco_scores, problems=[HOSTILE], simulated=simulated)
    folder = _write(bench, _hostile_suite(), "tex")
    (folder / "paper.tex").write_text(_paper("article", "coco_val"), encoding="utf-8")
    output = _compile(folder, "paper.tex")
    assert not re.search(r"^! |Missing character|undefined", output, re.MULTILINE)
    if shutil.which("pdftotext"):
        whole = " ".join(_text(folder / "paper.pdf"))
        assert "44.0" in whole
        assert "#eval(1) #read(1)" in whole
        assert "root:" not in whole
        assert ("SIMULATED" in whole) == simulated


def _paper(kind: str, *tables: str, figures: Sequence[str] = ()) -> str:
    """A minimal document around some tables and figures, with no more than the two packages that they name."""
    files = [*(f"tables/{table}" for table in tables), *(f"figures/{figure}" for figure in figures)]
    inputs = "\n".join(rf"\input{{{file}}}" for file in files)
    body = rf"\begin{{document}}A paper. {inputs}\end{{document}}"
    return rf"\documentclass{kind if kind.startswith('[') else f'{{{kind}}}'}\usepackage{{booktabs,graphicx}}" + body


def test_latex_tables_go_into_a_paper(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no more than the two packages that they name, also in two narrow columns."""
    _need("pdflatex")
    monkeypatch.setattr("bench.report.pictures.PLOTS", {})
    text = (SUITES / "mpii.yaml").read_text(encoding="utf-8").replace("name: mpii", "name: coco", 1)
    bench.fill(text, lambda *_: {"Head": 97.1, "Mean": 90.2, "Mean@0.1": 33.0})
    folder = _write(bench, text, "tex")
    tables = sorted((folder / "tables").glob("*.tex"))
    assert len(tables) == 2
    paper = _paper("[twocolumn]{article}", *(table.stem for table in tables))
    (folder / "paper.tex").write_text(paper, encoding="utf-8")
    _compile(folder, "paper.tex")
    assert "Overfull \\hbox" not in _compile(folder, "paper.tex")


def test_latex_figures_go_into_a_paper(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the one package that they name, of hostile text, one in a column and one over both."""
    _need("pdflatex")
    monkeypatch.setattr("bench.report.pictures.PLOTS", {"bars": plots.bars, "gflops": plots.gflops})
    bench.fill(_hostile_suite(), coco_scores, simulated=True)
    write_report(
        [bench.plan(_hostile_suite())], bench.store, bench.folder / "out", formats=["tex"], venue=VENUES["ieee"]
    )
    folder = bench.folder / "out" / "coco"
    paper = _paper("[twocolumn]{article}", figures=["bars", "gflops"])
    (folder / "paper.tex").write_text(paper, encoding="utf-8")
    _compile(folder, "paper.tex")
    output = _compile(folder, "paper.tex")
    assert "<./figures/bars.pdf>" in output
    assert "<./figures/gflops.pdf>" in output
    assert not re.search(r"Overfull \\hbox|Missing character|undefined", output)
    if shutil.which("pdftotext"):
        assert "Figure 2: AP against GFLOPs (SIMULATED: numbers made up" in " ".join(_text(folder / "paper.pdf"))


@pytest.mark.parametrize(("columns", "turned"), [(6, 0), (60, 1)])
def test_only_what_does_not_fit_an_upright_page_is_turned(bench: Bench, columns: int, turned: int) -> None:
    program = _need("pdfinfo")
    heads = tuple(Column(f"c{number}", "A heading", cell=lambda _: TableCell("12.3")) for number in range(columns))
    table = Table("wide", "Wide", heads, tuple(Row((TableCell("12.3"),) * columns) for _ in range(3)))
    report = replace(bench.make(bench.fill(COCO, coco_scores)), tables=(table,))
    file = bench.folder / "report.pdf"
    file.write_bytes(render_pdf(report))
    done = subprocess.run([program, "-l", "99", str(file)], capture_output=True, text=True, check=True)
    sizes = [(float(width), float(height)) for width, height in re.findall(r"size: +([\d.]+) x ([\d.]+)", done.stdout)]
    assert sum(width > height for width, height in sizes) == turned
    assert len(sizes) <= 2 + 2 * turned
