"""The representation `integral`, known by name here and made in `pose_extras.integral`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.extend import codec
from bench.pose.codecs.representations import CodecSettings

if TYPE_CHECKING:
    from pose_extras.integral import IntegralCodec


@codec("integral", output="coordinates", title="integral")
def integral(settings: CodecSettings, flip_indices: tuple[int, ...]) -> IntegralCodec:
    """The mean of SimDR's distributions rather than their peak, trained by its distance from the keypoint."""
    from pose_extras.integral import IntegralCodec

    return IntegralCodec(settings.input_size, flip_indices, split_ratio=settings.needed("split_ratio"))
