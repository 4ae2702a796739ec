"""SimCC against mmpose, gradients included. Tests say where ours differs on purpose.

Not held, for want of a counterpart: visibilities that mmpose computes besides, and maps that it draws of vectors.
"""

import re
from typing import Any

import numpy as np
import pytest
import torch

from bench.pose.codecs.blur import blurred
from bench.pose.codecs.coordinate import blur_bins
from bench.pose.codecs.dark import reference_vector_offset
from bench.pose.codecs.simcc import SimCCCodec, SimCCTarget
from bench.pose.outputs import Coordinates
from bench.pose.skeletons import COCO_17
from tests.parity.golden import golden

FLIP = COCO_17.flip_indices
SIMCC = golden("simcc", "golden_mmpose")

SIGMAS = {"gauss6": {"sigma": 6.0}, "gauss_pair": {"sigmas": (4.9, 5.66)}}
NORMALIZE = {"norm": "density", "raw": "none"}

LOSSES = [
    key for key in SIMCC if re.fullmatch(r"loss_(norm|raw|standard|onehot)_[a-z0-9_]+", key) and "grad" not in key
]


def codec(name: str = "64x64", sigmas: tuple[float, float] | None = None, **changes: Any) -> SimCCCodec:
    """A codec that does as mmpose; with sigmas that RTMPose rounds where ours follow from the input's sides."""
    width, height = map(int, name.split("x"))
    reference = {
        "split_ratio": 2.0,
        "normalize": "density",
        "bin_center": "rounded",
        "weight_bounds": "reference",
        "confidence": "logit",
        "border": "reference",
        "flip_shift": "none",
    }
    made = SimCCCodec((height, width), FLIP, **(reference | changes))
    if sigmas is not None:
        made.sigmas, made.blur = sigmas, (blur_bins(sigmas[0]), blur_bins(sigmas[1]))
    return made


def tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.asarray(values))


def keypoints(name: str, samples: Any = slice(None)) -> tuple[torch.Tensor, torch.Tensor]:
    return tensor(SIMCC[f"kpts_{name}"][samples]).double(), tensor(SIMCC[f"vis_{name}"][samples]) >= 0.5


def predictions(name: str = "pred", size: str = "_64x64") -> Coordinates:
    return Coordinates(tensor(SIMCC[f"{name}_x{size}"]), tensor(SIMCC[f"{name}_y{size}"]))


def labels_settings(case: str) -> dict[str, Any]:
    kind, *others = re.split(r"_(?=norm|raw|k)", case)
    split = [{"split_ratio": float(other[1:])} for other in others if other.startswith("k")]
    if kind.startswith("standard"):
        return {"shape": "one_hot", "label_smoothing": float(kind.removeprefix("standard"))} | dict(*split)
    return SIGMAS[kind] | {"normalize": NORMALIZE[others[0]]} | dict(*split)


@pytest.mark.parametrize(
    ("name", "case"), [match.groups() for key in SIMCC if (match := re.fullmatch(r"x_(\d+x\d+)_(\w[\w.]+)", key))]
)
def test_labels(name: str, case: str) -> None:
    samples = SIMCC[f"samples_{name}_{case}"]
    target = codec(name, **labels_settings(case)).encode(*keypoints(name, samples))
    visibility, want = SIMCC[f"vis_{name}"][samples], SIMCC[f"weights_{name}_{case}"]
    seen = visibility >= 0.5  # a fraction below stays as the weight of an empty label in mmpose
    np.testing.assert_allclose((target.weight.numpy() * visibility)[seen], want[seen])
    for axis in "xy":
        np.testing.assert_allclose(getattr(target, axis), SIMCC[f"{axis}_{name}_{case}"], rtol=2e-6, atol=1e-9)


def test_nearest_bins() -> None:
    bins = torch.round(keypoints("64x64")[0] * 2)
    np.testing.assert_array_equal(bins, SIMCC["bins_64x64"])


DECODINGS = [
    (size, case)
    for key in SIMCC
    if (match := re.fullmatch(r"decode_(\d+x\d+)_(\w+)_kpts", key))
    for size, case in [match.groups()]
]


@pytest.mark.parametrize(("size", "case"), DECODINGS)
def test_decoding(size: str, case: str) -> None:
    sigmas = SIGMAS["gauss_pair" if case in {"dark_pair", "dark_visibility"} else "gauss6"]
    merged = predictions(size=f"_{size}")
    before = merged.x.clone()
    found = codec(size, post_process="dark" if "dark" in case else "none", **sigmas).decode(merged)
    np.testing.assert_allclose(found.coordinates, SIMCC[f"decode_{size}_{case}_kpts"], rtol=2e-4, atol=4e-4)
    np.testing.assert_array_equal(found.confidence, SIMCC[f"decode_{size}_{case}_scores"])
    assert torch.equal(before, merged.x), "mmpose overwrites its inputs"


@pytest.mark.parametrize("size", ["64x64", "192x256"])
def test_highest_bins(size: str) -> None:
    found = codec(size).decode(predictions(size=f"_{size}"))
    np.testing.assert_array_equal(found.coordinates * 2, SIMCC[f"maxloc_{size}"])
    np.testing.assert_array_equal(found.confidence, SIMCC[f"maxval_{size}"])


