"""The logged model labels a Spark DataFrame; needs the extra ``sitrep[spark]`` and Java 17.

Run by ``make test-spark``; skipped where pyspark is not installed.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from command import sitrep, write_config
from samples import LABELS, labelled, write_jsonl

pytest.importorskip("pyspark")
from pyspark.sql import SparkSession

pytestmark = [
    pytest.mark.skipif(shutil.which("java") is None, reason="needs Java 17"),
    pytest.mark.filterwarnings("ignore"),  # of Spark's and MLflow's own loading
]
TEXTS = [f"{word} the border, notice {n}." for n in range(100) for word in ("Leave", "Shelled")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Path:
    """A folder in which the baseline (version 1) and a blend (version 2) were trained."""
    folder = tmp_path_factory.mktemp("spark")
    write_jsonl(folder / "rows.jsonl", labelled(40))
    write_config(folder / "first.yaml", family="tfidf")
    write_config(
        folder / "second.yaml",
        family="transformer",
        encoder=str(tiny_encoder),
        epochs=2,
        max_tokens=32,
        ngrams={"family": "tfidf"},
    )
    done = sitrep(folder, "train", "first.yaml", "second.yaml")
    assert done.code == 0, done.err
    return folder


@pytest.fixture(scope="module")
def spark(folder: Path) -> Iterator[SparkSession]:
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder / 'mlflow.db'}"
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.warehouse.dir", str(folder / "warehouse"))
        .getOrCreate()
    )
    yield session
    session.stop()


@pytest.mark.parametrize("version", [1, 2], ids=["tfidf", "blend"])
def test_a_dataframe_gets_the_labels_that_predict_gives(spark: SparkSession, version: int) -> None:
    address = f"models:/sitrep/{version}"
    columns = ", ".join(["label string", "confidence float", *(f"p_{n} float" for n in LABELS)])
    label = mlflow.pyfunc.spark_udf(spark, address, result_type=columns, env_manager="local")
    frame = spark.createDataFrame([(n, text) for n, text in enumerate(TEXTS)], ["n", "text"])
    rows = frame.repartition(4).select("n", label("text").alias("said")).orderBy("n").collect()
    expected = mlflow.pyfunc.load_model(address).predict(pd.DataFrame({"text": TEXTS}))
    assert [row.said.label for row in rows] == expected["label"].tolist()
    assert [row.said.confidence for row in rows] == pytest.approx(
        expected["confidence"].tolist(), abs=1e-4
    )
