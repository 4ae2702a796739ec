"""The results frame: its columns and types, and that a printed table is a few lines of pandas away from it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bench as results_api
from bench.analysis.frame import results_frame
from bench.analysis.rows import ablated_settings, summarize_rows
from bench.files import StoreError
from bench.paper.published import published_rows
from bench.planning.plan import Plan, PlannedEvaluation, PlannedTraining, make_plan
from bench.pose.errors import DataError
from bench.pose.metrics.oks_per_instance import OksPerInstance
from bench.pose.metrics.pckh_per_instance import PckhPerInstance
from bench.pose.metrics.per_instance import save_per_instance
from bench.simulation.simulated_records import simulate
from bench.simulation.simulated_scores import Chance
from bench.suite.schema import load_suite
from tests.reports import COCO, SYNTHETIC, Bench, coco_scores, csv_rows

ROOT = Path(__file__).parents[3]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Simulated records of suites/coco_val.yaml, without their per-instance results, which take long to resample."""
    made = Bench(tmp_path_factory.mktemp("simulated"))
    simulate([_coco_val(made)], made.store, Chance(0, 0.2), "simulate")
    for file in made.store.root.glob("evaluations/*/per_instance.npz"):
        file.unlink()
    return made


def _coco_val(bench: Bench) -> Plan:
    return make_plan(load_suite(ROOT / "suites/coco_val.yaml"), bench.store)


def test_pandas_recomputes_a_whole_printed_table(simulated: Bench) -> None:
    (table,) = simulated.make(_coco_val(simulated)).tables
    printed = pd.DataFrame(csv_rows(simulated.render(_coco_val(simulated))[f"{table.id}.csv"])).query("records != ''")

    frame = results_api.load_results(simulated.store.root, ROOT / "suites/coco_val.yaml")
    ours = frame.set_index("published_row").loc[printed["published_row"]]
    assert len(ours) == 45
    compared = []
    for metric in load_suite(ROOT / "suites/coco_val.yaml").tables[0].metrics:
        paper = ours[f"published_{metric}"]
        columns = {"": ours[metric], "_published": paper, "_difference": ours[metric] - paper}
        for suffix, values in columns.items():
            if f"{metric}{suffix}" in printed:
                compared.append(f"{metric}{suffix}")
                found = pd.to_numeric(printed[compared[-1]]).to_numpy()
                np.testing.assert_allclose(found, values.to_numpy(), atol=1e-6, err_msg=compared[-1])
    assert {"AP", "AP_published", "AP_difference"} <= set(compared)
    assert pd.to_numeric(printed["params"]).tolist() == ours["params"].tolist()
    np.testing.assert_allclose(pd.to_numeric(printed["params_published"]), ours["published_params_m"])


def test_columns_have_types(bench: Bench) -> None:
    bench.fill(SYNTHETIC, lambda training, _: None if training.spec.seed else {"AP": 0.5, "AR": -1.0})
    planned = results_api.load_results(bench.store.root, bench.folder / "suite.yaml")
    stored = results_api.load_results(bench.store.root)
    for frame in (planned, stored):
        types = {name: str(dtype) for name, dtype in frame.dtypes.items()}
        expected = {
            "row": "str", "state": "str", "seed": "int64", "input_size": "str", "split_ratio": "float64",
            "sigma": "float64", "weights": "str", "milestones": "str", "epochs": "int64",
            "flip_test": "bool", "post_process": "str",
            "AP": "float64", "published_AP": "float64", "baseline_AP": "float64", "params": "int64",
            "instances": "Int64", "distinct_instances": "Int64", "instances_seen": "Int64",
            "images": "Int64", "training_images_left_out": "Int64", "nobody_to_judge": "str",
            "simulated": "bool", "dirty": "boolean", "started": "float64", "torch": "str",
        }  # fmt: skip
        assert {name: types[name] for name in expected} == expected
        assert "object" not in types.values()
    assert list(planned.columns) == list(stored.columns)
    assert planned["AR"].isna().all(), "pycocotools' -1 stands for nobody"
    assert stored["nobody_to_judge"].unique().tolist() == ["AR"]
    assert set(planned["nobody_to_judge"]) == {"", "AR"}
    assert stored["images"].isna().all(), "records that do not say it are read"
    assert planned["state"].value_counts().to_dict() == {"done": 7, "missing": 14}
    assert set(stored["state"]) == {"done"}
    assert stored["evaluation"].is_monotonic_increasing


