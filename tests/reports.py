"""A results folder that tests fill with made-up records, and its reports."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from bench.files import write_json
from bench.planning.plan import Plan, PlannedEvaluation, PlannedTraining, make_plan
from bench.report.document import Report, make_report
from bench.report.render_csv import render_csv
from bench.report.render_html import render_html
from bench.report.render_latex import render_table
from bench.report.render_markdown import render_markdown
from bench.report.writer import write_report
from bench.store.documents import EpochEntry, Record, TrainingRecord
from bench.store.folders import Store
from bench.store.provenance import Provenance
from bench.suite.schema import load_suite

__all__ = [
    "COCO",
    "PROVENANCE",
    "SYNTHETIC",
    "Bench",
    "Page",
    "Scores",
    "coco_scores",
    "csv_rows",
    "markdown_rows",
]

COCO = """\
name: coco
title: COCO rows
description: The paper's rows.
dataset: {name: coco, train: train2017, eval: val2017}
train:
  axes: {backbone: [hrnet_w32], representation: [heatmap, simdr], input_size: [64x64]}
evaluate:
  - {boxes: detector, flip_test: true, post_process: [quarter, none], when: {representation: heatmap}}
  - {boxes: detector, flip_test: true, when: {representation: simdr}}
tables: [{id: coco_val, title: COCO val2017, compare: published/coco_val, metrics: [AP, AR, mean_oks]}]
"""

SYNTHETIC = """\
name: small
title: Small
dataset: {name: synthetic, train: train30, eval: val10}
train:
  axes:
    backbone: [simba_tiny, simba_res50]
    representation: [heatmap, simdr, simdr_star]
    input_size: [64x64]
    seed: [0, 1, 2]
  exclude:
    - {when: {backbone: simba_res50, representation: simdr_star}, because: too slow}
evaluate:
  - {boxes: gt, post_process: [quarter, none], when: {representation: heatmap}}
  - {boxes: gt, when: {representation: [simdr, simdr_star]}}
tables: [{id: results, compare: published/coco_val, metrics: [AP]}]
"""

PROVENANCE = Provenance(
    commit="0123456789abcdef",
    dirty=False,
    versions={"python": "3.11.9"},
    hardware={"processor": "a processor", "cores": 2},
    files={"annotations/val.json": "feedbeef"},
    seed=0,
    command="python -m bench run suites/small.yaml",
    started=1.7e9,
)

Scores = Callable[[PlannedTraining, PlannedEvaluation], Mapping[str, float] | None]


@dataclass(frozen=True)
class Bench:
    """A results folder with the means to fill and report it."""

    folder: Path

    @property
    def store(self) -> Store:
        return Store(self.folder / "results")

    def plan(self, text: str) -> Plan:
        file = self.folder / "suite.yaml"
        file.write_text(text, encoding="utf-8")
        return make_plan(load_suite(file), self.store)

    def fill(
        self,
        text: str,
        scores: Scores,
        *,
        baseline: Mapping[str, float] | None = None,
        problems: Sequence[str] = ("im<1>.jpg: truncated",),
        simulated: bool = False,
    ) -> Plan:
        """Store a record wherever `scores` gives metrics."""
        for training in self.plan(text).trainings:
            for evaluation in training.evaluations:
                metrics = scores(training, evaluation)
                if metrics is not None:
                    self.finish(training)
                    record = Record(
                        id=evaluation.spec.id, spec=evaluation.spec, training=training.spec, metrics=dict(metrics),
                        baseline=dict(baseline or {}), instances=10, seconds=1.5,
                        problems=list(problems), provenance=PROVENANCE, simulated=simulated,
                    )  # fmt: skip
                    file = self.store.evaluation(evaluation.spec.id).record_file
                    write_json(file, record.model_dump(mode="json"), durable=False)
        return self.plan(text)

    def finish(self, training: PlannedTraining) -> None:
        history = [EpochEntry(epoch=epoch, loss=1 / epoch, learning_rate=1e-3, instances=30) for epoch in (1, 2, 3)]
        record = TrainingRecord(
            id=training.spec.id, spec=training.spec, params=1, history=history, seconds=60.0,
            weights_sha256="abad1dea", problems=[], provenance=PROVENANCE,
        )  # fmt: skip
        write_json(self.store.training(training.spec.id).record_file, record.model_dump(mode="json"), durable=False)

    def make(self, plan: Plan) -> Report:
        """The report without pictures, which take most of the time."""
        return make_report(plan, self.store, pictures=False)

    def render(self, plan: Plan) -> dict[str, str]:
        """Contents of the text files by name, without pictures."""
        report = self.make(plan)
        texts = {"report.md": render_markdown(report), "report.html": render_html(report)}
        for table in report.tables:
            texts[f"{table.id}.csv"] = render_csv(table, simulated=report.simulated)
            texts[f"{table.id}.tex"] = render_table(report, table)
        return texts

    def report(self, *plans: Plan, formats: tuple[str, ...] = ("md", "csv")) -> dict[str, str]:
        """Contents of the text files written, by name."""
        files = write_report(plans, self.store, self.folder / "out", formats=formats)
        assert all(file.is_file() for file in files)
        texts = [file for file in files if file.suffix not in {".png", ".pdf"}]
        return {file.name: file.read_text(encoding="utf-8") for file in texts}


def coco_scores(training: PlannedTraining, evaluation: PlannedEvaluation) -> Mapping[str, float]:
    """Of the suite `COCO`, near the paper's."""
    ap = {"heatmap": 0.44 if evaluation.spec.post_process != "none" else 0.35, "simdr": 0.5711}[
        training.spec.representation
    ]
    return {"AP": ap, "AR": ap + 0.1, "mean_oks": ap / 2}


def csv_rows(text: str) -> list[dict[str, str]]:
    """Rows of a CSV file by column."""
    return list(csv.DictReader(io.StringIO(text)))


def markdown_rows(text: str) -> list[dict[str, str]]:
    """The first table of a Markdown file that has headings."""
    lines = next(line for line in text.split("\n\n") if re.match(r"\| *[^\s|]", line)).splitlines()
    head, *body = ([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines)
    return [dict(zip(head, row, strict=True)) for row in body[1:]]


class Page(HTMLParser):
    """What tests ask of an HTML file: its tags and the rows of its tables."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[tuple[str, str]]] = []
        self._cell: list[str] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag == "td":
            self._cell = []
            self._class = dict(attrs).get("class") or ""

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "td" and self._cell is not None:
            self.rows[-1].append(("".join(self._cell).strip(), self._class))
            self._cell = None

    def attributes(self, name: str) -> list[str]:
        """Values of an attribute, wherever it is."""
        return [value for _, attrs in self.tags if (value := attrs.get(name)) is not None]
