"""The plan: what a suite asks for against what a store holds, and which published rows it answers."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.execute.job import Job, Resources
from bench.paper.published import published_rows
from bench.planning.jobs import make_job
from bench.planning.plan import Plan, make_plan, parse_selection
from bench.store.documents import Failure
from bench.store.folders import Store
from bench.suite.overrides import override
from bench.suite.source import SuiteError
from tests.unit.suites import load

CHANGE = tuple[str, str]

PAPER_CELLS: tuple[CHANGE, ...] = (
    ("[simba_res50]", "[simba_res50, simba_res101, hrnet_w32, hrnet_w48]"),
    ("[64x64]", "[64x64, 128x128, 256x192]"),
    ("    - {epochs: 5}", "    - {seed: 0}"),
    ("    - {when: {backbone: hrnet_w48}, because: too big}", "    []"),
    (
        "{boxes: gt, when: {representation: heatmap}}",
        "{post_process: [quarter, none], when: {representation: heatmap}}",
    ),
    ("{boxes: gt, when: {representation: simdr}}", "{when: {representation: simdr}}"),
)
"""The example grown to the 36 cells of the paper's COCO table that need no TokenPose."""


def plan(folder: Path, *changes: CHANGE, only: tuple[str, ...] = ()) -> Plan:
    suite = load(folder, *changes)
    return make_plan(suite, Store(folder / "results"), parse_selection(only, suite))


def answered(plan: Plan) -> list[str]:
    return [row for evaluation in plan.as_json()["evaluations"] for row in evaluation["published"]]


def test_a_plan_reflects_the_store(tmp_path: Path) -> None:
    heatmap, simdr = plan(tmp_path).trainings
    assert (heatmap.state, simdr.state) == ("missing", "missing")

    store = Store(tmp_path / "results")
    store.training(heatmap.spec.id).fail(Failure(kind="DataError", message=""))
    for file in (
        store.training(simdr.spec.id).record_file,
        store.evaluation(simdr.evaluations[0].spec.id).record_file,
    ):
        file.parent.mkdir(parents=True)
        file.touch()
    after = plan(tmp_path)
    heatmap, simdr = after.trainings
    assert (heatmap.state, heatmap.evaluations[0].state, heatmap.finished) == ("failed", "missing", False)
    assert (simdr.state, simdr.evaluations[0].state, simdr.finished) == ("done", "done", True)
    assert after.unfinished == (heatmap,)


def test_suites_that_name_the_same_training_share_it(tmp_path: Path) -> None:
    one = plan(tmp_path, ("name: example", "name: one"), ("[heatmap, simdr]", "[simdr]"))
    other = plan(tmp_path, ("name: example", "name: other"), ("recipe: paper", "recipe: paper # the same"))
    assert {training.spec.id for training in one.trainings} < {training.spec.id for training in other.trainings}


def test_the_paper_s_cells_answer_its_rows(tmp_path: Path) -> None:
    expected = [row.id for row in published_rows() if row.table == "coco_val" and row.backbone != "tokenpose_s"]
    found = plan(tmp_path, *PAPER_CELLS)
    assert len(found.trainings) == 24, "heatmaps with and without post-processing are one training"
    assert len(expected) == 36
    assert sorted(answered(found)) == sorted(expected)


def test_rows_are_numbered_in_the_page_s_order(tmp_path: Path) -> None:
    cells = {
        (training.spec.backbone, str(training.spec.input_size), training.spec.representation, way.spec.post_process): [
            row.id for row in way.published
        ]
        for training in plan(tmp_path, *PAPER_CELLS).trainings
        for way in training.evaluations
    }
    file = Path(__file__).parents[3] / "bench" / "paper" / "rows.json"
    printed = [row for row in json.loads(file.read_text())["rows"] if row["table"] == "coco_val"]
    assert (printed[0]["method"], printed[0]["representation"], printed[0]["input_size"]) == (
        "SimBa-Res50",
        "heatmap",
        "64x64",
    )
    assert cells["simba_res50", "64x64", "heatmap", "quarter"] == ["coco_val/1"]
    number = 1 + next(
        number
        for number, row in enumerate(printed)
        if (row["method"], row["representation"], row["input_size"]) == ("HRNet-W48", "SimDR", "256x192")
    )
    assert cells["hrnet_w48", "256x192", "simdr", "none"] == [f"coco_val/{number}"]


