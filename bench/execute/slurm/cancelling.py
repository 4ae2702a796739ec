"""Cancels jobs of SLURM. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from bench.execute.slurm.ledger import Ledger
from bench.execute.slurm.scheduler import cancel_jobs, listed_jobs
from bench.store.folders import Store


def withdraw(store: Store, trainings: Sequence[str]) -> list[str]:
    """Cancel the SLURM jobs of cancelled trainings, except those that have other trainings to do.

    The trainings must be marked as cancelled in the store already: a job with several trainings stops the marked ones.

    Returns:
        Ids of the cancelled SLURM jobs.

    Raises:
        SchedulerError: SLURM does not answer or refuses.
    """
    tickets = Ledger(store.root).tickets()
    concerned = {(tickets[id_].name, tickets[id_].index) for id_ in trainings if id_ in tickets}
    if not concerned:
        return []
    busy = {
        (ticket.name, ticket.index)
        for id_, ticket in tickets.items()
        if not store.training(id_).cancelled and not store.complete(id_, ticket.evaluations)
    }
    jobs = [job for job in listed_jobs() if job.alive and (job.name, job.index or 0) in concerned - busy]
    # A running job sees the mark, saves and ends by itself; a waiting one cannot.
    cancel_jobs(job.id for job in jobs)
    return [job.id for job in jobs]
