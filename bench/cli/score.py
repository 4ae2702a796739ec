"""`bench score`: metrics of a predictions file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import AsJson

__all__ = ["score"]


def score(
    protocol: Annotated[str, typer.Option(help="Evaluation protocol: coco, crowdpose or mpii.")],
    predictions: Annotated[
        Path, typer.Option(help="Predicted people in the COCO results format; for MPII or pred.mat.")
    ],
    annotations: Annotated[Path, typer.Option(help="Annotation file of the split; for MPII gt_valid.mat.")],
    as_json: AsJson = False,
) -> None:
    """Score predictions as the protocol does; for COCO, sigmas follow from the joints that the annotations name."""
    from bench.pose.scoring import score_file

    metrics, problems = score_file(protocol, predictions, annotations)
    for problem in problems:
        typer.echo(problem, err=True)
    if as_json:
        typer.echo(json.dumps(metrics, indent=2))
    else:
        for name, value in metrics.items():
            typer.echo(f"{name:<12} {value:.6f}")
