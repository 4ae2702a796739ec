"""Reader of COCO-format keypoint annotations and of detector boxes.

As in the reference, boxes of annotated instances are clipped (behaviour D10, D11), and detector boxes are not (E13).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bench.pose.data.instances import Instance, Split
from bench.pose.data.reading import is_id, is_number, path_inside, problem_summary, read_json
from bench.pose.errors import DataError
from bench.pose.skeletons import SKELETONS, Skeleton

__all__ = ["CocoKeypoints", "clean_annotations", "read_annotations", "read_boxes", "skeleton_of"]

PERSON = 1
"""Id of the category."""

BOX = "x, y, width and height as finite numbers, the latter two from 0"


def skeleton_of(annotations: Any, source: Path) -> Skeleton:
    """The skeleton whose keypoint names an annotation file's category lists. Raises `DataError` if none fits."""
    names = _instance_category(annotations, source).get("keypoints", [])
    for skeleton in SKELETONS:
        if list(skeleton.keypoints) == names:
            return skeleton
    known = "; ".join(f"{skeleton.name}: {', '.join(skeleton.keypoints)}" for skeleton in SKELETONS)
    raise DataError(f"{source}: the category's keypoints {names} are not a known skeleton. Known: {known}")


def _instance_category(annotations: Any, source: Path) -> dict[str, Any]:
    """The only category of an annotation file. Raises `DataError` if the file is not of the COCO format."""
    for key in ("images", "annotations", "categories"):
        if not isinstance(annotations, dict) or not isinstance(annotations.get(key), list):
            raise DataError(f"{source}: lacks the list {key!r} of the COCO format")
    category = next(iter(annotations["categories"]), None)
    if not isinstance(category, dict) or category.get("id") != PERSON:
        raise DataError(f"{source}: the first category must be person, with id {PERSON}, found {category!r:.80}")
    if not isinstance(category.get("keypoints", []), list):
        raise DataError(f"{source}: the category's keypoints are not a list of names")
    return category


def read_annotations(
    file: Path, skeleton: Skeleton, *, area_of_box: float = 1.0, annotated: bool = True
) -> tuple[dict[str, Any], list[str]]:
    """Usable contents of an annotation file, and messages about images and annotations that are left out.

    Args:
        file: annotation file.
        skeleton: keypoints of its instances.
        area_of_box: area of an instance without a stored one, relative to its box.
        annotated: whether the file lists instances; if not, it lists only images.

    Raises:
        DataError: the file is missing, not of the COCO format, or of another skeleton.
    """
    contents = read_json(file)
    if not annotated and isinstance(contents, dict):
        contents = contents | {"annotations": [], "categories": [{"id": PERSON, "name": "person"}]}
    return clean_annotations(contents, file, skeleton, area_of_box=area_of_box)


def clean_annotations(
    contents: Any, file: Path, skeleton: Skeleton, *, area_of_box: float = 1.0
) -> tuple[dict[str, Any], list[str]]:
    """Usable part of an annotation file's contents; see `read_annotations`."""
    category = _instance_category(contents, file)
    keypoints = len(category.get("keypoints", [])) or skeleton.size
    if keypoints != skeleton.size:
        raise DataError(
            f"{file}: {keypoints} keypoints per instance, but skeleton {skeleton.name!r} has {skeleton.size}"
        )
    problems: list[str] = []

    def sound(kind: str, find_problem: Callable[[dict[str, Any]], str | None]) -> Iterator[dict[str, Any]]:
        for number, item in enumerate(contents[f"{kind}s"]):
            if not isinstance(item, dict) or not is_id(item.get("id")):
                problems.append(
                    f"{file}: {kind} number {number}: not an object with a whole number as id: {item!r:.80}"
                )
            elif problem := find_problem(item):
                problems.append(f"{file}: {kind} {item['id']}: {problem}")
            else:
                yield item

    images = list(sound("image", _image_problem))
    ids = {image["id"] for image in images}
    found = sound("annotation", lambda item: _problem(item, ids, skeleton.size))
    annotations = [_completed(item, area_of_box) for item in found]
    return contents | {"images": images, "annotations": annotations, "categories": [category]}, problems


