"""The manifest of a capsule."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from bench.pose.errors import BenchError

MANIFEST, SUITE = "manifest.json", "suite.yaml"
CRATE, CROISSANT, MODEL_INDEX = "ro-crate-metadata.json", "croissant.json", "model-index.yaml"
"""Descriptions in forms that others read."""

ID = "[0-9a-f]{12}"
WORD = "[A-Za-z0-9_-][A-Za-z0-9_.-]*"  # begins with no dot, so that no part of a path is "." or ".."
MEMBER = re.compile(
    rf"{'|'.join(map(re.escape, (SUITE, CRATE, CROISSANT, MODEL_INDEX)))}"
    rf"|trainings/{ID}/(spec|training)\.json|evaluations/{ID}/(spec|record|predictions|server|variants|error_budget)\.json"
    rf"|evaluations/{ID}/per_instance\.npz|report(/{WORD})+"
)


class CapsuleError(BenchError):
    """A capsule that is unreadable or was changed."""


def is_member(name: str) -> bool:
    """Whether a capsule may have a member of that name; such names never leave the folder."""
    return MEMBER.fullmatch(name) is not None


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Member(_Document):
    """Size in bytes and hash of a member."""

    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Manifest(_Document):
    """Contents of a capsule and their origin.

    Attributes:
        schema_version: version of this format.
        suite: name of the suite.
        selection: values of `--only`.
        settings: values of `--set`.
        simulated: whether a result is simulated.
        version: version of this package, which includes the recipes.
        commit: commit of its checkout; None outside of one.
        dirty: whether the checkout had changes.
        package: sha256 of all its files.
        missing: why planned evaluations have no result, by their ids: a state, and what else is known after a colon.
        members: all members but the manifest, by name.
    """

    schema_version: Literal[1] = 1
    suite: str
    selection: list[str]
    settings: list[str] = []
    simulated: bool
    version: str
    commit: str | None
    dirty: bool | None
    package: str | None = None
    missing: dict[str, str]
    members: dict[str, Member]
