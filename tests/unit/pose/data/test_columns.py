"""Instances in columns are what they were as objects, and the cache never tells another story than the file."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import re
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.pose.data import columns as columns_module
from bench.pose.data import instances as instances_module
from bench.pose.data.augmentation import Augmentation
from bench.pose.data.coco_format import CocoKeypoints
from bench.pose.data.columns import OUTDATED, ColumnCache
from bench.pose.data.crops import Batch, CropSettings
from bench.pose.data.datasets import dataset_info
from bench.pose.data.instances import Instance, Instances
from bench.pose.data.loading import Position, training_batches
from bench.pose.data.mpii import MpiiInstances
from bench.pose.data.verify import verify
from bench.pose.errors import DataError
from bench.pose.skeletons import COCO_17, CROWDPOSE_14
from tests.unit import tiny_datasets

FORK = multiprocessing.get_context("fork")
POINTS = 5

finite = st.floats(-1e9, 1e9, width=64)
ids = st.integers(-(2**63) + 1, 2**63 - 1)
name = st.text(st.characters(exclude_characters="/\0", exclude_categories=()), min_size=1).filter(
    lambda text: text not in {".", ".."}
)
side = st.one_of(st.integers(1, 100_000), st.floats(0.25, 1e6))


@st.composite
def instance(draw: st.DrawFn) -> Instance:
    """Any instance, its numbers extreme and its image's name in any script."""
    pair = arrays.arrays(np.float64, 2, elements=finite)
    return Instance(
        image=Path("/images", *draw(st.lists(name, min_size=1, max_size=3))),
        image_id=draw(ids),
        annotation_id=draw(ids),
        box=draw(arrays.arrays(np.float64, 4, elements=st.floats(allow_nan=True))),
        keypoints=draw(arrays.arrays(np.float64, (POINTS, 2), elements=st.floats(allow_nan=True))),
        visible=draw(arrays.arrays(bool, POINTS)),
        area=draw(st.floats(allow_nan=False)),
        score=draw(st.floats(allow_nan=False)),
        given_crop=draw(st.none() | st.tuples(pair, pair)),
        image_size=draw(st.none() | st.tuples(side, side)),
    )


def fields(one: Instance) -> tuple[Any, ...]:
    crop = one.given_crop and tuple(part.tobytes() for part in one.given_crop)
    numbers = one.image_id, one.annotation_id, one.area, one.score, one.image_size, crop
    return str(one.image), *numbers, one.box.tobytes(), one.keypoints.tobytes(), one.visible.tobytes()


def pickled(instances: Instances) -> Instances:
    """As a spawned process gets them."""
    found: Instances = pickle.loads(pickle.dumps(instances))  # noqa: S301  # our own
    return found


def told(opened: CocoKeypoints | MpiiInstances) -> tuple[Any, ...]:
    """All instances and all that is said of them."""
    found = [fields(one) for one in opened.instances()]
    return found, opened.problems, opened.notes, getattr(opened, "left_out", None)


@settings(max_examples=25, deadline=None)
@given(st.lists(instance(), max_size=6), st.data())
def test_instances_survive_columns_files_and_pickling(
    tmp_path_factory: pytest.TempPathFactory, given_instances: list[Instance], data: st.DataObject
) -> None:
    expected = [fields(one) for one in given_instances]
    packed = Instances.of(given_instances)
    cache = ColumnCache(tmp_path_factory.mktemp("columns"), "train", "0" * 64, ())
    kept = cache.keep(packed._columns)
    found = cache.find()
    assert kept.source is not None
    assert found is not None
    mapped = [Instances(each, Path(), packed._rows) for each in (kept, found)]
    for way in (packed, pickled(packed), *mapped, pickled(mapped[0])):
        assert [fields(one) for one in way] == expected
        assert list(way.images) == list(dict.fromkeys(one.image for one in given_instances))
        assert way.image_paths == [one.image for one in given_instances]
    chosen = data.draw(st.lists(st.sampled_from(range(len(expected))))) if expected else []
    assert [fields(one) for one in packed.take(chosen)] == [expected[position] for position in chosen]
    assert [fields(one) for one in packed[1:][::-1]] == expected[1:][::-1]
    assert Instances.of(packed) is packed


def write(folder: Path, contents: Any) -> Path:
    file = folder / "annotations" / "person_keypoints_train.json"
    file.write_text(json.dumps(contents))
    return file


