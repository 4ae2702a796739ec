"""Annotation files of the COCO format, as many tools write it: what is usable, and what is wrong with the rest.

Understood are ids that are repeated, text, or counted from 0, a person category of any number, keypoints in any order,
and images without sizes where no image is read. See `docs/annotations.md`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.pose.data.conventions import PERSON, Conventions, counted_categories, person_category
from bench.pose.data.reading import are_numbers, is_number, normalized, read_id
from bench.pose.errors import DataError
from bench.pose.skeletons import SKELETONS, Skeleton, same_name

__all__ = ["BOX", "AnnotationFile", "clean_annotations", "is_box", "skeleton_of"]

BOX = "x, y, width and height as finite numbers, the latter two from 0"

CROWD_FLAGS: Mapping[object, int] = {0: 0, 1: 1, "0": 0, "1": 1, "false": 0, "true": 1}
"""Values of `iscrowd`; JSON's true and false and 1.0 and 0.0 are equal to some of them."""

NO_AREA = (
    "have area 0: they are not trained on, and only an exact prediction matches them; without the field `area`, the"
    " area of the box is taken"
)
NO_CROWDPOSE_AREA = "have area 0: they are not trained on"
NO_BOX = "have a box without width or height, of which no crop can be made"
UNCOUNTED = "have num_keypoints 0 beside labelled keypoints, so the evaluation ignores them"
UNLABELLED = "have no labelled keypoints beside num_keypoints above 0, so the evaluation judges them by their box"
MISCOUNTED = "have a num_keypoints that is not their number of labelled keypoints, which makes no difference"
ODD_LABEL = (
    "have a visibility other than 0, 1 and 2, which counts as labelled (AI Challenger's 3, for missing, is 0 here)"
)


@dataclass(frozen=True)
class AnnotationFile:
    """Usable contents of an annotation file.

    Attributes:
        contents: of the COCO format, with numbers as ids of images, unique annotation ids, person as the only
            category, with id 1, and keypoints in the skeleton's order.
        conventions: how the file differs from that.
        problems: messages about what is left out for a fault, or judged otherwise than it looks.
        notes: messages about what is left out by rule, or was understood although it is written otherwise.
    """

    contents: dict[str, Any]
    conventions: Conventions
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def skeleton_of(contents: Any, source: Path) -> Skeleton:
    """The skeleton whose keypoint names an annotation file's category lists. Raises `DataError` if none fits."""
    _check_lists(contents, source)
    conventions, names = person_category(contents["categories"], source)
    size = _values_each(contents["annotations"], conventions) // 3 or len(names)
    for skeleton in SKELETONS:
        if skeleton.positions_in(names[:size]):
            return skeleton
    known = "; ".join(f"{skeleton.name}: {', '.join(skeleton.keypoints)}" for skeleton in SKELETONS)
    raise DataError(
        f"{source}: the category's keypoints {list(names)} are not a known skeleton; a suite can define others."
        f" Known: {known}"
    )


def clean_annotations(
    contents: Any,
    file: Path,
    skeleton: Skeleton,
    *,
    area_of_box: float = 1.0,
    protocol: str = "coco",
    pixels: bool = True,
) -> AnnotationFile:
    """Usable part of an annotation file's contents.

    Args:
        contents: parsed file.
        file: where it was read, for messages.
        skeleton: keypoints of its instances.
        area_of_box: area of an instance without a stored one, relative to its box.
        protocol: "coco" or "crowdpose"; in CrowdPose's files `num_keypoints` is not the number of labelled keypoints.
        pixels: whether images will be read, so that their names and sizes are needed.

    Raises:
        DataError: not of the COCO format, of another skeleton, or different images share an id.
    """
    _check_lists(contents, file)
    conventions, names = person_category(contents["categories"], file)
    found = AnnotationFile({}, conventions)
    order = _keypoint_order(contents["annotations"], names, skeleton, file, found)
    conventions = replace(conventions, order=order, images=_numbers_of_texts(contents["images"]))
    images = _clean_images(contents["images"], file, replace(found, conventions=conventions), pixels=pixels)
    cleaning = _Cleaning(file, skeleton, conventions, area_of_box, protocol, {image["id"] for image in images}, found)
    category = {"id": PERSON, "name": "person", "keypoints": list(skeleton.keypoints)}
    annotations = cleaning.annotations(contents)
    usable = contents | {"images": images, "annotations": annotations, "categories": [category]}
    return replace(found, contents=usable, conventions=conventions)


