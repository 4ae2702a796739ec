"""Reader of splits in the COCO format: annotated instances and a detector's boxes.

As in the reference, boxes of annotated instances are clipped (behaviour D10, D11), and detector boxes are not (E13).
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydantic_core

from bench.pose.data.annotation_file import BOX, AnnotationFile, clean_annotations, is_box
from bench.pose.data.coco_columns import LEFT_OUT, coco_columns, without_outlines
from bench.pose.data.columns import Columns
from bench.pose.data.conventions import PERSON, Conventions, counted_categories
from bench.pose.data.instances import Instances, Split
from bench.pose.data.left_out import problem_summary
from bench.pose.data.reading import is_number, parse_json, paths_outside, read_id, read_json
from bench.pose.data.subset import chosen_positions, restrict_annotations
from bench.pose.errors import DataError
from bench.pose.geometry import Size

__all__ = ["CocoKeypoints", "read_boxes"]


@dataclass
class CocoKeypoints(Split):
    """One split of a COCO-format dataset; see `Split` for the attributes.

    Attributes:
        left_out: number of annotations by the reason for which `instances` left them out.
    """

    left_out: Counter[str] = field(default_factory=Counter, init=False, compare=False)
    _inside: dict[int, bool] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def file(self) -> AnnotationFile:
        """The annotation file with all its contents, for scoring.

        Raises:
            DataError: the file is missing, not of this format, or of another skeleton.
        """
        _ = self.columns  # tells of unusable images and annotations
        if self.subset is self.held_out is None:
            return self._whole
        contents = restrict_annotations(self._whole.contents, self.subset, self.held_out)
        return replace(self._whole, contents=contents)

    @cached_property
    def _whole(self) -> AnnotationFile:
        return self._cleaned(parse_json(self.contents(), self.annotation_file))

    def _cleaned(self, contents: Any) -> AnnotationFile:
        if not self.annotated and isinstance(contents, dict):
            contents = contents | {"annotations": [], "categories": [{"id": PERSON, "name": "person"}]}
        area = self.layout.area_of_box
        return clean_annotations(
            contents, self.annotation_file, self.skeleton, area_of_box=area, protocol=self.protocol
        )

    def _make_columns(self, *, large: bool) -> Columns:
        found = self._cleaned(self._without_outlines()) if large else self._whole
        return coco_columns(found, self.annotation_file, self.skeleton.size, self.protocol)

    def _without_outlines(self) -> Any:
        """The parsed contents of the annotation file without outlines, which would take the most memory."""
        with contextlib.suppress(ValueError):
            return pydantic_core.from_json(without_outlines(self.contents()))
        return parse_json(self.contents(), self.annotation_file)

    @property
    def annotations(self) -> dict[str, Any]:
        """Usable contents of the annotation file; errors as for `file`."""
        return self.file.contents

    @cached_property
    def conventions(self) -> Conventions:
        """How the annotation file differs from what bench works with; errors as for `file`."""
        return Conventions.from_json(self.columns.facts["conventions"])

    @cached_property
    def images(self) -> dict[int, int]:
        """Position in the columns of each image that is used, by its id, in file order; errors as for `file`."""
        chosen = np.flatnonzero(self._chosen).tolist()
        return dict(zip(self.columns.image_ids[self._chosen].tolist(), chosen, strict=True))

    @cached_property
    def _chosen(self) -> npt.NDArray[np.bool_]:
        return chosen_positions(self.columns, self.subset, self.held_out)

    def image_paths(self) -> dict[Path, Size | None]:
        """Files of the images that are used, and their annotated height and width in px; others are in `problems`."""
        positions = np.array(list(self.images.values()), dtype=np.int64)
        inside = positions[self._are_inside(positions)].tolist()
        return {self.columns.path(self.image_folder, image): self.columns.size(image) for image in inside}

    def _are_inside(self, images: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Whether images, by position, are in the image folder; those that are not are added to `problems`."""
        new = [image for image in dict.fromkeys(images.tolist()) if image not in self._inside]
        names = list(map(self.columns.name, new))
        outside = paths_outside(self.image_folder, names, allow_links=self.allow_links)
        for number, image in enumerate(new):
            self._inside[image] = number not in outside
        self.problems += [
            f"{self.annotation_file}: image {self.columns.image_ids[new[number]]}: {problem}"
            for number, problem in outside.items()
        ]
        return np.array([self._inside[image] for image in images.tolist()], dtype=bool)

    def instances(self) -> Instances:
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
        columns = self.columns
        reasons = columns.left_out[self._chosen[columns.listed]]
        self.left_out = Counter(LEFT_OUT[reason] for reason in reasons[reasons > 0].tolist())
        rows = np.flatnonzero(self._chosen[columns.image])
        rows = rows[self._are_inside(columns.image[rows])] if len(rows) else rows
        if not len(rows):
            left_out = f"; left out are {self.left_out_summary}" if self.left_out else ""
            raise DataError(
                f"{self.annotation_file}: no usable instance in {len(reasons):,} annotations{left_out}"
                f"{problem_summary(self.problems)}"
            )
        return Instances(columns, self.image_folder, rows)

    @property
    def left_out_summary(self) -> str:
        """How many annotations `instances` left out, by reason."""
        return ", ".join(f"{count:,} {reason}" for reason, count in self.left_out.most_common())

    def detections(self, box_file: Path) -> Instances:
        """Detected instances, in the order of the file, boxes unclipped (behaviour D11, E13)."""
        boxes = list(read_boxes(box_file, self.conventions))
        known = set(self.columns.image_ids.tolist())
        foreign = [box["image_id"] for _, box in boxes if box["image_id"] not in known]
        if foreign:
            counts = f"{len(foreign):,} of {len(boxes):,} boxes are of images that are not in the split"
            self.problems.append(f"{box_file}: {counts}, such as image {foreign[0]}")
        self.problems += self._box_problems(box_file, [box for _, box in boxes])
        boxes = [(number, box) for number, box in boxes if box["image_id"] in self.images]
        images = np.array([self.images[box["image_id"]] for _, box in boxes], dtype=np.int32)
        rows = np.flatnonzero(self._are_inside(images)) if boxes else images
        if not len(rows):
            raise DataError(f"{box_file}: no instance box for an image of {self.annotation_file}")
        return Instances(self._detected(boxes, images), self.image_folder, rows)

    def _detected(self, boxes: list[tuple[int, dict[str, Any]]], images: npt.NDArray[np.int32]) -> Columns:
        size, count = self.skeleton.size, len(boxes)
        sides = np.array([box["bbox"] for _, box in boxes], dtype=np.float64)
        return replace(
            self.columns,
            image=images,
            image_id=self.columns.image_ids[images],
            annotation_id=np.array([number for number, _ in boxes], dtype=np.int64),
            box=sides,
            keypoints=np.broadcast_to(0.0, (count, size, 2)),
            visible=np.broadcast_to(False, (count, size)),
            area=sides[:, 2] * sides[:, 3],
            score=np.array([box["score"] for _, box in boxes], dtype=np.float64),
            given_crop=np.broadcast_to(np.nan, (count, 2, 2)),
            listed=images,
            left_out=np.broadcast_to(np.uint8(0), count),
            source=None,
        )

    def count_boxes(self, box_file: Path) -> int:
        """Number of boxes of persons in a file, in the split's images or others; errors as in `read_boxes`.

        Boxes that show nobody are in `problems` then.
        """
        boxes = [box for _, box in read_boxes(box_file, self.conventions)]
        self.problems += self._box_problems(box_file, boxes)
        return len(boxes)

    def _box_problems(self, box_file: Path, boxes: list[dict[str, Any]]) -> Iterator[str]:
        """Boxes that show nobody, by number: they are predicted from all the same, as in the reference."""
        ours = [box["bbox"] for box in boxes if box["image_id"] in self.images]
        images = [self.images[box["image_id"]] for box in boxes if box["image_id"] in self.images]
        found = np.array(ours, dtype=np.float64).reshape(-1, 4)
        corners, sides = found[:, :2], found[:, 2:]
        limits = self.columns.sizes[images, ::-1] if images else corners
        largest = sides.max(axis=1)
        kinds = {
            "have no width or height": sides.min(axis=1) == 0,
            "lie outside their image": ((corners >= limits) | (corners + sides <= 0)).any(axis=1),
            "are at most a pixel wide and high; expected px, not parts of the image": (largest > 0) & (largest <= 1),
        }
        for words, which in kinds.items():
            if which.any():
                first = ours[int(which.argmax())]
                yield f"{box_file}: {which.sum():,} of {len(ours):,} boxes {words}, such as {first}"


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
