"""Forecasts: known answers, bounds that hold, totals that do not pretend, budgets that are kept."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.planning.forecast.evidence import Calibration, CalibrationPoint, HardwareKind, calibration_file, gather
from bench.planning.forecast.forecast import BudgetError, Forecast, Unknown, affordable, forecast, total
from bench.planning.forecast.prices import PRIOR_FREEDOM, REPEAT_SPREAD, Observation, Prices, Rates, TimeEstimate
from bench.planning.forecast.work import (
    KINDS,
    MEGAPIXELS,
    SplitSizes,
    UnknownTimeError,
    forward_work,
    training_item,
    training_work,
)
from bench.planning.plan import Plan, PlannedTraining, make_plan
from bench.planning.predicted_complexity import predict
from bench.pose.data.synthetic import SyntheticSet
from bench.store.documents import EpochEntry, Record, TrainingRecord
from bench.store.folders import Store
from bench.store.provenance import Provenance
from tests.unit.suites import example_training, load

HARDWARE: dict[str, str | int] = {"processor": "Abacus", "threads": 2, "workers": 0, "device": "cpu"}
KIND = HardwareKind.of(HARDWARE)
PRICES = np.array([2e-3, 5e-3, 4e-2, 2e-1, 5e-2])
"""Made-up seconds per unit of each kind of work."""

NETWORKS = [
    ("simba_tiny", "heatmap", "64x64", 32),
    ("simba_tiny", "heatmap", "128x128", 8),
    ("simba_res50", "simdr", "64x64", 8),
    ("simba_res50", "heatmap", "128x128", 16),
    ("hrnet_w32", "simdr", "64x64", 4),
    ("hrnet_w32", "heatmap", "256x192", 8),
    ("tokenpose_s", "simdr", "256x192", 16),
]


def provenance(**hardware: Any) -> Provenance:
    return Provenance(
        commit=None, dirty=None, versions={}, hardware=HARDWARE | hardware, files={}, seed=0, command="", started=0.0
    )


def point(network: tuple[str, str, str, int], phase: Any, megapixels: float) -> CalibrationPoint:
    """A point that takes exactly what `PRICES` say."""
    backbone, representation, input_size, batch_size = network
    ratio = 2.0 if representation == "simdr" else None
    made = CalibrationPoint(
        phase=phase, backbone=backbone, representation=representation, input_size=input_size, split_ratio=ratio,
        batch_size=batch_size, megapixels=megapixels, instances=960, seconds=1,
    )  # fmt: skip
    return made.model_copy(update={"seconds": float(made.observation.work @ PRICES)})


def points() -> list[CalibrationPoint]:
    pairs = [("training", "evaluation"), ("evaluation", "training")]
    return [
        point(network, phase, megapixels)
        for number, network in enumerate(NETWORKS)
        for phase, megapixels in zip(pairs[number % 2], (0.03, 0.3), strict=True)
    ]


def calibrated(store: Store) -> None:
    calibration = Calibration(points=points(), seconds=60, provenance=provenance())
    file = calibration_file(store.root, KIND)
    file.parent.mkdir(parents=True)
    file.write_text(calibration.model_dump_json())


def record_training(store: Store, training: PlannedTraining, seconds: float, instances: int, **hardware: Any) -> None:
    spec = training.spec
    history = [EpochEntry(epoch=0, loss=1.0, learning_rate=1.0, instances=instances)]
    record = TrainingRecord(
        id=spec.id, spec=spec, params=1, history=history, seconds=seconds, weights_sha256="", problems=[],
        provenance=provenance(**hardware),
    )  # fmt: skip
    folder = store.training(spec.id)
    folder.path.mkdir(parents=True)
    folder.record_file.write_text(record.model_dump_json())


def record_evaluations(store: Store, training: PlannedTraining, seconds: float) -> None:
    for way in training.evaluations:
        record = Record(
            id=way.spec.id, spec=way.spec, training=training.spec, metrics={"AP": 0.5}, baseline={}, instances=6352,
            seconds=seconds, problems=[], provenance=provenance(),
        )  # fmt: skip
        folder = store.evaluation(way.spec.id)
        folder.path.mkdir(parents=True)
        folder.record_file.write_text(record.model_dump_json())


SEEDS = ("    - {epochs: 5}", "    - {epochs: 5}\n    - {when: {seed: 2}, epochs: 10}")


def planned(folder: Path, store: Store, *changes: tuple[str, str]) -> Plan:
    return make_plan(load(folder, ("[64x64]", "[64x64]\n    seed: [0, 1, 2]"), SEEDS, *changes), store)


def hours(found: Forecast | Unknown) -> float:
    assert isinstance(found, Forecast)
    return found.hours


def test_synthetic_images_have_the_size_that_is_assumed() -> None:
    height, width = SyntheticSet(instances=1, seed=0).image_size
    assert MEGAPIXELS["synthetic"] == pytest.approx(height * width / 1e6)


def test_instances_come_from_the_name_or_from_what_is_published() -> None:
    instances = SplitSizes()
    assert instances.count("synthetic", "train3000") == 3000
    assert instances.count("coco", "train2017") == 149_813
    assert instances.count("coco", "val2017", "detector") == 104_125
    with pytest.raises(UnknownTimeError, match="annotated instances of lspet train"):
        instances.count("lspet", "train")


def test_work_is_counted(tmp_path: Path) -> None:
    cost = predict("simba_res50", "simdr", keypoints=17, input_size=(64, 64), split_ratio=2.0)
    work = training_work(cost, instances=100, epochs=3, batch_size=32, megapixels=0.5)
    giga = [12 * cost.params / 1e9, 300 * cost.multiply_adds / 1e9]
    assert work.tolist() == pytest.approx([300, 150, *giga, 0])
    work = forward_work(cost, instances=10, passes=2, megapixels=0.5)
    assert work.tolist() == pytest.approx([10, 5, 0, 0, 20 * cost.multiply_adds / 1e9])

    blind = example_training(tmp_path, selection="final", selection_split=None)
    task, watched = training_item(blind, SplitSizes()), training_item(example_training(tmp_path), SplitSizes())
    assert isinstance(task.work, np.ndarray)
    assert isinstance(watched.work, np.ndarray)
    extra = dict(zip(KINDS, (watched.work - task.work) / (6352 * 5), strict=True))
    assert (extra["crops"], extra["training"]) == (1, 0), "each of five epochs is validated"


def test_prices_are_found_again() -> None:
    prices = Prices([item.observation for item in points()])
    assert prices.values == pytest.approx(PRICES)
    work = np.array([1000, 300, 1, 50, 20])
    estimate = prices.estimate("simba_res50", work)
    assert estimate.seconds == pytest.approx(work @ PRICES)
    low, high = estimate.bounds
    assert low < estimate.seconds < high
    assert low * high == pytest.approx(estimate.seconds**2)


def test_a_network_that_is_slower_than_its_work_is_so_at_other_sizes_too() -> None:
    observations = [
        Observation(item.network, item.work, item.seconds * (1.5 if item.network == "hrnet_w32" else 1.0))
        for item in (point.observation for point in points())
    ]
    prices = Prices(observations)
    work = point(("hrnet_w32", "simdr", "128x128", 8), "training", 0.3).observation.work
    fast, slow = (prices.estimate(network, work).seconds for network in ("simba_res50", "hrnet_w32"))
    assert slow / fast == pytest.approx(1.5, rel=0.15)


def test_too_few_observations_are_refused() -> None:
    observations = [item.observation for item in points()]
    assert Prices.sufficient(observations)
    assert not Prices.sufficient(observations[:5])
    assert not Prices.sufficient([point(NETWORKS[0], "training", 0.3).observation] * 9), "one work, nine times"


def test_bounds_of_one_repeated_run_are_those_of_student_s_t() -> None:
    estimate = Rates([("same", 2.0)]).estimate("same", 50, "next")
    assert estimate.seconds == pytest.approx(100)
    factor = math.exp(2.3533634 * REPEAT_SPREAD * math.sqrt(2))  # 95 % quantile of 3 degrees of freedom
    assert estimate.freedom == PRIOR_FREEDOM == 3
    assert estimate.bounds == pytest.approx((100 / factor, 100 * factor))


def test_causes_that_are_shared_do_not_average_out() -> None:
    def spread(estimates: Sequence[TimeEstimate]) -> float:
        summed = sum(estimates, TimeEstimate())
        return math.hypot(*summed.errors.values()) / summed.seconds

    shared = [TimeEstimate(10.0, {"price": 1.0}, 5) for _ in range(100)]
    lucky = [TimeEstimate(10.0, {("run", number): 1.0}, 5) for number in range(100)]
    assert spread(shared) == pytest.approx(0.1)
    assert spread(lucky) == pytest.approx(0.01)
    assert TimeEstimate().bounds == (0.0, 0.0)


@pytest.mark.parametrize(("deviation", "runs"), [(0.05, 1), (0.1, 1), (0.1, 5), (0.3, 12)])
def test_bounds_of_repeated_work_hold(deviation: float, runs: int) -> None:
    """A spread like the assumed one, or one that the records show."""
    random = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        measured = np.exp(random.normal(0, deviation, runs + 1))
        low, high = Rates(("same", float(value)) for value in measured[:-1]).estimate("same", 1, "next").bounds
        held += low < measured[-1] < high
    assert held / 400 >= 0.87


@pytest.mark.parametrize("known", [True, False])
def test_bounds_by_calibration_hold(known: bool) -> None:
    """Of single trainings and of totals, with networks that are off by factors and measurements that scatter."""
    random = np.random.default_rng(1)
    base = [item.observation for item in points()]
    names = sorted({item.network for item in base})
    asked = [point(network, "training", 0.3).observation for network in NETWORKS[2:6]]
    held, together, rounds = 0, 0, 200
    for _ in range(rounds):
        factors = dict(zip([*names, "new"], np.exp(random.normal(0, 0.15, len(names) + 1)), strict=True))
        noise = np.exp(random.normal(0, 0.05, len(base)))
        noisy = [
            Observation(item.network, item.work, item.seconds * factors[item.network] * error)
            for item, error in zip(base, noise, strict=True)
        ]
        prices, estimates, truths = Prices(noisy), [], []
        for item in asked:
            network = item.network if known else "new"
            estimates.append(prices.estimate(network, item.work))
            truths.append(item.seconds * factors[network] * math.exp(random.normal(0, 0.05)))
        held += sum(e.bounds[0] < truth < e.bounds[1] for e, truth in zip(estimates, truths, strict=True))
        low, high = sum(estimates, TimeEstimate()).bounds
        together += low < sum(truths) < high
    assert held / rounds / len(asked) >= 0.87
    assert together / rounds >= 0.87


def test_measured_work_is_forecast_exactly(tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    before = planned(tmp_path, store)
    first = next(item for item in before.trainings if item.spec.representation == "simdr")
    record_training(store, first, seconds=3600.0, instances=149_813)
    record_evaluations(store, first, seconds=360.0)

    evidence = gather(store, KIND)
    plan = planned(tmp_path, store)
    _, again, longer = (item for item in plan.trainings if item.spec.representation == "simdr")
    found = forecast(again, evidence)
    assert isinstance(found, Forecast)
    assert (found.source, found.hours) == ("measured", pytest.approx(1.1))
    assert hours(forecast(longer, evidence)) == pytest.approx(2.1), "twice the epochs, as many evaluations"
    heatmap = next(item for item in plan.trainings if item.spec.representation == "heatmap")
    assert isinstance(forecast(heatmap, evidence), Unknown)
    assert isinstance(forecast(again, gather(store, HardwareKind.of(HARDWARE | {"threads": 8}))), Unknown), (
        "other hardware"
    )


def test_variants_say_nothing_about_how_long_a_network_takes(tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    first = planned(tmp_path, store).trainings[0]
    record_training(store, first, seconds=3600.0, instances=149_813)
    record_evaluations(store, first, seconds=360.0)
    for way in first.evaluations:
        file = store.evaluation(way.spec.id).record_file
        file.write_text(file.read_text().replace('"outputs_of":null', '"outputs_of":"0123456789ab"'))
    evidence = gather(store, KIND)
    assert evidence.rates
    assert isinstance(forecast(planned(tmp_path, store).trainings[1], evidence), Unknown)


def test_what_is_finished_costs_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    first = planned(tmp_path, store).trainings[0]
    record_training(store, first, seconds=3600.0, instances=149_813)
    record_evaluations(store, first, seconds=360.0)
    done, other = planned(tmp_path, store).trainings[:2]
    assert hours(forecast(done, gather(store, KIND))) == 0
    store.evaluation(done.evaluations[0].spec.id).record_file.unlink()
    assert isinstance(forecast(planned(tmp_path, store).trainings[0], gather(store, KIND)), Unknown)
    assert other.state == "missing"


def test_calibration_forecasts_the_rest(tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    calibrated(store)
    evidence = gather(store, KIND)
    for training in planned(tmp_path, store).trainings:
        found = forecast(training, evidence)
        assert isinstance(found, Forecast)
        spec, cost = training.spec, training.complexity
        crops = 149_813 * spec.epochs
        steps = math.ceil(149_813 / spec.batch_size) * spec.epochs
        predicted = 6352 * (spec.epochs + len(training.evaluations))
        seconds = (
            (crops + predicted) * (PRICES[0] + MEGAPIXELS["coco"] * PRICES[1])
            + steps * cost.params / 1e9 * PRICES[2]
            + crops * cost.multiply_adds / 1e9 * PRICES[3]
            + 2 * predicted * cost.multiply_adds / 1e9 * PRICES[4]
        )
        assert (found.source, found.hours) == ("calibration", pytest.approx(seconds / 3600))
    assert isinstance(forecast(training, gather(store, HardwareKind.of(HARDWARE | {"device": "cuda:0"}))), Unknown)


def test_what_is_unknown_is_said(tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    calibrated(store)
    evidence = gather(store, KIND)
    for change, reason in [
        (("train: train2017", "train: train2014"), "the number of annotated instances of coco train2014 is unknown"),
        (("eval: val2017", "eval: minival"), "the number of annotated instances of coco minival is unknown"),
        (
            ("    - {epochs: 5}", "    - {epochs: 5, world_size: 2}"),
            "the time of a training with 2 processes was never measured",
        ),
    ]:
        (first, *_) = make_plan(load(tmp_path, change), store).trainings
        assert forecast(first, evidence) == Unknown(reason)
    (first, *_) = planned(tmp_path, store).trainings
    never = "such work was never measured on this hardware"
    assert forecast(first, gather(Store(tmp_path / "nothing"), KIND)) == Unknown(never)
    elsewhere = Store(tmp_path / "elsewhere")
    record_training(elsewhere, first, 60.0, 100, threads=1)
    found = forecast(first, gather(elsewhere, KIND))
    assert found == Unknown(f"{never} (work with --threads 1 --workers {KIND.workers} was)")


def test_broken_records_do_not_stop_a_plan(tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    for file in (store.training("a").record_file, store.evaluation("b").record_file):
        file.parent.mkdir(parents=True)
        file.write_text("{")
    assert gather(store, KIND).prices is None


def test_long_records_sharpen_prices(tmp_path: Path) -> None:
    """A record of HRNet that took three times what its work costs makes its other sizes dearer."""
    store = Store(tmp_path / "results")
    calibrated(store)
    change = ("[simba_res50]", "[hrnet_w32]")
    small = make_plan(load(tmp_path, change), store).trainings[-1]
    large = make_plan(load(tmp_path, change, ("[64x64]", "[128x128]")), store).trainings[-1]
    evidence = gather(store, KIND)
    before = hours(forecast(large, evidence))
    record_training(store, small, 3 * 3600 * hours(forecast(small, evidence)), 149_813)
    after = forecast(large, gather(store, KIND))
    assert 1.1 * before < hours(after) < 3 * before
    record_training(store, large, 1.0, 149_813, device="cuda")


def costing(*bounds: float) -> list[Forecast]:
    return [Forecast(TimeEstimate(3600 * bound, {}, 1.0), "measured") for bound in bounds]


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    folder = tmp_path_factory.mktemp("plan")
    return planned(folder, Store(folder / "results"))


COSTS = st.lists(st.tuples(st.floats(0.01, 100), st.floats(0, 1)), min_size=6, max_size=6)


@given(costs=COSTS, budget=st.floats(0, 400))
def test_a_budget_is_kept_and_used(plan: Plan, costs: list[tuple[float, float]], budget: float) -> None:
    forecasts = [
        Forecast(TimeEstimate(3600 * hours, {number: 3600 * hours * spread}, 4), "measured")
        for number, (hours, spread) in enumerate(costs)
    ]
    number = affordable(plan.trainings, forecasts, budget)
    spent = [sum(item.bounds[1] for item in forecasts[:taken]) for taken in range(len(costs) + 1)]
    assert spent[number] <= budget
    assert number == len(costs) or spent[number + 1] > budget, "what comes next did not fit"
    assert total(forecasts[:number]).bounds[1] <= budget + 1e-9, "nor do all together cost more"
    assert affordable(plan.trainings, forecasts, budget * 2) >= number


def test_a_budget_for_the_unknown_is_refused(plan: Plan) -> None:
    forecasts = [*costing(1, 1), Unknown("how long"), *costing(1, 1, 1)]
    assert affordable(plan.trainings, forecasts, 1.5) == 1, "what is not reached need not be known"
    with pytest.raises(BudgetError, match=f"{plan.trainings[2].spec.id}.*how long.*bench calibrate"):
        affordable(plan.trainings, forecasts, 2.5)


def test_kinds_of_hardware() -> None:
    one = HardwareKind.of(HARDWARE | {"device": "cuda:3", "gpu": "NVIDIA H100 80GB HBM3"})
    assert one == HardwareKind.of(HARDWARE | {"device": "cuda:0", "gpu": "NVIDIA H100 80GB HBM3", "cores": 9})
    assert one != HardwareKind.of(HARDWARE | {"device": "cuda:0", "gpu": "NVIDIA A100"})
    assert one.slug == "cuda-nvidia-h100-80gb-hbm3-abacus-2-threads-0-workers"
    assert (one.unit, KIND.unit) == ("GPU-hours", "machine-hours")


def test_evidence_of_old_records_counts_no_workers() -> None:
    hardware = {name: value for name, value in HARDWARE.items() if name != "workers"}
    assert HardwareKind.of(hardware) == KIND


def test_evidence_is_empty_without_results(tmp_path: Path) -> None:
    evidence = gather(Store(tmp_path), KIND)
    assert evidence.prices is None
