"""The gate on made-up records: every verdict has a case that must give it, and every format says the same."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from typer.testing import CliRunner, Result

from bench.cli import app
from bench.compare.gate import gate_result
from bench.compare.gate.baseline import Limit
from bench.compare.gate.cell_checks import MetricCheck
from bench.compare.gate.gate_result import GateResult
from bench.compare.gate.junit import render_junit
from bench.compare.gate.markdown import render_summary
from bench.pose.errors import BenchError
from bench.store.documents import Failure
from bench.store.folders import Store
from bench.store.provenance import CodeIdentity
from bench.suite.source import SuiteError
from tests.unit.made_up import MadeUp

SUITE = """\
name: gated
title: Gated
dataset: {name: synthetic, train: train30, eval: val10}
train:
  axes:
    backbone: [simba_tiny]
    representation: [heatmap, simdr]
    input_size: [64x64]
    seed: [0, 1, 2]
evaluate:
  - {boxes: gt}
tables: [{id: results, metrics: [AP, AR]}]
"""

SEEDS = (0.500, 0.502, 0.498)
"""AP by seed; AR is always 0.6."""

Values = Callable[[str, int], Mapping[str, float] | None]


def usual(representation: str, seed: int) -> dict[str, float]:
    return {"AP": SEEDS[seed], "AR": 0.6, "mean_oks": 0.7}


@dataclass
class Gate:
    """A suite with records and a baseline in a folder."""

    folder: Path

    @property
    def suite(self) -> Path:
        return self.folder / "suite.yaml"

    @property
    def baseline(self) -> Path:
        return self.folder / "baseline.yaml"

    @property
    def store(self) -> Store:
        return Store(self.folder / "results")

    def measure(self, values: Values, text: str = SUITE) -> None:
        """Records with these metrics by representation and seed, in place of all others."""
        for file in self.folder.glob("results/evaluations/*/record.json"):
            file.unlink()
        made_up = MadeUp(self.folder, text)
        made_up.fill(lambda training, _: values(training.spec.representation, training.spec.seed))

    def check(self, *options: object) -> Result:
        arguments = ["check", self.suite, "--baseline", self.baseline, "--results", self.folder / "results", *options]
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    def verdicts(self, *options: object) -> tuple[int, list[dict[str, Any]]]:
        """Exit status and the checks."""
        done = self.check("--json", *options)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, json.loads(done.stdout)["checks"]

    def read(self) -> dict[str, Any]:
        return yaml.safe_load(self.baseline.read_text(encoding="utf-8"))

    def declare(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Edit the baseline, as an instance would."""
        document = self.read()
        change(document)
        self.baseline.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")

    def record(self, representation: str, seed: int) -> Path:
        """File of a record."""
        for file in self.folder.glob("results/evaluations/*/record.json"):
            training = json.loads(file.read_text())["training"]
            if (training["representation"], training["seed"]) == (representation, seed):
                return file
        raise AssertionError("no such record")


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """A gate whose records are those of its baseline, which allows 0.002."""
    made = Gate(tmp_path)
    made.measure(usual)
    assert made.check("--update").exit_code == 0

    def allow(document: dict[str, Any]) -> None:
        document["default"] = {"tolerance": {"AP": 0.002, "AR": 0.002}}

    made.declare(allow)
    return made


def moved(representation: str, by: float) -> Values:
    def values(found: str, seed: int) -> dict[str, float]:
        metrics = usual(found, seed)
        return metrics | {"AP": metrics["AP"] + by} if found == representation else metrics

    return values


def test_what_nobody_touched_holds(gate: Gate) -> None:
    status, checks = gate.verdicts()
    assert status == 0
    assert {check["verdict"] for check in checks} == {"holds"}
    assert len(checks) == 2 * 3 * 2, "cells, seeds and metrics"


