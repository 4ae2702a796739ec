"""Validation photographs with skeletons: the same people across the representations of a suite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import Stroke
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.files import StoreError, read_json
from bench.pose.data.images import read_image
from bench.pose.errors import ImageError, UnknownNameError
from bench.pose.skeletons import Skeleton, get_skeleton
from bench.report.formatting import backbone_name
from bench.report.plots import FAINT, INK, new_figure, to_png
from bench.report.results import Measurement, Results
from bench.store import EvaluationFolder, Store

__all__ = ["Photographs", "StoredPeople", "draw_photographs"]

PEOPLE = 8
"""Shown at most."""

COLOURS = {"left": "#56B4E9", "right": "#E66A00", "centre": "#F0E442"}
"""Of limbs and joints by side; apart for the common colour-vision deficiencies, and light enough for dark clothes."""

COLUMN_WIDTH, ROW_HEIGHT, LINE_HEIGHT = 1.75, 2.3, 0.25
"""In inches."""

Joint = Annotated[tuple[float, float, float], Field(strict=False)]


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StoredPerson(_Stored):
    """One person as an evaluation keeps it for reports.

    Attributes:
        image_id: of the photograph in the dataset.
        annotation_id: of the person.
        file: the region round the person, relative to the evaluation's folder.
        truth: (x, y, v) per joint in px of that region; v = 0 is unlabelled.
        prediction: (x, y, confidence) per joint, None where nothing was predicted.
        oks: similarity of the two, None where it is not defined.
    """

    image_id: int
    annotation_id: int
    file: str
    truth: list[Joint]
    prediction: list[Joint] | None
    oks: float | None


class StoredPeople(_Stored):
    """Contents of `people.json`."""

    skeleton: str
    people: list[StoredPerson]


@dataclass(frozen=True)
class Photographs:
    """The figure, what it shows, and what could not be shown."""

    png: bytes | None
    caption: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Column:
    """One evaluation's people by annotation id."""

    title: str
    folder: Path
    skeleton: Skeleton
    people: dict[int, StoredPerson]


def draw_photographs(results: Results, store: Store) -> Photographs:
    """People by methods, for the first backbone, input size and seed of which photographs are stored."""
    problems: list[str] = []
    for key, measurements in _series(results).items():
        columns = [column for item in measurements if (column := _column(results, item, store, problems))]
        # Only who is in every column can be compared.
        people = [
            person for person in (columns[0].people if columns else {})
            if all(person in column.people for column in columns)
        ][:PEOPLE]  # fmt: skip
        if people:
            backbone, size, seed = key
            caption = (
                f"The first {len(people)} stored people of the validation split, {backbone_name(backbone)} at {size},"
                f" seed {seed}. Under each: object keypoint similarity (OKS) to the annotation, which counts labelled"
                " joints only. Every predicted joint is drawn, however unsure."
            )
            return Photographs(_draw(columns, people, problems), caption, tuple(problems))
    return Photographs(None, "No photographs stored.", tuple(problems))


def _series(results: Results) -> dict[tuple[str, str, int], list[Measurement]]:
    """Measurements by backbone, input size and seed."""
    series: dict[tuple[str, str, int], list[Measurement]] = {}
    for condition in results.conditions:
        for item in condition.measurements:
            series.setdefault((*condition.group, item.seed), []).append(item)
    return series


def _column(results: Results, item: Measurement, store: Store, problems: list[str]) -> _Column | None:
    """An evaluation's stored people; None where there are none, or they cannot be read, which is noted."""
    folder = store.evaluation(item.evaluation.spec.id)
    try:
        stored = _read(folder)
        if item.record is None or stored is None:
            return None
        skeleton = get_skeleton(stored.skeleton)
        _check_joints(stored, skeleton, folder.people_file)
    except (StoreError, UnknownNameError) as error:
        problems.append(str(error))
        return None
    condition = next(condition for condition in results.conditions if item in condition.measurements)
    people = {person.annotation_id: person for person in stored.people}
    return _Column(results.method(condition), folder.path, skeleton, people)


def _read(folder: EvaluationFolder) -> StoredPeople | None:
    contents = read_json(folder.people_file)
    if contents is None:
        return None
    try:
        return StoredPeople.model_validate(contents)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise StoreError(f"{folder.people_file}: {where}: {first['msg']}") from None


def _check_joints(stored: StoredPeople, skeleton: Skeleton, file: Path) -> None:
    for person in stored.people:
        for joints in (person.truth, person.prediction):
            if joints is not None and len(joints) != skeleton.size:
                raise StoreError(
                    f"{file}: person {person.annotation_id} has {len(joints)} joints, {skeleton.name} has"
                    f" {skeleton.size}"
                )