def _check_lists(contents: Any, source: Path) -> None:
    for key in ("images", "annotations", "categories"):
        if not isinstance(contents, dict) or not isinstance(contents.get(key), list):
            raise DataError(f"{source}: lacks the list {key!r} of the COCO format")


def _values_each(annotations: list[Any], conventions: Conventions) -> int:
    """The most frequent number of keypoint values of an instance; 0 if none has any."""
    return next((count for count, _ in _value_counts(annotations, conventions).most_common(1)), 0)


def _value_counts(annotations: list[Any], conventions: Conventions) -> Counter[int]:
    return Counter(
        len(entry["keypoints"])
        for entry in annotations
        if isinstance(entry, dict) and isinstance(entry.get("keypoints"), list) and entry["keypoints"]
        if "category_id" not in entry or conventions.is_person(read_id(entry["category_id"]))
    )


def _keypoint_order(
    annotations: list[Any], names: tuple[str, ...], skeleton: Skeleton, file: Path, found: AnnotationFile
) -> tuple[int, ...] | None:
    """Position of each of the skeleton's keypoints among the file's; None if the order is the same.

    The instances' values decide how many there are, and the names, if there are as many, which.
    """
    size, counts = skeleton.size, _value_counts(annotations, found.conventions)
    if counts and 3 * size not in counts:
        each = _values_each(annotations, found.conventions)
        number = f"{each // 3} keypoints" if each % 3 == 0 else f"{each} keypoint values"
        raise DataError(f"{file}: {number} per instance, but skeleton {skeleton.name!r} has {size}")
    if len(names) > size and counts and skeleton.positions_in(names[:size]):
        names = names[:size]
    if names and len(names) != size and counts:
        found.notes.append(
            f"{file}: the category names {len(names)} keypoints, but its instances have {size}, which are taken for"
            f" those of skeleton {skeleton.name!r} in its order"
        )
        return None
    order = skeleton.positions_in(names) if names else None
    if names and order is None:
        raise DataError(f"{file}: {_other_names(names, skeleton)}")
    return None if order == tuple(range(size)) else order


def _other_names(names: tuple[str, ...], skeleton: Skeleton) -> str:
    """In which names a category differs from a skeleton."""
    known, listed = set(map(same_name, skeleton.keypoints)), set(map(same_name, names))
    others = [name for name in names if same_name(name) not in known]
    lacking = [name for name in skeleton.keypoints if same_name(name) not in listed]
    return (
        f"its {len(names)} keypoints are not the {skeleton.size} of skeleton {skeleton.name!r}: it names"
        f" {', '.join(others) or 'no others'} and lacks {', '.join(lacking) or 'none'}"
    )


def _numbers_of_texts(entries: list[Any]) -> dict[str, int]:
    """Numbers, above those of the other images, for images whose ids are text that spells none."""
    ids = [entry.get("id") for entry in entries if isinstance(entry, dict)]
    texts = dict.fromkeys(id_ for id_ in ids if isinstance(id_, str) and id_ and read_id(id_) is None)
    first = 1 + max((number for id_ in ids if (number := read_id(id_)) is not None), default=0)
    return {text: number for number, text in enumerate(texts, start=max(first, 1))}