@pytest.mark.parametrize(
    ("by", "direction", "verdict", "status"),
    [
        (-0.0021, "any", "regressed", 1),
        (-0.0021, "down", "regressed", 1),
        (0.0021, "any", "changed", 1),
        (0.0021, "down", "improved", 0),
        (-0.002, "any", "holds", 0),
        (0.002, "any", "holds", 0),
    ],
)
def test_movements_beyond_the_tolerance(gate: Gate, by: float, direction: str, verdict: str, status: int) -> None:
    gate.declare(lambda document: document["default"].update(direction=direction))
    gate.measure(moved("simdr", by))
    found, checks = gate.verdicts()
    assert found == status
    told = {check["verdict"] for check in checks if "simdr" in check["cell"] and check["metric"] == "AP"}
    assert told == {verdict}
    assert {check["verdict"] for check in checks if "heatmap" in check["cell"] or check["metric"] == "AR"} == {"holds"}
    assert checks[0]["verdict"] == verdict, "worst first"
    if verdict != "holds":
        assert checks[0]["difference"] == pytest.approx(by)


def test_a_cell_may_be_allowed_more_than_others(gate: Gate) -> None:
    def widen(document: dict[str, Any]) -> None:
        document["evaluations"][0]["tolerance"] = {"AP": 0.05}

    gate.declare(widen)
    gate.measure(moved("heatmap", -0.01))
    status, checks = gate.verdicts()
    assert status == 1
    seeds = {
        check["cell"]: check["verdict"] for check in checks if "heatmap" in check["cell"] and check["metric"] == "AP"
    }
    assert [seeds[cell] for cell in sorted(seeds)] == ["holds", "regressed", "regressed"]


def declare_test(gate: Gate, margin: float, direction: str = "any") -> None:
    def change(document: dict[str, Any]) -> None:
        document["default"] = {"direction": direction, "test": {"AP": margin}, "tolerance": {"AR": 0.002}}

    gate.declare(change)


@pytest.mark.parametrize(
    ("shifts", "direction", "verdict", "status"),
    [
        ((-0.03, -0.031, -0.029), "any", "regressed", 1),
        ((0.03, 0.031, 0.029), "any", "changed", 1),
        ((0.03, 0.031, 0.029), "down", "improved", 0),
        ((-0.06, 0.0, -0.03), "any", "holds", 0),  # the same mean, but it may be chance
        ((-0.009, -0.009, -0.009), "any", "holds", 0),  # surely lower, but by less than the margin
    ],
)
def test_a_test_over_seeds(gate: Gate, shifts: tuple[float, ...], direction: str, verdict: str, status: int) -> None:
    declare_test(gate, 0.01, direction)
    gate.measure(lambda _, seed: usual("", seed) | {"AP": SEEDS[seed] + shifts[seed]})
    found, checks = gate.verdicts()
    assert found == status
    tested = [check for check in checks if check["metric"] == "AP"]
    assert [(check["verdict"], len(check["ids"])) for check in tested] == [(verdict, 3)] * 2
    now = np.array(SEEDS) + shifts
    interval = stats.ttest_ind(now, SEEDS, equal_var=False).confidence_interval(0.95)
    assert tested[0]["detail"] == f"95 % interval of the difference: {interval.low:+.4f} to {interval.high:+.4f}"
    assert "seeds 0, 1, 2" in tested[0]["cell"]


def test_a_test_needs_seeds_and_all_of_them(gate: Gate) -> None:
    declare_test(gate, 0.01)
    status, checks = gate.verdicts("--only", "seed=1")
    assert status == 3
    assert {check["detail"] for check in checks if check["verdict"] == "unusable"} == {
        "a test needs two seeds or more; declare a tolerance, or an axis of seeds"
    }
    gate.record("simdr", 1).unlink()
    status, checks = gate.verdicts()
    assert status == 2
    assert {(check["metric"], check["detail"]) for check in checks if check["verdict"] == "not measured"} == {
        ("AP", "seed 1: missing"),
        ("AR", "missing"),
    }


