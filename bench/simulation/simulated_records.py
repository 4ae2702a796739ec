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
from bench.simulation.simulated_scores import Chance, SimulatedScores, simulate_scores
from bench.store.documents import EpochEntry, Record, TrainingRecord
from bench.store.folders import Store
from bench.store.provenance import Provenance, code_identity
from bench.suite.specs import TrainSpec

NOTHING_RAN: dict[str, str | int] = {"simulated": "nothing ran"}
"""Stands where records say what they were measured on."""


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
    kept = len(done)
    provenance = _provenance(command)
    written: dict[str, list[str]] = {"training": [], "evaluation": []}
    cells = [(training, item) for plan in plans for training in plan.trainings for item in training.evaluations]
    for training, item in cells:
        new = {training.spec.id, item.spec.id} - done
        if not new:
            continue
        scores = simulate_scores(training, item, chance)
        if training.spec.id in new:
            _write_training(training, scores, store, chance, provenance)
            written["training"].append(training.spec.id)
        if item.spec.id in new:
            _write_evaluation(training, item, scores, store, provenance)
            written["evaluation"].append(item.spec.id)
        done |= new
    return Simulated(tuple(written["training"]), tuple(written["evaluation"]), kept)


def _refuse_measured(store: Store) -> None:
    measured = [id_ for id_, simulated in result_kinds(store) if not simulated]
    begun = [file.parent.name for file in store.root.glob("trainings/*/leases")]  # whoever measures takes a lease
    if measured or begun:
        raise StoreError(
            f"{store.root} holds measured results or work on them ({(measured + begun)[0]}); simulated ones need a"
            " folder of their own"
        )


def _write_training(
    training: PlannedTraining, scores: SimulatedScores, store: Store, chance: Chance, provenance: Provenance
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
    training: PlannedTraining,
    evaluation: PlannedEvaluation,
    scores: SimulatedScores,
    store: Store,
    provenance: Provenance,
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
    """A noisy loss that falls towards a floor and drops with the learning rate."""
    entries = []
    for epoch, noise in enumerate(chance.of(spec.id).normal(1, 0.01, spec.epochs).tolist()):
        drops = sum(epoch >= milestone for milestone in spec.milestones)
        unlearnt = float(np.exp(-8 * (epoch + 1) / spec.epochs))
        entries.append(
            EpochEntry(
                epoch=epoch,
                loss=(0.35 + 0.65 * unlearnt) * 0.8**drops * noise,
                learning_rate=spec.learning_rate * spec.learning_rate_factor**drops,
                instances=0,
                validation=headline * (1 - unlearnt) if spec.selection == "best" else None,
            )
        )
    return entries


def _provenance(command: str) -> Provenance:
    return Provenance(
        **code_identity().model_dump(),
        versions={},
        hardware=NOTHING_RAN,
        files={},
        seed=0,
        command=command,
        started=time.time(),
    )
