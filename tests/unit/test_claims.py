"""Claims: one holder at a time, whoever dies; on this kernel, elsewhere, and with many who want the same."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

import bench.claims
from bench.claims import BusyError, ClaimLostError, Claims, Owner, slurm_job
from bench.files import StoreError

PROCESSES = multiprocessing.get_context("fork")


@pytest.fixture
def claims(tmp_path: Path) -> Claims:
    return Claims(tmp_path / "thing" / "claims")


def foreign(claims: Claims, **fields: object) -> Path:
    """A claim made on another machine."""
    owner = Owner(token="t", host="far", boot="another kernel", pid=1, job="7_3", restart=0, since=0.0)
    claims.folder.mkdir(parents=True, exist_ok=True)
    file = claims.file(len(claims.history()) + 1)
    file.write_text(owner.model_copy(update=fields).model_dump_json())
    return file


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.claims, "STALE_SECONDS", 1.0)
    monkeypatch.setattr(bench.claims, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(bench.claims, "JUDGE_SECONDS", 0.05)


def test_a_released_claim_is_free_and_remembered(claims: Claims) -> None:
    for _ in range(3):
        with claims.take():
            assert claims.held()
            with pytest.raises(BusyError, match=f"thing is being worked on by process {os.getpid()}"), claims.take():
                pass
        assert not claims.held()
    assert [owner.released for owner in claims.history()] == [True] * 3


def _count(claims: Claims, file: Path, rounds: int) -> None:
    for _ in range(rounds):
        with claims.take(patience=60):
            number = int(file.read_text())
            time.sleep(0.001)
            file.write_text(str(number + 1))


def test_of_many_who_want_it_one_has_it_at_a_time(claims: Claims, tmp_path: Path) -> None:
    file = tmp_path / "count"
    file.write_text("0")
    processes = [PROCESSES.Process(target=_count, args=(claims, file, 25)) for _ in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert file.read_text() == "150"
    assert len(claims.history()) == 150
    assert not list(claims.folder.glob(".*")), "drafts are removed"


def _hold(claims: Claims, connection: Connection) -> None:
    with claims.take():
        connection.send("held")
        time.sleep(60)


def test_a_killed_holder_on_this_kernel_is_dead_at_once_and_a_stopped_one_is_not(claims: Claims) -> None:
    here, there = PROCESSES.Pipe()
    holder = PROCESSES.Process(target=_hold, args=(claims, there))
    holder.start()
    assert here.poll(30)
    os.kill(holder.pid, signal.SIGSTOP)
    assert claims.held()
    with pytest.raises(BusyError), claims.take(patience=0.3):
        pass
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    assert not claims.held()
    with claims.take():
        pass


def test_a_holder_elsewhere_that_gives_signs_of_life_is_left_alone(claims: Claims, hurried: None) -> None:
    file = foreign(claims)
    ticking = PROCESSES.Process(target=_tick, args=(file,))
    ticking.start()
    try:
        with pytest.raises(BusyError, match="process 1 on far, job 7_3"), claims.take():
            pass
    finally:
        ticking.kill()
        ticking.join()


def _tick(file: Path) -> None:
    while True:
        os.utime(file)
        time.sleep(0.05)


def test_a_holder_elsewhere_without_a_sign_is_taken_over_and_finds_out(claims: Claims, hurried: None) -> None:
    foreign(claims)
    started = time.monotonic()
    with claims.take() as claim:
        assert time.monotonic() - started >= 1.0
        claim.ensure()
        foreign(claims)  # somebody else took this process for dead
        assert claim.lost
        with pytest.raises(ClaimLostError, match="taken over"):
            claim.ensure()
    latest = claims.latest()
    assert latest is not None
    assert latest.host == "far", "who lost a claim does not touch the new one"
    assert not latest.released


@pytest.mark.parametrize(("lives", "taken"), [(False, True), (True, False)])
def test_the_scheduler_is_believed(claims: Claims, hurried: None, lives: bool, taken: bool) -> None:
    foreign(claims)
    asked: list[Owner] = []

    def job_lives(owner: Owner) -> bool:
        asked.append(owner)
        return lives

    if taken:
        with claims.take(job_lives=job_lives):
            pass
    else:
        with pytest.raises(BusyError), claims.take(job_lives=job_lives):
            pass
    assert {owner.job for owner in asked} == {"7_3"}


def test_without_locks_life_is_told_by_signs(claims: Claims, hurried: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.claims, "_lock", lambda _descriptor: False)
    monkeypatch.setattr(bench.claims, "BEAT_SECONDS", 0.05)
    with claims.take():
        assert not json.loads(claims.file(1).read_text())["locked"]
        with pytest.raises(BusyError), claims.take():
            pass
    with claims.take():
        pass


def test_a_claim_that_is_no_claim_is_named(claims: Claims) -> None:
    foreign(claims).write_text("{")
    with pytest.raises(StoreError, match=r"000001\.json"), claims.take():
        pass


def test_the_job_of_a_process() -> None:
    assert slurm_job({}) == (None, 0)
    assert slurm_job({"SLURM_JOB_ID": "5"}) == ("5", 0)
    task = {"SLURM_JOB_ID": "9", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "3", "SLURM_RESTART_COUNT": "2"}
    assert slurm_job(task) == ("7_3", 2)
