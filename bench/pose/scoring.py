"""The evaluation protocols: from predictions to results and metrics.

COCO and CrowdPose rescore instances, suppress duplicates and score by OKS; MPII takes the predictions in the order of
its instances and scores by PCKh. All three write the COCO results format.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, Unpack

import numpy as np
import numpy.typing as npt
from hotcoco import COCO
from pycocotools.cocoeval import COCOeval

from bench.pose.data.annotation_file import AnnotationFile, clean_annotations, skeleton_of
from bench.pose.data.coco_format import CocoKeypoints
from bench.pose.data.conventions import Conventions
from bench.pose.data.instances import Split
from bench.pose.data.left_out import problem_summary, summarize
from bench.pose.data.mpii import MpiiInstances
from bench.pose.data.reading import is_number, read_id, read_json, without_collection
from bench.pose.errors import DataError, UnknownNameError
from bench.pose.evaluator_names import EVALUATORS, EvaluatorName
from bench.pose.metrics.coco import best_predictions, check_results
from bench.pose.metrics.diagnostics import Diagnostics
from bench.pose.metrics.evaluators import OKS_EVALUATORS, OKS_PROTOCOLS, OksProtocol
from bench.pose.metrics.nms import InstanceRules, list_results, score_instances, to_results
from bench.pose.metrics.oks_diagnostics import oks_diagnostics
from bench.pose.metrics.oks_evaluator import quick_precision, read_truth
from bench.pose.metrics.pck import pck_counts, pck_metrics
from bench.pose.metrics.pckh import HeadTruth, pckh, read_head_truth, read_predictions, write_predictions
from bench.pose.metrics.pckh_per_instance import judge_pckh
from bench.pose.metrics.per_instance import PerInstanceResults
from bench.pose.metrics.predictions import Predictions
from bench.pose.metrics.results_file import listed_entries, read_results
from bench.pose.skeletons import CROWDPOSE_14, MPII_16, Skeleton

__all__ = ["PROTOCOLS", "Assessment", "Scoring", "open_scoring", "score_file", "split_scoring"]

Results = Sequence[dict[str, Any]]
Metrics = dict[str, float | None]
"""Values by name; None where there is nobody to judge: no instance of the truth counts for the metric."""


class Scoring(Protocol):
    """The evaluation protocol with the truth of a split."""

    def results(self, predictions: Predictions, **rules: Unpack[InstanceRules]) -> list[dict[str, Any]]:
        """Predicted instances in the COCO results format; rules as in `rescore` and `oks_nms`."""

    def metrics(self, results: Results) -> Metrics:
        """Metrics of results; empty if only a server can score them. Raises `DataError` for unusable results."""

    def quick_metrics(self, results: Results) -> Metrics:
        """At least the headline metric, to rounding but faster: it selects the best weights."""

    def assess(self, results: Results) -> Assessment:
        """The same metrics with per-instance results and diagnostics. Raises `DataError` for unusable results."""

    def from_file(self, entries: Sequence[Any]) -> tuple[Results, list[str]]:
        """Results of the entries of a file that goes with the split, and messages about entries that are left out.

        Raises `DataError` for an entry that is unusable.
        """

    def to_file(self, results: Results) -> Results:
        """Entries of a file that goes with the split."""

    def files(self, results: Results) -> dict[str, bytes]:
        """The results in further formats of the dataset's tools, by file name."""


@dataclass(frozen=True)
class Assessment:
    """Metrics of results, and details where the truth is available.

    Attributes:
        metrics: the protocol's metrics; empty if only a server can score the results.
        per_instance: results by image or instance.
        diagnostics: values by keypoint and threshold.
    """

    metrics: Metrics
    per_instance: PerInstanceResults | None = None
    diagnostics: Diagnostics | None = None


