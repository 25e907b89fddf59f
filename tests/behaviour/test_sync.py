"""A tracking server that fails costs no run: the folder keeps it and sends it later, once."""

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import mlflow
import pytest
from command import ENVIRONMENT, sitrep, write_config
from samples import labelled, write_jsonl
from servers import mlflow_process

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""MLflow's, for what its own database layer uses."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real MLflow server."""
    folder = tmp_path_factory.mktemp("server")
    words = [
        *("server", "--workers", "1", "--backend-store-uri", f"sqlite:///{folder / 'store.db'}"),
        *("--artifacts-destination", str(folder / "artifacts")),
    ]
    with mlflow_process(words, folder, ENVIRONMENT, "/health") as uri:
        yield uri


@contextmanager
def proxy(upstream: str, dies_after: int) -> Iterator[str]:
    """Pass requests on to ``upstream``; close every connection after so many of them."""
    seen = 0
    host = upstream.removeprefix("http://")

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            nonlocal seen
            seen += self.path != "/health"
            if seen > dies_after:
                self.close_connection = True
                self.connection.close()
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {k: v for k, v in self.headers.items() if k.lower() != "host"}
            with closing(http.client.HTTPConnection(host, timeout=60)) as connection:
                connection.request(self.command, self.path, body, headers)
                reply = connection.getresponse()
                content = reply.read()
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.headers.get("Content-Type", "text/plain"))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815

        def log_message(self, *words: object) -> None:
            pass

    with serving(Handler) as uri:
        yield uri


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve ``handler`` on this machine only."""
    http_server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    http_server.handle_error = lambda *words: None  # type: ignore[method-assign]
    thread = threading.Thread(target=http_server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http_server.server_port}"
    finally:
        http_server.shutdown()
        http_server.server_close()
        thread.join()


class Broken(BaseHTTPRequestHandler):
    """Is there, and answers everything with an error."""

    def do_GET(self) -> None:
        self.send_error(500)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_jsonl(tmp_path / "rows.jsonl", labelled(20))
    write_config(tmp_path / "run.yaml", family="tfidf")
    return tmp_path


@contextmanager
def gone(answers: str) -> Iterator[str]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        if answers == "hangs":
            listening.listen()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def environment(uri: str, experiment: str) -> dict[str, str]:
    return {"MLFLOW_TRACKING_URI": uri, "MLFLOW_EXPERIMENT_NAME": experiment}


def runs_in(uri: str, experiment: str) -> dict[str, mlflow.entities.Run]:
    """Runs by name; two of one name would be a run that was sent twice."""
    client = mlflow.MlflowClient(uri, uri)
    found = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    kinds = [run.data.tags.get("sitrep.kind", "run") for run in found]
    assert len(set(kinds)) == len(kinds)
    return dict(zip(kinds, found, strict=True))


def assert_same(folder: Path, server: str, experiment: str) -> None:
    """Everything that the folder keeps of its runs is on the server, once."""
    kept = runs_in(f"sqlite:///{folder / 'mlflow.db'}", experiment)
    sent = runs_in(server, experiment)
    assert sent.keys() == kept.keys() == {"command", "run"}
    source = mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    target = mlflow.MlflowClient(server, server)
    for kind, run in kept.items():
        copy = sent[kind]
        assert copy.info.status == run.info.status == "FINISHED"
        assert copy.data.params == run.data.params
        for key in run.data.metrics:
            assert [
                (m.step, m.value) for m in target.get_metric_history(copy.info.run_id, key)
            ] == [(m.step, m.value) for m in source.get_metric_history(run.info.run_id, key)]
        names = [[f.path for f in c.list_artifacts(r.info.run_id)] for c, r in
                 ((source, run), (target, copy))]  # fmt: skip
        assert names[0] == names[1]
    assert sent["run"].data.tags["mlflow.parentRunId"] == sent["command"].info.run_id
    of_run = f"run_id = '{sent['run'].info.run_id}'"
    assert len(target.search_model_versions(of_run)) == 1


@pytest.mark.parametrize("answers", ["refuses", "hangs"])
def test_training_goes_on_without_the_server_and_sync_sends_it_later(
    folder: Path, server: str, answers: str
) -> None:
    with gone(answers) as uri:
        done = sitrep(folder, "train", "run.yaml", **environment(uri, answers))
    assert done.code == 0, done.err
    assert "nothing is lost; send it with `sitrep sync`" in done.err
    later = sitrep(folder, "sync", **environment(server, answers))
    assert (later.code, later.last_line) == (0, f"sent 2 runs to {server}"), later.err
    assert_same(folder, server, answers)
    again = sitrep(folder, "sync", **environment(server, answers))
    assert again.last_line == f"sent 0 runs to {server}"
    assert_same(folder, server, answers)


def test_a_server_that_answers_with_errors_costs_no_run(folder: Path, server: str) -> None:
    with serving(Broken) as uri:
        done = sitrep(folder, "train", "run.yaml", **environment(uri, "errors"))
        assert done.code == 0, done.err
        assert "nothing is lost" in done.err
        failed = sitrep(folder, "sync", **environment(uri, "errors"))
        assert failed.code == 2
        assert "did not take everything" in failed.last_line
    assert sitrep(folder, "sync", **environment(server, "errors")).code == 0
    assert_same(folder, server, "errors")


@pytest.mark.parametrize("requests", [4, 15, 30])
def test_a_server_that_dies_half_way_gets_everything_once(
    folder: Path, server: str, requests: int
) -> None:
    name = f"dies after {requests}"
    with proxy(server, requests) as uri:
        done = sitrep(folder, "train", "run.yaml", **environment(uri, name))
        assert done.code == 0, done.err
        assert "nothing is lost" in done.err
    later = sitrep(folder, "sync", **environment(server, name))
    assert later.code == 0, later.err
    assert_same(folder, server, name)


def test_sync_without_a_server_says_what_to_set(folder: Path) -> None:
    done = sitrep(folder, "sync")
    assert done.code == 2
    assert "MLFLOW_TRACKING_URI names no server" in done.last_line
