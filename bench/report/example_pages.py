"""Validation images with skeletons: the same instances of all methods, and each method's worst and median ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, Stroke

from bench.analysis.formatting import backbone_name
from bench.files import StoreError
from bench.pose.data.images import read_image
from bench.pose.errors import ImageError
from bench.pose.skeletons import Skeleton
from bench.report.plots import style
from bench.report.plots.drawing import Drawing
from bench.report.skeleton_drawing import COLORS, draw_annotation, draw_skeleton
from bench.report.stored_instances import Choice, StoredInstance, read_instances
from bench.store.folders import Store

MOST_INSTANCES, COLUMN_INSTANCES = 8, 4
"""Instances that are shown of one choice, and those of them that fit a column of the page."""

MOST_METHODS = 6
"""Methods under each other; the images of more would be too small."""

COLUMN_WIDTH, PAGE_HEIGHT = 1.4, 9.2
"""Sizes at most in inches: an image's width, and the height of a page."""

HEAD_WIDTH, LINE_HEIGHT = 0.25, 0.12
"""Sizes in inches: the name of a method, which runs up along its images, and a line of text."""

TITLES: Mapping[Choice, tuple[str, str]] = {
    "worst": ("The worst predictions", "The instances that each method predicts worst, worst first"),
    "median": ("The median predictions", "The instances whose similarity is at the median of each method"),
}
"""Title and description of instances that each method has of its own."""

UNDER_EACH = (
    "Under each: object keypoint similarity (OKS) to the annotation, of labelled keypoints only. Every predicted"
    " keypoint is drawn, however low its confidence."
)

CHOSEN_FROM = (
    "They are chosen from the instances with most keypoints labelled that are in no earlier figure. White: the"
    " annotation."
)

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class _Column:
    """One evaluation's instances by annotation id, by why they were kept, in the order in which they are stored."""

    title: str
    folder: Path
    skeleton: Skeleton
    instances: Mapping[Choice, Mapping[int, StoredInstance]]


@dataclass(frozen=True)
class _PageCell:
    """An image on a page: whose, what is written under it, and which skeletons are drawn on it."""

    column: _Column
    instance: StoredInstance
    label: str
    annotation: bool = False
    prediction: bool = True


Row = Sequence[_PageCell | None]


def draw_images(evaluations: pd.DataFrame, skeleton: Skeleton, store: Store) -> Iterator[tuple[str, Drawing]]:
    """Pages by the names of their files, of the first backbone, input size and seed that have stored images.

    Args:
        evaluations: with `evaluation` (id), `backbone`, `input_size`, `seed` and `method`.
        skeleton: of their dataset.
        store: that holds them.
    """
    problems: list[str] = []
    for key, group in evaluations.groupby(["backbone", "input_size", "seed"], sort=False):
        columns = [column for item in group.itertuples() if (column := _column(item, skeleton, store, problems))]
        if any(column.instances for column in columns):
            backbone, size, seed = map(str, key)
            where = f"{backbone_name(backbone)} at {size}, seed {seed}"
            remark = f" Shown are the first {MOST_METHODS} of {len(columns)} methods." if columns[MOST_METHODS:] else ""
            yield from _pages(columns[:MOST_METHODS], where, remark, problems)
            return
    yield "images", Drawing("Validation images", "No images stored; a capsule holds none.", problems=tuple(problems))


def _pages(columns: Sequence[_Column], where: str, remark: str, problems: list[str]) -> Iterator[tuple[str, Drawing]]:
    """All pages of some evaluations of one series."""
    heads = [column.title for column in columns]
    rows: Sequence[Row] = _same_instances(columns)
    if rows:
        caption = f"The first {len(rows)} stored instances of the validation split, {where}. {UNDER_EACH}{remark}"
        yield "images", _page(Drawing("Validation images", caption), ["annotation", *heads], rows, problems)
    else:
        yield "images", Drawing("Validation images", "No image is stored for every method.", problems=tuple(problems))
    for choice, (title, who) in TITLES.items():
        rows = [*zip_longest(*(_own(column, choice) for column in columns))][:MOST_INSTANCES]
        if rows:
            caption = f"{who}; {where}; n = {len(rows)} instances per method. {CHOSEN_FROM} {UNDER_EACH}{remark}"
            yield f"images_{choice}", _page(Drawing(title, caption), heads, rows, problems)


def _page(texts: Drawing, heads: Sequence[str], rows: Sequence[Row], problems: list[str]) -> Drawing:
    """A page of images with the title and caption of `texts`."""
    figure = _draw(heads, rows, problems)
    cells = [(head, cell) for row in rows for head, cell in zip(heads, row, strict=True) if cell is not None]
    values = pd.DataFrame(
        {
            "method": [head for head, _ in cells],
            "instance": [cell.instance.annotation_id for _, cell in cells],
            "object keypoint similarity (OKS)": [cell.instance.oks if cell.prediction else None for _, cell in cells],
        }
    )
    return replace(texts, figure=figure, problems=tuple(problems), images=True, values=values)


