"""Devices without float64, which are Apple's GPUs: a device of shapes alone takes their place."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bench.conformance.codec_cases import CodecCase, decoded_cases, trained_cases
from bench.pose import precision
from bench.pose.codecs.representation import REPRESENTATIONS
from bench.pose.data.crops import Batch
from bench.pose.models.build import build_model
from bench.pose.outputs import Coordinates
from bench.pose.precision import copy_to

PLACE = torch.device("meta")
CASES = {
    f"{name} {case}": case
    for name in REPRESENTATIONS
    for case in (*trained_cases(name), *decoded_cases(name))
    if case.settings.input_size == (64, 64)
}


class NoFloat64(TorchDispatchMode):
    """Refuses what has float64 on the device, as MPS does."""

    def __torch_dispatch__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = call(*args, **(kwargs or {}))
        for value in tree_leaves(found):
            if isinstance(value, torch.Tensor) and value.device == PLACE and value.dtype == torch.float64:
                raise TypeError(f"{call}: the device has no float64")
        return found


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_device_without_float64_trains_and_decodes_every_representation(
    case: CodecCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "lacks_float64", lambda device: device == PLACE)
    settings, keypoints = case.settings, torch.rand(2, 5, 2, dtype=torch.float64) * 60
    size = settings.input_size
    model = build_model(
        "simba_tiny",
        settings.representation,
        keypoints=5,
        input_size=size,
        split_ratio=settings.values.get("split_ratio"),
    )
    if case.codec.loss_module is not None:
        case.codec.loss_module.to(PLACE)
    batch = Batch(
        images=torch.zeros(2, *size, 3, dtype=torch.uint8),
        keypoints=keypoints,
        visible=torch.ones(2, 5, dtype=torch.bool),
        indices=torch.arange(2),
        centers=torch.ones(2, 2),
        scales=torch.ones(2, 2),
        broken=(),
    )
    with NoFloat64():
        with pytest.raises(TypeError, match="no float64"):
            keypoints.to(PLACE)
        output = model.to(PLACE)(batch.normalized(PLACE))
        targets = case.codec.encode(copy_to(PLACE, batch.keypoints), copy_to(PLACE, batch.visible))
        case.codec.loss(output, targets).backward()
        flipped = Coordinates(*output) if isinstance(output, tuple) else output
        decoded = case.codec.decode(case.codec.merge(output, flipped))
    assert decoded.coordinates.shape == (2, 5, 2)
