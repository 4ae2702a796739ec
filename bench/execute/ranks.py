"""The processes of one training, and the devices that they work on. Imports no torch."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from bench.execute.job import Job


@dataclass(frozen=True)
class GroupMember:
    """One of the processes that work on one training together.

    Attributes:
        rank: number of the process, from 0.
        world_size: number of processes.
        token: shared by all processes of this try and by no others.
        local_rank: number of the process among those of the training on this machine.
    """

    rank: int = 0
    world_size: int = 1
    token: str = ""
    local_rank: int = 0


ONLY_MEMBER = GroupMember()
"""The process of a training with `world_size` 1."""


@dataclass(frozen=True)
class Slot:
    """Room for one job at a time: one device for each of its processes here."""

    devices: tuple[str, ...]

    def equip(self, job: Job, member: GroupMember) -> Job:
        """The job with the device of one of its processes."""
        device = self.devices[member.local_rank % len(self.devices)]
        return job.model_copy(update={"resources": job.resources.model_copy(update={"device": device})})


def make_slots(devices: Sequence[str], *, pack: int = 1, width: int = 1) -> list[Slot]:
    """Slots for jobs that take `width` devices each, on devices that take `pack` processes each. At least one slot."""
    places = [device for _ in range(pack) for device in devices]
    whole = range(0, len(places) - width + 1, width)
    return [Slot(tuple(places[begin : begin + width])) for begin in whole] or [Slot(tuple(places))]


def local_members(job: Job, _attempt: int) -> list[GroupMember]:
    """All processes of a job, on this machine."""
    size, token = job.training.world_size, uuid.uuid4().hex
    return [GroupMember(rank, size, token, local_rank=rank) for rank in range(size)]