def coco(folder: Path) -> Path:
    """With what is left out, repeated, or understood although it is written otherwise."""
    tiny_datasets.coco_format(folder, COCO_17.keypoints)
    contents = tiny_datasets.coco_like(COCO_17.keypoints)
    first, second, third, *_ = contents["annotations"]
    contents["annotations"] = [
        third | {"id": 40, "iscrowd": 1},
        *contents["annotations"],
        first | {"id": 41, "bbox": [10, 10, 0, 20]},
        second | {"id": 42, "keypoints": [0] * 51, "num_keypoints": 0},
        second | {"id": 43, "keypoints": [None, *second["keypoints"][1:]]},
        third | {"id": 44, "image_id": 7},
        third | {"id": "45", "bbox": [5, 6, 70, 80.5], "area": 12.5},
        third | {"id": 46, "category_id": 9},
        third | {"id": 47, "image_id": 8, "segmentation": [[1, 2.5], [3e1]]},
    ]
    contents["images"] += [
        {"id": 8, "file_name": "../8.png", "width": 10, "height": 10.5},
        {"id": 9, "file_name": "9.png", "width": 0, "height": 10},
    ]
    contents["categories"].append({"id": 9, "name": "chär"})
    write(folder, contents)
    return folder


def mpii(folder: Path) -> Path:
    """With an unusable instance, an image outside the folder, and an unknown center."""
    entries = [tiny_datasets.mpii_instance(number) for number in range(tiny_datasets.INSTANCES)]
    entries[1] |= {"center": [-1, -1]}
    entries[2] |= {"scale": 0}
    entries[3] |= {"image": "../3.png"}
    return tiny_datasets.mpii(folder, entries)


FORMATS: dict[str, tuple[str, str, Callable[[Path], Path]]] = {
    "coco": ("lspet", "train", coco),
    "crowdpose": ("crowdpose", "trainval", tiny_datasets.crowdpose),
    "lspet": ("lspet", "train", lambda folder: tiny_datasets.coco_format(folder, CROWDPOSE_14.keypoints)),
    "mpii": ("mpii", "train", mpii),
}


def opened(kind: str, folder: Path, subset: int | None = None) -> CocoKeypoints | MpiiInstances:
    name, split, _ = FORMATS[kind]
    if kind == "coco":
        return CocoKeypoints(folder, split, COCO_17, subset=subset)
    return dataset_info(name).read(folder, split, subset)


def cached(folder: Path) -> list[Path]:
    return sorted(folder.glob("columns/*"))


