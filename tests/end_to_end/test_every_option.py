"""Every option of every command is run at least once: a new option needs a line here, and each line is run.

The lines tell one story in one folder: a dataset of six images, each a link; a suite of one training and three
evaluations; and what can be done with its results. What needs a cluster is only planned here; `tests/slurm` runs it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import typer

from bench.cli import app
from bench.planning.forecast import calibration
from bench.pose.models.build import build_model
from tests.bad_inputs.case import run
from tests.unit.tiny_datasets import boxes, coco_test_dev

SUITE = """
name: every
title: Every option
dataset: {name: coco, train: train2017, eval: train2017}
train:
  recipe: corrected
  axes: {backbone: [simba_tiny], representation: [heatmap], input_size: [64x64]}
  set:
    - {initialization: kaiming, epochs: 1, milestones: [], batch_size: 8, replicas: 1}
evaluate:
  - {boxes: gt, post_process: [quarter, none]}
  - {boxes: detector, split: test-dev2017, post_process: none}
tables:
  - {id: every, metrics: [AP]}
"""
ROOT, STORE = "--data-root data", "--results r"
CELL = "--only backbone=simba_tiny --set epochs=1"
HERE = "--device cpu --threads 1 --workers 0"
EVAL = (
    "eval --backbone simba_tiny --representation heatmap --input-size 64x64 --dataset coco --split train2017"
    " --dataset-dir data/coco --checkpoint {weights} --out out --allow-links"
)
SLURM = "--profile profile.yaml --dry-run --wait"


@dataclass(frozen=True)
class Line:
    """A command line, and a part of the output and the exit status that it must have; None for one of the machine's."""

    words: str
    says: str
    status: int | None = 0


