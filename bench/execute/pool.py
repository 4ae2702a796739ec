"""Runs jobs on this machine, several at once if there is room, each in processes of its own. Imports no torch."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.context import ForkServerContext, ForkServerProcess, SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from typing import get_args

from bench.execute.job import NO_RETRIES, Job, JobOutcome, Retries
from bench.execute.progress import PlainView
from bench.execute.ranks import GroupMember, Slot, local_members
from bench.files import StoreError
from bench.pose.machine import forks_safely, safe_children
from bench.store.documents import Cause, Failure
from bench.store.folders import Store
from bench.store.leases import Owner

POLL_SECONDS = 0.3

GROUP_PATIENCE = 30.0
"""Seconds after which the other processes of a training are killed when one of them failed."""

PRELOAD = "bench.execute.preload"
"""Module that the fork server imports before the first job."""

IGNORED = (signal.SIGTERM, signal.SIGUSR2)
"""Signals that SLURM sends to every process of a job. The fork server ignores them, or exit statuses would be lost."""

Members = Callable[[Job, int], Sequence[GroupMember]]
"""Gives the processes to start for a job at its n-th try, from 0."""


JobProcess = ForkServerProcess | SpawnProcess


def job_context() -> ForkServerContext | SpawnContext:
    """Start method of job processes: forked from a server that has imported torch and ignores SLURM's signals.

    Where that is not safe, each is a new Python. In both cases `safe_children` must be in force.
    """
    from multiprocessing import forkserver

    if not forks_safely():
        return multiprocessing.get_context("spawn")
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
class _ProcessSet:
    """The processes of one running job. A signal may arrive while they are being started.

    Attributes:
        number: position of the job in the queue, from 1.
        job: the job.
        slot: devices of its processes.
        processes: its processes, in the order of ranks.
        used: retries used so far, by cause.
        ended_badly: when a process was first seen to have failed while others ran, on the monotonic clock.
        warned: warnings of its loggers that were shown.
    """

    number: int
    job: Job
    slot: Slot
    processes: list[JobProcess]
    used: Counter[Cause] = field(default_factory=Counter)
    ended_badly: float | None = None
    warned: set[str] = field(default_factory=set)

    @property
    def started(self) -> list[JobProcess]:
        """Processes that exist already."""
        return [process for process in self.processes if process.pid is not None]

    def exited(self) -> bool:
        """Whether all processes have ended. If one failed, the others are killed after `GROUP_PATIENCE`."""
        codes = [process.exitcode for process in self.started]
        if None in codes and any(code for code in codes if code not in {None, JobOutcome.BUSY, JobOutcome.CANCELLED}):
            self.ended_badly = self.ended_badly or time.monotonic()
            if time.monotonic() - self.ended_badly > GROUP_PATIENCE:
                self.signal(BaseProcess.kill)
        return None not in codes

    def outcome(self) -> JobOutcome:
        """Outcome by the exit statuses of the processes; `LOST` if one was killed."""
        codes = [process.exitcode for process in self.started]
        if not codes:  # asked to stop before the first process existed
            return JobOutcome.STOPPED
        if codes[0] == JobOutcome.BUSY:  # the others lost rank 0, which found no lease
            return JobOutcome.BUSY
        if any(code not in set(JobOutcome) for code in codes):
            return JobOutcome.LOST
        found = [JobOutcome(code) for code in codes if code is not None]
        return next((bad for bad in (JobOutcome.FAILED, JobOutcome.LOST) if bad in found), found[0])

    def signal(self, send: Callable[[BaseProcess], None]) -> None:
        for process in self.started:
            if process.exitcode is None:
                send(process)


class Pool:
    """A queue of jobs and the slots that they run in. A job that fails or dies does not affect the others."""

    def __init__(
        self,
        jobs: Sequence[Job],
        view: PlainView,
        *,
        slots: Sequence[Slot],
        members: Members = local_members,
        retries: Retries = NO_RETRIES,
        patient: bool = False,
    ) -> None:
        """Queue jobs.

        Args:
            jobs: jobs to run, in order.
            view: shows their progress.
            slots: places to run jobs, one at a time each.
            members: gives the processes of a job that are started here.
            retries: how often a job is retried after each cause of failure.
            patient: whether to wait for jobs that another process is running, instead of skipping them.
        """
        self._queue = deque(enumerate(jobs, start=1))
        self._total = len(jobs)
        self._free = deque(slots)
        self._view = view
        self._members = members
        self._retries = retries
        self._patient = patient
        self._waiting: set[str] = set()
        self._running: list[_ProcessSet] = []
        self._stopping = False
        self.outcomes: dict[str, JobOutcome] = {}

    @property
    def unfinished(self) -> list[Job]:
        """Running and waiting jobs."""
        return [running.job for running in self._running] + [job for _, job in self._queue]

    def run(self) -> list[JobOutcome]:
        """Run all jobs. On Ctrl-C running jobs save their state and end, and the rest is not started.

        Returns:
            Outcome of each job that was started or waited for.
        """
        with safe_children():
            self._context = job_context()
            try:
                self._work()
            except BaseException:
                self.stop()  # otherwise the jobs would go on, and this process would wait for them
                raise
        self.outcomes |= {job.id: JobOutcome.STOPPED for _, job in self._queue if job.id in self._waiting}
        return list(self.outcomes.values())

    def _work(self) -> None:
        while self._running or (self._queue and not self._stopping):
            try:
                self._fill()
                self._wait()
                if self._stopping:
                    self.stop()  # again: a process that had just started may have missed the signal
            except KeyboardInterrupt:
                self.stop()

    def stop(self) -> None:
        """Ask the running jobs to save their state and end; start no more jobs."""
        self._stopping = True
        for running in self._running:
            running.signal(BaseProcess.terminate)

    def stop_within(self, seconds: float) -> None:
        """`stop`, and kill the processes that have not ended after `seconds`."""
        deadline = time.monotonic() + seconds
        while any(not running.exited() for running in self._running) and time.monotonic() < deadline:
            self.stop()
            time.sleep(POLL_SECONDS)
        for running in self._running:
            running.signal(BaseProcess.kill)
            for process in running.started:
                process.join()

    def _fill(self) -> None:
        while self._free and not self._stopping and (turn := self._next()):
            number, job = turn
            if Store(job.resources.results).training(job.id).cancelled:
                self.outcomes[job.id] = JobOutcome.CANCELLED
                continue
            running = _ProcessSet(number, job, self._free.popleft(), [])
            self._view.start(job, number, self._total)
            self._running.append(running)
            self._start(running)

    def _next(self) -> tuple[int, Job] | None:
        """Take the first job out of the queue; if `patient`, the first one that nobody is running."""
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
        """The process that is running a job, if any. An unreadable lease counts as none; the job itself reports it."""
        leases = Store(job.resources.results).training(job.id).leases
        with contextlib.suppress(StoreError, OSError):
            return leases.latest() if leases.held() else None
        return None

    def _start(self, running: _ProcessSet) -> None:
        left = Retries(**{cause: self._retries.left(cause, running.used[cause]) for cause in get_args(Cause)})
        running.ended_badly = None
        running.processes = [
            self._context.Process(
                target=_run_process, args=(running.slot.equip(running.job, member), member, left), name=running.job.id
            )
            for member in self._members(running.job, running.used.total())
        ]
        for process in running.processes:
            process.start()

    def _wait(self) -> None:
        sentinels = [p.sentinel for running in self._running for p in running.started if p.exitcode is None]
        connection.wait(sentinels, POLL_SECONDS)
        for running in list(self._running):
            if running.exited():
                self._finish(running)
            else:
                self._show(running)

    def _show(self, running: _ProcessSet) -> None:
        self._show_warnings(running)
        progress = Store(running.job.resources.results).training(running.job.id).job_progress()
        if progress is not None and progress.pid in {process.pid for process in running.started}:
            self._view.beat(running.job, progress)

    def _show_warnings(self, running: _ProcessSet) -> None:
        found = None
        with contextlib.suppress(StoreError):
            found = Store(running.job.resources.results).training(running.job.id).logger_warnings()
        if found is not None and found.pid in {process.pid for process in running.started}:
            for message in found.messages:
                if message not in running.warned:
                    running.warned.add(message)  # first: Ctrl-C may come while it is printed
                    self._view.warn(running.job, message)

    def _finish(self, running: _ProcessSet) -> None:
        """Retry the job if its outcome allows that; otherwise report its outcome."""
        self._show_warnings(running)
        outcome = running.outcome()
        failures = _failures(running.job)
        if outcome is JobOutcome.LOST and any(not failure.retry for failure in failures):
            outcome = JobOutcome.FAILED  # a process on another node failed
        if outcome is JobOutcome.FAILED and not failures:
            outcome = JobOutcome.LOST  # it ended before it could store why
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


def _run_process(job: Job, member: GroupMember, retries: Retries) -> None:
    from bench.execute.runner import run_process

    run_process(job, member, retries)


def _failures(job: Job) -> list[Failure]:
    """Stored failures of the job's training and evaluations."""
    folders = Store(job.resources.results).folders(job.id, job.evaluation_ids)
    return [failure for folder in folders if (failure := folder.failure())]


def _cause(outcome: JobOutcome, failures: Sequence[Failure]) -> Cause | None:
    """Cause of a failed outcome, which decides about retries."""
    if outcome is JobOutcome.LOST:
        return "killed"
    return failures[0].cause if outcome is JobOutcome.FAILED and failures else None


def _record_death(running: _ProcessSet) -> str:
    """Store the failure of a job whose process died. Returns the reason if it cannot be stored."""
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
