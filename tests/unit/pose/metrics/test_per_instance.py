"""Per-instance results: equal to their evaluator, resampled as if images were copied, and kept in small files."""

import copy
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.pose.errors import DataError, UnknownNameError
from bench.pose.metrics.coco import STATISTICS, coco_metrics, judge, load_ground_truth, run_coco
from bench.pose.metrics.crowdpose import judge_crowdpose, run_crowdpose
from bench.pose.metrics.oks_per_instance import CROWDING, OksPerInstance
from bench.pose.metrics.pckh import HeadTruth, pckh
from bench.pose.metrics.pckh_per_instance import PckhPerInstance, judge_pckh
from bench.pose.metrics.per_instance import PerInstanceResults, load_per_instance, save_per_instance
from bench.pose.skeletons import COCO_17, CROWDPOSE_14, MPII_16
from benchmarks.bootstrap import made_up
from tests.shared import shared_data
from tests.unit.oks_cases import Results, Truth, by_pycocotools, case, duplicated

SEEDS = range(8)


def coco(truth: Truth, results: Results) -> tuple[OksPerInstance, dict[str, float]]:
    """Per-instance results, and the evaluator's own metrics."""
    evaluation = run_coco(load_ground_truth(copy.deepcopy(truth)), results, COCO_17.sigmas)
    return judge(evaluation), coco_metrics(evaluation)


def crowdpose(truth: Truth, results: Results) -> OksPerInstance:
    return judge_crowdpose(run_crowdpose(truth, results, CROWDPOSE_14.sigmas))


def crowdpose_by_pycocotools(truth: Truth, results: Results) -> dict[str, float]:
    """CrowdPose's metrics, each group of images evaluated by itself."""

    def mean(values: np.ndarray) -> float:
        return float(values[values > -1].mean()) if (values > -1).any() else -1.0

    def evaluated(low: float, high: float) -> Any:
        images = [image for image in truth["images"] if low <= image["crowdIndex"] < high]
        ids = {image["id"] for image in images}
        instances = [
            one | {"area": 0.53 * one["bbox"][2] * one["bbox"][3]}
            for one in truth["annotations"]
            if one["image_id"] in ids
        ]
        subset = truth | {"images": images, "annotations": instances}
        found = [one for one in results if one["image_id"] in ids]
        return by_pycocotools(subset, found, CROWDPOSE_14.sigmas, any_size=True).eval

    whole = evaluated(0, np.inf)
    found = {}
    for name, values in (("AP", whole["precision"]), ("AR", whole["recall"])):
        found |= {name: mean(values), f"{name}50": mean(values[0]), f"{name}75": mean(values[5])}
    return found | {name: round(mean(evaluated(*limits)["precision"]), 4) for name, limits in CROWDING.items()}


@pytest.mark.parametrize("seed", SEEDS)
def test_coco_metrics_are_the_evaluator_s(seed: int) -> None:
    per_instance, expected = coco(*case(seed))
    assert per_instance.metrics() == pytest.approx(expected, abs=1e-12)
    assert list(per_instance.metrics()) == list(expected)
    assert 0 < expected["AP"] < 1


@pytest.mark.parametrize("seed", SEEDS)
def test_crowdpose_metrics_are_those_of_separate_evaluations(seed: int) -> None:
    truth, results = case(seed, crowdpose=True)
    found = crowdpose(truth, results).metrics()
    expected = crowdpose_by_pycocotools(truth, results)
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-12)
    assert list(found) == [*expected, "mean_oks"]
    assert 0 < found["AP"] < 1


def test_metrics_of_real_coco_images() -> None:
    folder = shared_data("coco_mini")
    truth = json.loads((folder / "annotations" / "person_keypoints_val2017.json").read_text())
    per_instance, expected = coco(truth, json.loads((folder / "jittered_predictions.json").read_text()))
    assert per_instance.metrics() == pytest.approx(expected, abs=1e-12)
    assert expected["AP"] == pytest.approx(0.392643, abs=1e-6)


def resampled(per_instance: PerInstanceResults, counts: Any, names: Any) -> dict[str, float]:
    found = per_instance.resample(np.array([counts]), list(names))
    return {name: float(values[0]) for name, values in found.items()}


