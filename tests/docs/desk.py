"""A reader's checkout: what the pages have their reader do is done there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from bench.compare.gate.baseline import load_baseline
from bench.pose.data.synthetic import SyntheticSet, generate
from bench.suite.expansion import expand
from bench.suite.schema import load_suite
from tests.docs.pages import ROOT, Block, Directive, Page

TAKEN = ("bench", "suites", "examples", "slurm", "results/baselines", "Makefile", "pyproject.toml", "docs")
PLAIN_SUITE = """
name: plain
title: Something for fragments to change
dataset: {name: synthetic, train: train48, eval: val16}
train:
  recipe: corrected
  axes:
    backbone: [simba_tiny]
    representation: [heatmap, simdr]
    input_size: [64x64]
    train_subset: [24, 48]
    epochs: [1, 2]
  set: [{initialization: kaiming, milestones: [], batch_size: 16, replicas: 1}]
evaluate: [{boxes: gt}]
tables: [{id: plain}]
"""
PLAIN_BASELINE = """
version: 1
suite: ci
default: {tolerance: {AP: 0.1}}
evaluations:
- {id: 34bf68fa03de, cell: of some kind, metrics: {AP: 0.5}}
"""
MINUTES = 10


class Desk:
    """Runs the blocks of pages in a copy of the checkout."""

    def __init__(self, folder: Path, *, slurm: bool) -> None:
        self.folder = folder
        self.slurm = slurm
        for name in TAKEN:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            copy(ROOT / name, folder / name)
        (folder / ".venv").symlink_to(Path(sys.executable).parents[1])

    def work_through(self, page: Page) -> None:
        """Do what a page says, after the page that it goes on from."""
        if page.after is not None:
            self.work_through(Page.read(page.after))
        for edit in page.edits:
            self._edit(edit)
        for block in page.blocks:
            try:
                self._do(block)
            except Exception as error:
                raise AssertionError(f"{page.path}:{block.line}: {error}") from error

    def _edit(self, edit: Directive) -> None:
        file = self.folder / edit.target
        text = file.read_text(encoding="utf-8")
        for old, new in edit.replaced:
            assert old in text, f"{edit.target} has no {old!r} to replace"
            text = text.replace(old, new)
        file.write_text(text, encoding="utf-8")

    def _do(self, block: Block) -> None:
        kind = block.directive.kind
        if kind == "slurm" and not self.slurm:
            return
        match (kind, block.language):
            case ("run" | "sh" | "slurm", "sh"):
                self._run_shell(block)
            case ("run", "python"):
                self._call([sys.executable, "-c", block.text])
            case ("file", _):
                (self.folder / block.directive.target).write_text(self._text(block), encoding="utf-8")
            case ("fragment", "yaml"):
                self._load_fragment(block)
            case ("baseline", "yaml"):
                self._load_baseline(block)
            case ("workflow", "yaml"):
                assert yaml.safe_load(block.text)["jobs"]
            case ("make", "sh"):
                pass  # what CI runs; another test holds it to that
            case _:
                raise AssertionError(f"nothing says how to test this block ({block.language or 'no language'})")

    def _text(self, block: Block) -> str:
        text = block.text
        for old, new in block.directive.replaced:
            assert old in text, f"the block has no {old!r} to replace"
            text = text.replace(old, self.value(new))
        return text

    def _run_shell(self, block: Block) -> None:
        self._call(["bash", "-euo", "pipefail", "-c", self._text(block)])

    def _call(self, command: list[str]) -> None:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(self.folder), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=60 * MINUTES,
            check=False,
        )
        assert done.returncode == 0, (
            f"{command[-1]}\nended {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
        )

    def _load_fragment(self, block: Block) -> None:
        whole = yaml.safe_load(PLAIN_SUITE) | yaml.safe_load(self._text(block))
        file = self.folder / (block.directive.target or "fragment.yaml")
        file.write_text(json.dumps(whole), encoding="utf-8")  # JSON is YAML
        assert expand(load_suite(file)).cells

    def _load_baseline(self, block: Block) -> None:
        file = self.folder / "fragment.yaml"
        file.write_text(
            json.dumps(yaml.safe_load(PLAIN_BASELINE) | yaml.safe_load(self._text(block))), encoding="utf-8"
        )
        assert load_baseline(file, "ci").evaluations

    def value(self, name: str) -> str:
        """What a word of a page stands for here: one of the methods below, or itself."""
        known = {
            "coco_root": self._coco_root,
            "first_evaluation": lambda: self._evaluations()[0],
            "other_evaluation": lambda: self._evaluations()[-1],
            "first_weights": self._first_weights,
            "slurm_profile": self._slurm_profile,
        }
        return known[name]() if name in known else name

    def _coco_root(self) -> str:
        generate(self.folder / "made/coco", "train2017", SyntheticSet(instances=8, seed=0))
        return "made"

    def _evaluations(self) -> list[str]:
        """Ids of the evaluations that the tutorial's suite has made, its SimDR cells first."""
        records = sorted((self.folder / "results/evaluations").glob("*/record.json"))
        found = [json.loads(file.read_text(encoding="utf-8")) for file in records]
        found.sort(key=lambda record: (record["training"]["representation"] != "simdr", record["training"]["seed"]))
        return [record["id"] for record in found if record["training"]["split"] == "train96"]

    def _first_weights(self) -> str:
        record = self.folder / "results/evaluations" / self._evaluations()[0] / "record.json"
        training = json.loads(record.read_text(encoding="utf-8"))["spec"]["training"]
        return f"results/trainings/{training}/weights.pt"

    def _slurm_profile(self) -> str:
        return "slurm/profiles/local.yaml"
