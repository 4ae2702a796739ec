"""`bench score`: metrics of a predictions file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cli.options import AsJson

__all__ = ["score"]

PROTOCOLS = ("coco",)


def score(
    protocol: Annotated[str, typer.Option(help=f"Evaluation protocol: {', '.join(PROTOCOLS)}.")],
    predictions: Annotated[Path, typer.Option(help="Predicted people in the COCO results format.")],
    annotations: Annotated[Path, typer.Option(help="Annotation file of the split.")],
    as_json: AsJson = False,
) -> None:
    """Score predictions as the protocol does; sigmas follow from the joints that the annotations name."""
    from bench.pose.data.coco import read_json, skeleton_of
    from bench.pose.errors import DataError, UnknownNameError
    from bench.pose.metrics.coco import evaluate, load_ground_truth

    if protocol not in PROTOCOLS:
        raise UnknownNameError("protocol", protocol, PROTOCOLS)
    truth: Any = read_json(annotations)
    people: Any = read_json(predictions)
    if not isinstance(truth, dict):
        raise DataError(f"{annotations}: expected a COCO annotation file, found a {type(truth).__name__}")
    if not isinstance(people, list):
        raise DataError(f"{predictions}: expected a list of people in the COCO results format")
    metrics = evaluate(load_ground_truth(truth), people, skeleton_of(truth, annotations).sigmas)
    if as_json:
        typer.echo(json.dumps(metrics, indent=2))
    else:
        for name, value in metrics.items():
            typer.echo(f"{name:<10} {value:.6f}")
