"""What differs between two cells, and in which order it is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.compare.diff import CellComparison, compare_cells
from bench.files import StoreError, write_json
from bench.paper.effects import known_effects, published_effect
from bench.planning.plan import make_plan
from bench.pose.codecs.representation import codec_kinds
from bench.pose.data.datasets import DATASETS
from bench.store.documents import Record, TrainingRecord
from bench.store.folders import Store
from bench.store.provenance import Provenance
from bench.suite.specs import EvalSpec, TrainSpec, evaluation_key
from tests.unit.suites import example_evaluation, example_training, load

PROVENANCE = Provenance(
    commit="c0ffee",
    dirty=False,
    versions={"torch": "2.13.0", "numpy": "2.4.6"},
    hardware={"processor": "one"},
    files={"person_keypoints_val2017.json": "aa"},
    seed=0,
    command="bench run",
    started=0.0,
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


def put(
    store: Store, training: TrainSpec, evaluation: EvalSpec, metrics: dict[str, float | None], **provenance: Any
) -> str:
    """Store a finished training with an evaluation of it; returns the evaluation's id."""
    evaluation = evaluation.model_copy(update={"training": training.id})
    origin = PROVENANCE.model_copy(update=provenance)
    trained = TrainingRecord(
        id=training.id, spec=training, params=1, history=[], seconds=1.0, weights_sha256="", problems=[],
        provenance=origin,
    )  # fmt: skip
    record = Record(
        id=evaluation.id, spec=evaluation, training=training, metrics=metrics, baseline={}, instances=1, seconds=1.0,
        problems=[], provenance=origin,
    )  # fmt: skip
    for folder, spec, document in (
        (store.training(training.id), training, trained),
        (store.evaluation(evaluation.id), evaluation, record),
    ):
        folder.save_spec(spec)
        write_json(folder.record_file, document.model_dump(mode="json"))
    return evaluation.id


def rows(found: CellComparison) -> list[tuple[tuple[str, ...], tuple[float, float] | None]]:
    return [(difference.settings, difference.effect.points) for difference in found.differences]


def test_known_effects_come_first_and_the_largest_at_the_top(tmp_path: Path, store: Store) -> None:
    one, way = example_training(tmp_path), example_evaluation(tmp_path)
    other = TrainSpec.model_validate(
        one.model_dump() | {"initialization": "kaiming", "milestone_timing": "exact", "half_body_min_keypoints": 3}
    )
    first = put(store, one, way, {"AP": 0.4, "AR": 0.5})
    second = put(store, other, way.model_copy(update={"boxes": "detector"}), {"AP": 0.3, "AR2": 0.5}, commit="bad")
    found = compare_cells(store, first, second)
    assert rows(found) == [
        (("initialization",), (-5.4, -5.4)),
        (("boxes",), (-2, -2)),
        (("milestone_timing",), None),
        (("half_body_min_keypoints",), None),
        (("code",), None),
    ]
    assert [difference.effect.matters for difference in found.differences] == [False, False, True, False, False]
    assert found.metrics == {"AP": (0.4, 0.3)}
    assert found.same_data

    backwards = compare_cells(store, second, first)
    assert rows(backwards)[:2] == [(("initialization",), (5.4, 5.4)), (("boxes",), (2, 2))]
    assert backwards.differences[0].before == {"initialization": "kaiming"}


def test_a_cell_does_not_differ_from_itself(tmp_path: Path, store: Store) -> None:
    id_ = put(store, example_training(tmp_path), example_evaluation(tmp_path), {"AP": 0.4})
    assert compare_cells(store, id_, id_[:6]).differences == ()


def test_published_rows_tell_what_a_method_a_network_and_a_size_do(tmp_path: Path, store: Store) -> None:
    plan = make_plan(
        load(
            tmp_path, ("[simba_res50]", "[simba_res50, hrnet_w32]"), ("[64x64]", "[64x64, 128x128]"),
            ("    - {epochs: 5}", "    - {seed: 0}"),
            ("    - {when: {backbone: hrnet_w48}, because: too big}", "    []"),
            ("{boxes: gt, when: {representation: heatmap}}", "{when: {representation: heatmap}}"),
            ("{boxes: gt, when: {representation: simdr}}", "{when: {representation: simdr}}"),
        ),
        store,
    )  # fmt: skip
    ids = {
        (item.spec.backbone, item.spec.representation, str(item.spec.input_size)): put(
            store, item.spec, item.evaluations[0].spec, {"AP": 0.5}
        )
        for item in plan.trainings
    }
    found = compare_cells(store, ids["simba_res50", "heatmap", "64x64"], ids["simba_res50", "simdr", "64x64"])
    method, *others = found.differences
    assert {"representation", "split_ratio", "sigma", "post_process"} < set(method.settings)
    assert method.effect.points == pytest.approx((6.4, 6.4))  # 34.4 and 40.8
    assert method.effect.source == "coco_val/1 and coco_val/3"
    assert not others

    found = compare_cells(store, ids["simba_res50", "simdr", "64x64"], ids["hrnet_w32", "simdr", "128x128"])
    effects = {difference.settings: difference.effect.points for difference in found.differences}
    assert effects["backbone",] == pytest.approx((15.6, 15.6))  # 40.8 and 56.4
    assert effects["input_size",] == pytest.approx((21.8, 21.8))  # 40.8 and 62.6


