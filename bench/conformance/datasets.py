"""What every dataset keeps to: its skeleton, and splits as they are on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.conformance.check import Check, NotApplicableError, require
from bench.pose.data.coco import CocoKeypoints
from bench.pose.data.datasets import DatasetInfo
from bench.pose.data.images import read_image
from bench.pose.data.mpii import MpiiPeople
from bench.pose.data.people import Person
from bench.pose.errors import DataError
from bench.pose.geometry import affine_matrix, transform_points
from bench.pose.scoring import OksScoring, split_scoring
from bench.pose.skeletons import Skeleton

__all__ = ["dataset_checks"]

Array = npt.NDArray[Any]

SAMPLE = 32
"""Images that are read, spread evenly over a split."""

SCORED = 200
"""Images on which the truth is scored."""

MOST_SCORED = 20
"""People of an image that COCO's evaluation looks at (behaviour E12)."""

CROP = (256, 192)
"""Height and width in px."""

NEAR = 0.1
"""Part of an image's side that a joint may lie outside: annotators guess where what is cut off would be."""

MOSTLY = 0.9
"""Least part of the labelled joints that is near the image, and in the person's crop."""

SIDES = (("left", "right"), ("l", "r"))


def dataset_checks(info: DatasetInfo, folder: Path, splits: Sequence[str]) -> Iterator[Check]:
    """All checks of a dataset.

    Args:
        info: the dataset.
        folder: its own, under the data root.
        splits: to look at.
    """
    yield Check("skeleton", "joints, sigmas, pairs, limbs and the upper body fit together", partial(_skeleton, info))
    checks: dict[Callable[[_Split], str], str] = {
        _opening: "it opens, and lists people with boxes and joints",
        _annotations: "arrays have the skeleton's shapes, boxes are positive and people's ids unique",
        _images: "images exist inside the image folder and can be read",
        _joints: "labelled joints lie in or near the image",
        _repetition: "reading it twice gives the same people",
        _truth: "the truth, given as predictions, scores best",
        _crops: "people's crops hold their labelled joints",
    }
    for name in splits:
        split = _Split(info, folder, name)
        for look, promise in checks.items():
            yield Check(f"{name} {look.__name__.strip('_')}", promise, partial(look, split))


@dataclass
class _Split:
    """A split of a dataset, read once for all checks."""

    info: DatasetInfo
    folder: Path
    name: str
    _people: list[Person] | None = None

    @cached_property
    def opened(self) -> CocoKeypoints | MpiiPeople:
        return self.info.open(self.folder, self.name)

    def open(self) -> list[Person]:
        """Everybody, for the first check."""
        if not self.opened.annotated:
            raise NotApplicableError("its annotations are not published")
        self._people = self.opened.people()
        return self._people

    @property
    def people(self) -> list[Person]:
        """Everybody. Raises `NotApplicableError` where opening it failed, which is told once."""
        if self._people is None:
            raise NotApplicableError("nobody is known")
        return self._people

    @cached_property
    def sample(self) -> dict[Path, list[Person]]:
        """Some images with their people."""
        return _by_image(self.people, SAMPLE)


def _by_image(people: Sequence[Person], count: int) -> dict[Path, list[Person]]:
    """At most so many images with all of their people, spread evenly."""
    images: dict[Path, list[Person]] = {}
    for person in people:
        images.setdefault(person.image, []).append(person)
    chosen = np.unique(np.linspace(0, len(images) - 1, min(count, len(images))).round().astype(int))
    files = list(images)
    return {files[index]: images[files[index]] for index in chosen}


def _skeleton(info: DatasetInfo) -> str:
    skeleton = info.skeleton
    names = skeleton.joints
    require(names and len(set(names)) == len(names), f"a joint is named twice: {', '.join(names)}")
    require(len(skeleton.sigmas) == len(names), f"{len(skeleton.sigmas)} sigmas for {len(names)} joints")
    bad = [f"{name}: {sigma}" for name, sigma in zip(names, skeleton.sigmas, strict=True) if not 0 < sigma < np.inf]
    require(not bad, f"sigmas must be positive: {', '.join(bad)}")
    lists = {"pairs": skeleton.pairs, "limbs": skeleton.limbs, "upper": tuple((name,) for name in skeleton.upper)}
    for kind, entries in lists.items():
        unknown = [name for entry in entries for name in entry if name not in names]
        require(not unknown, f"{kind} name {', '.join(map(repr, unknown))}, which are no joints")
    mirror = skeleton.mirror
    back = tuple(mirror[index] for index in mirror)
    wrong = [name for index, name in enumerate(names) if back[index] != index]
    require(not wrong, f"mirrored twice, {', '.join(wrong)} are not back in their place: pairs share a joint")
    unlike = [f"{one} with {other}" for one, other in skeleton.pairs if one == other]
    require(not unlike, f"pairs exchange a joint with itself: {', '.join(unlike)}")
    _check_sides(skeleton)
    return f"{len(names)} joints, {len(skeleton.pairs)} pairs, {len(skeleton.limbs)} limbs"


def _check_sides(skeleton: Skeleton) -> None:
    """Joints that are named by a side must be paired, left first, with the joint of the other side, if there is one."""
    for left, right in SIDES:
        for joint in skeleton.joints:
            other = right + joint.removeprefix(left)
            if not joint.startswith(f"{left}_") or other not in skeleton.joints:
                continue
            found = skeleton.joints[skeleton.mirror[skeleton.index(joint)]]
            require(found == other, f"a mirror image exchanges {joint} with {found}, expected {other}")
            require((joint, other) in skeleton.pairs, f"the pair {other}, {joint} must list the left one first")


