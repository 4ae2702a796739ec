"""The HTML report in a real browser: sorting, filtering, dialogs, keyboard, dark mode, and no request to anywhere."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from bench.files import write_atomically
from bench.planning.plan import PlannedEvaluation, PlannedTraining
from bench.report.document import SIMULATED
from bench.report.render_html import render_html
from bench.store.documents import Failure
from tests.reports import COCO, Bench

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

SUITE = COCO.replace("backbone: [hrnet_w32]", "backbone: [simba_res50, hrnet_w32]").replace(
    "input_size: [64x64]", "input_size: [64x64, 128x128], seed: [0, 1]"
)
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"


def _scores(training: PlannedTraining, evaluation: PlannedEvaluation) -> Mapping[str, float]:
    (published,) = evaluation.published
    return {"AP": published.metrics["AP"] + 0.001 * training.spec.seed, "AR": published.metrics["AR"]}


@dataclass
class Opened:
    """A page with all that it did unasked."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @property
    def table(self) -> Locator:
        return self.page.locator("#table-coco_val")

    def column(self, heading: str) -> list[str]:
        """Texts of the visible cells under a heading that has no group."""
        names = self.table.locator("thead tr:first-child th").all_inner_texts()
        place = [name.strip() for name in names].index(heading)
        return [row.locator("td").nth(place).inner_text() for row in self.rows()]

    def rows(self) -> list[Locator]:
        return [row for row in self.table.locator("tbody tr").all() if row.is_visible()]

    def heading(self, name: str, number: int = 0) -> Locator:
        return self.table.get_by_role("columnheader", name=name, exact=True).nth(number)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("needs a Chromium: no chromium, chromium-browser or google-chrome on the path")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated report of twelve rows; some trainings failed with a hostile message, all have logs."""
    bench = Bench(tmp_path_factory.mktemp("report"))
    plan = bench.fill(SUITE, _scores, simulated=True)
    for training in plan.trainings:
        bench.store.training(training.spec.id).log.write_text(f"epoch 1\nseed {training.spec.seed} {HOSTILE}\n")
    simdr = [training for training in plan.trainings if training.spec.representation == "simdr"]
    # Both seeds of the first row of SimDR, and one seed of the last.
    for training in (*simdr[:2], simdr[-1]):
        bench.store.training(training.spec.id).record_file.unlink()
        bench.store.evaluation(training.evaluations[0].spec.id).record_file.unlink()
        bench.store.training(training.spec.id).fail(Failure(kind="Memory", message=HOSTILE))
    path = bench.folder / "report.html"
    text = render_html(bench.make(bench.plan(SUITE)))
    write_atomically(path, lambda stream: stream.write(text.encode()))
    return path


@pytest.fixture
def opened(browser: Browser, file: Path) -> Iterator[Opened]:
    """The report in a fresh page, which must neither complain nor ask for anything but itself."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    found = Opened(context.new_page())
    found.page.on("console", lambda message: found.complaints.append(message.text))
    found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
    found.page.on("dialog", lambda dialog: found.complaints.append(dialog.message))
    found.page.on("request", lambda request: found.requests.append(request.url))
    found.page.goto(file.as_uri())
    yield found
    assert found.complaints == []
    assert found.requests == [file.as_uri()]
    context.close()


def test_rows_are_sorted_by_mouse_and_keyboard(opened: Opened) -> None:
    original = opened.column("Input size")
    heading = opened.heading("Input size")
    assert heading.get_attribute("aria-sort") == "none"
    heading.get_by_role("button").click()
    assert opened.column("Input size") == sorted(original, key=lambda size: int(size.partition("x")[0]))
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.get_by_role("button").press("Enter")
    assert opened.column("Input size") == sorted(original, key=lambda size: -int(size.partition("x")[0]))
    assert heading.get_attribute("aria-sort") == "descending"
    heading.get_by_role("button").press("Space")
    assert opened.column("Input size") == original
    assert heading.get_attribute("aria-sort") == "none"


def test_numbers_sort_as_numbers_and_what_is_missing_comes_last(opened: Opened) -> None:
    button = opened.heading("ours", 1).get_by_role("button")
    for sign in (1, -1):
        button.click()
        *measured, last = opened.rows()
        values = [float(row.locator("td").nth(11).get_attribute("data-value") or "nan") for row in measured]
        assert values == sorted(values, key=lambda value: sign * value)
        assert len(set(values)) > 8
        assert "failed" in last.inner_text()