def test_given_weights_answer_the_rows_of_their_cells(tmp_path: Path) -> None:
    given = "{initialization: checkpoint, weights: a.pth, epochs: 0}"
    changes = [(old, new.replace("{seed: 0}", given)) for old, new in PAPER_CELLS]
    declared = ("title: An example", f"title: An example\nweights: {{a.pth: {64 * 'a'}}}")
    found = plan(tmp_path, declared, *changes)
    assert {training.spec.weights for training in found.trainings} == {64 * "a"}
    assert answered(found) == answered(plan(tmp_path, *PAPER_CELLS))


def test_given_weights_are_looked_for_beside_the_suite_and_under_the_data_root(tmp_path: Path) -> None:
    rule = "{initialization: checkpoint, weights: w/a.pth, epochs: 0}"
    declared = ("title: An example", f"title: An example\nweights: {{w/a.pth: {64 * 'a'}}}")
    found = plan(tmp_path, declared, ("{epochs: 5}", rule))
    resources = Resources(
        data_root=tmp_path / "data", results=tmp_path, device="cpu", threads=1, workers=0, save_every=1
    )
    assert make_job(found, found.trainings[0], resources).weights == tmp_path / "data" / "w" / "a.pth"
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "a.pth").touch()
    job = make_job(found, found.trainings[0], resources)
    assert job.weights == tmp_path / "w" / "a.pth"
    assert Job.model_validate_json(job.model_dump_json()) == job, "as a submission to SLURM stores it"
    plain = plan(tmp_path)
    assert make_job(plain, plain.trainings[0], resources).weights is None


def test_given_weights_are_selected_by_name(tmp_path: Path) -> None:
    declared = ("title: An example", f"title: An example\nweights: {{a.pth: {64 * 'a'}, b.pth: {64 * 'b'}}}")
    axis = ("[64x64]", "[64x64]\n    weights: [a.pth, b.pth]")
    changes = (declared, axis, ("{epochs: 5}", "{initialization: checkpoint, epochs: 0}"))
    found = plan(tmp_path, *changes, only=("weights=b.pth", "representation=simdr"))
    assert [training.spec.weights for training in found.trainings] == [64 * "b"]


def test_the_number_of_processes_is_none_of_the_paper_s_business(tmp_path: Path) -> None:
    changes = [(old, new.replace("{seed: 0}", "{world_size: 2}")) for old, new in PAPER_CELLS]
    found = plan(tmp_path, *changes)
    assert {training.spec.world_size for training in found.trainings} == {2}
    assert answered(found) == answered(plan(tmp_path, *PAPER_CELLS))


@pytest.mark.parametrize(
    "change",
    [
        ("    - {seed: 0}", "    - {split_ratio: 1.37}"),
        ("{when: {representation: simdr}}", "{boxes: gt, when: {representation: simdr}}"),
        ("{when: {representation: simdr}}", "{flip_test: false, when: {representation: simdr}}"),
    ],
    ids=["other split ratio", "annotated boxes", "no flip test"],
)
def test_an_ablation_answers_no_row(change: CHANGE, tmp_path: Path) -> None:
    changes = [(old, change[1] if old == change[0] or new == change[0] else new) for old, new in PAPER_CELLS]
    found = plan(tmp_path, *changes)
    simdr = [
        way for training in found.trainings if training.spec.representation == "simdr" for way in training.evaluations
    ]
    assert len(simdr) == 12
    assert not any(way.published for way in simdr)
    assert len(answered(found)) == 24, "heatmaps are not touched"


