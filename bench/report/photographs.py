"""Validation photographs with skeletons: the same people across methods, and each method's worst and median ones."""

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

from bench.files import StoreError
from bench.pose.data.images import read_image
from bench.pose.errors import ImageError
from bench.pose.skeletons import Skeleton
from bench.report.formatting import backbone_name
from bench.report.people import Choice, StoredPerson, read_people
from bench.report.plots.drawing import Drawing
from bench.report.plots.layout import PAGE_WIDTH
from bench.report.plots.style import FAINT, INK, new_figure, plain
from bench.report.results import Measurement, Results
from bench.report.skeletons import COLOURS, draw_annotation, draw_skeleton
from bench.store import Store

__all__ = ["draw_photographs"]

MOST_PEOPLE, PAGE_PEOPLE = 8, 4
"""Of one choice: shown at most, and on one page."""

MOST_METHODS = 6
"""Side by side: more would be too small to be seen."""

COLUMN_WIDTH, ROW_HEIGHT, LINE_HEIGHT, MARGIN = 1.7, 2.25, 0.22, 0.06
"""In inches: of photographs, their rows at most, lines of text, and the room between photographs."""

SHARPNESS = 0.75
"""Of pages: stored photographs have no more to show."""

OWN_PEOPLE: Mapping[Choice, tuple[str, str]] = {
    "worst": ("The worst predictions", "Those whom each method predicts worst, worst first"),
    "median": (
        "The median predictions",
        "Those whom each method predicts neither well nor badly, at the median",
    ),
}
"""Title and description of people that each method has of its own."""

UNDER_EACH = (
    "Under each: object keypoint similarity (OKS) to the annotation, which counts labelled joints only. Every predicted"
    " joint is drawn, however unsure."
)

CHOSEN_FROM = (
    "They are chosen from those of the split with most joints labelled who are on no page before this one. White: the"
    " annotation."
)

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class _Column:
    """One evaluation's people, by why they were kept, each in the order in which they are stored."""

    title: str
    folder: Path
    skeleton: Skeleton
    people: Mapping[Choice, Mapping[int, StoredPerson]]

    def own(self, choice: Choice) -> list[StoredPerson]:
        """The people of one choice that are shown."""
        return list(self.people.get(choice, {}).values())[:MOST_PEOPLE]


@dataclass(frozen=True)
class _Cell:
    """A photograph on a page: whose, what is written under it, and which skeletons are drawn on it."""

    column: _Column
    person: StoredPerson
    label: str
    annotation: bool = False
    prediction: bool = True


Row = Sequence[_Cell | None]


