"""Paths of a dataset's files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.pose.data.reading import dangling_link
from bench.pose.errors import DataError

__all__ = ["COCO_LAYOUT", "MPII_LAYOUT", "Layout"]


@dataclass(frozen=True)
class Layout:
    """Paths within a dataset's folder, with `SPLIT` for the name of a split.

    Attributes:
        annotations: file of the instances.
        images: folders that may hold the images; the first that is there is taken.
        truth: file that predictions are scored against; the annotations if not given.
        annotated: whether the annotation file lists instances. If not, it lists only images, and a
            server scores the predictions.
        area_of_box: area of an instance without a stored one, relative to its box.
    """

    annotations: str = "annotations/person_keypoints_SPLIT.json"
    images: tuple[str, ...] = ("images/SPLIT", "SPLIT")
    truth: str | None = None
    annotated: bool = True
    area_of_box: float = 1.0

    def annotation_file(self, folder: Path, split: str) -> Path:
        """Annotation file of a split."""
        return folder / self.annotations.replace("SPLIT", split)

    def truth_file(self, folder: Path, split: str) -> Path:
        """File that predictions on a split are scored against."""
        return folder / (self.truth or self.annotations).replace("SPLIT", split)

    def image_folder(self, folder: Path, split: str) -> Path:
        """The split's image folder, links followed. Raises `DataError` if there is none."""
        choices = [folder / choice.replace("SPLIT", split) for choice in self.images]
        for choice in choices:
            if choice.is_dir():
                return choice.resolve()
        tried = f"neither {' nor '.join(map(str, choices))} is" if len(choices) > 1 else f"{choices[0]} is not"
        broken = [reason for choice in choices if (reason := dangling_link(choice))]
        raise DataError(f"no images of split {split!r}: {'; '.join(broken) or f'{tried} a folder'}")

    def splits(self, folder: Path) -> Iterator[str]:
        """Names of the splits whose annotation file is there, sorted."""
        before, after = self.annotations.split("SPLIT")
        for file in sorted(folder.glob(f"{before}*{after}")):
            yield str(file.relative_to(folder))[len(before) : -len(after)]


COCO_LAYOUT = Layout()
"""Layout of COCO and of most datasets converted to its format."""

MPII_LAYOUT = Layout("annot/SPLIT.json", ("images",), "annot/gt_SPLIT.mat")
"""Layout of MPII as the reference reads it."""
