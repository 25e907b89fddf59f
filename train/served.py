"""The model as MLflow serves it: text in, label and probabilities out.

MLflow copies this file and ``models/`` beside the logged bundle and runs it wherever the
model is loaded, so it may import nothing of ours but ``models``.
"""

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd

import models


class SentenceLabeller(mlflow.pyfunc.PythonModel):
    """Any sitrep bundle behind MLflow's ``predict``."""

    def load_context(self, context: Any) -> None:
        self._classifier = models.load(Path(context.artifacts["bundle"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """Return label, confidence and one ``p_<label>`` column for column ``text``."""
        labels = self._classifier.labels
        probabilities = self._classifier.predict_proba(model_input["text"].tolist())
        best = probabilities.argmax(axis=1)
        table = pd.DataFrame(
            {"label": [labels[i] for i in best], "confidence": probabilities.max(axis=1)}
        )
        for i, label in enumerate(labels):
            table[f"p_{label}"] = probabilities[:, i]
        return table


mlflow.models.set_model(SentenceLabeller())
