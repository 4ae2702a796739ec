"""Simulated records: near the published numbers, consistent in themselves, marked, and apart from measured ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.analysis.results import read_results
from bench.analysis.uncertainty import Uncertainty
from bench.analysis.verdicts import judge
from bench.files import StoreError, write_json
from bench.paper.published import published_rows
from bench.planning.forecast.evidence import gather, kind_here
from bench.planning.jobs import LocalOptions
from bench.planning.plan import Plan, PlannedEvaluation, PlannedTraining, make_plan
from bench.planning.simulated import refuse_simulated, simulated_ids
from bench.pose.metrics.oks_per_instance import OksPerInstance
from bench.pose.metrics.per_instance import load_per_instance, save_per_instance
from bench.simulation.simulated_records import Simulated, simulate
from bench.simulation.simulated_scores import Chance, guess
from bench.store.documents import Record
from bench.store.folders import Store
from bench.suite.schema import load_suite
from bench.suite.source import SuiteError
from tests.unit.suites import load

SUITES = Path(__file__).parents[3] / "suites"
PUBLISHED = ("coco_val", "coco_384x288", "coco_test_dev", "mpii", "crowdpose")
QUIET = Chance(state=0, spread=0.0)


def plans(store: Store, *names: str) -> list[Plan]:
    return [make_plan(load_suite(SUITES / f"{name}.yaml"), store) for name in names]


def cells(found: list[Plan]) -> list[tuple[PlannedTraining, PlannedEvaluation]]:
    return [(training, item) for plan in found for training in plan.trainings for item in training.evaluations]


def record_of(store: Store, evaluation: PlannedEvaluation) -> Record:
    record = store.evaluation(evaluation.spec.id).record()
    assert record is not None
    return record


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Every published row, without noise."""
    store = Store(tmp_path_factory.mktemp("simulated"))
    done = simulate(plans(store, *PUBLISHED), store, QUIET, "bench simulate")
    assert len(done.trainings) == 49
    return store


def small(folder: Path, *changes: tuple[str, str]) -> tuple[Plan, Store]:
    store = Store(folder / "results")
    return make_plan(load(folder, *changes), store), store


def test_every_published_row_comes_out(published: Store) -> None:
    compared = 0
    for _, evaluation in cells(plans(published, *PUBLISHED)):
        metrics = record_of(published, evaluation).metrics
        for row in evaluation.published:
            compared += 1
            assert {name: metrics[name] for name in row.metrics} == pytest.approx(row.metrics)
    assert compared == len(published_rows()) == 73


def test_per_image_results_agree_with_records(published: Store) -> None:
    """Closely in the headline metric, roughly in the others."""
    for training, evaluation in cells(plans(published, *PUBLISHED)):
        record = record_of(published, evaluation)
        file = published.evaluation(record.id).per_instance
        if evaluation.spec.split == "test-dev2017":
            assert record.scored_by == "server"
            assert not file.exists()
            assert record.diagnostics is None
            continue
        found = load_per_instance(file).metrics()
        headline, unit = ("Mean", 100) if training.spec.dataset == "mpii" else ("AP", 1)
        assert found[headline] == pytest.approx(record.metrics[headline], abs=0.004 * unit)
        assert found == pytest.approx(record.metrics, abs=0.06 * unit)
        assert record.diagnostics is not None
        curve = record.diagnostics.curve
        middle = curve["0.50"] if unit == 100 else np.mean(list(curve.values()))
        assert middle == pytest.approx(found[headline])
        assert not record.diagnostics.errors or sum(record.diagnostics.errors.values()) == pytest.approx(1)
        assert record.baseline[headline] < record.metrics[headline]
        assert record.metrics[headline] < record.ceiling.get(headline, unit)


def test_cells_of_a_split_are_judged_on_the_same_instances(published: Store) -> None:
    marks: dict[tuple[str, str], set[str]] = {}
    for training, evaluation in cells(plans(published, "coco_val", "mpii", "crowdpose")):
        found = load_per_instance(published.evaluation(evaluation.spec.id).per_instance)
        marks.setdefault((training.spec.dataset, evaluation.spec.split), set()).add(found.fingerprint)
    assert [len(found) for found in marks.values()] == [1, 1, 1]
    assert len(set.union(*marks.values())) == 3


