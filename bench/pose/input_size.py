"""The size of crops, which is the size of network inputs."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["CELL", "InputSize"]

CELL = 32
"""Side in pixels of the square that every backbone reduces to one position at its coarsest resolution."""


class InputSize(NamedTuple):
    """Height and width of a crop in pixels; prints as HxW, for example 256x192."""

    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.height}x{self.width}"

    @classmethod
    def parse(cls, text: str) -> InputSize:
        """The size written as HxW. Raises `ValueError` unless both sides are positive multiples of 32."""
        match = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text)
        size = cls(int(match[1]), int(match[2])) if match else cls(0, 0)
        if 0 in size or any(side % CELL for side in size):
            raise ValueError(
                f"input size {text!r:.80} is not HEIGHTxWIDTH with multiples of {CELL}, for example 64x64 or 256x192"
            )
        return size
