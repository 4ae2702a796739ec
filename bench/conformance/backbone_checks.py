"""What every backbone keeps to, with each of its outputs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bench.checks import Check, CheckList, require
from bench.conformance.codec_cases import usual_settings
from bench.planning.predicted_complexity import predict
from bench.pose.checkpoints import load_weights
from bench.pose.codecs.representation import REPRESENTATIONS, build_codec
from bench.pose.complexity import measure
from bench.pose.models.backbone import BACKBONES
from bench.pose.models.batch_norm import ReplicaBatchNorm2d
from bench.pose.models.build import build_model, initialize
from bench.pose.models.heads import PoseModel
from bench.pose.models.memory_format import channels_side_by_side
from bench.pose.outputs import Coordinates

SIZES = ((64, 64), (96, 64))
"""Height and width in px of the inputs of backbones that are free in it: a square and another."""

BATCH = 4
STEPS = 30
LEARNING_RATE = 1e-3

CLEARLY = 0.85
"""Part of its first value that a loss must fall below."""

TOLERANCE = 1e-4
"""Rounding that the others in a batch may cause, as a part of the largest output."""

MAX_NAMED = 5

CHECKS = CheckList()


@dataclass(frozen=True)
class BackboneCase:
    """One form of a network. Prints as what it is."""

    backbone: str
    representation: str
    size: tuple[int, int]
    split_ratio: float | None = None
    keypoints: int = 5

    def __str__(self) -> str:
        bins = "" if self.split_ratio is None else f" k={self.split_ratio:g}"
        return f"{self.representation} {self.size[0]}x{self.size[1]}{bins}, {self.keypoints} keypoints"

    def build(self, *, replicas: int = 1) -> PoseModel:
        """The network with weights as torch draws them."""
        return build_model(
            self.backbone,
            self.representation,
            keypoints=self.keypoints,
            input_size=self.size,
            split_ratio=self.split_ratio,
            replicas=replicas,
        )

    def start(self, seed: int = 0) -> PoseModel:
        """The network as a training of this seed begins."""
        torch.manual_seed(seed)
        model = self.build()
        initialize(model, scheme="kaiming")
        channels_side_by_side(model)
        return model

    def images(self) -> Tensor:
        """(instances, 3, height, width), always the same noise."""
        return torch.randn(BATCH, 3, *self.size, generator=torch.Generator().manual_seed(1))

    def loss(self) -> Callable[[Tensor | Coordinates], Tensor]:
        """Of a network's output for `images`, whose keypoints stand where chance put them."""
        codec = build_codec(
            usual_settings(self.representation, self.size, self.split_ratio), tuple(range(self.keypoints))
        )
        unit = torch.rand(BATCH, self.keypoints, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
        keypoints = (unit * 0.6 + 0.2) * unit.new_tensor([self.size[1], self.size[0]])
        target = codec.encode(keypoints, torch.ones(BATCH, self.keypoints, dtype=torch.bool))
        return lambda output: codec.loss(output, target)


def cases_of(name: str) -> list[BackboneCase]:
    """The forms of a backbone that are looked at: each output, at a square size and, where sizes are free, another.

    Raises:
        CheckFailedError: it has no output, an unknown one, or no input size.
    """
    backbone = BACKBONES[name]
    given = backbone.input_sizes
    sizes = SIZES if given is None else SIZES[:1] if SIZES[0] in given else given[:1]
    forms = {"maps": ("heatmap", None), "coordinates": ("simdr", 2.0), "points": ("regression", None)}
    known = backbone.outputs and set(backbone.outputs) <= set(forms)
    require(known, f"its outputs are {list(backbone.outputs)}, expected some of {list(forms)}")
    require(sizes, "it has no input size")
    return [
        BackboneCase(name, *(forms[output][0], size, forms[output][1])) for output in backbone.outputs for size in sizes
    ]


def backbone_checks(name: str) -> list[Check]:
    """All checks of a registered backbone."""
    return CHECKS.of(name)


@CHECKS.check()
def shapes(name: str) -> str:
    """Outputs have the shapes of the input size, the keypoints and the bins."""
    count = 0
    for case in cases_of(name):
        for keypoints, split_ratio in ((5, 2.0), (17, 1.5)):
            form = replace(case, keypoints=keypoints, split_ratio=case.split_ratio and split_ratio)
            with torch.no_grad():
                output = form.build().eval()(form.images())
            found, expected = _shape_text(output), _expected(form)
            require(found == expected, f"{form}: the output is {found}, expected {expected}")
            count += 1
    return f"{count} forms"


def _expected(case: BackboneCase) -> str:
    height, width = case.size
    known = REPRESENTATIONS[case.representation]
    if known.output == "points":
        return str((BATCH, case.keypoints, known.values))
    if case.split_ratio is None:
        return str((BATCH, case.keypoints, height // 4, width // 4))
    x, y = ((BATCH, case.keypoints, int(side * case.split_ratio)) for side in (width, height))
    return f"Coordinates of {x} and {y}"


def _shape_text(output: object) -> str:
    if isinstance(output, Tensor):
        return str(tuple(output.shape))
    if isinstance(output, Coordinates):
        return f"Coordinates of {tuple(output.x.shape)} and {tuple(output.y.shape)}"
    return f"of type {type(output).__name__}"


@CHECKS.check()
def gradients(name: str) -> str:
    """Every trainable parameter gets a finite gradient."""
    count = 0
    for case in cases_of(name):
        model = case.start().train()
        case.loss()(model(case.images())).backward()
        trained = {name: value for name, value in model.named_parameters() if value.requires_grad}
        none = [name for name, value in trained.items() if value.grad is None]
        require(not none, f"{case}: no gradient reaches {_listed(none)}")
        wild = [name for name, value in trained.items() if value.grad is not None and not value.grad.isfinite().all()]
        require(not wild, f"{case}: the gradient is not finite for {_listed(wild)}")
        count = len(trained)
    return f"{count} tensors"


@CHECKS.check()
def determinism(name: str) -> str:
    """A seed decides the first weights, and weights and images the output and the next weights."""
    for case in cases_of(name):
        models = [case.start(), case.start()]
        differing = _differing(*models)
        require(not differing, f"{case}: two starts from one seed differ in {_listed(differing)}")
        with torch.no_grad():
            once, again = (_per_image(models[0].eval()(case.images())) for _ in range(2))
        require(once.equal(again), f"{case}: two passes over the same images differ by {_most(once - again)}")
        for model in models:
            torch.manual_seed(3)
            optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE)
            case.loss()(model.train()(case.images())).backward()
            optimizer.step()
        differing = _differing(*models)
        require(not differing, f"{case}: the same step taken twice differs in {_listed(differing)}")
    return "to the bit"


@CHECKS.check()
def independence(name: str) -> str:
    """An image's output in evaluation does not depend on the others in its batch."""
    worst = 0.0
    for case in cases_of(name):
        model = case.start().eval()
        images = case.images()
        with torch.no_grad():
            together = _per_image(model(images))
            alone = torch.cat([_per_image(model(images[index : index + 1])) for index in range(BATCH)])
        scale = together.abs().max().clamp(min=torch.finfo(together.dtype).tiny)
        require((together - together[:1]).any(), f"{case}: all images have the same output")
        worst = max(worst, float((together - alone).abs().max() / scale))
        require(worst <= TOLERANCE, f"{case}: it differs by {worst:.1e} of the largest output, at most {TOLERANCE:g}")
    return f"{worst:.1e} of the largest output, at most {TOLERANCE:g}"


@CHECKS.check()
def checkpoints(name: str) -> str:
    """Weights that are saved and loaded give the same output."""
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "weights.pt"
        for case in cases_of(name):
            model, other = case.start().eval(), case.start(seed=1).eval()
            torch.save({name: value.contiguous() for name, value in model.state_dict().items()}, file)
            load_weights(other, file)
            with torch.no_grad():
                before, after = (_per_image(network(case.images())) for network in (model, other))
            require(before.equal(after), f"{case}: the output differs by {_most(before - after)} once loaded")
            count = len(model.state_dict())
    return f"{count} tensors"


@CHECKS.check()
def normalization(name: str) -> str:
    """Batch normalization comes from the norm_layer that is given."""
    count = 0
    for case in cases_of(name):
        modules = case.build(replicas=2).named_modules()
        layers = {name: layer for name, layer in modules if isinstance(layer, _BatchNorm)}
        strange = [f"{name} ({type(layer).__name__})" for name, layer in layers.items() if not _is_given(layer)]
        require(not strange, f"{case}: norm_layer did not make {_listed(strange)}")
        count = len(layers)
    return f"{count} layers"


def _is_given(layer: nn.Module) -> bool:
    return isinstance(layer, ReplicaBatchNorm2d) and layer.replicas == 2


@CHECKS.check()
def cost(name: str) -> str:
    """Parameters and multiply-adds are what plans say of them."""
    found = []
    for case in cases_of(name):
        measured = measure(case.build(), case.size)
        require(measured.params > 0 and measured.multiply_adds > 0, f"{case}: measured {measured}")
        planned = predict(
            case.backbone,
            case.representation,
            keypoints=case.keypoints,
            input_size=case.size,
            split_ratio=case.split_ratio,
        )
        require(measured == planned, f"{case}: measured {measured}, planned {planned}")
        found.append(measured)
    return f"{found[0].params:,} parameters, {found[0].multiply_adds:,} multiply-adds at the smallest"


@CHECKS.check()
def learning(name: str) -> str:
    """The loss of a few images falls within a few steps."""
    slowest = 0
    for case in cases_of(name):
        model, images, loss_of = case.start().train(), case.images(), case.loss()
        optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE)
        losses: list[float] = []
        while not losses or losses[-1] > CLEARLY * losses[0]:
            require(len(losses) <= STEPS, f"{case}: from {losses[:1]} to {losses[-1:]} in {STEPS} steps of Adam")
            optimizer.zero_grad()
            loss = loss_of(model(images))
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        slowest = max(slowest, len(losses) - 1)
    return f"by {1 - CLEARLY:.0%} within {slowest} steps, at most {STEPS}"


def _differing(model: nn.Module, other: nn.Module) -> list[str]:
    values = other.state_dict()
    return [name for name, value in model.state_dict().items() if not value.equal(values[name])]


def _per_image(output: Tensor | Coordinates) -> Tensor:
    """(images, values)."""
    parts = (output,) if isinstance(output, Tensor) else output
    return torch.cat([part.flatten(1) for part in parts], dim=1)


def _most(difference: Tensor) -> str:
    return f"{float(difference.abs().max()):.1e}"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return f"{', '.join(names[:MAX_NAMED])}{more}"