def _draw(columns: Sequence[_Column], people: Sequence[int], problems: list[str]) -> bytes:
    across = len(columns) + 1
    heights = [_height(columns[0], person) for person in people]
    figure = new_figure(COLUMN_WIDTH * across, sum(heights) + 0.5)
    figure.set_layout_engine("constrained", w_pad=0.03, h_pad=0.03, wspace=0.02, hspace=0.02)
    panels = figure.subplots(len(people), across, squeeze=False, height_ratios=heights)
    for line, person in zip(panels, people, strict=True):
        _draw_person(line, columns, person, problems)
    for axes, title in zip(panels[0], ("annotation", *(column.title for column in columns)), strict=True):
        axes.set_title(title, fontsize=9, fontweight="bold", color=INK)
    _add_legend(figure)
    return to_png(figure)


def _height(column: _Column, person: int) -> float:
    """Room for a row of one person in inches: less for photographs that are wider than high."""
    try:
        height, width = _photograph(column.folder, column.people[person]).shape[:2]
    except ImageError:
        return ROW_HEIGHT
    return min(ROW_HEIGHT, COLUMN_WIDTH * height / width + LINE_HEIGHT)


def _draw_person(line: Sequence[Axes], columns: Sequence[_Column], person: int, problems: list[str]) -> None:
    truth = columns[0].people[person]
    labelled = [joint if joint[2] > 0 else None for joint in truth.truth]
    line[0].set_xlabel(f"person {person}")
    if _draw_photograph(line[0], columns[0].folder, truth, problems):
        _draw_skeleton(line[0], columns[0].skeleton, labelled)
    for axes, column in zip(line[1:], columns, strict=True):
        stored = column.people[person]
        oks = "OKS –" if stored.oks is None else f"OKS {stored.oks:.3f}"
        axes.set_xlabel(oks if stored.prediction is not None else "no prediction")
        if _draw_photograph(axes, column.folder, stored, problems) and stored.prediction is not None:
            _draw_skeleton(axes, column.skeleton, stored.prediction)


def _draw_photograph(axes: Axes, folder: Path, person: StoredPerson, problems: list[str]) -> bool:
    """The stored region without ticks or frame; False where it cannot be read, which is noted."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.xaxis.label.set(fontsize=8, color=INK)
    try:
        image = _photograph(folder, person)
    except ImageError as error:
        if str(error) not in problems:
            problems.append(str(error))
        axes.text(0.5, 0.5, "photograph\nunreadable", transform=axes.transAxes, ha="center", fontsize=8, color=FAINT)
        return False
    axes.imshow(image, interpolation="bilinear")
    # A joint that was predicted outside the region must not shrink the photograph.
    axes.autoscale(False)
    return True


def _photograph(folder: Path, person: StoredPerson) -> npt.NDArray[np.uint8]:
    """The stored region as RGB. Raises `ImageError` if it is unreadable or lies outside the evaluation's folder."""
    path = (folder / person.file).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ImageError(f"{folder}: {person.file!r} of person {person.annotation_id} lies outside the folder")
    return read_image(path)[..., ::-1]


def _draw_skeleton(axes: Axes, skeleton: Skeleton, joints: Sequence[tuple[float, float, float] | None]) -> None:
    outline = [Stroke(linewidth=3.4, foreground="black", alpha=0.65)]
    for first, second in skeleton.limb_indices:
        a, b = joints[first], joints[second]
        if a is not None and b is not None:
            colour = COLOURS[_side(skeleton.joints[first], skeleton.joints[second])]
            # The outline first and apart from the limb, so that it is never over another limb's colour.
            axes.plot([a[0], b[0]], [a[1], b[1]], color="none", path_effects=outline, zorder=2)
            axes.plot([a[0], b[0]], [a[1], b[1]], color=colour, linewidth=1.9, solid_capstyle="round", zorder=3)
    for name, joint in zip(skeleton.joints, joints, strict=True):
        if joint is not None:
            axes.plot(
                *joint[:2], marker="o", markersize=3.6, color=COLOURS[_side(name)], markeredgecolor="black",
                markeredgewidth=0.6, zorder=4,
            )  # fmt: skip


def _side(*joints: str) -> str:
    """Side of the body that a joint, or a limb between two, belongs to."""
    left, right = (any(joint.startswith(side) for joint in joints) for side in ("left_", "right_"))
    return "centre" if left == right else "left" if left else "right"


def _add_legend(figure: Figure) -> None:
    handles = [
        Line2D([], [], color=colour, linewidth=4, label=f"{side} of the body" if side != "centre" else "centre")
        for side, colour in COLOURS.items()
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False, fontsize=9)
