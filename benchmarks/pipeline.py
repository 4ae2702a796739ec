"""Samples per second and core from images to normalized crops and targets, against the plain path.

    python -m benchmarks.pipeline [--data-root DIR --dataset coco --split train2017] [--copies 16]

Without a data set, figures in images of 480x640 px are drawn. Images are copied, several times if asked to,
so that a few exceed the processor's cache as a whole data set does, and packed, which is not counted.
Both ways must give the same samples. CPU seconds of one thread, batches of 128. The limit that ours is held against is
OpenCV's warp alone, of the same crops over and over, which stay in the cache. Ends 1 if samples differ.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import torch
from tabulate import tabulate

from bench.pose.codecs.representation import CodecSettings, build_codec, codec_settings
from bench.pose.data.augmentation import Augmentation
from bench.pose.data.crops import Batch, Crops, CropSettings
from bench.pose.data.datasets import open_split
from bench.pose.data.instances import Instance
from bench.pose.data.loading import Position, training_batches
from bench.pose.data.pixels.packed import PackedImages
from bench.pose.data.pixels.packing import plan_packing
from bench.pose.data.synthetic import SyntheticSet, generate
from bench.pose.machine import keep_freed_memory
from bench.pose.skeletons import Skeleton
from benchmarks import plain
from benchmarks.measuring import ROUNDS, compare, machine, seconds

BATCH = 128
PLAIN_SAMPLES, OUR_BATCHES = 64, 12
DRAWN_INSTANCES = 200
AUGMENTATION = Augmentation()

CASES = (
    ((64, 64), codec_settings("heatmap", (64, 64), sigma=1.0, weight_bounds="reference"), 20.0),
    ((64, 64), codec_settings("simdr", (64, 64), split_ratio=3.0, label_smoothing=0.1, loss_reduction="sum"), 20.0),
    ((256, 192), codec_settings("heatmap", (256, 192), sigma=2.0, weight_bounds="reference"), 8.0),
    ((256, 192), codec_settings("simdr", (256, 192), split_ratio=2.0, label_smoothing=0.1, loss_reduction="sum"), 8.0),
)
"""Crop size, representation, and how many times the plain path ours should be."""


class Plain:
    """The plain path over instances in order."""

    def __init__(self, instances: Sequence[Instance], settings: CropSettings, codec: CodecSettings) -> None:
        self._samples = self._all(instances, settings, codec)

    def _all(
        self, instances: Sequence[Instance], settings: CropSettings, codec: CodecSettings
    ) -> Iterator[tuple[Any, Any, Any]]:
        for epoch in itertools.count():
            for index, instance in enumerate(instances):
                image, keypoints, visible = plain.sample(instance, (epoch, index), settings, AUGMENTATION)
                if codec.representation == "heatmap":
                    target = plain.heatmap_target(keypoints, visible, settings.size, float(codec.values["sigma"]))
                else:
                    target = plain.simdr_target(keypoints, visible, settings.size, float(codec.values["split_ratio"]))
                values, weight = map(torch.from_numpy, target)
                yield torch.from_numpy(image), values, weight

    def samples(self, count: int) -> list[tuple[Any, Any, Any]]:
        return list(itertools.islice(self._samples, count))


def same(plain_samples: Sequence[tuple[Any, Any, Any]], ours: tuple[Any, Any]) -> bool:
    """Whether images and weights are equal to the bit, and targets up to rounding."""
    images, target = ours
    wanted = [torch.stack(column) for column in zip(*plain_samples, strict=True)]
    found = (images, *(part for part in target))
    return torch.equal(found[0], wanted[0]) and torch.equal(found[2], wanted[2]) and torch.allclose(found[1], wanted[1])


def measure(
    instances: Sequence[Instance],
    packed: PackedImages,
    skeleton: Skeleton,
    case: tuple[tuple[int, int], CodecSettings, float],
) -> list[Any]:
    size, codec_settings, target = case
    settings = CropSettings(size, "bgr", skeleton)
    codec = build_codec(codec_settings, skeleton.flip_indices)
    device = torch.device("cpu")

    def prepared(batch: Batch) -> tuple[Any, Any]:
        return batch.normalized(device), codec.encode(batch.keypoints, batch.visible)

    path = Plain(instances, settings, codec_settings)
    crops = Crops(instances, settings, AUGMENTATION, 0, packed)
    ordered = crops[[(0, index) for index in range(min(BATCH, len(instances)))]]
    assert isinstance(ordered, Batch)
    assert same(path.samples(len(ordered)), prepared(ordered)), "both ways must give the same samples"
    batches = training_batches(
        instances,
        settings,
        AUGMENTATION,
        batch_size=BATCH,
        epochs=10**6,
        seed=0,
        start=Position(),
        images=packed,
    )

    made = 0

    def ours() -> None:
        nonlocal made
        batch = next(batches)
        assert isinstance(batch, Batch)
        prepared(batch)
        made += len(batch)

    found = compare(lambda: path.samples(PLAIN_SAMPLES), ours, repeats=(1, OUR_BATCHES))
    per_batch = made / (OUR_BATCHES * (ROUNDS + 1))
    ratio = found.ratio * per_batch / PLAIN_SAMPLES
    limit = 1 / warp_seconds(crops)
    return [
        f"{size[0]}x{size[1]}",
        codec_settings.representation,
        PLAIN_SAMPLES / found.plain,
        per_batch / found.ours,
        ratio,
        target,
        limit,
    ]


def warp_seconds(crops: Crops) -> float:
    """CPU seconds of OpenCV's warp alone, per crop."""
    pixels = [crops.images.open(instance.image).pixels for instance in crops.instances]  # type: ignore[attr-defined]
    pairs = zip(crops.instances, pixels, strict=True)
    shots = [crops._shot(0, index, instance, image.shape[1]) for index, (instance, image) in enumerate(pairs)]
    height, width = crops.settings.size

    def work() -> None:
        for shot, image in zip(shots, pixels, strict=True):
            cv2.warpAffine(image, shot.placement.matrix, (width, height), flags=cv2.INTER_LINEAR)

    work()
    return seconds(work, 5) / len(shots)