def test_rows_are_filtered_by_words_and_axes(opened: Opened) -> None:
    assert len(opened.rows()) == 12
    opened.table.get_by_label("Filter").fill("hrnet simdr")
    assert opened.column("Backbone") == ["HRNet-W32"] * 2
    assert opened.table.locator("output").inner_text() == "2 of 12 rows"
    opened.table.get_by_label("Filter").fill("")
    opened.table.get_by_label("Input size").select_option("64x64")
    opened.table.get_by_label("Representation").select_option("heatmap")
    assert set(opened.column("Input size")) == {"64x64"}
    assert set(opened.column("Representation")) == {"heatmap"}
    assert len(opened.rows()) == 4


def test_a_click_on_a_cell_opens_what_is_known_of_it(opened: Opened) -> None:
    dialog = opened.page.get_by_role("dialog")
    assert not dialog.is_visible()
    opened.rows()[0].locator("td").nth(10).click()
    assert dialog.is_visible()
    assert dialog.get_by_role("heading", level=2).inner_text() == "SimBa-Res50, heatmap + quarter shift, 64x64"
    text = dialog.inner_text()
    for fact in (SIMULATED, "seed 0", "seed 1", "95% interval", "34.4", "0123456789abcdef", "abad1dea", "learning_rate",
                 "a processor", "feedbeef", "im<1>.jpg: truncated", HOSTILE, "epoch 1"):  # fmt: skip
        assert fact in text
    dialog.get_by_role("button", name="Copy").first.click()
    dialog.get_by_role("button", name="Copied").wait_for()
    assert opened.page.evaluate("navigator.clipboard.readText()") == "python -m bench run suites/small.yaml"
    opened.page.keyboard.press("Escape")
    assert not dialog.is_visible()


def test_a_row_without_a_record_says_why_in_its_dialog(opened: Opened) -> None:
    row = opened.table.locator("tbody tr", has_text="1 of 2")
    row.locator("td").first.click()
    dialog = opened.page.get_by_role("dialog")
    assert f"failed: Memory: {HOSTILE}" in dialog.inner_text()
    assert dialog.locator("img, script").count() == 0


def test_cells_are_reached_and_opened_by_keyboard(opened: Opened) -> None:
    cells = opened.table.locator("tbody td[tabindex='0']")
    assert cells.count() == 1
    cells.first.focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowLeft"):
        opened.page.keyboard.press(key)
    assert cells.count() == 1
    assert opened.page.evaluate("document.activeElement.cellIndex") == 1
    opened.page.keyboard.press("Enter")
    dialog = opened.page.get_by_role("dialog")
    assert dialog.get_by_role("heading", level=2).inner_text() == "SimBa-Res50, heatmap, 64x64"
    assert dialog.get_by_role("button", name="Close").evaluate("button => button === document.activeElement")
    opened.page.keyboard.press("Enter")
    assert not dialog.is_visible()
    assert opened.page.evaluate("document.activeElement.cellIndex") == 1


def test_links_lead_to_provenance(opened: Opened) -> None:
    link = opened.rows()[0].locator("a").first
    target = link.get_attribute("href")
    link.click()
    assert not opened.page.get_by_role("dialog").is_visible()
    assert opened.page.url.endswith(target or "nowhere")
    assert opened.page.locator(f"article{target}").is_visible()


def test_the_mark_of_made_up_numbers_stays_in_sight(opened: Opened) -> None:
    banner = opened.page.locator(".banner")
    opened.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    box = banner.bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 50
    assert banner.inner_text() == SIMULATED


def test_colors_follow_the_readers_scheme(opened: Opened) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        opened.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        colors = opened.page.evaluate(
            "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
            ".map(color => color.match(/\\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0))"
        )
        grounds.append(colors)
    (light_paper, light_ink), (dark_paper, dark_ink) = grounds
    assert light_paper > light_ink + 500
    assert dark_ink > dark_paper + 500


def test_without_script_everything_essential_is_there(browser: Browser, file: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    assert page.locator("#table-coco_val tbody tr").count() == 12
    assert not page.locator("form.filters").is_visible()
    assert page.locator("th button").count() == 0
    text = page.locator("body").inner_text()
    for fact in (SIMULATED, "failed: Memory", "45.8", "0123456789abcdef", "python -m bench run suites/small.yaml"):
        assert fact in text
    context.close()
