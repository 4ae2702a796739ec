"""Is it right? Steps, precision, resumption and recorded steps."""

from __future__ import annotations

import copy
import signal
import subprocess
import sys
import warnings
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bench.pose.codecs.representation import REPRESENTATIONS
from bench.pose.data.augmentation import Augmentation
from bench.pose.data.crops import Batch, Crops
from bench.pose.inference import predict
from bench.pose.precision import Precision, autocast, to_float32
from bench.pose.training import Training
from benchmarks.gpu.checks import Check, NotPossibleError, Setting, WrongError
from benchmarks.gpu.trainings import (
    LITE,
    cached_pixels,
    codec_of,
    crop_settings,
    drawn,
    network,
    never,
    not_saved,
    prepare,
    recorder,
    repeated,
    state_hash,
    training,
)

SIZE = (64, 64)
STEPS, KILLED_AFTER = 30, 17
BATCH = 16

EXACT_BOUND, TIMES_THE_CPU_S = 1e-7, 3.0
"""Largest relative difference of a step's gradients in float64, and how many times farther off than the CPU's those in
float32 may be. Rounding flips ReLUs: HRNet-W32's are 3 % off on a CPU, too."""

FLOAT32_BOUND, BFLOAT16_BOUND = 1e-5, 0.3
"""Largest relative errors of a product in float32 (TF32 makes 3e-4), and of a network in bfloat16 (HRNet-W32: 0.09)."""


def checks(setting: Setting) -> list[Check]:
    """The checks of trainings, by worth."""
    backbones = ("simba_tiny",) if setting.quick else ("hrnet_w32", "simba_res50", LITE)
    main = backbones[0]
    others = backbones[1:]
    representations = ("heatmap", "rle") if setting.quick else REPRESENTATIONS
    found = [
        Check("float32 without TF32", partial(float32, setting)),
        Check(f"a step of {main}", partial(step, setting, main), limit=90),
        Check(f"twice the same: {main}", partial(twice, setting, main), limit=90),
        Check("killed and resumed", partial(resumed, setting, main), limit=150, needs=20),
        *(_recorded(setting, main, precision) for precision in ("float32", "bfloat16")),
        Check(f"bfloat16 of {main}", partial(bfloat16, setting, main)),
        Check(f"keypoints of {main}", partial(keypoints, setting, main)),
        *(Check(f"twice the same: {one}", partial(twice, setting, one)) for one in others),
        *(_recorded(setting, one, "bfloat16") for one in others),
        *(_recorded(setting, "simba_tiny", "float32", name) for name in representations),
    ]
    return [replace(check, proves=True) for check in found]


def _recorded(setting: Setting, backbone: str, precision: Precision, representation: str = "simdr") -> Check:
    name = f"recorded steps: {backbone} {representation} {precision}"
    return Check(name, partial(recorded, setting, backbone, precision, representation))


def float32(setting: Setting) -> Mapping[str, Any]:
    """Convolutions and products in float32 are as exact as float32 is."""
    device = prepare(setting)
    torch.manual_seed(0)
    maps, kernel = torch.randn(8, 64, 32, 32), torch.randn(64, 64, 3, 3)
    rows, weight = torch.randn(256, 512), torch.randn(512, 512)
    found = {}
    for name, function, inputs in (
        ("convolution", partial(nn.functional.conv2d, padding=1), (maps, kernel)),
        ("product", torch.matmul, (rows, weight)),
    ):
        exact = function(*(one.double() for one in inputs))
        made = function(*(one.to(device) for one in inputs)).cpu().double()
        found[name] = float((made - exact).norm() / exact.norm())
        if not found[name] <= FLOAT32_BOUND:
            raise WrongError(
                f"the {name}'s relative error is {found[name]:.1e}, at most {FLOAT32_BOUND:.0e} is float32"
            )
    return found


