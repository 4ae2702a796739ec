"""What does it learn? HRNet-W32 on sports photographs, in three representations, by the commands that users have."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml

from bench.pose.machine import usable_cores
from benchmarks.gpu.checks import Check, NotPossibleError, Setting
from benchmarks.gpu.trainings import require_device

LSPET = Path(__file__).parents[2] / "suites" / "lspet.yaml"
WITHOUT = Path(__file__).parent / "without"
REPRESENTATIONS = ("heatmap", "simdr", "simdr_star")
BATCH = 64

RESERVE, START = 25.0, 10.0
"""Seconds for packing up, and for the start of each training."""

USUAL_RATE, OF_THE_RATE = 2000.0, 0.6
"""Instances/s where none were measured, and the part that a smaller batch and evaluations leave of those measured."""

MOST_EPOCHS = 210


def checks(setting: Setting, until: float) -> list[Check]:
    """The checks of this part, one after the other."""
    require_device(setting)
    left = max(until - time.monotonic(), 0.0)
    return [
        Check("images", partial(images, setting), limit=min(60.0, left / 3)),
        Check("training", partial(train, setting, until - RESERVE), limit=max(left - RESERVE / 2, 1.0), needs=RESERVE),
        Check("records", partial(records, setting)),
        Check("what comes back", partial(pack_up, setting)),
    ]


def has_lspet(setting: Setting) -> bool:
    """Whether the real images are there."""
    return (setting.data_root / "lspet" / "annotations").is_dir()


def has_hotcoco() -> bool:
    """Whether hotcoco is there; else pycocotools does its work."""
    try:
        return importlib.util.find_spec("hotcoco") is not None
    except ImportError:
        return False


def data_root(setting: Setting) -> Path:
    """The folder of datasets; that of drawn ones where the real images are missing."""
    return setting.data_root if has_lspet(setting) else setting.work / "data"


def images(setting: Setting) -> Mapping[str, Any]:
    """Pack the images, so that they fit into the GPU's cache."""
    if not has_lspet(setting):
        return {"dataset": "synthetic", "note": f"{setting.data_root}/lspet is not there: drawn figures in its place"}
    for split in ("train", "val"):
        _bench(setting, 50, "data", "pack", "lspet", split)
    return {"dataset": "lspet"}


