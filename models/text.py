"""The form in which every family sees a sentence."""

import unicodedata

MAX_CHARACTERS = 20_000
"""A tokenizer reads a whole text even when it truncates (7 s for 4 MB), so longer ones are cut."""


def prepare(text: str) -> str:
    """Cut ``text`` to MAX_CHARACTERS and bring it to Unicode NFC.

    Composed and decomposed spellings of one word ("café") are different tokens to every
    family. Lone surrogates, which tokenizers refuse, become U+FFFD.
    """
    cut = text[:MAX_CHARACTERS]
    whole = cut.encode("utf-8", "replace").decode("utf-8") if _has_surrogate(cut) else cut
    return unicodedata.normalize("NFC", whole)


def _has_surrogate(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)
