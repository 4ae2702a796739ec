"""How the processes of one training find each other: through a file in the training's folder, on every file system."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from bench.execute.ranks import GroupMember
from bench.files import load_document, write_json
from bench.pose.parallel import SINGLE_PROCESS, ProcessGroup, ProcessGroupError, init_process_group
from bench.store.folders import TrainingFolder

__all__ = ["meet"]

PATIENCE = timedelta(minutes=10)
"""Until all processes must be there; SLURM starts them together, but not their Pythons."""

POLL_SECONDS = 0.1


class _Rendezvous(BaseModel):
    """Where rank 0 waits for the others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    port: int


@contextmanager
def meet(folder: TrainingFolder, rank: GroupMember, device: torch.device) -> Iterator[ProcessGroup]:
    """The group of all processes of a training.

    Args:
        folder: of the training.
        rank: of this process.
        device: of its model.

    Raises:
        ProcessGroupError: the others did not come.
    """
    if rank.world_size == 1:
        yield SINGLE_PROCESS
        return
    place = folder.rendezvous_file(rank.token)
    try:
        store = _open(place) if rank.rank == 0 else _enter(place, rank)
        with init_process_group(store, rank=rank.rank, size=rank.world_size, device=device) as group:
            yield group
    finally:
        if rank.rank == 0:
            place.unlink(missing_ok=True)


def _open(place: Path) -> TCPStore:
    store = TCPStore("localhost", 0, is_master=True, wait_for_workers=False, timeout=PATIENCE)
    write_json(place, _Rendezvous(host=socket.gethostname(), port=store.port).model_dump(), durable=False)
    return store


def _enter(place: Path, rank: GroupMember) -> TCPStore:
    deadline = time.monotonic() + PATIENCE.total_seconds()
    while (rendezvous := load_document(place, _Rendezvous)) is None:
        if time.monotonic() > deadline:
            raise ProcessGroupError(f"process {rank.rank} of {rank.world_size} found no sign of process 0: {place}")
        time.sleep(POLL_SECONDS)
    # A machine need not know itself by its name.
    host = "localhost" if rendezvous.host == socket.gethostname() else rendezvous.host
    try:
        return TCPStore(host, rendezvous.port, is_master=False, timeout=PATIENCE)
    except RuntimeError as error:
        raise ProcessGroupError(
            f"process {rank.rank} of {rank.world_size} cannot reach process 0 on {host}: {error}"
        ) from error
