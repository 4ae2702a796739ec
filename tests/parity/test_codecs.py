"""Targets, losses with gradients, and decodings against the reference."""

import numpy as np
import pytest
import torch

from bench.pose.codecs.heatmap import HeatmapCodec
from bench.pose.codecs.maps import HeatmapTarget
from bench.pose.codecs.simdr import SimDRCodec, SimDRTarget
from bench.pose.codecs.simdr_star import SimDRStarCodec, SimDRStarTarget
from bench.pose.locating import locate
from bench.pose.outputs import Coordinates
from bench.pose.skeletons import COCO_17
from tests.parity.golden import golden

SIZES = [(64, 64), (128, 128), (256, 192), (384, 288)]
FLIP = COCO_17.flip_indices
FLIP_SHIFTS = ("none", "reference")
"""Our names of the reference's SHIFT_HEATMAP."""

LOSS_SIZE = (64, 48)
"""Input size whose bins at k = 1 are those of the golden losses."""


def crop_keypoints(arrays: dict[str, np.ndarray], name: str) -> tuple[torch.Tensor, torch.Tensor]:
    keypoints = torch.from_numpy(arrays[f"joints_{name}"][None, :, :2])
    return keypoints, torch.from_numpy(arrays[f"vis_{name}"][None, :, 0] > 0)


