"""Reader of COCO-format keypoint annotations and of detector boxes.

The conventions that decide AP are the reference's: which annotated people are kept and how their boxes are clipped
(behaviour D10, D11), and that detector boxes are taken as they are (D11, E13).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bench.pose.data.people import Person
from bench.pose.errors import DataError
from bench.pose.skeletons import SKELETONS, Skeleton

__all__ = ["CocoKeypoints", "read_boxes", "read_json", "skeleton_of"]

MAX_LISTED = 5


def read_json(path: Path) -> Any:
    """Parse a JSON file. Raises `DataError` with the file and the place of the fault."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not valid JSON ({error})") from error


def skeleton_of(annotations: dict[str, Any], source: Path) -> Skeleton:
    """The skeleton whose joint names an annotation file's category lists. Raises `DataError` if none fits."""
    categories = annotations.get("categories") or [{}]
    names = tuple(categories[0].get("keypoints", ()))
    for skeleton in SKELETONS.values():
        if skeleton.joints == names:
            return skeleton
    known = "; ".join(f"{skeleton.name}: {', '.join(skeleton.joints)}" for skeleton in SKELETONS.values())
    raise DataError(f"{source}: the category's keypoints {list(names)} are no known skeleton. Known: {known}")


@dataclass
class CocoKeypoints:
    """One split of a COCO-format dataset: `annotations/person_keypoints_SPLIT.json` and its images.

    Attributes:
        folder: the dataset's folder.
        split: name of the split; images lie under `images/SPLIT/` or `SPLIT/`.
        skeleton: the joints that the annotations list.
        problems: what was wrong with single annotations, which are left out; filled by `people` and `detections`.
    """

    folder: Path
    split: str
    skeleton: Skeleton
    problems: list[str] = field(default_factory=list)

    @property
    def annotation_file(self) -> Path:
        """Where the annotations are read from."""
        return self.folder / "annotations" / f"person_keypoints_{self.split}.json"

    @cached_property
    def annotations(self) -> dict[str, Any]:
        """Contents of the annotation file. Raises `DataError` if it is missing or not of this format."""
        contents = read_json(self.annotation_file)
        for key in ("images", "annotations", "categories"):
            if not isinstance(contents, dict) or not isinstance(contents.get(key), list):
                raise DataError(f"{self.annotation_file}: lacks the list {key!r} of the COCO format")
        joints = tuple((contents["categories"] or [{}])[0].get("keypoints", ()))
        if joints and len(joints) != self.skeleton.size:
            raise DataError(
                f"{self.annotation_file}: {len(joints)} joints per person, but skeleton"
                f" {self.skeleton.name!r} has {self.skeleton.size}"
            )
        return contents

    @cached_property
    def images(self) -> dict[int, dict[str, Any]]:
        """The annotation file's images by id."""
        return {image["id"]: image for image in self.annotations["images"]}

    @cached_property
    def image_folder(self) -> Path:
        """The split's image folder. Raises `DataError` if there is none."""
        choices = (self.folder / "images" / self.split, self.folder / self.split)
        for choice in choices:
            if choice.is_dir():
                return choice.resolve()
        raise DataError(f"no images of split {self.split!r}: neither {choices[0]} nor {choices[1]} is a folder")

    def image_path(self, image_id: int) -> Path:
        """File of an image. Raises `DataError` if its name leads out of the image folder."""
        name = str(self.images[image_id]["file_name"])
        path = (self.image_folder / name).resolve()
        if not path.is_relative_to(self.image_folder):
            raise DataError(f"{self.annotation_file}: image {image_id}: file name {name!r} leaves the image folder")
        return path

    def people(self) -> list[Person]:
        """Annotated people with at least one labelled joint, images and people in file order (behaviour D11).

        Left out as the reference does: crowds, people without area, boxes outside the image, people whose keypoints
        are all zero. Left out with an entry in `problems`: annotations that make no sense.
        """
        by_image: dict[int, list[dict[str, Any]]] = {image_id: [] for image_id in self.images}
        for number, annotation in enumerate(self.annotations["annotations"]):
            problem = self._problem(annotation)
            if problem:
                self._report(f"annotation {annotation.get('id', f'number {number}')}: {problem}")
            elif not annotation.get("iscrowd", 0):
                by_image[annotation["image_id"]].append(annotation)
        people = [person for group in by_image.values() for person in map(self._person, group) if person]
        if not people:
            raise DataError(f"{self.annotation_file}: no person with labelled joints{self._problem_summary()}")
        return people

    def _report(self, problem: str) -> None:
        self.problems.append(f"{self.annotation_file}: {problem}")

    def _problem_summary(self) -> str:
        if not self.problems:
            return ""
        listed = "; ".join(self.problems[:MAX_LISTED])
        return f"; {len(self.problems)} annotations make no sense: {listed}"

    def _problem(self, annotation: dict[str, Any]) -> str | None:
        if annotation.get("image_id") not in self.images:
            return f"image {annotation.get('image_id')!r} is not in the file"
        keypoints = annotation.get("keypoints")
        expected = 3 * self.skeleton.size
        if not isinstance(keypoints, list) or len(keypoints) != expected:
            found = len(keypoints) if isinstance(keypoints, list) else "no list of"
            return f"{found} keypoint values, expected {expected}"
        if not all(_is_number(value) for value in keypoints):
            return "a keypoint value is not a finite number"
        if not _is_box(annotation.get("bbox")):
            return f"box {annotation.get('bbox')!r} is not four finite numbers"
        return None

    def _person(self, annotation: dict[str, Any]) -> Person | None:
        image = self.images[annotation["image_id"]]
        box = _clip(annotation["bbox"], image["width"], image["height"])
        keypoints = np.asarray(annotation["keypoints"], dtype=np.float64).reshape(-1, 3)
        if box is None or annotation.get("area", 1) <= 0 or keypoints.max() == 0:
            return None
        return Person(
            image=self.image_path(image["id"]),
            image_id=image["id"],
            annotation_id=annotation["id"],
            box=box,
            joints=keypoints[:, :2],
            visible=keypoints[:, 2] > 0,
            area=float(annotation.get("area", box[2] * box[3])),
        )

    def detections(self, box_file: Path) -> list[Person]:
        """People found by a detector, in the order of its file, boxes unclipped (behaviour D11, E13)."""
        joints = self.skeleton.size
        people = []
        for number, box in read_boxes(box_file):
            if box["image_id"] not in self.images:
                self.problems.append(f"{box_file}: box {number}: image {box['image_id']} is not in the split")
                continue
            people.append(
                Person(
                    image=self.image_path(box["image_id"]),
                    image_id=box["image_id"],
                    annotation_id=number,
                    box=np.asarray(box["bbox"], dtype=np.float64),
                    joints=np.zeros((joints, 2)),
                    visible=np.zeros(joints, dtype=bool),
                    area=float(box["bbox"][2] * box["bbox"][3]),
                    score=float(box["score"]),
                )
            )
        if not people:
            raise DataError(f"{box_file}: no person box for an image of {self.annotation_file}")
        return people


