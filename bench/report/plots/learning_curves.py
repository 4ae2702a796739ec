"""What trainings did epoch by epoch: loss, and the validation metric of those that keep their best weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from bench.analysis.formatting import (
    backbone_name,
    data_name,
    in_print_units,
    representation_name,
    setting_name,
    setting_text,
)
from bench.report.plots.conditions import Condition
from bench.report.plots.drawing import Drawing
from bench.report.plots.groups import MOST_PANELS, columns
from bench.report.plots.layout import Layout, lay_out, log_axis
from bench.report.plots.material import MOST_METHODS, Material, size_text
from bench.report.plots.style import FAINT, OTHERS, Look, looks
from bench.store.documents import EpochEntry

__all__ = ["loss_by_epoch", "validation_by_epoch"]

UNFINISHED = "No training is finished yet."

FEW_EPOCHS = 30
"""Up to which each epoch has a marker."""

WIDE_RANGE = 8
"""Ratio of highest to lowest from which a logarithmic axis shows more."""

Reading = Callable[[EpochEntry], float | None]


@dataclass(frozen=True)
class _Line:
    """Finished trainings that differ in nothing but their seed: the lowest, mean and highest of each epoch."""

    name: str
    seeds: int
    epochs: Sequence[int]
    low: Sequence[float]
    mean: Sequence[float]
    high: Sequence[float]


Panels = Mapping[tuple[str, ...], list[_Line]]
"""Lines by the title of their panel in parts: backbone, representation, and input size where other settings vary."""


def loss_by_epoch(material: Material) -> Drawing:
    """A panel per backbone and representation, a line per input size with a band over seeds.

    Where a few other settings of trainings vary, each input size has a panel, and a line is one of these settings.
    """
    title = "Training curves"
    lines = _lines(material, lambda entry: entry.loss)
    if not lines:
        return Drawing(title, "No epoch is recorded." if material.results.trainings else UNFINISHED)
    caption = "Training loss by epoch. Representations minimise different losses: compare lines within a panel only."
    return _draw(material, lines, Drawing(title, caption), "training loss", same_scale=False)


def validation_by_epoch(material: Material) -> Drawing | None:
    """The same of the metric that selects the weights to keep; None for suites that keep their last weights."""
    splits = {planned.spec.selection_split for planned in material.results.plan.trainings} - {None}
    if not splits:
        return None
    title = "Validation while training"
    metric = "Mean" if material.measure == "PCKh" else "AP"
    lines = _lines(
        material, lambda entry: None if entry.validation is None else in_print_units(metric, entry.validation)
    )
    if not lines:
        return Drawing(title, "No epoch was validated." if material.results.trainings else UNFINISHED)
    data = material.results.plan.suite.dataset.info
    name = "mean PCKh" if material.measure == "PCKh" else "AP"
    where = " and ".join(sorted(data_name(data, split) for split in splits if split))
    caption = f"{name} on {where} after each epoch, by which the weights to keep are chosen."
    return _draw(material, lines, Drawing(title, caption), f"{name} (%)", same_scale=True)


def _draw(material: Material, lines: Panels, texts: Drawing, label: str, *, same_scale: bool) -> Drawing:
    """The lines under the title of `texts`, whose caption is completed."""
    shown = dict(list(lines.items())[:MOST_PANELS])
    drawn = [line for members in shown.values() for line in members]
    styles = looks(list(dict.fromkeys(line.name for line in drawn)), OTHERS)
    banded = any(line.seeds > 1 for line in drawn)
    across, height = columns(len(shown), len({title[-1] for title in shown})), 1.35 if len(shown) > 1 else 2.2
    layout = Layout(across, 3.2, height, left=0.5, same_y=same_scale)
    sheet = lay_out(len(shown), layout, _legend(styles, banded=banded))
    logarithmic = not same_scale and _wide(drawn)
    for (title, members), axes in zip(shown.items(), sheet.panels, strict=True):
        axes.set_title(", ".join(title))
        for line in members:
            _draw_line(axes, line, styles[line.name])
        if logarithmic:
            log_axis(axes, "y")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    figure = sheet.finish("epoch", label)
    count = sum(line.seeds for line in drawn)
    seeds = " Lines: means over seeds; bands: from the lowest to the highest seed." if banded else " One seed each."
    rest = f" Shown are the first {MOST_PANELS} of {len(lines)} panels." if len(lines) > MOST_PANELS else ""
    scale = " Logarithmic." if logarithmic else ""
    alike = any(len({line.name for line in members}) < len(members) for members in shown.values())
    rest += " Trainings that differ in other settings look the same." * alike
    training = "training" if count == 1 else "trainings"
    return Drawing(texts.title, f"{texts.caption} n = {count} {training}.{seeds}{scale}{rest}", figure)


def _legend(styles: Mapping[str, Look], *, banded: bool) -> dict[str, Artist]:
    entries: dict[str, Artist] = {
        name: Line2D([], [], color=look.color, linestyle=look.dashes) for name, look in styles.items()
    }
    return entries | ({"lowest to highest seed": Patch(color=FAINT, alpha=0.25, linewidth=0)} if banded else {})


def _draw_line(axes: Axes, line: _Line, look: Look) -> None:
    markers = look.point | {"markersize": 3} if len(line.epochs) <= FEW_EPOCHS else {}
    axes.plot(line.epochs, line.mean, color=look.color, linestyle=look.dashes, linewidth=1.1, **markers)
    if line.seeds > 1:
        axes.fill_between(line.epochs, line.low, line.high, color=look.color, alpha=0.25, linewidth=0)


def _wide(lines: Sequence[_Line]) -> bool:
    """Whether losses of one line cover more than a linear axis shows."""
    ranges = [(min(line.low), max(line.high)) for line in lines]
    return all(low > 0 for low, _ in ranges) and any(high > WIDE_RANGE * low for low, high in ranges)


def _lines(material: Material, reading: Reading) -> Panels:
    """What readings the finished trainings have, each training once however often it is measured."""
    details = _details(material)
    found: dict[tuple[str, ...], list[_Line]] = {}
    seen: set[tuple[str, ...]] = set()
    for condition in material.results.conditions:
        ids = tuple(item.training.spec.id for item in condition.measurements)
        histories = [material.results.trainings[id_].history for id_ in ids if id_ in material.results.trainings]
        training, size = condition.training, size_text(str(condition.training.input_size))
        line = _line(details.get(condition, size), histories, reading) if ids not in seen else None
        seen.add(ids)
        if line is not None:
            panel = backbone_name(training.backbone), representation_name(training.representation)
            found.setdefault((*panel, size) if details else panel, []).append(line)
    return found


def _details(material: Material) -> Mapping[Condition, str]:
    """What tells trainings of one backbone, representation and size apart, in words; empty where that is nothing, or
    more than has colors.
    """
    ablated = [name for name in material.results.ablated if not name.startswith("evaluation_")]
    details = {
        condition: ", ".join(f"{setting_name(name)} {setting_text(condition.settings[name])}" for name in ablated)
        for condition in material.results.conditions
    }
    return details if 1 < len(set(details.values())) <= MOST_METHODS else {}


def _line(name: str, histories: Sequence[Sequence[EpochEntry]], reading: Reading) -> _Line | None:
    """One line of several seeds' histories, which need not be of one length; None where nothing is to be read."""
    columns_: dict[int, list[float]] = {}
    seeds = 0
    for history in histories:
        values = [(entry.epoch, value) for entry in history if (value := reading(entry)) is not None]
        seeds += bool(values)
        for epoch, value in values:
            columns_.setdefault(epoch, []).append(value)
    if not columns_:
        return None
    epochs = sorted(columns_)
    table = [columns_[epoch] for epoch in epochs]
    means = [sum(values) / len(values) for values in table]
    return _Line(name, seeds, epochs, [min(values) for values in table], means, [max(values) for values in table])
