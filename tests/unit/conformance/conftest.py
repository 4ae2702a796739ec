"""Registries that forget what a test adds."""

import pytest

import bench.cli.execution  # noqa: F401  # registers the executors local and slurm
from bench.conformance.kinds import KINDS


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test adds to the registries, which are the process's, is gone after it."""
    for kind in KINDS.values():
        monkeypatch.setattr(kind.registry, "_entries", dict(kind.registry))
        monkeypatch.setattr(kind.registry, "_modules", dict(kind.registry._modules))
        monkeypatch.setattr(kind.registry, "_deferred", set(kind.registry._deferred))
