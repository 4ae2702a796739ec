"""Settings that representations and backbones declare for themselves, by name and kind. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from bench.pose.errors import ExtensionError
from bench.pose.input_size import CELL

__all__ = ["KINDS", "NO_SETTINGS", "Kind", "Settings", "check_kinds", "check_value", "kind_type"]

Kind = str | tuple[str, ...]
"""What values a setting has: one of `KINDS`, or the valid names themselves."""


def _odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError(f"expected an odd number, for example {value + 1}")
    return value


KINDS: Mapping[str, Any] = {
    "positive": Annotated[float, Field(gt=0, allow_inf_nan=False)],
    "fraction": Annotated[float, Field(ge=0, lt=1)],
    "number": Annotated[float, Field(allow_inf_nan=False)],
    "flag": bool,
    "count": Annotated[int, Field(ge=1)],
    "bins_per_px": Annotated[float, Field(ge=2 / CELL, allow_inf_nan=False)],  # two at least on the smallest crop
    "odd": Annotated[int, Field(ge=1), AfterValidator(_odd)],
}
"""Types of values by the name of their kind."""

Value = bool | int | float | str


class Settings(Mapping[str, Value]):
    """Values by name that can be hashed, as a part of a frozen spec. Equal to any mapping of the same values."""

    def __init__(self, values: Mapping[str, Value] | None = None) -> None:
        self._values = dict(sorted((values or {}).items()))

    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(tuple(self._values.items()))

    def __repr__(self) -> str:
        return repr(self._values)

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self._values.items()) or "none"


NO_SETTINGS = Settings()


def check_kinds(owner: str, kinds: Mapping[str, Kind]) -> None:
    """Raise `ExtensionError` for a kind that does not exist."""
    for name, kind in kinds.items():
        names = isinstance(kind, tuple) and kind and all(isinstance(one, str) for one in kind)
        if not names and not (isinstance(kind, str) and kind in KINDS):
            valid = ", ".join(KINDS)
            raise ExtensionError(f"{owner}: setting {name!r} is of kind {kind!r}; valid: {valid}, or a tuple of names")


def kind_type(kind: Kind) -> Any:
    """The type of a setting's values."""
    return KINDS[kind] if isinstance(kind, str) else Literal[kind]


def check_value(name: str, value: Any, kind: Kind) -> Value:
    """A setting's value in its own type. Raises `ValueError` that names setting, value and what is valid."""
    try:
        checked: Value = _adapter(kind).validate_python(value)
    except ValidationError as error:
        said = error.errors()[0]["msg"]
        valid = said[0].lower() + said[1:] if isinstance(kind, str) else f"valid: {', '.join(kind)}"
        raise ValueError(f"{name}: {value!r:.80} is not valid; {valid}") from None
    return checked


@cache
def _adapter(kind: Kind) -> TypeAdapter[Any]:
    return TypeAdapter(kind_type(kind), config={"strict": True})
