"""Weights of mmpose by bench's names: which versions there are, and which of their networks bench has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

__all__ = ["ForeignWeights", "translate"]

TRUNK = "backbone."
HEADS = {"head.": "mmpose 1.x", "keypoint_head.": "mmpose 0.x"}
"""Beginnings of the names of a head by the version that gives them."""

WITHIN_HEADS = ("deconv_head.", "simplebaseline_head.")
"""Parts of heads of SimCC and of soft-argmax that have the layers of a heatmap head."""

LOSSES = ("loss_module.", "loss.")
"""Beginnings of the names of a head's loss, with the flow of RLE, in version 1.x and 0.x."""

NOT_TRAINED = ("linspace_x", "linspace_y")
PREPROCESSING = "data_preprocessor."

OTHERS = {
    "backbone.conv1.conv.weight": "a MobileNetV2 or ViPNAS trunk",
    "backbone.stem.0.conv.weight": "a CSPNeXt trunk (RTMPose)",
    "backbone.patch_embed.projection.weight": "a ViT trunk (ViTPose)",
    "backbone.patch_embed.proj.weight": "a ViT trunk (ViTPose)",
    "head.gau.w": "the head of RTMPose",
    "head.mlp.0.g": "the head of RTMPose",
    "head.pose_head.final_layer.weight": "a head that also predicts visibility",
    "neck.lateral_convs.0.conv.weight": "a feature pyramid",
    "bbox_head.fc_cls.weight": "a detector's head",
}
"""Entries that only networks have which bench does not, and what they belong to."""


@dataclass(frozen=True)
class ForeignWeights:
    """Weights by bench's names.

    Attributes:
        entries: of the network.
        source: whose names they had; empty where they had bench's own.
        loss: entries of the loss, such as the flow of RLE, by the names in their module; inference needs none.
        unknown: what the network has that no network of bench has; empty for nothing.
        soft_argmax: whether its maps were trained to be read by soft-argmax.
    """

    entries: Mapping[str, Tensor]
    source: str = ""
    loss: Mapping[str, Tensor] = field(default_factory=dict)
    unknown: str = ""
    soft_argmax: bool = False


def translate(state: Mapping[str, Tensor]) -> ForeignWeights:
    """A state dict by bench's names, whether it has mmpose's or these already; no entry changes its value."""
    head = next((start for start in HEADS if any(name.startswith(start) for name in state)), None)
    if head is None or not any(name.startswith(TRUNK) for name in state):
        return ForeignWeights(state)
    entries: dict[str, Tensor] = {}
    loss: dict[str, Tensor] = {}
    for name, value in state.items():
        short = _within_head(name.removeprefix(head)) if name.startswith(head) else name.removeprefix(TRUNK)
        start = next((start for start in LOSSES if name.startswith(head + start)), None)
        if start is not None:
            loss[name.removeprefix(head + start)] = value
        elif short not in NOT_TRAINED and not name.startswith(PREPROCESSING):
            entries[short] = value
    unknown = next((what for name, what in OTHERS.items() if name in state), "")
    return ForeignWeights(entries, HEADS[head], loss, unknown, any(head + name in state for name in NOT_TRAINED))


def _within_head(name: str) -> str:
    part = next((part for part in WITHIN_HEADS if name.startswith(part)), "")
    return name.removeprefix(part)
