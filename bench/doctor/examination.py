"""Making checks in a process of their own, which may crash or hang without taking the examination with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from bench.doctor.check import INSTALL, Check, Finding, Verdict, fault
from bench.pose.errors import BenchError

__all__ = ["Diagnosis", "Examination", "examine"]

PROCESSES = multiprocessing.get_context("fork")
"""The parent has imported next to nothing, and checks need not be picklable."""


@dataclass(frozen=True)
class Diagnosis:
    """What one check found, by the check's name."""

    check: str
    finding: Finding


@dataclass(frozen=True)
class Examination:
    """What all checks found, in their order."""

    diagnoses: tuple[Diagnosis, ...]

    @property
    def counts(self) -> Counter[Verdict]:
        """How many checks ended with each verdict."""
        return Counter(diagnosis.finding.verdict for diagnosis in self.diagnoses)

    @property
    def healthy(self) -> bool:
        """Whether there is no fault."""
        return not self.counts["fault"]


def examine(checks: Sequence[Check]) -> Examination:
    """Make all checks, each whatever becomes of the others."""
    found: list[Finding] = []
    while len(found) < len(checks):
        found += _in_one_process(checks[len(found) :])
    names = (check.name for check in checks)
    return Examination(tuple(Diagnosis(name, finding) for name, finding in zip(names, found, strict=True)))


def _in_one_process(checks: Sequence[Check]) -> Iterator[Finding]:
    """What checks find that one process makes in turn, up to the one that the process does not survive."""
    receiver, sender = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=_look, args=(checks, sender), daemon=True)
    try:
        process.start()
    except OSError as error:
        yield fault(f"no process can be started: {error.strerror or error}", "see ulimit -u, and free memory")
        return
    sender.close()
    for check in checks:
        try:
            if not receiver.poll(check.seconds):
                process.kill()
                yield fault(f"no answer within {check.seconds:.0f} s", check.fix)
                break
            yield receiver.recv()
        except EOFError:
            yield fault(f"the check took its process down: {_end(process)}", check.fix)
            break
    receiver.close()
    process.join()


def _look(checks: Sequence[Check], sender: Connection) -> None:
    """The process that makes checks. What libraries print goes to where errors go."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # its parent decides
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    for check in checks:
        try:
            finding = check.look()
        except ImportError as error:
            finding = fault(_describe(error), INSTALL)
        except Exception as error:
            finding = fault(_describe(error), check.fix)
        sender.send(finding)


def _describe(error: Exception) -> str:
    return str(error) if isinstance(error, BenchError) else f"{type(error).__name__}: {error}"


def _end(process: BaseProcess) -> str:
    """How a process ended, in words."""
    process.join()
    code = process.exitcode or 0
    return signal.Signals(-code).name if code < 0 else f"exit status {code}"
