"""The logger `mlflow`: a run of MLflow per training, found again by its tag `bench.training`."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.execute.logger import LoggedRun, Outcome, Scalar, logger

TAG = "bench.training"

LONGEST = 500
"""Characters of a value that every version of MLflow stores."""

STATUS = {"done": "FINISHED", "failed": "FAILED", "stopped": "KILLED", "killed": "KILLED"}

USUAL = {
    "MLFLOW_ALLOW_FILE_STORE": "true",  # else MLflow 3.7 and later refuses a folder
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
"""Environment variables of MLflow, where they are not set."""


@logger("mlflow", package="mlflow", install="simdr-bench[mlflow]")
class MlflowRun:
    """At MLFLOW_TRACKING_URI, or else in a folder; in the experiment MLFLOW_EXPERIMENT_NAME, or else "bench"."""

    def __init__(self, run: LoggedRun) -> None:
        for name, value in USUAL.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient

        self._client = MlflowClient(os.environ.get("MLFLOW_TRACKING_URI") or run.folder.as_uri())
        self._id = self._find(run)
        self._client.update_run(self._id, status="RUNNING")
        self._steps: dict[str, set[int]] = {}
        self._write_settings("", run.settings)
        # Parameters cannot change, but a training may go on with other code or elsewhere.
        for name, value in {"command": run.command, **run.provenance}.items():
            self._client.set_tag(self._id, f"bench.{_valid(name)}", value[:LONGEST])

    def epoch(self, epoch: int, values: Mapping[str, float]) -> None:
        """A point of each metric, unless an earlier job logged it."""
        self._write(epoch, values)

    def evaluation(self, name: str, metrics: Mapping[str, float], settings: Mapping[str, Scalar]) -> None:
        """Metrics and parameters of the run that begin with the evaluation's name."""
        self._write(0, {f"{name}/{metric}": value for metric, value in metrics.items()})
        self._write_settings(f"{name}/", settings)

    def end(self, outcome: Outcome) -> None:
        """Set the run's status."""
        self._client.set_terminated(self._id, STATUS[outcome])

    def _find(self, run: LoggedRun) -> str:
        """Id of the training's run, which is made if there is none."""
        with _alone(run.folder):  # two trainings that start at once would make two experiments
            experiment = self._experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME") or "bench")
        found = self._client.search_runs(
            [experiment], f"tags.`{TAG}` = '{run.id}'", max_results=1, order_by=["attributes.start_time ASC"]
        )
        if found:
            return found[0].info.run_id
        return self._client.create_run(experiment, tags={TAG: run.id}, run_name=run.title).info.run_id

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        return found.experiment_id if found is not None else self._client.create_experiment(name)

    def _write(self, step: int, values: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        named = {_valid(name): value for name, value in values.items()}
        new = [Metric(name, value, now, step) for name, value in named.items() if step not in self._logged(name)]
        self._client.log_batch(self._id, metrics=new)
        for metric in new:
            self._steps[metric.key].add(step)

    def _logged(self, name: str) -> set[int]:
        if name not in self._steps:
            self._steps[name] = {metric.step for metric in self._client.get_metric_history(self._id, name)}
        return self._steps[name]

    def _write_settings(self, prefix: str, settings: Mapping[str, Scalar]) -> None:
        from mlflow.entities import Param

        params = [Param(_valid(f"{prefix}{name}"), str(value)[:LONGEST]) for name, value in settings.items()]
        for begin in range(0, len(params), 100):  # the most that MLflow takes at once
            self._client.log_batch(self._id, params=params[begin : begin + 100])


def _valid(name: str) -> str:
    """The name with what MLflow refuses replaced, as in "Mean@0.1"."""
    return re.sub(r"[^\w\-. /]", "_", name, flags=re.ASCII)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a lock beside the folder, if it can be had."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as file:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
