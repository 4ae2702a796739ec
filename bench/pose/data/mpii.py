"""Reader of MPII's instances in the JSON files that the reference and its neighbours share (behaviour D27)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.pose.data.columns import Columns, pack_names
from bench.pose.data.instances import Instances, Split
from bench.pose.data.layout import MPII_LAYOUT, Layout
from bench.pose.data.left_out import problem_summary
from bench.pose.data.reading import are_numbers, is_number, normalized, parse_json, paths_outside
from bench.pose.data.subset import chosen_positions
from bench.pose.errors import DataError
from bench.pose.geometry import BOX_PADDING, SCALE_UNIT
from bench.pose.skeletons import MPII_16, Skeleton

__all__ = ["MpiiInstances"]

DOWNWARDS = 15
"""Pixels per unit of scale by which the annotated center lies above the middle of the body."""

NO_CENTER = -1
"""Horizontal center of instances whose center was not annotated; they are not moved and not padded."""

FIELDS = ("image", "center", "scale", "joints", "joints_vis")

FIRST_PIXEL = 1
"""MPII counts pixels from 1."""


@dataclass
class MpiiInstances(Split):
    """One split of MPII: a list of instances, each with the center and scale of its crop, and one folder of images.

    An instance's position in the file is its id and its image's id: predictions are scored by position. Truth exists
    for split "valid" only. See `Split` for the attributes.
    """

    skeleton: Skeleton = MPII_16
    layout: Layout = MPII_LAYOUT
    protocol: str = "mpii"

    def _make_columns(self, *, large: bool) -> Columns:
        contents = parse_json(self.contents(), self.annotation_file)
        if not isinstance(contents, list):
            raise DataError(
                f"{self.annotation_file}: expected MPII's list of instances, found {type(contents).__name__}"
            )
        problems = {number: _problem(entry, self.skeleton.size) for number, entry in enumerate(contents)}
        told = [f"instance {number}: {problem}" for number, problem in problems.items() if problem]
        numbers = np.array([number for number, problem in problems.items() if not problem], dtype=np.int64)
        facts = {"problems": told, "notes": [], "listed": len(contents)}
        return _columns_of([contents[number] for number in numbers], numbers, self.skeleton.size, facts)

    @property
    def listed(self) -> int:
        """Number of instances of the file, usable or not. Raises `DataError` if the file is missing or not a list."""
        return int(self.columns.facts["listed"])

    @property
    def used(self) -> npt.NDArray[np.int64]:
        """Positions in the file of the usable instances of the subset; errors as for `listed`."""
        return np.asarray(self.columns.annotation_id[self._rows], dtype=np.int64)

    @property
    def _rows(self) -> npt.NDArray[np.int64]:
        return np.flatnonzero(chosen_positions(self.columns, self.subset, self.held_out)[self.columns.image])

    def instances(self) -> Instances:
        """All instances in file order, keypoints and center moved to 0-based px.

        Left out with an entry in `problems`: unusable instances, and images outside the image folder.

        Raises:
            DataError: no instance is left.
        """
        columns, rows = self.columns, self._rows
        images = columns.image[rows].tolist()
        distinct = list(dict.fromkeys(images))
        names = list(map(columns.name, distinct))
        outside = paths_outside(self.image_folder, names, allow_links=self.allow_links) if names else {}
        refused = {distinct[number]: problem for number, problem in outside.items()}
        self.problems += [
            f"{self.annotation_file}: instance {columns.annotation_id[row]}: {refused[image]}"
            for row, image in zip(rows, images, strict=True)
            if image in refused
        ]
        rows = rows[[image not in refused for image in images]] if refused else rows
        if not len(rows):
            raise DataError(f"{self.annotation_file}: lists no instance{problem_summary(self.problems)}")
        return Instances(columns, self.image_folder, rows)

    def detections(self, box_file: Path) -> Instances:
        """Raises `DataError`: MPII's protocol uses annotated centers and scales."""
        raise DataError(f"{box_file}: MPII is measured with its annotated centers and scales, not with detected boxes")


def _columns_of(
    entries: Sequence[dict[str, Any]], numbers: npt.NDArray[np.int64], keypoints: int, facts: dict[str, Any]
) -> Columns:
    """The columns of usable entries and their positions in the file (behaviour D27)."""
    images = {name: position for position, name in enumerate(dict.fromkeys(entry["image"] for entry in entries))}
    names, name_ends = pack_names(images)
    image = np.array([images[entry["image"]] for entry in entries], dtype=np.int32)
    sides = [entry["scale"] * SCALE_UNIT for entry in entries]
    side, scale = np.array(sides, dtype=np.float64), np.array([entry["scale"] for entry in entries], dtype=np.float64)
    annotated = np.array([entry["center"] for entry in entries], dtype=np.float64).reshape(-1, 2)
    known = annotated[:, 0] != NO_CENTER
    down = np.column_stack([np.zeros(len(scale)), DOWNWARDS * scale])
    center = np.where(known[:, None], annotated + down, annotated) - FIRST_PIXEL
    padded = scale * np.where(known, BOX_PADDING, 1.0)
    joints = np.array([entry["joints"] for entry in entries], dtype=np.float64).reshape(-1, keypoints, 2)
    visible = np.array([entry["joints_vis"] for entry in entries], dtype=np.float64).reshape(-1, keypoints) > 0
    return Columns(
        image=image,
        image_id=numbers,
        annotation_id=numbers,
        box=np.column_stack([center - side[:, None] / 2, side, side]),
        keypoints=joints - FIRST_PIXEL,
        visible=visible,
        area=np.array([value**2 for value in sides], dtype=np.float64),
        score=np.ones(len(entries)),
        given_crop=np.stack([center, np.column_stack([padded, padded])], axis=1),
        names=names,
        name_ends=name_ends,
        sizes=np.full((len(images), 2), np.nan),
        image_ids=np.zeros(0, dtype=np.int64),
        listed=image,
        left_out=np.zeros(len(entries), dtype=np.uint8),
        facts=facts,
    )


def _problem(entry: object, keypoints: int) -> str | None:
    if not isinstance(entry, dict):
        return f"expected an object with {', '.join(FIELDS)}, found {entry!r:.80}"
    if missing := [field for field in FIELDS if field not in entry]:
        return f"lacks {', '.join(missing)}"
    name, scale = entry["image"], entry["scale"]
    checks = (
        (isinstance(name, str) and name and name.isprintable(), f"image {name!r:.80} names no file"),
        (_are_numbers(entry["center"], 2), f"center {entry['center']!r:.80} is not x and y"),
        (
            isinstance(scale, int | float) and is_number(scale) and scale > 0,
            f"scale {scale!r:.40} is not a positive number",
        ),
        (_are_points(entry["joints"], keypoints), f"joints are not {keypoints} pairs of finite numbers"),
        (_are_numbers(entry["joints_vis"], keypoints), f"joints_vis is not {keypoints} numbers"),
    )
    if problem := next((problem for holds, problem in checks if not holds), None):
        return problem
    labelled = [joint for joint, visible in zip(entry["joints"], entry["joints_vis"], strict=True) if visible > 0]
    return "its joints are all from 0 to 1; expected px, not parts of the image" if normalized(labelled) else None


def _are_points(value: object, count: int) -> bool:
    return isinstance(value, list) and len(value) == count and all(_are_numbers(point, 2) for point in value)


def _are_numbers(value: object, count: int) -> bool:
    return isinstance(value, list) and len(value) == count and are_numbers(value)
