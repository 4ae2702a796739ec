"""What names and shapes of weights say of their network: trunk, output, keypoints, bins."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from bench.pose.input_size import CELL, InputSize
from bench.pose.outputs import Output

__all__ = ["NetworkFacts", "read_facts"]

RESNETS: Mapping[tuple[int, ...], str] = {
    (1, 1, 1): "ResNet-10 of three layers",
    (1, 1, 1, 1): "ResNet-10",
    (2, 2, 2, 2): "ResNet-18",
    (3, 4, 6, 3): "ResNet-34",
}
BOTTLENECK_RESNETS: Mapping[tuple[int, ...], str] = {
    (3, 4, 6, 3): "ResNet-50",
    (3, 4, 23, 3): "ResNet-101",
    (3, 8, 36, 3): "ResNet-152",
}
"""Names by the number of blocks of each layer."""

HRNET_WIDTH = "stage2.0.branches.0.0.conv1.weight"
USUAL_KEYPOINTS = (17, 16, 14)
STRIDE = 4
OUTPUTS: Mapping[Output, str] = {"maps": "heatmaps", "coordinates": "classified coordinates (SimDR, SimCC)"}
POINTS = {2: "regressed coordinates", 4: "regressed coordinates and deviations (RLE)"}
CLASSES = 1000


@dataclass(frozen=True)
class NetworkFacts:
    """A network by its weights.

    Attributes:
        trunk: in words, such as "ResNet-50".
        output: kind of its output; None for a classifier of images.
        rows: of the last layer: keypoints, or keypoints times maps or values.
        upsamples: whether it has transposed convolutions; None for networks that need none.
        bins: along x and y, of coordinates.
        inputs: numbers that the layers to coordinates read for a keypoint.
    """

    trunk: str
    output: Output | None
    rows: int
    upsamples: bool | None = None
    bins: tuple[int, int] | None = None
    inputs: int = 0

    def settings(self, keypoints: int, size: InputSize) -> dict[str, Any]:
        """Settings of a training that the weights decide, if they are of so many keypoints at this input size."""
        if self.bins is None:
            return {}
        ratio = self.bins[0] / size.width
        exact = tuple(int(side * ratio) for side in (size.width, size.height)) == self.bins
        found: dict[str, Any] = {"split_ratio": ratio} if exact and ratio else {}
        if self.upsamples is not None:
            found["upsample"] = self.upsamples
        if self.upsamples is False and self.rows and self.rows % keypoints == 0:
            found["maps_per_keypoint"] = self.rows // keypoints
        return found

    def describe(self, keypoints: int | None = None) -> str:
        """In words, for so many keypoints where that is known: other numbers may explain the same rows."""
        if self.output is None:
            return f"an ImageNet classifier, {self.trunk}"
        counts = (keypoints, *USUAL_KEYPOINTS) if keypoints else USUAL_KEYPOINTS
        if self.output == "points":
            fits = [(count, each) for each in POINTS for count in counts if count * each == self.rows]
            if not fits:
                return f"{self.trunk} with {self.rows} regressed values"
            return f"{self.trunk} with {POINTS[fits[0][1]]} of {fits[0][0]} keypoints"
        said = f"{self.trunk} with {OUTPUTS[self.output]}"
        many = self.output == "coordinates" and self.upsamples is False
        count = next((count for count in counts if self.rows % count == 0), self.rows) if many else self.rows
        said += f" of {count} keypoints"
        if many:
            said += f", {self.rows // count} maps each without upsampling"
        return said + self._bins()

    def _bins(self) -> str:
        if self.bins is None:
            return ""
        if size := self._size():
            return f", {self.bins[0] / size.width:g} bins per px at {size}"
        return f", {self.bins[0]} bins in x and {self.bins[1]} in y of {self.inputs} inputs"

    def _size(self) -> InputSize | None:
        """The input size, which follows from the bins and their inputs where each keypoint has one map."""
        if self.bins is None or self.upsamples is False:
            return None
        cells = self.inputs * STRIDE**2
        ratio = math.sqrt(self.bins[0] * self.bins[1] / cells) if cells else 0.0
        width, height = (round(count / ratio) if ratio else 0 for count in self.bins)
        whole = width * height == cells and width % CELL == height % CELL == 0
        return InputSize(height, width) if whole else None


def read_facts(state: Mapping[str, Tensor]) -> NetworkFacts | None:
    """Facts of a network by its entries, named as bench names them; None where its trunk or head is unknown."""
    trunk, resnet = _trunk(state)
    if trunk is None:
        return None
    upsamples = any(name.startswith("deconv_layers.") for name in state) if resnet else None
    if "final_layer.weight" in state:
        rows = _rows(state["final_layer.weight"])
        x, y = (state.get(f"mlp_head_{axis}.weight") for axis in "xy")
        if x is None or y is None or x.ndim != 2 or y.ndim != 2:
            return NetworkFacts(trunk, "maps", rows, upsamples)
        return NetworkFacts(trunk, "coordinates", rows, upsamples, (len(x), len(y)), x.shape[1])
    if "fc.weight" in state and state["fc.weight"].ndim == 2:
        rows = len(state["fc.weight"])
        return NetworkFacts(trunk, None if rows == CLASSES else "points", rows)
    return None


def _rows(weights: Tensor) -> int:
    return weights.shape[0] if weights.ndim else 0


def _trunk(state: Mapping[str, Tensor]) -> tuple[str | None, bool]:
    """The trunk in words, and whether it is a ResNet."""
    if HRNET_WIDTH in state:
        return f"HRNet-W{_rows(state[HRNET_WIDTH])}", False
    blocks = [
        {name.split(".")[1] for name in state if name.startswith(f"layer{layer}.") and name.count(".") > 1}
        for layer in (1, 2, 3, 4)
    ]
    counts = tuple(len(found) for found in blocks if found)
    known = BOTTLENECK_RESNETS if "layer1.0.conv3.weight" in state else RESNETS
    return known.get(counts), True
