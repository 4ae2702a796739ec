"""Numbers that others publish for the same cells: beside ours in tables, never part of a verdict on the paper."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench.pose.input_size import InputSize


@dataclass(frozen=True)
class ElsewhereRow:
    """One published result of another project.

    Attributes:
        id: SOURCE/CONFIGURATION.
        source: project and version.
        page: of the project that prints it.
        protocol: how it was trained and measured.
        settings: of the cell, by the names of suites: dataset, backbone, representation and what else tells it.
        metrics: under the names and in the units of our records.
    """

    id: str
    source: str
    page: str
    protocol: str
    settings: Mapping[str, Any]
    metrics: Mapping[str, float]

    @property
    def words(self) -> str:
        """Where the number is from, in a sentence."""
        return f"{self.id}, {self.source}, {self.page}: {self.protocol}"


@cache
def elsewhere_rows() -> tuple[ElsewhereRow, ...]:
    """All rows, in the order of the file."""
    document = json.loads((Path(__file__).parent / "elsewhere.json").read_text(encoding="utf-8"))
    named = ("dataset", "backbone", "representation", "post_process")
    return tuple(
        ElsewhereRow(
            id=f"mmpose/{row['config']}",
            source=document["source"],
            page=f"{document['address']}: {row['page']}",
            protocol=document["protocols"][row["dataset"]],
            settings={name: row[name] for name in named}
            | {"input_size": InputSize.parse(row["input_size"])}
            | row["settings"],
            metrics=row["metrics"],
        )
        for row in document["rows"]
    )


def find_elsewhere(settings: Mapping[str, Any]) -> ElsewhereRow | None:
    """The row of a cell, given all its settings by their names in a table row; None where nobody published it."""
    rows = _by_backbone().get((settings["dataset"], settings["backbone"]), ())
    fitting = (row for row in rows if all(settings.get(name) == value for name, value in row.settings.items()))
    return next(fitting, None)


@cache
def _by_backbone() -> Mapping[tuple[str, str], tuple[ElsewhereRow, ...]]:
    found: dict[tuple[str, str], tuple[ElsewhereRow, ...]] = {}
    for row in elsewhere_rows():
        key = row.settings["dataset"], row.settings["backbone"]
        found[key] = (*found.get(key, ()), row)
    return found
