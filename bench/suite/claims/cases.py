"""The cases of a claim: for each combination of the settings it leaves open, the cells that its terms select."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.pose.input_size import InputSize
from bench.suite.claims.language import Inequality, Term
from bench.suite.source import SuiteError

Settings = Mapping[str, Any]
"""All settings of a table row by name, see `bench.suite.specs.shared_settings`."""

Selection = Mapping[str, tuple[Any, ...]]
"""Values of settings, one of which each selected row must have."""

OWN = "suite"
"""Who makes a claim that is the suite's own."""


@dataclass(frozen=True)
class Claim:
    """A sentence as an inequality.

    Attributes:
        id: of the claim.
        says: the sentence.
        by: who says it: "paper", the name of another paper, or "suite" for a claim of the suite's own.
        source: where they say it.
        that: the inequality.
        selections: values of settings that each of its terms asks for.
        at: values of settings that all terms are restricted to.
        matters: an effect below this is too small to matter, in the units of records.
        place: "FILE:LINE" of the inequality.
    """

    id: str
    says: str
    by: str
    source: str
    that: Inequality
    selections: Mapping[Term, Selection]
    at: Selection
    matters: float
    place: str

    @property
    def origin(self) -> str:
        """Who says it and where, in words; "" for a claim of the paper without a place."""
        return ", ".join(filter(None, ({"paper": "", OWN: "of this suite"}.get(self.by, self.by), self.source)))


@dataclass(frozen=True)
class ClaimCase:
    """One combination of the settings that a claim leaves open.

    Attributes:
        values: of the settings that are open, by name.
        cells: the cell that each term of the claim selects.
    """

    values: Settings
    cells: Mapping[Term, Settings]


def find_cases(claim: Claim, cells: Sequence[Settings], open_settings: Collection[str]) -> tuple[ClaimCase, ...]:
    """A claim's cases, in the order of the suite's cells.

    A cell that has no such setting, because its representation does not read it, belongs to all of its values.

    Args:
        claim: whose cases are wanted.
        cells: all table rows of the suite.
        open_settings: that a suite varies, but for seeds; those that the claim names in no term are open.

    Raises:
        SuiteError: a term selects several cells in a case, or none, or the same as another term.
    """
    kept = [cell for cell in cells if all(_fits(cell.get(name), values) for name, values in claim.at.items())]
    if not kept:
        raise _error(claim, f"no cell of the suite has {_words(claim.at)}")
    for term, selection in claim.selections.items():
        if not _select(kept, selection):
            raise _error(claim, f"{term} selects no cell of the suite: none has {_words({**selection, **claim.at})}")
    return tuple(_cases(claim, kept, open_settings))


def _cases(claim: Claim, cells: Sequence[Settings], open_settings: Collection[str]) -> Iterator[ClaimCase]:
    selections = claim.selections
    named = {name for selection in selections.values() for name in selection}
    concerned = [cell for cell in cells if any(_select([cell], selection) for selection in selections.values())]
    varied = {name: _distinct(concerned, name) for name in open_settings if name not in named}
    axes = {name: values for name, values in varied.items() if len(values) > 1}
    for values, here in _divide(concerned, list(axes.items())):
        selected = {term: _select(here, selection) for term, selection in selections.items()}
        if any(selected.values()):  # else the suite has no such combination
            only = {term: _only(claim, term, found, values, open_settings) for term, found in selected.items()}
            _check_different(claim, only)
            yield ClaimCase(values, only)


def _divide(
    cells: Sequence[Settings], axes: Sequence[tuple[str, Sequence[Any]]]
) -> Iterator[tuple[dict[str, Any], Sequence[Settings]]]:
    """Each combination of the axes' values that some cells have, in the order of the values, with these cells.

    Split axis by axis: to look through all cells for each combination would take time with the square of a suite.
    """
    if not axes:
        yield {}, cells
        return
    (name, values), *others = axes
    parts: dict[Any, list[Settings]] = {value: [] for value in values}
    for cell in cells:
        for value in values if cell.get(name) is None else (cell.get(name),):
            parts[value].append(cell)
    for value, part in parts.items():
        if part:
            yield from (({name: value} | rest, here) for rest, here in _divide(part, others))


def _fits(value: Any, values: Collection[Any]) -> bool:
    return value is None or value in values


def _distinct(cells: Iterable[Settings], name: str) -> list[Any]:
    return [value for value in dict.fromkeys(cell.get(name) for cell in cells) if value is not None]


def _select(cells: Iterable[Settings], selection: Selection) -> list[Settings]:
    return [cell for cell in cells if all(cell.get(name) in values for name, values in selection.items())]


def _only(
    claim: Claim, term: Term, selected: Sequence[Settings], values: Settings, open_settings: Collection[str]
) -> Settings:
    """The one cell that a term selects in a case."""
    where = f" where {_words(values)}" if values else ""
    if not selected:
        message = f"{term} selects no cell of the suite{where}, although other terms do"
        raise _error(claim, f"{message}; restrict `at`, or name in the terms what tells them apart")
    if len(selected) > 1:
        varied = {
            name: list(dict.fromkeys(cell.get(name) for cell in selected))
            for name in dict.fromkeys(name for cell in selected for name in cell)
        }
        differing = {name: found for name, found in varied.items() if len(found) > 1}
        declared = {name: found for name, found in differing.items() if name in open_settings}
        message = f"{term} selects {len(selected)} cells{where}"
        raise _error(claim, f"{message}; add to its selectors {_words(declared or differing)}")
    return selected[0]


def _check_different(claim: Claim, cells: Mapping[Term, Settings]) -> None:
    for (one, cell), (other, same) in itertools.combinations(cells.items(), 2):
        if cell == same:
            raise _error(claim, f"{one} and {other} are the same cell")


def _error(claim: Claim, message: str) -> SuiteError:
    return SuiteError(f"{claim.place}: claim {claim.id!r}: {message}")


def _words(settings: Mapping[str, Any]) -> str:
    """Settings as in the language of claims."""
    return ", ".join(f"{name.removeprefix('evaluation_')}={_value(value)}" for name, value in settings.items())


def _value(value: Any) -> str:
    several = isinstance(value, list | tuple) and not isinstance(value, InputSize)
    return " or ".join(map(str, value)) if several else str(value)
