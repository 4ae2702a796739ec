"""Exit statuses as docs/reference/commands.md has them, and the completion of commands by a shell."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from bench.cli import app
from bench.cli.exits import OWN_MEANINGS, Exit
from tests.command import bench
from tests.unit.suites import SUITE


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["plan", "suite.yaml"], Exit.DONE, "trainings: 2"),
        (["run", "suite.yaml"], Exit.UNUSABLE, "bench data prepare coco train2017 val2017"),
        (["doctor", "--results", "suite.yaml"], Exit.FAILED, "failed"),
        (["data", "verify", "coco", "val2017"], Exit.FAILED, "missing"),
        (["paln", "suite.yaml"], Exit.USAGE, "No such command 'paln'"),
        (["plan", "suite.yaml", "--threads", "some"], Exit.USAGE, "--threads"),
        (["plan", "absent.yaml"], Exit.UNUSABLE, "absent.yaml: No such file or directory"),
        (["report", "suite.yaml", "--style", "own.mplstyle"], Exit.UNUSABLE, "own.mplstyle: not a usable style file"),
        (["report", "suite.yaml", "--figures", "pdf,pgn"], Exit.USAGE, "'pgn' is not valid (did you mean 'png'?)"),
        (["report", "suite.yaml", "--venue", "nurips"], Exit.USAGE, "(did you mean 'neurips'?)"),
        (["run", "suite.yaml", "--executor", "slurn"], Exit.UNUSABLE, "did you mean 'slurm'?"),
        (["show", "0123456789ab"], Exit.UNUSABLE, "must name one training or evaluation"),
        (["verify", "suite.yaml"], Exit.UNUSABLE, "suite.yaml"),
        (["check", "suite.yaml", "--baseline", "absent.yaml"], Exit.UNUSABLE, "absent.yaml"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_exit_statuses(words: list[str], status: Exit, said: str, tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text(SUITE, encoding="utf-8")
    done = bench(*words, cwd=tmp_path)
    assert done.returncode == status, done.stdout + done.stderr
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_meanings_are_of_commands_that_exist() -> None:
    command = typer.main.get_command(app)
    for name in OWN_MEANINGS:
        found = command
        for word in name.split():
            found = found.commands[word]  # type: ignore[attr-defined]
        assert found.help


def test_a_shell_completes_commands_and_options(tmp_path: Path) -> None:
    def complete(line: str) -> set[str]:
        words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1), "_BENCH_COMPLETE": "complete_bash"}
        program = Path(sys.executable).with_name("bench")
        done = subprocess.run(
            [program], capture_output=True, text=True, cwd=tmp_path, env=os.environ | words, timeout=60, check=False
        )
        return set(done.stdout.split())

    assert complete("bench pl") == {"plan"}
    assert complete("bench data pa") == {"pack"}
    assert "--executor" in complete("bench run --ex")
