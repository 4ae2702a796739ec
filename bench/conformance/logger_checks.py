"""Checks of loggers: what jobs tell them, in processes as jobs start them, which write into a temporary folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.checks import Check, CheckFailedError, CheckList, NotApplicableError, require
from bench.execute.logger import LOGGERS
from bench.extensions import place_of
from bench.pose.errors import BenchError
from bench.pose.machine import safe_children

SECONDS = 120.0
"""Time limit of a job's logger, with the import of its package."""

LOCAL = {"WANDB_MODE": "offline", "MLFLOW_TRACKING_URI": ""}
"""Environment variables that keep the built-in loggers from servers."""

HOSTILE = "a <b> | `c` {{ 7*7 }}\n$x$ \\d 'e' \"f\" é \N{PILE OF POO}"

ENDED = {"end": "done"}

CHECKS = CheckList()


def logger_checks(name: str) -> list[Check]:
    """All checks of a registered logger."""
    return CHECKS.of(_LoggerTrial(name))


@CHECKS.check(seconds=SECONDS)
def a_training(trial: _LoggerTrial) -> str:
    """It takes the epochs and evaluations of a training and ends in time."""
    trial.finish([trial.start(trial.about(), [*epochs(3), *evaluations(), ENDED])])
    return "3 epochs, 2 evaluations"


@CHECKS.check(seconds=SECONDS)
def a_dead_job(trial: _LoggerTrial) -> str:
    """Where a job dies without a word, it ends by itself."""
    trial.finish([trial.start(trial.about(), epochs(2))])
    return "ended"


@CHECKS.check(seconds=2 * SECONDS)
def resumption(trial: _LoggerTrial) -> str:
    """It takes a training that goes on, all of it again, with another provenance."""
    trial.finish([trial.start(trial.about(), [*epochs(3), {"end": "stopped"}])])
    trial.finish([trial.start(trial.about(commit="b" * 40), [*epochs(5), *evaluations(), ENDED])])
    return "3 epochs, then 5"


@CHECKS.check(seconds=2 * SECONDS)
def an_evaluation_alone(trial: _LoggerTrial) -> str:
    """It takes further evaluations of a finished training."""
    whole = [*epochs(2), *evaluations()]
    trial.finish([trial.start(trial.about(), [*whole[:3], ENDED])])
    trial.finish([trial.start(trial.about(), [*whole, ENDED])])
    return "1 evaluation, then 2"


@CHECKS.check(seconds=SECONDS)
def several_trainings(trial: _LoggerTrial) -> str:
    """It takes two trainings at once."""
    trial.finish([trial.start(trial.about(id), [*epochs(3), *evaluations(), ENDED]) for id in ("1" * 12, "2" * 12)])
    return "2 trainings"


@CHECKS.check(seconds=SECONDS)
def odd_values(trial: _LoggerTrial) -> str:
    """It takes any text and number in titles and settings, and a training without epochs."""
    about = trial.about()
    about["settings"] |= {"codec.odd": HOSTILE, "codec.none": None, "codec.long": "x" * 20_000, "huge": 1e308}
    about |= {"title": HOSTILE, "command": HOSTILE}
    trial.finish([trial.start(about, [*evaluations(), {"end": "failed"}])])
    return "taken"


def epochs(count: int) -> list[dict[str, Any]]:
    """Messages about this many epochs; the last one is not validated."""
    entries: list[dict[str, float]] = [{"loss": 1 / (epoch + 1), "learning_rate": 1e-3} for epoch in range(count)]
    return [
        {"epoch": epoch, "values": entry | ({"validation": 0.5} if epoch + 1 < count else {})}
        for epoch, entry in enumerate(entries)
    ]


def evaluations() -> list[dict[str, Any]]:
    """Messages about evaluations of each protocol."""
    metrics: dict[str, dict[str, float]] = {
        "val2017-gt-flip-12345678": {"AP": 0.5, "AP_E": 0.25, "PCK@0.2": 1.0},
        "valid-gt-87654321": {"Mean@0.1": 33.5, "Mean": 88.25},
    }
    return [
        {"evaluation": name, "metrics": values, "settings": {"boxes": "gt", "subset": None, "flip_test": True}}
        for name, values in metrics.items()
    ]


@dataclass
class _LoggerTrial:
    """A logger and its folder, which is removed with this object."""

    name: str
    folder: Path = field(init=False)

    def __post_init__(self) -> None:
        temporary = tempfile.TemporaryDirectory(prefix="conform-", ignore_cleanup_errors=True)
        weakref.finalize(self, temporary.cleanup)
        self.folder = Path(temporary.name)

    def about(self, id: str = "0123456789ab", commit: str = "a" * 40) -> dict[str, Any]:
        """Fields of a `LoggedRun`."""
        return {
            "id": id,
            "title": "resnet50 simdr 256x192 seed 0",
            "settings": {f"setting_{number}": number / 2 for number in range(120)},
            "command": "python -m bench run coco_val",
            "provenance": {"commit": commit, "versions.torch": "2.13.0+cpu"},
            "folder": str(self.folder / self.name),
        }

    def start(self, about: Mapping[str, Any], messages: Iterable[Mapping[str, Any]]) -> subprocess.Popen[bytes]:
        """A process of the logger that is told this."""
        try:
            LOGGERS[self.name].require(self.name)
        except BenchError as error:
            raise NotApplicableError(str(error)) from None
        module = LOGGERS.origin(self.name)
        folder = "" if module is None else str(place_of(module.partition(".")[0]).parent)
        extension = None if module is None else {"module": module, "folder": folder}
        lines = [json.dumps(message) + "\n" for message in ({"start": about, "extension": extension}, *messages)]
        told = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115  # the process reads it
        told.write("".join(lines).encode())
        told.seek(0)
        with safe_children():
            command = [sys.executable, "-m", "bench.execute.logger_process", self.name]
            environment = {**os.environ, **LOCAL, "WANDB_DIR": str(self.folder)}
            return subprocess.Popen(
                command, stdin=told, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
            )

    def finish(self, processes: Iterable[subprocess.Popen[bytes]]) -> None:
        """Wait for processes; raises `CheckFailedError` for a fault and for one that does not end."""
        for process in processes:
            try:
                answers, printed = process.communicate(timeout=SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                raise CheckFailedError(f"it has not ended after {SECONDS:.0f} s") from None
            said = [json.loads(line) for line in answers.splitlines()]
            faults = [answer["fault"] for answer in said if "fault" in answer]
            places = re.findall(r'File "(.+)", line (\d+)', printed.decode(errors="replace"))
            place = f" ({places[-1][0]}:{places[-1][1]})" if places else ""
            require(not faults, f"{''.join(faults)}{place}")
            done = process.returncode == 0 and {"done": ""} in said
            require(done, f"its process ended before it, by status {process.returncode}{place}")
