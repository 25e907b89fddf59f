"""Words of the command line become calls; results are printed; errors become exit codes.

Exit codes: 0 done, 2 something is wrong with what was given (one line), 3 too many records were
rejected, 1 a fault of ours, 130 stopped by Ctrl-C or SIGTERM. The heavy packages are imported where
a command needs them, so that ``sitrep --help`` answers at once.
"""

import json
import logging
import os
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from models.errors import DataError, SitrepError, TooManyRejectedError
from predict.articles import StdinFormat
from predict.large import EngineName
from train import terminal
from train.terminal import err, out

DONE, OUR_FAULT, WRONG_INPUT, TOO_MANY_REJECTED, STOPPED = 0, 1, 2, 3, 130

app = typer.Typer(
    help="Label the sentences of foreign-affairs and conflict news as diplomatic_statement, "
    "military_event, advisory or background, and train the models that do it.",
    epilog="First steps: sitrep train configs/tfidf.yaml, then sitrep predict seeds/articles",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
config_app = typer.Typer(help="Show what a config means.", no_args_is_help=True)
app.add_typer(config_app, name="config")
review_app = typer.Typer(help="Ask a person for the labels that teach most.", no_args_is_help=True)
app.add_typer(review_app, name="review")

PartFormat = Literal["parquet", "jsonl", "csv"]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.PATH=VALUE", help="Change one setting; may be repeated."),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        help="A bundle folder, an MLflow run id or an address such as models:/sitrep/2. "
        "Default: the champion."
    ),
]
DataArgument = Annotated[
    list[str], typer.Argument(metavar="DATA…", help="Labelled files, globs or folders.")
]
JsonOption = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Also write every figure here.")
]
TextColumn = Annotated[str, typer.Option(help="Column that holds the sentence.")]
LabelColumn = Annotated[str, typer.Option(help="Column that holds the label.")]
ArticleColumn = Annotated[
    str | None, typer.Option(help="Column that sentences of one article share.")
]


@app.command(epilog="Example: sitrep train configs/tfidf.yaml configs/minilm.yaml --set seed=7")
def train(
    configs: Annotated[
        list[Path], typer.Argument(metavar="CONFIG…", help="YAML files, one run each.")
    ],
    overrides: Overrides = None,
    promote: Annotated[
        bool, typer.Option(help="Make the best of these the champion, whatever it is.")
    ] = False,
    seeds: Annotated[
        int, typer.Option(min=1, help="Runs of each CONFIG, at its seed and those that follow.")
    ] = 1,
) -> None:
    """Train a model from each CONFIG on the same split, compare them and log them to MLflow.

    The first CONFIG is the baseline that the others are compared with. Each run, its figures and
    its model are in MLflow afterwards (see: sitrep ui).
    """
    from train import config, display, fit, progress

    loaded = [config.load(path, overrides or ()) for path in configs]
    with progress.training(err) as on_step:
        result = fit.fit_all(loaded, promote, on_step, seeds)
    out.print(display.split_summary(result.split))
    out.print(display.training(result, _command()))


