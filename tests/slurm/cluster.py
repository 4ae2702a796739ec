"""The cluster as its administrator sees it: queue, nodes, daemons."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "slurm" / "local_cluster.sh"

SLURM_SECONDS = 90.0
"""Patience with SLURM, which does many things every half minute only."""


def wait_until(happened: Callable[[], object], what: str, seconds: float = SLURM_SECONDS) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"after {seconds:.0f} s still not: {what}"
        time.sleep(0.2)


@dataclass(frozen=True)
class Cluster:
    """Talks to the daemons of one cluster."""

    conf: Path

    def ask(self, *command: str) -> str:
        """Output of one of SLURM's commands; "" if it fails."""
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout

    def answers(self) -> bool:
        """Whether the controller does."""
        return "UP" in self.ask("scontrol", "ping")

    def jobs(self) -> dict[str, tuple[str, str]]:
        """State and node of each task by "job_index"; ended ones too."""
        lines = self.ask("squeue", "-h", "-r", "-t", "all", "-o", "%F_%K|%T|%N").splitlines()
        return {job: (state, node) for job, state, node in (line.split("|") for line in lines)}

    def script(self, *arguments: str) -> None:
        """Run `slurm/local_cluster.sh` for the cluster."""
        environment = os.environ | {"SLURM_HOME": str(self.conf.parent)}
        subprocess.run(["bash", str(SCRIPT), *arguments], check=True, capture_output=True, timeout=120, env=environment)

    def node(self, name: str, state: str) -> None:
        """Set a node's state: "down", or "resume", which is refused of one that came back by itself."""
        self.ask("scontrol", "update", f"nodename={name}", f"state={state}", "reason=test")

    def nodes(self) -> list[str]:
        """Names of the nodes."""
        return sorted(set(self.ask("sinfo", "-h", "-N", "-o", "%N").split()))

    def fix(self) -> None:
        """Bring everything up that a test may have taken down."""
        if not self.answers():
            self.script("start-controller")
        for line in self.ask("sinfo", "-h", "-N", "-o", "%N %t").splitlines():
            name, state = line.split()
            if "down" in state or "drain" in state:
                self.node(name, "resume")