def _clean_images(entries: list[Any], file: Path, found: AnnotationFile, *, pixels: bool) -> list[dict[str, Any]]:
    """Usable images by file order; an image that is listed twice is taken once."""
    images: dict[int, dict[str, Any]] = {}
    for number, entry in enumerate(entries):
        id_ = found.conventions.image_id(entry.get("id")) if isinstance(entry, dict) else None
        if id_ is None:
            found.problems.append(
                f"{file}: image number {number}: not an object with a whole number as id: {entry!r:.80}"
            )
        elif pixels and (problem := _image_problem(entry)):
            found.problems.append(f"{file}: image {entry['id']}: {problem}")
        elif id_ not in images:
            images[id_] = entry | {"id": id_}
        elif any(images[id_].get(name) != entry.get(name) for name in ("file_name", "width", "height", "crowdIndex")):
            both = " and ".join(f"{image.get('file_name')!r:.80}" for image in (images[id_], entry))
            raise DataError(f"{file}: image id {entry['id']} is given to different images, {both}; each needs its own")
        else:
            found.notes.append(f"{file}: image {entry['id']} is listed twice, and taken once")
    return list(images.values())


def _image_problem(image: Mapping[str, Any]) -> str | None:
    name = image.get("file_name")
    if not isinstance(name, str) or not name or not name.isprintable():
        return f"file_name {name!r:.80} names no file"
    if missing := [side for side in ("width", "height") if side not in image]:
        return f"lacks {' and '.join(missing)}, the size of the image in px"
    if not all(is_number(image[side]) and image[side] > 0 for side in ("width", "height")):
        return f"size {image['width']!r:.40} x {image['height']!r:.40} is not two positive numbers"
    return None


