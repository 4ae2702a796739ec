"""The table at a glance that opens reports, in every format, and the price of device-hours."""

from __future__ import annotations

import json
import re
from itertools import zip_longest
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.planning.plan import Plan
from bench.report.costs import Price, PriceError
from bench.report.document import Report, make_report
from bench.report.energy import parse_watts
from bench.report.render_html import render_html
from bench.report.render_pdf import render_pdf
from bench.store.documents import TrainingRecord
from tests.reports import COCO, SYNTHETIC, Bench, coco_scores, csv_rows

CLAIM = """\
claims: [{id: gain, says: SimDR wins, that: "AP[simdr] - AP[heatmap, post_process] > 0", source: abstract}]
"""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def lines_of(report: Report) -> dict[str, str]:
    return {row.cells[0].text: row.cells[1].text for row in report.glance.rows}


def longer(bench: Bench, plan: Plan, seconds: float, *watts: float | None) -> None:
    """Give every finished training another time, and the first ones a measured power."""
    for training, power in zip_longest(plan.trainings, watts):
        file = bench.store.training(training.spec.id).record_file
        record = TrainingRecord.model_validate(json.loads(file.read_text()))
        file.write_text(record.model_copy(update={"seconds": seconds, "watts": power}).model_dump_json())


def test_it_says_what_was_done_where_and_what_came_of_it(bench: Bench) -> None:
    plan = bench.fill(COCO + CLAIM, coco_scores)
    longer(bench, plan, 36_000)
    found = lines_of(make_report(plan, bench.store, pictures=False, price=Price(0.45, "EUR")))
    assert found == {
        "Scope": "HRNet-W32 with heatmap and SimDR at 64x64, seed 0. 3 of 3 evaluations of 2 trainings done.",
        "Data": "Trained on COCO train2017 (30 instances), measured on COCO val2017 (10 instances).",
        "Hardware": "a processor (5 records).",
        "Device-hours": "20.0, wall time x devices: 20.0 of 2 finished trainings, 0.0013 of 3 finished evaluations.",
        "Cost": "EUR 9.00 at EUR 0.45 per device-hour.",
        "Energy": "Absent for 20.0 device-hours: no power was measured, and none was declared (`--watts`).",
        "Outcome": "1 claim: 1 underpowered; outcome: 1 toy. SimDR wins: underpowered (+13.1); toy (instances seen: 90"
        " of 31.5 million (0.00029%); a part of the data: 30 instances of 149,813; as in the paper: backbone, input"
        " size).",
    }


def test_without_price_source_or_claims_their_lines_are_absent_or_say_so(bench: Bench) -> None:
    found = lines_of(bench.make(bench.plan(SYNTHETIC)))
    assert list(found) == ["Scope", "Data", "Hardware", "Device-hours", "Energy", "Outcome"]
    assert "seeds 0, 1 and 2. 0 of 21 evaluations of 15 trainings done (21 missing)." in found["Scope"]
    assert found["Data"] == "Trained on synthetic figures train30, measured on synthetic figures val10."
    assert (found["Hardware"], found["Device-hours"]) == ("–", "–")
    assert found["Outcome"] == "The suite states no claims."


def test_made_up_records_cost_nothing(bench: Bench) -> None:
    plan = bench.fill(COCO, coco_scores, simulated=True)
    for training in plan.trainings:
        file = bench.store.training(training.spec.id).record_file
        file.write_text(file.read_text().replace('"simulated": false', '"simulated": true'))
    found = lines_of(make_report(plan, bench.store, pictures=False, price=Price(1)))
    assert (found["Hardware"], found["Cost"], found["Energy"]) == ("None: the numbers are made up.", "–", "–")


def test_hardware_of_any_form_is_printed(bench: Bench) -> None:
    plan = bench.fill(COCO, coco_scores)
    for training, hardware in zip(plan.trainings, ({"gpu": "H200", "device": "cuda"}, {"threads": "two"}), strict=True):
        file = bench.store.training(training.spec.id).record_file
        record = json.loads(file.read_text())
        record["provenance"]["hardware"] = hardware
        file.write_text(json.dumps(record))
    found = lines_of(bench.make(plan))["Hardware"]
    assert found == "a processor (3 records); H200, cuda (1 record); not recorded (1 record)."


def test_settings_subsets_and_images_left_out_are_said(bench: Bench) -> None:
    plan = bench.fill(COCO.replace("input_size: [64x64]", "input_size: [64x64], subset: [3]"), coco_scores)
    file = bench.store.evaluation(plan.trainings[0].evaluations[0].spec.id).record_file
    file.write_text(json.dumps(json.loads(file.read_text()) | {"images": 9, "images_left_out": 2}))
    data = lines_of(bench.make(plan))["Data"]
    assert "1 of 3 evaluations or their trainings do without images that could not be read" in data
    assert "SUBSET: first 3 images of each split" in data


