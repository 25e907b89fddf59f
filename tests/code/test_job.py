"""Every record is labelled or rejected, and the counts say so."""

import numpy as np
import pytest

from models.errors import TooManyRejectedError
from predict import job, sentences
from predict.records import Article, Rejected


class Constant:
    """Calls everything background."""

    labels = ("advisory", "background")

    def predict_proba(self, texts):
        return np.tile(np.array([0.25, 0.75], dtype=np.float32), (len(texts), 1))


RECORDS = [
    Article("a", "One sentence. Another one."),
    Rejected("b.jsonl", 3, "not valid JSON"),
    Article("c", "A third."),
]


def run(cut):
    written, rejected = [], []
    summary = job.run(iter(RECORDS), Constant(), cut, written.append, rejected.append)
    return summary, written, rejected


def test_read_is_labelled_plus_rejected():
    summary, written, rejected = run(sentences.split)
    assert (summary.labelled, summary.rejected, summary.sentences) == (2, 1, 3)
    assert [p.sentence.text for p in written] == ["One sentence.", "Another one.", "A third."]
    assert rejected == [RECORDS[1]]
    assert str(summary) == "3 records read = 2 labelled + 1 rejected; 3 sentences"


def test_without_splitting_each_record_is_one_sentence():
    summary, written, _ = run(sentences.whole)
    assert summary.sentences == 2
    assert written[0].sentence.text == RECORDS[0].text


@pytest.mark.parametrize(
    ("rejected", "labelled", "too_many"),
    [(10, 0, False), (11, 0, True), (11, 1089, False), (12, 1088, True)],
)
def test_too_many_rejected_are_more_than_the_share_and_than_a_handful(rejected, labelled, too_many):
    summary = job.Summary(labelled, rejected, labelled)
    if too_many:
        with pytest.raises(TooManyRejectedError, match=f"{rejected} of {labelled + rejected:,}"):
            summary.require_few_rejected(0.01)
    else:
        summary.require_few_rejected(0.01)
