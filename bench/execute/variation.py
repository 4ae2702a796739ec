"""Measures the variants of an evaluation from its network's stored outputs, without the network."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import torch

from bench.execute.evaluation_job import data_hashes, load_network, open_evaluator
from bench.execute.job import Job
from bench.execute.output_store import OutputsKeeper, stored_outputs
from bench.execute.settings import eval_config
from bench.execute.training_job import job_provenance
from bench.files import remove_leftovers, write_bytes, write_json
from bench.pose.codecs.maps import STRIDE
from bench.pose.codecs.representation import REPRESENTATIONS, CodecSettings
from bench.pose.data.reading import read_json
from bench.pose.errors import DataError
from bench.pose.evaluation import EvalConfig, EvalResult, Evaluator
from bench.pose.evaluator_names import EvaluatorName
from bench.pose.inference import decode_outputs
from bench.pose.metrics.catalog import headline
from bench.pose.metrics.error_budget import error_budget
from bench.pose.metrics.results_file import listed_entries
from bench.pose.raw_outputs import OutputsError, read_outputs
from bench.pose.scoring import OksScoring, Scoring, split_scoring
from bench.store.documents import ErrorBudget, Record, Variant, Variants
from bench.store.folders import EvaluationFolder, Store
from bench.suite.specs import EvalSpec, TrainSpec
from bench.suite.variants import VariantSpec, variants_of


@dataclass(frozen=True)
class Variation:
    """The variants of one evaluation.

    Attributes:
        base: record of the evaluation.
        metric: its headline metric.
        decoded: that metric of the stored outputs, decoded as the evaluation decodes: equal to rounding.
        variants: each with its record, in order.
        made: number of those that were measured now.
        seconds: that it took.
    """

    base: Record
    metric: str
    decoded: float | None
    variants: tuple[tuple[VariantSpec, Record], ...]
    made: int
    seconds: float


def vary(job: Job, base: EvalSpec, store: Store, say: Callable[[str], object]) -> Variation:
    """Measure the variants of a finished evaluation that are not measured yet, and its error budget.

    Outputs that are not stored are made first, with the network.

    Args:
        job: of the evaluated training; only its training and resources are used.
        base: the evaluation.
        store: with its record.
        say: gets what the user should know.

    Raises:
        BusyError: another process works on the training.
        OutputsError: the stored outputs are broken, of other weights or of other data.
        BenchError: data, boxes or weights are unusable.
    """
    with store.training(job.id).lease():
        return _vary(job, base, store, say)


def _vary(job: Job, base: EvalSpec, store: Store, say: Callable[[str], object]) -> Variation:
    clock = time.monotonic()
    folder = store.evaluation(base.id)
    record = folder.record()
    assert record is not None, "only finished evaluations are varied"
    if not record.metrics or record.scored_by == "server":
        raise DataError(f"{base.id}: only a server can score {base.split}, so its variants cannot be measured")
    if record.simulated:
        raise DataError(f"{base.id}: made up by `bench simulate`; there is no network to measure")
    evaluator = open_evaluator(job, base)
    _check_data(record, data_hashes(evaluator))
    _ensure_outputs(job, record, evaluator, store, say)
    records = {one: store.evaluation(one.spec.id).record() for one in variants_of(job.training, base)}
    # Other boxes give other crops, of which these outputs say nothing.
    missing = [one.spec for one, found in records.items() if found is None and one.setting != "boxes"]
    variation = _OpenVariation(job, record, evaluator, folder, [base, *missing])
    found = [
        (one, existing or variation.measure(one, store.evaluation(one.spec.id)))
        for one, existing in records.items()
        if existing is not None or one.spec in missing
    ]
    variants = [Variant(setting=one.setting, value=one.words, evaluation=one.spec.id) for one, _ in found]
    write_json(folder.variants_file, Variants(variants=variants).model_dump(mode="json"))
    _keep_budget(evaluator, job.training, folder)
    metric = headline(record.metrics)
    decoded = variation.result(base, anew=True).metrics[metric]
    return Variation(record, metric, decoded, tuple(found), len(missing), time.monotonic() - clock)


class _OpenVariation:
    """The stored outputs of an evaluation, decoded and judged in several ways."""

    def __init__(
        self, job: Job, base: Record, evaluator: Evaluator, folder: EvaluationFolder, specs: Sequence[EvalSpec]
    ) -> None:
        """Decode as each of `specs` does."""
        self._job, self._base, self._evaluator = job, base, evaluator
        self._scoring: Callable[[EvaluatorName | None], Scoring] = lru_cache(None)(
            lambda name: split_scoring(evaluator.split, name)
        )
        configs = {_way(config): config for config in map(self._config, specs)}
        ways = [(replace(evaluator, config=config).codec, config.flip_test) for config in configs.values()]
        outputs = read_outputs(folder.outputs)
        self._kept, decoded = decode_outputs(outputs, ways, evaluator.instances, evaluator.crops)
        self._decoded = dict(zip(configs, decoded, strict=True))

    def _config(self, spec: EvalSpec) -> EvalConfig:
        return eval_config(self._job.training, spec, self._evaluator.config.box_file)

    def result(self, spec: EvalSpec, *, anew: bool = False) -> EvalResult:
        """What an evaluation of the same crops finds.

        Where it decodes as the base does, the keypoints are those of the network, unless they are to be those that were
        decoded `anew` from its rounded outputs.
        """
        config = self._config(spec)
        evaluator = replace(self._evaluator, config=config, scoring=self._scoring(config.evaluator))
        same = not anew and _way(config) == _way(self._evaluator.config)
        return evaluator.judge(self._kept if same else self._decoded[_way(config)], {}, thorough=True)

    def measure(self, variant: VariantSpec, folder: EvaluationFolder) -> Record:
        """Judge a variant and store it as the evaluation that it is."""
        started, clock, base = time.time(), time.monotonic(), self._base
        found = self.result(variant.spec)
        folder.save_spec(variant.spec)
        remove_leftovers(folder.path)
        for name, contents in found.files.items():
            write_bytes(folder.path / name, contents)
        record = Record(
            id=variant.spec.id,
            spec=variant.spec,
            training=self._job.training,
            metrics=found.metrics,
            baseline={},
            diagnostics=found.diagnostics,
            instances=found.instances,
            seconds=time.monotonic() - clock,
            problems=base.problems,
            images=base.images,
            images_left_out=base.images_left_out,
            provenance=job_provenance(self._job, data_hashes(self._evaluator), started, f"stored outputs of {base.id}"),
            outputs_of=base.id,
        )
        write_json(folder.record_file, record.model_dump(mode="json"))
        folder.clear_failure()
        return record


def _way(config: EvalConfig) -> tuple[CodecSettings, bool]:
    """What decides how outputs are decoded."""
    return config.codec, config.flip_test


def _check_data(record: Record, hashes: dict[str, str]) -> None:
    """Refuse data that changed since the evaluation: variants would differ by it."""
    for name, digest in hashes.items():
        if record.provenance.files.get(name) != digest:
            raise DataError(
                f"{name} is not the file that {record.id} was measured on; measure it again with `bench run`"
            )


def _ensure_outputs(job: Job, record: Record, evaluator: Evaluator, store: Store, say: Callable[[str], object]) -> None:
    """Make raw outputs where none are stored; refuse those of other weights."""
    folder = store.evaluation(record.id)
    trained = store.training(job.id).record()
    document = stored_outputs(folder)
    if document is not None:
        if trained is not None and trained.weights_sha256 != document.weights_sha256:
            raise OutputsError(f"{folder.outputs}: of other weights than {job.id} has; remove it, and it is made again")
        return
    say(f"{record.id}: no stored outputs; running the network once on {len(evaluator.instances):,} instances")
    model, weights = load_network(job, store)
    problems: list[str] = []
    remove_leftovers(folder.path)
    keeper = OutputsKeeper(folder, len(evaluator.instances), weights, problems)
    device = torch.device(job.resources.device)
    evaluator.evaluate(model, device=device, workers=job.resources.workers, keep=keeper.add)
    keeper.commit()
    if problems:
        raise OutputsError("; ".join(problems))


def _keep_budget(evaluator: Evaluator, training: TrainSpec, folder: EvaluationFolder) -> None:
    """Measure the error budget of the predictions of record, if the protocol has one."""
    scoring = evaluator.scoring
    if not isinstance(scoring, OksScoring) or folder.budget_file.exists():
        return
    results, _ = scoring.from_file(listed_entries(read_json(folder.predictions)))
    steps = error_budget(scoring, results, cell=_cell(training), input_size=training.input_size)
    write_json(folder.budget_file, ErrorBudget(metric="AP", steps=steps).model_dump(mode="json"))


def _cell(training: TrainSpec) -> float | None:
    """Crop px between neighboring positions that a representation tells apart; None if it has no such grid."""
    ratio = training.codec.get("split_ratio")
    if ratio is not None:
        return 1 / float(ratio)
    return float(STRIDE) if REPRESENTATIONS[training.representation].output == "maps" else None
