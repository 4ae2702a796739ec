"""A full disk, and one that cannot be written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.end_to_end.faults.conftest import Bench, Fault


def fill(disk: Path, leave: str) -> str:
    return f"dd if=/dev/zero of={disk}/filler bs=4k status=none 2>/dev/null; truncate --size=-{leave} {disk}/filler"


def test_a_disk_that_fills_up_at_every_kind_of_file(bench: Bench, small_disk: Path, undisturbed: str) -> None:
    """One training on and on, whose disk is full at another file each time."""
    bench = replace(bench, results=small_disk / "results")
    for name, leave, stored in (
        (".checkpoint.pt.", "64K", True),
        (".checkpoint.pt.", "0", False),
        (".weights.pt.", "64K", True),
        (".training.json.", "0", False),
        (".predictions.json.", "0", False),
        (".record.json.", "0", False),
    ):
        said = bench("run", ends=1, fault=Fault(fill(small_disk, leave), name, times=3 if "checkpoint" in name else 1))
        wanted = name.strip(".")
        assert f"{wanted}: No space left on device" in said, said
        if stored:
            assert f"{wanted}: No space left on device" in bench.failure()["message"]
            assert f"{wanted}: No space left" in bench("status")
        else:
            assert "could not be stored" in said
            assert "failure.json: No space left on device" in said
        assert not list(bench.results.rglob(f"*{wanted}*.partial")), "no half file is left"
        (small_disk / "filler").unlink()
    bench("run")
    assert bench.weights() == undisturbed
