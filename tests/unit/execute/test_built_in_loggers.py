"""TensorBoard's files, read by TensorBoard; `tests/end_to_end/test_loggers.py` has the others."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from bench.execute.logger import LoggedRun
from bench.execute.loggers.tensorboard import TensorBoardRun


def run_in(folder: Path) -> TensorBoardRun:
    said: list[str] = []
    settings = {"codec.sigma": 2.0, "weights": None, "odd": "a | b\nc"}
    return TensorBoardRun(LoggedRun("abc", "a title", settings, "run it", {"commit": "1" * 40}, folder, said.append))


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder / "abc"))
    events.Reload()
    return events


def scalars(folder: Path, name: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in read(folder).Scalars(name)]


def test_a_training_that_goes_on_logs_nothing_twice(tmp_path: Path) -> None:
    """The first process logs three epochs, but saves two; the second repeats the third."""
    first = run_in(tmp_path)
    for epoch in range(3):
        first.epoch(epoch, {"loss": 10.0 - epoch, "learning_rate": 0.1})
        assert scalars(tmp_path, "loss")[-1] == (epoch, 10.0 - epoch), "an epoch can be seen at once"
    first.evaluation("val-gt-1", {"AP": 0.25}, {"boxes": "gt"})
    assert scalars(tmp_path, "val-gt-1/AP") == [(2, 0.25)]
    time.sleep(1.1)  # names of files have the second
    second = run_in(tmp_path)
    for epoch in range(4):
        second.epoch(epoch, {"loss": 10.0 - epoch if epoch < 2 else 5.0 - epoch, "learning_rate": 0.1})
    second.evaluation("val-gt-1", {"AP": 0.5}, {"boxes": "gt"})
    second.end("done")
    assert len(list((tmp_path / "abc").iterdir())) == 2
    assert scalars(tmp_path, "loss") == [(0, 10.0), (1, 9.0), (2, 3.0), (3, 2.0)]
    assert scalars(tmp_path, "val-gt-1/AP") == [(3, 0.5)]


def test_settings_and_provenance_are_texts(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    run.end("done")
    events = read(tmp_path)
    (settings,) = events.Tensors("settings/text_summary")[0].tensor_proto.string_val
    assert "| codec.sigma | 2.0 |" in settings.decode()
    assert r"| odd | a \| b c |" in settings.decode()
    assert "| command | run it |" in settings.decode()
    (provenance,) = events.Tensors("provenance/text_summary")[0].tensor_proto.string_val
    assert "1" * 40 in provenance.decode()
    assert events.SummaryMetadata("settings/text_summary").plugin_data.plugin_name == "text"


def test_a_file_in_the_way_is_an_error_of_the_logger(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("")
    with pytest.raises(OSError, match="logs"):
        run_in(tmp_path / "logs")
