"""What is known of how settings change AP: from published rows, and from measurements listed in `effects.yaml`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field

from bench.paper.published import TABLES, PublishedRow, published_rows
from bench.pose.metrics.catalog import headline, metric_named

Points = tuple[float, float]


@dataclass(frozen=True)
class Effect:
    """What a change does to AP.

    Attributes:
        points: of AP (0..100), or of PCKh, lowest and highest; None where no number is known.
        matters: whether it is known to change AP, by how much not.
        known: what was measured.
        source: where that stands.
    """

    points: Points | None = None
    matters: bool = False
    known: str = ""
    source: str = ""

    @property
    def size(self) -> float:
        """The largest change that it may be, in points; 0 where none is known."""
        return max(map(abs, self.points)) if self.points is not None else 0.0

    @property
    def reversed(self) -> Effect:
        """Of the change backwards."""
        points = None if self.points is None else (-self.points[1], -self.points[0])
        return Effect(points, self.matters, self.known, self.source)


class KnownEffect(BaseModel):
    """One entry of `effects.yaml`, which describes the fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: Annotated[tuple[str, ...], Field(min_length=1)]
    before: Annotated[Any, Field(alias="from")] = None
    after: Annotated[Any, Field(alias="to")] = None
    when: dict[str, Any] = {}
    points: Points | None = None
    matters: bool = False
    known: Annotated[str, Field(min_length=1)]
    source: Annotated[str, Field(min_length=1)]

    def applies(self, cells: Collection[Mapping[str, Any]]) -> bool:
        """Whether all cells are such as it was measured on."""
        return all(
            cell.get(name) in (wanted if isinstance(wanted, list) else [wanted])
            for cell in cells
            for name, wanted in self.when.items()
        )

    def of(self, before: Any, after: Any) -> Effect | None:
        """The effect of a change of its first setting; None if that is another change than it knows."""
        effect = Effect(self.points, self.matters, self.known, self.source)
        if self._knows(before, after):
            return effect
        return effect.reversed if self._knows(after, before) else None

    def _knows(self, before: Any, after: Any) -> bool:
        return self.before in {None, before} and self.after in {None, after}


@cache
def known_effects() -> tuple[KnownEffect, ...]:
    """The entries of `effects.yaml`, of which the first that fits is taken."""
    file = Path(__file__).with_name("effects.yaml")
    entries = yaml.safe_load(file.read_text(encoding="utf-8"))["effects"]
    return tuple(KnownEffect.model_validate(entry) for entry in entries)


def published_effect(before: Mapping[str, Any], after: Mapping[str, Any], names: Collection[str]) -> Effect | None:
    """The published difference that some settings make alone.

    Args:
        before: all settings of a cell, under their names in a table row (`shared_settings`).
        after: of the other cell.
        names: of the settings to change, among those that tell published rows apart.

    Returns:
        The difference between two published rows with the other settings of one of the cells, or None if the paper
        printed no such rows.
    """
    for cell in (before, after):
        one, other = (_published({**cell, **{name: side[name] for name in names}}) for side in (before, after))
        metric = headline(one.metrics) if one and other else None
        if one and other and metric:
            unit = metric_named(metric).scale
            points = unit * (other.metrics[metric] - one.metrics[metric])
            printed = [unit * row.metrics[metric] for row in (one, other)]
            known = f"published: {metric} {printed[0]:.1f} and {printed[1]:.1f} with all else as in the paper"
            return Effect((points, points), True, known, f"{one.id} and {other.id}")
    return None


def _published(cell: Mapping[str, Any]) -> PublishedRow | None:
    """The first published row of a cell's data, method and input size."""
    return next((row for row in published_rows() if _is_row(row, cell)), None)


def _is_row(row: PublishedRow, cell: Mapping[str, Any]) -> bool:
    table = TABLES[row.table]
    return (
        (table.dataset, table.split) == (cell["dataset"], cell["evaluation_split"])
        and (row.backbone, row.representation, str(row.input_size))
        == (cell["backbone"], cell["representation"], str(cell["input_size"]))
        and row.post_process == cell["post_process"]
    )
