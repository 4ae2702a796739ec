"""Properties that every representation must have, whatever the size, the splitting factor and the keypoints."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bench.conformance.codec_cases import everything, trained_cases
from bench.pose.codecs.base import Codec, shift_right
from bench.pose.codecs.representation import REPRESENTATIONS as ALL
from bench.pose.codecs.representation import build_codec, codec_settings
from bench.pose.codecs.simdr import SimDRCodec, SimDRTarget, smoothed_divergence
from bench.pose.data.augmentation import flip_keypoints
from bench.pose.errors import UnknownNameError
from bench.pose.outputs import Coordinates
from bench.pose.skeletons import COCO_17

SIZE = (64, 32)
KEYPOINTS = COCO_17.size
REPRESENTATIONS = ("heatmap", "simdr", "simdr_star")
SPLIT_RATIOS = (1.0, 1.37, 1.5, 2.0, 3.0)

split_ratios = st.sampled_from(SPLIT_RATIOS) | st.floats(1, 4)
seeds = st.integers(0, 2**32 - 1)


def codec(representation: str, **changes: Any) -> Codec[Any, Any]:
    needed = {
        "split_ratio": 2.0,
        "sigma": 2.0,
        "label_smoothing": 0.1,
        "loss_reduction": "sum",
        "weight_bounds": "reference",
        "heatmap_center": "rounded",
        "post_process": "none",
    }
    values = {name: value for name, value in (needed | changes).items() if value is not None}
    return build_codec(codec_settings(representation, SIZE, **values), COCO_17.flip_indices)


def keypoints_inside(seed: int, *, instances: int = 3, margin: float = 0.0) -> Tensor:
    """Keypoints between the centers of the first and the last pixel, `margin` px off both."""
    draws = np.random.default_rng(seed).random((instances, KEYPOINTS, 2))
    span = np.array([SIZE[1] - 1, SIZE[0] - 1]) - 2 * margin
    return torch.from_numpy(margin + draws * span)


def everything_visible(keypoints: Tensor) -> Tensor:
    return torch.ones(keypoints.shape[:2], dtype=torch.bool)


def random_output(representation: str, instances: int, seed: int = 0, split_ratio: float = 2.0) -> Any:
    generator = torch.Generator().manual_seed(seed)
    if representation == "heatmap":
        return torch.randn(instances, KEYPOINTS, SIZE[0] // 4, SIZE[1] // 4, generator=generator, requires_grad=True)
    sizes = [int(side * split_ratio) for side in (SIZE[1], SIZE[0])]
    return Coordinates(*(torch.randn(instances, KEYPOINTS, n, generator=generator, requires_grad=True) for n in sizes))


def leaves(output: Any) -> tuple[Tensor, ...]:
    return tuple(output) if isinstance(output, Coordinates) else (output,)


def one_hot(bins: Tensor, count: int) -> Tensor:
    return torch.nn.functional.one_hot(bins, count).float() * 50


# Encoding and decoding


@settings(max_examples=60, deadline=None)
@given(seed=seeds, split_ratio=split_ratios)
def test_simdr_loses_at_most_half_a_bin(seed: int, split_ratio: float) -> None:
    simdr = codec("simdr", split_ratio=split_ratio)
    keypoints = keypoints_inside(seed)
    target = simdr.encode(keypoints, everything_visible(keypoints))
    output = Coordinates(*(one_hot(target.bins[..., axis], simdr.bins[axis]) for axis in (0, 1)))
    error = (simdr.decode(simdr.merge(output)).coordinates - keypoints).abs()
    assert error[target.weight > 0].max() <= 0.5 / split_ratio + 1e-6
    # A keypoint in the last pixel may lie beyond the last bin when the splitting factor is no whole number.
    assert (target.weight > 0)[(keypoints * split_ratio + 0.5 < torch.tensor(simdr.bins)).all(-1)].all()


@settings(max_examples=60, deadline=None)
@given(seed=seeds, split_ratio=split_ratios, sigma=st.floats(1, 8))
def test_simdr_star_loses_at_most_half_a_bin(seed: int, split_ratio: float, sigma: float) -> None:
    star = codec("simdr_star", split_ratio=split_ratio, sigma=sigma)
    keypoints = keypoints_inside(seed, margin=1)
    target = star.encode(keypoints, everything_visible(keypoints))
    assert target.weight.all()
    output = Coordinates(target.x.clamp(min=1e-30).log(), target.y.clamp(min=1e-30).log())
    error = (star.decode(star.merge(output)).coordinates - keypoints).abs()
    assert error.max() <= 0.5 / split_ratio + 1e-4


@settings(max_examples=60, deadline=None)
@given(seed=seeds, sigma=st.sampled_from([1.0, 2.0, 3.0]))
def test_heatmaps_lose_at_most_half_a_cell(seed: int, sigma: float) -> None:
    heatmap = codec("heatmap", sigma=sigma)
    keypoints = keypoints_inside(seed)
    target = heatmap.encode(keypoints, everything_visible(keypoints))
    assert target.weight.all()
    error = (heatmap.decode(heatmap.merge(target.maps)).coordinates - keypoints).abs()
    # Half a cell of 4 px; the last cell's center is up to 3 px from the last pixel's.
    limit = torch.where(keypoints < torch.tensor([SIZE[1] - 2, SIZE[0] - 2]), 2.0, 3.0)
    assert (error <= limit + 1e-6).all()


@pytest.mark.parametrize("representation", REPRESENTATIONS)
def test_who_is_not_visible_or_far_outside_has_no_weight(representation: str) -> None:
    keypoints = keypoints_inside(0, instances=1)
    visible = everything_visible(keypoints)
    visible[0, 0] = False
    keypoints[0, 1] = torch.tensor([-1000.0, 10.0])
    keypoints[0, 2] = torch.tensor([10.0, 1e300])
    weight = codec(representation).encode(keypoints, visible).weight
    assert weight[0, :4].tolist() == [0, 0, 0, 1]


# The flipped view


def flipped(keypoints: Tensor) -> Tensor:
    """The keypoints in the flipped crop."""
    visible = np.ones(KEYPOINTS, dtype=bool)
    return torch.from_numpy(
        np.stack([flip_keypoints(instance, visible, SIZE[1], COCO_17)[0] for instance in keypoints.numpy()])
    )


@settings(max_examples=40, deadline=None)
@given(seed=seeds, split_ratio=st.sampled_from([1.0, 2.0, 3.0]))
def test_the_exact_shift_puts_the_flipped_view_in_its_place(seed: int, split_ratio: float) -> None:
    """Ideal outputs of a crop and of its mirror image merge to the output of the crop alone."""
    star = codec("simdr_star", split_ratio=split_ratio, sigma=1.0, flip_shift="exact")
    # Borders, where the shift repeats a bin, are left out.
    keypoints = keypoints_inside(seed, margin=8)
    views = [star.encode(view, everything_visible(view)) for view in (keypoints, flipped(keypoints))]
    alone, other = (Coordinates(view.x, view.y) for view in views)
    merged = star.merge(alone, other)
    torch.testing.assert_close(merged.x, alone.x, atol=1e-5, rtol=0)
    torch.testing.assert_close(merged.y, alone.y, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("split_ratio", "error"), [(1.0, -1), (2.0, 0), (3.0, 1)])
def test_the_reference_s_shift_of_one_bin_is_exact_for_two_bins_per_pixel_only(split_ratio: float, error: int) -> None:
    star = codec("simdr_star", split_ratio=split_ratio, sigma=1.0, flip_shift="reference")
    keypoints = torch.full((1, KEYPOINTS, 2), 16.0, dtype=torch.float64)
    target = star.encode(flipped(keypoints), everything_visible(keypoints))
    nothing = Coordinates(torch.zeros_like(target.x), torch.zeros_like(target.y))
    peaks = star.merge(nothing, Coordinates(target.x, target.y)).x.argmax(-1)
    assert (peaks - 16 * split_ratio == error).all()


@pytest.mark.parametrize("representation", REPRESENTATIONS)
def test_the_flipped_view_swaps_left_and_right(representation: str) -> None:
    chosen = codec(representation, flip_shift="none")
    view = random_output(representation, 2)
    swap = list(COCO_17.flip_indices)
    nothing = [torch.zeros_like(leaf) for leaf in leaves(view)]
    if representation == "heatmap":
        merged = chosen.merge(nothing[0], view)
        torch.testing.assert_close(merged, view[:, swap].flip(-1) / 2)
    else:
        alone = chosen.merge(Coordinates(view.x[:, swap].flip(-1), view.y[:, swap]))
        both = chosen.merge(Coordinates(view.x[:, swap].flip(-1), view.y[:, swap]), view)
        torch.testing.assert_close(both, alone)


values = st.integers(1, 12).flatmap(
    lambda size: st.just(torch.randn(2, size, generator=torch.Generator().manual_seed(size)))
)


@given(values=values, cells=st.integers(-15, 15))
def test_a_whole_shift_moves_values_and_repeats_the_border(values: Tensor, cells: int) -> None:
    size = values.shape[-1]
    source = [min(max(cell - cells, 0), size - 1) for cell in range(size)]
    torch.testing.assert_close(shift_right(values, cells), values[:, source], rtol=0, atol=0)


@given(values=values, cells=st.floats(-15, 15))
def test_a_fractional_shift_stays_between_its_neighbours(values: Tensor, cells: float) -> None:
    shifted = shift_right(values, cells)
    weight = cells - math.floor(cells)
    between = torch.lerp(shift_right(values, math.floor(cells)), shift_right(values, math.floor(cells) + 1), weight)
    torch.testing.assert_close(shifted, between, atol=1e-5, rtol=0)


# Losses


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("representation", REPRESENTATIONS)
def test_a_keypoint_without_weight_has_no_gradient(representation: str, reduction: str) -> None:
    chosen = codec(representation, loss_reduction=reduction)
    keypoints = keypoints_inside(0, instances=2)
    visible = everything_visible(keypoints)
    visible[0, 3] = visible[1] = False
    output = random_output(representation, 2)
    chosen.loss(output, chosen.encode(keypoints, visible)).backward()
    for leaf in leaves(output):
        gradient = leaf.grad.flatten(2).abs().amax(-1)
        assert (gradient[~visible] == 0).all()
        assert (gradient[visible] > 0).all()


@pytest.mark.parametrize("split_ratio", SPLIT_RATIOS)
@pytest.mark.parametrize("representation", REPRESENTATIONS)
def test_a_batch_of_one_works(representation: str, split_ratio: float) -> None:
    chosen = codec(representation, split_ratio=split_ratio)
    keypoints = keypoints_inside(1, instances=1)
    output = random_output(representation, 1, split_ratio=split_ratio)
    loss = chosen.loss(output, chosen.encode(keypoints, everything_visible(keypoints)))
    assert loss.shape == ()
    assert loss.isfinite()
    decoded = chosen.decode(chosen.merge(output, output))
    assert (decoded.coordinates.shape, decoded.confidence.shape) == ((1, KEYPOINTS, 2), (1, KEYPOINTS))


@pytest.mark.parametrize("representation", REPRESENTATIONS)
def test_descending_the_loss_leads_to_the_keypoints(representation: str) -> None:
    """Outputs trained alone, without a network, decode to the keypoints that they were trained towards."""
    chosen = codec(representation)
    keypoints = keypoints_inside(2, instances=1, margin=2)
    target = chosen.encode(keypoints, everything_visible(keypoints))
    output = random_output(representation, 1)
    optimizer = torch.optim.Adam(leaves(output), lr=0.2)
    losses = []
    for _ in range(120):
        optimizer.zero_grad()
        loss = chosen.loss(output, target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]
    error = (chosen.decode(chosen.merge(output)).coordinates - keypoints).abs().max()
    assert error <= (2.0 if representation == "heatmap" else 0.51)


@settings(deadline=None)
@given(seed=seeds, classes=st.integers(2, 50))
def test_without_smoothing_the_divergence_is_cross_entropy(seed: int, classes: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(5, classes, generator=generator)
    targets = torch.randint(classes, (5,), generator=generator)
    expected = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    torch.testing.assert_close(smoothed_divergence(logits, targets, 0.0), expected)


@settings(deadline=None)
@given(seed=seeds, classes=st.integers(2, 50), smoothing=st.floats(0.01, 0.6))
def test_the_divergence_is_zero_at_the_smoothed_target_and_positive_elsewhere(
    seed: int, classes: int, smoothing: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    targets = torch.randint(classes, (4,), generator=generator)
    ideal = torch.full((4, classes), smoothing / (classes - 1), dtype=torch.float64)
    ideal[range(4), targets] = 1 - smoothing
    noise = torch.randn(4, classes, generator=generator, dtype=torch.float64)
    at_target = smoothed_divergence(ideal.log(), targets, smoothing)
    torch.testing.assert_close(at_target, torch.zeros(4, dtype=torch.float64), atol=1e-9, rtol=0)
    assert (smoothed_divergence(ideal.log() + noise, targets, smoothing) > 0).all()


def test_the_two_reductions_differ_by_the_count_of_keypoints_and_bins() -> None:
    output = Coordinates(*(torch.randn(2, KEYPOINTS, n) for n in (32, 64)))
    target = SimDRTarget(torch.zeros(2, KEYPOINTS, 2, dtype=torch.int64), torch.ones(2, KEYPOINTS))

    def loss(reduction: str, only: int) -> Tensor:
        """Loss of one axis: the other's output is its target."""
        exact = [one_hot(target.bins[..., axis], output[axis].shape[-1]) for axis in (0, 1)]
        views = [output[axis] if axis == only else exact[axis] for axis in (0, 1)]
        chosen = SimDRCodec(SIZE, COCO_17.flip_indices, split_ratio=1, label_smoothing=0, loss_reduction=reduction)
        return chosen.loss(Coordinates(*views), target)

    for axis, bins in enumerate((32, 64)):
        torch.testing.assert_close(loss("sum", axis), loss("mean", axis) * KEYPOINTS * bins)


