"""Settings that hold under a condition: the rules of recipes and suites."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bench.pose.codecs.representation import codec_kinds
from bench.suite.source import Path_, Problem
from bench.suite.specs import EvalSpec, TrainSpec, setting_type
from bench.suite.structure import plain_message, unknown
from bench.suite.training_length import LENGTH


def training_settings() -> tuple[str, ...]:
    """Settings that the axes and rules of a suite's trainings may have, those of all representations among them."""
    own = (name for name in TrainSpec.model_fields if name not in {"dataset", "definition", "split", "codec"})
    return (*own, *codec_kinds())


def evaluation_settings() -> tuple[str, ...]:
    """Settings that a suite's evaluations may have, those of all representations among them."""
    own = [name for name in EvalSpec.model_fields if name not in {"training", "decoding"}]
    return (*own, *(name for name in codec_kinds(decoding=True) if name not in own))


DERIVED_SETTINGS = frozenset({"evaluator"})
"""Settings of evaluations that follow from the dataset unless an entry of `evaluate` sets them; no recipe may."""


@dataclass(frozen=True)
class Rule:
    """Settings for the cells that a condition describes.

    Attributes:
        when: for each setting named, the values that a cell may have.
        settings: that such a cell gets.
        because: the reason, where the file gives one.
    """

    when: Mapping[str, tuple[Any, ...]]
    settings: Mapping[str, Any]
    because: str = ""

    def applies(self, cell: Mapping[str, Any]) -> bool:
        """Whether a cell has, for each setting of the condition, one of its values."""
        for name, values in self.when.items():  # noqa: SIM110 (called for every rule and cell: a third of the planning time)
            if cell.get(name) not in values:
                return False
        return True


def apply_rules(rules: Iterable[Rule], cell: dict[str, Any], fixed: Collection[str] = ()) -> dict[str, Any]:
    """The cell with the settings of each rule that applies, first to last.

    Later rules win and see what earlier ones set; settings named in `fixed` are never replaced.
    """
    cell = dict(cell)
    for rule in rules:
        if rule.applies(cell):
            cell |= {name: value for name, value in rule.settings.items() if name not in fixed}
    return cell


def read_rules(
    items: Sequence[Any],
    place: Path_,
    problems: list[Problem],
    *,
    settings: Sequence[str],
    conditions: Sequence[str],
    several: bool = False,
) -> list[Rule]:
    """Rules from the parsed list of a file; their mistakes are added to `problems`.

    Args:
        items: mappings with an optional `when`, an optional `because`, and settings.
        place: path of the list in its file.
        problems: collects mistakes.
        settings: names that a rule may set.
        conditions: names that a condition may ask for.
        several: whether each setting has a tuple of values, which the file lists.
    """
    read = read_values if several else _read
    rules = []
    for number, item in enumerate(items):
        here = (*place, number)
        if not isinstance(item, Mapping):
            problems.append(Problem(here, f"expected a mapping of settings, found {item!r:.80}"))
            continue
        values = {
            name: read(name, value, (*here, name), problems, valid=settings)
            for name, value in item.items()
            if name not in {"when", "because"}
        }
        when = _read_condition(item, here, problems, valid=conditions)
        rules.append(Rule(when, values, str(item.get("because") or "").strip()))
    return rules


def _read_condition(
    item: Mapping[str, Any], place: Path_, problems: list[Problem], *, valid: Sequence[str]
) -> dict[str, tuple[Any, ...]]:
    """The `when` of a rule: for each setting named, the values that a cell may have; empty where there is none."""
    when = item.get("when", {})
    here = (*place, "when")
    if not isinstance(when, Mapping):
        problems.append(Problem(here, f"expected a mapping of conditions, found {when!r:.80}"))
        return {}
    return {name: read_values(name, value, (*here, name), problems, valid=valid) for name, value in when.items()}


def read_values(
    name: str, value: Any, place: Path_, problems: list[Problem], *, valid: Sequence[str]
) -> tuple[Any, ...]:
    """One value or a list of values of a setting, each checked."""
    # A tuple-valued setting such as `milestones` is itself written as a list.
    is_list = isinstance(value, list) and (name != "milestones" or any(isinstance(item, list) for item in value))
    if not is_list:
        return (_read(name, value, place, problems, valid=valid),)
    return tuple(_read(name, item, (*place, number), problems, valid=valid) for number, item in enumerate(value))


def _read(name: str, value: Any, place: Path_, problems: list[Problem], *, valid: Sequence[str]) -> Any:
    if name not in valid:
        problems.append(Problem(place, unknown("setting", str(name), valid)))
        return value
    try:
        return _adapter(name).validate_python(value)
    except ValidationError as error:
        problems += [Problem(place, f"{name}: {plain_message(detail)}") for detail in error.errors()]
        return value


def _adapter(name: str) -> TypeAdapter[Any]:
    """The check of a single setting, from the fields of the specs or from the representations that declare it."""
    if name == LENGTH:
        return _kinds_adapter(int)
    field = TrainSpec.model_fields.get(name) or EvalSpec.model_fields.get(name)
    return _field_adapter(name) if field is not None else _kinds_adapter(setting_type(name))


@cache
def _field_adapter(name: str) -> TypeAdapter[Any]:
    field = TrainSpec.model_fields.get(name) or EvalSpec.model_fields[name]
    return TypeAdapter(field.rebuild_annotation(), config={"strict": True})


@cache
def _kinds_adapter(kinds: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kinds, config={"strict": True})
