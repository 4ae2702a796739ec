"""Annotations, detector boxes and images from real files, most of them broken."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bench.pose.data.annotation_file import skeleton_of
from bench.pose.data.coco_format import CocoKeypoints, read_boxes
from bench.pose.data.conventions import Conventions
from bench.pose.data.images import read_image
from bench.pose.errors import DataError, ImageError
from bench.pose.metrics.coco import evaluate, load_ground_truth
from bench.pose.skeletons import COCO_17

Document = dict[str, Any]
KEYPOINTS = [value for keypoint in range(17) for value in (10 + keypoint, 20 + keypoint, 2)]


def document() -> Document:
    """Two images, the first with two instances."""
    return {
        "images": [{"id": number, "file_name": f"{number}.jpg", "width": 100, "height": 80} for number in (7, 8)],
        "annotations": [
            {
                "id": number,
                "image_id": image,
                "category_id": 1,
                "bbox": [10, 10, 30, 40],
                "area": 600,
                "iscrowd": 0,
                "num_keypoints": 17,
                "keypoints": list(KEYPOINTS),
            }
            for number, image in [(1, 7), (2, 8), (3, 7)]
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO_17.keypoints)}],
    }


def split(folder: Path, contents: Any) -> CocoKeypoints:
    """The split "val" with this annotation document."""
    (folder / "annotations").mkdir(exist_ok=True)
    (folder / "images" / "val").mkdir(parents=True, exist_ok=True)
    file = folder / "annotations" / "person_keypoints_val.json"
    file.write_text(contents if isinstance(contents, str) else json.dumps(contents))
    return CocoKeypoints(folder, "val", COCO_17)


def test_instances_come_in_the_order_of_images_then_annotations(tmp_path: Path) -> None:
    opened = split(tmp_path, document())
    instances = opened.instances()
    assert [(instance.image_id, instance.annotation_id) for instance in instances] == [(7, 1), (7, 3), (8, 2)]
    assert instances[0].image == (tmp_path / "images" / "val" / "7.jpg").resolve()
    np.testing.assert_array_equal(instances[0].box, [10, 10, 29, 39])  # a pixel less, as the reference has it
    np.testing.assert_array_equal(instances[0].keypoints[0], [10, 20])
    assert instances[0].visible.all()
    assert not opened.problems


def test_images_may_lie_beside_the_annotations(tmp_path: Path) -> None:
    opened = split(tmp_path, document())
    (tmp_path / "images" / "val").rename(tmp_path / "val")
    assert opened.instances()[0].image == (tmp_path / "val" / "7.jpg").resolve()
    (tmp_path / "val").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="no images of split 'val'"):
        CocoKeypoints(tmp_path, "val", COCO_17).instances()


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ('{"images": [', "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "lacks the list 'images'"),
        ({"images": [], "annotations": {}, "categories": []}, "lacks the list 'annotations'"),
        (document() | {"categories": []}, "its categories must include one named person, found none"),
        (
            document() | {"categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]},
            "must include one named person, found 1 'cat', 2 'dog'",
        ),
        (document() | {"categories": [{"id": "first", "name": "person"}]}, "must include one named person, found none"),
        (document() | {"categories": [{"id": 1, "keypoints": 17}]}, "not a list of names"),
        (
            document() | {"categories": [{"id": 1, "keypoints": ["head"]}], "annotations": []},
            "its 1 keypoints are not the 17 of skeleton 'coco_17': it names head and lacks nose, left_eye",
        ),
        (document() | {"annotations": []}, "no usable instance in 0 annotations"),
    ],
)
def test_a_file_of_another_format_is_refused(contents: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"person_keypoints_val\.json: .*{message}"):
        split(tmp_path, contents).instances()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"person_keypoints_val\.json: no such file"):
        CocoKeypoints(tmp_path, "val", COCO_17).instances()


BROKEN_ANNOTATIONS: dict[str, tuple[Callable[[Document], object], str]] = {
    "too few values": (lambda entry: entry["keypoints"].pop(), "50 keypoint values, expected 51"),
    "no keypoints": (lambda entry: entry.pop("keypoints"), "not a list of keypoint values"),
    "NaN": (lambda entry: entry["keypoints"].__setitem__(0, float("nan")), "keypoint value is not a finite number"),
    "null": (lambda entry: entry["keypoints"].__setitem__(0, None), "keypoint value is not a finite number"),
    "text": (lambda entry: entry["keypoints"].__setitem__(0, "3"), "keypoint value is not a finite number"),
    "truth": (lambda entry: entry["keypoints"].__setitem__(0, True), "keypoint value is not a finite number"),
    "huge": (lambda entry: entry["keypoints"].__setitem__(0, 10**400), "keypoint value is not a finite number"),
    "unknown image": (lambda entry: entry.update(image_id=99), "image 99 is not in the file"),
    "list for an image": (lambda entry: entry.update(image_id=[7]), r"image \[7\] is not in the file"),
    "no box": (lambda entry: entry.pop("bbox"), "box None is not x, y, width and height"),
    "short box": (lambda entry: entry.update(bbox=[1, 2, 3]), "box .* is not x, y, width and height"),
    "infinite box": (lambda entry: entry.update(bbox=[1, 2, 3, float("inf")]), "box .* is not x, y"),
    "negative width": (lambda entry: entry.update(bbox=[50, 10, -30, 40]), "the latter two from 0"),
    "area no number": (lambda entry: entry.update(area="big"), "area 'big' is not a finite number"),
    "other category": (
        lambda entry: entry.update(category_id=2),
        "its category 2 is not in the file, where person is 1",
    ),
}


@pytest.mark.parametrize(("spoil", "message"), BROKEN_ANNOTATIONS.values(), ids=BROKEN_ANNOTATIONS)
def test_a_broken_annotation_is_reported_and_the_rest_is_read(
    spoil: Callable[[Document], object], message: str, tmp_path: Path
) -> None:
    contents = document()
    spoil(contents["annotations"][1])
    opened = split(tmp_path, contents)
    assert [instance.annotation_id for instance in opened.instances()] == [1, 3]
    opened.instances()
    (problem,) = opened.problems  # once, however often the instances are read
    assert problem.startswith(f"{opened.annotation_file}: annotation 2: ")
    assert re.search(message, problem)
    assert [entry["id"] for entry in opened.annotations["annotations"]] == [1, 3], "the evaluation sees no broken entry"


@pytest.mark.parametrize("entry", [None, 3, [], {}, {"id": None}, {"id": [1]}, {"id": "a"}, {"id": 1.5}, {"id": True}])
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("image", "image (number 1: not an object with a whole number as id|a: file_name None names no file)"),
        ("annotation", "annotation number 1: (not an object|image None is not in the file)"),
    ],
)
def test_an_entry_without_id_is_reported_by_its_number(kind: str, message: str, entry: Any, tmp_path: Path) -> None:
    contents = document()
    contents[f"{kind}s"].insert(1, entry)
    opened = split(tmp_path, contents)
    assert [instance.annotation_id for instance in opened.instances()] == [1, 3, 2]
    (problem,) = opened.problems
    assert re.search(message, problem)


@pytest.mark.parametrize(
    "change",
    [
        {"width": None},
        {"width": 0},
        {"height": "80"},
        {"height": float("inf")},
        {"file_name": None},
        {"file_name": ""},
        {"file_name": "a\0b"},
        {"file_name": "\ud800.jpg"},
    ],
    ids=str,
)
def test_a_broken_image_entry_takes_only_its_own_instances_along(change: Document, tmp_path: Path) -> None:
    contents = document()
    contents["images"][0] |= change
    opened = split(tmp_path, contents)
    assert [instance.annotation_id for instance in opened.instances()] == [2]
    image, annotations = opened.problems
    assert "image 7: " in image
    assert "2 annotations are left out with their unusable images" in annotations


def test_if_nothing_is_left_the_problems_are_listed(tmp_path: Path) -> None:
    contents = document()
    for annotation in contents["annotations"]:
        annotation["image_id"] = 99
    with pytest.raises(
        DataError,
        match=r"no usable instance .*; problems \(3\): .*annotation 1: image 99",
    ):
        split(tmp_path, contents).instances()


@pytest.mark.parametrize(
    "change",
    [
        {"iscrowd": 1},
        {"keypoints": [0] * 51, "num_keypoints": 0},
        {"bbox": [200, 10, 30, 40]},
    ],
    ids=["crowd", "no keypoints", "box outside the image"],
)
def test_who_is_not_trained_on_is_no_problem_and_stays_in_the_evaluation(change: Document, tmp_path: Path) -> None:
    contents = document()
    contents["annotations"][1] |= change
    opened = split(tmp_path, contents)
    assert [instance.annotation_id for instance in opened.instances()] == [1, 3]
    assert not opened.problems
    assert len(opened.annotations["annotations"]) == 3


def test_boxes_are_clipped_to_the_image(tmp_path: Path) -> None:
    contents = document()
    contents["annotations"][1]["bbox"] = [-5, 60, 200, 100]
    (instance,) = [instance for instance in split(tmp_path, contents).instances() if instance.annotation_id == 2]
    np.testing.assert_array_equal(instance.box, [0, 60, 99, 19])


def test_fields_that_files_leave_out_are_completed(tmp_path: Path) -> None:
    contents = document()
    for name in ("area", "iscrowd", "num_keypoints", "category_id"):
        del contents["annotations"][0][name]
    completed = split(tmp_path, contents).annotations["annotations"][0]
    assert [completed[name] for name in ("area", "iscrowd", "num_keypoints", "category_id")] == [1200, 0, 17, 1]


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "link/7.jpg", "loop"])
def test_a_file_name_that_leaves_the_folder_is_refused(name: str, tmp_path: Path) -> None:
    contents = document()
    contents["images"][0]["file_name"] = name
    opened = split(tmp_path, contents)
    (tmp_path / "images" / "val" / "link").symlink_to("/etc")
    (tmp_path / "images" / "val" / "loop").symlink_to("loop")
    if name == "loop":
        with pytest.raises(ImageError, match="loop is a link to loop, which is not there"):
            read_image(opened.instances()[0].image)
    else:
        assert {instance.image_id for instance in opened.instances()} == {8}, "others are taken"
        (problem,) = opened.problems
        assert re.search(r"image 7: (file name .* leaves|'link/7.jpg' is a link out of) the image folder", problem)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
SPOTS: list[tuple[str | int, ...]] = [
    ("images",),
    ("annotations",),
    ("categories",),
    ("images", 0),
    ("annotations", 0),
    ("categories", 0),
    ("categories", 0, "keypoints"),
    ("annotations", 0, "keypoints", 0),
    ("annotations", 0, "bbox", 2),
    *[("images", 0, key) for key in ("id", "file_name", "width", "height")],
    *[("annotations", 0, key) for key in document()["annotations"][0]],
]


@settings(max_examples=150, deadline=None)
@given(changes=st.lists(st.tuples(st.sampled_from(SPOTS), json_values), min_size=1, max_size=3))
def test_arbitrary_annotations_are_read_or_refused(
    changes: list[tuple[tuple[str | int, ...], Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    contents: Any = document()
    for place, value in sorted(changes, key=lambda change: -len(change[0])):
        inner = contents
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = value
    opened = split(tmp_path_factory.getbasetemp(), contents)
    try:
        instances = opened.instances()
    except DataError:
        return
    assert all(np.isfinite(instance.box).all() and np.isfinite(instance.keypoints).all() for instance in instances)
    evaluate(load_ground_truth(opened.annotations), [], COCO_17.sigmas)


def test_the_skeleton_is_known_by_its_keypoints(tmp_path: Path) -> None:
    assert skeleton_of(document(), tmp_path) is COCO_17
    for contents in (
        [],
        {},
        document() | {"categories": [{"id": 1, "keypoints": ["a"]}]},
        document() | {"categories": [3]},
    ):
        with pytest.raises(DataError):
            skeleton_of(contents, tmp_path)


# Detector boxes


def box(**fields: Any) -> Document:
    return {"image_id": 7, "category_id": 1, "bbox": [-3, 2, 300, 40.5], "score": 0.5} | fields


def box_file(folder: Path, contents: Any) -> Path:
    file = folder / "boxes.json"
    file.write_text(json.dumps(contents))
    return file


def test_detections_keep_their_order_and_their_boxes(tmp_path: Path) -> None:
    opened = split(tmp_path, document())
    file = box_file(
        tmp_path, [box(image_id=8), box(category_id=3), box(), *(box(image_id=one) for one in (99, 98, 97, 99))]
    )
    instances = opened.detections(file)
    assert [(instance.image_id, instance.annotation_id, instance.score) for instance in instances] == [
        (8, 0, 0.5),
        (7, 2, 0.5),
    ]
    np.testing.assert_array_equal(instances[0].box, [-3, 2, 300, 40.5])
    assert not instances[0].visible.any()
    assert opened.problems == [f"{file}: 4 of 6 boxes are of images that are not in the split, such as image 99"]


def test_boxes_that_show_nobody_are_counted_and_kept(tmp_path: Path) -> None:
    opened = split(tmp_path, document())
    odd = [[1, 2, 0, 0], [9000, 9000, 10, 10], [0.1, 0.2, 0.5, 0.5], [0.1, 0.2, 0.25, 0.5]]
    file = box_file(tmp_path, {"annotations": [box(), *(box(bbox=values) for values in odd)]})
    assert len(opened.detections(file)) == 5
    assert opened.problems == [
        f"{file}: 1 of 5 boxes have no width or height, such as [1, 2, 0, 0]",
        f"{file}: 1 of 5 boxes lie outside their image, such as [9000, 9000, 10, 10]",
        f"{file}: 2 of 5 boxes are at most a pixel wide and high; expected px, not parts of the image, such as"
        " [0.1, 0.2, 0.5, 0.5]",
    ]


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({"boxes": []}, "expected a list of boxes .* found dict"),
        ([box(), 3], "box 1: needs image_id, category_id, bbox and score, found 3"),
        ([{"image_id": 7}], "box 0: needs image_id"),
        ([box(score=None)], "box 0: .* score a finite one"),
        ([box(score=float("nan"))], "box 0: .* score a finite one"),
        ([box(bbox=[1, 2, 3])], "box 0: .* bbox x, y, width and height"),
        ([box(bbox=[1, 2, -3, 4])], "box 0: .* from 0"),
        ([box(image_id=[7])], "box 0: image_id must be a whole number"),
    ],
)
def test_a_broken_box_file_is_refused(contents: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"boxes\.json: {message}"):
        list(read_boxes(box_file(tmp_path, contents), Conventions()))


def test_a_box_file_without_instances_of_the_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no instance box for an image of"):
        split(tmp_path, document()).detections(box_file(tmp_path, [box(image_id=99)]))


# Images


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """A smooth image, 40 wide and 30 high, brighter to the right and redder to the bottom."""
    picture = np.zeros((30, 40, 3), np.uint8)
    picture[..., 0] = np.arange(40) * 6
    picture[..., 2] = np.arange(30)[:, None] * 8
    return picture


IMAGES: dict[str, Callable[[Path, np.ndarray], object]] = {
    "JPEG": lambda path, picture: cv2.imwrite(f"{path}.jpg", picture),
    "PNG": lambda path, picture: cv2.imwrite(f"{path}.png", picture),
    "16-bit PNG": lambda path, picture: cv2.imwrite(f"{path}.png", picture.astype(np.uint16) * 257),
    "grey": lambda path, picture: cv2.imwrite(f"{path}.jpg", picture[..., 0]),
    "transparent": lambda path, picture: cv2.imwrite(f"{path}.png", cv2.cvtColor(picture, cv2.COLOR_BGR2BGRA)),
    "CMYK": lambda path, picture: Image.fromarray(picture).convert("CMYK").save(f"{path}.jpg"),
    "rotated by EXIF": lambda path, picture: Image.fromarray(picture).save(f"{path}.jpg", exif=rotated_exif()),
    "padded": lambda path, picture: Path(f"{path}.jpg").write_bytes(
        cv2.imencode(".jpg", picture)[1].tobytes() + b"\0" * 500
    ),
}


def rotated_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees
    return exif


@pytest.mark.parametrize("save", IMAGES.values(), ids=IMAGES)
def test_images_of_every_kind_have_three_channels_of_a_byte(save, picture: np.ndarray, tmp_path: Path) -> None:
    save(tmp_path / "picture", picture)
    (file,) = tmp_path.iterdir()
    image = read_image(file)
    assert (image.shape, image.dtype) == ((30, 40, 3), np.uint8)
    assert image[15, 35].astype(int).sum() > image[15, 5].astype(int).sum(), "it is brighter on the right"


def test_colors_come_in_opencv_s_order(picture: np.ndarray, tmp_path: Path) -> None:
    Image.fromarray(picture).save(tmp_path / "rgb.png")
    np.testing.assert_array_equal(read_image(tmp_path / "rgb.png"), picture[..., ::-1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda jpeg: None, "No such file"),
        (lambda jpeg: b"", "the file is empty"),
        (lambda jpeg: jpeg[: len(jpeg) // 2], "the JPEG is truncated"),
        (lambda jpeg: b"no image", "not an image that OpenCV can decode"),
        (lambda jpeg: b"\xff\xd8 no image \xff\xd9", "not an image that OpenCV can decode"),
    ],
    ids=["missing", "empty", "truncated", "text", "JPEG marks around text"],
)
def test_a_broken_image_is_named(make, message: str, picture: np.ndarray, tmp_path: Path) -> None:
    file = tmp_path / "broken.jpg"
    contents = make(cv2.imencode(".jpg", picture)[1].tobytes())
    if contents is not None:
        file.write_bytes(contents)
    with pytest.raises(ImageError, match=rf"broken\.jpg: .*{message}"):
        read_image(file)
    with pytest.raises(ImageError, match="directory"):
        read_image(tmp_path)