def test_everything_is_marked(published: Store) -> None:
    plan, *_ = plans(published, "mpii")
    for training in plan.trainings:
        trained = published.training(training.spec.id).record()
        assert trained is not None
        assert trained.simulated
        assert trained.seconds == 0
        assert trained.provenance.versions == {}
        assert trained.provenance.hardware == {"simulated": "nothing ran"}
        assert len(trained.history) == training.spec.epochs
        assert trained.history[-1].loss < trained.history[0].loss
        record = record_of(published, training.evaluations[0])
        assert record.simulated
        assert record.instances == 0
        assert trained.history[-1].validation == pytest.approx(record.metrics["Mean"], rel=0.01)
    assert set(simulated_ids(plan, published)) == {part.spec.id for item in plan.trainings for part in item.parts}


def test_equal_states_simulate_equal_records(tmp_path: Path) -> None:
    found = []
    for name, state in (("one", 3), ("two", 3), ("three", 4)):
        plan, store = small(tmp_path, ("[64x64]", "[64x64, 128x128]"))
        store = Store(tmp_path / name)
        simulate([plan], store, Chance(state, 0.5), "")
        metrics = {item.spec.id: record_of(store, item).metrics for _, item in cells([plan])}
        judged = {file.parent.name: file.read_bytes() for file in store.root.glob("evaluations/*/per_instance.npz")}
        found.append((metrics, judged))
    assert found[0] == found[1]
    assert found[0][0] != found[2][0]


def test_luck_spreads_seeds_as_asked(tmp_path: Path) -> None:
    seeds = ", ".join(map(str, range(24)))
    plan, store = small(
        tmp_path, ("[heatmap, simdr]", "[simdr]"), ("input_size: [64x64]", f"input_size: [64x64]\n    seed: [{seeds}]"),
        ("  - {boxes: gt, when: {representation: heatmap}}\n", ""), ("{epochs: 5}", "{flip_probability: 0.4}"),
    )  # fmt: skip
    simulate([plan], store, Chance(0, 2.0), "")
    values = [100 * record_of(store, item).metrics["AP"] for _, item in cells([plan])]
    assert 1.4 < np.std(values, ddof=1) < 2.6
    assert np.mean(values) == pytest.approx(40.8, abs=1.0)


def test_what_is_there_is_kept(tmp_path: Path) -> None:
    plan, store = small(tmp_path)
    first = simulate([plan], store, QUIET, "")
    before = {file: file.read_bytes() for file in store.root.rglob("*") if file.is_file()}
    assert simulate([plan], store, Chance(9, 5.0), "") == Simulated((), (), 4)
    assert len(first.evaluations) == 2
    assert before == {file: file.read_bytes() for file in store.root.rglob("*") if file.is_file()}


@pytest.mark.parametrize("kind", ["training", "evaluation", "lease"])
def test_folders_with_measured_results_are_refused(tmp_path: Path, kind: str) -> None:
    plan, store = small(tmp_path)
    simulate([plan], Store(tmp_path / "made"), QUIET, "")
    id_ = plan.trainings[0].spec.id
    if kind == "lease":
        with store.training("0" * 12).lease():
            pass
    else:
        file = "training.json" if kind == "training" else "record.json"
        source = next((tmp_path / "made" / f"{kind}s").glob(f"*/{file}"))
        contents = json.loads(source.read_text()) | {"simulated": False}
        write_json(store.root / f"{kind}s" / source.parent.name / file, contents)
    before = sorted(store.root.rglob("*"))
    with pytest.raises(StoreError, match="holds measured results"):
        simulate([plan], store, QUIET, "")
    assert sorted(store.root.rglob("*")) == before, id_


def test_nothing_is_measured_among_simulated_results(tmp_path: Path) -> None:
    plan, store = small(tmp_path)
    refuse_simulated(store)
    simulate([plan], store, QUIET, "")
    with pytest.raises(StoreError, match="holds simulated results"):
        refuse_simulated(store)


