"""Why a job failed, where the error that ended it hides the first one."""

from __future__ import annotations

import pytest

from bench.execute.runner import _interrupted


class Unclosable:
    """A file that cannot be closed in the midst of a write."""

    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None:
        raise RuntimeError("unexpected pos 12363328 vs 12363220")


def test_a_loader_process_that_dies_while_a_checkpoint_is_written() -> None:
    died = RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed.")
    with pytest.raises(RuntimeError, match="unexpected pos") as ended, Unclosable():
        raise died
    assert _interrupted(ended.value) is died


def test_other_errors_stay_as_they_are() -> None:
    error = ValueError("no")
    error.__context__ = KeyError("first")
    assert _interrupted(error) is error
