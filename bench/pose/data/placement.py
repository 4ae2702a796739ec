"""Whether annotations lie where their images are: for `bench data verify`, as none of it is refused elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.pose.data.images import exif_orientation
from bench.pose.data.instances import Instance
from bench.pose.geometry import Size

__all__ = ["ignored_orientations", "misplaced"]

FAR = 0.1
"""Distance outside an image, relative to its sides, that no annotator means; a hidden joint may be a little outside."""


def misplaced(instances: Sequence[Instance], sizes: Mapping[Path, Size], skeleton: Sequence[str]) -> Iterator[str]:
    """Messages about instances that do not fit their images.

    Args:
        instances: annotated instances.
        sizes: height and width of the images in px.
        skeleton: names of the keypoints.
    """
    outside = list(filter(None, (_far_outside(instance, sizes, skeleton) for instance in instances)))
    if outside:
        count = f"{len(outside):,} of {len(instances):,} instances have keypoints far outside their image"
        yield f"{count}, such as {outside[0]}; was the image scaled or cropped?"
    tiny = [instance for instance in instances if instance.given_crop is None and max(instance.box[2:]) < 1]
    if tiny:
        count = f"{len(tiny):,} of {len(instances):,} instances have boxes of a pixel or less"
        yield f"{count}, such as annotation {tiny[0].annotation_id}; are they in parts of the image instead of px?"


def _far_outside(instance: Instance, sizes: Mapping[Path, Size], skeleton: Sequence[str]) -> str | None:
    """The worst keypoint of an instance in words, if it is far outside; None for images of unknown size too."""
    size = sizes.get(instance.image)
    if size is None or not instance.visible.any():
        return None
    sides = np.array(size[::-1])
    points = np.where(instance.visible[:, None], instance.keypoints, 0)
    distances = (np.maximum(-points, points - sides) / sides).max(axis=1)
    worst = int(distances.argmax())
    if distances[worst] <= FAR:
        return None
    (x, y), (width, height) = points[worst], sides
    return f"annotation {instance.annotation_id}: {skeleton[worst]} at ({x:g}, {y:g}) of {width} x {height}"


def ignored_orientations(images: Sequence[Path]) -> Iterator[str]:
    """A message about images whose EXIF data turn or mirror them, which readers of their pixels ignore."""
    found = [path for path in images if exif_orientation(path) != 1]
    if found:
        yield (
            f"{len(found):,} images have an EXIF orientation, such as {found[0]}: it is ignored, as by the reference"
            ", so annotations must be of the stored pixels"
        )
