"""Filling a folder with files by several processes, which end with their parent."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from threading import Thread
from typing import TypeVar

import cv2

from bench.pose.errors import DataError
from bench.pose.machine import safe_children

__all__ = ["filling", "spread"]

T = TypeVar("T")
R = TypeVar("R")


@contextlib.contextmanager
def filling(folder: Path) -> Iterator[None]:
    """Turn what keeps a folder from being filled into a `DataError` that names it."""
    try:
        yield
    except BrokenProcessPool:
        raise DataError(
            f"{folder}: a process that wrote into it was killed (often: out of memory); run it again"
        ) from None
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror or error}") from error


def spread(task: Callable[[T], R], items: Sequence[T], workers: int, *, chunk: int = 1) -> Iterator[R]:
    """Results of a task for each item, in order, computed by several processes, or by this one if `workers` is 1.

    Raises:
        BrokenProcessPool: a process was killed.
    """
    workers = min(workers, len(items))
    if workers <= 1:
        yield from map(task, items)
        return
    context = multiprocessing.get_context("spawn")
    with safe_children(), ProcessPoolExecutor(workers, context, initializer=_start_worker) as pool:
        yield from pool.map(task, items, chunksize=chunk)


def _start_worker() -> None:
    """One OpenCV thread, as the processes already keep every processor busy, and no work once the parent is killed."""
    cv2.setNumThreads(1)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "runs in a worker"
    parent.join()
    os._exit(1)
