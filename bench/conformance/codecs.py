"""What every representation keeps to, whatever it puts out; see `codec_cases` for the settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from bench.conformance.check import Check, NotApplicableError, require
from bench.conformance.codec_cases import FLIP, INSTANCES, KEYPOINTS, Case, decoded_cases, everything, trained_cases
from bench.pose.codecs.base import Keypoints
from bench.pose.codecs.representation import build_codec
from bench.pose.outputs import Coordinates

__all__ = ["codec_checks"]

ROUNDING = 1e-5


def codec_checks(name: str) -> Iterator[Check]:
    """All checks of a registered representation."""
    trained, decoded = trained_cases(name), decoded_cases(name)
    checks = {
        _loss: ("loss", "the loss is a finite number with finite gradients", trained),
        _fitting: ("fitting", "an output that minimises the loss decodes to the keypoints", [*trained, *decoded]),
        _ideal: ("ideal outputs", "what it calls a perfect output decodes to the keypoints", decoded),
        _visibility: ("visibility", "keypoints that are not visible change nothing, visible ones do", trained),
        _batches: ("batches", "a batch's loss is the mean of its instances's, whatever keypoints they have", trained),
        _encoding: ("encoding", "instances are encoded whoever else is in their batch", trained),
        _flipped: ("flipped views", "merged with its flipped view an output decodes to the same keypoints", decoded),
        _decoding: ("decoding", "any output decodes to finite coordinates and confidences", decoded),
        _determinism: ("determinism", "the same input gives the same result, and stays as it is", decoded),
    }
    for look, (title, promise, cases) in checks.items():
        yield Check(title, promise, partial(look, cases))


def _loss(cases: Sequence[Case]) -> str:
    values = []
    for case in cases:
        tensors = [tensor.requires_grad_() for tensor in case.output(seed=1)]
        loss = case.codec.loss(case.whole(tensors), case.codec.encode(case.keypoints(), everything(case.keypoints())))
        require(loss.shape == (), f"{case}: the loss has shape {tuple(loss.shape)}, not that of a number")
        require(loss.isfinite(), f"{case}: the loss is {loss.item()}")
        for tensor, gradient in zip(tensors, torch.autograd.grad(loss, tensors, allow_unused=True), strict=True):
            shape = tuple(tensor.shape)
            require(gradient is not None and gradient.any(), f"{case}: the output of {shape} has no gradient")
            require(gradient.isfinite().all(), f"{case}: the gradient of the output of {shape} is not finite")
        values.append(loss.item())
    return ", ".join(f"{value:.3g}" for value in values)


def _fitting(cases: Sequence[Case]) -> str:
    return _worst(cases, lambda case: case.fitted(case.keypoints()))


def _ideal(cases: Sequence[Case]) -> str:
    def ideal_output(case: Case) -> Any:
        output = case.codec.ideal_output(case.codec.encode(case.keypoints(), everything(case.keypoints())))
        if output is None:
            raise NotApplicableError("it does not say what a perfect output is")
        return output

    return _worst(cases, ideal_output)


def _worst(cases: Sequence[Case], output_of: Callable[[Case], Any]) -> str:
    """Decode an output of each case; half a cell's diagonal, or a bin along each axis, is as far as it may be off."""
    worst, found = 0.0, ""
    for case in cases:
        merged = case.codec.merge(output_of(case))
        difference = case.codec.decode(merged).coordinates - case.keypoints()
        errors = difference.norm(dim=-1) if case.maps else difference.abs()
        off, limit = errors.max().item(), case.step * 2**0.5 / 2 if case.maps else case.step
        text = f"up to {off:.2f} px off at {case}, at most {limit:.2f}"
        require(off <= limit, text)
        worst, found = max((worst, found), (off / limit, text))
    return found


def _visibility(cases: Sequence[Case]) -> str:
    hidden = (1, 3)
    for case in cases:
        keypoints = case.keypoints()
        visible = everything(keypoints)
        visible[hidden] = False
        tensors = [tensor.requires_grad_() for tensor in case.output(seed=2)]
        loss = case.codec.loss(case.whole(tensors), case.codec.encode(keypoints, visible))
        gradients = torch.autograd.grad(loss, tensors)
        reach = sum(gradient.flatten(2).abs().amax(dim=-1) for gradient in gradients)
        assert isinstance(reach, Tensor)
        require(
            reach[hidden] == 0, f"{case}: a keypoint that is not visible has a gradient of {reach[hidden].item():.1e}"
        )
        require((reach > 0).sum() == visible.sum(), f"{case}: a visible keypoint has no gradient")
        keypoints[hidden] += 7
        moved = case.codec.loss(case.whole(tensors), case.codec.encode(keypoints, visible))
        require(
            moved == loss,
            f"{case}: where a keypoint is that is not visible changes the loss by {(moved - loss).item():.1e}",
        )
    return f"{len(cases)} losses"


