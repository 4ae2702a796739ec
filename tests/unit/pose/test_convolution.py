"""Convolutions of maps of a few positions as matrix products."""

import pytest
import torch
from torch import Tensor, nn

from bench.pose.models.build import build_model
from bench.pose.models.convolution import TinyMapConv2d
from bench.pose.precision import autocast

CPU = torch.device("cpu")


def pair(inputs: int, outputs: int) -> tuple[TinyMapConv2d, nn.Conv2d]:
    torch.manual_seed(0)
    layer, plain = (
        kind(inputs, outputs, kernel_size=3, padding=1, bias=False).to(memory_format=torch.channels_last)
        for kind in (TinyMapConv2d, nn.Conv2d)
    )
    plain.load_state_dict(layer.state_dict())
    return layer, plain


def output_and_gradients(layer: nn.Module, maps: Tensor, weights: Tensor) -> list[Tensor]:
    given = maps.clone(memory_format=torch.preserve_format).requires_grad_()
    output = layer(given)
    (output * weights).sum().backward()
    assert given.grad is not None
    return [output.detach(), given.grad, layer.weight.grad]


@pytest.mark.parametrize("size", [(2, 2), (1, 1), (1, 4), (3, 1), (2, 1)])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_tiny_maps_are_convolved(size: tuple[int, int], layout: torch.memory_format) -> None:
    layer, plain = pair(12, 20)
    maps = torch.randn(5, 12, *size).contiguous(memory_format=layout)
    weights = torch.randn(5, 20, *size)
    found, expected = (output_and_gradients(one, maps, weights) for one in (layer, plain))
    for value, right in zip(found, expected, strict=True):
        assert value.shape == right.shape
        torch.testing.assert_close(value, right, rtol=1e-5, atol=1e-5)
    assert layer.weight.grad.stride() == layer.weight.stride(), "or the optimizer copies it"
    assert torch.equal(layer.eval()(maps), plain.eval()(maps))


@pytest.mark.parametrize("size", [(3, 2), (5, 1), (16, 16)])
def test_larger_maps_are_left_to_the_library(size: tuple[int, int]) -> None:
    layer, plain = pair(12, 20)
    maps = torch.randn(5, 12, *size)
    assert torch.equal(layer(maps), plain(maps))


def test_other_precisions_are_left_to_the_library() -> None:
    layer, plain = pair(12, 20)
    maps = torch.randn(5, 12, 2, 2)
    with autocast("bfloat16", CPU):
        assert torch.equal(layer(maps), plain(maps))
    assert torch.equal(layer.double()(maps.double()), plain.double()(maps.double()))


def test_nobody_s_maps() -> None:
    layer, _ = pair(12, 20)
    output, *gradients = output_and_gradients(layer, torch.zeros(0, 12, 2, 2), torch.zeros(0, 20, 2, 2))
    assert output.shape == (0, 20, 2, 2)
    assert gradients[0].shape == (0, 12, 2, 2)
    assert not gradients[1].any()


def test_hrnet_has_them_in_all_branches() -> None:
    model = build_model("hrnet_w32", "simdr", keypoints=17, input_size=(64, 64), split_ratio=2.0)
    layers = [layer for layer in model.modules() if isinstance(layer, TinyMapConv2d)]
    assert len(layers) == 8 * (2 * 1 + 3 * 4 + 4 * 3)
    assert {layer.in_channels for layer in layers} == {32, 64, 128, 256}
    for layer in layers:
        assert (layer.kernel_size, layer.stride, layer.padding, layer.bias) == ((3, 3), (1, 1), (1, 1), None)
