"""Checks of the results folder: writing, sharing, and reading its records."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bench.checks import (
    CheckFailedError,
    CheckList,
    CheckWarning,
    NotApplicableError,
    raise_together,
    require,
)

if TYPE_CHECKING:
    from bench.store.folders import EvaluationFolder, TrainingFolder

GIGA = 1e9
ENOUGH_ROOM, SOME_ROOM = 10 * GIGA, 1 * GIGA
"""Bytes: ample room for a suite of small networks, and the minimum for one network with its checkpoint."""

OTHER_FOLDER = "name another folder with --results, or have this one made writable"
OTHER_FILES = "name a --results folder on a local disk, or on a shared file system such as NFS 4, Lustre or GPFS"

CHECKS = CheckList()


@CHECKS.check(OTHER_FOLDER)
def folder(results: Path) -> str:
    """Files can be written and replaced."""
    from bench.files import read_json, write_json

    with _probe(results) as probe:
        for value in (1, 2):
            write_json(probe / "replaced.json", value)
        if read_json(probe / "replaced.json") != 2:
            raise CheckFailedError(f"{results}: a replaced file still has its old contents", OTHER_FILES)
    return f"{results.absolute()}" + ("" if results.exists() else ", to be made")


@CHECKS.check("make room, or name a folder on another disk with --results")
def room(results: Path) -> str:
    """There is room for results."""
    with _probe(results, writable=True) as probe:
        free = shutil.disk_usage(probe).free
    found = f"{free / GIGA:.1f} GB free"
    require(free >= SOME_ROOM, found)
    if free < ENOUGH_ROOM:
        raise CheckWarning(found)
    return found


@CHECKS.check(OTHER_FILES)
def leases(results: Path) -> str:
    """Hard links, locks and the clock protect running work."""
    from bench.store.leases import STALE_SECONDS, BusyError, Leases

    with _probe(results, writable=True) as probe:
        taken = Leases(probe / "leases")
        with taken.take():
            owner = taken.latest()
            if owner is None or not owner.locked:
                raise CheckWarning(f"no locks: a killed job is taken over after {STALE_SECONDS:.0f} s only")
            with contextlib.suppress(BusyError), taken.take():
                raise CheckFailedError("a lease in use was given away again")
        (probe / "now").write_text("now", encoding="ascii")
        skew = (probe / "now").stat().st_mtime - time.time()
    if abs(skew) > STALE_SECONDS / 2:
        found = f"the file system's clock is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}"
        raise CheckFailedError(found, "set both clocks by NTP: running work may be shown as interrupted")
    return "they do"


@CHECKS.check("have the folder made readable: see ls -l", seconds=900)
def records(results: Path) -> str:
    """Every record can be read by this version."""
    folders = stored(results)
    if not folders:
        raise NotApplicableError("no results yet")
    raise_together(problem for folder in folders for problem in _unreadable(folder))
    return f"{len(folders)} trainings and evaluations"


@contextlib.contextmanager
def _probe(results: Path, *, writable: bool = False) -> Iterator[Path]:
    """A temporary folder on the file system of the results.

    Raises `OSError` if it cannot be created, or `NotApplicableError` if `writable` (another check reports it).
    """
    place = results.absolute()
    there = next(path for path in (place, *place.parents) if path.exists() or path.is_symlink())
    try:
        if not there.is_dir():
            raise NotADirectoryError(f"{there} is not a folder")
        probe = tempfile.TemporaryDirectory(prefix=".doctor-", dir=there)
    except OSError:
        if writable:
            raise NotApplicableError("the results folder cannot be written") from None
        raise
    with probe as name:
        yield Path(name)


def stored(results: Path) -> list[TrainingFolder | EvaluationFolder]:
    """Folders of all trainings and evaluations. Raises `OSError` if they cannot be listed."""
    from bench.store.folders import Store

    def names(place: Path) -> list[str]:
        return sorted(path.name for path in place.iterdir() if path.is_dir()) if place.is_dir() else []

    store = Store(results)
    return [*map(store.training, names(store.trainings)), *map(store.evaluation, names(store.evaluations))]


def _unreadable(folder: TrainingFolder | EvaluationFolder) -> Iterator[CheckFailedError]:
    """The problem of a training or an evaluation, if any."""
    from bench.files import StoreError
    from bench.suite.specs import SCHEMA_VERSION

    try:
        folder.record()
        folder.failure()
    except StoreError as error:
        if folder.record_schema() in {None, SCHEMA_VERSION}:
            fix = "remove that file, nothing else, and `bench run` its suite again"
        else:
            fix = "read it with the version of bench that its provenance names, or `bench run` its suite again"
        yield CheckFailedError(str(error), fix)