def suite(setting: Setting, epochs: int) -> dict[str, Any]:
    """`suites/lspet.yaml` with another network, from random weights, on all images."""
    found = yaml.safe_load(LSPET.read_text(encoding="utf-8"))
    settings = found["train"]["set"][0]
    del settings["backbone_settings"]
    settings |= {
        "initialization": "kaiming",
        "batch_size": 8 if setting.quick else BATCH,
        "epochs": epochs,
        "milestones": [max(epochs * 4 // 5, 1)],
    }
    axes = {
        "backbone": ["simba_tiny" if setting.quick else "hrnet_w32"],
        "representation": list(REPRESENTATIONS[:1] if setting.quick else REPRESENTATIONS),
        "input_size": ["64x64"],
        "seed": [0],
    }
    if not has_lspet(setting):
        sizes = (48, 16) if setting.quick else (1600, 400)
        found["dataset"] = {"name": "synthetic", "train": f"train{sizes[0]}", "eval": f"val{sizes[1]}"}
    found |= {"name": "gpu", "title": "HRNet-W32 on a GPU", "claims": []}
    found["train"] = {"recipe": "corrected", "axes": axes, "set": [settings]}
    found["tables"] = [{"id": "gpu", "title": found["dataset"]["name"], "metrics": ["AP", "AP50", "mean_oks"]}]
    return found


def train(setting: Setting, until: float) -> Mapping[str, Any]:
    """Train and measure as many epochs as fit."""
    epochs = epochs_within(setting, until - time.monotonic())
    file = setting.out / "gpu_suite.yaml"
    file.write_text(yaml.safe_dump(suite(setting, epochs), sort_keys=False), encoding="utf-8")
    words = ["run", str(file), "--device", setting.device, "--workers", str(min(usable_cores() - 1, 14))]
    graphs = ["--cuda-graphs"] if setting.device == "cuda" else []
    ended = _bench(setting, until - time.monotonic(), *words, *graphs, "--results", str(setting.work / "real"))
    return {"epochs": epochs, "exit": ended, "note": "" if has_hotcoco() else "without hotcoco, by pycocotools"}


def epochs_within(setting: Setting, seconds: float) -> int:
    """Epochs that each training has time for, by the rate that was measured before."""
    if setting.quick:
        return 1
    rates = {result.check: result.values.get("instances/s") for result in setting.results.ended()}
    ways = ("float32 graphs", "float32")
    measured = next((rate for way in ways if (rate := rates.get(f"hrnet_w32 | 64x64 | {way}"))), USUAL_RATE)
    each = max(seconds / len(REPRESENTATIONS) - START, 0.0)
    return min(max(int(each * measured * OF_THE_RATE / _instances(setting)), 1), MOST_EPOCHS)


def _instances(setting: Setting) -> int:
    if not has_lspet(setting):
        return 1600
    file = setting.data_root / "lspet" / "annotations" / "person_keypoints_train.json"
    return len(json.loads(file.read_text(encoding="utf-8"))["annotations"])


def records(setting: Setting) -> Mapping[str, Any]:
    """AP of each record, and how far trainings came that were stopped."""
    results = setting.work / "real"
    found: dict[str, Any] = {}
    for file in sorted(results.glob("evaluations/*/record.json")):
        record = json.loads(file.read_text(encoding="utf-8"))
        training = json.loads((results / "trainings" / record["spec"]["training"] / "spec.json").read_text("utf-8"))
        name = f"{training['representation']} {record['spec'].get('post_process', '')}".strip()
        found[f"{name} AP"] = float(record["metrics"]["AP"])
    for file in sorted(results.glob("trainings/*/training.json")):
        training = json.loads(file.read_text(encoding="utf-8"))
        found[f"{training['spec']['representation']} s"] = float(training["seconds"])
    found |= dict(_unfinished(results))
    failures = [json.loads(file.read_text(encoding="utf-8"))["message"] for file in results.glob("*/*/failure.json")]
    if not found:
        raise NotPossibleError("; ".join(failures)[:300] or "no training came to its end")
    return found | ({"note": "; ".join(failures)[:300]} if failures else {})


def _unfinished(results: Path) -> Iterator[tuple[str, Any]]:
    """Epochs and last loss of each training that was stopped; its curve is kept beside its checkpoint, as JSON."""
    for file in sorted(results.glob("trainings/*/checkpoint.pt")):
        state = torch.load(file, map_location="cpu", weights_only=True)["training"]
        file.with_name("curve.json").write_text(json.dumps(state["history"]), encoding="utf-8")
        spec = json.loads(file.with_name("spec.json").read_text(encoding="utf-8"))
        yield f"{spec['representation']} stopped at", "epoch {}, step {}".format(*state["position"])
        if state["history"]:
            yield f"{spec['representation']} loss", float(state["history"][-1]["loss"])


def pack_up(setting: Setting) -> Mapping[str, Any]:
    """Records, curves and logs without weights, and the capsule."""
    results, suite_file = setting.work / "real", setting.out / "gpu_suite.yaml"
    if not results.is_dir():
        raise NotPossibleError("nothing was trained")
    archive = setting.out / "real.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(results, "real", filter=lambda entry: None if entry.name.endswith(".pt") else entry)
    capsule = setting.out / "capsule.zip"
    words = ["export", str(suite_file), "--no-report", "--out", str(capsule), "--results", str(results)]
    ended = _bench(setting, 20, *words, with_data=False)
    return {"real.tgz KB": archive.stat().st_size // 1000, "export exit": ended}


def _bench(setting: Setting, seconds: float, *words: str, with_data: bool = True) -> int:
    """Run a command of bench, which is told to stop when the time is up; returns its exit status."""
    place = ["--data-root", str(data_root(setting))] if with_data else []
    environment = dict(os.environ)
    if not has_hotcoco():
        environment["PYTHONPATH"] = os.pathsep.join([str(WITHOUT), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "bench", *words, *place]
    process = subprocess.Popen(command, stdout=sys.stderr, env=environment)
    try:
        return process.wait(max(seconds, 1.0))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        return process.wait(RESERVE / 3)
