"""Checks of SLURM and a profile."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.checks import CheckFailedError, CheckList, CheckWarning, NotApplicableError, require

CHECKS = CheckList()


@CHECKS.check("ask the cluster's administrators, or see `scontrol ping`")
def slurm(profile: Path | None) -> str:
    """SLURM answers (without a profile, a failure is only a warning)."""
    from bench.execute.slurm.scheduler import SchedulerError, has_accounting, partitions

    if shutil.which("sbatch") is None:
        raise NotApplicableError("no sbatch on the PATH; everything runs on this machine")
    try:
        names = partitions()
    except SchedulerError as error:
        raise (CheckFailedError if profile else CheckWarning)(str(error)) from None
    require(names, "sinfo lists no partition")
    unknown = "" if has_accounting() else "; without accounting: jobs that ended long ago are unknown"
    return f"partitions {', '.join(names)}{unknown}"


@CHECKS.check("correct the profile: see docs/slurm.md and slurm/profiles/")
def slurm_profile(profile: Path | None) -> str:
    """The profile can be read, and the cluster has its partition."""
    from bench.execute.slurm.profile import load_profile
    from bench.execute.slurm.scheduler import SchedulerError, partitions
    from bench.pose.errors import nearest

    if profile is None:
        raise NotApplicableError("none given; --profile FILE checks one")
    wanted = load_profile(profile).partition
    try:
        known = partitions() if shutil.which("sbatch") else []
    except SchedulerError:
        known = []
    if not known:
        raise CheckWarning(
            f"{profile} can be read, but there is no cluster here to try it", "run this where SLURM answers"
        )
    unknown = [name for name in (wanted or "").split(",") if name and name not in known]
    if unknown:
        found = f"{profile}: partition: there is no {unknown[0]!r}{nearest(unknown[0], known)}"
        raise CheckFailedError(found, f"name one of {', '.join(known)}")
    return f"{profile}, " + (f"partition {wanted}" if wanted else "the cluster's default partition")
