"""What the defaults of the representations promise: right up to the border, unbiased when flipped, finite always."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bench.pose.codecs.base import Codec
from bench.pose.codecs.coordinate import blur_bins
from bench.pose.codecs.heatmap import HeatmapCodec
from bench.pose.codecs.integral import IntegralCodec
from bench.pose.codecs.points import PointTarget
from bench.pose.codecs.regression import RegressionCodec
from bench.pose.codecs.rle import RLECodec
from bench.pose.codecs.simcc import SimCCCodec
from bench.pose.codecs.simdr import SimDRCodec
from bench.pose.codecs.simdr_star import SimDRStarCodec
from bench.pose.codecs.taylor import map_offset, vector_offset
from bench.pose.codecs.udp import UDPCodec
from bench.pose.outputs import Coordinates
from bench.pose.skeletons import COCO_17

SIZES = ((64, 64), (96, 64), (256, 192))
FLIP = COCO_17.flip_indices
KEYPOINTS = len(FLIP)

Make = Callable[[tuple[int, int]], Codec[Any, Any]]

CODECS: dict[str, tuple[Make, float, float]] = {
    "udp": (lambda size: UDPCodec(size, FLIP), 0.0, 0.01),
    "udp of sigma 1": (lambda size: UDPCodec(size, FLIP, sigma=1.0), 0.0, 0.02),
    "udp of sigma 1.5": (lambda size: UDPCodec(size, FLIP, sigma=1.5), 0.0, 0.02),
    "integral": (lambda size: IntegralCodec(size, FLIP), 26.0, 0.2),
    "regression": (lambda size: RegressionCodec(size, FLIP), 0.0, 1e-3),
    "rle": (lambda size: RLECodec(size, FLIP), 0.0, 1e-3),
    "simcc": (lambda size: SimCCCodec(size, FLIP), 0.0, 0.251),
    "simcc at 3 bins per px": (lambda size: SimCCCodec(size, FLIP, split_ratio=3.0), 0.0, 0.17),
    "simcc, dark": (lambda size: SimCCCodec(size, FLIP, post_process="dark"), 0.0, 0.01),
    "RTMPose, dark": (
        lambda size: SimCCCodec(
            size, FLIP, normalize="none", beta=10.0, label_softmax=True, scale_sigma=True, post_process="dark"
        ),
        0.0,
        0.02,
    ),
    "simdr, dark": (
        lambda size: SimDRCodec(size, FLIP, split_ratio=2, flip_shift="exact", post_process="dark"),
        0.0,
        0.251,
    ),
    "simdr_star, dark": (
        lambda size: SimDRStarCodec(size, FLIP, split_ratio=2, sigma=4, flip_shift="exact", post_process="dark"),
        0.0,
        0.01,
    ),
}
"""A codec for an input size; how far inside keypoints must be, in px; how far off they may come back, in px."""


def keypoints_inside(seed: int, size: tuple[int, int], margin: float) -> Tensor:
    """Keypoints (1, 17, 2) anywhere between the first and the last pixel, so that every bin and cell exists."""
    unit = torch.rand(1, KEYPOINTS, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return margin + unit * (torch.tensor([size[1] - 1, size[0] - 1]) - 2 * margin)


def ideal(codec: Codec[Any, Any], keypoints: Tensor) -> tuple[Any, Tensor]:
    target = codec.encode(keypoints, torch.ones(keypoints.shape[:2], dtype=torch.bool))
    return codec.ideal_output(target), target.weight > 0


@pytest.mark.parametrize("name", CODECS)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from(SIZES))
def test_keypoints_come_back_from_ideal_outputs(name: str, seed: int, size: tuple[int, int]) -> None:
    make, margin, limit = CODECS[name]
    codec, keypoints = make(size), keypoints_inside(seed, size, margin)
    output, kept = ideal(codec, keypoints)
    assert kept.float().mean() > 0.8
    error = (codec.decode(codec.merge(output)).coordinates - keypoints).abs()
    assert error[kept].max() <= limit


@pytest.mark.parametrize("name", CODECS)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from(SIZES))
def test_the_flipped_view_of_a_perfect_network_moves_nothing(name: str, seed: int, size: tuple[int, int]) -> None:
    make, margin, limit = CODECS[name]
    codec, keypoints = make(size), keypoints_inside(seed, size, max(margin, 8.0))
    mirrored = keypoints[:, list(FLIP)]
    mirrored = torch.stack([size[1] - 1 - mirrored[..., 0], mirrored[..., 1]], dim=-1)
    alone = codec.decode(codec.merge(ideal(codec, keypoints)[0])).coordinates
    merged = codec.merge(ideal(codec, keypoints)[0], ideal(codec, mirrored)[0])
    # The highest of two equal bins is the first: a bin, where peaks are not refined.
    slack = 0.26 if limit > 0.1 else limit
    assert (codec.decode(merged).coordinates - alone).abs().max() <= slack + limit


def maps_with(*peaks: tuple[int, int], size: int = 16) -> Tensor:
    maps = torch.zeros(1, len(peaks), size, size)
    for number, (x, y) in enumerate(peaks):
        maps[0, number, y, x] = 1
    return maps


def test_an_empty_map_is_a_keypoint_at_the_origin_without_confidence() -> None:
    udp = UDPCodec((64, 64), FLIP)
    for value in (0.0, -1.0):
        found = udp.decode(torch.full((2, KEYPOINTS, 16, 16), value))
        assert not found.coordinates.any()
        assert (found.confidence == value).all()
    reference = UDPCodec((64, 64), FLIP, border="reference").decode(torch.zeros(1, KEYPOINTS, 16, 16))
    assert reference.coordinates.isnan().all(), "as mmpose"


def test_a_map_without_a_positive_value_does_not_read_other_maps() -> None:
    udp = UDPCodec((64, 64), FLIP)
    maps = torch.randn(1, KEYPOINTS, 16, 16, generator=torch.Generator().manual_seed(0))
    maps[0, 3] = -maps[0, 3].abs()
    before = udp.decode(maps).coordinates[0, 3]
    maps[0, [2, 4]] = 5.0
    assert torch.equal(udp.decode(maps).coordinates[0, 3], before)


@pytest.mark.parametrize("cell", [(0, 0), (0, 7), (7, 0), (15, 15), (15, 4), (1, 1), (14, 8), (8, 8)])
def test_a_symmetric_peak_in_any_cell_stays_there(cell: tuple[int, int]) -> None:
    """mmpose moves every peak in an outer row or column half a cell outwards."""
    x, y = (torch.exp(-((torch.arange(16) - place) ** 2) / 8.0) for place in cell)
    maps = (y[:, None] * x)[None, None]
    assert map_offset(maps, torch.tensor([[cell]]), 11).abs().max() < 1e-3
    assert vector_offset(x[None, None], torch.tensor([[cell[0]]]), 11).abs().max() < 1e-3


@pytest.mark.parametrize("height", [1e-6, 1.0, 1e6])
def test_the_height_of_a_peak_does_not_move_it(height: float) -> None:
    """mmpose clips at 0.001 and 50."""
    udp, keypoints = UDPCodec((64, 64), FLIP), keypoints_inside(3, (64, 64), 0)
    maps = ideal(udp, keypoints)[0]
    found = udp.decode(maps * height).coordinates
    assert (found - keypoints).abs().max() < 0.01


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), blur=st.sampled_from([1, 3, 11, 17]))
def test_refinement_of_noise_is_finite_and_at_most_a_cell(seed: int, blur: int) -> None:
    maps = torch.randn(2, 3, 8, 6, generator=torch.Generator().manual_seed(seed))
    index = maps.flatten(2).argmax(dim=-1)
    offset = map_offset(maps, torch.stack([index % 6, index // 6], dim=-1), blur)
    assert offset.isfinite().all()
    assert offset.abs().max() <= 1
    vectors = maps.flatten(2).softmax(dim=-1)
    assert vector_offset(vectors, index, blur).abs().max() <= 1


def test_the_shortest_maps_and_vectors_can_be_refined() -> None:
    """Inputs of 32 px have 8 cells, less than a blur is wide."""
    udp = UDPCodec((32, 32), FLIP, blur_cells=17)
    keypoints = keypoints_inside(1, (32, 32), 0)
    assert (udp.decode(ideal(udp, keypoints)[0]).coordinates - keypoints).abs().max() < 0.01
    simcc = SimCCCodec((32, 32), FLIP, split_ratio=1.0, post_process="dark")
    output, kept = ideal(simcc, keypoints)
    assert (simcc.decode(simcc.merge(output)).coordinates - keypoints)[kept].abs().max() < 0.02


def test_half_integer_windows_do_not_move_the_gaussian() -> None:
    """Sigma 1.5 ends a window between cells; near the left border public implementations then lie a cell off."""
    keypoints = torch.full((1, KEYPOINTS, 2), 4.2, dtype=torch.float64)
    visible = torch.ones(1, KEYPOINTS, dtype=torch.bool)
    found = {}
    for rounding in ("exact", "reference"):
        maps = UDPCodec((64, 64), FLIP, sigma=1.5, window=rounding).encode(keypoints, visible).maps
        found[rounding] = maps[0, 0].argmax().item() % 16
    assert found == {"exact": 1, "reference": 2}


def test_weights_of_integral_targets_far_outside() -> None:
    codec = IntegralCodec((64, 64), FLIP)
    keypoints = keypoints_inside(0, (64, 64), 8)
    keypoints[0, 1, 0] = 1e300
    target = codec.encode(keypoints, torch.ones(1, KEYPOINTS, dtype=torch.bool))
    assert target.weight[0, :3].tolist() == [1, 0, 1]
    output = torch.zeros(1, KEYPOINTS, 16, 16, requires_grad=True)
    codec.loss(output, target).backward()
    assert output.grad is not None
    assert output.grad.isfinite().all()


def test_debiasing_takes_out_the_background() -> None:
    """A map that is 0 but for a small symmetric peak off the center: zeros pull its mean towards the center."""
    x = torch.arange(16, dtype=torch.float64)
    peak = torch.exp(-((x - 4) ** 2) / 2) * torch.exp(-((x[:, None] - 10) ** 2) / 2)
    maps = torch.where(peak > 0.01, peak, 0).expand(1, KEYPOINTS, 16, 16)
    step = 63 / 15
    found = {}
    for debias in ("none", "exact"):
        codec = IntegralCodec((64, 64), FLIP, beta=10.0, debias=debias)
        found[debias] = codec.decode(codec.merge(maps)).coordinates[0, 0] / step
    torch.testing.assert_close(found["exact"], torch.tensor([4.0, 10.0], dtype=torch.float64), atol=1e-6, rtol=0)
    assert (found["none"] - found["exact"]).abs().min() > 1e-3


def test_debiasing_a_map_without_a_peak_stays_in_the_crop() -> None:
    """mmpose divides by the sum of exponentials less 1, which is 0 or negative for some maps."""
    codec = IntegralCodec((64, 64), FLIP, debias="exact")
    for level in (-20.0, 0.0, 100.0):
        found = codec.decode(codec.merge(torch.full((1, KEYPOINTS, 16, 16), level))).coordinates
        torch.testing.assert_close(found, torch.full_like(found, 31.5), atol=1e-3, rtol=0)


@pytest.mark.parametrize("likelihood", ["exact", "reference"])
def test_rle_of_an_underflowing_deviation_is_finite(likelihood: str) -> None:
    """mmpose's logarithm of a deviation of 0 is -inf, even for keypoints without weight."""
    codec = RLECodec((64, 64), FLIP, likelihood=likelihood)
    output = torch.full((2, KEYPOINTS, 4), -100.0)
    output[..., :2] = 0.5
    output.requires_grad_()
    weight = torch.ones(2, KEYPOINTS)
    weight[:, 3:] = 0
    loss = codec.loss(output, PointTarget(torch.full((2, KEYPOINTS, 2), 0.4), weight))
    loss.backward()
    assert loss.isfinite()
    assert output.grad is not None
    assert output.grad.isfinite().all()
    assert not output.grad[:, 3:].any()


