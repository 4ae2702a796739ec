"""What the selectors of a claim mean in a suite: settings and their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from bench.pose.errors import nearest
from bench.suite.claims.language import LanguageError, Selector, Term
from bench.suite.rules import EVALUATION_SETTINGS, TRAINING_SETTINGS, read_values
from bench.suite.source import Problem
from bench.suite.specs import EvalSpec

__all__ = ["CLAIM_SETTINGS", "read_selection", "setting_key"]

TRAINING = tuple(name for name in TRAINING_SETTINGS if name != "seed")

CLAIM_SETTINGS = (*TRAINING, *(name for name in EVALUATION_SETTINGS if name not in TRAINING))
"""Settings that a claim may name; it speaks of means over seeds."""

SWITCHES = tuple(name for name in EVALUATION_SETTINGS if EvalSpec.model_fields[name].annotation is bool)
"""Settings that are on where they are named alone, and off after "not"."""


def setting_key(name: str) -> str:
    """The name of a setting among those of a table row, see `Settings`; what trainings have is taken from these."""
    return name if name in TRAINING else f"evaluation_{name}"


def read_selection(term: Term, axes: Mapping[str, Sequence[Any]], weights: Mapping[str, str]) -> dict[str, Any]:
    """The settings that a term asks for, by their keys in `Settings`.

    Args:
        term: of a claim.
        axes: of the suite; a text among their values needs no name in a selector.
        weights: sha256 of the suite's weights files by name, which stands for it in the axes.

    Raises:
        LanguageError: a selector means nothing, or two contradict each other.
    """
    selection: dict[str, Any] = {}
    for selector in term.selectors:
        name, value = _read(selector, axes, weights)
        key = setting_key(name)
        if key in selection:
            raise LanguageError(selector.column, f"{name} is given twice in {term}")
        selection[key] = value
    return selection


def _read(selector: Selector, axes: Mapping[str, Sequence[Any]], weights: Mapping[str, str]) -> tuple[str, Any]:
    if selector.negated:
        return _checked(selector, selector.word, SWITCHES, "switch"), False
    if selector.value is not None:
        name = _checked(selector, selector.word, CLAIM_SETTINGS, "setting")
        return name, _typed(selector, name, weights.get(selector.value, selector.value))
    word = weights.get(selector.word, selector.word)
    owners = [name for name, values in axes.items() if word in values]
    if len(owners) == 1:
        return owners[0], word
    if owners:
        raise LanguageError(
            selector.column, f"{selector.word!r} is a value of {' and of '.join(owners)}; write NAME={selector.word}"
        )
    texts = [value for values in axes.values() for value in values if isinstance(value, str)]
    return _checked(selector, selector.word, (*SWITCHES, *texts), "selector", " or NAME=VALUE"), True


def _checked(selector: Selector, name: str, valid: Sequence[str], kind: str, also: str = "") -> str:
    if name == "seed":
        raise LanguageError(selector.column, "claims speak of means over seeds: leave the seed out")
    if name not in valid:
        raise LanguageError(
            selector.column, f"unknown {kind} {name!r}{nearest(name, valid)}; valid: {', '.join(valid)}{also}"
        )
    return name


def _typed(selector: Selector, name: str, text: str) -> Any:
    """The value as the suite's own files would give it."""
    problems: list[Problem] = []
    try:
        (value,) = read_values(name, yaml.safe_load(text), (), problems, valid=CLAIM_SETTINGS)
    except (yaml.YAMLError, ValueError):
        raise LanguageError(selector.column, f"{name}: {text!r:.80} is no value") from None
    if problems:
        raise LanguageError(selector.column, problems[0].message)
    return value
