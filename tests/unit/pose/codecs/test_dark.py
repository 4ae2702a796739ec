"""DARK encoding and refinement: a Gaussian around the exact keypoint is found again far below a cell."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.pose.codecs.blur import gaussian_kernel
from bench.pose.codecs.dark import dark_offset
from bench.pose.codecs.heatmap import HeatmapCodec
from bench.pose.codecs.representation import PostProcess
from bench.pose.skeletons import COCO_17

SIZE = (64, 48)


def codec(post_process: PostProcess) -> HeatmapCodec:
    return HeatmapCodec((256, 192), COCO_17.flip_indices, sigma=2, heatmap_center="exact", post_process=post_process)


@settings(max_examples=50, deadline=None)
@given(x=st.floats(40, 150), y=st.floats(40, 210))
def test_an_exact_gaussian_is_found_within_a_tenth_of_a_pixel(x: float, y: float) -> None:
    keypoints = torch.tensor([[x, y]], dtype=torch.float64).expand(1, 17, 2)
    maps = codec("dark").encode(keypoints, torch.ones(1, 17, dtype=torch.bool)).maps
    errors = {
        post_process: (codec(post_process).decode(maps).coordinates - keypoints).abs().max().item()
        for post_process in ("dark", "none")
    }
    assert errors["dark"] < 0.1
    assert errors["none"] <= 2.0 + 1e-6, "half a cell of 4 px"


def test_flat_maps_and_borders_are_left_alone() -> None:
    flat = torch.zeros(1, 2, *SIZE)
    cell = torch.tensor([[[20, 30], [0, 0]]])
    assert dark_offset(flat, cell).abs().max() == 0
    corner = flat.clone()
    corner[..., 0, 0] = 1
    assert dark_offset(corner, torch.zeros(1, 2, 2, dtype=torch.long)).abs().max() == 0


def test_a_blur_of_an_even_width_is_refused() -> None:
    with pytest.raises(ValueError, match="a blur of 10 cells has no center; expected an odd number, for example 11"):
        dark_offset(torch.zeros(1, 1, 16, 16), torch.zeros(1, 1, 2, dtype=torch.long), 10)
    for cells in (1, 3, 5, 7, 9, 11, 37):
        kernel = gaussian_kernel(cells)
        assert torch.equal(kernel, kernel.flip(0))
        torch.testing.assert_close(kernel.sum(), torch.ones((), dtype=torch.float64))
