"""PCK by the torso: against a calculation person by person, and what it must do whatever the people and predictions."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.pose.errors import DataError, UnknownNameError
from bench.pose.metrics.evaluators import OKS_PROTOCOLS
from bench.pose.metrics.oks import instance_oks
from bench.pose.metrics.oks_per_instance import OksPerInstance
from bench.pose.metrics.pck import PCK_THRESHOLDS, pck_counts, pck_metrics
from bench.pose.metrics.per_instance import load_per_instance, save_per_instance
from bench.pose.scoring import OksScoring
from bench.pose.skeletons import COCO_17, CROWDPOSE_14, MPII_16, Skeleton
from tests.unit.oks_cases import LIMIT, Results, Truth, case, duplicated

SKELETONS = {"coco": COCO_17, "crowdpose": CROWDPOSE_14}
TRIPOD = Skeleton("tripod", ("top", "left_foot", "right_foot"), (("left_foot", "right_foot"),), (0.05,) * 3, (), ())


def scoring(truth: Truth, protocol: str = "coco") -> OksScoring:
    return OksScoring(truth, SKELETONS[protocol], OKS_PROTOCOLS[protocol])


def pck_of(truth: Truth, results: Results, protocol: str = "coco") -> dict[str, float | None]:
    metrics = scoring(truth, protocol).metrics(results)
    return {name: metrics[name] for name in PCK_THRESHOLDS}


def by_hand(truth: Truth, results: Results, protocol: str) -> dict[str, float]:
    """Person by person, keypoint by keypoint."""
    skeleton = SKELETONS[protocol]
    right, labelled = dict.fromkeys(PCK_THRESHOLDS, 0), 0
    for person in truth["annotations"]:
        if person["iscrowd"] or not person["num_keypoints"]:
            continue
        area = person["area"] if protocol == "coco" else 0.53 * person["bbox"][2] * person["bbox"][3]
        points = np.reshape(person["keypoints"], (-1, 3))
        visible = points[:, 2] > 0
        shoulder, hip = skeleton.index("left_shoulder"), skeleton.index("right_hip")
        if not (visible[shoulder] and visible[hip]):
            continue
        torso = float(np.hypot(*(points[shoulder, :2] - points[hip, :2])))
        labelled += int(visible.sum())
        here = [
            np.reshape(one["keypoints"], (-1, 3))[:, :2] for one in results if one["image_id"] == person["image_id"]
        ]
        scores = [one["score"] for one in results if one["image_id"] == person["image_id"]]
        here = [here[position] for position in sorted(range(len(here)), key=lambda one: -scores[one])][:LIMIT]
        oks = [instance_oks(one, points[:, :2], visible, area, skeleton.sigmas) for one in here]
        if not here:
            continue
        nearest = here[oks.index(max(oks))]
        for (x, y), (truth_x, truth_y, flag) in zip(nearest, points, strict=True):
            distance = ((x - truth_x) ** 2 + (y - truth_y) ** 2) ** 0.5
            for name, threshold in PCK_THRESHOLDS.items():
                right[name] += int(flag > 0 and distance <= threshold * torso)
    return {name: count / labelled for name, count in right.items()}


@pytest.mark.parametrize("protocol", ["coco", "crowdpose"])
@pytest.mark.parametrize("seed", range(6))
def test_it_is_what_a_calculation_person_by_person_gives(seed: int, protocol: str) -> None:
    """Ties, crowds, people without torso, images without people or predictions, and more predictions than count."""
    truth, results = case(seed, crowdpose=protocol == "crowdpose")
    found = pck_of(truth, results, protocol)
    assert found == pytest.approx(by_hand(truth, results, protocol), abs=1e-12)
    assert found["PCK@0.2"] is not None
    assert 0 < found["PCK@0.2"] < 1


def one_person(labels: list[int] | None = None, **fields: Any) -> Truth:
    """A person whose left shoulder is at (50, 20) and right hip at (20, 60): a torso of 50 px."""
    points = np.column_stack([np.linspace(10, 90, 17), np.linspace(10, 90, 17)[::-1], np.full(17, 2)])
    points[COCO_17.index("left_shoulder"), :2] = 50, 20
    points[COCO_17.index("right_hip"), :2] = 20, 60
    if labels is not None:
        points[:, 2] = labels
    person = {
        "id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 100, 100], "area": 5000.0, "iscrowd": 0,
        "num_keypoints": int((points[:, 2] > 0).sum()), "keypoints": points.ravel().tolist(),
    } | fields  # fmt: skip
    categories = [{"id": 1, "name": "person", "keypoints": list(COCO_17.keypoints)}]
    return {"images": [{"id": 1}, {"id": 2}], "annotations": [person], "categories": categories}


def predicted(truth: Truth, offsets: list[float] | float = 0.0, image: int = 1) -> Results:
    """The first person, each keypoint so many px too far to the right."""
    points = np.reshape(truth["annotations"][0]["keypoints"], (-1, 3)).copy()
    points[:, 0] += offsets
    return [{"image_id": image, "category_id": 1, "keypoints": points.ravel().tolist(), "score": 0.5}]


def test_the_limits_are_a_fifth_and_a_tenth_of_the_torso_and_included() -> None:
    truth = one_person()
    offsets = [0.0] * 11 + [5.0, 5.001, 9.0, 10.0, 10.001, 300.0]
    assert pck_of(truth, predicted(truth, offsets)) == {"PCK@0.2": 15 / 17, "PCK@0.1": 12 / 17}


def test_keypoints_that_are_not_labelled_do_not_count() -> None:
    truth = one_person([1 if name in {"left_shoulder", "right_hip", "nose"} else 0 for name in COCO_17.keypoints])
    offsets = [300.0 if name in {"nose", "left_eye"} else 0.0 for name in COCO_17.keypoints]
    assert pck_of(truth, predicted(truth, offsets)) == dict.fromkeys(PCK_THRESHOLDS, 2 / 3)


@pytest.mark.parametrize("missing", ["left_shoulder", "right_hip"])
def test_who_has_no_labelled_torso_does_not_count(missing: str) -> None:
    truth = one_person([0 if name == missing else 2 for name in COCO_17.keypoints])
    assert pck_of(truth, predicted(truth)) == dict.fromkeys(PCK_THRESHOLDS)
    whole = one_person()["annotations"][0] | {"id": 2, "image_id": 2}
    both = truth | {"annotations": [*truth["annotations"], whole]}
    assert pck_of(both, predicted(one_person(), image=2)) == dict.fromkeys(PCK_THRESHOLDS, 1.0)


def test_who_has_a_torso_of_no_length_does_not_count() -> None:
    truth = one_person()
    points = np.reshape(truth["annotations"][0]["keypoints"], (-1, 3)).copy()
    points[COCO_17.index("right_hip"), :2] = points[COCO_17.index("left_shoulder"), :2]
    truth["annotations"][0]["keypoints"] = points.ravel().tolist()
    assert pck_of(truth, predicted(truth)) == dict.fromkeys(PCK_THRESHOLDS)


def test_crowds_and_people_that_nobody_judges_do_not_count() -> None:
    for fields in ({"iscrowd": 1}, {"num_keypoints": 0}):
        truth = one_person(**fields)
        assert pck_of(truth, predicted(truth)) == dict.fromkeys(PCK_THRESHOLDS)
    assert pck_of(one_person() | {"annotations": []}, []) == dict.fromkeys(PCK_THRESHOLDS)


def test_without_predictions_in_the_image_all_keypoints_are_wrong() -> None:
    truth = one_person()
    for results in ([], predicted(truth, image=2)):
        assert pck_of(truth, results) == dict.fromkeys(PCK_THRESHOLDS, 0.0)


def test_the_best_prediction_judges_whatever_its_score() -> None:
    truth = one_person()
    far = [one | {"score": 0.9} for one in predicted(truth, 40.0)]
    assert pck_of(truth, [*far, *predicted(truth)]) == dict.fromkeys(PCK_THRESHOLDS, 1.0)


@pytest.mark.parametrize("protocol", ["coco", "crowdpose"])
def test_exact_predictions_reach_one(protocol: str) -> None:
    truth, _ = case(3, crowdpose=protocol == "crowdpose")
    results = [
        {name: one[name] for name in ("image_id", "category_id", "keypoints")} | {"score": 1.0}
        for one in truth["annotations"]
    ]
    assert pck_of(truth, results, protocol) == dict.fromkeys(PCK_THRESHOLDS, 1.0)


people = st.integers(0, 2**32 - 1)
scales = st.integers(-6, 6).map(lambda power: 2.0**power)  # powers of 2 round nothing


def judged(seed: int, scale: float = 1.0) -> list[tuple[int, np.ndarray, np.ndarray | None]]:
    """A few people in three images, some without a torso or a prediction."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(rng.integers(1, 6)):
        truth = np.column_stack([rng.uniform(-50, 500, (17, 2)), rng.integers(0, 3, 17)])
        prediction = truth + np.column_stack([rng.normal(0, rng.choice([0, 20, 200]), (17, 2)), np.zeros(17)])
        factors = np.array([scale, scale, 1])
        found.append((int(rng.integers(3)), truth * factors, None if rng.random() < 0.2 else prediction * factors))
    return found


