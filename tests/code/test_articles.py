import datetime
import gzip
import io
import itertools
import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from models.errors import DataError
from predict import articles
from predict.articles import read
from predict.records import Article, Rejected


def write(path: Path, content: str | bytes) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def reason(tmp_path: Path, line: bytes) -> str:
    [record] = read([write(tmp_path / "a.jsonl", line)])
    assert isinstance(record, Rejected)
    return record.reason


def from_stdin(content: bytes, stdin_format="auto"):
    return list(read(["-"], io.BytesIO(content), stdin_format))


def test_a_text_file_is_one_article_named_by_its_path(tmp_path):
    path = write(tmp_path / "a.TXT", "One.\r\n\r\nTwo.")
    assert list(read([path])) == [Article(id=path, text="One.\r\n\r\nTwo.")]


def test_a_byte_order_mark_is_dropped(tmp_path):
    text = write(tmp_path / "a.txt", b"\xef\xbb\xbfOne.")
    lines = write(tmp_path / "b.jsonl", b'\xef\xbb\xbf{"text": "One."}')
    assert [article.text for article in read([text, lines])] == ["One.", "One."]


def test_a_json_line_gives_all_fields_and_missing_ones_are_empty(tmp_path):
    path = write(
        tmp_path / "a.jsonl",
        '{"id": 7, "text": "One.", "title": "T", "date": 2024, "source": null}\n{"text": "Two."}\n',
    )
    assert list(read([path])) == [
        Article(id="7", text="One.", title="T", date="2024", source=""),
        Article(id=f"{path}:2", text="Two."),
    ]


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85", "\x1c", "\r", "\f"])
def test_only_a_line_feed_ends_a_json_line(tmp_path, mark):
    text = f"One{mark}two."
    raw = json.dumps({"text": text}, ensure_ascii=False)
    path = write(tmp_path / "a.jsonl", f"{raw}\n{raw}\n")
    assert [article.text for article in read([path])] == [text, text]


def test_blank_lines_are_passed_over_and_counted(tmp_path):
    path = write(tmp_path / "a.jsonl", '\n  \r\n{"text": "One."}\n\n')
    assert [article.id for article in read([path])] == [f"{path}:3"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"title": "T"}', '"text" is missing'),
        (b'{"text": " \\n"}', '"text" is empty'),
        (b'{"text": ["One."]}', '"text" is ["One."], but a string is expected'),
        (b'{"text": "One.", "id": true}', '"id" is true, but a string is expected'),
        (b'{"text": "One \\ud83d"}', '"text" holds a lone surrogate at character 4'),
        (b'{"text": "One.", "title": "\\udc00"}', '"title" holds a lone surrogate at character 0'),
        (b'["One."]', 'a JSON object such as {"text": "..."} is expected'),
        (b'{"text": "One."', "not valid JSON (Expecting ',' delimiter at column 16)"),
        (b"[" * 100_000, "not valid JSON (nested too deeply)"),
        (
            b'{"text": "caf\xe9"}',
            "not UTF-8 (byte 0xe9); save the file as UTF-8 or name its --encoding",
        ),
    ],
)
def test_a_line_that_is_no_article_is_rejected_with_its_reason(tmp_path, line, expected):
    assert reason(tmp_path, line) == expected


def test_a_broken_line_does_not_stop_the_ones_after_it(tmp_path):
    path = write(tmp_path / "a.jsonl", b'{"text": "One."}\n{"te\n{"text": "Two."}')
    kinds = [type(record) for record in read([path])]
    assert kinds == [Article, Rejected, Article]


@pytest.mark.parametrize(
    ("raw", "line"), [(b"One.\nTwo \xff.", 2), (b"", None), (b" \r\n\t", None)]
)
def test_a_text_file_without_readable_text_is_rejected(tmp_path, raw, line):
    [record] = read([write(tmp_path / "a.txt", raw)])
    assert isinstance(record, Rejected)
    assert record.line == line


def test_a_rejected_record_says_where_it_stands():
    assert str(Rejected("a.jsonl", 42, '"text" is missing')) == (
        'a.jsonl, line 42: "text" is missing'
    )
    assert str(Rejected("a.txt", None, "no text in it")) == "a.txt: no text in it"


