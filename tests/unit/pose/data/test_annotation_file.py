"""Annotation files as other tools write them: ids, categories, names of keypoints, areas, flags and sizes."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.pose.data.annotation_file import AnnotationFile, clean_annotations, skeleton_of
from bench.pose.data.coco_format import CocoKeypoints
from bench.pose.data.conventions import Conventions
from bench.pose.data.datasets import DatasetInfo
from bench.pose.data.reading import read_id
from bench.pose.data.verify import verify
from bench.pose.errors import DataError
from bench.pose.scoring import score_file, split_scoring
from bench.pose.skeletons import COCO_17, CROWDPOSE_14, Skeleton
from tests.unit.tiny_datasets import INSTANCES, coco_like

Contents = dict[str, Any]
Change = Callable[[Contents], object]

POSETRACK = ["nose", "head_bottom", "head_top", *COCO_17.keypoints[3:]]


def document(skeleton: Skeleton = COCO_17) -> Contents:
    """Six images with an instance each, whose keypoints are far enough apart that their order matters."""
    contents = coco_like(skeleton.keypoints, crowdIndex=lambda number: number / INSTANCES)
    for entry in contents["annotations"]:
        entry |= {"num_keypoints": skeleton.size, "area": 5000}
    return contents


def predicted(contents: Contents, **fields: Any) -> list[Contents]:
    """What the annotations say."""
    return [
        {name: entry[name] for name in ("image_id", "category_id", "keypoints") if name in entry}
        | {"score": 0.9}
        | fields
        for entry in contents["annotations"]
    ]


def each(kind: str, **fields: Any) -> Change:
    """Change fields of all entries: to a value, or what a function makes of an entry's position; None removes one."""

    def change(contents: Contents) -> None:
        for number, entry in enumerate(contents[kind]):
            entry |= {name: value(number) if callable(value) else value for name, value in fields.items()}

    return change


def changed(*changes: Change, skeleton: Skeleton = COCO_17) -> Contents:
    contents = document(skeleton)
    for change in changes:
        change(contents)
    return contents


def clean(contents: Contents, skeleton: Skeleton = COCO_17, **settings: Any) -> AnnotationFile:
    return clean_annotations(contents, Path("gt.json"), skeleton, **settings)


def scored(contents: Contents, results: Any, folder: Path, protocol: str = "coco") -> tuple[float, list[str]]:
    """AP, and messages without the folder."""
    for name, value in {"gt.json": contents, "predictions.json": results}.items():
        (folder / name).write_text(json.dumps(value))
    metrics, messages = score_file(protocol, folder / "predictions.json", folder / "gt.json")
    return metrics["AP"], [message.removeprefix(f"{folder}/") for message in messages]


def opened(contents: Contents, folder: Path, skeleton: Skeleton = COCO_17, protocol: str = "coco") -> CocoKeypoints:
    for name in ("annotations", "images/val"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "annotations/person_keypoints_val.json").write_text(json.dumps(contents))
    return CocoKeypoints(folder, "val", skeleton, protocol=protocol)


# Ids