LINES = (
    Line("suites --json", '"suite": "ci"'),
    Line(f"data list {ROOT} --json", "train2017"),
    Line(f"data prepare coco val2017 {ROOT} --suite every.yaml --dry-run", "val2017.zip"),
    Line(f"data verify coco train2017 {ROOT} {STORE} --suite every.yaml --allow-links --json", '"instances": 6', 1),
    Line(f"data pack coco train2017 {ROOT} --suite every.yaml --allow-links --budget 1 --dry-run", "6 images"),
    Line(f"data pack coco train2017 {ROOT} --allow-links --workers 1", "1 of 1 shards"),
    Line(f"data pack coco test-dev2017 {ROOT} --allow-links", "1 of 1 shards"),
    Line(f"data synthesize val2 {ROOT}", "2 instances"),
    Line(f"calibrate {STORE} {HERE} --seconds 1", "measured in"),
    Line(
        f"run every.yaml {ROOT} {STORE} --only backbone=simba_tiny --executor slurm {SLURM} --set epochs=2 --subset 3",
        "array",
    ),
    Line(f"retry every.yaml {ROOT} {STORE} --state missing --set epochs=2 --subset 3 {SLURM}", "array"),
    Line(f"run plain.yaml {ROOT} {STORE} --budget 99 --calibration {{calibration}} --dry-run", "simba_tiny"),
    Line(
        f"run every.yaml {ROOT} {STORE} {HERE} --executor local --pixels packed --save-every 9 --pack 1 --allow-links"
        " --cuda-graphs --logger tensorboard --log-dir tb --store-outputs",
        "trainings: 1 (1 done); evaluations: 3 (3 done)",
    ),
    Line(
        f"retry every.yaml {ROOT} {STORE} {HERE} --id {{id}} --state done --only backbone=simba_tiny --pixels auto"
        " --cuda-graphs --save-every 9 --pack 2 --allow-links --logger tensorboard --log-dir tb",
        "nothing to do",
    ),
    Line(f"plan every.yaml {STORE} {HERE} {CELL} --calibration {{calibration}} --json", '"done"'),
    Line(f"status every.yaml {STORE} {CELL} --json --no-watch", '"done"'),
    Line(f"status every.yaml {STORE} --watch", "done"),
    Line(f"logs every.yaml {STORE} --state done {CELL} --lines 1", "==> r/trainings/"),
    Line(f"cancel every.yaml {STORE} --state done {CELL} --id {{id}}", "cancelled: 0"),
    Line(
        f"report every.yaml {STORE} --out reports --format md,csv {CELL} --budget 1"
        " --calibration {calibration} --style plain.mplstyle --price-per-hour 0.45 --watts 300 --figures svg"
        " --venue cvpr",
        "reports/every_epochs=1/report.md",
    ),
    *(
        Line(f"{words} {STORE} --subset 3", says, status)
        for words, says, status in (
            ("plan every.yaml", "1 missing", 0),
            ("status every.yaml", "1 missing", 0),
            ("logs every.yaml", "", 0),
            ("cancel every.yaml --state done", "cancelled: 0", 0),
            ("report every.yaml --out subset --format csv", "subset/every", 0),
            ("export every.yaml --out c.zip", "", 3),
        )
    ),
    Line(f"checklist every.yaml {STORE} {CELL} --venue aaai --out a.md --price-per-hour 1 --watts 65", "a.tex"),
    Line(f"checklist every.yaml {STORE} --venue cvpr --out c.tex --subset 3", "0 of 3 evaluations finished"),
    Line(
        f"vary every.yaml {ROOT} {STORE} --device cpu --workers 0 --allow-links {CELL}", "14 variants, 13 measured now"
    ),
    Line(f"vary {{gt}} {ROOT} {STORE} --allow-links --extension an_extension", "variants, 0 measured now"),
    Line(f"show {{gt}} {STORE} --suites . --json", '"AP"'),
    Line(f"diff {{gt}} {{other}} {STORE} --json", "post_process"),
    Line(f"export every.yaml {STORE} --out a.zip {CELL} --no-predictions --no-report", "a.zip"),
    Line(f"export every.yaml {STORE} --out b.zip --predictions --report", "b.zip"),
    Line(f"verify b.zip {ROOT} --extension an_extension --json", '"agrees"', 2),
    Line("report --capsule b.zip --extension an_extension --format csv --out alone", "alone/every/glance.csv"),
    Line(f"check plain.yaml {STORE} --baseline b.yaml {CELL} --update", "b.yaml"),
    Line(f"check plain.yaml {STORE} --baseline b.yaml --junit j.xml --summary s.md --json", "holds"),
    Line(f"check plain.yaml {STORE} --baseline b.yaml --subset 3", "", 2),
    Line(f"server package {{server}} --name a {ROOT} {STORE} --out submissions", ".zip"),
    Line(f"server enter {{server}} AP=0.5 --source https://example.org {STORE}", "AP 0.5"),
    Line("simulate every.yaml --results simulated --spread 1 --random-state 3 --set epochs=1 --subset 3", "3"),
    Line(
        f"{EVAL} {HERE.replace('--threads 1 ', '')} --flip-test --post-process --shift --extension an_extension", '"AP"'
    ),
    Line(f"{EVAL} --boxes boxes.json --no-flip-test --no-post-process --no-shift --sigma 2", '"AP"'),
    Line(f"export {{id}} {STORE} --weights own.safetensors", "own.safetensors: weights of training"),
    Line(f"export every.yaml {STORE} {CELL} --weights b.safetensors --out d.zip", "d.zip: 3 evaluations"),
    Line(f"{EVAL.format(weights='own.safetensors')} --recipe mmpose --set blur_cells=7", "those of recipe mmpose"),
    Line(f"{EVAL} --split-ratio 2".replace("heatmap", "simdr").replace("{weights}", "simdr.pt"), '"AP"'),
    Line(
        "score --protocol coco --predictions out/predictions.json --annotations {truth} --suite every.yaml --json",
        '"AP"',
    ),
    Line(f"plan every.yaml {STORE} --subset 3", "SUBSET: first 3 images of each split"),
    Line(
        f"run every.yaml {ROOT} {STORE} {HERE} --subset 3 --allow-links",
        "trainings: 1 (1 done); evaluations: 3 (3 done)",
    ),
    Line(f"retry every.yaml {ROOT} {STORE} --subset 3", "nothing to do"),
    Line(f"status every.yaml {STORE} --subset 3", "SUBSET"),
    Line(f"logs every.yaml {STORE} --subset 3", ""),
    Line(f"cancel every.yaml {STORE} --subset 3", "cancelled: 0"),
    Line(f"report every.yaml {STORE} --subset 3 --format csv --out part", "part/every_subset=3/tables/every.csv"),
    Line(f"check plain.yaml {STORE} --subset 3 --baseline b.yaml", "SUBSET", 2),
    Line(f"export every.yaml {STORE} --subset 3 --out c.zip", "c.zip: 3 evaluations, 0 missing"),
    Line(f"verify c.zip {ROOT}", "agrees", 2),
    Line("simulate every.yaml --results part_simulated --subset 3", "1 trainings and 3 evaluations"),
    Line("lint --json", "["),
    Line(f"conform synthetic --kind dataset --split val2 {ROOT} --suite every.yaml --json", '"passed": true'),
    Line("conform local --profile profile.yaml --extension an_extension", "use it with --executor slurm", 3),
    Line(f"doctor {ROOT} {STORE} --profile profile.yaml --json", '"verdict"', None),
)