def test_a_folder_gives_its_known_files_in_sorted_order(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("b.txt", "a.txt", "sub/c.jsonl", "notes.pdf"):
        write(tmp_path / name, '{"text": "One."}')
    found = [article.id for article in read([str(tmp_path)])]
    assert found == [f"{tmp_path}/{name}" for name in ("a.txt", "b.txt", "sub/c.jsonl:1")]


def test_articles_of_the_same_id_are_all_kept(tmp_path):
    path = write(tmp_path / "a.txt", "One.")
    assert len(list(read([path, path]))) == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [("none.txt", "no such file"), ("a.pdf", 'kind ".pdf"'), ("empty", "holds no file")],
)
def test_an_unusable_input_is_named_with_the_known_kinds_before_any_article(
    tmp_path, name, message
):
    good = write(tmp_path / "good.txt", "One.")
    write(tmp_path / "a.pdf", "One.")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=rf"{name}: .*{message}.*\.jsonl, .*\.txt"):
        read([good, str(tmp_path / name)])


def test_a_file_that_vanishes_during_the_run_is_named(tmp_path):
    path = Path(write(tmp_path / "a.txt", "One."))
    articles = read([str(path)])
    path.unlink()
    with pytest.raises(DataError, match=r"a\.txt cannot be read"):
        next(articles)


def test_standard_input_that_is_not_there_is_an_error():
    with pytest.raises(DataError, match="no standard input"):
        read(["-"])


@pytest.mark.parametrize("raw", [b"One.\n", b'{"text": broken}\n', b'["text"]\n', b"\n\nOne."])
def test_standard_input_is_plain_text_unless_its_first_line_is_a_json_object(raw):
    assert from_stdin(raw) == [Article(id="stdin", text=raw.decode())]


def test_standard_input_is_taken_for_json_lines_by_its_first_line():
    assert from_stdin(b'\n{"text": "One."}\n{"te') == [
        Article(id="stdin:2", text="One."),
        Rejected("stdin", 3, "not valid JSON (Unterminated string starting at at column 2)"),
    ]


def test_the_format_of_standard_input_can_be_fixed():
    raw = b'{"text": "One."}'
    assert from_stdin(raw, "txt") == [Article(id="stdin", text=raw.decode())]
    assert [type(record) for record in from_stdin(b"One.", "jsonl")] == [Rejected]


def test_empty_standard_input_is_rejected():
    assert from_stdin(b"") == [Rejected("stdin", None, "no text in it")]


def test_json_lines_stream_from_standard_input():
    class Endless(io.RawIOBase):
        def readline(self, size=-1):
            return b'{"text": "One."}\n'

    first = itertools.islice(read(["-"], Endless()), 3)
    assert [article.id for article in first] == ["stdin:1", "stdin:2", "stdin:3"]


PAGE = (
    "<html><head><title>Two frigates leave</title><meta name='date' content='2024-05-01'></head>"
    "<body><nav><a href='/'>Home</a> <a href='/sport'>Sport</a></nav><article><h1>Two frigates"
    " leave</h1>"
    + "<p>Two frigates left port on Thursday to join the patrol in the strait, said the navy.</p>"
    * 4
    + "</article><footer>All rights reserved, imprint, contact</footer></body></html>"
)


def test_a_page_gives_its_main_text_with_title_and_date(tmp_path):
    [page] = read([write(tmp_path / "a.html", PAGE)])
    assert (page.title, page.date) == ("Two frigates leave", "2024-05-01")
    assert "Two frigates left port" in page.text
    assert "Sport" not in page.text
    assert "imprint" not in page.text


@pytest.mark.parametrize("content", ["", "<html></html>", "<nav>Home</nav>"])
def test_a_page_without_text_is_rejected(tmp_path, content):
    [record] = read([write(tmp_path / "a.htm", content)])
    assert isinstance(record, Rejected)


def test_a_page_in_another_encoding_says_which_it_declares(tmp_path):
    raw = PAGE.replace("<head>", "<head><meta charset='latin-1'>").replace("navy", "navy é")
    path = write(tmp_path / "a.html", raw.encode("latin-1"))
    [record] = read([path])
    assert "the page says latin-1" in record.reason
    [page] = read([path], encoding="latin-1")
    assert "navy é" in page.text


@pytest.mark.parametrize(("suffix", "comma"), [(".csv", ","), (".tsv", "\t")])
def test_rows_of_a_table_are_articles(tmp_path, suffix, comma):
    rows = [["id", "text", "extra"], ["7", 'One, "two"\nthree.', "x"], ["", "Four.", ""]]
    raw = "\n".join(comma.join('"' + cell.replace('"', '""') + '"' for cell in r) for r in rows)
    path = write(tmp_path / f"a{suffix}", raw)
    assert list(read([path])) == [
        Article(id="7", text='One, "two"\nthree.'),
        Article(id=f"{path}:4", text="Four."),
    ]


