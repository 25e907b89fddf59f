import random
import textwrap

import pytest

from predict.records import Article
from predict.sentences import split, whole


def texts(text: str) -> list[str]:
    return [sentence.text for sentence in split(Article(id="a", text=text))]


@pytest.mark.parametrize(
    "sentence",
    [
        "He told the U.S. Embassy and the U.N. Security Council so.",
        "On Aug. 8 and Sept. 11, 2001 it was the U.S. Army that moved.",
        "It began on Jan. 3 in St. Petersburg.",
        "Then Lt. Col. Dale R. Hutchings Jr., Brig. Gen. Thune and Gen. Wei spoke.",
        "The baker, a Ms. Thuan, met Amb. Ross and Mr. He there.",
        "BRIG. GEN. ASHWORTH: Okay.",
        "The troops spoke at 5 p.m. Monday in Kabul.",
        "It came at 6:40 a.m. Korea time and at 10 a.m. EDT.",
        "It was Mali vs. No. 5, then Roe vs. Wade.",
        "A certain J. K. Haddad saw George W. Bush.",
        "Some 3.5 percent of $4.25 million went on 5.56 mm rounds.",
        "He waited ... and left … at last.",
        '"Why now?" President Obama asked.',
        '"Stop!" she said.',
        "MS. TOLLIVER-NASH: (Laughter.) That's my assessment.",
        "1. The army left.",
        "Q. How many cases are there?",
        "In the year (he was 19 then) it began.",
        "“We go. They stay,” he said.",
    ],
)
def test_a_sentence_stays_whole(sentence):
    assert texts(f"{sentence} They left.") == [sentence, "They left."]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("He came from the U.S.", "Then he left."),
        ("It began at 4 p.m.", "Neither side spoke."),
        ("It had come by Aug. 8.", "When they left, it rained."),
        ('"We will go."', "He left."),
        ("“We will go.”", "He left."),
        ("He said, “We will go”.", "He left."),
        ("“We go. They stay.”", "He left."),
        ("(It was late.)", "He left."),
        ("He left.", "(It was late.)"),
        ("He waited…", "Then he left."),
        ("He waited...", "Then he left."),
        ("“And then I was there …”", "He left."),
        ("Visit travel.state.gov.", "Enroll in the program."),
        ("What is it?", "It is 41, not 14."),
        ("Q. You saw the lorry?", "A. Yes, my lord."),
        ("Café 😀 naïve.", "Second one—here."),
    ],
)
def test_two_sentences_are_told_apart(first, second):
    assert texts(f"{first} {second}") == [first, second]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r", "\u2028"])
def test_a_line_break_ends_a_sentence_in_text_that_is_not_wrapped(line_end):
    lines = ["A headline without full stop", "By A. Writer", "", "• one item", "• another", "Go."]
    assert texts(line_end.join(lines)) == [line for line in lines if line]


PARAGRAPHS = [
    "The first 120 soldiers to leave this island boarded a gray ship at 5:40 a.m. today, watched "
    "by a brass band and a priest. The rest of the soldiers are to follow early in the new year.",
    "A clinic in the town treats 60 patients a day, up from 15 before the war. Nobody in the town "
    "knows who is going to pay for the doctor when the last of the foreigners have gone home.",
]


@pytest.mark.parametrize("width", [60, 72, 80, 90])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_hard_wrapped_lines_are_joined(width, line_end):
    wrapped = "\n\n".join(textwrap.fill(paragraph, width) for paragraph in PARAGRAPHS)
    found = [" ".join(text.split()) for text in texts(wrapped.replace("\n", line_end))]
    assert found == texts("\n".join(PARAGRAPHS))


def test_a_headline_and_a_list_stand_alone_in_hard_wrapped_text():
    body = textwrap.fill(PARAGRAPHS[0], 72)
    found = texts(f"Soldiers leave\n{body}\nList\n• one item\n• another")
    assert [found[0], *found[3:]] == ["Soldiers leave", "List", "• one item", "• another"]


def test_one_long_line_does_not_hide_that_text_is_wrapped():
    wrapped = "\n\n".join(textwrap.fill(paragraph, 72) for paragraph in PARAGRAPHS)
    assert len(texts(f"{wrapped}\n\nhttps://example.org/{'a' * 500}")) == 5


FRAGMENTS = [
    "He left.", "The U.S.", "Gen.", '"Why?"', "“We go.", "…", "(It is.)", "5 p.m.", "Monday", "😀",
    "é", "e\u0301", " ", "  ", "\n", "\r\n", "\n\n", "\r", "\u2028", "\u00a0", "\u200b", "\t", "•",
    "- ", "1.", "A.", "www.a.gov.", "''", "]", "!?", "word " * 12, "Word " * 3000,
]  # fmt: skip


@pytest.mark.parametrize("seed", range(200))
def test_offsets_point_at_the_text_and_nothing_is_lost(seed):
    chance = random.Random(seed)
    text = "".join(chance.choices(FRAGMENTS, k=chance.randrange(1, 60)))
    end = 0
    for position, sentence in enumerate(split(Article(id="a", text=text))):
        assert sentence.position == position
        assert sentence.text == text[sentence.start : sentence.end]
        assert sentence.text == sentence.text.strip() != ""
        assert text[end : sentence.start].strip() == ""
        end = sentence.end
    assert text[end:].strip() == ""


def test_a_sentence_on_the_border_of_two_windows_stays_whole():
    sentence = "The troops of the third brigade left the town on Tuesday."
    assert set(texts(" ".join([sentence] * 2000))) == {sentence}


@pytest.mark.parametrize("unit", ["“Abc def. ", "A", "A. ", "(", "(Abc ", '?" Aa', " ", ". ", "’"])
def test_nothing_is_lost_of_half_a_megabyte_that_goes_on_and_on(unit):
    text = "x" + unit * (500_000 // len(unit)) + "y"  # in quadratic time this takes minutes
    assert "".join("".join(texts(text)).split()) == "".join(text.split())


def test_a_text_can_be_taken_whole():
    [sentence] = whole(Article(id="a", text=" One. Two.\n"))
    assert (sentence.start, sentence.end, sentence.text) == (1, 10, "One. Two.")


@pytest.mark.parametrize("cut", [split, whole])
def test_a_blank_text_has_no_sentence(cut):
    assert list(cut(Article(id="a", text=" \n"))) == []
