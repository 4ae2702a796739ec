"""`bench cancel`: stop running and waiting trainings."""

from __future__ import annotations

from pathlib import Path

import typer

from bench.cli.options import Only, Results, Set, Subset, SuiteFile
from bench.cli.targets import Ids, States, matching, parse_states, planner


def cancel(
    suite: SuiteFile,
    ids: Ids = None,
    states: States = None,
    only: Only = None,
    settings: Set = None,
    subset: Subset = None,
    results: Results = Path("results"),
) -> None:
    """Stop a suite's running and waiting trainings, here or on SLURM. Their state is kept; `run` continues them."""
    from bench.execute.slurm.scheduler import withdraw
    from bench.store.folders import Store

    plan, store = planner(suite, results, only, settings, subset)(), Store(results)
    chosen = [item for item in matching(plan, ids or [], parse_states(states or [])) if item.under_way]
    for training in chosen:
        store.training(training.spec.id).cancel()
    jobs = withdraw(store, [training.spec.id for training in chosen])
    typer.echo(f"cancelled: {len(chosen)} trainings" + (f"; SLURM jobs: {', '.join(jobs)}" if jobs else ""))
