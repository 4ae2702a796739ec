"""`python -m bench.execute.logger_process NAME`: a logger in a process of its own, told what to log on standard input.

So a logger may hang, crash, draw random numbers, or change signal handlers, and the training goes on with the same
bits. Each line of the input is a JSON object, see `serve`. Each line that goes back on standard output is one too:
`{"say": TEXT}` for the terminal, and the last one `{"done": ""}` or `{"fault": TEXT}`.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from textwrap import shorten
from typing import Any

import bench.execute.loggers  # noqa: F401  # registers the built-in ones
from bench.execute.logger import LOGGERS, LoggedRun, Logger

LAST_SECONDS = 60.0
"""Seconds that a logger has to end after the last line."""

LONGEST = 300
"""Characters of what is said on the terminal; the training's log has all."""

IGNORED = ("SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2")
"""Signals to the job, which SLURM sends to all processes of it: the logger ends when the job has told it all."""

Message = Mapping[str, Any]


def serve(name: str, messages: Iterable[Message], say: Callable[[str], None]) -> None:
    """Make a logger and tell it what comes: one message that starts it, then others.

    - `{"start": fields of LoggedRun, "extension": {"module": NAME, "folder": PATH or ""} or null}`
    - `{"epoch": N, "values": {...}}`
    - `{"evaluation": NAME, "metrics": {...}, "settings": {...}}`
    - `{"end": OUTCOME}`; where the messages end without it, the outcome is "killed"
    """
    one: Logger | None = None
    for message in messages:
        if "start" in message:
            one = _start(name, message, say)
            continue
        assert one is not None, "the first message starts the logger"
        if "epoch" in message:
            one.epoch(message["epoch"], message["values"])
        elif "evaluation" in message:
            one.evaluation(message["evaluation"], message["metrics"], message["settings"])
        else:
            one.end(message["end"])
            return
    if one is not None:
        one.end("killed")


def _start(name: str, message: Message, say: Callable[[str], None]) -> Logger:
    if message["extension"] is not None:
        from bench.extensions import Extensions

        folder = message["extension"]["folder"]
        Extensions(folder=Path(folder) if folder else None).load_module(message["extension"]["module"])
    fields = {**message["start"], "folder": Path(message["start"]["folder"])}
    return LOGGERS.named(name).start(LoggedRun(**fields, say=say))


def main() -> None:
    """Serve the logger that the command line names; what it prints goes to standard error."""
    for signal_name in IGNORED:
        signal.signal(getattr(signal, signal_name), signal.SIG_IGN)
    back = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    name, lines = sys.argv[1], queue.SimpleQueue[bytes]()

    def tell(kind: str, text: str) -> None:
        os.write(back, json.dumps({kind: shorten(text, LONGEST, placeholder=" ...")}).encode() + b"\n")

    threading.Thread(target=_read, args=(lines,), daemon=True).start()
    try:
        serve(name, map(json.loads, iter(lines.get, b"")), lambda text: tell("say", text))
        tell("done", "")
    except BaseException as error:
        traceback.print_exc()
        tell("fault", f"{type(error).__name__}: {error}")
        sys.stderr.flush()
        os._exit(1)  # its threads may wait for what will never come


def _read(lines: queue.SimpleQueue[bytes]) -> None:
    """Take lines while the logger is at work; end this process if it is not done some time after the last."""
    rest = b""
    while chunk := os.read(sys.stdin.fileno(), 65536):  # a buffered stream would be locked when Python ends
        *complete, rest = (rest + chunk).split(b"\n")
        for line in complete:
            lines.put(line)
    lines.put(b"")
    time.sleep(LAST_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()
