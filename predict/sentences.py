"""Articles → sentences, with offsets into the original text."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from sentencex import get_sentence_boundaries

from models.text import MAX_CHARACTERS
from predict.records import Article

WINDOW = MAX_CHARACTERS
"""Characters given to sentencex at once, because an unclosed quotation costs it quadratic time
(19 s for 600 kB). A model reads no more of a sentence, so a longer one may as well be cut."""

MIN_WRAPPED = 40
MAX_WRAPPED = 120
"""A line of hard-wrapped text has about this many characters; a paragraph on one line has more."""

LINE_BREAK = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
BULLETS = tuple("•‣◦▪●")
ENDINGS = tuple('.!?:;"”’)')

TITLES = re.compile(
    "Adm|Amb|Asst|Atty|Brig|Capt|Cdr|Cdre|Cmdr|Cols?|Cpl|Dep|Det|Drs?|Ens|Flt|Fr|Ft|Gens?|Govs?|Gp|"
    "Hon|Insp|Ldr|Lt|Maj|Messrs|Mr|Mrs|Ms|Mt|Pfc|Pres|Prof|Pvt|Reps?|Rev|Sec|Secy|Sens?|Sgt|Smt|"
    "Spc|Sqn|Supt|Wg"
)
DAY = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b"
MONTH = r"(?:Jan|Feb|March|April|May|June|July|Aug|Sept|Oct|Nov|Dec)"
ZONE = r"(?:[A-Z]{1,4}T\b|UTC\b|(?:[A-Z]\w+ ){1,2}[Tt]ime\b|\()"
NEW_SENTENCE = r"(?:He|She|They|It|We|You|The|An?|This|That|But|And)\b"
SPEAKER = rf"(?!{NEW_SENTENCE})(?:[A-Z][\w.’'-]*\s+){{1,4}}"
SPEECH = r"(?:said|says|asked|asks|added|adds|cried|replied|shouted|told|wrote)\b"


def _mend_title(found: re.Match[str]) -> str:
    word = found[1].capitalize()  # transcripts write MAJ. GEN. ASHWORTH
    return f"{found[1]}," if TITLES.fullmatch(word) else found[0]


# Patterns begin with a character, not with an assertion: re then skips to it, 4 times as fast.
MENDS: list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]] = [
    # sentencex does not know some titles, or only at the start of a text ("a Ms. | Thuan").
    (re.compile(r"([A-Z]\w{1,5})\.(?=\s)"), _mend_title),
    # It cuts "5 p.m. | Monday" and "6:40 a.m. | Korea time".
    (re.compile(rf"(\.[mM])\.(?=\s+(?:{DAY}|{MONTH}|{ZONE}))"), r"\1,"),
    # It cuts "vs. | No. 5".
    (re.compile(r" vs\.(?=\s)"), " vs,"),
    # It takes the mark of a list item, or the Q. and A. of an interview, for a sentence.
    (re.compile(r"^(\s*\(?(?:\d{1,3}|[A-Za-z]))\.(?=\s)"), r"\1,"),
    (re.compile(r"([.!?]\s+[QA])\.(?=\s)"), r"\1,"),
    # It cuts a quoted question from its speaker when a name comes first: "Why?" | Smith asked.
    (re.compile(rf"[!?](?=[\"”]\s+{SPEAKER}{SPEECH})"), ","),
    # It does not see the end of a sentence that stands in brackets: (It was late.) He left.
    (re.compile(r"([(\[][A-Z][^\s()\[\]]*\s[^()\[\]]*)[.!?]([)\]])(?=\s+[\"“‘(]?[A-Z])"), r"\1\2."),
    # It sees an end in "... He" but not in "… He".
    (re.compile(r"…(?=[\"”’)]*\s+[\"“‘(]?[A-Z])"), "."),
    # It takes what follows an address for a part of it: travel.state.gov. | Enroll in ...
    (re.compile(r"\.(?<=[a-z0-9]{2}\.)(?=[a-z]{2})"), "_"),
]
"""Each replaces a mark by one of the same length that sentencex reads rightly.

