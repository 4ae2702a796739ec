"""Leases: one holder at a time, whoever dies; on this kernel, elsewhere, and with many who want the same."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

import bench.store.leases
from bench.files import StoreError
from bench.store.leases import BusyError, LeaseLostError, Leases, Owner, slurm_job

PROCESSES = multiprocessing.get_context("fork")


@pytest.fixture
def leases(tmp_path: Path) -> Leases:
    return Leases(tmp_path / "thing" / "leases")


def foreign(leases: Leases, **fields: object) -> Path:
    """A lease made on another machine."""
    owner = Owner(token="t", host="far", boot="another kernel", pid=1, job="7_3", restart=0, since=0.0)
    leases.folder.mkdir(parents=True, exist_ok=True)
    file = leases.file(len(leases.history()) + 1)
    file.write_text(owner.model_copy(update=fields).model_dump_json())
    return file


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.store.leases, "STALE_SECONDS", 1.0)
    monkeypatch.setattr(bench.store.leases, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(bench.store.leases, "JUDGE_SECONDS", 0.05)


def test_a_released_lease_is_free_and_remembered(leases: Leases) -> None:
    for _ in range(3):
        with leases.take():
            assert leases.held()
            with pytest.raises(BusyError, match=f"thing is held by process {os.getpid()}"), leases.take():
                pass
        assert not leases.held()
    assert [owner.released for owner in leases.history()] == [True] * 3


def _count(leases: Leases, file: Path, rounds: int) -> None:
    for _ in range(rounds):
        with leases.take(patience=60):
            number = int(file.read_text())
            time.sleep(0.001)
            file.write_text(str(number + 1))


def test_of_many_who_want_it_one_has_it_at_a_time(leases: Leases, tmp_path: Path) -> None:
    file = tmp_path / "count"
    file.write_text("0")
    processes = [PROCESSES.Process(target=_count, args=(leases, file, 25)) for _ in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert file.read_text() == "150"
    assert len(leases.history()) == 150
    assert not list(leases.folder.glob(".*")), "drafts are removed"


def _hold(leases: Leases, connection: Connection) -> None:
    with leases.take():
        connection.send("held")
        time.sleep(60)


def test_a_killed_holder_on_this_kernel_is_dead_at_once_and_a_stopped_one_is_not(leases: Leases) -> None:
    here, there = PROCESSES.Pipe()
    holder = PROCESSES.Process(target=_hold, args=(leases, there))
    holder.start()
    assert here.poll(30)
    os.kill(holder.pid, signal.SIGSTOP)
    assert leases.held()
    with pytest.raises(BusyError), leases.take(patience=0.3):
        pass
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    assert not leases.held()
    with leases.take():
        pass


def test_a_holder_elsewhere_that_gives_signs_of_life_is_left_alone(leases: Leases, hurried: None) -> None:
    file = foreign(leases)
    ticking = PROCESSES.Process(target=_tick, args=(file,))
    ticking.start()
    try:
        with pytest.raises(BusyError, match="process 1 on far, job 7_3"), leases.take():
            pass
    finally:
        ticking.kill()
        ticking.join()


def _tick(file: Path) -> None:
    while True:
        os.utime(file)
        time.sleep(0.05)


def test_a_holder_elsewhere_without_a_sign_is_taken_over_and_finds_out(leases: Leases, hurried: None) -> None:
    foreign(leases)
    started = time.monotonic()
    with leases.take() as lease:
        assert time.monotonic() - started >= 1.0
        lease.ensure()
        foreign(leases)  # somebody else took this process for dead
        assert lease.lost
        with pytest.raises(LeaseLostError, match="taken over"):
            lease.ensure()
    latest = leases.latest()
    assert latest is not None
    assert latest.host == "far", "who lost a lease does not touch the new one"
    assert not latest.released


@pytest.mark.parametrize(("lives", "taken"), [(False, True), (True, False)])
def test_the_scheduler_is_believed(leases: Leases, hurried: None, lives: bool, taken: bool) -> None:
    foreign(leases)
    asked: list[Owner] = []

    def job_lives(owner: Owner) -> bool:
        asked.append(owner)
        return lives

    if taken:
        with leases.take(job_lives=job_lives):
            pass
    else:
        with pytest.raises(BusyError), leases.take(job_lives=job_lives):
            pass
    assert {owner.job for owner in asked} == {"7_3"}


def test_without_locks_life_is_told_by_signs(leases: Leases, hurried: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.store.leases, "_lock", lambda _descriptor: False)
    monkeypatch.setattr(bench.store.leases, "BEAT_SECONDS", 0.05)
    with leases.take():
        assert not json.loads(leases.file(1).read_text())["locked"]
        with pytest.raises(BusyError), leases.take():
            pass
    with leases.take():
        pass


def test_a_lease_that_is_no_lease_is_named(leases: Leases) -> None:
    foreign(leases).write_text("{")
    with pytest.raises(StoreError, match=r"000001\.json"), leases.take():
        pass


def test_the_job_of_a_process() -> None:
    assert slurm_job({}) == (None, 0)
    assert slurm_job({"SLURM_JOB_ID": "5"}) == ("5", 0)
    task = {"SLURM_JOB_ID": "9", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "3", "SLURM_RESTART_COUNT": "2"}
    assert slurm_job(task) == ("7_3", 2)


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_jumps_makes_no_living_holder_dead(
    leases: Leases, hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = time.time
    with leases.take():
        monkeypatch.setattr(time, "time", lambda: clock() + 3600 * hours)
        assert leases.held()
        with pytest.raises(BusyError), leases.take():
            pass


def test_a_sign_from_the_future_is_none_of_life_and_the_lease_is_taken_over_after_a_watch(
    leases: Leases, hurried: None
) -> None:
    file = foreign(leases)
    os.utime(file, (time.time() + 3600,) * 2)
    assert not leases.held()
    started = time.monotonic()
    with leases.take():
        assert time.monotonic() - started >= 1.0


def test_who_holds_a_removed_lease_is_told_and_touches_no_later_one(leases: Leases) -> None:
    with leases.take() as lease:
        shutil.rmtree(leases.folder)
        with pytest.raises(StoreError, match="thing was removed while this process was working on it"):
            lease.ensure()
        foreign(leases)  # somebody else begins anew, with the same number
        with pytest.raises(LeaseLostError):
            lease.ensure()
    latest = leases.latest()
    assert latest is not None
    assert (latest.host, latest.released) == ("far", False)
