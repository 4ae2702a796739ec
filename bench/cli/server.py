"""`bench server`: submit evaluations that only a dataset's server can score."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import DataRoot, Results

app = typer.Typer(
    help="Package predictions for a server, and enter its scores.", no_args_is_help=True, rich_markup_mode=None
)

EvaluationId = Annotated[str, typer.Argument(help="Id of the evaluation, or its beginning.")]


@app.command("package")
def package_predictions(
    evaluation: EvaluationId,
    name: Annotated[str, typer.Option(help="Name of the algorithm: letters, digits and '-'.")],
    out: Annotated[Path, typer.Option(help="Folder for the archive.")] = Path("submissions"),
    data_root: DataRoot = Path("data"),
    results: Results = Path("results"),
) -> None:
    """Check an evaluation's predictions and pack them as the server requires."""
    from bench.planning.simulated import refuse_simulated_record
    from bench.pose.data.coco_format import CocoKeypoints
    from bench.pose.errors import DataError
    from bench.store.folders import Store
    from bench.store.server import package

    folder, record = Store(results).finished_evaluation(evaluation)
    refuse_simulated_record(record)
    split = record.training.data.open(data_root / record.training.dataset, record.spec.split, record.spec.subset)
    if not isinstance(split, CocoKeypoints):
        raise DataError(f"{record.training.dataset} is not scored by a server that takes COCO results")
    typer.echo(package(folder, split, name, out))


@app.command("enter")
def enter(
    evaluation: EvaluationId,
    scores: Annotated[list[str], typer.Argument(metavar="METRIC=VALUE...", help="For example AP=0.755 AR=0.805.")],
    source: Annotated[str, typer.Option(help="Where the score can be looked up.")],
    results: Results = Path("results"),
) -> None:
    """Enter the score that a server returned; tables then show it, marked as the server's."""
    from bench.planning.simulated import refuse_simulated_record
    from bench.pose.errors import DataError
    from bench.store.folders import Store
    from bench.store.server import enter_score

    metrics: dict[str, float] = {}
    for item in scores:
        name, _, value = item.partition("=")
        try:
            metrics[name] = float(value)
        except ValueError:
            raise DataError(f"{item!r}: expected METRIC=VALUE, for example AP=0.755") from None
    folder, record = Store(results).finished_evaluation(evaluation)
    refuse_simulated_record(record)
    enter_score(folder, record, metrics, source)
    typer.echo(f"{folder.server_file}: {', '.join(f'{name} {value:g}' for name, value in metrics.items())}")
