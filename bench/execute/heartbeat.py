"""Heartbeats of a running job, and requests to stop it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import threading
import time
from multiprocessing import connection
from types import FrameType
from typing import Any, Literal

from bench.files import StoreError, write_json
from bench.store.documents import JobProgress
from bench.store.folders import TrainingFolder
from bench.store.leases import Lease

SECONDS_BETWEEN_BEATS = 0.5


class StoppedError(Exception):
    """The job was asked to stop, and its state is saved."""


class Heartbeat:
    """Writes heartbeats under a lease, and listens for requests to stop.

    A request is SIGINT, SIGTERM, the end of the parent process, or the cancellation of the training.
    """

    def __init__(self, folder: TrainingFolder) -> None:
        self._folder = folder
        self._last = 0.0
        self._stop = threading.Event()
        self._lease: Lease | None = None

    def listen(self) -> None:
        """Treat signals and the end of the parent process as requests to stop. Only for a process of the job's own."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        # SLURM sends it to every process of a job before a time limit; the parent process handles it.
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        parent = multiprocessing.parent_process()
        if parent is not None:
            threading.Thread(target=self._watch_parent, args=(parent.sentinel,), daemon=True).start()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stop.set()

    def _watch_parent(self, sentinel: int) -> None:
        connection.wait([sentinel])
        self._stop.set()

    def guard(self, lease: Lease) -> None:
        """Write heartbeats under a lease from now on."""
        self._lease = lease

    def ensure_lease(self) -> None:
        """Raise `LeaseLostError` if the lease was lost; to be called before any permanent write. See `Lease.ensure`."""
        if self._lease is not None:
            self._lease.ensure()

    @property
    def stopping(self) -> bool:
        """Whether the job was asked to stop. It must save its state first."""
        return self._stop.is_set()

    def beat(self, phase: Literal["training", "evaluating"], **fields: Any) -> None:
        """Write a heartbeat, unless the last one is fresh or there is no lease. `fields` are those of `JobProgress`.

        Raises:
            LeaseLostError: the work was taken over.
            StoreError: the training's folder was removed.
        """
        if self._lease is None:  # not rank 0
            return
        now = time.monotonic()
        if now - self._last < SECONDS_BETWEEN_BEATS:
            return
        self._last = now
        self.ensure_lease()
        if self._folder.cancelled:
            self._stop.set()
        progress = JobProgress(phase=phase, pid=os.getpid(), host=socket.gethostname(), at=time.time(), **fields)
        with contextlib.suppress(StoreError):  # only a display is lost; if the disk is full, saving reports it
            write_json(self._folder.progress_file, progress.model_dump(), durable=False)

    def end(self) -> None:
        """Remove the heartbeat: the job is over."""
        with contextlib.suppress(OSError):
            self._folder.progress_file.unlink()


def show_evaluation(heartbeat: Heartbeat, done: int, total: int) -> None:
    """Write a heartbeat of an evaluation; raises `StoppedError` if the job was asked to stop."""
    if heartbeat.stopping:
        raise StoppedError
    heartbeat.beat("evaluating", fraction=done / total)
