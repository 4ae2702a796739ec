"""The meaning of a claim's selectors in a suite: settings and their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from bench.pose.codecs.representation import PostProcess
from bench.pose.input_size import InputSize
from bench.suite.claims.language import LanguageError, Selector, Term
from bench.suite.rules import evaluation_settings, read_values, training_settings
from bench.suite.source import Problem, read_scalar
from bench.suite.specs import evaluation_key
from bench.suite.structure import unknown
from bench.suite.training_length import LENGTH

SWITCHES: Mapping[str, tuple[tuple[Any, ...], tuple[Any, ...]]] = {
    "flip_test": ((True,), (False,)),
    "post_process": (tuple(way for way in get_args(PostProcess) if way != "none"), ("none",)),
}
"""Settings that a claim may name alone or after "not", and the values that each of the two means."""


def claim_settings() -> tuple[str, ...]:
    """Settings that a claim may name, and the length of trainings, which follows from theirs.

    The seed is not among them, because a claim compares means over seeds.
    """
    settings = dict.fromkeys((*training_settings(), *evaluation_settings(), LENGTH))
    return tuple(name for name in settings if name != "seed")


def setting_key(name: str) -> str:
    """The name of a setting in a table row, see `shared_settings`; a name that trainings have means theirs."""
    return name if name in training_settings() else evaluation_key(name)


def read_selection(
    term: Term, axes: Mapping[str, Sequence[Any]], weights: Mapping[str, str]
) -> dict[str, tuple[Any, ...]]:
    """The values that a term allows for each setting that it names, by the keys of a table row.

    Args:
        term: of a claim.
        axes: of the suite; a text among their values needs no name in a selector.
        weights: sha256 of the suite's weights files by name, which stands for it in the axes.

    Raises:
        LanguageError: a selector means nothing, or two contradict each other.
    """
    selection: dict[str, tuple[Any, ...]] = {}
    for selector in term.selectors:
        name, values = _read(selector, axes, weights)
        key = setting_key(name)
        if key in selection:
            raise LanguageError(selector.column, f"{name} is given twice in {term}")
        selection[key] = values
    if term.trend is not None:
        setting = Selector(term.trend.setting, column=term.trend.column)
        if setting_key(_checked(setting, setting.word, claim_settings(), "setting")) in selection:
            raise LanguageError(setting.column, f"{term.measurement} has one {setting.word}: {term} has no slope")
    return selection


def _read(
    selector: Selector, axes: Mapping[str, Sequence[Any]], weights: Mapping[str, str]
) -> tuple[str, tuple[Any, ...]]:
    if selector.negated:
        name = _checked(selector, selector.word, tuple(SWITCHES), "switch")
        return name, SWITCHES[name][1]
    if selector.value is not None:
        name = _checked(selector, selector.word, claim_settings(), "setting")
        return name, (_typed(selector, name, weights.get(selector.value, selector.value)),)
    word = weights.get(selector.word, selector.word)
    texts = {
        name: {str(value): value for value in values if isinstance(value, str | InputSize)}
        for name, values in axes.items()
    }
    owners = [name for name, values in texts.items() if word in values]
    if len(owners) == 1:
        return owners[0], (texts[owners[0]][word],)
    if owners:
        raise LanguageError(
            selector.column, f"{selector.word!r} is a value of {' and of '.join(owners)}; write NAME={selector.word}"
        )
    named = [word for words in texts.values() for word in words]
    name = _checked(selector, selector.word, (*SWITCHES, *named), "selector", " or NAME=VALUE")
    return name, SWITCHES[name][0]


def _checked(selector: Selector, name: str, valid: Sequence[str], kind: str, also: str = "") -> str:
    if name == "seed":
        raise LanguageError(selector.column, "claims speak of means over seeds: leave the seed out")
    if name not in valid:
        raise LanguageError(selector.column, unknown(kind, name, valid) + also)
    return name


def _typed(selector: Selector, name: str, text: str) -> Any:
    """The value as the suite's own files would give it."""
    problems: list[Problem] = []
    (value,) = read_values(name, read_scalar(text), (), problems, valid=claim_settings())
    if problems:
        raise LanguageError(selector.column, problems[0].message)
    return value
