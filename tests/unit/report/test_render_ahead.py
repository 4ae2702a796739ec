"""Files of figures that other processes make."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from bench.pose.machine import forks_safely
from bench.report import plots
from bench.report.pictures import Picture
from bench.report.render_ahead import RenderAhead

pytestmark = pytest.mark.skipif(not forks_safely(), reason="nothing is forked on this platform")


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.report.render_ahead.usable_cores", lambda: 2)


def _picture() -> Picture:
    with plots.plot_style():
        figure = Figure((3, 2))
        figure.subplots().plot([1, 2], [3, 1], marker="o", label="a_b")
    return Picture("one", "One", "Some.", figure)


def test_another_process_makes_the_same_files() -> None:
    with RenderAhead(["png", "pdf"]) as ahead:
        picture, here = _picture(), _picture()
        picture.ahead = ahead.begin(picture.render)
        assert picture.ahead is not None
        assert picture.ahead.take("png") == here.render("png") == picture.png
        assert picture.ahead.take("pdf") == here.render("pdf") == picture.file("pdf")
        assert picture.ahead.take("svg") is None, "nobody said that it would be asked for"
        assert (picture.file("svg") or b"").startswith(b"<?xml")


@pytest.mark.parametrize("fault", [lambda _: 1 / 0, lambda _: os._exit(9)], ids=["error", "death"])
def test_what_a_process_fails_to_make_is_made_here(fault: object) -> None:
    with RenderAhead(["png"]) as ahead:
        picture = _picture()
        picture.ahead = ahead.begin(fault)  # type: ignore[arg-type]  # that is the fault
        assert picture.png == _picture().render("png")


def test_leaving_ends_what_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with RenderAhead(["png"]) as ahead:
        ahead.begin(lambda _: bytes(time.sleep(600) or 0))  # type: ignore[func-returns-value]
        assert not [*tmp_path.iterdir()], "files have no names that could stay behind"
        (process,) = ahead._begun
    assert not process.is_alive()


def test_a_process_that_dies_holds_up_no_other() -> None:
    with RenderAhead(["png"]) as ahead:
        for _ in range(4):
            ahead.begin(lambda _: os.kill(os.getpid(), signal.SIGKILL) or b"")  # type: ignore[func-returns-value]
        picture = _picture()
        picture.ahead = ahead.begin(picture.render)
        assert picture.ahead is not None
        assert picture.ahead.take("png") == picture.render("png")


def test_without_room_for_files_they_are_made_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.TemporaryFile", raising)
    with RenderAhead(["png"]) as ahead:
        assert ahead.begin(lambda _: b"") is None


def raising() -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(("kinds", "cores"), [(["png"], 1), ([], 2)], ids=["one core", "no files"])
def test_without_use_no_process_is_started(
    kinds: list[plots.style.FigureKind], cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.report.render_ahead.usable_cores", lambda: cores)
    with RenderAhead(kinds) as ahead:
        assert ahead.begin(lambda _: b"") is None
