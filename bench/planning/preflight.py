"""What trainings need before they start: data, initial weights, devices and room. Looks only; imports no torch."""

from __future__ import annotations

import mimetypes
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.planning.jobs import devices, weights_file
from bench.planning.plan import Plan, PlannedTraining
from bench.pose.data.datasets import DatasetInfo
from bench.pose.data.prepare import prepare_command
from bench.pose.data.reading import dangling_link, path_inside
from bench.pose.errors import BenchError, DataError
from bench.pose.models.weights import IMAGENET, find_weights
from bench.pose.models.weights import prepare_command as prepare_weights
from bench.store.folders import Store
from bench.suite.shipped import suite_argument

MEGA = 1e6

WEIGHT_BYTES = 4
"""Bytes of a parameter in the stored weights."""

CHECKPOINT_BYTES = 16
"""Bytes of a parameter in a checkpoint: weights, the best weights, and two moments of the optimizer."""

OTHER_GPUS = ("/dev/kfd", "/dev/dxg", "/dev/nvhost-gpu")
"""Devices of GPUs that are not counted one by one: of ROCm, of WSL, and of small boards."""


class NotReadyError(BenchError):
    """Something that trainings need is missing; nothing was started or stored."""


@dataclass(frozen=True)
class Lack:
    """Something that is missing.

    Attributes:
        what: as a sentence.
        fix: command or advice that mends it.
    """

    what: str
    fix: str


@dataclass
class _Needs:
    """What the trainings of one dataset read of it.

    Attributes:
        splits: names, each with the images of the split.
        files: paths beside the images.
    """

    splits: dict[str, None]
    files: dict[Path, None]


def require_ready(trainings: Sequence[PlannedTraining], lacks: Sequence[Lack]) -> None:
    """Raise `NotReadyError` if the trainings lack something."""
    if lacks:
        number = f"{len(trainings)} training{'s' if len(trainings) != 1 else ''}"
        raise NotReadyError("\n".join([f"{number} cannot start, and nothing was started or stored:", *describe(lacks)]))


def describe(lacks: Iterable[Lack]) -> list[str]:
    """Lines about what is missing, with each command once, below all that it mends."""
    by_fix: dict[str, list[str]] = {}
    for lack in lacks:
        by_fix.setdefault(lack.fix, []).append(lack.what)
    return [line for fix, whats in by_fix.items() for line in (*(f"  {what}" for what in whats), f"  -> {fix}")]


def is_elsewhere(data_root: Path, device: str | None) -> bool:
    """Whether the data of jobs on other machines is on their disks, as far as this machine can tell."""
    return device is None and data_root.is_absolute() and not data_root.exists()


def find_lacks(
    plan: Plan,
    trainings: Iterable[PlannedTraining],
    *,
    data_root: Path,
    results: Path,
    device: str | None,
    allow_links: bool = False,
) -> list[Lack]:
    """What is missing for what is left to do of trainings, each thing once. Data that `is_elsewhere` is not looked for.

    Args:
        plan: their plan.
        trainings: to be run; what is done of them needs nothing.
        data_root: folder with one folder per dataset.
        results: the store's folder, which need not exist.
        device: of `LocalOptions`; None for jobs on other machines.
        allow_links: whether images may be links out of their folder.
    """
    todo = [training for training in trainings if not training.finished]
    lacks = [*_room(todo, results)]
    if not is_elsewhere(data_root, device):
        lacks = [*_data(plan, todo, data_root, allow_links), *_initial_weights(plan, todo, data_root), *lacks]
    return list(dict.fromkeys([*lacks, *(_devices(device) if device and todo else ())]))


def _data(plan: Plan, trainings: Iterable[PlannedTraining], root: Path, allow_links: bool) -> Iterator[Lack]:
    by_dataset: dict[DatasetInfo, _Needs] = {}
    for training in trainings:
        info = training.spec.data
        _add(by_dataset.setdefault(info, _Needs({}, {})), training, info, root / info.name)
    for info, needs in by_dataset.items():
        if info.generate is not None:
            yield from _ungenerated(info, needs)
        else:
            fix = prepare_command(info, needs.splits, root, suite_argument(plan.suite.file))
            yield from (Lack(what, fix) for what in _missing(info, needs, root / info.name))
            yield from _links(info, needs, root / info.name) if not allow_links else ()