def _same_instances(columns: Sequence[_Column]) -> list[Row]:
    """A row for each instance spread over the split that every column has: only these can be compared."""
    spread = [column.instances.get("spread", {}) for column in columns]
    common = [id_ for id_ in spread[0] if all(id_ in stored for stored in spread)][:MOST_INSTANCES]
    return [
        [
            _PageCell(columns[0], spread[0][id_], f"instance {id_}", annotation=True, prediction=False),
            *(_PageCell(one, stored[id_], _oks(stored[id_])) for one, stored in zip(columns, spread, strict=True)),
        ]
        for id_ in common
    ]


def _own(column: _Column, choice: Choice) -> list[_PageCell]:
    """A method's own instances, with the annotation under the prediction."""
    instances = column.instances.get(choice, {}).values()
    return [_PageCell(column, one, f"{_oks(one)}\ninstance {one.annotation_id}", annotation=True) for one in instances]


def _oks(instance: StoredInstance) -> str:
    if instance.prediction is None:
        return "no prediction"
    return "OKS –" if instance.oks is None else f"OKS {instance.oks:.3f}"


def _column(item: Any, skeleton: Skeleton, store: Store, problems: list[str]) -> _Column | None:
    """The stored instances of a row of `evaluations`; None where there are none, or they cannot be read."""
    folder = store.evaluation(item.evaluation)
    try:
        stored = read_instances(folder, skeleton)
    except StoreError as error:
        problems.append(str(error))
        return None
    if stored is None:
        return None
    instances: dict[Choice, dict[int, StoredInstance]] = {}
    for instance in stored.instances:
        instances.setdefault(instance.choice, {})[instance.annotation_id] = instance
    return _Column(item.method, folder.path, skeleton, instances)


def _draw(heads: Sequence[str], rows: Sequence[Row], problems: list[str]) -> Figure:
    """One page: a line per head, with the instances side by side."""
    venue, scale = style.current_venue(), style.text_scale()
    most = venue.column if len(rows) <= COLUMN_INSTANCES else venue.page
    width = min(COLUMN_WIDTH, (most - HEAD_WIDTH * scale) / len(rows))
    lines: list[Row] = [*zip(*rows, strict=True)]
    images = [[None if cell is None else _image(cell, problems) for cell in line] for line in lines]
    text = (
        LINE_HEIGHT
        * scale
        * (0.5 + max((cell.label.count("\n") + 1 for row in rows for cell in row if cell), default=1))
    )
    highest = (PAGE_HEIGHT - text) / len(lines) - text
    shapes = [[image.shape for image in line if image is not None] for line in images]
    heights = [min(highest, max((width * one[0] / one[1] for one in line), default=width)) for line in shapes]
    layout = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    size = (width * len(rows) + HEAD_WIDTH * scale, sum(heights) + text * (len(lines) + 1))
    figure = Figure(size, style.DPI, layout=layout)
    grid = figure.subplots(len(lines), len(rows), squeeze=False, height_ratios=heights)
    for axes, head, height in zip(grid[:, 0], heads, heights, strict=True):
        axes.set_ylabel(style.plain(head, max(8, int(15 * height / scale)), 3), fontsize=style.small_print())
    for places, line, stored in zip(grid, lines, images, strict=True):
        for axes, cell, image in zip(places, line, stored, strict=True):
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
            if cell is not None:
                _draw_cell(axes, cell, image)
    _add_legend(figure, rows)
    return figure


def _image(cell: _PageCell, problems: list[str]) -> Image | None:
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


def _draw_cell(axes: Axes, cell: _PageCell, image: Image | None) -> None:
    """The image, its skeletons, and the text under it."""
    axes.set_xlabel(cell.label, fontsize=0.85 * style.small_print(), labelpad=2)
    if image is None:
        axes.text(0.5, 0.5, "image\nunreadable", transform=axes.transAxes, ha="center", color=style.FAINT)
        return
    axes.imshow(image, interpolation="bilinear")
    # A keypoint that was predicted outside the region must not shrink the image.
    axes.autoscale(False)
    instance, skeleton = cell.instance, cell.column.skeleton
    if cell.annotation:
        draw = draw_annotation if cell.prediction else draw_skeleton
        draw(axes, skeleton, [keypoint if keypoint[2] > 0 else None for keypoint in instance.truth])
    if cell.prediction and instance.prediction is not None:
        draw_skeleton(axes, skeleton, instance.prediction)


def _add_legend(figure: Figure, rows: Sequence[Row]) -> None:
    handles = [Line2D([], [], color=color, linewidth=4, label=side) for side, color in COLORS.items()]
    if any(cell.annotation and cell.prediction for row in rows for cell in row if cell is not None):
        outline = [Stroke(linewidth=3.5, foreground="black"), Normal()]
        handles.append(Line2D([], [], color="white", linewidth=2, path_effects=outline, label="annotation"))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), borderaxespad=0.2, handlelength=1.4)