@dataclass
class CocoKeypoints(Split):
    """One split of a COCO-format dataset; see `Split` for the attributes."""

    _paths: dict[int, Path | None] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def annotations(self) -> dict[str, Any]:
        """Contents of the annotation file; unusable images and annotations go to `problems` instead.

        Raises:
            DataError: the file is missing or not of this format.
        """
        contents, problems = read_annotations(
            self.annotation_file, self.skeleton, area_of_box=self.layout.area_of_box, annotated=self.annotated
        )
        self.problems += problems
        return contents

    @cached_property
    def images(self) -> dict[int, dict[str, Any]]:
        """The annotation file's images by id."""
        return {image["id"]: image for image in self.annotations["images"]}

    def image_path(self, image_id: int) -> Path | None:
        """File of an image, links followed; None, with an entry in `problems`, if it is not in the image folder."""
        if image_id not in self._paths:
            name = self.images[image_id]["file_name"]
            path = self._paths[image_id] = path_inside(self.image_folder, name)
            if path is None:
                message = f"{self.annotation_file}: image {image_id}: file name {name!r} leaves the image folder"
                self.problems.append(message)
        return self._paths[image_id]

    def instances(self) -> list[Instance]:
        """Annotated instances with at least one labelled keypoint, images and instances in file order (behaviour D11).

        Left out as in the reference: crowds, instances without area, boxes outside the image, instances whose keypoints
        are all zero, and in CrowdPose instances with `num_keypoints` 0, as its public training does.
        Left out with an entry in `problems`: unusable annotations, images outside the image folder.

        Raises:
            DataError: no instance is left, or the split's instances are not published.
        """
        if not self.annotated:
            raise DataError(f"{self.annotation_file}: lists no instances: their annotations are not published")
        by_image: dict[int, list[dict[str, Any]]] = {image_id: [] for image_id in self.images}
        for annotation in self.annotations["annotations"]:
            if not annotation["iscrowd"]:
                by_image[annotation["image_id"]].append(annotation)
        instances = [instance for group in by_image.values() for instance in map(self._instance, group) if instance]
        if not instances:
            raise DataError(
                f"{self.annotation_file}: no instance with labelled keypoints{problem_summary(self.problems)}"
            )
        return instances

    def _instance(self, annotation: dict[str, Any]) -> Instance | None:
        image = self.images[annotation["image_id"]]
        box = _clip(annotation["bbox"], image["width"], image["height"])
        keypoints = np.asarray(annotation["keypoints"], dtype=np.float64).reshape(-1, 3)
        uncounted = self.protocol == "crowdpose" and not annotation["num_keypoints"]
        if box is None or annotation["area"] <= 0 or keypoints.max() == 0 or uncounted:
            return None
        path = self.image_path(image["id"])
        if path is None:
            return None
        return Instance(
            image=path,
            image_id=image["id"],
            annotation_id=annotation["id"],
            box=box,
            keypoints=keypoints[:, :2],
            visible=keypoints[:, 2] > 0,
            area=float(annotation["area"]),
        )

    def detections(self, box_file: Path) -> list[Instance]:
        """Detected instances, in the order of the file, boxes unclipped (behaviour D11, E13)."""
        keypoints = self.skeleton.size
        instances = []
        boxes = list(read_boxes(box_file))
        foreign = [box["image_id"] for _, box in boxes if box["image_id"] not in self.images]
        if foreign:
            counts = f"{len(foreign):,} of {len(boxes):,} boxes are of images that are not in the split"
            self.problems.append(f"{box_file}: {counts}, such as image {foreign[0]}")
        for number, box in boxes:
            if box["image_id"] not in self.images:
                continue
            path = self.image_path(box["image_id"])
            if path is None:
                continue
            instances.append(
                Instance(
                    image=path,
                    image_id=box["image_id"],
                    annotation_id=number,
                    box=np.asarray(box["bbox"], dtype=np.float64),
                    keypoints=np.zeros((keypoints, 2)),
                    visible=np.zeros(keypoints, dtype=bool),
                    area=float(box["bbox"][2] * box["bbox"][3]),
                    score=float(box["score"]),
                )
            )
        if not instances:
            raise DataError(f"{box_file}: no instance box for an image of {self.annotation_file}")
        return instances