def first_batch(setting: Setting, count: int = BATCH) -> Batch:
    """The first crops of the drawn images."""
    data = drawn(setting)
    crops = Crops(repeated(data.instances, count), crop_settings(SIZE), Augmentation(), 0, data.packed)
    batch = crops[[(0, index) for index in range(count)]]
    assert isinstance(batch, Batch)
    return batch


def step(setting: Setting, backbone: str) -> Mapping[str, Any]:
    """The gradients of a step on the device against those on the CPU, in float64 and in float32."""
    device, cpu = prepare(setting), torch.device("cpu")
    batch = first_batch(setting)
    exact = _gradients(backbone, batch, cpu, torch.float64)
    found = {
        "float64": _apart(_gradients(backbone, batch, device, torch.float64), exact),
        "float32": _apart(_gradients(backbone, batch, device, torch.float32), exact),
        "float32 on the CPU": _apart(_gradients(backbone, batch, cpu, torch.float32), exact),
    }
    if not found["float64"] <= EXACT_BOUND:
        raise WrongError(
            f"gradients in float64 differ by {found['float64']:.1e}, at most {EXACT_BOUND:.0e} is rounding"
        )
    if not found["float32"] <= TIMES_THE_CPU_S * found["float32 on the CPU"]:
        raise WrongError(
            f"gradients in float32 are {found['float32']:.1e} off, {found['float32 on the CPU']:.1e} on the CPU"
        )
    return found


def _gradients(backbone: str, batch: Batch, place: torch.device, dtype: torch.dtype) -> Tensor:
    model, codec = network(backbone, "simdr", SIZE).to(place, dtype), codec_of("simdr", SIZE)
    target = codec.encode(batch.keypoints.to(place), batch.visible.to(place))
    codec.loss(model(batch.normalized(place).to(dtype)), target).backward()
    return torch.cat([one.grad.flatten() for one in model.parameters() if one.grad is not None]).cpu().double()


def _apart(one: Tensor, other: Tensor) -> float:
    return float((one - other).norm() / other.norm())


def short_training(setting: Setting, backbone: str, **more: Any) -> Training:
    """A training of `STEPS` steps in several epochs, from cached pixels; the last batch of an epoch is smaller."""
    data, batch = drawn(setting), BATCH // 4 if setting.quick else BATCH
    count = 5 * batch - 3
    usual: dict[str, Any] = {
        "batch_size": batch, "epochs": STEPS // 5, "images": cached_pixels(setting), "milestones": (3,)
    }  # fmt: skip
    return training(setting, backbone, SIZE, **usual | more, instances=repeated(data.instances, count))


def twice(setting: Setting, backbone: str) -> Mapping[str, Any]:
    """Two trainings end with the same bits."""
    prepare(setting)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        hashes = [_trained(short_training(setting, backbone)) for _ in range(2)]
    if hashes[0] != hashes[1]:
        raise WrongError(f"two trainings of {STEPS} steps end with other bits; torch warned: {_warned(caught)}")
    return {"steps": STEPS, "hash": hashes[0][:12], "note": _warned(caught)}


def _warned(caught: list[warnings.WarningMessage]) -> str:
    """The operations that torch calls not deterministic."""
    texts = {str(one.message).split(" does not have")[0] for one in caught if "determinis" in str(one.message)}
    return ", ".join(sorted(texts))[:200]


def _trained(run: Training) -> str:
    run.run(never, save=not_saved, workers=2)
    return state_hash(run.state_dict())


