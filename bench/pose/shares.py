"""How a batch is divided among the processes of one training. Imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["WHOLE", "Share"]


@dataclass(frozen=True)
class Share:
    """The part of every batch that one of several processes takes.

    A batch is cut into parts as `torch.chunk(replicas)` does, and each part has its own BatchNorm statistics (behaviour
    T4). A process takes several whole parts; or, with more processes than parts, several processes divide a part. The
    shares in the order of ranks make up the batch.

    Attributes:
        replicas: number of parts of a full batch.
        rank: number of the process, from 0.
        size: number of processes.

    Raises:
        ValueError: neither `replicas` nor `size` is a multiple of the other, or `rank` is not below `size`.
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
        """Number of processes that divide a part, this one included; 1 if each takes whole parts."""
        return max(1, self.size // self.replicas)

    def part_size(self, instances: int) -> int:
        """Instances per part of a batch. The last part may have fewer, and a small batch has fewer parts."""
        return math.ceil(instances / self.replicas)

    def of(self, instances: int) -> slice:
        """Slice of a batch that this process takes, possibly empty."""
        group, member = divmod(self.rank, self.partners)
        taken = max(1, self.replicas // self.size) * self.part_size(instances)
        begin, end = (min(edge * taken, instances) for edge in (group, group + 1))
        return slice(*(begin + (end - begin) * edge // self.partners for edge in (member, member + 1)))


WHOLE = Share()
"""The share of a single process."""