Only the boundaries are taken from the mended text, so the sentences stay as they were written.
"""


@dataclass(frozen=True)
class Sentence:
    """A sentence in its place: ``article.text[start:end] == text``.

    position:    counted from 0 within the article
    start, end:  in characters of the article's text; no white space at either end
    """

    article_id: str
    position: int
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class _Line:
    start: int
    end: int
    text: str

    @property
    def is_blank(self) -> bool:
        return not self.text.strip()


def split(article: Article) -> Iterator[Sentence]:
    """Yield the sentences of ``article`` in order.

    Together they hold every character of the text that is not white space. A blank line ends a
    sentence. So does any line break, unless the text is hard-wrapped (see ``_wrap_width``).
    A quotation stays with its sentence even when it holds several, as in the labelled corpus.
    """
    position = 0
    for start, end in _spans(article.text):
        sentence = _sentence(article, position, start, end)
        if sentence is not None:
            yield sentence
            position += 1


def whole(article: Article) -> Iterator[Sentence]:
    """Yield the whole text of ``article`` as one sentence."""
    sentence = _sentence(article, 0, 0, len(article.text))
    if sentence is not None:
        yield sentence


def _sentence(article: Article, position: int, start: int, end: int) -> Sentence | None:
    text = article.text[start:end].strip()
    if not text:
        return None
    start = article.text.index(text, start)
    return Sentence(article.id, position, start, start + len(text), text)


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of each sentence with the white space around it."""
    for start, block_end in _blocks(text):
        if text[start:block_end].isspace():
            continue
        while start < block_end:
            end = min(start + WINDOW, block_end)
            boundaries = get_sentence_boundaries("en", _mended(text[start:end]))
            ends = [start + boundary["end_index"] for boundary in boundaries]
            if end < block_end and len(ends) > 1:
                ends.pop()  # the last sentence may go on beyond the window: begin again with it
            yield from pairwise([start, *ends])
            start = ends[-1]


def _mended(block: str) -> str:
    """Return ``block`` in one line, of the same length, with marks that sentencex reads rightly."""
    block = LINE_BREAK.sub(lambda found: " " * len(found[0]), block)
    for pattern, replacement in MENDS:
        block = pattern.sub(replacement, block)
    return block


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of each stretch of ``text`` that no sentence reaches across."""
    lines = list(_lines(text))
    width = _wrap_width(lines)
    start = 0
    for line, following in pairwise(lines):
        if width is None or _ends_block(line, following, width):
            yield start, line.end
            start = following.start
    yield start, lines[-1].end


def _lines(text: str) -> Iterator[_Line]:
    start = 0
    for line_break in LINE_BREAK.finditer(text):
        yield _Line(start, line_break.start(), text[start : line_break.start()])
        start = line_break.end()
    yield _Line(start, len(text), text[start:])


def _wrap_width(lines: list[_Line]) -> int | None:
    """Return the characters that fit on a line of hard-wrapped text, None if it is not.

    Text is hard-wrapped when nine lines in ten have at most MAX_WRAPPED characters and more than
    half of the lines that have at least MIN_WRAPPED, but no full stop or the like at their end,
    go on with a small letter.
    """
    lengths = [len(line.text) for line in lines if not line.is_blank]
    broken, small = [], 0
    for line, following in pairwise(lines):
        visible, next_visible = line.text.rstrip(), following.text.lstrip()
        if len(visible) < MIN_WRAPPED or visible.endswith(ENDINGS):
            continue
        if next_visible and not next_visible.startswith(BULLETS):
            broken.append(len(visible))
            small += next_visible[0].islower()
    if 2 * small <= len(broken) or _ninth_decile(lengths) > MAX_WRAPPED:
        return None
    # Not the longest one: a single line with a long address in it says nothing of the others.
    return _ninth_decile(broken)


def _ninth_decile(lengths: list[int]) -> int:
    return sorted(lengths)[9 * (len(lengths) - 1) // 10]


def _ends_block(line: _Line, following: _Line, width: int) -> bool:
    """Whether the break after ``line`` was meant, in text wrapped at ``width`` characters.

    It was before a blank line or a bullet, and where the next word, if it may begin a sentence,
    would have fitted on the line: after a headline, or at the end of a paragraph.
    """
    if line.is_blank or following.is_blank or following.text.lstrip().startswith(BULLETS):
        return True
    word = following.text.split(maxsplit=1)[0]
    return not word[0].islower() and len(line.text.rstrip()) + 1 + len(word) <= width
