"""The logger `tensorboard`: a folder of event files per training."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from bench.execute.logger import LoggedRun, Outcome, Scalar, logger


@logger("tensorboard", package="tensorboard", install="simdr-bench[tensorboard]")
class TensorBoardRun:
    """Each job starts a file with everything known, which replaces earlier files of the same training."""

    def __init__(self, run: LoggedRun) -> None:
        from tensorboard.compat.proto.event_pb2 import SessionLog
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._writer = EventFileWriter(str(run.folder / run.id))
        self._last = 0
        # TensorBoard drops what earlier files have from this step on.
        self._add(0, session_log=SessionLog(status=SessionLog.START))
        about = {"title": run.title, "command": run.command}
        self._text("settings", {**about, **run.settings})
        self._text("provenance", run.provenance)

    def epoch(self, epoch: int, values: Mapping[str, float]) -> None:
        """A point of each curve."""
        self._last = epoch
        self._scalars(epoch, values)

    def evaluation(self, name: str, metrics: Mapping[str, float], settings: Mapping[str, Scalar]) -> None:
        """The metrics as points at the last epoch, in a group of their own."""
        self._text(f"{name}/settings", settings)
        self._scalars(self._last, {f"{name}/{metric}": value for metric, value in metrics.items()})

    def end(self, _outcome: Outcome) -> None:
        """Close the file."""
        self._writer.close()

    def _scalars(self, step: int, values: Mapping[str, float]) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        points = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._add(step, summary=Summary(value=points))
        self._writer.flush()

    def _text(self, name: str, values: Mapping[str, Scalar]) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
        from tensorboard.compat.proto.tensor_pb2 import TensorProto

        rows = [f"| {key} | {_cell(value)} |" for key, value in values.items()]
        text = "\n".join(["| | |", "|---|---|", *rows])
        shown = Summary.Value(
            tag=f"{name}/text_summary",
            metadata=SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text")),
            tensor=TensorProto(dtype="DT_STRING", string_val=[text.encode()]),
        )
        self._add(0, summary=Summary(value=[shown]))

    def _add(self, step: int, **content: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._writer.add_event(Event(wall_time=time.time(), step=step, **content))


def _cell(value: Scalar) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")
