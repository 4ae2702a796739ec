"""Batch normalization over replicas, against plain batch normalization of each part."""

import copy
from itertools import chain

import pytest
import torch
from torch import Tensor, nn

from bench.pose.models.batch_norm import ReplicaBatchNorm2d

CHANNELS = 3


def batch(size: int, seed: int = 0) -> Tensor:
    return torch.randn(size, CHANNELS, 4, 5, generator=torch.Generator().manual_seed(seed)) * 3 + 1


def plain_layer() -> nn.BatchNorm2d:
    layer = nn.BatchNorm2d(CHANNELS)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([0.5, 1.0, 2.0]))
        layer.bias.copy_(torch.tensor([-1.0, 0.0, 1.0]))
    return layer


def replica_layer(replicas: int) -> ReplicaBatchNorm2d:
    layer = ReplicaBatchNorm2d(CHANNELS, replicas=replicas)
    layer.load_state_dict(plain_layer().state_dict())
    return layer


@pytest.mark.parametrize("size", [8, 10, 3])  # even parts; parts of 3, 3, 3 and 1; fewer images than replicas
def test_each_part_is_normalized_alone(size: int) -> None:
    images = batch(size)
    expected = torch.cat([copy.deepcopy(plain_layer())(part) for part in images.chunk(4)])
    torch.testing.assert_close(replica_layer(4)(images), expected, rtol=0, atol=0)


def test_running_statistics_follow_the_first_part() -> None:
    first = plain_layer()
    layer = replica_layer(4)
    for seed in range(3):
        images = batch(8, seed)
        layer(images)
        first(images[:2])
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(layer.buffers(), first.buffers(), strict=True))
    assert layer.num_batches_tracked == 3


def test_gradients_are_those_of_separate_parts() -> None:
    ours, theirs = batch(8).requires_grad_(), batch(8).requires_grad_()
    layer, reference = replica_layer(4), plain_layer()
    layer(ours).pow(2).sum().backward()
    torch.cat([reference(part) for part in theirs.chunk(4)]).pow(2).sum().backward()
    pairs = zip(chain([ours], layer.parameters()), chain([theirs], reference.parameters()), strict=True)
    for mine, other in pairs:
        torch.testing.assert_close(mine.grad, other.grad)


def test_evaluation_uses_running_statistics() -> None:
    layer = replica_layer(4)
    layer(batch(8))
    reference = plain_layer()
    reference.load_state_dict(layer.state_dict())
    images = batch(5, seed=1)
    assert torch.equal(layer.eval()(images), reference.eval()(images))


def test_one_replica_is_plain_batch_normalization() -> None:
    layer, reference = replica_layer(1), plain_layer()
    assert torch.equal(layer(batch(8)), reference(batch(8)))
    assert torch.equal(layer.running_var, reference.running_var)


def test_parts_differ_from_the_whole_batch() -> None:
    images = batch(8)
    assert not torch.allclose(replica_layer(4)(images), plain_layer()(images))


def test_no_replicas_are_refused() -> None:
    with pytest.raises(ValueError, match="replicas must be at least 1, got 0"):
        ReplicaBatchNorm2d(CHANNELS, replicas=0)
