"""Reader of splits in the COCO format: annotated instances and a detector's boxes.

As in the reference, boxes of annotated instances are clipped (behaviour D10, D11), and detector boxes are not (E13).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bench.pose.data.annotation_file import BOX, AnnotationFile, clean_annotations, is_box
from bench.pose.data.conventions import PERSON, Conventions, counted_categories
from bench.pose.data.instances import Instance, Split
from bench.pose.data.reading import is_number, path_inside, problem_summary, read_id, read_json
from bench.pose.data.subset import restrict_annotations
from bench.pose.errors import DataError

__all__ = ["CocoKeypoints", "read_boxes"]


@dataclass
class CocoKeypoints(Split):
    """One split of a COCO-format dataset; see `Split` for the attributes.

    Attributes:
        left_out: number of annotations by the reason for which `instances` left them out.
    """

    left_out: Counter[str] = field(default_factory=Counter, init=False, compare=False)
    _all_images: frozenset[int] = field(default=frozenset(), init=False, repr=False, compare=False)
    _paths: dict[int, Path | None] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def file(self) -> AnnotationFile:
        """The annotation file; unusable images and annotations go to `problems` instead.

        Raises:
            DataError: the file is missing, not of this format, or of another skeleton.
        """
        contents = read_json(self.annotation_file)
        if not self.annotated and isinstance(contents, dict):
            contents = contents | {"annotations": [], "categories": [{"id": PERSON, "name": "person"}]}
        area = self.layout.area_of_box
        found = clean_annotations(
            contents, self.annotation_file, self.skeleton, area_of_box=area, protocol=self.protocol
        )
        self.problems += found.problems
        self.notes += found.notes
        self._all_images = frozenset(image["id"] for image in found.contents["images"])
        if self.subset is self.held_out is None:
            return found
        return replace(found, contents=restrict_annotations(found.contents, self.subset, self.held_out))

    @property
    def annotations(self) -> dict[str, Any]:
        """Usable contents of the annotation file; errors as for `file`."""
        return self.file.contents

    @cached_property
    def images(self) -> dict[int, dict[str, Any]]:
        """The annotation file's images by id."""
        return {image["id"]: image for image in self.annotations["images"]}

    def image_path(self, image_id: int) -> Path | None:
        """File of an image; None, with an entry in `problems`, if it is not in the image folder."""
        if image_id not in self._paths:
            folder, name = self.image_folder, self.images[image_id]["file_name"]
            try:
                self._paths[image_id] = path_inside(folder, name, allow_links=self.allow_links)
            except DataError as error:
                self._paths[image_id] = None
                self.problems.append(f"{self.annotation_file}: image {image_id}: {error}")
        return self._paths[image_id]

    def instances(self) -> list[Instance]:
        """Annotated instances with at least one labelled keypoint, images and instances in file order (behaviour D11).

        Left out as in the reference: crowds, instances without area, boxes outside the image, instances whose keypoints
        are all zero, and in CrowdPose instances with `num_keypoints` 0, as its public training does; and boxes without
        width or height. `left_out` counts them.
        Left out with an entry in `problems`: unusable annotations, images outside the image folder.

        Raises:
            DataError: no instance is left, or the split's instances are not published.
        """
        if not self.annotated:
            raise DataError(f"{self.annotation_file}: lists no instances: their annotations are not published")
        by_image: dict[int, list[dict[str, Any]]] = {image_id: [] for image_id in self.images}
        for annotation in self.annotations["annotations"]:
            by_image[annotation["image_id"]].append(annotation)
        self.left_out.clear()
        instances = [instance for group in by_image.values() for instance in map(self._instance, group) if instance]
        if not instances:
            annotations = f"{len(self.annotations['annotations']):,} annotations"
            reasons = f"; left out are {self.left_out_summary}" if self.left_out else ""
            raise DataError(
                f"{self.annotation_file}: no usable instance in {annotations}{reasons}{problem_summary(self.problems)}"
            )
        return instances

    @property
    def left_out_summary(self) -> str:
        """How many annotations `instances` left out, by reason."""
        return ", ".join(f"{count:,} {reason}" for reason, count in self.left_out.most_common())

    def _instance(self, annotation: dict[str, Any]) -> Instance | None:
        image = self.images[annotation["image_id"]]
        box = _clip(annotation["bbox"], image["width"], image["height"])
        keypoints = np.asarray(annotation["keypoints"], dtype=np.float64).reshape(-1, 3)
        reasons = (
            (annotation["iscrowd"], "crowds"),
            (keypoints.max() == 0, "without labelled keypoints"),
            (self.protocol == "crowdpose" and not annotation["num_keypoints"], "with num_keypoints 0"),
            (annotation["area"] <= 0, "with area 0"),
            (min(annotation["bbox"][2:]) == 0, "with a box without width or height"),
            (box is None, "with a box outside the image"),
        )
        if reason := next((reason for holds, reason in reasons if holds), None):
            self.left_out[reason] += 1
            return None
        path = self.image_path(image["id"])
        if box is None or path is None:
            return None
        return Instance(
            image=path,
            image_id=image["id"],
            annotation_id=annotation["id"],
            box=box,
            keypoints=keypoints[:, :2],
            visible=keypoints[:, 2] > 0,
            area=float(annotation["area"]),
            image_size=(image["height"], image["width"]),
        )

    def detections(self, box_file: Path) -> list[Instance]:
        """Detected instances, in the order of the file, boxes unclipped (behaviour D11, E13)."""
        keypoints = self.skeleton.size
        instances = []
        boxes = list(read_boxes(box_file, self.file.conventions))
        foreign = [box["image_id"] for _, box in boxes if box["image_id"] not in self._all_images]
        if foreign:
            counts = f"{len(foreign):,} of {len(boxes):,} boxes are of images that are not in the split"
            self.problems.append(f"{box_file}: {counts}, such as image {foreign[0]}")
        self.problems += _box_problems(box_file, [box for _, box in boxes], self.images)
        for number, box in boxes:
            if box["image_id"] not in self.images:
                continue
            path, image = self.image_path(box["image_id"]), self.images[box["image_id"]]
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
                    image_size=(image["height"], image["width"]),
                )
            )
        if not instances:
            raise DataError(f"{box_file}: no instance box for an image of {self.annotation_file}")
        return instances

    def count_boxes(self, box_file: Path) -> int:
        """Number of boxes of persons in a file, in the split's images or others; errors as in `read_boxes`.

        Boxes that show nobody are in `problems` then.
        """
        boxes = [box for _, box in read_boxes(box_file, self.file.conventions)]
        self.problems += _box_problems(box_file, boxes, self.images)
        return len(boxes)