# Building


def test_an_unknown_representation_or_a_missing_setting_is_named() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'simdr'"):
        codec("simdrr")
    with pytest.raises(TypeError, match=r"missing .* 'sigma'"):
        codec("simdr_star", sigma=None)


@pytest.mark.parametrize(("bounds", "weight"), [("reference", 1.0), ("exact", 0.0)])
def test_a_keypoint_whose_gaussian_ends_just_before_the_map_keeps_its_weight_in_the_reference_only(
    bounds: str, weight: float
) -> None:
    """Behaviour D21: sigma 2, map coordinate -7, so that the last cell of the Gaussian is -1."""
    keypoints = torch.full((1, KEYPOINTS, 2), 16.0)
    keypoints[0, 0, 0] = -7 * 4 - 2
    target = codec("heatmap", weight_bounds=bounds).encode(keypoints.double(), everything_visible(keypoints))
    assert target.weight[0, 0] == weight
    assert target.maps[0, 0].abs().max() == 0
    assert target.weight[0, 1:].all()


@pytest.mark.parametrize("representation", ALL)
def test_keypoints_far_outside_leave_loss_and_gradient_finite(representation: str) -> None:
    keypoints = torch.tensor([[[-1e4, 2e4]] * KEYPOINTS, [[20.0, 10.0]] * KEYPOINTS], dtype=torch.float64)
    used = codec(representation)
    known, (height, width) = ALL[representation], SIZE
    shapes = {
        "maps": [(height // 4, width // 4)],
        "coordinates": [(2 * width,), (2 * height,)],
        "points": [(known.values,)],
    }
    tensors = [torch.zeros(2, KEYPOINTS, *shape, requires_grad=True) for shape in shapes[known.output]]
    output = Coordinates(*tensors) if len(tensors) == 2 else tensors[0]
    loss = used.loss(output, used.encode(keypoints, everything_visible(keypoints)))
    loss.backward()
    assert loss.isfinite()
    assert all(tensor.grad is not None and tensor.grad.isfinite().all() for tensor in tensors)


@pytest.mark.parametrize("name", ALL)
def test_targets_and_losses_copy_nothing_from_the_host(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU's host would wait for such a copy, and a step that has one cannot be recorded."""

    def copied(*_: object, **__: object) -> Tensor:
        raise AssertionError("the host would wait")

    prepared = [(case, case.output(seed=1), case.keypoints()) for case in trained_cases(name) if case.codec]
    monkeypatch.setattr(torch, "tensor", copied)
    monkeypatch.setattr(torch.Tensor, "new_tensor", copied)
    for case, output, keypoints in prepared:
        assert case.loss(output, keypoints, everything(keypoints)).isfinite(), case
