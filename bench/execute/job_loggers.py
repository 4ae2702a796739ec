"""The loggers of a running job, as the job sees them: told everything, waited for at the end, no reason to fail.

Imports no torch.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import bench.execute.loggers  # noqa: F401  # registers the built-in ones
from bench.execute.job import Job
from bench.execute.logger import LOGGERS, Outcome, Scalar
from bench.files import StoreError, write_json
from bench.pose.machine import safe_children
from bench.store.documents import LoggerWarnings
from bench.store.folders import EvaluationFolder, TrainingFolder
from bench.store.provenance import collect
from bench.suite.specs import EvalSpec

CURVES = ("loss", "learning_rate", "validation")
"""Fields of an epoch that are logged, if present."""

ABANDONED = "; the training goes on without it"

PATIENCE, SHORT_PATIENCE = 60.0, 10.0
"""Seconds to wait for loggers at the end of a job, and of one that must stop."""

POLL_SECONDS = 0.05

MOST_WARNINGS = 50


class LoggerProcess:
    """A logger's process. Telling it something never waits; what it does not take yet is kept."""

    def __init__(self, name: str, start: Mapping[str, Any], extension: Mapping[str, Any] | None) -> None:
        """Start the process with these fields of a `LoggedRun` and the module of an extension that adds the logger.

        Raises:
            OSError: it cannot be started.
        """
        self.name = name
        self._left = b""
        self._answers = b""
        self._over = False
        command = [sys.executable, "-m", "bench.execute.logger_process", name]
        with safe_children():
            # Not in the terminal's group of processes, which Ctrl-C would end.
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin.fileno(), self._process.stdout.fileno()
        for descriptor in (self._input, self._output):
            os.set_blocking(descriptor, False)
        self.tell({"start": dict(start), "extension": extension})

    def tell(self, message: Mapping[str, Any]) -> None:
        """Send a message, see `serve`."""
        # Names of files may hold bytes that are no text.
        self._left += json.dumps(message, ensure_ascii=False).encode("utf-8", "replace") + b"\n"

    def pump(self) -> tuple[list[str], bool]:
        """Send what can be sent. Returns what the logger says, its fault included, and whether it has ended."""
        if self._left:
            with contextlib.suppress(BlockingIOError, BrokenPipeError):  # the latter shows below
                self._left = self._left[os.write(self._input, self._left) :]
        ended = False
        with contextlib.suppress(BlockingIOError):
            while not ended:
                answer = os.read(self._output, 65536)
                self._answers, ended = self._answers + answer, not answer
        *lines, self._answers = self._answers.split(b"\n")
        answers = [json.loads(line) for line in lines]
        said = [answer["say"] for answer in answers if "say" in answer]
        said += [answer["fault"] + ABANDONED for answer in answers if "fault" in answer]
        self._over |= any("fault" in answer or "done" in answer for answer in answers)
        if ended and not self._over:
            said.append(self._last_words())
        return said, ended

    def _last_words(self) -> str:
        status = self._process.wait(SHORT_PATIENCE)
        ended = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        return f"its process ended by {ended}{ABANDONED}"

    def kill(self) -> None:
        """End the process and those that it started."""
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        with contextlib.suppress(subprocess.TimeoutExpired):  # it may wait for a file server
            self._process.wait(1)


