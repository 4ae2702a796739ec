"""The datasets by name, and how to open a split of one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.pose.errors import DataError, UnknownNameError
from bench.pose.skeletons import COCO_17, CROWDPOSE_14, Skeleton

if TYPE_CHECKING:
    from bench.pose.data.coco import CocoKeypoints

__all__ = ["DATASETS", "DatasetInfo", "dataset_info", "open_split"]


@dataclass(frozen=True)
class DatasetInfo:
    """What is known of a dataset without having it.

    Attributes:
        name: of the dataset, and of its folder under the data root.
        title: as people write it.
        skeleton: of its annotations.
        source: where it comes from.
        detector_boxes: per split, the box file of the published results, relative to the dataset's folder.
        generated: whether it is drawn on first use rather than downloaded.
    """

    name: str
    title: str
    skeleton: Skeleton
    source: str
    detector_boxes: tuple[tuple[str, str], ...] = ()
    generated: bool = False


DATASETS = {
    info.name: info
    for info in (
        DatasetInfo(
            "coco",
            "COCO",
            COCO_17,
            "https://cocodataset.org",
            detector_boxes=(("val2017", "person_detection_results/COCO_val2017_detections_AP_H_56_person.json"),),
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


def open_split(name: str, folder: Path, split: str) -> CocoKeypoints:
    """Reader of one split of a dataset.

    A split of the synthetic dataset is named by its number of people, such as `train3000`, and drawn if it is not
    there yet; the name alone decides every pixel.

    Raises:
        UnknownNameError: there is no such dataset.
        DataError: the split's name does not fit a generated dataset.
    """
    from bench.pose.data.coco import CocoKeypoints

    info = dataset_info(name)
    if info.generated:
        _draw(folder, split)
    return CocoKeypoints(folder, split, info.skeleton)


def _draw(folder: Path, split: str) -> None:
    from bench.pose.data.synthetic import SyntheticSet, generate

    match = re.fullmatch(r"[a-z]+([1-9][0-9]{0,6})", split)
    if match is None:
        raise DataError(f"synthetic split {split!r}: expected a name and a number of people, such as train3000")
    generate(folder, split, SyntheticSet(people=int(match[1]), seed=0))
