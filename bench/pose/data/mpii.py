"""Reader of MPII's instances in the JSON files that the reference and its neighbours share (behaviour D27)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bench.pose.data.instances import Instance, Split
from bench.pose.data.layout import MPII_LAYOUT, Layout
from bench.pose.data.reading import is_number, normalized, path_inside, problem_summary, read_json
from bench.pose.data.subset import chosen_images
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

    @cached_property
    def listed(self) -> list[Any]:
        """All instances of the file, usable or not. Raises `DataError` if the file is missing or not a list."""
        contents = read_json(self.annotation_file)
        if not isinstance(contents, list):
            raise DataError(
                f"{self.annotation_file}: expected MPII's list of instances, found {type(contents).__name__}"
            )
        return contents

    @cached_property
    def entries(self) -> dict[int, dict[str, Any]]:
        """Usable instances of the subset by position; messages about unusable ones go to `problems`."""
        entries = dict(self._sound())
        names = [entry["image"] for entry in entries.values()]
        chosen = chosen_images(names, self.subset, held_out=self.held_out)
        return {number: entry for number, entry in entries.items() if entry["image"] in chosen}

    def _sound(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, entry in enumerate(self.listed):
            if problem := _problem(entry, self.skeleton.size):
                self.problems.append(f"{self.annotation_file}: instance {number}: {problem}")
            else:
                yield number, entry

    def instances(self) -> list[Instance]:
        """All instances in file order, keypoints and center moved to 0-based px.

        Left out with an entry in `problems`: unusable instances, and images outside the image folder.

        Raises:
            DataError: no instance is left.
        """
        instances = [instance for number, entry in self.entries.items() if (instance := self._instance(number, entry))]
        if not instances:
            raise DataError(f"{self.annotation_file}: lists no instance{problem_summary(self.problems)}")
        return instances

    def _instance(self, number: int, entry: dict[str, Any]) -> Instance | None:
        folder = self.image_folder
        try:
            image = path_inside(folder, entry["image"], allow_links=self.allow_links)
        except DataError as error:
            self.problems.append(f"{self.annotation_file}: instance {number}: {error}")
            return None
        center, side = _body(entry["center"], entry["scale"])
        padding = BOX_PADDING if entry["center"][0] != NO_CENTER else 1.0
        return Instance(
            image=image,
            image_id=number,
            annotation_id=number,
            box=np.array([*(center - side / 2), side, side]),
            keypoints=np.asarray(entry["joints"], dtype=np.float64) - FIRST_PIXEL,
            visible=np.asarray(entry["joints_vis"]) > 0,
            area=side**2,
            given_crop=(center, np.full(2, entry["scale"] * padding, dtype=np.float64)),
        )

    def detections(self, box_file: Path) -> list[Instance]:
        """Raises `DataError`: MPII's protocol uses annotated centers and scales."""
        raise DataError(f"{box_file}: MPII is measured with its annotated centers and scales, not with detected boxes")


def _body(annotated: list[float], scale: float) -> tuple[np.ndarray[Any, np.dtype[np.float64]], float]:
    """Center (0-based px) and side (px) of an instance's square (behaviour D27)."""
    center = np.asarray(annotated, dtype=np.float64)
    if center[0] != NO_CENTER:
        center = center + np.array([0, DOWNWARDS * scale])
    return center - FIRST_PIXEL, scale * SCALE_UNIT


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
    return isinstance(value, list) and len(value) == count and all(map(is_number, value))