@dataclass(frozen=True)
class _Book:
    """Rows of photographs under heads, on as many pages as they take."""

    name: str
    title: str
    caption: str
    heads: Sequence[str]
    rows: Sequence[Row]

    def pages(self, problems: list[str]) -> Iterator[tuple[str, Drawing]]:
        """Draw them."""
        count = -(-len(self.rows) // PAGE_PEOPLE)
        for number in range(count):
            figure = _draw(self.heads, self.rows[number * PAGE_PEOPLE : (number + 1) * PAGE_PEOPLE], problems)
            name = f"{self.name}_{number + 1}" if number else self.name
            title = f"{self.title} ({number + 1} of {count})" if count > 1 else self.title
            yield name, Drawing(title, self.caption, figure, tuple(problems), photographs=True)


def draw_photographs(results: Results, store: Store) -> Iterator[tuple[str, Drawing]]:
    """Pages by the names of their files, of the first backbone, input size and seed of which photographs are stored."""
    problems: list[str] = []
    for (backbone, size, seed), measurements in _series(results).items():
        columns = [column for item in measurements if (column := _column(results, item, store, problems))]
        if any(column.people for column in columns):
            where = f"{backbone_name(backbone)} at {size}, seed {seed}"
            remark = f" Shown are the first {MOST_METHODS} of {len(columns)} methods." if columns[MOST_METHODS:] else ""
            yield from _pages(columns[:MOST_METHODS], where, remark, problems)
            return
    yield "photographs", Drawing("Validation photographs", "No photographs stored.", problems=tuple(problems))


def _pages(columns: Sequence[_Column], where: str, remark: str, problems: list[str]) -> Iterator[tuple[str, Drawing]]:
    """All pages of some evaluations of one series."""
    rows = _same_people(columns)
    title, name = "Validation photographs", "photographs"
    if rows:
        caption = f"The first {len(rows)} stored people of the validation split, {where}. {UNDER_EACH}{remark}"
        heads = ["annotation", *(column.title for column in columns)]
        yield from _Book(name, title, caption, heads, rows).pages(problems)
    else:
        caption = "No person was photographed for every method."
        yield name, Drawing(title, caption, problems=tuple(problems))
    for choice, (title, who) in OWN_PEOPLE.items():
        cells = [[_own(column, person) for person in column.own(choice)] for column in columns]
        count = max(map(len, cells))
        rows = [[line[rank] if rank < len(line) else None for line in cells] for rank in range(count)]
        caption = f"{who}; {where}; n = {count} people per method. {CHOSEN_FROM} {UNDER_EACH}{remark}"
        yield from _Book(f"{name}_{choice}", title, caption, [column.title for column in columns], rows).pages(problems)


def _same_people(columns: Sequence[_Column]) -> list[Row]:
    """A row for each of the people spread over the split who is in every column: only they can be compared."""
    people = [column.people.get("spread", {}) for column in columns]
    common = [id_ for id_ in people[0] if all(id_ in stored for stored in people)][:MOST_PEOPLE]
    return [
        [
            _Cell(columns[0], people[0][id_], f"person {id_}", annotation=True, prediction=False),
            *(_Cell(column, stored[id_], _oks(stored[id_])) for column, stored in zip(columns, people, strict=True)),
        ]
        for id_ in common
    ]


def _own(column: _Column, person: StoredPerson) -> _Cell:
    """One of a method's own people, with the annotation under the prediction."""
    return _Cell(column, person, f"{_oks(person)} · person {person.annotation_id}", annotation=True)


def _oks(person: StoredPerson) -> str:
    if person.prediction is None:
        return "no prediction"
    return "OKS –" if person.oks is None else f"OKS {person.oks:.3f}"


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
        stored = read_people(folder, item.training.spec.data.skeleton)
    except StoreError as error:
        problems.append(str(error))
        return None
    if item.record is None or stored is None:
        return None
    condition = next(condition for condition in results.conditions if item in condition.measurements)
    people: dict[Choice, dict[int, StoredPerson]] = {}
    for person in stored.people:
        people.setdefault(person.choice, {})[person.annotation_id] = person
    return _Column(results.method(condition), folder.path, item.training.spec.data.skeleton, people)


def _draw(heads: Sequence[str], rows: Sequence[Row], problems: list[str]) -> Figure:
    """One page."""
    width = min(COLUMN_WIDTH, PAGE_WIDTH / len(heads))
    images = [[None if cell is None else _photograph(cell, problems) for cell in row] for row in rows]
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
    """Of a row in inches: less for photographs that are wider than high."""
    shapes = [image.shape[:2] for image in images if image is not None]
    highest = max((width * height / wide for height, wide in shapes), default=ROW_HEIGHT)
    return min(ROW_HEIGHT, highest + LINE_HEIGHT)


def _photograph(cell: _Cell, problems: list[str]) -> Image | None:
    """The stored region as RGB; None if it is unreadable or lies outside the evaluation's folder, which is noted."""
    folder, person = cell.column.folder, cell.person
    path = (folder / person.file).resolve()
    try:
        if not path.is_relative_to(folder.resolve()):
            raise ImageError(f"{folder}: {person.file!r} of person {person.annotation_id} lies outside the folder")
        return read_image(path)[..., ::-1]
    except ImageError as error:
        if str(error) not in problems:
            problems.append(str(error))
        return None


def _draw_cell(axes: Axes, cell: _Cell, image: Image | None) -> None:
    """The photograph without ticks or frame, its skeletons, and the text under it."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.set_xlabel(cell.label, fontsize=6.5, labelpad=2, color=INK)
    if image is None:
        axes.text(0.5, 0.5, "photograph\nunreadable", transform=axes.transAxes, ha="center", color=FAINT)
        return
    axes.imshow(image, interpolation="bilinear")
    # A joint that was predicted outside the region must not shrink the photograph.
    axes.autoscale(False)
    person, skeleton = cell.person, cell.column.skeleton
    labelled = [joint if joint[2] > 0 else None for joint in person.truth]
    if cell.annotation and cell.prediction:
        draw_annotation(axes, skeleton, labelled)
    elif cell.annotation:
        draw_skeleton(axes, skeleton, labelled)
    if cell.prediction and person.prediction is not None:
        draw_skeleton(axes, skeleton, person.prediction)


def _add_legend(figure: Figure, rows: Sequence[Row]) -> None:
    handles = [
        Line2D([], [], color=colour, linewidth=4, label=f"{side} of the body" if side != "centre" else "centre")
        for side, colour in COLOURS.items()
    ]
    if any(cell.annotation and cell.prediction for row in rows for cell in row if cell is not None):
        outline = [Stroke(linewidth=3.5, foreground="black"), Normal()]
        handles.append(Line2D([], [], color="white", linewidth=2, path_effects=outline, label="annotation"))
    figure.legend(handles=handles, loc="upper center", ncols=len(handles), borderaxespad=0.2)
