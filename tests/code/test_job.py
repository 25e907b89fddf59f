"""Every record is labelled or rejected, and the counts say so."""

import numpy as np

from predict import job, sentences
from predict.articles import Article, Rejected


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
