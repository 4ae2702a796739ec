"""The values of specs, checked and in their own types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    ValidationInfo,
)

from bench.files import STORED
from bench.pose.declared_settings import Settings
from bench.pose.errors import BenchError
from bench.pose.input_size import InputSize
from bench.pose.registry import Registry
from bench.suite.structure import unknown


def one_of(kind: str, valid: tuple[str, ...]) -> AfterValidator:
    """Refuse other values, with the nearest valid one."""

    def check(value: str) -> str:
        if value not in valid:
            raise ValueError(unknown(kind, value, valid))
        return value

    return AfterValidator(check)


def registered(registry: Registry[Any]) -> AfterValidator:
    """Refuse names that are not registered, except in what was stored: by now its extension may not be there."""

    def check(value: str, info: ValidationInfo) -> str:
        if info.context is not STORED:
            try:
                registry.named(value)
            except BenchError as error:
                raise ValueError(str(error)) from None
        return value

    return AfterValidator(check)


def _read_settings(values: Any) -> Settings:
    if isinstance(values, Settings):
        return values
    if not isinstance(values, Mapping) or not all(
        isinstance(value, bool | int | float | str) for value in values.values()
    ):
        raise ValueError(f"expected a mapping of settings, found {values!r:.80}")
    return Settings({str(name): value for name, value in values.items()})


def _read_size(value: Any) -> InputSize:
    return value if isinstance(value, InputSize) else InputSize.parse(str(value))


Size = Annotated[InputSize, PlainValidator(_read_size), PlainSerializer(str, return_type=str)]
"""An input size, which files and command lines write as HxW."""

OwnSettings = Annotated[
    Settings,
    PlainValidator(_read_settings),
    PlainSerializer(dict, return_type=dict[str, bool | int | float | str]),
]
"""Settings that a representation or a backbone declares for itself."""

Seed = Annotated[int, Field(ge=0, lt=2**63)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Probability = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,80}$")]
Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class SpecPart(BaseModel):
    """A part of a spec: no other fields, no other types, no change."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
