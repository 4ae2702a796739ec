"""Checklists of venues: answered from records, by no guess, and no item left blank."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bench.checklist.answers import FACTS, Answer, Checklist, answer
from bench.checklist.checklist_data import ChecklistData
from bench.checklist.render_checklist import as_latex, as_markdown
from bench.checklist.venue import VENUES, load_venue
from bench.cli import app
from bench.planning.plan import Plan
from bench.pose.errors import UnknownNameError
from bench.report.costs import Price
from tests.reports import COCO, SYNTHETIC, Bench, coco_scores

CLAIM = """\
claims: [{id: gain, says: "SimDR * wins_it", that: "AP[simdr] - AP[heatmap, post_process] > 0", source: abstract}]
"""
OWN = COCO.replace(
    "{name: coco, train: train2017, eval: val2017}",
    "{name: hands, train: train, eval: val, define: {title: My Hands, skeleton: {keypoints: [a], sigmas: [0.1]}}}",
).replace("boxes: detector", "boxes: gt").replace(" compare: published/coco_val,", "")  # fmt: skip
SECTIONS = {"neurips": 16, "cvpr": 12, "aaai": 31, "mlrc": 21}
"""Items of each venue."""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def made(bench: Bench, plan: Plan, venue: str = "neurips", **rates: Any) -> Checklist:
    return answer(load_venue(venue), ChecklistData.collect(plan, bench.store, **rates))


def item(checklist: Checklist, heading: str) -> Answer:
    (found,) = [found for found in checklist.answers if found.item.heading == heading]
    return found


def texts(found: Answer, *, known: bool = True) -> str:
    return "\n".join(fact.text for fact in found.facts if fact.known is known)


def edit(bench: Bench, change: Callable[[dict[str, Any]], object], records: str = "*/*/*") -> None:
    """Change stored records."""
    for file in bench.store.root.glob(records):
        if file.name in {"record.json", "training.json"}:
            record = json.loads(file.read_text())
            change(record)
            file.write_text(json.dumps(record))


def provenance(**fields: Any) -> Callable[[dict[str, Any]], object]:
    return lambda record: record["provenance"].update(fields)


# ---- Venues


def test_every_venue_names_only_facts_that_there_are() -> None:
    assert set(VENUES) == SECTIONS.keys()
    for name, count in SECTIONS.items():
        items = load_venue(name).items
        assert len(items) == count
        assert not {fact for item in items for fact in (*item.facts, *item.helps)} - FACTS.keys()
        assert not [item.heading for item in items if item.facts and item.helps]
    used = {fact for name in VENUES for item in load_venue(name).items for fact in (*item.facts, *item.helps)}
    assert used == FACTS.keys()


def test_an_unknown_venue_is_refused_with_the_nearest() -> None:
    assert load_venue("NeurIPS") == load_venue("neurips")
    with pytest.raises(UnknownNameError, match=r"unknown venue 'nips' \(did you mean 'neurips'\?\); valid: aaai, cvpr"):
        load_venue("nips")


def test_neurips_has_its_sixteen_items_by_number() -> None:
    assert [item.number for item in load_venue("neurips").items] == [str(number) for number in range(1, 17)]


# ---- A finished suite


@pytest.mark.parametrize("venue", VENUES)
def test_no_item_is_blank_and_each_says_how_far_it_is_answered(bench: Bench, venue: str) -> None:
    found = made(bench, bench.fill(COCO + CLAIM, coco_scores), venue)
    text = as_markdown(found)
    parts = re.split(r"^### ", text, flags=re.M)[1:]
    assert len(parts) == SECTIONS[venue] == len(found.answers)
    for part, one in zip(parts, found.answers, strict=True):
        assert part.startswith(f"{one.item.number} {one.item.heading}")
        assert re.search(r"^\*\*(Yes|Partial|No|Yours to answer)\b", part, re.M)
        assert bool(one.facts) == bool(one.item.facts or one.item.helps)
        assert ("\n- " in part) == bool(one.facts)
        assert "\nYours: " in part
    assert f"{SECTIONS[venue]} items: " in text


def test_compute_is_answered_and_what_is_not_recorded_is_named(bench: Bench) -> None:
    plan = bench.fill(COCO, coco_scores)
    edit(bench, lambda record: record.update(seconds=3600.0), "trainings/*/*")
    compute = item(made(bench, plan), "Experiments compute resources")
    assert compute.status == "partial"
    assert "a processor (5 records)" in texts(compute)
    assert "device-hours: 2, wall time x devices" in texts(compute)
    assert "a training took 1 device-hours on average" in texts(compute)
    unknown = texts(compute, known=False)
    assert "memory and disk of the machines" in unknown
    assert "energy absent for 2 device-hours: no power was measured, and none was declared" in unknown
    assert "time of tries that failed" in unknown
    declared = item(made(bench, plan, "cvpr", watts=500.0, price=Price(2, "EUR")), "Energy")
    assert (declared.status, texts(declared)) == (
        "yes",
        "energy estimated: 1.0 kWh, 2 device-hours at a declared 500 W per device",
    )
    paid = item(made(bench, plan, "cvpr", price=Price(2, "EUR")), "Compute of training and inference")
    assert "cost: EUR 4.00 at EUR 2 per device-hour" in texts(paid)


def test_one_seed_is_said_and_several_are_counted(bench: Bench) -> None:
    plan = bench.fill(SYNTHETIC, lambda training, _: {"AP": 0.3 + training.spec.seed / 100})
    found = made(bench, plan, "aaai")
    assert texts(item(found, "Randomness")).startswith("seeds 0, 1 and 2; ")
    assert texts(item(found, "Number of runs")) == "7 rows of the tables: mean of 3 trainings, each measured once"
    assert item(found, "Variation").status == "yes"
    assert "over seeds" in texts(item(found, "Variation"))

    single = made(bench, bench.fill(COCO, coco_scores), "aaai")
    for heading in ("Randomness", "Variation", "Significance"):
        assert "between trainings: one seed only" in texts(item(single, heading), known=False)
    assert "3 rows without an interval" in texts(item(single, "Variation"), known=False)
    assert item(single, "Number of runs").status == "yes"


def test_only_rows_with_one_seed_are_said_to_have_one(bench: Bench) -> None:
    plan = bench.fill(SYNTHETIC, lambda training, _: {"AP": 0.3} if training.spec.seed == 0 else None)
    first = next(iter(plan.trainings)).spec.representation
    plan = bench.fill(SYNTHETIC, lambda training, _: {"AP": 0.3} if training.spec.representation == first else None)
    unknown = texts(item(made(bench, plan), "Experiment statistical significance"), known=False)
    assert "3 of 7 rows have one seed only" in unknown


def test_unknown_code_is_said(bench: Bench) -> None:
    plan = bench.fill(COCO, coco_scores)
    heading = "Experimental result reproducibility"
    assert "commit 0123456789abcdef" in texts(item(made(bench, plan), heading))
    assert "commit" not in texts(item(made(bench, plan), heading), known=False)
    edit(bench, provenance(commit=None, dirty=None, package="ab" * 32, command="", versions={}), "evaluations/*/*")
    edit(bench, provenance(commit=None, dirty=None, command="", versions={}), "trainings/*/*")
    found = item(made(bench, plan), heading)
    unknown = texts(found, known=False)
    assert f"package with sha256 {'ab' * 32}" in texts(found)
    assert "the commit of some records: they were made outside a checkout" in unknown
    assert "the commands of single results" in unknown
    assert "versions of packages" in unknown
    edit(bench, provenance(commit="c0ffee", dirty=True))
    assert "the uncommitted changes" in texts(item(made(bench, plan), heading), known=False)


def test_licenses_are_those_that_are_known(bench: Bench) -> None:
    heading = "Licenses for existing assets"
    plan = bench.fill(COCO, coco_scores)
    edit(bench, provenance(files={"hrnet_w32-36af842e.pth": "36af842e" * 8}, versions={"numpy": "0.0.1"}))
    found = item(made(bench, plan), heading)
    assert "COCO: annotations CC BY 4.0" in texts(found)
    assert "the license of the weights hrnet_w32-36af842e.pth" in texts(found, known=False)
    assert "licenses of numpy: none is stated by what is installed here" in texts(found, known=False)

    own = made(bench, bench.fill(OWN, coco_scores))
    assert "the license of My Hands (see defined by its suite)" in texts(item(own, heading), known=False)
    assert "the suite defines the dataset My Hands" in texts(item(own, "New assets"))
    assert "under which license, and how it was collected" in texts(item(own, "New assets"), known=False)
    assert item(own, "New assets").status == "yours to answer"


def test_settings_are_listed_once_and_without_those_that_do_not_apply(bench: Bench) -> None:
    found = texts(item(made(bench, bench.fill(COCO, coco_scores), "aaai"), "Final hyper-parameters"))
    assert "epochs 210" in found
    assert "representation of trainings: heatmap; simdr" in found
    assert "post process of evaluations: quarter; none" in found
    assert "k of trainings that have it: 3" in found
    assert "–" not in found


# ---- Unfinished, made up, broken


def test_what_is_missing_is_said_where_it_matters(bench: Bench) -> None:
    plan = bench.fill(
        COCO + CLAIM, lambda training, item: coco_scores(training, item) if training.spec.codec.get("sigma") else None
    )
    found = made(bench, plan)
    assert found.progress == ("2 of 3 evaluations finished.", "1 without a result: missing")
    missing = "1 of 3 evaluations of the suite, which are missing"
    for heading in ("Claims", "Experiment statistical significance", "Experiments compute resources"):
        assert missing in texts(item(found, heading), known=False)
    assert "not measured" in texts(item(found, "Claims"), known=False)
    assert missing not in texts(item(found, "Licenses for existing assets"), known=False)


@pytest.mark.parametrize("venue", VENUES)
def test_nothing_finished_claims_nothing(bench: Bench, venue: str) -> None:
    found = made(bench, bench.plan(COCO + CLAIM), venue)
    assert found.progress[0] == "0 of 3 evaluations finished."
    for one in found.answers:
        if set(one.item.facts) & {"hardware", "runs", "intervals", "tests", "energy", "hours", "claims"}:
            assert one.status in {"no", "partial"}, one.item.heading
    assert "one seed only" not in as_markdown(found)


def test_made_up_numbers_answer_nothing(bench: Bench) -> None:
    plan = bench.fill(COCO, coco_scores, simulated=True)
    edit(bench, lambda record: record.update(simulated=True))
    found = made(bench, plan)
    assert as_markdown(found).splitlines()[2].startswith("**SIMULATED")
    assert r"\textbf{SIMULATED" in as_latex(found)
    for heading in ("Claims", "Experiment statistical significance", "Experiments compute resources"):
        assert "made up by `bench simulate`" in texts(item(found, heading), known=False)
    assert "no training or evaluation is finished" in texts(item(found, "Experiments compute resources"), known=False)


def test_a_broken_record_costs_its_cell_and_is_named(bench: Bench) -> None:
    plan = bench.fill(COCO, coco_scores)
    file = next(bench.store.root.glob("evaluations/*/record.json"))
    file.write_text("{")
    found = made(bench, plan)
    assert found.progress[0] == "2 of 3 evaluations finished."
    assert any(line.startswith("Could not be read: ") and str(file) in line for line in found.progress)


# ---- Files


def test_texts_cannot_become_markup(bench: Bench) -> None:
    plan = bench.fill(COCO.replace("COCO rows", r"<b>100% \input{x}_$</b>") + CLAIM, coco_scores)
    edit(bench, provenance(command="bench run `a` & <script> #_^~\\{}"))
    found = made(bench, plan, "aaai")
    markdown, latex = as_markdown(found), as_latex(found)
    assert "<script>" not in markdown
    assert "<b>" not in markdown
    assert r"SimDR \* wins_it" in markdown
    assert r"\input" not in latex
    assert r"\#\_\textasciicircum{}\textasciitilde{}\textbackslash{}\{\}" in latex
    plain = re.sub(r"\\[{}]", "", latex)
    assert plain.count("{") == plain.count("}")
    assert latex.count(r"\begin{itemize}") == latex.count(r"\end{itemize}")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_the_tex_compiles_in_a_plain_article(bench: Bench) -> None:
    plan = bench.fill(COCO.replace("COCO rows", r"100% \\input{x} \u00e9\u4e2d_$ & #") + CLAIM, coco_scores)
    (bench.folder / "checklist.tex").write_text(as_latex(made(bench, plan, "aaai", watts=300.0)), encoding="utf-8")
    paper = r"\documentclass{article}\begin{document}\input{checklist}\end{document}"
    (bench.folder / "paper.tex").write_text(paper)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "paper.tex"]
    done = subprocess.run(command, cwd=bench.folder, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]


def test_files_are_written_by_their_endings(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.fill(COCO, coco_scores)
    monkeypatch.chdir(bench.folder)

    def run(words: str, status: int = 0) -> str:
        done = CliRunner().invoke(app, ["checklist", "suite.yaml", *words.split()], catch_exceptions=True)
        assert (done.exit_code == status) or done.exception is not None
        return f"{' '.join(done.output.split())} {done.exception}"

    said = run("--venue neurips --out new/n.md --watts 300 --price-per-hour 2")
    assert "n.md 3 of 3 evaluations finished. 16 items: " in said
    assert Path("new/n.md").read_text().startswith("# NeurIPS paper checklist: COCO rows")
    assert [file.name for file in Path("new").iterdir()] == ["n.md"]
    run("--venue aaai --out a.md")
    assert (
        Path("a.tex").read_text().startswith("% Made by `bench checklist`.\n\\section*{AAAI reproducibility checklist}")
    )
    run("--venue aaai --out a.md")  # its own may be replaced
    run("--venue cvpr --out c.tex")
    assert not Path("c.md").exists()
    Path("b.tex").write_text("my paper")
    assert "b.tex: is there and no checklist of bench" in run("--venue aaai --out b.md", 1)
    assert Path("b.tex").read_text() == "my paper"
    assert not Path("b.md").exists()
    assert "call it FILE.md or FILE.tex, not n.pdf" in run("--venue neurips --out n.pdf", 2)
    assert "is not a power of a device" in run("--venue neurips --out z.md --watts=-3", 2)
    assert "unknown venue 'icml'" in run("--venue icml --out z.md", 1)
    assert not Path("z.md").exists()


def test_a_selection_and_settings_are_those_of_other_commands(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.fill(COCO, coco_scores)
    monkeypatch.chdir(bench.folder)

    def written(*words: str) -> str:
        done = CliRunner().invoke(app, ["checklist", "suite.yaml", "--venue", "mlrc", "--out", "m.md", *words])
        assert done.exit_code == 0, done.output
        return Path("m.md").read_text()

    assert "1 of 1 evaluation finished" in written("--only", "representation=simdr")
    other = written("--set", "epochs=2", "--subset", "3")
    assert "0 of 3 evaluations finished" in other
    assert "--set epochs=2 --set subset=3" in other
    assert "SUBSET" in other
