"""Validation images with skeletons: the same instances across methods, and each method's worst and median ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, Stroke

from bench.analysis.formatting import backbone_name
from bench.files import StoreError
from bench.pose.data.images import read_image
from bench.pose.errors import ImageError
from bench.pose.skeletons import Skeleton
from bench.report.plots.conditions import Measurement, PlottedResults
from bench.report.plots.drawing import Drawing
from bench.report.plots.layout import PAGE_WIDTH
from bench.report.plots.style import FAINT, INK, new_figure, plain
from bench.report.skeleton_drawing import COLORS, draw_annotation, draw_skeleton
from bench.report.stored_instances import Choice, StoredInstance, read_instances
from bench.store.folders import Store

__all__ = ["draw_images"]

MOST_INSTANCES, PAGE_INSTANCES = 8, 4
"""Of one choice: shown at most, and on one page."""

MOST_METHODS = 6
"""Side by side: more would be too small to be seen."""

COLUMN_WIDTH, ROW_HEIGHT, LINE_HEIGHT, MARGIN = 1.7, 2.25, 0.22, 0.06
"""In inches: of images, their rows at most, lines of text, and the room between images."""

SHARPNESS = 0.75
"""Of pages: stored images have no more to show."""

OWN_INSTANCES: Mapping[Choice, tuple[str, str]] = {
    "worst": ("The worst predictions", "Those whom each method predicts worst, worst first"),
    "median": (
        "The median predictions",
        "Those whom each method predicts neither well nor badly, at the median",
    ),
}
"""Title and description of instances that each method has of its own."""

UNDER_EACH = (
    "Under each: object keypoint similarity (OKS) to the annotation, of labelled keypoints only. Every predicted"
    " keypoint is drawn, however unsure."
)

CHOSEN_FROM = (
    "They are chosen from those with most keypoints labelled that are on no page before this one. White: the"
    " annotation."
)

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class _Column:
    """One evaluation's instances, by why they were kept, each in the order in which they are stored."""

    title: str
    folder: Path
    skeleton: Skeleton
    instances: Mapping[Choice, Mapping[int, StoredInstance]]

    def own(self, choice: Choice) -> list[StoredInstance]:
        """The instances of one choice that are shown."""
        return list(self.instances.get(choice, {}).values())[:MOST_INSTANCES]


@dataclass(frozen=True)
class _Cell:
    """An image on a page: whose, what is written under it, and which skeletons are drawn on it."""

    column: _Column
    instance: StoredInstance
    label: str
    annotation: bool = False
    prediction: bool = True


Row = Sequence[_Cell | None]


