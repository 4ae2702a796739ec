"""Packing: what it takes is told beforehand, it survives being killed, and what is wrong with a pack is found."""

from __future__ import annotations

import json
import multiprocessing
import os
import select
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from filelock import FileLock

from bench.pose.data.coco_format import CocoKeypoints
from bench.pose.data.images import read_image
from bench.pose.data.pixels import packing
from bench.pose.data.pixels.packed import PackedImages, PackedPixels, packed_problems
from bench.pose.data.pixels.packing import Packing, plan_packing
from bench.pose.errors import DataError, ImageError
from tests.unit.packed import SPLIT, make_split, opened, pack, pack_quietly, packed_images, quietly
from tests.unit.process_groups import instances
from tests.unit.tiny_datasets import coco_test_dev

COUNT = 10
"""Images of a folder, in shards of three: the last has one."""

PIXELS = 100 * 100 * 3
"""Bytes of one of them."""


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "SHARD_IMAGES", 3)


@pytest.fixture
def split(tmp_path: Path) -> CocoKeypoints:
    """In two shards; one image cannot be read, one is missing."""
    return make_split(tmp_path)


@pytest.fixture
def planned(tmp_path: Path) -> Packing:
    """Images in four shards, not packed yet."""
    images = tmp_path / "images"
    images.mkdir()
    return plan_packing(tmp_path / "packed", images, instances(images, COUNT))


def contents(folder: Path) -> dict[str, bytes]:
    """Of all files that a packing leaves."""
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def identities(folder: Path) -> dict[str, tuple[int, int]]:
    """What tells a file that was kept from one that was written again."""
    return {file.name: (file.stat().st_ino, file.stat().st_mtime_ns) for file in folder.glob("[0-9]*")}


def numbers_written(folder: Path, work: Callable[[], object]) -> list[str]:
    """Shards whose index is another after some work."""
    before = identities(folder)
    work()
    after = identities(folder)
    return [name[:5] for name in sorted(after) if name.endswith(".json") and after[name] != before.get(name)]


def assert_whole(packed: PackedImages, paths: list[Path]) -> None:
    for path in paths:
        found = packed.open(path)
        assert isinstance(found, PackedPixels)
        np.testing.assert_array_equal(found.pixels, read_image(path))


# Planning.


def test_the_bytes_told_are_the_bytes_written(planned: Packing) -> None:
    assert planned.bytes == COUNT * PIXELS
    assert planned.describe() == f"10 images, 0.00 GB -> {planned.folder}"
    assert not planned.folder.exists()
    said: list[str] = []
    assert planned.run(said.append) == []
    assert said == [f"packed: {number} of 4 shards" for number in (1, 2, 3, 4)]
    assert sum(file.stat().st_size for file in planned.folder.glob("*.pixels")) == planned.bytes
    assert list(packed_problems(planned.folder, planned.images)) == []
    assert_whole(PackedImages(planned.folder, planned.images), sorted(planned.images.iterdir()))


def test_workers_change_no_byte(planned: Packing) -> None:
    planned.run(quietly, workers=1)
    expected = contents(planned.folder)
    shutil.rmtree(planned.folder)
    planned.run(quietly, workers=2)
    assert contents(planned.folder) == expected


def test_the_budget_goes_to_images_with_the_most_instances_per_byte(tmp_path: Path) -> None:
    for number, size in enumerate([(20, 10), (10, 10), (40, 10), (10, 30)]):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((*size, 3), np.uint8))
    (single,) = instances(tmp_path / "absent", 1)
    crowd = [vars(single) | {"image": tmp_path / f"{number}.png"} for number in (0, 1, 2, 2, 2, 3)]
    someone = [type(single)(**fields) for fields in crowd]

    def within(budget: int | None) -> tuple[list[str], int, int, int]:
        found = plan_packing(tmp_path / "packed", tmp_path, someone, budget=budget)
        names = [Path(name).stem for shard in found.shards for name in shard]
        assert budget is None or found.bytes <= budget
        return names, found.bytes, found.left_out, found.left_out_bytes

    assert within(None) == (["0", "1", "2", "3"], 3000, 0, 0)
    assert within(3000) == (["0", "1", "2", "3"], 3000, 0, 0)
    assert within(2999) == (["0", "1", "2"], 2100, 1, 900)
    assert within(1500) == (["1", "2"], 1500, 2, 1500)
    assert within(1499) == (["0", "1"], 900, 2, 2100)
    assert within(0) == ([], 0, 4, 3000)


def test_a_smaller_budget_removes_what_is_over_it(split: CocoKeypoints) -> None:
    pack(split)
    pack(split, budget=0)
    packed = packed_images(split)
    assert [list(shard.entries) for shard in packed.shards] == [["101.png"]], "the unreadable file stays known"
    assert packed.shards[0].bytes == 0
    assert list(packed_problems(packed.folder, packed.images)) == []
    assert not isinstance(packed.open(split.image_folder / "100.png"), PackedPixels)


# Images.


def test_images_that_cannot_be_read_are_named(split: CocoKeypoints) -> None:
    unreadable, absent = pack(split)
    assert "101.png: not an image that OpenCV can decode" in unreadable
    assert "102.png: No such file" in absent
    packed = packed_images(split)
    for name, message in (("101.png", "not an image"), ("102.png", "No such file")):
        assert packed.holds(split.image_folder / name)
        with pytest.raises(ImageError, match=message):
            packed.open(split.image_folder / name)
    assert numbers_written(packed.folder, lambda: pack(split)) == []


