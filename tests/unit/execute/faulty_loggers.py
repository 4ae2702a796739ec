"""Loggers with a fault each, named after it, and `sound`. A module of its own: their processes import it by name."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any

from bench.execute.logger import LoggedRun, logger

FAULTS = {
    "fails_at_start": "RuntimeError: at start",
    "fails_at_epoch": "RuntimeError: at epoch",
    "fails_at_evaluation": "RuntimeError: at evaluation",
    "fails_at_end": "RuntimeError: at end",
    "leaves": "SystemExit: 3",
    "dies": "its process ended by exit status 7",
    "goes_away": "its process ended by exit status 0",
    "is_killed": "its process ended by SIGKILL",
    "is_full": "OSError: [Errno 28] No space left on device",
    "is_wordy": "ValueError: one two",
    "hangs_at_start": "ended 1 s after the job, as it had not finished",
    "hangs_at_epoch": "ended 1 s after the job, as it had not finished",
    "hangs_at_end": "ended 1 s after the job, as it had not finished",
}
"""What the user is told of each, once."""


class FaultyRun:
    def __init__(self, run: LoggedRun, fault: str = "") -> None:
        run.folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._fault = run.folder, fault
        self._told: list[Any] = [vars(run) | {"folder": str(run.folder), "say": None}]
        # What a logger should not do, and a training must not notice.
        random.seed(0)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.environ["BENCH_STRAY"] = "1"
        print("printed by a logger")
        if fault == "is_talkative":
            run.say("offline,\nas ever")
            run.say("offline, as ever")
        self._at("start")

    def epoch(self, epoch: int, values: Mapping[str, float]) -> None:
        self._told.append([epoch, dict(values)])
        self._at("epoch")

    def evaluation(self, name: str, metrics: Mapping[str, float], settings: Mapping[str, Any]) -> None:
        self._told.append([name, dict(metrics), dict(settings)])
        self._at("evaluation")

    def end(self, outcome: str) -> None:
        self._told.append(outcome)
        (self._folder / f"{time.time_ns()}.json").write_text(json.dumps(self._told))
        self._at("end")

    def _at(self, moment: str) -> None:
        if self._fault == f"fails_at_{moment}":
            raise RuntimeError(f"at {moment}")
        if self._fault == f"hangs_at_{moment}":
            time.sleep(1000)
        if moment != "epoch":
            return
        if self._fault == "leaves":
            sys.exit(3)
        if self._fault == "dies":
            os._exit(7)
        if self._fault == "goes_away":
            os._exit(0)
        if self._fault == "is_killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if self._fault == "is_full":
            raise OSError(28, "No space left on device")
        if self._fault == "is_wordy":
            raise ValueError("one\ntwo")


def _add(fault: str) -> None:
    def start(run: LoggedRun) -> FaultyRun:
        return FaultyRun(run, fault)

    start.__module__ = __name__
    logger(fault or "sound")(start)


for _fault in ("", "is_talkative", *FAULTS):
    _add(_fault)


@logger("works_once")
def works_once(run: LoggedRun) -> FaultyRun:
    """Does not count on a training that goes on."""
    run.folder.mkdir(parents=True, exist_ok=True)
    (run.folder / run.id).mkdir()
    return FaultyRun(run)


@logger("not_installed", package="bench_needs_no_such_module", install="simdr-bench[such]")
def not_installed(run: LoggedRun) -> FaultyRun:
    return FaultyRun(run)