def commands(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every command with its full name."""
    if not hasattr(command, "commands"):
        yield name, command
        return
    for child in command.commands.values():
        yield from commands(child, f"{name} {child.name}".strip())


COMMANDS = dict(commands(typer.main.get_command(app)))


def spellings() -> Iterator[tuple[str, frozenset[str]]]:
    """Every option by its command: the words that give it; those that say no are an option of their own."""
    for name, command in COMMANDS.items():
        for parameter in command.params:
            if parameter.param_type_name == "option":
                yield from ((name, frozenset(words)) for words in (parameter.opts, parameter.secondary_opts) if words)


def of(line: Line) -> str:
    """The command of a line."""
    words = line.words.split()
    return next(name for name in (" ".join(words[:2]), words[0]) if name in COMMANDS)


def test_every_option_has_a_line() -> None:
    used = {(of(line), word) for line in LINES for word in line.words.split()}
    missing = [f"{name} {min(words)}" for name, words in spellings() if not any((name, word) in used for word in words)]
    missing += [name for name in COMMANDS if name not in {of(line) for line in LINES}]
    assert not missing, f"give each of these a line in LINES: {missing}"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with data, suite, profile and the like."""
    monkeypatch.syspath_prepend(str(tmp_path))
    network = build_model("simba_tiny", "simdr", keypoints=17, input_size=(64, 64), split_ratio=2.0)
    torch.save(network.state_dict(), tmp_path / "simdr.pt")
    coco = coco_test_dev(tmp_path / "data/coco")
    for file in [*coco.glob("images/*/*")]:
        stored = tmp_path / "stored" / file.parent.name / file.name
        stored.parent.mkdir(parents=True, exist_ok=True)
        file.rename(stored)
        file.symlink_to(stored)
    for name, text in {
        "every.yaml": SUITE,
        "plain.yaml": "".join(line for line in SUITE.splitlines(keepends=True) if "detector" not in line),
        "profile.yaml": "time: 10\ncpus_per_task: 1\n",
        "plain.mplstyle": "axes.grid: False\n",
        "an_extension.py": "print('the extension is loaded')\n",
        "boxes.json": json.dumps(boxes()),
    }.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def known(folder: Path) -> dict[str, str]:
    """What lines name by a word in braces: files and ids that the lines before them made."""
    records = [json.loads(file.read_text()) for file in folder.glob("r/evaluations/*/record.json")]
    records = [record for record in records if record["outputs_of"] is None]
    annotated = [record["id"] for record in records if record["spec"]["boxes"] == "gt"]
    found = {
        "calibration": next(map(str, folder.glob("r/calibrations/*.json")), ""),
        "weights": next(map(str, folder.glob("r/trainings/*/weights.pt")), ""),
        "truth": "data/coco/annotations/person_keypoints_train2017.json",
    }
    if records:
        server = next(record["id"] for record in records if record["spec"]["boxes"] == "detector")
        found |= {"id": records[0]["spec"]["training"], "gt": annotated[0], "other": annotated[1], "server": server}
    return found


def test_every_line_runs(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Larger networks and more images would only take longer, and what torch is told would stay for other tests.
    monkeypatch.setattr(calibration, "NETWORKS", calibration.NETWORKS[:3])
    monkeypatch.setattr(calibration, "INSTANCES", 32)
    monkeypatch.setattr(calibration, "IMAGE_SIZES", ((64, 64), (96, 128)))
    monkeypatch.setattr(calibration, "make_deterministic", lambda: None)

    with contextlib.chdir(desk):
        for line in LINES:
            words = line.words.format(**known(desk))
            status, said = run(words)
            assert status == line.status or line.status is None, (
                f"bench {words} ended {status}, expected {line.status}:\n{said[-2000:]}"
            )
            assert line.says in said, f"bench {words}: {line.says!r} is not in\n{said[-2000:]}"
    documents = [json.loads(file.read_text()) for file in desk.glob("r/evaluations/*/record.json")]
    counts = {(one["spec"]["subset"], one["spec"]["boxes"]): one["instances"] for one in documents}
    assert counts == {(None, "gt"): 6, (None, "detector"): 12, (3, "gt"): 3, (3, "detector"): 6}
