"""`bench logs`: print the logs of trainings."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.options import Only, Results, Set, Subset
from bench.cli.targets import States, matching, parse_states, planner

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.planning.plan import Plan
    from bench.store.folders import Store, TrainingFolder


ALL_LINES = 10**9


def logs(
    target: Annotated[str, typer.Argument(help="Suite, or id of a training or evaluation.", show_default=False)],
    states: States = None,
    only: Only = None,
    settings: Set = None,
    subset: Subset = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Last lines of each log; 0: all.")] = 40,
    results: Results = Path("results"),
) -> None:
    """Print the end of each log: that of the training and, if there is one, that of its SLURM job."""
    from bench.store.folders import Store

    def planned() -> Plan:
        return planner(Path(target), results, only, settings, subset)()

    store = Store(results)
    for folder in _folders(target, states or [], store, planned):
        for file in [folder.log, *_job_logs(store, folder)]:
            typer.echo(f"==> {file} <==")
            if file.exists():
                with file.open(encoding="utf-8", errors="replace") as opened:
                    typer.echo("".join(deque(opened, maxlen=lines or ALL_LINES)), nl=False)


def _folders(target: str, states: list[str], store: Store, planned: Callable[[], Plan]) -> list[TrainingFolder]:
    from bench.files import StoreError
    from bench.store.folders import TrainingFolder
    from bench.suite.shipped import shipped_suites

    if Path(target).suffix in {".yaml", ".yml"} or target in shipped_suites():
        found = [store.training(item.spec.id) for item in matching(planned(), [], parse_states(states))]
        return [folder for folder in found if folder.path.exists()]
    folder = store.find(target)
    if isinstance(folder, TrainingFolder):
        return [folder]
    spec = folder.spec()
    if spec is None:
        raise StoreError(f"{folder.path}: has no spec, so its training is unknown")
    return [store.training(spec.training)]


def _job_logs(store: Store, folder: TrainingFolder) -> list[Path]:
    """Logs of a training's latest SLURM job."""
    from bench.execute.slurm.ledger import Ledger

    ticket = Ledger(store.root).tickets().get(folder.path.name)
    if ticket is None or ticket.job is None:
        return []
    log = Ledger(store.root).folder(ticket.submission).log
    # An array of one task is a plain job, whose files have no task number.
    files = {*log.glob(f"{ticket.job}_{ticket.index}_*_log.*"), *log.glob(f"{ticket.job}_0_log.*")}
    return sorted(files)