@dataclass(frozen=True)
class _Book:
    """Rows of images under heads, on as many pages as they take."""

    name: str
    title: str
    caption: str
    heads: Sequence[str]
    rows: Sequence[Row]

    def pages(self, problems: list[str]) -> Iterator[tuple[str, Drawing]]:
        """Draw them."""
        count = -(-len(self.rows) // PAGE_INSTANCES)
        for number in range(count):
            figure = _draw(self.heads, self.rows[number * PAGE_INSTANCES : (number + 1) * PAGE_INSTANCES], problems)
            name = f"{self.name}_{number + 1}" if number else self.name
            title = f"{self.title} ({number + 1} of {count})" if count > 1 else self.title
            yield name, Drawing(title, self.caption, figure, tuple(problems), images=True)


def draw_images(results: PlottedResults, store: Store) -> Iterator[tuple[str, Drawing]]:
    """Pages by the names of their files, of the first backbone, input size and seed of which images are stored."""
    problems: list[str] = []
    for (backbone, size, seed), measurements in _series(results).items():
        columns = [column for item in measurements if (column := _column(results, item, store, problems))]
        if any(column.instances for column in columns):
            where = f"{backbone_name(backbone)} at {size}, seed {seed}"
            remark = f" Shown are the first {MOST_METHODS} of {len(columns)} methods." if columns[MOST_METHODS:] else ""
            yield from _pages(columns[:MOST_METHODS], where, remark, problems)
            return
    yield "images", Drawing("Validation images", "No images stored.", problems=tuple(problems))


def _pages(columns: Sequence[_Column], where: str, remark: str, problems: list[str]) -> Iterator[tuple[str, Drawing]]:
    """All pages of some evaluations of one series."""
    rows = _same_instances(columns)
    title, name = "Validation images", "images"
    if rows:
        caption = f"The first {len(rows)} stored instances of the validation split, {where}. {UNDER_EACH}{remark}"
        heads = ["annotation", *(column.title for column in columns)]
        yield from _Book(name, title, caption, heads, rows).pages(problems)
    else:
        caption = "No instance was photographed for every method."
        yield name, Drawing(title, caption, problems=tuple(problems))
    for choice, (title, who) in OWN_INSTANCES.items():
        cells = [[_own(column, instance) for instance in column.own(choice)] for column in columns]
        count = max(map(len, cells))
        rows = [[line[rank] if rank < len(line) else None for line in cells] for rank in range(count)]
        caption = f"{who}; {where}; n = {count} instances per method. {CHOSEN_FROM} {UNDER_EACH}{remark}"
        yield from _Book(f"{name}_{choice}", title, caption, [column.title for column in columns], rows).pages(problems)


def _same_instances(columns: Sequence[_Column]) -> list[Row]:
    """A row for each of the instances spread over the split who is in every column: only they can be compared."""
    instances = [column.instances.get("spread", {}) for column in columns]
    common = [id_ for id_ in instances[0] if all(id_ in stored for stored in instances)][:MOST_INSTANCES]
    return [
        [
            _Cell(columns[0], instances[0][id_], f"instance {id_}", annotation=True, prediction=False),
            *(_Cell(column, stored[id_], _oks(stored[id_])) for column, stored in zip(columns, instances, strict=True)),
        ]
        for id_ in common
    ]


def _own(column: _Column, instance: StoredInstance) -> _Cell:
    """One of a method's own instances, with the annotation under the prediction."""
    return _Cell(column, instance, f"{_oks(instance)} · instance {instance.annotation_id}", annotation=True)


def _oks(instance: StoredInstance) -> str:
    if instance.prediction is None:
        return "no prediction"
    return "OKS –" if instance.oks is None else f"OKS {instance.oks:.3f}"


def _series(results: PlottedResults) -> dict[tuple[str, str, int], list[Measurement]]:
    """Measurements by backbone, input size and seed."""
    series: dict[tuple[str, str, int], list[Measurement]] = {}
    for condition in results.conditions:
        for item in condition.measurements:
            series.setdefault((*condition.group, item.seed), []).append(item)
    return series


def _column(results: PlottedResults, item: Measurement, store: Store, problems: list[str]) -> _Column | None:
    """An evaluation's stored instances; None where there are none, or they cannot be read, which is noted."""
    folder = store.evaluation(item.evaluation.spec.id)
    try:
        stored = read_instances(folder, item.training.spec.data.skeleton)
    except StoreError as error:
        problems.append(str(error))
        return None
    if item.record is None or stored is None:
        return None
    condition = next(condition for condition in results.conditions if item in condition.measurements)
    instances: dict[Choice, dict[int, StoredInstance]] = {}
    for instance in stored.instances:
        instances.setdefault(instance.choice, {})[instance.annotation_id] = instance
    return _Column(results.method(condition), folder.path, item.training.spec.data.skeleton, instances)


def _draw(heads: Sequence[str], rows: Sequence[Row], problems: list[str]) -> Figure:
    """One page."""
    width = min(COLUMN_WIDTH, PAGE_WIDTH / len(heads))
    images = [[None if cell is None else _image(cell, problems) for cell in row] for row in rows]
    heights = [_height(row, width - MARGIN) for row in images]
    total = sum(heights) + 2.4 * LINE_HEIGHT
    figure = new_figure(width * len(heads), total, sharpness=SHARPNESS)
    top = total - 2.4 * LINE_HEIGHT
    for column, head in enumerate(heads):
        figure.text((column + 0.5) / len(heads), (top + 0.04) / total, plain(head, int(20 * width)), fontweight="bold",
                    ha="center", va="bottom", fontsize=7)  # fmt: skip
    for row, line, height in zip(rows, images, heights, strict=True):
        top -= height
        for column, (cell, image) in enumerate(zip(row, line, strict=True)):
            if cell is not None:
                left, bottom = column * width + MARGIN / 2, top + LINE_HEIGHT
                place = (left, bottom, width - MARGIN, height - LINE_HEIGHT)
                axes = figure.add_axes((place[0] / (width * len(heads)), place[1] / total,
                                        place[2] / (width * len(heads)), place[3] / total))  # fmt: skip
                _draw_cell(axes, cell, image)
    _add_legend(figure, rows)
    return figure


def _height(images: Sequence[Image | None], width: float) -> float:
    """Of a row in inches: less for images that are wider than high."""
    shapes = [image.shape[:2] for image in images if image is not None]
    highest = max((width * height / wide for height, wide in shapes), default=ROW_HEIGHT)
    return min(ROW_HEIGHT, highest + LINE_HEIGHT)


def _image(cell: _Cell, problems: list[str]) -> Image | None:
    """The stored region as RGB; None if it is unreadable or lies outside the evaluation's folder, which is noted."""
    folder, instance = cell.column.folder, cell.instance
    path = (folder / instance.file).resolve()
    try:
        if not path.is_relative_to(folder.resolve()):
            raise ImageError(
                f"{folder}: {instance.file!r} of instance {instance.annotation_id} lies outside the folder"
            )
        return read_image(path)[..., ::-1]
    except ImageError as error:
        if str(error) not in problems:
            problems.append(str(error))
        return None


def _draw_cell(axes: Axes, cell: _Cell, image: Image | None) -> None:
    """The image without ticks or frame, its skeletons, and the text under it."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.set_xlabel(cell.label, fontsize=6.5, labelpad=2, color=INK)
    if image is None:
        axes.text(0.5, 0.5, "image\nunreadable", transform=axes.transAxes, ha="center", color=FAINT)
        return
    axes.imshow(image, interpolation="bilinear")
    # A keypoint that was predicted outside the region must not shrink the image.
    axes.autoscale(False)
    instance, skeleton = cell.instance, cell.column.skeleton
    labelled = [keypoint if keypoint[2] > 0 else None for keypoint in instance.truth]
    if cell.annotation and cell.prediction:
        draw_annotation(axes, skeleton, labelled)
    elif cell.annotation:
        draw_skeleton(axes, skeleton, labelled)
    if cell.prediction and instance.prediction is not None:
        draw_skeleton(axes, skeleton, instance.prediction)


def _add_legend(figure: Figure, rows: Sequence[Row]) -> None:
    handles = [
        Line2D([], [], color=color, linewidth=4, label=f"{side} of the body" if side != "center" else "center")
        for side, color in COLORS.items()
    ]
    if any(cell.annotation and cell.prediction for row in rows for cell in row if cell is not None):
        outline = [Stroke(linewidth=3.5, foreground="black"), Normal()]
        handles.append(Line2D([], [], color="white", linewidth=2, path_effects=outline, label="annotation"))
    figure.legend(handles=handles, loc="upper center", ncols=len(handles), borderaxespad=0.2)
