"""A user's own dataset in COCO's format, declared by a suite without code.

The definition is part of the specs of its trainings: it decides what they learn and how they are scored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from bench.pose.data.datasets import DatasetInfo
from bench.pose.data.layout import COCO_LAYOUT, Layout
from bench.pose.skeletons import Skeleton
from bench.suite.source import Problem
from bench.suite.structure import ContradictionError, unknown


class _DefinitionPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def _inside(path: str) -> str:
    """Refuse a path that leaves the dataset's folder."""
    if not path or PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise ValueError(f"{path!r:.80} is not a path inside the dataset's folder")
    return path


def _by_split(files: Any) -> Any:
    """The pairs of a mapping from splits to files, in an order of their own: that of the suite is no part of an id."""
    pairs = list(files.items()) if isinstance(files, Mapping) else files
    if isinstance(pairs, list | tuple) and all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs):
        return sorted(map(tuple, pairs), key=str)
    raise ValueError(f"expected files by split, such as {{val: boxes.json}}, found {files!r:.80}")


def _of_splits(path: str) -> str:
    if path.count("SPLIT") != 1:
        raise ValueError(f"{path!r:.80} needs SPLIT once, where the name of the split goes")
    return path


Text = Annotated[str, Field(min_length=1, max_length=200)]
Pair = Annotated[tuple[str, str], Field(strict=False)]
Pairs = Annotated[tuple[Pair, ...], Field(strict=False)]
Names = Annotated[tuple[str, ...], Field(strict=False)]
File = Annotated[str, AfterValidator(_inside)]
FilesBySplit = Annotated[
    tuple[Annotated[tuple[str, File], Field(strict=False)], ...],
    Field(strict=False),
    BeforeValidator(_by_split, json_schema_input_type=dict[str, str]),
]
Sigma = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class SkeletonDefinition(_DefinitionPart):
    """Keypoints by name.

    Attributes:
        keypoints: names in the order of the annotations.
        sigmas: per keypoint, the OKS falloff in units of the square root of the instance's area.
        pairs: keypoints that a horizontal flip exchanges, as (left, right).
        upper: keypoints of the upper body, for half-body augmentation; none switches it off.
        limbs: pairs of keypoints to draw.
    """

    keypoints: Annotated[tuple[Text, ...], Field(strict=False, min_length=1)]
    sigmas: Annotated[tuple[Sigma, ...], Field(strict=False)]
    pairs: Pairs = ()
    upper: Names = ()
    limbs: Pairs = ()

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        problems = list(self._problems())
        if problems:
            raise ContradictionError(problems)
        return self

    def _problems(self) -> Iterator[Problem]:
        for number, keypoint in enumerate(self.keypoints):
            if keypoint in self.keypoints[:number]:
                yield Problem(("keypoints", number), f"keypoint {keypoint!r} is listed twice")
        if len(self.sigmas) != len(self.keypoints):
            yield Problem(("sigmas",), f"{len(self.sigmas)} sigmas for {len(self.keypoints)} keypoints")
        lists = {"pairs": self.pairs, "limbs": self.limbs, "upper": [(name,) for name in self.upper]}
        for kind, items in lists.items():
            for number, keypoints in enumerate(items):
                for keypoint in keypoints:
                    if keypoint not in self.keypoints:
                        yield Problem((kind, number), unknown("keypoint", keypoint, self.keypoints))
        exchanged = [keypoint for pair in self.pairs for keypoint in pair]
        for keypoint in sorted({keypoint for keypoint in exchanged if exchanged.count(keypoint) > 1}):
            yield Problem(("pairs",), f"keypoint {keypoint!r} is exchanged twice")


class Definition(_DefinitionPart):
    """A dataset in COCO's format, in its folder under the data root.

    Attributes:
        skeleton: its keypoints.
        title: as printed; the dataset's name if not given.
        annotations: file of a split's instances, with `SPLIT` for the name of the split.
        images: folders that may hold a split's images; the first that is there is taken.
        detector_boxes: by split, the file of a detector's boxes in its folder, such as `{val: boxes.json}`; evaluations
            with `boxes: detector` use it.
        area_of_box: part of a box that an instance without a stored area is taken to cover.
    """

    skeleton: SkeletonDefinition
    title: Text | None = None
    annotations: Annotated[str, AfterValidator(_inside), AfterValidator(_of_splits)] = COCO_LAYOUT.annotations
    images: Annotated[tuple[File, ...], Field(strict=False, min_length=1)] = COCO_LAYOUT.images
    detector_boxes: FilesBySplit = ()
    area_of_box: Annotated[float, Field(gt=0, le=1)] = 1.0

    def info(self, name: str) -> DatasetInfo:
        """The dataset of that name."""
        skeleton = Skeleton(name, **dict(self.skeleton))
        return DatasetInfo(
            name=name,
            title=self.title or name,
            skeleton=skeleton,
            source="defined by its suite",
            layout=Layout(self.annotations, self.images, area_of_box=self.area_of_box),
            detector_boxes=self.detector_boxes,
        )
