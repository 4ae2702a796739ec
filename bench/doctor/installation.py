"""All checks of one installation."""

from __future__ import annotations

from pathlib import Path

from bench.doctor import machine, software
from bench.doctor.check import Check
from bench.doctor.cluster import Cluster
from bench.doctor.data import DataRoot
from bench.doctor.recorded import RecordedData
from bench.doctor.results import ResultsFolder

__all__ = ["all_checks"]


def all_checks(*, data_root: Path, results: Path, profile: Path | None) -> list[Check]:
    """From what everything else needs to what only some do.

    Args:
        data_root: folder with one folder per dataset.
        results: the store's folder.
        profile: of a SLURM cluster; None where there is none to check.
    """
    return [
        *software.CHECKS,
        *machine.CHECKS,
        *ResultsFolder(results).checks(),
        *DataRoot(data_root).checks(),
        *RecordedData(data_root, results).checks(),
        *Cluster(profile).checks(),
    ]
