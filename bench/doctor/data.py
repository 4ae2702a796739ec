"""The data root: what is there of each dataset, and whether downloaded weights are the right ones."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bench.doctor.check import Check, Finding, fault, merged, ok, skipped, warning

if TYPE_CHECKING:
    from bench.pose.data.coco_format import CocoKeypoints
    from bench.pose.data.mpii import MpiiInstances

__all__ = ["DataRoot"]

EntryT = TypeVar("EntryT")

LOOKED_FOR = 20
"""About so many image files of each split; `bench data verify` reads them all."""

OTHER_ROOT = "name the folder that has one folder per dataset with --data-root"


@dataclass(frozen=True)
class DataRoot:
    """A folder with one folder per dataset."""

    folder: Path

    def checks(self) -> list[Check]:
        """All that concern it."""
        from bench.pose.data.datasets import DATASETS

        datasets = [Dataset(name, self.folder / name) for name in DATASETS]
        return [
            Check("data root", self.there, OTHER_ROOT),
            *(Check(f"dataset {dataset.name}", dataset.whole, dataset.advice, seconds=900) for dataset in datasets),
            Check("imagenet weights", self.imagenet, "have the files made readable: see ls -l", seconds=900),
        ]

    def there(self) -> Finding:
        """Whether there is one."""
        if not self.folder.exists():
            return warning(f"{self.folder} does not exist; what is drawn on first use will be put there", OTHER_ROOT)
        if not self.folder.is_dir():
            return fault(f"{self.folder} is no folder", OTHER_ROOT)
        if not os.access(self.folder, os.W_OK | os.X_OK):
            return warning(f"{self.folder} is read-only", "have others prepare, draw and pack datasets, or copy them")
        return ok(str(self.folder.absolute()))

    def imagenet(self) -> Finding:
        """Whether the classifiers that networks start from are the files that they should be."""
        from bench.execute.training_job import IMAGENET_FOLDER
        from bench.pose.checkpoints import IMAGENET_FILES, check_hash
        from bench.pose.errors import CheckpointError

        folder = self.folder / IMAGENET_FOLDER
        files = {file.name: file for file in IMAGENET_FILES.values()}
        there = [name for name in files if (folder / name).exists()]
        if not there:
            return skipped(f"none in {folder}; those with a public address are downloaded on first use")
        wrong = []
        for name in there:
            try:
                check_hash(folder / name, files[name].hash_prefix)
            except CheckpointError as error:
                source = files[name].url or "the HRNet authors' model zoo"
                wrong.append(fault(str(error), f"remove {folder / name} and get it from {source}"))
        return merged(wrong, f"{len(there)} of {len(files)}, each with its sha256")


@dataclass(frozen=True)
class Dataset:
    """A dataset's folder, which need not exist."""

    name: str
    folder: Path

    @property
    def advice(self) -> str:
        """Where to get it."""
        return f"`bench data prepare {self.name} --data-root {self.folder.parent}` gets it or says what to put where"

    def whole(self) -> Finding:
        """Whether each split has its annotations, images and boxes, and what was packed of it is whole."""
        from bench.pose.data.datasets import dataset_info

        if not self.folder.exists():
            return skipped(f"not in {self.folder}")
        info = dataset_info(self.name)
        splits = info.splits(self.folder)
        if splits:
            return merged(
                (finding for split in splits for finding in self._faults(split)),
                ", ".join(map(self._described, splits)),
            )
        if info.generate is not None:
            return ok("nothing drawn yet")
        return fault(f"{self.folder}: no {info.layout.annotations} of any split", self.advice)

    def _described(self, split: str) -> str:
        """A split with its annotations' hash, by which two machines can be compared."""
        from bench.files import sha256
        from bench.pose.data.datasets import dataset_info

        return f"{split} ({sha256(dataset_info(self.name).read(self.folder, split).annotation_file):.12})"

    def _faults(self, split: str) -> Iterator[Finding]:
        from bench.pose.data.datasets import dataset_info
        from bench.pose.data.verify import expected_files
        from bench.pose.errors import DataError

        info = dataset_info(self.name)
        opened = info.read(self.folder, split)
        absent = [file for file in expected_files(info, opened) if not file.is_file()]
        yield from (fault(f"{file} is missing", self.advice) for file in absent)
        for look in (self._images, self._boxes, self._packed):
            try:
                yield from look(opened)
            except DataError as error:
                yield fault(str(error), self.advice)

    def _images(self, opened: CocoKeypoints | MpiiInstances) -> Iterator[Finding]:
        """Of the annotation file, and of image files that it lists."""
        from bench.pose.data.coco_format import CocoKeypoints

        if isinstance(opened, CocoKeypoints):
            paths = map(opened.image_path, _some(list(opened.images)))
            images = [path for path in paths if path is not None]
        else:
            images = [instance.image for instance in _some(opened.instances())]
        absent = [image for image in images if not image.is_file()]
        if absent:
            yield fault(f"{absent[0]} is missing, as are {len(absent)} of {len(images)} looked for", self.advice)
        if opened.problems:
            yield warning(
                f"{opened.annotation_file}: {len(opened.problems):,} entries make no sense and are left out, such as"
                f" {opened.problems[0]}",
                self.advice,
            )

    def _boxes(self, opened: CocoKeypoints | MpiiInstances) -> Iterator[Finding]:
        """Of the detector boxes, if the split has some; reading them raises what is wrong."""
        from bench.pose.data.coco_format import read_boxes
        from bench.pose.data.datasets import dataset_info

        file = dataset_info(self.name).box_file(self.folder, opened.split)
        if file and file.is_file() and not sum(1 for _ in read_boxes(file)):
            yield fault(f"{file}: no box of an instance", self.advice)

    def _packed(self, opened: CocoKeypoints | MpiiInstances) -> Iterator[Finding]:
        """Of packed images."""
        from bench.pose.data.pixels.packed import packed_folder, read_shards
        from bench.pose.errors import DataError

        try:
            for shard in read_shards(packed_folder(self.folder, opened.split)):
                shard.map()
        except DataError as error:
            command = f"bench data pack {self.name} {opened.split} --data-root {self.folder.parent}"
            yield fault(str(error), f"`{command}` packs the images again")


def _some(entries: Sequence[EntryT]) -> Sequence[EntryT]:
    """A few entries, evenly spread."""
    return entries[:: max(len(entries) // LOOKED_FOR, 1)]
