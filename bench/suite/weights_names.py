"""Weights files of a suite: named in it by their place, known to specs by their contents alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.pose.errors import nearest
from bench.suite.source import Path_, Problem

SETTING = "weights"


class WeightsNames:
    """Replaces the names of weights files in the parsed parts of a suite by the files' hashes."""

    def __init__(self, hashes: Mapping[str, str], problems: list[Problem]) -> None:
        """Take each file's sha256 by its name; names that are not among them are added to `problems`."""
        self.hashes = hashes
        self._problems = problems

    def in_settings(self, settings: Mapping[str, Any], place: Path_) -> dict[str, Any]:
        """Settings with one value or a list of values each."""
        replaced = dict(settings)
        if SETTING in settings:
            replaced[SETTING] = self._hash(settings[SETTING], (*place, SETTING))
        return replaced

    def in_rules(self, items: Sequence[Any], place: Path_) -> list[Any]:
        """Rules with what they set and their conditions; what is no mapping is left for others to complain about."""
        return [self._in_rule(item, (*place, number)) for number, item in enumerate(items)]

    def _in_rule(self, item: Any, place: Path_) -> Any:
        if not isinstance(item, Mapping):
            return item
        rule, when = self.in_settings(item, place), item.get("when")
        return rule | {"when": self.in_settings(when, (*place, "when"))} if isinstance(when, Mapping) else rule

    def _hash(self, value: Any, place: Path_) -> Any:
        if isinstance(value, list):
            return [self._hash(item, (*place, number)) for number, item in enumerate(value)]
        if not isinstance(value, str):
            return value
        if value in self.hashes:
            return self.hashes[value]
        valid = f"; valid: {', '.join(self.hashes)}" if self.hashes else ""
        message = f"unknown weights {value!r:.80}{nearest(value, self.hashes)}{valid}"
        self._problems.append(Problem(place, f"{message}; list the file with its sha256 under `weights` of the suite"))
        return None