@app.command(
    epilog="Example: sitrep predict news/ -o labels.csv; for millions: sitrep predict "
    "dump.jsonl.gz --job labels/ --workers 2"
)
def predict(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT…",
            help="Files (.txt, .md, .html, .jsonl, .csv, .tsv, .parquet; all but the last also as "
            ".gz), folders of them, globs, or - for standard input.",
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="OUTPUT",
            help="File to write: .jsonl, .csv, .parquet, or .html to look at; - for JSONL on "
            "standard output. "
            "Default: readable lines in the terminal.",
        ),
    ] = None,
    model: ModelOption = None,
    split: Annotated[
        bool, typer.Option("--split/--no-split", help="Cut articles into sentences first.")
    ] = True,
    min_confidence: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Mark answers below it in a column low_confidence."),
    ] = None,
    max_rejected: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Share of records that may be rejected; with more (and more than ten), nothing "
            "is written and the exit code is 3.",
        ),
    ] = 0.01,
    articles_file: Annotated[
        Path | None,
        typer.Option(
            "--articles",
            metavar="FILE",
            help="Also write one row per article, .csv or .jsonl: sentences by label, and the "
            "surest of each.",
        ),
    ] = None,
    job_folder: Annotated[
        Path | None,
        typer.Option(
            "--job",
            metavar="DIR",
            help="Write part files into this folder in place of OUTPUT, each whole or not at all; "
            "the same command goes on where it was stopped.",
        ),
    ] = None,
    parts: Annotated[
        PartFormat, typer.Option(help="Format of the part files of a --job.")
    ] = "parquet",
    workers: Annotated[
        int,
        typer.Option(
            min=1,
            help="Processes of a --job, on Ray of all machines together; the result is the same "
            "for any number.",
        ),
    ] = 1,
    engine: Annotated[
        EngineName,
        typer.Option(
            help="Where a --job is done: on this machine, or on Ray, which gives the work of a "
            "worker that is lost to another."
        ),
    ] = "local",
    ray_address: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Of a running Ray cluster, such as 10.0.0.1:6379. Each of its machines needs "
            "sitrep and must see DIR and the model's folder at the same paths. Default: start Ray "
            "on this machine.",
        ),
    ] = None,
    stdin_format: Annotated[
        StdinFormat, typer.Option(help="What standard input holds; auto looks at its first line.")
    ] = "auto",
    encoding: Annotated[str, typer.Option(help="Of the input, read strictly.")] = "utf-8",
    text: Annotated[str, typer.Option(help="Column or field of the article's text.")] = "text",
    article_id: Annotated[str, typer.Option(help="Column or field of its name.")] = "id",
) -> None:
    """Label every sentence of the articles in INPUT.

    A .txt, .md or .html file is one article, a line of .jsonl or a row of a table is one: "text",
    and if known "id", "title", "date", "source". Of an HTML page the main text is taken. Records
    that cannot be read go to OUTPUT.rejected.jsonl.
    """
    import models
    from predict import articles, job, large, sentences, summaries, write
    from train import progress

    if job_folder is not None:
        if output is not None or articles_file is not None:
            raise DataError("a --job writes part files into its folder: leave -o and --articles")
        started = time.perf_counter()
        summary = large.run(
            inputs,
            job_folder,
            f".{parts}",
            _bundle(model),
            large.Options(split, min_confidence, encoding, text, article_id),
            workers,
            large.engine_of(engine, ray_address),
            progress.chunk_counter(err),
        )
        seconds = time.perf_counter() - started
        err.print(f"{summary} in {seconds:.1f} s, in the part files of {job_folder}", markup=False)
        summary.require_few_rejected(max_rejected)
        return
    if engine != "local" or ray_address is not None:
        raise DataError("--engine and --ray-address are for a --job only")
    target = Path(output) if output not in (None, "-") else None
    if target is not None:
        write.check_target(target)
    if articles_file is not None:
        summaries.check_target(articles_file)
    columns = {"text": text, "id": article_id}
    records = articles.read(inputs, sys.stdin.buffer, stdin_format, columns, encoding)
    classifier = models.load(_bundle(model))
    cut = sentences.split if split else sentences.whole
    started = time.perf_counter()
    layout = write.Layout(classifier.labels, min_confidence)
    with (
        terminal.sinks(target, output == "-", layout) as (write_one, reject),
        _summaries(articles_file, classifier.labels) as summarise,
    ):
        summary = job.run(records, classifier, cut, terminal.both(write_one, summarise), reject)
        summary.require_few_rejected(max_rejected)
        if not summary.labelled:  # raised in here, so that an older output stays as it was
            raise DataError("no article could be read; the reasons stand above")
    where = f", written to {target}" if target is not None else ""
    err.print(f"{summary} in {time.perf_counter() - started:.1f} s{where}", markup=False)
    if summary.rejected and target is not None:
        err.print(f"rejected records are in {write.rejected_path(target)}", markup=False)


