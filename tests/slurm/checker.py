"""Holds every status against what the machine says at the same time, in a thread of its own.

Things change while one looks, so each poll is framed by two looks at the machine: what both looks agree on must be what
the status says.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from tests.slurm.desk import Desk

POLL_SECONDS = 0.5
ALIVE = {"PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "REQUEUED", "SUSPENDED"}


@dataclass(frozen=True)
class Look:
    """What the machine says of one training.

    Attributes:
        recorded: its record is there.
        failed: word of its failure is there.
        breathing: the process of its last heartbeat is alive and has its folder's lease open.
        job: state of its SLURM job; None if SLURM does not answer or does not know.
    """

    recorded: bool
    failed: bool
    breathing: bool
    job: str | None


class Checker:
    """A context manager; leaving it raises what was found wrong."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._records: dict[str, int] = {}
        self.polls = 0
        self.seen: set[str] = set()
        self.wrong: list[str] = []

    def __enter__(self) -> Checker:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()
        assert not self.wrong, "\n".join(self.wrong)
        assert self.polls > 0

    def _watch(self) -> None:
        while not self._over.wait(POLL_SECONDS):
            if not any(self._desk.results.glob("submissions/*/submission.json")):
                continue  # until then the trainings are missing, for longer on a busy machine
            try:
                self._poll()
            except Exception:
                self.wrong.append(traceback.format_exc())

    def _poll(self) -> None:
        before = self._look()
        document = json.loads(json.dumps(self._desk.plan().as_json()))
        after = self._look()
        self.polls += 1
        for training in document["trainings"]:
            id_, state = training["id"], training["state"]
            self.seen.add(state)
            for problem in _contradictions(state, before[id_], after[id_]):
                self.wrong.append(
                    f"{time.time():.1f} {id_} is said to be {state}: {problem}: {before[id_]} {after[id_]}"
                )
            self._check_record(id_)

    def _check_record(self, id_: str) -> None:
        """A record is written once."""
        file = self._desk.store.training(id_).record_file
        if file.exists():
            inode = file.stat().st_ino
            if self._records.setdefault(id_, inode) != inode:
                self.wrong.append(f"{id_} was trained twice")

    def _look(self) -> dict[str, Look]:
        jobs = _jobs_by_training(self._desk.results)
        return {
            folder.path.name: Look(
                recorded=folder.record_file.exists(),
                failed=folder.failure_file.exists(),
                breathing=_breathing(folder.path),
                job=jobs.get(folder.path.name),
            )
            for folder in self._desk.folders()
        }


def _contradictions(state: str, before: Look, after: Look) -> list[str]:
    found = []
    if before.recorded and state != "done":
        found.append("it has a record")
    if state == "done" and not after.recorded:
        found.append("it has no record")
    if not after.recorded and before.breathing and after.breathing and state != "running":
        found.append("its process is alive")
    if {before.job, after.job} <= ALIVE and not (after.recorded or after.failed):
        if state not in {"running", "queued"}:
            found.append("its job is alive")
        if before.job == after.job == "PENDING" and not before.breathing and state != "queued":
            found.append("its job waits")
    if state == "failed" and not (before.failed or after.failed) and after.job in ALIVE:
        found.append("nothing says that it failed")
    if state == "queued" and not ({before.job, after.job} & (ALIVE | {None})):
        found.append("it is not in the queue")
    return found


def _breathing(folder: Path) -> bool:
    """Whether the process of the last heartbeat has the training's log open, as only its job processes have."""
    try:
        pid = json.loads((folder / "progress.json").read_text())["pid"]
        return os.readlink(f"/proc/{pid}/fd/1") == str(folder / "log.txt")
    except (OSError, ValueError):
        return False


def _jobs_by_training(results: Path) -> dict[str, str]:
    """State of each training's latest SLURM job, from squeue and the submissions' files read plainly."""
    lines = subprocess.run(
        ["squeue", "-h", "-r", "-t", "all", "-o", "%j|%K|%T"], capture_output=True, text=True, timeout=60, check=False
    ).stdout.splitlines()
    states = {}
    for name, index, state in (line.split("|") for line in lines):
        states[name, int(index) if index.isdigit() else 0] = state
    found = {}
    files = [json.loads(file.read_text()) for file in results.glob("submissions/*/submission.json")]
    for submission in sorted(files, key=lambda submission: submission["at"]):
        for array in submission["arrays"]:
            for index, trainings in enumerate(array["tasks"]):
                state = states.get((array["name"], index))
                found |= dict.fromkeys(trainings, state) if state else {}
    return found
