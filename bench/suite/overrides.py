"""Settings of a command line, which take the place of a suite's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bench.suite.rules import evaluation_settings, read_values, training_settings
from bench.suite.schema import Suite, evaluator_problems
from bench.suite.source import FORMER_KEYS, Problem, SuiteError, read_value
from bench.suite.specs import evaluation_key
from bench.suite.structure import unknown
from bench.suite.weights_names import WeightsNames

SPLITS = ("train", "eval")


def evaluation_keys() -> dict[str, str]:
    """Settings of evaluations by their names on a command line, where those of trainings come first."""
    return {evaluation_key(name): name for name in evaluation_settings()}


def override(suite: Suite, items: Sequence[str]) -> Suite:
    """The suite with settings written as `KEY=VALUE`: a split of its dataset, or a setting of all trainings or
    evaluations.

    They hold in every cell, as an axis of one value does; ids are those of a suite in which they are written.

    Raises:
        SuiteError: a name or value is not valid, or a name is that of an axis with several values.
    """
    given: dict[str, str] = {}
    for item in items:
        key, separator, text = item.partition("=")
        name = FORMER_KEYS.get(key, key)
        if not separator:
            raise SuiteError(f"--set {item!r:.80}: expected KEY=VALUE")
        if given.setdefault(name, text) != text:
            raise SuiteError(f"--set {item!r:.80}: {name} is given twice, first as {given[name]!r:.80}")
        suite = _set(suite, item, name, text)
    return replace(suite, settings=tuple(f"{name}={text}" for name, text in given.items()))


def _set(suite: Suite, item: str, name: str, text: str) -> Suite:
    trained, evaluated = training_settings(), evaluation_keys()
    settable = dict.fromkeys((*SPLITS, *trained, *evaluated))
    if name not in settable:
        raise SuiteError(f"--set {item!r:.80}: {unknown('setting', name, settable)}")
    if name in SPLITS:
        if not text:
            raise SuiteError(f"--set {item!r:.80}: expected the name of a split")
        return replace(suite, dataset=suite.dataset.model_copy(update={name: text}))
    if name not in trained:
        key = evaluated[name]
        values = _read(suite, item, key, text, evaluation_settings())
        entries = [replace(entry, settings={**entry.settings, key: values}) for entry in suite.evaluations]
        if problems := evaluator_problems(suite.dataset, entries):
            raise SuiteError(f"--set {item!r:.80}: {problems[0].message}")
        return replace(suite, evaluations=tuple(entries))
    axis = suite.axes.get(name, ())
    if len(axis) > 1:
        listed = ", ".join(map(str, axis))
        raise SuiteError(
            f"--set {item!r:.80}: {name} is an axis of the suite ({listed}); choose with --only {name}=..."
        )
    values = _read(suite, item, name, text, trained)
    if len(values) != 1:
        raise SuiteError(f"--set {item!r:.80}: a training has one value of {name}, found {len(values)}")
    if axis:
        return replace(suite, axes={**suite.axes, name: values})
    return replace(suite, given={**suite.given, name: values[0]})


def _read(suite: Suite, item: str, name: str, text: str, valid: Sequence[str]) -> tuple[Any, ...]:
    """The value of a setting, or several written as a list, as a suite's file would give them."""
    problems: list[Problem] = []
    named = WeightsNames(suite.weights, problems).in_settings({name: read_value(text)}, ())
    values = read_values(name, named[name], (), problems, valid=valid)
    if problems:
        raise SuiteError("\n".join(f"--set {item!r:.80}: {problem.message}" for problem in problems))
    return values
