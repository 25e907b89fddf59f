"""What a run leaves in MLflow: settings, figures, answers, the logged model."""

import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema

import models
from models.base import Classifier, Rows
from models.bundle import verify
from train import card, figures, page, served, store
from train import config as configs
from train.config import RunConfig
from train.data import digest
from train.evaluation import Evaluation
from train.figures import History
from train.metrics import Comparison, Estimate
from train.registry import BUNDLE, REGISTERED_MODEL, champion, make_champion
from train.report import Report, compare, judge
from train.splits import Split
from train.suite import SuiteReport

PREDICTIONS = "test_predictions.parquet"
SYSTEM_METRICS_SECONDS = 1
"""Between samples of processor and memory; MLflow's own 10 miss most of a short fit."""
MODEL_CARD = "model_card.md"
REQUIREMENTS = {
    "tfidf": ("scikit-learn", "skops", "numpy", "scipy", "pandas", "pydantic"),
    "transformer": (
        *("torch", "transformers", "tokenizers", "safetensors", "accelerate"),
        *("scikit-learn", "skops", "numpy", "scipy", "pandas", "pydantic"),
    ),
}
"""What a logged model needs where it is served, besides mlflow itself."""


@dataclass(frozen=True)
class RunRecord:
    """An open MLflow run, and what may be written to it."""

    run_id: str

    def steps(self, step: int, steps: int, figures: Mapping[str, float]) -> None:
        """Record what training reports; an ``OnStep``."""
        if figures:
            mlflow.log_metrics(dict(figures), step=step, run_id=self.run_id)

    def figures(self, figures: Mapping[str, float]) -> None:
        """Record final figures under the names they have."""
        mlflow.log_metrics(dict(figures), run_id=self.run_id)

    def judgement(
        self,
        config: RunConfig,
        split: Split,
        judged: Evaluation,
        behaviour: SuiteReport | None,
        wrong: list[dict[str, Any]],
        history: History,
    ) -> None:
        """Record the figures, pictures, pages, answers and wrong sentences of the test rows.

        wrong: rows of ``Report.wrong``, each with an explanation under "because"
        """
        report = judged.report
        self.figures({f"test/{name}": value for name, value in report.figures().items()})
        content = judged.as_dict()
        if behaviour is not None:
            # One figure: fifty, one a capability, would bury the others on the compare page.
            self.figures({"test/behaviour_failure_rate": behaviour.total.rate.value})
            rates = [
                {**vars(part), "rate": part.rate.value, "lo": part.rate.lo, "hi": part.rate.hi}
                for part in behaviour.capabilities
            ]
            mlflow.log_table(pd.DataFrame(rates), "behaviour.json")
            content["behaviour"] = behaviour.as_dict()
        mlflow.set_tag("mlflow.note.content", _described(report, config, split))
        mlflow.log_dict(content, "report.json")
        pictures = {
            "confusion_matrix": figures.confusion(report),
            "label_f1": figures.label_f1(report),
            "reliability": figures.reliability(report),
            "risk_coverage": figures.risk_coverage(judged.curve),
            "training_curve": figures.training_curve(history),
        }
        drawn = {name: figure for name, figure in pictures.items() if figure is not None}
        for name, figure in drawn.items():
            mlflow.log_figure(figure, f"{name}.png")
        if wrong:
            mlflow.log_table(pd.DataFrame(map(_table_row, wrong)), "wrong_sentences.json")
        facts = _split_facts(split)
        html = page.render(
            config.name, judged, behaviour, drawn, wrong, split, facts, configs.dump(config)
        )
        mlflow.log_text(html, "report.html")
        mlflow.log_text(card.write(config, judged, facts), MODEL_CARD)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / PREDICTIONS
            _answers(report).to_parquet(path)
            mlflow.log_artifact(str(path))

    def over_seeds(
        self, name: str, macro_f1: Estimate, deviation: float, difference: Estimate | None
    ) -> None:
        """Record what the config ``name`` came to over several seeds."""
        found = {"macro_f1": macro_f1.value, "macro_f1_lo": macro_f1.lo, "macro_f1_hi": macro_f1.hi}
        found["macro_f1_deviation"] = deviation
        if difference is not None:
            found["difference"] = difference.value
            found |= {"difference_lo": difference.lo, "difference_hi": difference.hi}
        self.figures({f"{name}/{key}": value for key, value in found.items()})

    def model(self, classifier: Classifier, example: str, tags: dict[str, Any]) -> str:
        """Log ``classifier`` and register it; return its version in the registry.

        example: a sentence that shows what goes in
        tags:    figures to write on the version
        """
        with tempfile.TemporaryDirectory() as folder:
            bundle = Path(folder) / BUNDLE
            classifier.save(bundle)
            size = sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file())
            self.figures({"model/megabytes": size / 1e6})
            number = log_bundle(bundle, example)
        client = mlflow.MlflowClient()
        for key, value in tags.items():
            client.set_model_version_tag(REGISTERED_MODEL, number, key, value)
        return number


