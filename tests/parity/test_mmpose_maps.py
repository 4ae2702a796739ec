"""Heatmaps, DARK and UDP against mmpose. `reference` settings do as it does; tests say where we differ on purpose."""

import re
from typing import Any

import numpy as np
import pytest
import torch

from bench.pose.codecs.blur import blurred
from bench.pose.codecs.dark import dark_offset, reference_map_offset
from bench.pose.codecs.heatmap import HeatmapCodec
from bench.pose.codecs.maps import HeatmapTarget, half_squared_difference, highest_cell
from bench.pose.codecs.udp import UDPCodec
from bench.pose.skeletons import COCO_17
from tests.parity.golden import golden

FLIP = COCO_17.flip_indices
UDP, MSRA = golden("udp_heatmap", "golden_mmpose"), golden("msra_heatmap", "golden_mmpose")

INPUTS = ("64x64", "128x128", "192x256")
"""Width and height, as mmpose writes them."""

DEFINED = slice(1, None)
"""Special maps of the last sample without the first, of zeros: NaN in mmpose."""


def size_of(name: str) -> tuple[int, int]:
    width, height = map(int, name.split("x"))
    return height, width


def keypoints(
    arrays: dict[str, np.ndarray], name: str, samples: Any = slice(None)
) -> tuple[torch.Tensor, torch.Tensor]:
    points, visible = arrays[f"kpts_{name}"][samples], arrays[f"vis_{name}"][samples]
    return torch.from_numpy(points).double(), torch.from_numpy(visible) >= 0.5


def decoded(arrays: dict[str, np.ndarray], pattern: str) -> list[tuple[str, ...]]:
    return [match.groups() for key in arrays if (match := re.fullmatch(pattern, key))]


def mask_of_visible(arrays: dict[str, np.ndarray], name: str, samples: Any) -> np.ndarray:
    """Where mmpose reads the visibility as it is: a fraction below 0.5 stays as the weight of an empty map."""
    return arrays[f"vis_{name}"][samples] >= 0.5


def udp_codec(name: str, **changes: Any) -> UDPCodec:
    return UDPCodec(size_of(name), FLIP, **({"window": "reference", "border": "reference"} | changes))


def in_mmposes_unit(coordinates: torch.Tensor, name: str) -> np.ndarray:
    """Coordinates as UDPHeatmap.decode returns them, for a way back to the image that divides by w."""
    height, width = size_of(name)
    return coordinates.numpy() * [width / (width - 1), height / (height - 1)]


def tolerance(cell: float) -> dict[str, float]:
    """Of the special maps, which lie where float32 leaves three digits of a second derivative."""
    return {"atol": 2e-4 * cell, "rtol": 1e-4}


