"""Who works on what: leases on a shared file system that survive a crash and are taken over safely.

A thing's leases are the numbered files of one folder; the highest number holds the thing. A file takes its number by a
hard link, which a shared file system lets succeed exactly once: of many who want the next number one gets it. No file
is ever removed or reused: a holder that was taken for dead and wakes up finds a higher number and stops
(`Lease.ensure`).

A lease is over when its holder says so or is shown to be dead:

- on the kernel that it was made on, the holder's lock on its file is gone: the kernel lets go of it with the process;
- elsewhere, the scheduler says that the holder's job is over;
- or else nothing has touched the file for `STALE_SECONDS` while the taker watched, on the taker's own clock.
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
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from bench.files import StoreError, load_document, write_json

__all__ = ["BusyError", "JobId", "Lease", "LeaseLostError", "Leases", "Owner", "slurm_job"]

NUMBERED = re.compile(r"[0-9]{6,12}\.json", re.ASCII)

BEAT_SECONDS = 5.0
"""Between two signs of life of a holder."""

STALE_SECONDS = 120.0
"""Without a sign of life, after which a holder that nothing else vouches for is taken for dead."""

POLL_SECONDS = 0.2
JUDGE_SECONDS = 10.0
"""Between two questions to the scheduler while waiting for a holder."""


JobId = Annotated[str, StringConstraints(pattern=r"^[0-9]+(_[0-9]+)?$")]
"""A SLURM job, "123" or "123_4". It is handed to SLURM's commands, which take other texts for options."""


class BusyError(StoreError):
    """Somebody else holds the lease."""


class LeaseLostError(StoreError):
    """The lease was taken over by somebody who took this process for dead."""


class Owner(BaseModel):
    """Who made a lease.

    Attributes:
        token: tells this lease from all others.
        host: name of the machine.
        boot: identity of the running kernel; lets others on it ask the kernel whether the process lives.
        pid: of the process.
        job: SLURM job, "123" or "123_4", in which the process runs.
        restart: how often SLURM had restarted that job.
        since: seconds since the epoch.
        locked: whether the file system lets the holder lock its file.
        released: whether the holder has finished.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

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
    """The SLURM job that this process belongs to, "123" or "123_4", if any, and how often it was restarted."""
    job = environment.get("SLURM_JOB_ID")
    if "SLURM_ARRAY_JOB_ID" in environment:
        job = f"{environment['SLURM_ARRAY_JOB_ID']}_{environment['SLURM_ARRAY_TASK_ID']}"
    return job, int(environment.get("SLURM_RESTART_COUNT", 0)) if job else 0


@cache
def _kernel() -> str:
    """Identity of the running kernel, the same in every container on it."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return socket.gethostname()


@dataclass(frozen=True)
class _NumberedLease:
    """One lease as it stands in the folder."""

    number: int
    path: Path
    owner: Owner

    def holder_lives(self) -> bool | None:
        """Whether the holder is at work; None if that cannot be told from here."""
        if self.owner.released:
            return False
        if self.owner.boot != _kernel() or not self.owner.locked:
            return None
        with self.path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False

    def touched(self) -> float:
        """When the holder last gave a sign of life, in the file system's time."""
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
        """Whether somebody has taken the lease over, or removed its file."""
        return self._leases.file(self._number + 1).exists() or not self._there()

    def ensure(self) -> None:
        """To be called before anything is written that stays.

        Raises:
            LeaseLostError: the lease was taken over; whatever was to be written is somebody else's now.
            StoreError: the folder was removed.
        """
        if not self.lost:
            return
        if self._leases.latest() is None:
            raise StoreError(f"{self._leases.folder.parent} was removed while it was being worked on")
        raise LeaseLostError(f"{self._leases.folder.parent} was taken over; this process was taken for dead")

    def _there(self) -> bool:
        """Whether the file of this number is the one that this process locks: another may follow a removed one."""
        try:
            found = os.stat(self._leases.file(self._number))
        except FileNotFoundError:
            return False
        return os.path.samestat(found, os.fstat(self._descriptor))

    def release(self) -> None:
        """Say that the work is over."""
        self._ended.set()
        if not self.lost:
            done = self._owner.model_copy(update={"released": True})
            with contextlib.suppress(
                StoreError
            ):  # the lock goes with the process; a full disk must not hide why it ends
                write_json(self._leases.file(self._number), done.model_dump(mode="json"), durable=False)
        os.close(self._descriptor)

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            with contextlib.suppress(OSError):
                os.utime(self._leases.file(self._number))


class Leases:
    """All leases ever made on one thing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, number: int) -> Path:
        """Of the lease of that number."""
        return self.folder / f"{number:06d}.json"

    def latest(self) -> Owner | None:
        """Who made the last lease."""
        entry = self._latest()
        return entry.owner if entry else None

    def history(self) -> list[Owner]:
        """All leases, first to last."""
        return [entry.owner for number in self._numbers() if (entry := self._entry(number))]

    def held(self) -> bool:
        """Whether somebody is at work, as far as a reader can tell that looks once and asks no scheduler."""
        entry = self._latest()
        if entry is None:
            return False
        lives = entry.holder_lives()
        # A sign from the future is one of before a clock was set back.
        return abs(time.time() - entry.touched()) < STALE_SECONDS if lives is None else lives

    @contextlib.contextmanager
    def take(
        self, patience: float = 0, job_lives: Callable[[Owner], bool | None] = lambda _owner: None
    ) -> Iterator[Lease]:
        """Hold the lease. A dead holder's is taken over.

        Args:
            patience: seconds to wait for a holder that lives; finding out whether it does may take longer.
            job_lives: what a scheduler knows of a holder's job; None if it does not know.

        Raises:
            BusyError: somebody still holds it after that time.
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
                raise BusyError(f"{self.folder.parent.name} is being worked on by {entry.owner}")
            else:
                time.sleep(POLL_SECONDS)

    def _try(self, number: int) -> Lease | None:
        """Make the lease of that number, unless somebody else has made it."""
        job, restart = slurm_job()
        owner = Owner(
            token=uuid.uuid4().hex,
            host=socket.gethostname(),
            boot=_kernel(),
            pid=os.getpid(),
            job=job,
            restart=restart,
            since=time.time(),
        )
        draft = self.folder / f".{owner.token}.partial"
        # Locked before it can be seen, so that no reader ever finds a living holder's file unlocked.
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            locked = _lock(descriptor)
            os.write(descriptor, owner.model_copy(update={"locked": locked}).model_dump_json().encode())
            os.fsync(descriptor)
            with contextlib.suppress(FileExistsError):
                os.link(draft, self.file(number))
            # Two names mean that the link is ours, whatever a file server's lost answer made of the call.
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
    """Decides whether the holder lives that somebody waits for."""

    def __init__(self, job_lives: Callable[[Owner], bool | None]) -> None:
        self._job_lives = job_lives
        self._asked = -JUDGE_SECONDS
        self._first: tuple[int, float] | None = None
        self._since = 0.0

    def lives(self, entry: _NumberedLease) -> bool | None:
        """Whether the entry's holder is at work; None while that is open, for `STALE_SECONDS` at most."""
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
    """Lock an open file; False where the file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True