@app.command(
    epilog="Example: sitrep evaluate --model models:/sitrep/1 my-labelled.jsonl --by source "
    "--target-precision 0.9"
)
def evaluate(
    data: Annotated[
        list[str] | None,
        typer.Argument(metavar="DATA…", help="Labelled files, globs or folders."),
    ] = None,
    model: ModelOption = None,
    by: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Also judge each value of it; may be repeated."),
    ] = None,
    target_precision: Annotated[
        float | None,
        typer.Option(
            min=0.0, max=1.0, help="Find the confidence from which on labels are this precise."
        ),
    ] = None,
    suite_files: Annotated[
        list[str] | None,
        typer.Option(
            "--suite",
            metavar="YAML",
            help="Also, or only, run these behaviour tests, such as tests/behaviour/*.yaml.",
        ),
    ] = None,
    json_file: JsonOption = None,
    text: TextColumn = "text",
    label: LabelColumn = "label",
    article_id: ArticleColumn = None,
) -> None:
    """Judge a model on labelled rows: figures with intervals, per label, slices, confidence.

    Slices by length of the sentence are always made, by other columns with --by. The table on
    confidence tells how good the answers are when the least confident are left to a person.
    Behaviour tests ask for what must hold, must not change and must change.
    """
    import models
    from train import data as labelled_data
    from train import display, evaluation, report, suite
    from train.config import EvaluationSettings

    if not data and not suite_files:
        raise DataError("name labelled files, or behaviour tests with --suite")
    classifier = models.load(_bundle(model))
    capabilities = suite.read(suite_files or (), classifier.labels)
    content: dict[str, Any] = {}
    if data:
        columns = tuple(by or ())
        settings = _data_settings(data, text, label, article_id, classifier.labels, columns)
        rows = labelled_data.read(settings)[0].rows
        chosen = EvaluationSettings()
        judged = evaluation.deepen(
            report.evaluate(classifier, rows, chosen), columns, target_precision, chosen
        )
        out.print(display.evaluation(judged, model or "the champion", ", ".join(data)))
        content = judged.as_dict()
    if capabilities:
        behaviour = suite.run(classifier, capabilities)
        out.print(display.behaviour(behaviour))
        content["behaviour"] = behaviour.as_dict()
    _write_json(json_file, content)


@app.command(
    epilog="Example: sitrep compare models:/sitrep/1 models:/sitrep/2 --data my-labelled.jsonl"
)
def compare(
    models_: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL…",
            help="Two or more: bundle folders, MLflow run ids or addresses such as "
            "models:/sitrep/2. The first is the baseline.",
        ),
    ],
    data: Annotated[
        list[str],
        typer.Option("--data", metavar="DATA", help="Labelled file, glob or folder; repeatable."),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="JSONL file for the sentences on which they differ."),
    ] = None,
    json_file: JsonOption = None,
    text: TextColumn = "text",
    label: LabelColumn = "label",
    article_id: ArticleColumn = None,
) -> None:
    """Judge models on the same labelled rows and say which is better, with paired intervals."""
    import models
    from train import data as labelled_data
    from train import display, evaluation, report
    from train.config import EvaluationSettings

    if len(models_) < 2:
        raise DataError("name two models or more; the first is what the others are compared with")
    classifiers = [models.load(_bundle(name)) for name in models_]
    labels = _same_labels(models_, [classifier.labels for classifier in classifiers])
    rows = labelled_data.read(_data_settings(data, text, label, article_id, labels))[0].rows
    chosen = EvaluationSettings()
    reports = [report.evaluate(classifier, rows, chosen) for classifier in classifiers]
    compared = [report.compare(other, reports[0], chosen) for other in reports[1:]]
    differing = evaluation.disagreements(reports, models_)
    out.print(display.comparison(models_, reports, compared, len(differing)))
    if output is not None:
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in differing)
        output.write_text("".join(lines), encoding="utf-8")
        err.print(f"the {len(differing):,} sentences are in {output}", markup=False)
    _write_json(json_file, evaluation.comparison_dict(models_, reports, compared))


