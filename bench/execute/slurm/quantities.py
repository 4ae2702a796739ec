"""Times, amounts of memory and generic resources as SLURM writes them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

_TIME = re.compile(
    r"(?:(?P<days>[0-9]{1,4})-(?=[0-9]{2}:))?(?P<hours>[0-9]{1,5}):(?P<minutes>[0-5][0-9]):(?P<seconds>[0-5][0-9])"
)
_GRES = re.compile(
    r"(?P<name>[A-Za-z][\w.-]*)(?P<type>:[A-Za-z][\w.-]*|:[0-9]+[A-Za-z][\w.-]*)?(?::(?P<count>[1-9][0-9]{0,3}))?",
    re.ASCII,
)


def parse_time(text: str | int) -> int:
    """Minutes of a time limit, seconds rounded up as SLURM does.

    Args:
        text: minutes, "HH:MM:SS" or "D-HH:MM:SS".

    Raises:
        ValueError: it has another form, or is zero.
    """
    plain = re.fullmatch(r"[0-9]{1,8}", str(text), re.ASCII)
    match = _TIME.fullmatch(str(text))
    if plain:
        minutes = int(plain[0])
    elif match and not (match["days"] and int(match["hours"]) > 23):
        days, hours, whole, seconds = (int(match[name] or 0) for name in ("days", "hours", "minutes", "seconds"))
        minutes = (days * 24 + hours) * 60 + whole + math.ceil(seconds / 60)
    else:
        raise ValueError(f"{text!r:.80} is not a time limit; write minutes, HH:MM:SS or D-HH:MM:SS")
    if minutes == 0:
        raise ValueError(f"a time limit of {text!r:.80} leaves no time")
    return minutes


def check_memory(text: str) -> None:
    """Raise `ValueError` unless a text is an amount of memory such as "32GB" or "500M"."""
    if not re.fullmatch(r"[1-9][0-9]{0,17}[KMGT]B?", text, re.ASCII):
        raise ValueError(
            f"{text!r:.80} is not an amount of memory; write a whole number and a unit, for example 32GB or 500MB"
        )


def count_gpus(gres: str) -> int:
    """GPUs that a list of generic resources such as "gpu:a100:2,license:1" names.

    Raises:
        ValueError: it is not such a list, or it names GPUs of several types, which no training uses.
    """
    counts = [int(match["count"] or 1) for match in _entries(gres) if match["name"] == "gpu"]
    if len(counts) > 1:
        raise ValueError(f"{gres!r:.80} names GPUs more than once; keep one type")
    return sum(counts)


def scale_gpus(gres: str, scale: Callable[[int], int]) -> str:
    """The same generic resources with another number of GPUs."""

    def scaled(match: re.Match[str]) -> str:
        if match["name"] != "gpu":
            return match[0]
        return f"gpu{match['type'] or ''}:{scale(int(match['count'] or 1))}"

    return ",".join(map(scaled, _entries(gres)))


def _entries(gres: str) -> list[re.Match[str]]:
    matches = [_GRES.fullmatch(entry) for entry in gres.split(",")]
    if not all(matches):
        raise ValueError(
            f"{gres!r:.80} is not a list of generic resources; write NAME[:TYPE][:COUNT], separated by commas,"
            " for example gpu:a100:2"
        )
    return [match for match in matches if match]
