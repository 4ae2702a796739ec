"""Weights of a finished training as a file of safetensors, which says what they are."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import save

from bench import __version__
from bench.files import StoreError, sha256, write_bytes
from bench.pose.checkpoints import load_file
from bench.store.folders import Store
from bench.store.lookup import look_up


def export_weights(store: Store, prefix: str, out: Path) -> str:
    """Write the weights of a training to `out`; returns the training's id.

    The file's metadata name backbone, representation, input size and dataset, the training and its whole spec, and the
    sha256 of the file that they are from.

    Args:
        store: with the training.
        prefix: beginning of its id, or of that of one of its evaluations.
        out: file to write.

    Raises:
        StoreError: there is not exactly one such training, it is not finished or made up, or its weights are gone or
            others.
        CheckpointError: its weights cannot be read.
    """
    training = look_up(store, prefix).training
    folder = store.training(training.id)
    record = folder.record()
    if record is None or record.simulated:
        raise StoreError(f"training {training.id} has no weights: it is {'made up' if record else 'not finished'}")
    if not folder.weights.is_file() or sha256(folder.weights) != record.weights_sha256:
        raise StoreError(f"{folder.weights} does not hold the weights in {folder.record_file}")
    metadata = {
        "format": "pt",
        "bench": __version__,
        "training": training.id,
        "backbone": training.backbone,
        "representation": training.representation,
        "input_size": str(training.input_size),
        "dataset": training.dataset,
        "weights_sha256": record.weights_sha256,
        "spec": json.dumps(training.model_dump(mode="json")),
    }
    weights = {name: value.contiguous().clone() for name, value in load_file(folder.weights).items()}
    write_bytes(out, save(weights, metadata))
    return training.id
