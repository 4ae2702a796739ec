"""A small suite that tests change one line of."""

from pathlib import Path
from typing import Any

from bench.suite.expansion import expand
from bench.suite.schema import Suite, load_suite
from bench.suite.specs import EvalSpec, TrainSpec

SUITE = """\
name: example
title: An example
dataset: {name: coco, train: train2017, eval: val2017}
train:
  axes:
    backbone: [simba_res50]
    representation: [heatmap, simdr]
    input_size: [64x64]
  set:
    - {epochs: 5}
  exclude:
    - {when: {backbone: hrnet_w48}, because: too big}
  recipe: paper
evaluate:
  - {boxes: gt, when: {representation: heatmap}}
  - {boxes: gt, when: {representation: simdr}}
tables:
  - {id: results, compare: published/coco_val}
"""


def changed(*changes: tuple[str, str]) -> str:
    """The example with each text replaced, which must be there exactly once."""
    text = SUITE
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} is not once in the example"
        text = text.replace(old, new)
    return text


def load(folder: Path, *changes: tuple[str, str]) -> Suite:
    """The changed example, read from a file."""
    file = folder / "example.yaml"
    file.write_text(changed(*changes), encoding="utf-8")
    return load_suite(file)


def example_training(folder: Path, **fields: Any) -> TrainSpec:
    """The example's SimDR training, some fields replaced."""
    training = expand(load(folder)).cells[-1].training
    return TrainSpec.model_validate(training.model_dump() | fields)


def example_evaluation(folder: Path, **fields: Any) -> EvalSpec:
    """The example's SimDR evaluation, some fields replaced."""
    (evaluation,) = expand(load(folder)).cells[-1].evaluations
    return EvalSpec.model_validate(evaluation.model_dump() | fields)
