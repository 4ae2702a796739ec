"""The datasets by name, and how to open a split of one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack

from bench.pose.data.layout import COCO_LAYOUT, MPII_LAYOUT, Layout
from bench.pose.errors import DataError
from bench.pose.registry import Registry
from bench.pose.skeletons import COCO_17, CROWDPOSE_14, MPII_16, Skeleton

if TYPE_CHECKING:
    from bench.pose.data.coco_format import CocoKeypoints
    from bench.pose.data.mpii import MpiiInstances

__all__ = ["CROWDPOSE_AREA", "DATASETS", "DatasetInfo", "dataset_info", "open_split"]

CROWDPOSE_AREA = 0.53
"""Part of the box that CrowdPose takes an instance to cover; it annotates no areas."""


class SplitOptions(TypedDict, total=False):
    """How else a split is opened; see `bench.pose.data.instances.Split`."""

    allow_links: bool
    held_out: int | None


@dataclass(frozen=True)
class DatasetInfo:
    """A dataset's name, layout and protocol, known without its files.

    Attributes:
        name: name of the dataset and of its folder under the data root.
        title: printed name.
        skeleton: keypoints of its annotations.
        source: where it comes from.
        protocol: how predictions on it are scored; MPII's goes with its own annotation format, the others with COCO's.
        layout: where its files lie.
        other_layouts: layouts of the splits that differ.
        detector_boxes: per split, the box file of the published results, relative to the dataset's folder.
        generate: writes the files of a split into the dataset's folder unless they are there, for datasets that are not
            downloaded as they are read; called before a split is opened.
        check_split: raises `DataError` for the name of a split that cannot be generated.
        license: under which terms, in words; "" if its publishers state none or that is not known here.
        license_url: address of the license of its annotations; "" if there is none.
    """

    name: str
    title: str
    skeleton: Skeleton
    source: str
    protocol: Literal["coco", "crowdpose", "mpii"] = "coco"
    layout: Layout = COCO_LAYOUT
    other_layouts: tuple[tuple[str, Layout], ...] = ()
    detector_boxes: tuple[tuple[str, str], ...] = ()
    generate: Callable[[Path, str], None] | None = None
    check_split: Callable[[str], object] | None = None
    license: str = ""
    license_url: str = ""

    def layout_of(self, split: str) -> Layout:
        """Where the files of a split lie."""
        return dict(self.other_layouts).get(split, self.layout)

    def splits(self, folder: Path) -> list[str]:
        """Names of the splits whose annotation file is in the dataset's folder."""
        others = [split for split, layout in self.other_layouts if layout.annotation_file(folder, split).is_file()]
        return [*self.layout.splits(folder), *others]

    def open(
        self,
        folder: Path,
        split: str,
        subset: int | None = None,
        **options: Unpack[SplitOptions],
    ) -> CocoKeypoints | MpiiInstances:
        """Reader of one split, which is generated first if the dataset is.

        A split of the synthetic dataset is named by its number of instances, such as `train3000`; the name alone
        decides every pixel.

        Args:
            folder: the dataset's.
            split: name of the split.
            subset: number of its images to use, see `first_images`; None for all.
            **options: others of `Split`.

        Raises:
            DataError: the split cannot be generated.
        """
        if self.generate is not None:
            self.generate(folder, split)
        return self.read(folder, split, subset, **options)

    def box_file(self, folder: Path, split: str) -> Path | None:
        """The detector boxes of the published results on a split, which need not be there; None if there are none."""
        boxes = dict(self.detector_boxes).get(split)
        return folder / boxes if boxes else None

    def split_files(self, folder: Path, split: str, *, boxes: bool, truth: bool) -> list[Path]:
        """The files that a split needs beside its images, which need not be there.

        Args:
            folder: the dataset's.
            split: name of the split.
            boxes: whether the detector boxes of the published results are among them.
            truth: whether predictions are scored, for which some layouts have a file of their own.
        """
        layout, box_file = self.layout_of(split), self.box_file(folder, split) if boxes else None
        files = [layout.annotation_file(folder, split), *([box_file] if box_file else [])]
        return [*files, layout.truth_file(folder, split)] if truth and layout.truth else files

    def require_boxes(self, split: str) -> None:
        """Raise `DataError` if a split has no detector boxes."""
        if split not in dict(self.detector_boxes):
            known = ", ".join(dict(self.detector_boxes)) or "no split"
            raise DataError(
                f"{self.name} has no detector boxes for split {split!r}; they exist for {known}; set `boxes: gt`, or"
                " name the file of your own dataset's boxes under `detector_boxes` of its `define`"
            )

    def read(
        self,
        folder: Path,
        split: str,
        subset: int | None = None,
        **options: Unpack[SplitOptions],
    ) -> CocoKeypoints | MpiiInstances:
        """Reader of one split as it is there; arguments as in `open`."""
        from bench.pose.data.coco_format import CocoKeypoints
        from bench.pose.data.mpii import MpiiInstances

        reader = MpiiInstances if self.protocol == "mpii" else CocoKeypoints
        return reader(folder, split, self.skeleton, self.layout_of(split), self.protocol, subset, **options)


def _drawn_instances(split: str) -> int:
    match = re.fullmatch(r"[a-z]+([1-9][0-9]{0,6})", split)
    if match is None:
        raise DataError(f"synthetic split {split!r}: expected a name and a number of instances, such as train3000")
    return int(match[1])


def _draw(folder: Path, split: str) -> None:
    from bench.pose.data.synthetic import SyntheticSet, generate

    generate(folder, split, SyntheticSet(instances=_drawn_instances(split), seed=0))


_BUILT_IN = (
    DatasetInfo(
        "coco",
        "COCO",
        COCO_17,
        "https://cocodataset.org",
        license="annotations CC BY 4.0; each image under the license that its owner chose on Flickr",
        license_url="https://creativecommons.org/licenses/by/4.0/",
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
        license="for research only, no commercial use",
        protocol="mpii",
        layout=MPII_LAYOUT,
    ),
    DatasetInfo("lspet", "Leeds Sports Pose Extended", CROWDPOSE_14, "https://sam.johnson.io/research/lspet.html"),
    DatasetInfo(
        "synthetic",
        "synthetic figures",
        COCO_17,
        "drawn by bench.pose.data.synthetic",
        license="MIT, as bench, which draws them",
        license_url="https://spdx.org/licenses/MIT",
        generate=_draw,
        check_split=_drawn_instances,
    ),
)

DATASETS: Registry[DatasetInfo] = Registry("dataset", {info.name: info for info in _BUILT_IN})
"""Datasets that suites may name; `bench.extend.dataset` adds to it."""


def dataset_info(name: str) -> DatasetInfo:
    """The dataset of that name. Raises `UnknownNameError`, which lists the valid ones."""
    return DATASETS.named(name)


def open_split(name: str, folder: Path, split: str) -> CocoKeypoints | MpiiInstances:
    """`DatasetInfo.open` of a registered dataset.

    Raises:
        UnknownNameError: there is no such dataset.
        DataError: the split cannot be generated.
    """
    return dataset_info(name).open(folder, split)
