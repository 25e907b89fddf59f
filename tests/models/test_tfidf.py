"""What the baseline does beyond the contract of every family."""

import pytest
from samples import LABELS, as_rows, labelled, no_steps

from models.errors import ModelError
from models.settings import Ngrams, TfidfSettings
from models.tfidf import TfidfClassifier

ROWS = as_rows(labelled(20))


def test_words_and_characters_can_be_counted_together() -> None:
    settings = TfidfSettings(family="tfidf", characters=Ngrams(ngram_range=(2, 4)))
    model = TfidfClassifier(settings, LABELS, 1).fit(ROWS, ROWS, no_steps)
    names = model._pipeline["tfidf"].get_feature_names_out()
    assert {name.split("__")[0] for name in names} == {"words", "characters"}


def test_settings_that_leave_no_ngram_say_which_to_lower() -> None:
    settings = TfidfSettings(family="tfidf", words=Ngrams(min_df=10_000))
    with pytest.raises(ModelError, match=r"model\.words\.min_df"):
        TfidfClassifier(settings, LABELS, 1).fit(ROWS, ROWS, no_steps)


def test_two_labels_are_enough() -> None:
    two = ("advisory", "background")
    rows = as_rows(labelled(20, labels=two), two)
    model = TfidfClassifier(TfidfSettings(family="tfidf"), two, 1).fit(rows, rows, no_steps)
    assert model.predict_proba(rows.texts).shape == (40, 2)
