"""Recipes: named lists of rules that give every cell its hyper-parameters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.pose.errors import UnknownNameError
from bench.suite.rules import DERIVED_SETTINGS, Rule, evaluation_settings, read_rules, training_settings
from bench.suite.source import Problem, read_yaml

_FOLDER = Path(__file__).parent / "recipes"

RECIPES = tuple(sorted(file.stem for file in _FOLDER.glob("*.yaml")))
"""Names of the recipes."""


@dataclass(frozen=True)
class Recipe:
    """Rules for trainings and for evaluations.

    Attributes:
        train: rules for trainings, those of the extended recipe first.
        evaluate: rules for evaluations, likewise.
        own_train: the rules that this recipe adds to the one it extends.
    """

    train: tuple[Rule, ...] = ()
    evaluate: tuple[Rule, ...] = ()
    own_train: tuple[Rule, ...] = ()

    @property
    def backbones(self) -> frozenset[str]:
        """Backbones that its rules name."""
        return frozenset(name for rule in self.train for name in rule.when.get("backbone", ()))


@cache
def load_recipe(name: str) -> Recipe:
    """The recipe of that name, the one it extends included. Raises `UnknownNameError`."""
    if name not in RECIPES:
        raise UnknownNameError("recipe", name, RECIPES)
    source = read_yaml(_FOLDER / f"{name}.yaml")
    problems: list[Problem] = []
    trained, evaluated = training_settings(), evaluation_settings()
    conditions = ("dataset", "split", *trained)
    train = read_rules(source.data["train"], ("train",), problems, settings=trained, conditions=conditions)
    evaluate = read_rules(
        source.data["evaluate"],
        ("evaluate",),
        problems,
        settings=[name for name in evaluated if name not in DERIVED_SETTINGS],
        conditions=(*conditions, *evaluated),
    )
    if problems:
        raise source.error(problems)
    base = load_recipe(source.data["extends"]) if "extends" in source.data else Recipe()
    return Recipe((*base.train, *train), (*base.evaluate, *evaluate), own_train=tuple(train))


@cache
def quirks() -> tuple[str, ...]:
    """Training settings in which `corrected` departs from `paper`: each a switch for one quirk of the reference."""
    return tuple(dict.fromkeys(name for rule in load_recipe("corrected").own_train for name in rule.settings))
