"""A running job's signs of life, and the ways to ask it to stop."""

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

__all__ = ["Heartbeat", "StoppedError", "show_evaluation"]

SECONDS_BETWEEN_BEATS = 0.5


class StoppedError(Exception):
    """The job was asked to stop and has saved its state."""


class Heartbeat:
    """Writes heartbeats under a lease and listens for a wish to stop.

    The wish is SIGINT, SIGTERM, the end of the parent process, or a cancelled training.
    """

    def __init__(self, folder: TrainingFolder) -> None:
        self._folder = folder
        self._last = 0.0
        self._stop = threading.Event()
        self._lease: Lease | None = None

    def listen(self) -> None:
        """Turn signals and the end of the parent process into a wish to stop. Only for a process of the job's own."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        # SLURM sends it, before a time limit, to every process of a job; the one that watches this process answers it.
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        parent = multiprocessing.parent_process()
        if parent is not None:
            threading.Thread(target=self._outlive, args=(parent.sentinel,), daemon=True).start()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stop.set()

    def _outlive(self, sentinel: int) -> None:
        connection.wait([sentinel])
        self._stop.set()

    def guard(self, lease: Lease) -> None:
        """Work under a lease from now on."""
        self._lease = lease

    def ensure_lease(self) -> None:
        """See `Lease.ensure`: to be called before anything is written that stays."""
        if self._lease is not None:
            self._lease.ensure()

    @property
    def stopping(self) -> bool:
        """Whether the job is to stop as soon as its state is saved."""
        return self._stop.is_set()

    def beat(self, phase: Literal["training", "evaluating"], **fields: Any) -> None:
        """Leave a heartbeat, unless the last one is fresh or there is no lease. `fields` are those of `JobProgress`.

        Raises:
            LeaseLostError: the work was taken over.
            StoreError: the training's folder was removed.
        """
        if self._lease is None:  # a process that works with the one that holds it
            return
        now = time.monotonic()
        if now - self._last < SECONDS_BETWEEN_BEATS:
            return
        self._last = now
        self.ensure_lease()
        if self._folder.cancelled:
            self._stop.set()
        job_progress = JobProgress(phase=phase, pid=os.getpid(), host=socket.gethostname(), at=time.time(), **fields)
        with contextlib.suppress(StoreError):  # what is lost is a display; where nothing can be saved, saving says so
            write_json(self._folder.progress_file, job_progress.model_dump(), durable=False)

    def end(self) -> None:
        """Remove the heartbeat: nobody works on the training any more."""
        with contextlib.suppress(OSError):
            self._folder.progress_file.unlink()


def show_evaluation(heartbeat: Heartbeat, done: int, total: int) -> None:
    """Leave a heartbeat of an evaluation, or raise `StoppedError` if the job is to stop."""
    if heartbeat.stopping:
        raise StoppedError
    heartbeat.beat("evaluating", fraction=done / total)
