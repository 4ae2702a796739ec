"""Files of figures that processes beside this one make, while it goes on with the report."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from multiprocessing.process import BaseProcess
from typing import IO

from bench.pose.machine import forks_safely, usable_cores
from bench.report.figure_options import FigureKind

Render = Callable[[FigureKind], bytes]
"""Makes a file of a figure."""

Files = Mapping[FigureKind, IO[bytes]]
"""Files without a name, so that none stays behind whatever ends the processes."""


class FilesAhead:
    """The files of one figure that a process makes."""

    def __init__(self, process: BaseProcess, files: Files) -> None:
        self._process, self._files = process, files

    def take(self, kind: FigureKind) -> bytes | None:
        """Contents of a file once the process is over; None if it has not made all of them, for whatever reason."""
        self._process.join()
        if self._process.exitcode != 0 or kind not in self._files:
            return None
        self._files[kind].seek(0)
        return self._files[kind].read()


class RenderAhead:
    """Begins to make files of figures before they are asked for. A context manager; leaving it ends what still runs.

    Forked processes have the figures already: nothing is imported or sent again. Where forking is not safe, and where
    there is one core and nothing to win, every file is left to whoever asks for it.
    """

    def __init__(self, kinds: Sequence[FigureKind]) -> None:
        """`kinds` of files will be made of each figure."""
        self._kinds = kinds
        self._begun: list[BaseProcess] = []
        self._places: list[IO[bytes]] = []
        self._open = ExitStack()

    def __enter__(self) -> RenderAhead:
        cores = usable_cores() if forks_safely() and self._kinds else 1
        try:
            self._places = [self._file() for _ in range(cores)] if cores > 1 else []
        except OSError:  # nowhere to put files
            self._places = []
        return self

    def _file(self) -> IO[bytes]:
        return self._open.enter_context(tempfile.TemporaryFile())

    def __exit__(self, *_error: object) -> None:
        for process in self._begun:
            process.kill()
            process.join()
        self._open.close()

    def begin(self, render: Render) -> FilesAhead | None:
        """Begin with the files of a figure, which `render` makes; None where that is not possible."""
        if not self._places:
            return None
        place = self._places[len(self._begun) % len(self._places)]
        try:
            files = {kind: self._file() for kind in self._kinds}
            arguments = (render, files, place, os.getpid())
            process = multiprocessing.get_context("fork").Process(target=_make, args=arguments, daemon=True)
            process.start()
        except OSError:  # such as no memory
            return None
        self._begun.append(process)
        return FilesAhead(process, files)


def _make(render: Render, files: Files, place: IO[bytes], parent: int) -> None:
    """Main function of a process. It tells of no error: who asks for a file that is missing makes it, and meets it.

    Processes of one place work one after the other: the system lifts a lock with the process, however it ends.
    """
    import fcntl

    signal.signal(signal.SIGINT, signal.SIG_DFL)
    fcntl.lockf(place, fcntl.LOCK_EX)
    for kind, file in files.items():
        if os.getppid() != parent:
            os._exit(1)  # nobody will ask
        try:
            file.write(render(kind))
            file.flush()
        except Exception:
            os._exit(1)