ANNOTATION_IDS: dict[str, tuple[Any, list[int]]] = {
    "from 0": (lambda number: number, [0, 1, 2, 3, 4, 5]),
    "negative": (lambda number: -1 - number, [-1, -2, -3, -4, -5, -6]),
    "floats": (lambda number: 1.0 + number, [1, 2, 3, 4, 5, 6]),
    "spelled": (lambda number: f"{number:04}", [0, 1, 2, 3, 4, 5]),
    "twice": (lambda number: number // 2, [0, 1, 2, 3, 4, 5]),
    "text": (lambda number: f"a{7 - number}", [0, 1, 2, 3, 4, 5]),
    "missing": (None, [0, 1, 2, 3, 4, 5]),
}


@pytest.mark.parametrize(("id_", "names"), ANNOTATION_IDS.values(), ids=ANNOTATION_IDS)
@pytest.mark.parametrize("protocol", ["coco", "crowdpose"])
def test_ids_of_annotations_make_no_difference(protocol: str, id_: Any, names: list[int], tmp_path: Path) -> None:
    skeleton = CROWDPOSE_14 if protocol == "crowdpose" else COCO_17
    contents = changed(each("annotations", id=id_), skeleton=skeleton)
    assert scored(contents, predicted(contents), tmp_path, protocol)[0] == pytest.approx(1)
    split = opened(contents, tmp_path, skeleton, protocol)
    assert [instance.annotation_id for instance in split.instances()] == names
    scoring = split_scoring(split)
    results, _ = scoring.from_file(predicted(contents))
    assert scoring.quick_metrics(results)["AP"] == pytest.approx(1)
    found = scoring.assess(results)
    assert found.per_instance is not None
    assert found.diagnostics is not None
    assert found.metrics["AP"] == found.per_instance.metrics()["AP"] == pytest.approx(1)
    assert min(found.diagnostics.keypoints.values()) == pytest.approx(1)
    assert found.diagnostics.errors["good"] == 1


def test_whoever_cannot_be_named_by_an_id_goes_by_the_position(tmp_path: Path) -> None:
    found = clean(changed(each("annotations", id=lambda number: max(number, 1))))
    assert not found.problems
    assert found.notes == [
        "gt.json: ids of annotations are not unique whole numbers (such as 1, given 2 times); all of them count, and"
        " messages name them by their position in the file, from 0"
    ]
    assert not clean(changed(each("annotations", id=lambda number: number))).notes


IMAGE_IDS = {
    "from 0": lambda number: number,
    "negative": lambda number: -1 - number,
    "floats": lambda number: 1.0 + number,
    "spelled": lambda number: f"{number:012}",
    "text": lambda number: number if number == 2 else f"photo {7 - number}",
}


@pytest.mark.parametrize("id_", IMAGE_IDS.values(), ids=IMAGE_IDS)
@pytest.mark.parametrize("whole", [False, True], ids=["predicted alike", "predicted as whole numbers"])
def test_ids_of_images_are_understood(id_: Callable[[int], Any], whole: bool, tmp_path: Path) -> None:
    contents = changed(each("images", id=id_), each("annotations", image_id=id_))
    results = predicted(contents)
    if whole:
        numbers = [read_id(result["image_id"]) for result in results]
        results = [
            result | ({} if number is None else {"image_id": number})
            for result, number in zip(results, numbers, strict=True)
        ]
    assert scored(contents, results, tmp_path) == (pytest.approx(1), [])
    scoring = split_scoring(opened(contents, tmp_path))
    read, _ = scoring.from_file(results)
    assert scoring.quick_metrics(read)["AP"] == pytest.approx(1)
    assert scoring.from_file(scoring.to_file(read))[0] == read


def test_an_image_that_is_listed_twice_is_taken_once(tmp_path: Path) -> None:
    contents = changed(lambda contents: contents["images"].append(dict(contents["images"][0])))
    assert scored(contents, predicted(contents), tmp_path) == (
        pytest.approx(1),
        ["gt.json: image 100 is listed twice, and taken once"],
    )


def test_different_images_of_one_id_are_refused() -> None:
    with pytest.raises(DataError, match=r"gt\.json: image id 100 is given to different images, '100\.png' and '101"):
        clean(changed(each("images", id=100)))


# Categories


CAR, DUMMY = {"id": 3, "name": "car"}, {"id": 0, "name": "objects", "supercategory": "none"}


def numbered(id_: Any, *others: Contents, name: str = "person", **fields: Any) -> Change:
    """Give the person category a number and a name; other categories stand before it."""

    def change(contents: Contents) -> None:
        contents["categories"] = [*others, contents["categories"][0] | {"id": id_, "name": name} | fields]
        each("annotations", category_id=id_)(contents)

    return change


@pytest.mark.parametrize(
    "change",
    [
        numbered(0),
        numbered(2),
        numbered("1"),
        numbered(1.0),
        numbered(5, CAR),
        numbered(1, DUMMY),
        numbered(1, {"id": 0, "name": "person"}),
        numbered(4, CAR, name="skater"),
        numbered(2, name="Person", keypoints=[]),
    ],
)
def test_the_person_category_is_found(change: Change, tmp_path: Path) -> None:
    contents = changed(change)
    if contents["categories"][-1]["keypoints"]:
        assert scored(contents, predicted(contents), tmp_path) == (pytest.approx(1), [])
    scoring = split_scoring(opened(contents, tmp_path))
    results, _ = scoring.from_file(predicted(contents))
    assert scoring.metrics(results)["AP"] == pytest.approx(1)
    assert {entry["category_id"] for entry in scoring.to_file(results)} == {int(predicted(contents)[0]["category_id"])}


def test_annotations_of_other_categories_are_left_out_and_counted(tmp_path: Path) -> None:
    contents = changed(numbered(2, CAR), lambda contents: contents["annotations"][0].update(category_id=3))
    cars = "gt.json: 1 annotations of other categories are left out: 3 'car' (1); person is 2"
    assert scored(contents, predicted(contents)[1:], tmp_path) == (pytest.approx(1), [cars])
    split = opened(contents, tmp_path)
    assert len(split.instances()) == INSTANCES - 1
    assert not split.problems
    assert "other categories are left out" in split.notes[0]


def test_predictions_of_other_categories_are_counted_or_refused(tmp_path: Path) -> None:
    contents = document()
    results = predicted(contents)
    _, messages = scored(contents, [results[0] | {"category_id": 3}, *results[1:]], tmp_path)
    assert messages == ["predictions.json: 1 predictions of other categories are left out: 3 (1); person is 1"]
    message = r"predictions\.json: no prediction is of the category person; found categories 0 \(6\); person is 1"
    with pytest.raises(DataError, match=message):
        scored(contents, predicted(contents, category_id=0), tmp_path)
    contents = changed(numbered(2, {"id": 1, "name": "dog"}))
    with pytest.raises(DataError, match=r"found categories 1 'dog' \(6\); person is 2"):
        scored(contents, predicted(contents, category_id=1), tmp_path)


def test_category_1_is_person_where_the_file_gives_1_to_no_other(tmp_path: Path) -> None:
    contents = changed(numbered(0))
    assert scored(contents, predicted(contents, category_id=1), tmp_path) == (pytest.approx(1), [])
    assert not Conventions(0, {1: "dog"}).is_person(1)


def test_boxes_are_in_the_category_of_the_annotations(tmp_path: Path) -> None:
    split = opened(changed(numbered(0, CAR)), tmp_path)
    box = {"image_id": "100", "category_id": 0, "bbox": [1, 2, 30, 40], "score": 0.5}
    file = tmp_path / "boxes.json"
    file.write_text(json.dumps([box, box | {"category_id": 3}, box | {"category_id": "0"}]))
    assert [instance.annotation_id for instance in split.detections(file)] == [0, 2]
    assert split.count_boxes(file) == 2
    file.write_text(json.dumps([box, box | {"bbox": [1, 2, 0, 0]}]))
    assert split.count_boxes(file) == 2
    assert split.problems[-1].endswith("boxes.json: 1 of 2 boxes have no width or height, such as [1, 2, 0, 0]")
    file.write_text(json.dumps([box | {"category_id": 3}] * 2))
    with pytest.raises(DataError, match=r"boxes\.json: no box of category 0, person; found categories 3 'car' \(2\)"):
        split.count_boxes(file)


def test_boxes_name_images_as_the_annotations_do(tmp_path: Path) -> None:
    def names(number: int) -> str:
        return f"photo {number}"

    split = opened(changed(each("images", id=names), each("annotations", image_id=names)), tmp_path)
    file = tmp_path / "boxes.json"
    file.write_text(json.dumps([{"image_id": "photo 2", "category_id": 1, "bbox": [1, 2, 30, 40], "score": 0.5}]))
    assert [instance.image.name for instance in split.detections(file)] == ["102.png"]


# Names and numbers of keypoints


def test_the_instances_decide_the_number_of_keypoints() -> None:
    more = ["left_finger", "right_finger", "left_toe", "right_toe"]
    contents = changed(lambda contents: contents["categories"][0]["keypoints"].extend(more))
    found = clean(contents)
    assert len(found.contents["annotations"]) == INSTANCES
    assert found.contents["categories"][0]["keypoints"] == list(COCO_17.keypoints)
    assert not [*found.problems, *found.notes], "the first 17 are COCO's"
    assert skeleton_of(contents, Path("gt.json")) is COCO_17
    contents["categories"][0]["keypoints"] = [f"k{number}" for number in range(21)]
    assert clean(contents).notes == [
        "gt.json: the category names 21 keypoints, but its instances have 17, which are taken for those of skeleton"
        " 'coco_17' in its order"
    ]
    for entry in contents["annotations"]:
        entry["keypoints"] += [0] * 12
    with pytest.raises(DataError, match=r"gt\.json: 21 keypoints per instance, but skeleton 'coco_17' has 17"):
        clean(contents)


@pytest.mark.parametrize("names", [None, [], [str(number) for number in range(17)]])
def test_a_category_need_not_name_its_keypoints(names: list[str] | None) -> None:
    assert len(clean(changed(each("categories", keypoints=names))).contents["annotations"]) == INSTANCES


def test_other_keypoints_are_refused_by_name(tmp_path: Path) -> None:
    contents = changed(each("categories", keypoints=POSETRACK))
    message = r"coco_17': it names head_bottom, head_top and lacks left_eye, right_eye"
    with pytest.raises(DataError, match=message):
        clean(contents)
    info = DatasetInfo("coco", "COCO", COCO_17, "")
    opened(contents, tmp_path)
    (problem,) = verify(info, tmp_path, "val").problems
    assert "it names head_bottom, head_top" in problem
    with pytest.raises(DataError, match=r"its 17 keypoints are not the 17"):
        clean(changed(each("categories", keypoints=["nose"] * 17)))
    with pytest.raises(DataError, match=r"14 keypoints per instance, but skeleton 'coco_17' has 17"):
        clean(document(CROWDPOSE_14))
    with pytest.raises(DataError, match=r"17 keypoints per instance, but skeleton 'crowdpose_14' has 14"):
        scored(document(), [], tmp_path, "crowdpose")


@pytest.mark.parametrize(
    "spelled", [str.upper, str.title, lambda name: name.replace("_", " "), lambda name: f"{name}-"]
)
def test_spellings_of_a_name_are_equal(spelled: Callable[[str], str], tmp_path: Path) -> None:
    contents = changed(each("categories", keypoints=[spelled(name).replace("_", "") for name in COCO_17.keypoints]))
    assert scored(contents, predicted(contents), tmp_path) == (pytest.approx(1), [])


def test_crowdpose_heads_have_two_names() -> None:
    assert CROWDPOSE_14.positions_in([*CROWDPOSE_14.keypoints[:12], "top_head", "neck"]) == tuple(range(14))


def reversed_keypoints(contents: Contents) -> None:
    """The same instances with their keypoints in the opposite order."""
    contents["categories"][0]["keypoints"].reverse()
    for entry in contents["annotations"]:
        entry["keypoints"] = np.reshape(entry["keypoints"], (-1, 3))[::-1].ravel().tolist()


@pytest.mark.parametrize("protocol", ["coco", "crowdpose"])
def test_keypoints_in_another_order_are_put_into_the_skeletons(protocol: str, tmp_path: Path) -> None:
    skeleton = CROWDPOSE_14 if protocol == "crowdpose" else COCO_17
    plain, other = document(skeleton), changed(reversed_keypoints, skeleton=skeleton)
    assert clean(other, skeleton).contents == clean(plain, skeleton).contents
    split = opened(other, tmp_path, skeleton, protocol)
    expected = np.reshape(plain["annotations"][0]["keypoints"], (-1, 3))[:, :2]
    np.testing.assert_array_equal(split.instances()[0].keypoints, expected)
    # Predictions go with their annotation file: some error shows whether each keypoint is judged by its own sigma.
    noisy = copy.deepcopy(other)
    for number, entry in enumerate(noisy["annotations"]):
        entry["keypoints"][3 * number] += 40
    moved = copy.deepcopy(noisy)
    reversed_keypoints(moved)
    assert scored(other, predicted(noisy), tmp_path, protocol) == scored(plain, predicted(moved), tmp_path, protocol)
    assert 0 < scored(other, predicted(noisy), tmp_path, protocol)[0] < 1
    scoring = split_scoring(split)
    results, _ = scoring.from_file(predicted(noisy))
    assert [result["keypoints"] for result in results] == [entry["keypoints"] for entry in moved["annotations"]]
    assert [entry["keypoints"] for entry in scoring.to_file(results)] == [
        entry["keypoints"] for entry in noisy["annotations"]
    ]


# Areas, boxes, flags and counts


def test_an_area_below_0_is_a_fault(tmp_path: Path) -> None:
    """An evaluator that took it would find any prediction infinitely similar."""
    split = opened(changed(lambda contents: contents["annotations"][1].update(area=-5)), tmp_path)
    assert len(split.instances()) == 5
    (problem,) = split.problems
    assert problem.endswith("annotation 2: area -5 is not a finite number from 0")


@pytest.mark.parametrize(
    ("fields", "message", "reason"),
    [
        ({"area": 0}, "6 of 6 annotations have area 0", "6 with area 0"),
        ({"bbox": [5, 5, 0, 0]}, "have a box without width or height", "6 with a box without width or height"),
        ({"bbox": [5, 5, 0, 9], "area": 0}, "have a box without width", "6 with area 0"),
    ],
)
def test_whoever_is_left_out_is_counted_with_the_reason(
    fields: Contents, message: str, reason: str, tmp_path: Path
) -> None:
    split = opened(changed(each("annotations", **fields)), tmp_path)
    with pytest.raises(DataError, match=f"no usable instance in 6 annotations; left out are {reason}; problems"):
        split.instances()
    (problem,) = split.problems
    assert message in problem
    contents = changed(lambda contents: contents["annotations"][1].update(fields))
    found = verify(DatasetInfo("own", "Own", COCO_17, ""), opened(contents, tmp_path).folder, "val")
    assert "1 of 6 annotations" in "".join(found.problems)
    assert f"not taken as instances: {reason.replace('6', '1')}" in found.notes
    assert not found.complete


@pytest.mark.parametrize(
    ("change", "problem", "note"),
    [
        ({"num_keypoints": 0}, "have num_keypoints 0 beside labelled keypoints, so the evaluation ignores them", ""),
        ({"num_keypoints": 3}, "", "num_keypoints that is not their number of labelled keypoints"),
        ({"keypoints": [0] * 51}, "have no labelled keypoints beside num_keypoints above 0", ""),
        ({"num_keypoints": 0, "keypoints": [0] * 51}, "", ""),
        ({"num_keypoints": 17, "keypoints": [0, 0, 3] * 17}, "have a visibility other than 0, 1 and 2", ""),
        ({"num_keypoints": 17, "keypoints": [9, 9, 0.5] * 17}, "have a visibility other than 0, 1 and 2", ""),
        ({"num_keypoints": 0, "iscrowd": 1}, "", ""),
        ({"num_keypoints": None, "area": None, "iscrowd": None, "category_id": None}, "", ""),
    ],
)
def test_counts_that_disagree_are_told(change: Contents, problem: str, note: str) -> None:
    found = clean(changed(lambda contents: contents["annotations"][2].update(change)))
    assert len(found.contents["annotations"]) == INSTANCES
    for messages, text in ((found.problems, problem), (found.notes, note)):
        assert len(messages) == bool(text)
        assert text in "".join(messages)
    assert not clean(changed(each("annotations", num_keypoints=0)), protocol="crowdpose").problems, "as published"


@pytest.mark.parametrize(
    ("flag", "crowd"), [("0", 0), ("1", 1), ("false", 0), ("True", 1), (True, 1), (1.0, 1), (None, 0), (False, 0)]
)
def test_crowd_flags_are_understood(flag: Any, crowd: int) -> None:
    found = clean(changed(each("annotations", iscrowd=flag)))
    assert [entry["iscrowd"] for entry in found.contents["annotations"]] == [crowd] * INSTANCES
    assert not found.problems


@pytest.mark.parametrize("flag", ["no", 2, -1, [], 0.5, ""])
def test_other_crowd_flags_are_named(flag: Any) -> None:
    found = clean(changed(lambda contents: contents["annotations"][0].update(iscrowd=flag)))
    assert found.problems == [f"gt.json: annotation 1: iscrowd {flag!r} is neither 0 nor 1"]


# What is needed for what


def test_scoring_needs_no_images(tmp_path: Path) -> None:
    contents = document()
    contents["images"] = [{"id": image["id"]} for image in contents["images"]]
    assert scored(contents, predicted(contents), tmp_path) == (pytest.approx(1), [])
    split = opened(contents, tmp_path)
    with pytest.raises(DataError, match=r"person_keypoints_val\.json: no usable instance"):
        split.instances()
    assert "image 100: file_name None names no file" in split.problems[0]


def test_areas_that_are_not_stored_are_those_of_the_suite(tmp_path: Path) -> None:
    contents = changed(each("annotations", area=None))
    results = predicted(contents)
    for result in results:
        result["keypoints"] = [value + 5 for value in result["keypoints"]]
    scored(contents, results, tmp_path)
    files = tmp_path / "predictions.json", tmp_path / "gt.json"
    found = [score_file("coco", *files, area_of_box=area)[0]["mean_oks"] for area in (1.0, 0.5)]
    assert found[0] > found[1] > 0


def test_annotations_of_which_none_is_usable_are_blamed_themselves(tmp_path: Path) -> None:
    contents = changed(each("annotations", bbox=None))
    with pytest.raises(
        DataError,
        match=r"gt\.json: no annotation is usable; problems \(6\): .*: annotation 1: box None .*5 more of this",
    ):
        scored(contents, predicted(contents), tmp_path)


def test_images_without_sizes_are_named_by_what_they_lack(tmp_path: Path) -> None:
    contents = document()
    del contents["images"][0]["width"], contents["images"][0]["height"]
    split = opened(contents, tmp_path)
    assert len(split.instances()) == INSTANCES - 1
    assert split.problems[0].endswith("image 100: lacks width and height, the size of the image in px")
    assert split.problems[1].endswith("1 annotations are left out with their unusable images")


def test_crowdpose_without_crowd_index_is_the_fault_of_the_annotations(tmp_path: Path) -> None:
    contents = changed(each("images", crowdIndex="much"), skeleton=CROWDPOSE_14)
    with pytest.raises(
        DataError, match=r"gt\.json: 6 of 6 images have no number as crowdIndex, .* \(the first: image 100\)"
    ):
        scored(contents, predicted(contents), tmp_path, "crowdpose")
    with pytest.raises(DataError, match=r"person_keypoints_val\.json: 6 of 6 images have no number as crowdIndex"):
        split_scoring(opened(contents, tmp_path, CROWDPOSE_14, "crowdpose"))
