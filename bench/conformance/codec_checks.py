"""Checks of representations; see `codec_cases` for the settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from bench.checks import Check, CheckList, NotApplicableError, require
from bench.conformance.codec_cases import (
    FLIP,
    INSTANCES,
    KEYPOINTS,
    CodecCase,
    decoded_cases,
    everything,
    trained_cases,
)
from bench.pose.codecs.base import Keypoints
from bench.pose.codecs.representation import CodecSettings, build_codec
from bench.pose.outputs import Coordinates

ROUNDING = 1e-5

SINGLES = tuple(slice(number, number + 1) for number in range(INSTANCES))
"""Each instance of a batch as a batch of its own."""

CHECKS = CheckList()


class CodecCases(NamedTuple):
    """The settings with which a representation is trained, and all with which it is decoded."""

    trained: list[CodecCase]
    decoded: list[CodecCase]


def codec_checks(name: str) -> list[Check]:
    """All checks of a registered representation."""
    return CHECKS.of(CodecCases(trained_cases(name), decoded_cases(name)))


@CHECKS.check()
def loss(cases: CodecCases) -> str:
    """The loss is a finite number with finite gradients."""
    values = []
    for case in cases.trained:
        tensors = [tensor.requires_grad_() for tensor in case.output(seed=1)]
        loss = case.loss(tensors, case.keypoints(), everything(case.keypoints()))
        require(loss.shape == (), f"{case}: the loss has shape {tuple(loss.shape)}, not that of a number")
        require(loss.isfinite(), f"{case}: the loss is {loss.item()}")
        for tensor, gradient in zip(tensors, torch.autograd.grad(loss, tensors, allow_unused=True), strict=True):
            shape = tuple(tensor.shape)
            require(gradient is not None and gradient.any(), f"{case}: the output of {shape} has no gradient")
            require(gradient.isfinite().all(), f"{case}: the gradient of the output of {shape} is not finite")
        values.append(loss.item())
    return ", ".join(f"{value:.3g}" for value in values)


@CHECKS.check()
def fitting(cases: CodecCases) -> str:
    """An output that minimizes the loss decodes to the keypoints."""
    outputs: dict[CodecSettings, Any] = {}

    def fitted(case: CodecCase) -> Any:
        if case.trained not in outputs:
            outputs[case.trained] = case.fitted(case.keypoints())
        return outputs[case.trained]

    return _worst([*cases.trained, *cases.decoded], fitted)


@CHECKS.check()
def ideal_outputs(cases: CodecCases) -> str:
    """Its ideal output decodes to the keypoints."""

    def ideal_output(case: CodecCase) -> Any:
        output = case.codec.ideal_output(case.codec.encode(case.keypoints(), everything(case.keypoints())))
        if output is None:
            raise NotApplicableError("it does not define an ideal output")
        return output

    return _worst(cases.decoded, ideal_output)


def _worst(cases: Sequence[CodecCase], output_of: Callable[[CodecCase], Any]) -> str:
    """Decode an output of each case; errors of half a cell's diagonal, or of a bin along each axis, are allowed."""
    worst, found = 0.0, ""
    for case in cases:
        merged = case.codec.merge(output_of(case))
        difference = case.codec.decode(merged).coordinates - case.keypoints()
        maps = case.kind == "maps"
        errors = difference.norm(dim=-1) if maps else difference.abs()
        off, limit = errors.max().item(), case.step * 2**0.5 / 2 if maps else case.step
        text = f"up to {off:.2f} px off at {case}, at most {limit:.2f}"
        require(off <= limit, text)
        worst, found = max((worst, found), (off / limit, text))
    return found


@CHECKS.check()
def visibility(cases: CodecCases) -> str:
    """Keypoints that are not visible change nothing, visible ones do."""
    hidden = (1, 3)
    for case in cases.trained:
        keypoints = case.keypoints()
        visible = everything(keypoints)
        visible[hidden] = False
        tensors = [tensor.requires_grad_() for tensor in case.output(seed=2)]
        loss = case.loss(tensors, keypoints, visible)
        gradients = torch.autograd.grad(loss, tensors)
        reach = sum(gradient.flatten(2).abs().amax(dim=-1) for gradient in gradients)
        assert isinstance(reach, Tensor)
        require(
            reach[hidden] == 0, f"{case}: a keypoint that is not visible has a gradient of {reach[hidden].item():.1e}"
        )
        require((reach > 0).sum() == visible.sum(), f"{case}: a visible keypoint has no gradient")
        keypoints[hidden] += 7
        moved = case.loss(tensors, keypoints, visible) - loss
        require(moved == 0, f"{case}: moving a keypoint that is not visible changes the loss by {moved.item():.1e}")
    return f"{len(cases.trained)} losses"


