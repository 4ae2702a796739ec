"""Diagnostics: AP by keypoint and threshold as pycocotools would have it, and errors whose kinds are known."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pycocotools.cocoeval import COCOeval

from bench.execute.evaluation_job import make_evaluation
from bench.execute.example_images import store_images
from bench.execute.heartbeat import Heartbeat
from bench.execute.job import Job, Resources
from bench.execute.training_job import network
from bench.files import sha256, write_json
from bench.pose.ceiling import ceiling_metrics
from bench.pose.codecs.representation import CodecSettings, codec_settings
from bench.pose.data.datasets import open_split
from bench.pose.evaluation import EvalConfig
from bench.pose.metrics.coco import judge, load_ground_truth, run_coco
from bench.pose.metrics.crowdpose import judge_crowdpose, run_crowdpose
from bench.pose.metrics.diagnostics import Diagnostics
from bench.pose.metrics.evaluators import OKS_PROTOCOLS
from bench.pose.metrics.oks_diagnostics import oks_diagnostics
from bench.pose.metrics.pckh import HeadTruth, keypoint_rates, pckh
from bench.pose.metrics.pckh_per_instance import judge_pckh
from bench.pose.metrics.per_instance import load_per_instance
from bench.pose.models.build import initialize
from bench.pose.scoring import OksScoring
from bench.pose.skeletons import COCO_17, CROWDPOSE_14, MPII_16
from bench.store.documents import Record, TrainingRecord
from bench.store.folders import Store
from bench.store.provenance import collect
from bench.suite.expansion import expand
from bench.suite.schema import load_suite
from tests.end_to_end.conftest import SUITE
from tests.unit.oks_cases import Results, Truth, by_pycocotools, case
from tests.unit.tiny_datasets import coco_test_dev, crowdpose, mpii, mpii_instance

SEEDS = range(5)


def diagnostics(truth: Truth, results: Results) -> Diagnostics:
    evaluation = run_coco(load_ground_truth(copy.deepcopy(truth)), results, COCO_17.sigmas)
    return oks_diagnostics(evaluation, judge(evaluation), COCO_17.keypoints)


# Precision by keypoint and by threshold


def of_one_keypoint(truth: Truth, results: Results, keypoint: int) -> tuple[Truth, Results]:
    """The files of a dataset that annotates one keypoint only; who did not count before does not count now."""

    def only(values: list[float]) -> list[float]:
        return values[3 * keypoint : 3 * keypoint + 3]

    instances = [
        one | {"keypoints": only(one["keypoints"]), "num_keypoints": one["num_keypoints"] * only(one["keypoints"])[2]}
        for one in truth["annotations"]
    ]
    return truth | {"annotations": instances}, [one | {"keypoints": only(one["keypoints"])} for one in results]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_keypoint_s_precision_is_pycocotools_on_that_keypoint_alone(seed: int) -> None:
    truth, results = case(seed)
    found = diagnostics(truth, results).keypoints
    for index, keypoint in enumerate(COCO_17.keypoints):
        alone = by_pycocotools(*of_one_keypoint(truth, results, index), [COCO_17.sigmas[index]], any_size=True)
        precision = alone.eval["precision"]
        assert found[keypoint] == pytest.approx(precision[precision > -1].mean(), abs=1e-12)
    assert len({round(value, 6) for value in found.values()}) > 5


@pytest.mark.parametrize("seed", SEEDS)
def test_the_curve_is_precision_at_each_threshold(seed: int) -> None:
    truth, results = case(seed)
    curve = diagnostics(truth, results).curve
    precision = by_pycocotools(truth, results, COCO_17.sigmas).eval["precision"]
    assert list(curve) == [f"{threshold:.2f}" for threshold in np.arange(0.5, 1, 0.05)]
    np.testing.assert_allclose(list(curve.values()), precision[..., 0, 0, 0].mean(axis=1), atol=1e-12)


def test_crowdpose_has_diagnostics_too() -> None:
    truth, results = case(0, crowdpose=True)
    evaluation = run_crowdpose(truth, results, CROWDPOSE_14.sigmas)
    per_instance = judge_crowdpose(evaluation)
    found = oks_diagnostics(evaluation, per_instance, CROWDPOSE_14.keypoints)
    assert tuple(found.keypoints) == CROWDPOSE_14.keypoints
    assert np.mean([*found.curve.values()]) == pytest.approx(per_instance.metrics()["AP"], abs=1e-12)
    assert sum(found.errors.values()) == pytest.approx(1)


# Constructed instances: 100 x 100 px, so that a keypoint d px away has similarity exp(-d^2 / (20000 * (2 sigma)^2))


AREA = 10_000.0
WRIST = COCO_17.index("left_wrist")
OTHER_WRIST = COCO_17.index("right_wrist")


def instance(number: int, origin: tuple[float, float] = (0, 0), image: int = 1, **fields: Any) -> dict[str, Any]:
    """Somebody whose keypoints are 200 px apart from each other, in rows of five."""
    places = (
        np.array([(200 * (keypoint % 5), 200 * (keypoint // 5)) for keypoint in range(17)], dtype=np.float64) + origin
    )
    return {
        "id": number, "image_id": image, "category_id": 1, "bbox": [*origin, 1000, 1000], "area": AREA, "iscrowd": 0,
        "num_keypoints": 17, "keypoints": np.column_stack([places, np.full(17, 2.0)]).ravel().tolist(),
    } | fields  # fmt: skip


def moved(entry: dict[str, Any], keypoint: int, to: tuple[float, float], score: float = 0.9) -> dict[str, Any]:
    """A prediction that is right but for one keypoint."""
    keypoints = np.reshape(entry["keypoints"], (17, 3)).copy()
    keypoints[keypoint, :2] = to
    return {"image_id": entry["image_id"], "category_id": 1, "keypoints": keypoints.ravel().tolist(), "score": score}


def place(entry: dict[str, Any], keypoint: int, offset: float = 0.0) -> tuple[float, float]:
    x, y = np.reshape(entry["keypoints"], (17, 3))[keypoint, :2]
    return float(x + offset), float(y)


def distance(similarity: float, keypoint: int) -> float:
    """How far from its place a keypoint has such a similarity, in px."""
    return float(np.sqrt(-np.log(similarity) * 2 * AREA) * 2 * COCO_17.sigmas[keypoint])


def dataset(*instances: dict[str, Any]) -> Truth:
    return {
        "images": [{"id": number} for number in sorted({one["image_id"] for one in instances})],
        "annotations": list(instances),
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO_17.keypoints)}],
    }


def test_a_keypoint_that_is_wrong_everywhere_has_precision_zero_and_the_others_one() -> None:
    instances = [instance(number, image=number) for number in range(1, 6)]
    results = [moved(one, WRIST, (-900, -900)) for one in instances]
    expected = dict.fromkeys(COCO_17.keypoints, 1.0) | {"left_wrist": 0.0}
    assert diagnostics(dataset(*instances), results).keypoints == pytest.approx(expected)


def test_keypoints_that_nobody_has_are_left_out() -> None:
    one = instance(1)
    one["keypoints"][3 * WRIST + 2] = 0
    assert diagnostics(dataset(one), [moved(one, 0, place(one, 0))]).keypoints.keys() == {*COCO_17.keypoints} - {
        "left_wrist"
    }


ME, NEIGHBOUR = instance(1), instance(2, origin=(3000, 0))
NOSE = COCO_17.index("nose")

KINDS = {
    "where it belongs": (place(ME, WRIST), "good"),
    "just good": (place(ME, WRIST, distance(0.8501, WRIST)), "good"),
    "just not good": (place(ME, WRIST, distance(0.8499, WRIST)), "jitter"),
    "just near": (place(ME, WRIST, distance(0.5001, WRIST)), "jitter"),
    "just not near": (place(ME, WRIST, distance(0.4999, WRIST)), "miss"),
    "far from everything": ((-900.0, -900.0), "miss"),
    "at the other wrist": (place(ME, OTHER_WRIST), "inversion"),
    "near the nose": (place(ME, NOSE, distance(0.51, NOSE)), "inversion"),
    "not near enough to the nose": (place(ME, NOSE, distance(0.49, NOSE)), "miss"),
    "at the neighbour's same wrist": (place(NEIGHBOUR, WRIST), "swap"),
    "near the neighbour's nose": (place(NEIGHBOUR, NOSE, distance(0.51, NOSE)), "swap"),
}


@pytest.mark.parametrize(("to", "kind"), KINDS.values(), ids=KINDS)
def test_errors_of_a_known_kind(to: tuple[float, float], kind: str) -> None:
    """Both instances are predicted, one keypoint of 34 elsewhere."""
    results = [moved(ME, WRIST, to), moved(NEIGHBOUR, 0, place(NEIGHBOUR, 0))]
    expected = dict.fromkeys(("good", "jitter", "inversion", "swap", "miss"), 0.0) | {"good": 33 / 34}
    expected[kind] += 1 / 34
    found = diagnostics(dataset(ME, NEIGHBOUR), results).errors
    assert found == pytest.approx(expected)
    assert sum(found.values()) == pytest.approx(1)


def test_between_two_instances_the_nearer_keypoint_decides() -> None:
    """Another's wrist is 6 px from one's own other wrist: both are near, and whichever is nearer is meant."""
    close = instance(
        2, origin=(6.0 + 200 * (OTHER_WRIST % 5) - 200 * (WRIST % 5), 200 * (OTHER_WRIST // 5 - WRIST // 5))
    )
    for offset, kind in ((1.0, "inversion"), (5.0, "swap")):
        results = [moved(ME, WRIST, place(ME, OTHER_WRIST, offset))]
        assert diagnostics(dataset(ME, close), results).errors[kind] == pytest.approx(1 / 17)


def test_who_does_not_count_is_not_judged_but_may_be_mixed_up() -> None:
    ignored = NEIGHBOUR | {"num_keypoints": 0}
    results = [moved(ME, WRIST, place(NEIGHBOUR, WRIST)), moved(NEIGHBOUR, WRIST, (-900, -900))]
    found = diagnostics(dataset(ME, ignored), results).errors
    assert found == pytest.approx({"good": 16 / 17, "jitter": 0, "inversion": 0, "swap": 1 / 17, "miss": 0})


def test_unlabelled_keypoints_are_neither_judged_nor_mixed_up() -> None:
    one = copy.deepcopy(ME)
    one["keypoints"][3 * OTHER_WRIST + 2] = 0
    results = [moved(one, WRIST, place(ME, OTHER_WRIST))]
    assert diagnostics(dataset(one), results).errors["miss"] == pytest.approx(1 / 16)


def test_predictions_that_are_meant_for_nobody_make_no_errors() -> None:
    far = [{"image_id": 1, "category_id": 1, "keypoints": [9e4] * 51, "score": 1.0}]
    for results in (far, []):
        assert not diagnostics(dataset(ME), results).errors
    assert not diagnostics(dataset(ME | {"num_keypoints": 0}), far).curve


# PCKh


def test_pckh_by_keypoint_and_threshold() -> None:
    """Ten instances; everybody's left knee is 0.3 heads off, the other keypoints 0.04."""
    rng = np.random.default_rng(0)
    truth = HeadTruth(rng.uniform(0, 300, (10, 16, 2)), np.ones((10, 16), dtype=bool), np.full(10, 50.0))
    truth.visible[:, MPII_16.index("pelvis")] = False
    errors = np.full(16, 0.04)
    errors[MPII_16.index("left_knee")] = 0.3
    predictions = truth.keypoints - 1 + (errors * 50)[:, None] * [0.6, 0.8]
    found = judge_pckh(predictions, truth).diagnostics()
    assert (found.measure, found.errors) == ("PCKh", {})
    assert found.keypoints == dict.fromkeys([keypoint for keypoint in MPII_16.keypoints if keypoint != "pelvis"], 100.0)
    assert list(found.curve) == ["0.01", *(f"{step * 0.05:.2f}" for step in range(1, 11))]
    assert (found.curve["0.01"], found.curve["0.50"]) == (0, 100)
    assert found.curve["0.10"] == pytest.approx(100 * 13 / 14)
    assert found.curve["0.10"] == pytest.approx(pckh(predictions, truth)["Mean@0.1"])


