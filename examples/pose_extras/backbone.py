"""The backbone `mobile_tiny`, known by name here and made in `pose_extras.network`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.extend import backbone

if TYPE_CHECKING:
    from bench.pose.models.batch_norm import NormLayer
    from bench.pose.models.heads import PoseModel
    from bench.pose.models.spec import ModelSpec


@backbone("mobile_tiny", title="MobileNetV3-tiny")
def mobile_tiny(spec: ModelSpec, norm_layer: NormLayer) -> PoseModel:
    """Inverted residuals to stride 16, then two doublings of the resolution."""
    from pose_extras.network import MobileTiny  # only now is torch needed: planning and reporting do without

    return MobileTiny(spec, norm_layer)