@given(seed=people)
def test_the_looser_threshold_never_has_fewer(seed: int) -> None:
    counts = pck_counts(judged(seed), 3, COCO_17)
    assert counts is not None
    labelled, loose, strict = counts
    assert (strict <= loose).all()
    assert (loose <= labelled).all()


@given(seed=people, scale=scales)
def test_scaling_everything_changes_nothing(seed: int, scale: float) -> None:
    one, other = (pck_counts(judged(seed, factor), 3, COCO_17) for factor in (1.0, scale))
    assert one is not None
    assert other is not None
    np.testing.assert_array_equal(one, other)


@given(seed=people)
def test_exact_predictions_of_anybody_reach_one_or_nobody_counts(seed: int) -> None:
    exact = [(image, truth, truth) for image, truth, _ in judged(seed)]
    assert set(pck_metrics(pck_counts(exact, 3, COCO_17)).values()) <= {1.0, None}


# Skeletons


def test_a_skeleton_without_shoulder_or_hip_has_none() -> None:
    assert [one.torso is not None for one in (COCO_17, CROWDPOSE_14, MPII_16, TRIPOD)] == [True, True, True, False]
    assert replace(TRIPOD, keypoints=("Left Shoulder", "x", "RightHip")).torso == (0, 2)
    assert replace(TRIPOD, keypoints=("left_shoulder", "right_shoulder", "left_hip")).torso is None
    person = {"keypoints": [10, 10, 2, 20, 10, 2, 30, 10, 2], "bbox": [0, 0, 50, 50], "area": 900.0, "num_keypoints": 3}
    truth = one_person() | {"annotations": [one_person()["annotations"][0] | person]}
    result = {"image_id": 1, "category_id": 1, "keypoints": person["keypoints"], "score": 1.0}
    tripods = OksScoring(truth, TRIPOD, OKS_PROTOCOLS["coco"])
    found = tripods.assess([result])
    assert not PCK_THRESHOLDS.keys() & found.metrics.keys()
    assert found.metrics == tripods.metrics([result])
    assert isinstance(found.per_instance, OksPerInstance)
    assert found.per_instance.pck is None
    assert found.per_instance.metrics() == pytest.approx(found.metrics)


