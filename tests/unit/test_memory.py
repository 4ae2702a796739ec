"""Memory that tensors free is kept for the next ones."""

import platform
import subprocess
import sys

import pytest

CODE = """
import resource, sys, torch
from bench.pose.memory import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
def work():
    kept = [torch.zeros(2**20) for _ in range(8)]
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", CODE, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_pages_are_not_asked_for_again() -> None:
    assert 4 * page_faults("kept") < page_faults("left")