def log_bundle(bundle: Path, example: str) -> str:
    """Log the model in ``bundle`` to the active run and register it; return its version.

    example: a sentence that shows what goes in
    """
    manifest = verify(bundle)
    info = mlflow.pyfunc.log_model(
        name="model",
        python_model=served.__file__,
        artifacts={BUNDLE: str(bundle)},
        code_paths=[str(Path(models.__file__).parent)],
        signature=_signature(manifest.labels),
        input_example=pd.DataFrame({"text": [example]}),
        pip_requirements=_pinned(REQUIREMENTS[manifest.settings.family]),
        registered_model_name=REGISTERED_MODEL,
    )
    return str(info.registered_model_version)


@contextmanager
def parent_run(config_list: list[RunConfig], split: Split) -> Iterator[RunRecord]:
    """Open the run that holds the runs of one command."""
    names = " + ".join(config.name for config in config_list)
    with _run(names, {store.COMMAND_TAG: "command"}) as record:
        mlflow.set_tag("mlflow.note.content", f"Compares {names} on the same test rows.")
        mlflow.log_dict(_split_facts(split), "split.json")
        yield record


@contextmanager
def child_run(config: RunConfig, split: Split, names: tuple[str, ...]) -> Iterator[RunRecord]:
    """Open the run of one config: what it is and what it reads is recorded at once.

    names: of the files or the hub dataset that the rows came from
    """
    mlflow.set_system_metrics_sampling_interval(SYSTEM_METRICS_SECONDS)
    with _run(config.name, _git_tags(), nested=True, system_metrics=True) as record:
        mlflow.log_params(_params(config, split))
        mlflow.log_text(configs.dump(config), "config.yaml")
        mlflow.log_dict(_split_facts(split), "split.json")
        for context, rows in split.parts():
            mlflow.log_input(_dataset(context, rows, split, names), context=context)
        yield record


@contextmanager
def _run(
    name: str, tags: dict[str, str], nested: bool = False, system_metrics: bool = False
) -> Iterator[RunRecord]:
    """A run that ends FINISHED, FAILED at an error or KILLED when the user stops it."""
    store.use_experiment()
    run = mlflow.start_run(
        run_name=name, nested=nested, tags=tags, log_system_metrics=system_metrics
    )
    try:
        yield RunRecord(run.info.run_id)
    except KeyboardInterrupt:
        mlflow.end_run("KILLED")
        raise
    except BaseException as error:
        mlflow.set_tag("error", str(error)[:500] or type(error).__name__)
        mlflow.end_run("FAILED")
        raise
    mlflow.end_run("FINISHED")


def record_comparison(run_id: str, baseline: str, comparison: Comparison) -> None:
    """Write on run ``run_id`` how it did against ``baseline`` on the same test rows."""
    difference = comparison.difference
    figures = {
        "difference/macro_f1": difference.value,
        "difference/macro_f1_lo": difference.lo,
        "difference/macro_f1_hi": difference.hi,
        "difference/p_value": comparison.p_value,
        "difference/mcnemar_p_value": comparison.mcnemar_p,
    }
    mlflow.log_metrics(figures, run_id=run_id)
    client = mlflow.MlflowClient()
    client.set_tag(run_id, "verdict", _verdict(comparison, baseline))
    described = client.get_run(run_id).data.tags["mlflow.note.content"]
    verdict = (
        f"**{_verdict(comparison, baseline).capitalize()}** on the same test rows: macro-F1 "
        f"{difference.value:+.3f} ({difference.lo:+.3f} to {difference.hi:+.3f}), "
        f"p = {comparison.p_value:.4f} (swaps by article)."
    )
    # Second, for the UI folds a description away after a few lines.
    headline, _, rest = described.partition("\n\n")
    client.set_tag(run_id, "mlflow.note.content", f"{headline}\n\n{verdict}\n\n{rest}")


def _verdict(comparison: Comparison, baseline: str) -> str:
    word = "from" if comparison.verdict == "no different" else "than"
    return f"{comparison.verdict} {word} {baseline}"


def challenge(number: str, name: str, report: Report, settings: configs.EvaluationSettings) -> str:
    """Make version ``number`` champion if it is shown to be better; say what came of it.

    name:   of its run
    report: on its test rows, on which the champion must have been judged too
    """
    present = champion()
    if present is None:
        return crown(number, name, "the first champion")
    rival = recorded_report(present.run_id, report, settings)
    if rival is None:
        return (
            f"the champion stays version {present.number} ({present.run_name}): it was judged on "
            f"other test rows; to change it, add --promote"
        )
    comparison = compare(report, rival, settings)
    if comparison.verdict == "better":
        return crown(number, name, f"better than version {present.number}: {comparison.difference}")
    return (
        f"the champion stays version {present.number} ({present.run_name}): "
        f"{name} is not shown to be better, difference {comparison.difference}"
    )


def crown(number: str, name: str, reason: str) -> str:
    """Make version ``number`` champion and say so."""
    make_champion(number, reason)
    return f"the champion is now version {number} ({name}): {reason}"


