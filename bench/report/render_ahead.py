"""Files of figures that processes beside this one make, while it goes on with the report."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import BoundedSemaphore
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.pose.machine import forks_safely, usable_cores
from bench.report.figure_options import FigureKind

Render = Callable[[FigureKind], bytes]
"""Makes a file of a figure."""


class FilesAhead:
    """The files of one figure that a process makes."""

    def __init__(self, process: BaseProcess, folder: Path) -> None:
        self._process = process
        self._folder = folder

    def take(self, kind: FigureKind) -> bytes | None:
        """Contents of a file once the process is over; None if it has not made it, for whatever reason."""
        self._process.join()
        with contextlib.suppress(OSError):
            return (self._folder / kind).read_bytes()
        return None


class RenderAhead:
    """Begins to make files of figures before they are asked for. A context manager; leaving it ends what still runs.

    Forked processes have the figures already: nothing is imported or sent again. Where forking is not
    safe, and where there is one core and nothing to win, every file is left to whoever asks for it.
    """

    def __init__(self, kinds: Sequence[FigureKind]) -> None:
        """`kinds` of files will be made of each figure."""
        self._kinds = kinds
        self._begun: list[BaseProcess] = []

    def __enter__(self) -> RenderAhead:
        self._folder = TemporaryDirectory(prefix="bench-report-")
        cores = usable_cores() if forks_safely() else 1
        self._context = multiprocessing.get_context("fork") if cores > 1 and self._kinds else None
        self._room = None if self._context is None else self._context.BoundedSemaphore(cores)
        return self

    def __exit__(self, *_error: object) -> None:
        for process in self._begun:
            process.kill()
            process.join()
        self._folder.cleanup()

    def begin(self, name: str, render: Render) -> FilesAhead | None:
        """Begin with the files of a figure; None where that is not possible.

        Args:
            name: of the figure, which is not begun yet.
            render: makes them.
        """
        if self._context is None:
            return None
        folder = Path(self._folder.name) / name
        process = self._context.Process(target=_make, args=(render, self._kinds, folder, self._room), daemon=True)
        try:
            folder.mkdir()
            process.start()
        except OSError:  # such as no memory
            return None
        self._begun.append(process)
        return FilesAhead(process, folder)


def _make(render: Render, kinds: Sequence[FigureKind], folder: Path, room: BoundedSemaphore) -> None:
    """Main function of a process. It tells of no error: who asks for a file that is missing makes it, and meets it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with room, contextlib.suppress(Exception):
        for kind in kinds:
            partial = folder / f"{kind}.partial"
            partial.write_bytes(render(kind))
            partial.replace(folder / kind)