@app.command(epilog="Example: sitrep check seeds --model-based -o suspects.csv")
def check(
    data: DataArgument,
    labels: Annotated[
        str | None, typer.Option(help="All permitted labels, separated by commas.")
    ] = None,
    model_based: Annotated[
        bool,
        typer.Option(
            "--model-based", help="Also list labels that the baseline, fitted on the rest, doubts."
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="File for these, .csv or .jsonl. Default: the first."),
    ] = None,
    text: TextColumn = "text",
    label: LabelColumn = "label",
    article_id: ArticleColumn = None,
) -> None:
    """List every problem in labelled rows, then label counts, lengths and near-duplicates.

    Problems go to standard output, one a line with file, line and reason; with any, exit code 2.
    """
    from train import data as labelled_data
    from train import display, splits
    from train.config import SplitSettings

    permitted = tuple(part.strip() for part in labels.split(",")) if labels else None
    found = labelled_data.inspect(_data_settings(data, text, label, article_id, permitted))
    for problem in found.problems:
        out.print(str(problem), markup=False)
    clusters = splits.near_duplicate_clusters(found.rows.texts, SplitSettings().near_duplicate)
    repeats = [(i, first) for i, first in enumerate(clusters) if first != i]
    for i, first in repeats:
        out.print(
            f"{found.rows.ids[i]}: nearly the same text as {found.rows.ids[first]}", markup=False
        )
    err.print(display.inspection(found, len(repeats)))
    if model_based:
        _doubt_labels(found, output)
    if found.problems:
        raise typer.Exit(WRONG_INPUT)


@app.command(
    epilog="Example: sitrep corpus configs/tfidf.yaml configs/minilm.yaml -o seeds/report.md "
    "--real real.jsonl --by stratum"
)
def corpus(
    configs: Annotated[
        list[Path], typer.Argument(metavar="CONFIG…", help="YAML files that name the same data.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Markdown file to write. Default: the terminal."),
    ] = None,
    overrides: Overrides = None,
    sizes: Annotated[
        str, typer.Option(help="Sentences to fit on, separated by commas; none: no curve.")
    ] = "1000,2000,4000,8000,16000",
    seeds: Annotated[int, typer.Option(min=1, help="Fits at each size.")] = 3,
    folds: Annotated[
        int, typer.Option(min=0, help="Of the cross-validation within the corpus; 0: none.")
    ] = 5,
    real: Annotated[
        list[str] | None,
        typer.Option(help="Labelled file of real sentences to measure on; may be repeated."),
    ] = None,
    by: Annotated[str, typer.Option(help="Column of that file to slice by.")] = "source",
    ways: Annotated[
        str | None,
        typer.Option(help="Column of the corpus whose values are compared as ways of writing."),
    ] = None,
) -> None:
    """Tell what a labelled corpus is worth: agreement, learning curve, realism.

    Counts sentences and the labellers' agreement by register, cross-validates every CONFIG within
    the corpus, fits it on more and more texts and, with --real, measures each fit on sentences
    that are never trained on. With the default configs and seeds/ that takes hours on two cores:
    --sizes 1000,4000,16000 --folds 0 half an hour.
    """
    from train import config, corpus_page, progress

    loaded = [config.load(path, overrides or ()) for path in configs]
    wanted = tuple(int(part) for part in sizes.split(",") if part.strip())
    with progress.training(err) as on_fit:
        page = corpus_page.make(
            loaded, wanted, seeds, folds, tuple(real or ()), by, ways, _typed(), on_fit
        )
    if output is None:
        typer.echo(page, nl=False)
    else:
        output.write_text(page, encoding="utf-8")
        err.print(f"written to {output}", markup=False)


