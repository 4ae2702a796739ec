"""Files of predictions in the COCO results format, as many tools write them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from typing import Any

from bench.pose.data.conventions import PERSON, Conventions, counted_categories
from bench.pose.data.reading import is_id, read_id
from bench.pose.errors import DataError
from bench.pose.metrics.coco import check_result

__all__ = ["listed_entries", "read_results"]


def listed_entries(contents: Any) -> list[Any]:
    """The entries of a parsed file: a list, or one under "annotations". Raises `DataError` for anything else."""
    if isinstance(contents, dict) and isinstance(contents.get("annotations"), list):
        contents = contents["annotations"]
    if not isinstance(contents, list):
        raise DataError(f"expected a list of instances in the COCO results format, found {type(contents).__name__}")
    return contents


def read_results(
    entries: Sequence[Any], image_ids: Container[object], keypoints: int, conventions: Conventions
) -> tuple[list[dict[str, Any]], list[str]]:
    """Predicted instances of a file as `run_coco` takes them, and messages about those of other categories.

    Entries that are taken as they stand are checked when they are scored, which takes as long again.

    Args:
        entries: of the file.
        image_ids: ids of the annotation file's images.
        keypoints: number of keypoints per instance.
        conventions: of the annotation file.

    Raises:
        DataError: a prediction is unusable, or all are of other categories.
    """
    if conventions.order is None and conventions.is_person(PERSON) and all(map(_has_our_ids, entries)):
        return list(entries), []
    results, others = [], Counter[int]()
    for number, entry in enumerate(_with_ids(entry, conventions) for entry in entries):
        category = entry.get("category_id") if isinstance(entry, dict) else None
        if is_id(category) and not conventions.is_person(category):
            others[category] += 1
            continue
        check_result(number, entry, image_ids, keypoints)
        entry |= {"category_id": PERSON, "keypoints": conventions.from_file(entry["keypoints"])}
        results.append(entry)
    if not others:
        return results, []
    found = f"{counted_categories(others, conventions)}; person is {conventions.person}"
    if not results:
        raise DataError(f"no prediction is of the category person; found categories {found}")
    return results, [f"{others.total():,} predictions of other categories are left out: {found}"]


def _has_our_ids(entry: Any) -> bool:
    """Whether the ids of an entry are those of bench."""
    if not isinstance(entry, dict) or type(entry.get("image_id")) is not int:
        return False
    category = entry.get("category_id")
    return type(category) is int and category == PERSON


def _with_ids(entry: Any, conventions: Conventions) -> Any:
    """The entry with whole numbers for ids that stand for one; ids that do not are left for the check."""
    if not isinstance(entry, dict):
        return entry
    ids = {
        "image_id": conventions.image_id(entry.get("image_id")),
        "category_id": read_id(entry.get("category_id")),
    }
    return entry | {name: value for name, value in ids.items() if value is not None}
