"""timm's models as trunks of pose networks: how they are made, changed, and given a classifier's weights."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bench.pose.errors import CheckpointError
from bench.pose.input_size import InputSize
from bench.pose.models.batch_norm import NormLayer
from bench.pose.models.timm_names import PREFIX, check_name, timm

__all__ = ["adapt_classifier", "classifier_shapes", "leave_nothing_to_chance", "make_trunk", "replace_norms"]

_LONGEST = 200
"""Characters of timm's own messages."""


def make_trunk(
    model: str, input_size: InputSize, *, output_stride: int | None = None, feature_stride: int | None = None
) -> Any:
    """One of timm's models up to its last feature maps, with timm's first weights.

    Of HRNets the branch of the highest resolution is kept, of transformers the patches after the last normalization.

    Args:
        model: name in timm, with or without the tag of its weights.
        input_size: of the images.
        output_stride: input pixels per cell of the last maps, where the model has a choice; None for its own.
        feature_stride: input pixels per cell of the maps to read, the last such ones; what follows them is left out.
            None for the last maps of all.

    Raises:
        BenchError: timm is not installed, or has no such model.
        ValueError: it has no feature maps, not of this size, or not of this stride.
    """
    check_name(PREFIX + model)
    chosen: dict[str, Any] = {} if output_stride is None else {"output_stride": output_stride}
    place = {"feature_location": "", "out_indices": (1,)} if _is_hrnet(model) else {"out_indices": (-1,)}
    if feature_stride is not None:
        place = _maps_of(model, input_size, feature_stride)
    try:
        trunk = _make(model, input_size, features_only=True, **place, **chosen)
    except Exception as error:  # each family of models refuses in its own way
        wish = "feature maps" if output_stride is None else f"feature maps of output_stride {output_stride}"
        said = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise ValueError(f"{PREFIX}{model} has no {wish} of inputs of {input_size} ({said:.{_LONGEST}})") from error
    stride = trunk.feature_info.reduction()[-1]
    if output_stride not in {None, stride}:
        raise ValueError(f"{PREFIX}{model} has no choice of output_stride: its maps have stride {stride}")
    if any(side % stride for side in input_size):
        raise ValueError(f"{PREFIX}{model} has cells of {stride} px, which do not divide inputs of {input_size}")
    if _is_hrnet(model):
        _keep_highest_branch(trunk)
    return trunk


def _maps_of(model: str, input_size: InputSize, stride: int) -> dict[str, Any]:
    """Arguments for timm to end a model with its last maps of a stride.

    Raises:
        ValueError: it has none.
    """
    if _is_hrnet(model):
        raise ValueError(f"{PREFIX}{model} has no choice of feature_stride: its branch of stride 4 is read")
    with torch.device("meta"):  # spends no time on weights
        strides = timm().create_model(model, pretrained=False, features_only=True).feature_info.reduction()
    if stride not in strides:
        valid = ", ".join(map(str, dict.fromkeys(strides)))
        raise ValueError(f"{PREFIX}{model} has no maps of feature_stride {stride}; valid: {valid}")
    last = max(index for index, other in enumerate(strides) if other == stride)
    if last == len(strides) - 1:
        return {"out_indices": (-1,)}
    return {"out_indices": (last,), "feature_cls": "getter"}  # which leaves out the stages behind


def _make(model: str, input_size: InputSize, **arguments: Any) -> Any:
    package = timm()
    from timm.models._features import FeatureGetterNet

    config = package.get_pretrained_cfg(model)
    if config is not None and config.fixed_input_size:
        arguments["img_size"] = tuple(input_size)
    made = package.create_model(model, pretrained=False, **arguments)
    # A transformer; unless told, it leaves the last normalization out.
    if isinstance(made, FeatureGetterNet) and "feature_cls" not in arguments:
        normalized = partial(FeatureGetterNet, norm=True)
        made = package.create_model(model, pretrained=False, feature_cls=normalized, **arguments)
    return made


def _is_hrnet(model: str) -> bool:
    return model.startswith("hrnet_")


def _keep_highest_branch(trunk: nn.Module) -> None:
    """Compute no other branch at the end; pose networks read only this one."""
    *_, last = (cast(Any, layer) for layer in trunk.modules() if hasattr(layer, "fuse_layers"))
    last.fuse_layers = last.fuse_layers[:1]


def replace_norms(trunk: nn.Module, norm_layer: NormLayer) -> None:
    """Put the given batch normalization, of the same weights, in place of each of a trunk's, in place.

    Raises:
        ValueError: one is over something else than maps.
    """
    found = [(name, layer) for name, layer in trunk.named_modules() if isinstance(layer, _BatchNorm)]
    for name, old in found:
        if not isinstance(old, nn.BatchNorm2d):
            raise ValueError(f"{name} is a {type(old).__name__}; only batch normalization of maps can be divided")
        new: Any = norm_layer(old.num_features)
        new.eps, new.momentum = old.eps, old.momentum
        new.load_state_dict(old.state_dict())
        if hasattr(old, "act"):  # timm's layer of normalization and activation in one
            new.drop, new.act = old.drop, old.act
            new.register_forward_hook(_activate)
        parent, _, own = name.rpartition(".")
        setattr(trunk.get_submodule(parent), own, new)


def _activate(layer: Any, _inputs: tuple[Tensor, ...], normalized: Tensor) -> Tensor:
    activated: Tensor = layer.act(layer.drop(normalized))
    return activated


def leave_nothing_to_chance(trunk: nn.Module) -> None:
    """Drop nothing at random, and make attention a matrix product, which is deterministic on every device."""
    for layer in trunk.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
        for setting, value in (("drop_prob", 0.0), ("fused_attn", False)):
            if hasattr(layer, setting):
                setattr(layer, setting, value)


def classifier_shapes(backbone: str) -> dict[str, torch.Size]:
    """Shapes of the weights of timm's classifier by name, in its order."""
    with torch.device("meta"):
        whole = timm().create_model(backbone.removeprefix(PREFIX), pretrained=False)
    return {name: value.shape for name, value in whole.state_dict().items()}


def adapt_classifier(
    model: str, input_size: InputSize, trunk: nn.Module, state_dict: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The weights of timm's classifier under the names of a trunk, with positions for the size of its input.

    Raises:
        CheckpointError: timm cannot convert them.
    """
    with torch.device("meta"):
        whole = _make(model, input_size)
    convert = getattr(sys.modules[type(whole).__module__], "checkpoint_filter_fn", None)
    try:
        weights = dict(state_dict) if convert is None else convert(dict(state_dict), whole)
    except Exception as error:  # weights of other networks break timm's code anywhere
        said = f"{type(error).__name__}: {error}"
        raise CheckpointError(f"timm cannot read the weights for {PREFIX}{model} ({said:.{_LONGEST}})") from error
    by_name = {_flat(name): value for name, value in weights.items()}
    own = {name: _flat(name.removeprefix("model.")) for name in trunk.state_dict()}
    return {name: by_name[flat] for name, flat in own.items() if flat in by_name}


def _flat(name: str) -> str:
    """A name as it is where timm lifts layers to the top, which writes `stages_0.` for `stages.0.`."""
    return name.replace(".", "_")
