"""The command line: one small file per command. Heavy packages are imported only by commands that need them."""

from __future__ import annotations

import sys
from io import TextIOWrapper

import typer

from bench.cli import (
    calibrate,
    cancel,
    check,
    checklist,
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
    suites,
    vary,
    verify,
)
from bench.cli.exits import Exit
from bench.files import printable
from bench.pose.errors import BenchError

app = typer.Typer(
    name="bench",
    help="Reproducibility benchmark and ablation harness for SimDR keypoint representations.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("suites")(suites.suites)
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
app.command("vary")(vary.vary)
app.command("show")(show.show)
app.command("diff")(diff.diff)
app.command("export")(export.export)
app.command("checklist")(checklist.checklist)
app.command("verify")(verify.verify)
app.command("simulate")(simulate.simulate)
app.command("check")(check.check)
app.command("conform")(conform.conform)
app.add_typer(data.app, name="data")
app.add_typer(server.app, name="server")


def main() -> None:
    """Run the command line. Errors that the user can fix are printed without a traceback, and the exit status is 3.

    These include the system's errors about files: a missing file, missing permissions, a full disk.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as on stderr: file names may have bytes that are not text
    try:
        app()
    except (BenchError, OSError) as error:
        print(f"error: {printable(_message(error))}", file=sys.stderr)
        sys.exit(Exit.UNUSABLE)
    except Exception as error:
        from bench.cli.extension_errors import describe_extension_error

        message = describe_extension_error(error)
        if message is None:
            raise
        print(f"error: an extension failed: {printable(message)}", file=sys.stderr)
        sys.exit(Exit.FAILED)


def _message(error: BenchError | OSError) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
