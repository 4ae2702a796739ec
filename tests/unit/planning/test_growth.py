"""What planning costs as suites grow, counted rather than timed; and that what is fast finds what is plain."""

from __future__ import annotations

import itertools
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from bench.cli.listing import print_plan, print_status
from bench.files import StoreError, write_json
from bench.paper.published import TABLES, PublishedRow, published_rows
from bench.planning.plan import Plan, make_plan
from bench.store.documents import Failure
from bench.store.folders import Store
from bench.suite.claims.cases import Claim, Selection, Settings
from bench.suite.claims.language import Selector
from bench.suite.expansion import complete_cell, expand
from bench.suite.recipe import load_recipe, quirks
from bench.suite.schema import Suite, load_suite
from bench.suite.specs import EvalSpec, TrainSpec, evaluation_key, shared_settings
from bench.suite.training_length import LENGTH

ROOT = Path(__file__).parents[3]
SUITES = sorted((ROOT / "suites").glob("*.yaml"))

TEXT = """\
name: growing
title: Growing
dataset: {{name: coco, train: train2017, eval: val2017}}
train:
  axes:
    backbone: [simba_res50, hrnet_w32]
    representation: [heatmap, simdr]
    input_size: [64x64, 128x128]
    warmup_steps: [{steps}]
evaluate:
  - {{boxes: detector, post_process: [quarter, none], when: {{representation: heatmap}}}}
  - {{boxes: detector, when: {{representation: simdr}}}}
tables:
  - {{id: results}}
claims:
  - {{id: gain, says: It is better, source: here, that: "AP[simdr] - AP[heatmap, post_process] > 0"}}
"""

FILE_SYSTEM = {"posix", "io", "_io"}
"""Modules whose functions ask the file system; all but `os.fspath`."""


def growing(folder: Path, values: int, start: int) -> Suite:
    """A suite of eight cells for each value of an axis that begins at `start`, so that no other suite shares a cell."""
    file = folder / f"growing-{start}-{values}.yaml"
    steps = ", ".join(map(str, range(start, start + values)))
    file.write_text(TEXT.format(steps=steps), encoding="utf-8")
    return load_suite(file)


def calls(action: Callable[[], object]) -> Counter[str]:
    """How often Python and C functions were called: "calls", and of them "files" that ask the file system."""
    found: Counter[str] = Counter()

    def note(_frame: FrameType, event: str, function: Any) -> None:
        if event in {"call", "c_call"}:
            found["calls"] += 1
            asks = event == "c_call" and function.__module__ in FILE_SYSTEM and function is not os.fspath
            found["files"] += asks

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(before)
    return found


def counted(folder: Path, store: Store, show: Callable[[Plan], object]) -> list[Counter[str]]:
    """Calls for suites of 10, 20 and 30 values, after one that fills what is remembered of all suites."""
    suites = [growing(folder, values, 1000 * values) for values in (5, 10, 20, 30)]
    return [calls(lambda suite=suite: show(make_plan(suite, store))) for suite in suites][1:]


def test_work_grows_with_the_number_of_cells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(tmp_path / "results")
    for show in (print_plan, lambda plan: print_status(plan, store), Plan.as_json):
        ten, twenty, thirty = (found["calls"] for found in counted(tmp_path, store, show))
        assert thirty - twenty == pytest.approx(twenty - ten, rel=0.02)
        assert ten > 1000


def test_what_is_not_there_is_not_asked_for(tmp_path: Path) -> None:
    ten, twenty, thirty = (found["files"] for found in counted(tmp_path, Store(tmp_path / "results"), lambda _: None))
    assert ten == twenty == thirty > 0


def test_what_is_done_is_asked_for_once(tmp_path: Path) -> None:
    store, asked = Store(tmp_path / "results"), {}
    for values in (1, 5, 10):
        suite = growing(tmp_path, values, 1000 * values)
        parts = [part for cell in expand(suite).cells for part in (cell.training, *cell.evaluations)]
        for part in parts:
            folder = store.training(part.id) if isinstance(part, TrainSpec) else store.evaluation(part.id)
            write_json(folder.record_file, {}, durable=False)
        asked[len(parts)] = calls(lambda suite=suite: make_plan(suite, store))["files"]
    assert {asked[parts] - parts for parts in asked} == {asked[20] - 20}


@pytest.mark.parametrize("kind", ["trainings", "evaluations"])
def test_a_folder_that_cannot_be_listed_is_no_empty_one(kind: str, tmp_path: Path) -> None:
    (tmp_path / kind).touch()
    with pytest.raises(StoreError, match=rf"cannot read .*{kind}: Not a directory"):
        make_plan(growing(tmp_path, 1, 0), Store(tmp_path))