@dataclass(frozen=True)
class _Cleaning:
    """The pass over a file's annotations."""

    file: Path
    skeleton: Skeleton
    conventions: Conventions
    area_of_box: float
    protocol: str
    image_ids: set[int]
    found: AnnotationFile

    def annotations(self, contents: dict[str, Any]) -> list[dict[str, Any]]:
        """Usable annotations in file order."""
        listed = {self.conventions.image_id(image.get("id")) for image in contents["images"] if isinstance(image, dict)}
        numbered = list(self._sound(contents["annotations"], listed - self.image_ids - {None}))
        ids: list[int | None] = [read_id(entry.get("id")) for _, entry in numbered]
        if None in ids or len(set(ids)) < len(ids):
            id_, count = Counter(ids).most_common(1)[0]
            odd_id = f"{id_}, given {count} times" if count > 1 and id_ is not None else _first_odd(numbered)
            self.found.notes.append(
                f"{self.file}: ids of annotations are not unique whole numbers (such as {odd_id}); all of them count,"
                " and messages name them by their position in the file, from 0"
            )
            ids = [number for number, _ in numbered]
        odd: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        cleaned = [self._cleaned(entry, id_, odd) for (_, entry), id_ in zip(numbered, ids, strict=True)]
        for text, entries in odd.items():
            first = f"the first: {entries[0]['id']}, box {entries[0]['bbox']}, area {entries[0]['area']:g}"
            messages = self.found.notes if text == MISCOUNTED else self.found.problems
            messages.append(f"{self.file}: {len(entries):,} of {len(cleaned):,} annotations {text} ({first})")
        return cleaned

    def _sound(self, entries: list[Any], broken_images: set[int | None]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Annotations of persons that can be used, with their positions in the file."""
        others: Counter[int | None] = Counter()
        of_broken_images = 0
        for number, listed in enumerate(entries):
            if not isinstance(listed, dict):
                self.found.problems.append(f"{self.file}: annotation number {number}: not an object: {listed!r:.80}")
                continue
            entry = {name: value for name, value in listed.items() if value is not None}
            category = read_id(entry.get("category_id", self.conventions.person))
            if category in self.conventions.others:
                others[category] += 1
            elif self.conventions.image_id(entry.get("image_id")) in broken_images:
                of_broken_images += 1
            elif problem := next(self._faults(entry, category), None):
                id_ = read_id(entry.get("id"))
                which = f"annotation number {number}" if id_ is None else f"annotation {id_}"
                self.found.problems.append(f"{self.file}: {which}: {problem}")
            else:
                yield number, entry
        if others:
            self.found.notes.append(
                f"{self.file}: {others.total():,} annotations of other categories are left out: "
                f"{counted_categories(others, self.conventions)}; person is {self.conventions.person}"
            )
        if of_broken_images:
            self.found.problems.append(
                f"{self.file}: {of_broken_images:,} annotations are left out with their unusable images"
            )

    def _faults(self, entry: Mapping[str, Any], category: int | None) -> Iterator[str]:
        """What is wrong with an annotation; who asks for the first fault only is spared the checks of the others."""
        flat, expected = entry.get("keypoints"), 3 * self.skeleton.size
        if not self.conventions.is_person(category):
            person = self.conventions.person
            yield f"its category {entry['category_id']!r:.40} is not in the file, where person is {person}"
        if self.conventions.image_id(entry.get("image_id")) not in self.image_ids:
            yield f"image {entry.get('image_id')!r:.80} is not in the file"
        if not isinstance(flat, list):
            yield f"not a list of keypoint values, expected {expected}"
        elif len(flat) != expected:
            yield f"{len(flat)} keypoint values, expected {expected}"
        elif not are_numbers(flat):
            yield "a keypoint value is not a finite number"
        elif _normalized(flat):
            yield "its keypoints are all from 0 to 1; expected px, not parts of the image"
        if not is_box(entry.get("bbox")):
            yield f"box {entry.get('bbox')!r:.80} is not {BOX}"
        if not is_number(entry.get("area", 0)) or entry.get("area", 0) < 0:
            yield f"area {entry['area']!r:.80} is not a finite number from 0"
        if not is_number(entry.get("num_keypoints", 0)):
            yield f"num_keypoints {entry['num_keypoints']!r:.40} is not a finite number"
        if _crowd(entry) is None:
            yield f"iscrowd {entry['iscrowd']!r:.40} is neither 0 nor 1"

    def _cleaned(
        self, entry: dict[str, Any], id_: int | None, odd: Mapping[str, list[dict[str, Any]]]
    ) -> dict[str, Any]:
        """The annotation with the fields that the evaluation needs; added to what is odd about it."""
        width, height = entry["bbox"][2:]
        labelled = sum(visibility > 0 for visibility in entry["keypoints"][2::3])
        cleaned = {"area": self.area_of_box * width * height, "num_keypoints": labelled} | entry
        cleaned |= {
            "id": id_,
            "image_id": self.conventions.image_id(entry["image_id"]),
            "category_id": PERSON,
            "iscrowd": _crowd(entry),
            "keypoints": self.conventions.from_file(entry["keypoints"]),
        }
        if not cleaned["iscrowd"]:
            for text in self._oddities(cleaned, labelled):
                odd[text].append(cleaned)
        return cleaned

    def _oddities(self, cleaned: Mapping[str, Any], labelled: int) -> Iterator[str]:
        if labelled and min(cleaned["bbox"][2:]) == 0:
            yield NO_BOX
        elif labelled and cleaned["area"] <= 0:
            yield NO_CROWDPOSE_AREA if self.protocol == "crowdpose" else NO_AREA
        if self.protocol != "crowdpose" and cleaned["num_keypoints"] != labelled:
            yield UNCOUNTED if cleaned["num_keypoints"] == 0 else MISCOUNTED if labelled else UNLABELLED
        if not {0, 1, 2}.issuperset(cleaned["keypoints"][2::3]):
            yield ODD_LABEL


def _normalized(flat: list[float]) -> bool:
    """Whether keypoint values are parts of the image's sides."""
    labelled = ((x, y) for x, y, visible in zip(flat[::3], flat[1::3], flat[2::3], strict=True) if visible > 0)
    points = []
    for x, y in labelled:
        if x > 1 or y > 1:  # soon true of px
            return False
        points.append((x, y))
    return normalized(points)


def _first_odd(numbered: list[tuple[int, dict[str, Any]]]) -> str:
    return next(f"{entry.get('id')!r:.40}" for _, entry in numbered if read_id(entry.get("id")) is None)


def _crowd(entry: Mapping[str, Any]) -> int | None:
    """`iscrowd` as 0 or 1; None for any other value."""
    value = entry.get("iscrowd", 0)
    value = value.lower() if isinstance(value, str) else value
    return CROWD_FLAGS.get(value) if isinstance(value, str | int | float) else None


def is_box(value: object) -> bool:
    """Whether it is a box: `BOX`."""
    return isinstance(value, list) and len(value) == 4 and are_numbers(value) and min(value[2:]) >= 0
