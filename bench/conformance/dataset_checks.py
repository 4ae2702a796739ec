"""Checks of datasets: the skeleton, and the splits on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.checks import Check, CheckList, NotApplicableError, require
from bench.pose.data.coco_format import CocoKeypoints
from bench.pose.data.datasets import DatasetInfo
from bench.pose.data.images import read_image
from bench.pose.data.instances import Instance
from bench.pose.data.mpii import MpiiInstances
from bench.pose.errors import DataError
from bench.pose.geometry import affine_matrix, transform_points
from bench.pose.metrics.catalog import NOBODY
from bench.pose.scoring import OksScoring, split_scoring
from bench.pose.skeletons import Skeleton

Array = npt.NDArray[Any]

SAMPLE = 32
"""Images that are read, spread evenly over a split."""

SCORED = 200
"""Images on which the truth is scored."""

MOST_SCORED = 20
"""Most instances of an image that COCO's evaluation takes into account (behaviour E12)."""

CROP = (256, 192)
"""Height and width in px."""

NEAR = 0.1
"""Largest distance of a keypoint outside the image, relative to its side: annotators guess cut-off ones."""

MOSTLY = 0.9
"""Least part of the labelled keypoints near the image, and inside the instance's crop."""

SIDES = (("left", "right"), ("l", "r"))

OF_DATASET, OF_SPLIT = CheckList(), CheckList()


def dataset_checks(info: DatasetInfo, folder: Path, splits: Sequence[str]) -> list[Check]:
    """All checks of a dataset.

    Args:
        info: the dataset.
        folder: its folder under the data root.
        splits: names of the splits to check.
    """
    of_splits = [OF_SPLIT.of(_Split(info, folder, name), name=f"{name} {{}}") for name in splits]
    return [*OF_DATASET.of(info), *(check for checks in of_splits for check in checks)]


@OF_DATASET.check()
def skeleton(info: DatasetInfo) -> str:
    """Keypoints, sigmas, pairs, limbs and the upper body fit together."""
    found = info.skeleton
    names = found.keypoints
    require(names and len(set(names)) == len(names), f"a keypoint is named twice: {', '.join(names)}")
    require(len(found.sigmas) == len(names), f"{len(found.sigmas)} sigmas for {len(names)} keypoints")
    bad = [f"{name}: {sigma}" for name, sigma in zip(names, found.sigmas, strict=True) if not 0 < sigma < np.inf]
    require(not bad, f"sigmas must be positive: {', '.join(bad)}")
    lists = {"pairs": found.pairs, "limbs": found.limbs, "upper": tuple((name,) for name in found.upper)}
    for kind, entries in lists.items():
        unknown = [name for entry in entries for name in entry if name not in names]
        require(not unknown, f"{kind} name {', '.join(map(repr, unknown))}, which are not keypoints")
    flip_indices = found.flip_indices
    wrong = [name for index, name in enumerate(names) if flip_indices[flip_indices[index]] != index]
    require(not wrong, f"flipped twice, {', '.join(wrong)} are not back in their place: pairs share a keypoint")
    unlike = [f"{one} with {other}" for one, other in found.pairs if one == other]
    require(not unlike, f"pairs exchange a keypoint with itself: {', '.join(unlike)}")
    _check_sides(found)
    return f"{len(names)} keypoints, {len(found.pairs)} pairs, {len(found.limbs)} limbs"


@OF_SPLIT.check()
def opening(split: _Split) -> str:
    """It opens, and lists instances with boxes and keypoints."""
    instances = split.open()
    problems = split.opened.problems
    require(not problems, f"{len(problems)} unusable entries; the first: {next(iter(problems), '')}")
    return f"{len(instances):,} instances"


@OF_SPLIT.check()
def annotations_(split: _Split) -> str:
    """Arrays have the skeleton's shapes, and boxes are positive."""
    keypoints = split.info.skeleton.size
    for instance in split.instances:
        who = f"{split.opened.annotation_file}: instance {instance.annotation_id}"
        shapes = instance.keypoints.shape, instance.visible.shape, instance.box.shape
        require(
            shapes == ((keypoints, 2), (keypoints,), (4,)), f"{who}: keypoints, visibility and box have shapes {shapes}"
        )
        require(
            np.isfinite(instance.keypoints).all() and np.isfinite(instance.box).all(), f"{who}: values are not finite"
        )
        require((instance.box[2:] > 0).all(), f"{who}: a box of {instance.box[2]:g} x {instance.box[3]:g} px")
        require(instance.area > 0, f"{who}: an area of {instance.area:g} px^2")
    labelled = np.mean([instance.visible.mean() for instance in split.instances])
    return f"{labelled:.0%} of the keypoints labelled"


@OF_SPLIT.check()
def images(split: _Split) -> str:
    """Images exist inside the image folder and can be read."""
    sample = split.sample
    folder = split.opened.image_folder.resolve()
    for file, instances in sample.items():
        require(file.resolve().is_relative_to(folder), f"{file} lies outside of {folder}")
        height, width = read_image(file).shape[:2]
        if annotated := instances[0].image_size:
            message = f"{file}: {height} x {width} px, annotated as {annotated} (height, width)"
            require(annotated == (height, width), message)
    return f"{len(sample)} images"