def read_boxes(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Person boxes (category 1) of a detector's COCO results file, with their positions in it.

    Raises:
        DataError: the file is no list of boxes, or a box lacks a field or has a value that is not finite.
    """
    boxes = read_json(path)
    if not isinstance(boxes, list):
        raise DataError(f"{path}: expected a list of boxes in the COCO results format, found {type(boxes).__name__}")
    for number, box in enumerate(boxes):
        if not isinstance(box, dict) or not {"image_id", "category_id", "bbox", "score"} <= box.keys():
            raise DataError(f"{path}: box {number}: needs image_id, category_id, bbox and score, found {box!r:.80}")
        if not _is_box(box["bbox"]) or not _is_number(box["score"]):
            raise DataError(f"{path}: box {number}: bbox needs four finite numbers and score one")
        if box["category_id"] == 1:
            yield number, box


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _is_box(value: object) -> bool:
    return isinstance(value, list) and len(value) == 4 and all(_is_number(number) for number in value)


def _clip(box: list[float], width: int, height: int) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """The box within the image, a pixel narrower and lower than annotated (behaviour D11); None if nothing is left."""
    x1, y1 = max(0.0, box[0]), max(0.0, box[1])
    x2 = min(width - 1.0, x1 + max(0.0, box[2] - 1))
    y2 = min(height - 1.0, y1 + max(0.0, box[3] - 1))
    return np.array([x1, y1, x2 - x1, y2 - y1]) if x2 >= x1 and y2 >= y1 else None
