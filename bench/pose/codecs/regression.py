"""Direct regression: the network outputs each keypoint's coordinates."""

from __future__ import annotations

from torch import Tensor

from bench.pose.codecs.base import Keypoints
from bench.pose.codecs.points import CoordinateLoss, PointCodec, PointTarget, mirrored, weighted_error
from bench.pose.codecs.representation import FlipShift, codec
from bench.pose.geometry import Size

__all__ = ["RegressionCodec"]


@codec("regression", title="regression", output="points", settings={"coordinate_loss": ("l1", "smooth_l1")})
class RegressionCodec(PointCodec):
    """Direct regression. See `PointCodec` for the arguments not listed here.

    Args:
        coordinate_loss: "l1", or "smooth_l1" as mmpose: half the square of errors below 1, as those of fractions are.
    """

    def __init__(
        self,
        input_size: Size,
        flip_indices: tuple[int, ...],
        *,
        coordinate_loss: CoordinateLoss = "l1",
        flip_shift: FlipShift = "exact",
    ) -> None:
        super().__init__(input_size, flip_indices, flip_shift=flip_shift)
        self.coordinate_loss = coordinate_loss

    def ideal_output(self, target: PointTarget) -> Tensor:
        """The fractions themselves."""
        return target.points

    def loss(self, output: Tensor, target: PointTarget) -> Tensor:
        """Mean error of the fractions (instances, keypoints, 2)."""
        return weighted_error(output, target, self.coordinate_loss)

    def merge(self, output: Tensor, flipped: Tensor | None = None) -> Tensor:
        """Fractions (instances, keypoints, 2), averaged over the two views."""
        return output if flipped is None else (output + mirrored(flipped, self.flip_indices, self.shift)) / 2

    def decode(self, merged: Tensor) -> Keypoints:
        """Coordinates in crop px; the confidence is always 1, since nothing is known about it."""
        height, width = self.input_size
        return Keypoints(merged * merged.new_tensor([width, height]), merged.new_ones(merged.shape[:2]))