@OF_SPLIT.check()
def keypoints(split: _Split) -> str:
    """Labelled keypoints lie in or near the image."""
    inside: list[Array] = []
    for file, instances in split.sample.items():
        height, width = read_image(file).shape[:2]
        size = np.array([width, height])
        keypoints = np.concatenate([instance.keypoints[instance.visible] for instance in instances])
        inside.append(_within(keypoints, -NEAR * size, (1 + NEAR) * size))
    return _share(inside)


@OF_SPLIT.check()
def truth(split: _Split) -> str:
    """The truth, given as predictions, scores best."""
    instances = split.instances  # known, or there is nothing to score
    try:
        scoring = split_scoring(split.opened)
    except DataError as error:
        if not split.opened.truth_file.is_file():
            raise NotApplicableError(f"there is no truth to score by: {split.opened.truth_file}") from None
        raise error
    if isinstance(scoring, OksScoring):
        chosen = {some[0].image_id: some for some in _by_image(instances, SCORED).values() if len(some) <= MOST_SCORED}
        scoring, instances = _part(scoring, chosen.keys()), [instance for some in chosen.values() for instance in some]
        name, best = "AP", 1.0
    else:
        name, best = "Mean", 100.0
    found = scoring.metrics(list(map(_as_predicted, instances)))[name]
    if found is None:
        raise NotApplicableError(f"{NOBODY}: no instance counts for {name}")
    require(abs(found - best) < 1e-6 * best, f"{name} of the truth is {found:.4f}, expected {best:g}")
    return f"{name} {found:g} for {len(instances):,} instances"


@OF_SPLIT.check()
def crops(split: _Split) -> str:
    """Crops of instances contain their labelled keypoints."""
    inside: list[Array] = []
    for instance in (instance for instances in split.sample.values() for instance in instances):
        keypoints = transform_points(instance.keypoints[instance.visible], affine_matrix(*instance.crop(CROP), 0, CROP))
        inside.append(_within(keypoints, np.full(2, -0.5), np.array(CROP[::-1]) - 0.5))
    return _share(inside)


@dataclass
class _Split:
    """A split of a dataset, read once for all checks."""

    info: DatasetInfo
    folder: Path
    name: str
    _instances: Sequence[Instance] | None = None

    @cached_property
    def opened(self) -> CocoKeypoints | MpiiInstances:
        return self.info.open(self.folder, self.name)

    def open(self) -> Sequence[Instance]:
        """All instances, for the first check."""
        if not self.opened.annotated:
            raise NotApplicableError("its annotations are not published")
        self._instances = self.opened.instances()
        return self._instances

    @property
    def instances(self) -> Sequence[Instance]:
        """All instances. Raises `NotApplicableError` if `open` failed, which only the first check reports."""
        if self._instances is None:
            raise NotApplicableError("it cannot be opened")
        return self._instances

    @cached_property
    def sample(self) -> dict[Path, list[Instance]]:
        """Some images with their instances."""
        return _by_image(self.instances, SAMPLE)


def _by_image(instances: Sequence[Instance], count: int) -> dict[Path, list[Instance]]:
    """At most so many images with all of their instances, spread evenly."""
    images: dict[Path, list[Instance]] = {}
    for instance in instances:
        images.setdefault(instance.image, []).append(instance)
    chosen = np.unique(np.linspace(0, len(images) - 1, min(count, len(images))).round().astype(int))
    files = list(images)
    return {files[index]: images[files[index]] for index in chosen}


def _check_sides(skeleton: Skeleton) -> None:
    """Keypoints named by a side must be paired, left first, with the keypoint of the other side, if there is one."""
    for left, right in SIDES:
        for keypoint in skeleton.keypoints:
            other = right + keypoint.removeprefix(left)
            if not keypoint.startswith(f"{left}_") or other not in skeleton.keypoints:
                continue
            found = skeleton.keypoints[skeleton.flip_indices[skeleton.index(keypoint)]]
            require(found == other, f"a mirror image exchanges {keypoint} with {found}, expected {other}")
            require((keypoint, other) in skeleton.pairs, f"the pair {other}, {keypoint} must list the left one first")


def _within(keypoints: Array, low: Array, high: Array) -> Array:
    """(keypoints,) whether each lies between two corners."""
    return np.asarray(((keypoints >= low) & (keypoints <= high)).all(axis=1))


def _share(inside: Sequence[Array]) -> str:
    holds = np.concatenate(inside)
    if not len(holds):
        raise NotApplicableError("no keypoint is labelled")
    found = f"{holds.mean():.1%} of {len(holds):,} keypoints do, at least {MOSTLY:.0%}"
    require(holds.mean() >= MOSTLY, found)
    return found


def _part(scoring: OksScoring, image_ids: Any) -> OksScoring:
    """The scoring of some images only."""
    annotations = scoring.annotations
    images = [image for image in annotations["images"] if image["id"] in image_ids]
    instances = [instance for instance in annotations["annotations"] if instance["image_id"] in image_ids]
    return replace(scoring, annotations=annotations | {"images": images, "annotations": instances})


def _as_predicted(instance: Instance) -> dict[str, Any]:
    keypoints = np.column_stack([instance.keypoints, np.ones(len(instance.keypoints))])
    return {
        "image_id": instance.image_id,
        "category_id": 1,
        "keypoints": keypoints.ravel().tolist(),
        "score": instance.score,
    }
