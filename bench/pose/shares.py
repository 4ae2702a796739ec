"""How a batch is divided among the processes that work on one training. Imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["WHOLE", "Share"]


@dataclass(frozen=True)
class Share:
    """What one of several processes does of every batch.

    A batch falls into parts, cut as `torch.chunk(replicas)` cuts them, each with BatchNorm statistics of its own
    (behaviour T4). A process takes several whole parts; or, where there are fewer parts than processes, several
    processes divide a part among them. Processes side by side take neighbours, so that the shares in the order of ranks
    are the batch.

    Attributes:
        replicas: parts of a full batch.
        rank: of the process, from 0.
        size: number of processes.

    Raises:
        ValueError: neither of `replicas` and `size` is a multiple of the other, or there is no such process.
    """

    replicas: int = 1
    rank: int = 0
    size: int = 1

    def __post_init__(self) -> None:
        if min(self.replicas, self.size) < 1 or not 0 <= self.rank < self.size:
            raise ValueError(f"no process {self.rank} of {self.size} with {self.replicas} replicas")
        if self.replicas % self.size and self.size % self.replicas:
            divisors = [str(size) for size in range(1, self.replicas + 1) if self.replicas % size == 0]
            raise ValueError(
                f"{self.size} processes cannot divide a batch of {self.replicas} replicas evenly; valid numbers of"
                f" processes: {', '.join(divisors)} and multiples of {self.replicas}"
            )

    @property
    def partners(self) -> int:
        """How many processes, this one included, divide a part among them; 1 where each takes whole parts."""
        return max(1, self.size // self.replicas)

    def part_size(self, instances: int) -> int:
        """Instances in each part of a batch; the last may have fewer, and a small batch fewer parts."""
        return math.ceil(instances / self.replicas)

    def of(self, instances: int) -> slice:
        """The instances of a batch that this process takes, possibly none."""
        group, member = divmod(self.rank, self.partners)
        taken = max(1, self.replicas // self.size) * self.part_size(instances)
        begin, end = (min(edge * taken, instances) for edge in (group, group + 1))
        return slice(*(begin + (end - begin) * edge // self.partners for edge in (member, member + 1)))


WHOLE = Share()
"""The share of a process that works alone."""
