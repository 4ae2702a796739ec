"""`bench data`: the datasets, and what is there of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import DataRoot

__all__ = ["app"]

SOMETHING_WRONG = 1

app = typer.Typer(help="List, check and draw datasets.", no_args_is_help=True, rich_markup_mode=None)

DatasetName = Annotated[str, typer.Argument(help="Such as coco, lspet or synthetic.")]
SplitName = Annotated[str, typer.Argument(help="Such as val2017, val or train3000.")]


@app.command("list")
def list_datasets(data_root: DataRoot = Path("data")) -> None:
    """List the datasets and the splits that are there."""
    from tabulate import tabulate

    from bench.pose.data.datasets import DATASETS

    rows = []
    for info in DATASETS.values():
        files = sorted((data_root / info.name / "annotations").glob("person_keypoints_*.json"))
        splits = ", ".join(file.stem.removeprefix("person_keypoints_") for file in files) or "none"
        rows.append((info.name, info.title, info.skeleton.name, splits, info.source))
    typer.echo(tabulate(rows, headers=("dataset", "title", "skeleton", f"splits in {data_root}", "source")))


@app.command("verify")
def verify(dataset: DatasetName, split: SplitName, data_root: DataRoot = Path("data")) -> None:
    """Read every annotation and every image of a split. Ends 1 if one is wrong."""
    from bench.pose.data.datasets import open_split
    from bench.pose.data.images import read_image
    from bench.pose.errors import ImageError

    opened = open_split(dataset, data_root / dataset, split)
    people = opened.people()
    problems = list(opened.problems)
    images = {person.image_id: person.image for person in people}
    for image_id, path in images.items():
        try:
            read_image(path)
        except ImageError as error:
            problems.append(f"image {image_id}: {error}")
    for problem in problems:
        typer.echo(problem)
    typer.echo(f"{dataset} {split}: {len(people)} people in {len(images)} images, {len(problems)} problems")
    if problems:
        raise typer.Exit(SOMETHING_WRONG)


@app.command("synthesize")
def synthesize(split: SplitName, data_root: DataRoot = Path("data")) -> None:
    """Draw a split of the synthetic dataset, such as train3000; its name decides every pixel."""
    from bench.pose.data.datasets import open_split

    opened = open_split("synthetic", data_root / "synthetic", split)
    typer.echo(f"{opened.annotation_file}: {len(opened.people())} people in {len(opened.images)} images")
