"""Soft-argmax, regression and RLE against mmpose, gradients included.

Not held, for want of a counterpart: the accuracy that mmpose logs, a squared error of coordinates that none of its
configurations uses, and maps that it only draws.
"""

import re
from typing import Any

import numpy as np
import pytest
import torch

from bench.pose.codecs.integral import IntegralCodec, IntegralTarget, jensen_shannon
from bench.pose.codecs.points import PointTarget, fractions, weighted_error
from bench.pose.codecs.realnvp import RealNVP
from bench.pose.codecs.regression import RegressionCodec
from bench.pose.codecs.rle import RLECodec
from bench.pose.skeletons import COCO_17
from tests.parity.golden import golden

FLIP = COCO_17.flip_indices
INTEGRAL, REGRESSION, RLE = (golden(name, "golden_mmpose") for name in ("integral", "regression", "rle"))

INTEGRAL_INPUTS, POINT_INPUTS = ("48x64", "64x64", "128x128"), ("64x64", "128x128", "192x256")
BETAS = ("b1", "b10", "b1_debias", "b10_debias")
MAP_LOSSES = {"smoothl1": "none", "l1": "none", "dsnt_js": "divergence", "ipr_mse": "squared"}


def tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.asarray(values))


def size_of(name: str) -> tuple[int, int]:
    width, height = map(int, name.split("x"))
    return height, width


def close(got: torch.Tensor | None, want: np.ndarray, rtol: float = 1e-5) -> None:
    """Relative to the largest entry too: single entries of a gradient cancel to nothing."""
    assert got is not None
    np.testing.assert_allclose(got.detach().numpy(), want, rtol=rtol, atol=rtol * np.abs(want).max())


def integral(name: str, case: str = "b1", **changes: Any) -> IntegralCodec:
    beta, *debias = case.removeprefix("b").split("_")
    settings = {"beta": float(beta), "debias": "reference" if debias else "none", "grid": "reference"}
    return IntegralCodec(size_of(name), FLIP, **(settings | {"heatmap_center": "rounded"} | changes))


def digits(case: str, maps: torch.Tensor) -> np.ndarray:
    """Relative tolerance per map: debiasing divides by the sum of exponentials less 1, about 1 for keypoint 9."""
    near_one = (maps.detach().flatten(2).logsumexp(dim=-1).abs() < 0.1).numpy()
    return np.where(near_one & case.endswith("debias"), 1e-3, 1e-5)


def in_float64(codec: IntegralCodec, maps: np.ndarray) -> torch.Tensor:
    return codec.merge(tensor(maps).double())