def test_blur() -> None:
    found = blurred(tensor(SIMCC["pred_x_64x64"][:1]), 37, (-1,))
    np.testing.assert_allclose(found, SIMCC["blur1d_x_64x64_k37"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("blur", [7, 29, 37])
def test_refinement(blur: int) -> None:
    bins = tensor(SIMCC["maxloc_64x64"][..., 0])
    found = bins + reference_vector_offset(tensor(SIMCC["pred_x_64x64"]), bins.long(), blur)
    np.testing.assert_allclose(found, SIMCC[f"refine_x_64x64_k{blur}"], rtol=3e-4, atol=3e-4)


def test_blur_follows_sigma() -> None:
    assert [blur_bins(sigma) for sigma in (6, 4.9, 5.66)] == [37, 29, 35]


@pytest.mark.parametrize(
    ("case", "settings"),
    [
        ("gauss6_norm", {}),
        ("gauss6_raw", {"normalize": "none"}),
        ("dark", {"post_process": "dark"}),
        ("standard", {"shape": "one_hot"}),
    ],
)
def test_labels_decode_to_their_keypoints(case: str, settings: dict[str, Any]) -> None:
    simcc = codec("64x64", **settings)
    target = simcc.encode(*keypoints("64x64"))
    found = simcc.decode(Coordinates(target.x, target.y))
    np.testing.assert_allclose(found.coordinates, SIMCC[f"roundtrip_{case}_kpts"], rtol=3e-4, atol=4e-4)
    np.testing.assert_allclose(found.confidence, SIMCC[f"roundtrip_{case}_scores"], rtol=2e-6)


@pytest.mark.parametrize(
    ("size", "sigma", "along_y"), [("192x256", 4.9, 5.66), ("288x384", 6, 6.93), ("256x256", 5.66, 5.66)]
)
def test_rtmposes_sigmas(size: str, sigma: float, along_y: float) -> None:
    assert codec(size, sigma=sigma, scale_sigma=True).sigmas == (sigma, pytest.approx(along_y, abs=0.005))


@pytest.mark.parametrize("case", ["plain", "dark"])
def test_flip(case: str) -> None:
    simcc = codec("64x64", post_process="dark" if case == "dark" else "none")
    merged = simcc.merge(predictions(), predictions("flip_pred", ""))
    np.testing.assert_allclose(merged.x, SIMCC["flip_average_x"], atol=1e-6)
    found = simcc.decode(merged)
    np.testing.assert_allclose(found.coordinates, SIMCC[f"flip_{case}_kpts"], rtol=2e-4, atol=4e-4)
    np.testing.assert_allclose(found.confidence, SIMCC[f"flip_{case}_scores"], atol=1e-6)


@pytest.mark.parametrize("case", ["plain", "dark"])
def test_mirrored_labels(case: str) -> None:
    """mmpose mirrors bins without a shift: a quarter px too far to the right, as its DARK shows. Ours shifts them."""
    points = tensor(SIMCC["perfect_kpts"]).double()
    mirrored = points[:, list(FLIP)] * points.new_tensor([-1, 1]) + points.new_tensor([63, 0])
    visible = torch.ones(points.shape[:2], dtype=torch.bool)
    off = {}
    for shift in ("none", "exact"):
        simcc = codec("64x64", post_process="dark" if case == "dark" else "none", flip_shift=shift)
        views = [Coordinates(*simcc.encode(view, visible)[:2]) for view in (points, mirrored)]
        found = simcc.decode(simcc.merge(*views)).coordinates
        if shift == "none":
            np.testing.assert_allclose(found, SIMCC[f"perfect_flip_{case}_kpts"], rtol=2e-4, atol=4e-4)
        off[shift] = (found - points)[..., 0].mean().item()
    if case == "dark":
        assert off["none"] - off["exact"] == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("key", LOSSES)
def test_loss(key: str) -> None:
    """mmpose adds over the batch: three times ours for three instances."""
    _, kind, *options = key.split("_")
    settings = {
        "beta": 10.0 if "beta10" in options or "mask" in options else 1.0,
        "label_softmax": "softmax" in options or "mask" in options,
        "label_beta": 1.0 if "lb1" in options else 10.0,
    }
    x, y = (tensor(SIMCC[f"loss_pred_{axis}"]).requires_grad_() for axis in "xy")
    weight = tensor(SIMCC[f"loss_target_{kind}_weight"]).clone()
    if "noweight" in options:
        weight = torch.ones_like(weight)
    if "mask" in options:  # mmpose's factor of listed keypoints
        weight[:, [0, 5, 6]] *= 0.25
    target = SimCCTarget(*(tensor(SIMCC[f"loss_target_{kind}_{axis}"]) for axis in "xy"), weight)
    loss = codec("24x32", **settings).loss(Coordinates(x, y), target) * len(x)
    loss.backward()
    np.testing.assert_allclose(loss.detach(), SIMCC[key], rtol=1e-5)
    for axis, logits in (("x", x), ("y", y)):
        want = SIMCC.get(f"{key}_grad_{axis}")
        if want is not None:
            np.testing.assert_allclose(logits.grad, want, rtol=1e-5, atol=1e-5 * np.abs(want).max())


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("norm", {"sigma": 2.0}),
        ("raw", {"sigmas": (2.0, 2.5), "normalize": "none"}),
        ("standard", {"shape": "one_hot", "label_smoothing": 0.1}),
        ("onehot", {"shape": "one_hot", "label_smoothing": 0.0}),
    ],
)
def test_labels_of_the_losses(kind: str, settings: dict[str, Any]) -> None:
    target = codec("24x32", **settings).encode(tensor(SIMCC["loss_kpts"]).double(), tensor(SIMCC["loss_vis"]) >= 0.5)
    seen = SIMCC[f"loss_target_{kind}_weight"] > 0
    for axis in "xy":
        found = getattr(target, axis)[seen]
        np.testing.assert_allclose(found, SIMCC[f"loss_target_{kind}_{axis}"][seen], rtol=2e-6, atol=1e-9)