def _opening(split: _Split) -> str:
    people = split.open()
    problems = split.opened.problems
    require(not problems, f"{len(problems)} entries make no sense; the first: {next(iter(problems), '')}")
    return f"{len(people):,} people"


def _annotations(split: _Split) -> str:
    joints = split.info.skeleton.size
    for person in split.people:
        who = f"{split.opened.annotation_file}: person {person.annotation_id}"
        shapes = person.joints.shape, person.visible.shape, person.box.shape
        require(shapes == ((joints, 2), (joints,), (4,)), f"{who}: joints, visibility and box have shapes {shapes}")
        require(np.isfinite(person.joints).all() and np.isfinite(person.box).all(), f"{who}: values are not finite")
        require((person.box[2:] > 0).all(), f"{who}: a box of {person.box[2]:g} x {person.box[3]:g} px")
        require(person.area > 0, f"{who}: an area of {person.area:g} px^2")
    ids = Counter(person.annotation_id for person in split.people)
    (id_, count), *_ = ids.most_common(1)
    require(count == 1, f"{split.opened.annotation_file}: {count} people have the id {id_}")
    labelled = np.mean([person.visible.mean() for person in split.people])
    return f"{labelled:.0%} of the joints labelled"


def _images(split: _Split) -> str:
    sample = split.sample
    folder = split.opened.image_folder.resolve()
    for file, people in sample.items():
        require(file.resolve().is_relative_to(folder), f"{file} lies outside of {folder}")
        height, width = read_image(file).shape[:2]
        annotated = _annotated_size(split, people[0])
        require(
            annotated in (None, (height, width)),
            f"{file}: {height} x {width} px, annotated as {annotated} (height, width)",
        )
    return f"{len(sample)} images"


def _annotated_size(split: _Split, person: Person) -> tuple[int, int] | None:
    if not isinstance(split.opened, CocoKeypoints):
        return None
    image = split.opened.images[person.image_id]
    return image["height"], image["width"]


def _joints(split: _Split) -> str:
    inside: list[Array] = []
    for file, people in split.sample.items():
        height, width = read_image(file).shape[:2]
        size = np.array([width, height])
        joints = np.concatenate([person.joints[person.visible] for person in people])
        inside.append(_within(joints, -NEAR * size, (1 + NEAR) * size))
    return _share(inside)


def _crops(split: _Split) -> str:
    inside: list[Array] = []
    for person in (person for people in split.sample.values() for person in people):
        joints = transform_points(person.joints[person.visible], affine_matrix(*person.crop(CROP), 0, CROP))
        inside.append(_within(joints, np.full(2, -0.5), np.array(CROP[::-1]) - 0.5))
    return _share(inside)


def _within(joints: Array, low: Array, high: Array) -> Array:
    """(joints,) whether each lies between two corners."""
    return np.asarray(((joints >= low) & (joints <= high)).all(axis=1))


def _share(inside: Sequence[Array]) -> str:
    holds = np.concatenate(inside)
    if not len(holds):
        raise NotApplicableError("no joint is labelled")
    found = f"{holds.mean():.1%} of {len(holds):,} joints do, at least {MOSTLY:.0%}"
    require(holds.mean() >= MOSTLY, found)
    return found


def _repetition(split: _Split) -> str:
    once, again = split.people, split.info.open(split.folder, split.name).people()
    require(len(again) == len(once), f"{len(once)} people, then {len(again)}")
    for one, other in zip(once, again, strict=True):
        same = all(np.array_equal(*pair) for pair in zip(_arrays(one), _arrays(other), strict=True))
        require(same and one.image == other.image, f"person {one.annotation_id} is another one the second time")
    return f"{len(again):,} people"


def _arrays(person: Person) -> Iterator[Array]:
    yield from (np.array([person.image_id, person.annotation_id]), person.box, person.joints, person.visible)


def _truth(split: _Split) -> str:
    people = split.people  # known, or there is nothing to score
    try:
        scoring = split_scoring(split.opened)
    except DataError as error:
        if not split.opened.truth_file.is_file():
            raise NotApplicableError(f"there is no truth to score by: {split.opened.truth_file}") from None
        raise error
    if isinstance(scoring, OksScoring):
        chosen = {some[0].image_id: some for some in _by_image(people, SCORED).values() if len(some) <= MOST_SCORED}
        scoring, people = _part(scoring, chosen.keys()), [person for some in chosen.values() for person in some]
        name, best = "AP", 1.0
    else:
        name, best = "Mean", 100.0
    found = scoring.metrics(list(map(_as_predicted, people)))[name]
    require(abs(found - best) < 1e-6 * best, f"{name} of the truth is {found:.4f}, expected {best:g}")
    return f"{name} {found:g} for {len(people):,} people"


def _part(scoring: OksScoring, image_ids: Any) -> OksScoring:
    """Of some images only."""
    annotations = scoring.annotations
    images = [image for image in annotations["images"] if image["id"] in image_ids]
    people = [person for person in annotations["annotations"] if person["image_id"] in image_ids]
    return replace(scoring, annotations=annotations | {"images": images, "annotations": people})


def _as_predicted(person: Person) -> dict[str, Any]:
    keypoints = np.column_stack([person.joints, np.ones(len(person.joints))])
    return {
        "image_id": person.image_id,
        "category_id": 1,
        "keypoints": keypoints.ravel().tolist(),
        "score": person.score,
    }
