"""Sentences → predictions, in constant memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from models.base import Classifier
from predict.sentences import Sentence

SENTENCES_PER_WINDOW = 4096
"""Enough for the classifier to sort by length; a few megabytes of text."""


@dataclass(frozen=True)
class Prediction:
    """A sentence with its most probable label.

    confidence:     the probability of ``label``, in [0, 1]
    probabilities:  one per label, in the order of the classifier's labels; they sum to 1
    """

    sentence: Sentence
    label: str
    confidence: float
    probabilities: tuple[float, ...]


def label(
    sentences: Iterable[Sentence], classifier: Classifier, window: int = SENTENCES_PER_WINDOW
) -> Iterator[Prediction]:
    """Yield a prediction for each sentence, in the order of ``sentences``.

    window: sentences given to the classifier at once, and the most that are held in memory
    """
    remaining = iter(sentences)
    while batch := list(islice(remaining, window)):
        rows = classifier.predict_proba([sentence.text for sentence in batch]).tolist()
        for sentence, probabilities in zip(batch, rows, strict=True):
            confidence = max(probabilities)
            best = classifier.labels[probabilities.index(confidence)]
            yield Prediction(sentence, best, confidence, tuple(probabilities))
