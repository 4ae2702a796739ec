"""From a network's outputs to keypoints in images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from bench.pose.codecs.base import Codec
from bench.pose.geometry import SCALE_UNIT, PixelAlignment, Size

__all__ = ["crop_to_image", "locate", "unbiased_crop_to_image"]


def locate(
    codec: Codec[Any, Any],
    views: Sequence[Any],
    centers: Tensor,
    scales: Tensor,
    size: Size,
    *,
    alignment: PixelAlignment = "corner",
) -> Tensor:
    """Decode keypoints, (instances, keypoints, 3) float32: x and y in image px, confidence, where the centers lie.

    Args:
        codec: merges the views and decodes.
        views: network outputs for the crops and, with flip testing, for the flipped crops.
        centers: (instances, 2) centers of the unrotated crops in image px.
        scales: (instances, 2) units of 200 px.
        size: height and width of the crops in px.
        alignment: where the crops' centers landed.
    """
    decoded = codec.decode(codec.merge(*views))
    coordinates, confidence = (values.to(centers.device) for values in (decoded.coordinates, decoded.confidence))
    back = unbiased_crop_to_image if alignment == "unbiased" else crop_to_image
    points = back(coordinates, centers, scales, size)
    return torch.cat([points.float(), confidence.float().unsqueeze(-1)], dim=-1)


def crop_to_image(points: Tensor, centers: Tensor, scales: Tensor, size: Size) -> Tensor:
    """Map crop px of unrotated crops back to image px in float64, for a whole batch on its device (behaviour E8).

    Equal to `affine_matrix(..., 0, size, inverse=True)` per instance, float32 rounding of its three points included.

    Args:
        points: (instances, keypoints, 2) crop px.
        centers: (instances, 2) image px.
        scales: (instances, 2) units of 200 px.
        size: crop height and width in px.
    """
    height, width = size
    x, y = centers.float().unsqueeze(-1).unbind(1)
    half_width = scales[:, :1] * SCALE_UNIT / 2
    rise = y - (y - half_width).float()
    run = x - (x - rise).float()
    found_x, found_y = (
        origin.double() + (points[..., axis].double() - side / 2) * (step.double() / (width / 2))
        for axis, (origin, step, side) in enumerate(((x, run, width), (y, rise, height)))
    )
    return torch.stack([found_x, found_y], dim=-1)


def unbiased_crop_to_image(points: Tensor, centers: Tensor, scales: Tensor, size: Size) -> Tensor:
    """The inverse of `unbiased_matrix` for upright crops; arguments as in `crop_to_image`."""
    last = torch.tensor([size[1] - 1, size[0] - 1], dtype=torch.float64, device=centers.device)
    step = (scales.double() * SCALE_UNIT / last).unsqueeze(1)
    return (points.double() - last / 2) * step + centers.double().unsqueeze(1)
