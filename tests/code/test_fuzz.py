"""No input, however rotten, ends in a traceback, and every record is labelled or rejected.

`make fuzz` tries ten thousand; `make test` five hundred.
"""

import gzip
import io
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from predict import articles, job, sentences
from predict.label import Prediction
from predict.records import Article, Rejected

EXAMPLES = int(os.environ.get("SITREP_FUZZ_EXAMPLES", "500"))
TEXT = 'The U.S. said on Aug. 8 "no more".\r\nTroops left; talks go on… Dr. Ōe met them.\u2028End'


def _parquet() -> bytes:
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"id": [1, 2], "text": [TEXT, "Two."]}), buffer)
    return buffer.getvalue()


JSONL = b'{"id": 1, "text": "One. Two."}\n{"text": "Drei.", "date": "2024-05-01"}\n' * 3
CSV = b'id,text,title\n1,"One, ""two"".\nThree.",t\n2,Four.,\n' * 2
GOOD = {
    ".txt": TEXT.encode(),
    ".md": b"# Title\n\n" + TEXT.encode(),
    ".html": f"<html><title>T</title><article><p>{TEXT}</p><p>{TEXT}</p></article>".encode(),
    ".jsonl": JSONL,
    ".csv": CSV,
    ".tsv": CSV.replace(b",", b"\t"),
    ".parquet": _parquet(),
    ".jsonl.gz": gzip.compress(JSONL, mtime=0),
    ".csv.gz": gzip.compress(CSV, mtime=0),
}
ROTTEN = st.one_of(
    st.binary(min_size=1, max_size=8),
    st.sampled_from(
        [
            *(b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b'"', b"\n\n", b"\\ud83d", b"{}"),
            *("\u2028".encode(), b"[" * 2_000, b"9" * 5_000, b'{"text": NaN}\n', b"<script>"),
        ]
    ),
)
CHANGES = st.lists(
    st.tuples(st.sampled_from(["insert", "delete", "replace"]), st.floats(0, 1), ROTTEN),
    min_size=1,
    max_size=6,
)


def changed(raw: bytes, changes: Sequence[tuple[str, float, bytes]]) -> bytes:
    for kind, where, rotten in changes:
        at = int(where * len(raw))
        tail = raw[at:] if kind == "insert" else raw[at + len(rotten) :]
        raw = raw[:at] + (b"" if kind == "delete" else rotten) + tail
    return raw


class Even:
    """Finds every label equally likely."""

    labels = ("advisory", "background")

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        return np.full((len(texts), 2), 0.5, dtype=np.float32)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES == 500,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.sampled_from(sorted(GOOD)), CHANGES)
def test_rotten_bytes_are_labelled_or_rejected(
    suffix: str, changes: list[tuple[str, float, bytes]]
) -> None:
    read: list[Article | Rejected] = []
    written: list[Prediction] = []
    rejected: list[Rejected] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"news{suffix}"
        path.write_bytes(changed(GOOD[suffix], changes))

        def noted() -> Iterator[Article | Rejected]:
            for record in articles.read([str(path)]):
                read.append(record)
                yield record

        summary = job.run(noted(), Even(), sentences.split, written.append, rejected.append)
    assert summary.labelled + summary.rejected == len(read)
    assert rejected == [record for record in read if isinstance(record, Rejected)]
    text_of = {id(r): r.text for r in read if isinstance(r, Article)}
    by_name = {r.id: text_of[id(r)] for r in read if isinstance(r, Article)}
    if len(by_name) == len(text_of):  # no two articles of one name
        for prediction in written:
            s = prediction.sentence
            assert by_name[s.article_id][s.start : s.end] == s.text
