"""The logger `wandb`: a run of Weights & Biases per training, whose id is the training's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from bench.execute.logger import LoggedRun, Outcome, Scalar, logger

USUAL = {
    "WANDB_PROJECT": "bench",
    "WANDB_CONSOLE": "off",
    "WANDB_SILENT": "true",
    "WANDB_INIT_TIMEOUT": "30",  # seconds, after which the run is kept offline
}
"""Environment variables of W&B, where they are not set."""


@logger("wandb", package="wandb", install="simdr-bench[wandb]")
class WandbRun:
    """Mode, project and account are as the user configured them; without credentials or server it works offline.

    An offline job makes a folder with everything known, which can be sent by `wandb sync`.
    """

    def __init__(self, run: LoggedRun) -> None:
        self._run = _start(run)
        about = {"command": run.command, "provenance": dict(run.provenance)}
        # The provenance may differ from that of the job that goes on here.
        self._run.config.update({**run.settings, **about}, allow_val_change=True)
        # A run that goes on refuses steps that it has.
        self._first = self._run.step

    def epoch(self, epoch: int, values: Mapping[str, float]) -> None:
        """A step of the run's history, unless an earlier job logged it."""
        if epoch >= self._first:
            self._run.log({"epoch": epoch, **values}, step=epoch, commit=True)  # else the next epoch shows it

    def evaluation(self, name: str, metrics: Mapping[str, float], settings: Mapping[str, Scalar]) -> None:
        """The metrics in the run's summary, the settings in its configuration."""
        self._run.summary.update({f"{name}/{metric}": value for metric, value in metrics.items()})
        self._run.config.update({name: dict(settings)}, allow_val_change=True)

    def end(self, outcome: Outcome) -> None:
        """Finish the run, which sends what is left."""
        if outcome == "stopped":
            self._run.mark_preempting()  # else it would be shown as failed
        self._run.finish(exit_code=0 if outcome == "done" else 1)


def _start(run: LoggedRun) -> Any:
    import wandb

    folder = run.folder.parent  # wandb makes a folder of its name there
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in {**USUAL, "WANDB_DIR": str(folder)}.items():
        os.environ.setdefault(name, value)

    def start(mode: Any = None) -> Any:
        return wandb.init(id=run.id, name=run.title, resume="allow", mode=mode)

    try:
        return start()
    except wandb.Error as error:
        reason = str(error).partition("\n")[0]
        run.say(f"offline in {os.environ['WANDB_DIR']}/wandb, as it cannot log in or reach its server: {reason}")
        wandb.teardown()
        return start("offline")