def density(codec: RLECodec, deviation: float) -> float:
    """Integral over all keypoints of the likelihood that the loss is the logarithm of."""
    grid = torch.linspace(-6, 6, 121)
    points = torch.stack(torch.meshgrid(grid, grid, indexing="ij"), dim=-1).view(-1, 1, 2)
    logit = math.log(deviation / (1 - deviation))
    output = torch.cat([torch.zeros(1, 1, 2), torch.full((1, 1, 2), logit)], dim=-1)
    losses = torch.vmap(lambda one: codec.loss(output, PointTarget(one[None], torch.ones(1, 1))))(points)
    return (-losses).exp().sum().item() * (12 / 120) ** 2


def test_the_exact_likelihood_of_rle_is_a_density() -> None:
    """With f alone, as `residual: false` learns it; mmpose counts it twice, which is none."""
    torch.manual_seed(0)
    with torch.no_grad():
        assert density(RLECodec((64, 64), (0,), residual=False), 0.8) == pytest.approx(1, abs=0.02)
        assert density(RLECodec((64, 64), (0,), residual=False, likelihood="reference"), 0.8) < 0.5


def test_the_confidence_of_rle_falls_with_its_deviations() -> None:
    codec = RLECodec((64, 64), FLIP)
    logits = torch.linspace(-6, 6, KEYPOINTS).view(1, KEYPOINTS, 1).expand(1, KEYPOINTS, 4)
    confidence = codec.decode(codec.merge(logits)).confidence[0]
    assert (confidence.diff() < 0).all()
    assert 0 < confidence.min() < confidence.max() < 1


