"""Preparing datasets: public archives are fetched, the rest is explained."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.pose.data.datasets import DatasetInfo
from bench.pose.data.download import Download, Watch, fetch, unpack
from bench.pose.errors import DataError, UnknownNameError
from bench.pose.models.backbone import BACKBONES
from bench.pose.models.weights import IMAGENET_FILES, fetch_weights, file_of, find_weights
from bench.pose.models.weights_file import WeightsFile

__all__ = [
    "ARCHIVES",
    "Archive",
    "instructions",
    "prepare",
    "prepare_command",
    "prepare_imagenet",
]

GIGA = 1e9

Say = Callable[[str], object]


@dataclass(frozen=True)
class Archive:
    """A zip file of a dataset with a public address.

    Attributes:
        download: address and checksum.
        into: folder to unpack it in, relative to the dataset's.
        splits: splits that need it.
    """

    download: Download
    into: str
    splits: tuple[str, ...]


COCO_SERVER = "http://images.cocodataset.org"

ARCHIVES: Mapping[str, tuple[Archive, ...]] = {
    "coco": (
        Archive(
            Download(
                f"{COCO_SERVER}/annotations/annotations_trainval2017.zip",
                252_907_541,
                "sha256:113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268",
            ),
            ".",
            ("train2017", "val2017"),
        ),
        Archive(
            Download(
                f"{COCO_SERVER}/zips/val2017.zip",
                815_585_330,
                "sha256:4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05",
            ),
            "images",
            ("val2017",),
        ),
        Archive(
            Download(f"{COCO_SERVER}/zips/train2017.zip", 19_336_861_798, "md5:cced6f7f71b7629ddf16f17bbcfab6b2"),
            "images",
            ("train2017",),
        ),
        Archive(
            Download(f"{COCO_SERVER}/zips/test2017.zip", 6_646_970_404, "md5:77ad2c53ac5d0aea611d422c0938fb35"),
            "images",
            ("test-dev2017",),
        ),
    )
}
"""Zip files with a public address, by dataset. COCO publishes no checksums; these are in common use."""

BY_HAND: Mapping[str, str] = {
    "coco": """\
person_detection_results/COCO_val2017_detections_AP_H_56_person.json
person_detection_results/COCO_test-dev2017_detections_AP_H_609_person.json
    the detected boxes of the published results; the HRNet and Simple Baselines repositories link to them
annotations/image_info_test-dev2017.json
    from http://images.cocodataset.org/annotations/image_info_test2017.zip (its checksum is not known)""",
    "crowdpose": """\
annotations/crowdpose_{train,val,trainval,test}.json
images/*.jpg
    from https://github.com/jeffffffli/CrowdPose, which links to the image archive
annotations/det_for_crowd_test_0.1_0.5.json
    the detected boxes of MMPose's results; its CrowdPose instructions link to them""",
    "mpii": """\
images/*.jpg
    from http://human-pose.mpi-inf.mpg.de, mpii_human_pose_v1.tar.gz
annot/{train,valid}.json
annot/gt_valid.mat
    the annotations in the reference's format; the HRNet and Simple Baselines repositories link to them""",
    "lspet": """\
joints.mat
original/im00001.jpg to im10000.jpg
    from https://sam.johnson.io/research/lspet.html; the same command then converts them""",
    "synthetic": """\
nothing: it is drawn on first use, or by bench data synthesize""",
}
"""Files to get by hand, relative to the dataset's folder."""


def instructions(info: DatasetInfo, folder: Path) -> str:
    """Files to get by hand; those of a dataset that is not built in follow from its layout."""
    return f"To be put into {folder} by hand:\n{BY_HAND.get(info.name) or _described(info)}"


def _described(info: DatasetInfo) -> str:
    layouts = dict.fromkeys([info.layout, *(layout for _, layout in info.other_layouts)])
    lines = [f"{layout.annotations}\n{' or '.join(layout.images)}/" for layout in layouts]
    lines += [f"{boxes}\n    a detector's boxes of split {split}" for split, boxes in info.detector_boxes]
    return "\n".join([*lines, f"    from {info.source}" if info.generate is None else "    or drawn on first use"])


def prepare_command(info: DatasetInfo, splits: Iterable[str], root: Path, suite: str | None = None) -> str:
    """The command that gets splits of a dataset or says how; a dataset that is not built in needs its suite."""
    option = f" --suite {shlex.quote(suite)}" if suite is not None and info.name not in BY_HAND else ""
    return shlex.join(["bench", "data", "prepare", info.name, *splits, "--data-root", str(root)]) + option


