from collections.abc import Sequence
from itertools import count, islice
from pathlib import Path
from typing import Self

import numpy as np
import pytest

from models.base import Classifier, OnStep, Probabilities, Rows
from predict.label import label
from predict.sentences import Sentence


class Lengths:
    """A classifier whose second probability is a hundredth of the text's length."""

    labels = ("background", "military_event")

    def __init__(self) -> None:
        self.calls: list[int] = []

    def fit(self, train: Rows, valid: Rows, on_step: OnStep) -> Self:
        return self

    def predict_proba(self, texts: Sequence[str]) -> Probabilities:
        self.calls.append(len(texts))
        second = np.array([len(text) / 100 for text in texts], dtype=np.float32)
        return np.stack([1 - second, second], axis=1)

    def save(self, folder: Path) -> None:
        raise AssertionError("labelling saves no model")


def sentences(lengths):
    return (Sentence("a", i, 0, length, "x" * length) for i, length in enumerate(lengths))


def test_the_most_probable_label_is_given_with_its_probability():
    classifier: Classifier = Lengths()
    few, many = label(sentences([25, 75]), classifier)
    assert (few.label, few.confidence, few.probabilities) == ("background", 0.75, (0.75, 0.25))
    assert (many.label, many.confidence) == ("military_event", 0.75)


def test_confidence_is_a_plain_float_and_not_rounded():
    [prediction] = label(sentences([1]), Lengths())
    assert type(prediction.confidence) is float
    assert prediction.confidence == float(np.float32(1) - np.float32(0.01))


@pytest.mark.parametrize("window", [1, 3, 10, 11])
def test_order_is_kept_whatever_the_window(window):
    lengths = [9, 3, 7, 1, 8, 2, 6, 4, 5, 10]
    found = [prediction.sentence.end for prediction in label(sentences(lengths), Lengths(), window)]
    assert found == lengths


def test_the_classifier_is_called_once_a_window():
    classifier = Lengths()
    list(label(sentences([1] * 7), classifier, window=3))
    assert classifier.calls == [3, 3, 1]


def test_endless_sentences_are_labelled_as_they_come():
    endless = label(sentences(1 for _ in count()), Lengths(), window=2)
    assert len(list(islice(endless, 5))) == 5


def test_no_sentences_give_no_predictions_and_no_call():
    classifier = Lengths()
    assert list(label([], classifier)) == []
    assert classifier.calls == []