@pytest.mark.parametrize("shape", ["gaussian", "laplace", "one_hot"])
def test_labels_of_simcc_are_distributions_at_the_border_too(shape: str) -> None:
    codec = SimCCCodec((64, 64), FLIP, shape=shape)
    keypoints = torch.zeros(1, KEYPOINTS, 2, dtype=torch.float64)
    target = codec.encode(keypoints, torch.ones(1, KEYPOINTS, dtype=torch.bool))
    torch.testing.assert_close(target.x.sum(dim=-1), torch.ones(1, KEYPOINTS))


def test_bounds_of_simcc() -> None:
    """mmpose keeps keypoints up to 9 px outside, to be trained towards a tail."""
    keypoints = torch.tensor([[[-9.0, 10.0]] * KEYPOINTS], dtype=torch.float64)
    visible = torch.ones(1, KEYPOINTS, dtype=torch.bool)
    assert not SimCCCodec((64, 64), FLIP).encode(keypoints, visible).weight.any()
    assert SimCCCodec((64, 64), FLIP, weight_bounds="reference").encode(keypoints, visible).weight.all()


def test_logits_below_zero_are_nobody_in_mmpose_only() -> None:
    logits = Coordinates(*(torch.full((1, KEYPOINTS, 128), -2.0) for _ in "xy"))
    logits.x[..., 20], logits.y[..., 30] = -1.0, -1.0
    found = SimCCCodec((64, 64), FLIP).decode(logits)
    assert found.coordinates[0, 0].tolist() == [10, 15]
    assert SimCCCodec((64, 64), FLIP, confidence="logit").decode(logits).coordinates[0, 0].tolist() == [-0.5, -0.5]


def test_a_blur_is_never_even_or_empty() -> None:
    assert {blur_bins(sigma) % 2 for sigma in (0.1, 0.5, 1, 2, 4, 6, 10)} == {1}


def test_batches_of_one_weigh_the_same() -> None:
    """All losses are means over instances; mmpose's of SimCC is a sum."""
    keypoints = torch.cat([keypoints_inside(seed, (64, 64), 8) for seed in range(3)])
    for codec in (SimCCCodec((64, 64), FLIP), HeatmapCodec((64, 64), FLIP, sigma=2), RegressionCodec((64, 64), FLIP)):
        output = codec.ideal_output(codec.encode(keypoints.flip(0), torch.ones(3, KEYPOINTS, dtype=torch.bool)))
        target = codec.encode(keypoints, torch.ones(3, KEYPOINTS, dtype=torch.bool))

        def part(value: Any, one: slice) -> Any:
            return value[one] if isinstance(value, Tensor) else type(value)(*(tensor[one] for tensor in value))

        alone = [codec.loss(part(output, one), part(target, one)) for one in (slice(n, n + 1) for n in range(3))]
        torch.testing.assert_close(codec.loss(output, target), torch.stack(alone).mean())
