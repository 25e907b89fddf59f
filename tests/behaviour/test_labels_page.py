"""The page of labelled sentences filters, searches and explains itself, in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import chromium, keep, needs_chromium
from playwright.sync_api import Browser, Page, expect

from predict.label import Prediction
from predict.sentences import Sentence
from predict.write import Layout, open_writer

pytestmark = needs_chromium
LABELS = ("advisory", "background", "diplomatic_statement", "military_event")
ARTICLES, SENTENCES = 500, 12
NASTY = '<img src=x onerror="document.title=1"> & "quoted"'


def predictions() -> Iterator[Prediction]:
    for article in range(ARTICLES):
        at = 0
        for position in range(SENTENCES):
            column = (article + position) % 4
            text = f"Sentence {position} of article {article}, {LABELS[column]}. {NASTY}"
            chances = tuple(0.7 if i == column else 0.1 for i in range(4))
            sentence = Sentence(f"news/{article}.txt", position, at, at + len(text), text)
            yield Prediction(sentence, LABELS[column], 0.7, chances)
            at += len(text) + (2 if position % 4 == 3 else 1)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    path = tmp_path / "labels.html"
    with open_writer(path, Layout(LABELS, 0.8)) as writer:
        for prediction in predictions():
            writer.write(prediction)
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("request", lambda asked: problems.append(asked.url) if asked.url != url else None)
    url = path.as_uri()
    page.goto(url)
    yield page
    assert problems == []  # no error, and nothing was loaded from anywhere
    page.close()


def test_a_person_can_filter_search_and_ask_for_probabilities(page: Page) -> None:
    shown = page.get_by_role("status")
    expect(shown).to_have_text(f"{ARTICLES * SENTENCES:,} sentences")
    keep(page, "labels")
    page.get_by_role("checkbox", name="background").uncheck()
    expect(shown).to_have_text(f"{ARTICLES * SENTENCES * 3 // 4:,} sentences")
    page.get_by_role("searchbox").fill("of article 7,")
    expect(shown).to_have_text(f"{SENTENCES * 3 // 4} sentences")
    expect(page.locator("article:visible")).to_have_count(1)
    sentence = page.locator("article:visible .s").first
    sentence.focus()  # by keyboard, as by the mouse
    tip = sentence.evaluate("s => getComputedStyle(s, '::after').content")
    assert "70% " in tip
    keep(page, "labels-searched")
    assert page.title() == "Labelled sentences"  # what stands in the news is not run


def test_every_label_can_be_told_without_its_colour(page: Page) -> None:
    styles = page.locator(".s").evaluate_all(
        "all => [...new Set(all.map(s => s.dataset.label + ' ' + s.querySelector('sup').innerText"
        " + ' ' + getComputedStyle(s).textDecorationStyle))]"
    )
    marks = [style.split()[1] for style in styles]
    assert len(styles) == len(set(marks)) == len(LABELS)
