"""Shows running jobs: live bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from bench.execute.job import Job, JobOutcome
from bench.store.documents import JobProgress, Record
from bench.store.folders import Store

__all__ = ["LiveView", "PlainView", "ProgressView", "describe", "duration"]

OUTCOME_WORDS = {
    JobOutcome.DONE: "done",
    JobOutcome.FAILED: "FAILED",
    JobOutcome.STOPPED: "stopped, state saved",
    JobOutcome.BUSY: "skipped, another process works on it",
    JobOutcome.CANCELLED: "cancelled, state saved",
    JobOutcome.LOST: "stopped with another process of the same training",
}


HEADLINES = {
    "AP": "AP {:.3f}",
    "mean_oks": "mean OKS {:.3f}",
    "Mean": "PCKh@0.5 {:.1f}",
    "Mean@0.1": "PCKh@0.1 {:.1f}",
}
"""Metrics to show of a finished evaluation, in the words to show them in."""


class ProgressView(Protocol):
    """Hears what becomes of jobs."""

    def wait(self, job: Job, holder: str) -> None:
        """A job waits, as somebody else works on it."""

    def start(self, job: Job, number: int, total: int) -> None:
        """A job begins."""

    def beat(self, job: Job, job_progress: JobProgress) -> None:
        """A job lives."""

    def finish(self, job: Job, outcome: JobOutcome, reason: str) -> None:
        """A job ended."""


def duration(seconds: float | None) -> str:
    """Seconds as instances read them, such as "1h 02m"."""
    if seconds is None:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h {minutes:02d}m"
    return f"{minutes}m {rest:02d}s" if minutes else f"{rest}s"


def describe(job_progress: JobProgress) -> str:
    """One heartbeat in words."""
    if job_progress.phase == "evaluating":
        return f"evaluating {job_progress.fraction:4.0%}"
    loss = "" if job_progress.loss is None else f"  loss {job_progress.loss:.4g}"
    return (
        f"epoch {job_progress.epoch}/{job_progress.epochs}{loss}  {job_progress.rate:.0f} samples/s"
        f"  {duration(job_progress.remaining)} left"
    )


def results(job: Job) -> list[str]:
    """One line per finished evaluation of a job."""
    store = Store(job.resources.results)
    lines = []
    for spec in job.evaluations:
        record = store.evaluation(spec.id).record()
        if record is not None:
            refined = "" if spec.post_process == "none" else f", refined by {spec.post_process}"
            lines.append(f"{spec.boxes} boxes{refined}: {headline(record)}")
    return lines


def headline(record: Record) -> str:
    """The metrics of a record that say most, such as "AP 0.704, mean OKS 0.712"."""
    if record.scored_by == "server":
        return f"{record.instances} instances predicted; the server scores {record.spec.split}"
    return ", ".join(text.format(record.metrics[name]) for name, text in HEADLINES.items() if name in record.metrics)


class PlainView:
    """A line when a job starts, changes phase, finishes an epoch, and ends. Jobs side by side are told apart by id."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: dict[str, tuple[str, int] | None] = {}

    def wait(self, job: Job, holder: str) -> None:
        """A job waits, as somebody else works on it."""
        self._print(f"{job.title} ({job.id}): waits for {holder}, who works on it")

    def start(self, job: Job, number: int, total: int) -> None:
        """A job begins."""
        self._last[job.id] = None
        self._print(f"[{number}/{total}] {job.title} ({job.id})")

    def beat(self, job: Job, job_progress: JobProgress) -> None:
        """A job lives: worth a line once per phase and epoch."""
        now = (job_progress.phase, job_progress.epoch)
        if now != self._last[job.id]:
            self._last[job.id] = now
            self._print(f"    {self._label(job)}{describe(job_progress)}")

    def finish(self, job: Job, outcome: JobOutcome, reason: str) -> None:
        """A job ended."""
        label = self._label(job)
        self._last.pop(job.id, None)
        for line in results(job):
            self._print(f"    {label}{line}")
        self._print(f"    {label}{OUTCOME_WORDS[outcome]}" + (f": {reason}" if reason else ""))

    def _label(self, job: Job) -> str:
        return f"{job.id}: " if len(self._last) > 1 else ""

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class LiveView:
    """A bar over all jobs and one for each that runs. A context manager."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[words]}", markup=False),
            console=console,
        )
        self._plain = PlainView(console)
        self._all: TaskID | None = None
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> LiveView:
        self._progress.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._progress.stop()

    def wait(self, job: Job, holder: str) -> None:
        """A job waits, as somebody else works on it."""
        self._plain.wait(job, holder)

    def start(self, job: Job, number: int, total: int) -> None:
        """A job begins."""
        if self._all is None:
            self._all = self._progress.add_task("trainings", total=total, words="")
        self._bars[job.id] = self._progress.add_task(job.title, total=100, words="starting")

    def beat(self, job: Job, job_progress: JobProgress) -> None:
        """A job lives."""
        self._progress.update(
            self._bars[job.id], completed=round(100 * job_progress.fraction), words=describe(job_progress)
        )

    def finish(self, job: Job, outcome: JobOutcome, reason: str) -> None:
        """A job ended: its bar gives way to lines that stay."""
        self._progress.remove_task(self._bars.pop(job.id))
        if self._all is not None and outcome is not JobOutcome.BUSY:
            self._progress.advance(self._all)
        self._progress.console.print(f"{job.title} ({job.id})", markup=False, highlight=False)
        self._plain.finish(job, outcome, reason)
