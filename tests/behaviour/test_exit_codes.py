"""What the command line does when the fault is not the user's."""

import subprocess
from pathlib import Path

import pytest
from command import ENVIRONMENT, command

from train import cli


def test_a_fault_of_ours_is_told_with_its_traceback_and_code_1(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(standalone_mode: bool) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "app", broken)
    monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 1
    assert caplog.records[-1].exc_info is not None


@pytest.mark.parametrize("output", [["-o", "-"], []], ids=["jsonl", "readable"])
def test_a_reader_that_goes_away_is_no_error(
    workspace: Path, tmp_path: Path, output: list[str]
) -> None:
    (tmp_path / "story.txt").write_text("Troops left the town. " * 5000)
    with subprocess.Popen(
        command("predict", tmp_path / "story.txt", *output),
        cwd=workspace, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read().decode()
        assert process.wait(timeout=60) == 0
    assert "Traceback" not in said
