"""Images, networks and trainings that the parts of the GPU benchmark measure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import cv2
import torch
from torch import Tensor, nn

from bench.pose.captured_step import Capture, CudaGraphs
from bench.pose.codecs.base import Codec
from bench.pose.codecs.representation import REPRESENTATIONS, build_codec, codec_settings
from bench.pose.data.augmentation import Augmentation
from bench.pose.data.crops import CropSettings
from bench.pose.data.datasets import open_split
from bench.pose.data.instances import Instance
from bench.pose.data.pixels.gpu_cache import GpuCachedImages
from bench.pose.data.pixels.image_source import ImageStore
from bench.pose.data.pixels.packed import PackedImages
from bench.pose.data.pixels.packing import plan_packing
from bench.pose.data.synthetic import SyntheticSet, generate
from bench.pose.declared_settings import NO_SETTINGS, Settings
from bench.pose.geometry import Size
from bench.pose.machine import keep_freed_memory, usable_cores
from bench.pose.models.build import build_model, initialize
from bench.pose.precision import Precision, make_deterministic
from bench.pose.skeletons import COCO_17
from bench.pose.training import Progress, Training
from benchmarks.gpu.checks import NotPossibleError, Setting
from benchmarks.gpu.stand_in import RunAgain
from benchmarks.measuring import endless_schedule

IMAGE_SIZE = (480, 640)
SPLIT_RATIO = 2.0
LITE = "timm/tf_efficientnet_lite0"
BACKBONE_SETTINGS = {LITE: Settings({"feature_stride": 16, "upsampling_channels": 128})}

Watch = Callable[[Progress], bool]


@dataclass(frozen=True)
class Drawn:
    """Drawn instances in images of COCO's size, packed."""

    instances: Sequence[Instance]
    packed: PackedImages


def drawn(setting: Setting) -> Drawn:
    """The drawn images; they are made at the first call."""
    folder = setting.work / "drawn"
    generate(folder, "drawn", SyntheticSet(24 if setting.quick else 640, seed=0, image_size=IMAGE_SIZE))
    split = open_split("coco", folder, "drawn")
    packed = PackedImages(setting.work / "packed", split.image_folder)
    instances = split.instances()
    if not packed.shards:
        plan_packing(packed.folder, packed.images, instances).run(lambda _said: None)
        packed = PackedImages(packed.folder, packed.images)
    return Drawn(instances, packed)


def require_device(setting: Setting) -> torch.device:
    """The device. Raises `NotPossibleError` if torch finds none of its kind."""
    if setting.device == "cuda" and not torch.cuda.is_available():
        built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
        raise NotPossibleError(f"torch {torch.__version__}, {built}, finds no GPU")
    return torch.device(setting.device)


def prepare(setting: Setting) -> torch.device:
    """Set this process up as one of `bench run`; returns the device."""
    device = require_device(setting)
    torch.set_num_threads(max(usable_cores() // 2, 1))
    cv2.setNumThreads(0)
    make_deterministic()
    keep_freed_memory()
    return device


def recorder(setting: Setting) -> Capture:
    """What records steps, or stands in for it on a CPU."""
    device = require_device(setting)
    return CudaGraphs(device) if device.type == "cuda" else RunAgain()


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all that it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@cache
def cached_pixels(setting: Setting) -> GpuCachedImages:
    """The drawn images in the device's memory."""
    return GpuCachedImages(drawn(setting).packed, require_device(setting))


def codec_of(representation: str, size: Size) -> Codec[Any, Any]:
    """A representation with the usual settings."""
    sigma = 2.0 if representation != "heatmap" or size[0] > 64 else 1.0
    settings = codec_settings(
        representation, size, sigma=sigma, split_ratio=SPLIT_RATIO, label_smoothing=0.1, loss_reduction="sum"
    )
    return build_codec(settings, COCO_17.flip_indices)


def network(backbone: str, representation: str, size: Size) -> nn.Module:
    """A network with the same first weights each time."""
    torch.manual_seed(0)
    coordinates = REPRESENTATIONS[representation].output == "coordinates"
    model = build_model(
        backbone,
        representation,
        keypoints=COCO_17.size,
        input_size=size,
        split_ratio=SPLIT_RATIO if coordinates else None,
        backbone_settings=BACKBONE_SETTINGS.get(backbone, NO_SETTINGS),
    )
    initialize(model, scheme="kaiming")
    return model.train()


def crop_settings(size: Size) -> CropSettings:
    """Crops of this size."""
    return CropSettings(size, "rgb", COCO_17)


def training(
    setting: Setting,
    backbone: str,
    size: Size,
    *,
    representation: str = "simdr",
    batch_size: int,
    epochs: int = 10**6,
    precision: Precision = "float32",
    instances: Sequence[Instance] | None = None,
    images: ImageStore | None = None,
    device: torch.device | None = None,
    milestones: tuple[int, ...] = (),
    **more: Any,
) -> Training:
    """A training that has not begun."""
    device = device or require_device(setting)
    return Training(
        model=network(backbone, representation, size).to(device),
        codec=codec_of(representation, size),
        instances=drawn(setting).instances if instances is None else instances,
        crops=crop_settings(size),
        augmentation=Augmentation(),
        settings=replace(
            endless_schedule(batch_size, precision=precision), epochs=epochs, milestones=milestones, warmup_steps=2
        ),
        device=device,
        images=drawn(setting).packed if images is None else images,
        **more,
    )


def repeated(instances: Sequence[Instance], count: int) -> list[Instance]:
    """So many instances, the same ones again and again."""
    return [replace(instances[number % len(instances)], annotation_id=number + 1) for number in range(count)]


def never(_progress: Progress) -> bool:
    """Do not stop."""
    return False


def not_saved() -> None:
    """Save nothing."""


def state_hash(state: Any) -> str:
    """Sha256 of all tensors and values in nested containers, in order."""
    digest = hashlib.sha256()
    for value in _leaves(state):
        if isinstance(value, Tensor):
            digest.update(value.detach().cpu().contiguous().view(-1).numpy().tobytes())
        else:
            digest.update(repr(value).encode())
    return digest.hexdigest()


def _leaves(state: Any) -> list[Any]:
    if isinstance(state, dict):
        return [leaf for name in state for leaf in (name, *_leaves(state[name]))]
    if isinstance(state, list | tuple):
        return [leaf for value in state for leaf in _leaves(value)]
    return [state]
