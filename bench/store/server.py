"""Evaluations that only a dataset's server can score: the archive to submit, and the score to enter."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.files import StoreError, read_json, sha256, write_bytes, write_json
from bench.pose.data.coco_format import CocoKeypoints
from bench.pose.errors import DataError
from bench.pose.metrics.coco import STATISTICS, check_results
from bench.store.documents import Record, ServerScore
from bench.store.folders import EvaluationFolder

SENT = ("image_id", "category_id", "keypoints", "score")
"""Fields of a prediction that the server reads."""

FIXED_DATE = (2021, 1, 1, 0, 0, 0)
"""Date of the archive's member, so that equal predictions give equal archives."""


def package(folder: EvaluationFolder, split: CocoKeypoints, algorithm: str, out: Path) -> Path:
    """Write `person_keypoints_SPLIT_ALGORITHM_results.zip` with the JSON of that name, as the COCO server wants it.

    Args:
        folder: folder of a finished evaluation.
        split: predicted split.
        algorithm: name of the submission: letters, digits and `-`.
        out: folder for the archive.

    Raises:
        StoreError: the predictions are gone.
        DataError: the server would refuse the name or a prediction.
    """
    if not re.fullmatch(r"[A-Za-z0-9-]+", algorithm):
        raise DataError(f"algorithm name {algorithm!r}: use only letters, digits and '-'")
    results = read_json(folder.predictions)
    if not isinstance(results, list) or not results:
        raise StoreError(f"{folder.predictions}: no predictions; remove {folder.record_file} to have them made again")
    check_results(split.images, results, split.skeleton.size)
    name = f"person_keypoints_{split.split}_{algorithm}_results"
    contents = json.dumps([{field: result[field] for field in SENT} for result in results]).encode()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(zipfile.ZipInfo(f"{name}.json", FIXED_DATE), contents, zipfile.ZIP_DEFLATED)
    target = out / f"{name}.zip"
    write_bytes(target, archive.getvalue())
    return target


def enter_score(folder: EvaluationFolder, record: Record, metrics: Mapping[str, Any], source: str) -> ServerScore:
    """Enter the server's score of a finished evaluation; reports then show it.

    Args:
        folder: folder of the evaluation.
        record: record of the evaluation.
        metrics: some of `STATISTICS`, in 0..1.
        source: where the score can be looked up, such as the submission's address.

    Raises:
        StoreError: the evaluation is scored by bench, or another score was entered.
        DataError: a name is unknown, or a value lies outside 0..1.
    """
    if record.scored_by != "server":
        raise StoreError(f"evaluation {folder.path.name} is scored by bench; only scores of a server can be entered")
    for name, value in metrics.items():
        if name not in STATISTICS:
            raise DataError(f"unknown metric {name!r}; valid: {', '.join(STATISTICS)}")
        if not isinstance(value, int | float) or not 0 <= value <= 1:
            raise DataError(f"{name} is {value!r}; expected a fraction in 0..1")
    if not metrics:
        raise DataError("no metric was given")
    score = ServerScore(
        metrics={name: float(value) for name, value in metrics.items()},
        source=source,
        predictions_sha256=sha256(folder.predictions),
    )
    if folder.server_file.exists() and folder.server_score() != score:
        raise StoreError(f"{folder.server_file} has another score; remove it to enter this one")
    write_json(folder.server_file, score.model_dump())
    return score
