"""MPII's instances: given crops, 1-based pixels, and entries that make no sense."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.pose.data.crops import CropSettings
from bench.pose.data.datasets import open_split
from bench.pose.data.loading import evaluation_batches
from bench.pose.data.mpii import MpiiInstances
from bench.pose.errors import DataError
from bench.pose.geometry import box_to_center_scale
from bench.pose.skeletons import MPII_16
from tests.shared import shared_data
from tests.unit.tiny_datasets import INSTANCES, mpii, mpii_instance


def test_centers_move_down_scales_grow_and_pixels_count_from_zero(tmp_path: Path) -> None:
    entry = mpii_instance(0, center=[594.0, 257.0], scale=3.021046)
    instance = MpiiInstances(mpii(tmp_path, [entry]), "valid").instances()[0]
    center, scale = instance.crop((256, 256))
    np.testing.assert_allclose(center, [593.0, 257.0 + 15 * 3.021046 - 1], rtol=1e-12)
    np.testing.assert_allclose(scale, [3.021046 * 1.25] * 2, rtol=1e-12)
    np.testing.assert_array_equal(instance.keypoints, np.array(entry["joints"]) - 1)
    assert instance.visible.tolist() == [flag == 1 for flag in entry["joints_vis"]]
    assert instance.image == (tmp_path / "images" / "0.png").resolve()


def test_who_has_no_center_is_neither_moved_nor_padded(tmp_path: Path) -> None:
    instance = MpiiInstances(mpii(tmp_path, [mpii_instance(0, center=[-1.0, -1.0], scale=2.0)]), "valid").instances()[0]
    center, scale = instance.crop((256, 256))
    assert (center.tolist(), scale.tolist()) == ([-2, -2], [2, 2])


@pytest.mark.parametrize("size", [(64, 64), (256, 192), (64, 128)])
def test_the_given_crop_serves_every_aspect_ratio(size: tuple[int, int], tmp_path: Path) -> None:
    instances = MpiiInstances(mpii(tmp_path), "valid").instances()
    (batch,) = evaluation_batches(instances, CropSettings(size, "rgb", MPII_16), batch_size=INSTANCES)
    assert batch.indices.tolist() == list(range(INSTANCES))
    np.testing.assert_allclose(batch.scales.numpy(), np.full((INSTANCES, 2), 0.5))
    np.testing.assert_allclose(batch.centers.numpy(), [[69, 60 + number] for number in range(INSTANCES)])


def test_the_box_is_the_body_that_the_crop_pads(tmp_path: Path) -> None:
    instance = MpiiInstances(mpii(tmp_path), "valid").instances()[2]
    for found, given in zip(box_to_center_scale(instance.box, (64, 64)), instance.crop((64, 64)), strict=True):
        np.testing.assert_allclose(found, given, rtol=1e-6)
    assert instance.area == pytest.approx(instance.box[2] * instance.box[3])


BROKEN: dict[str, tuple[Any, str]] = {
    "no object": (3, "expected an object with image, center"),
    "no image": ({"image": None}, "image None names no file"),
    "no center": ({"center": [1.0]}, r"center \[1.0\] is not x and y"),
    "NaN": ({"center": [float("nan"), 2]}, "is not x and y"),
    "no scale": ({"scale": 0}, "scale 0 is not a positive number"),
    "scale no number": ({"scale": "1"}, "scale '1' is not a positive number"),
    "keypoint missing": ({"joints": [[1.0, 1.0]] * 15}, "joints are not 16 pairs of finite numbers"),
    "keypoint of one": ({"joints": [[1.0]] * 16}, "joints are not 16 pairs of finite numbers"),
    "no visibility": ({"joints_vis": [1] * 15}, "joints_vis is not 16 numbers"),
}


@pytest.mark.parametrize(("change", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_instance_is_named_and_the_others_keep_their_positions(
    change: Any, message: str, tmp_path: Path
) -> None:
    entries = [mpii_instance(number) for number in range(3)]
    split = MpiiInstances(
        mpii(tmp_path, [entries[0], change if change == 3 else entries[1] | change, entries[2]]), "valid"
    )
    assert [instance.annotation_id for instance in split.instances()] == [0, 2]
    split.instances()
    (problem,) = split.problems  # once, however often the instances are read
    assert problem.startswith(f"{split.annotation_file}: instance 1: ")
    with pytest.raises(DataError, match=message):
        raise DataError(problem)


def test_unusable_files_are_refused(tmp_path: Path) -> None:
    mpii(tmp_path)
    with pytest.raises(DataError, match=r"test\.json: no such file"):
        MpiiInstances(tmp_path, "test").instances()
    (tmp_path / "annot" / "valid.json").write_text("{}")
    with pytest.raises(DataError, match=r"valid\.json: expected MPII's list of instances, found dict"):
        MpiiInstances(tmp_path, "valid").instances()
    (tmp_path / "annot" / "valid.json").write_text("[3]")
    with pytest.raises(DataError, match="lists no instance; problems \\(1\\)"):
        MpiiInstances(tmp_path, "valid").instances()
    with pytest.raises(DataError, match="MPII is measured with its annotated centers"):
        MpiiInstances(tmp_path, "valid").detections(tmp_path / "boxes.json")
    (tmp_path / "images").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="images is not a folder"):
        MpiiInstances(tmp_path, "train").instances()


def test_an_image_outside_the_folder_is_refused(tmp_path: Path) -> None:
    mpii(tmp_path, [mpii_instance(0, image="../annot/valid.json"), mpii_instance(1)])
    opened = MpiiInstances(tmp_path, "valid")
    assert [instance.image_id for instance in opened.instances()] == [1]
    (problem,) = opened.problems
    assert "instance 0: file name '../annot/valid.json' leaves the image folder" in problem


def test_real_instances() -> None:
    split = open_split("mpii", shared_data("mpii_mini"), "valid")
    instances = split.instances()
    assert not split.problems
    assert [instance.image.name for instance in instances][:2] == ["005808361.jpg", "052475643.jpg"]
    np.testing.assert_allclose(instances[0].crop((256, 256))[0], [965, 340 + 15 * 4.718488 - 1])
    assert instances[2].visible.tolist() == [False, *[True] * 4, False, *[True] * 10]
    (batch,) = evaluation_batches(instances, CropSettings((256, 256), "rgb", MPII_16), batch_size=5)
    inside = ((batch.keypoints > 0) & (batch.keypoints < 256)).all(dim=-1)
    assert inside[batch.visible].float().mean() > 0.97, "the crops hold their instances"