@dataclass(frozen=True)
class OksScoring:
    """Scoring by OKS after rescoring and suppression (behaviour E9, E10, E12).

    Attributes:
        annotations: contents of the annotation file; annotations are numbered anew from 1, as evaluators take the id 0
            for "unmatched", and equal ids for one instance.
        skeleton: keypoints of the annotations.
        protocol: None for a split without published annotations: its predictions are only checked (behaviour E15).
        conventions: how the annotation file, and those of predictions, differ from `annotations`.
    """

    annotations: dict[str, Any]
    skeleton: Skeleton
    protocol: OksProtocol | None
    conventions: Conventions = field(default_factory=Conventions)

    def __post_init__(self) -> None:
        instances = [one | {"id": number} for number, one in enumerate(self.annotations["annotations"], start=1)]
        object.__setattr__(self, "annotations", self.annotations | {"annotations": instances})

    def results(self, predictions: Predictions, **rules: Unpack[InstanceRules]) -> list[dict[str, Any]]:
        """Instances rescored and suppressed, by image."""
        return to_results(predictions, self.skeleton.sigmas, **rules)

    def metrics(self, results: Results) -> Metrics:
        """The protocol's statistics, `mean_oks` and PCK in 0..1; none for a split that only a server can score."""
        if self.protocol is None:
            check_results({image["id"] for image in self.annotations["images"]}, results, self.skeleton.size)
            return {}
        evaluation = self.protocol.run(self.annotations, results, self.skeleton.sigmas)
        return self.protocol.metrics(evaluation) | pck_metrics(self._pck_counts(evaluation))

    def quick_metrics(self, results: Results) -> Metrics:
        """AP alone, without pycocotools where it makes no difference; the annotations are read the first time only."""
        if self._truth is None:
            return self.metrics(results)
        check_results(self._truth.imgs, results, self.skeleton.size)
        return {"AP": quick_precision(self._truth, results, self.skeleton.sigmas)}

    def assess(self, results: Results) -> Assessment:
        """Everything from one evaluation."""
        if self.protocol is None:
            return Assessment(self.metrics(results))
        evaluation = self.protocol.run(self.annotations, results, self.skeleton.sigmas)
        per_instance = replace(self.protocol.judge(evaluation), pck=self._pck_counts(evaluation))
        diagnostics = oks_diagnostics(evaluation, per_instance, self.skeleton.keypoints)
        return Assessment(self.protocol.metrics(evaluation) | pck_metrics(per_instance.pck), per_instance, diagnostics)

    def from_file(self, entries: Sequence[Any]) -> tuple[Results, list[str]]:
        """The predictions of persons, in the skeleton's order of keypoints."""
        image_ids = {image["id"] for image in self.annotations["images"]}
        return read_results(entries, image_ids, self.skeleton.size, self.conventions)

    def to_file(self, results: Results) -> Results:
        """In the category and the order of keypoints of the annotation file."""
        return self.conventions.to_file(results)

    def _pck_counts(self, evaluation: COCOeval) -> npt.NDArray[np.int64] | None:
        return pck_counts(best_predictions(evaluation), len(evaluation.params.imgIds), self.skeleton)

    @cached_property
    def _truth(self) -> COCO | None:
        return None if self.protocol is None else read_truth(self.protocol.annotations(self.annotations))

    def files(self, results: Results) -> dict[str, bytes]:
        """No files: tools expect the COCO results format."""
        return {}


@dataclass(frozen=True)
class PckhScoring:
    """Scoring by PCKh, each instance once, in the order of the annotations (behaviour E17, E18)."""

    truth: HeadTruth

    def results(self, predictions: Predictions, **rules: Unpack[InstanceRules]) -> list[dict[str, Any]]:
        """All instances in order; `image_id` is the position of the instance in the annotations."""
        scores = score_instances(predictions, rules)
        return list_results(predictions, np.arange(len(scores)), scores)

    def metrics(self, results: Results) -> Metrics:
        """`Head` to `Mean`, and `Head@0.1` to `Mean@0.1`, in percent; missing predictions count as misses."""
        return pckh(self._keypoints(results), self.truth)

    def quick_metrics(self, results: Results) -> Metrics:
        """The metrics, which are fast to compute."""
        return self.metrics(results)

    def assess(self, results: Results) -> Assessment:
        """The metrics with each keypoint's distance, and PCKh by keypoint and by threshold."""
        per_instance = judge_pckh(self._keypoints(results), self.truth)
        return Assessment(per_instance.metrics(), per_instance, per_instance.diagnostics())

    def from_file(self, entries: Sequence[Any]) -> tuple[Results, list[str]]:
        """The entries, which are checked when they are scored."""
        return entries, []

    def to_file(self, results: Results) -> Results:
        """The results as they are."""
        return results

    def files(self, results: Results) -> dict[str, bytes]:
        """`pred.mat`; keypoints without a prediction are NaN in it."""
        return {"pred.mat": write_predictions(self._keypoints(results))}

    def _keypoints(self, results: Results) -> npt.NDArray[np.float64]:
        """Predicted keypoints of all instances, (instances, 16, 2) 0-based px, NaN where missing."""
        keypoints = np.full((len(self.truth.keypoints), MPII_16.size, 2), np.nan)
        for number, result in enumerate(results):
            instance = _checked_position(number, result, keypoints)
            keypoints[instance] = np.reshape(result["keypoints"], (-1, 3))[:, :2]
        return keypoints


def _checked_position(number: int, result: object, keypoints: npt.NDArray[np.float64]) -> int:
    """The position of a result's instance. Raises `DataError` if it is unknown or taken, or the result unusable."""
    where, values = f"prediction {number}", 3 * MPII_16.size
    if not isinstance(result, Mapping) or not {"image_id", "keypoints"} <= result.keys():
        raise DataError(f"{where}: expected an object with image_id and keypoints, found {result!r:.80}")
    instance, flat = read_id(result["image_id"]), result["keypoints"]
    if instance is None or not 0 <= instance < len(keypoints):
        raise DataError(
            f"{where}: image_id {result['image_id']!r:.80} is not a position among the {len(keypoints)} instances"
        )
    if not np.isnan(keypoints[instance]).all():
        raise DataError(f"{where}: instance {instance} is predicted a second time")
    if not isinstance(flat, list) or len(flat) != values or not all(map(is_number, flat)):
        raise DataError(f"{where} (instance {instance}): keypoints are not {values} finite numbers")
    return instance


