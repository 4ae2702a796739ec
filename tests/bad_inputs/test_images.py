"""Images: a bad one is named and left out, five others stay; odd ones are decoded as the reference did, by OpenCV."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from bench.pose.data.coco_format import CocoKeypoints
from bench.pose.data.crops import Batch, CropSettings
from bench.pose.data.images import MOST_PIXELS, read_image
from bench.pose.data.loading import evaluation_batches
from bench.pose.skeletons import COCO_17
from tests.bad_inputs.case import Case, Meet, run
from tests.unit import tiny_datasets

IMAGES = Path("coco/images/train2017")
BAD = IMAGES / "100.png"
VERIFY = "data verify coco train2017 --data-root ."

Spoil = Callable[[Path], object]


def case(name: str, spoil: Spoil, *says: str, instances: int = 6) -> Case:
    def build(folder: Path) -> None:
        tiny_datasets.coco_test_dev(folder / "coco")
        spoil(folder / BAD)

    return Case(name, build, VERIFY, (*says, f"{instances} instances to train on"), 1)


def noise() -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)


def jpeg(pixels: npt.NDArray[np.uint8] | None = None, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(noise() if pixels is None else pixels).save(file, "JPEG", **options)
    return file.getvalue()


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def png(width: int, height: int) -> bytes:
    """A PNG that promises so many pixels in a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def with_preview() -> bytes:
    """A JPEG with another, whole, in its header, cut off so that the preview's end mark stands near its end."""
    preview = (
        b"\xff\xe1" + struct.pack(">H", 2 + 600) + cv2.imencode(".jpg", noise()[:8, :8])[1].tobytes()[:600].ljust(600)
    )
    whole = jpeg(quality=90)
    return whole[:2] + preview + whole[2:2000]


def elsewhere(bad: Path) -> None:
    outside = bad.parents[3] / "outside.png"
    bad.rename(outside)
    bad.symlink_to(outside)


def to_itself(bad: Path) -> None:
    bad.unlink()
    bad.symlink_to(bad.name)


def dangling(target: str) -> Spoil:
    def spoil(bad: Path) -> None:
        bad.unlink()
        bad.symlink_to(target)

    return spoil


def folder_in_its_place(bad: Path) -> None:
    bad.unlink()
    bad.mkdir()


def contents(data: bytes) -> Spoil:
    return lambda bad: bad.write_bytes(data)


