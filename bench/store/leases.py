"""Leases on a shared file system: they survive a crash and are taken over safely.

The leases of a training are numbered files in one folder; the highest number is the current lease. A file gets its
number by a hard link, which succeeds for exactly one of several processes, even on a shared file system. No file is
ever removed or reused. So a holder that was taken for dead and wakes up finds a higher number and stops, see
`Lease.ensure`.

A lease ends when its holder releases it or is known to be dead:

- on the same kernel, the holder's lock on its file is gone: the kernel drops it when the process ends;
- elsewhere, the scheduler says that the holder's job is over;
- otherwise, nobody touched the file for `STALE_SECONDS` while the would-be taker watched, on the taker's clock.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import StringConstraints

from bench.files import JsonDocument, StoreError, load_document, write_json
from bench.pose.machine import kernel_id

NUMBERED = re.compile(r"[0-9]{6,12}\.json", re.ASCII)

BEAT_SECONDS = 5.0
"""Seconds between two heartbeats of a holder."""

STALE_SECONDS = 120.0
"""Seconds without a heartbeat after which a holder is taken for dead, if nothing else is known about it."""

POLL_SECONDS = 0.2
JUDGE_SECONDS = 10.0
"""Seconds between two questions to the scheduler while waiting for a holder."""


JobId = Annotated[str, StringConstraints(pattern=r"^[0-9]+(_[0-9]+)?$")]
"""A SLURM job, "123" or "123_4". It is passed to SLURM's commands, which could take other texts for options."""


class BusyError(StoreError):
    """Another process holds the lease."""


class LeaseLostError(StoreError):
    """Another process took the lease over, because it took this process for dead."""


class Owner(JsonDocument):
    """The process that made a lease.

    Attributes:
        token: unique to this lease.
        host: name of the machine.
        boot: identity of the running kernel, on which others can check the process's lock.
        pid: id of the process.
        job: SLURM job of the process, "123" or "123_4", if any.
        restart: number of restarts of that job by SLURM.
        since: time of the lease, seconds since the epoch.
        locked: whether the file system supports locks.
        released: whether the holder has finished.
    """

    token: str
    host: str
    boot: str
    pid: int
    job: JobId | None
    restart: int
    since: float
    locked: bool = True
    released: bool = False

    def __str__(self) -> str:
        job = f", job {self.job}" if self.job else ""
        return f"process {self.pid} on {self.host}{job}"


def slurm_job(environment: Mapping[str, str] = os.environ) -> tuple[str | None, int]:
    """The SLURM job of this process, "123" or "123_4", if any, and the number of its restarts."""
    job = environment.get("SLURM_JOB_ID")
    if "SLURM_ARRAY_JOB_ID" in environment:
        job = f"{environment['SLURM_ARRAY_JOB_ID']}_{environment['SLURM_ARRAY_TASK_ID']}"
    return job, int(environment.get("SLURM_RESTART_COUNT", 0)) if job else 0


@dataclass(frozen=True)
class _NumberedLease:
    """One lease in the folder."""

    number: int
    path: Path
    owner: Owner

    def holder_lives(self) -> bool | None:
        """Whether the holder is alive; None if that is unknown on this machine."""
        if self.owner.released:
            return False
        if self.owner.boot != kernel_id() or not self.owner.locked:
            return None
        with self.path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            except OSError:  # no locks here, though the holder had one: it mounts the folder in another way
                return None
            return False

    def touched(self) -> float:
        """Time of the holder's last heartbeat, by the file system's clock."""
        return self.path.stat().st_mtime


class Lease:
    """A lease that this process holds."""

    def __init__(self, leases: Leases, number: int, owner: Owner, descriptor: int) -> None:
        self._leases = leases
        self._number = number
        self._owner = owner
        self._descriptor = descriptor
        self._ended = threading.Event()
        threading.Thread(target=self._beat, daemon=True).start()

    @property
    def lost(self) -> bool:
        """Whether the lease was taken over, or its file removed."""
        return self._leases.file(self._number + 1).exists() or not self._there()

    def ensure(self) -> None:
        """Check the lease; to be called before any permanent write.

        Raises:
            LeaseLostError: the lease was taken over; this process must not write.
            StoreError: the folder was removed.
        """
        if not self.lost:
            return
        if self._leases.latest() is None:
            raise StoreError(f"{self._leases.folder.parent} was removed while this process was working on it")
        raise LeaseLostError(
            f"{self._leases.folder.parent} was taken over by another process, which took this one for dead"
        )

    def _there(self) -> bool:
        """Whether the file of this number is still the one that this process locked."""
        try:
            found = os.stat(self._leases.file(self._number))
        except FileNotFoundError:
            return False
        return os.path.samestat(found, os.fstat(self._descriptor))

    def release(self) -> None:
        """End the lease."""
        self._ended.set()
        if not self.lost:
            done = self._owner.model_copy(update={"released": True})
            with contextlib.suppress(
                StoreError
            ):  # the lock ends with the process; a full disk must not hide another error
                write_json(self._leases.file(self._number), done.model_dump(mode="json"), durable=False)
        os.close(self._descriptor)

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            with contextlib.suppress(OSError):
                os.utime(self._leases.file(self._number))


