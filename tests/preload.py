"""Slow imports of commands and of their jobs, done once by the fork server that `tests/command.py` uses."""

import bench.capsule.export
import bench.capsule.verification
import bench.cli.execution
import bench.compare.diff
import bench.execute.preload
import bench.planning.plan
import bench.report.writer  # noqa: F401