def prepare(info: DatasetInfo, folder: Path, splits: tuple[str, ...], say: Say, *, dry_run: bool = False) -> None:
    """Fetch, unpack and convert the dataset as far as possible, and say what else is needed; resumable.

    Args:
        info: the dataset.
        folder: its folder.
        splits: splits to prepare; empty for all.
        say: called with lines about what is done and what is left to do.
        dry_run: only say it.

    Raises:
        UnknownNameError: the dataset's downloads are by split, and none is of such a split.
        DataError: there is no connection or no room, or a download has the wrong contents.
    """
    archives = ARCHIVES.get(info.name, ())
    known = sorted({split for archive in archives for split in archive.splits})
    for split in splits:
        if known and split not in known:
            raise UnknownNameError("split", split, known)
    for archive in archives:
        if not splits or set(splits) & set(archive.splits):
            if _is_there(info, archive, folder):
                say(f"{archive.download.name}: its files are in {folder / archive.into}")
            else:
                _get(archive, folder, say, dry_run=dry_run)
    if info.name == "lspet" and (folder / "joints.mat").is_file():
        say(f"{folder / 'joints.mat'} -> {folder / 'annotations'}, {folder / 'images'}")
        if not dry_run:
            _convert_lspet(folder, say)
    else:
        say(instructions(info, folder))


def prepare_imagenet(folder: Path, backbones: Sequence[str], say: Say, *, dry_run: bool = False) -> None:
    """Fetch the ImageNet weights of these backbones into a folder, and say which to get by hand.

    Args:
        folder: `DATA_ROOT/imagenet`.
        backbones: names; none for all built-in ones.
        say: called with lines about what is done and what is left to do.
        dry_run: only say it.

    Raises:
        BenchError: there is no such backbone, or timm is needed to know its weights.
        CheckpointError: weights cannot be had.
    """
    for backbone in backbones:
        BACKBONES.named(backbone)
    first: dict[WeightsFile, str] = {}
    for backbone in backbones or IMAGENET_FILES:
        first.setdefault(file_of(backbone), backbone)
    for file, backbone in first.items():
        found = find_weights(backbone, folder)
        if found.there and dry_run:
            say(f"{found.path}: is there")
        elif not (found.there or found.public):
            say(found.remedy)
        elif dry_run:
            say(f"{file.url or f'what timm publishes for {backbone}'} -> {found.path}")
        else:
            path, digest = fetch_weights(backbone, folder, _progress(found.path.name, say))
            say(f"{path}: is there, {'and its checksum is right' if file.checksum else f'its sha256 is {digest}'}")


def _is_there(info: DatasetInfo, archive: Archive, folder: Path) -> bool:
    """Whether the files of an archive are there without having come from a download, which may be half unpacked."""
    if (folder / "downloads").exists():
        return False
    if archive.into == ".":
        return all(info.layout_of(split).annotation_file(folder, split).is_file() for split in archive.splits)
    images = [
        folder / name.replace("SPLIT", split) for split in archive.splits for name in info.layout_of(split).images
    ]
    return any(image.is_dir() and any(image.iterdir()) for image in images)


def _get(archive: Archive, folder: Path, say: Say, *, dry_run: bool) -> None:
    download, store = archive.download, folder / "downloads"
    done = store / f"{download.name}.unpacked"
    if done.exists():
        say(f"{download.name}: unpacked already; remove {done} to have it made again")
        return
    size = download.size or 0
    say(f"{download.url} ({size / GIGA:.2f} GB) -> {folder / archive.into}")
    if dry_run:
        return
    store.mkdir(parents=True, exist_ok=True)
    _check_room(download.name, size, store)
    fetch(download, store / download.name, watch=_progress(download.name, say))
    count = unpack(store / download.name, folder / archive.into)
    done.write_text(f"{download.url}\n{download.checksum}\n", encoding="utf-8")
    (store / download.name).unlink()
    say(f"{download.name}: {count:,} files")


def _progress(name: str, say: Say) -> Watch:
    """Says each tenth of a download once."""
    said = -1

    def watch(received: int, total: int) -> None:
        nonlocal said
        if 10 * received // total != said:
            said = 10 * received // total
            say(f"{name}: {10 * said} %")

    return watch


def _check_room(name: str, size: int, store: Path) -> None:
    """The archive and its contents, which hardly shrink in it, must both find room."""
    free, needed = shutil.disk_usage(store).free, 2 * size
    if free < needed:
        raise DataError(f"{store}: {free / GIGA:.1f} GB free, but {name} and its contents need {needed / GIGA:.1f} GB")


def _convert_lspet(folder: Path, say: Say) -> None:
    from bench.pose.data.lspet import convert

    for line in convert(folder / "joints.mat", folder / "original", folder).lines():
        say(line)
