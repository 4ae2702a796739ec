"""The first images of a split: the same whatever the order of its file, for images, instances, boxes and truth."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from bench.pose.data.coco_format import CocoKeypoints
from bench.pose.data.datasets import DatasetInfo, dataset_info
from bench.pose.data.instances import Instance, Instances
from bench.pose.data.subset import chosen_images, first_images, first_instances, restrict_annotations
from bench.pose.errors import DataError
from bench.pose.scoring import PckhScoring, split_scoring
from tests.unit.tiny_datasets import INSTANCES, coco_test_dev, crowdpose, mpii, mpii_instance


def test_the_order_is_of_the_names_alone_and_larger_subsets_contain_smaller_ones() -> None:
    names = [f"{number:06d}.jpg" for number in range(50)]
    chosen = [first_images(names, count) for count in (1, 5, 20, 50, 99)]
    assert [len(found) for found in chosen] == [1, 5, 20, 50, 50]
    assert all(small <= large for small, large in pairwise(chosen))
    assert first_images(reversed(names), 5) == chosen[1]
    assert chosen[2] != set(names[:20]), "neither by name nor by number"
    assert first_images(names, 3, annotated=names[40:43]) == set(names[40:43]), "images with annotations come first"
    assert first_images(["\udcff.jpg"], 1), "a name that is no text"


def test_instances_are_chosen_whatever_their_order_and_more_contain_fewer() -> None:
    pose = np.zeros((17, 2)), np.zeros(17, dtype=bool)
    instances = Instances.of([Instance(Path(f"{n % 7}.jpg"), n, n, np.ones(4), *pose, 1.0) for n in range(40)])
    chosen = [{one.annotation_id for one in first_instances(instances, count)} for count in (1, 10, 30, 40)]
    assert [len(found) for found in chosen] == [1, 10, 30, 40]
    assert all(small < large for small, large in pairwise(chosen))
    assert {one.annotation_id for one in first_instances(instances[::-1], 10)} == chosen[1] != set(range(10))
    assert first_instances(instances, None) is instances
    with pytest.raises(DataError, match="train_subset: 41, but the training split has 40 instances"):
        first_instances(instances, 41)


def test_annotations_of_the_images_are_kept_as_they_stand() -> None:
    contents = {
        "info": {}, "images": [{"id": number, "file_name": f"{number}.png"} for number in range(10)],
        "annotations": [{"id": number, "image_id": number % 10} for number in range(30)],
    }  # fmt: skip
    found = restrict_annotations(contents, 4)
    ids = [image["id"] for image in found["images"]]
    assert (len(ids), ids) == (4, sorted(ids))
    assert [one["id"] for one in found["annotations"]] == [n for n in range(30) if n % 10 in ids]
    assert found["info"] == {}
    turned = {**contents, "images": contents["images"][::-1], "annotations": contents["annotations"][::-1]}
    assert {image["id"] for image in restrict_annotations(turned, 4)["images"]} == set(ids)
    assert restrict_annotations(contents, 10) == contents


def test_held_out_images_are_the_first_and_the_others_are_trained_on() -> None:
    names = [f"{number:06d}.jpg" for number in range(50)]
    held = first_images(names, 10)
    assert chosen_images(names, None, held_out=10) == set(names) - held
    assert chosen_images(names, 30, held_out=10) == first_images(names, 30) - held, "of a subset, the same ones"
    assert chosen_images(names, None) == set(names)
    assert chosen_images([], None, held_out=3) == set()
    with pytest.raises(DataError, match="held_out: 30 leaves none of 30 images to train on"):
        chosen_images(names, 30, held_out=30)


@pytest.mark.parametrize("name", ["crowdpose", "mpii"])
def test_what_is_held_out_and_the_rest_are_the_whole_split(tmp_path: Path, name: str) -> None:
    info, split = dataset_info(name), {"crowdpose": "test", "mpii": "train"}[name]
    folder = crowdpose(tmp_path) if name == "crowdpose" else mpii(tmp_path)
    whole, held, rest = (
        {one.annotation_id for one in info.open(folder, split, subset, held_out=held_out).instances()}
        for subset, held_out in ((None, None), (2, None), (None, 2))
    )
    assert held
    assert rest
    assert held | rest == whole
    assert not held & rest


def opened(info: DatasetInfo, folder: Path, split: str, subset: int | None) -> CocoKeypoints:
    found = info.open(folder, split, subset)
    assert isinstance(found, CocoKeypoints)
    return found


def test_boxes_and_truth_of_crowdpose(tmp_path: Path) -> None:
    folder, info = crowdpose(tmp_path), dataset_info("crowdpose")
    boxes = info.box_file(folder, "test")
    assert boxes is not None
    whole, part = (opened(info, folder, "test", subset) for subset in (None, 2))
    assert (len(whole.images), len(part.images)) == (INSTANCES, 2)
    assert {one.image_id for one in part.instances()} == set(part.images)
    assert [one.annotation_id for one in part.detections(boxes)] == [
        one.annotation_id for one in whole.detections(boxes) if one.image_id in part.images
    ]
    assert not part.problems, "boxes of the other images are none of its business"
    results = [{"image_id": i, "category_id": 1, "keypoints": keypoints, "score": 1.0} for i, keypoints in
               ((one["image_id"], one["keypoints"]) for one in part.annotations["annotations"])]  # fmt: skip
    assert split_scoring(part).metrics(results)["AP"] == pytest.approx(1)
    assert split_scoring(whole).metrics(results)["AP"] < 0.9, "the others are missing there"


def test_images_without_annotations(tmp_path: Path) -> None:
    found = opened(dataset_info("coco"), coco_test_dev(tmp_path), "test-dev2017", 3)
    assert len(found.images) == 3


def test_mpii_scores_its_subset_alone(tmp_path: Path) -> None:
    entries = [mpii_instance(number, image=f"{number // 2}.png") for number in range(INSTANCES)]
    info = dataset_info("mpii")
    split = info.open(mpii(tmp_path, entries), "valid", 2)
    instances = split.instances()
    assert len(instances) == 4, "two images of two instances each"
    scoring = split_scoring(split)
    assert isinstance(scoring, PckhScoring)
    assert np.flatnonzero(scoring.truth.visible.any(axis=1)).tolist() == [one.image_id for one in instances]
    results = [
        {"image_id": one.image_id, "keypoints": np.column_stack([one.keypoints, np.ones(16)]).ravel().tolist()}
        for one in instances
    ]
    assert scoring.metrics(results)["Mean"] == pytest.approx(100)


def test_a_subset_without_usable_instances_is_said(tmp_path: Path) -> None:
    folder = crowdpose(tmp_path)
    file = folder / "annotations" / "crowdpose_test.json"
    contents = json.loads(file.read_text())
    for annotation in contents["annotations"]:
        annotation["iscrowd"] = 1
    file.write_text(json.dumps(contents))
    with pytest.raises(Exception, match="no usable instance in 1 annotations"):
        opened(dataset_info("crowdpose"), folder, "test", 1).instances()
