"""Loaded by every Python that is started with this folder on PYTHONPATH: lets a fault strike at a chosen moment.

FAULT is a shell command, run when a process opens a file with FAULT_AT in its path for the FAULT_TIMES-th time. While
the file FAULT_CLOCK exists, the clock is an hour behind.
"""

import os
import sys
import time

HOUR = 3600


def _strike_at(part: str, times: int, command: str) -> None:
    left = times

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event == "open" and part in str(arguments[0]):
            left -= 1
            if left == 0:
                os.system(command)

    sys.addaudithook(hook)


def _set_back_while(marker: str) -> None:
    clock = time.time
    time.time = lambda: clock() - (HOUR if os.path.exists(marker) else 0)


if "FAULT" in os.environ:
    _strike_at(os.environ["FAULT_AT"], int(os.environ["FAULT_TIMES"]), os.environ["FAULT"])
if "FAULT_CLOCK" in os.environ:
    _set_back_while(os.environ["FAULT_CLOCK"])
