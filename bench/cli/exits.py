"""Exit statuses of the commands; `docs/reference/commands.md` is generated from this file."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum


class Exit(IntEnum):
    """Exit statuses with their usual meaning."""

    DONE = 0
    """Everything requested is done."""

    FAILED = 1
    """Something failed or is wrong; the rest is done."""

    USAGE = 2
    """The command line is wrong: an unknown command or option, or a value of the wrong type."""

    UNUSABLE = 3
    """Input cannot be used; the message says what, where, and what would be valid."""

    INTERRUPTED = 130
    """Interrupted; running work is saved and continues with the next run."""


OWN_MEANINGS: Mapping[str, Mapping[int, str]] = {
    "run": {0: "all is done, or submitted to SLURM", 1: "a training or evaluation failed, or SLURM refused a job"},
    "retry": {0: "all is done, or submitted to SLURM", 1: "a training or evaluation failed again"},
    "check": {0: "everything holds", 1: "something moved too far", 2: "something was not measured"},
    "verify": {0: "every number was reproduced", 1: "a number differs", 2: "a number could not be recomputed"},
    "lint": {1: "a disagreement is not explained"},
    "doctor": {1: "something is wrong"},
    "data verify": {1: "something is wrong or missing"},
    "conform": {0: "every check holds", 1: "a check fails"},
}
"""More specific meanings of a command's statuses."""
