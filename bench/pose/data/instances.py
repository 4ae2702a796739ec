"""Instances and splits: the output of readers and the input of the loader."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from bench.pose.data.columns import LARGE, ColumnCache, Columns, pack_names
from bench.pose.data.layout import COCO_LAYOUT, Layout
from bench.pose.data.reading import file_sha256, read_bytes, without_collection
from bench.pose.errors import DataError
from bench.pose.geometry import Size, box_to_center_scale
from bench.pose.skeletons import Skeleton

__all__ = ["Instance", "Instances", "Split"]

Array = npt.NDArray[Any]

PATHS = 4096
"""Paths that are kept: making one takes longer than all else that makes an instance."""

AT_ONCE = 1024
"""Instances that are made together when all are asked for one after the other."""


@dataclass(frozen=True, eq=False)
class Instance:
    """One annotated or detected instance.

    Attributes:
        image: image file.
        image_id: the dataset's id of the image.
        annotation_id: the dataset's id of the instance, or the position in the box file for a detection.
        box: x, y, width, height in image px, (4,), after the protocol's clipping.
        keypoints: (keypoints, 2) image px; zeros for a detection.
        visible: (keypoints,) whether labelled; all False for a detection.
        area: annotated area in px^2; the box's for a detection.
        score: the detector's score, 1 for an annotation.
        given_crop: center in image px, (2,), and size in units of 200 px, (2,), for datasets that annotate the crop
            itself; used instead of the box.
        image_size: height and width of the image in px, as annotated; None if they are not.
    """

    image: Path
    image_id: int
    annotation_id: int
    box: npt.NDArray[np.float64]
    keypoints: npt.NDArray[np.float64]
    visible: npt.NDArray[np.bool_]
    area: float
    score: float = 1.0
    given_crop: tuple[Array, Array] | None = None
    image_size: Size | None = None

    def crop(self, size: Size) -> tuple[Array, Array]:
        """Center (px) and scale (units of 200 px) of a crop of this height and width (behaviour D13, D27).

        A box grows to the aspect ratio and by the padding; a given crop is taken as it is, and as only the width of a
        scale counts (D14), its height follows the aspect ratio.
        """
        return self.given_crop or box_to_center_scale(self.box, size)


class Instances(Sequence[Instance]):
    """Some instances as columns; an `Instance` is made when it is asked for, and its arrays are read-only.

    Processes that are forked share the columns, as nothing in them is counted or changed; processes that are spawned
    read the same file, if they are cached. `column` gives a field of all at once.
    """

    def __init__(self, columns: Columns, folder: Path, rows: Array) -> None:
        """`folder` is that of the images, and `rows` are the positions of the instances in the columns."""
        self._columns, self._folder, self._rows = columns, folder, rows
        self._path = lru_cache(PATHS)(partial(columns.path, folder))

    def __reduce__(self) -> Any:
        return Instances, (self._columns, self._folder, self._rows)

    @classmethod
    def of(cls, instances: Iterable[Instance]) -> Instances:
        """Single instances as columns; instances that are in columns as they are."""
        if isinstance(instances, cls):
            return instances
        given = list(instances)
        images: dict[tuple[Path, Size | None], int] = {}
        positions = [images.setdefault((one.image, one.image_size), len(images)) for one in given]
        names, name_ends = pack_names(str(image) for image, _ in images)
        shape, nowhere = (len(given), len(given[0].visible) if given else 0), np.full((2, 2), np.nan)
        columns = Columns(
            image=np.array(positions, dtype=np.int32),
            image_id=np.array([one.image_id for one in given], dtype=np.int64),
            annotation_id=np.array([one.annotation_id for one in given], dtype=np.int64),
            box=np.array([one.box for one in given], dtype=np.float64).reshape(-1, 4),
            keypoints=np.array([one.keypoints for one in given], dtype=np.float64).reshape(*shape, 2),
            visible=np.array([one.visible for one in given], dtype=bool).reshape(shape),
            area=np.array([one.area for one in given], dtype=np.float64),
            score=np.array([one.score for one in given], dtype=np.float64),
            given_crop=np.array([one.given_crop or nowhere for one in given], dtype=np.float64).reshape(-1, 2, 2),
            names=names,
            name_ends=name_ends,
            sizes=np.array([size or (np.nan, np.nan) for _, size in images], dtype=np.float64).reshape(-1, 2),
            image_ids=np.zeros(0, dtype=np.int64),
            listed=np.array(positions, dtype=np.int32),
            left_out=np.zeros(len(given), dtype=np.uint8),
            facts={},
        )
        return cls(columns, Path(), np.arange(len(given)))

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Instance: ...

    @overload
    def __getitem__(self, index: slice) -> Instances: ...

    def __getitem__(self, index: int | slice) -> Instance | Instances:
        if isinstance(index, slice):
            return Instances(self._columns, self._folder, self._rows[index])
        return self.many([range(len(self))[index]])[0]

    def __iter__(self) -> Iterator[Instance]:
        for begin in range(0, len(self), AT_ONCE):
            yield from self.many(range(begin, min(begin + AT_ONCE, len(self))))

    def many(self, positions: Sequence[int]) -> list[Instance]:
        """The instances at these positions, made together in a fraction of the time."""
        columns, chosen = self._columns, self.take(positions)
        images, crops = chosen.column("image").tolist(), chosen.column("given_crop")
        return list(
            map(
                Instance,
                map(self._path, images),
                chosen.column("image_id").tolist(),
                chosen.column("annotation_id").tolist(),
                chosen.column("box"),
                chosen.column("keypoints"),
                chosen.column("visible"),
                chosen.column("area").tolist(),
                chosen.column("score").tolist(),
                [
                    None if unknown else (crop[0], crop[1])
                    for unknown, crop in zip(np.isnan(crops[:, 0, 0]).tolist(), crops, strict=True)
                ],
                map(columns.size, images),
            )
        )

    def take(self, positions: npt.ArrayLike) -> Instances:
        """The instances at these positions."""
        return Instances(self._columns, self._folder, self._rows[np.asarray(positions, dtype=np.int64)])

    def column(self, name: str) -> Array:
        """A column of all these instances by its name in `Columns`, (instances, ...), as a read-only copy."""
        values: Array = getattr(self._columns, name)[self._rows]
        values.setflags(write=False)
        return values

    @property
    def images(self) -> dict[Path, Size | None]:
        """The images with their annotated height and width in px, in the order of their first instances."""
        positions = dict.fromkeys(self.column("image").tolist())
        return {self._path(position): self._columns.size(position) for position in positions}

    @property
    def image_paths(self) -> list[Path]:
        """The image of each instance."""
        return list(map(self._path, self.column("image").tolist()))


@dataclass
class Split(ABC):
    """One split of a dataset, opened for reading.

    Attributes:
        folder: the dataset's folder.
        split: name of the split.
        skeleton: keypoints of the annotations.
        layout: paths of annotations and images.
        protocol: "coco", "crowdpose" or "mpii", the way predictions are scored.
        subset: number of its images that are used, see `first_images`; None for all.
        allow_links: whether images may be links out of their folder.
        held_out: number of its first images that are not used; None for none.
        problems: messages about entries that are left out for a fault, or judged otherwise than they look; reading adds
            to it.
        notes: messages about what is left out by rule, or was understood although it is written otherwise.
    """

    folder: Path
    split: str
    skeleton: Skeleton
    layout: Layout = COCO_LAYOUT
    protocol: str = "coco"
    subset: int | None = None
    allow_links: bool = False
    held_out: int | None = None
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def annotation_file(self) -> Path:
        """File of the annotations."""
        return self.layout.annotation_file(self.folder, self.split)

    @property
    def truth_file(self) -> Path:
        """File that predictions are scored against."""
        return self.layout.truth_file(self.folder, self.split)

    @cached_property
    def sha256(self) -> str:
        """Hash of the annotation file's contents; no others are used. Raises `DataError` if it is unreadable."""
        return file_sha256(self.annotation_file)

    @cached_property
    def columns(self) -> Columns:
        """All instances of the annotation file, subset or not; those of a large file come from the cache, if they can.

        Messages about its entries are added to `problems` and `notes`.

        Raises:
            DataError: the file is missing or unusable.
        """
        file = self.annotation_file
        cache = ColumnCache(self.folder / "columns", file.stem, self.sha256, self.rules)
        large = file.stat().st_size >= LARGE
        found = cache.find() if large else None
        if found is None:
            with without_collection():
                found = self._make_columns(large=large)
            found = cache.keep(found) if large else found
        self.problems += [f"{file}: {problem}" for problem in found.facts["problems"]]
        self.notes += [f"{file}: {note}" for note in found.facts["notes"]]
        return found

    @property
    def rules(self) -> tuple[Any, ...]:
        """What decides how the annotation file is read, beside its contents."""
        layout = self.layout
        return self.protocol, self.skeleton.keypoints, layout.area_of_box, layout.annotated

    def contents(self) -> bytes:
        """The annotation file's contents. Raises `DataError` if they are not those of `sha256`."""
        data = read_bytes(self.annotation_file)
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise DataError(f"{self.annotation_file}: changed while it was read")
        return data

    @property
    def annotated(self) -> bool:
        """Whether the instances are published; if not, there are only images to predict."""
        return self.layout.annotated

    @cached_property
    def image_folder(self) -> Path:
        """The image folder, links followed. Raises `DataError` if there is none."""
        return self.layout.image_folder(self.folder, self.split)

    @abstractmethod
    def _make_columns(self, *, large: bool) -> Columns:
        """The columns of the annotation file. The contents of a large one should not stay in memory."""

    @abstractmethod
    def instances(self) -> Instances:
        """Annotated instances, in file order. Raises `DataError` if there are none, or the files are unusable."""

    @abstractmethod
    def detections(self, box_file: Path) -> Instances:
        """Detected instances, in the file's order. Raises `DataError` if the file or the split is unusable."""