def test_columns_of_keypoints_that_nobody_has_do_not_exist() -> None:
    """No head is labelled; of the shoulders only the left one, which is missed by one instance of four."""
    truth = HeadTruth(np.full((4, 16, 2), 100.0), np.ones((4, 16), dtype=bool), np.full(4, 50.0))
    truth.visible[:, [MPII_16.index("head_top"), MPII_16.index("right_shoulder")]] = False
    predictions = truth.keypoints - 1
    predictions[0, MPII_16.index("left_shoulder")] += 100
    found = judge_pckh(predictions, truth)
    assert found.metrics() == pckh(predictions, truth)
    assert (found.metrics()["Head"], found.metrics()["Shoulder"], found.metrics()["Knee"]) == (None, 75, 100)
    assert found.metrics()["Mean@0.1"] == pytest.approx(100 * 47 / 48)
    truth.visible[:] = False
    assert set(judge_pckh(predictions, truth).metrics().values()) == {None}


def test_keypoints_of_instances_who_are_not_predicted_are_missed() -> None:
    truth = HeadTruth(np.full((4, 16, 2), 100.0), np.ones((4, 16), dtype=bool), np.full(4, 50.0))
    predictions = truth.keypoints - 1
    predictions[0] = np.nan
    per_instance = judge_pckh(predictions, truth)
    assert {*per_instance.diagnostics().keypoints.values()} == {75.0}
    rates, _ = keypoint_rates(per_instance.distances, per_instance.visible, 0.5, np.array([[4, 0, 0, 0], [0, 1, 0, 0]]))
    np.testing.assert_array_equal(rates[:, 0], [0, 100])


