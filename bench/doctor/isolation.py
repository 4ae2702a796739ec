"""Checks in a separate process, where one that crashes or hangs does not affect the others."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from functools import partial
from multiprocessing.connection import Connection

from bench.checks import Check, CheckOutcome, run_check

PROCESSES = multiprocessing.get_context("fork")
"""The parent has imported next to nothing, and checks need not be picklable."""


def run_isolated(checks: Sequence[Check]) -> Iterator[CheckOutcome]:
    """Run all checks in one process, and after a crash the remaining checks in another."""
    made = 0
    while made < len(checks):
        for outcome in _in_one_process(checks[made:]):
            made += 1
            yield outcome


def _in_one_process(checks: Sequence[Check]) -> Iterator[CheckOutcome]:
    """Outcomes up to the check that ends the process."""
    receiver, sender = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=_make, args=(checks, sender), daemon=True)
    failed = partial(CheckOutcome, checks[0].name, checks[0].title, "failed")
    try:
        process.start()
    except OSError as error:
        yield failed(f"no process can be started: {error.strerror or error}", "see ulimit -u, and free memory")
        return
    sender.close()
    for check in checks:
        failed = partial(CheckOutcome, check.name, check.title, "failed", fix=check.fix)
        try:
            if not receiver.poll(check.seconds):
                process.kill()
                yield failed(f"no answer within {check.seconds:.0f} s")
                break
            yield receiver.recv()
        except EOFError:
            process.join()
            code = process.exitcode or 0
            how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
            yield failed(f"the check ended its process: {how}")
            break
    receiver.close()
    process.join()


def _make(checks: Sequence[Check], sender: Connection) -> None:
    """Main function of the process; prints of libraries go to standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles it
    os.dup2(2, 1)
    for check in checks:
        sender.send(run_check(check))