@pytest.mark.parametrize("sigma", [1, 2, 3])
@pytest.mark.parametrize("size", SIZES)
def test_heatmap_targets(size: tuple[int, int], sigma: int) -> None:
    want, name = golden("generate_target"), f"{size[0]}x{size[1]}"
    target = HeatmapCodec(size, FLIP, sigma=sigma).encode(*crop_keypoints(want, name))
    np.testing.assert_array_equal(target.weight[0], want[f"weight_{name}_s{sigma}"][:, 0])
    np.testing.assert_allclose(target.maps[0], want[f"target_{name}_s{sigma}"], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("split_ratio", [1.0, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("size", SIZES)
def test_simdr_targets(size: tuple[int, int], split_ratio: float) -> None:
    want, name = golden("simdr_target"), f"{size[0]}x{size[1]}"
    target = SimDRCodec(size, FLIP, split_ratio=split_ratio).encode(*crop_keypoints(want, name))
    np.testing.assert_array_equal(target.bins[0], want[f"bins_{name}_k{split_ratio}"])
    np.testing.assert_array_equal(target.weight[0], want[f"weight_{name}_k{split_ratio}"][:, 0])


@pytest.mark.parametrize("sigma", [2, 4, 6])
@pytest.mark.parametrize("split_ratio", [1.5, 2.0])
@pytest.mark.parametrize("size", SIZES)
def test_simdr_star_targets(size: tuple[int, int], split_ratio: float, sigma: int) -> None:
    want, name = golden("sa_simdr_target"), f"{size[0]}x{size[1]}"
    case = f"{name}_k{split_ratio}_s{sigma}"
    codec = SimDRStarCodec(size, FLIP, split_ratio=split_ratio, sigma=sigma)
    target = codec.encode(*crop_keypoints(want, name))
    np.testing.assert_array_equal(target.weight[0], want[f"weight_{case}"][:, 0])
    np.testing.assert_allclose(target.x[0], want[f"x_{case}"], rtol=2e-6, atol=1e-9)
    np.testing.assert_allclose(target.y[0], want[f"y_{case}"], rtol=2e-6, atol=1e-9)


def close(got: torch.Tensor, want: np.ndarray) -> None:
    """Relative 1e-5 of the largest entry: single entries of a gradient cancel to nothing."""
    np.testing.assert_allclose(got.detach().numpy(), want, rtol=1e-5, atol=1e-5 * np.abs(want).max())


@pytest.mark.parametrize("weighted", [True, False])
def test_heatmap_loss(weighted: bool) -> None:
    want = golden("loss_heatmap")
    name = "mse" if weighted else "mse_noweight"
    weight = torch.from_numpy(want["weight"])[..., 0] if weighted else torch.ones(6, 17)
    output = torch.from_numpy(want["output"]).requires_grad_()
    codec = HeatmapCodec((64, 48), FLIP, sigma=1)
    loss = codec.loss(output, HeatmapTarget(torch.from_numpy(want["target"]), weight))
    loss.backward()
    close(loss, want[f"{name}_value"])
    close(output.grad, want[f"{name}_grad"])


def logits(arrays: dict[str, np.ndarray]) -> Coordinates:
    return Coordinates(*(torch.from_numpy(arrays[name]).requires_grad_() for name in ("out_x", "out_y")))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.2, 0.4])
@pytest.mark.parametrize(("reduction", "name"), [("sum", "NMTCritierion"), ("mean", "NMTNORMCritierion")])
def test_simdr_loss(reduction: str, name: str, smoothing: float) -> None:
    want = golden("loss_simdr")
    codec = SimDRCodec(LOSS_SIZE, FLIP, split_ratio=1, label_smoothing=smoothing, loss_reduction=reduction)
    output = logits(want)
    target = SimDRTarget(torch.from_numpy(want["target"]), torch.from_numpy(want["weight"])[..., 0])
    loss = codec.loss(output, target)
    loss.backward()
    case = f"{name}_ls{smoothing}" + ("_intended" if smoothing == 0 else "")
    close(loss, want[f"{case}_value"])
    close(output.x.grad, want[f"{case}_grad_x"])
    close(output.y.grad, want[f"{case}_grad_y"])


def test_simdr_star_loss() -> None:
    want = golden("loss_simdr")
    codec = SimDRStarCodec(LOSS_SIZE, FLIP, split_ratio=1, sigma=2)
    output = logits(want)
    densities = (torch.from_numpy(want[f"kl_target_{axis}"]) for axis in "xy")
    loss = codec.loss(output, SimDRStarTarget(*densities, torch.from_numpy(want["weight"])[..., 0]))
    loss.backward()
    close(loss, want["KLDiscretLoss_value"])
    close(output.x.grad, want["KLDiscretLoss_grad_x"])
    close(output.y.grad, want["KLDiscretLoss_grad_y"])


def assert_decodes(codec, views: list, want: dict[str, np.ndarray], case: str, size: tuple[int, int]) -> None:
    center, scale = (torch.from_numpy(want[name]).float() for name in ("center", "scale"))
    keypoints = locate(codec, views, center, scale, size)
    np.testing.assert_allclose(keypoints[..., :2], want[f"{case}_preds"][..., :2], atol=1e-4)
    np.testing.assert_allclose(keypoints[..., 2], want[f"{case}_preds"][..., 2], atol=1e-6)


@pytest.mark.parametrize("refine", [False, True])
@pytest.mark.parametrize(("flip", "shift"), [(0, 0), (1, 0), (1, 1)])
def test_heatmap_decoding(flip: int, shift: int, refine: bool) -> None:
    want = golden("decode_heatmap_64x64")
    codec = HeatmapCodec(
        (64, 64), FLIP, sigma=1, post_process="quarter" if refine else "none", flip_shift=FLIP_SHIFTS[shift]
    )
    output, flipped = torch.from_numpy(want["out"]), torch.from_numpy(want["out_flip"])
    case = f"flip{flip}_shift{shift}_post{int(refine)}"
    assert_decodes(codec, [output, flipped][: 1 + flip], want, case, (64, 64))


@pytest.mark.parametrize(("flip", "shift"), [(0, 0), (1, 0), (1, 1)])
@pytest.mark.parametrize(
    ("file", "make"),
    [
        ("decode_simdr_64x64", lambda shift: SimDRCodec((64, 64), FLIP, split_ratio=3, flip_shift=FLIP_SHIFTS[shift])),
        (
            "decode_sa-simdr_256x192",
            lambda shift: SimDRStarCodec((256, 192), FLIP, split_ratio=2, sigma=4, flip_shift=FLIP_SHIFTS[shift]),
        ),
    ],
)
def test_coordinate_decoding(file: str, make, flip: int, shift: int) -> None:
    want, codec = golden(file), make(shift)
    output = Coordinates(torch.from_numpy(want["out_x"]), torch.from_numpy(want["out_y"]))
    flipped = Coordinates(torch.from_numpy(want["out_x_flip"]), torch.from_numpy(want["out_y_flip"]))
    assert_decodes(codec, [output, flipped][: 1 + flip], want, f"flip{flip}_shift{shift}", codec.input_size)