def _batches(cases: Sequence[Case]) -> str:
    worst = 0.0
    for case in cases:
        keypoints, tensors = case.keypoints(), case.output(seed=3)
        visible = everything(keypoints)
        visible[0, 1:], visible[1] = False, False  # one keypoint, none, all
        together = case.codec.loss(case.whole(tensors), case.codec.encode(keypoints, visible))
        alone = [
            case.codec.loss(
                case.whole([tensor[one] for tensor in tensors]), case.codec.encode(keypoints[one], visible[one])
            )
            for one in _singles()
        ]
        mean = torch.stack(alone).mean()
        off = float((together - mean).abs() / mean.abs())
        require(
            off <= ROUNDING,
            f"{case}: {together.item():.6g} for a batch, {mean.item():.6g} on average over its instances, of whom some"
            " have fewer visible keypoints: processes that share a batch would not find the same gradients",
        )
        worst = max(worst, off)
    return f"relative difference {worst:.0e}, at most {ROUNDING:g}"


def _encoding(cases: Sequence[Case]) -> str:
    count = 0
    for case in cases:
        keypoints = case.keypoints()
        visible = everything(keypoints)
        visible[0, 1] = False
        together = list(_tensors(case.codec.encode(keypoints, visible)))
        if not together:
            raise NotApplicableError("its targets hold no tensors that could be compared")
        for number, one in enumerate(_singles()):
            alone = list(_tensors(case.codec.encode(keypoints[one], visible[one])))
            same = len(alone) == len(together) and all(
                len(batch) == INSTANCES and torch.equal(batch[one], single)
                for batch, single in zip(together, alone, strict=False)
            )
            require(same, f"{case}: instance {number} has another target in a batch than alone")
        count = len(together)
    return f"{count} tensors"


def _flipped(cases: Sequence[Case]) -> str:
    """With the exact shift within a cell or bin and a px, as no column of cells need lie on its mirror image.

    The reference moves the view by one bin, which is right for two bins per px only (E2): the error is allowed there.
    """
    worst = 0.0
    for case in cases:
        keypoints = case.keypoints()
        views = [case.ideal(view) for view in (keypoints, _flip_image(case, keypoints))]
        quirk = 0.0 if case.maps else abs(case.step * (float(case.settings.needed("split_ratio")) - 2))
        allowances: dict[Literal["exact", "reference"], float] = {"exact": 0.0, "reference": quirk}
        for shift, allowed in allowances.items():
            codec = build_codec(replace(case.settings, flip_shift=shift), FLIP)
            found = codec.decode(codec.merge(*map(_copied, views))).coordinates
            off, limit = (found - keypoints).abs().max().item(), case.step + 1 + allowed
            require(off <= limit, f"{case}, {shift} shift: keypoints are up to {off:.2f} px off, at most {limit:.2f}")
            worst = max(worst, off if shift == "exact" else 0.0)
    return f"up to {worst:.2f} px off"


def _flip_image(case: Case, keypoints: Tensor) -> Tensor:
    """The keypoints in the flipped crop."""
    swapped = keypoints[:, list(FLIP)].clone()
    swapped[..., 0] = case.settings.input_size[1] - 1 - swapped[..., 0]
    return swapped


def _decoding(cases: Sequence[Case]) -> str:
    for case in cases:
        noise, zeros = case.output(seed=4), case.output()
        for what, views in (("noise", [noise]), ("zeros", [zeros]), ("two views of zeros", [zeros, zeros])):
            merged = case.codec.merge(*(_copied(case.whole(tensors)) for tensors in views))
            found = case.codec.decode(merged)
            require(isinstance(found, Keypoints), f"{case}: decode returns {type(found).__name__}, not Keypoints")
            shapes = tuple(found.coordinates.shape), tuple(found.confidence.shape)
            expected = (INSTANCES, KEYPOINTS, 2), (INSTANCES, KEYPOINTS)
            require(shapes == expected, f"{case}: shapes {shapes[0]} and {shapes[1]}, expected {expected}")
            finite = found.coordinates.isfinite().all() and found.confidence.isfinite().all()
            require(finite, f"{case}: {what} decode to values that are not finite")
    return f"{len(cases)} ways to decode"


def _determinism(cases: Sequence[Case]) -> str:
    for case in cases:
        keypoints, output = case.keypoints(), case.whole(case.output(seed=6))
        before = [keypoints.clone(), *map(torch.clone, _tensors(output))]
        once = _everything_of(case, keypoints, output)
        unchanged = all(map(torch.equal, before, [keypoints, *_tensors(output)]))
        require(unchanged, f"{case}: encode, loss or merge changes what it is given")
        again = _everything_of(case, keypoints, output)
        require(all(map(torch.equal, once, again)), f"{case}: the same input gives another result the second time")
    return "to the bit"


def _everything_of(case: Case, keypoints: Tensor, output: Any) -> list[Tensor]:
    target = case.codec.encode(keypoints, everything(keypoints))
    found = case.codec.decode(_copied(case.codec.merge(output)))
    return [*_tensors(target), case.codec.loss(output, target), *found]


def _singles() -> Iterator[slice]:
    return (slice(number, number + 1) for number in range(INSTANCES))


def _tensors(value: Any) -> Iterator[Tensor]:
    """All tensors in targets and outputs, which are tensors, named tuples, lists, mappings or dataclasses of them."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _tensors(part)
    elif is_dataclass(value):
        yield from _tensors([getattr(value, field.name) for field in fields(value)])


def _copied(output: Any) -> Any:
    return output.clone() if isinstance(output, Tensor) else Coordinates(*(part.clone() for part in output))
