"""Build networks and give them their first weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Unpack

import torch
from torch import Tensor, nn

from bench.pose.errors import CheckpointError, UnknownNameError
from bench.pose.models.backbone import BACKBONES, network_shape
from bench.pose.models.batch_norm import NormLayer, ReplicaBatchNorm2d
from bench.pose.models.heads import MapModel, PoseModel
from bench.pose.models.network import INITIALIZATIONS, NetworkForm

__all__ = ["build_model", "initialize", "load_trunk"]

_REFERENCE_STD = 0.001

_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)
_WITH_DEFAULT = (*_CONVOLUTIONS, nn.BatchNorm2d, nn.LayerNorm, nn.Linear)


def build_model(
    backbone: str, representation: str, *, replicas: int = 1, world_size: int = 1, **form: Unpack[NetworkForm]
) -> PoseModel:
    """A network with torch's default weights; call `initialize` or `load_trunk` before training it.

    Args:
        backbone: one of `BACKBONES`.
        representation: one of `REPRESENTATIONS`.
        replicas: number of devices whose separate batch statistics training reproduces (behaviour T4).
        world_size: number of processes that train it together; makes no difference to evaluation.
        **form: number of keypoints, input size and more, see `network_shape`.

    Raises:
        UnknownNameError: no such backbone or representation.
        ValueError: a size, the split ratio or the number of replicas is out of range, or the backbone has no such
            representation, input size or setting.
    """
    shape = network_shape(backbone, representation, **form)
    if replicas < 1:
        raise ValueError(f"replicas must be at least 1, got {replicas}")
    plain = replicas == world_size == 1
    norm_layer: NormLayer = nn.BatchNorm2d if plain else partial(ReplicaBatchNorm2d, replicas=replicas)
    return BACKBONES[backbone].build(shape, norm_layer)


def initialize(model: PoseModel, *, scheme: str) -> None:
    """Draw every weight anew, in place, for training from scratch.

    All randomness comes from torch's global generator: seed it first for a reproducible start. Whatever the
    weights were before has no influence. Normalization starts as the identity in both schemes, and the linear heads
    with torch's default; all linear layers and the tokens of TokenPose start from N(0, 0.02), see its
    `draw_own_weights`.

    - "reference": every convolution from N(0, 0.001), as the reference does without ImageNet weights
      (behaviour, "Initialization"); Simple Baselines keep torch's random bias of the final convolution.
    - "kaiming": convolutions before the final one from He's normal distribution over the fan-out, as
      torchvision starts its classifiers; the final one from N(0, 0.001) with bias 0. Learns in few epochs.

    Raises:
        UnknownNameError: no such scheme.
    """
    if scheme not in INITIALIZATIONS:
        raise UnknownNameError("initialization scheme", scheme, INITIALIZATIONS)
    _draw_default(model)
    if scheme == "reference":
        _draw_normal(model, zero_bias=not model.default_final_bias)
    else:
        _draw_kaiming(model)
        if isinstance(model, MapModel) and model.final_layer is not None:
            _draw_normal(model.final_layer)


def load_trunk(model: PoseModel, state_dict: Mapping[str, Tensor]) -> None:
    """Copy the weights of an ImageNet classifier into the trunk and draw the rest anew, in place.

    Entries outside the trunk (the classifier, and branches that a pose network does not compute) are ignored,
    and counters of batch normalization may be missing, as in classifiers saved by early torch. Outside the
    trunk, convolutions are drawn from N(0, 0.001) with bias 0, batch normalization is the identity and linear
    heads have torch's default (behaviour, "Initialization"), all from torch's global generator.

    Raises:
        CheckpointError: entries are missing or have another shape, or the backbone never starts from a classifier;
            nothing is changed then.
    """
    if not model.trunk:
        schemes = " or ".join(INITIALIZATIONS)
        raise CheckpointError(f"there are no ImageNet weights for this backbone; set `initialization` to {schemes}")
    weights = _trunk_weights(model, model.adapt_classifier(state_dict))
    for name, child in model.named_children():
        if name not in model.trunk:
            _draw_default(child)
            _draw_normal(child)
    model.draw_own_weights()
    model.load_state_dict(weights, strict=False)


def _draw_default(module: nn.Module) -> None:
    """Draw normalization, linear layers and a network's own weights, which start alike in every scheme."""
    for layer in module.modules():
        if isinstance(layer, _WITH_DEFAULT):
            layer.reset_parameters()
    for network in module.modules():
        if isinstance(network, PoseModel):
            network.draw_own_weights()


def _draw_normal(module: nn.Module, *, zero_bias: bool = True) -> None:
    for layer in module.modules():
        if isinstance(layer, _CONVOLUTIONS):
            nn.init.normal_(layer.weight, std=_REFERENCE_STD)
            if layer.bias is not None and zero_bias:
                nn.init.zeros_(layer.bias)


@torch.no_grad()
def _draw_kaiming(module: nn.Module) -> None:
    for layer in module.modules():
        if isinstance(layer, _CONVOLUTIONS):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if layer.groups > 1:  # torch counts the outputs of all groups, of which each weight feeds one
                layer.weight *= layer.groups**0.5


def _trunk_weights(model: PoseModel, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries of `state_dict` that belong in the trunk. Raises `CheckpointError` unless all fit."""
    own = model.state_dict()
    expected = {key: value.shape for key, value in own.items() if key.split(".")[0] in model.trunk}
    weights = {key: state_dict[key] for key in expected if key in state_dict}
    missing = [key for key in expected if key not in weights and not key.endswith(".num_batches_tracked")]
    if missing:
        raise CheckpointError(f"the weights lack entries of the backbone: {_enumerate(missing)}")
    wrong = [
        f"{key} {list(weight.shape)} instead of {list(expected[key])}"
        for key, weight in weights.items()
        if weight.shape != expected[key]
    ]
    if wrong:
        raise CheckpointError(f"the weights have other shapes than the backbone: {_enumerate(wrong)}")
    return weights


def _enumerate(items: Sequence[str], limit: int = 5) -> str:
    shown = ", ".join(items[:limit])
    return shown if len(items) <= limit else f"{shown} and {len(items) - limit} more"