def test_an_evaluation_can_fail_before_its_training_has_a_folder(tmp_path: Path) -> None:
    suite, store = growing(tmp_path, 1, 0), Store(tmp_path / "results")
    evaluation = expand(suite).cells[0].evaluations[0]
    store.evaluation(evaluation.id).fail(Failure(kind="DataError", message="no boxes"))
    training = make_plan(suite, store).trainings[0]
    assert (training.state, training.evaluations[0].state) == ("missing", "failed")


def plainly_answered(training: TrainSpec, evaluation: EvalSpec) -> Iterator[PublishedRow]:
    """Published rows that an evaluation answers, by a look at each of them."""
    found = training.settings | dict(evaluation)
    free = {"seed", "world_size", *quirks()}
    free |= {"initialization", "weights", "epochs"} if training.weights is not None else set()
    for row in published_rows():
        table = TABLES[row.table]
        asked = {name: getattr(row, name) for name in ("backbone", "representation", "input_size", "post_process")}
        asked |= {"dataset": table.dataset, "split": table.split, "boxes": table.boxes, "flip_test": True}
        if all(found[name] == value for name, value in asked.items()):
            given = ("dataset", "split", "backbone", "representation", "input_size")
            paper = complete_cell(load_recipe("paper").train, {name: getattr(training, name) for name in given})
            if all(value == paper.get(name) for name, value in training.settings.items() if name not in free):
                yield row


@pytest.mark.parametrize("file", SUITES, ids=lambda file: file.stem)
def test_rows_are_found_as_by_a_look_at_each(file: Path) -> None:
    for training in make_plan(load_suite(file), Store(Path("nowhere"))).trainings:
        for item in training.evaluations:
            assert item.published == tuple(plainly_answered(training.spec, item.spec))


def plain_cases(
    claim: Claim, cells: Sequence[Settings], open_settings: Sequence[str]
) -> Iterator[tuple[Settings, dict[Any, list[Settings]]]]:
    """What a claim's terms select, by a look at all cells for each combination of what it leaves open."""

    def fits(cell: Settings, wanted: Settings) -> bool:
        return all(cell[name] is None or cell[name] == value for name, value in wanted.items())

    def selected_by(selection: Selection, cell: Settings) -> bool:
        return all(cell[name] in values for name, values in selection.items())

    terms = claim.selections.values()
    trends = {term: term.trend.setting for term in claim.selections if term.trend is not None}
    named = {*trends.values(), *(name for selection in terms for name in selection)}
    if LENGTH in {*claim.at, *named}:  # it stands for the epochs
        cells = [{**cell, LENGTH: cell["train_subset"] * cell["epochs"]} for cell in cells]
        open_settings = [*(name for name in open_settings if name != "epochs"), LENGTH]
    kept = [cell for cell in cells if all(cell[name] in (None, *values) for name, values in claim.at.items())]
    kept = [cell for cell in kept if any(selected_by(selection, cell) for selection in terms)]
    values = {
        name: [value for value in dict.fromkeys(cell[name] for cell in kept) if value is not None]
        for name in open_settings
        if name not in named
    }
    axes = {name: found for name, found in values.items() if len(found) > 1}
    for combination in itertools.product(*axes.values()):
        case = dict(zip(axes, combination, strict=True))
        here = [cell for cell in kept if fits(cell, case)]
        selected = {
            term: [cell for cell in here if selected_by(selection, cell)]
            for term, selection in claim.selections.items()
        }
        for term, setting in trends.items():
            found = selected.pop(term)
            for cell in found:
                value = Selector(setting, str(cell[setting]))
                selected[replace(term, selectors=(*term.selectors, value), trend=None)] = [cell]
        if any(selected.values()):
            plain = {term: [{name: cell[name] for name in cell if name != LENGTH} for cell in found]
                     for term, found in selected.items()}  # fmt: skip
            yield case, plain


@pytest.mark.parametrize("file", SUITES, ids=lambda file: file.stem)
def test_cases_are_found_as_by_a_look_at_each(file: Path) -> None:
    suite = load_suite(file)
    expansion = expand(suite)
    rows = [shared_settings(cell.training, way) for cell in expansion.cells for way in cell.evaluations]
    distinct = list({tuple(row.values()): row for row in rows}.values())
    varied = [*suite.axes, *(evaluation_key(name) for entry in suite.evaluations for name in entry.settings)]
    open_settings = [name for name in dict.fromkeys(varied) if name != "seed"]
    for claim in suite.claims:
        found = [
            (case.values, {term: [cell] for term, cell in case.cells.items()}) for case in expansion.cases[claim.id]
        ]
        assert found == list(plain_cases(claim, distinct, open_settings))
