"""`bench eval`: measure one weights file on one split, without a suite."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli.devices import require_device
from bench.cli.options import AllowLinks, Device, ExtensionModules, Workers

if TYPE_CHECKING:
    from bench.pose.input_size import InputSize


def evaluate(
    backbone: Annotated[str, typer.Option(help="Such as simba_res50 or hrnet_w32.")],
    representation: Annotated[str, typer.Option(help="Such as heatmap, simdr or simdr_star.")],
    input_size: Annotated[str, typer.Option(metavar="HxW", help="Crop height and width, such as 256x192.")],
    dataset: Annotated[str, typer.Option(help="Such as coco, crowdpose or mpii.")],
    split: Annotated[str, typer.Option(help="Such as val2017, test or valid.")],
    dataset_dir: Annotated[Path, typer.Option(help="The dataset's folder.")],
    checkpoint: Annotated[Path, typer.Option(help="Weights of exactly this network: docs/weights.md.")],
    out: Annotated[Path, typer.Option(help="Folder for predictions.json, metrics.json and provenance.json.")],
    boxes: Annotated[str, typer.Option(metavar="gt|FILE", help="Annotated boxes, or a detector's file.")] = "gt",
    split_ratio: Annotated[
        float | None, typer.Option(help="Bins per px of coordinates; default: what the weights say.")
    ] = None,
    sigma: Annotated[float | None, typer.Option(help="Standard deviation of the Gaussian (heatmap, SimDR*).")] = None,
    flip_test: Annotated[bool, typer.Option(help="Average with the flipped view.")] = True,
    post_process: Annotated[
        bool, typer.Option(help="Refine heatmap peaks as the paper: by a quarter cell, for TokenPose by DARK.")
    ] = True,
    shift: Annotated[
        bool | None, typer.Option(help="Shift the flipped view by one cell or bin; default: as the paper.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Value of another setting that changes the measurement, such as post_process=dark or"
            " pixel_alignment=unbiased; may be repeated.",
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(help="Gives the settings that are not given; default: mmpose for its files, else paper."),
    ] = None,
    device: Device = "cpu",
    workers: Workers = None,
    allow_links: AllowLinks = False,
    extensions: ExtensionModules = None,
) -> None:
    """Write DIR/predictions.json, DIR/metrics.json and DIR/provenance.json (MPII: pred.mat too).

    Settings not given follow the weights where their shapes decide, else the recipe. Read are weights of bench, of the
    paper's code and of mmpose, of torch or safetensors: docs/weights.md.
    """
    from bench.execute.standalone import evaluate_weights, read_settings
    from bench.extensions import Extensions
    from bench.files import printable
    from bench.planning.jobs import LocalOptions, devices
    from bench.pose.metrics.catalog import explain_unjudged

    require_device(device)
    Extensions.of(extensions or ()).load()
    trained: dict[str, Any] = {
        "dataset": dataset,
        "split": split,
        "backbone": backbone,
        "representation": representation,
        "input_size": _size(input_size),
    }
    trained |= {} if split_ratio is None else {"split_ratio": split_ratio}
    trained |= {} if sigma is None else {"sigma": sigma}
    asked: dict[str, Any] = {"flip_test": flip_test}
    asked |= {} if shift is None else {"flip_shift": "reference" if shift else "none"}
    asked |= {} if post_process else {"post_process": "none"}
    more_trained, more_asked = read_settings(settings, representation) if settings else ({}, {})
    _refuse_twice(trained | asked, more_trained | more_asked)
    trained |= more_trained
    asked |= more_asked
    box_file = None if boxes == "gt" else Path(boxes)
    found = evaluate_weights(
        trained,
        asked,
        dataset_dir,
        checkpoint,
        out,
        box_file=box_file,
        device=devices(device)[0],
        workers=LocalOptions(device, workers=workers).workers_of(1),
        allow_links=allow_links,
        recipe=recipe,
        say=lambda message: typer.echo(printable(message), err=True),
    )
    for problem in found.problems:
        typer.echo(problem, err=True)
    if not found.metrics:
        typer.echo(f"{dataset} {split} is scored by its server only; submit {out / 'predictions.json'}", err=True)
    if why := explain_unjudged(found.metrics, split):
        typer.echo(why, err=True)
    typer.echo(json.dumps(found.metrics, indent=2))


def _refuse_twice(options: dict[str, Any], settings: dict[str, Any]) -> None:
    """Raise `BadParameter` for a setting that an option gives another value; `flip_test` always has one."""
    for name in settings.keys() & options.keys() - {"flip_test"}:
        raise typer.BadParameter(f"{name} has an option of its own, which is given too", param_hint="--set")


def _size(text: str) -> InputSize:
    from bench.pose.input_size import InputSize

    try:
        return InputSize.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--input-size") from None