LENGTHS = SYNTHETIC.replace("seed: [0, 1, 2]", "seed: [0]\n    train_subset: [null, 7]\n    epochs: [3, 20]").replace(
    "simba_tiny, simba_res50", "simba_tiny"
)


def lengths(bench: Bench) -> pd.DataFrame:
    frame = results_api.load_results(bench.store.root, bench.folder / "suite.yaml")
    return frame[["train_subset", "epochs", "distinct_instances", "instances_seen"]].drop_duplicates()


def test_instances_seen_are_as_counted_or_what_the_settings_tell(bench: Bench) -> None:
    bench.fill(LENGTHS, lambda training, _: {"AP": 0.5} if training.spec.epochs == 3 else None)
    expected = {(None, 3): (30, 90), (None, 20): (None, None), (7, 3): (30, 90), (7, 20): (7, 140)}
    for subset, epochs, distinct, seen in lengths(bench).astype(object).itertuples(index=False):
        key = None if pd.isna(subset) else subset, epochs
        assert tuple(None if pd.isna(value) else value for value in (distinct, seen)) == expected[key]


def test_simulated_trainings_have_the_lengths_that_they_state(bench: Bench) -> None:
    simulate([bench.plan(LENGTHS.replace("null, 7", "5, 7"))], bench.store, Chance(0, 0.2), "simulate")
    found = lengths(bench)
    assert len(found) == 4
    assert (found["distinct_instances"] == found["train_subset"]).all()
    assert (found["instances_seen"] == found["train_subset"] * found["epochs"]).all()


def test_given_weights_have_seen_nothing(bench: Bench) -> None:
    frame = results_api.load_results(bench.store.root, ROOT / "suites/ci.yaml").query("epochs == 0")
    assert len(frame)
    assert set(frame["distinct_instances"]) == set(frame["instances_seen"]) == {0}


def test_rows_differ_in_the_seed_alone(bench: Bench) -> None:
    def scores(training: PlannedTraining, _: PlannedEvaluation) -> Mapping[str, float]:
        return {"AP": 0.5 + 0.01 * training.spec.seed}

    plan = bench.fill(SYNTHETIC, scores)
    frame, problems = results_frame(plan, bench.store)
    assert problems == ()
    assert set(frame.groupby("row").size()) == {3}
    assert set(frame.groupby("training_kind").size()) == {3, 6}, "heatmaps are measured in two ways"
    assert list(frame["backbone"].unique()) == ["simba_tiny", "simba_res50"]
    rows = summarize_rows(frame, "AP", {frame["row"][0]: (0.4, 0.6), frame["row"][3]: None})
    assert rows["mean"].tolist() == pytest.approx([0.51] * 7)
    assert rows["std"].tolist() == pytest.approx([0.01] * 7)
    assert rows[["seeds", "planned", "done"]].drop_duplicates().to_numpy().tolist() == [[3, 3, 3]]
    assert rows["low"].tolist() == pytest.approx([0.4] + 6 * [float("nan")], nan_ok=True)
    assert list(rows["method"][:4]) == ["heatmap + quarter shift", "heatmap", "SimDR", "SimDR*"]
    assert "seed" not in rows
    assert ablated_settings(frame) == ()


@pytest.mark.parametrize(("condition", "told"), [("epochs: 3", False), ("train_subset: 7", True)])
def test_a_schedule_is_told_where_it_does_not_follow_from_the_epochs(bench: Bench, condition: str, told: bool) -> None:
    rules = f"  set: [{{milestones: [1]}}, {{when: {{{condition}}}, milestones: [2]}}]"
    frame, _ = results_frame(bench.plan(LENGTHS.replace("  exclude:", f"{rules}\n  exclude:")), bench.store)
    assert ablated_settings(frame) == ("train_subset", "epochs", *(["milestones"] if told else []))


