"""A model-index of Hugging Face: what each training reached, to paste into the front matter of its model card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from bench.analysis.formatting import backbone_name, metric_words, representation_name
from bench.capsule.archive import BROKEN, Capsule
from bench.capsule.gathering import Gathered
from bench.capsule.manifest import MODEL_INDEX
from bench.pose.errors import UnknownNameError
from bench.pose.metrics.catalog import metric_named
from bench.store.documents import Record, TrainingRecord

TASK = {"type": "keypoint-detection", "name": "2D human pose estimation"}

MOST_BYTES = 4 * 2**20
"""Largest model-index that is read; one evaluation takes about 1,200 bytes."""

ARGUMENTS = ("subset", "boxes", "flip_test", "flip_shift", "post_process", "precision", "evaluator")
"""Settings of an evaluation that a card needs to tell its results apart."""


def make_model_index(gathered: Gathered) -> bytes | None:
    """The file's contents; None where no result was measured."""
    models = [
        {"name": _name(training), "results": results}
        for training in gathered.trainings.values()
        if (results := list(_results(training, gathered.records)))
    ]
    if not models:
        return None
    return yaml.safe_dump({"model-index": models}, sort_keys=False, allow_unicode=True, width=120).encode()


def _name(training: TrainingRecord) -> str:
    spec = training.spec
    network = f"{backbone_name(spec.backbone)}, {representation_name(spec.representation)}, {spec.input_size}"
    return f"{network}, seed {spec.seed} ({training.id})"


def _results(training: TrainingRecord, records: Mapping[str, Record]) -> Iterator[dict[str, Any]]:
    for record in records.values():
        metrics = {name: value for name, value in record.metrics.items() if value is not None}
        if record.spec.training != training.id or record.simulated or training.simulated or not metrics:
            continue
        arguments = {name: getattr(record.spec, name) for name in ARGUMENTS}
        yield {
            "task": dict(TASK),  # a copy: YAML would refer to the first one
            "dataset": {
                "name": _title(record),
                "type": record.training.dataset,
                "split": record.spec.split,
                "args": {"evaluation": record.id}
                | {name: value for name, value in arguments.items() if value is not None},
            },
            "metrics": [{"type": name, "name": _metric(name), "value": value} for name, value in metrics.items()],
        }


def _title(record: Record) -> str:
    try:
        return record.training.data.title
    except UnknownNameError:  # a dataset whose extension is not loaded
        return record.training.dataset


def _metric(name: str) -> str:
    metric = metric_named(name)
    unit = "0 to 1" if metric.scale == 100 else metric.unit
    return f"{metric_words(name)} ({unit})" if unit else metric_words(name)


class _PlainLoader(yaml.SafeLoader):
    """Reads YAML without references, by which a small file could stand for very much."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it has references")
        return super().compose_node(parent, index)


def stated_metrics(capsule: Capsule) -> dict[str, dict[str, float | None]]:
    """The metrics that a capsule's model-index states, by the ids of evaluations; none without that file.

    Raises:
        CapsuleError: it has another form than ours.
    """
    if MODEL_INDEX not in capsule:
        return {}
    contents = capsule.contents(MODEL_INDEX)
    if len(contents) > MOST_BYTES:
        raise capsule.problem(f"{MODEL_INDEX} has more than {MOST_BYTES} bytes")
    found: dict[str, dict[str, float | None]] = {}
    try:
        for model in _PlainLoader(contents).get_single_data()["model-index"]:
            for result in model["results"]:
                values = {str(metric["type"]): float(metric["value"]) for metric in result["metrics"]}
                found.setdefault(str(result["dataset"]["args"]["evaluation"]), {}).update(values)
    except (yaml.YAMLError, RecursionError, LookupError, TypeError, ArithmeticError, *BROKEN) as error:
        raise capsule.problem(
            f"{MODEL_INDEX} is not a model-index of bench ({type(error).__name__}: {error})"
        ) from error
    return found
