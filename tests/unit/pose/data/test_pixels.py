"""Every source of pixels gives the same batches to the bit, and the right one is chosen."""

from __future__ import annotations

import copy
import os
import pickle
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from bench.pose.data.augmentation import Augmentation
from bench.pose.data.coco_format import CocoKeypoints
from bench.pose.data.crops import IMAGENET_MEAN, IMAGENET_STD, Batch, Crops, CropSettings, Key
from bench.pose.data.images import read_image
from bench.pose.data.instances import Instance
from bench.pose.data.loading import Loaded, Position, evaluation_batches, training_batches
from bench.pose.data.pixels import choice
from bench.pose.data.pixels import packed as packed_module
from bench.pose.data.pixels.choice import choose_images
from bench.pose.data.pixels.gpu_cache import GpuCachedImages
from bench.pose.data.pixels.image_source import DECODED, DecodedPixels, ImageStore
from bench.pose.data.pixels.names import PixelSource
from bench.pose.data.pixels.packed import OPENED_BYTES, Entry, PackedImages, PackedPixels, Shard, stamp
from bench.pose.errors import DataError, ImageError
from bench.pose.skeletons import COCO_17
from tests.unit.packed import make_split, pack, packed_images, source

CPU = torch.device("cpu")
SHAPES = [((96, 64), "rgb"), ((64, 64), "bgr"), ((33, 50), "rgb"), ((128, 96), "bgr")]
LOADERS = [("packed", 0), ("gpu_cache", 0), ("decoded", 2), ("packed", 2), ("gpu_cache", 2)]
EVERYTHING = Augmentation(half_body_probability=0.5, half_body_min_keypoints=4)


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> CocoKeypoints:
    """Packed."""
    split = make_split(tmp_path_factory.mktemp("coco"))
    pack(split)
    return split


@pytest.fixture
def own(tmp_path: Path) -> CocoKeypoints:
    """One to change."""
    return make_split(tmp_path)


