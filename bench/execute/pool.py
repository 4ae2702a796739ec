"""Runs jobs on this machine, several at once where it has room, each in processes of its own. Imports no torch."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.context import ForkServerContext, ForkServerProcess

from bench.execute.job import NO_RETRIES, Job, JobOutcome, Retries
from bench.execute.progress import ProgressView
from bench.execute.ranks import GroupMember, Slot, local_members
from bench.files import StoreError
from bench.store.documents import Cause, Failure
from bench.store.folders import Store
from bench.store.leases import Owner

__all__ = ["PRELOAD", "Pool", "job_context"]

POLL_SECONDS = 0.3

GROUP_PATIENCE = 30.0
"""Seconds that the processes of a training may outlive one that ended badly, before they are killed."""

PRELOAD = "bench.execute.preload"
"""Module that the fork server imports before the first job."""

IGNORED = (signal.SIGTERM, signal.SIGUSR2)
"""What SLURM sends to every process of a job. The fork server must outlive it, or the jobs' last words are lost."""

Ranks = Callable[[Job, int], Sequence[GroupMember]]
"""The processes to start for a job at its n-th try, from 0."""


def job_context() -> ForkServerContext:
    """How job processes are started: forked from a server that has torch imported and ignores what ends jobs."""
    from multiprocessing import forkserver

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([PRELOAD])
    earlier = {number: signal.signal(number, signal.SIG_IGN) for number in IGNORED}
    try:
        forkserver.ensure_running()
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
    return context


@dataclass
class _Running:
    """A job's processes, and the tries that it has used by cause. A signal may come while they are being started."""

    number: int
    job: Job
    slot: Slot
    processes: list[ForkServerProcess]
    used: Counter[Cause] = field(default_factory=Counter)
    ended_badly: float | None = None

    @property
    def started(self) -> list[ForkServerProcess]:
        """Those of the processes that exist."""
        return [process for process in self.processes if process.pid is not None]

    def exited(self) -> bool:
        """Whether all processes ended; those that outlive a bad end for too long are killed."""
        codes = [process.exitcode for process in self.started]
        if None in codes and any(code for code in codes if code not in {None, JobOutcome.BUSY, JobOutcome.CANCELLED}):
            self.ended_badly = self.ended_badly or time.monotonic()
            if time.monotonic() - self.ended_badly > GROUP_PATIENCE:
                self.signal(ForkServerProcess.kill)
        return None not in codes

    def outcome(self) -> JobOutcome:
        """What became of the job by the exit statuses of its processes; `LOST` if one was killed."""
        codes = [process.exitcode for process in self.started]
        if not codes:  # told to stop before the first one existed
            return JobOutcome.STOPPED
        if codes[0] == JobOutcome.BUSY:  # the others lost the one that gave way
            return JobOutcome.BUSY
        if any(code not in set(JobOutcome) for code in codes):
            return JobOutcome.LOST
        found = [JobOutcome(code) for code in codes if code is not None]
        return next((bad for bad in (JobOutcome.FAILED, JobOutcome.LOST) if bad in found), found[0])

    def signal(self, send: Callable[[ForkServerProcess], None]) -> None:
        for process in self.started:
            if process.exitcode is None:
                send(process)


