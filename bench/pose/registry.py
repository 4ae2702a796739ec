"""Things by name: the built-in ones, and those that extensions add."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from bench.pose.errors import ExtensionError, UnknownNameError

__all__ = ["Registry"]

EntryT = TypeVar("EntryT")


class Registry(Mapping[str, EntryT]):
    """Entries of one kind by name, in the order in which they were added. Names are taken once and for all.

    Attributes:
        kind: what the entries are, for messages.
    """

    def __init__(self, kind: str, entries: Mapping[str, EntryT]) -> None:
        """Begin with the built-in entries."""
        self.kind = kind
        self._entries = dict(entries)
        self._origins: dict[str, str] = {}

    def __getitem__(self, name: str) -> EntryT:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def named(self, name: str) -> EntryT:
        """The entry of that name. Raises `UnknownNameError`, which lists what is registered."""
        if name not in self._entries:
            raise UnknownNameError(self.kind, name, self._entries)
        return self._entries[name]

    def add(self, name: str, entry: EntryT, definition: Any) -> None:
        """Add an extension's entry.

        Args:
            name: letters, digits and underscores, as suites and command lines write it.
            entry: what it is.
            definition: the function or class that it was made of, by which messages and records name its module.

        Raises:
            ExtensionError: the name is taken, or no name.
        """
        origin = inspect.getmodule(definition)
        module = origin.__name__ if origin is not None else "an unknown module"
        if not name.isidentifier():
            raise ExtensionError(f"{module}: {self.kind} {name!r:.80} must be named by letters, digits and underscores")
        if name in self._entries:
            owner = self.origin(name) or "bench itself"
            raise ExtensionError(f"{module}: there is a {self.kind} {name!r} already, by {owner}; choose another name")
        self._entries[name] = entry
        self._origins[name] = module

    def origin(self, name: str) -> str | None:
        """The module of an extension that added an entry; None for one of bench's own."""
        module = self._origins.get(name)
        return None if module is None or module.partition(".")[0] == "bench" else module
