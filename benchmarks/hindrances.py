"""Whether something of ours hinders SimDR on few real photographs: short experiments, each on one suspect.

    python -m bench run suites/lspet_settings.yaml --data-root DATA_ROOT
    python -m benchmarks.hindrances --data-root DATA_ROOT [--only gradients heads ...]

All train and measure on Leeds Sports Pose Extended's training split: 600 images are held out and measured with a flip
test, the others train, for five epochs. Network, first weights and schedule are those of suites/lspet_settings.yaml,
whose trained weights are read from the results, so the val split stays unseen. The numbers in docs/lspet.md come from
here.

- gradients: how far the trunk's gradients of different batches agree, at the start and after training
- logits: size of the logits and of the linear layers' inputs, at the start and after training
- float64: losses of the first steps in float64 against float32
- heads: training with another learning rate, first weights, weight decay or dropout of the head
- frozen: new heads on a trunk that was trained with heatmaps or SimDR and stays as it is
"""

from __future__ import annotations

import argparse
import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from tabulate import tabulate
from torch import Tensor, nn

from bench.execute.settings import augmentation, codec_settings, crop_settings, eval_config, optimizer_config
from bench.execute.training_job import network
from bench.pose.checkpoints import load_weights
from bench.pose.codecs.representation import build_codec
from bench.pose.data.crops import Batch
from bench.pose.data.loading import Position, training_batches
from bench.pose.data.pixels.choice import choose_images
from bench.pose.evaluation import Evaluator
from bench.pose.models.memory_format import channels_side_by_side
from bench.pose.models.trunk_weights import load_imagenet
from bench.pose.models.weights import IMAGENET
from bench.pose.optimizer import learning_rate
from bench.store.folders import TrainingFolder
from bench.suite.expansion import SuiteCell, expand
from bench.suite.schema import load_suite
from bench.suite.specs import TrainSpec

SUITE = Path(__file__).parent.parent / "suites" / "lspet_settings.yaml"
REPRESENTATIONS = ("heatmap", "simdr", "simdr_star")
CPU = torch.device("cpu")

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Head:
    """How a head is trained differently from the reference's.

    Attributes:
        rate: factor of its learning rate.
        scale: factor of the linear layers' first weights.
        decay: decoupled weight decay.
        dropout: share of the features that are dropped before it.
    """

    rate: float = 1.0
    scale: float = 1.0
    decay: float = 0.0
    dropout: float = 0.0


HEADS = {
    "as the reference": Head(),
    "learning rate x 0.1": Head(rate=0.1),
    "learning rate x 10": Head(rate=10),
    "first weights x 0.1": Head(scale=0.1),
    "first weights x 10": Head(scale=10),
    "weight decay 0.1": Head(decay=0.1),
    "dropout 0.2": Head(dropout=0.2),
}


