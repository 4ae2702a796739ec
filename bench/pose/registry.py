"""Things by name: the built-in ones, and those that extensions add."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from bench.pose.builtin import Deferred
from bench.pose.errors import ExtensionError, UnknownNameError

__all__ = ["Family", "Registry"]

EntryT = TypeVar("EntryT")

PACKAGE = __name__.partition(".")[0]


@dataclass(frozen=True)
class Family(Generic[EntryT]):
    """Entries of another library, which are too many to list: their names share what comes before a slash.

    Attributes:
        pattern: their names, as lists of names show them, for example "timm/NAME".
        make: makes the entry of a name, which need not exist: results may name what is not installed here.
        check: raises `BenchError` for a name that does not exist or cannot be used here.
    """

    pattern: str
    make: Callable[[str], EntryT]
    check: Callable[[str], None]

    def includes(self, name: str) -> bool:
        """Whether a name is formed like theirs."""
        prefix, slash, own = name.partition("/")
        return bool(slash and own) and prefix == self.pattern.partition("/")[0]


class Registry(Mapping[str, EntryT]):
    """Entries of one kind by name, in the order in which they were added. A name is taken once and for all.

    Iteration gives what was added one by one. Beside it there may be families, whose entries are made when they are
    asked for.

    Attributes:
        kind: what an entry is, for messages.
        families: entries that are not listed.
    """

    def __init__(self, kind: str, entries: Mapping[str, EntryT] | None = None) -> None:
        """Begin with built-in entries, if there are any that do not register themselves."""
        self.kind = kind
        self._entries = dict(entries or {})
        self._modules: dict[str, str] = dict.fromkeys(self._entries, PACKAGE)
        self._deferred: set[str] = set()
        self.families: list[Family[EntryT]] = []

    def __getitem__(self, name: str) -> EntryT:
        family = self._family(name)
        return self._entries[name] if family is None else family.make(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def named(self, name: str) -> EntryT:
        """The entry of that name.

        Raises:
            UnknownNameError: there is none; the message lists the registered names.
            BenchError: it cannot be used here.
        """
        family = self._family(name)
        if family is not None:
            family.check(name)
        elif name not in self._entries:
            raise UnknownNameError(self.kind, name, self.listed())
        return self[name]

    def listed(self) -> list[str]:
        """Names as lists show them: of entries, then of families."""
        return [*self._entries, *(family.pattern for family in self.families)]

    def has_family(self, name: str) -> bool:
        """Whether a name is formed like those of a family; `named` tells whether there is such an entry."""
        return self._family(name) is not None

    def _family(self, name: str) -> Family[EntryT] | None:
        return next((family for family in self.families if family.includes(name)), None)

    def add(self, name: str, entry: EntryT, definition: Any) -> None:
        """Add an entry.

        Args:
            name: letters, digits and underscores, as suites and command lines write it.
            entry: under that name.
            definition: the function or class that it was made of, which tells its module to messages and records. A
                `Deferred` one is replaced when its module is imported and registers the same name.

        Raises:
            ExtensionError: the name is taken, or is not valid.
        """
        module = _module_of(definition)
        if not name.isidentifier():
            raise ExtensionError(f"{module}: {self.kind} {name!r:.80} must be named by letters, digits and underscores")
        if name in self._entries and not (name in self._deferred and self._modules[name] == module):
            owner = self.origin(name) or "bench itself"
            raise ExtensionError(f"{module}: there is a {self.kind} {name!r} already, by {owner}; choose another name")
        self._entries[name] = entry
        self._modules[name] = module
        (self._deferred.add if isinstance(definition, Deferred) else self._deferred.discard)(name)

    def origin(self, name: str) -> str | None:
        """The module of an extension that added an entry; None for a built-in one."""
        module = self._modules.get(name, PACKAGE)
        return None if module.partition(".")[0] == PACKAGE else module


def _module_of(definition: Any) -> str:
    if isinstance(definition, Deferred):
        return definition.module
    module = inspect.getmodule(definition)
    return module.__name__ if module is not None else "an unknown module"
