"""Is it right? Crops and representations; trainings are in `correct_training.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from bench.conformance.codec_cases import usual_settings
from bench.pose.codecs.base import Codec
from bench.pose.codecs.representation import REPRESENTATIONS, build_codec
from bench.pose.data.augmentation import Augmentation
from bench.pose.data.crops import Batch, Crops, CropSettings
from bench.pose.outputs import Coordinates
from bench.pose.skeletons import COCO_17
from benchmarks.gpu import correct_training
from benchmarks.gpu.checks import Check, NotPossibleError, Setting, WrongError
from benchmarks.gpu.trainings import cached_pixels, drawn, prepare, require_device

ROUNDING = 1e-4
"""Largest relative difference of losses and gradients between devices."""

PIXELS, MOVED_SHARE = 0.02, 0.002
"""Largest difference of decoded keypoints in px, and the share that may be farther off: two peaks may be as high."""

INSTANCES = 32


def checks(setting: Setting, until: float) -> list[Check]:
    """The checks of this part."""
    del until
    require_device(setting)
    return [
        Check("crops from the GPU cache", partial(crops, setting), proves=True),
        *(Check(f"codec {name}", partial(representation, setting, name), proves=True) for name in REPRESENTATIONS),
        *correct_training.checks(setting),
    ]


def crops(setting: Setting) -> Mapping[str, Any]:
    """Crops that the device makes of its pixels equal OpenCV's to the bit."""
    prepare(setting)
    data, compared = drawn(setting), 0
    for size in ((64, 64), (256, 192)):
        for order in ("rgb", "bgr"):
            settings = CropSettings(size, order, COCO_17)
            keys = [(epoch, index) for epoch in range(2) for index in range(min(len(data.instances), 2 * INSTANCES))]
            made = [
                store.develop(store[keys])
                for store in (
                    Crops(data.instances, settings, Augmentation(), 0, images)
                    for images in (data.packed, cached_pixels(setting))
                )
            ]
            host, device = (one.images.cpu() for one in made if isinstance(one, Batch))
            different = int((host != device).flatten(1).any(1).sum())
            if different:
                raise WrongError(
                    f"{different} of {len(keys)} crops of {size[0]}x{size[1]} {order} differ from OpenCV's"
                )
            compared += len(keys)
    return {"crops": compared, "different": 0}


def representation(setting: Setting, name: str) -> Mapping[str, Any]:
    """Targets, loss, gradients, merged views and keypoints on the device against those on the CPU."""
    prepare(setting)
    torch.manual_seed(0)
    size = (64, 64)
    codec = build_codec(usual_settings(name, size), COCO_17.flip_indices)
    keypoints = torch.rand(INSTANCES, COCO_17.size, 2, dtype=torch.float64) * 56 + 4
    visible = torch.rand(INSTANCES, COCO_17.size) > 0.2
    views = list(_views(codec, keypoints))
    found = [_run(codec, keypoints, visible, views, torch.device(place)) for place in ("cpu", setting.device)]
    return _compared(*found)


def _views(codec: Codec[Any, Any], keypoints: Tensor) -> Iterator[Any]:
    """Outputs for the crops and for the flipped ones: ideal ones with a little noise."""
    everyone = torch.ones(keypoints.shape[:2], dtype=torch.bool)
    width = codec.input_size[1]  # type: ignore[attr-defined]
    mirrored = keypoints[:, list(COCO_17.flip_indices)].clone()
    mirrored[..., 0] = width - 1 - mirrored[..., 0]
    for points in (keypoints, mirrored):
        ideal = codec.ideal_output(codec.encode(points, everyone))
        if ideal is None:
            raise NotPossibleError("it defines no ideal output")
        yield _mapped(ideal, lambda part: part.float() + 0.01 * torch.randn(part.shape))


def _mapped(output: Any, change: Any) -> Any:
    return Coordinates(*map(change, output)) if isinstance(output, Coordinates) else change(output)


def _parts(output: Any) -> list[Tensor]:
    return list(output) if isinstance(output, tuple) else [output]


def _run(
    codec: Codec[Any, Any], keypoints: Tensor, visible: Tensor, views: list[Any], device: torch.device
) -> dict[str, list[Tensor]]:
    if codec.loss_module is not None:
        codec.loss_module.to(device)
    outputs = [_mapped(view, lambda part: part.detach().to(device).requires_grad_()) for view in views]
    target = codec.encode(keypoints.to(device), visible.to(device))
    loss = codec.loss(outputs[0], target)
    gradients = torch.autograd.grad(loss, _parts(outputs[0]))
    merged = codec.merge(*outputs)
    decoded = codec.decode(merged)
    columns = {
        "target": _parts(target),
        "loss": [loss],
        "gradient": list(gradients),
        "merged": _parts(merged),
        "px": [decoded.coordinates],
        "confidence": [decoded.confidence],
    }
    return {name: [part.detach().cpu().double() for part in parts] for name, parts in columns.items()}


def _compared(one: dict[str, list[Tensor]], other: dict[str, list[Tensor]]) -> Mapping[str, Any]:
    """Relative differences by name, and the keypoints' in px. Raises `WrongError` for more than rounding."""
    found: dict[str, Any] = {}
    for name in ("target", "loss", "gradient", "merged", "confidence"):
        found[name] = max(map(difference, one[name], other[name]))
        if not found[name] <= ROUNDING:
            raise WrongError(f"{name} differs by {found[name]:.1e} from the CPU's, at most {ROUNDING:.0e} is rounding")
    moved = (one["px"][0] - other["px"][0]).norm(dim=-1)
    share = float((moved > PIXELS).double().mean())
    if not share <= MOVED_SHARE:
        raise WrongError(f"{share:.1%} of the keypoints are more than {PIXELS} px off the CPU's")
    return found | {"px": float(moved.median()), "moved": share}


def difference(one: Tensor, other: Tensor) -> float:
    """Norm of the difference relative to the norm."""
    return float((one - other).norm() / one.norm().clamp(min=1e-12))