def _box_problems(box_file: Path, boxes: list[dict[str, Any]], images: dict[int, dict[str, Any]]) -> Iterator[str]:
    """Boxes that show nobody, by number: they are predicted from all the same, as in the reference."""
    ours = [(box["bbox"], images[box["image_id"]]) for box in boxes if box["image_id"] in images]
    kinds = {
        "have no width or height": [box for box, _ in ours if min(box[2:]) == 0],
        "lie outside their image": [
            box
            for box, image in ours
            if box[0] >= image["width"] or box[1] >= image["height"] or box[0] + box[2] <= 0 or box[1] + box[3] <= 0
        ],
        "are at most a pixel wide and high; expected px, not parts of the image": [
            box for box, _ in ours if 0 < max(box[2:]) <= 1
        ],
    }
    for words, found in kinds.items():
        if found:
            yield f"{box_file}: {len(found):,} of {len(ours):,} boxes {words}, such as {found[0]}"


def read_boxes(path: Path, conventions: Conventions) -> Iterator[tuple[int, dict[str, Any]]]:
    """Boxes of instances in a detector's COCO results file, with their positions in it.

    Args:
        path: box file.
        conventions: of the annotation file: the category of its instances.

    Raises:
        DataError: the file is not a list of boxes, a box lacks a field or has a value that is not finite, or all boxes
            are of other categories.
    """
    boxes = read_json(path)
    if isinstance(boxes, dict) and isinstance(boxes.get("annotations"), list):
        boxes = boxes["annotations"]
    if not isinstance(boxes, list):
        raise DataError(f"{path}: expected a list of boxes in the COCO results format, found {type(boxes).__name__}")
    categories: Counter[int | None] = Counter()
    for number, box in enumerate(boxes):
        if not isinstance(box, dict) or not {"image_id", "category_id", "bbox", "score"} <= box.keys():
            raise DataError(f"{path}: box {number}: needs image_id, category_id, bbox and score, found {box!r:.80}")
        image_id = conventions.image_id(box["image_id"])
        if image_id is None or not is_box(box["bbox"]) or not is_number(box["score"]):
            raise DataError(
                f"{path}: box {number}: image_id must be a whole number, score a finite one, and bbox {BOX};"
                f" found {box!r:.200}"
            )
        category = read_id(box["category_id"])
        categories[category] += 1
        if conventions.is_person(category):
            yield number, box | {"image_id": image_id}
    if boxes and not any(map(conventions.is_person, categories)):
        found = counted_categories(categories, conventions)
        raise DataError(f"{path}: no box of category {conventions.person}, person; found categories {found}")


def _clip(box: list[float], width: int, height: int) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """The box within the image, a pixel narrower and lower than annotated (behaviour D11); None if nothing is left."""
    x1, y1 = max(0.0, box[0]), max(0.0, box[1])
    x2 = min(width - 1.0, x1 + max(0.0, box[2] - 1))
    y2 = min(height - 1.0, y1 + max(0.0, box[3] - 1))
    return np.array([x1, y1, x2 - x1, y2 - y1]) if x2 >= x1 and y2 >= y1 else None
