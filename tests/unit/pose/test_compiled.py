"""The compiled way from outputs to keypoints finds what `merge` and `decode` find."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bench.pose import compiled, inference, kernels
from bench.pose.codecs.base import Codec
from bench.pose.codecs.coordinate import softmax
from bench.pose.codecs.heatmap import HeatmapCodec
from bench.pose.codecs.representation import PostProcess
from bench.pose.codecs.simdr import SimDRCodec
from bench.pose.codecs.simdr_star import SimDRStarCodec
from bench.pose.compiled import compiled_keypoints
from bench.pose.data.crops import CropSettings
from bench.pose.geometry import Size
from bench.pose.inference import predict
from bench.pose.locating import locate
from bench.pose.outputs import Coordinates
from bench.pose.skeletons import COCO_17, CROWDPOSE_14, MPII_16
from tests.unit.process_groups import instances

SIZES = [(64, 64), (64, 48), (128, 96), (256, 192)]
MIRRORS = [COCO_17.flip_indices, MPII_16.flip_indices, CROWDPOSE_14.flip_indices, (0,)]
seeds = st.integers(0, 2**32 - 1)
flip = st.sampled_from(MIRRORS)
sizes = st.sampled_from(SIZES)


def crops(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    return 300 * torch.rand(count, 2, generator=generator), 0.5 + torch.rand(count, 2, generator=generator)


def both_ways(
    codec: Codec[Any, Any], views: list[Any], size: Size, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    where = crops(len(views[0][0]) if isinstance(views[0], Coordinates) else len(views[0]), generator)
    found = compiled_keypoints(codec, views, *where, size)
    assert found is not None
    return found, locate(codec, views, *where, size)


def maps_of(kind: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Maps as a network may put them out."""
    if kind == "ties":
        return torch.randint(-2, 3, shape, generator=generator).float()
    noise = torch.randn(shape, generator=generator)
    if kind == "nothing positive":
        return -noise.abs()
    peaks = torch.zeros(shape).flatten(2)
    peaks.scatter_(-1, torch.randint(peaks.shape[-1], (*shape[:2], 1), generator=generator), 1.0)
    return noise if kind == "noise" else peaks.view(shape) + 0.1 * noise


