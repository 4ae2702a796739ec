"""Process groups: the processes that train one model together. Wraps `torch.distributed`."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import Store

from bench.pose.errors import BenchError

__all__ = ["SINGLE_PROCESS", "ProcessGroup", "ProcessGroupError", "init_process_group"]

T = TypeVar("T")


class ProcessGroupError(BenchError):
    """Another process of the group is gone, or was silent for too long."""


@dataclass(frozen=True)
class ProcessGroup:
    """Processes that work together. All of them must call the same methods in the same order.

    In a group of one process the methods communicate with nobody.

    Attributes:
        rank: number of this process, from 0.
        size: number of processes.
        group: torch's handle; None in a group of one.
    """

    rank: int = 0
    size: int = 1
    group: dist.ProcessGroup | None = None

    def all_reduce(self, tensor: Tensor) -> Tensor:
        """Replace a contiguous tensor by its sum over the group, with the same bits everywhere, and return it."""
        if self.size > 1:
            self._communicate(lambda: dist.all_reduce(tensor, group=self.group))
        return tensor

    def all_gather(self, value: T) -> list[T]:
        """The values of all processes in the order of ranks. They are pickled."""
        values: list[Any] = [value] * self.size
        if self.size > 1:
            self._communicate(lambda: dist.all_gather_object(values, value, group=self.group))
        return values

    def broadcast(self, value: T | None) -> T:
        """The value of rank 0; the others' are ignored. Plain values and tensors, which arrive on the CPU."""
        if self.size == 1:
            return cast(T, value)
        sent = [_packed(value) if self.rank == 0 else None]
        self._communicate(lambda: dist.broadcast_object_list(sent, group=self.group, group_src=0))
        return cast(T, value if self.rank == 0 else _unpacked(cast(bytes, sent[0])))

    def subgroup(self, size: int) -> ProcessGroup:
        """Divide the group into subgroups of `size` consecutive ranks; returns this process's subgroup.

        Only for a group made by `init_process_group`.
        """
        if size == 1:
            return SINGLE_PROCESS
        if size == self.size:
            return self
        group, _others = dist.new_subgroups(group_size=size, group=self.group)
        return ProcessGroup(self.rank % size, size, group)

    def _communicate(self, call: Callable[[], object]) -> None:
        try:
            call()
        except RuntimeError as error:  # also the errors of torch.distributed
            raise ProcessGroupError(f"process {self.rank} of {self.size} has lost the others: {error}") from error


SINGLE_PROCESS = ProcessGroup()
"""The group of a process that works by itself."""


def _packed(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def _unpacked(data: bytes) -> Any:
    return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


@contextmanager
def init_process_group(
    store: Store,
    *,
    rank: int,
    size: int,
    device: torch.device,
    timeout: timedelta = timedelta(minutes=30),
) -> Iterator[ProcessGroup]:
    """Open a process group, and close it at the end of the context. A process can be in one such group at a time.

    Tensors on a GPU are summed with NCCL, which needs one GPU per process; everything else goes through Gloo.

    Args:
        store: where the processes find each other, such as a `TCPStore` on rank 0's machine; not used before.
        rank: number of this process, from 0.
        size: number of processes; with one, nothing is opened.
        device: device of this process's model.
        timeout: time after which a silent process counts as lost. It must cover what one process does while the others
            wait: loading a batch, saving, scoring.

    Raises:
        ProcessGroupError: not all processes came in time.
    """
    if size == 1:
        yield SINGLE_PROCESS
        return
    backend = "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)
        backend = "cpu:gloo,cuda:nccl"
    try:
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=timeout)
    except RuntimeError as error:
        raise ProcessGroupError(f"process {rank} of {size} cannot reach the others: {error}") from error
    try:
        yield ProcessGroup(rank, size, dist.group.WORLD)
    finally:
        dist.destroy_process_group()
