"""The suites of the published tables: every row is declared once, linked, and counted as the reference counts it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.paper.published import published_rows
from bench.planning.plan import Plan, make_plan
from bench.planning.printed_sizes import compare_sizes
from bench.store.folders import Store
from bench.suite.schema import load_suite

ROOT = Path(__file__).parents[3]
MANIFEST = json.loads((ROOT / "tests" / "fixtures" / "models.json").read_text())

SUITES = {  # rows, trainings
    "coco_val": (45, 30),
    "coco_384x288": (9, 9),
    "coco_test_dev": (6, 6),
    "mpii": (9, 5),
    "crowdpose": (4, 4),
}


def plan(name: str) -> Plan:
    return make_plan(load_suite(ROOT / "suites" / f"{name}.yaml"), Store(Path("nowhere")))


def answered(planned: Plan) -> list[str]:
    return [row.id for training in planned.trainings for item in training.evaluations for row in item.published]


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_declares_its_table(name: str) -> None:
    planned = plan(name)
    rows = answered(planned)
    assert (len(rows), len(planned.trainings)) == SUITES[name]
    table = planned.suite.tables[0]
    wanted = {row.id for row in published_rows() if row.table == table.published_table}
    assert wanted <= set(rows)


def test_together_they_answer_every_row_once() -> None:
    rows = Counter(row for name in SUITES for row in answered(plan(name)))
    assert set(rows) == {row.id for row in published_rows()}
    assert len(rows) == 73
    assert set(rows.values()) == {1}


def test_weights_are_shared_between_tables() -> None:
    trainings = {name: {training.spec.id for training in plan(name).trainings} for name in (*SUITES, "low_res")}
    assert trainings["low_res"] < trainings["coco_val"]
    new = trainings["coco_test_dev"] - trainings["coco_val"] - trainings["coco_384x288"]
    assert len(new) == 1, "SimDR* of HRNet-W48 at 256x192 stands in no validation table"
    assert len(set().union(*trainings.values())) == 49


@pytest.mark.parametrize("name", ["coco_val", "coco_384x288", "coco_test_dev", "mpii"])
def test_sizes_are_those_of_the_manifest(name: str) -> None:
    """Parameters exactly; both counts of work to three decimals, read from the manifest by published row."""
    known = {
        (config["params"], config["published_convention"] / 2**30, config["multiply_adds"] / 1e9)
        for config in MANIFEST["configurations"].values()
    }
    for training in plan(name).as_json()["trainings"]:
        gflops = training["gflops"]
        matches = [
            entry
            for entry in known
            if entry[0] == training["params"]
            and entry[1] == pytest.approx(gflops["published_convention"], abs=5e-4)
            and entry[2] == pytest.approx(gflops["multiply_adds"], abs=5e-4)
        ]
        assert matches, training


def test_lint_explains_every_disagreement_with_the_page() -> None:
    found = {item.row.id: item.disagreements for item in compare_sizes() if item.disagreements}
    assert all(reason for disagreements in found.values() for reason in disagreements.values())
    gflops = [row for row, disagreements in found.items() if "gflops" in disagreements]
    params = [row for row, disagreements in found.items() if "params" in disagreements]
    assert gflops == ["coco_test_dev/1", "coco_val/7", "coco_val/8"]
    assert "coco_val/27" in params


def test_plan_tells_what_suites_share() -> None:
    files = [str(ROOT / "suites" / f"{name}.yaml") for name in SUITES]
    printed = CliRunner().invoke(app, ["plan", *files]).output
    assert "together: 49 trainings, 73 published rows" in printed
    assert printed.count("by coco_384x288, coco_test_dev") == 4
    documents = json.loads(CliRunner().invoke(app, ["plan", "--json", *files]).output)
    assert [document["suite"] for document in documents] == list(SUITES)
