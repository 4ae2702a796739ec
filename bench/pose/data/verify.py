"""Verification of a split: its files, its known counts, every annotation and every image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.pose.data.coco_format import CocoKeypoints, read_boxes
from bench.pose.data.datasets import DatasetInfo
from bench.pose.data.images import read_image
from bench.pose.data.instances import Instance
from bench.pose.data.left_out import never_labelled, summarize
from bench.pose.data.mpii import MpiiInstances
from bench.pose.data.pixels.packed import packed_folder, packed_problems
from bench.pose.errors import DataError, ImageError

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
        notes: what is no fault, but worth to know.
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


def verify(info: DatasetInfo, folder: Path, split: str) -> Findings:
    """Check all files that a split needs.

    Args:
        info: the dataset.
        folder: the dataset's folder.
        split: name of the split, which is generated first if the dataset is synthetic.
    """
    findings = Findings()
    opened = info.open(folder, split)
    boxes = info.box_file(folder, split)
    findings.missing += [str(file) for file in expected_files(info, opened) if not file.is_file()]
    try:
        instances = _count(opened, findings.counts)
        findings.notes += _notes(opened, instances)
        _check_images(opened, instances, findings)
        findings.problems += packed_problems(packed_folder(folder, split), opened.image_folder)
        if boxes and boxes.is_file():
            findings.counts["boxes"] = sum(1 for _ in read_boxes(boxes))
    except DataError as error:
        if opened.annotation_file.is_file():
            findings.problems.append(str(error))
    findings.problems += opened.problems
    findings.problems += _wrong_counts(findings.counts, KNOWN.get((info.name, split), {}))
    return findings


def expected_files(info: DatasetInfo, opened: CocoKeypoints | MpiiInstances) -> list[Path]:
    """The files beside its images that a split of a dataset needs: annotations, detector boxes, truth."""
    boxes = info.box_file(opened.folder, opened.split)
    expected = [opened.annotation_file, *([boxes] if boxes else [])]
    if isinstance(opened, MpiiInstances) and opened.split == "valid":
        expected.append(opened.truth_file)
    return expected


def _count(opened: CocoKeypoints | MpiiInstances, counts: dict[str, int]) -> list[Instance]:
    """Count what the annotation file lists, and return the instances to use, if they are known."""
    if isinstance(opened, MpiiInstances):
        counts["annotations"] = len(opened.listed)
    else:
        counts["images"] = len(opened.images)
        if opened.annotated:
            counts["annotations"] = len(opened.annotations["annotations"])
    instances = opened.instances() if opened.annotated else []
    if instances:
        counts["instances"] = len(instances)
        counts["instances_images"] = len({instance.image for instance in instances})
    return instances


def _check_images(opened: CocoKeypoints | MpiiInstances, instances: Sequence[Instance], findings: Findings) -> None:
    """Read the images with instances, or all images if the instances are unknown."""
    images = {str(instance.image): instance.image for instance in instances}
    if isinstance(opened, CocoKeypoints) and not opened.annotated:
        images = {str(path): path for path in map(opened.image_path, opened.images) if path}
    absent = [name for name, path in images.items() if not path.is_file()]
    findings.missing += absent[:MAX_LISTED]
    if len(absent) > MAX_LISTED:
        findings.missing.append(f"{len(absent) - MAX_LISTED:,} more images of {len(images):,}")
    for path in images.values():
        try:
            if path.is_file():
                read_image(path)
        except ImageError as error:
            findings.problems.append(str(error))


def _notes(opened: CocoKeypoints | MpiiInstances, instances: Sequence[Instance]) -> Iterator[str]:
    absent = never_labelled(instances, opened.skeleton.keypoints) if instances else []
    if absent:
        yield f"labelled in none of {len(instances):,} instances, which neither teach nor judge it: {', '.join(absent)}"
    if uncounted := _uncounted(opened):
        yield f"num_keypoints is 0 beside labelled keypoints of {uncounted:,} instances, by which nothing is judged"


def _uncounted(opened: CocoKeypoints | MpiiInstances) -> int:
    """Number of instances that are trained on, but not judged: pycocotools believes `num_keypoints`."""
    if isinstance(opened, MpiiInstances) or not opened.annotated:
        return 0
    return sum(not item["num_keypoints"] and any(item["keypoints"][2::3]) for item in opened.annotations["annotations"])


def _wrong_counts(counts: Mapping[str, int], known: Mapping[str, int]) -> Iterator[str]:
    for name, count in counts.items():
        complete = known.get(name)
        if complete is not None and count != complete:
            yield f"{count:,} {WORDS[name]}, but the complete split has {complete:,}"
