"""A handful of the corpus as users meet it: in processes of their own. And how large the corpus is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.bad_inputs import (
    test_archives,
    test_checkpoints,
    test_datasets,
    test_images,
    test_predictions,
    test_profiles,
    test_results,
    test_suites,
)
from tests.bad_inputs.case import Case

CORPUS: tuple[Case, ...] = (
    *test_suites.CASES,
    *test_profiles.CASES,
    *test_datasets.CASES,
    *test_predictions.CASES,
    *test_images.CASES,
    *test_checkpoints.CASES,
    *test_results.CASES,
    *test_archives.CAPSULES,
    *test_archives.PACKED,
)

LEAST = 200
REAL = (
    "a bomb of aliases",
    "code",
    "gt_valid.mat: what crashes scipy",
    "capsule: member that climbs",
)


def test_the_corpus_is_as_large_as_it_says() -> None:
    assert len(CORPUS) >= LEAST
    assert len({(case.name, case.command) for case in CORPUS}) == len(CORPUS), "each is there once"
    assert all(case.says and case.status for case in CORPUS if not case.name.startswith("training: "))


@pytest.mark.parametrize("case", [case for case in CORPUS if case.name in REAL], ids=str)
def test_real_processes(case: Case, tmp_path: Path) -> None:
    case.build(tmp_path)
    command = [sys.executable, "-m", "bench", *case.command.split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    said = done.stdout + done.stderr
    assert not [text for text in case.says if text not in said], said
    assert "Traceback" not in said
    assert done.returncode == case.status
    assert not (tmp_path / "pwned").exists()