def copied(instances: Sequence[Instance], folder: Path, copies: int) -> list[Instance]:
    """The instances so often, each time in images of their own."""
    found = []
    for number in range(copies):
        target = folder / str(number)
        target.mkdir(parents=True)
        for instance in instances:
            image = target / instance.image.name
            if not image.exists():
                shutil.copy(instance.image, image)
            found.append(replace(instance, image=image))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--dataset", default="coco")
    parser.add_argument("--split", default="train2017")
    parser.add_argument("--copies", type=int, default=1)
    arguments = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    with tempfile.TemporaryDirectory() as temporary:
        if arguments.data_root is None:
            # Opened as COCO's: the synthetic data set itself has smaller images.
            folder, name, split_name = Path(temporary), "coco", "drawn"
            generate(folder, split_name, SyntheticSet(DRAWN_INSTANCES, seed=0, image_size=(480, 640)))
        else:
            name, split_name = arguments.dataset, arguments.split
            folder = arguments.data_root / name
        split = open_split(name, folder, split_name)
        instances = copied(split.instances(), Path(temporary) / "copies", arguments.copies)
        packed = PackedImages(Path(temporary) / "packed", Path(temporary) / "copies")
        plan_packing(packed.folder, packed.images, instances).run(print)
        rows = [measure(instances, packed, split.skeleton, case) for case in CASES]
    print(f"{machine()}; {name} {split_name}: {len(instances)} instances, {packed.bytes / 1e6:.0f} MB packed")
    headers = ("crops", "targets", "plain, 1/s", "ours, 1/s", "ratio", "target", "warp alone, 1/s")
    print(tabulate(rows, headers=headers, floatfmt=(*("", ""), ",.0f", ",.0f", ".1f", ".0f", ",.0f")))


if __name__ == "__main__":
    main()