def test_nothing_is_published_for_unpublished_cells(tmp_path: Path) -> None:
    cell = example_training(tmp_path).model_dump() | {"evaluation_split": "val2017", "post_process": "none"}
    assert published_effect(cell, cell | {"backbone": "simba_res18"}, ["backbone"]) is None
    assert published_effect(cell | {"dataset": "lspet"}, cell | {"backbone": "hrnet_w32"}, ["dataset"]) is None


def test_the_spread_over_seeds_is_the_stores_own(tmp_path: Path, store: Store) -> None:
    one, way = example_training(tmp_path), example_evaluation(tmp_path)
    ids = [
        put(store, TrainSpec.model_validate(one.model_dump() | {"seed": seed}), way, {"AP": 0.40 + 0.01 * seed})
        for seed in range(3)
    ]
    put(store, TrainSpec.model_validate(one.model_dump() | {"epochs": 9}), way, {"AP": 0.9})
    (difference,) = compare_cells(store, ids[0], ids[2]).differences
    assert difference.settings == ("seed",)
    assert difference.effect.points == pytest.approx((-1, 1))
    assert "over 3 seeds" in difference.effect.known


def test_other_data_is_said_first(tmp_path: Path, store: Store) -> None:
    one, way = example_training(tmp_path), example_evaluation(tmp_path)
    other = TrainSpec.model_validate(one.model_dump() | {"initialization": "kaiming", "dataset": "synthetic"})
    found = compare_cells(store, put(store, one, way, {}), put(store, other, way, {}))
    assert found.differences[0].settings == ("dataset",)
    assert not found.same_data


def test_provenance_is_compared_once_and_only_where_both_have_it(tmp_path: Path, store: Store) -> None:
    one, way = example_training(tmp_path), example_evaluation(tmp_path)
    other = TrainSpec.model_validate(one.model_dump() | {"seed": 1})
    first = put(store, one, way, {})
    second = put(
        store, other, way, {}, versions={"torch": "2.14.0", "numpy": "2.4.6"}, dirty=True,
        files={"person_keypoints_val2017.json": "bb", "boxes.json": "cc"},
    )  # fmt: skip
    names = [difference.settings[0] for difference in compare_cells(store, first, second).differences]
    assert sorted(names) == ["code", "file person_keypoints_val2017.json", "seed", "version of torch"]


def test_a_training_and_an_evaluation_are_not_compared(tmp_path: Path, store: Store) -> None:
    evaluation = put(store, example_training(tmp_path), example_evaluation(tmp_path), {})
    training = example_training(tmp_path).id
    assert compare_cells(store, training, training).differences == ()
    with pytest.raises(StoreError, match="a training and an evaluation"):
        compare_cells(store, evaluation, training)


def test_the_list_of_effects_names_settings_that_exist() -> None:
    settings = {*TrainSpec.model_fields, *codec_kinds(), *map(evaluation_key, EvalSpec.model_fields)}
    for entry in known_effects():
        for name in (*entry.settings, *entry.when):
            assert name in settings or name.startswith("version of "), name
        assert entry.points is None or entry.points[0] <= entry.points[1]
        for wanted in (entry.when.get("dataset", []), entry.when.get("representation", [])):
            values = wanted if isinstance(wanted, list) else [wanted]
            assert set(values) <= {*DATASETS, "heatmap", "simdr", "simdr_star"}


def test_conditions_and_directions_of_effects(tmp_path: Path, store: Store) -> None:
    """The shift of the flipped view: nothing at k = 2, unknown at k = 3, two points for heatmaps."""
    way = example_evaluation(tmp_path, flip_shift="reference")
    exact = example_evaluation(tmp_path, flip_shift="exact")
    none = example_evaluation(tmp_path, flip_shift="none")
    simdr = example_training(tmp_path)
    for ratio, points in ((2.0, (0, 0)), (3.0, None)):
        training = TrainSpec.model_validate(simdr.model_dump() | {"codec": {**simdr.codec, "split_ratio": ratio}})
        (found,) = compare_cells(store, put(store, training, way, {}), put(store, training, exact, {})).differences
        assert found.effect.points == points
    heatmap = make_plan(load(tmp_path), store).trainings[0].spec
    (found,) = compare_cells(store, put(store, heatmap, way, {}), put(store, heatmap, none, {})).differences
    assert found.effect.points == (-2, -2)


def test_where_nobody_is_to_be_judged_no_difference_is_taken(tmp_path: Path, store: Store) -> None:
    training = example_training(tmp_path)
    ids = [
        put(store, training.model_copy(update={"seed": seed}), example_evaluation(tmp_path), {"AP": 0.5, "APM": value})
        for seed, value in ((0, None), (1, -1.0), (2, 0.4))
    ]
    assert compare_cells(store, *ids[:2]).metrics["APM"] == (None, None)
    arguments = ["diff", ids[0], ids[2], "--results", str(store.root)]
    line = next(line for line in CliRunner().invoke(app, arguments).output.splitlines() if line.startswith("APM"))
    assert line.split() == ["APM", "nobody", "to", "judge", "0.4000"]
    document = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).output)
    assert document["metrics"]["APM"] == {"a": None, "b": 0.4, "difference": None}
