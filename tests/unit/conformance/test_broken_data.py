"""Datasets and metrics that break one promise each, and the checks that say so."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.conformance.dataset_checks import dataset_checks
from bench.conformance.kinds import KINDS, Surroundings
from bench.conformance.metric_checks import metric_checks
from bench.extend import dataset, metric
from bench.pose.data.datasets import DATASETS
from bench.pose.data.layout import Layout
from bench.pose.errors import ExtensionError
from bench.pose.metrics.own import OWN_METRICS, OwnMetric, Results
from bench.pose.scoring import Scoring
from bench.pose.skeletons import CROWDPOSE_14, Skeleton
from tests.unit import tiny_datasets
from tests.unit.conformance.verdicts import failures

SKELETON = CROWDPOSE_14
SPLIT = "test"


def broken_skeleton(**fields: Any) -> dict[str, str]:
    info = replace(DATASETS["crowdpose"], skeleton=replace(SKELETON, **fields))
    return failures(dataset_checks(info, Path("nowhere"), []))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"pairs": (("left_shoulder", "right_elbow"), *SKELETON.pairs[2:])},
            "exchanges left_shoulder with right_elbow",
        ),
        ({"pairs": SKELETON.pairs[1:]}, "exchanges left_shoulder with left_shoulder, expected right_shoulder"),
        ({"pairs": (("right_shoulder", "left_shoulder"), *SKELETON.pairs[1:])}, "must list the left one first"),
        ({"pairs": (("left_hand", "right_hand"), *SKELETON.pairs)}, "pairs name 'left_hand', 'right_hand'"),
        ({"pairs": (*SKELETON.pairs, ("left_shoulder", "head"))}, "pairs share a keypoint"),
        ({"limbs": (("head", "tail"),)}, "limbs name 'tail'"),
        ({"upper": ("wing",)}, "upper name 'wing'"),
        ({"sigmas": SKELETON.sigmas[1:]}, "13 sigmas for 14 keypoints"),
        ({"sigmas": (0.0, *SKELETON.sigmas[1:])}, "left_shoulder: 0"),
        ({"keypoints": ("head", *SKELETON.keypoints[1:])}, "a keypoint is named twice"),
    ],
)
def test_skeletons(fields: dict[str, Any], message: str) -> None:
    failed = broken_skeleton(**fields)
    assert failed.keys() == {"skeleton"}
    assert message in failed["skeleton"]


Spoil = Callable[[dict[str, Any]], object]


def each(contents: dict[str, Any], **fields: Callable[[int, dict[str, Any]], Any]) -> None:
    """Change fields of all annotations."""
    for number, instance in enumerate(contents["annotations"]):
        instance.update({name: make(number, instance) for name, make in fields.items()})


def shifted(instance: dict[str, Any], by: float) -> list[float]:
    keypoints = np.reshape(instance["keypoints"], (-1, 3)) + np.array([by, 0, 0])
    return list(keypoints.ravel().tolist())


@pytest.mark.parametrize(
    ("spoil", "expected", "message"),
    [
        (lambda made: made, set(), ""),
        (
            lambda made: each(made, keypoints=lambda _, one: one["keypoints"][:-3]),
            {"opening"},
            "13 keypoints per instance, but",
        ),
        (lambda made: made["annotations"].clear(), {"opening"}, "no usable instance in 0 annotations"),
        (lambda made: each(made, id=lambda _n, _one: 1), set(), ""),
        (lambda made: each(made, bbox=lambda _n, _one: [20, 10, 1, 90]), {"annotations", "crops"}, "a box of 0 x 89"),
        (
            lambda made: each(made, keypoints=lambda _n, one: shifted(one, 400)),
            {"keypoints", "crops"},
            "0.0% of 84 keypoints",
        ),
        (lambda made: each(made, bbox=lambda _n, _one: [0, 0, 9, 9]), {"crops"}, "keypoints do, at least 90%"),
        (lambda made: made["images"][0].update(file_name="../x.png"), {"opening"}, "leaves the image folder"),
        (lambda made: made["images"][0].update(file_name="x.png"), {"images", "keypoints"}, "x.png"),
        (lambda made: made["images"][0].update(width=99), {"images"}, "120 x 160 px, annotated as (120, 99)"),
        (lambda made: [image.pop("crowdIndex") for image in made["images"]], {"truth"}, "crowdIndex"),
    ],
)
def test_splits(spoil: Spoil, expected: set[str], message: str, tmp_path: Path) -> None:
    tiny_datasets.crowdpose(tmp_path)
    file = DATASETS["crowdpose"].layout.annotation_file(tmp_path, SPLIT)
    contents = json.loads(file.read_text())
    spoil(contents)
    file.write_text(json.dumps(contents))
    failed = failures(dataset_checks(DATASETS["crowdpose"], tmp_path, [SPLIT]))
    assert failed.keys() == {f"{SPLIT} {name}" for name in expected}
    assert message in "".join(failed.values())


@pytest.mark.usefixtures("sandbox")
def test_a_dataset_that_cannot_be_made_is_told_with_its_line(tmp_path: Path) -> None:
    @dataset("absent", skeleton=SKELETON)
    def draw(folder: Path, split: str) -> None:
        raise KeyError(split)

    failed = failures(dataset_checks(DATASETS["absent"], tmp_path, [SPLIT]))
    assert failed.keys() == {f"{SPLIT} opening"}
    assert failed[f"{SPLIT} opening"].startswith(f"KeyError: '{SPLIT}' (")
    assert "test_broken_data.py:" in failed[f"{SPLIT} opening"]


@pytest.mark.usefixtures("sandbox")
def test_a_layout_without_splits_is_refused(tmp_path: Path) -> None:
    dataset("flat", skeleton=SKELETON, layout=Layout("instances.json"))(lambda _folder, _split: None)
    with pytest.raises(ExtensionError, match="need SPLIT once"):
        KINDS["dataset"].checks("flat", Surroundings(tmp_path))


def error(results: Results, scoring: Any) -> float:
    """Breaks nothing: the mean of all predicted coordinates."""
    return float(np.mean([result["keypoints"] for result in results])) if results else 0.0


def clearing(results: Results, scoring: Any) -> float:
    value = error(results, scoring)
    for result in results:
        result["score"] = 0.0
    return value


def relabelling(results: Results, scoring: Any) -> float:
    scoring.annotations["annotations"][0]["area"] += 1
    return error(results, scoring)


def constant(results: Results, scoring: Any) -> float:
    return 1.0


def undefined(results: Results, scoring: Any) -> float:
    return error(results, scoring) if results else float("nan")


def raising(results: Results, scoring: Any) -> float:
    return float(results[0]["kepyoints"])


METRICS: Sequence[tuple[Callable[[Results, Scoring], float], set[str], str]] = [
    (error, set(), ""),
    (clearing, {"arguments"}, "it changes the predictions"),
    (relabelling, {"arguments"}, "it changes the truth"),
    (constant, {"sensitivity"}, "it is 1.0 for both"),
    (undefined, {"values"}, "it is nan for no predictions"),
    (raising, {"values", "arguments", "sensitivity"}, "KeyError: 'kepyoints' ("),
]


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(("compute", "expected", "message"), METRICS, ids=[one.__name__ for one, *_ in METRICS])
def test_metrics(compute: Callable[[Results, Scoring], float], expected: set[str], message: str) -> None:
    metric("own", protocols=["coco"])(compute)
    failed = failures(metric_checks(OWN_METRICS["own"]))
    assert failed.keys() == {f"coco {name}" for name in expected}
    assert message in "".join(failed.values())
    assert compute is not raising or all("test_broken_data.py:" in found for found in failed.values())


@pytest.mark.parametrize("protocols", [(), ("coco", "posetrack")])
def test_a_metric_is_for_protocols_that_exist(protocols: tuple[str, ...]) -> None:
    assert failures(metric_checks(OwnMetric("own", error, protocols=protocols))).keys() == {"protocols"}


def test_sides_may_be_one_letter() -> None:
    pair = Skeleton("pair", ("l_eye", "r_eye"), (), (0.1, 0.1), (), ())
    info = replace(DATASETS["coco"], skeleton=pair)
    failed = failures(dataset_checks(info, Path("nowhere"), []))
    assert "exchanges l_eye with l_eye, expected r_eye" in failed["skeleton"]
