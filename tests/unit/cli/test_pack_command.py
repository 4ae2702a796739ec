"""`bench data pack`, and damage to what it wrote: found, refused, fixed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from bench.cli import app
from bench.pose.data import verify as verification
from bench.pose.data.images import read_image
from bench.pose.data.pixels import packing
from bench.pose.data.pixels.packed import PackedImages, PackedPixels, packed_problems
from bench.pose.errors import DataError, UnknownNameError
from tests.unit.tiny_datasets import HEIGHT, INSTANCES, WIDTH, coco_test_dev, crowdpose, mpii

PIXELS = HEIGHT * WIDTH * 3


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "SHARD_IMAGES", 3)
    monkeypatch.setattr(verification, "KNOWN", {})


def call(root: Path, command: str, *arguments: str) -> Result:
    more = ("--workers", "1") if command == "pack" else ()
    return CliRunner().invoke(app, ["data", command, *arguments, "--data-root", str(root), *more])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """With MPII, packed."""
    mpii(tmp_path / "mpii")
    assert call(tmp_path, "pack", "mpii", "train").exit_code == 0
    return tmp_path


def images(root: Path) -> PackedImages:
    return PackedImages(root / "mpii" / "packed" / "train", root / "mpii" / "images")


def open_all(root: Path) -> int:
    """How many images are packed and right; the others are decoded."""
    packed, count = images(root), 0
    for number in range(INSTANCES):
        path = root / "mpii" / "images" / f"{number}.png"
        found = packed.open(path)
        np.testing.assert_array_equal(found.pixels, read_image(path))
        count += isinstance(found, PackedPixels)
    return count


# The command.


@pytest.mark.parametrize(
    ("dataset", "make", "split", "count"),
    [
        ("mpii", mpii, "valid", INSTANCES),
        ("crowdpose", crowdpose, "test", INSTANCES),
        ("coco", coco_test_dev, "train2017", INSTANCES),
        ("coco", coco_test_dev, "test-dev2017", INSTANCES),
    ],
)
def test_every_split_is_packed(
    dataset: str, make: Callable[[Path], Path], split: str, count: int, tmp_path: Path
) -> None:
    """Where instances are annotated, where only boxes are known, and where both are."""
    folder = make(tmp_path / dataset)
    result = call(tmp_path, "pack", dataset, split)
    assert result.exit_code == 0
    told, *steps = result.stdout.splitlines()
    assert told == f"{count} images, 0.00 GB -> {folder / 'packed' / split}"
    assert steps == [f"{split}: 1 of 2 shards", f"{split}: 2 of 2 shards"]
    written = [file.stat().st_size for file in (folder / "packed" / split).glob("*.pixels")]
    assert written == [3 * PIXELS, 3 * PIXELS]
    assert call(tmp_path, "verify", dataset, split).exit_code == 0
    assert call(tmp_path, "pack", dataset, split).stdout.splitlines() == [told]


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    mpii(tmp_path / "mpii")
    result = call(tmp_path, "pack", "mpii", "train", "--dry-run", "--budget", str(2 * PIXELS / 1e9))
    assert (result.exit_code, result.stdout) == (
        0,
        f"2 images, 0.00 GB -> {tmp_path / 'mpii/packed/train'}; over the budget: 4 images, 0.00 GB\n",
    )
    assert not (tmp_path / "mpii" / "packed").exists()


def test_the_budget_is_kept(root: Path) -> None:
    call(root, "pack", "mpii", "train", "--budget", str(2 * PIXELS / 1e9))
    assert images(root).bytes == 2 * PIXELS
    assert open_all(root) == 2
    call(root, "pack", "mpii", "train", "--budget", "0")
    assert images(root).shards == []
    assert not list(images(root).folder.glob("*.pixels"))
    assert call(root, "pack", "mpii", "train", "--budget", "-1").exit_code == 2


def test_images_that_cannot_be_read_are_told_on_the_side(root: Path) -> None:
    (root / "mpii" / "images" / "1.png").write_text("no image")
    result = call(root, "pack", "mpii", "train")
    assert result.exit_code == 0
    assert result.stderr.startswith("left out: ")
    assert "1.png: not an image that OpenCV can decode" in result.stderr
    assert "1.png" not in result.stdout


def test_what_there_is_nothing_of_is_refused(tmp_path: Path) -> None:
    for dataset, split, error in (("mpi", "train", UnknownNameError), ("coco", "val2017", DataError)):
        result = call(tmp_path, "pack", dataset, split)
        assert result.exit_code == 1
        assert isinstance(result.exception, error)
    assert not list(tmp_path.iterdir())


# Damage.


def truncated(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def overwritten(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(file.stat().st_size // 2)
        opened.write(b"\xff\x00\xff")


DAMAGES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "pixels cut": ("00000-*.pixels", truncated, f"has {3 * PIXELS // 2:,} bytes instead of {3 * PIXELS:,}; pack the"),
    "pixels gone": ("00000-*.pixels", Path.unlink, "is missing; pack the split again, or remove"),
    "index cut": ("00001.json", truncated, "00001.json: not valid JSON"),
    "index empty": ("00001.json", lambda file: os.truncate(file, 0), "00001.json: not valid JSON"),
    "index of others": ("00001.json", lambda file: file.write_text("[]"), "not an index of packed images"),
    "index to come": ("00001.json", lambda file: file.write_text('{"schema": 3}'), "schema 3, expected 2"),
}


@pytest.mark.parametrize(("pattern", "damage", "message"), DAMAGES.values(), ids=DAMAGES)
def test_damage_is_found_refused_and_fixed(
    pattern: str, damage: Callable[[Path], object], message: str, root: Path
) -> None:
    (file,) = images(root).folder.glob(pattern)
    damage(file)
    found = call(root, "verify", "mpii", "train")
    assert found.exit_code == 1
    assert message in found.stdout
    with pytest.raises(DataError, match=message):
        open_all(root)
    assert call(root, "pack", "mpii", "train").exit_code == 0
    assert call(root, "verify", "mpii", "train").exit_code == 0
    assert open_all(root) == INSTANCES


def test_pixels_that_rotted_are_found_by_their_hash(root: Path) -> None:
    packed = images(root)
    (file,) = packed.folder.glob("00001-*.pixels")
    overwritten(file)
    found = call(root, "verify", "mpii", "train")
    assert found.exit_code == 1
    advice = f"{file}: its pixels are not those that were packed; remove it and pack again"
    assert advice in found.stdout
    assert list(packed_problems(packed.folder, packed.images)) == [advice]
    file.unlink()
    call(root, "pack", "mpii", "train")
    assert call(root, "verify", "mpii", "train").exit_code == 0
    assert open_all(root) == INSTANCES


def test_an_index_with_any_wrong_byte_is_refused_or_gives_no_wrong_pixel(root: Path) -> None:
    (file,) = images(root).folder.glob("00001.json")
    sound = file.read_bytes()
    refused = 0
    for position in range(len(sound)):
        for wrong in (b"9", b"-", b'"', b"\xff"):
            file.write_bytes(sound[:position] + wrong + sound[position + 1 :])
            try:
                open_all(root)
            except DataError:
                refused += 1
    assert refused > len(sound)