@review_app.command("queue", epilog="Example: sitrep review queue news/ -o queue.csv --n 200")
def review_queue(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT…", help="Articles, as for predict."),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", help="File to write: .csv, .jsonl, or .json for Label Studio."
        ),
    ],
    count: Annotated[int, typer.Option("--n", min=1, help="Sentences to ask for.")] = 200,
    model: ModelOption = None,
) -> None:
    """Choose the sentences of INPUT that a person should label next: uncertain and different.

    Fill in the column "label" (or label the tasks in Label Studio), then: sitrep review import.
    """
    import models
    from predict import articles, label, review, sentences
    from predict.records import Article

    review.check_target(output)
    records = articles.read(inputs, sys.stdin.buffer)
    classifier = models.load(_bundle(model))
    cut = (s for r in records if isinstance(r, Article) for s in sentences.split(r))
    chosen = review.queue(label.label(cut, classifier), count, seed=0)
    if not chosen:
        raise DataError("no article could be read")
    review.write(output, chosen)
    err.print(f"{len(chosen):,} sentences to label are in {output}", markup=False)


@review_app.command("import", epilog="Example: sitrep review import queue.csv --into mine.jsonl")
def review_import(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The queue, labels filled in.")],
    target: Annotated[
        Path, typer.Option("--into", help="Labelled JSONL file to add them to; made if missing.")
    ],
    model: ModelOption = None,
    labels: Annotated[
        str | None,
        typer.Option(help="All permitted labels, separated by commas. Default: the model's."),
    ] = None,
) -> None:
    """Check the labels in FILE and add them to a labelled file, each sentence once."""
    from models.bundle import verify
    from predict import review

    permitted = [part.strip() for part in labels.split(",")] if labels else None
    answered = review.read(file, permitted or verify(_bundle(model)).labels)
    if target.suffix.lower() != ".jsonl":
        raise DataError(f"{target}: labels are added to a .jsonl file")
    added = review.add(target, answered.rows)
    err.print(
        f"{added:,} sentences added to {target}, {len(answered.rows) - added:,} stood there "
        f"already, {answered.unlabelled:,} have no label yet",
        markup=False,
    )