@pytest.fixture
def caching(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files too."""
    monkeypatch.setattr(instances_module, "LARGE", 0)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("subset", [None, 4])
def test_cached_instances_are_those_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, subset: int | None
) -> None:
    FORMATS[kind][2](tmp_path)
    expected = told(opened(kind, tmp_path, subset))
    assert cached(tmp_path) == [], "a small file is read each time"
    assert len(expected[0]) > 2
    monkeypatch.setattr(instances_module, "LARGE", 0)
    assert told(opened(kind, tmp_path, subset)) == expected
    assert len(cached(tmp_path)) == 1
    with monkeypatch.context() as patched:
        patched.setattr(CocoKeypoints, "_make_columns", None)
        patched.setattr(MpiiInstances, "_make_columns", None)
        assert told(opened(kind, tmp_path, subset)) == expected, "not read again"
    if kind == "coco":
        assert expected[1], "there are problems to tell"


@pytest.mark.parametrize("kind", ["crowdpose", "mpii"])
def test_verification_finds_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    name, split, fill = FORMATS[kind]
    fill(tmp_path)
    expected = verify(dataset_info(name), tmp_path, split)
    assert expected.counts["instances"] > 2
    monkeypatch.setattr(instances_module, "LARGE", 0)
    assert [verify(dataset_info(name), tmp_path, split) for _ in range(2)] == [expected] * 2
    assert len(cached(tmp_path)) == 1


@pytest.mark.usefixtures("caching")
def test_detections_and_paths_are_those_of_the_file(tmp_path: Path) -> None:
    tiny_datasets.coco_test_dev(tmp_path)
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps(tiny_datasets.boxes()))
    info = dataset_info("coco")
    for _ in range(2):
        split = info.read(tmp_path, "test-dev2017")
        assert isinstance(split, CocoKeypoints)
        found = split.detections(boxes)
        assert [one.image_id for one in found] == [box["image_id"] for box in tiny_datasets.boxes()]
        assert [(one.box.tolist(), one.score) for one in found] == [
            (box["bbox"], box["score"]) for box in tiny_datasets.boxes()
        ]
        assert not any(one.visible.any() or one.keypoints.any() for one in found)
        assert list(split.image_paths()) == list(dict.fromkeys(one.image for one in found))
        assert [fields(one) for one in pickled(found)] == [fields(one) for one in found]
    assert len(cached(tmp_path)) == 1


def test_batches_are_the_same_to_the_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    coco(tmp_path)

    def batches(workers: int) -> list[bytes]:
        split = opened("coco", tmp_path)
        crops = CropSettings((64, 48), "rgb", COCO_17)
        found = training_batches(
            split.instances(), crops, Augmentation(), batch_size=3, epochs=2, seed=3, start=Position(), workers=workers
        )
        parts = [(one.images, one.keypoints, one.visible, one.indices) for one in found if isinstance(one, Batch)]
        return [values.numpy().tobytes() for part in parts for values in part]

    expected = batches(0)
    monkeypatch.setattr(instances_module, "LARGE", 0)
    assert batches(0) == batches(2) == expected


@pytest.mark.usefixtures("caching")
def test_an_edit_that_leaves_size_and_time_is_seen(tmp_path: Path) -> None:
    coco(tmp_path)
    before = opened("coco", tmp_path)
    assert told(before)
    file = before.annotation_file
    text, found = file.read_text(), file.stat()
    file.write_text(text.replace("90, 100]", "80, 100]"))
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (found.st_size, found.st_mtime_ns)
    boxes = [one.box.tolist() for one in opened("coco", tmp_path).instances()]
    assert [20.0, 10.0, 79.0, 99.0] in boxes
    assert [20.0, 10.0, 89.0, 99.0] not in boxes
    file.write_text(text)
    assert told(opened("coco", tmp_path)) == told(before), "and back"


@pytest.mark.usefixtures("caching")
def test_rules_and_code_are_part_of_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_datasets.crowdpose(tmp_path)
    opened("crowdpose", tmp_path).instances()
    CocoKeypoints(tmp_path, "trainval", CROWDPOSE_14, dataset_info("crowdpose").layout).instances()
    assert len(cached(tmp_path)) == 2, "the protocol leaves out other instances"
    monkeypatch.setattr(columns_module, "_code", lambda: "another version of bench")
    opened("crowdpose", tmp_path).instances()
    assert len(cached(tmp_path)) == 3


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flip(data: bytes) -> bytes:
    return data[:-200] + bytes([data[-200] ^ 1]) + data[-199:]


def zero_end(data: bytes) -> bytes:
    """As a power cut may leave it."""
    return data[:4096] + bytes(len(data) - 4096)


def _overwrite(file: Path) -> None:
    with file.open("r+b") as opened_file:
        opened_file.write(bytes(file.stat().st_size))


@pytest.mark.usefixtures("caching")
@pytest.mark.parametrize("damage", [cut, flip, zero_end, lambda _: b"", lambda _: b"not ours"])
def test_a_damaged_file_is_made_again(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    coco(tmp_path)
    expected = told(opened("coco", tmp_path))
    (file,) = cached(tmp_path)
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert told(opened("coco", tmp_path)) == expected
    assert file.read_bytes() == whole


@pytest.mark.usefixtures("caching")
def test_a_file_that_another_user_keeps_private_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    coco(tmp_path)
    expected = told(opened("coco", tmp_path))
    monkeypatch.setattr(columns_module, "read_columns", lambda _path, _key: None)
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    before = cached(tmp_path)[0].stat()
    assert told(opened("coco", tmp_path)) == expected
    assert cached(tmp_path)[0].stat() == before


@pytest.mark.usefixtures("caching")
def test_a_file_of_another_key_under_the_name_is_not_used(tmp_path: Path) -> None:
    coco(tmp_path)
    expected = told(opened("coco", tmp_path))
    (file,) = cached(tmp_path)
    other = tmp_path / "other"
    tiny_datasets.coco_format(other, COCO_17.keypoints)
    opened("coco", other).instances()
    cached(other)[0].replace(file)
    assert told(opened("coco", tmp_path)) == expected


def start_together(folder: Path, barrier: Any, tell: Any) -> None:
    split = opened("coco", folder)
    assert split.sha256
    barrier.wait(30)
    tell.send(told(split))


@pytest.mark.usefixtures("caching")
def test_processes_that_start_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    coco(tmp_path)
    barrier, pipes = FORK.Barrier(4), [FORK.Pipe(duplex=False) for _ in range(4)]
    children = [FORK.Process(target=start_together, args=(tmp_path, barrier, tell)) for _, tell in pipes]
    for child in children:
        child.start()
    found = [ours.recv() for ours, _ in pipes]
    for child in children:
        child.join(30)
        assert child.exitcode == 0
    assert found == [told(opened("coco", tmp_path))] * 4
    assert [file.suffix for file in cached(tmp_path)] == [".columns"]


def killed_writing(folder: Path) -> None:
    write = columns_module._write_columns

    def half(path: Path, key: str, columns: Any) -> None:
        write(path, key, columns)
        path.write_bytes(cut(path.read_bytes()))
        os.kill(os.getpid(), signal.SIGKILL)

    columns_module._write_columns = half
    opened("coco", folder).instances()


@pytest.mark.usefixtures("caching")
def test_a_killed_writer_leaves_no_damage(tmp_path: Path) -> None:
    coco(tmp_path)
    child = FORK.Process(target=killed_writing, args=(tmp_path,))
    child.start()
    child.join(30)
    assert child.exitcode == -signal.SIGKILL
    (partial,) = cached(tmp_path)
    found = told(opened("coco", tmp_path))
    assert found == told(opened("coco", tmp_path))
    os.utime(partial, (0, partial.stat().st_mtime - OUTDATED))
    (whole,) = (file for file in cached(tmp_path) if file != partial)
    whole.unlink()
    opened("coco", tmp_path).instances()
    assert cached(tmp_path) == [whole], "what was left is removed in time"


def out_of_room(folder: Path, tell: Any) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))  # writing fails half-way
    split = opened("coco", folder)
    tell.send((told(split), split.columns.source))


@pytest.mark.usefixtures("caching")
def test_without_room_nothing_is_lost(tmp_path: Path) -> None:
    coco(tmp_path)
    ours, tell = FORK.Pipe(duplex=False)
    child = FORK.Process(target=out_of_room, args=(tmp_path, tell))
    child.start()
    found, source = ours.recv()
    child.join(30)
    assert source is None
    assert cached(tmp_path) == []
    assert found == told(opened("coco", tmp_path))


@pytest.mark.usefixtures("caching")
def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    coco(tmp_path)
    expected = told(opened("coco", tmp_path))
    cached(tmp_path)[0].unlink()
    (tmp_path / "columns").rmdir()

    def refused(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refused)
    split = opened("coco", tmp_path)
    assert told(split) == expected
    assert split.columns.source is None
    assert [fields(one) for one in pickled(split.instances())] == expected[0]


@pytest.mark.usefixtures("caching")
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    coco(tmp_path)
    split = opened("coco", tmp_path)
    assert split.sha256
    write(tmp_path, tiny_datasets.coco_like(COCO_17.keypoints))
    with pytest.raises(DataError, match=r"person_keypoints_train\.json: changed while it was read"):
        split.instances()


@pytest.mark.usefixtures("caching")
def test_instances_are_read_only(tmp_path: Path) -> None:
    coco(tmp_path)
    for _ in range(2):
        one = opened("coco", tmp_path).instances()[0]
        for values in (one.box, one.keypoints, one.visible):
            with pytest.raises(ValueError, match="read-only"):
                values[:] = 0


def shared_pages(instances: Instances, tell: Any) -> None:
    assert sum(one.keypoints.sum() + one.box.sum() + one.area for one in instances)
    place = instances._columns.keypoints.ctypes.data
    for region in re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text()):
        begin, end = (int(number, 16) for number in region.split()[0].split("-"))
        if begin <= place < end:
            tell.send({name: int(size) for name, size in re.findall(r"(\w+):\s+(\d+) kB", region)})


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_forked_processes_share_the_pages_and_spawned_ones_get_a_name(tmp_path: Path) -> None:
    pose = np.ones((17, 2)), np.ones(17, dtype=bool)
    many = Instances.of([Instance(Path(f"{n}.jpg"), n, n, np.ones(4), *pose, 1.0) for n in range(20_000)])
    columns = ColumnCache(tmp_path, "train", "0" * 64, ()).keep(many._columns)
    instances = Instances(columns, Path(), np.arange(20_000))
    assert len(pickle.dumps(instances)) < 200_000, "rows and the name of the file"
    assert pickled(instances)._columns.source == columns.source
    ours, tell = FORK.Pipe(duplex=False)
    child = FORK.Process(target=shared_pages, args=(instances, tell))
    child.start()
    sizes = ours.recv()
    child.join(30)
    assert sizes["Rss"] > 5000, "kB"
    assert sizes["Private_Clean"] + sizes["Private_Dirty"] < sizes["Rss"] / 4


@pytest.mark.usefixtures("caching")
@pytest.mark.parametrize("damage", [lambda file: os.truncate(file, 100), _overwrite])
def test_damage_to_a_file_in_use_changes_no_number(damage: Callable[[Path], object], tmp_path: Path) -> None:
    coco(tmp_path)
    opened("coco", tmp_path).instances()
    used = opened("coco", tmp_path).instances()
    before = used.column("keypoints")
    (file,) = (tmp_path / "columns").glob("*.columns")
    damage(file)
    np.testing.assert_array_equal(used.column("keypoints"), before)
