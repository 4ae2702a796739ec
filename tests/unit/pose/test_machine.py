"""Memory that tensors free is kept for the next ones."""

import os
import platform
import subprocess
import sys

import pytest

CODE = """
import resource, sys, torch
from bench.pose.machine import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
def work():
    held = [torch.empty(5 * 2**20).fill_(1) for _ in range(4)]
for _ in range(5):
    work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


GIVES_BACK = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}
"""The library's settings at first; those that it finds by itself later depend on what lies between the tensors."""


def page_faults(how: str) -> int:
    command = [sys.executable, "-c", CODE, how]
    done = subprocess.run(command, env=os.environ | GIVES_BACK, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_pages_are_not_asked_for_again() -> None:
    assert page_faults("kept") < 1000 < page_faults("left")
