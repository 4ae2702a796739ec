"""How fast is it? Instances per second of training and evaluation, against a plain loop and the machine's limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import torch
from torch.utils.data import DataLoader

from bench.planning.predicted_complexity import predict as predict_complexity
from bench.pose import training as training_loop
from bench.pose.codecs.simdr import SimDRTarget
from bench.pose.data.augmentation import Augmentation
from bench.pose.declared_settings import Settings
from bench.pose.errors import BenchError
from bench.pose.geometry import Size
from bench.pose.inference import predict
from bench.pose.machine import usable_cores
from bench.pose.precision import Precision
from bench.pose.skeletons import COCO_17
from benchmarks import plain
from benchmarks.gpu.checks import Check, NotPossibleError, Setting
from benchmarks.gpu.measuring import Window, kernel_seconds, library_defaults, limits
from benchmarks.gpu.trainings import (
    BACKBONE_SETTINGS,
    LITE,
    SPLIT_RATIO,
    cached_pixels,
    codec_of,
    crop_settings,
    drawn,
    network,
    not_saved,
    prepare,
    recorder,
    repeated,
    require_device,
    training,
)

Figures = Mapping[str, Any]

MAIN_WAYS = ("| plain", "| float32 graphs", "| bfloat16 graphs")
"""Ends of the names of the checks that show most."""


class Load(NamedTuple):
    """How much is measured: instances per batch, loader processes of the plain way and of ours, and seconds."""

    batch: int
    plain_workers: int
    workers: int
    warm_up: float
    seconds: float
    profiled: int


def load_of(setting: Setting) -> Load:
    """The load for a GPU, or a tiny one."""
    if setting.quick:
        return Load(8, 1, 1, 0.1, 0.3, 2)
    return Load(128, 16, min(usable_cores(), 14), 1.5, 2.0, 4)


def checks(setting: Setting, until: float) -> list[Check]:
    """The checks of this part, by worth: first of all networks how much faster ours are, at last what compiles."""
    del until
    require_device(setting)
    first, second, *others = by_worth = cells(setting)
    whole = [check for cell in (first, second) for check in _ways(setting, *cell)]
    least = [check for cell in others for check in _ways(setting, *cell) if check.name.endswith(MAIN_WAYS)]
    rest = [check for cell in others for check in _ways(setting, *cell) if not check.name.endswith(MAIN_WAYS)]
    backbone, size = by_worth[0]
    compiled = partial(train, setting, backbone, size, "bfloat16", compiled=True)
    last = Check(_name(backbone, size, "bfloat16 compiled"), compiled, limit=150, needs=30)
    return [Check("limits", partial(machine_limits, setting)), *whole, *least, *rest, last]


def _ways(setting: Setting, backbone: str, size: Size) -> list[Check]:
    """A check for each way to train and to evaluate."""
    ways: list[tuple[str, Callable[[], Figures]]] = [
        ("plain", partial(train_plainly, setting, backbone, size)),
        ("plain TF32", partial(train_plainly, setting, backbone, size, tf32=True)),
        ("float32", partial(train, setting, backbone, size, "float32")),
        ("float32 graphs", partial(train, setting, backbone, size, "float32", graphs=True)),
        ("float32 planes", partial(train, setting, backbone, size, "float32", planes=True)),
        ("bfloat16", partial(train, setting, backbone, size, "bfloat16")),
        ("bfloat16 graphs", partial(train, setting, backbone, size, "bfloat16", graphs=True)),
        ("evaluate plain", partial(evaluate_plainly, setting, backbone, size)),
        ("evaluate float32", partial(evaluate, setting, backbone, size, "float32")),
        ("evaluate bfloat16", partial(evaluate, setting, backbone, size, "bfloat16")),
    ]
    return [Check(_name(backbone, size, way), run, limit=45) for way, run in ways]


def cells(setting: Setting) -> list[tuple[str, Size]]:
    """Networks and input sizes, by worth."""
    if setting.quick:
        return [("simba_tiny", (64, 64)), ("simba_tiny", (96, 64))]
    sizes, backbones = ((64, 64), (256, 192), (128, 128)), ("hrnet_w32", "simba_res50", LITE)
    return [(backbone, size) for backbone in backbones for size in sizes]


def _name(backbone: str, size: Size, way: str) -> str:
    return f"{backbone} | {size[0]}x{size[1]} | {way}"


def machine_limits(setting: Setting) -> Figures:
    """What the machine can do at best."""
    device = prepare(setting)
    return limits(device, 512 if setting.quick else 8192, 64 if setting.quick else 4096)


def train(
    setting: Setting,
    backbone: str,
    size: Size,
    precision: Precision,
    *,
    graphs: bool = False,
    compiled: bool = False,
    planes: bool = False,
) -> Figures:
    """Our training, with loader, augmentation, targets and optimizer; `planes` has maps lie channel by channel."""
    device, load = prepare(setting), load_of(setting)
    if graphs and device.type == "cpu":
        raise NotPossibleError("CUDA graphs need a GPU")
    with mock.patch.object(training_loop, "channels_side_by_side", _as_it_is) if planes else nullcontext():
        run = training(
            setting,
            backbone,
            size,
            batch_size=load.batch,
            precision=precision,
            instances=repeated(drawn(setting).instances, 100 * load.batch),
            images=cached_pixels(setting),
            capture=recorder(setting) if graphs else None,
        )
    if planes:
        run.model.register_forward_pre_hook(lambda _model, inputs: (inputs[0].contiguous(),))
    if compiled:
        run.model.compile(backend="eager" if setting.quick else "inductor")
    window = Window(device, load.warm_up, load.seconds, least=8 if graphs else 3)
    run.run(lambda _: window.step(load.batch), save=not_saved, workers=load.workers)
    if run._step.replays != graphs:
        raise NotPossibleError("steps were not replayed; log.txt has the reason")
    left = load.profiled

    def few(_progress: object) -> bool:
        nonlocal left
        left -= 1
        return left <= 0

    kernels = kernel_seconds(device, lambda: run.run(few, save=not_saved, workers=load.workers))
    return _told(backbone, size, window, kernels / load.profiled, passes=3)


def _as_it_is(_model: object) -> None:
    """Leave the layout of weights."""


def _told(backbone: str, size: Size, window: Window, kernels: float, passes: int) -> Figures:
    """Figures of a window. `kernels` are the seconds per step in kernels; a backward pass counts as two."""
    figures: dict[str, Any] = window.figures()
    if kernels:
        figures["outside kernels"] = max(0.0, 1 - kernels * window.steps / window.elapsed)
    figures["TFLOP/s"] = 2 * passes * multiply_adds(backbone, size) * figures["instances/s"] / 1e12
    return figures


def multiply_adds(backbone: str, size: Size) -> float:
    """Of the network for one crop; not a number where they cannot be counted."""
    own = BACKBONE_SETTINGS.get(backbone)
    more = {} if own is None else {"backbone_settings": Settings(own)}
    try:
        return predict_complexity(
            backbone, "simdr", keypoints=COCO_17.size, input_size=size, split_ratio=SPLIT_RATIO, **more
        ).multiply_adds
    except (BenchError, ImportError):
        return float("nan")


def evaluate(setting: Setting, backbone: str, size: Size, precision: Precision) -> Figures:
    """Our evaluation, both views, from crops to keypoints in the images; without scores."""
    device, load = prepare(setting), load_of(setting)
    window = Window(device, load.warm_up, load.seconds)

    class OverError(Exception):
        """The window is over."""

    def watch(_done: int) -> None:
        if window.step(load.batch):
            raise OverError

    try:
        predict(
            network(backbone, "simdr", size).to(device),
            codec_of("simdr", size),
            repeated(drawn(setting).instances, load.batch * 10_000),
            crop_settings(size),
            flip_test=True,
            device=device,
            batch_size=load.batch,
            workers=load.workers,
            watch=watch,
            images=cached_pixels(setting),
            precision=precision,
        )
    except OverError:
        return _told(backbone, size, window, 0.0, passes=2)
    raise NotPossibleError("all instances were predicted before the time was up")


def train_plainly(setting: Setting, backbone: str, size: Size, *, tf32: bool = False) -> Figures:
    """The reference's way: eager float32, a sample at a time in 16 loader processes; with TF32 as torch has it."""
    device, load = prepare(setting), load_of(setting)
    codec, model = codec_of("simdr", size), network(backbone, "simdr", size).to(device)
    with library_defaults(tf32=tf32):
        steps = plain.train(
            model,
            lambda output, *target: codec.loss(output, SimDRTarget(*target)),
            _loader(setting, size, True),
            device,
        )
        window = _counted(steps, Window(device, load.warm_up, load.seconds))
        kernels = kernel_seconds(device, lambda: [next(steps) for _ in range(load.profiled)])
        return _told(backbone, size, window, kernels / load.profiled, passes=3)


