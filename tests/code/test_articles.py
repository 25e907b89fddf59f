import io
import itertools
import json
from pathlib import Path

import pytest

from models.errors import DataError
from predict.articles import Article, Rejected, read


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
        (b'{"text": "caf\xe9"}', "not UTF-8 (byte 0xe9); save the file as UTF-8"),
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
    with pytest.raises(DataError, match=rf"{name}: .*{message}.*\.jsonl, \.txt"):
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