# One pass, and what evaluations keep of it


def test_everything_comes_from_one_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    evaluate = COCOeval.evaluate
    monkeypatch.setattr(COCOeval, "evaluate", lambda self: (runs.append(self), evaluate(self)))
    for name, skeleton in (("coco", COCO_17), ("crowdpose", CROWDPOSE_14)):
        truth, results = case(0, crowdpose=name == "crowdpose")
        scoring = OksScoring(truth, skeleton, OKS_PROTOCOLS[name])
        found = scoring.assess(results)
        assert len(runs) == 1
        assert found.metrics == scoring.metrics(results) == pytest.approx(found.per_instance.metrics(), abs=1e-12)
        assert found.diagnostics.measure == "AP"
        runs.clear()
        assert scoring.quick_metrics(results) == pytest.approx({"AP": found.metrics["AP"]}, abs=1e-12)
        assert not runs


def untrained(folder: Path, data_root: Path, representation: str) -> tuple[Job, Store]:
    """A job whose training is done, though nothing was learnt."""
    (folder / "tiny.yaml").write_text(SUITE)
    cells = expand(load_suite(folder / "tiny.yaml")).cells
    cell = next(cell for cell in cells if cell.training.representation == representation)
    resources = Resources(
        data_root=data_root, results=folder / "results", device="cpu", threads=1, workers=0, save_every=60
    )
    job = Job(training=cell.training, evaluations=tuple(cell.evaluations), resources=resources, command="none")
    store = Store(resources.results)
    torch.manual_seed(0)
    model = network(job.training)
    initialize(model, scheme="kaiming")
    weights = store.training(job.id).weights
    weights.parent.mkdir(parents=True)
    torch.save(model.state_dict(), weights)
    record = TrainingRecord(
        id=job.id, spec=job.training, params=1, history=[], seconds=1, weights_sha256=sha256(weights), problems=[],
        provenance=collect(device="cpu", threads=1, workers=0, files={}, seed=0, command="none"),
    )  # fmt: skip
    write_json(store.training(job.id).record_file, record.model_dump(mode="json"))
    return job, store