@settings(max_examples=60, deadline=None)
@given(
    seed=seeds,
    size=sizes,
    flip_indices=flip,
    kind=st.sampled_from(["noise", "peaks", "ties", "nothing positive"]),
    shift=st.integers(-3, 3) | st.sampled_from([-20, 20, 70]),
    post_process=st.sampled_from(["quarter", "none"]),
    side_by_side=st.booleans(),
    count=st.integers(1, 5),
)
def test_heatmaps_agree_to_the_bit(
    seed: int,
    size: Size,
    flip_indices: tuple[int, ...],
    kind: str,
    shift: int,
    post_process: PostProcess,
    side_by_side: bool,
    count: int,
) -> None:
    generator = torch.Generator().manual_seed(seed)
    codec = HeatmapCodec(size, flip_indices, sigma=2, post_process=post_process)
    codec.shift = shift
    shape = (count, len(flip_indices), size[0] // 4, size[1] // 4)
    layout = torch.channels_last if side_by_side else torch.contiguous_format
    views = [maps_of(kind, shape, generator).contiguous(memory_format=layout) for _ in range(2)]
    found, expected = both_ways(codec, views, size, generator)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


@settings(max_examples=80, deadline=None)
@given(
    seed=seeds,
    size=sizes,
    flip_indices=flip,
    star=st.booleans(),
    split_ratio=st.sampled_from([1.0, 1.37, 1.5, 2.0, 3.0]),
    shift=st.integers(-3, 3) | st.sampled_from([-70, 70, 150]),
    spread=st.sampled_from([0.0, 0.01, 1.0, 10.0, 1e3, 1e5]),
    offset=st.sampled_from([0.0, -1e3, 1e3]),
    count=st.integers(1, 5),
)
def test_coordinates_agree_but_for_rounding(
    seed: int,
    size: Size,
    flip_indices: tuple[int, ...],
    star: bool,
    split_ratio: float,
    shift: int,
    spread: float,
    offset: float,
    count: int,
) -> None:
    """Where the bins differ, their probabilities agree."""
    generator = torch.Generator().manual_seed(seed)
    if star:
        codec = SimDRStarCodec(size, flip_indices, split_ratio=split_ratio, sigma=4)
    else:
        codec = SimDRCodec(size, flip_indices, split_ratio=split_ratio)
    codec.shift = shift
    views = [
        Coordinates(
            *(offset + spread * torch.randn(count, len(flip_indices), bins, generator=generator) for bins in codec.bins)
        )
        for _ in range(2)
    ]
    rows = torch.from_numpy(compiled.READERS[type(codec)].read(codec, *views))
    merged = codec.merge(*views)
    decoded = codec.decode(merged)
    torch.testing.assert_close(rows[..., 2], decoded.confidence, rtol=1e-6, atol=0)
    for axis, values in enumerate(softmax(merged) if star else merged):
        bins = (rows[..., axis] * codec.split_ratio).round().long()
        torch.testing.assert_close(rows[..., axis], bins / codec.split_ratio, rtol=0, atol=0)
        here = values.gather(-1, bins.unsqueeze(-1)).squeeze(-1)
        torch.testing.assert_close(here, values.amax(-1), rtol=1e-6, atol=0)


def simdr_case(count: int = 4) -> tuple[SimDRCodec, list[Coordinates]]:
    codec = SimDRCodec((64, 64), COCO_17.flip_indices, split_ratio=2)
    generator = torch.Generator().manual_seed(0)
    draws = [torch.randn(count, COCO_17.size, 128, generator=generator) for _ in range(4)]
    return codec, [Coordinates(*draws[:2]), Coordinates(*draws[2:])]


def heatmap_case(count: int = 4) -> tuple[HeatmapCodec, list[Tensor]]:
    generator = torch.Generator().manual_seed(0)
    views = [torch.randn(count, COCO_17.size, 16, 16, generator=generator) for _ in range(2)]
    return HeatmapCodec((64, 64), COCO_17.flip_indices, sigma=2), views


def keypoints(codec: Codec[Any, Any], views: list[Any], count: int = 4) -> Tensor | None:
    return compiled_keypoints(codec, views, *crops(count, torch.Generator().manual_seed(0)), (64, 64))


@pytest.mark.parametrize("case", [simdr_case, heatmap_case])
def test_threads_make_no_difference(case: Any) -> None:
    found = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 64):
            torch.set_num_threads(threads)
            found.append(keypoints(*case(5), 5))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


FIRST_USE = """
import torch
from tests.unit.pose.test_compiled import heatmap_case, keypoints

torch.set_num_threads(1)
assert keypoints(*heatmap_case()) is not None
print(torch.get_num_threads())
"""


