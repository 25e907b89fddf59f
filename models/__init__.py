"""Everything needed to hold a model: build one from settings, load one from a bundle."""

from collections.abc import Sequence
from pathlib import Path
from typing import assert_never

from models import bundle
from models.base import Classifier
from models.settings import ModelSettings, TfidfSettings, TransformerSettings

NGRAMS, ENCODER = "ngrams", "transformer"
"""Folders of the two models that a transformer with n-grams consists of."""


def build(settings: ModelSettings, labels: Sequence[str], seed: int) -> Classifier:
    """Return an unfitted classifier of the family that ``settings`` names.

    Raises ModelError when the encoder named in the settings cannot be found.
    """
    match settings:
        case TfidfSettings():
            from models.tfidf import TfidfClassifier

            return TfidfClassifier(settings, labels, seed)
        case TransformerSettings():
            if settings.ngrams is not None:
                return _with_ngrams(settings, settings.ngrams, labels, seed)
            from models.transformer import TransformerClassifier

            return TransformerClassifier(settings, labels, seed)
        case _ as never:
            assert_never(never)


def load(folder: Path) -> Classifier:
    """Return the classifier saved in ``folder``, after every byte of it was checked.

    Raises ModelError when the folder is not a bundle, or differs from what was saved.
    """
    manifest = bundle.verify(folder)
    match manifest.settings:
        case TfidfSettings():
            from models.tfidf import TfidfClassifier

            return TfidfClassifier.from_bundle(folder, manifest)
        case TransformerSettings():
            if manifest.settings.ngrams is not None:
                from models.blend import Blend

                members = {name: load(folder / name) for name in (NGRAMS, ENCODER)}
                return Blend.from_bundle(folder, manifest, members)
            from models.transformer import TransformerClassifier

            return TransformerClassifier.from_bundle(folder, manifest)
        case _ as never:
            assert_never(never)


def _with_ngrams(
    settings: TransformerSettings, ngrams: TfidfSettings, labels: Sequence[str], seed: int
) -> Classifier:
    from models.blend import Blend

    alone = settings.model_copy(update={"ngrams": None})
    members = {NGRAMS: build(ngrams, labels, seed), ENCODER: build(alone, labels, seed)}
    return Blend(settings, members, labels, seed, choosing=settings.judges_epochs)