@app.command(name="models", epilog="Example: sitrep models --json")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the models in the registry, the newest first: figures, champion, and why it is that."""
    from train import display, registry, store

    address = store.open_store()
    versions = registry.versions()
    if not versions:
        raise SitrepError(f"no model is in the registry of {address}: run `make train`")
    if as_json:
        for version in versions:
            typer.echo(json.dumps(display.version_record(version), ensure_ascii=False))
    else:
        out.print(display.versions(versions))


@app.command(epilog="Example: MLFLOW_TRACKING_URI=http://127.0.0.1:5000 sitrep sync")
def sync() -> None:
    """Send runs of this folder to the server in MLFLOW_TRACKING_URI, each once.

    Training writes to this folder first and sends at its end. When the server was not there, this
    sends later: figures, artifacts, models.
    """
    from train import store
    from train import sync as syncing

    server = store.require_server()
    count = syncing.send(server)
    err.print(f"sent {count} runs to {server}", markup=False)


@config_app.command("show", epilog="Example: sitrep config show configs/minilm.yaml --set seed=7")
def config_show(
    path: Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML file.")],
    overrides: Overrides = None,
) -> None:
    """Print CONFIG with every default filled in, as YAML that can be trained from."""
    from train import config

    typer.echo(config.dump(config.load(path, overrides or ())), nl=False)


@config_app.command("schema", epilog="Example: sitrep config schema > sitrep.schema.json")
def config_schema() -> None:
    """Print the JSON Schema of a config, with what each key means, for editors to check by."""
    from train import config

    typer.echo(json.dumps(config.schema(), indent=2))


@app.command(epilog="Example: sitrep ui --port 5001")
def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 5000,
) -> None:
    """Open the MLflow UI on the runs of this folder, for this machine only; Ctrl-C ends it."""
    from train import store

    address = store.open_store()
    command = [
        *(sys.executable, "-m", "mlflow", "ui"),
        *("--backend-store-uri", address, "--host", "127.0.0.1", "--port", str(port)),
    ]
    err.print(f"MLflow shows {address}; Ctrl-C ends it. Once it has started:", markup=False)
    for shows, page in store.ui_pages().items():
        err.print(f"  {shows}: http://127.0.0.1:{port}/{page}", markup=False, soft_wrap=True)
    # Seven processes that run jobs on chat traces, of which there are none here.
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    os.execv(sys.executable, command)


def main() -> None:
    """Run the command line and exit with one of the documented codes."""
    terminal.prepare_logging()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = app(standalone_mode=False)
    except TooManyRejectedError as error:
        err.print(f"sitrep: {error}", markup=False, soft_wrap=True)
        sys.exit(TOO_MANY_REJECTED)
    except SitrepError as error:
        err.print(f"sitrep: {error}", markup=False, soft_wrap=True)
        sys.exit(WRONG_INPUT)
    except (KeyboardInterrupt, typer.Abort):
        code = STOPPED
    except typer.Exit as done:
        sys.exit(done.exit_code)
    except SystemExit as stop:
        # typer and rich leave with 1 when the reader of our output has gone, as in `| head`. That
        # is nobody's fault, and nobody is left to tell.
        if not isinstance(stop.__context__, BrokenPipeError):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(DONE)
    except Exception as error:
        if hasattr(error, "format_message"):  # click's own: an unknown option, a missing argument
            err.print(f"sitrep: {error.format_message()}", markup=False, soft_wrap=True)
            sys.exit(WRONG_INPUT)
        logging.getLogger(__name__).exception("this is a fault of sitrep, please report it")
        sys.exit(OUR_FAULT)
    if code == STOPPED:  # typer turns Ctrl-C into this when a command does not catch it
        err.print("sitrep: stopped", markup=False)
    sys.exit(code if isinstance(code, int) else DONE)


def _command() -> str:
    """How the user called us: ``sitrep``, or a path where it is not on the PATH."""
    if shutil.which("sitrep"):
        return "sitrep"
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return "python -m train"
    return str(called.relative_to(Path.cwd()) if called.is_relative_to(Path.cwd()) else called)


def _typed() -> str:
    """The command as it was typed, files outside this folder by their name only."""
    words = [
        Path(word).name if Path(word).is_absolute() or ".." in Path(word).parts else word
        for word in sys.argv[1:]
    ]
    return shlex.join(["sitrep", *words])


def _bundle(model: str | None) -> Path:
    if model is not None and Path(model).is_dir() and (Path(model) / "manifest.json").is_file():
        return Path(model)  # without MLflow, which takes seconds to import
    from train import registry

    return registry.bundle_folder(model)


def _data_settings(
    files: list[str],
    text: str,
    label: str,
    article_id: str | None,
    labels: tuple[str, ...] | None,
    keep: tuple[str, ...] = (),
) -> Any:
    from train.config import Columns, DataSettings

    named: dict[str, Any] = {"text": text, "label": label, "keep": keep}
    if article_id is not None:
        named["article_id"] = article_id
    return DataSettings(files=tuple(files), columns=Columns(**named), labels=labels)


@contextmanager
def _summaries(path: Path | None, labels: tuple[str, ...]) -> Iterator[Callable[[Any], None]]:
    from predict import summaries

    if path is None:
        yield lambda prediction: None
    else:
        with summaries.opened(path, labels) as take:
            yield take


def _doubt_labels(found: Any, output: Path | None) -> None:
    from models.settings import TfidfSettings
    from train import display, suspects

    doubted = suspects.find(found.rows, found.labels, TfidfSettings(family="tfidf"), seed=0)
    err.print(display.doubts(doubted, len(found.rows)))
    if output is not None:
        suspects.write(doubted, output)
        err.print(f"written to {output}", markup=False)


def _same_labels(names: list[str], label_sets: list[tuple[str, ...]]) -> tuple[str, ...]:
    for name, labels in zip(names, label_sets, strict=True):
        if labels != label_sets[0]:
            raise DataError(
                f"{names[0]} has the labels {', '.join(label_sets[0])}, {name} has "
                f"{', '.join(labels)}: only models with the same labels can be compared"
            )
    return label_sets[0]


def _write_json(path: Path | None, content: dict[str, Any]) -> None:
    if path is not None:
        text = json.dumps(content, indent=2, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")
