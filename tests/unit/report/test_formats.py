"""Tests of the formats of reports: text stays text in each, made-up numbers are marked, and files stand alone."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bench.pose.errors import BenchError, UnknownNameError
from bench.report import render_latex
from bench.report.details import LOG_LINES, LOG_WIDTH, log_tail
from bench.report.document import SIMULATED, Report
from bench.report.render_csv import render_csv
from bench.report.render_html import render_html
from bench.report.render_markdown import escape, render_markdown
from bench.report.render_pdf import render_pdf
from bench.report.tables import Column, Row, Table, TableCell
from bench.report.writer import write_report
from bench.store.documents import Failure
from tests.reports import COCO, Bench, Page, coco_scores, csv_rows

HOSTILE = (
    "=cmd()|'/c calc'!A1 <script>alert(1)</script> ../../etc/passwd | {{ 7*7 }} [a](javascript:b) `c` *d*"
    r" \input{/etc/passwd} $x^2$ %& #eval(\"1\") #read(\"/etc/passwd\") $ #sys @x <label> // ]]> --> </table>"
).replace('\\"', '"')
"""Something to break each format."""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def hostile_suite() -> str:
    """A suite all of whose texts are hostile, and that excludes something for a hostile reason."""
    quoted = json.dumps(HOSTILE)
    text = COCO.replace("COCO rows", quoted).replace("title: COCO val2017", f"title: {quoted}")
    text = text.replace("The paper's rows.", quoted)
    exclusion = f"{{when: {{input_size: 128x128, representation: simdr}}, because: {quoted}}}"
    return text.replace("input_size: [64x64]}", f"input_size: [64x64, 128x128]}}\n  exclude: [{exclusion}]")


def hostile_report(bench: Bench) -> Report:
    """With a failure, a log, problems and an unreadable file that are hostile too."""
    plan = bench.fill(hostile_suite(), coco_scores, problems=[HOSTILE, "../<b>.jpg: gone"])
    failed = next(training for training in plan.trainings if str(training.spec.input_size) == "128x128")
    for evaluation in failed.evaluations:
        bench.store.evaluation(evaluation.spec.id).record_file.unlink()
    bench.store.training(failed.spec.id).record_file.unlink()
    bench.store.training(failed.spec.id).fail(Failure(kind="x", message=HOSTILE))
    bench.store.training(failed.spec.id).log.write_text(f"{HOSTILE}\n\x1b[31mred\x00\n", encoding="utf-8")
    return bench.make(bench.plan(hostile_suite()))


# ---- HTML


def test_html_shows_hostile_text_as_text(bench: Bench) -> None:
    text = render_html(hostile_report(bench))
    page = Page(text)
    scripts = [attributes for tag, attributes in page.tags if tag == "script"]
    assert scripts == [{"type": "application/json", "id": "report-data"}, {}]
    assert not {"img", "iframe", "object", "embed", "link", "base"} & {tag for tag, _ in page.tags}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on") or name == "style"]
    assert all(link.startswith("#") for link in page.attributes("href"))
    assert "49" not in text.split("<title>")[1].split("</title>")[0]
    assert text.count("alert(1)") == text.count("&lt;script&gt;alert(1)") + text.count("\\u003cscript\\u003ealert(1)")


def test_html_runs_no_script_but_its_own(bench: Bench) -> None:
    text = render_html(hostile_report(bench))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    allowed = policy[1].replace("&#39;", "'")
    for tag in ("style", "script"):
        contents = text.split(f"<{tag}>")[1].split(f"</{tag}>")[0]
        digest = base64.b64encode(hashlib.sha256(contents.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in allowed
    assert allowed.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in allowed


def test_html_holds_the_details_of_rows_as_data(bench: Bench) -> None:
    report = hostile_report(bench)
    text = render_html(report)
    raw = text.split('id="report-data">')[1].split("</script>")[0]
    assert not re.search(r"[<>&\u2028\u2029]", raw)
    data = json.loads(raw)
    keys = re.findall(r'data-details="([^"]*)"', text)
    assert set(keys) == set(data["rows"])
    first, *_, last = (data["rows"][key] for key in keys)
    assert first["title"] == "HRNet-W32, heatmap + quarter shift, 64x64"
    assert first["readings"][0] == {
        "metric": "AP", "values": ["44.0"], "mean": "44.0", "interval": "", "published": "45.8",
        "difference": "−1.8", "agreement": "undecided",
    }  # fmt: skip
    (seed,) = last["seeds"]
    assert (seed["record"], seed["reason"]) == ("", f"failed: x: {HOSTILE}")
    assert data["logs"][seed["training"]] == [HOSTILE[:LOG_WIDTH] + " …", " [31mred"]


def test_html_is_one_file_that_asks_for_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.report.plots.style.DPI", 60)  # small figures are drawn faster
    text = bench.report(bench.fill(COCO, coco_scores, baseline={"AP": 0.03}), formats=("html",))["report.html"]
    page = Page(text)
    sources = page.attributes("src") + page.attributes("srcset") + page.attributes("poster")
    assert len(sources) >= 2
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert all(len(alternative) > 20 for alternative in page.attributes("alt"))
    assert all(link.startswith("#") for link in page.attributes("href"))
    assert {link.removeprefix("#") for link in page.attributes("href")} <= set(page.attributes("id"))
    assert not re.search(r"url\(|@import|https?:", text)
    assert [path.name for path in (bench.folder / "out" / "coco").rglob("*")] == ["report.html"]


def test_html_of_a_thousand_records_is_small(bench: Bench) -> None:
    """And made without an effort that grows faster than it: processor time is bounded generously."""
    text = COCO.replace("input_size: [64x64]}", "input_size: [64x64], label_smoothing: [0.1, 0.2], epochs:"
                        f" {list(range(1, 85))}, seed: [0, 1, 2]}}")  # fmt: skip
    plan = bench.fill(text, coco_scores, baseline={"AP": 0.03})
    for training in plan.trainings:
        bench.store.training(training.spec.id).log.write_text(40 * "epoch 7 of 210: loss 0.0123, 4 s left\n")
    records = sum(len(training.evaluations) for training in plan.trainings)
    assert records >= 1000
    started = time.process_time()
    report = bench.make(plan)
    html = render_html(report)
    spent = time.process_time() - started
    assert len(html.encode()) < 10e6
    assert html.count("0123456789abcdef") == 1, "what records share is said once"
    assert spent < 60


def test_log_tails_are_short_and_printable(tmp_path: Path) -> None:
    file = tmp_path / "log.txt"
    assert log_tail(file) == ()
    file.write_bytes(b"".join(b"line %d\n" % number for number in range(5000)) + b"\xff\x00\x1b[1m" + 500 * b"x")
    *lines, last = log_tail(file)
    assert lines == [f"line {number}" for number in range(5000 - LOG_LINES + 1, 5000)]
    assert len(last) == LOG_WIDTH + 2
    assert last.isprintable()


# ---- Markdown


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("input_size", "input_size"), ("_a_", r"\_a\_"), ("a|b", r"a\|b"), ("1. x", r"1\. x"), ("- x", r"\- x"),
        ("1.5", "1.5"), ("+0.5", "+0.5"), ("---", r"\---"), ("#Params", "#Params"), ("# x #", r"\# x \#"),
        ("a\n\n# b", "a # b"), ("a & b < c", "a &amp; b &lt; c"), ("$x$", r"\$x\$"), (r"\|", r"\\\|"),
    ],
)  # fmt: skip
def test_markdown_escape(text: str, escaped: str) -> None:
    assert escape(text) == escaped


def test_markdown_shows_hostile_text_as_text(bench: Bench) -> None:
    text = render_markdown(hostile_report(bench))
    assert "<script>" not in text
    assert re.search(r"(?<!\\)\[a\]\(", text) is None
    shown = r"&lt;script&gt;alert(1)&lt;/script&gt; ../../etc/passwd \| {{ 7\*7 }} \[a\](javascript:b) \`c\` \*d\*"
    assert text.count(shown) >= 6, "title, description, table, exclusion, failure and problem"
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 2, "no text makes a column of its own"


# ---- CSV


def test_spreadsheets_find_no_formula(bench: Bench) -> None:
    report = hostile_report(bench)
    for table in report.tables:
        lines = list(csv.reader(io.StringIO(render_csv(table, simulated=False))))
        assert len({len(line) for line in lines}) == 1
        assert all(not cell.startswith(("=", "+", "@", "\t", "\r")) for line in lines for cell in line)
    assert any(HOSTILE in row["notes"] for row in csv_rows(render_csv(report.tables[0], simulated=False)))


def test_csv_holds_words_where_a_column_has_no_raw_values() -> None:
    columns = (Column("claim", "Claim"), Column("n", "N", numeric=True), Column("note", shown=False))
    rows = (Row((TableCell("a,\nb"), TableCell("missing", emphasis="muted"), TableCell(value="=1"))),)
    text = render_csv(Table("t", "T", columns, rows), simulated=True)
    (row,) = csv_rows(text)
    assert row == {
        "claim": "a,\nb", "n": "", "note": "'=1", "records": "", "simulated": "yes", "notes": "missing",
    }  # fmt: skip


# ---- LaTeX


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        (r"\input{x}", r"\textbackslash{}input\{x\}"), ("$x^2$", r"\$x\textasciicircum{}2\$"),
        ("a_b & 5%", r"a\_b \& 5\%"), ("[1] *", "{}[1] *"),
        ("a--b---c", "a-{}-b-{}-{}-c"), ("~#", r"\textasciitilde{}\#"),
        ("<|>", r"\textless{}\textbar{}\textgreater{}"), ("1 ± 2 ≈ 3", r"1 $\pm$ 2 $\approx$ 3"), ("é–", "é--"),
        ("中\x00", "(U+4E2D)(U+0000)"), ("a\n\nb", "a b"),
    ],
)  # fmt: skip
def test_latex_escape(text: str, escaped: str) -> None:
    assert render_latex.escape(text) == escaped


def test_latex_knows_no_command_of_the_data(bench: Bench) -> None:
    report = hostile_report(bench)
    table = render_latex.render_table(report, report.tables[0])
    assert r"\input{" not in table
    assert re.search(r"(?<!\\)(\$x|#|&\})", table) is None
    assert r"\textbackslash{}input\{/etc/passwd\}" in table


def test_long_tables_are_continued_at_a_group(bench: Bench) -> None:
    columns = (Column("a", "A"), Column("b", "B", numeric=True))
    rows = tuple(
        Row((TableCell(str(number // 9)), TableCell(str(number))), opens_group=number % 9 == 0) for number in range(100)
    )
    text = render_latex.render_table(bench.make(bench.plan(COCO)), Table("t", "T", columns, rows))
    assert text.count(r"\begin{table*}") == 3
    assert text.count(r"\label{tab:t}") == 1
    assert text.count("(continued)") == 2
    assert re.findall(r"& (\d+) \\\\", text) == [str(number) for number in range(100)]
    pages = text.split(r"\end{table*}")[:-1]
    assert [re.findall(r"& (\d+) \\\\", page)[0] for page in pages] == ["0", "45", "90"]


# ---- Simulated records


def test_every_format_marks_made_up_numbers(bench: Bench) -> None:
    plan = bench.fill(COCO, coco_scores, simulated=True)
    report = bench.make(plan)
    texts = bench.render(plan)
    assert report.mark == SIMULATED
    assert texts["report.md"].count(escape(SIMULATED)) == 1 + len(report.tables)
    assert f'<p class="banner" role="note">{SIMULATED}</p>' in texts["report.html"]
    assert "SIMULATED" in re.findall(r"\\caption\{(.*)\}", texts["coco_val.tex"])[0]
    assert [row["simulated"] for row in csv_rows(texts["coco_val.csv"])] == ["yes"] * 3


def test_measured_numbers_carry_no_such_mark(bench: Bench) -> None:
    texts = bench.render(bench.fill(COCO, coco_scores))
    assert all("SIMULATED" not in text for name, text in texts.items() if name != "report.html")
    assert not [attributes for _, attributes in Page(texts["report.html"]).tags if attributes.get("class") == "banner"]
    assert [row["simulated"] for row in csv_rows(texts["coco_val.csv"])] == ["no"] * 3


def test_one_made_up_record_marks_the_whole_report(bench: Bench) -> None:
    bench.fill(COCO, coco_scores)
    only = COCO.replace("representation: [heatmap, simdr]", "representation: [simdr]")
    bench.fill(only.replace("post_process: [quarter, none], ", ""), coco_scores, simulated=True)
    plan = bench.plan(COCO)
    assert bench.make(plan).simulated
    assert [row["simulated"] for row in csv_rows(bench.render(plan)["coco_val.csv"])] == ["no", "no", "yes"]


# ---- Files


def test_pdf_is_made_of_hostile_text_and_has_no_date_of_its_own(bench: Bench) -> None:
    report = hostile_report(bench)
    first, second = render_pdf(report), render_pdf(report)
    assert first.startswith(b"%PDF")
    assert first == second


def test_unknown_format_is_refused_before_anything_is_written(bench: Bench) -> None:
    with pytest.raises(
        UnknownNameError, match=r"unknown report format 'htm' \(did you mean 'html'\?\); valid: csv, html, md, pdf, tex"
    ):
        bench.report(bench.plan(COCO), formats=("md", "htm"))
    assert not (bench.folder / "out").exists()


def test_suites_of_one_name_are_refused(bench: Bench) -> None:
    plan = bench.plan(COCO)
    with pytest.raises(BenchError, match="is named 'coco' like that of"):
        bench.report(plan, plan)


def test_reports_with_settings_have_folders_of_their_own(bench: Bench) -> None:
    plan = bench.plan(COCO)
    changed = replace(plan, suite=replace(plan.suite, settings=("epochs=2", "train=my data/x", "subset=9")))
    (file, *_) = write_report([changed], bench.store, bench.folder / "out", formats=["csv"])
    assert file.relative_to(bench.folder / "out").parts[0] == "coco_epochs=2_train=my-data-x_subset=9"


def test_files_of_a_format_stand_together(bench: Bench) -> None:
    files = write_report([bench.plan(COCO)], bench.store, bench.folder / "out", formats=["csv", "tex"])
    names = [file.relative_to(bench.folder / "out/coco").as_posix() for file in files]
    assert names == ["tables/coco_val.csv", "glance.csv", "tables/coco_val.tex", "glance.tex"]