def test_folders_and_records_that_cannot_be_read_are_named(bench: Bench) -> None:
    with pytest.raises(StoreError, match="there is no such results folder"):
        results_api.load_results(bench.folder / "nowhere")
    plan = bench.fill(COCO, coco_scores)
    bench.store.evaluation(plan.trainings[0].evaluations[0].spec.id).record_file.write_text("{")
    with pytest.raises(StoreError, match="is not valid JSON"):
        results_api.load_results(bench.store.root, bench.folder / "suite.yaml")


def test_curves(bench: Bench) -> None:
    assert results_api.load_epochs(bench.store.root).empty
    plan = bench.fill(COCO, coco_scores)
    curves = results_api.load_epochs(bench.store.root)
    assert set(curves["training"]) == {training.spec.id for training in plan.trainings}
    assert curves.groupby("training")["epoch"].apply(list).tolist() == [[1, 2, 3]] * 2
    assert str(curves["validation"].dtype) == "float64"


def test_keypoints_of_simulated_records(simulated: Bench) -> None:
    keypoints = results_api.load_keypoints(simulated.store.root)
    assert set(keypoints.groupby("evaluation").size()) == {17}
    assert set(keypoints["measure"]) == {"AP"}


def test_thresholds_and_errors_of_simulated_records(simulated: Bench) -> None:
    thresholds = results_api.load_thresholds(simulated.store.root)
    assert list(thresholds.columns) == ["evaluation", "threshold", "measure", "value"]
    assert str(thresholds["threshold"].dtype) == "float64"
    assert thresholds["threshold"].between(0.5, 0.95).all()
    errors = results_api.load_errors(simulated.store.root)
    assert set(errors["kind"]) == {"good", "jitter", "inversion", "swap", "miss"}
    assert errors.groupby("evaluation")["value"].sum().to_list() == pytest.approx([1] * errors["evaluation"].nunique())


def test_per_instance_results_of_oks(bench: Bench) -> None:
    nothing = np.zeros((3, 10, 0), bool)
    found = OksPerInstance(
        "coco", np.array([7, 9]), np.zeros(0, int), nothing, nothing, np.ones((3, 2), int), np.array([0.5, 0.25, 1.0]),
        np.array([0, 1, 1]), np.zeros((0, 2), bool),
    )  # fmt: skip
    file = bench.store.evaluation("0123456789ab").per_instance
    with pytest.raises(DataError, match="no such file"):
        results_api.load_per_instance(bench.store.root, "0123456789ab")
    file.parent.mkdir(parents=True)
    file.write_bytes(save_per_instance(found))
    frame = results_api.load_per_instance(bench.store.root, "0123456789ab")
    assert frame.to_dict("list") == {"image": [7, 9, 9], "oks": [0.5, 0.25, 1.0]}


def test_per_instance_results_of_pckh(bench: Bench) -> None:
    visible = np.zeros((2, 16), bool)
    visible[0, 0] = visible[1, 9] = True
    distances = np.where(visible, 0.25, 0.0)
    distances[1] = np.nan
    file = bench.store.evaluation("0123456789ab").per_instance
    file.parent.mkdir(parents=True)
    file.write_bytes(save_per_instance(PckhPerInstance(distances, visible)))
    frame = results_api.load_per_instance(bench.store.root, "0123456789ab")
    assert frame["instance"].tolist() == [0, 1]
    assert frame["keypoint"].tolist() == ["right_ankle", "head_top"]
    assert frame["distance"].tolist() == pytest.approx([0.25, float("nan")], nan_ok=True)


def test_the_notebook_runs(simulated: Bench) -> None:
    figure = simulated.folder / "figure.png"
    command = [
        sys.executable,
        ROOT / "examples/notebook.py",
        ROOT / "suites/coco_val.yaml",
        simulated.store.root,
        figure,
    ]
    done = subprocess.run(
        list(map(str, [*command, figure])), capture_output=True, text=True, check=False, timeout=120,
        env=os.environ | {"MPLBACKEND": "agg", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first = next(row for row in published_rows() if row.table == "coco_val")
    assert f"{100 * first.metrics['AP']:.1f}" in done.stdout
    assert figure.stat().st_size > 10_000


def test_planning_imports_no_pandas() -> None:
    code = "import sys, bench, bench.planning.plan, bench.planning.status; print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"