def test_a_broken_row_is_rejected_with_its_line_and_the_next_is_read(tmp_path):
    path = write(tmp_path / "a.csv", b"id,text\n1,One.\n2\n3,caf\xe9\n4,Four.\n")
    found = list(read([path]))
    assert [r.id for r in found if isinstance(r, Article)] == ["1", "4"]
    assert [(r.line, r.reason[:12]) for r in found if isinstance(r, Rejected)] == [
        (3, "has 1 fields"),
        (4, "not UTF-8 (b"),
    ]


def test_an_unclosed_quote_does_not_swallow_the_file_in_silence(tmp_path):
    path = write(tmp_path / "a.csv", 'id,text\n1,One.\n2,"Two.\n3,Three.\n')
    first, broken = read([path])
    assert first.id == "1"
    assert (broken.line, "not valid CSV from here on" in broken.reason) == (3, True)


def test_a_table_without_the_text_column_is_named_with_what_it_has(tmp_path):
    [record] = read([write(tmp_path / "a.csv", "id,body\n1,One.\n")])
    assert record.reason == 'there is no column "text"; it has id, body (see --text)'


def test_columns_may_have_other_names(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"body": "One.", "url": "u"}')
    [found] = read([path], columns={"text": "body", "id": "url"})
    assert (found.id, found.text) == ("u", "One.")


def test_parquet_rows_are_articles(tmp_path):
    table = pyarrow.table(
        {
            "id": [1, 2, None],
            "text": ["One.", None, "Three."],
            "date": [datetime.date(2024, 5, 1), None, None],
            "blob": [b"x", b"y", b"z"],
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    first, second, third = read([str(tmp_path / "a.parquet")])
    assert first == Article(id="1", text="One.", date="2024-05-01")
    assert (second.line, second.reason) == (2, '"text" is null, but a string is expected')
    assert third.id == f"{tmp_path / 'a.parquet'}:3"


@pytest.mark.parametrize("raw", [b"", b"PAR1", b"PAR1 this is none PAR1"])
def test_what_is_no_parquet_file_is_rejected(tmp_path, raw):
    [record] = read([write(tmp_path / "a.parquet", raw)])
    assert record.reason.startswith("not a Parquet file")


def test_compressed_files_are_read(tmp_path):
    path = write(tmp_path / "a.jsonl.gz", gzip.compress(b'{"text": "One."}\n{"text": "Two."}\n'))
    assert [article.text for article in read([path])] == ["One.", "Two."]


def test_a_truncated_compressed_file_gives_what_it_holds_and_says_so(tmp_path):
    raw = gzip.compress(b"".join(b'{"text": "%d."}\n' % n for n in range(40_000)))
    *good, broken = read([write(tmp_path / "a.jsonl.gz", raw[: len(raw) // 2])])
    assert good[0].text == "0."
    assert "damaged" in broken.reason


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(articles, "FREE_BYTES", 100_000)
    raw = gzip.compress(b'{"text": "x"}\n' * 2_000_000)
    *_, last = read([write(tmp_path / "a.jsonl.gz", raw)])
    assert "grows to more than 200 times its size" in last.reason


@pytest.mark.parametrize("suffix", [".txt", ".html", ".jsonl", ".csv"])
def test_a_record_that_is_too_long_is_rejected_and_the_next_is_read(tmp_path, suffix):
    long = "x" * 5_000
    content = {
        ".txt": long,
        ".html": long,
        ".jsonl": f'{{"text": "{long}"}}\n{{"text": "Two."}}\n',
        ".csv": f"text\n{long}\nTwo.\n",
    }[suffix]
    first, *others = read([write(tmp_path / f"a{suffix}", content)], max_record_bytes=1_000)
    assert first.reason == "longer than 0.001 MB"
    assert [other.text for other in others] == (["Two."] if suffix in (".jsonl", ".csv") else [])


def test_globs_are_read_in_sorted_order(tmp_path):
    for name in ("b.txt", "a.txt", "c.md"):
        write(tmp_path / name, name)
    assert [a.text for a in read([str(tmp_path / "*.txt")])] == ["a.txt", "b.txt"]


def test_another_encoding_is_read_when_it_is_named(tmp_path):
    path = write(tmp_path / "a.txt", "café €".encode("cp1252"))
    assert [a.text for a in read([path], encoding="cp1252")] == ["café €"]


def test_an_encoding_that_cuts_line_feeds_is_refused_for_lines(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"text": "One."}'.encode("utf-16"))
    with pytest.raises(DataError, match="lines cannot be told apart in utf-16"):
        read([path], encoding="utf-16")
    with pytest.raises(DataError, match='no encoding "klingon"'):
        read([path], encoding="klingon")