def test_forecasts_learn_nothing_from_simulations(tmp_path: Path) -> None:
    plan, store = small(tmp_path)
    kind = kind_here(LocalOptions())
    before = gather(store, kind).instances.count("coco", "val2017")
    simulate([plan], store, QUIET, "")
    found = gather(store, kind)
    assert found.prices is None
    assert found.instances.count("coco", "val2017") == before


def test_guesses_are_the_most_alike_published_row(tmp_path: Path) -> None:
    plan, _ = small(
        tmp_path, ("[simba_res50]", "[simba_tiny, hrnet_w32]"), ("[64x64]", "[64x64, 256x192]"),
        ("[heatmap, simdr]", "[simdr]"), ("    - {when: {backbone: hrnet_w48}, because: too big}", "    []"),
        ("  - {boxes: gt, when: {representation: heatmap}}\n", ""),
    )  # fmt: skip
    guessed = [guess(training.spec, training.evaluations[0].spec) for training in plan.trainings]
    low, high = (row.metrics for row in published_rows() if row.id in ("coco_val/30", "coco_val/36"))
    assert guessed[2:] == [low, high]
    assert guessed[0]["AP"] < guessed[1]["AP"]


PCK = """\
tables: [{id: results, metrics: [AP, PCK@0.2, PCK@0.1]}]
claims: [{id: gain, says: SimDR is exact, that: "PCK@0.1[simdr] - PCK@0.1[heatmap] > -1"}]
"""


def test_pck_has_intervals_and_claims_and_may_be_absent(tmp_path: Path) -> None:
    """A record of an earlier version, which has no PCK, is read; what needs it is not measured."""
    plan, store = small(tmp_path, ("tables:\n  - {id: results, compare: published/coco_val}\n", PCK))
    simulate([plan], store, QUIET, "")
    results = read_results(plan, store)
    uncertainty = Uncertainty(results.frame, store)
    for row, lower, upper in zip(results.frame["row"], results.frame["PCK@0.1"], results.frame["PCK@0.2"], strict=True):
        assert 0 < lower < upper < 1
        estimate = uncertainty.of(row, "PCK@0.2")
        assert estimate is not None
        interval = estimate.interval()
        assert interval is not None
        assert interval[0] < upper < interval[1]
    assert [verdict.verdict for verdict in judge(results, uncertainty)] == ["reproduced"]

    folder = store.evaluation(results.frame["evaluation"].iloc[0])
    document = json.loads(folder.record_file.read_text())
    document["metrics"] = {name: value for name, value in document["metrics"].items() if "PCK" not in name}
    write_json(folder.record_file, document)
    judged = load_per_instance(folder.per_instance)
    assert isinstance(judged, OksPerInstance)
    folder.per_instance.write_bytes(save_per_instance(replace(judged, pck=None)))
    results = read_results(plan, store)
    assert results.frame["PCK@0.2"].isna().tolist() == [True, False]
    (verdict,) = judge(results, Uncertainty(results.frame, store))
    assert verdict.verdict == "not measured"
    missing = verdict.cases[0].missing or {}
    assert {str(term): why for term, why in missing.items()} == {"PCK@0.1[heatmap]": "the records hold no PCK@0.1"}


def test_a_skeleton_without_a_torso_has_no_pck(tmp_path: Path) -> None:
    example = (Path(__file__).parents[3] / "examples/own_data.yaml").read_text(encoding="utf-8")
    file, store = tmp_path / "own.yaml", Store(tmp_path / "results")
    file.write_text(example, encoding="utf-8")
    plan = make_plan(load_suite(file), store)
    simulate([plan], store, QUIET, "")
    frame = read_results(plan, store).frame
    assert "mean_oks" in frame
    assert not [name for name in frame if "PCK" in name]
    for old, new in (
        ("AP75", "PCK@0.2"),
        ("tables:", "claims: [{id: a, says: b, that: 'PCK@0.1[simdr] > 0'}]\ntables:"),
    ):
        file.write_text(example.replace(old, new), encoding="utf-8")
        with pytest.raises(SuiteError, match=r"unknown metric 'PCK@0\.[12]'.*valid: AP, AP50, .*, mean_oks"):
            load_suite(file)
