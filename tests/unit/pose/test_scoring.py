"""The three protocols: files in, metrics out, and predictions that make no sense."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import torch
from typer.testing import CliRunner

from bench.cli import app
from bench.execute.standalone import evaluate_weights
from bench.pose.data.datasets import dataset_info, open_split
from bench.pose.errors import DataError, UnknownNameError
from bench.pose.evaluation import EvalResult, mean_pose_metrics
from bench.pose.input_size import InputSize
from bench.pose.metrics.pckh import pckh, read_head_truth, read_predictions
from bench.pose.models.build import build_model, initialize
from bench.pose.scoring import score_file, split_scoring
from tests.unit.pose.metrics.test_metrics import TRUTH, predictions
from tests.unit.tiny_datasets import INSTANCES, boxes, coco_test_dev, crowdpose, head_truth, mpii, mpii_instance

COLUMNS = ("Head", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle", "Mean")


def write(file: Path, contents: Any) -> Path:
    file.write_text(json.dumps(contents))
    return file


# MPII


def mpii_results(instances: int = INSTANCES, error: float = 0.0) -> list[dict[str, Any]]:
    """Predictions of the tiny MPII instances, 0-based, to the right by so many px."""
    return [
        {
            "image_id": number,
            "category_id": 1,
            "keypoints": [value for x, y in mpii_instance(number)["joints"] for value in (x - 1 + error, y - 1, 1.0)],
            "score": 1.0,
        }
        for number in range(instances)
    ]


def score_mpii(folder: Path, results: Any) -> dict[str, float]:
    truth = folder / "gt_valid.mat"
    head_truth(truth, [mpii_instance(number) for number in range(INSTANCES)])
    return score_file("mpii", write(folder / "predictions.json", results), truth)[0]


def test_mpii_predictions_are_judged_at_both_thresholds(tmp_path: Path) -> None:
    """Heads measure 0.6 * 20 * sqrt(2) = 17 px: an error of 5 px is 0.29 heads."""
    names = [*COLUMNS, *(f"{name}@0.1" for name in COLUMNS)]
    assert score_mpii(tmp_path, mpii_results()) == pytest.approx(dict.fromkeys(names, 100.0))
    found = score_mpii(tmp_path, mpii_results(error=5))
    assert (found["Mean"], found["Mean@0.1"]) == (100, 0)


def test_the_order_of_results_is_of_no_account_and_who_is_not_predicted_is_missed(tmp_path: Path) -> None:
    assert score_mpii(tmp_path, mpii_results()[::-1])["Mean"] == 100
    found = score_mpii(tmp_path, mpii_results(INSTANCES - 2))
    truth = read_head_truth(tmp_path / "gt_valid.mat")
    seen = truth.visible.sum(axis=1) - truth.visible[:, 6:8].sum(axis=1)
    assert found["Mean"] == pytest.approx(100 * seen[:-2].sum() / seen.sum())
    assert score_mpii(tmp_path, [])["Mean"] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_id": INSTANCES}, "image_id 6 is not a position among the 6 instances"),
        ({"image_id": -1}, "image_id -1 is not a position"),
        ({"image_id": "one"}, "image_id 'one' is not a position"),
        ({"image_id": 0}, "instance 0 is predicted a second time"),
        ({"keypoints": [1.0] * 47}, r"\(instance 1\): keypoints are not 48 finite numbers"),
        ({"keypoints": [float("inf")] * 48}, "keypoints are not 48 finite numbers"),
        ({"keypoints": None}, "keypoints are not 48 finite numbers"),
        (3, "expected an object with image_id and keypoints, found 3"),
        ({"image_id": 1, "keypoints": [0.0] * 48}, None),
        ({"image_id": 1.0}, None),
        ({"image_id": "1", "category_id": None, "bbox": None}, None),
    ],
    ids=str,
)
def test_a_broken_mpii_prediction_is_named(change: Any, message: str | None, tmp_path: Path) -> None:
    results: list[Any] = mpii_results()
    results[1] = change if change == 3 else results[1] | change
    if message is None:
        score_mpii(tmp_path, results)
    else:
        with pytest.raises(DataError, match=rf"predictions\.json: prediction 1.*{message}"):
            score_mpii(tmp_path, results)


@pytest.mark.parametrize("columns", [2, 3])
def test_pred_mat_counts_from_one(columns: int, tmp_path: Path) -> None:
    """As the reference stores it: 1 is added before."""
    score_mpii(tmp_path, mpii_results(error=5))
    points = np.array([result["keypoints"] for result in mpii_results(error=5)]).reshape(INSTANCES, 16, 3)[
        ..., :columns
    ]
    scipy.io.savemat(tmp_path / "pred.mat", {"preds": points + 1})
    found, _ = score_file("mpii", tmp_path / "pred.mat", tmp_path / "gt_valid.mat")
    assert found == score_mpii(tmp_path, mpii_results(error=5))


def test_matlab_files_without_the_arrays_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "some.mat"
    with pytest.raises(DataError, match=r"some\.mat: no such file"):
        read_predictions(file)
    file.write_text("no MATLAB")
    for read in (read_predictions, read_head_truth):
        with pytest.raises(DataError, match=r"some\.mat: not a readable MATLAB file"):
            read(file)
    scipy.io.savemat(file, {"preds": np.zeros((5, 14, 2))})
    with pytest.raises(DataError, match=r"expected numbers 'preds' of shape .* found \(5, 14, 2\)"):
        read_predictions(file)
    with pytest.raises(DataError, match="lacks jnt_missing, pos_gt_src"):
        read_head_truth(file)
    arrays = {"dataset_joints": 1, "jnt_missing": np.zeros((16, 5)), "pos_gt_src": np.zeros((16, 2, 5))}
    scipy.io.savemat(file, arrays | {"headboxes_src": np.zeros((2, 2, 4))})
    with pytest.raises(DataError, match=r"headboxes_src has shape \(2, 2, 4\), expected numbers of shape \(2, 2, 5\)"):
        read_head_truth(file)


def test_truth_of_other_instances_is_refused(tmp_path: Path) -> None:
    mpii(tmp_path)
    head_truth(tmp_path / "annot" / "gt_valid.mat", [mpii_instance(0)])
    with pytest.raises(DataError, match=r"gt_valid\.mat: 1 instances, but .*valid\.json lists 6"):
        split_scoring(open_split("mpii", tmp_path, "valid"))
    with pytest.raises(DataError, match=r"gt_train\.mat: no such file"):
        split_scoring(open_split("mpii", tmp_path, "train"))


# COCO and CrowdPose


def coco_truth() -> dict[str, Any]:
    return TRUTH | {"images": [image | {"file_name": "a.jpg"} for image in TRUTH["images"]]}


def test_broken_annotations_are_named_and_the_rest_is_scored(tmp_path: Path) -> None:
    truth = coco_truth()
    spoiled = [*truth["annotations"], truth["annotations"][0] | {"id": 99, "keypoints": [1]}]
    file = write(tmp_path / "truth.json", truth | {"annotations": spoiled})
    metrics, problems = score_file("coco", write(tmp_path / "predictions.json", predictions()), file)
    assert metrics["AP"] == pytest.approx(1)
    (problem,) = problems
    assert problem == f"{file}: annotation 99: 1 keypoint values, expected 51"


@pytest.mark.parametrize("contents", [{}, "text", 3])
def test_predictions_must_be_a_list(contents: Any, tmp_path: Path) -> None:
    truth = write(tmp_path / "truth.json", coco_truth())
    with pytest.raises(DataError, match=r"predictions\.json: expected a list of instances"):
        score_file("coco", write(tmp_path / "predictions.json", contents), truth)


def test_a_broken_coco_prediction_is_named_with_its_file(tmp_path: Path) -> None:
    truth = write(tmp_path / "truth.json", coco_truth())
    with pytest.raises(DataError, match=r"predictions\.json: prediction 1: expected an object"):
        score_file("coco", write(tmp_path / "predictions.json", [predictions()[0], 3]), truth)


def test_an_unknown_protocol_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown protocol 'coc' \(did you mean 'coco'\?\)"):
        score_file("coc", tmp_path, tmp_path)


def test_crowdpose_without_crowd_index_is_refused(tmp_path: Path) -> None:
    truth = json.loads((crowdpose(tmp_path) / "annotations" / "crowdpose_test.json").read_text())
    del truth["images"][1]["crowdIndex"]
    with pytest.raises(
        DataError, match=r"t\.json: 1 of 6 images have no number as crowdIndex, .* \(the first: image 101\)"
    ):
        score_file("crowdpose", write(tmp_path / "p.json", []), write(tmp_path / "t.json", truth))


def test_crowdpose_instances_keep_their_counts(tmp_path: Path) -> None:
    folder = crowdpose(tmp_path)
    file = folder / "annotations" / "crowdpose_test.json"
    truth = json.loads(file.read_text())
    truth["annotations"][1]["num_keypoints"] = 0
    truth["annotations"][2]["iscrowd"] = 1
    file.write_text(json.dumps(truth))
    split = open_split("crowdpose", folder, "test")
    assert [instance.annotation_id for instance in split.instances()] == [1, 4, 5, 6], (
        "who does not count is not trained on"
    )
    found = split.annotations["annotations"]
    assert [instance["num_keypoints"] for instance in found] == [12, 0, 12, 12, 12, 12]
    assert found[0]["area"] == pytest.approx(0.53 * 90 * 100)


# Whole evaluations with weights that know nothing


def measured(dataset: str, folder: Path, split: str, box_file: Path | None, out: Path) -> EvalResult:
    torch.manual_seed(0)
    model = build_model(
        "simba_tiny",
        "simdr",
        keypoints=dataset_info(dataset).skeleton.size,
        input_size=(64, 64),
        split_ratio=2.0,
        replicas=1,
    )
    initialize(model, scheme="reference")
    torch.save(model.state_dict(), out.with_suffix(".pt"))
    trained = {"backbone": "simba_tiny", "representation": "simdr", "input_size": InputSize(64, 64), "split_ratio": 2.0}
    trained |= {"dataset": dataset, "split": split}
    weights = out.with_suffix(".pt")
    return evaluate_weights(trained, {}, folder, weights, out, box_file=box_file, device="cpu", workers=0)


def stored(out: Path) -> dict[str, Any]:
    return json.loads((out / "metrics.json").read_text())


def test_evaluating_on_mpii(tmp_path: Path) -> None:
    folder, out = mpii(tmp_path / "mpii"), tmp_path / "out"
    (folder / "images" / "2.png").write_text("no image")
    found = measured("mpii", folder, "valid", None, out)
    truth = folder / "annot" / "gt_valid.mat"
    assert [result["image_id"] for result in found.results] == [0, 1, 3, 4, 5]
    (problem,) = found.problems
    assert problem.startswith(f"1 of 6 images of valid left out, with 1 of 6 instances: {folder}/images/2.png: not an")
    assert stored(out) == found.metrics == score_file("mpii", out / "predictions.json", truth)[0]
    assert score_file("mpii", out / "pred.mat", truth)[0] == pytest.approx(found.metrics)
    keypoints = read_predictions(out / "pred.mat")
    assert np.isnan(keypoints[2]).all()
    np.testing.assert_allclose(keypoints[3].ravel(), np.reshape(found.results[2]["keypoints"], (-1, 3))[:, :2].ravel())


def test_evaluating_on_crowdpose(tmp_path: Path) -> None:
    folder, out = crowdpose(tmp_path / "crowdpose"), tmp_path / "out"
    for box_file in (None, folder / "annotations" / "det_for_crowd_test_0.1_0.5.json"):
        found = measured("crowdpose", folder, "test", box_file, out)
        truth = folder / "annotations" / "crowdpose_test.json"
        assert stored(out) == score_file("crowdpose", out / "predictions.json", truth)[0]
        assert {"AP", "AR", "AP_E", "AP_M", "AP_H", "mean_oks"} <= found.metrics.keys()
        assert not (out / "pred.mat").exists()


def test_evaluating_on_test_dev_only_predicts(tmp_path: Path) -> None:
    folder, out = coco_test_dev(tmp_path / "coco"), tmp_path / "out"
    box_file = folder / dict(dataset_info("coco").detector_boxes)["test-dev2017"]
    found = measured("coco", folder, "test-dev2017", box_file, out)
    assert (found.metrics, stored(out), found.instances) == ({}, {}, len(boxes()))
    assert len(json.loads((out / "predictions.json").read_text())) == len(found.results) > 0
    with pytest.raises(DataError, match="lists no instances: their annotations are not published"):
        measured("coco", folder, "test-dev2017", None, out)


@pytest.mark.parametrize(
    ("dataset", "make", "train", "split", "metric"),
    [
        ("mpii", mpii, "train", "valid", "Mean"),
        ("crowdpose", crowdpose, "trainval", "test", "AP"),
        ("coco", coco_test_dev, "train2017", "test-dev2017", None),
    ],
)
def test_the_mean_pose_is_measured_as_the_dataset_is(
    dataset: str, make: Callable[[Path], Path], train: str, split: str, metric: str | None, tmp_path: Path
) -> None:
    folder = make(tmp_path)
    found = mean_pose_metrics(open_split(dataset, folder, train).instances(), open_split(dataset, folder, split))
    assert (metric in found) if metric else not found


def test_pckh_of_nan_is_a_miss() -> None:
    truth = read_head_truth(Path(__file__).parents[2] / "fixtures" / "golden" / "mpii_gt_valid.mat")
    assert pckh(np.full(truth.keypoints.shape, np.nan), truth)["Mean"] == 0


def test_where_nobody_is_to_be_judged_the_commands_say_so(tmp_path: Path) -> None:
    """MPII's test people have no keypoints; JSON has no NaN."""
    entries = [mpii_instance(number, joints_vis=[0] * 16) for number in range(INSTANCES)]
    folder, out = mpii(tmp_path / "mpii", entries), tmp_path / "out"
    head_truth(folder / "annot/gt_valid.mat", entries)
    assert set(measured("mpii", folder, "valid", None, out).metrics.values()) == set(stored(out).values()) == {None}

    command = "eval --backbone simba_tiny --representation simdr --input-size 64x64 --split-ratio 2 --dataset mpii"
    files = ["--split", "valid", "--dataset-dir", folder, "--checkpoint", out.with_suffix(".pt"), "--out", out]
    done = CliRunner().invoke(app, [*command.split(), *map(str, files)])
    assert done.exit_code == 0, done.output
    assert done.stderr == "nobody to judge: no instance of valid counts\n"
    assert json.loads(done.stdout) == stored(out)
    truth = ["--protocol", "mpii", "--annotations", str(folder / "annot/gt_valid.mat")]
    scored = CliRunner().invoke(app, ["score", *truth, "--predictions", str(out / "predictions.json")])
    assert [line.split(maxsplit=1)[1] for line in scored.stdout.splitlines()] == ["nobody to judge"] * 16