def evaluated(job: Job, store: Store) -> Record:
    spec = job.evaluations[0]
    record = make_evaluation(job, spec, store, Heartbeat(store.training(job.id)))
    assert record is not None
    assert store.evaluation(spec.id).record() == record
    return record


def test_records_keep_diagnostics_per_instance_and_the_ceiling(tmp_path: Path, data_root: Path) -> None:
    job, store = untrained(tmp_path, data_root, "simdr")
    record = evaluated(job, store)
    folder = store.evaluation(record.id)
    per_instance = load_per_instance(folder.per_instance)
    assert per_instance.metrics() == pytest.approx(record.metrics, abs=1e-12)
    assert per_instance.units == len(open_split("synthetic", data_root / "synthetic", "val16").images)
    assert np.mean([*record.diagnostics.curve.values()]) == pytest.approx(record.metrics["AP"], abs=1e-12)
    assert record.ceiling.keys() == record.metrics.keys()
    assert record.ceiling["AP"] > 0.9 > record.metrics["AP"]

    instances = json.loads(folder.instances_file.read_text())["instances"]
    chosen = {choice: [one for one in instances if one["choice"] == choice] for choice in ("spread", "worst", "median")}
    assert [len(group) for group in chosen.values()] == [8, 4, 4]
    assert len({one["annotation_id"] for one in instances}) == 16
    assert max(one["oks"] for one in chosen["worst"]) <= min(one["oks"] for one in chosen["median"])
    assert all((folder.path / one["file"]).exists() for one in instances)


