"""The first images or instances of a split, in an order that depends on nothing but their names and ids."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.pose.data.columns import Columns
from bench.pose.data.instances import Instance, Instances
from bench.pose.errors import DataError

__all__ = ["chosen_images", "chosen_positions", "first_images", "first_instances", "restrict_annotations"]


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


def chosen_images(
    names: Collection[str], count: int | None, annotated: Iterable[str] = (), *, held_out: int | None = None
) -> frozenset[str]:
    """The first `count` images of a split, or all, without the first `held_out` ones; arguments as in `first_images`.

    Raises:
        DataError: none is left.
    """
    first = first_images(names, len(names) if count is None else count, annotated)
    chosen = first - first_images(names, held_out or 0, annotated)
    if first and not chosen:
        raise DataError(f"held_out: {held_out} leaves none of {len(first):,} images to train on")
    return chosen


def chosen_positions(columns: Columns, count: int | None, held_out: int | None) -> npt.NDArray[np.bool_]:
    """Whether each image of an annotation file is used, (images,); see `chosen_images`."""
    if count is held_out is None:
        return np.ones(len(columns.sizes), dtype=bool)
    names = list(map(columns.name, range(len(columns.sizes))))
    annotated = {names[position] for position in np.unique(columns.listed).tolist()}
    chosen = chosen_images(names, count, annotated, held_out=held_out)
    return np.array([name in chosen for name in names], dtype=bool)


def restrict_annotations(contents: Mapping[str, Any], count: int | None, held_out: int | None = None) -> dict[str, Any]:
    """The contents of a COCO annotation file with some images and their annotations alone; see `chosen_images`."""
    names = {image["id"]: image["file_name"] for image in contents["images"]}
    annotated = {names[annotation["image_id"]] for annotation in contents["annotations"]}
    chosen = chosen_images(list(names.values()), count, annotated, held_out=held_out)
    images = [image for image in contents["images"] if image["file_name"] in chosen]
    ids = {image["id"] for image in images}
    annotations = [annotation for annotation in contents["annotations"] if annotation["image_id"] in ids]
    return {**contents, "images": images, "annotations": annotations}


def first_instances(instances: Sequence[Instance], count: int | None) -> Instances:
    """The first instances, in the order of the split; all of them for None.

    They are the first by the sha256 of image and id, so that a larger number of them contains a smaller one.

    Raises:
        DataError: there are fewer.
    """
    instances = Instances.of(instances)
    if count is None:
        return instances
    if count > len(instances):
        raise DataError(f"train_subset: {count}, but the training split has {len(instances)} instances")
    ids = instances.column("annotation_id").tolist()
    images = instances.image_paths
    names = [f"{image.name}\0{id_}".encode(errors="replace") for image, id_ in zip(images, ids, strict=True)]
    order = sorted(range(len(instances)), key=lambda index: hashlib.sha256(names[index]).digest())
    return instances.take(sorted(order[:count]))
