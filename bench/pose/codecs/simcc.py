"""SimCC as its paper (Li et al., ECCV 2022), mmpose and RTMPose have it: smoothed labels over the bins of each axis."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from bench.pose.codecs.base import Keypoints, peak, vector_like
from bench.pose.codecs.coordinate import CoordinateCodec, CoordinateRefinement, blur_bins, mean, softmax
from bench.pose.codecs.dark import reference_vector_offset
from bench.pose.codecs.representation import FlipShift, codec
from bench.pose.codecs.taylor import vector_offset
from bench.pose.geometry import Size
from bench.pose.outputs import Coordinates

__all__ = ["SimCCCodec", "SimCCTarget"]


class SimCCTarget(NamedTuple):
    """Labels (instances, keypoints, bins) of x and y, and keypoint weights (instances, keypoints)."""

    x: Tensor
    y: Tensor
    weight: Tensor


@codec(
    "simcc",
    title="SimCC",
    output="coordinates",
    settings={
        "shape": ("gaussian", "laplace", "one_hot"),
        "sigma": "positive",
        "scale_sigma": "flag",
        "label_smoothing": "fraction",
        "normalize": ("sum", "density", "none"),
        "bin_center": ("exact", "rounded"),
        "weight_bounds": ("exact", "reference"),
        "beta": "positive",
        "label_softmax": "flag",
        "label_beta": "positive",
    },
    decoding={
        "confidence": ("probability", "logit"),
        "post_process": ("none", "dark"),
        "border": ("exact", "reference"),
    },
)
class SimCCCodec(CoordinateCodec[SimCCTarget]):
    """SimCC. See `CoordinateCodec` for the arguments not listed here.

    mmpose adds its loss over the instances of a batch, so that it is theirs times ours.

    Args:
        shape: of the labels: "gaussian", "laplace", or "one_hot", of which `label_smoothing` is spread over other bins.
        sigma: standard deviation, or scale of "laplace", in bins.
        scale_sigma: whether sigma along y is sqrt(height / width) times as large, as in RTMPose.
        label_smoothing: probability mass that "one_hot" spreads over the other bins.
        normalize: "sum" makes a label a distribution, at the border too; "density" divides by the area of the whole
            curve, as mmpose; "none" gives a peak of 1.
        bin_center: "exact" puts the peak on the keypoint, "rounded" on its nearest bin, as mmpose.
        weight_bounds: "exact" drops keypoints whose nearest bin is outside; "reference" keeps those whose curve of 3
            sigma reaches a bin, which is 9 px outside for 6 bins at 2 bins per px.
        beta: factor of the logits before the softmax.
        label_softmax: whether labels are the softmax of `label_beta` times the curve, as in RTMPose.
        label_beta: that factor.
        confidence: "probability" of the likelier bin of the less certain axis; "logit" the same of raw logits, as
            mmpose, which puts keypoints without a positive one at bin -1.
        border: of "dark": "exact" refines the probabilities, rightly up to the border; "reference" the raw logits, as
            mmpose, which is wild within twice sigma of the border and NaN for zeros.
    """

    def __init__(
        self,
        input_size: Size,
        flip_indices: tuple[int, ...],
        *,
        split_ratio: float = 2.0,
        shape: Literal["gaussian", "laplace", "one_hot"] = "gaussian",
        sigma: float = 6.0,
        scale_sigma: bool = False,
        label_smoothing: float = 0.1,
        normalize: Literal["sum", "density", "none"] = "sum",
        bin_center: Literal["exact", "rounded"] = "exact",
        weight_bounds: Literal["exact", "reference"] = "exact",
        beta: float = 1.0,
        label_softmax: bool = False,
        label_beta: float = 10.0,
        confidence: Literal["probability", "logit"] = "probability",
        post_process: CoordinateRefinement = "none",
        border: Literal["exact", "reference"] = "exact",
        flip_shift: FlipShift = "exact",
    ) -> None:
        super().__init__(
            input_size, flip_indices, split_ratio=split_ratio, flip_shift=flip_shift, post_process=post_process
        )
        self.shape, self.label_smoothing, self.normalize = shape, label_smoothing, normalize
        self.sigmas = (sigma, sigma * math.sqrt(input_size[0] / input_size[1]) if scale_sigma else sigma)
        self.blur = (blur_bins(self.sigmas[0]), blur_bins(self.sigmas[1]))
        self.bin_center, self.weight_bounds = bin_center, weight_bounds
        self.beta, self.label_softmax, self.label_beta = beta, label_softmax, label_beta
        self.confidence, self.border = confidence, border

    def encode(self, keypoints: Tensor, visible: Tensor) -> SimCCTarget:
        """A label per axis around the keypoint or its nearest bin, ties to even; none for a keypoint without weight."""
        nearest = torch.round(keypoints * self.split_ratio)
        weight = (visible & self._within_reach(nearest)).float()
        center = nearest if self.bin_center == "rounded" or self.shape == "one_hot" else keypoints * self.split_ratio
        x, y = (
            self._label(place, bins, sigma).float() * weight.unsqueeze(-1)
            for place, bins, sigma in zip(center.unbind(-1), self.bins, self.sigmas, strict=True)
        )
        return SimCCTarget(x, y, weight)

    def _within_reach(self, nearest: Tensor) -> Tensor:
        """Whether each keypoint keeps its weight (instances, keypoints), by its nearest bins."""
        bins = vector_like(nearest, self.bins)
        if self.weight_bounds == "exact" or self.shape == "one_hot":
            return ((nearest >= 0) & (nearest < bins)).all(dim=-1)
        reach = 3 * vector_like(nearest, self.sigmas)
        return ((nearest - reach < bins) & (nearest + reach + 1 >= 0)).all(dim=-1)

    def _label(self, center: Tensor, bins: int, sigma: float) -> Tensor:
        """Labels (instances, keypoints, bins) around centers (instances, keypoints) in bins."""
        distance = (torch.arange(bins, device=center.device) - center.unsqueeze(-1)).abs()
        if self.shape == "one_hot":
            return torch.where(distance == 0, 1 - self.label_smoothing, self.label_smoothing / (bins - 1))
        gaussian = self.shape == "gaussian"
        curve = torch.exp(-(distance**2) / (2 * sigma**2) if gaussian else -distance / sigma)
        if self.normalize == "none":
            return curve
        if self.normalize == "sum":
            return curve / curve.sum(dim=-1, keepdim=True).clamp(min=torch.finfo(curve.dtype).tiny)  # 0 far outside
        return curve / (sigma * (math.sqrt(2 * math.pi) if gaussian else 2))

    def ideal_output(self, target: SimCCTarget) -> Coordinates:
        """Logits that give the labels and are not negative."""
        logits = [
            self.label_beta * label if self.label_softmax else label.clamp(min=torch.finfo(label.dtype).tiny).log()
            for label in (target.x, target.y)
        ]
        return Coordinates(*((one - one.amin(dim=-1, keepdim=True)) / self.beta for one in logits))

    def loss(self, output: Coordinates, target: SimCCTarget) -> Tensor:
        """Kullback-Leibler divergence, averaged over bins, keypoints and instances, both axes added."""
        total = output.x.new_zeros(())
        for logits, label in ((output.x, target.x), (output.y, target.y)):
            wanted = (self.label_beta * label).softmax(dim=-1) if self.label_softmax else label
            log_p = (self.beta * logits).log_softmax(dim=-1)
            divergence = torch.nn.functional.kl_div(log_p, wanted, reduction="none")
            total = total + (divergence * target.weight.unsqueeze(-1)).mean()
        return total

    def merge(self, output: Coordinates, flipped: Coordinates | None = None) -> Coordinates:
        """Logits (instances, keypoints, bins) of both axes, averaged over the two views."""
        return output if flipped is None else mean(output, self.unflip(flipped))

    def decode(self, merged: Coordinates) -> Keypoints:
        """The likeliest bin of each axis in crop px, and the smaller of the two peaks as confidence."""
        probabilities = softmax(Coordinates(self.beta * merged.x, self.beta * merged.y))
        read = merged if self.confidence == "logit" else probabilities
        (peak_x, x), (peak_y, y) = peak(read.x), peak(read.y)
        confidence = torch.minimum(peak_x, peak_y)
        bins = (
            (x, y) if self.confidence == "probability" else (x.where(confidence > 0, -1), y.where(confidence > 0, -1))
        )
        return Keypoints(self.located(bins, merged if self.border == "reference" else probabilities), confidence)

    def offset(self, vectors: Tensor, bins: Tensor, blur: int) -> Tensor:
        """Offset of the refined peak from the highest bin, in bins (instances, keypoints)."""
        refine = reference_vector_offset if self.border == "reference" else vector_offset
        return refine(vectors, bins, blur)
