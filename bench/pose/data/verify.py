"""Verification of a split: its files, its known counts, every annotation and every image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.pose.data.coco_format import CocoKeypoints
from bench.pose.data.datasets import DatasetInfo
from bench.pose.data.images import check_size, read_image
from bench.pose.data.instances import Instances
from bench.pose.data.left_out import never_labelled, summarize
from bench.pose.data.mpii import MpiiInstances
from bench.pose.data.pixels.packed import packed_folder, packed_problems
from bench.pose.data.placement import ignored_orientations, misplaced
from bench.pose.data.reading import dangling_link
from bench.pose.errors import DataError, ImageError
from bench.pose.geometry import Size

__all__ = ["KNOWN", "Findings", "expected_files", "verify"]

MAX_LISTED = 5


KNOWN: Mapping[tuple[str, str], Mapping[str, int]] = {
    ("coco", "train2017"): {"instances": 149_813, "instances_images": 64_115},
    ("coco", "val2017"): {"boxes": 104_125},
    ("crowdpose", "train"): {"images": 10_000},
    ("crowdpose", "val"): {"annotations": 8_527, "images": 2_000},
    ("crowdpose", "trainval"): {"images": 12_000},
    ("crowdpose", "test"): {"images": 8_000},
    ("mpii", "train"): {"annotations": 22_246},
    ("mpii", "valid"): {"annotations": 2_958},
}
"""Counts of complete splits, as far as they are known, by dataset and split; `WORDS` explains them."""

WORDS = {
    "instances": "instances to train on",
    "instances_images": "images with such instances",
    "annotations": "annotated instances",
    "images": "images listed",
    "boxes": "detected boxes",
}


@dataclass
class Findings:
    """State of a split's files.

    Attributes:
        counts: counts by the names of `WORDS`.
        missing: missing files and folders.
        problems: messages about unusable files and entries.
        notes: messages about what is left out by rule, or was understood although it is written otherwise.
    """

    counts: dict[str, int] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether nothing is missing or wrong."""
        return not self.missing and not self.problems

    def lines(self) -> Iterator[str]:
        """The findings as text."""
        yield from (f"missing: {entry}" for entry in self.missing)
        yield from summarize(self.problems)
        yield from (f"note: {note}" for note in self.notes)
        counted = ", ".join(f"{count:,} {WORDS[name]}" for name, count in self.counts.items()) or "nothing to count"
        yield f"{counted}; {len(self.missing)} missing, {len(self.problems)} problems"


def verify(info: DatasetInfo, folder: Path, split: str, *, allow_links: bool = False) -> Findings:
    """Check all files that a split needs.

    Args:
        info: the dataset.
        folder: the dataset's folder.
        split: name of the split, which is generated first if the dataset is synthetic.
        allow_links: whether images may be links out of their folder.
    """
    findings = Findings()
    opened = info.open(folder, split, allow_links=allow_links)
    boxes = info.box_file(folder, split)
    findings.missing += [
        dangling_link(file) or str(file) for file in expected_files(info, opened) if not file.is_file()
    ]
    try:
        instances = _count(opened, findings.counts)
        findings.notes += _notes(opened, instances)
        _check_images(opened, instances, findings)
        findings.problems += packed_problems(packed_folder(folder, split), opened.image_folder)
        if boxes and boxes.is_file() and isinstance(opened, CocoKeypoints):
            findings.counts["boxes"] = opened.count_boxes(boxes)
    except DataError as error:
        if opened.annotation_file.is_file():
            findings.problems.append(str(error))
    findings.problems += [
        problem for problem in opened.problems if not any(problem in told for told in findings.problems)
    ]
    findings.notes += opened.notes
    if isinstance(opened, CocoKeypoints) and opened.left_out:
        findings.notes.append(f"not taken as instances: {opened.left_out_summary}")
    findings.problems += _wrong_counts(findings.counts, KNOWN.get((info.name, split), {}))
    return findings


def expected_files(info: DatasetInfo, opened: CocoKeypoints | MpiiInstances) -> list[Path]:
    """The files beside its images that a split of a dataset needs: annotations, detector boxes, truth."""
    scored = not isinstance(opened, MpiiInstances) or opened.split == "valid"
    return info.split_files(opened.folder, opened.split, boxes=True, truth=scored)


def _count(opened: CocoKeypoints | MpiiInstances, counts: dict[str, int]) -> Instances:
    """Count what the annotation file lists, and return the instances to use, if they are known."""
    if isinstance(opened, MpiiInstances):
        counts["annotations"] = opened.listed
    else:
        counts["images"] = len(opened.images)
        if opened.annotated:
            counts["annotations"] = len(opened.columns.listed)
    if not opened.annotated:
        return Instances.of([])
    instances = opened.instances()
    counts["instances"] = len(instances)
    return instances


def _check_images(opened: CocoKeypoints | MpiiInstances, instances: Instances, findings: Findings) -> None:
    """Read the images with instances, or all images if the instances are unknown, and compare them with these."""
    images = instances.images
    if instances:
        findings.counts["instances_images"] = len(images)
    elif isinstance(opened, CocoKeypoints):
        images = opened.image_paths()
    there = {path: size for path, size in images.items() if path.is_file()}
    absent = [path for path in images if path not in there]
    findings.missing += [dangling_link(path) or str(path) for path in absent[:MAX_LISTED]]
    if len(absent) > MAX_LISTED:
        findings.missing.append(f"{len(absent) - MAX_LISTED:,} more images of {len(images):,}")
    sizes: dict[Path, Size] = {}
    for path, size in there.items():
        try:
            height, width = read_image(path).shape[:2]
            check_size(path, (height, width), size)
            sizes[path] = height, width
        except ImageError as error:
            findings.problems.append(str(error))
    findings.problems += misplaced(instances, sizes, opened.skeleton.keypoints)
    findings.notes += ignored_orientations(list(sizes))


def _notes(opened: CocoKeypoints | MpiiInstances, instances: Instances) -> Iterator[str]:
    absent = never_labelled(instances, opened.skeleton.keypoints) if instances else []
    if absent:
        yield f"labelled in none of {len(instances):,} instances, which neither teach nor judge it: {', '.join(absent)}"


def _wrong_counts(counts: Mapping[str, int], known: Mapping[str, int]) -> Iterator[str]:
    for name, count in counts.items():
        complete = known.get(name)
        if complete is not None and count != complete:
            yield f"{count:,} {WORDS[name]}, but the complete split has {complete:,}"
