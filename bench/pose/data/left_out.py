"""What is left out of a split, in a few lines: problems of one kind are counted, and so are images that fail."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bench.pose.data.instances import Instance, Instances

__all__ = ["ImageCount", "count_images", "never_labelled", "problem_summary", "summarize"]

MAX_LISTED = 5

MOST_ALIKE = 3
"""Problems of one kind that are listed one by one."""

VARYING = re.compile(r"'[^']*'|\"[^\"]*\"|[\[{].*|[\d.,-]*\d")
"""What tells problems of one kind apart: quoted texts, found values, and numbers."""


def summarize(problems: Iterable[str]) -> list[str]:
    """The problems, each once; where many are of one kind, the first with the number of the others."""
    kinds: dict[str, list[str]] = {}
    for problem in dict.fromkeys(problems):
        kinds.setdefault(VARYING.sub("#", problem), []).append(problem)
    return [line for alike in kinds.values() for line in _lines(alike)]


def _lines(alike: list[str]) -> list[str]:
    first, *others = alike
    return alike if len(alike) <= MOST_ALIKE else [f"{first} (and {len(others):,} more of this kind)"]


def problem_summary(problems: Sequence[str]) -> str:
    """A clause with the number of problems and the first few, or nothing if there are none."""
    if not problems:
        return ""
    return f"; problems ({len(problems):,}): {'; '.join(summarize(problems)[:MAX_LISTED])}"


class ImageCount(NamedTuple):
    """Images of some instances.

    Attributes:
        images: number of images.
        left_out: number of those that cannot be read.
        problems: a line for each kind of reason, with the numbers of images and instances that it costs.
    """

    images: int
    left_out: int
    problems: list[str]


def count_images(instances: Sequence[Instance], unread: Mapping[int, str], split: str) -> ImageCount:
    """Count the images of a split's instances; `unread` says what is wrong with those of some, by position."""
    total = len(_columns_of(instances).images)
    kinds: dict[str, list[int]] = {}
    for position, reason in unread.items():
        kind = VARYING.sub("#", reason.replace(str(instances[position].image), ""))
        kinds.setdefault(kind, []).append(position)
    problems = []
    for positions in kinds.values():
        images = len({instances[position].image for position in positions})
        counts = f"{images:,} of {total:,} images of {split} left out, with {len(positions):,} of {len(instances):,}"
        problems.append(f"{counts} instances{', such as' if images > 1 else ''}: {unread[positions[0]]}")
    return ImageCount(total, len({instances[position].image for position in unread}), problems)


def never_labelled(instances: Sequence[Instance], keypoints: Sequence[str]) -> list[str]:
    """Names of the keypoints that no instance has labelled."""
    labelled = _columns_of(instances).column("visible").sum(axis=0)
    return [name for name, count in zip(keypoints, labelled, strict=True) if not count]


def _columns_of(instances: Sequence[Instance]) -> Instances:
    from bench.pose.data.instances import Instances  # imports NumPy, and the checks of an installation do without

    return Instances.of(instances)