def replaced(pattern: bytes, by: bytes) -> Spoil:
    def spoil(bad: Path) -> None:
        data = bad.read_bytes()
        bad.write_bytes(data[: len(data) // 2].replace(pattern, by))

    return spoil


LARGE_JPEG = jpeg().replace(struct.pack(">HH", 120, 160), struct.pack(">HH", 65000, 65000), 1)

CASES = [
    case("missing", Path.unlink, "missing: /", "100.png"),
    case("zero bytes", contents(b""), "100.png: the file is empty"),
    case("text", contents(b"no image"), "100.png: not an image that OpenCV can decode (8 bytes)"),
    case("a web page", contents(b"<html>404</html>"), "100.png: not an image that OpenCV can decode"),
    case("PNG cut off", replaced(b"", b""), "100.png: not an image that OpenCV can decode"),
    case("JPEG cut off", contents(jpeg()[:1500]), "100.png: the JPEG is truncated (1500 bytes, no end mark)"),
    case("JPEG cut off behind its preview", contents(with_preview()), "100.png: the JPEG is truncated"),
    case("JPEG of a header alone", contents(b"\xff\xd8\xff\xe0\xff\xff"), "100.png: the JPEG is truncated"),
    case("a bomb of a PNG", contents(png(30_000, 30_000)), f"100.png: 900,000,000 pixels; at most {MOST_PIXELS:,} are"),
    case("a bomb of a JPEG", contents(LARGE_JPEG), "100.png: 4,225,000,000 pixels; at most"),
    case("a PNG without pixels", contents(png(0, 0)), "100.png: "),
    case("a PNG wider than any", contents(png(2_000_000, 1)), "100.png: "),
    case(
        "turned by EXIF",
        contents(jpeg(noise().transpose(1, 0, 2), exif=turned(6))),
        "100.png: its pixels are 120 x 160 (width x height), but it is annotated as 160 x 120; its EXIF orientation",
        "turn the files themselves, for example by `mogrify -auto-orient`, or annotate the stored pixels",
    ),
    case(
        "turned without EXIF",
        contents(jpeg(noise().transpose(1, 0, 2))),
        "100.png: its pixels are 120 x 160 (width x height), but it is annotated as 160 x 120; scale the images or the",
    ),
    case(
        "shrunk to half",
        contents(jpeg(noise()[::2, ::2], exif=turned(6))),
        "100.png: its pixels are 80 x 60 (width x height), but it is annotated as 160 x 120; scale the images or the",
    ),
    case("a link to itself", to_itself, "missing: /", "100.png is a link to 100.png, which is not there"),
    case("a folder in its place", folder_in_its_place, "missing: /", "100.png"),
    case(
        "a link out of the data",
        elsewhere,
        "image 100: '100.png' is a link out of the image folder, to /",
        "outside.png; if you trust it, use --allow-links",
        instances=5,
    ),
    case(
        "a link that dangles",
        dangling("../gone.png"),
        "100.png is a link to ../gone.png, which is not there",
        instances=5,
    ),
    case(
        "a link that dangles inside", dangling("gone.png"), "missing: /", "100.png is a link to gone.png, which is not"
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_images(case: Case, meet: Meet, tmp_path: Path) -> None:
    meet(case)
    loaded, broken, problems = loaded_instances(tmp_path)
    assert loaded == 5, "the others are not taken down"
    assert ["100.png" in said for said in (*broken, *problems)] == [True], "it is named once"


def loaded_instances(folder: Path, *, allow_links: bool = False) -> tuple[int, list[str], list[str]]:
    """How many instances are cropped, what is said of broken images, and of those that are not even opened."""
    split = CocoKeypoints(folder / "coco", "train2017", COCO_17, allow_links=allow_links)
    (batch,) = evaluation_batches(split.instances(), CropSettings((64, 64), "rgb", COCO_17), batch_size=6)
    assert isinstance(batch, Batch), "somebody can be seen"
    return len(batch), [reason for _, reason in batch.broken], split.problems


def test_a_data_set_that_is_a_link_is_the_user_s_own_doing(tmp_path: Path) -> None:
    tiny_datasets.coco_test_dev(tmp_path / "disk" / "coco")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "coco").symlink_to(tmp_path / "disk" / "coco")
    images = tmp_path / "disk" / "coco" / "images" / "train2017"
    images.rename(tmp_path / "elsewhere")
    images.symlink_to(tmp_path / "elsewhere")
    assert loaded_instances(tmp_path / "data") == (6, [], [])
    assert run(f"data verify coco train2017 --data-root {tmp_path / 'data'}")[1].count("is a link") == 0


@pytest.mark.parametrize("folders", [False, True], ids=["each file", "a folder of them"])
def test_links_may_be_allowed(folders: bool, tmp_path: Path) -> None:
    """As in a cache of Hugging Face, where every image is a link; a path out of the folder stays refused."""
    tiny_datasets.coco_test_dev(tmp_path / "coco")
    images, store = tmp_path / IMAGES, tmp_path / "store"
    if folders:
        images.rename(store)
        images.mkdir()
        (images / "part").symlink_to(store)
    else:
        images.rename(store)
        images.mkdir()
        for file in store.iterdir():
            (images / file.name).symlink_to(file)
    file = tmp_path / "coco/annotations/person_keypoints_train2017.json"
    contents = json.loads(file.read_text())
    for image in contents["images"]:
        image["file_name"] = f"part/{image['file_name']}" if folders else image["file_name"]
    contents["images"][0]["file_name"] = "../../../store/100.png"
    file.write_text(json.dumps(contents))
    refused = run(f"data verify coco train2017 --data-root {tmp_path}")[1]
    assert "is a link out of the image folder, to" in refused
    assert "instances to train on" not in refused
    allowed = run(f"data verify coco train2017 --data-root {tmp_path} --allow-links")[1]
    assert "is a link" not in allowed
    assert "file name '../../../store/100.png' leaves the image folder" in allowed
    assert "5 instances to train on" in allowed
    assert "5 images, 0.00 GB" in run(f"data pack coco train2017 --data-root {tmp_path} --allow-links")[1]
    loaded, broken, _ = loaded_instances(tmp_path, allow_links=True)
    assert (loaded, broken) == (5, [])


@pytest.mark.parametrize("link", ["coco", "coco/images/train2017", "coco/annotations/person_keypoints_train2017.json"])
def test_a_link_to_nothing_on_the_way_is_told(link: str, tmp_path: Path) -> None:
    tiny_datasets.coco_test_dev(tmp_path / "coco")
    (tmp_path / link).rename(tmp_path / "elsewhere")
    (tmp_path / link).symlink_to("gone")
    status, said = run(f"data verify coco train2017 --data-root {tmp_path}")
    assert status in {1, 3}
    assert f"{tmp_path / link} is a link to gone, which is not there" in said


# What is odd but sound: decoded as OpenCV's imread with IMREAD_COLOR | IMREAD_IGNORE_ORIENTATION, which the reference
# used, into 8 bit BGR.


def decoded(folder: Path, data: bytes) -> npt.NDArray[np.uint8]:
    file = folder / "odd"
    file.write_bytes(data)
    return read_image(file)


def test_16_bits_become_the_upper_8_rounded(tmp_path: Path) -> None:
    values = np.array([[0, 255, 256, 257, 32768, 65535]], np.uint16)
    found = decoded(tmp_path, cv2.imencode(".png", np.dstack([values] * 3))[1].tobytes())
    assert found[0, :, 0].tolist() == [0, 0, 1, 1, 128, 255]


def test_grey_stands_in_all_channels(tmp_path: Path) -> None:
    assert decoded(tmp_path, cv2.imencode(".png", np.array([[7]], np.uint8))[1].tobytes()).tolist() == [[[7, 7, 7]]]


def test_alpha_is_dropped_not_blended(tmp_path: Path) -> None:
    pixel = np.array([[[10, 20, 30, 0]]], np.uint8)
    assert decoded(tmp_path, cv2.imencode(".png", pixel)[1].tobytes()).tolist() == [[[10, 20, 30]]]


def test_cmyk_becomes_bgr(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.new("CMYK", (16, 16), (255, 0, 0, 0)).save(file, "JPEG", quality=100)
    np.testing.assert_allclose(decoded(tmp_path, file.getvalue())[0, 0], [255, 255, 0], atol=2)


def test_the_orientation_of_exif_is_ignored(tmp_path: Path) -> None:
    assert decoded(tmp_path, jpeg(exif=turned(6))).shape == (120, 160, 3)