def test_images_in_subfolders(tmp_path: Path) -> None:
    coco_test_dev(tmp_path)
    file = tmp_path / "annotations" / f"person_keypoints_{SPLIT}.json"
    document = json.loads(file.read_text())
    document["images"][0]["file_name"] = "a/b/100.png"
    file.write_text(json.dumps(document))
    split = opened(tmp_path)
    moved = split.image_folder / "a" / "b" / "100.png"
    moved.parent.mkdir(parents=True)
    (split.image_folder / "100.png").rename(moved)
    assert pack(split) == []
    assert_whole(packed_images(split), [moved])
    with pytest.raises(DataError, match=r"100\.png: not in the image folder .*elsewhere"):
        plan_packing(tmp_path / "packed", tmp_path / "elsewhere", split.instances())


@pytest.mark.parametrize("name", ["100.png", "101.png", "102.png"])
def test_what_changed_is_packed_again_and_nothing_else(name: str, split: CocoKeypoints) -> None:
    """An image, one that was unreadable and one that was missing, all in the first of two shards."""
    pack(split)
    folder, file = packed_images(split).folder, split.image_folder / name
    cv2.imwrite(str(file), np.full((7, 9, 3), 9, np.uint8))
    (problem,) = packed_problems(folder, split.image_folder) if name != "102.png" else ["it was not packed"]
    assert name == "102.png" or problem.endswith(f"1 image files have changed since, such as {name}; pack again")
    assert numbers_written(folder, lambda: pack(split)) == ["00000"]
    assert_whole(packed_images(split), [file])
    file.unlink()
    assert numbers_written(folder, lambda: pack(split)) == ["00000"]
    assert list(packed_problems(folder, split.image_folder)) == []
    assert len(list(folder.glob("*.pixels"))) == 2, "replaced pixels are removed"


def test_fewer_instances_take_fewer_shards(planned: Packing) -> None:
    planned.run(quietly)
    fewer = plan_packing(planned.folder, planned.images, instances(planned.images.parent / "images", 4))
    for file in planned.images.iterdir():
        os.utime(file, ns=(0, 0))
    assert numbers_written(planned.folder, lambda: fewer.run(quietly)) == ["00000", "00001"]
    assert len(list(planned.folder.glob("[0-9]*"))) == 4
    assert numbers_written(planned.folder, lambda: fewer.run(quietly)) == []


# Killed, full, busy.


def kill_at(planned: Packing, image: Path, workers: int) -> None:
    """Pack in a process that is killed while it, or a worker of it, reads an image."""
    away = image.with_suffix(".away")
    image.rename(away)
    os.mkfifo(image)
    process = multiprocessing.get_context("spawn").Process(target=pack_quietly, args=(planned, workers))
    process.start()
    with image.open("wb") as reached:  # which waits for the reader
        process.kill()
        process.join()
        ended = select.poll()
        ended.register(reached, 0)
        assert ended.poll(30_000), "the process that reads ends, too"
    away.replace(image)


@pytest.mark.parametrize(("workers", "positions"), [(1, (4, 9)), (2, (8,))])
def test_a_packing_that_was_killed_goes_on(workers: int, positions: tuple[int, ...], planned: Packing) -> None:
    planned.run(quietly)
    expected = contents(planned.folder)
    shutil.rmtree(planned.folder)
    names = [name for shard in planned.shards for name in shard]
    for position in positions:
        kill_at(planned, planned.images / names[position], workers)
        done = sorted(file.stem for file in planned.folder.glob("[0-9]*.json"))
        assert f"{position // 3:05d}" not in done
        assert workers > 1 or len(done) == position // 3
        assert list(planned.folder.glob(".*.partial"))
        assert list(packed_problems(planned.folder, planned.images)) == [], "what is there is whole"
        there = [planned.images / name for number in done for name in planned.shards[int(number)]]
        assert_whole(PackedImages(planned.folder, planned.images), there)
    written = numbers_written(planned.folder, lambda: planned.run(quietly))
    assert written == [f"{number:05d}" for number in range(4) if f"{number:05d}" not in done], "the others are kept"
    assert contents(planned.folder) == expected


def test_of_two_packings_at_once_one_is_refused(planned: Packing) -> None:
    planned.folder.mkdir()
    with (
        FileLock(planned.folder / ".lock"),
        pytest.raises(DataError, match="packed: another process is packing this split"),
    ):
        planned.run(quietly)
    planned.run(quietly)


def test_a_second_packing_during_the_first_is_refused(planned: Packing) -> None:
    refused = []

    def say(_said: str) -> None:
        with pytest.raises(DataError, match="another process is packing this split") as error:
            planned.run(quietly)
        refused.append(error)

    planned.run(say)
    assert len(refused) == 4


def test_no_room_is_noticed_before_anything_is_written(planned: Packing, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(planned.images)._replace(free=planned.bytes - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DataError, match=r"packed: 0\.00 GB free, but 0\.00 GB are to be written; set a --budget"):
        planned.run(quietly)
    assert [file.name for file in planned.folder.iterdir()] == [".lock"]
    usage = usage._replace(free=planned.bytes)
    planned.run(quietly)
    usage = usage._replace(free=0)
    planned.run(quietly)  # nothing is to be written


def test_a_folder_that_cannot_be_written_is_named(planned: Packing) -> None:
    planned.folder.write_text("a file")
    with pytest.raises(DataError, match="packed: File exists"):
        planned.run(quietly)
