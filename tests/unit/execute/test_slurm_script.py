"""`slurm/test.sh` takes its clusters down, whatever ends it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "slurm" / "test.sh"

CLUSTER = """#!/usr/bin/env bash
echo "$1 $SLURM_HOME" >>"{log}"
if [ "$1" = up ]; then mkdir -p "$SLURM_HOME"; else rm -rf "$SLURM_HOME"; fi
"""

TESTS = """#!/usr/bin/env bash
echo tests >>"{log}"
[ -z "{endless}" ] || exec -a "pytest of {log}" sleep 600
"""


@pytest.fixture(autouse=True)
def heeded_hangups() -> Iterator[None]:
    """Programs start as a terminal starts them: bash cannot trap what is ignored when it begins, as under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def script(folder: Path, *, endless: bool) -> subprocess.Popen[bytes]:
    """Started in a folder with a pretended cluster and pretended tests."""
    for name, text in (("slurm/local_cluster.sh", CLUSTER), (".venv/bin/python", TESTS)):
        file = folder / name
        file.parent.mkdir(parents=True)
        file.write_text(text.format(log=folder / "log", endless="yes" if endless else ""))
        file.chmod(0o755)
    return subprocess.Popen(["bash", shutil.copy(SCRIPT, folder / "slurm")])


def calls(folder: Path) -> list[str]:
    log = folder / "log"
    return log.read_text().splitlines() if log.exists() else []


def test_it_takes_each_cluster_down_after_its_tests(tmp_path: Path) -> None:
    assert script(tmp_path, endless=False).wait(60) == 0
    assert [call.split()[0] for call in calls(tmp_path)] == ["up", "tests", "down"] * 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_stopped_it_takes_down_what_is_up_and_ends_its_tests(tmp_path: Path, number: signal.Signals) -> None:
    running = script(tmp_path, endless=True)
    deadline = time.monotonic() + 60
    while "tests" not in calls(tmp_path):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    running.send_signal(number)
    assert running.wait(60) == -number
    up, _, down = (call.split() for call in calls(tmp_path))
    assert (up[0], down[0]) == ("up", "down")
    assert up[1] == down[1]
    assert not Path(up[1]).parent.exists()
    assert not subprocess.run(["pgrep", "-f", f"pytest of {tmp_path}"], capture_output=True, check=False).stdout
