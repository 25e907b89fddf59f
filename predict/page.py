"""Predictions → one HTML page to look at, which loads nothing and works without a network."""

import base64
import hashlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from predict.label import Prediction

if TYPE_CHECKING:
    from predict.write import Layout

HERE = Path(__file__).parent
TEMPLATE = "labels.html.jinja"
PARAGRAPH_GAP = 2
"""Characters between two sentences from which on they stand in paragraphs of their own."""


class HtmlWriter:
    """Writes article after article, of which it holds one; ``close`` writes the last."""

    def __init__(self, file: TextIO, layout: "Layout") -> None:
        self._file = file
        self._layout = layout
        self._held: list[Prediction] = []
        self._articles = 0
        css, self._js = ((HERE / name).read_text("utf-8") for name in ("labels.css", "labels.js"))
        environment = Environment(
            loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined
        )
        environment.globals |= {
            "marks": _marks(layout.labels),
            "counts": self._counts,
            "column": lambda p: layout.labels.index(p.label),
            "low": self._is_low,
            "breaks": lambda a, b: b.sentence.start - a.sentence.end >= PARAGRAPH_GAP,
            "tip": self._tip,
        }
        self._macros = environment.get_template(TEMPLATE).module
        csp = f"default-src 'none'; style-src {_hash(css)}; script-src {_hash(self._js)}"
        file.write(self._macros.head(layout, Markup(css), csp))  # type: ignore[attr-defined]

    def write(self, prediction: Prediction) -> None:
        if self._held and self._held[-1].sentence.article_id != prediction.sentence.article_id:
            self._flush()
        self._held.append(prediction)

    def close(self) -> None:
        if self._held:
            self._flush()
        self._file.write(self._macros.foot(Markup(self._js)))  # type: ignore[attr-defined]

    def _flush(self) -> None:
        name = self._held[0].sentence.article_id
        html = self._macros.article(  # type: ignore[attr-defined]
            name, self._held, self._articles, self._layout
        )
        self._file.write(html)
        self._articles += 1
        self._held = []

    def _counts(self, sentences: list[Prediction]) -> list[tuple[str, int]]:
        counts = Counter(prediction.label for prediction in sentences)
        return [(label, counts[label]) for label in self._layout.labels if counts[label]]

    def _is_low(self, prediction: Prediction) -> bool:
        limit = self._layout.min_confidence
        return limit is not None and prediction.confidence < limit

    def _tip(self, prediction: Prediction) -> str:
        pairs = zip(self._layout.labels, prediction.probabilities, strict=True)
        likely = sorted(pairs, key=lambda pair: -pair[1])
        return "\n".join(f"{probability:4.0%} {label}" for label, probability in likely)


def _marks(labels: tuple[str, ...]) -> dict[str, str]:
    """A letter or two for each label, by which print and colour-blind readers tell them apart."""
    marks: dict[str, str] = {}
    for label in labels:
        length = 1
        while label[:length].upper() in marks.values() and length < len(label):
            length += 1
        marks[label] = label[:length].upper()
    return marks


def _hash(content: str) -> str:
    """The source expression by which a browser runs exactly this ``content``."""
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    return f"'sha256-{digest}'"