def _add(needs: _Needs, training: PlannedTraining, info: DatasetInfo, folder: Path) -> None:
    """Add what is left to do of a training. Every evaluation needs the training's instances, for the mean pose."""
    spec = training.spec
    needs.splits[spec.split] = None
    needs.files |= dict.fromkeys(info.split_files(folder, spec.split, boxes=False, truth=False))
    if spec.selection_split is not None and training.state != "done":
        needs.splits[spec.selection_split] = None
        needs.files |= dict.fromkeys(info.split_files(folder, spec.selection_split, boxes=False, truth=True))
    for evaluation in (item.spec for item in training.evaluations if item.state != "done"):
        boxes = evaluation.boxes == "detector"
        needs.splits[evaluation.split] = None
        needs.files |= dict.fromkeys(info.split_files(folder, evaluation.split, boxes=boxes, truth=True))


def _ungenerated(info: DatasetInfo, needs: _Needs) -> Iterator[Lack]:
    fix = "name other splits in the suite's `dataset`, or by --set train=... and --set eval=..."
    for split in needs.splits:
        try:
            if info.check_split is not None:
                info.check_split(split)
        except DataError as error:
            yield Lack(str(error), fix)


def _missing(info: DatasetInfo, needs: _Needs, folder: Path) -> Iterator[str]:
    for file in needs.files:
        if not os.path.isfile(file):
            yield dangling_link(file) or f"{file} is missing"
        elif not os.access(file, os.R_OK):
            yield f"{file} cannot be read"
    for split in needs.splits:
        try:
            images = info.layout_of(split).image_folder(folder, split)
            with os.scandir(images) as entries:
                empty = not any(entry.is_dir() or _is_image(entry.name) for entry in entries)
        except (DataError, OSError) as error:
            yield str(error)
        else:
            if empty:
                yield f"{images} has no images of split {split!r}"


def _is_image(name: str) -> bool:
    return (mimetypes.guess_type(name)[0] or "").startswith("image/")


def _links(info: DatasetInfo, needs: _Needs, folder: Path) -> Iterator[Lack]:
    """Folders whose first image is a link out of them, as all are then where a tool keeps images in a store."""
    for split in needs.splits:
        with suppress(DataError, OSError), os.scandir(info.layout_of(split).image_folder(folder, split)) as entries:
            first = next(entries, None)
            if first is not None and first.is_symlink():
                images = Path(first.path).parent
                try:
                    path_inside(images, first.name)
                except DataError as error:
                    yield Lack(f"{images}: {error}", "allow links by --allow-links, or copy the images")


def _initial_weights(plan: Plan, trainings: Iterable[PlannedTraining], root: Path) -> Iterator[Lack]:
    missing: dict[Path, tuple[str, str | None]] = {}
    for spec in (training.spec for training in trainings if training.state != "done"):
        given = weights_file(plan.suite, spec, root)
        if given is not None and not given.is_file():
            yield Lack(f"{given} is missing", "put the suite's weights file there, or beside the suite")
        if spec.initialization == "imagenet":
            weights = find_weights(spec.backbone, root / IMAGENET)
            if not weights.there:
                missing.setdefault(weights.path, (spec.backbone, None if weights.public else weights.remedy))
    public = [backbone for backbone, remedy in missing.values() if remedy is None]
    together = prepare_weights(public, root, suite_argument(plan.suite.file))
    yield from (Lack(f"{path} is missing", remedy or together) for path, (_, remedy) in missing.items())


def _room(trainings: Sequence[PlannedTraining], results: Path) -> Iterator[Lack]:
    """The weights that stay, and the largest checkpoint twice: a new one is written beside the old one."""
    unfinished = [training for training in trainings if training.state != "done"]
    sizes = [training.complexity.params for training in unfinished]
    needed = WEIGHT_BYTES * sum(sizes) + 2 * CHECKPOINT_BYTES * max(sizes, default=0)
    folder = next(folder for folder in (results.absolute(), *results.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(folder).free + _replaceable(unfinished, Store(results))
    if free < needed:
        found = f"{results}: {free / MEGA:,.0f} MB are free, and at least {needed / MEGA:,.0f} MB are needed"
        yield Lack(found, "make room, name another folder with --results, or run less with --only")


def _replaceable(trainings: Iterable[PlannedTraining], store: Store) -> int:
    """Bytes of checkpoints that the trainings will replace or remove. A run beside this one may do so meanwhile."""
    found = 0
    for training in trainings:
        with suppress(OSError):
            found += store.training(training.spec.id).checkpoint.stat().st_size
    return found


def _devices(name: str) -> Iterator[Lack]:
    """GPUs that are not here; those that are not counted one by one may be anything."""
    if not name.startswith("cuda") or any(map(os.path.exists, OTHER_GPUS)):
        return
    here = [gpu for gpu in devices("auto") if gpu.startswith("cuda")]
    if not here or (":" in name and name not in here):
        yield Lack(
            f"this machine has no {name}; its GPUs: {', '.join(here) or 'none'}", "--device auto takes what is here"
        )
