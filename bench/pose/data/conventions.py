"""What differs between files of the COCO format: the number of the person category and the order of its keypoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from bench.pose.data.reading import read_id
from bench.pose.errors import DataError
from bench.pose.skeletons import same_name

__all__ = ["PERSON", "Conventions", "counted_categories", "person_category"]

PERSON = 1
"""Id of the category within bench, as in COCO."""


@dataclass(frozen=True)
class Conventions:
    """How an annotation file, and the predictions and boxes that go with it, differ from what bench works with.

    Attributes:
        person: id of the category of its instances.
        others: names of its other categories by id.
        order: position in the file of each of the skeleton's keypoints; None if the order is the same.
        images: numbers of the images whose ids are text that spells no number.
    """

    person: int = PERSON
    others: Mapping[int, str] = field(default_factory=dict)
    order: tuple[int, ...] | None = None
    images: Mapping[str, int] = field(default_factory=dict)

    def as_json(self) -> list[Any]:
        """The attributes as JSON holds them."""
        return [self.person, list(self.others.items()), self.order, dict(self.images)]

    @classmethod
    def from_json(cls, attributes: Sequence[Any]) -> Self:
        """The inverse of `as_json`."""
        person, others, order, images = attributes
        return cls(person, dict(others), order and tuple(order), images)

    def image_id(self, value: object) -> int | None:
        """The number of the image that an id in a file stands for; None for what is no id."""
        number = read_id(value)
        return self.images.get(value) if number is None and isinstance(value, str) else number

    def is_person(self, category: int | None) -> bool:
        """Whether an id stands for the person category: the file's, or 1 if the file gives it to no other category."""
        return category == self.person or (category == PERSON and PERSON not in self.others)

    def from_file(self, keypoints: list[Any]) -> list[Any]:
        """Keypoint values of an instance (3 per keypoint) in the skeleton's order."""
        return keypoints if self.order is None else _ordered(keypoints, self.order)

    def to_file(self, results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Results as predictions that go with the file: with its ids, category and order of keypoints."""
        images = {number: text for text, number in self.images.items()}
        order = self.order and [self.order.index(position) for position in range(len(self.order))]
        return [
            result
            | {"category_id": self.person, "image_id": images.get(result["image_id"], result["image_id"])}
            | ({"keypoints": _ordered(result["keypoints"], order)} if order else {})
            for result in results
        ]


def _ordered(keypoints: list[Any], order: Sequence[int]) -> list[Any]:
    return [value for position in order for value in keypoints[3 * position : 3 * position + 3]]


def person_category(categories: Sequence[Any], source: Path) -> tuple[Conventions, tuple[str, ...]]:
    """The category of the instances, and the names of its keypoints, none if it does not tell.

    It is the one named person; else the only one with keypoints; else the only one.

    Raises:
        DataError: more than one category could be it, or none.
    """
    by_id = {read_id(entry.get("id")): entry for entry in reversed(categories) if isinstance(entry, dict)}
    known = [entry for id_, entry in reversed(by_id.items()) if id_ is not None]
    named = [entry for entry in known if same_name(str(entry.get("name"))) == "person"]
    posed = [entry for entry in known if entry.get("keypoints")]
    choices = ([entry for entry in named if entry.get("keypoints")], named, posed, known)
    person = next((choice[0] for choice in choices if len(choice) == 1), None)
    if person is None:
        found = ", ".join(f"{entry['id']} {entry.get('name')!r:.40}" for entry in known[:10]) or "none"
        raise DataError(f"{source}: its categories must include one named person, found {found}")
    names = person.get("keypoints") or []
    if isinstance(names, list) and all(read_id(name) is not None for name in names):
        names = []  # some tools write positions instead of names
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataError(f"{source}: the category's keypoints are not a list of names")
    others = {_id(entry): str(entry.get("name")) for entry in known if entry is not person}
    return Conventions(_id(person), others), tuple(names)


def _id(category: Mapping[str, Any]) -> int:
    found = read_id(category["id"])
    assert found is not None, "only categories with an id are considered"
    return found


def counted_categories(counts: Mapping[Any, int], conventions: Conventions) -> str:
    """How often each category occurs, for messages: `3 'car' (12), 7 (1)`."""
    listed = (
        f"{category!r:.40}{f' {name!r:.40}' if (name := conventions.others.get(category)) else ''} ({count:,})"
        for category, count in list(counts.items())[:10]
    )
    return ", ".join(listed)