def assert_same(found: Sequence[Loaded], expected: Sequence[Loaded]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        if not (isinstance(one, Batch) and isinstance(other, Batch)):
            assert one == other
            continue
        for field in fields(Batch):
            left, right = getattr(one, field.name), getattr(other, field.name)
            if isinstance(left, Tensor):
                assert left.dtype == right.dtype
                assert torch.equal(left, right), field.name
            else:
                assert left == right


def trained(instances: list[Instance], crops: CropSettings, images: ImageStore, workers: int = 0) -> list[Loaded]:
    return list(
        training_batches(
            instances, crops, EVERYTHING, batch_size=3, epochs=4, seed=2, start=Position(), workers=workers,
            images=images,
        )
    )  # fmt: skip


def evaluated(instances: list[Instance], crops: CropSettings, images: ImageStore, workers: int = 0) -> list[Loaded]:
    return list(evaluation_batches(instances, crops, batch_size=1, workers=workers, images=images))


Load = Callable[[list[Instance], CropSettings, ImageStore, int], list[Loaded]]


@pytest.mark.parametrize("load", [trained, evaluated])
@pytest.mark.parametrize(("name", "workers"), LOADERS)
def test_every_source_gives_the_same_batches(load: Load, name: str, workers: int, split: CocoKeypoints) -> None:
    instances = split.instances()
    for size, order in SHAPES[: 1 if workers else None]:
        crops = CropSettings(size, order, COCO_17)
        assert_same(load(instances, crops, source(name, split), workers), load(instances, crops, DECODED, 0))


def test_these_batches_have_broken_images_and_whole_broken_batches(split: CocoKeypoints) -> None:
    crops = CropSettings((64, 64), "rgb", COCO_17)
    found = evaluated(split.instances(), crops, DECODED)
    assert [isinstance(one, tuple) for one in found] == [False, True, True, False, False, False]
    assert any(isinstance(one, Batch) and one.broken for one in trained(split.instances(), crops, DECODED))


@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_normalized_crops_are_the_formula_s_to_the_bit(order: str, split: CocoKeypoints) -> None:
    for batch in evaluated(split.instances(), CropSettings((96, 64), order, COCO_17), source("gpu_cache", split)):
        if isinstance(batch, Batch):
            plain = batch.images.permute(0, 3, 1, 2).float() / 255
            mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
            assert torch.equal(batch.normalized(CPU), (plain - mean) / std)
    levels = torch.arange(256, dtype=torch.uint8).view(1, 16, 16, 1).expand(-1, -1, -1, 3).contiguous()
    found = replace(batch, images=levels).normalized(CPU)
    assert torch.equal(found, (levels.permute(0, 3, 1, 2).float() / 255 - mean) / std)
    assert found.is_contiguous(memory_format=torch.channels_last)


# Packed and held images.


def test_a_copy_for_another_process_maps_the_files_again(split: CocoKeypoints) -> None:
    packed, path = packed_images(split), split.instances()[0].image
    packed.open(path)
    assert len(pickle.dumps(packed)) < 1000, "no pixels"
    found = copy.copy(packed).open(path)
    assert isinstance(found, PackedPixels)
    assert not np.shares_memory(found.pixels, np.frombuffer(packed.mapped[0], np.uint8))
    assert not found.pixels.flags.writeable
    np.testing.assert_array_equal(found.pixels, read_image(path))
    assert len(pickle.dumps(source("gpu_cache", split))) < 5000


@pytest.mark.parametrize("change", ["time", "size"])
def test_a_image_that_changed_is_decoded_anew(change: str, own: CocoKeypoints) -> None:
    path, other = (own.image_folder / name for name in ("100.png", "105.png"))
    pack(own)
    if change == "time":
        os.utime(path, ns=(0, 0))
    else:
        before = path.stat()
        path.write_bytes(path.read_bytes() + b"more")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    packed = packed_images(own)
    assert not isinstance(packed.open(path), PackedPixels)
    assert isinstance(packed.open(path), DecodedPixels)
    assert isinstance(packed.open(other), PackedPixels)
    assert (packed.holds(path), packed.holds(other)) == (False, True)
    other.unlink()
    with pytest.raises(ImageError, match=r"105\.png: No such file"):
        packed_images(own).open(other)


def test_a_image_that_is_not_held_is_named(own: CocoKeypoints) -> None:
    pack(own, budget=100_000)
    held = source("gpu_cache", own)
    held.open(own.image_folder / "100.png")
    with pytest.raises(DataError, match=r"105\.png is not among the images that the device holds"):
        held.open(own.image_folder / "105.png")
    with pytest.raises(ImageError, match=r"101\.png: not an image"):
        held.open(own.image_folder / "101.png")


# Choosing.


def chosen(split: CocoKeypoints, name: PixelSource, device: torch.device = CPU) -> ImageStore:
    return choose_images(split, split.instances(), name, device)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], torch.device]:
    """Pretends to be a GPU of so many free bytes."""

    def pretend(free: int) -> torch.device:
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free, free))
        monkeypatch.setattr(choice, "GpuCachedImages", lambda packed, _device: GpuCachedImages(packed, CPU))
        return torch.device("cuda")

    return pretend


def test_what_is_asked_for_is_chosen(split: CocoKeypoints) -> None:
    assert chosen(split, "decoded") is DECODED
    assert {name: chosen(split, name).name for name in ("packed", "gpu_cache", "auto")} == {
        "packed": "packed",
        "gpu_cache": "gpu_cache",
        "auto": "packed",
    }


def test_with_nothing_packed(own: CocoKeypoints) -> None:
    assert chosen(own, "auto") is DECODED
    for name in ("packed", "gpu_cache"):
        with pytest.raises(DataError, match=r"packed/train2017: nothing is packed there; `bench data pack` does it"):
            chosen(own, name)


def test_with_part_of_the_images_packed(own: CocoKeypoints, gpu: Callable[[int], torch.device]) -> None:
    pack(own, budget=100_000)
    assert chosen(own, "auto", gpu(10**9)).name == "packed"
    assert chosen(own, "packed").name == "packed"
    with pytest.raises(DataError, match=r"^not packed as they are now: \S*105\.png; pack the split again$"):
        chosen(own, "gpu_cache")
    os.utime(own.image_folder / "100.png", ns=(0, 0))
    with pytest.raises(DataError, match=r"^not packed as they are now: \S*100\.png and 1 more; pack the split again$"):
        chosen(own, "gpu_cache")