class JobLoggers:
    """All loggers of a job. Nothing here raises an error, and nothing but `end` waits."""

    def __init__(self, job: Job, folder: TrainingFolder, *, active: bool = True) -> None:
        """Prepare the loggers of a job in a folder; none are started if it is not `active`, as in all ranks but 0."""
        self._job = job
        self._folder = folder
        self._processes: list[LoggerProcess] = []
        self._started = not (active and job.resources.loggers)
        self._epochs = 0
        self._warnings: list[str] = []

    def follow(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Log the epochs of a training's history so far that are not logged yet. It may be called after every step."""
        if not self._started:
            self._start()
        for entry in history[self._epochs :]:
            self._tell({"epoch": entry["epoch"], "values": _present(entry, CURVES)})
        self._epochs = max(self._epochs, len(history))
        self._each(lambda _process: None)

    def trained(self) -> None:
        """Log the curves of the finished training: an earlier job may have made it."""
        if not self._started or self._processes:
            with contextlib.suppress(StoreError):
                record = self._folder.record()
                self.follow([] if record is None else [entry.model_dump() for entry in record.history])

    def evaluated(self, folder: EvaluationFolder) -> None:
        """Log the metrics of a finished evaluation, if it has any."""
        record = None
        if self._processes:
            with contextlib.suppress(StoreError):
                record = folder.record()
        if record is not None and (metrics := _present(record.metrics, record.metrics)):
            settings = flat(record.spec.model_dump(mode="json"))
            self._tell({"evaluation": evaluation_name(record.spec), "metrics": metrics, "settings": settings})

    def end(self, outcome: Outcome, hurried: Callable[[], bool] = lambda: False) -> None:
        """Tell how the job ended, and wait for the loggers, but not for long.

        Args:
            outcome: of the job.
            hurried: whether this process was asked to stop, which may happen meanwhile.
        """
        self._tell({"end": outcome})
        started = time.monotonic()
        while self._processes:
            patience = PATIENCE if outcome == "done" and not hurried() else SHORT_PATIENCE
            if time.monotonic() - started > patience:
                for process in self._processes:
                    self._warn(process.name, f"ended {patience:.0f} s after the job, as it had not finished")
                    process.kill()
                return
            time.sleep(POLL_SECONDS)
            self._each(lambda _process: None)

    def _start(self) -> None:
        self._started = True
        for name, folder in self._job.resources.loggers.items():
            try:
                self._processes.append(start_process(name, self._job, folder))
            except Exception as error:
                self._warn(name, f"{type(error).__name__}: {error}{ABANDONED}")

    def _tell(self, message: Mapping[str, Any]) -> None:
        self._each(lambda process: process.tell(message))

    def _each(self, do: Callable[[LoggerProcess], None]) -> None:
        """Do something with each logger and hear what it says; one that is in trouble is given up."""
        for process in list(self._processes):
            try:
                do(process)
                said, ended = process.pump()
            except Exception as error:
                said, ended = [f"{type(error).__name__}: {error}{ABANDONED}"], True
            for text in said:
                self._warn(process.name, text)
            if ended:
                process.kill()
                self._processes.remove(process)

    def _warn(self, name: str, text: str) -> None:
        """Write a line into the log once, and where the process that shows the job's progress looks for it."""
        line = f"logger {name}: {text}"
        if line in self._warnings or len(self._warnings) == MOST_WARNINGS:
            return
        self._warnings.append(line)
        document = LoggerWarnings(pid=os.getpid(), messages=self._warnings)
        with contextlib.suppress(OSError, StoreError):
            print(line, file=sys.stderr, flush=True)
            write_json(self._folder.logger_warnings_file, document.model_dump(), durable=False)


def start_process(name: str, job: Job, folder: Path) -> LoggerProcess:
    """Start a logger for a job. Raises any error."""
    spec, resources = job.training, job.resources
    made_by = collect(
        device=resources.device,
        threads=resources.threads,
        workers=resources.workers,
        files={},
        seed=spec.seed,
        command=job.command,
    )
    known = flat(made_by.model_dump(mode="json", exclude={"files", "seed", "command", "started"}, exclude_none=True))
    module = LOGGERS.origin(name)
    extension = None if module is None else {"module": module, "folder": str(job.extensions.folder or "")}
    start = {
        "id": job.id,
        "title": job.title,
        "settings": flat(spec.model_dump(mode="json")),
        "command": job.command,
        "provenance": {key: str(value) for key, value in known.items()},
        "folder": str(folder),
    }
    return LoggerProcess(name, start, extension)


def _present(values: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: values[name] for name in names if values.get(name) is not None}


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Scalar]:
    """Nested values with the names of their parts joined by dots, and lists as JSON."""
    found: dict[str, Scalar] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = json.dumps(value) if isinstance(value, list) else value
    return found


def evaluation_name(spec: EvalSpec) -> str:
    """A name for an evaluation that tells it from others of the same training, such as "val2017-gt-flip-1a2b3c4d"."""
    refined = "" if spec.post_process == "none" else spec.post_process
    parts = [spec.split, spec.boxes, "flip" if spec.flip_test else "", refined, spec.id[:8]]
    return "-".join(re.sub(r"\W", "_", part, flags=re.ASCII) for part in parts if part)
