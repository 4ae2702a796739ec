"""What a capsule says of itself."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from bench.pose.errors import BenchError

__all__ = ["MANIFEST", "SUITE", "CapsuleError", "Manifest", "Member", "is_member"]

MANIFEST, SUITE = "manifest.json", "suite.yaml"

ID = "[0-9a-f]{12}"
WORD = "[A-Za-z0-9_-][A-Za-z0-9_.-]*"  # begins with no dot, so that no part of a path is "." or ".."
MEMBER = re.compile(
    rf"{re.escape(SUITE)}|trainings/{ID}/(spec|training)\.json|evaluations/{ID}/(spec|record|predictions|server)\.json"
    rf"|evaluations/{ID}/per_instance\.npz|report(/{WORD})+"
)


class CapsuleError(BenchError):
    """A capsule that cannot be trusted or read."""


def is_member(name: str) -> bool:
    """Whether a capsule may have a member of that name, which then leads out of no folder."""
    return MEMBER.fullmatch(name) is not None


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Member(_Document):
    """One member's contents: bytes and their hash."""

    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Manifest(_Document):
    """What is in a capsule and where it came from.

    Attributes:
        schema_version: of this format.
        suite: its name.
        selection: what `--only` chose of it.
        simulated: whether a result in it is made up.
        version: of this package when the capsule was packed; recipes are part of the package.
        commit: of its checkout; None outside of one.
        dirty: whether the checkout had changes.
        missing: state of each planned evaluation that has no result.
        members: by name, all but the manifest.
    """

    schema_version: Literal[1] = 1
    suite: str
    selection: list[str]
    simulated: bool
    version: str
    commit: str | None
    dirty: bool | None
    missing: dict[str, str]
    members: dict[str, Member]