class Leases:
    """All leases ever made on one training, or on one results folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, number: int) -> Path:
        """File of the lease with a number."""
        return self.folder / f"{number:06d}.json"

    def latest(self) -> Owner | None:
        """Owner of the latest lease."""
        entry = self._latest()
        return entry.owner if entry else None

    def history(self) -> list[Owner]:
        """Owners of all leases, first to last."""
        return [entry.owner for number in self._numbers() if (entry := self._entry(number))]

    def held(self) -> bool:
        """Whether a holder is alive, as far as one look at the file tells, without asking the scheduler."""
        entry = self._latest()
        if entry is None:
            return False
        lives = entry.holder_lives()
        # A time in the future means that a clock was set back.
        return abs(time.time() - entry.touched()) < STALE_SECONDS if lives is None else lives

    @contextlib.contextmanager
    def take(
        self, patience: float = 0, job_lives: Callable[[Owner], bool | None] = lambda _owner: None
    ) -> Iterator[Lease]:
        """Hold the lease. The lease of a dead holder is taken over.

        Args:
            patience: seconds to wait for a living holder; finding out whether it lives may take longer.
            job_lives: asks the scheduler whether a holder's job lives; None if it does not know.

        Raises:
            BusyError: another process still holds the lease after that time.
            StoreError: the folder cannot be made or written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lease = self._wait(patience, job_lives)
        except OSError as error:
            raise StoreError(f"cannot take the lease of {self.folder.parent}: {error.strerror or error}") from error
        try:
            yield lease
        finally:
            lease.release()

    def _wait(self, patience: float, job_lives: Callable[[Owner], bool | None]) -> Lease:
        started = time.monotonic()
        judge = _Judge(job_lives)
        while True:
            entry = self._latest()
            lives = judge.lives(entry) if entry else False
            if not lives and lives is not None:
                lease = self._try(entry.number + 1 if entry else 1)
                if lease is not None:
                    return lease
            elif entry and lives and time.monotonic() - started >= patience:
                raise BusyError(f"{self.folder.parent.name} is held by {entry.owner}")
            else:
                time.sleep(POLL_SECONDS)

    def _try(self, number: int) -> Lease | None:
        """Make the lease with a number, unless another process was faster."""
        job, restart = slurm_job()
        owner = Owner(
            token=uuid.uuid4().hex,
            host=socket.gethostname(),
            boot=kernel_id(),
            pid=os.getpid(),
            job=job,
            restart=restart,
            since=time.time(),
        )
        draft = self.folder / f".{owner.token}.partial"
        # Locked before it is visible, so that no reader finds a living holder's file unlocked.
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            locked = _lock(descriptor)
            os.write(descriptor, owner.model_copy(update={"locked": locked}).model_dump_json().encode())
            os.fsync(descriptor)
            with contextlib.suppress(FileExistsError):
                os.link(draft, self.file(number))
            # Two names mean that the link is ours, even if the file server's answer was lost.
            if os.fstat(descriptor).st_nlink == 2:
                return Lease(self, number, owner, os.dup(descriptor))
            return None
        finally:
            draft.unlink()
            os.close(descriptor)

    def _latest(self) -> _NumberedLease | None:
        numbers = self._numbers()
        return self._entry(numbers[-1]) if numbers else None

    def _numbers(self) -> list[int]:
        try:
            return sorted(int(name[:-5]) for name in os.listdir(self.folder) if NUMBERED.fullmatch(name))
        except FileNotFoundError:
            return []

    def _entry(self, number: int) -> _NumberedLease | None:
        owner = load_document(self.file(number), Owner)
        return _NumberedLease(number, self.file(number), owner) if owner else None


class _Judge:
    """Decides whether the holder of a lease is alive, over repeated looks."""

    def __init__(self, job_lives: Callable[[Owner], bool | None]) -> None:
        self._job_lives = job_lives
        self._asked = -JUDGE_SECONDS
        self._first: tuple[int, float] | None = None
        self._since = 0.0

    def lives(self, entry: _NumberedLease) -> bool | None:
        """Whether the holder is alive; None while that is undecided, for `STALE_SECONDS` at most."""
        lives = entry.holder_lives()
        if lives is None and time.monotonic() - self._asked >= JUDGE_SECONDS:
            lives = self._job_lives(entry.owner)
            self._asked = time.monotonic()
        return self._watch(entry) if lives is None else lives

    def _watch(self, entry: _NumberedLease) -> bool | None:
        sign = (entry.number, entry.touched())
        if self._first is None or self._first[0] != entry.number:
            self._first, self._since = sign, time.monotonic()
        if sign != self._first:
            return True
        return False if time.monotonic() - self._since >= STALE_SECONDS else None


def _lock(descriptor: int) -> bool:
    """Lock an open file; returns False if the file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True
