"""The first images of a split, in an order that depends on nothing but their names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["first_images", "restrict_annotations"]


def first_images(names: Iterable[str], count: int, annotated: Iterable[str] = ()) -> frozenset[str]:
    """The first images of a split.

    Their order is that of the sha256 of their names, those with annotations before those without: it is the same
    however a file is sorted or numbered, a larger subset contains a smaller one, and the first images are a fair sample
    although names often follow the recording.

    Args:
        names: of all images.
        count: number of images to take.
        annotated: names of the images that have annotations.
    """
    first = frozenset(annotated)
    ordered = sorted(
        set(names), key=lambda name: (name not in first, hashlib.sha256(name.encode(errors="replace")).digest())
    )
    return frozenset(ordered[:count])


def restrict_annotations(contents: Mapping[str, Any], count: int) -> dict[str, Any]:
    """The contents of a COCO annotation file with its first images and their annotations alone."""
    names = {image["id"]: image["file_name"] for image in contents["images"]}
    annotated = {names[annotation["image_id"]] for annotation in contents["annotations"]}
    chosen = first_images(names.values(), count, annotated)
    images = [image for image in contents["images"] if image["file_name"] in chosen]
    ids = {image["id"] for image in images}
    annotations = [annotation for annotation in contents["annotations"] if annotation["image_id"] in ids]
    return {**contents, "images": images, "annotations": annotations}