def test_the_worst_of_mpii_are_those_whose_keypoints_are_farthest_in_heads(tmp_path: Path) -> None:
    """Twenty instances; the first of them are off by most, the last one is not predicted."""
    entries = [mpii_instance(number) for number in range(20)]
    split = open_split("mpii", mpii(tmp_path / "mpii", entries), "valid")
    results = [
        {"image_id": number, "keypoints": [value for x, y in entry["joints"] for value in (x + 20 - number, y - 1, 1)]}
        for number, entry in enumerate(entries[:-1])
    ]
    folder = Store(tmp_path).evaluation("one")
    store_images(folder, split, results)
    instances = json.loads(folder.instances_file.read_text())["instances"]
    spread, worst, median = (
        [one["annotation_id"] for one in instances if one["choice"] == choice]
        for choice in ("spread", "worst", "median")
    )
    assert (len(spread), spread[0], spread[-1]) == (8, 0, 19)
    assert worst == [number for number in range(20) if number not in spread][:4]
    assert len(median) == 4
    assert all(7 <= number <= 13 for number in median)
    assert instances[7]["prediction"] is None


# The ceiling


CODECS = {
    "heatmap": codec_settings("heatmap", (64, 64), sigma=1.0, weight_bounds="reference", post_process="none"),
    "refined heatmap": codec_settings(
        "heatmap", (64, 64), sigma=1.0, weight_bounds="reference", post_process="quarter"
    ),
    "dark heatmap": codec_settings(
        "heatmap", (64, 64), sigma=2.0, weight_bounds="exact", heatmap_center="exact",
        post_process="dark",
    ),
    "simdr": codec_settings("simdr", (64, 64), split_ratio=2.0, label_smoothing=0.1, loss_reduction="sum"),
    "simdr_star": codec_settings("simdr_star", (64, 64), split_ratio=2.0, sigma=4.0, weight_bounds="exact"),
}  # fmt: skip


def how(codec: CodecSettings) -> EvalConfig:
    return EvalConfig(codec, "rgb", None, flip_test=True, score_threshold=0.2, nms_threshold=0.9, batch_size=8)


@pytest.fixture(scope="module")
def ceilings(data_root: Path) -> dict[str, dict[str, float]]:
    split = open_split("synthetic", data_root / "synthetic", "val16")
    return {name: ceiling_metrics(split, how(codec)) for name, codec in CODECS.items()}


def test_heatmaps_lose_what_simdr_keeps(ceilings: dict[str, dict[str, float]]) -> None:
    """Cells of 4 px against bins of half a px."""
    assert ceilings["heatmap"]["mean_oks"] < ceilings["dark heatmap"]["mean_oks"] - 0.02
    for name in ("simdr", "simdr_star", "dark heatmap"):
        assert ceilings[name]["AP"] > 0.95
        assert ceilings[name]["AP"] > ceilings["heatmap"]["AP"]
    assert 0.3 < ceilings["heatmap"]["AP"] <= ceilings["refined heatmap"]["AP"] + 1e-9


def test_the_ceiling_of_bins_is_half_a_bin(data_root: Path) -> None:
    """A bin of 64 px is useless, a bin of a hundredth is as good as the truth."""
    split = open_split("synthetic", data_root / "synthetic", "val16")
    coarse, fine = (
        codec_settings("simdr", (64, 64), split_ratio=ratio, label_smoothing=0.1, loss_reduction="sum")
        for ratio in (1 / 32, 100.0)
    )
    assert ceiling_metrics(split, how(fine))["mean_oks"] > 0.999
    assert ceiling_metrics(split, how(coarse))["mean_oks"] < 0.2


def test_the_ceiling_is_measured_as_the_dataset_is(tmp_path: Path) -> None:
    simdr = how(CODECS["simdr"])
    found = ceiling_metrics(open_split("mpii", mpii(tmp_path / "mpii"), "valid"), simdr)
    assert found["Mean"] > 95
    found = ceiling_metrics(open_split("crowdpose", crowdpose(tmp_path / "crowdpose"), "test"), simdr)
    assert found["AP_E"] > 0.95
    assert not ceiling_metrics(open_split("coco", coco_test_dev(tmp_path / "coco"), "test-dev2017"), simdr)


def test_a_ceiling_needs_no_images(tmp_path: Path) -> None:
    folder = crowdpose(tmp_path)
    for image in (folder / "images").iterdir():
        image.write_text("no image")
    assert ceiling_metrics(open_split("crowdpose", folder, "test"), how(CODECS["heatmap"]))["AP"] > 0.5