@CHECKS.check()
def batches(cases: CodecCases) -> str:
    """A batch's loss is the mean of its instances' losses, whatever keypoints they have."""
    worst = 0.0
    for case in cases.trained:
        keypoints, tensors = case.keypoints(), case.output(seed=3)
        visible = everything(keypoints)
        visible[0, 1:], visible[1] = False, False  # one keypoint, none, all
        together = case.loss(tensors, keypoints, visible).detach()
        alone = [case.loss([one[part] for one in tensors], keypoints[part], visible[part]).detach() for part in SINGLES]
        mean = torch.stack(alone).mean()
        off = float((together - mean).abs() / mean.abs())
        found = f"{together.item():.6g} for a batch, {mean.item():.6g} on average over its instances"
        why = "some with fewer visible keypoints: processes that share a batch would compute other gradients"
        require(off <= ROUNDING, f"{case}: {found}, {why}")
        worst = max(worst, off)
    return f"relative difference {worst:.0e}, at most {ROUNDING:g}"


@CHECKS.check()
def flipped_views(cases: CodecCases) -> str:
    """An output merged with its flipped view decodes to the same keypoints.

    With the exact shift within a cell or bin and 1 px, because no column of cells need lie on its mirror image. The
    reference shifts the view by one bin, which is right for two bins per px only (E2): that error is allowed.
    """
    worst = 0.0
    for case in cases.decoded:
        keypoints = case.keypoints()
        flipped = keypoints[:, list(FLIP)].clone()
        flipped[..., 0] = case.settings.input_size[1] - 1 - flipped[..., 0]
        views = [case.ideal(keypoints), case.ideal(flipped)]
        quirk = abs(case.step * (case.split_ratio - 2)) if case.kind == "coordinates" else 0.0
        allowances: dict[Literal["exact", "reference"], float] = {"exact": 0.0, "reference": quirk}
        for shift, allowed in allowances.items():
            codec = build_codec(replace(case.settings, flip_shift=shift), FLIP)
            found = codec.decode(codec.merge(*map(_copied, views))).coordinates
            off, limit = (found - keypoints).abs().max().item(), case.step + 1 + allowed
            require(off <= limit, f"{case}, {shift} shift: keypoints are up to {off:.2f} px off, at most {limit:.2f}")
            worst = max(worst, off if shift == "exact" else 0.0)
    return f"up to {worst:.2f} px off"


@CHECKS.check()
def decoding(cases: CodecCases) -> str:
    """Any output decodes to finite coordinates and confidences."""
    for case in cases.decoded:
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
    return f"{len(cases.decoded)} ways to decode"


@CHECKS.check()
def determinism(cases: CodecCases) -> str:
    """The same input gives the same result and stays as it is."""
    for case in cases.decoded:
        keypoints, output = case.keypoints(), case.whole(case.output(seed=6))
        before = [keypoints.clone(), *map(torch.clone, _tensors(output))]
        once = _everything_of(case, keypoints, output)
        unchanged = all(map(torch.equal, before, [keypoints, *_tensors(output)]))
        require(unchanged, f"{case}: encode, loss or merge changes its arguments")
        again = _everything_of(case, keypoints, output)
        require(all(map(torch.equal, once, again)), f"{case}: the same input gives another result the second time")
    return "to the bit"


def _everything_of(case: CodecCase, keypoints: Tensor, output: Any) -> list[Tensor]:
    target = case.codec.encode(keypoints, everything(keypoints))
    found = case.codec.decode(_copied(case.codec.merge(output)))
    return [*_tensors(target), case.codec.loss(output, target), *found]


def _tensors(value: Any) -> Iterator[Tensor]:
    """All tensors in targets and outputs, which are tensors, named tuples, lists, mappings or dataclasses of them."""
    if isinstance(value, Tensor):
        yield value
        return
    if is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple | list) else ()
    for part in parts:
        yield from _tensors(part)


def _copied(output: Any) -> Any:
    return output.clone() if isinstance(output, Tensor) else Coordinates(*(part.clone() for part in output))
