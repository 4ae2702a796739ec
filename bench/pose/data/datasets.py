"""The datasets by name, and how to open a split of one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bench.pose.data.layout import COCO_LAYOUT, MPII_LAYOUT, Layout
from bench.pose.errors import DataError, UnknownNameError
from bench.pose.skeletons import COCO_17, CROWDPOSE_14, MPII_16, Skeleton

if TYPE_CHECKING:
    from bench.pose.data.coco import CocoKeypoints
    from bench.pose.data.mpii import MpiiPeople

__all__ = ["CROWDPOSE_AREA", "DATASETS", "DatasetInfo", "dataset_info", "open_split", "split_reader"]

CROWDPOSE_AREA = 0.53
"""Part of the box that CrowdPose takes a person to cover; it annotates no areas."""


@dataclass(frozen=True)
class DatasetInfo:
    """What is known of a dataset without having it.

    Attributes:
        name: of the dataset, and of its folder under the data root.
        title: as people write it.
        skeleton: of its annotations.
        source: where it comes from.
        protocol: how predictions on it are scored; MPII's goes with its own annotation format, the others with COCO's.
        layout: where its files lie.
        other_layouts: of the splits that differ.
        detector_boxes: per split, the box file of the published results, relative to the dataset's folder.
        generated: whether it is drawn on first use rather than downloaded.
    """

    name: str
    title: str
    skeleton: Skeleton
    source: str
    protocol: Literal["coco", "crowdpose", "mpii"] = "coco"
    layout: Layout = COCO_LAYOUT
    other_layouts: tuple[tuple[str, Layout], ...] = ()
    detector_boxes: tuple[tuple[str, str], ...] = ()
    generated: bool = False

    def layout_of(self, split: str) -> Layout:
        """Where the files of a split lie."""
        return dict(self.other_layouts).get(split, self.layout)

    def splits(self, folder: Path) -> list[str]:
        """Names of the splits whose annotation file is in the dataset's folder."""
        others = [split for split, layout in self.other_layouts if layout.annotation_file(folder, split).is_file()]
        return [*self.layout.splits(folder), *others]


DATASETS = {
    info.name: info
    for info in (
        DatasetInfo(
            "coco",
            "COCO",
            COCO_17,
            "https://cocodataset.org",
            other_layouts=(
                (
                    "test-dev2017",
                    Layout("annotations/image_info_SPLIT.json", ("images/test2017", "test2017"), annotated=False),
                ),
            ),
            detector_boxes=(
                ("val2017", "person_detection_results/COCO_val2017_detections_AP_H_56_person.json"),
                ("test-dev2017", "person_detection_results/COCO_test-dev2017_detections_AP_H_609_person.json"),
            ),
        ),
        DatasetInfo(
            "crowdpose",
            "CrowdPose",
            CROWDPOSE_14,
            "https://github.com/jeffffffli/CrowdPose",
            protocol="crowdpose",
            layout=Layout("annotations/crowdpose_SPLIT.json", ("images",), area_of_box=CROWDPOSE_AREA),
            detector_boxes=(
                ("val", "annotations/det_for_crowdpose_val.json"),
                ("test", "annotations/det_for_crowd_test_0.1_0.5.json"),
            ),
        ),
        DatasetInfo(
            "mpii",
            "MPII Human Pose",
            MPII_16,
            "http://human-pose.mpi-inf.mpg.de",
            protocol="mpii",
            layout=MPII_LAYOUT,
        ),
        DatasetInfo("lspet", "Leeds Sports Pose Extended", CROWDPOSE_14, "https://sam.johnson.io/research/lspet.html"),
        DatasetInfo("synthetic", "synthetic figures", COCO_17, "drawn by bench.pose.data.synthetic", generated=True),
    )
}


def dataset_info(name: str) -> DatasetInfo:
    """The dataset of that name. Raises `UnknownNameError`, which lists the valid ones."""
    try:
        return DATASETS[name]
    except KeyError:
        raise UnknownNameError("dataset", name, DATASETS) from None


def open_split(name: str, folder: Path, split: str) -> CocoKeypoints | MpiiPeople:
    """Reader of one split of a dataset.

    A split of the synthetic dataset is named by its number of people, such as `train3000`, and drawn if it is not
    there yet; the name alone decides every pixel.

    Raises:
        UnknownNameError: there is no such dataset.
        DataError: the split's name does not fit a generated dataset.
    """
    if dataset_info(name).generated:
        _draw(folder, split)
    return split_reader(name, folder, split)


def split_reader(name: str, folder: Path, split: str) -> CocoKeypoints | MpiiPeople:
    """Reader of one split of a dataset as it is there; nothing is drawn. Raises `UnknownNameError`."""
    from bench.pose.data.coco import CocoKeypoints
    from bench.pose.data.mpii import MpiiPeople

    info = dataset_info(name)
    reader = MpiiPeople if info.protocol == "mpii" else CocoKeypoints
    return reader(folder, split, info.skeleton, info.layout_of(split), info.protocol)


def _draw(folder: Path, split: str) -> None:
    from bench.pose.data.synthetic import SyntheticSet, generate

    match = re.fullmatch(r"[a-z]+([1-9][0-9]{0,6})", split)
    if match is None:
        raise DataError(f"synthetic split {split!r}: expected a name and a number of people, such as train3000")
    generate(folder, split, SyntheticSet(people=int(match[1]), seed=0))