def evaluate_plainly(setting: Setting, backbone: str, size: Size) -> Figures:
    """The reference's evaluation: both views one after the other, decoded in NumPy, a crop at a time."""
    device, load = prepare(setting), load_of(setting)
    crops = plain.Crops(np.full((load.batch, 2), 100.0), np.ones((load.batch, 2)), size, list(COCO_17.flip_indices))
    with library_defaults():
        model = network(backbone, "simdr", size).to(device)
        steps = plain.evaluate(model, _loader(setting, size, False), crops, SPLIT_RATIO, device)
        return _told(backbone, size, _counted(steps, Window(device, load.warm_up, load.seconds)), 0.0, passes=2)


def _counted(steps: Iterator[int], window: Window) -> Window:
    for instances in steps:
        if window.step(instances):
            break
    return window


def _loader(setting: Setting, size: Size, augmented: bool) -> DataLoader[Any]:
    load = load_of(setting)
    augmentation = Augmentation() if augmented else plain.UNAUGMENTED
    instances = drawn(setting).instances
    samples = plain.SimDRSamples(instances, crop_settings(size), augmentation, SPLIT_RATIO, load.batch * 10_000)
    return DataLoader(
        samples,
        load.batch,
        num_workers=load.plain_workers,
        pin_memory=setting.device == "cuda",
        multiprocessing_context="fork",
        worker_init_fn=_single_threaded,
    )


def _single_threaded(_worker: int) -> None:
    import cv2

    cv2.setNumThreads(0)
    torch.set_num_threads(1)
