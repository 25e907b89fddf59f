"""One job: every record read is labelled or rejected, and counted."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from models.base import Classifier
from models.errors import TooManyRejectedError
from predict.label import Prediction, label
from predict.records import Article, Rejected
from predict.sentences import Sentence

Cut = Callable[[Article], Iterator[Sentence]]
"""``sentences.split`` or ``sentences.whole``."""


FEW = 10
"""Rejected records that are never too many."""


@dataclass(frozen=True)
class Summary:
    """How many records and sentences a job came to; read = labelled + rejected."""

    labelled: int
    rejected: int
    sentences: int

    def __add__(self, other: "Summary") -> "Summary":
        return Summary(
            self.labelled + other.labelled,
            self.rejected + other.rejected,
            self.sentences + other.sentences,
        )

    def require_few_rejected(self, share: float) -> None:
        """Raise TooManyRejectedError when more than ``share`` of the records were rejected.

        A handful (FEW) is let pass whatever its share: one bad file of five stops nobody's work.
        """
        read = self.labelled + self.rejected
        if self.rejected > max(FEW, share * read):
            raise TooManyRejectedError(
                f"{self.rejected:,} of {read:,} records were rejected, more than {share:.0%} "
                "(--max-rejected); the reasons stand above"
            )

    def __str__(self) -> str:
        read = self.labelled + self.rejected
        return (
            f"{read:,} records read = {self.labelled:,} labelled + {self.rejected:,} rejected; "
            f"{self.sentences:,} sentences"
        )


def run(
    records: Iterable[Article | Rejected],
    classifier: Classifier,
    cut: Cut,
    write: Callable[[Prediction], None],
    reject: Callable[[Rejected], None],
) -> Summary:
    """Label every sentence of the articles among ``records``, holding one window in memory.

    write:   takes each prediction, in the order of the records
    reject:  takes each record that is no article
    """
    labelled = rejected = sentences = 0

    def articles() -> Iterator[Article]:
        nonlocal labelled, rejected
        for record in records:
            if isinstance(record, Rejected):
                rejected += 1
                reject(record)
            else:
                labelled += 1
                yield record

    for prediction in label((s for article in articles() for s in cut(article)), classifier):
        sentences += 1
        write(prediction)
    return Summary(labelled, rejected, sentences)
