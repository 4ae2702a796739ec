"""The results folder: whether it can be written and shared, and whether what is in it can be read."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.doctor.check import Check, Finding, fault, merged, ok, skipped, warning

if TYPE_CHECKING:
    from bench.store.folders import EvaluationFolder, TrainingFolder

__all__ = ["ResultsFolder", "stored"]

GIGA = 1e9
ENOUGH_ROOM, SOME_ROOM = 10 * GIGA, 1 * GIGA
"""Bytes: what a suite of small networks leaves behind, and what not even one network with its checkpoint does."""

OTHER_FOLDER = "name another folder with --results, or have this one made writable"
OTHER_FILES = "name a --results folder on a local disk, or on a shared file system such as NFS 4, Lustre or GPFS"


@dataclass(frozen=True)
class ResultsFolder:
    """A folder of results, which need not exist yet."""

    folder: Path

    def checks(self) -> list[Check]:
        """All that concern it."""
        return [
            Check("results folder", self.writable, OTHER_FOLDER),
            Check("results room", self._once_writable(self.room), OTHER_FOLDER),
            Check("results leases", self._once_writable(self.leases), OTHER_FILES),
            Check("results clock", self._once_writable(self.clock), OTHER_FOLDER),
            Check("results records", self.records, "have the folder made readable: see ls -l", seconds=900),
        ]

    def writable(self) -> Finding:
        """Whether files can be written, and replaced at once."""
        from bench.files import read_json, write_json

        with self._probe() as probe:
            for value in (1, 2):
                write_json(probe / "replaced.json", value)
            if read_json(probe / "replaced.json") != 2:
                return fault(f"{self.folder}: a file that was replaced still has its old contents", OTHER_FILES)
        return ok(f"{self.folder.absolute()}" + ("" if self.folder.exists() else ", to be made"))

    def room(self) -> Finding:
        """How much its file system has."""
        free = shutil.disk_usage(self._nearest()).free
        found, advice = f"{free / GIGA:.1f} GB free", "make room, or name a folder on another disk with --results"
        if free < SOME_ROOM:
            return fault(found, advice)
        return warning(found, advice) if free < ENOUGH_ROOM else ok(found)

    def leases(self) -> Finding:
        """Whether its file system has what keeps two processes from doing the same work: hard links and locks."""
        from bench.store.leases import STALE_SECONDS, BusyError, Leases

        with self._probe() as probe:
            leases = Leases(probe / "leases")
            with leases.take():
                owner = leases.latest()
                if owner is None or not owner.locked:
                    seconds = f"{STALE_SECONDS:.0f} s"
                    return warning(f"no locks: a killed job is taken over after {seconds} only", OTHER_FILES)
                with contextlib.suppress(BusyError), leases.take():
                    return fault("a lease that is held was given away a second time", OTHER_FILES)
        return ok("hard links and locks hold")

    def clock(self) -> Finding:
        """Whether the file system and this machine agree on what time it is."""
        from bench.store.leases import BEAT_SECONDS, STALE_SECONDS

        with self._probe() as probe:
            before = time.time()
            (probe / "now").write_text("now", encoding="ascii")
            found, after = (probe / "now").stat().st_mtime, time.time()
        skew = min(found - before, 0.0) + max(found - after, 0.0)
        told = f"the file system's clock is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}"
        advice = "set both clocks by NTP (timedatectl, chronyc): running work may be taken for abandoned"
        if abs(skew) > STALE_SECONDS / 2:
            return fault(told, advice)
        return warning(told, advice) if abs(skew) > BEAT_SECONDS else ok("agrees with the file system's")

    def records(self) -> Finding:
        """Whether each record can be read by this version."""
        folders = stored(self.folder)
        if not folders:
            return skipped("no results yet")
        unreadable = (finding for folder in folders for finding in _unreadable(folder))
        return merged(unreadable, f"{len(folders)} trainings and evaluations are readable")

    def _once_writable(self, look: Callable[[], Finding]) -> Callable[[], Finding]:
        """A check that has nothing to say of a folder that cannot be written anyway."""

        def looked() -> Finding:
            try:
                with self._probe():
                    pass
            except OSError:
                return skipped("the results folder cannot be written")
            return look()

        return looked

    @contextlib.contextmanager
    def _probe(self) -> Iterator[Path]:
        """A new folder on the file system of the results, gone afterwards. Raises `OSError` if none can be made."""
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=self._nearest()) as folder:
            yield Path(folder)

    def _nearest(self) -> Path:
        """The folder, or the one that it would be made in. Raises `NotADirectoryError` for a file in its place."""
        place = self.folder.absolute()
        there = next(path for path in (place, *place.parents) if path.exists() or path.is_symlink())
        if not there.is_dir():
            raise NotADirectoryError(f"{there} is no folder")
        return there


def stored(results: Path) -> list[TrainingFolder | EvaluationFolder]:
    """Folders of all trainings and evaluations. Raises `OSError` if they cannot be listed."""
    from bench.store.folders import Store

    store = Store(results)
    trainings = [store.training(name) for name in _names(store.trainings)]
    return [*trainings, *(store.evaluation(name) for name in _names(store.evaluations))]


def _names(folder: Path) -> list[str]:
    """Of the folders in a folder, if it is one."""
    return sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def _unreadable(folder: TrainingFolder | EvaluationFolder) -> Iterator[Finding]:
    """What is wrong with a training or an evaluation, at most one finding."""
    from bench.files import StoreError
    from bench.suite.specs import SCHEMA_VERSION

    try:
        folder.record()
        folder.failure()
    except StoreError as error:
        if folder.record_schema() in {None, SCHEMA_VERSION}:
            yield fault(str(error), "remove that file, nothing else, and `bench run` its suite again")
        else:
            yield fault(
                str(error),
                "read it with the version of bench that its provenance names, or `bench run` its suite again",
            )
