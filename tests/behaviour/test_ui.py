"""What a person sees of the runs in MLflow's UI, in a real browser.

The screenshots stay in ``build/screenshots`` to be looked at.
"""

from collections.abc import Iterator
from pathlib import Path

import browser as browser_of_tests
import mlflow
import pytest
from browser import PATIENCE_MS, chromium, needs_chromium
from command import ENVIRONMENT
from playwright.sync_api import Browser, Page, expect
from servers import mlflow_process

from train import store

VIEW = "workflowType=machine_learning"

pytestmark = [
    needs_chromium,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of MLflow's database layer
]


@pytest.fixture(scope="module")
def ui(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    words = ["ui", "--workers", "1", "--backend-store-uri", f"sqlite:///{workspace / 'mlflow.db'}"]
    folder = tmp_path_factory.mktemp("ui")
    with mlflow_process(words, folder, ENVIRONMENT, "/health") as uri:
        yield uri


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of its own for each test: the UI keeps state from one address to the next."""
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(PATIENCE_MS)
    yield page
    page.close()


@pytest.fixture(scope="module")
def runs(workspace: Path) -> dict[str, mlflow.entities.Run]:
    client = mlflow.MlflowClient(f"sqlite:///{workspace / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("sitrep")
    assert experiment is not None
    return {str(r.info.run_name): r for r in client.search_runs([experiment.experiment_id])}


def keep(page: Page, name: str) -> None:
    close = page.get_by_role("button", name="Close")
    if close.count():  # the assistant takes a quarter of the width
        close.first.click()
    page.wait_for_timeout(500)  # until what opened has been drawn
    browser_of_tests.keep(page, name)


def address_of(ui: str, run: mlflow.entities.Run, tail: str = "") -> str:
    return f"{ui}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}{tail}?{VIEW}"


def test_the_experiment_page_lists_the_runs(
    ui: str, page: Page, runs: dict[str, mlflow.entities.Run]
) -> None:
    experiment = runs["first"].info.experiment_id
    page.goto(f"{ui}/#/experiments/{experiment}/runs?{VIEW}")
    expect(page.get_by_text("first + second").first).to_be_visible()
    keep(page, "experiment")


def test_the_run_page_says_how_good_the_model_is(
    ui: str, page: Page, runs: dict[str, mlflow.entities.Run]
) -> None:
    run = runs["second"]
    page.goto(address_of(ui, run))
    expect(page.get_by_text("Test macro-F1").first).to_be_visible()
    expect(page.get_by_text("Better than first").first).to_be_visible()
    expect(page.get_by_text("test/macro_f1", exact=True).first).to_be_attached()
    keep(page, "run")


def test_the_report_opens_among_the_artifacts(
    ui: str, page: Page, runs: dict[str, mlflow.entities.Run]
) -> None:
    run = runs["second"]
    page.goto(address_of(ui, run, "/artifacts/report.html"))
    frame = page.frame_locator("iframe").first
    expect(frame.get_by_role("heading", name="second")).to_be_visible()
    expect(frame.get_by_text(f"{run.data.metrics['test/macro_f1']:.3f}").first).to_be_visible()
    pictures = frame.locator("img")
    expect(pictures).to_have_count(5)
    widths = pictures.evaluate_all("pictures => pictures.map(p => p.naturalWidth)")
    assert all(width > 100 for width in widths)  # a picture that did not load has none
    keep(page, "report")


def test_a_figure_opens_among_the_artifacts(
    ui: str, page: Page, runs: dict[str, mlflow.entities.Run]
) -> None:
    page.goto(address_of(ui, runs["first"], "/artifacts/confusion_matrix.png"))
    expect(page.locator("img").last).to_be_visible()
    keep(page, "figure")


def test_the_compare_page_shows_the_difference(
    ui: str, page: Page, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    store.open_store()
    page.goto(f"{ui}/{store.ui_pages()['the last comparison']}")
    for name in ("first", "second"):
        expect(page.get_by_text(name, exact=True).first).to_be_visible()
    first_in_the_table = [
        *(f"difference/macro_f1{end}" for end in ("", "_lo", "_hi")),
        *("fit/seconds", "model/megabytes", "predict/sentences_per_second"),
    ]
    for metric in (*first_in_the_table, "test/macro_f1"):  # this one is drawn above the table
        expect(page.get_by_text(metric, exact=True).first).to_be_attached()
    page.get_by_text("difference/macro_f1", exact=True).first.scroll_into_view_if_needed()
    keep(page, "compare")


def test_the_registry_page_names_the_champion(ui: str, page: Page) -> None:
    page.goto(f"{ui}/#/models/sitrep?{VIEW}")
    expect(page.get_by_text("champion").first).to_be_visible()
    keep(page, "registry")
