"""MPII's people: given crops, 1-based pixels, and entries that make no sense."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.pose.data.crops import CropSettings
from bench.pose.data.datasets import open_split
from bench.pose.data.loading import evaluation_batches
from bench.pose.data.mpii import MpiiPeople
from bench.pose.errors import DataError
from bench.pose.geometry import box_to_center_scale
from bench.pose.skeletons import MPII_16
from tests.shared import shared_data
from tests.unit.tiny_datasets import PEOPLE, mpii, mpii_person


def test_centres_move_down_scales_grow_and_pixels_count_from_zero(tmp_path: Path) -> None:
    entry = mpii_person(0, center=[594.0, 257.0], scale=3.021046)
    person = MpiiPeople(mpii(tmp_path, [entry]), "valid").people()[0]
    center, scale = person.crop((256, 256))
    np.testing.assert_allclose(center, [593.0, 257.0 + 15 * 3.021046 - 1], rtol=1e-12)
    np.testing.assert_allclose(scale, [3.021046 * 1.25] * 2, rtol=1e-12)
    np.testing.assert_array_equal(person.joints, np.array(entry["joints"]) - 1)
    assert person.visible.tolist() == [flag == 1 for flag in entry["joints_vis"]]
    assert person.image == (tmp_path / "images" / "0.png").resolve()


def test_who_has_no_centre_is_neither_moved_nor_padded(tmp_path: Path) -> None:
    person = MpiiPeople(mpii(tmp_path, [mpii_person(0, center=[-1.0, -1.0], scale=2.0)]), "valid").people()[0]
    center, scale = person.crop((256, 256))
    assert (center.tolist(), scale.tolist()) == ([-2, -2], [2, 2])


@pytest.mark.parametrize("size", [(64, 64), (256, 192), (64, 128)])
def test_the_given_crop_serves_every_aspect_ratio(size: tuple[int, int], tmp_path: Path) -> None:
    people = MpiiPeople(mpii(tmp_path), "valid").people()
    (batch,) = evaluation_batches(people, CropSettings(size, "rgb", MPII_16), batch_size=PEOPLE)
    assert batch.indices.tolist() == list(range(PEOPLE))
    np.testing.assert_allclose(batch.scales.numpy(), np.full((PEOPLE, 2), 0.5))
    np.testing.assert_allclose(batch.centers.numpy(), [[69, 60 + number] for number in range(PEOPLE)])


def test_the_box_is_the_body_that_the_crop_pads(tmp_path: Path) -> None:
    person = MpiiPeople(mpii(tmp_path), "valid").people()[2]
    for found, given in zip(box_to_center_scale(person.box, (64, 64)), person.crop((64, 64)), strict=True):
        np.testing.assert_allclose(found, given, rtol=1e-6)
    assert person.area == pytest.approx(person.box[2] * person.box[3])


BROKEN: dict[str, tuple[Any, str]] = {
    "no object": (3, "expected an object with image, center"),
    "no image": ({"image": None}, "image None names no file"),
    "no centre": ({"center": [1.0]}, r"center \[1.0\] is not x and y"),
    "NaN": ({"center": [float("nan"), 2]}, "is not x and y"),
    "no scale": ({"scale": 0}, "scale 0 is not a positive number"),
    "scale no number": ({"scale": "1"}, "scale '1' is not a positive number"),
    "joint missing": ({"joints": [[1.0, 1.0]] * 15}, "joints are not 16 pairs of finite numbers"),
    "joint of one": ({"joints": [[1.0]] * 16}, "joints are not 16 pairs of finite numbers"),
    "no visibility": ({"joints_vis": [1] * 15}, "joints_vis is not 16 numbers"),
}


@pytest.mark.parametrize(("change", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_person_is_named_and_the_others_keep_their_positions(
    change: Any, message: str, tmp_path: Path
) -> None:
    entries = [mpii_person(number) for number in range(3)]
    split = MpiiPeople(
        mpii(tmp_path, [entries[0], change if change == 3 else entries[1] | change, entries[2]]), "valid"
    )
    assert [person.annotation_id for person in split.people()] == [0, 2]
    split.people()
    (problem,) = split.problems  # once, however often the people are read
    assert problem.startswith(f"{split.annotation_file}: person 1: ")
    with pytest.raises(DataError, match=message):
        raise DataError(problem)


def test_unusable_files_are_refused(tmp_path: Path) -> None:
    mpii(tmp_path)
    with pytest.raises(DataError, match=r"test\.json: no such file"):
        MpiiPeople(tmp_path, "test").people()
    (tmp_path / "annot" / "valid.json").write_text("{}")
    with pytest.raises(DataError, match=r"valid\.json: expected MPII's list of people, found dict"):
        MpiiPeople(tmp_path, "valid").people()
    (tmp_path / "annot" / "valid.json").write_text("[3]")
    with pytest.raises(DataError, match="lists no person; 1 entries make no sense"):
        MpiiPeople(tmp_path, "valid").people()
    with pytest.raises(DataError, match="MPII is measured with its annotated centres"):
        MpiiPeople(tmp_path, "valid").detections(tmp_path / "boxes.json")
    (tmp_path / "images").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="images is not a folder"):
        MpiiPeople(tmp_path, "train").people()


def test_an_image_outside_the_folder_is_refused(tmp_path: Path) -> None:
    mpii(tmp_path, [mpii_person(0, image="../annot/valid.json"), mpii_person(1)])
    opened = MpiiPeople(tmp_path, "valid")
    assert [person.image_id for person in opened.people()] == [1]
    (problem,) = opened.problems
    assert "person 0: image name '../annot/valid.json' leaves the image folder" in problem


def test_real_people() -> None:
    split = open_split("mpii", shared_data("mpii_mini"), "valid")
    people = split.people()
    assert not split.problems
    assert [person.image.name for person in people][:2] == ["005808361.jpg", "052475643.jpg"]
    np.testing.assert_allclose(people[0].crop((256, 256))[0], [965, 340 + 15 * 4.718488 - 1])
    assert people[2].visible.tolist() == [False, *[True] * 4, False, *[True] * 10]
    (batch,) = evaluation_batches(people, CropSettings((256, 256), "rgb", MPII_16), batch_size=5)
    inside = ((batch.joints > 0) & (batch.joints < 256)).all(dim=-1)
    assert inside[batch.visible].float().mean() > 0.97, "the crops hold their people"
