"""A codec from the name of its representation."""

from __future__ import annotations

from typing import Any

from bench.pose.codecs.base import Codec
from bench.pose.codecs.representations import REPRESENTATIONS, CodecSettings

__all__ = ["build_codec"]


def build_codec(settings: CodecSettings, flip_indices: tuple[int, ...]) -> Codec[Any, Any]:
    """The codec of a representation.

    Args:
        settings: of the representation; the fields that it needs must be set.
        mirror: keypoint permutation of a horizontal flip.

    Raises:
        UnknownNameError: there is no such representation.
        ValueError: a setting that the representation needs is missing.
    """
    return REPRESENTATIONS.named(settings.representation).build(settings, flip_indices)
