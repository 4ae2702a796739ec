"""Any of timm's models that has feature maps, with Simple Baselines' upsampling or none."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from bench.pose.data.crops import IMAGENET_MEAN, IMAGENET_STD
from bench.pose.models.batch_norm import NormLayer
from bench.pose.models.heads import MapModel
from bench.pose.models.network import NetworkShape
from bench.pose.models.timm_names import PREFIX, timm
from bench.pose.models.timm_trunk import adapt_classifier, leave_nothing_to_chance, make_trunk, replace_norms
from bench.pose.models.upsampling import CHANNELS, doublings, upsampling_layers

__all__ = ["TimmNetwork"]


class TimmNetwork(MapModel):
    """The last feature maps of one of timm's models, and transposed convolutions from there up to stride 4.

    Images get the mean and deviation that the model's published weights were trained with, where they are not those of
    ImageNet. Nothing is dropped at random, so that a training depends on its seed and steps alone. See `make_trunk`.

    Args:
        shape: of the network; of its settings `output_stride` and `feature_stride` choose maps of timm's, see
            `make_trunk`, and `upsampling_channels` is the width of the transposed convolutions.
        norm_layer: makes each batch normalization.
        model: name in timm, with or without the tag of its weights.

    Raises:
        BenchError: timm is not installed, or has no such model.
        ValueError: it has no feature maps, not of this size or output stride, or none that can be used.
    """

    trunk: ClassVar[tuple[str, ...]] = ("body",)

    def __init__(self, shape: NetworkShape, norm_layer: NormLayer, *, model: str) -> None:
        settings: Mapping[str, Any] = shape.settings
        make_body = partial(
            make_trunk,
            model,
            shape.input_size,
            output_stride=settings.get("output_stride"),
            feature_stride=settings.get("feature_stride"),
        )
        body = make_body()
        channels, stride = body.feature_info.channels()[-1], body.feature_info.reduction()[-1]
        try:
            replace_norms(body, norm_layer)
            deconvolutions = doublings(stride, settings.get("upsampling_channels", CHANNELS)) if shape.upsample else []
        except ValueError as error:
            raise ValueError(f"{PREFIX}{model}: {error}") from None
        leave_nothing_to_chance(body)
        super().__init__(
            shape, channels=deconvolutions[-1] if deconvolutions else channels, stride=stride >> len(deconvolutions)
        )
        self.model, self.input_size, self._make_body = model, shape.input_size, make_body
        self.cells = tuple(side // stride for side in shape.input_size)
        self.body = body
        self.deconv_layers = upsampling_layers(channels, deconvolutions, norm_layer)
        self.scale: Any
        self.shift: Any
        for name, value in zip(("scale", "shift"), _renormalization(model), strict=True):
            self.register_buffer(name, value, persistent=False)

    def feature_maps(self, images: Tensor) -> Tensor:
        """Feature maps [B, channels, H/stride, W/stride] of normalized images [B, 3, H, W].

        Raises:
            ValueError: timm's model has another stride than it says.
        """
        maps: Tensor = self.body(images if self.scale is None else images * self.scale + self.shift)[-1]
        if str(getattr(self.body, "output_fmt", "")).endswith("NHWC"):
            maps = maps.permute(0, 3, 1, 2).contiguous()
        cells = tuple(int(side) for side in maps.shape[2:])
        if cells != self.cells:
            found, expected = ("x".join(map(str, size)) for size in (cells, self.cells))
            raise ValueError(f"{PREFIX}{self.model} has maps of {found} cells where {expected} were expected")
        enlarged: Tensor = self.deconv_layers(maps)
        return enlarged

    @torch.no_grad()
    def draw_own_weights(self) -> None:
        """Draw what no scheme draws as timm does: positions, tokens, linear layers, scales of layers."""
        super().draw_own_weights()
        if not hasattr(self, "body"):  # the head is drawn while there is nothing else yet
            return
        own = self.body.state_dict()
        drawn = self._make_body().state_dict()
        self.body.load_state_dict({name: drawn[name] for name in own})
        for layer in self.body.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.reset_parameters()

    def adapt_classifier(self, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights of timm's classifier, or of this network's own trunk, under this network's names.

        Raises:
            CheckpointError: timm cannot convert them.
        """
        if f"body.{next(iter(self.body.state_dict()))}" in state_dict:
            return dict(state_dict)
        found = adapt_classifier(self.model, self.input_size, self.body, state_dict)
        return {f"body.{name}": value for name, value in found.items()}


def _renormalization(model: str) -> tuple[Tensor, Tensor] | tuple[None, None]:
    """Factor and addend [3, 1, 1] from ImageNet's mean and deviation to those of a model, if they are others."""
    config = timm().get_pretrained_cfg(model)
    if config is None or (tuple(config.mean), tuple(config.std)) == (IMAGENET_MEAN, IMAGENET_STD):
        return None, None
    mean, std, own_mean, own_std = map(torch.tensor, (IMAGENET_MEAN, IMAGENET_STD, config.mean, config.std))
    return (std / own_std)[:, None, None], ((mean - own_mean) / own_std)[:, None, None]