# Per-instance results


def assessed(seed: int, protocol: str = "coco", *, ties: bool = True) -> tuple[OksPerInstance, dict[str, float | None]]:
    truth, results = case(seed, crowdpose=protocol == "crowdpose", ties=ties)
    found = scoring(truth, protocol).assess(results)
    assert isinstance(found.per_instance, OksPerInstance)
    return found.per_instance, found.metrics


@pytest.mark.parametrize("protocol", ["coco", "crowdpose"])
def test_per_instance_results_give_the_same(protocol: str) -> None:
    per_instance, metrics = assessed(1, protocol)
    assert per_instance.metrics() == pytest.approx(metrics, abs=1e-12)
    assert list(per_instance.metrics()) == list(metrics)


def test_an_image_drawn_twice_counts_as_two_images() -> None:
    truth, results = case(2, ties=False)
    per_instance, _ = assessed(2, ties=False)
    draws = np.random.default_rng(2).integers(0, 4, len(truth["images"]))
    found = per_instance.resample(draws[None], list(PCK_THRESHOLDS))
    expected = pck_of(*duplicated(truth, results, draws.tolist()))
    assert {name: values[0] for name, values in found.items()} == pytest.approx(expected, abs=1e-12)
    nobody = per_instance.resample(np.zeros_like(draws)[None], list(PCK_THRESHOLDS))
    assert np.isnan([values[0] for values in nobody.values()]).all()


def test_they_are_stored_and_read_and_so_are_those_of_earlier_versions(tmp_path: Path) -> None:
    per_instance, metrics = assessed(0)
    for kept in (per_instance, replace(per_instance, pck=None)):
        (tmp_path / "per_instance.npz").write_bytes(save_per_instance(kept))
        read = load_per_instance(tmp_path / "per_instance.npz")
        assert read.metrics() == kept.metrics()
        assert read.fingerprint == per_instance.fingerprint
    assert read.metrics() == pytest.approx({name: metrics[name] for name in metrics if name not in PCK_THRESHOLDS})
    with pytest.raises(UnknownNameError, match=r"unknown metric 'PCK@0\.2'"):
        read.resample(np.ones((1, read.units), dtype=int), ["PCK@0.2"])


@pytest.mark.parametrize(
    "change", [lambda pck: pck[:2], lambda pck: pck[:, 1:], lambda pck: pck * 0.5, lambda pck: pck[0]]
)
def test_numbers_of_other_images_are_refused(change: Any, tmp_path: Path) -> None:
    per_instance, _ = assessed(0)
    broken = object.__new__(OksPerInstance)
    broken.__dict__.update(per_instance.__dict__ | {"pck": change(per_instance.pck)})
    (tmp_path / "per_instance.npz").write_bytes(save_per_instance(broken))
    with pytest.raises(DataError, match="numbers of keypoints for PCK"):
        load_per_instance(tmp_path / "per_instance.npz")