@pytest.mark.parametrize(("name", "sigma"), decoded(UDP, r"heatmaps_(\d+x\d+)_s([\d.]+)"))
def test_udp_targets(name: str, sigma: str) -> None:
    samples = UDP["samples_192x256"] if name == "192x256" else slice(None)
    points, visible = keypoints(UDP, name, samples)
    target = udp_codec(name, sigma=float(sigma)).encode(points.float(), visible)  # mmpose rounds halves in float32
    seen = mask_of_visible(UDP, name, samples)
    visibility = UDP[f"vis_{name}"][samples]
    np.testing.assert_allclose((target.weight.numpy() * visibility)[seen], UDP[f"weights_{name}_s{sigma}"][seen])
    np.testing.assert_allclose(target.maps, UDP[f"heatmaps_{name}_s{sigma}"], rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize(("name", "blur"), decoded(UDP, r"decode_(\d+x\d+)_b(\d+)_kpts"))
def test_udp_decoding(name: str, blur: str) -> None:
    maps, case = torch.from_numpy(UDP[f"pred_{name}"]), f"decode_{name}_b{blur}"
    confidence, cell = highest_cell(maps)
    placed = torch.where((confidence > 0).unsqueeze(-1), cell, -1)
    np.testing.assert_array_equal(placed, UDP[f"maxloc_{name}"])
    np.testing.assert_array_equal(confidence, UDP[f"maxval_{name}"])
    refined = placed + reference_map_offset(maps, placed, int(blur))
    np.testing.assert_allclose(refined, UDP[f"{case}_refined"], **tolerance(1.0))
    found = udp_codec(name, blur_cells=int(blur)).decode(maps)
    np.testing.assert_allclose(in_mmposes_unit(found.coordinates, name), UDP[f"{case}_kpts"], **tolerance(4.0))
    np.testing.assert_array_equal(found.confidence, UDP[f"{case}_scores"])


@pytest.mark.parametrize(("name", "sigma", "blur"), decoded(UDP, r"roundtrip_udp_(\d+x\d+)_s(\d)_b(\d+)"))
def test_udp_of_its_own_targets(name: str, sigma: str, blur: str) -> None:
    codec = udp_codec(name, sigma=float(sigma), blur_cells=int(blur))
    found = codec.decode(codec.encode(*keypoints(UDP, name)).maps).coordinates
    want = UDP[f"roundtrip_udp_{name}_s{sigma}_b{blur}"]
    np.testing.assert_allclose(in_mmposes_unit(found, name), want, atol=1e-3)


@pytest.mark.parametrize("name", INPUTS)
def test_place_of_cells(name: str) -> None:
    np.testing.assert_allclose(udp_codec(name).step, UDP[f"scale_factor_{name}"], rtol=1e-6)


@pytest.mark.parametrize(("sample", "blur"), [(3, 11), (0, 7)])
def test_blur(sample: int, blur: int) -> None:
    found = blurred(torch.from_numpy(UDP["pred_64x64"][sample : sample + 1]), blur, (-2, -1))[0]
    want = UDP[f"blurred_64x64_b{blur}_sample{sample}"]
    defined = slice(None) if sample == 0 else DEFINED  # a map of zeros stays zeros
    np.testing.assert_allclose(found[defined], want[defined], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shift", [0, 1])
def test_udp_flip(shift: int) -> None:
    codec = udp_codec("64x64")
    codec.shift = float(shift)  # ours never shifts: the maps of mirrored crops are mirrored maps
    merged = codec.merge(*(torch.from_numpy(UDP[name]) for name in ("flip_pred", "flip_pred_flipped")))
    np.testing.assert_allclose(merged, UDP[f"flip_average_shift{shift}"], atol=1e-6)
    found = codec.decode(merged)
    np.testing.assert_allclose(
        in_mmposes_unit(found.coordinates, "64x64"), UDP[f"flip_udp_shift{shift}_kpts"], atol=4e-4
    )
    np.testing.assert_allclose(found.confidence, UDP[f"flip_udp_shift{shift}_scores"], atol=1e-6)


@pytest.mark.parametrize(("kind", "name", "sigma"), decoded(MSRA, r"heatmaps_(\w+)_(\d+x\d+)_s([\d.]+)"))
def test_heatmap_targets(kind: str, name: str, sigma: str) -> None:
    case = f"{kind}_{name}_s{sigma}"
    samples = MSRA[f"samples_{case}"]
    center = "rounded" if kind == "biased" else "exact"
    codec = HeatmapCodec(size_of(name), FLIP, sigma=float(sigma), heatmap_center=center)
    target = codec.encode(*keypoints(MSRA, name, samples))
    seen = mask_of_visible(MSRA, name, samples)
    want = MSRA[f"weights_{case}"]
    np.testing.assert_allclose((target.weight.numpy() * MSRA[f"vis_{name}"][samples])[seen], want[seen])
    np.testing.assert_allclose(target.maps, MSRA[f"heatmaps_{case}"], rtol=1e-5, atol=2e-6)


def placed_as_in_mmpose(coordinates: torch.Tensor, confidence: torch.Tensor) -> torch.Tensor:
    """Keypoints without a positive value at cell -1, where ours, like the SimDR reference, puts them at (0, 0)."""
    return torch.where((confidence > 0).unsqueeze(-1), coordinates, -4.0)


@pytest.mark.parametrize(("name", "blur"), decoded(MSRA, r"decode_dark_(\d+x\d+)_b(\d+)_kpts"))
def test_dark_decoding(name: str, blur: str) -> None:
    maps, case = torch.from_numpy(MSRA[f"pred_{name}"]), f"decode_dark_{name}_b{blur}"
    codec = HeatmapCodec(size_of(name), FLIP, sigma=2, post_process="dark", blur_cells=int(blur))
    found = codec.decode(maps)
    np.testing.assert_allclose(placed_as_in_mmpose(*found), MSRA[f"{case}_kpts"], atol=4e-4)
    np.testing.assert_array_equal(found.confidence, MSRA[f"{case}_scores"])
    confidence, cell = highest_cell(maps)
    refined = torch.where((confidence > 0).unsqueeze(-1), cell + dark_offset(maps, cell, int(blur)), -1)
    np.testing.assert_allclose(refined, MSRA[f"{case}_refined"], atol=1e-4)


def refined_alike(maps: torch.Tensor) -> np.ndarray:
    """Coordinates that mmpose refines by a quarter as the SimDR reference and we do, which is not at the border.

    mmpose refines x also in rows 1 and the last, and y in columns 1 and the last.
    """
    height, width = maps.shape[-2:]
    x, y = highest_cell(maps)[1].numpy().transpose(2, 0, 1)
    inner_x, inner_y = (x > 1) & (x < width - 1), (y > 1) & (y < height - 1)
    ours = inner_x & inner_y
    return np.stack([(inner_x & (y > 0)) == ours, (inner_y & (x > 0)) == ours], axis=-1)


@pytest.mark.parametrize("name", INPUTS)
def test_quarter_decoding(name: str) -> None:
    maps = torch.from_numpy(MSRA[f"pred_{name}"])
    found = HeatmapCodec(size_of(name), FLIP, sigma=2, post_process="quarter").decode(maps)
    want, alike = MSRA[f"decode_quarter_{name}_kpts"], refined_alike(maps)
    assert alike.mean() > 0.9
    difference = np.abs(placed_as_in_mmpose(*found).numpy() - want)
    assert difference[alike].max() < 1e-5
    assert difference.max() <= 1, "a quarter of a cell"
    np.testing.assert_array_equal(found.confidence, MSRA[f"decode_quarter_{name}_scores"])


@pytest.mark.parametrize(("kind", "name", "sigma", "blur"), decoded(MSRA, r"roundtrip_(\w+)_(\d+x\d+)_s(\d)_b(\d+)"))
def test_heatmaps_of_their_own_targets(kind: str, name: str, sigma: str, blur: str) -> None:
    codec = HeatmapCodec(
        size_of(name),
        FLIP,
        sigma=float(sigma),
        heatmap_center="exact" if kind == "dark" else "rounded",
        post_process="dark" if kind == "dark" else "quarter",
        blur_cells=int(blur),
    )
    maps = codec.encode(*keypoints(MSRA, name)).maps
    found = placed_as_in_mmpose(*codec.decode(maps))
    want = MSRA[f"roundtrip_{kind}_{name}_s{sigma}_b{blur}"]
    alike = refined_alike(maps) if kind == "quarter" else np.ones(found.shape, dtype=bool)
    np.testing.assert_allclose(found[alike], want[alike], atol=1e-3)


@pytest.mark.parametrize("shift", [0, 1])
@pytest.mark.parametrize("kind", ["quarter", "dark"])
def test_heatmap_flip(kind: str, shift: int) -> None:
    codec = HeatmapCodec((64, 64), FLIP, sigma=2, post_process=kind, flip_shift="reference" if shift else "none")
    merged = codec.merge(*(torch.from_numpy(MSRA[name]) for name in ("flip_pred", "flip_pred_flipped")))
    found, want = codec.decode(merged), MSRA[f"flip_{kind}_shift{shift}_kpts"]
    alike = refined_alike(merged) if kind == "quarter" else np.ones(want.shape, dtype=bool)
    np.testing.assert_allclose(found.coordinates[alike], want[alike], atol=4e-4)
    np.testing.assert_allclose(found.confidence, MSRA[f"flip_{kind}_shift{shift}_scores"], atol=1e-6)


def test_loss() -> None:
    """mmpose has no half and takes the weight once: twice ours with the weights' roots, or with weights of 0 and 1."""
    output = torch.from_numpy(MSRA["pred_64x64"][:2]).requires_grad_()
    weight = torch.from_numpy(MSRA["mse_weight"]).sqrt()
    loss = 2 * half_squared_difference(output, HeatmapTarget(torch.from_numpy(MSRA["mse_target"]), weight))
    loss.backward()
    np.testing.assert_allclose(loss.detach(), MSRA["mse_loss"], rtol=1e-5)
    np.testing.assert_allclose(output.grad, MSRA["mse_grad"], rtol=1e-5, atol=1e-5 * np.abs(MSRA["mse_grad"]).max())
