"""Loaded by every Python that is started with this folder on PYTHONPATH: takes away what only Linux has.

bench is told that this is macOS; other packages are not, as they are built for Linux.
"""

import ctypes
import multiprocessing
import os
import platform
import sys

LINUX = ("/proc/", "/sys/", "/dev/shm", "/dev/nvidia")

del os.sched_getaffinity
multiprocessing.set_start_method("spawn")
_system, _symbol = platform.system, ctypes.CDLL.__getattr__


def _no_file(event, arguments):
    if event in {"open", "os.listdir", "os.scandir"} and str(arguments[0]).startswith(LINUX):
        raise FileNotFoundError(2, "No such file or directory", str(arguments[0]))


def _system_for_bench():
    asks = sys._getframe(1).f_globals.get("__name__", "")
    return "Darwin" if asks.partition(".")[0] == "bench" else _system()


def _no_mallopt(library, name):
    if name == "mallopt":
        raise AttributeError(name)
    return _symbol(library, name)


sys.addaudithook(_no_file)
platform.system = _system_for_bench
ctypes.CDLL.__getattr__ = _no_mallopt
