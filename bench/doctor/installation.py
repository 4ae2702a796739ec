"""All checks of one installation."""

from __future__ import annotations

from pathlib import Path

from bench.checks import Check
from bench.doctor import data_checks, machine_checks, results_checks, slurm_checks


def all_checks(*, data_root: Path, results: Path, profile: Path | None) -> list[Check]:
    """All checks, general ones first.

    Args:
        data_root: folder with one folder per dataset.
        results: the store's folder.
        profile: profile of a SLURM cluster, if any.
    """
    from bench.pose.data.datasets import DATASETS

    datasets = [data_checks.DATASET.of(name, data_root / name, name=f"{{}} {name}") for name in DATASETS]
    return [
        *machine_checks.CHECKS.of(),
        *results_checks.CHECKS.of(results, name="results {}"),
        *data_checks.ROOT.of(data_root),
        *(check for checks in datasets for check in checks),
        *data_checks.RECORDED.of(data_root, results),
        *slurm_checks.CHECKS.of(profile),
    ]