class Pool:
    """A queue of jobs with as many slots as the machine has room; a job that fails or dies takes no other with it."""

    def __init__(
        self,
        jobs: Sequence[Job],
        view: ProgressView,
        *,
        slots: Sequence[Slot],
        ranks: Ranks = local_members,
        retries: Retries = NO_RETRIES,
        patient: bool = False,
    ) -> None:
        """Queue jobs.

        Args:
            jobs: to do, in order.
            view: hears what becomes of them.
            slots: places to work; each has one job at a time.
            ranks: which of a job's processes are started here.
            retries: how often a job is tried again after each cause.
            patient: whether jobs that another process works on are waited for, rather than left to it.
        """
        self._queue = deque(enumerate(jobs, start=1))
        self._total = len(jobs)
        self._free = deque(slots)
        self._view = view
        self._ranks = ranks
        self._retries = retries
        self._patient = patient
        self._waiting: set[str] = set()
        self._running: list[_Running] = []
        self._stopping = False
        self.outcomes: dict[str, JobOutcome] = {}

    @property
    def unfinished(self) -> list[Job]:
        """Jobs that run or wait."""
        return [running.job for running in self._running] + [job for _, job in self._queue]

    def run(self) -> list[JobOutcome]:
        """Do all jobs. On Ctrl-C those that run save their state, and the rest is left for the next time.

        Returns:
            What became of each job that was started or waited for.
        """
        self._context = job_context()
        try:
            self._work()
        except BaseException:
            self.stop()  # the jobs would else go on, and this process wait for them
            raise
        self.outcomes |= {job.id: JobOutcome.STOPPED for _, job in self._queue if job.id in self._waiting}
        return list(self.outcomes.values())

    def _work(self) -> None:
        while self._running or (self._queue and not self._stopping):
            try:
                self._fill()
                self._await()
                if self._stopping:
                    self.stop()  # again: a process that had just started may not have listened yet
            except KeyboardInterrupt:
                self.stop()

    def stop(self) -> None:
        """Have the running jobs save their state and end; start no more."""
        self._stopping = True
        for running in self._running:
            running.signal(ForkServerProcess.terminate)

    def stop_within(self, seconds: float) -> None:
        """`stop`, wait until all processes have ended, and kill those that have not after so many seconds."""
        deadline = time.monotonic() + seconds
        while any(not running.exited() for running in self._running) and time.monotonic() < deadline:
            self.stop()
            time.sleep(POLL_SECONDS)
        for running in self._running:
            running.signal(ForkServerProcess.kill)
            for process in running.started:
                process.join()

    def _fill(self) -> None:
        while self._free and not self._stopping and (turn := self._next()):
            number, job = turn
            if Store(job.resources.results).training(job.id).cancelled:
                self.outcomes[job.id] = JobOutcome.CANCELLED
                continue
            running = _Running(number, job, self._free.popleft(), [])
            self._view.start(job, number, self._total)
            self._running.append(running)
            self._start(running)

    def _next(self) -> tuple[int, Job] | None:
        """Take the first job out of the queue; where this is patient, the first that nobody works on."""
        for turn in self._queue:
            holder = self._holder(turn[1]) if self._patient else None
            if holder is None:
                self._queue.remove(turn)
                self._waiting.discard(turn[1].id)
                return turn
            if turn[1].id not in self._waiting:
                self._waiting.add(turn[1].id)
                self._view.wait(turn[1], str(holder))
        return None

    def _holder(self, job: Job) -> Owner | None:
        """Who works on a job; nobody where that cannot be read, which the job will find out and say."""
        leases = Store(job.resources.results).training(job.id).leases
        with contextlib.suppress(StoreError, OSError):
            return leases.latest() if leases.held() else None
        return None

    def _start(self, running: _Running) -> None:
        left = Retries(**{cause: self._retries.left(cause, used) for cause, used in _uses(running.used).items()})
        running.ended_badly = None
        running.processes = [
            self._context.Process(
                target=_enter, args=(running.slot.equip(running.job, rank), rank, left), name=f"{running.job.id}"
            )
            for rank in self._ranks(running.job, running.used.total())
        ]
        for process in running.processes:
            process.start()

    def _await(self) -> None:
        sentinels = [p.sentinel for running in self._running for p in running.started if p.exitcode is None]
        connection.wait(sentinels, POLL_SECONDS)
        for running in list(self._running):
            if running.exited():
                self._settle(running)
            else:
                self._show(running)

    def _show(self, running: _Running) -> None:
        job_progress = Store(running.job.resources.results).training(running.job.id).job_progress()
        if job_progress is not None and job_progress.pid in {process.pid for process in running.started}:
            self._view.beat(running.job, job_progress)

    def _settle(self, running: _Running) -> None:
        """Try the job again if its end allows that, or let it go."""
        outcome = running.outcome()
        failures = _failures(running.job)
        if outcome is JobOutcome.LOST and any(not failure.retry for failure in failures):
            outcome = JobOutcome.FAILED  # of a process on another node
        if outcome is JobOutcome.FAILED and not failures:
            outcome = JobOutcome.LOST  # before it could say why
        cause = _cause(outcome, failures)
        if cause and not self._stopping and self._retries.left(cause, running.used[cause]):
            running.used[cause] += 1
            self._start(running)
            return
        if outcome is JobOutcome.BUSY and self._patient and not self._stopping:
            self._queue.append((running.number, running.job))
        unstored = ""
        if outcome is JobOutcome.LOST and not self._stopping:
            outcome, unstored = JobOutcome.FAILED, _record_death(running)
        self._running.remove(running)
        self._free.append(running.slot)
        self.outcomes[running.job.id] = outcome
        words = [f"{failure.kind}: {failure.message}" for failure in _failures(running.job)]
        self._view.finish(running.job, outcome, "; ".join(filter(None, [*words, unstored])))


def _enter(job: Job, rank: GroupMember, retries: Retries) -> None:
    from bench.execute.runner import run_process

    run_process(job, rank, retries)


def _uses(used: Counter[Cause]) -> Mapping[Cause, int]:
    causes: tuple[Cause, ...] = ("killed", "out_of_memory", "exception", "stalled")
    return {cause: used[cause] for cause in causes}


def _failures(job: Job) -> list[Failure]:
    """Why the job's training or evaluations of it failed, for those that did."""
    folders = Store(job.resources.results).folders(job.id, job.evaluation_ids)
    return [failure for folder in folders if (failure := folder.failure())]


def _cause(outcome: JobOutcome, failures: Sequence[Failure]) -> Cause | None:
    """What a job is to be tried again for, if its end was a bad one."""
    if outcome is JobOutcome.LOST:
        return "killed"
    return failures[0].cause if outcome is JobOutcome.FAILED and failures else None


def _record_death(running: _Running) -> str:
    """Leave word of a job whose process ended without a word of its own; why that cannot be stored, if it cannot."""
    folder = Store(running.job.resources.results).training(running.job.id)
    codes = [process.exitcode or 0 for process in running.started]
    code = next((code for code in codes if code not in set(JobOutcome)), int(JobOutcome.LOST))
    ended = signal.Signals(-code).name if code < 0 else f"exit status {code}"
    hint = " (often: out of memory)" if code == -signal.SIGKILL else ""
    tries = f" at each of {running.used['killed'] + 1} tries" if running.used["killed"] else ""
    message = f"the process ended by {ended}{tries}{hint}; see {folder.log}"
    try:
        folder.fail(Failure(kind="ProcessDied", message=message, cause="killed"))
    except StoreError as error:
        return f"{message}; {error}"
    return ""
