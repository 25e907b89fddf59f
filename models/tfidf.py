"""TF-IDF with logistic regression: the baseline that trains in seconds."""

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline

from models import bundle
from models.base import Explanation, Logits, OnStep, Probabilities, Rows, strongest
from models.calibration import calibrated, fit_temperature
from models.errors import ModelError
from models.settings import Ngrams, TfidfSettings
from models.text import prepare
from models.weights import weight_by_label

PIPELINE = "pipeline.skops"
PACKAGES = ("scikit-learn", "skops", "numpy", "scipy", "pydantic")
TRUSTED_TYPES: list[str] = []
"""Types beyond skops' own safe list that a bundle may hold: none is needed."""

NO_NGRAMS_LEFT = ("empty vocabulary", "no terms remain", "max_df corresponds to < documents")
"""How scikit-learn words it; it has no error class for this."""

LOWEST_LOGIT = -30.0
"""A label that never occurs in training gets this logit: a probability of about 1e-13."""


class TfidfClassifier:
    """A scikit-learn pipeline of TF-IDF vectorisers and logistic regression."""

    def __init__(self, settings: TfidfSettings, labels: Sequence[str], seed: int) -> None:
        self.settings = settings
        self.labels = tuple(sorted(labels))
        self.seed = seed
        self.temperature = 1.0
        self._pipeline: Any = None

    @classmethod
    def from_bundle(cls, folder: Path, manifest: bundle.Manifest) -> Self:
        """Return the model of a verified bundle.

        Raises ModelError when the file holds types that a TF-IDF model does not need.
        """
        assert isinstance(manifest.settings, TfidfSettings)
        model = cls(manifest.settings, manifest.labels, manifest.seed)
        model.temperature = manifest.temperature
        skops_io = _skops_io()
        try:
            model._pipeline = skops_io.load(folder / PIPELINE, trusted=TRUSTED_TYPES)
        except skops_io.exceptions.UntrustedTypesFoundException as error:
            raise ModelError(f"{folder / PIPELINE} holds types that could carry code") from error
        except Exception as error:  # skops fails in many ways on a file that is not its own
            raise ModelError(f"{folder / PIPELINE} is not a skops file") from error
        if not isinstance(model._pipeline, Pipeline):
            raise ModelError(f"{folder / PIPELINE} does not hold a TF-IDF pipeline")
        return model

    def fit(self, train: Rows, valid: Rows, on_step: OnStep) -> Self:
        """Fit vectorisers and weights on ``train``, the temperature on ``valid``.

        Raises ModelError when no word or character n-gram is left to learn from.
        """
        try:
            self._pipeline = self._unfitted(train).fit(
                list(map(prepare, train.texts)), train.targets
            )
        except ValueError as error:
            if any(words in str(error) for words in NO_NGRAMS_LEFT):
                hint = "lower model.words.min_df"
                raise ModelError(f"no n-gram is left to learn from: {hint}") from error
            raise
        self.temperature = fit_temperature(self._logits(valid.texts), valid.targets)
        on_step(1, 1, {"temperature": self.temperature})
        return self

    def predict_proba(self, texts: Sequence[str]) -> Probabilities:
        """Return (len(texts), labels) calibrated probabilities, in the order of ``texts``."""
        return calibrated(self._logits(texts), self.temperature)

    def explain(self, texts: Sequence[str], columns: Sequence[int]) -> list[Explanation]:
        """Return the n-grams of each text that spoke for the label of its column.

        The weight of an n-gram is its TF-IDF times the coefficient of the label, less the mean
        coefficient of all labels: what it adds to the label's logit over an average one.
        """
        if not texts:  # which scikit-learn's transformers refuse
            return []
        linear, names = self._pipeline["linear"], self._pipeline["tfidf"].get_feature_names_out()
        coefficients = linear.coef_
        if len(coefficients) == 1:  # of two labels, scikit-learn keeps the second only
            coefficients = np.vstack([-coefficients, coefficients]) / 2
        centred = coefficients - coefficients.mean(axis=0)
        row_of = {int(column): row for row, column in enumerate(linear.classes_)}
        counted = self._pipeline["tfidf"].transform(list(map(prepare, texts))).tocsr()
        found: list[Explanation] = []
        for text, column in enumerate(columns):
            row = counted[text]
            if column not in row_of:
                found.append([])
                continue
            weights = row.data * centred[row_of[column], row.indices]
            pairs = zip(names[row.indices], weights, strict=True)
            found.append(strongest((str(name).split("__", 1)[1], float(w)) for name, w in pairs))
        return found

    def save(self, folder: Path) -> None:
        """Write the bundle ``folder``, which must not exist."""
        bundle.save(folder, self, PACKAGES, self._write_files)

    def _write_files(self, draft: Path) -> None:
        _skops_io().dump(self._pipeline, draft / PIPELINE)

    def _unfitted(self, train: Rows) -> Pipeline:
        kinds = {
            "words": ("word", self.settings.words),
            "characters": ("char_wb", self.settings.characters),
        }
        vectorisers = [
            (name, self._vectoriser(analyzer, ngrams))
            for name, (analyzer, ngrams) in kinds.items()
            if ngrams is not None
        ]
        linear = LogisticRegression(
            C=self.settings.C,
            class_weight=weight_by_label(self.settings.class_weight, self.labels, train.targets),
            max_iter=self.settings.max_iter,
            random_state=self.seed,
        )
        return Pipeline([("tfidf", FeatureUnion(vectorisers)), ("linear", linear)])

    def _vectoriser(self, analyzer: str, ngrams: Ngrams) -> TfidfVectorizer:
        return TfidfVectorizer(
            analyzer=analyzer,
            lowercase=self.settings.lowercase,
            ngram_range=ngrams.ngram_range,
            min_df=ngrams.min_df,
            max_features=ngrams.max_features,
            sublinear_tf=ngrams.sublinear_tf,
            dtype=np.float32,
        )

    def _logits(self, texts: Sequence[str]) -> Logits:
        logits = np.full((len(texts), len(self.labels)), LOWEST_LOGIT, dtype=np.float32)
        if len(texts):
            known = self._pipeline["linear"].classes_
            log_proba = self._pipeline.predict_log_proba(list(map(prepare, texts)))
            logits[:, known] = np.maximum(log_proba, LOWEST_LOGIT)
        return logits


def _skops_io() -> Any:
    """Import ``skops.io`` without torch.

    skops imports every module of scikit-learn to learn its types. One of them imports torch,
    which would cost a TF-IDF model two seconds and 200 MB for nothing.
    """
    if "torch" in sys.modules or "skops.io" in sys.modules:
        return importlib.import_module("skops.io")
    sys.modules["torch"] = None  # type: ignore[assignment]  # Python's way to say: not to be found
    try:
        return importlib.import_module("skops.io")
    finally:
        del sys.modules["torch"]