@pytest.mark.parametrize("seed", SEEDS)
def test_an_image_drawn_twice_counts_as_two_images(seed: int) -> None:
    """Scores without ties, as copies of an image tie with each other only then."""
    truth, results = case(seed, ties=False)
    counts = np.random.default_rng(seed).integers(0, 4, len(truth["images"]))
    per_instance, _ = coco(truth, results)
    _, expected = coco(*duplicated(truth, results, counts.tolist()))
    assert resampled(per_instance, counts, expected) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_so_it_does_for_crowdpose(seed: int) -> None:
    truth, results = case(seed, crowdpose=True, ties=False)
    counts = np.random.default_rng(seed).integers(0, 4, len(truth["images"]))
    expected = crowdpose(*duplicated(truth, results, counts.tolist())).metrics()
    found = resampled(crowdpose(truth, results), counts, expected)
    rounded = {name: round(value, 4) for name, value in found.items() if name in CROWDING}
    assert found | rounded == pytest.approx(expected, abs=1e-12)


def test_each_image_once_gives_the_metrics_and_each_metric_alone_the_same() -> None:
    per_instance, expected = coco(*case(0))
    once = np.ones(per_instance.units, dtype=int)
    assert resampled(per_instance, once, expected) == pytest.approx(expected, abs=1e-12)
    for name in expected:
        assert resampled(per_instance, once, [name]) == {name: pytest.approx(expected[name], abs=1e-12)}


def test_resamples_are_computed_one_by_one() -> None:
    per_instance, expected = coco(*case(1))
    counts = np.random.default_rng(0).multinomial(
        per_instance.units, np.full(per_instance.units, 1 / per_instance.units), 9
    )
    together = per_instance.resample(counts, [*expected])
    for name in expected:
        alone = [resampled(per_instance, row, [name])[name] for row in counts]
        np.testing.assert_allclose(together[name], alone, atol=1e-12)
    assert len(set(together["AP"])) > 5


def test_where_nobody_is_drawn_there_is_nothing_to_say() -> None:
    truth, results = case(0)
    per_instance, expected = coco(truth, results)
    nobody = resampled(per_instance, np.zeros(per_instance.units, dtype=int), expected)
    assert np.isnan(list(nobody.values())).all()
    bare, metrics = coco(truth | {"annotations": []}, results)
    assert bare.metrics() == metrics == dict.fromkeys([*STATISTICS, "mean_oks"])
    assert crowdpose(case(0, crowdpose=True)[0] | {"annotations": []}, []).metrics()["AP_H"] is None


def test_without_predictions_everything_is_zero() -> None:
    per_instance, expected = coco(case(0)[0], [])
    assert per_instance.metrics() == expected == dict.fromkeys([*STATISTICS, "mean_oks"], 0.0)


def test_unknown_metrics_and_unfit_counts_are_refused() -> None:
    per_instance, _ = coco(*case(0))
    once = np.ones((1, per_instance.units), dtype=int)
    with pytest.raises(UnknownNameError, match=r"unknown metric 'AP_E'.* valid: AP, AP50"):
        per_instance.resample(once, ["AP", "AP_E"])
    for counts, message in ((once[0], "shape"), (once[:, 1:], "shape"), (once * 0.5, "float64"), (-once, "negative")):
        with pytest.raises(ValueError, match=message):
            per_instance.resample(counts, ["AP"])


def test_fingerprints_tell_units_apart_and_not_predictions() -> None:
    truth, results = case(0)
    per_instance, _ = coco(truth, results)
    same, _ = coco(truth, results[::2])
    fewer, _ = coco(truth | {"images": truth["images"][:-1]}, [one for one in results if one["image_id"] < 24])
    other, _ = coco(truth | {"annotations": truth["annotations"][::2]}, results)
    assert per_instance.fingerprint == same.fingerprint
    assert len({per_instance.fingerprint, fewer.fingerprint, other.fingerprint}) == 3


# PCKh


def heads(instances: int = 40, seed: int = 0) -> tuple[np.ndarray, HeadTruth]:
    """Predictions, of two instances none, and truth."""
    rng = np.random.default_rng(seed)
    keypoints = rng.uniform(0, 500, (instances, 16, 2))
    truth = HeadTruth(keypoints, rng.random((instances, 16)) < 0.8, rng.uniform(20, 80, instances))
    predictions = keypoints - 1 + rng.normal(0, 12, keypoints.shape)
    predictions[[3, 7]] = np.nan
    return predictions, truth


