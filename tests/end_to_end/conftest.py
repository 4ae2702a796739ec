"""Small synthetic instances and the command line as users call it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command import bench as command_line

Bench = Callable[..., subprocess.CompletedProcess[str]]

SUITE = """
name: tiny
title: Tiny
dataset: {name: synthetic, train: train48, eval: val16}
train:
  recipe: corrected
  axes:
    backbone: [simba_tiny]
    representation: [heatmap, simdr]
    input_size: [64x64]
  set:
    - {initialization: kaiming, epochs: 1, milestones: [], batch_size: 16}
    - {when: {representation: simdr}, selection: best, selection_split: val16}
evaluate:
  - {boxes: gt, post_process: [quarter, none], when: {representation: heatmap}}
  - {boxes: gt, when: {representation: simdr}}
tables:
  - {id: tiny}
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """`SUITE` as a file."""
    file = tmp_path / "tiny.yaml"
    file.write_text(SUITE)
    return file


@pytest.fixture
def bench(tmp_path: Path, data_root: Path) -> Bench:
    """Runs `bench COMMAND` with results in `tmp_path / "results"`."""
    return lambda command, *arguments: command_line(*str(command).split(), *arguments, cwd=tmp_path)
