"""Settings of a command line have the ids of a suite in which they are written."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.execute.job import Resources
from bench.planning.jobs import make_job
from bench.planning.plan import make_plan
from bench.store.folders import Store
from bench.suite.expansion import expand
from bench.suite.overrides import override
from bench.suite.schema import Suite, load_suite
from bench.suite.source import SuiteError
from tests.unit.suites import load

HEATMAP, SIMDR = ("boxes: gt, when: {representation: heatmap}", "boxes: gt, when: {representation: simdr}")

SAME = {
    # Settings on the command line, and the changes to the example that write them down.
    "number": (["epochs=2"], [("epochs: 5", "epochs: 2")]),
    "number in scientific notation": (["learning_rate=2e-3"], [("epochs: 5", "epochs: 5, learning_rate: 0.002")]),
    "list": (["milestones=[1, 3]"], [("epochs: 5", "epochs: 5, milestones: [1, 3]")]),
    "empty list": (["milestones=[]"], [("epochs: 5", "epochs: 5, milestones: []")]),
    "nothing": (["selection=final", "selection_split=null"], [("epochs: 5", "epochs: 5, selection: final")]),
    "choice": (["initialization=kaiming"], [("epochs: 5", "epochs: 5, initialization: kaiming")]),
    "earlier name": (["initialisation=kaiming"], [("epochs: 5", "epochs: 5, initialization: kaiming")]),
    "axis of one value": (["input_size=128x128"], [("[64x64]", "[128x128]")]),
    "splits": (["train=a", "eval=b"], [("train: train2017, eval: val2017", "train: a, eval: b")]),
    "evaluations": (
        ["boxes=detector", "flip_test=false"],
        [
            (HEATMAP, HEATMAP.replace("gt", "detector, flip_test: false")),
            (SIMDR, SIMDR.replace("gt", "detector, flip_test: false")),
        ],
    ),
    "evaluator": (
        ["evaluator=box_areas"],
        [
            (HEATMAP, HEATMAP.replace("gt", "gt, evaluator: box_areas")),
            (SIMDR, SIMDR.replace("gt", "gt, evaluator: box_areas")),
        ],
    ),
    "several ways to evaluate": (
        ["post_process=[quarter, none]"],
        [(HEATMAP, HEATMAP.replace("gt", "gt, post_process: [quarter, none]"))],
    ),
    "a setting that evaluations have too": (
        ["batch_size=7", "evaluation_batch_size=9"],
        [
            ("epochs: 5", "epochs: 5, batch_size: 7"),
            (HEATMAP, HEATMAP.replace("gt", "gt, batch_size: 9")),
            (SIMDR, SIMDR.replace("gt", "gt, batch_size: 9")),
        ],
    ),
    "weights": (
        ["initialization=checkpoint", "weights=a.pt"],
        [("epochs: 5", "epochs: 5, initialization: checkpoint, weights: a.pt")],
    ),
}  # fmt: skip


def ids(suite: Suite) -> list[tuple[str, ...]]:
    return [(cell.training.id, *(spec.id for spec in cell.evaluations)) for cell in expand(suite).cells]


@pytest.mark.parametrize(("items", "changes"), SAME.values(), ids=SAME)
def test_the_identity_is_that_of_the_suite_which_has_them(
    items: list[str], changes: list[tuple[str, str]], tmp_path: Path
) -> None:
    weights = ("title: An example", f"title: An example\nweights: {{a.pt: {64 * 'a'}}}")
    example = load(tmp_path, weights)
    given = override(example, items)
    assert ids(given) == ids(load(tmp_path, weights, *changes))
    assert ids(given) != ids(example)


def test_they_win_over_rules_under_conditions(tmp_path: Path) -> None:
    suite = load(tmp_path, ("- {epochs: 5}", "- {when: {representation: simdr}, epochs: 7}"))
    assert {cell.training.epochs for cell in expand(override(suite, ["epochs=2"])).cells} == {2}


@pytest.mark.parametrize(
    ("items", "said"),
    [
        (["epoch=2"], "--set 'epoch=2': unknown setting 'epoch' (did you mean 'epochs'?); valid: train, eval"),
        (["epochs"], "--set 'epochs': expected KEY=VALUE"),
        (["epochs=two"], "--set 'epochs=two': epochs: Input should be a valid integer, found 'two'"),
        (["epochs=[1, 2]"], "--set 'epochs=[1, 2]': a training has one value of epochs, found 2"),
        (["epochs=[1"], "--set 'epochs=[1': epochs: Input should be a valid integer, found '[1'"),
        (["epochs=1", "epochs=2"], "--set 'epochs=2': epochs is given twice, first as '1'"),
        (["representation=simdr"], "representation is an axis of the suite (heatmap, simdr); choose with --only"),
        (["boxes=detected"], "boxes: Input should be 'gt' or 'detector', found 'detected'"),
        (["eval="], "--set 'eval=': expected the name of a split"),
        (["weights=a.pt"], "--set 'weights=a.pt': unknown weights 'a.pt'; list the file with its sha256"),
        (["evaluator=pckh"], "--set 'evaluator=pckh': evaluator: 'pckh' does not score coco, whose protocol"),
        (["backbone=simba_res5"], "unknown backbone 'simba_res5' (did you mean 'simba_res50'?)"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_like_in_a_suite(items: list[str], said: str, tmp_path: Path) -> None:
    with pytest.raises(SuiteError) as error:
        override(load(tmp_path), items)
    assert said in str(error.value)


def test_contradictions_name_the_setting(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"epochs=0: .*`epochs: 0` measures given weights"):
        expand(override(load(tmp_path), ["epochs=0"]))


def test_claims_that_no_longer_apply_are_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    suite = override(load_suite(Path("low_res")), ["post_process=none"])
    cases = expand(suite).cases
    assert cases["low_res_gain"] == ()
    run = ["report", "low_res", "--set", "post_process=none", "--only", "input_size=64x64", "--format", "md,csv"]
    done = CliRunner().invoke(app, run)
    assert done.exit_code == 0, done.output
    text = Path("reports/low_res_post_process=none/report.md").read_text()
    assert "Settings given on the command line: post_process=none." in text
    assert "the settings given on the command line leave no cells to compare" in text


def test_every_command_that_plans_takes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--set", "epochs=2", "--set", "milestones=[]"]
    planned = json.loads(CliRunner().invoke(app, ["plan", "low_res", "--json", *options]).stdout)
    assert planned["settings"] == ["epochs=2", "milestones=[]"]
    assert {training["spec"]["epochs"] for training in planned["trainings"]} == {2}
    known = {training["id"] for training in planned["trainings"]}
    stated = json.loads(CliRunner().invoke(app, ["status", "low_res", "--json", *options]).stdout)
    assert {training["id"] for training in stated["trainings"]} == known
    for command in ("plan", "status"):
        assert (
            "settings given on the command line: epochs=2, milestones=[]"
            in CliRunner().invoke(app, [command, "low_res", *options]).stdout
        )
    for command in (["cancel", "low_res"], ["logs", "low_res"], ["retry", "low_res"], ["run", "low_res", "--dry-run"]):
        done = CliRunner().invoke(app, [*command, *options])
        assert done.exit_code == 0, done.output


def test_the_command_of_a_record_repeats_them(tmp_path: Path) -> None:
    plan = make_plan(override(load(tmp_path), ["milestones=[1, 2]", "boxes=gt"]), Store(tmp_path))
    resources = Resources(data_root=tmp_path, results=tmp_path, device="cpu", threads=1, workers=0, save_every=1)
    words = shlex.split(make_job(plan, plan.trainings[0], resources).command)
    first = words.index("--set")
    assert words[first : first + 4] == ["--set", "milestones=[1, 2]", "--set", "boxes=gt"]
    assert "--only" in words