@pytest.mark.parametrize("name", INTEGRAL_INPUTS)
def test_integral_targets(name: str) -> None:
    keypoints, visible = tensor(INTEGRAL[f"kpts_{name}"]).double(), tensor(INTEGRAL[f"vis_{name}"]) > 0.5
    target = integral(name).encode(keypoints, visible)
    weight = INTEGRAL[f"target_weights_{name}"]
    np.testing.assert_array_equal(target.weight > 0, weight > 0)
    seen = weight > 0  # ours leaves the targets of keypoints without weight undefined
    np.testing.assert_allclose(target.points[seen], INTEGRAL[f"target_labels_{name}"][seen], rtol=1e-6)
    np.testing.assert_allclose(target.maps[seen], INTEGRAL[f"target_heatmaps_{name}"][seen], rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("case", BETAS)
@pytest.mark.parametrize("name", INTEGRAL_INPUTS)
def test_integral_coordinates(name: str, case: str) -> None:
    codec, maps = integral(name, case), INTEGRAL[f"feats_{name}"]
    want = INTEGRAL[f"coords64_{name}_{case}"]
    np.testing.assert_allclose(in_float64(codec, maps), want, rtol=1e-7, atol=1e-8)  # of a grid in float32
    # Float32 leaves few digits where a map's exponentials add up to about 1 (keypoint 9).
    steady = np.abs(want).max(axis=-1) < 2
    found = codec.decode(codec.merge(tensor(maps)))
    np.testing.assert_allclose(
        found.coordinates[steady], INTEGRAL[f"decoded_{name}_{case}"][steady], rtol=1e-5, atol=1e-4
    )
    np.testing.assert_array_equal(found.confidence, INTEGRAL[f"scores_{name}_{case}"])
    fractions_of_input = codec.merge(tensor(maps))[steady]
    np.testing.assert_allclose(fractions_of_input, INTEGRAL[f"coords_{name}_{case}"][steady], rtol=1e-5, atol=1e-6)
    for step, side, axis in zip(codec.steps, codec.input_size[::-1], "xy", strict=True):
        grid = INTEGRAL[f"linspace_{axis}_{name}"].ravel()
        np.testing.assert_allclose(np.arange(len(grid)) * step / side, grid, rtol=1e-6)


@pytest.mark.parametrize("case", BETAS)
def test_gradients_of_integral_coordinates(case: str) -> None:
    maps = tensor(INTEGRAL["feats_48x64"]).requires_grad_()
    integral("48x64", case).merge(maps).backward(tensor(INTEGRAL["coords_cotangent_48x64"]))
    for rtol in np.unique(alike := digits(case, maps)):
        close(maps.grad[alike == rtol], INTEGRAL[f"coords_vjp_48x64_{case}"][alike == rtol], rtol)


@pytest.mark.parametrize("shift", [0, 1])
def test_integral_flip(shift: int) -> None:
    codec = integral("48x64", flip_shift="exact" if shift else "none")
    views = (tensor(INTEGRAL[name]) for name in ("feats_48x64", "feats_flipped_48x64"))
    found = codec.decode(codec.merge(*views))
    np.testing.assert_allclose(found.coordinates, INTEGRAL[f"flip_48x64_coords{shift}_heatmap0_decoded"], atol=1e-4)
    if shift:  # a shift of the maps, which mmpose only draws, changes nothing
        np.testing.assert_allclose(found.coordinates, INTEGRAL["flip_48x64_coords1_heatmap1_decoded"], atol=1e-4)


@pytest.mark.parametrize(
    ("name", "kind", "case"),
    [
        match.groups()
        for key in INTEGRAL
        if (match := re.fullmatch(r"loss_(\w+?)_(\w+?_?\w+?)_(b\d+(?:_debias)?)", key))
    ],
)
def test_integral_loss(name: str, kind: str, case: str) -> None:
    error = "l1" if kind == "l1" else "smooth_l1"
    codec = integral(name, case, coordinate_loss=error, map_loss=MAP_LOSSES[kind])
    maps = tensor(INTEGRAL[f"feats_{name}"]).requires_grad_()
    target = IntegralTarget(*(tensor(INTEGRAL[f"target_{part}_{name}"]) for part in ("labels", "weights", "heatmaps")))
    loss = codec.loss(maps, target)
    loss.backward()
    close(loss, INTEGRAL[f"loss_{name}_{kind}_{case}"], digits(case, maps).max())
    if MAP_LOSSES[kind] != "none":
        alone = integral(name, case, coordinate_loss=error, map_loss="none").loss(maps, target).detach()
        parts = torch.stack([alone, loss.detach() - alone])
        np.testing.assert_allclose(parts, INTEGRAL[f"parts_{name}_{kind}_{case}"], rtol=1e-3, atol=1e-6)
    want = INTEGRAL.get(f"grad_{name}_{kind}_{case}")
    if want is not None:
        assert maps.grad.isfinite().all()  # mmpose's are NaN where a weight or a probability is 0
        for rtol in np.unique(alike := digits(case, maps)):
            defined = np.isfinite(want).all(axis=(-2, -1)) & (alike == rtol)
            close(maps.grad[defined], want[defined], rtol)
        assert not maps.grad[target.weight == 0].any()


@pytest.mark.parametrize("case", ["b1", "b10_debias"])
def test_integral_loss_where_mmposes_gradient_is_finite(case: str) -> None:
    codec = integral("48x64", case, coordinate_loss="smooth_l1", map_loss="divergence")
    maps = tensor(INTEGRAL["finite_feats"]).requires_grad_()
    loss = codec.loss(
        maps, IntegralTarget(*(tensor(INTEGRAL[f"finite_{part}"]) for part in ("labels", "weights", "heatmaps")))
    )
    loss.backward()
    close(loss, INTEGRAL[f"finite_loss_{case}"])
    close(maps.grad, INTEGRAL[f"finite_grad_{case}"])


@pytest.mark.parametrize("weighted", [0, 1])
def test_divergence(weighted: int) -> None:
    p, q = (tensor(INTEGRAL[f"js_{name}"]) for name in ("pred", "target"))
    weight = tensor(INTEGRAL["js_weight"])[..., None, None] if weighted else 1.0
    log_p = p.clamp(min=torch.finfo(p.dtype).tiny).log().requires_grad_()
    loss = (weight * jensen_shannon(log_p, q)).sum()
    close(loss / len(p), INTEGRAL[f"js_weight{weighted}_average1_loss"])
    close(loss, INTEGRAL[f"js_weight{weighted}_average0_loss"])
    (loss / len(p)).backward()
    want = INTEGRAL[f"js_weight{weighted}_average1_grad"] * p.numpy()  # the derivative by log p
    defined = np.isfinite(want)
    close(log_p.grad[defined], want[defined], rtol=2e-5)
    assert log_p.grad.isfinite().all()


@pytest.mark.parametrize("weighted", [0, 1])
@pytest.mark.parametrize(
    ("kind", "name", "arrays", "parts"),
    [
        (kind, name, arrays, parts)
        for kind, name in (("l1", "L1Loss"), ("smooth_l1", "SmoothL1Loss"))
        for arrays, parts in (
            (REGRESSION, ("loss_{}", "loss_pred", "loss_labels", "loss_weights", "grad_{}")),
            (INTEGRAL, ("coord_{}_loss", "coord_pred", "coord_target", "coord_weight", "coord_{}_grad")),
        )
    ],
)
def test_coordinate_losses(
    kind: str, name: str, arrays: dict[str, np.ndarray], parts: tuple[str, ...], weighted: int
) -> None:
    loss_name, points, target, weight, gradient = (part.format(f"{name}_weight{weighted}") for part in parts)
    output = tensor(arrays[points]).requires_grad_()
    weights = tensor(arrays[weight]) if weighted else torch.ones(output.shape[:2])
    loss = weighted_error(output, PointTarget(tensor(arrays[target]), weights), kind)
    loss.backward()
    close(loss, arrays[loss_name])
    close(output.grad, arrays[gradient])


@pytest.mark.parametrize("name", POINT_INPUTS)
def test_regression(name: str) -> None:
    keypoints, visible = tensor(REGRESSION[f"kpts_{name}"]).double(), tensor(REGRESSION[f"vis_{name}"]) > 0.5
    target = fractions(keypoints, visible, size_of(name))
    np.testing.assert_array_equal(target.weight, REGRESSION[f"weights_{name}"])
    seen = REGRESSION[f"weights_{name}"] > 0  # mmpose keeps the places of keypoints without weight; ours are 0
    np.testing.assert_allclose(target.points[seen], REGRESSION[f"labels_{name}"][seen], rtol=1e-6)
    codec = RegressionCodec(size_of(name), FLIP)
    found = codec.decode(codec.merge(tensor(REGRESSION[f"pred_{name}"])))
    np.testing.assert_allclose(found.coordinates, REGRESSION[f"decoded_{name}"], rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(found.confidence, REGRESSION[f"scores_{name}"])
    with_deviations = RLECodec(size_of(name), FLIP).decode(tensor(REGRESSION[f"pred_sigma_{name}"]))
    np.testing.assert_allclose(with_deviations.coordinates, REGRESSION[f"decoded_sigma_{name}"], rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(with_deviations.confidence, REGRESSION[f"scores_sigma_{name}"], atol=1e-6)


@pytest.mark.parametrize("shift", [0, 1])
@pytest.mark.parametrize("name", POINT_INPUTS)
def test_flips_of_points(name: str, shift: int) -> None:
    flip_shift = "exact" if shift else "none"
    codec = RegressionCodec(size_of(name), FLIP, flip_shift=flip_shift)
    views = (tensor(REGRESSION[f"flip_pred{part}_{name}"]) for part in ("", "_flipped"))
    found = codec.decode(codec.merge(*views))
    np.testing.assert_allclose(found.coordinates, REGRESSION[f"flip_shift{shift}_decoded_{name}"], rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(found.confidence, REGRESSION[f"flip_shift{shift}_scores_{name}"])
    rle = RLECodec(size_of(name), FLIP, flip_shift=flip_shift)
    found = rle.decode(rle.merge(tensor(RLE["head_out"]), tensor(RLE["head_out_flipped"])))
    np.testing.assert_allclose(found.coordinates, RLE[f"flip_shift{shift}_decoded_{name}"], rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(found.confidence, RLE[f"flip_shift{shift}_scores"], atol=1e-6)
    alone = rle.decode(rle.merge(tensor(RLE["head_out"])))
    np.testing.assert_allclose(alone.coordinates, RLE[f"decoded_{name}"], rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(alone.confidence, RLE["scores"], atol=1e-6)


def flow(start: str) -> RealNVP:
    """mmpose's flow, by its names."""
    weights = {
        key.removeprefix(f"{start}."): tensor(value) for key, value in RLE.items() if key.startswith(f"{start}.")
    }
    module = RealNVP()
    module.load_state_dict(weights)
    return module


@pytest.mark.parametrize("bits", ["", "64"])
@pytest.mark.parametrize("start", ["init", "strong"])
def test_flow(start: str, bits: str) -> None:
    module = flow(start).double() if bits else flow(start)
    points = tensor(RLE["points"]).to(module.loc.dtype).requires_grad_()
    latent, log_determinant = module.latent(points)
    rtol = 1e-9 if bits else 1e-5
    close(latent, RLE[f"{start}_z{bits}"], rtol)
    close(log_determinant, RLE[f"{start}_logdet{bits}"], rtol)
    density = module(points)
    density.sum().backward()
    close(density, RLE[f"{start}_logprob{bits}"], rtol)
    close(points.grad, RLE[f"{start}_logprob_grad{bits}"], rtol)


@pytest.mark.parametrize(
    "case", [key.removesuffix("_loss") for key in RLE if key.endswith("_loss") and not key.startswith("head")]
)
def test_rle_loss(case: str) -> None:
    start, distribution, residual, weighted, average = case.split("_")
    codec = RLECodec(
        (64, 64), FLIP, distribution=distribution, residual=residual == "residual1", likelihood="reference"
    )
    for bits, rtol in (("64", 1e-9), ("", 2e-5)):
        kind = torch.float64 if bits else torch.float32
        codec.loss_module = flow(start).to(kind)
        pred, logits = (tensor(RLE[name]).to(kind).requires_grad_() for name in ("pred", "sigma_logits"))
        weight = tensor(RLE["weight"]) if weighted == "weight1" else torch.ones(pred.shape[:2])
        loss = codec.loss(
            torch.cat([pred, logits], dim=-1), PointTarget(tensor(RLE["target"]).to(kind), weight.to(kind))
        )
        close(loss * (1 if average == "average1" else len(pred)), RLE[f"{case}_loss{bits}"], rtol)
        if average == "average0":
            continue
        loss.backward()
        close(pred.grad, RLE[f"{case}_grad_pred{bits}"], rtol)
        close(logits.grad, RLE[f"{case}_grad_sigma{bits}"], rtol)
        for name, parameter in codec.loss_module.named_parameters():
            if f"{case}_flowgrad_{name}{bits}" in RLE:
                close(parameter.grad, RLE[f"{case}_flowgrad_{name}{bits}"], rtol)


@pytest.mark.parametrize("start", ["init", "strong"])
def test_norms_of_the_flows_gradients(start: str) -> None:
    case = f"{start}_laplace_residual1_weight1_average1"
    codec = RLECodec((64, 64), FLIP, likelihood="reference")
    codec.loss_module = flow(start)
    output = torch.cat([tensor(RLE[name]) for name in ("pred", "sigma_logits")], dim=-1)
    codec.loss(output, PointTarget(tensor(RLE["target"]), tensor(RLE["weight"]))).backward()
    gradients = {name: parameter.grad.norm().item() for name, parameter in codec.loss_module.named_parameters()}
    found = np.array([gradients[name] for name in RLE[f"{case}_flowparam_names"]])
    np.testing.assert_allclose(found, RLE[f"{case}_flowgradnorms"], rtol=1e-4)


def test_loss_of_mmposes_rle_head() -> None:
    codec = RLECodec((64, 64), FLIP, likelihood="reference")
    codec.loss_module = flow("strong")
    output = tensor(RLE["head_out"]).requires_grad_()
    loss = codec.loss(output, PointTarget(tensor(RLE["head_labels"]), tensor(RLE["head_weights"])))
    loss.backward()
    close(loss, RLE["head_strong_loss"])
    close(output.grad, RLE["head_strong_grad"], rtol=2e-5)
