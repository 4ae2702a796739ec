"""The cluster of the tests that need one."""

from tests.slurm.conftest import cluster

__all__ = ["cluster"]
