"""Whether annotations lie where their images are: for `bench data verify`, as none of it is refused elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.pose.data.images import exif_orientation
from bench.pose.data.instances import Instance, Instances
from bench.pose.geometry import Size

__all__ = ["ignored_orientations", "misplaced"]

UNKNOWN = (np.inf, np.inf)
"""Height and width of images that were not read: nothing is outside them."""

FAR = 0.1
"""Distance outside an image, relative to its sides, that no annotator means; a hidden joint may be a little outside."""


def misplaced(instances: Sequence[Instance], sizes: Mapping[Path, Size], skeleton: Sequence[str]) -> Iterator[str]:
    """Messages about instances that do not fit their images.

    Args:
        instances: annotated instances.
        sizes: height and width of the images in px.
        skeleton: names of the keypoints.
    """
    found = Instances.of(instances)
    sides = np.array([sizes.get(image, UNKNOWN)[::-1] for image in found.image_paths]).reshape(-1, 1, 2)
    points = np.where(found.column("visible")[..., None], found.column("keypoints"), 0)
    distances = (np.maximum(-points, points - sides) / sides).max(axis=2)
    outside = np.flatnonzero((distances > FAR).any(axis=1))
    if len(outside):
        first, worst = outside[0], int(distances[outside[0]].argmax())
        (x, y), (width, height) = points[first, worst], sides[first, 0].astype(int)
        count = f"{len(outside):,} of {len(found):,} instances have keypoints far outside their image"
        where = f"{skeleton[worst]} at ({x:g}, {y:g}) of {width} x {height}"
        yield f"{count}, such as annotation {found[first].annotation_id}: {where}; was the image scaled or cropped?"
    tiny = np.flatnonzero(np.isnan(found.column("given_crop")[:, 0, 0]) & (found.column("box")[:, 2:].max(axis=1) < 1))
    if len(tiny):
        count = f"{len(tiny):,} of {len(found):,} instances have boxes of a pixel or less"
        first_id = found[tiny[0]].annotation_id
        yield f"{count}, such as annotation {first_id}; are they in parts of the image instead of px?"


def ignored_orientations(images: Sequence[Path]) -> Iterator[str]:
    """A message about images whose EXIF data turn or mirror them, which readers of their pixels ignore."""
    found = [path for path in images if exif_orientation(path) != 1]
    if found:
        yield (
            f"{len(found):,} images have an EXIF orientation, such as {found[0]}: it is ignored, as by the reference"
            ", so annotations must be of the stored pixels"
        )
