"""Simulated records in a results folder of their own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.files import StoreError, write_bytes, write_json
from bench.planning.plan import Plan, PlannedEvaluation, PlannedTraining
from bench.planning.simulated import result_kinds
from bench.pose.metrics.per_instance import save_per_instance
from bench.simulation.scores import Chance, Scores, simulate_scores
from bench.store.documents import EpochEntry, Record, TrainingRecord
from bench.store.folders import Store
from bench.store.provenance import Provenance, checkout
from bench.suite.specs import TrainSpec

__all__ = ["Simulated", "simulate"]

NOTHING_RAN: dict[str, str | int] = {"simulated": "nothing ran"}
"""Stands where records say what they were measured on."""

LOSS_FLOOR, LOSS_DROP = 0.35, 0.8
"""Part of the first loss that remains before the learning rate first drops, and factor of each drop."""

EPOCHS_TO_LEARN = 8
"""Number of times in a training that what is still to be learnt shrinks to 1/e."""

WOBBLE = 0.01
"""Standard deviation of the loss from epoch to epoch, as a part of it."""


@dataclass(frozen=True)
class Simulated:
    """Ids of what was written, and how many results were there before."""

    trainings: tuple[str, ...]
    evaluations: tuple[str, ...]
    kept: int


def simulate(plans: Sequence[Plan], store: Store, chance: Chance, command: str) -> Simulated:
    """Write a simulated record for every planned training and evaluation that has none.

    Args:
        plans: what to simulate.
        store: a folder without measured results; its simulated ones stay as they are.
        chance: decides the noise.
        command: that makes the same records again.

    Raises:
        StoreError: the folder holds measured results, or work on some was begun; nothing is written.
    """
    _refuse_measured(store)
    done = {id_ for id_, _ in result_kinds(store)}
    provenance = _provenance(command)
    trainings: dict[str, None] = {}
    evaluations: dict[str, None] = {}
    cells = [(training, item) for plan in plans for training in plan.trainings for item in training.evaluations]
    for training, item in cells:
        new = {training.spec.id, item.spec.id} - done - trainings.keys() - evaluations.keys()
        scores = simulate_scores(training, item, chance) if new else None
        if scores is not None and training.spec.id in new:
            trainings[training.spec.id] = None
            _write_training(training, scores, store, chance, provenance)
        if scores is not None and item.spec.id in new:
            evaluations[item.spec.id] = None
            _write_evaluation(training, item, scores, store, provenance)
    return Simulated(tuple(trainings), tuple(evaluations), len(done))


def _refuse_measured(store: Store) -> None:
    measured = [id_ for id_, simulated in result_kinds(store) if not simulated]
    begun = [file.parent.name for file in store.root.glob("trainings/*/leases")]  # whoever measures takes a lease
    if measured or begun:
        raise StoreError(
            f"{store.root} holds measured results or work on them ({(measured + begun)[0]}); simulated ones need a"
            " folder of their own"
        )


def _write_training(
    training: PlannedTraining, scores: Scores, store: Store, chance: Chance, provenance: Provenance
) -> None:
    spec, folder = training.spec, store.training(training.spec.id)
    folder.save_spec(spec)
    record = TrainingRecord(
        id=spec.id,
        spec=spec,
        params=training.complexity.params,
        history=_history(spec, scores.headline, chance),
        seconds=0.0,
        weights_sha256="",
        problems=[],
        provenance=provenance.model_copy(update={"seed": spec.seed}),
        simulated=True,
    )
    write_json(folder.record_file, record.model_dump(mode="json"), durable=False)


def _write_evaluation(
    training: PlannedTraining, evaluation: PlannedEvaluation, scores: Scores, store: Store, provenance: Provenance
) -> None:
    spec, folder = evaluation.spec, store.evaluation(evaluation.spec.id)
    folder.save_spec(spec)
    if scores.per_instance is not None:
        write_bytes(folder.per_instance, save_per_instance(scores.per_instance), durable=False)
    annotated = training.spec.data.layout_of(spec.split).annotated
    record = Record(
        id=spec.id,
        spec=spec,
        training=training.spec,
        metrics=scores.metrics,
        scored_by="bench" if annotated else "server",
        baseline=scores.baseline,
        instances=0,
        seconds=0.0,
        problems=[],
        provenance=provenance.model_copy(update={"seed": training.spec.seed}),
        diagnostics=scores.diagnostics,
        ceiling=scores.ceiling,
        simulated=True,
    )
    write_json(folder.record_file, record.model_dump(mode="json"), durable=False)


def _history(spec: TrainSpec, headline: float, chance: Chance) -> list[EpochEntry]:
    """A curve that falls towards a floor and drops with the learning rate, validated where the best epoch is kept."""
    wobbles = 1 + WOBBLE * chance.of(spec.id).standard_normal(spec.epochs)
    entries = []
    for epoch, wobble in enumerate(wobbles.tolist()):
        drops = sum(epoch >= milestone for milestone in spec.milestones)
        unlearnt = float(np.exp(-EPOCHS_TO_LEARN * (epoch + 1) / spec.epochs))
        entries.append(
            EpochEntry(
                epoch=epoch,
                loss=(LOSS_FLOOR + (1 - LOSS_FLOOR) * unlearnt) * LOSS_DROP**drops * wobble,
                learning_rate=spec.learning_rate * spec.learning_rate_factor**drops,
                instances=0,
                validation=headline * (1 - unlearnt) if spec.selection == "best" else None,
            )
        )
    return entries


def _provenance(command: str) -> Provenance:
    commit, dirty = checkout()
    return Provenance(
        commit=commit,
        dirty=dirty,
        versions={},
        hardware=NOTHING_RAN,
        files={},
        seed=0,
        command=command,
        started=time.time(),
    )
