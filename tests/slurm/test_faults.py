"""Whatever happens to a job: its cell ends done, with the bits of an undisturbed training, or failed with a reason."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

from tests.slurm.checker import Checker
from tests.slurm.cluster import Cluster, wait_until
from tests.slurm.desk import Desk

pytestmark = pytest.mark.slurm

LONG = 40
"""Epochs of a training that lasts long enough to be disturbed, some ten seconds."""


def test_scancel_of_a_job(desk: Desk, watched: Checker, cluster: Cluster) -> None:
    desk.write(epochs=LONG)
    desk.submit()
    desk.await_training()
    job = desk.job()
    cluster.ask("scancel", job)
    desk.await_end()
    assert set(desk.states()) == {"cancelled"}
    assert job in desk.plan().trainings[0].status.reason
    desk.submit()
    desk.await_end()
    desk.assert_as_undisturbed()


def test_kill_of_the_training_process(desk: Desk, watched: Checker) -> None:
    desk.write(epochs=LONG)
    desk.submit()
    os.kill(desk.await_training().pid, signal.SIGKILL)
    desk.await_end()
    desk.assert_as_undisturbed()
    assert "failed" not in watched.seen, "it was tried again at once"


def test_kill_of_the_training_process_at_every_try(desk: Desk, watched: Checker) -> None:
    desk.write(epochs=LONG, retries={"killed": 1})
    desk.submit()
    os.kill(desk.await_training().pid, signal.SIGKILL)
    first = desk.folders()[0].leases.latest()
    wait_until(lambda: desk.folders()[0].leases.latest() != first, "second try")
    os.kill(desk.await_training(epoch=4).pid, signal.SIGKILL)
    desk.await_end()
    assert set(desk.states()) == {"failed"}
    assert "SIGKILL at each of 2 tries" in desk.plan().trainings[0].status.reason
    assert desk.call(desk.command("retry", desk.suite, "--dry-run")).returncode == 0
    assert "nothing to submit" in desk.submit(), "run leaves to retry what failed"


def test_requeue(desk: Desk, watched: Checker, cluster: Cluster) -> None:
    desk.write(epochs=LONG)
    desk.submit()
    desk.await_training()
    cluster.ask("scontrol", "requeue", desk.job())
    desk.await_end()
    desk.assert_as_undisturbed()
    assert [owner.restart for owner in desk.folders()[0].leases.history()] == [0, 1]
    assert "queued" in watched.seen


def test_a_time_limit_shorter_than_the_training(desk: Desk, watched: Checker) -> None:
    desk.write(epochs=200, time=1, signal_delay=30)
    desk.submit()
    desk.await_end(seconds=480)
    desk.assert_as_undisturbed()
    assert len(desk.folders()[0].leases.history()) > 1
    assert watched.seen <= {"queued", "running", "done"}


def test_preemption(desk: Desk, watched: Checker) -> None:
    """A job of a partition that makes room: every CPU is wanted by others for some seconds."""
    desk.write(epochs=LONG, partition="scavenger")
    desk.submit()
    desk.await_training()
    others = ["srun", "--partition=main", "--nodes=2", "--exclusive", "sleep", "5"]
    subprocess.run(others, check=True, capture_output=True, timeout=120)
    desk.await_end()
    desk.assert_as_undisturbed()
    assert len(desk.folders()[0].leases.history()) == 2
    assert watched.seen <= {"queued", "running", "done"}


def test_a_node_goes_down_and_comes_back(desk: Desk, watched: Checker, cluster: Cluster) -> None:
    desk.write(seeds=2, epochs=LONG)
    desk.submit()
    desk.await_training()
    node = cluster.jobs()[desk.job()][1]
    cluster.node(node, "down")
    wait_until(lambda: cluster.jobs()[desk.job()][0] != "RUNNING", "end of the job on the node")
    cluster.node(node, "resume")
    desk.await_end()
    desk.assert_as_undisturbed()


def test_the_controller_stops_and_starts(desk: Desk, watched: Checker, cluster: Cluster) -> None:
    desk.write(seeds=3, epochs=4 * LONG, throttle=2)  # the controller takes seconds to stop
    desk.submit()
    desk.await_training()
    cluster.script("stop-controller")
    states = desk.states()
    assert "running" in states, "a heartbeat tells without the scheduler"
    assert set(states) <= {"running", "unknown", "done"}, "nobody is called dead of whom nothing is known"
    time.sleep(5)
    cluster.script("start-controller")
    desk.await_end()
    desk.assert_as_undisturbed()


def test_a_job_that_raises_fails_alone_and_says_why(desk: Desk, watched: Checker) -> None:
    desk.write(seeds=2)
    broken = "  - {when: {seed: 1}, initialization: imagenet}"
    desk.suite.write_text(desk.suite.read_text().replace("evaluate:", f"  {broken}\nevaluate:"))
    weights = desk.data_root / "imagenet" / "simba_tiny.pth"
    weights.parent.mkdir(exist_ok=True)
    weights.write_text("these are no weights")
    desk.submit()
    desk.await_end()
    weights.unlink()
    good, bad = desk.plan().trainings
    assert (good.state, bad.state) == ("done", "failed")
    assert "simba_tiny.pth: not a readable torch file" in bad.status.reason
    said = desk.call(desk.command("status", desk.suite)).stdout
    assert "simba_tiny.pth: not a readable torch file" in said


def test_a_job_that_asks_for_more_memory_than_there_is(desk: Desk, watched: Checker) -> None:
    desk.write(memory="14GB", setup=["ulimit -v 6000000"])
    desk.suite.write_text(desk.suite.read_text().replace("64x64", "1024x1024"))
    desk.submit()
    desk.await_end()
    (failure,) = (folder.failure() for folder in desk.folders())
    assert failure is not None
    assert failure.cause == "out_of_memory", failure
    assert desk.plan().trainings[0].status.reason == f"{failure.kind}: {failure.message}"


def test_a_job_that_slurm_kills_for_its_memory(desk: Desk, watched: Checker) -> None:
    desk.write(memory="300MB", retries={"killed": 0})
    desk.submit()
    desk.await_end()
    assert set(desk.states()) == {"failed"}
    assert "exceeded memory limit" in desk.plan().trainings[0].status.reason


def test_accounting_goes_off(desk: Desk, watched: Checker, cluster: Cluster) -> None:
    desk.write(seeds=2, epochs=LONG)
    desk.submit()
    desk.await_training()
    cluster.script("stop-accounting")
    try:
        desk.await_end()
        desk.assert_as_undisturbed()
    finally:
        cluster.script("start-accounting")
