"""A shell completes what a planner types: commands, names of forecasts, fields of a spec."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from mlspec.cli import main as front
from tests.examples import project, spec_text


def completed(*words: str) -> list[str]:
    """What a shell would offer after these words; the last one is not finished."""
    completion = ShellComplete(front.cli, {}, "mlspec", "_MLSPEC_COMPLETE")
    return [item.value for item in completion.get_completions(list(words[:-1]), words[-1])]


@pytest.fixture(autouse=True)
def _two_forecasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = spec_text("bikes").replace("metadata:\n  name: bikes", "metadata: {owner: a@example.com, name: bikes}")
    monkeypatch.chdir(project(tmp_path, demand=spec_text(), bikes=flow))
    Path("specs/broken.yaml").write_bytes(b"\xff\xfe")


def test_commands_names_and_fields_are_completed() -> None:
    assert completed("fore") == ["forecast"]
    assert completed("forecast", "") == ["bikes", "demand"]
    assert completed("status", "de") == ["demand"]
    assert completed("explain", "dataset.ended") == [
        "dataset.ended_after",
        "dataset.ended_when",
        "dataset.ended_series",
    ]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_script_of_a_shell_is_printed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert front.run(["completion", shell]) == 0
    assert "_MLSPEC_COMPLETE" in capsys.readouterr().out


def test_another_shell_is_a_wrong_call(capsys: pytest.CaptureFixture[str]) -> None:
    assert front.run(["completion", "cmd"]) == 2
    assert "bash" in capsys.readouterr().err
