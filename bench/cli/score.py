"""`bench score`: compute the metrics of a predictions file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import AsJson, OfSuite


def score(
    protocol: Annotated[str, typer.Option(help="Evaluation protocol: coco, crowdpose or mpii.")],
    predictions: Annotated[
        Path, typer.Option(help="Predicted instances in the COCO results format; for MPII or pred.mat.")
    ],
    annotations: Annotated[Path, typer.Option(help="Annotation file of the split; for MPII gt_valid.mat.")],
    suite: OfSuite = None,
    as_json: AsJson = False,
) -> None:
    """Score predictions by a protocol.

    For COCO, sigmas follow from the keypoint names in the annotations, or from the dataset that a suite defines.
    """
    from bench.pose.metrics.catalog import NOBODY
    from bench.pose.scoring import score_file
    from bench.suite.schema import load_suite

    info = None if suite is None else load_suite(suite).dataset.info
    skeleton, area_of_box = (None, 1.0) if info is None else (info.skeleton, info.layout.area_of_box)
    metrics, problems = score_file(protocol, predictions, annotations, skeleton, area_of_box=area_of_box)
    for problem in problems:
        typer.echo(problem, err=True)
    if as_json:
        typer.echo(json.dumps(metrics, indent=2))
    else:
        for name, value in metrics.items():
            typer.echo(f"{name:<12} {NOBODY if value is None else format(value, '.6f')}")