def test_what_is_not_measured_is_told_apart(gate: Gate) -> None:
    """A missing record, a failed job, a metric that the record lacks, and cells that only one side knows."""
    gate.measure(lambda kind, seed: usual(kind, seed) if (kind, seed) != ("simdr", 2) else {"AP": 0.498})
    gate.record("heatmap", 0).unlink()
    failed = gate.record("heatmap", 1)
    training = json.loads(failed.read_text())["spec"]["training"]
    failed.unlink()
    gate.store.training(training).fail(Failure(kind="DataError", message="no <disk> left\x1b[0m"))

    def change(document: dict[str, Any]) -> None:
        document["evaluations"][3]["id"] = "0123456789ab"  # of SimDR, seed 0
        document["evaluations"].append(document["evaluations"][4] | {"id": 12 * "a", "cell": "from <long> ago"})

    gate.declare(change)
    status, checks = gate.verdicts("--junit", gate.folder / "junit.xml")
    assert status == 2
    found = {(check["metric"], check["detail"]) for check in checks if check["verdict"] == "not measured"}
    gone = "in the baseline, but no longer in the suite: `--update` removes it"
    assert found == {
        ("AP", "missing"),
        ("AR", "missing"),
        ("AP", "failed: DataError: no <disk> left\x1b[0m"),
        ("AR", "failed: DataError: no <disk> left\x1b[0m"),
        ("AR", "the record has no AR; it has AP"),
        ("", "not what the baseline has under 0123456789ab: a setting changed; `--update` adds it"),
        ("AP", gone),
        ("AR", gone),
    }
    suite = ElementTree.parse(gate.folder / "junit.xml").getroot()[0]
    counts = {name: int(suite.get(name, -1)) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": len(checks), "failures": 0, "errors": 2, "skipped": 2 + 1 + 1 + 4}
    assert len(suite.findall("testcase/error")) == 2
    assert len(suite.findall("testcase/skipped")) == 8


def test_a_limit_without_a_value_is_not_passed_over(gate: Gate) -> None:
    def change(document: dict[str, Any]) -> None:
        document["default"]["tolerance"]["mean_oks"] = 0.001
        document["evaluations"][0]["tolerance"] = {"AP75": 0.1}

    gate.declare(change)
    status, checks = gate.verdicts()
    assert status == 2
    assert {(check["cell"][:10], check["metric"]) for check in checks if check["verdict"] != "holds"} == {
        ("every cell", "mean_oks"),
        ("simba_tiny", "AP75"),
    }
    refused = gate.check("--update")
    assert refused.exit_code == 3
    assert "the record has no 'AP75'" in refused.output


def change_record(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_simulated_and_unreadable_records_are_unusable_and_others_are_still_compared(gate: Gate) -> None:
    gate.measure(moved("heatmap", -0.1))
    change_record(gate.record("simdr", 0), simulated=True)
    gate.record("heatmap", 2).unlink()
    unreadable = gate.record("simdr", 1)
    unreadable.write_text("{")
    status, checks = gate.verdicts()
    assert status == 3
    order = ("unusable", "regressed", "not measured", "holds")
    assert list(dict.fromkeys(check["verdict"] for check in checks)) == list(order)
    details = {check["detail"] for check in checks if check["verdict"] == "unusable"}
    assert "the record is simulated: nothing was measured" in details
    assert any(str(unreadable) in detail for detail in details)

    before = gate.baseline.read_bytes()
    refused = gate.check("--update")
    assert refused.exit_code == 3
    assert "simulated" in refused.output
    assert gate.baseline.read_bytes() == before


def test_the_worst_verdict_decides(gate: Gate) -> None:
    gate.measure(moved("heatmap", -0.1))
    gate.record("simdr", 0).unlink()
    assert gate.verdicts()[0] == 1
    assert gate.verdicts("--only", "representation=simdr")[0] == 2
    assert gate.verdicts("--only", "representation=simdr", "--only", "seed=1")[0] == 0


MISTAKES = {
    # The change to the text of the baseline, the line that the error must name, and what it must say.
    "unknown key": (("version: 1", "verson: 1\nversion: 1"), 3, "unknown key 'verson' (did you mean 'version'?)"),
    "other version": (("version: 1", "version: 2"), 3, "version: Input should be 1, found 2"),
    "other suite": (("suite: gated", "suite: ci"), 4, "this is the baseline of suite 'ci', not of 'gated'"),
    "unknown direction": (("default:", "default:\n  direction: up"), 6, "direction: Input should be 'any' or 'down'"),
    "negative tolerance": (("    AP: 0.002", "    AP: -0.1"), 7, "greater than or equal to 0"),
    "tolerance no number": (("    AP: 0.002", "    AP: .nan"), 7, "AP: Input should be a finite number"),
    "tolerance and test": (("  tolerance:\n", "  test: {AR: 0.1}\n  tolerance:\n"), 6, "'AR' has a tolerance already"),
    "metric without limit": (("    AP: 0.002\n", ""), 13, "'AP' has neither a tolerance nor a test"),
    "metric no number": (("    AP: 0.498", "    AP: much"), 28, "AP: Input should be a valid number"),
    "bad id": (("id: ", "id: x"), 10, "id: String should match pattern"),
    "no yaml": (("version: 1", "version: ["), 5, "expected"),
}


@pytest.mark.parametrize(("change", "line", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_broken_baseline_is_refused_with_its_line(
    gate: Gate, change: tuple[str, str], line: int, message: str
) -> None:
    text = "# Made by hand.\n\n" + gate.baseline.read_text()
    assert change[0] in text
    gate.baseline.write_text(text.replace(*change, 1))
    done = gate.check()
    assert isinstance(done.exception, SuiteError), done.output
    found = [re.match(rf"{re.escape(str(gate.baseline))}:(\d+): (.*)", row) for row in str(done.exception).splitlines()]
    assert any(match and int(match[1]) == line and message in match[2] for match in found), str(done.exception)


def test_an_evaluation_that_is_given_twice_is_refused(gate: Gate) -> None:
    gate.declare(lambda document: document["evaluations"].append(document["evaluations"][0]))
    with pytest.raises(SuiteError, match=r"baseline\.yaml:\d+: evaluation [0-9a-f]{12} is given twice"):
        raise gate.check().exception or AssertionError


def test_a_baseline_may_be_json_and_keeps_its_lines(gate: Gate) -> None:
    gate.baseline.write_text(json.dumps(gate.read(), indent=2))
    assert gate.check().exit_code == 0
    gate.baseline.write_text(gate.baseline.read_text().replace('"suite": "gated"', '"suite": "other"'))
    with pytest.raises(SuiteError, match=r"baseline\.yaml:3: this is the baseline of suite 'other'"):
        raise gate.check().exception or AssertionError


def test_a_baseline_that_is_not_there_is_unusable(gate: Gate) -> None:
    gate.baseline.unlink()
    assert isinstance(gate.check().exception, BenchError)


def test_a_first_baseline_takes_the_metrics_of_the_tables(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    gate.measure(usual)
    assert gate.check("--update").exit_code == 0
    document = gate.read()
    assert document["default"]["tolerance"] == {"AP": 0.005, "AR": 0.005}
    assert [entry["metrics"] for entry in document["evaluations"]] == [{"AP": ap, "AR": 0.6} for ap in SEEDS * 2]
    assert gate.check().exit_code == 0


def test_an_update_replaces_values_and_keeps_what_was_written_by_hand(gate: Gate) -> None:
    def change(document: dict[str, Any]) -> None:
        document["default"] |= {"direction": "down", "because": "so says üs"}
        document["evaluations"][0] |= {"tolerance": {"AP": 0.05}, "because": "noisy"}
        document["evaluations"][1] |= {"id": 12 * "b", "test": {"AR": 0.1}}

    gate.declare(change)
    before = gate.read()
    gate.measure(moved("heatmap", -0.25))
    done = gate.check("--update")
    assert done.exit_code == 0
    assert "heatmap, 64x64, seed 0; annotated boxes, flip test, refined by quarter: AP 0.5 -> 0.25" in done.output
    after = gate.read()
    assert after["default"] == before["default"]
    first, second = after["evaluations"][:2]
    assert (first["tolerance"], first["because"], first["metrics"]["AP"]) == ({"AP": 0.05}, "noisy", 0.25)
    assert second["id"] != 12 * "b"
    assert second["test"] == {"AR": 0.1}, "the same cell, although a setting gave it another id"
    assert after["evaluations"][3:] == before["evaluations"][3:]
    text = gate.baseline.read_bytes()
    assert gate.check("--update").exit_code == 0
    assert gate.baseline.read_bytes() == text


def test_an_update_of_a_part_leaves_the_rest(gate: Gate) -> None:
    gate.measure(lambda kind, seed: moved("simdr", 0.1)(kind, seed) if kind == "simdr" else None)
    before = gate.read()["evaluations"]
    assert gate.check("--update").exit_code == 2, "heatmaps are not measured"
    assert gate.check("--update", "--only", "representation=simdr").exit_code == 0
    after = gate.read()["evaluations"]
    assert after[:3] == before[:3]
    assert [entry["metrics"]["AP"] for entry in after[3:]] == [0.6, 0.602, 0.598]


def test_settings_of_the_command_line_take_nothing_from_a_baseline(gate: Gate) -> None:
    before = gate.baseline.read_text()
    done = gate.check("--update", "--subset", 10)
    assert "is the baseline of other settings; leave out --set and --subset" in str(done.exception)
    assert gate.baseline.read_text() == before
    assert "no longer in the suite" not in gate.check("--subset", 10).output


def test_an_update_drops_what_the_suite_no_longer_has_and_adds_what_is_new(gate: Gate) -> None:
    gate.measure(lambda kind, _: usual(kind, 0), SUITE.replace("seed: [0, 1, 2]", "seed: [3, 0]"))
    done = gate.check("--update")
    assert done.exit_code == 0
    assert done.output.count("new: ") == 2
    assert done.output.count("gone: ") == 4
    cells = [entry["cell"] for entry in gate.read()["evaluations"]]
    assert [cell.partition(";")[0][-6:] for cell in cells] == ["seed 3", "seed 0"] * 2


def test_records_of_other_code_are_remarked_on(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "made by the code" not in gate.check().output
    file = gate.record("simdr", 0)
    provenance = json.loads(file.read_text())["provenance"]
    change_record(file, provenance=provenance | {"commit": 40 * "a", "package": None})
    monkeypatch.setattr(gate_result, "code_identity", lambda: CodeIdentity(commit=40 * "b", dirty=False))
    assert "records were made by the code of aaaaaaaaaaaa, this is bbbbbbbbbbbb" in gate.check().output
    monkeypatch.setattr(gate_result, "code_identity", lambda: CodeIdentity(commit=40 * "a", dirty=True))
    assert "made by the code" not in gate.check().output
    for known, told in ((64 * "c", False), (64 * "d", True)):
        change_record(file, provenance=provenance | {"commit": None, "package": 64 * "c"})
        monkeypatch.setattr(gate_result, "code_identity", lambda known=known: CodeIdentity(package=known))
        assert ("by the code of package cccccccccccc, this is package dddddddddddd" in gate.check().output) == told


def made_outcome(text: str, **changes: Any) -> GateResult:
    checks = [
        MetricCheck(text, (text,), text, verdict, 0.5, 0.4, Limit("tolerance", 0.01, "any"), text, failed=failed)
        for verdict in ("unusable", "regressed", "changed", "not measured", "improved", "holds")
        for failed in (False, True)
    ]
    return GateResult(text, text, text, checks, (text,))


HOSTILE = '<script>alert("&amp;]]>")</script> | `x` ../\x00\x1b[31m\ud800\ufffe\n| --- | **b** [a](b) _c_ é'


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.characters(exclude_categories=[]), max_size=40) | st.just(HOSTILE))
def test_junit_is_valid_xml_whatever_the_names(text: str) -> None:
    root = ElementTree.fromstring(render_junit(made_outcome(text)))
    (suite,) = root
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["12", "4", "3", "1"]
    legal = all(
        char in "\t\n\r" or "\x20" <= char <= "\ud7ff" or "\ue000" <= char <= "\ufffd" or char > "\uffff"
        for char in text
    )
    if legal:
        assert {case.get("name") for case in suite} == {": ".join(filter(None, (text, text)))}


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=40) | st.just(HOSTILE))
def test_no_name_becomes_markdown(text: str) -> None:
    rendered = render_summary(made_outcome(text))
    columns = 8 if text else 7
    rows = [line for line in rendered.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 12
    assert {len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) for row in rows} == {columns + 1}
    assert "<script" not in rendered


def test_a_long_summary_is_cut_after_the_worst() -> None:
    limit = Limit("tolerance", 0.01, "any")
    checks = [MetricCheck("cell", ("id",), f"metric {number}", "holds", 0.5, 0.5, limit) for number in range(1000)]
    rendered = render_summary(GateResult("long", "a", "b", checks))
    assert rendered.count("\n| holds") == 200
    assert "800 more are not shown" in rendered


def test_the_gate_needs_no_torch() -> None:
    gate = ", ".join(f"bench.compare.gate.{name}" for name in ("update", "junit", "cell_checks"))
    modules = f"bench.cli.check, {gate}, bench.planning.plan"
    code = f"import sys, {modules}; print('torch' in sys.modules, 'matplotlib' in sys.modules, 'scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "False"]
    code = "import sys, bench.compare.gate.markdown; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_where_nobody_is_to_be_judged_nothing_holds(gate: Gate) -> None:
    """Neither a baseline without a value, as older ones say by -1, nor a record without one."""
    gate.measure(lambda name, seed: usual(name, seed) | ({"AR": -1.0} if name == "simdr" else {}))
    status, checks = gate.verdicts()
    assert status == 2
    (now,) = {check["detail"] for check in checks if check["verdict"] != "holds"}
    assert now == "nobody to judge: no instance of val10 counts for AR"
    assert {check["now"] for check in checks if check["detail"]} == {None}
    for text in (gate.check().output, _written(gate, "--junit"), _written(gate, "--summary")):
        assert now in text
    refused = gate.check("--update")
    assert refused.exit_code == 2
    assert f"{now}; remove its limit from the baseline" in refused.output

    for former in (-1.0, None):
        document = gate.read()
        for entry in document["evaluations"]:
            entry["metrics"]["AR"] = former
        gate.baseline.write_text(yaml.safe_dump(document), encoding="utf-8")
        for values in (usual, moved("simdr", 0.0), lambda *cell: usual(*cell) | {"AR": -1.0}):
            gate.measure(values)
            status, checks = gate.verdicts()
            assert status == 2
            found = {check["verdict"]: check["detail"] for check in checks if check["metric"] == "AR"}
            assert found.keys() == {"not measured"}
            assert found["not measured"].startswith("nobody to judge when the baseline was written")


def test_records_of_nobody_alone_are_no_baseline(gate: Gate) -> None:
    gate.measure(lambda *_: {"AP": -1.0, "AR": -1.0})
    gate.baseline.unlink()
    refused = gate.check("--update")
    assert refused.exit_code == 2
    assert "nobody to judge: no instance of val10 counts\n" in refused.output
    assert not gate.baseline.exists()


def test_images_that_were_left_out_are_said_beside_what_holds(gate: Gate) -> None:
    change_record(gate.record("simdr", 0), images=5000, images_left_out=12)
    status, checks = gate.verdicts()
    assert status == 0
    said = "measured without 12 of 5,000 images, whose instances count as not found"
    assert [check["detail"] for check in checks if check["detail"]] == [said, said]
    for text in (gate.check().output, _written(gate, "--junit"), _written(gate, "--summary")):
        assert said in text


def _written(gate: Gate, option: str) -> str:
    file = gate.folder / "written"
    gate.check(option, file)
    return file.read_text(encoding="utf-8")