def read_boxes(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Instance boxes (category 1) of a detector's COCO results file, with their positions in it.

    Raises:
        DataError: the file is not a list of boxes, or a box lacks a field or has a value that is not finite.
    """
    boxes = read_json(path)
    if not isinstance(boxes, list):
        raise DataError(f"{path}: expected a list of boxes in the COCO results format, found {type(boxes).__name__}")
    for number, box in enumerate(boxes):
        if not isinstance(box, dict) or not {"image_id", "category_id", "bbox", "score"} <= box.keys():
            raise DataError(f"{path}: box {number}: needs image_id, category_id, bbox and score, found {box!r:.80}")
        if not is_id(box["image_id"]) or not _is_box(box["bbox"]) or not is_number(box["score"]):
            raise DataError(
                f"{path}: box {number}: image_id must be a whole number, score a finite one, and bbox {BOX};"
                f" found {box!r:.200}"
            )
        if box["category_id"] == PERSON:
            yield number, box


def _problem(annotation: dict[str, Any], image_ids: set[int], keypoints: int) -> str | None:
    image_id, flat = annotation.get("image_id"), annotation.get("keypoints")
    found = len(flat) if isinstance(flat, list) else "not a list of"
    checks = (
        (is_id(image_id) and image_id in image_ids, f"image {image_id!r:.80} is not in the file"),
        (annotation.get("category_id", PERSON) == PERSON, f"its category is not {PERSON}, a person"),
        (found == 3 * keypoints, f"{found} keypoint values, expected {3 * keypoints}"),
        (found == "not a list of" or all(map(is_number, flat or ())), "a keypoint value is not a finite number"),
        (_is_box(annotation.get("bbox")), f"box {annotation.get('bbox')!r:.80} is not {BOX}"),
        (is_number(annotation.get("area", 0)), f"area {annotation.get('area')!r:.80} is not a finite number"),
        (is_number(annotation.get("num_keypoints", 0)), "num_keypoints is not a finite number"),
    )
    return next((problem for holds, problem in checks if not holds), None)


def _image_problem(image: dict[str, Any]) -> str | None:
    name = image.get("file_name")
    if not isinstance(name, str) or not name or not name.isprintable():
        return f"file_name {name!r:.80} names no file"
    if not all(is_number(image.get(side)) and image[side] > 0 for side in ("width", "height")):
        return f"size {image.get('width')!r:.40} x {image.get('height')!r:.40} is not two positive numbers"
    return None


def _completed(annotation: dict[str, Any], area_of_box: float) -> dict[str, Any]:
    """The annotation with the fields that the evaluation needs and some files leave out."""
    width, height = annotation["bbox"][2:]
    labelled = sum(visibility > 0 for visibility in annotation["keypoints"][2::3])
    defaults = {"category_id": PERSON, "area": area_of_box * width * height, "num_keypoints": labelled}
    return defaults | annotation | {"iscrowd": int(bool(annotation.get("iscrowd")))}


def _is_box(value: object) -> bool:
    return isinstance(value, list) and len(value) == 4 and all(map(is_number, value)) and min(value[2:]) >= 0


def _clip(box: list[float], width: int, height: int) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """The box within the image, a pixel narrower and lower than annotated (behaviour D11); None if nothing is left."""
    x1, y1 = max(0.0, box[0]), max(0.0, box[1])
    x2 = min(width - 1.0, x1 + max(0.0, box[2] - 1))
    y2 = min(height - 1.0, y1 + max(0.0, box[3] - 1))
    return np.array([x1, y1, x2 - x1, y2 - y1]) if x2 >= x1 and y2 >= y1 else None