def test_torch_keeps_its_number_of_threads() -> None:
    """In a process of its own: it is when numba starts its threads that it would change torch's."""
    done = subprocess.run([sys.executable, "-c", FIRST_USE], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


OTHER_NAN = np.uint32(0x7FC00001).view(np.float32)


@pytest.mark.parametrize("value", [np.nan, OTHER_NAN, np.inf])
@pytest.mark.parametrize("view", [0, 1])
@pytest.mark.parametrize("place", [1, 5, -2])
def test_what_is_no_number_is_left_to_the_plain_way(value: float, view: int, place: int) -> None:
    codec, views = simdr_case()
    views[view].x.numpy()[1, 3, place] = value
    assert keypoints(codec, views) is None
    assert keypoints(SimDRStarCodec((64, 64), COCO_17.flip_indices, split_ratio=2, sigma=4), views) is None
    where = crops(4, torch.Generator().manual_seed(0))
    assert locate(codec, views, *where, (64, 64), compiled=True)[1].isnan().any()

    heatmaps, maps = heatmap_case()
    for layout in (torch.contiguous_format, torch.channels_last):
        maps[view][1, 3, 2, place] = np.nan
        assert keypoints(heatmaps, [one.contiguous(memory_format=layout) for one in maps]) is None


@pytest.mark.parametrize("offset", [1e7, -1e8, 1e30])
def test_logits_too_large_to_tell_apart_are_left_to_the_plain_way(offset: float) -> None:
    codec, views = simdr_case()
    assert keypoints(codec, [Coordinates(view.x + offset, view.y) for view in views]) is None


def test_nothing_beside_a_peak_is_no_slope() -> None:
    codec, maps = heatmap_case()
    for view in maps:
        view.fill_(-np.inf)
        view[..., 7, 5], view[..., 7, 11] = 1.0, 1.0
    found, expected = both_ways(codec, maps, (64, 64), torch.Generator().manual_seed(0))
    assert torch.equal(found, expected)


def test_shapes_of_another_codec_are_left_to_the_plain_way() -> None:
    """Which says what is wrong; a kernel would read beside the array."""
    codec, views = simdr_case()
    heatmaps, maps = heatmap_case()
    for count in (14, 20):
        some = [torch.rand(4, count, 16, 16) for _ in "12"]
        for layout in (torch.contiguous_format, torch.channels_last):
            assert keypoints(heatmaps, [one.contiguous(memory_format=layout) for one in some]) is None
        draws = [torch.rand(4, count, 128) for _ in "1234"]
        assert keypoints(codec, [Coordinates(*draws[:2]), Coordinates(*draws[2:])]) is None
    assert keypoints(heatmaps, [torch.rand(4, COCO_17.size, 32, 32) for _ in "12"]) is None
    assert keypoints(heatmaps, [maps[0], maps[1][:3]]) is None
    assert keypoints(codec, [views[0], Coordinates(views[1].x, views[1].y[..., :-1])]) is None
    assert keypoints(codec, views, count=2) is None
    assert keypoints(heatmaps, maps, count=2) is None
    with pytest.raises(RuntimeError, match="size of tensor"):
        locate(
            heatmaps, [torch.rand(4, 20, 16, 16) for _ in "12"], *crops(4, torch.Generator()), (64, 64), compiled=True
        )


class Mine(SimDRCodec):
    """Decodes in a way of its own."""


def test_what_nothing_is_compiled_for_is_left_to_the_plain_way() -> None:
    codec, views = simdr_case()
    assert keypoints(codec, views) is not None
    assert keypoints(codec, views[:1]) is None
    assert keypoints(codec, [Coordinates(*(axis.double() for axis in view)) for view in views]) is None
    assert keypoints(codec, [views[0], Coordinates(views[1].x.clone().requires_grad_(), views[1].y)]) is None
    assert keypoints(Mine((64, 64), COCO_17.flip_indices, split_ratio=2), views) is None
    assert keypoints(SimDRCodec((64, 64), COCO_17.flip_indices, split_ratio=1.5, flip_shift="exact"), views) is None

    _, maps = heatmap_case()
    assert keypoints(HeatmapCodec((64, 64), COCO_17.flip_indices, sigma=2, post_process="dark"), maps) is None
    moved = HeatmapCodec((64, 64), COCO_17.flip_indices, sigma=2)
    moved.shift = 0.5
    assert keypoints(moved, maps) is None
    odd = [torch.rand(4, COCO_17.size, 18, 16) for _ in range(2)]
    assert keypoints(HeatmapCodec((72, 64), COCO_17.flip_indices, sigma=2), odd) is None


def test_predictions_of_many_instances_are_compiled(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the loader's processes, forked after the kernels' threads started, go on."""
    someone = instances(tmp_path, 6)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, COCO_17.size, 4, stride=4))
    codec = HeatmapCodec((64, 64), COCO_17.flip_indices, sigma=2)
    heard: list[bool] = []

    def listening(*arguments: Any) -> Tensor | None:
        found = compiled_keypoints(*arguments)
        heard.append(found is not None)
        return found

    monkeypatch.setattr("bench.pose.locating.compiled_keypoints", listening)

    def keypoints(workers: int = 0) -> np.ndarray:
        how = {"flip_test": True, "device": torch.device("cpu"), "batch_size": 3, "workers": workers}
        predictions, _ = predict(model, codec, someone, CropSettings((64, 64), "rgb", COCO_17), **how)
        return predictions.keypoints

    plain = keypoints()
    assert not heard
    monkeypatch.setattr(inference, "MANY", len(someone))
    assert np.array_equal(keypoints(), plain)
    assert np.array_equal(keypoints(workers=2), plain)
    assert heard == [True] * 4


def test_kernels_are_compiled_where_they_can_t_be_kept() -> None:
    """A function without a file has no folder."""
    space: dict[str, Any] = {}
    exec("def twice(number): return 2 * number", space)
    assert kernels.compiled(kept=True)(space["twice"])(21) == 42
