"""The command line: one small file per command, none of which imports torch before it needs it."""

from __future__ import annotations

import sys

import typer

from bench.cli import (
    calibrate,
    cancel,
    check,
    conform,
    data,
    diff,
    doctor,
    evaluate,
    export,
    lint,
    logs,
    plan,
    report,
    retry,
    run,
    score,
    server,
    show,
    simulate,
    status,
    verify,
)
from bench.pose.errors import BenchError

__all__ = ["UNUSABLE_INPUT", "app", "main"]

UNUSABLE_INPUT = 3
"""Exit status for input that cannot be used."""

app = typer.Typer(
    name="bench",
    help="Reproducibility benchmark and ablation harness for SimDR keypoint representations.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("plan")(plan.plan)
app.command("calibrate")(calibrate.calibrate)
app.command("run")(run.run)
app.command("status")(status.status)
app.command("logs")(logs.logs)
app.command("cancel")(cancel.cancel)
app.command("retry")(retry.retry)
app.command("report")(report.report)
app.command("eval")(evaluate.evaluate)
app.command("score")(score.score)
app.command("doctor")(doctor.doctor)
app.command("lint")(lint.lint)
app.command("show")(show.show)
app.command("diff")(diff.diff)
app.command("export")(export.export)
app.command("verify")(verify.verify)
app.command("simulate")(simulate.simulate)
app.command("check")(check.check)
app.command("conform")(conform.conform)
app.add_typer(data.app, name="data")
app.add_typer(server.app, name="server")


def main() -> None:
    """Run the command line; errors that the user can mend are printed without a traceback and end with 3."""
    try:
        app()
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(UNUSABLE_INPUT)
