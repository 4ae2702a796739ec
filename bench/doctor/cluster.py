"""SLURM: whether it answers, and whether a profile fits it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from bench.doctor.check import Check, Finding, fault, ok, skipped, warning

__all__ = ["Cluster"]

SEE_CONTROLLER = "ask the cluster's administrators, or see `scontrol ping`; nothing can be submitted meanwhile"


@dataclass(frozen=True)
class Cluster:
    """The cluster that this machine submits to, if any, and the profile to submit with, if given."""

    profile: Path | None

    def checks(self) -> list[Check]:
        """All that concern it."""
        see_profile = "correct the profile: docs/slurm.md and slurm/profiles/ show what it may say"
        return [Check("slurm", self.answers, SEE_CONTROLLER), Check("slurm profile", self.fits, see_profile)]

    def answers(self) -> Finding:
        """Whether there is SLURM, and it answers within a time limit; without a profile nobody means to use it."""
        from bench.execute.slurm.scheduler import SchedulerError, has_accounting, partitions

        if not _here():
            return skipped("no sbatch on the PATH; everything runs on this machine")
        try:
            names = partitions()
        except SchedulerError as error:
            told = str(error)
            return fault(told, SEE_CONTROLLER) if self.profile else warning(told, SEE_CONTROLLER)
        if not names:
            return fault("sinfo lists no partition", SEE_CONTROLLER)
        accounting = (
            "with accounting" if has_accounting() else "without accounting: jobs that ended long ago are unknown"
        )
        return ok(f"partitions {', '.join(names)}; {accounting}")

    def fits(self) -> Finding:
        """Whether the profile can be read, and the cluster has its partitions."""
        from bench.execute.slurm.profile import load_profile
        from bench.execute.slurm.scheduler import SchedulerError, partitions
        from bench.pose.errors import nearest

        if self.profile is None:
            return skipped("none given; --profile FILE checks one")
        wanted = load_profile(self.profile).partition
        untried = warning(f"{self.profile} is sound, but was tried on no cluster", "run this where SLURM answers")
        if not _here():
            return untried
        try:
            known = partitions()
        except SchedulerError:
            return untried
        unknown = [name for name in (wanted or "").split(",") if name and name not in known]
        if unknown:
            told = f"{self.profile}: partition: there is no {unknown[0]!r}{nearest(unknown[0], known)}"
            return fault(told, f"name one of {', '.join(known)}")
        return ok(f"{self.profile}, " + (f"partition {wanted}" if wanted else "the cluster's default partition"))


def _here() -> bool:
    return shutil.which("sbatch") is not None
