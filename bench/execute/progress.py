"""Progress of running jobs: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from bench.execute.job import Job, JobOutcome
from bench.pose.metrics.catalog import NOBODY
from bench.store.documents import JobProgress, Record
from bench.store.folders import Store

OUTCOME_WORDS = {
    JobOutcome.DONE: "done",
    JobOutcome.FAILED: "FAILED",
    JobOutcome.STOPPED: "stopped, state saved",
    JobOutcome.BUSY: "skipped, another process works on it",
    JobOutcome.CANCELLED: "cancelled, state saved",
    JobOutcome.LOST: "stopped with another process of the same training",
}

HEADLINES = {
    "AP": ("AP", ".3f"), "mean_oks": ("mean OKS", ".3f"), "Mean": ("PCKh@0.5", ".1f"), "Mean@0.1": ("PCKh@0.1", ".1f"),
}  # fmt: skip
"""Metrics to show of a finished evaluation, with their names and formats."""

MOST_PROBLEMS = 5
"""Lines on what a training or evaluation left out; `bench show` has all."""


def duration(seconds: float | None) -> str:
    """Format seconds, for example as "1h 02m"."""
    if seconds is None:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h {minutes:02d}m"
    return f"{minutes}m {rest:02d}s" if minutes else f"{rest}s"


def describe(progress: JobProgress) -> str:
    """Describe a heartbeat in words."""
    if progress.phase == "evaluating":
        return f"evaluating {progress.fraction:4.0%}"
    loss = "" if progress.loss is None else f"  loss {progress.loss:.4g}"
    return (
        f"epoch {progress.epoch}/{progress.epochs}{loss}  {progress.rate:.0f} instances/s"
        f"  {duration(progress.remaining)} left"
    )


def results(job: Job) -> list[str]:
    """One line per finished evaluation of a job, and what training and evaluations had to leave out."""
    store = Store(job.resources.results)
    trained = store.training(job.id).record()
    lines = [] if trained is None else _problems("training", trained.problems)
    for spec in job.evaluations:
        record = store.evaluation(spec.id).record()
        if record is not None:
            refined = "" if spec.post_process == "none" else f", refined by {spec.post_process}"
            lines.append(f"{spec.boxes} boxes{refined}: {headline(record)}")
            lines += _problems("evaluation", record.problems)
    return lines


def _problems(kind: str, problems: Sequence[str]) -> list[str]:
    more = [f"{len(problems) - MOST_PROBLEMS} more: see `bench show`"] if len(problems) > MOST_PROBLEMS else []
    return [f"{kind}: {problem}" for problem in [*problems[:MOST_PROBLEMS], *more]]


def headline(record: Record) -> str:
    """The main metrics of a record, for example "AP 0.704, mean OKS 0.712"."""
    if record.scored_by == "server":
        return f"{record.instances} instances predicted; the server scores {record.spec.split}"
    values = {
        title: (record.metrics[name], form) for name, (title, form) in HEADLINES.items() if name in record.metrics
    }
    return ", ".join(
        f"{title} {NOBODY if value is None else format(value, form)}" for title, (value, form) in values.items()
    )


class PlainView:
    """Prints a line when a job starts, changes phase, finishes an epoch, and ends; with its id if several jobs run."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: dict[str, tuple[str, int] | None] = {}

    def wait(self, job: Job, holder: str) -> None:
        """A job waits because another process is running it."""
        self._print(f"{job.title} ({job.id}): waits for {holder}, which is running it")

    def start(self, job: Job, number: int, total: int) -> None:
        """A job starts."""
        self._last[job.id] = None
        self._print(f"[{number}/{total}] {job.title} ({job.id})")

    def beat(self, job: Job, progress: JobProgress) -> None:
        """A job sent a heartbeat; it is printed once per phase and epoch."""
        now = (progress.phase, progress.epoch)
        if now != self._last[job.id]:
            self._last[job.id] = now
            self._print(f"    {self._label(job)}{describe(progress)}")

    def warn(self, job: Job, message: str) -> None:
        """A logger of a job has something to say."""
        self._print(f"    {self._label(job) or f'{job.id}: '}{message}")

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


class LiveView(PlainView):
    """Context manager that shows a bar for all jobs and one for each running job."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[words]}", markup=False),
            console=console,
        )
        self._all: TaskID | None = None
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> LiveView:
        self._progress.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._progress.stop()

    def start(self, job: Job, number: int, total: int) -> None:
        """A job starts."""
        if self._all is None:
            self._all = self._progress.add_task("trainings", total=total, words="")
        self._bars[job.id] = self._progress.add_task(job.title, total=100, words="starting")

    def beat(self, job: Job, progress: JobProgress) -> None:
        """A job sent a heartbeat."""
        self._progress.update(self._bars[job.id], completed=round(100 * progress.fraction), words=describe(progress))

    def finish(self, job: Job, outcome: JobOutcome, reason: str) -> None:
        """A job ended; permanent lines replace its bar."""
        self._progress.remove_task(self._bars.pop(job.id))
        if self._all is not None and outcome is not JobOutcome.BUSY:
            self._progress.advance(self._all)
        self._print(f"{job.title} ({job.id})")
        super().finish(job, outcome, reason)