def test_pckh_is_the_evaluator_s() -> None:
    predictions, truth = heads()
    per_instance = judge_pckh(predictions, truth)
    expected = pckh(predictions, truth)
    assert per_instance.metrics() == pytest.approx(expected, abs=1e-12)
    assert 5 < expected["Mean@0.1"] < expected["Mean"] < 95
    assert resampled(per_instance, np.ones(per_instance.units, dtype=int), expected) == pytest.approx(
        expected, abs=1e-12
    )


def test_a_instance_drawn_twice_counts_as_two_instances() -> None:
    predictions, truth = heads()
    counts = np.random.default_rng(1).integers(0, 4, len(predictions))
    copies = np.repeat(np.arange(len(predictions)), counts)
    several = HeadTruth(truth.keypoints[copies], truth.visible[copies], truth.head_sizes[copies])
    expected = pckh(predictions[copies], several)
    found = resampled(judge_pckh(predictions, truth), counts, expected)
    assert found == pytest.approx(expected, abs=1e-12)
    with pytest.raises(UnknownNameError, match="unknown metric 'AP'"):
        judge_pckh(predictions, truth).resample(np.ones((1, 40), dtype=int), ["AP"])


# Files


MAKE: dict[str, Callable[[], PerInstanceResults]] = {
    "coco": lambda: coco(*case(2))[0],
    "crowdpose": lambda: crowdpose(*case(2, crowdpose=True)),
    "nothing": lambda: coco(case(2)[0], [])[0],
    "mpii": lambda: judge_pckh(*heads()),
}


@pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)
def test_files_keep_everything(make: Callable[[], PerInstanceResults], tmp_path: Path) -> None:
    per_instance, file = make(), tmp_path / "per_instance.npz"
    file.write_bytes(save_per_instance(per_instance))
    loaded = load_per_instance(file)
    names = [*per_instance.metrics()]
    assert (loaded.units, loaded.fingerprint) == (per_instance.units, per_instance.fingerprint)
    assert loaded.metrics() == per_instance.metrics()
    counts = np.random.default_rng(0).integers(0, 3, (4, per_instance.units))
    for name, values in per_instance.resample(counts, names).items():
        np.testing.assert_array_equal(loaded.resample(counts, names)[name], values)
    assert save_per_instance(loaded) == save_per_instance(per_instance)


def test_per_instance_of_coco_val_take_little_room() -> None:
    assert len(save_per_instance(made_up(12_000))) < 200_000


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def stored(**changes: Callable[[np.ndarray], Any]) -> bytes:
    """A sound file with some arrays changed."""
    with np.load(io.BytesIO(save_per_instance(coco(*case(2))[0]))) as arrays:
        return npz(**dict(arrays) | {name: np.array(change(arrays[name])) for name, change in changes.items()})


def array_file() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ones(3))
    return buffer.getvalue()


BROKEN = {
    "empty": lambda: b"",
    "text": lambda: b"no npz",
    "cut short": lambda: stored()[:-200],
    "of another kind": lambda: npz(kind=np.array("heights"), heights=np.ones(3)),
    "without a kind": lambda: npz(instances=np.ones(3)),
    "without an array": lambda: npz(kind=np.array("oks")),
    "of an unknown protocol": lambda: stored(protocol=lambda _: "poses"),
    "with a pickle": lambda: stored(instances=lambda counts: counts.astype(object)),
    "with images that are not there": lambda: stored(detections=lambda images: images + 1),
    "with an impossible shape": lambda: stored(**{"matched.shape": lambda _: [3, 10, 10**9]}),
    "with fractions": lambda: stored(detections=lambda images: images / 2),
    "with unpacked flags": lambda: stored(**{"matched.shape": lambda _: [3]}),
    "with instances of other images": lambda: stored(instances=lambda counts: counts[:, 1:]),
    "a plain array": array_file,
}


@pytest.mark.parametrize("contents", BROKEN.values(), ids=BROKEN)
def test_broken_files_are_named(contents: Callable[[], bytes], tmp_path: Path) -> None:
    file = tmp_path / "per_instance.npz"
    file.write_bytes(contents())
    with pytest.raises(DataError, match=r"per_instance\.npz: not a readable file of per-instance results"):
        load_per_instance(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"per_instance\.npz: no such file"):
        load_per_instance(tmp_path / "per_instance.npz")


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="do not match"):
        PckhPerInstance(np.zeros((3, MPII_16.size)), np.zeros((4, MPII_16.size), dtype=bool))
