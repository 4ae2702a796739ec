"""`bench data`: list, prepare and check datasets."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.exits import Exit
from bench.cli.options import AllowLinks, AsJson, DataRoot, OfSuite

if TYPE_CHECKING:
    from bench.execute.output_store import CheckedOutputs
    from bench.pose.data.datasets import DatasetInfo
    from bench.pose.data.instances import Instance
    from bench.suite.suite_dataset import SuiteDataset


app = typer.Typer(help="List, download, check and generate datasets.", no_args_is_help=True, rich_markup_mode=None)

DatasetName = Annotated[str, typer.Argument(help="For example coco, crowdpose, mpii, lspet or synthetic.")]
SplitName = Annotated[str, typer.Argument(help="For example val2017, val or train3000.")]


@app.command("list")
def list_datasets(data_root: DataRoot = Path("data"), as_json: AsJson = False) -> None:
    """List the datasets, including those of installed extensions, and the splits under the data root."""
    from tabulate import tabulate

    from bench.extensions import NO_EXTENSIONS
    from bench.pose.data.datasets import DATASETS

    NO_EXTENSIONS.load()
    headers = ("dataset", "title", "skeleton", "protocol", "splits", "source")
    rows = [
        (info.name, info.title, info.skeleton.name, info.protocol, info.splits(data_root / info.name), info.source)
        for info in DATASETS.values()
    ]
    if as_json:
        typer.echo(json.dumps([dict(zip(headers, row, strict=True)) for row in rows], indent=2))
        return
    printed = [(*row[:4], ", ".join(row[4]) or "none", row[5]) for row in rows]
    typer.echo(tabulate(printed, headers=[*headers[:4], f"splits in {data_root}", headers[5]]))


@app.command("prepare")
def prepare(
    dataset: Annotated[
        str, typer.Argument(help="Name of a dataset, or imagenet: the weights that trainings start from.")
    ],
    splits: Annotated[
        list[str] | None, typer.Argument(help="For example val2017, or a backbone of imagenet; default: all.")
    ] = None,
    data_root: DataRoot = Path("data"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be done.")] = False,
    suite: OfSuite = None,
) -> None:
    """Download public files, resuming interrupted downloads, and explain which files to add by hand.

    COCO's images and annotations are downloaded and checked. Leeds Sports Pose Extended is converted once its original
    is in place, and who is left out is said. `imagenet` downloads the weights that backbones start from into
    DATA_ROOT/imagenet; name backbones in place of splits for some of them.
    """
    from bench.pose.data.prepare import prepare as prepare_dataset
    from bench.pose.data.prepare import prepare_imagenet
    from bench.pose.models.weights import IMAGENET

    if dataset == IMAGENET:
        _load_extensions(suite)
        prepare_imagenet(data_root / IMAGENET, splits or (), typer.echo, dry_run=dry_run)
    else:
        info = _known(dataset, suite)
        prepare_dataset(info, data_root / dataset, tuple(splits or ()), typer.echo, dry_run=dry_run)


@app.command("verify")
def verify(
    dataset: DatasetName,
    split: Annotated[
        str | None, typer.Argument(help="For example val2017; default: all whose annotations are there.")
    ] = None,
    data_root: DataRoot = Path("data"),
    suite: OfSuite = None,
    results: Annotated[
        Path | None,
        typer.Option(help="Folder of records: check the raw outputs that evaluations of these splits kept, too."),
    ] = None,
    allow_links: AllowLinks = False,
    as_json: AsJson = False,
) -> None:
    """Read every annotation and image of a split and count them. Ends 1 if something is wrong or missing.

    What is used of a large annotation file is kept in DATA_ROOT/DATASET/columns, which may be deleted at any time, and
    read from there as long as the file is the same by its hash.

    With --json a named split gives an object, all splits give a list.
    """
    from bench.pose.data.prepare import prepare_command
    from bench.pose.data.verify import verify as verify_split

    info, folder = _known(dataset, suite), data_root / dataset
    splits = [split] if split is not None else info.splits(folder)
    command = prepare_command(info, [split] if split else [], data_root, None if suite is None else str(suite))
    get = f"{command} gets it or says how"
    if not splits:
        typer.echo(f"missing: {folder / info.layout.annotations} of any split\n{get}")
        raise typer.Exit(Exit.FAILED)
    found = {name: verify_split(info, folder, name, allow_links=allow_links) for name in splits}
    outputs = {name: None if results is None else _kept_outputs(results, dataset, name) for name in splits}
    documents = [
        {"dataset": dataset, "split": name, **asdict(findings)}
        | ({} if (kept := outputs[name]) is None else {"outputs": asdict(kept)})
        for name, findings in found.items()
    ]
    if as_json:
        typer.echo(json.dumps(documents[0] if split is not None else documents, indent=2))
    else:
        for name, findings in found.items():
            *details, summary = findings.lines()
            typer.echo("\n".join([*details, f"{dataset} {name}: {summary}"]))
            if (kept := outputs[name]) is not None:
                typer.echo("\n".join([*kept.broken, f"{dataset} {name}: {kept.summary}"]))
        if any(findings.missing for findings in found.values()):
            typer.echo(get)
    broken = any(kept is not None and kept.broken for kept in outputs.values())
    if broken or not all(findings.complete for findings in found.values()):
        raise typer.Exit(Exit.FAILED)


def _kept_outputs(results: Path, dataset: str, split: str) -> CheckedOutputs:
    from bench.execute.output_store import check_stored  # imports torch
    from bench.store.folders import Store

    return check_stored(Store(results), dataset, split)


@app.command("pack")
def pack(
    dataset: DatasetName,
    split: SplitName,
    data_root: DataRoot = Path("data"),
    budget: Annotated[float | None, typer.Option(min=0, help="Most gigabytes to use; default: no limit.")] = None,
    workers: Annotated[int, typer.Option(min=0, help="Number of processes; 0: one per core.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the required space.")] = False,
    suite: OfSuite = None,
    allow_links: AllowLinks = False,
) -> None:
    """Decode the images of a split's instances once; trainings and evaluations then crop from these pixels.

    They are stored under DATA_ROOT/DATASET/packed/SPLIT, which may be deleted. An interrupted run continues when it is
    called again, and only changed images are packed again. With a budget, images with many instances come first; the
    others are decoded each time.
    """
    from bench.pose.data.pixels.packed import packed_folder
    from bench.pose.data.pixels.packing import GIGA, plan_packing
    from bench.pose.machine import usable_cores

    info = _known(dataset, suite)
    opened = info.open(data_root / dataset, split, allow_links=allow_links)
    instances: Iterable[Instance] = opened.instances() if opened.annotated else ()
    boxes = info.box_file(data_root / dataset, split)
    if boxes is not None and boxes.is_file():
        instances = chain(instances, opened.detections(boxes))
    limit = None if budget is None else int(budget * GIGA)
    planned = plan_packing(packed_folder(opened.folder, split), opened.image_folder, instances, budget=limit)
    typer.echo(planned.describe())
    if not dry_run:
        for problem in planned.run(typer.echo, workers or usable_cores()):
            typer.echo(f"left out: {problem}", err=True)


@app.command("synthesize")
def synthesize(split: SplitName, data_root: DataRoot = Path("data")) -> None:
    """Generate a split of the synthetic dataset, for example train3000; its name decides every pixel."""
    from bench.pose.data.datasets import open_split

    opened = open_split("synthetic", data_root / "synthetic", split)
    instances = opened.instances()
    typer.echo(f"{opened.annotation_file}: {len(instances)} instances in {len(instances.images)} images")


def _known(dataset: str, suite: Path | None) -> DatasetInfo:
    """The dataset with this name, which the suite may define or add. Raises `UnknownNameError`."""
    from bench.pose.data.datasets import dataset_info

    used = _load_extensions(suite)
    return used.info if used is not None and used.name == dataset else dataset_info(dataset)


def _load_extensions(suite: Path | None) -> SuiteDataset | None:
    """Load what the suite names beside what is installed; returns the suite's dataset."""
    from bench.extensions import NO_EXTENSIONS
    from bench.suite.schema import load_suite

    if suite is None:
        NO_EXTENSIONS.load()
        return None
    return load_suite(suite).dataset
