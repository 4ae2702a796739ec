"""Names of the sources of pixels. Imports no torch."""

from __future__ import annotations

from typing import Literal

__all__ = ["PixelSource"]

PixelSource = Literal["auto", "decoded", "packed", "gpu_cache"]
"""The fastest available source; image files; packed images; packed images on the device."""
