"""The cases of a claim: for each combination of the settings it leaves open, the cells that its terms select."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.pose.input_size import InputSize
from bench.statistics.trends import FEWEST, slope_weights
from bench.suite.claims.language import Inequality, Selector, Term, Trend
from bench.suite.claims.selectors import setting_key
from bench.suite.source import SuiteError
from bench.suite.training_length import FACTORS, LENGTH, planned_length

Settings = Mapping[str, Any]
"""All settings of a table row by name, see `bench.suite.specs.shared_settings`."""

Selection = Mapping[str, tuple[Any, ...]]
"""Values of settings, one of which each selected row must have."""

OWN = "suite"
"""Who makes a claim that is the suite's own."""

WHOLE = frozenset({"subset", "evaluation_subset", "train_subset", "held_out"})
"""Settings whose None means that all there is is taken. Others are None where the representation does not read them."""


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
        cells: the cell that each measurement selects.
        terms: weight of each measurement in the claim's sum. They are the claim's own terms, but that a trend is a
            measurement at each value of its setting.
    """

    values: Settings
    cells: Mapping[Term, Settings]
    terms: tuple[tuple[float, Term], ...]


def find_cases(claim: Claim, cells: Sequence[Settings], open_settings: Collection[str]) -> tuple[ClaimCase, ...]:
    """A claim's cases, in the order of the suite's cells.

    A cell that has no such setting, because its representation does not read it, belongs to all of its values.

    Args:
        claim: whose cases are wanted.
        cells: all table rows of the suite.
        open_settings: that a suite varies, but for seeds; those that the claim names in no term are open.

    Raises:
        SuiteError: a term selects several cells in a case, or none, or the same as another term; a trend has no slope.
    """
    if LENGTH in claim.at or LENGTH in _named(claim):
        # The length stands for the epochs, which follow from it: they are not open beside it.
        open_settings = [*(name for name in open_settings if name != "epochs"), LENGTH]
        cells = _with_lengths(claim, cells)
    kept = [cell for cell in cells if _is_at(cell, claim.at)]
    if not kept:
        raise _error(claim, f"no cell of the suite has {_words(claim.at)}")
    for term, selection in claim.selections.items():
        if not _select(kept, selection):
            raise _error(claim, f"{term} selects no cell of the suite: none has {_words({**selection, **claim.at})}")
    return tuple(_cases(claim, kept, open_settings))


def _cases(claim: Claim, cells: Sequence[Settings], open_settings: Collection[str]) -> Iterator[ClaimCase]:
    selections, named = claim.selections, _named(claim)
    concerned = [cell for cell in cells if any(_select([cell], selection) for selection in selections.values())]
    varied = {name: _distinct(concerned, name) for name in open_settings if name not in named}
    axes = {name: values for name, values in varied.items() if len(values) > 1}
    axes |= {name: sorted(values) for name, values in axes.items() if name == LENGTH}
    for values, here in _divide(concerned, list(axes.items())):
        selected = {term: _select(here, selection) for term, selection in selections.items()}
        if any(selected.values()):  # else the suite has no such combination
            measurements = list(_measurements(claim, selected, values))
            only = {term: _only(claim, term, found, values, open_settings) for _, term, found in measurements}
            _check_different(claim, only)
            weights: dict[Term, float] = {}
            for weight, term, _ in measurements:
                weights[term] = weights.get(term, 0.0) + weight
            plain = {term: {name: cell[name] for name in cell if name != LENGTH} for term, cell in only.items()}
            yield ClaimCase(values, plain, tuple((weight, term) for term, weight in weights.items()))


def _named(claim: Claim) -> set[str]:
    """Settings that a claim names in its terms."""
    selected = {name for selection in claim.selections.values() for name in selection}
    return selected | {setting_key(term.trend.setting) for _, term in claim.that.terms if term.trend is not None}


def _with_lengths(claim: Claim, cells: Iterable[Settings]) -> Sequence[Settings]:
    """The cells with the length of their trainings, which must be known of those that the claim is about."""
    found = [{**cell, LENGTH: planned_length(cell)} for cell in cells]
    others = [{name: claim.at[name] for name in claim.at if name != LENGTH}]
    others += [{name: chosen[name] for name in chosen if name != LENGTH} for chosen in claim.selections.values()]
    for cell in found:
        if cell[LENGTH] is None and _is_at(cell, others[0]) and any(_select([cell], chosen) for chosen in others[1:]):
            message = (
                f"{LENGTH} is not known without train_subset, as a suite does not tell how many instances a split has"
            )
            raise _error(claim, f"{message}; set train_subset, restrict `at` to values of it, or name epochs instead")
    return found


def _measurements(
    claim: Claim, selected: Mapping[Term, Sequence[Settings]], where: Settings
) -> Iterator[tuple[float, Term, Sequence[Settings]]]:
    """Weight and measurement of each term in a case, with the cells that it selects; for a trend, at each value."""
    for weight, term in claim.that.terms:
        if term.trend is None:
            yield weight, term, selected[term]
            continue
        along = [cell for other, cells in selected.items() if other.trend == term.trend for cell in cells]
        values = _trend_values(claim, term.trend, along, where)
        name = setting_key(term.trend.setting)
        for factor, value in zip(slope_weights(values), values, strict=True):
            selectors = (*term.selectors, Selector(term.trend.setting, str(value)))
            here = [cell for cell in selected[term] if cell.get(name) == value]
            yield weight * factor, replace(term, selectors=selectors, trend=None), here


def _trend_values(claim: Claim, trend: Trend, cells: Iterable[Settings], where: Settings) -> list[Any]:
    """The values of a setting along which a slope is taken in a case."""
    setting, given = trend.setting, f" where {_words(where)}" if where else ""
    found = list(dict.fromkeys(cell.get(setting_key(setting)) for cell in cells))
    values = [value for value in found if isinstance(value, int | float) and not isinstance(value, bool)]
    message = ""
    if None in found:
        message = f"{setting} is not set in all cells{given}; restrict `at` to values of it"
    elif len(values) < len(found):
        message = f"a slope is taken along numbers, and {setting} is {_value(found)}"
    elif min(values) <= 0:
        message = f"a slope is taken along numbers above 0, and {setting} is {_value(sorted(values))}"
    elif len(values) < FEWEST:
        message = f"a slope needs {FEWEST} values of {setting}, and it is {_value(values)} alone{given}"
        if not {setting, *where}.isdisjoint(FACTORS) and LENGTH not in claim.at:
            message += f"; trainings of one length are compared with {LENGTH} under `at`"
    if message:
        raise _error(claim, f"column {trend.column}: {message}")
    return sorted(values)


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
        for value in values if _is_unread(name, cell.get(name)) else (cell.get(name),):
            parts[value].append(cell)
    for value, part in parts.items():
        if part:
            yield from (({name: value} | rest, here) for rest, here in _divide(part, others))


def _is_at(cell: Settings, at: Selection) -> bool:
    return all(_is_unread(name, cell.get(name)) or cell.get(name) in values for name, values in at.items())


def _is_unread(name: str, value: Any) -> bool:
    return value is None and name not in WHOLE


def _distinct(cells: Iterable[Settings], name: str) -> list[Any]:
    return [value for value in dict.fromkeys(cell.get(name) for cell in cells) if not _is_unread(name, value)]


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