def test_a_gpu_with_ample_room_holds_what_is_complete(split: CocoKeypoints, gpu: Callable[[int], torch.device]) -> None:
    size = packed_images(split).bytes
    assert chosen(split, "auto", gpu(2 * size)).name == "gpu_cache"
    assert chosen(split, "auto", gpu(2 * size - 1)).name == "packed"


def test_a_device_without_room_is_named(split: CocoKeypoints, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(torch, "empty", fail)
    with pytest.raises(DataError, match=r"packed/train2017: 0\.0 GB do not fit on cpu: out of memory"):
        chosen(split, "gpu_cache")


@pytest.mark.parametrize("name", ["auto", "packed", "gpu_cache"])
def test_unusable_packs_are_refused_when_chosen(name: PixelSource, own: CocoKeypoints) -> None:
    pack(own)
    packed = packed_images(own)
    (pixels,) = packed.folder.glob("*.pixels")
    os.truncate(pixels, 1000)
    with pytest.raises(DataError, match=r"has 1,000 bytes instead of .*; pack the split again, or remove .*train2017"):
        chosen(own, name)
    pixels.unlink()
    with pytest.raises(DataError, match=r"\.pixels: is missing; pack the split again, or remove"):
        chosen(own, name)
    (packed.folder / "00000.json").write_text("{")
    with pytest.raises(DataError, match=r"00000\.json: not valid JSON"):
        chosen(own, name)
    assert chosen(own, "decoded") is DECODED


# Memory.


class _Weighed(Dataset[int]):
    """Crops whose loader process tells its private memory."""

    def __init__(self, crops: Crops) -> None:
        self.crops = crops

    def __getitem__(self, keys: list[Key]) -> tuple[int, int]:
        self.crops[keys]
        rollup = Path("/proc/self/smaps_rollup").read_text()
        sizes = {line.split(":")[0]: int(line.split()[1]) for line in rollup.splitlines()[1:]}
        mapped = Path("/proc/self/maps").read_text().count(".pixels")
        return 1024 * (sizes["Private_Clean"] + sizes["Private_Dirty"]), mapped


def sparse_pack(folder: Path, count: int) -> tuple[list[Instance], PackedImages]:
    """Instances on large black images, whose pixels take no room on disk."""
    file = folder / "0.png"
    cv2.imwrite(str(file), np.zeros((1, 1, 3), np.uint8))
    height, width, found = 1000, 1400, stamp(file)
    assert found is not None
    entries = {f"{number}.png": Entry(height, width, found) for number in range(count)}
    for name in list(entries)[1:]:
        (folder / name).hardlink_to(file)
    shard = Shard(folder / "00000.json", 64 * "0", entries)
    shard.index.write_text(shard.as_json())
    shard.pixels_file.touch()
    os.truncate(shard.pixels_file, shard.bytes)
    box, keypoints, visible = np.array([0.0, 0, width, height]), np.zeros((17, 2)), np.zeros(17, dtype=bool)
    instances = [
        Instance(folder / name, number, number, box, keypoints, visible, area=1e6)
        for number, name in enumerate(entries)
    ]
    return instances, PackedImages(folder, folder)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("opened", [1 << 23, 1 << 40], ids=["let go", "kept"])
def test_a_loader_process_has_little_memory_of_its_own(
    opened: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed_module, "OPENED_BYTES", opened)
    instances, packed = sparse_pack(tmp_path, 40)
    crops = Crops(instances, CropSettings((96, 64), "rgb", COCO_17), images=packed)
    order = [[(0, index)] for index in range(len(instances))]
    found = list(DataLoader(_Weighed(crops), sampler=order, batch_size=None, num_workers=2))
    assert all(mapped for _, mapped in found), "pixels are mapped from the file"
    assert max(size for size, _ in found) < 600e6
    growth = max(found[-2:])[0] - min(found[:2])[0]
    assert (growth < 20e6) == (opened < packed.bytes), "unless it lets go, what it read counts as its own: 84 MB"


def test_letting_go_changes_no_pixel(split: CocoKeypoints, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_module, "OPENED_BYTES", 0)
    instances, crops = split.instances(), CropSettings((96, 64), "rgb", COCO_17)
    assert_same(trained(instances, crops, source("packed", split)), trained(instances, crops, DECODED))
    assert 0 < OPENED_BYTES < 300e6