def test_selection(tmp_path: Path) -> None:
    def sizes(*only: str) -> list[tuple[str, str]]:
        chosen = plan(tmp_path, *PAPER_CELLS, only=(*only, "representation=simdr")).trainings
        return [(training.spec.backbone, str(training.spec.input_size)) for training in chosen]

    assert sizes("backbone=hrnet_w32,hrnet_w48", "input_size=64x64") == [("hrnet_w32", "64x64"), ("hrnet_w48", "64x64")]
    assert sizes("backbone=hrnet_w32", "input_size=64x64", "input_size=128x128") == [
        ("hrnet_w32", "64x64"),
        ("hrnet_w32", "128x128"),
    ]


def test_numbers_are_selected_as_they_are_written(tmp_path: Path) -> None:
    change = ("[64x64]", "[64x64]\n    split_ratio: [1.5, 2]")
    for text, value in [("2", 2.0), ("1.5", 1.5), ("20e-1", 2.0)]:
        (training,) = plan(tmp_path, change, only=(f"split_ratio={text}",)).trainings
        assert training.spec.codec["split_ratio"] == value


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("backbone", "expected AXIS=VALUE.* backbone, representation, input_size"),
        ("epochs=5", "an axis of backbone"),
        ("backbone=hrnet", "has no value 'hrnet'; valid: simba_res50"),
        ("backbone=", "has no value ''"),
    ],
)
def test_a_selection_of_nothing_known_is_refused(item: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=message):
        plan(tmp_path, only=(item,))


def test_a_selection_that_leaves_nothing_is_refused(tmp_path: Path) -> None:
    changes = (("[simba_res50]", "[simba_res50, hrnet_w48]"),)
    with pytest.raises(
        SuiteError, match="no cell fits the selection; the suite's axes: backbone: simba_res50, hrnet_w48"
    ):
        plan(tmp_path, *changes, only=("backbone=hrnet_w48",))


def test_json_has_the_documented_fields(tmp_path: Path) -> None:
    found: dict[str, Any] = plan(tmp_path).as_json()
    json.dumps(found, allow_nan=False)
    assert set(found) >= {"suite", "trainings", "evaluations"}
    assert found["suite"] == "example"
    training, evaluation = found["trainings"][1], found["evaluations"][1]
    fields = "id dataset backbone representation input_size split_ratio sigma label_smoothing seed params gflops state"
    assert set(training) >= set(fields.split())
    assert (training["dataset"], training["input_size"], training["split_ratio"], training["sigma"]) == (
        "coco",
        "64x64",
        3.0,
        None,
    )
    assert set(evaluation) >= {"id", "training", "split", "boxes", "flip_test", "post_process", "published", "state"}
    assert (evaluation["training"], evaluation["split"], evaluation["published"]) == (training["id"], "val2017", [])


def test_cost_is_that_of_the_paper(tmp_path: Path) -> None:
    """SimBa-Res50 at 64x64: the page prints 34.0M parameters and 0.7 GFLOPs for heatmaps."""
    heatmap = plan(tmp_path).as_json()["trainings"][0]
    assert heatmap["params"] == pytest.approx(34.0e6, abs=0.05e6)
    assert heatmap["gflops"]["published_convention"] == pytest.approx(0.7, abs=0.05)
    assert heatmap["gflops"]["multiply_adds"] < heatmap["gflops"]["published_convention"]


def test_other_training_images_answer_no_row(tmp_path: Path) -> None:
    found = plan(tmp_path, *PAPER_CELLS)
    assert answered(found)
    suite = override(found.suite, ["train=val2017"])
    assert answered(make_plan(suite, Store(tmp_path))) == []


def test_a_value_with_commas_is_selected_as_it_is_printed(tmp_path: Path) -> None:
    change = ("[64x64]", "[64x64]\n    milestones: [[1], [2, 3]]")
    assert {one.spec.milestones for one in plan(tmp_path, change, only=("milestones=(2, 3)",)).trainings} == {(2, 3)}
    with pytest.raises(SuiteError, match=r"has no value '\(4'; valid: \(1,\); \(2, 3\)"):
        plan(tmp_path, change, only=("milestones=(4, 5)",))
