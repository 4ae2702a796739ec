"""Shares: together they are the batch, cut where one process would cut it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.pose.shares import Share

DIVISIONS = [(1, 1), (4, 1), (4, 2), (4, 4), (8, 4), (1, 2), (1, 4), (2, 4), (3, 6)]
"""Pairs of replicas and processes."""


@given(division=st.sampled_from(DIVISIONS), instances=st.integers(1, 40))
def test_shares_are_the_parts_that_one_process_makes(division: tuple[int, int], instances: int) -> None:
    replicas, size = division
    batch = torch.arange(instances)
    shares = [Share(replicas, rank, size) for rank in range(size)]
    partners = shares[0].partners
    taken = [batch[share.of(instances)] for share in shares]
    joined = [torch.cat(taken[rank : rank + partners]) for rank in range(0, size, partners)]
    parts = [part for some in joined for part in some.split(shares[0].part_size(instances)) if len(part)]
    assert [part.tolist() for part in parts] == [part.tolist() for part in batch.chunk(replicas)]


@pytest.mark.parametrize("instances", [8, 7, 5])
def test_a_part_is_divided_evenly(instances: int) -> None:
    share = [Share(2, rank, 4).of(instances) for rank in range(4)]
    sizes = [one.stop - one.start for one in share]
    assert abs(sizes[0] - sizes[1]) <= 1
    assert abs(sizes[2] - sizes[3]) <= 1


def test_a_small_batch_leaves_some_processes_nothing() -> None:
    assert [len(range(5)[Share(4, rank, 4).of(5)]) for rank in range(4)] == [2, 2, 1, 0]


@pytest.mark.parametrize(
    ("replicas", "rank", "size", "message"),
    [
        (4, 0, 3, "3 processes cannot divide a batch of 4 replicas evenly; .*: 1, 2, 4 and multiples of 4"),
        (3, 0, 2, "valid numbers of processes: 1, 3 and multiples of 3"),
        (1, 2, 2, "no process 2 of 2 with 1 replicas"),
        (0, 0, 1, "no process 0 of 1 with 0 replicas"),
    ],
)
def test_other_divisions_are_refused(replicas: int, rank: int, size: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Share(replicas, rank, size)