def recorded_report(
    run_id: str, like: Report, settings: configs.EvaluationSettings
) -> Report | None:
    """Return the report of an earlier run when it was judged on the same rows as ``like``.

    None when that run saw other test rows, other labels, or left no answers.
    """
    answers = _recorded_answers(run_id)
    if answers is None:
        return None
    expected = _answers(like)
    same_labels = list(answers.columns) == list(expected.columns)
    if not same_labels or not answers[["text", "true"]].equals(expected[["text", "true"]]):
        return None
    columns = [f"p_{label}" for label in like.labels]
    probabilities = answers[columns].to_numpy(dtype=np.float32)
    return judge(like.labels, like.rows, probabilities, settings)


def report_of(run_id: str, settings: configs.EvaluationSettings) -> Report | None:
    """Return the report of a run from the answers it left, or None when it left none."""
    answers = _recorded_answers(run_id)
    if answers is None:
        return None
    labels = [c.removeprefix("p_") for c in answers.columns if c.startswith("p_")]
    rows = Rows(
        ids=tuple(map(str, range(len(answers)))),
        article_ids=tuple(answers["article_id"]),
        texts=tuple(answers["text"]),
        targets=np.array([labels.index(label) for label in answers["true"]], dtype=np.int64),
    )
    columns = [f"p_{label}" for label in labels]
    return judge(labels, rows, answers[columns].to_numpy(dtype=np.float32), settings)


def _recorded_answers(run_id: str) -> pd.DataFrame | None:
    try:
        path = mlflow.artifacts.download_artifacts(f"runs:/{run_id}/{PREDICTIONS}")
    except (MlflowException, OSError):
        return None
    return pd.read_parquet(path)


def _described(report: Report, config: RunConfig, split: Split) -> str:
    """What the run's page says first, in Markdown."""
    return (
        f"**Test macro-F1 {report.metrics['macro_f1']}** on {len(report.rows):,} sentences of "
        f"{report.articles:,} articles; in brackets the 95 % interval, by bootstrap over articles."
        f"\n\nA {config.model.family} model, fitted on {len(split.train):,} sentences of "
        f"{' '.join(config.data.files) or (config.data.hub and config.data.hub.name)}. Open "
        "`report.html` among the artifacts for everything on one page; `wrong_sentences.json` "
        "lists every wrong answer. The model is in the registry, see `sitrep models`."
    )


def _table_row(row: dict[str, Any]) -> dict[str, Any]:
    because = ", ".join(f"{piece} {weight:+.2f}" for piece, weight in row["because"])
    return {**row, "because": because}


def _params(config: RunConfig, split: Split) -> dict[str, Any]:
    """About 25 settings: few enough that the compare page can be read."""
    data, model = config.data, config.model.model_dump(mode="json")
    return {
        "data": data.hub.name if data.hub is not None else " ".join(data.files),
        "labels": len(split.labels),
        "split.seed": config.split.seed,
        "seed": config.seed,
        **{f"sentences.{name}": len(rows) for name, rows in split.parts()},
        **{key: value for key, value in model.items() if value is not None},
    }


def _split_facts(split: Split) -> dict[str, Any]:
    return {
        "sentences": {name: len(rows) for name, rows in split.parts()},
        "digests": {name: digest(rows, split.labels) for name, rows in split.parts()},
        "leaks": vars(split.report),
    }


def _dataset(context: str, rows: Rows, split: Split, names: tuple[str, ...]) -> Any:
    """The rows as an MLflow dataset whose digest covers all of them."""
    table = pd.DataFrame(
        {"text": rows.texts, "label": [split.labels[target] for target in rows.targets]}
    )
    return mlflow.data.from_pandas(
        table,
        source=CodeDatasetSource(tags={"rows": ", ".join(names)}),
        targets="label",
        name=context,
        digest=digest(rows, split.labels),
    )


def _answers(report: Report) -> pd.DataFrame:
    rows = report.rows
    return pd.DataFrame(
        {
            "text": rows.texts,
            "article_id": rows.article_ids,
            "true": [report.labels[target] for target in rows.targets],
            **{f"p_{label}": report.probabilities[:, i] for i, label in enumerate(report.labels)},
        }
    )


def _signature(labels: tuple[str, ...]) -> ModelSignature:
    numbers = ["confidence", *(f"p_{label}" for label in labels)]
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.string, "text")]),
        outputs=Schema(
            [
                ColSpec(DataType.string, "label"),
                *(ColSpec(DataType.float, name) for name in numbers),
            ]
        ),
    )


def _pinned(packages: tuple[str, ...]) -> list[str]:
    # The part after "+" names a build ("+cpu"), which other machines may not have.
    return [f"{package}=={version(package).split('+')[0]}" for package in ("mlflow", *packages)]


def _git_tags() -> dict[str, str]:
    """The commit of the code and whether it was changed since; nothing outside a checkout."""

    def git(*words: str) -> str:
        folder = Path(__file__).parent
        done = subprocess.run(
            ["git", *words], cwd=folder, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    try:
        commit, changes = git("rev-parse", "HEAD"), git("status", "--porcelain", "-uno")
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {"mlflow.source.git.commit": commit, "git.changed": str(bool(changes)).lower()}