def split_scoring(split: Split, evaluator: EvaluatorName | None = None) -> Scoring:
    """The scoring of an opened split.

    Args:
        split: whose truth is read.
        evaluator: one of those of its protocol; None for the one of record.

    Raises:
        DataError: the truth is missing, unusable, or that of other instances.
    """
    if isinstance(split, CocoKeypoints):
        name = evaluator or EVALUATORS[split.protocol][0]
        protocol = OKS_EVALUATORS[split.protocol][name] if split.annotated else None
        return _oks_scoring(split.file, split.annotation_file, split.skeleton, protocol)
    truth = read_head_truth(split.truth_file)
    if isinstance(split, MpiiInstances) and split.listed != len(truth.keypoints):
        listed = f"{split.annotation_file} lists {split.listed}"
        raise DataError(f"{split.truth_file}: {len(truth.keypoints)} instances, but {listed}")
    if isinstance(split, MpiiInstances) and split.subset is not None:
        chosen = np.isin(np.arange(len(truth.keypoints)), split.used)
        truth = replace(truth, visible=truth.visible & chosen[:, None])
    return PckhScoring(truth)


def _oks_scoring(found: AnnotationFile, file: Path, skeleton: Skeleton, protocol: OksProtocol | None) -> OksScoring:
    """The scoring of an annotation file. Raises `DataError` if it lacks what the protocol needs."""
    if protocol is not None:
        try:
            protocol.annotations(found.contents)
        except DataError as error:
            raise DataError(f"{file}: {error}") from None
    return OksScoring(found.contents, skeleton, protocol, found.conventions)


PROTOCOLS = (*OKS_PROTOCOLS, "mpii")
"""Names of the evaluation protocols."""


def open_scoring(
    protocol: str, truth: Path, skeleton: Skeleton | None = None, *, area_of_box: float = 1.0
) -> tuple[Scoring, list[str]]:
    """The scoring of an annotation file, and messages about what is wrong with it or left out.

    Args:
        protocol: one of `PROTOCOLS`.
        truth: annotations in the COCO format, whose keypoints decide the sigmas; MPII's `gt_valid.mat`.
        skeleton: keypoints of a custom dataset.
        area_of_box: area of an instance without a stored one, relative to its box.

    Raises:
        UnknownNameError: there is no such protocol.
        DataError: the file is unusable.
    """
    if protocol not in PROTOCOLS:
        raise UnknownNameError("protocol", protocol, PROTOCOLS)
    if protocol == "mpii":
        return PckhScoring(read_head_truth(truth)), []
    contents = read_json(truth)
    if skeleton is None:
        skeleton = CROWDPOSE_14 if protocol == "crowdpose" else skeleton_of(contents, truth)
    found = clean_annotations(contents, truth, skeleton, area_of_box=area_of_box, protocol=protocol, pixels=False)
    if found.problems and not found.contents["annotations"]:
        raise DataError(f"{truth}: no annotation is usable{problem_summary(found.problems)}")
    return _oks_scoring(found, truth, skeleton, OKS_PROTOCOLS[protocol]), [*summarize(found.problems), *found.notes]


@without_collection()
def score_file(
    protocol: str, predictions: Path, truth: Path, skeleton: Skeleton | None = None, *, area_of_box: float = 1.0
) -> tuple[Metrics, list[str]]:
    """Metrics of a file of predictions, and messages about what is wrong with the files or left out.

    Args:
        protocol: one of `PROTOCOLS`.
        predictions: in the COCO results format, or for MPII also a `pred.mat`.
        truth: see `open_scoring`.
        skeleton: see `open_scoring`.
        area_of_box: see `open_scoring`.

    Raises:
        UnknownNameError: there is no such protocol.
        DataError: a file is unusable; the message names it.
    """
    scoring, messages = open_scoring(protocol, truth, skeleton, area_of_box=area_of_box)
    matlab = isinstance(scoring, PckhScoring) and predictions.suffix == ".mat"
    contents = read_predictions(predictions) if matlab else read_json(predictions)
    try:
        if isinstance(scoring, PckhScoring) and matlab:
            return pckh(contents, scoring.truth), messages
        results, left_out = scoring.from_file(listed_entries(contents))
        return scoring.metrics(results), [*messages, *(f"{predictions}: {message}" for message in left_out)]
    except DataError as error:
        raise DataError(f"{predictions}: {error}") from None