def test_it_opens_every_format(bench: Bench) -> None:
    plan = bench.fill(COCO + CLAIM, coco_scores)
    texts = bench.report(plan, formats=("md", "html", "csv", "tex"))
    report = make_report(plan, bench.store, pictures=False, source="Capsule <a>.zip")
    for name in ("report.md", "report.html"):
        text = texts[name]
        assert text.index("At a glance") < text.index("has the highest AP") < text.index("Claims")
        assert text.count("3 of 3 evaluations of 2 trainings done") == 1
    rows = csv_rows(texts["glance.csv"])
    assert [row["what"] for row in rows] == ["Scope", "Data", "Hardware", "Device-hours", "Energy", "Outcome"]
    assert r"Scope & HRNet-W32 with heatmap and SimDR at 64x64" in texts["glance.tex"]
    assert re.search(r"begin\{tabular\}\{lp\{0\.8\\linewidth\}\}", texts["glance.tex"])
    assert "Capsule &lt;a&gt;.zip" in render_html(report)
    assert render_pdf(report).startswith(b"%PDF")


def test_claims_carry_scale_and_outcome_in_every_format(bench: Bench) -> None:
    texts = bench.report(bench.fill(COCO + CLAIM, coco_scores), formats=("md", "html", "csv", "tex"))
    for name in ("report.md", "report.html", "claims.tex"):
        assert "toy" in texts[name].split("Claims", 1)[1]
        assert "instances seen: 90 of 31.5 million" in texts[name].split("Claims", 1)[1]
    assert "Claims of the paper" not in texts["report.md"]
    (row,) = csv_rows(texts["claims.csv"])
    assert (row["outcome"], row["by"], row["instances_seen"], row["instances_seen_paper"]) == (
        "toy", "paper", "90", "31460730",
    )  # fmt: skip


# ---- Energy


@pytest.mark.parametrize(
    ("measured", "declared", "said"),
    [
        ((), 300.0, "Estimated: 6.0 kWh, 20.0 device-hours at a declared 300 W per device."),
        (
            (400.0,),
            300.0,
            "Measured: 4.0 kWh in 10.0 device-hours; estimated: 3.0 kWh, 10.0 device-hours at a declared 300 W per"
            " device.",
        ),
        (
            (400.0, 500.0),
            None,
            "Measured: 9.0 kWh in 20.0 device-hours; absent for 0.0013 device-hours: no power was measured, and none"
            " was declared (`--watts`).",
        ),
    ],
)
def test_energy_is_measured_estimated_or_absent(
    bench: Bench, measured: tuple[float, ...], declared: float | None, said: str
) -> None:
    plan = bench.fill(COCO, coco_scores)
    longer(bench, plan, 36_000, *measured)
    assert lines_of(make_report(plan, bench.store, pictures=False, watts=declared))["Energy"] == said


def test_each_process_of_a_training_is_a_device(bench: Bench) -> None:
    plan = bench.fill(COCO.replace("input_size: [64x64]", "input_size: [64x64], world_size: [4]"), coco_scores)
    longer(bench, plan, 36_000, 100.0, 100.0)
    found = lines_of(make_report(plan, bench.store, pictures=False))["Energy"]
    assert found.startswith("Measured: 8.0 kWh in 80.0 device-hours;")


@pytest.mark.parametrize(("text", "watts"), [("300", 300), (" 0.5 ", 0.5), ("300 W", 300), ("300W", 300)])
def test_power_is_a_number_of_watts(text: str, watts: float) -> None:
    assert parse_watts(text) == watts


@pytest.mark.parametrize("text", ["", "0", "0.0", "-300", "nan", "inf", "1e3", "300 kW", "W", "1,5", "1" * 40])
def test_what_is_no_power_is_refused_before_anything_is_read(text: str, tmp_path: Path) -> None:
    with pytest.raises(PriceError, match="is not a power of a device; expected watts, a number above 0 such as 300"):
        parse_watts(text)
    done = CliRunner().invoke(app, ["report", "ci", f"--watts={text}", "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "is not a power of a device" in " ".join(done.output.split())
    assert not (tmp_path / "out").exists()


# ---- Prices


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("0.45", Price(0.45)),
        (" EUR 0.45 ", Price(0.45, "EUR")),
        ("0.45 USD", Price(0.45, "USD")),
        ("€2", Price(2, "€")),
        ("0", Price(0)),
    ],
)
def test_a_price_is_a_number_with_a_unit(text: str, price: Price) -> None:
    assert Price.parse(text) == price


@pytest.mark.parametrize("text", ["", "EUR", "-1", "0,45", "1 EUR 2", "EUR 1 USD", "nan", "1e9", "1" * 40])
def test_what_is_no_price_is_refused_before_anything_is_read(text: str, tmp_path: Path) -> None:
    with pytest.raises(PriceError, match=r"is not a price; expected a number, such as 0.45"):
        Price.parse(text)
    done = CliRunner().invoke(app, ["report", "ci", f"--price-per-hour={text}", "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "is not a price" in done.output
    assert not (tmp_path / "out").exists()
