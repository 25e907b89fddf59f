"""One run as one HTML file that opens anywhere."""

import base64
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from matplotlib.figure import Figure

from models.base import Explanation
from train.evaluation import Evaluation
from train.splits import Split
from train.suite import SuiteReport

WRONG_SHOWN = 200
"""Wrong sentences on the page; the table in MLflow has them all."""
WORDS_MARKED = 3
"""Words underlined in each."""
DOTS_PER_INCH = 110


def render(
    name: str,
    judged: Evaluation,
    behaviour: SuiteReport | None,
    pictures: Mapping[str, Figure],
    wrong: Sequence[Mapping[str, Any]],
    split: Split,
    split_facts: Mapping[str, Any],
    config: str,
) -> str:
    """Return the page of the run ``name``; nothing in it is loaded from elsewhere.

    pictures:  by what each shows
    wrong:     rows of ``Report.wrong``, each with the explanation of its wrong answer
    config:    the whole config as YAML
    """
    folder = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    support = Counter(judged.report.rows.targets.tolist())
    return environment.get_template("report.html.jinja").render(
        name=name,
        judged=judged,
        report=judged.report,
        support=[support[i] for i in range(len(judged.report.labels))],
        behaviour=behaviour,
        pictures={caption: _png(figure) for caption, figure in pictures.items()},
        wrong=[
            {**row, "marked": marked(row["text"], row["because"])} for row in wrong[:WRONG_SHOWN]
        ],
        wrong_total=len(wrong),
        split=split_facts,
        leaks=split.report.sentence(),
        config=config,
    )


def marked(text: str, explanation: Explanation) -> Markup:
    """Return ``text`` as HTML with the first place of each heaviest piece underlined."""
    places: list[tuple[int, int]] = []
    for piece, _ in explanation[:WORDS_MARKED]:
        start = text.lower().find(piece.lower())
        end = start + len(piece)
        if start >= 0 and all(end <= s or e <= start for s, e in places):
            places.append((start, end))
    parts, at = [], 0
    for start, end in sorted(places):
        parts += [escape(text[at:start]), Markup("<mark>"), escape(text[start:end])]
        parts.append(Markup("</mark>"))
        at = end
    return Markup("").join([*parts, escape(text[at:])])


def _png(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH)
    return base64.b64encode(buffer.getvalue()).decode()
