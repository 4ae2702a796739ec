"""How the processes of one training find each other: through a file in the training's folder, on any file system."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import torch
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from bench.execute.ranks import GroupMember
from bench.files import JsonDocument, load_document, write_json
from bench.pose.parallel import SINGLE_PROCESS, ProcessGroup, ProcessGroupError, init_process_group
from bench.store.folders import TrainingFolder

TIMEOUT = timedelta(minutes=10)
"""Time until all processes must be there; SLURM starts them together, but their Pythons may start minutes apart."""

POLL_SECONDS = 0.1


class _Address(JsonDocument):
    """Where rank 0 listens."""

    host: str
    port: int


@contextmanager
def rendezvous(folder: TrainingFolder, member: GroupMember, device: torch.device) -> Iterator[ProcessGroup]:
    """Open the process group of a training.

    Args:
        folder: folder of the training.
        member: this process.
        device: device of this process's model.

    Raises:
        ProcessGroupError: the other processes did not come.
    """
    if member.world_size == 1:
        yield SINGLE_PROCESS
        return
    file = folder.rendezvous_file(member.token)
    try:
        store = _listen(file) if member.rank == 0 else _connect(file, member)
        with init_process_group(store, rank=member.rank, size=member.world_size, device=device) as group:
            yield group
    finally:
        if member.rank == 0:
            file.unlink(missing_ok=True)


def _listen(file: Path) -> TCPStore:
    store = TCPStore("localhost", 0, is_master=True, wait_for_workers=False, timeout=TIMEOUT)
    write_json(file, _Address(host=socket.gethostname(), port=store.port).model_dump(), durable=False)
    return store


def _connect(file: Path, member: GroupMember) -> TCPStore:
    process = f"process {member.rank} of {member.world_size}"
    deadline = time.monotonic() + TIMEOUT.total_seconds()
    while (address := load_document(file, _Address)) is None:
        if time.monotonic() > deadline:
            raise ProcessGroupError(f"{process} found no sign of process 0: {file}")
        time.sleep(POLL_SECONDS)
    # A machine need not know itself by its name.
    host = "localhost" if address.host == socket.gethostname() else address.host
    try:
        return TCPStore(host, address.port, is_master=False, timeout=TIMEOUT)
    except RuntimeError as error:
        raise ProcessGroupError(f"{process} cannot reach process 0 on {host}: {error}") from error