@dataclass(frozen=True)
class Study:
    """The data and the length of the experiments."""

    data_root: Path
    results: Path

    def spec(self, representation: str) -> TrainSpec:
        """The training of a representation."""
        return self._cell(representation).training

    def _cell(self, representation: str) -> SuiteCell:
        cells = expand(load_suite(SUITE)).cells
        return next(cell for cell in cells if cell.training.representation == representation)

    @cached_property
    def _split(self) -> Any:
        spec = self.spec("heatmap")
        return spec.data.open(self.data_root / spec.dataset, spec.split, held_out=spec.held_out)

    @cached_property
    def _instances(self) -> Any:
        return self._split.instances()

    def start(self, spec: TrainSpec) -> nn.Module:
        """The network with its first weights."""
        torch.manual_seed(spec.seed)
        model = network(spec)
        load_imagenet(model, spec.backbone, self.data_root / IMAGENET)
        channels_side_by_side(model)
        return model

    def trained(self, spec: TrainSpec) -> nn.Module:
        """The network with the weights of the suite's training."""
        model = network(spec)
        load_weights(model, TrainingFolder(self.results / "trainings" / spec.id).weights)
        channels_side_by_side(model)
        return model

    def codec(self, spec: TrainSpec) -> Any:
        return build_codec(codec_settings(spec), self._split.skeleton.flip_indices)

    def batches(self, spec: TrainSpec) -> Iterator[Batch]:
        settings = optimizer_config(spec)
        found = training_batches(
            self._instances,
            crop_settings(spec),
            augmentation(spec),
            batch_size=settings.batch_size,
            epochs=settings.epochs,
            seed=settings.seed,
            start=Position(),
            images=choose_images(self._split, self._instances, "auto", CPU),
        )
        yield from (batch for batch in found if isinstance(batch, Batch))

    def measure(self, spec: TrainSpec, model: nn.Module) -> Row:
        """AP and mean OKS on the held-out images, in percent."""
        split = spec.data.open(self.data_root / spec.dataset, spec.split, spec.held_out)
        config = eval_config(spec, self._cell(spec.representation).evaluations[0], None)
        found = Evaluator.open(split, config, "auto", CPU).evaluate(model, device=CPU)
        assert found is not None
        return tuple(f"{100 * (found.metrics[name] or 0):.1f}" for name in ("AP", "mean_oks"))

    def train(self, spec: TrainSpec, model: nn.Module, head: Head = Head(), *, frozen: bool = False) -> nn.Module:
        """Train in place; `frozen` leaves the trunk and the upsampling layers as they are."""
        trunk, own = parts(model)
        for parameter in trunk:
            parameter.requires_grad_(not frozen)
        prepare(model, head)
        mine = {"params": own, "weight_decay": head.decay, "factor": head.rate}
        others = {"params": trunk, "weight_decay": 0.0, "factor": 1.0}
        optimizer = torch.optim.AdamW([mine] if frozen else [mine, others])
        settings, codec = optimizer_config(spec), self.codec(spec)
        steps = math.ceil(len(self._instances) / settings.batch_size)
        model.train(not frozen)
        for number, batch in enumerate(self.batches(spec)):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(settings, number // steps) * group["factor"]
            optimizer.zero_grad()
            loss(codec, model, batch).backward()
            optimizer.step()
        return model


def parts(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """The parameters of trunk and upsampling, and those of the head."""
    head = [*heads(model)]
    own = [parameter for layer in head for parameter in layer.parameters()]
    known = {id(parameter) for parameter in own}
    return [parameter for parameter in model.parameters() if id(parameter) not in known], own


def heads(model: Any) -> Iterator[nn.Module]:
    """The final convolution and the linear layers."""
    yield from (layer for layer in (model.final_layer, model.mlp_head_x, model.mlp_head_y) if layer is not None)


@torch.no_grad()
def prepare(model: Any, head: Head) -> None:
    """Scale the linear layers' first weights, and drop features before the final convolution."""
    for layer in (model.mlp_head_x, model.mlp_head_y):
        if layer is not None:
            layer.weight *= head.scale
    if head.dropout:
        drop = nn.Dropout2d(head.dropout)
        model.final_layer.register_forward_pre_hook(
            lambda layer, inputs: (nn.functional.dropout2d(inputs[0], drop.p, layer.training),)
        )


def loss(codec: Any, model: nn.Module, batch: Batch, dtype: torch.dtype = torch.float32) -> Tensor:
    output = model(batch.normalized(CPU).to(dtype))
    found: Tensor = codec.loss(output, codec.encode(batch.keypoints, batch.visible))
    return found


def gradients(study: Study) -> Iterator[Row]:
    """Of 32 batches: norm of the mean gradient by the mean norm, which is 1 if all agree and .18 if none do."""
    for representation in REPRESENTATIONS:
        spec = study.spec(representation)
        for when, model in (("at the start", study.start(spec)), ("trained", study.trained(spec))):
            found = []
            for _, batch in zip(range(32), study.batches(spec), strict=False):
                model.train()
                model.zero_grad()
                loss(study.codec(spec), model, batch).backward()
                found.append(torch.cat([one.grad.flatten() for one in parts(model)[0] if one.grad is not None]))
            norms = torch.stack([one.norm() for one in found])
            mean = torch.stack(found).mean(0)
            yield (
                representation,
                when,
                f"{norms.mean():.2g}",
                f"{mean.norm() / norms.mean():.2f}",
                f"{mean.abs().median():.1g}",
            )


def logits(study: Study) -> Iterator[Row]:
    """Loss, and deviation of maps and logits over positions and bins."""
    for representation in REPRESENTATIONS:
        spec = study.spec(representation)
        for when, model in (("at the start", study.start(spec)), ("trained", study.trained(spec))):
            seen: list[str] = []
            for layer in heads(model):
                layer.register_forward_hook(
                    lambda _layer, _inputs, output, seen=seen: seen.append(f"{output.std():.3g}")
                )
            with torch.no_grad():
                value = float(loss(study.codec(spec), model.eval(), next(study.batches(spec))))
            yield representation, when, f"{value:.4g}", *seen[:2]


def float64(study: Study, steps: int = 40) -> Iterator[Row]:
    """Losses of the same steps in both number formats."""
    for representation in REPRESENTATIONS:
        spec = study.spec(representation)
        single = study.start(spec)
        double = copy.deepcopy(single).double()
        pairs = []
        optimizers = [torch.optim.Adam(one.parameters(), lr=spec.learning_rate) for one in (single, double)]
        for _, batch in zip(range(steps), study.batches(spec), strict=False):
            values = []
            for model, optimizer, dtype in zip(
                (single, double), optimizers, (torch.float32, torch.float64), strict=True
            ):
                model.train()
                optimizer.zero_grad()
                value = loss(study.codec(spec), model, batch, dtype)
                value.backward()
                optimizer.step()
                values.append(float(value.detach()))
            pairs.append(abs(values[0] / values[1] - 1))
        yield representation, *(f"{pairs[step - 1]:.1e}" for step in (1, 10, 20, steps))


def heads_apart(study: Study) -> Iterator[Row]:
    """The head trained in other ways."""
    for name, head in HEADS.items():
        for representation in REPRESENTATIONS:
            if representation == "heatmap" and head.scale != 1:
                continue  # it has no linear layers
            spec = study.spec(representation)
            yield name, representation, *study.measure(spec, study.train(spec, study.start(spec), head))


def frozen(study: Study) -> Iterator[Row]:
    """New heads on frozen features."""
    for teacher in ("heatmap", "simdr"):
        weights = {
            name: value
            for name, value in study.trained(study.spec(teacher)).state_dict().items()
            if name.split(".")[0] not in {"final_layer", "mlp_head_x", "mlp_head_y"}
        }
        for representation in REPRESENTATIONS:
            spec = study.spec(representation)
            model = study.start(spec)
            model.load_state_dict(weights, strict=False)
            yield f"trunk of {teacher}", representation, *study.measure(spec, study.train(spec, model, frozen=True))


EXPERIMENTS: dict[str, tuple[Callable[[Study], Iterator[Row]], list[str]]] = {
    "float64": (float64, ["", "step 1", "step 10", "step 20", "step 40"]),
    "gradients": (gradients, ["", "", "mean norm", "agreement", "median size"]),
    "logits": (logits, ["", "", "loss", "deviation of maps", "of logits"]),
    "frozen": (frozen, ["", "", "AP", "mean OKS"]),
    "heads": (heads_apart, ["", "", "AP", "mean OKS"]),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=EXPERIMENTS, default=list(EXPERIMENTS))
    parser.add_argument("--results", type=Path, default=Path("results"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    study = Study(arguments.data_root, arguments.results)
    for name in arguments.only:
        experiment, headers = EXPERIMENTS[name]
        rows = []
        for row in experiment(study):
            print(name, *row, flush=True)
            rows.append(row)
        print(f"\n{name}\n{tabulate(rows, headers=headers, disable_numparse=True)}\n", flush=True)


if __name__ == "__main__":
    main()
