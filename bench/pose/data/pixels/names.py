"""Names of the sources of pixels. Imports no torch."""

from __future__ import annotations

from typing import Literal

__all__ = ["PixelSource"]

PixelSource = Literal["auto", "decoded", "packed", "held"]
"""The fastest available source; image files; packed images; packed images on the device."""
