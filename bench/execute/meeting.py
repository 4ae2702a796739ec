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

from bench.execute.seat import Seat
from bench.files import load_document, write_json
from bench.pose.parallel import ALONE, Team, TeamError, join
from bench.store import TrainingFolder

__all__ = ["meet"]

PATIENCE = timedelta(minutes=10)
"""Until all processes must be there; SLURM starts them together, but not their Pythons."""

POLL_SECONDS = 0.1


class _Meeting(BaseModel):
    """Where rank 0 waits for the others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    port: int


@contextmanager
def meet(folder: TrainingFolder, seat: Seat, device: torch.device) -> Iterator[Team]:
    """The team of all processes of a training.

    Args:
        folder: of the training.
        seat: of this process.
        device: of its model.

    Raises:
        TeamError: the others did not come.
    """
    if seat.size == 1:
        yield ALONE
        return
    place = folder.meeting_file(seat.token)
    try:
        store = _open(place) if seat.rank == 0 else _enter(place, seat)
        with join(store, rank=seat.rank, size=seat.size, device=device) as team:
            yield team
    finally:
        if seat.rank == 0:
            place.unlink(missing_ok=True)


def _open(place: Path) -> TCPStore:
    store = TCPStore("localhost", 0, is_master=True, wait_for_workers=False, timeout=PATIENCE)
    write_json(place, _Meeting(host=socket.gethostname(), port=store.port).model_dump(), durable=False)
    return store


def _enter(place: Path, seat: Seat) -> TCPStore:
    deadline = time.monotonic() + PATIENCE.total_seconds()
    while (meeting := load_document(place, _Meeting)) is None:
        if time.monotonic() > deadline:
            raise TeamError(f"process {seat.rank} of {seat.size} found no sign of process 0: {place}")
        time.sleep(POLL_SECONDS)
    # A machine need not know itself by its name.
    host = "localhost" if meeting.host == socket.gethostname() else meeting.host
    try:
        return TCPStore(host, meeting.port, is_master=False, timeout=PATIENCE)
    except RuntimeError as error:
        raise TeamError(f"process {seat.rank} of {seat.size} cannot reach process 0 on {host}: {error}") from error