def resumed(setting: Setting, backbone: str) -> Mapping[str, Any]:
    """A training that is killed and resumed ends with the bits of one that was not."""
    prepare(setting)
    file = setting.work / "killed.pt"
    expected = _trained(short_training(setting, backbone))
    command = [sys.executable, "-m", "benchmarks.gpu.killed", setting.to_json(), backbone, str(file)]
    # Nothing is read from the first one: its loader's processes, which outlive it for seconds, hold its pipes.
    first = subprocess.run([*command, str(KILLED_AFTER)], stdout=subprocess.DEVNULL, check=False)
    if first.returncode != -signal.SIGKILL:
        raise WrongError(f"the training was not killed but ended by {first.returncode}; see log.txt")
    second = subprocess.run([*command, "0"], capture_output=True, text=True, check=False)
    words = second.stdout.split()
    if second.returncode or words[:2] != ["resumed", str(KILLED_AFTER)]:
        raise WrongError(f"the resumed training ended by {second.returncode}: {second.stderr[-200:]}")
    if words[2] != expected:
        raise WrongError(f"killed after step {KILLED_AFTER} and resumed, it ends with other bits")
    return {"steps": STEPS, "killed after": KILLED_AFTER, "hash": expected[:12]}


def recorded(setting: Setting, backbone: str, precision: Precision, representation: str = "simdr") -> Mapping[str, Any]:
    """Steps that are recorded and replayed leave the bits of steps that are run."""
    prepare(setting)
    given = {"precision": precision, "representation": representation}
    expected = _trained(short_training(setting, backbone, **given))
    run = short_training(setting, backbone, capture=recorder(setting), **given)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = _trained(run)
    if found != expected:
        raise WrongError("recorded steps end with other bits")
    if not run._step.replays:
        reasons = [str(one.message) for one in caught if "CUDA graphs" in str(one.message)]
        raise NotPossibleError("; ".join(reasons) or "no step was replayed")
    return {"steps": STEPS, "hash": found[:12]}


def save(run: Training, file: Path) -> None:
    """Store the state of a training as its checkpoint does."""
    torch.save(run.state_dict(), file.with_suffix(".new"))
    file.with_suffix(".new").replace(file)


def bfloat16(setting: Setting, backbone: str) -> Mapping[str, Any]:
    """How far outputs and loss in bfloat16 are from those in float32."""
    device = prepare(setting)
    model, codec, batch = network(backbone, "simdr", SIZE).to(device), codec_of("simdr", SIZE), first_batch(setting)
    target = codec.encode(batch.keypoints.to(device), batch.visible.to(device))
    found = []
    for precision in ("float32", "bfloat16"):
        with torch.no_grad(), autocast(precision, device):
            output: Any = to_float32(copy.deepcopy(model)(batch.normalized(device)))
        found.append((torch.cat([part.flatten() for part in output]).double(), float(codec.loss(output, target))))
    (outputs, loss), (others, other_loss) = found
    differences = {
        "outputs": float((outputs - others).norm() / outputs.norm()),
        "loss": abs(loss - other_loss) / abs(loss),
    }
    if not max(differences.values()) <= BFLOAT16_BOUND:
        raise WrongError(f"relative differences {differences}, expected at most {BFLOAT16_BOUND}")
    return differences


def keypoints(setting: Setting, backbone: str) -> Mapping[str, Any]:
    """Predicted keypoints: the same bits from cached and from packed pixels, and how far from the CPU's."""
    device = prepare(setting)
    data = drawn(setting)
    instances, cpu = data.instances[: 2 * BATCH], torch.device("cpu")
    made = []
    for place, images in ((cpu, data.packed), (device, data.packed), (device, cached_pixels(setting))):
        model = network(backbone, "simdr", SIZE).to(place)
        predictions, _ = predict(
            model,
            codec_of("simdr", SIZE),
            instances,
            crop_settings(SIZE),
            flip_test=True,
            device=place,
            batch_size=BATCH,
            images=images,
        )
        made.append(torch.from_numpy(predictions.keypoints))
    if not torch.equal(made[1], made[2]):
        raise WrongError("keypoints from cached pixels differ from those of packed pixels")
    apart = (made[0] - made[1])[..., :2].norm(dim=-1)
    return {"median px from the CPU's": float(apart.median()), "largest px": float(apart.max())}
